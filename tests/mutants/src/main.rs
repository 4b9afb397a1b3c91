//! Plants each known bug in a scratch copy of the workspace and records the first layer of tests that catches it.
//!
//! ```text
//! cargo run -p known-bugs                     # what is new or changed
//! cargo run -p known-bugs -- --shard 0/4      # a quarter of it
//! cargo run -p known-bugs -- --only lease     # those whose names hold a word, whatever is recorded
//! cargo run -p known-bugs -- --all            # all anew
//! cargo run -p known-bugs -- --up-to app      # without the layers after this one
//! cargo run -p known-bugs -- --in core/       # those that change a file of this folder
//! cargo run -p known-bugs -- --table          # only writes the page
//! ```
//!
//! It can be stopped at any time: what is recorded is not run again. The layers on a real API server need
//! `KUBEBUILDER_ASSETS`, see CONTRIBUTING.md. Exit codes: 0 all caught, 1 one was not, 2 it could not be run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use known_bugs::catalogue::{self, Bug};
use known_bugs::layers::LAYERS;
use known_bugs::results::{self, Results, Verdict};
use known_bugs::scratch::{Ran, Scratch};
use known_bugs::{page, workspace};

/// Tests that take so much longer than five times as long as without a bug count as hanging.
const PATIENCE: Duration = Duration::from_secs(70);

/// What was asked for.
struct Asked {
    shard: (usize, usize),
    only: Option<String>,
    all: bool,
    table: bool,
    up_to: Option<String>,
    within: Option<String>,
    target: Option<PathBuf>,
    scratch: Option<PathBuf>,
}

fn main() -> ExitCode {
    let usage = "known are --shard K/N, --only WORD, --in FOLDER, --up-to LAYER, --all, --table, --scratch FOLDER, --target FOLDER";
    known_bugs::exit_code(parse(std::env::args().skip(1)), usage, run)
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked {
        shard: (0, 1),
        only: None,
        all: false,
        table: false,
        up_to: None,
        within: None,
        target: None,
        scratch: None,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || {
            let value = arguments.next();
            value.ok_or_else(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--shard" => asked.shard = known_bugs::shard(&value()?)?,
            "--only" => asked.only = Some(value()?),
            "--up-to" => asked.up_to = Some(value()?),
            "--in" => asked.within = Some(value()?),
            "--target" => asked.target = Some(value()?.into()),
            "--scratch" => asked.scratch = Some(value()?.into()),
            "--all" => asked.all = true,
            "--table" => asked.table = true,
            unknown => return Err(format!("`{unknown}` is no option")),
        }
    }
    Ok(asked)
}

/// Whether all bugs that were asked for were caught.
fn run(asked: &Asked) -> io::Result<bool> {
    let bugs = catalogue::load()?;
    let mut results = results::load()?;
    let mut due: Vec<&Bug> = bugs
        .iter()
        .enumerate()
        .filter(|(index, _)| index % asked.shard.1 == asked.shard.0)
        .map(|(_, bug)| bug)
        .filter(|bug| is_due(asked, bug, &results))
        .collect();
    // Those first that the cheap layers can tell of.
    due.sort_by_key(|bug| !bug.touches("core/"));
    let mut all_caught = true;
    if !due.is_empty() {
        let folder = format!("known-bugs-{}-of-{}", asked.shard.0, asked.shard.1);
        let folder = asked
            .scratch
            .clone()
            .unwrap_or_else(|| workspace().join("target").join(folder));
        let scratch = Scratch::at(&folder, asked.target.clone())?;
        let mut sound = BTreeMap::new();
        for (number, bug) in due.iter().enumerate() {
            let began = Instant::now();
            let Some(verdict) = judge(&scratch, bug, asked.up_to.as_deref(), &mut sound)? else {
                println!("{} DOES NOT COMPILE", bug.name);
                all_caught = false;
                continue;
            };
            all_caught &= !verdict.layer.is_empty();
            println!(
                "{}/{} {} in {} s: {}",
                number + 1,
                due.len(),
                bug.name,
                began.elapsed().as_secs(),
                match verdict.layer.as_str() {
                    "" => "NOT CAUGHT".to_owned(),
                    layer => format!("{layer}: {} (+{})", verdict.test, verdict.others),
                }
            );
            results::add(&bug.name, &verdict)?;
        }
        results = results::tidy(&bugs)?;
    }
    fs::write(workspace().join(page::PATH), page::render(&bugs, &results))?;
    Ok(all_caught)
}

fn is_due(asked: &Asked, bug: &Bug, results: &Results) -> bool {
    if asked.table {
        return false;
    }
    if asked
        .within
        .as_ref()
        .is_some_and(|folder| !bug.touches(folder))
    {
        return false;
    }
    if let Some(word) = &asked.only {
        return bug.name.contains(word.as_str());
    }
    let known = results.get(&bug.name);
    asked.all || known.is_none_or(|v| v.fingerprint != bug.fingerprint || v.layer.is_empty())
}

/// Runs layer after layer until one fails. None if the patched code does not compile.
fn judge(
    scratch: &Scratch,
    bug: &Bug,
    up_to: Option<&str>,
    sound: &mut BTreeMap<&'static str, Duration>,
) -> io::Result<Option<Verdict>> {
    let verdict = |layer: &str, tests: &[String]| {
        Some(Verdict {
            fingerprint: bug.fingerprint.clone(),
            layer: layer.to_owned(),
            test: tests.first().cloned().unwrap_or_default(),
            others: tests.len().saturating_sub(1),
        })
    };
    let last = up_to.and_then(|name| LAYERS.iter().position(|layer| layer.name == name));
    for layer in LAYERS
        .iter()
        .take(last.map_or(LAYERS.len(), |last| last + 1))
    {
        if !layer.applies(bug, scratch.root()) {
            continue;
        }
        let usual = match sound.get(layer.name) {
            Some(usual) => *usual,
            // A test that fails without the bug as well would seem to catch it.
            None => match scratch.run(layer, layer.limit)? {
                (Ran::Passed, took) => *sound.entry(layer.name).or_insert(took),
                (other, _) => {
                    let what = format!("{} fails without any bug: {other:?}", layer.name);
                    return Err(io::Error::other(what));
                }
            },
        };
        let before = scratch.plant(bug)?;
        let ran = scratch.run(layer, PATIENCE + 5 * usual);
        scratch.mend(before)?;
        match ran?.0 {
            Ran::Passed => {}
            Ran::Failed(tests) if tests.is_empty() => {
                return Ok(verdict(layer.name, &["(the test binary died)".to_owned()]));
            }
            Ran::Hung(tests) if tests.is_empty() => {
                return Ok(verdict(layer.name, &["(a test hangs)".to_owned()]));
            }
            Ran::Failed(tests) | Ran::Hung(tests) => return Ok(verdict(layer.name, &tests)),
            Ran::DoesNotCompile(errors) => {
                eprintln!("{errors}");
                return Ok(None);
            }
        }
    }
    Ok(verdict("", &[]))
}
