//! What stands in for a cluster: an API server in this process, for the demo and the tests.

pub mod api_server;
