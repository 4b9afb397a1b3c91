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
    compare::{Difference, compare},
    generate,
    harness::{Failure, Result},
    reach::Reach,
    request::Step,
    stage::Pair,
    story,
};

/// How many sequences run at the same time: most of the time of one is waiting.
const WORKERS: usize = 16;

/// Differences that are shrunk to their shortest sequence: it takes many tries.
const SHRUNK: usize = 3;

/// Sequences in which each verb must have come to each outcome; a repeated single one reaches little.
const ENOUGH_TO_REACH_ALL: u64 = 1_000;

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
    /// The first difference of each sort, and how many there are.
    differences: BTreeMap<String, (usize, u64, Difference)>,
    explained: BTreeMap<&'static str, usize>,
    reach: Reach,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "still finds differences that are neither mended nor explained: run it with --ignored"]
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
    let findings = Arc::into_inner(findings).ok_or_else(|| Failure::new("a worker goes on"))?;
    let findings = findings
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{count} sequences from seed {first}, {} requests, in {seconds:.1} s; explained: {:?}; reached:\n{}",
        findings.reach.requests(),
        findings.explained,
        findings.reach.table()
    );
    if !findings.differences.is_empty() {
        return Err(Failure::new(stories(&findings.differences).await?));
    }
    let missing = findings.reach.missing();
    if count >= ENOUGH_TO_REACH_ALL && !missing.is_empty() {
        return Err(Failure::new(format!("never seen: {}", missing.join("; "))));
    }
    Ok(())
}

async fn work(pair: &Pair, next: &AtomicU64, end: u64, findings: &Mutex<Findings>) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let steps = generate::sequence(seed);
        let (real, simulated) = pair.run(&steps).await;
        let comparison = compare(&steps, &real, &simulated);
        let mut findings = findings.lock().unwrap_or_else(PoisonError::into_inner);
        findings.reach.count(&steps, &real);
        for (name, times) in comparison.explained {
            *findings.explained.entry(name).or_default() += times;
        }
        if let Some(difference) = comparison.difference {
            let sort = sort(&steps[difference.step], &difference);
            let found = findings.differences.entry(sort);
            found.or_insert((0, seed, difference)).0 += 1;
        }
    }
}

/// Differences of one sort have most likely one cause.
fn sort(step: &Step, difference: &Difference) -> String {
    let method = match step {
        Step::Send(request) => request.method,
        Step::Watch { .. } => "watch",
        Step::Settle(_) => "settle",
    };
    let (real, simulated) = (&difference.real["code"], &difference.simulated["code"]);
    format!("{method} {} {real}/{simulated}", difference.place)
}

/// One difference of each sort, the first ones shrunk.
async fn stories(differences: &BTreeMap<String, (usize, u64, Difference)>) -> Result<String> {
    let pair = Pair::start().await?;
    let mut text = format!("{} sorts of differences\n", differences.len());
    for (index, (sort, (times, seed, difference))) in differences.iter().enumerate() {
        let steps = generate::sequence(*seed);
        text.push_str(&format!("\n{sort}, in {times} sequences:\n"));
        if index < SHRUNK {
            let (steps, difference) = story::shrink(&pair, &steps, difference.clone()).await;
            text.push_str(&story::tell(&steps, &difference));
        } else {
            text.push_str(&story::tell_end(&steps, difference));
        }
        text.push_str(&format!(
            "again: CONFORMANCE_SEED={seed} CONFORMANCE_SEQUENCES=1 cargo test -p remediation-orchestrator \
             --test conformance -- --ignored random\n"
        ));
    }
    Ok(text)
}
