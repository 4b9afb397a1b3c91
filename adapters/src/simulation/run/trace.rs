//! The trace of a broken promise: the plan that breaks it, as a file that can be run again.

use serde::{Deserialize, Serialize};

use super::plan::Plan;

/// What the first field of every trace says.
const FORMAT: &str = "remediation-orchestrator simulation";
/// The version that this program reads and writes: it changes whenever an old plan would run otherwise.
pub const TRACE_VERSION: u32 = 2;

/// A plan to be run again, and what it broke.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    format: String,
    version: u32,
    /// The promise that was broken, as `S1`.
    pub promise: String,
    /// How, in words.
    pub story: String,
    /// What happened.
    pub plan: Plan,
}

/// Why a trace cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// It is no JSON, or ends too early.
    #[error("line {line}: is no whole trace ({problem}); record it again with `simulate --seed N`")]
    Unreadable {
        /// The line at which reading stopped, from 1.
        line: usize,
        /// Why.
        problem: String,
    },
    /// It is JSON, but something else.
    #[error("is no trace of a simulation: its field \"format\" is not \"{FORMAT}\"")]
    Other,
    /// It was written by another version.
    #[error(
        "is a trace of version {found}, and this program runs version {TRACE_VERSION}: run it with the program that wrote it, or record it again with `simulate --seed N`"
    )]
    Version {
        /// Its version.
        found: u64,
    },
}

impl Trace {
    /// The trace of this plan, which breaks this promise.
    #[must_use]
    pub fn new(plan: Plan, promise: &str, story: &str) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: TRACE_VERSION,
            promise: promise.to_owned(),
            story: story.to_owned(),
            plan,
        }
    }

    /// As text.
    #[must_use]
    pub fn write(&self) -> String {
        // A tree of plain structs with string keys cannot fail to serialise.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        text + "\n"
    }

    /// From text.
    ///
    /// # Errors
    /// If it is no whole trace of this version.
    pub fn read(text: &str) -> Result<Self, TraceError> {
        let unreadable = |error: serde_json::Error| TraceError::Unreadable {
            line: error.line(),
            problem: error.to_string(),
        };
        let value: serde_json::Value = serde_json::from_str(text).map_err(unreadable)?;
        if value["format"] != FORMAT {
            return Err(TraceError::Other);
        }
        let found = value["version"].as_u64().unwrap_or(0);
        if found != u64::from(TRACE_VERSION) {
            return Err(TraceError::Version { found });
        }
        serde_json::from_str(text).map_err(unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_survives_its_text() {
        for seed in 0..200 {
            let trace = Trace::new(Plan::from_seed(seed), "S1", "twice");
            assert_eq!(Trace::read(&trace.write()), Ok(trace));
        }
    }

    #[test]
    fn what_is_no_trace_is_told_from_one_of_another_version() {
        let text = Trace::new(Plan::from_seed(1), "S1", "twice").write();
        let half = &text[..text.len() / 2];
        assert!(matches!(
            Trace::read(half),
            Err(TraceError::Unreadable { line: 2.., .. })
        ));
        let newer = text.replacen("\"version\": 2", "\"version\": 7", 1);
        assert_eq!(Trace::read(&newer), Err(TraceError::Version { found: 7 }));
        assert_eq!(Trace::read("{}"), Err(TraceError::Other));
    }
}
