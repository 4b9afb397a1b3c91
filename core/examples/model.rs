//! The model checker as a command, for campaigns and for a second look at a violation.
//!
//! ```text
//! cargo run -p remediation-core --example model -- list
//! … -- run plain [--states N] [--minutes N] [--threads N] [--crashes N] [--faults N] [--late N] [--hands N]
//!               [--lapses N] [--clock N] [--fair-every N] [--directory DIR] [--mistake NAME]
//! … -- repeat plain 0.3.1 [--then helpful|silent] [the same bounds]
//! ```
//!
//! With `--directory` an exploration is kept there, and goes on from where it stopped. Exit codes: 0 nothing found,
//! 1 a violation, 2 bad input.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[path = "../tests/model/checker/mod.rs"]
mod checker;

use checker::config::{self, Config};
use checker::fair::Mode;
use checker::mistakes::CANARIES;
use checker::passes::Passes;
use checker::search::{Limits, Report, Search};
use checker::{checkpoint, story};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match command(&args) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("error: {problem}\nsee the first lines of core/examples/model.rs");
            ExitCode::from(2)
        }
    }
}

fn command(args: &[String]) -> Result<ExitCode, String> {
    let (words, options) = read(args)?;
    match words[..] {
        ["list"] => {
            for config in config::all() {
                println!(
                    "{:<10} {}\n{:<10} {:?}",
                    config.name, config.about, "", config.budget
                );
            }
            for canary in &CANARIES {
                println!(
                    "--mistake {:<40} breaks {}",
                    canary.mistake.name,
                    canary.breaks.join(", ")
                );
            }
            Ok(ExitCode::SUCCESS)
        }
        ["run", name] => run(configured(name, &options)?, &options),
        ["repeat", name, path] => {
            let passes = Passes::new(configured(name, &options)?);
            let path = story::read_path(&passes, path)?;
            let then = match options.get("then").map(String::as_str) {
                None => None,
                Some("helpful") => Some(Mode::Helpful),
                Some("silent") => Some(Mode::Silent),
                Some(other) => return Err(format!("--then {other}: helpful or silent")),
            };
            let (text, _) = story::walk(&passes, &path, then);
            print!("{text}");
            let wrong = text.contains("!!");
            Ok(ExitCode::from(u8::from(wrong)))
        }
        _ => Err("list, run or repeat".into()),
    }
}

fn run(config: Config, options: &BTreeMap<String, String>) -> Result<ExitCode, String> {
    let limits = Limits {
        states: number(options, "states")?.unwrap_or(10_000_000),
        time: Duration::from_secs(60 * number(options, "minutes")?.unwrap_or(5)),
        threads: number(options, "threads")?.unwrap_or(2),
    };
    println!("{}: {}\n{:?}", config.name, config.about, config.budget);
    let directory = options.get("directory").map(PathBuf::from);
    let mut search = match &directory {
        Some(directory) if checkpoint::exists(directory) => {
            let search = checkpoint::read(config, directory).map_err(|e| e.to_string())?;
            println!(
                "going on from {} states at depth {}",
                search.seen.len(),
                search.depth
            );
            search
        }
        _ => Search::new(config),
    };
    let before = search.seen.len();
    let report = search.run(limits);
    print(&report, report.states - before);
    if let Some(violation) = &report.violation {
        println!("{}", story::tell(&search, violation));
        return Ok(ExitCode::from(1));
    }
    if let Some(directory) = &directory {
        checkpoint::write(&search, directory)
            .map_err(|e| format!("{}: {e}", directory.display()))?;
        println!("kept in {}", directory.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &Report, new: usize) {
    let rate = new as f64 / report.time.as_secs_f64();
    println!(
        "{} states ({new} new in {:.1} s, {rate:.0}/s), {} moves, depth {}, {}; {} states of fair schedules; {} passes, {} statuses",
        report.states,
        report.time.as_secs_f64(),
        report.moves,
        report.depth,
        if report.complete {
            "complete"
        } else {
            "stopped at a limit"
        },
        report.fair_states,
        report.passes,
        report.statuses,
    );
    for (kind, count) in report.reach.by_kind() {
        println!("  {count:>10} {kind}");
    }
    for (what, count) in &report.reach.sights {
        println!("  {count:>10} saw: {what}");
    }
    println!("  edges not taken: {:?}", report.reach.edges_missing());
    println!("  rules not followed: {:?}", report.reach.rules_missing());
}

fn configured(name: &str, options: &BTreeMap<String, String>) -> Result<Config, String> {
    let mut config = config::named(name).ok_or_else(|| format!("no configuration `{name}`"))?;
    if let Some(mistake) = options.get("mistake") {
        let mut canaries = CANARIES.iter();
        let canary = canaries.find(|canary| canary.mistake.name == mistake);
        config = canary
            .ok_or_else(|| format!("no mistake `{mistake}`"))?
            .config();
    }
    let budget = &mut config.budget;
    for (field, option) in [
        (&mut budget.crashes, "crashes"),
        (&mut budget.faults, "faults"),
        (&mut budget.late, "late"),
        (&mut budget.hands, "hands"),
        (&mut budget.lapses, "lapses"),
        (&mut budget.clock, "clock"),
    ] {
        if let Some(value) = number(options, option)? {
            *field = value;
        }
    }
    if let Some(every) = number(options, "fair-every")? {
        config.fair_every = every;
    }
    Ok(config)
}

fn number<T: std::str::FromStr>(
    options: &BTreeMap<String, String>,
    name: &str,
) -> Result<Option<T>, String> {
    let value = options.get(name).map(|value| value.parse());
    value
        .transpose()
        .map_err(|_| format!("--{name}: not a number that fits"))
}

const OPTIONS: [&str; 13] = [
    "states",
    "minutes",
    "threads",
    "crashes",
    "faults",
    "late",
    "hands",
    "lapses",
    "clock",
    "fair-every",
    "directory",
    "mistake",
    "then",
];

fn read(args: &[String]) -> Result<(Vec<&str>, BTreeMap<String, String>), String> {
    let (mut words, mut options) = (Vec::new(), BTreeMap::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.strip_prefix("--") {
            Some(name) if OPTIONS.contains(&name) => {
                let value = args
                    .next()
                    .ok_or_else(|| format!("--{name} needs a value"))?;
                options.insert(name.to_owned(), value.clone());
            }
            Some(name) => return Err(format!("no option --{name}")),
            None => words.push(arg.as_str()),
        }
    }
    Ok((words, options))
}
