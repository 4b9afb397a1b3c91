//! Kubernetes: the API types and their definitions, watches and caches, the executor of actions, Events and
//! the lease. Adapters translate at the edge, once; no rule of the state machine is decided here.

pub mod api;
pub mod cache;
pub mod calls;
pub mod client;
pub mod crd;
pub mod events;
pub mod executor;
pub mod failure;
pub mod gate;
pub mod lease;
pub mod operator;
pub mod overlay;
pub mod queue;
pub mod read;
mod schema;
pub mod watch;
