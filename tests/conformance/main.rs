//! Conformance: the simulated API server answers as a real kube-apiserver does.
//!
//! The same sequences of requests go to both, and everything that a client can see of the answers is compared: codes,
//! reasons, messages, objects, and the events of watches. What cannot be equal (UIDs, resourceVersions, times) is
//! compared by the place of its first appearance.

mod canaries;
mod compare;
mod endings;
mod explained;
mod fields;
mod generate;
#[path = "../system/harness/mod.rs"]
mod harness;
mod kinds;
mod known;
mod mask;
mod memory;
mod random;
mod random_sequences;
mod reach;
mod recording;
mod request;
mod run;
mod server;
mod stage;
mod story;
