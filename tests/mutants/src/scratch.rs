//! The scratch copy of the workspace in which bugs are planted, and the tests that are run there.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::catalogue::Bug;
use crate::layers::Layer;
use crate::workspace;

/// Folders that are no part of the source.
const LEFT_OUT: [&str; 2] = ["target", ".git"];
/// The most memory that a run may take, in kB: a bug may be a loop without an end.
const MOST_MEMORY: u64 = 10_000_000;
/// The adapters are built for every bug that lies in them: optimising them takes ten times as long as their tests gain.
const PROFILE: [&str; 2] = [
    "--config",
    "profile.dev.package.remediation-adapters.opt-level=0",
];

/// A copy of the workspace.
pub struct Scratch {
    root: PathBuf,
    target: PathBuf,
}

/// What came of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// All tests passed.
    Passed,
    /// These failed.
    Failed(Vec<String>),
    /// These did not end in time.
    Hung(Vec<String>),
    /// The patched code does not compile; what the compiler said.
    DoesNotCompile(String),
}

impl Scratch {
    /// Makes the copy in this folder, or brings it up to date. What is equal is not written, so that builds there are
    /// incremental; they go to `target`, by default a folder in the copy. It must not be shared with another workspace:
    /// cargo takes equal paths within two workspaces for the same package.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn at(root: &Path, target: Option<PathBuf>) -> io::Result<Self> {
        mirror(&workspace(), root)?;
        Ok(Self {
            target: target.unwrap_or_else(|| root.join("target")),
            root: root.to_path_buf(),
        })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Plants a bug, and returns the files as they were, for [`Scratch::mend`].
    ///
    /// # Errors
    /// If the patch does not apply, or a file cannot be written.
    pub fn plant(&self, bug: &Bug) -> io::Result<Vec<(PathBuf, String)>> {
        let mut before = Vec::new();
        for change in &bug.changes {
            let path = self.root.join(&change.path);
            let text = fs::read_to_string(&path)?;
            let changed = change.apply(&text).map_err(io::Error::other)?;
            before.push((path, text));
            fs::write(self.root.join(&change.path), changed)?;
        }
        Ok(before)
    }

    /// Takes a bug out again.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn mend(&self, before: Vec<(PathBuf, String)>) -> io::Result<()> {
        for (path, text) in before {
            fs::write(path, text)?;
        }
        Ok(())
    }

    /// Builds a layer of tests and runs it. Returns what came of it, and how long the tests ran; after `patience` they
    /// count as hanging.
    ///
    /// # Errors
    /// If cargo cannot be started.
    pub fn run(&self, layer: &Layer, patience: Duration) -> io::Result<(Ran, Duration)> {
        let built = layer.arguments.iter().take_while(|word| **word != "--");
        let arguments: Vec<&str> = ["--no-run"].into_iter().chain(built.copied()).collect();
        let (ended, text) = self.cargo_test(&arguments, layer.limit)?;
        if ended != Some(true) {
            return Ok((Ran::DoesNotCompile(errors(&text)), Duration::ZERO));
        }
        let began = Instant::now();
        let (ended, text) = self.cargo_test(layer.arguments, patience.min(layer.limit))?;
        let ran = match (ended, failed(&text)) {
            (Some(true), _) => Ran::Passed,
            (None, failed) if failed.is_empty() => Ran::Hung(hanging(&text)),
            (Some(false) | None, failed) => Ran::Failed(failed),
        };
        Ok((ran, began.elapsed()))
    }

    /// Whether it ended well, none if not in time; and what it printed.
    fn cargo_test(
        &self,
        arguments: &[&str],
        limit: Duration,
    ) -> io::Result<(Option<bool>, String)> {
        let mut cargo = bounded(Path::new("cargo"));
        cargo
            .arg("test")
            .args(PROFILE)
            .args(arguments)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        outcome(&mut cargo, &self.root.join("known-bugs.log"), limit, |_| {
            true
        })
    }
}

/// The tests that had run for a minute when they were ended.
fn hanging(output: &str) -> Vec<String> {
    let hanging = output.lines().filter_map(|line| {
        let name = line.strip_prefix("test ")?;
        Some(
            name.strip_suffix(" has been running for over 60 seconds")?
                .to_owned(),
        )
    });
    let mut hanging: Vec<String> = hanging.collect();
    hanging.sort();
    hanging
}

/// A program whose memory is bounded, in a group of its own, so that what it starts ends with it.
pub(crate) fn bounded(program: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -v {MOST_MEMORY}; exec \"$@\""), "sh"])
        .arg(program)
        .process_group(0);
    command
}

/// Runs a [`bounded`] program: whether it ended well, none if not in time and `hangs` says of its number that it will not;
/// and what it printed, which is also kept in this file.
pub(crate) fn outcome(
    command: &mut Command,
    log: &Path,
    limit: Duration,
    hangs: impl FnMut(u32) -> bool,
) -> io::Result<(Option<bool>, String)> {
    let output = File::create(log)?;
    command.stderr(output.try_clone()?).stdout(output);
    let status = ended_within(command.spawn()?, limit, hangs)?;
    let text = String::from_utf8_lossy(&fs::read(log)?).into_owned();
    Ok((status.map(|status| status.success()), text))
}

/// How a process that leads a group of its own ended; none if it took longer and hangs: then the whole group is killed.
fn ended_within(
    mut child: Child,
    limit: Duration,
    mut hangs: impl FnMut(u32) -> bool,
) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() > limit && hangs(child.id()) {
            let group = format!("-{}", child.id());
            Command::new("kill").args(["-9", "--", &group]).status()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The tests that failed, in the order in which they were told of.
pub(crate) fn failed(output: &str) -> Vec<String> {
    let failed = output.lines().filter_map(|line| {
        let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
        Some(name.to_owned())
    });
    let mut failed: Vec<String> = failed.collect();
    failed.sort();
    failed
}

fn errors(output: &str) -> String {
    let errors = output.lines().filter(|line| line.starts_with("error"));
    errors.take(3).collect::<Vec<_>>().join("; ")
}

/// Copies what differs, and removes what is not there any more.
fn mirror(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        let known = from.join(entry.file_name()).exists();
        if !known && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let (source, target) = (entry.path(), to.join(&name));
        if entry.file_type()?.is_dir() {
            if !LEFT_OUT.iter().any(|left_out| name == *left_out) {
                mirror(&source, &target)?;
            }
            continue;
        }
        let text = fs::read(&source)?;
        if fs::read(&target).ok().as_ref() != Some(&text) {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_that_failed_are_read_from_what_cargo_prints() {
        let output =
            "test a::b ... ok\ntest z ... FAILED\ntest a::c ... FAILED\nfailures:\n    z\n";
        assert_eq!(failed(output), ["a::c", "z"]);
        let output = "test a::b has been running for over 60 seconds\ntest z ... ok\n";
        assert_eq!(hanging(output), ["a::b"]);
    }
}
