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
    pub(crate) mod child_status;
    pub(crate) mod corpus;
    pub(crate) mod snapshots;
    pub(crate) mod traces;
    pub(crate) mod watch_lines;
}

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, panic, thread};

use bodies::child_status::{child, run_with};
use bodies::corpus::replay;
use jiff::Timestamp;
use remediation_adapters::simulation::run::Trace;
use remediation_core::action::Action;
use remediation_core::children::{ChildStatus, Children};
use remediation_core::decide::{State, decide};
use serde_json::json;

#[test]
fn the_status_of_children() {
    replay("child_status", bodies::child_status::run);
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
    let noticed = panic::catch_unwind(|| {
        replay("child_status", |status| run_with(status, &credulous));
    });
    let told = noticed.expect_err("no input shows the mistake");
    let told = told.downcast_ref::<String>().expect("a text");
    assert!(told.contains("S24"), "{told}");
}

#[test]
fn answers_of_the_api_server() {
    replay("api_answers", bodies::api_answers::run);
}

#[test]
fn lines_of_a_watch() {
    replay("watch_lines", bodies::watch_lines::run);
}

#[test]
fn dumps() {
    replay("snapshots", bodies::snapshots::run);
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
