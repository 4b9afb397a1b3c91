//! Builds the package with its changes, and finds those that do not compile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::list::Mutant;
use super::part::{Part, Stage};
use super::switch::{Switched, chooser, last, switch};
use super::trial::Verdict;

/// The scratch copy of the workspace in which a part is changed.
#[derive(Debug)]
pub struct Workshop<'a> {
    /// The root of the copy.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// What is changed.
    pub part: &'a Part,
    /// The files as they are, by their paths from the root.
    pub sources: BTreeMap<String, String>,
}

/// The test binaries by the names of their targets; the unit tests have the empty name.
pub type Binaries = BTreeMap<String, PathBuf>;

/// Everything in one build.
#[derive(Debug)]
pub struct Together {
    /// The test binaries.
    pub binaries: Binaries,
    /// The numbers of the changes that are not in it.
    pub apart: BTreeSet<usize>,
    /// Those of them that cannot compile wherever they stand.
    pub hopeless: BTreeSet<usize>,
}

/// What is built. One change runs its tests once: optimising it takes longer than that gains.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Build {
    Together,
    Alone,
}

/// What the compiler says.
struct Complaint {
    file: String,
    line: usize,
    /// It holds wherever the change stands: a type has no default, no such function or no such operator, or `let` stands
    /// beside `||`.
    hopeless: bool,
    /// The function that a constant calls, and that is not constant.
    not_constant: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    message: Option<Message>,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Message {
    level: String,
    message: String,
    code: Option<Code>,
    spans: Vec<Blame>,
    rendered: Option<String>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct Blame {
    file_name: String,
    line_start: usize,
    is_primary: bool,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

impl<'a> Workshop<'a> {
    /// A workshop in a copy of the workspace, for these changes.
    ///
    /// # Errors
    /// If a file that is to be changed cannot be read.
    pub fn new(
        root: &Path,
        target: PathBuf,
        part: &'a Part,
        mutants: &[Mutant],
    ) -> io::Result<Self> {
        let mut sources = BTreeMap::new();
        let library = format!("{}/src/lib.rs", part.folder);
        for file in mutants.iter().map(|mutant| &mutant.file).chain([&library]) {
            if !sources.contains_key(file) {
                sources.insert(file.clone(), fs::read_to_string(root.join(file))?);
            }
        }
        Ok(Self {
            root: root.to_path_buf(),
            target,
            part,
            sources,
        })
    }

    /// Builds all changes that go together into one set of test binaries.
    ///
    /// # Errors
    /// If the code does not compile and no change is to blame.
    pub fn together(&self, mutants: &[Mutant]) -> io::Result<Together> {
        let mut apart = BTreeSet::new();
        let mut hopeless = BTreeSet::new();
        loop {
            let switched = self.write_switched(mutants, &mut apart)?;
            let (complaints, words) = self.complaints(Build::Together)?;
            if words.is_empty() {
                break;
            }
            let before = apart.len();
            for complaint in complaints {
                let file = switched.get(&complaint.file);
                if let Some(number) = file.and_then(|s| s.change_in(complaint.line))
                    && complaint.hopeless
                {
                    hopeless.insert(number);
                }
                apart.extend(file.into_iter().flat_map(|s| s.blamed(complaint.line)));
                if let Some(function) = complaint.not_constant {
                    let known = switched.values().filter_map(|s| s.constant.get(&function));
                    apart.extend(known.flatten());
                }
            }
            if apart.len() == before {
                return Err(io::Error::other(format!("does not compile:\n{words}")));
            }
        }
        let binaries = self.binaries(self.part.stages, Build::Together)?;
        Ok(Together {
            binaries,
            apart,
            hopeless,
        })
    }

    /// Builds one change alone, and runs one of these stages of the tests after the other, each built when it is needed, until one
    /// notices. `sound` names the stages that are known to pass without any change; the others are tried first.
    ///
    /// # Errors
    /// If a file cannot be written, or cargo or a test binary cannot be started.
    pub fn alone(
        &self,
        mutant: &Mutant,
        stages: impl Iterator<Item = &'static Stage>,
        sound: &mut BTreeSet<&'static str>,
    ) -> io::Result<Verdict> {
        let changed = mutant.applied(&self.sources[&mutant.file]);
        let verdict = self.try_alone(&self.root.join(&mutant.file), &changed, stages, sound);
        self.restore()?;
        verdict
    }

    fn try_alone(
        &self,
        file: &Path,
        changed: &str,
        stages: impl Iterator<Item = &'static Stage>,
        sound: &mut BTreeSet<&'static str>,
    ) -> io::Result<Verdict> {
        self.restore()?;
        fs::write(file, changed)?;
        let (_, words) = self.complaints(Build::Alone)?;
        if !words.is_empty() {
            return Ok(Verdict::Unviable);
        }
        let log = self.root.join("alone.log");
        for stage in stages {
            let one = std::slice::from_ref(stage);
            if !sound.contains(stage.name()) {
                self.restore()?;
                self.check_sound(stage, &self.binaries(one, Build::Alone)?)?;
                sound.insert(stage.name());
                fs::write(file, changed)?;
            }
            let verdict =
                self.try_stage(stage, &self.binaries(one, Build::Alone)?, 0, None, &log)?;
            if verdict != Verdict::Missed {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Missed)
    }

    fn write_switched(
        &self,
        mutants: &[Mutant],
        apart: &mut BTreeSet<usize>,
    ) -> io::Result<BTreeMap<String, Switched>> {
        let mut files = BTreeMap::new();
        for (file, text) in &self.sources {
            let of_file: Vec<(usize, &Mutant)> = (1..)
                .zip(mutants)
                .filter(|(number, mutant)| mutant.file == *file && !apart.contains(number))
                .collect();
            let mut switched = switch(text, &of_file);
            apart.extend(&switched.apart);
            if file.ends_with("src/lib.rs") {
                switched.text.push_str(&chooser());
            }
            fs::write(self.root.join(file), &switched.text)?;
            files.insert(file.clone(), switched);
        }
        Ok(files)
    }

    fn restore(&self) -> io::Result<()> {
        for (file, text) in &self.sources {
            let path = self.root.join(file);
            if fs::read_to_string(&path)? != *text {
                fs::write(path, text)?;
            }
        }
        Ok(())
    }

    fn cargo(&self, arguments: &[&str], build: Build) -> io::Result<(bool, Vec<Line>, String)> {
        let mut command = Command::new("cargo");
        if build == Build::Alone {
            let fast = format!("profile.dev.package.{}.opt-level=0", self.part.package);
            command.args(["--config", &fast]);
        }
        command
            .args(arguments)
            .args(["--package", self.part.package, "--message-format", "json"])
            .args(self.part.features)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        let output = command.output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let lines = text.lines().filter_map(|l| serde_json::from_str(l).ok());
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.success(), lines.collect(), words))
    }

    /// What the compiler complains about, and its words; none if it compiles.
    fn complaints(&self, build: Build) -> io::Result<(Vec<Complaint>, String)> {
        let (fine, lines, words) = self.cargo(&["build", "--lib"], build)?;
        if fine {
            return Ok((Vec::new(), String::new()));
        }
        let errors = lines.into_iter().filter_map(|line| line.message);
        let errors: Vec<Message> = errors.filter(|m| m.level == "error").collect();
        let rendered = errors.iter().filter_map(|error| error.rendered.as_deref());
        let said = rendered.collect::<String>();
        let complaints = errors.iter().flat_map(complaints_of).collect();
        Ok((complaints, if said.is_empty() { words } else { said }))
    }

    fn binaries(&self, stages: &[Stage], build: Build) -> io::Result<Binaries> {
        let mut arguments = vec!["test", "--no-run"];
        for stage in stages {
            match stage.target {
                "" => arguments.push("--lib"),
                target => arguments.extend(["--test", target]),
            }
        }
        let (fine, lines, words) = self.cargo(&arguments, build)?;
        if !fine {
            return Err(io::Error::other(format!("tests do not build:\n{words}")));
        }
        let built = lines.into_iter().filter_map(|line| {
            let target = line.target?;
            let is_test = target.kind.iter().any(|kind| kind == "test");
            let name = if is_test { target.name } else { String::new() };
            Some((name, line.executable?))
        });
        Ok(built.collect())
    }
}

fn complaints_of(error: &Message) -> impl Iterator<Item = Complaint> {
    let code = error.code.as_ref().map(|code| code.code.as_str());
    let hopeless = match code {
        Some("E0277") => {
            error.message.contains("Default` is not satisfied")
                || error.message.starts_with("cannot ")
        }
        Some("E0599") => error
            .message
            .contains("no function or associated item named"),
        Some("E0433") => true,
        Some(_) => false,
        None => error.message.contains("in let chain conditions"),
    };
    let called = error.message.split('`').nth(1).map(last);
    let not_constant = called.filter(|_| code == Some("E0015"));
    let spans = error.spans.iter().filter(|span| span.is_primary);
    spans.map(move |span| Complaint {
        file: span.file_name.clone(),
        line: span.line_start,
        hopeless,
        not_constant: not_constant.map(ToOwned::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(code: &str, message: &str) -> Complaint {
        let blame = Blame {
            file_name: "a.rs".to_owned(),
            line_start: 7,
            is_primary: true,
        };
        let error = Message {
            level: "error".to_owned(),
            message: message.to_owned(),
            code: Some(Code {
                code: code.to_owned(),
            }),
            spans: vec![blame],
            rendered: None,
        };
        complaints_of(&error).next().expect("it has a place")
    }

    #[test]
    fn what_cannot_compile_anywhere_is_told_from_what_cannot_compile_here() {
        let no_default = "the trait bound `Verdict: std::default::Default` is not satisfied";
        assert!(complaint("E0277", no_default).hopeless);
        let no_new = "no function or associated item named `new` found for struct `Page<T>`";
        assert!(complaint("E0599", no_new).hopeless);
        assert!(!complaint("E0277", "the trait bound `A: Clone` is not satisfied").hopeless);
        assert!(complaint("E0277", "cannot multiply `Duration` by `Duration`").hopeless);
        assert!(!complaint("E0308", "mismatched types").hopeless);
    }

    #[test]
    fn a_function_that_must_be_constant_is_named() {
        let message =
            "cannot call non-const associated function `GoDuration::from_secs` in constants";
        let complaint = complaint("E0015", message);
        assert_eq!(complaint.not_constant.as_deref(), Some("from_secs"));
    }
}
