//! What the whole-system tests stand on: a real Kubernetes control plane, the real operator binary
//! as a process, and waits that wake on events.
//!
//! A test starts with [`ControlPlane::shared`] and a [namespace](ControlPlane::namespace) of its
//! own; one that stops the API server starts a private control plane instead. Nothing here is ever
//! skipped: what is missing is an error that says what to install.

#![allow(
    dead_code,
    unused_imports,
    reason = "a toolbox: each tool is used by some of the tests"
)]

mod access;
mod audit;
mod binaries;
mod control_plane;
mod crds;
mod operator;
mod ports;
mod source_build;
mod supervised;
mod wait;

pub(crate) use access::User;
pub(crate) use audit::{AuditEvent, AuditMark};
pub(crate) use control_plane::ControlPlane;
pub(crate) use crds::{apply_crd, custom_resource};
pub(crate) use operator::{Operator, sum_of};
pub(crate) use supervised::Signal;
pub(crate) use wait::{DEADLINE, eventually, eventually_gone, eventually_list, until};

/// A failure of the harness, in words for the person who reads the test's output. `Debug` is the
/// same text, because that is what the test runner prints for a test that returns an error.
#[derive(Clone)]
pub(crate) struct Failure(String);

/// The result of everything in the harness, and of most tests.
pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Any error can be passed up with `?`; its sources are named too.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        Self(text)
    }
}

/// Adds to an error what was being done when it came.
pub(crate) trait Context<T> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Failure>> Context<T> for std::result::Result<T, E> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Failure(format!("{}: {}", doing(), error.into().0)))
    }
}

/// Writes a line for the person at the terminal, past the test runner's capturing of output.
fn tell(line: &str) {
    use std::io::Write;
    // A closed stderr is no reason to fail a test.
    let _ = writeln!(std::io::stderr(), "control plane: {line}");
}
