//! Every known bug can still be planted, and the page says of each that was which test catches it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use known_bugs::layers::LAYERS;
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

#[test]
fn each_test_that_catches_a_bug_is_there() {
    let (mut gone, mut functions) = (Vec::new(), BTreeMap::new());
    for (bug, verdict) in results::load().unwrap() {
        let layer = LAYERS.iter().find(|layer| layer.name == verdict.layer);
        let layer = layer.unwrap_or_else(|| panic!("{bug}: no layer is called {}", verdict.layer));
        let there = functions.entry(layer.name).or_insert_with(|| {
            let mut there = BTreeSet::new();
            for folder in layer.made_of.iter().chain(&["tests/"]) {
                find_functions(&workspace().join(folder), &mut there);
            }
            there
        });
        // A scenario is a function, and its two tests are a macro's, in a module of the scenario's name.
        let mut path = verdict.test.rsplit("::");
        let made = |part: &&str| {
            part.ends_with("_real_api_server") || part.ends_with("_simulated_api_server")
        };
        let function = path.find(|part| !made(part)).unwrap_or_default();
        if !there.contains(function) {
            gone.push(format!("{bug}: {}", verdict.test));
        }
    }
    assert!(
        gone.is_empty(),
        "these tests are no more; plant the bugs again, `cargo run -p known-bugs -- --only BUG`:\n{}",
        gone.join("\n")
    );
}

/// The names of all functions in the Rust files of this folder.
fn find_functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            for (_, rest) in text
                .match_indices("fn ")
                .map(|(at, word)| text.split_at(at + word.len()))
            {
                let name = rest
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next();
                found.extend(name.map(str::to_owned));
            }
        }
    }
}
