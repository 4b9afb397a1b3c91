//! Runs a family of cases on all cores. What is found does not depend on how many there are: each case is decided by its
//! index alone, and of several failures the one of the smallest index is shown.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use remediation_core::children::Children;
use remediation_core::decide::{Decision, State};

use crate::compare;
use crate::domain::Case;
use crate::domain::build::{Built, build};
use crate::domain::families::{Digits, Family};
use crate::oracle;
use crate::reach::Reach;
use crate::settle;

/// Cases that one thread takes at a time.
const CHUNK: u64 = 2048;
/// One case of so many is also decided twice, to the byte, and followed until nothing is left to do.
const FOLLOWED: u64 = 64;

/// `decide`, or a wrong wrapper around it.
pub(crate) type Decide<'a> = &'a (dyn Fn(&State, &Children, Timestamp) -> Decision + Sync);

/// A number from the environment.
pub(crate) fn number_from(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number"))
    })
}

/// The cases of one family: all of them in order, or so many drawn with a seed.
pub(crate) struct Campaign {
    pub(crate) family: &'static Family,
    pub(crate) seed: Option<u64>,
    pub(crate) cases: u64,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) cases: u64,
    pub(crate) wrong: u64,
    pub(crate) reach: Reach,
    first: Option<(u64, String)>,
    took: Duration,
}

impl Campaign {
    /// Decides every case and compares it with its forecast.
    pub(crate) fn run(&self, decide: Decide<'_>) -> Report {
        let began = Instant::now();
        let next = AtomicU64::new(0);
        let whole = Mutex::new(Report::default());
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut report = Report::default();
                    let mut last = None;
                    loop {
                        let from = next.fetch_add(CHUNK, Ordering::Relaxed);
                        if from >= self.cases {
                            break;
                        }
                        for index in from..self.cases.min(from + CHUNK) {
                            self.look(index, decide, &mut last, &mut report);
                        }
                    }
                    whole.lock().unwrap().merge(report);
                });
            }
        });
        let mut report = whole.into_inner().unwrap();
        report.took = began.elapsed();
        report
    }

    fn case(&self, index: u64) -> Case {
        match self.seed {
            // A part of a family is spread over all of it.
            None => self.family.case(index * (self.family.size() / self.cases)),
            Some(seed) => (self.family.make)(&mut Digits::random(seed, index)),
        }
    }

    fn look(&self, index: u64, decide: Decide<'_>, last: &mut Option<Built>, report: &mut Report) {
        let case = self.case(index);
        let input = build(&case, last.take());
        let answer = decide(&input.state, &input.children, input.now);
        let mut forecast = oracle::forecast(&input);
        report.cases += 1;
        report.reach.note(&input, &answer);
        let mut found = compare::difference(&mut forecast, &answer.actions);
        if index.is_multiple_of(FOLLOWED) {
            found = found.or_else(|| settle::problem(input, &answer, decide));
        } else {
            *last = Some(Built { case, input });
        }
        if let Some(what) = found {
            report.wrong += 1;
            if report
                .first
                .as_ref()
                .is_none_or(|(first, _)| index < *first)
            {
                let answered = compare::shown(&answer.actions);
                let asked = compare::shown(&forecast);
                report.first = Some((
                    index,
                    format!("{what}\n  answered: {answered}\n  asked for: {asked}\n  {case:?}"),
                ));
            }
        }
    }
}

impl Report {
    pub(crate) fn merge(&mut self, other: Self) {
        self.cases += other.cases;
        self.wrong += other.wrong;
        self.took += other.took;
        self.reach.merge(other.reach);
        let earlier = match (&self.first, &other.first) {
            (Some((mine, _)), Some((others, _))) => others < mine,
            (None, _) => true,
            (Some(_), None) => false,
        };
        if earlier {
            self.first = other.first;
        }
    }

    /// One line for people.
    pub(crate) fn line(&self, name: &str, how: &str) -> String {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = self.cases as f64 / self.took.as_secs_f64().max(0.001);
        format!(
            "{name:12} {:>9} cases ({how}), {} differ, {:.1} s, {:.1} million a minute",
            self.cases,
            self.wrong,
            self.took.as_secs_f64(),
            rate * 60.0 / 1e6
        )
    }

    /// What is wrong with the first case that is.
    pub(crate) fn first_problem(&self) -> Option<&str> {
        self.first.as_ref().map(|(_, what)| what.as_str())
    }

    /// Fails with the first difference.
    pub(crate) fn assert_clean(&self, name: &str) {
        if let Some((index, what)) = &self.first {
            panic!(
                "{name}: {} of {} cases differ; the first is number {index}: {what}",
                self.wrong, self.cases
            );
        }
    }
}
