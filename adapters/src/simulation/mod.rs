//! What stands in for a cluster: an API server in this process and child controllers that act by a script, for the
//! demo and the tests; the checker of the promises, which judges what is written there or on a real one; and whole runs
//! of the operator, with everything that can go wrong.

pub mod api_server;
mod board;
pub mod chance;
pub mod children;
mod definitions;
pub mod promises;
pub mod run;

pub use definitions::install_definitions;
