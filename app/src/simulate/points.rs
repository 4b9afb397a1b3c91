//! Every fault at every call of a few reference lives; on demand every ordered pair of faults.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use remediation_adapters::simulation::promises::Promise;
use remediation_adapters::simulation::run::points::{Point, Reference, references};
use remediation_adapters::simulation::run::{Options, Stream, Trouble, Violation};
use serde_json::{Value, json};

use super::campaign::ENOUGH;
use super::part::Part;
use super::progress::Progress;
use super::{found, memory};
use crate::cli::{Output, SimulateArgs};
use crate::failure::Failure;

/// One run: a reference life with these faults.
struct Run<'a> {
    life: &'a Reference,
    points: Vec<&'a Point>,
}

/// How many runs were made of a life.
#[derive(Clone, Copy, Default)]
struct Made {
    runs: u64,
    /// Of these, how many had to end as the life does without faults: all their faults pass.
    passing: u64,
    /// Of those, how many did.
    recovered: u64,
}

impl Made {
    fn note(&mut self, run: &Run<'_>, broken: &[Violation]) {
        let passing = run.points.iter().all(|point| point.same_end);
        let recovered = broken.iter().all(|broken| broken.promise != Promise::S21);
        self.runs += 1;
        self.passing += u64::from(passing);
        self.recovered += u64::from(passing && recovered);
    }
}

impl std::ops::Add for Made {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            passing: self.passing + other.passing,
            recovered: self.recovered + other.recovered,
        }
    }
}

/// What came of the runs.
struct Tally {
    /// How many were made of each life.
    made: BTreeMap<&'static str, Made>,
    /// What they broke, by their number.
    broken: BTreeMap<usize, Vec<Violation>>,
    progress: Progress,
}

pub(super) fn simulate(
    args: &SimulateArgs,
    options: &Options,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let lives = references();
    let points: Vec<Vec<Point>> = lives.iter().map(Reference::points).collect();
    let mut runs = Vec::new();
    for (life, points) in lives.iter().zip(&points) {
        let chosen = if args.every_pair {
            args.part.unwrap_or(Part::WHOLE).pick(pairs(points))
        } else {
            points.iter().map(|point| vec![point]).collect()
        };
        runs.extend(chosen.into_iter().map(|points| Run { life, points }));
    }
    let began = Instant::now();
    let tally = all(&runs, options, began, args.time);
    let seconds = began.elapsed().as_secs_f64();
    let memory = memory::peak().map_or(String::new(), |most| format!("; at most {most} MB"));
    eprintln!(
        "{seconds:.1} s: {:.0} runs a second{memory}",
        tally.runs() as f64 / seconds
    );
    let text = match args.output {
        Output::Text => tally.text(&lives, &runs),
        Output::Json => tally.json(&lives, &runs),
    };
    super::print(out, &text)?;
    tally
        .broken
        .iter()
        .next()
        .map_or(Ok(()), |(number, broken)| {
            Err(tell(args, &runs[*number], broken, &tally))
        })
}

/// Writes the first run that broke a promise down, and says how to repeat it.
fn tell(args: &SimulateArgs, run: &Run<'_>, broken: &[Violation], tally: &Tally) -> Failure {
    let Some(first) = broken.first() else {
        return Failure::Check(format!("{} broke a promise", run.name()));
    };
    let mut trace = run.life.with(&run.points);
    first.promise.name().clone_into(&mut trace.promise);
    trace.story.clone_from(&first.story);
    let (name, again) = match args.part {
        _ if args.every_fault => ("simulation-every-fault.json", "--every-fault".to_owned()),
        Some(part) => (
            "simulation-every-pair.json",
            format!("--every-pair --part {part}"),
        ),
        None => ("simulation-every-pair.json", "--every-pair".to_owned()),
    };
    let kept = found::keep(args, &trace, name, &again);
    Failure::Check(format!(
        "{first}\n  {} of {} runs broke a promise; the first is {}\n  {kept}",
        tally.broken.len(),
        tally.runs(),
        run.name(),
    ))
}

