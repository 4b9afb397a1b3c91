//! What stands in for a cluster: an API server in this process and child controllers that act by a script, for the
//! demo and the tests; and the checker of the promises, which judges what is written there or on a real one.

pub mod api_server;
pub mod children;
pub mod promises;
