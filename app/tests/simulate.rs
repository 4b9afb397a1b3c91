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

/// `simulate` on one core alone, the first that this process may use.
fn on_one_core(args: &[&str]) -> Output {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let allowed = lines
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .unwrap();
    let first = allowed.trim().split([',', '-']).next().unwrap();
    Command::new("taskset")
        .args(["-c", first, env!("CARGO_BIN_EXE_remediation-orchestrator")])
        .arg("simulate")
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("taskset: {error}; install it (Debian: util-linux)"))
}

#[test]
fn one_core_and_all_of_them_give_the_same_bytes() {
    for args in [
        &["--seed", "7", "--print"][..],
        &["--seed", "11", "--print"],
        &["--seeds", "0..60"],
        &["--seeds", "0..60", "-o", "json"],
    ] {
        let (one, all) = (on_one_core(args), simulate(args));
        let told = text(&one.stderr);
        assert_eq!(one.status.code(), Some(0), "{args:?}: {told}");
        assert_eq!(all.status.code(), Some(0), "{args:?}");
        assert!(one.stdout.len() > 20, "{args:?}: nothing was printed");
        assert!(one.stdout == all.stdout, "{args:?}: two runs differ");
    }
}

#[test]
fn a_run_is_printed_as_json_where_that_is_asked_for() {
    let output = simulate(&["--seed", "7", "--print", "-o", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let lines = value["trace"].as_array().unwrap();
    let lines: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap()).collect();
    let printed = text(&simulate(&["--seed", "7", "--print"]).stdout);
    assert_eq!(lines, printed.lines().collect::<Vec<_>>());
    assert_eq!(value["broken"], serde_json::json!([]));
}

#[test]
fn every_fault_says_of_each_life_how_many_runs_there_were() {
    let output = simulate(&["--every-fault", "--time", "1s", "-o", "json"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let lives = value["lives"].as_array().unwrap();
    assert!(
        lives.iter().all(|life| life["of"].as_u64() > Some(400)),
        "{value}"
    );
    let sum = |field: &str| -> u64 { lives.iter().filter_map(|life| life[field].as_u64()).sum() };
    let (passing, recovered) = (sum("passing"), sum("recovered"));
    assert!(0 < passing && passing <= sum("runs"), "{value}");
    assert_eq!(recovered, passing, "{value}");
    assert_eq!(value["broken"], serde_json::json!([]));
    assert!(told.contains("runs a second"), "{told}");
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
            vec!["--seed", "1", "--print", "--out", "here.json"],
            "cannot be used with",
        ),
        (
            vec!["--seed", "1", "--print", "--time", "5s"],
            "cannot be used with",
        ),
        (
            vec!["--trace", "here.json", "--out", "there.json"],
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

/// A trace that can be run, after this change to what it holds.
fn changed(change: impl FnOnce(&mut Value)) -> String {
    use remediation_adapters::simulation::run::{Plan, Trace};
    let trace = Trace::new(Plan::from_seed(3), "S1", "it was").write();
    let mut value = serde_json::from_str(&trace).unwrap();
    change(&mut value);
    value.to_string()
}

#[test]
fn a_trace_that_cannot_be_run_is_refused_with_what_and_where_and_what_to_do() {
    let whole = changed(|_| {});
    let folder = std::env::temp_dir();
    let path = |name: &str, content: &str| file(name, content).to_str().unwrap().to_owned();
    let cases = [
        (
            path("older.json", &changed(|trace| trace["version"] = 1.into())),
            "is a trace of version 1, and this program runs version 2: run it with the program that wrote it",
        ),
        (
            path("cut.json", &whole[..whole.len() * 2 / 3]),
            "line 1: is no whole trace (EOF while parsing",
        ),
        (
            path("empty.json", ""),
            "line 1: is no whole trace (EOF while parsing a value",
        ),
        (
            path("words.json", "replicas: 1"),
            "line 1: is no whole trace (expected value",
        ),
        (
            path(
                "other-field.json",
                &changed(|trace| trace["plan"]["sed"] = 1.into()),
            ),
            "is no whole trace (unknown field `sed`",
        ),
        (
            path(
                "replicas.json",
                &changed(|trace| trace["plan"]["replicas"] = 4_000_000_000_u64.into()),
            ),
            "`plan.replicas` is 4000000000; from 1 to 2 is allowed; correct it, or record the trace again with",
        ),
        (
            path(
                "busy.json",
                &changed(|trace| {
                    let script = &mut trace["plan"]["requests"][0]["script"];
                    script["analysis"]["quirks"] = serde_json::json!([{ "busy": u32::MAX }]);
                }),
            ),
            "`plan.requests[0].script.analysis.quirks[0]` is 4294967295 writes; at most 1000 are allowed",
        ),
        (
            path(
                "late.json",
                &changed(|trace| {
                    let outage = serde_json::json!({ "outage": { "atMs": 1, "forMs": u64::MAX } });
                    trace["plan"]["troubles"] = serde_json::json!([outage]);
                }),
            ),
            "`plan.troubles[0].outage.forMs` is too large a number; from 0 to 3600000 is allowed",
        ),
        (
            path("large.json", &format!("{whole}{}", " ".repeat(1 << 20))),
            "it is larger than 1048576 bytes; give a file that `simulate` wrote",
        ),
        (
            folder.to_str().unwrap().to_owned(),
            "cannot be read: Is a directory",
        ),
    ];
    for (path, expected) in &cases {
        let output = simulate(&["--trace", path]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{expected}: {told}");
        assert!(
            told.contains(expected) && told.contains(path),
            "{expected} not in {told}"
        );
        assert_eq!(output.stdout, b"", "{expected}");
        if std::path::Path::new(path).is_file() {
            std::fs::remove_file(path).unwrap();
        }
    }
    let mixed = file("bytes.json", "");
    std::fs::write(&mixed, b"{ \xff\xfe").unwrap();
    let output = simulate(&["--trace", mixed.to_str().unwrap()]);
    std::fs::remove_file(mixed).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is no UTF-8 text, so no trace"));
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

#[test]
fn a_trace_that_breaks_a_promise_ends_with_exit_code_1() {
    use remediation_adapters::simulation::run::points::references;
    use remediation_adapters::simulation::run::{CallFault, Options, Stream, Trouble};
    let reference = references().into_iter().next().unwrap();
    let points = reference.points();
    // A creation that is refused for good ends the life otherwise, which the trace says it must not.
    let refused = |trouble: &Trouble| {
        matches!(
            trouble,
            Trouble::Call {
                stream: Stream::Work,
                fault: CallFault::Invalid,
                ..
            }
        )
    };
    let refused = points.iter().filter(|point| refused(&point.trouble));
    let mut traces = refused.map(|point| {
        let mut trace = reference.with(&[point]);
        trace.same_end = true;
        trace
    });
    let trace = traces
        .find(|trace| !trace.run(&Options::default()).broken.is_empty())
        .unwrap();
    let path = file("broken.json", &trace.write());
    let path = path.to_str().unwrap();
    let output = simulate(&["--trace", path]);
    let (printed, told) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{told}");
    let expected = format!("error: {path}: S21 shop/r0 at ");
    assert!(told.starts_with(&expected), "{told}");
    assert!(told.contains("it ends as Failed ("), "{told}");
    assert!(printed.contains("!! S21 shop/r0 at "), "{printed}");
    let output = simulate(&["--trace", path, "-o", "json"]);
    std::fs::remove_file(path).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let broken = value["broken"].as_array().unwrap();
    assert!(
        broken[0].as_str().unwrap().starts_with("S21 shop/r0 at "),
        "{value}"
    );
}
