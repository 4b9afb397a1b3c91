//! Changes every expression of the core, or of the executor's side of the adapters, and says which changes no test notices.
//!
//! ```text
//! cargo run -p known-bugs --bin every-expression -- core
//! cargo run -p known-bugs --bin every-expression -- adapters --shard 0/4    # a quarter of it
//! cargo run -p known-bugs --bin every-expression -- core --only draft.rs    # those whose names hold a word
//! ```
//!
//! `--scratch FOLDER` and `--target FOLDER` say where the copy of the workspace and its builds go. It can be stopped at any
//! time and goes on where it was. Exit codes: 0 every change is noticed or excused, 1 one is not, 2 it could not be run.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use known_bugs::expressions::build::{Binaries, Workshop};
use known_bugs::expressions::list::{self, Mutant};
use known_bugs::expressions::part::{PARTS, Part, Stage};
use known_bugs::expressions::report::{self, Record, Verdicts};
use known_bugs::expressions::trial::Verdict;
use known_bugs::scratch::Scratch;
use known_bugs::workspace;

/// What was asked for.
struct Asked {
    part: &'static Part,
    shard: (usize, usize),
    only: String,
    scratch: PathBuf,
    target: Option<PathBuf>,
}

fn main() -> ExitCode {
    let usage = "write core or adapters, and if you like --shard K/N, --only WORD, --scratch FOLDER, --target FOLDER";
    known_bugs::exit_code(parse(std::env::args().skip(1)), usage, run)
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Asked, String> {
    let name = arguments.next().unwrap_or_default();
    let part = Part::named(&name).ok_or_else(|| {
        let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
        format!("`{name}` is no part of {}", names.join(", "))
    })?;
    let mut asked = Asked {
        part,
        shard: (0, 1),
        only: String::new(),
        scratch: workspace()
            .join("target")
            .join(format!("every-expression-{name}")),
        target: None,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || {
            let value = arguments.next();
            value.ok_or_else(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--shard" => asked.shard = known_bugs::shard(&value()?)?,
            "--only" => asked.only = value()?,
            "--scratch" => asked.scratch = value()?.into(),
            "--target" => asked.target = Some(value()?.into()),
            unknown => return Err(format!("`{unknown}` is no option")),
        }
    }
    Ok(asked)
}

/// Whether every change is noticed or excused.
fn run(asked: &Asked) -> io::Result<bool> {
    let scratch = Scratch::at(&asked.scratch, None)?;
    let root = scratch.root();
    let all = list::list(root, asked.part)?;
    let mutants: Vec<Mutant> = (0..)
        .zip(all)
        .filter(|(index, mutant)| {
            index % asked.shard.1 == asked.shard.0 && mutant.name.contains(&asked.only)
        })
        .map(|(_, mutant)| mutant)
        .collect();
    let target = asked.target.clone().unwrap_or_else(|| root.join("target"));
    let workshop = Workshop::new(root, target, asked.part, &mutants)?;
    let record = Record::of(workshop.target.join("verdicts.tsv"), &workshop.sources);
    let mut verdicts = record.load()?;
    println!(
        "{} changes, {} tried before",
        mutants.len(),
        mutants
            .iter()
            .filter(|m| verdicts.contains_key(&m.name))
            .count()
    );

    let together = workshop.together(&mutants)?;
    let sound = workshop.try_out(&together.binaries, 0, &root.join("sound.log"))?;
    if sound != Verdict::Missed {
        let what = format!("the tests fail without any change: {sound:?}");
        return Err(io::Error::other(what));
    }
    println!("{} changes are built alone", together.apart.len());
    let mut due: Vec<(usize, &Mutant)> = (1..)
        .zip(&mutants)
        .filter(|(number, mutant)| {
            !together.apart.contains(number) && !verdicts.contains_key(&mutant.name)
        })
        .collect();
    // What the cheap tests notice is noticed first; the slow ones see the rest alone.
    for stage in asked.part.stages {
        let came = try_all(&workshop, stage, &together.binaries, &due, &record)?;
        due.retain(|(_, mutant)| came.get(&mutant.name) == Some(&Verdict::Missed));
        verdicts.extend(came);
    }
    for number in &together.apart {
        let mutant = &mutants[number - 1];
        if verdicts.contains_key(&mutant.name) {
            continue;
        }
        let verdict = match workshop.alone(mutant)? {
            Some(binaries) => workshop.try_out(&binaries, 0, &root.join("alone.log"))?,
            None => Verdict::Unviable,
        };
        tell(mutant, &verdict, &record)?;
        verdicts.insert(mutant.name.clone(), verdict);
    }

    let justified = report::justified()?;
    let (open, excused) = report::holes(&mutants, &verdicts, &workshop.sources, &justified);
    let text = report::render(
        asked.part,
        &mutants,
        &verdicts,
        (&open, &excused),
        &justified,
    );
    print!("{text}");
    if asked.shard == (0, 1) && asked.only.is_empty() {
        std::fs::write(report::path(asked.part), &text)?;
    }
    Ok(open.is_empty())
}

/// Runs one stage of the tests with each of these, on all cores.
fn try_all(
    workshop: &Workshop<'_>,
    stage: &Stage,
    binaries: &Binaries,
    due: &[(usize, &Mutant)],
    record: &Record,
) -> io::Result<Verdicts> {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let work = |log: &Path| -> io::Result<Verdicts> {
        let mut verdicts = Verdicts::new();
        while let Some((number, mutant)) = due.get(next.fetch_add(1, Ordering::Relaxed)) {
            let verdict = workshop.try_stage(stage, binaries, *number, log)?;
            tell(mutant, &verdict, record)?;
            verdicts.insert(mutant.name.clone(), verdict);
        }
        Ok(verdicts)
    };
    let cores = std::thread::available_parallelism()?.get();
    let work = &work;
    let mut verdicts = Verdicts::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|core| {
                let log = workshop.root.join(format!("trial-{core}.log"));
                scope.spawn(move || work(&log))
            })
            .collect();
        for worker in workers {
            let done = worker
                .join()
                .map_err(|_| io::Error::other("a worker panicked"))?;
            verdicts.extend(done?);
        }
        io::Result::Ok(())
    })?;
    println!(
        "{} by {} in {} s",
        due.len(),
        stage.name(),
        began.elapsed().as_secs()
    );
    Ok(verdicts)
}

fn tell(mutant: &Mutant, verdict: &Verdict, record: &Record) -> io::Result<()> {
    match verdict {
        Verdict::Hung(stage) => println!("hangs in {stage}: {}", mutant.name),
        Verdict::Missed | Verdict::Caught(..) | Verdict::Unviable => {}
    }
    record.add(&mutant.name, verdict)
}
