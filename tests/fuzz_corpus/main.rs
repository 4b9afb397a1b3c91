//! The inputs that fuzzing found worth keeping, run through the same bodies as in `fuzz/`, without a fuzzer. Those of the
//! configuration file are run in `app/src/config.rs`: its parser lives in the binary.

#![allow(
    unreachable_pub,
    clippy::expect_used,
    reason = "the bodies belong to the fuzz targets, where they are public and fail by panicking"
)]

#[path = "../../fuzz/bodies"]
mod bodies {
    pub(crate) mod api_answers;
    pub(crate) mod audit_logs;
    pub(crate) mod child_status;
    pub(crate) mod corpus;
    pub(crate) mod snapshots;
    pub(crate) mod traces;
    pub(crate) mod watch_lines;
}

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, panic, thread};

use bodies::child_status::{child, run_with};
use bodies::corpus::replay;
use futures::future::BoxFuture;
use jiff::Timestamp;
use remediation_adapters::kubernetes::calls::Calls;
use remediation_adapters::simulation::promises::audit::{self, AuditError};
use remediation_adapters::simulation::run::{Options, Trace};
use remediation_core::action::Action;
use remediation_core::children::{ChildStatus, Children};
use remediation_core::decide::{State, decide, explain};
use remediation_core::pass::{Call, Outcome};
use remediation_core::request::Identity;
use remediation_core::time::GoDuration;
use serde_json::json;

#[test]
fn the_status_of_children() {
    replay("child_status", bodies::child_status::run);
}

/// What is said of the mistake that this body makes on purpose: at least one of the inputs shows it.
fn noticed(target: &str, body: impl Fn(&[u8])) -> String {
    let replayed = AssertUnwindSafe(|| replay(target, body));
    let told = panic::catch_unwind(replayed).expect_err("no input shows the mistake");
    let told = told.downcast::<String>().expect("a text");
    *told
}

/// Decides as if each child had said that it completed.
fn credulous(state: &State, children: &Children, now: Timestamp) -> Vec<Action> {
    let completed = |kind| ChildStatus::read(kind, json!({ "phase": "Completed" }));
    let kinds = children.iter().map(|seen| seen.key.kind);
    let believed = kinds.map(|kind| child(kind, completed(kind)));
    decide(state, &believed.collect(), now)
}

#[test]
fn a_word_that_is_taken_for_success_is_noticed() {
    let told = noticed("child_status", |status| run_with(status, &credulous));
    assert!(told.contains("S24"), "{told}");
}

#[test]
fn answers_of_the_api_server() {
    replay("api_answers", bodies::api_answers::run);
}

#[test]
fn a_refused_call_that_is_repeated_at_once_is_noticed() {
    let at_once = |_, _, _: &str| GoDuration::ZERO;
    let told = noticed("api_answers", |answer| {
        bodies::api_answers::run_with(answer, &at_once);
    });
    assert!(told.contains("S30"), "{told}");
}

#[test]
fn lines_of_a_watch() {
    replay("watch_lines", bodies::watch_lines::run);
}

#[test]
fn a_watch_that_does_not_ask_again_in_time_is_noticed() {
    let told = noticed("watch_lines", |lines| {
        bodies::watch_lines::run_for(lines, Duration::ZERO);
    });
    assert!(told.contains("the watch stopped"), "{told}");
}

#[test]
fn dumps() {
    replay("snapshots", bodies::snapshots::run);
}

#[test]
fn a_decision_that_is_another_the_second_time_is_noticed() {
    let times = AtomicUsize::new(0);
    let moody = |state: &State, children: &Children, now| {
        let mut decision = explain(state, children, now);
        if times.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            decision.actions.push(Action::WakeAt(now));
        }
        decision
    };
    let told = noticed("snapshots", |dump| {
        bodies::snapshots::run_with(dump, &moody);
    });
    assert!(told.contains("S18"), "{told}");
}

#[test]
fn audit_logs() {
    replay("audit_logs", bodies::audit_logs::run);
}

#[test]
fn a_line_that_an_audit_log_does_not_have_is_noticed() {
    let astray = |text: &str| {
        audit::read(text).map_err(|_| AuditError::Unreadable {
            line: text.lines().count() + 1,
            problem: String::from("somewhere"),
        })
    };
    let told = noticed("audit_logs", |log| {
        bodies::audit_logs::run_with(log, &astray);
    });
    assert!(told.starts_with("line "), "{told}");
}

#[test]
fn traces() {
    // A runtime catches a panic of a task, so those of the simulation are counted as they happen.
    let (here, panics) = (thread::current().id(), Arc::new(AtomicUsize::new(0)));
    let (counted, before) = (Arc::clone(&panics), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() == here {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        before(info);
    }));
    replay("traces", bodies::traces::run);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/traces");
    let inputs = fs::read_dir(folder).expect("a folder that can be read");
    let texts = inputs.filter_map(|input| fs::read_to_string(input.ok()?.path()).ok());
    let run = texts.filter(|text| Trace::read(text).is_ok()).count();
    assert!(
        run >= 14,
        "{run} traces are of this version: bring the others up to it"
    );
    assert_eq!(panics.load(Ordering::Relaxed), 0, "shown above");
}

#[test]
fn a_trace_that_is_written_without_a_trouble_is_noticed() {
    let forgetful = |trace: &Trace| {
        let mut kept = trace.clone();
        kept.plan.troubles.pop();
        kept.write()
    };
    let told = noticed("traces", |trace| {
        bodies::traces::run_with(trace, &forgetful, &Options::default());
    });
    assert!(told.contains("left == right"), "{told}");
}

/// Names another execution with each write.
struct NamesAnother(Arc<dyn Calls>);

impl Calls for NamesAnother {
    fn call(&self, request: &Identity, call: &Call) -> BoxFuture<'static, Outcome> {
        let mut call = call.clone();
        if let Call::Record(record) = &mut call
            && record.from.workflow_execution_ref.is_some()
            && let Some(named) = &mut record.to.workflow_execution_ref
        {
            named.uid += "-other";
        }
        self.0.call(request, &call)
    }
}

#[test]
fn a_trace_in_which_status_names_another_execution_than_before_is_noticed() {
    let options = Options {
        wrap: Arc::new(|calls| Arc::new(NamesAnother(calls))),
        ..Options::default()
    };
    let told = noticed("traces", |trace| {
        bodies::traces::run_with(trace, &Trace::write, &options);
    });
    assert!(told.contains("promise: S1,"), "{told}");
}
