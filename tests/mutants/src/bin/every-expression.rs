//! Changes every expression of the core, or of the executor's side of the adapters, and says which changes no test notices.
//!
//! ```text
//! cargo run -p known-bugs --bin every-expression -- core
//! cargo run -p known-bugs --bin every-expression -- adapters --shard 0/4    # a quarter of it
//! cargo run -p known-bugs --bin every-expression -- core --only draft.rs    # those whose names hold a word
//! cargo run -p known-bugs --bin every-expression -- core --table            # tries nothing, and writes what is known
//! cargo run -p known-bugs --bin every-expression -- core --all              # also what is on record and did not change
//! ```
//!
//! `--scratch FOLDER` and `--target FOLDER` say where the copy of the workspace and its builds go. It can be stopped at any
//! time and goes on where it was. Exit codes: 0 every change is noticed or excused, 1 one is not or was not tried, 2 it could not be run.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use known_bugs::expressions::build::{Binaries, Workshop};
use known_bugs::expressions::list::{self, Mutant};
use known_bugs::expressions::part::{PARTS, Part};
use known_bugs::expressions::record::{Record, Verdicts};
use known_bugs::expressions::report::{self, Justified};
use known_bugs::expressions::trial::Verdict;
use known_bugs::scratch::Scratch;
use known_bugs::workspace;

/// So few changes are built one by one: building all together would take longer.
const FEW: usize = 12;

/// What was asked for.
struct Asked {
    part: &'static Part,
    shard: (usize, usize),
    only: String,
    table: bool,
    all: bool,
    scratch: PathBuf,
    target: Option<PathBuf>,
}

fn main() -> ExitCode {
    let usage = "write core or adapters, and if you like --shard K/N, --only WORD, --table, --all, --scratch FOLDER, --target FOLDER";
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
        table: false,
        all: false,
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
            "--table" => asked.table = true,
            "--all" => asked.all = true,
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
    let sources = asked.part.sources(root)?;
    let all = list::list(root, asked.part)?;
    let mutants: Vec<Mutant> = (0..)
        .zip(&all)
        .filter(|(index, mutant)| {
            index % asked.shard.1 == asked.shard.0 && mutant.name.contains(&asked.only)
        })
        .map(|(_, mutant)| mutant.clone())
        .collect();
    let target = asked.target.clone().unwrap_or_else(|| root.join("target"));
    let workshop = Workshop::new(root, target, asked.part, &all)?;
    let record = Record::of(&workshop.target, &workshop.sources)?;
    let mut verdicts = if asked.all {
        Verdicts::new()
    } else {
        record.load()?
    };
    let known = |m: &&Mutant| verdicts.contains_key(&m.name);
    let tried = mutants.iter().filter(known).count();
    println!("{} changes, {tried} tried before", mutants.len());

    let justified = report::justified()?;
    let campaign = Campaign {
        workshop: &workshop,
        record: &record,
        justified: &justified,
    };
    let mut sound = BTreeSet::new();
    let alone = if asked.table {
        Vec::new()
    } else if mutants.len() - tried > FEW {
        campaign.try_together(&mutants, &mut verdicts, &mut sound)?
    } else {
        let left = mutants.iter().filter(|m| !verdicts.contains_key(&m.name));
        left.collect()
    };
    for mutant in alone {
        let stages = asked.part.stages_for(campaign.is_excused(mutant));
        let verdict = workshop.alone(mutant, stages, &mut sound)?;
        tell(mutant, &verdict, &record)?;
        verdicts.insert(mutant.name.clone(), verdict);
    }

    let (open, excused) = report::holes(&mutants, &verdicts, &workshop.sources, &justified);
    let all_tried = mutants.iter().all(|m| verdicts.contains_key(&m.name));
    let path = report::path(asked.part);
    let text = if asked.table && !all_tried {
        // What the kept report tells was tried; what is on record here is less.
        report::renewed(&std::fs::read_to_string(&path)?, &sources)
    } else {
        report::render(
            asked.part,
            &mutants,
            &verdicts,
            (&open, &excused),
            &justified,
            &sources,
        )
    };
    print!("{text}");
    if asked.shard == (0, 1) && asked.only.is_empty() {
        std::fs::write(path, &text)?;
    }
    Ok(open.is_empty() && all_tried)
}

/// The part of a campaign that is the same for all changes.
struct Campaign<'a> {
    workshop: &'a Workshop<'a>,
    record: &'a Record,
    justified: &'a Justified,
}

