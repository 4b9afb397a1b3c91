//! Runs the tests with one change in force.

use std::io;
use std::path::Path;

use super::NUMBER;
use super::build::{Binaries, Workshop};
use super::hang::Watcher;
use super::part::Stage;
use crate::scratch::{bounded, failed, outcome};

/// What stands for the test where none told its name.
pub(super) const DIED: &str = "(the test binary died)";

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
    /// Makes sure that a stage passes without any change: one that does not would seem to notice all of them.
    ///
    /// # Errors
    /// If it does not pass, or cannot be run.
    pub fn check_sound(&self, stage: &Stage, binaries: &Binaries) -> io::Result<()> {
        let log = self.root.join("sound.log");
        match self.try_stage(stage, binaries, 0, None, &log)? {
            Verdict::Missed => Ok(()),
            verdict => {
                let what = format!("the tests fail without any change: {verdict:?}");
                Err(io::Error::other(what))
            }
        }
    }

    /// Runs one stage of the tests with the change of this number; 0 is none, or the only one of a build of its own. `only`
    /// names one test of the stage. `log` is written over.
    ///
    /// # Errors
    /// If the test binary is missing or cannot be started.
    pub fn try_stage(
        &self,
        stage: &Stage,
        binaries: &Binaries,
        number: usize,
        only: Option<&str>,
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
            .args(only.into_iter().flat_map(|test| [test, "--exact"]))
            .envs(stage.environment.iter().copied())
            .env(NUMBER, number.to_string())
            .env("CARGO_MANIFEST_DIR", &folder)
            .current_dir(&folder);
        let mut watcher = None;
        let (passed, text) = outcome(&mut tests, log, stage.limit, |process| {
            let limit = stage.limit.as_secs();
            let watcher = watcher.get_or_insert_with(|| Watcher::new(process, limit));
            watcher.hangs()
        })?;
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
