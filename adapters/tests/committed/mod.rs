//! Pages that are written from the code.

use std::path::{Path, PathBuf};

/// Asserts that a page is committed as it would be generated; with `UPDATE=1` writes it. `renews` are the arguments of the
/// `cargo test` that does so.
pub(crate) fn assert_committed(path: &str, generated: &str, renews: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file(path), generated).unwrap();
    }
    assert!(
        read(path) == generated,
        "{path} is not current; run `UPDATE=1 cargo test {renews}`"
    );
}

/// The page as it is committed; empty where there is none.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_default()
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
