//! What an operator can see of the simulated API server, through a real client.
#![allow(clippy::unwrap_used)]

mod basics;
mod widget;
