//! What came of the changes, as it is written into the project at the end of a campaign.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::PathBuf;

use super::list::Mutant;
use super::part::Part;
use super::record::Verdicts;
use super::trial::Verdict;
use crate::catalogue::fingerprint;
use crate::workspace;

/// How the line begins that tells which files are others than those whose changes were tried.
const CHANGED: &str = "Changed since they were tried: ";

/// Reasons why nothing can notice a change, by what is changed and where; see [`Mutant::essence`].
pub type Justified = BTreeMap<String, String>;

/// The reasons in `tests/mutants/expressions/justified.tsv`: what is changed, a tab, and why nothing can notice it.
///
/// # Errors
/// If the file cannot be read, or a line has no reason.
pub fn justified() -> io::Result<Justified> {
    let path = folder().join("justified.tsv");
    let text = fs::read_to_string(&path)?;
    let mut reasons = Justified::new();
    for (number, line) in (1..).zip(text.lines()) {
        let Some((essence, reason)) = line.split_once('\t') else {
            let what = format!("{}:{number}: no tab before a reason", path.display());
            return Err(io::Error::other(what));
        };
        reasons.insert(essence.to_owned(), reason.to_owned());
    }
    Ok(reasons)
}

fn folder() -> PathBuf {
    workspace().join("tests/mutants/expressions")
}

/// Where the report of a part is kept.
#[must_use]
pub fn path(part: &Part) -> PathBuf {
    folder().join(format!("{}.txt", part.name))
}

/// A change that was missed.
#[derive(Debug)]
pub struct Hole<'a> {
    /// The change.
    pub mutant: &'a Mutant,
    /// What is changed, without its line.
    pub essence: String,
}

/// The changes that no test noticed and no reason excuses, and those that a reason does.
#[must_use]
pub fn holes<'a>(
    mutants: &'a [Mutant],
    verdicts: &Verdicts,
    sources: &BTreeMap<String, String>,
    justified: &Justified,
) -> (Vec<Hole<'a>>, Vec<Hole<'a>>) {
    let missed = mutants
        .iter()
        .filter(|mutant| verdicts.get(&mutant.name) == Some(&Verdict::Missed))
        .map(|mutant| Hole {
            mutant,
            essence: mutant.essence(&sources[&mutant.file]),
        });
    missed.partition(|hole| !justified.contains_key(&hole.essence))
}

/// The report: how many changes came to what, each that no test noticed, and the fingerprints of the files that were tried,
/// which are the part's sources where the campaign ran.
#[must_use]
pub fn render(
    part: &Part,
    mutants: &[Mutant],
    verdicts: &Verdicts,
    (open, excused): (&[Hole<'_>], &[Hole<'_>]),
    justified: &Justified,
    sources: &BTreeMap<String, String>,
) -> String {
    let mut text = format!(
        "Every expression of {}, changed by the rules of cargo-mutants; written by `cargo run -p known-bugs --bin every-expression -- {}`.\n\n",
        part.folder, part.name
    );
    let count = |what: &dyn Fn(&Verdict) -> bool| {
        let of = mutants.iter().filter_map(|m| verdicts.get(&m.name));
        of.filter(|verdict| what(verdict)).count()
    };
    let _ = writeln!(text, "{:5} changes", mutants.len());
    for stage in part.stages {
        let name = stage.name();
        let caught = count(&|v| matches!(v, Verdict::Caught(at, _) if at == name));
        let hung = count(&|v| matches!(v, Verdict::Hung(at) if at == name));
        let _ = writeln!(text, "{caught:5} noticed by {name}");
        if hung > 0 {
            let _ = writeln!(text, "{hung:5} noticed by {name}, which then do not end");
        }
    }
    let unviable = count(&|v| *v == Verdict::Unviable);
    let _ = writeln!(text, "{unviable:5} do not compile");
    let _ = writeln!(text, "{:5} noticed by nothing, for a reason", excused.len());
    let _ = writeln!(text, "{:5} noticed by nothing", open.len());
    let untried: Vec<&Mutant> = mutants
        .iter()
        .filter(|m| !verdicts.contains_key(&m.name))
        .collect();
    let _ = writeln!(text, "{:5} not tried", untried.len());
    for hole in open {
        let _ = writeln!(text, "\nNOTICED BY NOTHING  {}", hole.essence);
    }
    for hole in excused {
        let reason = &justified[&hole.essence];
        let _ = writeln!(text, "\n{}\n    {reason}", hole.essence);
    }
    let tried = sources
        .iter()
        .filter(|(file, _)| !untried.iter().any(|mutant| mutant.file == **file));
    text.push_str("\nThe files that were tried:\n");
    for (file, source) in tried {
        let _ = writeln!(text, "{file} {}", fingerprint(source));
    }
    let _ = writeln!(text, "\n{CHANGED}nothing");
    renewed(&text, sources)
}

/// The report, where the line that tells which files are others than those that were tried tells of these files.
#[must_use]
pub fn renewed(report: &str, sources: &BTreeMap<String, String>) -> String {
    let tried: BTreeMap<&str, &str> = report
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(file, _)| file.ends_with(".rs"))
        .collect();
    let is_other = |file: &&str| {
        let now = sources.get(*file).map(|text| fingerprint(text));
        now.as_deref() != tried.get(file).copied()
    };
    let all: BTreeSet<&str> = sources
        .keys()
        .map(String::as_str)
        .chain(tried.keys().copied())
        .collect();
    let changed: Vec<&str> = all.into_iter().filter(is_other).collect();
    let changed = if changed.is_empty() {
        "nothing".to_owned()
    } else {
        changed.join(", ")
    };
    let kept = report.lines().filter(|line| !line.starts_with(CHANGED));
    let mut text: String = kept.flat_map(|line| [line, "\n"]).collect();
    let _ = writeln!(text, "{CHANGED}{changed}");
    text
}

/// The counts of a report, from the top; the first is that of all changes.
#[must_use]
pub fn counts(report: &str) -> Vec<(usize, &str)> {
    let lines = report.lines().filter_map(|line| {
        let (count, of_what) = line.trim_start().split_once(' ')?;
        Some((count.parse().ok()?, of_what))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        let all = all.iter();
        all.map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn what_is_new_or_gone_or_other_than_it_was_when_it_was_tried_is_told() {
        let part = Part::named("core").unwrap();
        let none = (&[][..], &[][..]);
        let tried = sources(&[("a.rs", "one"), ("b.rs", "two"), ("c.rs", "three")]);
        let report = render(part, &[], &Verdicts::new(), none, &Justified::new(), &tried);
        assert!(report.ends_with("\n\nChanged since they were tried: nothing\n"));
        assert_eq!(renewed(&report, &tried), report);

        let now = sources(&[("a.rs", "one"), ("b.rs", "other"), ("d.rs", "new")]);
        let told = renewed(&report, &now);
        assert!(told.ends_with("\n\nChanged since they were tried: b.rs, c.rs, d.rs\n"));
        assert_eq!(renewed(&told, &tried), report, "and back");
    }
}
