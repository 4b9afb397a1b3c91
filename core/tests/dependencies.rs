//! The core stays pure: no Kubernetes, no async runtime, nothing that reads a clock or draws random numbers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

#[test]
fn the_core_depends_on_neither_kubernetes_nor_a_runtime_nor_randomness() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "remediation-core", "--edges", "normal"])
        .args(["--prefix", "none", "--all-features", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(
        tree.contains("remediation-core"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for forbidden in [
        "kube",
        "k8s-openapi",
        "tokio",
        "hyper",
        "rand",
        "getrandom",
        "chrono",
    ] {
        let found = tree.lines().find(|line| {
            let name = line.split(' ').next().unwrap_or_default();
            name == forbidden || name.starts_with(&format!("{forbidden}-"))
        });
        assert_eq!(found, None, "the core depends on {forbidden}");
    }
}
