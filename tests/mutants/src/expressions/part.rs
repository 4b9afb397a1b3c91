//! The parts of the workspace whose expressions are changed, and the tests that are to notice.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// A part: a package, or some files of one.
#[derive(Debug)]
pub struct Part {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Its package.
    pub package: &'static str,
    /// The package's folder.
    pub folder: &'static str,
    /// What cargo is told to build it with its tests.
    pub features: &'static [&'static str],
    /// The files that are changed; all of the package where there are none.
    pub files: &'static [&'static str],
    /// The tests, the cheapest first; what the first let pass goes to the next.
    pub stages: &'static [Stage],
}

/// One test binary.
#[derive(Debug)]
pub struct Stage {
    /// The test target; empty for the unit tests.
    pub target: &'static str,
    /// What the binary is given.
    pub arguments: &'static [&'static str],
    /// Environment variables for it.
    pub environment: &'static [(&'static str, &'static str)],
    /// After so long, if it has had as much processor time or waits for nothing, the change counts as noticed: something
    /// runs without an end.
    pub limit: Duration,
    /// Whether a change that a reason excuses is not worth it.
    pub slow: bool,
}

const fn stage(target: &'static str, seconds: u64) -> Stage {
    Stage {
        target,
        arguments: &[],
        environment: &[],
        limit: Duration::from_secs(seconds),
        slow: seconds >= 300,
    }
}

/// All parts.
pub const PARTS: &[Part] = &[
    Part {
        name: "core",
        package: "remediation-core",
        folder: "core",
        features: &["--features", "schema"],
        files: &[],
        stages: &[
            stage("", 60),
            Stage {
                // Two deaths at any two calls take longer than all else together.
                arguments: &["--skip", "two_deaths_at"],
                ..stage("lifecycle", 60)
            },
            stage("pages", 60),
            stage("properties", 300),
            stage("model", 1200),
            Stage {
                // A seventh of it: the whole takes a minute and more for each change.
                environment: &[("ENUMERATION_PART", "7"), ("ENUMERATION_DRAWN", "100000")],
                ..stage("enumeration", 1200)
            },
        ],
    },
    Part {
        name: "adapters",
        package: "remediation-adapters",
        folder: "adapters",
        features: &[
            "--features",
            "simulation",
            // Optimising all changes takes ten times as long as the tests gain.
            "--config",
            "profile.dev.package.remediation-adapters.opt-level=0",
        ],
        files: &[
            "adapters/src/kubernetes/cache.rs",
            "adapters/src/kubernetes/calls.rs",
            "adapters/src/kubernetes/executor.rs",
            "adapters/src/kubernetes/failure.rs",
            "adapters/src/kubernetes/gate.rs",
            "adapters/src/kubernetes/lease.rs",
            "adapters/src/kubernetes/overlay.rs",
            "adapters/src/kubernetes/queue.rs",
            "adapters/src/kubernetes/read.rs",
            "adapters/src/kubernetes/watch.rs",
        ],
        stages: &[
            Stage {
                // The others test what is not changed here.
                arguments: &["kubernetes::"],
                ..stage("", 30)
            },
            Stage {
                environment: &[("SIMULATION_SEEDS", "300")],
                ..stage("simulation", 900)
            },
        ],
    },
];

impl Stage {
    /// What it is called in a report.
    #[must_use]
    pub fn name(&self) -> &'static str {
        if self.target.is_empty() {
            "unit tests"
        } else {
            self.target
        }
    }

    /// Whether a change goes through it: one that a reason excuses is spared the slow ones.
    #[must_use]
    pub const fn is_worth(&self, excused: bool) -> bool {
        !(self.slow && excused)
    }
}

impl Part {
    /// The part of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PARTS.iter().find(|part| part.name == name)
    }

    /// The files of the workspace at this folder that are changed, by their paths from there. Files of tests are none.
    ///
    /// # Errors
    /// If a file or folder cannot be read.
    pub fn sources(&self, root: &Path) -> io::Result<BTreeMap<String, String>> {
        let mut sources = BTreeMap::new();
        let mut due: Vec<String> = self.files.iter().map(ToString::to_string).collect();
        if due.is_empty() {
            due.push(format!("{}/src", self.folder));
        }
        while let Some(path) = due.pop() {
            let at = root.join(&path);
            if at.is_dir() {
                for entry in fs::read_dir(at)? {
                    let name = entry?.file_name();
                    due.push(format!("{path}/{}", name.to_string_lossy()));
                }
            } else if path.ends_with(".rs") && !path.ends_with("_tests.rs") {
                sources.insert(path, fs::read_to_string(at)?);
            }
        }
        Ok(sources)
    }

    /// The stages of tests that a change goes through, one that a reason excuses or another.
    pub fn stages_for(&self, excused: bool) -> impl Iterator<Item = &'static Stage> {
        let stages = self.stages.iter();
        stages.filter(move |stage| stage.is_worth(excused))
    }
}
