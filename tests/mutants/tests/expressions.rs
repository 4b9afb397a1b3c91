//! The reports on changed expressions are there, leave nothing open, tell which files are others by now, and excuse only code
//! that is still there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use known_bugs::expressions::part::PARTS;
use known_bugs::expressions::report;
use known_bugs::workspace;

#[test]
fn every_change_was_tried_and_is_noticed_or_excused() {
    for part in PARTS {
        let text = fs::read_to_string(report::path(part)).unwrap();
        let again = format!(
            "run `cargo run -p known-bugs --bin every-expression -- {}`",
            part.name
        );
        let counts = report::counts(&text);
        let (changes, came) = counts.split_first().unwrap();
        assert_eq!(changes.1, "changes");
        assert!(changes.0 >= 250, "{changes:?}: {again}");
        let sum: usize = came.iter().map(|(count, _)| count).sum();
        assert_eq!(sum, changes.0, "{counts:?}: {again}");
        for open in ["noticed by nothing", "not tried"] {
            assert!(counts.contains(&(0, open)), "{counts:?}: {again}");
        }
    }
}

#[test]
fn each_report_tells_which_files_have_changed_since_they_were_tried() {
    for part in PARTS {
        let path = report::path(part);
        let text = fs::read_to_string(&path).unwrap();
        let renewed = report::renewed(&text, &part.sources(&workspace()).unwrap());
        if std::env::var_os("UPDATE").is_some() {
            // At once: the other tests read it meanwhile.
            let beside = path.with_extension("renewed");
            fs::write(&beside, renewed).unwrap();
            fs::rename(beside, path).unwrap();
            continue;
        }
        assert!(
            text == renewed,
            "{} is to end with:\n{}\nto write that: `UPDATE=1 cargo test -p known-bugs`; to try what has changed: \
             `cargo run -p known-bugs --bin every-expression -- {}`",
            path.display(),
            renewed.lines().last().unwrap(),
            part.name
        );
    }
}

#[test]
fn every_reason_is_about_code_that_is_there_and_in_a_report() {
    let reports: Vec<String> = PARTS
        .iter()
        .map(|part| fs::read_to_string(report::path(part)).unwrap())
        .collect();
    for essence in report::justified().unwrap().keys() {
        let (file, rest) = essence.split_once(": ").unwrap();
        let line = rest.split_once(", at `").unwrap().1.strip_suffix('`');
        let source = fs::read_to_string(workspace().join(file)).unwrap();
        let there = source.lines().any(|code| Some(code.trim()) == line);
        assert!(there, "the code of this reason has changed: {essence}");
        let told = reports.iter().any(|text| text.contains(essence));
        assert!(told, "no report needs this reason: {essence}");
    }
}
