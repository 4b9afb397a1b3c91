//! What is found: promises that were broken.

use std::fmt;

use jiff::Timestamp;

use super::Promise;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// Of which object: `namespace/name`.
    pub object: String,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// What was seen, and what should have been.
    pub story: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            promise,
            object,
            at,
            story,
        } = self;
        write!(
            f,
            "{promise} {object} at {at}: {story} ({})",
            promise.statement()
        )
    }
}

/// What one commit breaks.
pub(super) struct Findings<'a> {
    object: &'a str,
    at: Timestamp,
    pub(super) list: Vec<Violation>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(object: &'a str, at: Timestamp) -> Self {
        Self {
            object,
            at,
            list: Vec::new(),
        }
    }

    pub(super) fn breaks(&mut self, promise: Promise, story: impl Into<String>) {
        self.list.push(Violation {
            promise,
            object: self.object.to_owned(),
            at: self.at,
            story: story.into(),
        });
    }
}
