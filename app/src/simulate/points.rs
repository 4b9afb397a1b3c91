//! Every fault at every call of a few reference lives; on demand every ordered pair of faults.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use remediation_adapters::simulation::run::points::{Point, Reference, references};
use remediation_adapters::simulation::run::{Options, Stream, Trouble};

use super::part::Part;
use crate::cli::SimulateArgs;
use crate::failure::Failure;

pub(super) fn main(args: &SimulateArgs) -> Result<(), Failure> {
    let began = Instant::now();
    let (mut runs, mut wrong) = (0, 0);
    for reference in references() {
        let points = reference.points();
        let pairs = if args.every_pair {
            args.part.unwrap_or(Part::WHOLE).pick(pairs(&points))
        } else {
            points.iter().map(|point| vec![point]).collect()
        };
        let found = all(&reference, &pairs, began, args.time);
        runs += found.0;
        println!(
            "{}: {} of {} runs, {} wrong",
            reference.name,
            found.0,
            pairs.len(),
            found.1.len()
        );
        for story in &found.1 {
            println!("  {story}");
        }
        wrong += found.1.len();
    }
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("{seconds:.1} s: {:.0} runs a second", runs as f64 / seconds);
    if wrong == 0 {
        return Ok(());
    }
    Err(Failure::Check(format!(
        "{wrong} of {runs} runs are wrong, as shown above"
    )))
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

/// How many were run until the time was over, and what is wrong with which.
fn all(
    reference: &Reference,
    pairs: &[Vec<&Point>],
    began: Instant,
    time: Option<std::time::Duration>,
) -> (u64, Vec<String>) {
    let options = Options::default();
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let wrong = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let over = time.is_some_and(|time| began.elapsed() >= time);
                    let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed));
                    let Some(points) = index.ok().and_then(|index| pairs.get(index)) else {
                        return;
                    };
                    if over {
                        return;
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                    if let Some(story) = reference.with(points, &options) {
                        let faults: Vec<_> = points.iter().map(|point| &point.trouble).collect();
                        let text = format!("{faults:?}: {story}");
                        wrong
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(text);
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    wrong.sort();
    (done.into_inner(), wrong)
}
