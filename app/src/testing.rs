//! What the unit tests share.

use std::path::Path;

/// Asserts that a generated file is committed as it would be generated; with `UPDATE=1` writes it.
pub(crate) fn assert_committed(path: &str, generated: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, generated).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == generated,
        "{path} is not current; run: UPDATE=1 cargo test -p remediation-orchestrator"
    );
}
