//! Bugs that systems like this one have really had, each kept as a patch in this folder. A runner plants one after the
//! other in a scratch copy of the workspace and records which layer of the tests catches it first.
//!
//! Beside that, [`expressions`] changes every expression by rule.
//!
//! The shipped code knows nothing of this: there is no switch in it. An ordinary test sees to it that every patch still
//! applies and that the page of results is complete.

pub mod catalogue;
pub mod expressions;
pub mod layers;
pub mod page;
pub mod patch;
pub mod results;
pub mod scratch;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // This crate lies in tests/mutants of its workspace.
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Reads `K/N`, the K-th of N equal parts, counted from 0.
///
/// # Errors
/// If it is no such thing; says what to write.
pub fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/');
    let shard = parts.and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    shard
        .filter(|(k, n)| k < n)
        .ok_or_else(|| format!("`{text}` is no shard; write for example 0/4"))
}

/// Does what was asked for: 0 if it says that all is well, 1 if not, 2 where the arguments are wrong (then `usage` is told as
/// well) or it could not be done.
#[must_use]
pub fn exit_code<A>(
    asked: Result<A, String>,
    usage: &str,
    run: impl FnOnce(&A) -> io::Result<bool>,
) -> ExitCode {
    let done = asked.map_err(|problem| format!("{problem}; {usage}"));
    let done = done.and_then(|asked| run(&asked).map_err(|error| format!("error: {error}")));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}
