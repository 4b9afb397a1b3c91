//! Every known bug can still be planted, and the page says of each that was which test catches it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use known_bugs::{catalogue, page, results, workspace};

#[test]
fn every_patch_applies_to_the_present_code() {
    let bugs = catalogue::load().unwrap();
    assert!(bugs.len() >= 60, "{} bugs", bugs.len());
    let mut stale = Vec::new();
    for bug in &bugs {
        for change in &bug.changes {
            let text = fs::read_to_string(workspace().join(&change.path)).unwrap();
            match change.apply(&text) {
                Ok(changed) => assert_ne!(changed, text, "{} changes nothing", bug.name),
                Err(problem) => stale.push(format!("{}: {problem}", bug.name)),
            }
        }
    }
    assert!(
        stale.is_empty(),
        "make these patches anew, then `cargo run -p known-bugs`:\n{}",
        stale.join("\n")
    );
}

#[test]
fn every_bug_was_planted_and_is_caught_and_the_page_says_by_what() {
    let bugs = catalogue::load().unwrap();
    let results = results::load().unwrap();
    for bug in &bugs {
        let verdict = results.get(&bug.name);
        let verdict = verdict.unwrap_or_else(|| panic!("{} was never planted", bug.name));
        assert_eq!(
            verdict.fingerprint, bug.fingerprint,
            "{} was changed since it was planted: run `cargo run -p known-bugs`",
            bug.name
        );
        assert_ne!(verdict.layer, "", "no test catches {}", bug.name);
    }
    let committed = fs::read_to_string(workspace().join(page::PATH)).unwrap();
    assert_eq!(
        committed,
        page::render(&bugs, &results),
        "run `cargo run -p known-bugs -- --table`"
    );
}