impl Campaign<'_> {
    fn is_excused(&self, mutant: &Mutant) -> bool {
        let text = &self.workshop.sources[&mutant.file];
        self.justified.contains_key(&mutant.essence(text))
    }

    /// Tries all changes that can stand behind a number, and returns those that are to be built alone.
    fn try_together<'m>(
        &self,
        mutants: &'m [Mutant],
        verdicts: &mut Verdicts,
        sound: &mut BTreeSet<&'static str>,
    ) -> io::Result<Vec<&'m Mutant>> {
        let Campaign {
            workshop, record, ..
        } = self;
        let together = workshop.together(mutants)?;
        for number in &together.hopeless {
            let mutant = &mutants[number - 1];
            if !verdicts.contains_key(&mutant.name) {
                record.add(&mutant.name, &Verdict::Unviable)?;
                verdicts.insert(mutant.name.clone(), Verdict::Unviable);
            }
        }
        let (alone, mut due): (Vec<_>, Vec<_>) = (1..)
            .zip(mutants)
            .filter(|(_, mutant)| !verdicts.contains_key(&mutant.name))
            .partition(|(number, _)| together.apart.contains(number));
        println!(
            "{} cannot compile, {} are to be built alone",
            together.hopeless.len(),
            alone.len()
        );
        let hall = Hall {
            workshop,
            binaries: &together.binaries,
            record,
        };
        // What the cheap tests notice is noticed first; the slow ones see the rest alone.
        for (place, stage) in workshop.part.stages.iter().enumerate() {
            due.retain(|(_, mutant)| stage.is_worth(self.is_excused(mutant)));
            if due.is_empty() {
                break;
            }
            workshop.check_sound(stage, hall.binaries)?;
            sound.insert(stage.name());
            if place == 0 {
                let came = hall.try_all("the tests that noticed before", &due, |due, log| {
                    hall.try_hints(due, log)
                })?;
                keep_missed(&mut due, came, verdicts);
            }
            let came = hall.try_all(stage.name(), &due, |due, log| {
                workshop.try_stage(stage, hall.binaries, due.0, None, log)
            })?;
            keep_missed(&mut due, came, verdicts);
        }
        Ok(alone.into_iter().map(|(_, mutant)| mutant).collect())
    }
}

/// A change and its number.
type Due<'a> = (usize, &'a Mutant);

/// What a stage let pass goes on to the next.
fn keep_missed(due: &mut Vec<Due<'_>>, came: Verdicts, verdicts: &mut Verdicts) {
    due.retain(|(_, mutant)| came.get(&mutant.name) == Some(&Verdict::Missed));
    verdicts.extend(came);
}

/// Where all changes of one build are tried.
struct Hall<'a> {
    workshop: &'a Workshop<'a>,
    binaries: &'a Binaries,
    record: &'a Record,
}

impl Hall<'_> {
    /// Runs the single tests that noticed a change like this before.
    fn try_hints(&self, (number, mutant): Due<'_>, log: &Path) -> io::Result<Verdict> {
        let stages = self.workshop.part.stages;
        for (name, test) in self.record.hints(mutant) {
            let Some(stage) = stages.iter().find(|stage| stage.name() == name) else {
                continue;
            };
            let verdict = self
                .workshop
                .try_stage(stage, self.binaries, number, Some(test), log)?;
            if verdict != Verdict::Missed {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Missed)
    }

    /// Runs these tests with each of the changes, on all cores.
    fn try_all(
        &self,
        tests: &str,
        due: &[Due<'_>],
        run: impl Fn(Due<'_>, &Path) -> io::Result<Verdict> + Sync,
    ) -> io::Result<Verdicts> {
        let next = AtomicUsize::new(0);
        let began = Instant::now();
        let work = |log: &Path| -> io::Result<Verdicts> {
            let mut verdicts = Verdicts::new();
            while let Some(due) = due.get(next.fetch_add(1, Ordering::Relaxed)) {
                let verdict = run(*due, log)?;
                tell(due.1, &verdict, self.record)?;
                verdicts.insert(due.1.name.clone(), verdict);
            }
            Ok(verdicts)
        };
        let cores = std::thread::available_parallelism()?.get();
        let work = &work;
        let mut verdicts = Verdicts::new();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..cores)
                .map(|core| {
                    let log = self.workshop.root.join(format!("trial-{core}.log"));
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
            "{} by {tests} in {} s",
            due.len(),
            began.elapsed().as_secs()
        );
        Ok(verdicts)
    }
}

fn tell(mutant: &Mutant, verdict: &Verdict, record: &Record) -> io::Result<()> {
    match verdict {
        Verdict::Hung(stage) => println!("hangs in {stage}: {}", mutant.name),
        Verdict::Missed | Verdict::Caught(..) | Verdict::Unviable => {}
    }
    record.add(&mutant.name, verdict)
}
