//! The demo: every remediation ends as scripted, within the time that people wait.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

#[test]
fn every_remediation_of_the_demo_ends_as_scripted_within_fifteen_seconds() {
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_remediation-orchestrator"))
        .args(["demo", "--json"])
        .output()
        .unwrap();
    let took = began.elapsed();
    let told = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of_type = |wanted: &str| -> Vec<&Value> {
        let lines = lines.iter();
        lines.filter(|line| line["type"] == wanted).collect()
    };

    let results = of_type("result");
    let astray: Vec<&&Value> = results
        .iter()
        .filter(|result| result["asScripted"] != true)
        .collect();
    assert!(astray.is_empty(), "{astray:#?}");
    assert_eq!(results.len(), 12);
    assert_eq!(output.status.code(), Some(0));
    assert!(took < Duration::from_secs(15), "{took:?}");

    let mut failed_in: BTreeMap<&str, usize> = BTreeMap::new();
    for transition in of_type("transition") {
        if transition["phase"] == "Failed" {
            *failed_in
                .entry(transition["from"].as_str().unwrap())
                .or_default() += 1;
        }
    }
    for phase in ["Processing", "Analyzing", "WorkflowPlanning", "Executing"] {
        assert!(failed_in.contains_key(phase), "none failed in {phase}");
    }
    let end = of_type("end");
    assert_eq!(end.len(), 1);
    let calls = &end[0]["apiCalls"];
    assert_eq!(calls["create remediationprocessings"], 12);
    assert!(
        calls["get remediationrequests"].as_u64() >= Some(1),
        "no status write conflicted: {calls}"
    );
}
