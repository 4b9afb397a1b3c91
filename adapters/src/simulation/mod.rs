//! What stands in for a cluster: an API server in this process and child controllers that act by a script, for the
//! demo and the tests; and whole runs of the operator on them, with everything that can go wrong.

pub mod api_server;
pub mod children;
pub mod run;
