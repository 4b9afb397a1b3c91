//! Random sequences on both servers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use crate::{
    generate,
    harness::{Failure, Result},
    stage::Pair,
    story,
};

/// How many sequences run at the same time: most of the time of one is waiting.
const WORKERS: usize = 16;

/// Differences that are told before the run stops.
const ENOUGH: usize = 8;

fn parameter(name: &str, default: u64) -> Result<u64> {
    match std::env::var(name) {
        Err(_) => Ok(default),
        Ok(text) => text
            .parse()
            .map_err(|_| Failure::new(format!("{name}={text} is not a number"))),
    }
}

#[derive(Default)]
struct Findings {
    stories: Vec<String>,
    explained: BTreeMap<&'static str, usize>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_sequences_have_the_same_answers() -> Result {
    let first = parameter("CONFORMANCE_SEED", 1)?;
    let count = parameter("CONFORMANCE_SEQUENCES", 1_000)?;
    let begin = Instant::now();
    let next = Arc::new(AtomicU64::new(first));
    let findings = Arc::new(Mutex::new(Findings::default()));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..WORKERS {
        let (next, findings) = (Arc::clone(&next), Arc::clone(&findings));
        let pair = Pair::start().await?;
        workers.spawn(async move { work(&pair, &next, first + count, &findings).await });
    }
    while let Some(ended) = workers.join_next().await {
        ended?;
    }
    let findings = findings.lock().unwrap_or_else(PoisonError::into_inner);
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{count} sequences from seed {first} in {seconds:.1} s; explained: {:?}",
        findings.explained
    );
    if findings.stories.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} differences\n\n{}",
        findings.stories.len(),
        findings.stories.join("\n")
    )))
}

async fn work(pair: &Pair, next: &AtomicU64, end: u64, findings: &Mutex<Findings>) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let steps = generate::sequence(seed);
        let comparison = pair.compare(&steps).await;
        let enough = {
            let mut findings = findings.lock().unwrap_or_else(PoisonError::into_inner);
            for (name, times) in comparison.explained {
                *findings.explained.entry(name).or_default() += times;
            }
            findings.stories.len() >= ENOUGH
        };
        if enough {
            return;
        }
        if let Some(difference) = comparison.difference {
            let (steps, difference) = story::shrink(pair, &steps, difference).await;
            let story = format!(
                "{}again: CONFORMANCE_SEED={seed} CONFORMANCE_SEQUENCES=1 cargo test -p remediation-orchestrator --test conformance random\n",
                story::tell(&steps, &difference)
            );
            let mut findings = findings.lock().unwrap_or_else(PoisonError::into_inner);
            findings.stories.push(story);
        }
    }
}
