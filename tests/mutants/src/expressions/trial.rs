//! Runs the tests with one change in force.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::NUMBER;
use super::build::{Binaries, Workshop};
use super::part::Stage;
use crate::scratch::{MOST_MEMORY, ended_within, failed};

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
        Ok(match self.run(stage, binary, number, log)? {
            None => Verdict::Hung(name),
            Some(true) => Verdict::Missed,
            Some(false) => {
                let text = String::from_utf8_lossy(&fs::read(log)?).into_owned();
                let first = failed(&text).into_iter().next();
                Verdict::Caught(name, first.unwrap_or_else(|| DIED.to_owned()))
            }
        })
    }

    /// Whether the tests of a stage pass; none if they do not end in time.
    fn run(
        &self,
        stage: &Stage,
        binary: &Path,
        number: usize,
        log: &Path,
    ) -> io::Result<Option<bool>> {
        let folder = self.root.join(self.part.folder);
        let output = File::create(log)?;
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit -v {MOST_MEMORY}; exec \"$@\""), "sh"])
            .arg(binary)
            .args(stage.arguments)
            .envs(stage.environment.iter().copied())
            .env(NUMBER, number.to_string())
            .env("CARGO_MANIFEST_DIR", &folder)
            .current_dir(&folder)
            .stderr(output.try_clone()?)
            .stdout(output)
            .process_group(0);
        let status = ended_within(command.spawn()?, stage.limit)?;
        Ok(status.map(|status| status.success()))
    }
}
