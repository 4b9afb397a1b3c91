//! Many seeds on all cores: one thread, one runtime, one run at a time.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use remediation_adapters::simulation::run::{Options, Plan, Reach, Violation, run};
use serde_json::json;

use super::memory;
use super::progress::Progress;

/// A range of seeds, the end excluded: `0..1000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seeds {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.trim().parse::<u64>().ok();
        let parts = text
            .split_once("..")
            .and_then(|(from, to)| Some((number(from)?, number(to)?)));
        let Some((from, to)) = parts else {
            return Err("write it as FROM..TO, for example 0..1000".to_owned());
        };
        if from >= to {
            return Err(format!(
                "it holds no seed: the end is not included, so write {from}..{} for seed {from} alone",
                from.saturating_add(1)
            ));
        }
        Ok(Self { from, to })
    }
}

/// What to run.
pub(super) struct Campaign<'a> {
    /// What a seed means.
    pub(super) plan: &'a (dyn Fn(u64) -> Plan + Sync),
    pub(super) seeds: Seeds,
    pub(super) time: Option<Duration>,
    /// What stands between the operators and their calls.
    pub(super) options: &'a Options,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) runs: u64,
    pub(super) lifecycles: u64,
    pub(super) virtual_ms: u64,
    pub(super) seconds: f64,
    pub(super) reach: Reach,
    pub(super) broken: BTreeMap<u64, Vec<Violation>>,
}

/// After so many runs with broken promises a campaign ends: there is enough to do.
pub(super) const ENOUGH: usize = 20;

impl Campaign<'_> {
    pub(super) fn run(&self) -> Tally {
        let began = Instant::now();
        let next = AtomicU64::new(self.seeds.from);
        let stop = AtomicBool::new(false);
        let tally = Mutex::new((Tally::default(), Progress::of(None)));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.work(&next, &stop, &tally, began));
            }
        });
        let (mut tally, _) = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        tally.seconds = began.elapsed().as_secs_f64();
        tally
    }

    fn work(
        &self,
        next: &AtomicU64,
        stop: &AtomicBool,
        tally: &Mutex<(Tally, Progress)>,
        began: Instant,
    ) {
        while !stop.load(Ordering::Relaxed) {
            let over = self.time.is_some_and(|time| began.elapsed() >= time);
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if over || seed >= self.seeds.to {
                return;
            }
            let report = run(&(self.plan)(seed), self.options);
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            let (tally, progress) = &mut *tally;
            tally.runs += 1;
            tally.lifecycles += report.lifecycles;
            tally.virtual_ms += report.lasted_ms;
            tally.reach.add(&report.reach);
            for violation in &report.broken {
                eprintln!("seed {seed}: {violation}");
            }
            if !report.broken.is_empty() {
                tally.broken.insert(seed, report.broken);
                stop.store(tally.broken.len() >= ENOUGH, Ordering::Relaxed);
            }
            progress.tell(tally.runs, tally.broken.len());
        }
    }
}

impl Tally {
    /// How fast it was, and how much memory it took.
    pub(super) fn rate(&self) -> String {
        let memory = memory::peak().map_or(String::new(), |most| format!("; at most {most} MB"));
        format!(
            "{:.1} s: {:.0} runs and {:.0} remediations a second{memory}",
            self.seconds,
            self.runs as f64 / self.seconds,
            self.lifecycles as f64 / self.seconds
        )
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{} runs, {} remediations, {:.1} h of virtual time\n",
            self.runs,
            self.lifecycles,
            self.virtual_ms as f64 / 3_600_000.0
        );
        for (seed, broken) in &self.broken {
            for violation in broken {
                text += &format!("seed {seed}: {violation}\n");
            }
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let reach = &self.reach;
        let broken: BTreeMap<String, Vec<String>> = self
            .broken
            .iter()
            .map(|(seed, all)| {
                (
                    seed.to_string(),
                    all.iter().map(ToString::to_string).collect(),
                )
            })
            .collect();
        let value = json!({
            "broken": broken, "runs": self.runs, "remediations": self.lifecycles, "virtualMs": self.virtual_ms,
            "transitions": reach.transitions, "troubles": reach.troubles,
            "reasons": reach.reasons, "categories": reach.categories,
        });
        format!("{value:#}\n")
    }
}
