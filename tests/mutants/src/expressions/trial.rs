//! Runs the tests with one change in force.

use std::io;
use std::path::Path;

use super::NUMBER;
use super::build::{Binaries, Workshop};
use super::part::Stage;
use crate::scratch::{bounded, failed, outcome};

/// What stands for the test where none told its name.
const DIED: &str = "(the test binary died)";

/// What came of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A test of this target failed; which.
    Caught(String, String),
    /// Tests of this target did not come to an end in time.
    Hung(String),
    /// It does not compile.
    Unviable,
    /// All tests passed.
    Missed,
}

impl Workshop<'_> {
    /// Runs one stage of the tests after the other, until one notices the change with this number; 0 is the only change of a
    /// build of its own. `log` is written over.
    ///
    /// # Errors
    /// If a test binary is missing or cannot be started.
    pub fn try_out(&self, binaries: &Binaries, number: usize, log: &Path) -> io::Result<Verdict> {
        for stage in self.part.stages {
            let verdict = self.try_stage(stage, binaries, number, log)?;
            if verdict != Verdict::Missed {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Missed)
    }

    /// Runs one stage of the tests with the change of this number.
    ///
    /// # Errors
    /// If the test binary is missing or cannot be started.
    pub fn try_stage(
        &self,
        stage: &Stage,
        binaries: &Binaries,
        number: usize,
        log: &Path,
    ) -> io::Result<Verdict> {
        let name = stage.name().to_owned();
        let binary = binaries
            .get(stage.target)
            .ok_or_else(|| io::Error::other(format!("the {name} were not built")))?;
        let folder = self.root.join(self.part.folder);
        let mut tests = bounded(binary);
        tests
            .args(stage.arguments)
            .envs(stage.environment.iter().copied())
            .env(NUMBER, number.to_string())
            .env("CARGO_MANIFEST_DIR", &folder)
            .current_dir(&folder);
        let (passed, text) = outcome(&mut tests, log, stage.limit)?;
        Ok(match passed {
            None => Verdict::Hung(name),
            Some(true) => Verdict::Missed,
            Some(false) => {
                let first = failed(&text).into_iter().next();
                Verdict::Caught(name, first.unwrap_or_else(|| DIED.to_owned()))
            }
        })
    }
}
