//! The page of results: `docs/reliability/known-bugs.md`.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::catalogue::Bug;
use crate::layers::LAYERS;
use crate::results::Results;

/// Where the page is, from the root of the workspace.
pub const PATH: &str = "docs/reliability/known-bugs.md";

const HEAD: &str = "\
<!-- Written by `cargo run -p known-bugs -- --table` from tests/mutants/. -->

# Known bugs, planted

Bugs that systems like this one have really had, each as a patch in `tests/mutants/`. One after the other is planted in a
scratch copy of the workspace, and the layers of tests are run on it, the cheapest first, until one fails. How that is done, and
what it does not tell, is in [mutants.md](mutants.md).
";

/// The page.
#[must_use]
pub fn render(bugs: &[Bug], results: &Results) -> String {
    let mut page = HEAD.to_owned();
    let mut caught: BTreeMap<&str, usize> = BTreeMap::new();
    for verdict in bugs.iter().filter_map(|bug| results.get(&bug.name)) {
        *caught.entry(&verdict.layer).or_default() += 1;
    }
    page.push_str("\n| layer | bugs that it is the first to catch |\n|---|---|\n");
    for layer in LAYERS {
        if let Some(count) = caught.get(layer.name) {
            add(&mut page, format_args!("| {} | {count} |\n", layer.name));
        }
    }
    let total: usize = caught
        .iter()
        .filter(|(l, _)| !l.is_empty())
        .map(|(_, n)| n)
        .sum();
    let planted: usize = caught.values().sum();
    add(
        &mut page,
        format_args!("| all | {total} of the {planted} planted |\n"),
    );
    let waiting = bugs.len().saturating_sub(planted);
    if waiting > 0 {
        add(
            &mut page,
            format_args!("\n{waiting} more have a patch and were not planted yet.\n"),
        );
    }
    page.push_str("\n| bug | seen in | breaks | caught first by |\n|---|---|---|---|\n");
    for bug in bugs {
        let by = match results.get(&bug.name) {
            None => "not run yet".to_owned(),
            Some(verdict) if verdict.layer.is_empty() => "**nothing**".to_owned(),
            Some(verdict) if verdict.others == 0 => {
                format!("{}: `{}`", verdict.layer, verdict.test)
            }
            Some(verdict) => format!(
                "{}: `{}` and {} more",
                verdict.layer, verdict.test, verdict.others
            ),
        };
        let (what, seen, breaks) = (&bug.what, &bug.seen, &bug.breaks);
        add(
            &mut page,
            format_args!(
                "| [{number}](../../tests/mutants/{name}.patch) {what} | {seen} | {breaks} | {by} |\n",
                number = bug.name.split('-').next().unwrap_or_default(),
                name = bug.name,
            ),
        );
    }
    page
}

fn add(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = page.write_fmt(text);
}
