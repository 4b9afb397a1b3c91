//! The verdicts of a campaign, kept beside the copy while it goes on.
//!
//! A verdict holds for the text of the file that was changed. When that is another, it is only a hint: the test that noticed
//! the same change before is tried first, alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::list::Mutant;
use super::trial::{DIED, Verdict};
use crate::catalogue::fingerprint;

/// The verdicts of a campaign, by the names of the changes.
pub type Verdicts = BTreeMap<String, Verdict>;

/// A test, and the name of the stage that it belongs to.
pub type Test = (String, String);

/// A campaign that can be stopped and taken up again.
#[derive(Debug)]
pub struct Record {
    file: PathBuf,
    /// The fingerprints of the files.
    texts: BTreeMap<String, String>,
    /// What noticed changes like these at any time, by [`Mutant::kind_of`].
    hints: BTreeMap<String, BTreeSet<Test>>,
}

impl Record {
    /// The record in this folder, for these files.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn of(folder: &Path, sources: &BTreeMap<String, String>) -> io::Result<Self> {
        let texts = sources.iter();
        let mut record = Self {
            file: folder.join("verdicts.tsv"),
            texts: texts
                .map(|(file, text)| (file.clone(), fingerprint(text)))
                .collect(),
            hints: BTreeMap::new(),
        };
        for (name, verdict, _) in read(&record.file)?.lines().filter_map(verdict) {
            if let Verdict::Caught(stage, test) = verdict
                && test != DIED
            {
                let kind = Mutant::kind_of(&name);
                record.hints.entry(kind).or_default().insert((stage, test));
            }
        }
        Ok(record)
    }

    /// What is known by now of files that are as they were. What was missed is not: a new test may notice it.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn load(&self) -> io::Result<Verdicts> {
        let text = read(&self.file)?;
        let known = text.lines().filter_map(verdict);
        let known = known.filter(|(name, _, of)| self.text_of(name) == Some(of));
        Ok(known.map(|(name, verdict, _)| (name, verdict)).collect())
    }

    /// The fingerprint of the file that a change lies in.
    fn text_of(&self, name: &str) -> Option<&String> {
        self.texts.get(name.split(':').next()?)
    }

    /// The tests that noticed a change like this one before.
    pub fn hints(&self, mutant: &Mutant) -> impl Iterator<Item = &Test> {
        self.hints
            .get(&Mutant::kind_of(&mutant.name))
            .into_iter()
            .flatten()
    }

    /// Adds a verdict.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&self, name: &str, verdict: &Verdict) -> io::Result<()> {
        let (what, stage, test) = match verdict {
            Verdict::Caught(stage, test) => ("caught", stage.as_str(), test.as_str()),
            Verdict::Hung(stage) => ("hung", stage.as_str(), ""),
            Verdict::Unviable => ("unviable", "", ""),
            Verdict::Missed => return Ok(()),
        };
        let of = self.text_of(name).map_or("", String::as_str);
        let line = format!("{name}\t{what}\t{stage}\t{test}\t{of}\n");
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.file)?;
        file.write_all(line.as_bytes())
    }
}

/// The text of a file, nothing where there is none.
fn read(file: &Path) -> io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    }
}

/// A change, what came of it, and the fingerprint of the file.
fn verdict(line: &str) -> Option<(String, Verdict, String)> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, what, stage, test, of] = fields[..] else {
        return None;
    };
    let verdict = match what {
        "caught" => Verdict::Caught(stage.to_owned(), test.to_owned()),
        "hung" => Verdict::Hung(stage.to_owned()),
        "unviable" => Verdict::Unviable,
        _ => return None,
    };
    Some((name.to_owned(), verdict, of.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::list::{Place, Span};
    use super::*;

    fn sources(text: &str) -> BTreeMap<String, String> {
        let files = [("a.rs", text), ("b.rs", "the same")];
        files
            .map(|(file, text)| (file.to_owned(), text.to_owned()))
            .into()
    }

    fn mutant(name: &str) -> Mutant {
        let place = Place { line: 1, column: 1 };
        let span = Span {
            start: place,
            end: place,
        };
        Mutant {
            name: name.to_owned(),
            file: "a.rs".to_owned(),
            function: None,
            span,
            replacement: String::new(),
        }
    }

    #[test]
    fn a_verdict_holds_for_its_file_and_is_a_hint_once_that_is_another() {
        let folder = std::env::temp_dir().join(format!("every-expression-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let caught = Verdict::Caught("unit tests".to_owned(), "a::b".to_owned());
        let one = Record::of(&folder, &sources("one")).unwrap();
        one.add("a.rs:3:4: delete ! in f", &caught).unwrap();
        one.add("a.rs:5:4: delete - in f", &Verdict::Missed)
            .unwrap();
        one.add("a.rs:7:4: delete * in f", &Verdict::Hung(String::new()))
            .unwrap();
        one.add("b.rs:1:1: delete ! in g", &Verdict::Unviable)
            .unwrap();

        let again = Record::of(&folder, &sources("one")).unwrap();
        let known = again.load().unwrap();
        assert_eq!(known.len(), 3);
        assert_eq!(known["a.rs:3:4: delete ! in f"], caught);

        let other = Record::of(&folder, &sources("two")).unwrap();
        let left = other.load().unwrap();
        assert_eq!(
            left.keys().collect::<Vec<_>>(),
            ["b.rs:1:1: delete ! in g"],
            "that file is as it was"
        );
        let moved = mutant("a.rs:33:4: delete ! in f");
        let hints: Vec<&Test> = other.hints(&moved).collect();
        assert_eq!(hints, [&("unit tests".to_owned(), "a::b".to_owned())]);
        assert_eq!(
            other.hints(&mutant("a.rs:7:4: delete * in f")).count(),
            0,
            "no test is known"
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
