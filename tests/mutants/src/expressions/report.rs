//! What came of the changes, as it is written into the project at the end of a campaign.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::PathBuf;

use super::list::Mutant;
use super::part::Part;
use super::record::Verdicts;
use super::trial::Verdict;
use crate::workspace;

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

/// The report: how many changes of each file came to what, and each that no test noticed.
#[must_use]
pub fn render(
    part: &Part,
    mutants: &[Mutant],
    verdicts: &Verdicts,
    (open, excused): (&[Hole<'_>], &[Hole<'_>]),
    justified: &Justified,
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
    let untried = mutants
        .iter()
        .filter(|m| !verdicts.contains_key(&m.name))
        .count();
    let _ = writeln!(text, "{untried:5} not tried");
    for hole in open {
        let _ = writeln!(text, "\nNOTICED BY NOTHING  {}", hole.essence);
    }
    for hole in excused {
        let reason = &justified[&hole.essence];
        let _ = writeln!(text, "\n{}\n    {reason}", hole.essence);
    }
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
