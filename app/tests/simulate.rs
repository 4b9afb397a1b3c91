//! `simulate` from the command line.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn simulate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_remediation-orchestrator"))
        .arg("simulate")
        .args(args)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A file of this test alone.
fn file(name: &str, content: &str) -> PathBuf {
    let name = format!("simulate-{}-{name}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_range_of_seeds_is_run_with_the_result_on_stdout_and_the_rate_on_stderr() {
    let output = simulate(&["--seeds", "0..20"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(text(&output.stdout).starts_with("20 runs, "));
    assert!(
        told.contains("runs and") && told.contains("a second"),
        "{told}"
    );
}

#[test]
fn the_result_of_the_same_seeds_is_the_same() {
    let json = || {
        let output = simulate(&["--seeds", "0..20", "-o", "json"]);
        assert_eq!(output.status.code(), Some(0));
        output.stdout
    };
    let first = json();
    assert_eq!(first, json());
    let value: Value = serde_json::from_slice(&first).unwrap();
    assert_eq!(value["runs"], 20);
    assert!(
        value["transitions"]["Processing → Analyzing"]
            .as_u64()
            .unwrap()
            > 0
    );
}

#[test]
fn the_same_seed_prints_the_same_calls_and_writes() {
    let print = |home: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_remediation-orchestrator"))
            .args(["simulate", "--seed", "7", "--print"])
            .env("HOME", home)
            .env("LANG", home)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        text(&output.stdout)
    };
    let printed = print("/");
    assert!(
        printed.contains("create remediationprocessings"),
        "{printed}"
    );
    assert_eq!(printed, print("/nowhere"));
}

#[test]
fn bad_input_is_named_with_exit_code_2() {
    let broken = file("half.json", "{\n  \"format\":");
    let other = file("other.json", "{}");
    let newer = file(
        "newer.json",
        r#"{ "format": "remediation-orchestrator simulation", "version": 99 }"#,
    );
    for (args, expected) in [
        (vec!["--seeds", "7..7"], "it holds no seed"),
        (vec!["--seeds", "9..3"], "it holds no seed"),
        (vec!["--seeds", "many"], "write it as FROM..TO"),
        (vec!["--time", "0s"], "more than zero"),
        (vec!["--time", "soon"], "90s, 5m or 2h"),
        (
            vec!["--seed", "1", "--seeds", "1..2"],
            "cannot be used with",
        ),
        (
            vec!["--trace", "/nonexistent.json"],
            "/nonexistent.json: cannot be read",
        ),
        (
            vec!["--trace", broken.to_str().unwrap()],
            "line 2: is no whole trace",
        ),
        (
            vec!["--trace", other.to_str().unwrap()],
            "is no trace of a simulation",
        ),
        (vec!["--trace", newer.to_str().unwrap()], "version 99"),
    ] {
        let output = simulate(&args);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(told.contains(expected), "{expected} not in {told}");
        assert_eq!(output.stdout, b"", "{args:?}");
    }
    for file in [broken, other, newer] {
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_trace_is_run_again_and_says_when_nothing_is_broken_any_more() {
    use remediation_adapters::simulation::run::{Plan, Trace};
    let trace = Trace::new(Plan::from_seed(3), "S1", "it was").write();
    let path = file("fine.json", &trace);
    let output = simulate(&["--trace", path.to_str().unwrap()]);
    std::fs::remove_file(path).unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(
        told.contains("no promise is broken any more (it was S1)"),
        "{told}"
    );
    assert!(text(&output.stdout).contains("created remediationrequests/r0"));
}