/// Every pair of faults in calls of the work, the first before the second: those of the other streams are the same
/// every time.
fn pairs(points: &[Point]) -> Vec<Vec<&Point>> {
    let number = |point: &Point| match point.trouble {
        Trouble::Call {
            stream: Stream::Work,
            nth,
            ..
        }
        | Trouble::Crash {
            stream: Stream::Work,
            nth,
            ..
        } => Some(nth),
        _ => None,
    };
    let work: Vec<(u32, &Point)> = points
        .iter()
        .filter_map(|point| Some((number(point)?, point)))
        .collect();
    let mut pairs = Vec::new();
    for (first, one) in &work {
        for (second, other) in &work {
            if first < second {
                pairs.push(vec![*one, *other]);
            }
        }
    }
    pairs
}

/// Makes these runs on all cores, until the time is over or enough of them broke a promise.
fn all(runs: &[Run<'_>], options: &Options, began: Instant, time: Option<Duration>) -> Tally {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let tally = Mutex::new(Tally {
        made: BTreeMap::new(),
        broken: BTreeMap::new(),
        progress: Progress::of(Some(runs.len())),
    });
    let work = || {
        while !stop.load(Ordering::Relaxed) && time.is_none_or(|time| began.elapsed() < time) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(run) = runs.get(number) else {
                return;
            };
            let report = run.life.run(&run.points, options);
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            let made = tally.made.entry(run.life.name).or_default();
            made.note(run, &report.broken);
            for violation in &report.broken {
                eprintln!("{}: {violation}", run.name());
            }
            if !report.broken.is_empty() {
                tally.broken.insert(number, report.broken);
                stop.store(tally.broken.len() >= ENOUGH, Ordering::Relaxed);
            }
            let (made, broken) = (tally.runs(), tally.broken.len());
            tally.progress.tell(made, broken);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Run<'_> {
    /// Which life and which faults, as a trace names them.
    fn name(&self) -> String {
        let faults: Vec<String> = self.faults().iter().map(Value::to_string).collect();
        format!("{} with {}", self.life.name, faults.join(" and "))
    }

    fn faults(&self) -> Vec<Value> {
        let faults = self.points.iter().map(|point| json!(point.trouble));
        faults.collect()
    }
}

impl Tally {
    fn runs(&self) -> u64 {
        self.made.values().map(|made| made.runs).sum()
    }

    /// Of each life: its name, how many runs were made of how many, and how many of them broke a promise.
    fn of_each<'a>(
        &'a self,
        lives: &'a [Reference],
        runs: &'a [Run<'_>],
    ) -> impl Iterator<Item = (&'static str, Made, usize, usize)> + 'a {
        lives.iter().map(|life| {
            let name = life.name;
            let of = runs.iter().filter(|run| run.life.name == name).count();
            let broken = self.broken.keys();
            let broken = broken.filter(|number| runs[**number].life.name == name);
            let made = self.made.get(name).copied().unwrap_or_default();
            (name, made, of, broken.count())
        })
    }

    fn text(&self, lives: &[Reference], runs: &[Run<'_>]) -> String {
        let mut all = Made::default();
        let mut text = String::new();
        for (name, made, of, broken) in self.of_each(lives, runs) {
            let runs = made.runs;
            text += &format!("{name}: {runs} of {of} runs, {broken} broke a promise\n");
            all = all + made;
        }
        text += &format!(
            "of {} runs whose faults all pass, {} ended as without them\n",
            all.passing, all.recovered
        );
        for (number, broken) in &self.broken {
            for violation in broken {
                text += &format!("{}: {violation}\n", runs[*number].name());
            }
        }
        text
    }

    fn json(&self, lives: &[Reference], runs: &[Run<'_>]) -> String {
        let of_each = self.of_each(lives, runs).map(|(name, made, of, broken)| {
            json!({ "life": name, "runs": made.runs, "of": of, "broken": broken,
                "passing": made.passing, "recovered": made.recovered })
        });
        let of_each: Vec<Value> = of_each.collect();
        let broken = self.broken.iter().map(|(number, broken)| {
            let broken: Vec<String> = broken.iter().map(ToString::to_string).collect();
            let run = &runs[*number];
            json!({ "life": run.life.name, "faults": run.faults(), "broken": broken })
        });
        let broken: Vec<Value> = broken.collect();
        let value = json!({ "broken": broken, "lives": of_each, "runs": self.runs() });
        format!("{value:#}\n")
    }
}
