//! The command line: help with examples, exit codes, and errors that say what to do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::{Command, Output};

fn orchestrator(args: &[&str]) -> Output {
    command(args).output().expect("the binary starts")
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_remediation-orchestrator"));
    command.args(args).env_remove("NO_COLOR");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("REMEDIATION_") {
            command.env_remove(name);
        }
    }
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A file of this content, under a name of its own.
fn file(name: &str, content: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn every_command_has_help_with_examples() {
    for command in ["run", "demo", "replay", "crd", "completions"] {
        let output = orchestrator(&[command, "--help"]);
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(stdout(&output).contains("Examples:"), "{command}");
        assert!(stdout(&orchestrator(&["--help"])).contains(command));
    }
    let version = stdout(&orchestrator(&["--version"]));
    assert_eq!(
        version.trim(),
        concat!("remediation-orchestrator ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn wrong_usage_is_exit_code_2_on_stderr() {
    for args in [
        &[][..],
        &["frobnicate"],
        &["run", "--frobnicate"],
        &["run", "-n", "a", "-A"],
        &["demo", "--port", "80"],
        &["crd", "-o", "xml"],
        &["replay"],
        &["replay", "x", "--now", "yesterday"],
        &["completions", "csh"],
    ] {
        let output = orchestrator(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(stdout(&output), "", "{args:?}");
        assert!(!stderr(&output).is_empty(), "{args:?}");
    }
}

#[test]
fn every_mistake_in_file_environment_and_flags_is_listed_at_once() {
    let config = file(
        "mistakes.yaml",
        "timeouts:\n  analyzing: soon\n  executing: 0s\nconcurency: 3\n",
    );
    let output = command(&["run", "--http-address", "nowhere", "--config"])
        .arg(&config)
        .env("REMEDIATION_LEASE_DURATION", "-5s")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    for expected in [
        "the configuration has 5 mistakes",
        "mistakes.yaml:2:3: timeouts.analyzing: `soon` is no duration",
        "mistakes.yaml:3:3: timeouts.executing: 0s is too short",
        "mistakes.yaml:4:1: concurency: no such key; did you mean `concurrency`?",
        "--http-address: httpAddress: `nowhere` is no address",
        "REMEDIATION_LEASE_DURATION: leaseDuration: `-5s` is no duration: it is negative",
        "next: correct them",
    ] {
        assert!(told.contains(expected), "{expected} not in\n{told}");
    }
}

#[test]
fn a_flag_wins_over_the_environment_and_the_environment_over_the_file() {
    let config = file(
        "precedence.yaml",
        "concurrency: 1\nleaseName: from-file\nlogLevel: warn\n",
    );
    let output = command(&["run", "--print-config", "--concurrency", "3", "--config"])
        .arg(&config)
        .env("REMEDIATION_CONCURRENCY", "2")
        .env("REMEDIATION_LEASE_NAME", "from-environment")
        .env("REMEDIATION_LOG_FORMAT", "")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let printed = stdout(&output);
    for expected in [
        "concurrency: 3\n",
        "leaseName: from-environment\n",
        "logLevel: warn\n",
        "logFormat: auto\n",
    ] {
        assert!(printed.contains(expected), "{expected} not in\n{printed}");
    }
    let again = file("printed.yaml", &printed);
    let output = command(&["run", "--print-config", "--config"])
        .arg(&again)
        .output()
        .unwrap();
    assert_eq!(stdout(&output), printed, "what is printed can be read");
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let output = orchestrator(&["run", "--config", "/nonexistent/config.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/nonexistent/config.yaml: cannot be read: No such file"));
}

#[test]
fn the_definitions_are_printed_as_documents_or_as_a_list() {
    let yaml = stdout(&orchestrator(&["crd"]));
    assert_eq!(yaml.matches("---\n").count(), 6);
    assert_eq!(yaml.matches("kind: CustomResourceDefinition").count(), 6);
    let json: serde_json::Value =
        serde_json::from_str(&stdout(&orchestrator(&["crd", "-o", "json"]))).unwrap();
    assert_eq!(json["items"].as_array().unwrap().len(), 6);
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&orchestrator(&["completions", shell]));
        assert!(script.contains("replay"), "{shell}");
    }
}

#[test]
fn output_that_nobody_reads_is_no_failure() {
    let mut child = command(&["crd"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn nothing_is_coloured_that_is_no_terminal() {
    let output = orchestrator(&["run", "--config", "/nonexistent"]);
    assert!(!stderr(&output).contains('\u{1b}'));
}
