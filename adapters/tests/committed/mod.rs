//! Pages that are written from the code.

use std::path::Path;

/// Asserts that a page is committed as it would be generated; with `UPDATE=1` writes it. `renews` are the arguments of the
/// `cargo test` that does so.
pub(crate) fn assert_committed(path: &str, generated: &str, renews: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, generated).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == generated,
        "{path} is not current; run `UPDATE=1 cargo test {renews}`"
    );
}
