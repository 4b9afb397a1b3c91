//! The trace of a broken promise: the plan that breaks it, as a file that can be run again.

use remediation_core::text;
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::{Options, Report, points, run};
use crate::simulation::children::bounds::OutOfBounds;

/// What the first field of every trace says.
const FORMAT: &str = "remediation-orchestrator simulation";
/// The version that this program reads and writes: it changes whenever an old plan would run otherwise.
pub const TRACE_VERSION: u32 = 2;
/// The largest trace that is read, in bytes of text: one of three requests and hundreds of troubles is a tenth of it.
pub const LARGEST_TRACE: usize = 1 << 20;
/// What the promise is called that a trace names, in characters at most.
const LONGEST_PROMISE: usize = 8;

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
    /// Whether it must end as it does without its troubles.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub same_end: bool,
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
    /// It is larger than any trace.
    #[error(
        "is no trace of a simulation: it is larger than {LARGEST_TRACE} bytes; give a file that `simulate` wrote"
    )]
    TooLarge,
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
    /// It asks for more than a run can take.
    #[error("{0}; correct it, or record the trace again with `simulate --seed N`")]
    OutOfBounds(OutOfBounds),
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
            same_end: false,
            plan,
        }
    }

    /// Runs the plan again, and judges it as it was judged.
    #[must_use]
    pub fn run(&self, options: &Options) -> Report {
        if self.same_end {
            points::run_to_same_end(&self.plan, options)
        } else {
            run(&self.plan, options)
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
    /// If it is no whole trace of this version, or asks for more than a run can take.
    pub fn read(written: &str) -> Result<Self, TraceError> {
        if written.len() > LARGEST_TRACE {
            return Err(TraceError::TooLarge);
        }
        let unreadable = |error: serde_json::Error| TraceError::Unreadable {
            line: error.line(),
            // It quotes what it found.
            problem: text::clean(&error.to_string(), text::MESSAGE),
        };
        let value: serde_json::Value = serde_json::from_str(written).map_err(unreadable)?;
        if value["format"] != FORMAT {
            return Err(TraceError::Other);
        }
        let found = value["version"].as_u64().unwrap_or(0);
        if found != u64::from(TRACE_VERSION) {
            return Err(TraceError::Version { found });
        }
        let mut trace: Self = serde_json::from_str(written).map_err(unreadable)?;
        trace.promise = text::clean(&trace.promise, LONGEST_PROMISE);
        let checked = trace.plan.check();
        checked.map_err(|error| TraceError::OutOfBounds(error.within("plan")))?;
        Ok(trace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_survives_its_text() {
        for seed in 0..200 {
            let mut trace = Trace::new(Plan::from_seed(seed), "S1", "twice");
            trace.same_end = seed % 2 == 1;
            assert_eq!(Trace::read(&trace.write()), Ok(trace));
        }
    }

    #[test]
    fn what_no_run_can_take_is_refused_with_its_place() {
        let plan = Plan {
            replicas: 1_000_000,
            ..Plan::from_seed(1)
        };
        let text = Trace::new(plan, "S1", "twice").write();
        let told = Trace::read(&text).unwrap_err().to_string();
        assert!(
            told.starts_with("`plan.replicas` is 1000000; from 1 to 2 is allowed; correct it"),
            "{told}"
        );
        let long = " ".repeat(LARGEST_TRACE + 1);
        assert_eq!(Trace::read(&long), Err(TraceError::TooLarge));
    }

    #[test]
    fn what_a_trace_says_moves_no_cursor() {
        let trace = Trace::new(Plan::from_seed(1), "\u{1b}[2JS1", "twice");
        let read = Trace::read(&trace.write()).unwrap();
        assert!(!read.promise.contains('\u{1b}'), "{:?}", read.promise);
        let text = trace.write().replace("\"seed\"", "\"\\u001b[2J\"");
        let told = Trace::read(&text).unwrap_err().to_string();
        assert!(
            told.contains("unknown field") && !told.contains('\u{1b}'),
            "{told:?}"
        );
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
