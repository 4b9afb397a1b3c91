//! What stands in for a cluster: an API server in this process and child controllers that act by a script, for the
//! demo and the tests.

pub mod api_server;
pub mod children;
