//! `replay` on a dump with known content, and on dumps that cannot be read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const INCIDENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replay/incident.yaml");

fn replay(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_remediation-orchestrator"))
        .arg("replay")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn json(args: &[&str], input: &str) -> Value {
    let args = [args, &["-o", "json"]].concat();
    let output = replay(&args, input);
    assert_eq!(output.status.code(), Some(0));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn remediation<'a>(all: &'a Value, name: &str) -> &'a Value {
    let mut all = all["remediations"].as_array().unwrap().iter();
    all.find(|remediation| remediation["name"] == name).unwrap()
}

#[test]
fn each_request_is_told_with_the_rule_and_what_would_be_done() {
    let all = json(&[INCIDENT], "");
    assert_eq!(all["now"], "2026-03-01T12:00:00Z");
    let web = remediation(&all, "web");
    assert_eq!(web["rule"], "ChildCompleted");
    assert_eq!(web["inWords"][0], "create AIAnalysis/web-aianalysis");
    let new = remediation(&all, "new");
    assert_eq!(new["rule"], "InvalidRequest");
    let gone = remediation(&all, "gone");
    assert_eq!(gone["missing"][0], "WorkflowExecution/gone-workflow");
    assert!(
        gone["inWords"][0]
            .as_str()
            .unwrap()
            .starts_with("read WorkflowExecution/gone-workflow")
    );
}

#[test]
fn the_text_says_the_same_and_what_a_dump_cannot_tell() {
    let output = replay(&[INCIDENT], "");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("rule  ChildCompleted: a child completed: the next step follows"),
        "{told}"
    );
    assert!(told.contains(
        "WorkflowExecution/gone-workflow is named in status but does not stand in the dump"
    ));
    let aside = String::from_utf8(output.stderr).unwrap();
    assert!(
        aside.contains("as of 2026-03-01T12:00:00Z (the newest time in the dump"),
        "{aside}"
    );
    assert!(aside.contains("the dump holds no AIAnalysis"), "{aside}");
    assert!(aside.contains("no consistent cut"), "{aside}");
}

#[test]
fn another_time_gives_another_decision() {
    let late = json(&[INCIDENT, "--now", "2026-03-01T14:00:00Z"], "");
    assert_eq!(late["nowFrom"], "from --now");
    assert_eq!(
        remediation(&late, "web")["rule"],
        "ChildCompleted",
        "a result wins over the clock"
    );
    let stuck = "kind: RemediationRequest\nmetadata: {name: web, namespace: shop, uid: u}\nspec: {targetingData: {signalFingerprint: f, alertName: a, environment: e}}\nstatus: {phase: Analyzing, phaseStartTime: \"2026-03-01T12:00:00Z\", startTime: \"2026-03-01T12:00:00Z\"}\n";
    let in_time = json(&["-", "--now", "2026-03-01T12:14:59Z"], stuck);
    let too_late = json(&["-", "--now", "2026-03-01T12:15:00Z"], stuck);
    assert_ne!(remediation(&in_time, "web")["rule"], "DeadlinePassed");
    assert_eq!(remediation(&too_late, "web")["rule"], "DeadlinePassed");
}

#[test]
fn standard_input_and_json_are_read_too() {
    let yaml = std::fs::read_to_string(INCIDENT).unwrap();
    assert_eq!(
        json(&["-"], &yaml)["remediations"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let value: Value = serde_saphyr::from_str(&yaml).unwrap();
    let all = json(&["-"], &value.to_string());
    assert_eq!(remediation(&all, "web")["rule"], "ChildCompleted");
}

#[test]
fn what_cannot_be_read_is_named_with_file_and_line_and_exit_code_2() {
    for (input, expected) in [
        ("", "<stdin>: holds no object"),
        ("kind: A\n  bad: [\n", "<stdin>:2: is no YAML"),
        ("{\n\"kind\": }", "<stdin>:2: is no JSON"),
        (
            "kind: Pod\nmetadata: {name: x}\n",
            "holds no RemediationRequest",
        ),
        (
            "kind: RemediationRequest\nmetadata: {name: web, namespace: shop}\nspec: 7\n",
            "<stdin>:1: this RemediationRequest cannot be read: spec of the RemediationRequest shop/web",
        ),
    ] {
        let output = replay(&["-", "--now", "2026-03-01T12:00:00Z"], input);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{input:?}: {told}");
        assert!(told.contains(expected), "{expected} not in {told}");
        assert_eq!(output.stdout, b"");
    }
    let output = replay(&["/nonexistent.yaml"], "");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("/nonexistent.yaml: cannot be read"), "{told}");
}

#[test]
fn only_the_namespace_that_was_asked_for_is_shown() {
    let output = replay(&[INCIDENT, "-n", "elsewhere"], "");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("holds no RemediationRequest in namespace elsewhere"),
        "{told}"
    );
    assert_eq!(
        json(&[INCIDENT, "-n", "shop"], "")["remediations"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}
