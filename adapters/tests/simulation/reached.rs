//! The page docs/reliability/reached.md: what the test run's seeds reached, and how often.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use remediation_adapters::simulation::run::Reach;

use super::committed;

pub(crate) const PAGE: &str = "docs/reliability/reached.md";

const INTRODUCTION: &str = "# What the simulation reaches

This page is written by the run of the ten thousand seeds that every test run makes (seeds 0 to 9,999), and that run fails if it
is not current: `UPDATE=1 cargo test -p remediation-adapters --features simulation --test simulation seeds` renews it.
`remediation-orchestrator simulate --seeds 0..10000 --output json` counts the same. What a run must have reached stands in
`adapters/tests/simulation/seeds.rs`; [simulation.md](simulation.md) says what each sort of trouble is.

";

/// How the columns of the faults are called, and the phases that they hold.
const COLUMNS: [(&str, &[&str]); 7] = [
    ("none", &["none"]),
    ("Pending, Initializing", &["Pending", "Initializing"]),
    ("Processing", &["Processing"]),
    ("Analyzing", &["Analyzing"]),
    ("WorkflowPlanning", &["WorkflowPlanning"]),
    ("Executing", &["Executing"]),
    ("ended", &["Completed", "Failed"]),
];

/// The page, if so many seeds reached this.
pub(crate) fn page(reach: &Reach) -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str(
        "## Faults and people, by the phase of the request that they met\n\n\
         The phase is that of the request that a call or a person is about, else that of the first request; *none* where there is no\n\
         request yet or any more, or it has no phase yet. A phase that a hand invented is left out.\n\n",
    );
    let heads: Vec<&str> = COLUMNS.iter().map(|(head, _)| *head).collect();
    let _ = writeln!(page, "| | {} |", heads.join(" | "));
    let _ = writeln!(page, "|---|{}", "--:|".repeat(COLUMNS.len()));
    for (sort, phases) in &reach.troubles {
        let count = |words: &[&str]| -> u64 {
            let counts = words.iter().filter_map(|word| phases.get(*word));
            counts.sum()
        };
        let cells: Vec<String> = COLUMNS
            .iter()
            .map(|(_, words)| shown(count(words)))
            .collect();
        let _ = writeln!(page, "| {sort} | {} |", cells.join(" | "));
    }
    counted(&mut page, "Transitions", "", &reach.transitions);
    counted(
        &mut page,
        "Reasons of failures",
        "Those that children and hands invent are among them.\n\n",
        &reach.reasons,
    );
    counted(
        &mut page,
        "Errors that the operators met, by category",
        "",
        &reach.categories,
    );
    page
}

fn counted(page: &mut String, title: &str, note: &str, counts: &BTreeMap<String, u64>) {
    let _ = writeln!(page, "\n## {title}\n\n{note}| | times |\n|---|--:|");
    for (what, count) in counts {
        let _ = writeln!(page, "| {what} | {} |", shown(*count));
    }
}

/// Nothing for what never happened, so that the eye finds it.
fn shown(count: u64) -> String {
    match count {
        0 => String::new(),
        count => count.to_string(),
    }
}

/// Asserts that all that the committed page shows is still reached, whether or not it is about to be written anew.
pub(crate) fn assert_nothing_lost(page: &str) {
    let lost = lost(&committed::read(PAGE), page);
    assert!(
        lost.is_empty(),
        "no seed reaches any more what {PAGE} shows: {lost:#?}; where that is meant, take these lines out of it by hand"
    );
}

/// What the tables of one page name and those of another do not.
fn lost(before: &str, now: &str) -> Vec<String> {
    let now = named(now);
    let before = named(before).into_iter();
    before.filter(|name| !now.contains(name)).collect()
}

/// What the lines of all tables are about, with their headings.
fn named(page: &str) -> BTreeSet<String> {
    let mut heading = "";
    let mut named = BTreeSet::new();
    for line in page.lines() {
        let row = line.strip_prefix("| ").and_then(|row| row.split_once(" |"));
        if let Some(title) = line.strip_prefix("## ") {
            heading = title;
        } else if let Some((name, _)) = row
            && !line.starts_with("| |")
        {
            named.insert(format!("{heading}: {name}"));
        }
    }
    named
}

#[test]
fn what_a_page_shows_and_the_next_does_not_is_lost() {
    let mut before = Reach::default();
    let phases = BTreeMap::from([("Executing".to_owned(), 7)]);
    before
        .troubles
        .insert("Work Lost".to_owned(), phases.clone());
    let mut now = before.clone();
    before.troubles.insert("Event Lost".to_owned(), phases);
    before.reasons.insert("OutOfMemory".to_owned(), 1);
    now.categories.insert("A".to_owned(), 1);
    assert_eq!(
        lost(&page(&before), &page(&now)),
        [
            "Faults and people, by the phase of the request that they met: Event Lost",
            "Reasons of failures: OutOfMemory",
        ]
    );
    assert_eq!(lost(&page(&now), &page(&now)), [""; 0]);
}
