//! What an operator can see of the simulated API server, through a real client.
#![allow(clippy::unwrap_used)]

mod basics;
mod deletion;
mod faults;
mod kubectl;
mod rules;
mod watches;
mod widget;
