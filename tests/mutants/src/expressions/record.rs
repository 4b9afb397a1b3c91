//! The verdicts of a campaign, kept beside the copy while it goes on.
//!
//! A verdict holds for the sources that were changed. When they are others, it is only a hint: the test that noticed the
//! same change before is tried first, alone.

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
    /// The verdicts for other sources.
    earlier: PathBuf,
    head: String,
    /// What noticed changes like these for other sources, by [`Mutant::kind`].
    hints: BTreeMap<String, BTreeSet<Test>>,
}

impl Record {
    /// The record in this folder, for these sources. One for other sources is begun anew, and what noticed the changes of
    /// the others is remembered.
    ///
    /// # Errors
    /// If a file is there and cannot be read, or cannot be written.
    pub fn of(folder: &Path, sources: &BTreeMap<String, String>) -> io::Result<Self> {
        let all: String = sources.values().map(String::as_str).collect();
        let mut record = Self {
            file: folder.join("verdicts.tsv"),
            earlier: folder.join("earlier.tsv"),
            head: fingerprint(&all),
            hints: BTreeMap::new(),
        };
        let text = read(&record.file)?;
        if text.lines().next() != Some(&record.head) {
            let known = format!("{}{text}", read(&record.earlier)?);
            let lines: BTreeSet<&str> = known.lines().filter(|l| verdict(l).is_some()).collect();
            let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
            fs::write(&record.earlier, lines)?;
            fs::write(&record.file, format!("{}\n", record.head))?;
        }
        for (name, verdict) in read(&record.earlier)?.lines().filter_map(verdict) {
            if let Verdict::Caught(stage, test) = verdict
                && test != DIED
            {
                let kind = Mutant::kind_of(&name);
                record.hints.entry(kind).or_default().insert((stage, test));
            }
        }
        Ok(record)
    }

    /// What is known by now. What was missed is not: a new test may notice it.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn load(&self) -> io::Result<Verdicts> {
        Ok(read(&self.file)?.lines().filter_map(verdict).collect())
    }

    /// The tests that noticed a change like this one for other sources.
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
        let line = match verdict {
            Verdict::Caught(stage, test) => format!("{name}\tcaught\t{stage}\t{test}\n"),
            Verdict::Hung(stage) => format!("{name}\thung\t{stage}\t\n"),
            Verdict::Unviable => format!("{name}\tunviable\t\t\n"),
            Verdict::Missed => return Ok(()),
        };
        let mut file = OpenOptions::new().append(true).open(&self.file)?;
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

fn verdict(line: &str) -> Option<(String, Verdict)> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, what, stage, test] = fields[..] else {
        return None;
    };
    let verdict = match what {
        "caught" => Verdict::Caught(stage.to_owned(), test.to_owned()),
        "hung" => Verdict::Hung(stage.to_owned()),
        "unviable" => Verdict::Unviable,
        _ => return None,
    };
    Some((name.to_owned(), verdict))
}

#[cfg(test)]
mod tests {
    use super::super::list::{Place, Span};
    use super::*;

    fn sources(text: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("a.rs".to_owned(), text.to_owned())])
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
    fn a_verdict_holds_for_its_sources_and_is_a_hint_for_others() {
        let folder = std::env::temp_dir().join(format!("every-expression-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let caught = Verdict::Caught("unit tests".to_owned(), "a::b".to_owned());
        let one = Record::of(&folder, &sources("one")).unwrap();
        one.add("a.rs:3:4: delete ! in f", &caught).unwrap();
        one.add("a.rs:5:4: delete - in f", &Verdict::Missed)
            .unwrap();
        one.add("a.rs:7:4: delete * in f", &Verdict::Hung(String::new()))
            .unwrap();

        let again = Record::of(&folder, &sources("one")).unwrap();
        let known = again.load().unwrap();
        assert_eq!(known.len(), 2);
        assert_eq!(known["a.rs:3:4: delete ! in f"], caught);

        let other = Record::of(&folder, &sources("two")).unwrap();
        assert_eq!(other.load().unwrap(), Verdicts::new());
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
