//! What came of each bug: one line a bug, kept in `tests/mutants/results.tsv`, so that a run that was stopped goes on
//! where it was, and only what changed is run again.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use crate::catalogue::Bug;
use crate::workspace;

/// What came of a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The fingerprint of the patch that was planted.
    pub fingerprint: String,
    /// The layer that caught it; empty if none did.
    pub layer: String,
    /// The first of its tests that failed.
    pub test: String,
    /// How many more tests of that layer's failing target failed.
    pub others: usize,
}

/// The verdicts, by the names of the bugs.
pub type Results = BTreeMap<String, Verdict>;

fn file() -> PathBuf {
    workspace().join("tests/mutants/results.tsv")
}

/// Reads the verdicts; of two of one bug the later one counts.
///
/// # Errors
/// If the file is there and cannot be read.
pub fn load() -> io::Result<Results> {
    let text = match fs::read_to_string(file()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read?,
    };
    let verdicts = text.lines().filter_map(|line| {
        let mut fields = line.split('\t').map(str::to_owned);
        let name = fields.next()?;
        let verdict = Verdict {
            fingerprint: fields.next()?,
            layer: fields.next()?,
            test: fields.next()?,
            others: fields.next()?.parse().ok()?,
        };
        Some((name, verdict))
    });
    Ok(verdicts.collect())
}

fn line(name: &str, verdict: &Verdict) -> String {
    let Verdict {
        fingerprint,
        layer,
        test,
        others,
    } = verdict;
    format!("{name}\t{fingerprint}\t{layer}\t{test}\t{others}\n")
}

/// Adds a verdict. Shards may do so at the same time: a line is one write.
///
/// # Errors
/// If the file cannot be written.
pub fn add(name: &str, verdict: &Verdict) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file())?;
    file.write_all(line(name, verdict).as_bytes())
}

/// Writes the file anew: in the order of names, without what is no bug any more.
///
/// # Errors
/// If the file cannot be written.
pub fn tidy(bugs: &[Bug]) -> io::Result<Results> {
    let mut results = load()?;
    results.retain(|name, _| bugs.iter().any(|bug| bug.name == *name));
    let text: String = results.iter().map(|(name, v)| line(name, v)).collect();
    fs::write(file(), text)?;
    Ok(results)
}
