//! Mistakes made on purpose in what the simulated server is asked or answers.

use serde_json::Value;

use crate::{request::Request, server::Answer};

/// A wrong simulated server: a wrapper around the right one.
pub(crate) struct Tamper {
    pub(crate) name: &'static str,
    pub(crate) request: fn(&mut Request),
    pub(crate) answer: fn(&Request, &mut Answer),
    pub(crate) events: fn(&mut Vec<Value>),
}
