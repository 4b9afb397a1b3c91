//! Builds the package with its changes, and finds those that do not compile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::list::Mutant;
use super::part::Part;
use super::switch::{Switched, chooser, switch};

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
    spans: Vec<Blame>,
    rendered: Option<String>,
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
        loop {
            let switched = self.write_switched(mutants, &mut apart)?;
            let (complaints, words) = self.complaints()?;
            if words.is_empty() {
                break;
            }
            let before = apart.len();
            for (file, line) in complaints {
                apart.extend(switched.get(&file).into_iter().flat_map(|s| s.blamed(line)));
            }
            if apart.len() == before {
                return Err(io::Error::other(format!("does not compile:\n{words}")));
            }
        }
        let binaries = self.binaries()?;
        Ok(Together { binaries, apart })
    }

    /// Builds one change alone; nothing if it does not compile.
    ///
    /// # Errors
    /// If a file cannot be written or cargo cannot be started.
    pub fn alone(&self, mutant: &Mutant) -> io::Result<Option<Binaries>> {
        self.restore()?;
        let changed = mutant.applied(&self.sources[&mutant.file]);
        fs::write(self.root.join(&mutant.file), changed)?;
        let (_, words) = self.complaints()?;
        let binaries = if words.is_empty() {
            Some(self.binaries()?)
        } else {
            None
        };
        self.restore()?;
        Ok(binaries)
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

    fn cargo(&self, arguments: &[&str]) -> io::Result<(bool, Vec<Line>, String)> {
        let mut command = Command::new("cargo");
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

    /// The files and lines that the compiler complains about, and its words; none if it compiles.
    fn complaints(&self) -> io::Result<(Vec<(String, usize)>, String)> {
        let (fine, lines, words) = self.cargo(&["build", "--lib"])?;
        if fine {
            return Ok((Vec::new(), String::new()));
        }
        let errors = lines.into_iter().filter_map(|line| line.message);
        let errors: Vec<Message> = errors.filter(|m| m.level == "error").collect();
        let rendered = errors.iter().filter_map(|error| error.rendered.as_deref());
        let said = rendered.collect::<String>();
        let spans = errors.iter().flat_map(|error| &error.spans);
        let places = spans
            .filter(|span| span.is_primary)
            .map(|span| (span.file_name.clone(), span.line_start));
        let places = places.collect();
        Ok((places, if said.is_empty() { words } else { said }))
    }

    fn binaries(&self) -> io::Result<Binaries> {
        let mut arguments = vec!["test", "--no-run"];
        for stage in self.part.stages {
            match stage.target {
                "" => arguments.push("--lib"),
                target => arguments.extend(["--test", target]),
            }
        }
        let (fine, lines, words) = self.cargo(&arguments)?;
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
