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
    explained, generate,
    harness::{Failure, Result},
    reach::Reach,
    recording::{self, Recorded, Recorder},
    request::Step,
    run::{Transcript, run},
    stage::{Pair, new_namespace, simulated},
    story,
};

/// How many sequences run at the same time: most of the time of one is waiting.
const WORKERS: usize = 24;

/// Seeds that are named of those that show a difference of one sort.
const NAMED: usize = 5;

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

/// A difference of one sort, and the seeds that show the sort.
struct Found {
    difference: Difference,
    seeds: Vec<u64>,
}

#[derive(Default)]
struct Findings {
    differences: BTreeMap<String, Found>,
    explained: BTreeMap<&'static str, usize>,
    reach: Reach,
}

impl Findings {
    fn add(&mut self, seed: u64, steps: &[Step], pair: (&Transcript, &Transcript)) {
        let comparison = compare(steps, pair.0, pair.1);
        self.reach.count(steps, pair.0);
        for (name, times) in comparison.explained {
            *self.explained.entry(name).or_default() += times;
        }
        if let Some(difference) = comparison.difference {
            let sort = sort(&steps[difference.step], &difference);
            let found = self.differences.entry(sort).or_insert(Found {
                difference: difference.clone(),
                seeds: Vec::new(),
            });
            if found.seeds.iter().all(|known| seed < *known) {
                found.difference = difference;
            }
            found.seeds.push(seed);
            found.seeds.sort_unstable();
        }
    }
}

/// Where the real answers come from.
struct Campaign {
    next: AtomicU64,
    end: u64,
    findings: Mutex<Findings>,
    recorder: Option<Recorder>,
    recorded: Option<BTreeMap<u64, Recorded>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_sequences_have_the_same_answers() -> Result {
    let first = parameter("CONFORMANCE_SEED", 1)?;
    let count = parameter("CONFORMANCE_SEQUENCES", 1_000)?;
    let campaign = Arc::new(Campaign {
        next: AtomicU64::new(first),
        end: first.saturating_add(count),
        findings: Mutex::default(),
        recorder: file("CONFORMANCE_RECORD")
            .map(|path| Recorder::create(&path))
            .transpose()?,
        recorded: file("CONFORMANCE_REPLAY")
            .map(|path| recording::read(&path))
            .transpose()?,
    });
    let mut workers = tokio::task::JoinSet::new();
    let mut begin = Instant::now();
    for index in 0..WORKERS {
        let campaign = Arc::clone(&campaign);
        if campaign.recorded.is_some() {
            workers.spawn(async move { replay(&campaign).await });
        } else {
            let pair = Pair::start().await?;
            if index == 0 {
                // What starting the control plane takes is not the sequences' time.
                begin = Instant::now();
            }
            workers.spawn(async move { work(&campaign, &pair).await });
        }
    }
    while let Some(ended) = workers.join_next().await {
        ended??;
    }
    let seconds = begin.elapsed().as_secs_f64();
    let campaign = Arc::into_inner(campaign).ok_or_else(|| Failure::new("a worker goes on"))?;
    let is_live = campaign.recorded.is_none();
    let findings = campaign
        .findings
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    println!(
        "{} sequences from seed {first}, {} requests, in {seconds:.1} s; explained: {:?}; reached:\n{}",
        findings.reach.sequences(),
        findings.reach.requests(),
        findings.explained,
        findings.reach.table()
    );
    if findings.reach.sequences() == 0 {
        return Err(Failure::new(
            "no sequence was compared: the recording, if it is one, is of other sequences",
        ));
    }
    if !findings.differences.is_empty() {
        let pair = if is_live {
            Some(Pair::start().await?)
        } else {
            None
        };
        let shrunk = parameter("CONFORMANCE_SHRINK", 3)?;
        return Err(Failure::new(
            stories(shrunk, pair.as_ref(), &findings.differences).await,
        ));
    }
    let mut missing = findings.reach.missing();
    // An explanation that explains nothing could hide what it is not about.
    let unmet = explained::names().filter(|name| !findings.explained.contains_key(name));
    missing.extend(unmet.map(|name| format!("the difference {name}")));
    if count >= ENOUGH_TO_REACH_ALL && !missing.is_empty() {
        return Err(Failure::new(format!("never seen: {}", missing.join("; "))));
    }
    Ok(())
}

fn file(parameter: &str) -> Option<String> {
    std::env::var(parameter)
        .ok()
        .filter(|path| !path.is_empty())
}

impl Campaign {
    fn next_seed(&self) -> Option<u64> {
        let seed = self.next.fetch_add(1, Ordering::Relaxed);
        (seed < self.end).then_some(seed)
    }

    fn add(&self, seed: u64, steps: &[Step], pair: (&Transcript, &Transcript)) {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        findings.add(seed, steps, pair);
    }
}

async fn work(campaign: &Campaign, pair: &Pair) -> Result {
    while let Some(seed) = campaign.next_seed() {
        let steps = generate::sequence(seed);
        let namespace = new_namespace();
        let (real, simulated) = pair.run_in(&steps, &namespace).await;
        if let Some(recorder) = &campaign.recorder {
            recorder.record(seed, &namespace, &steps, &real)?;
        }
        campaign.add(seed, &steps, (&real, &simulated));
    }
    Ok(())
}

/// The same with the real answers of a recording.
async fn replay(campaign: &Campaign) -> Result {
    let server = simulated().await?;
    while let Some(seed) = campaign.next_seed() {
        let steps = generate::sequence(seed);
        let recorded = campaign.recorded.as_ref().and_then(|all| all.get(&seed));
        // The generator has changed since, and makes another sequence.
        let Some(recorded) = recorded.filter(|recorded| recorded.is_about(&steps)) else {
            continue;
        };
        let simulated = run(&server, &steps, &recorded.namespace, None, None).await;
        campaign.add(seed, &steps, (&recorded.real, &simulated));
    }
    Ok(())
}

/// Differences of one sort have most likely one cause.
fn sort(step: &Step, difference: &Difference) -> String {
    let method = step.verb();
    let (real, simulated) = (&difference.real["code"], &difference.simulated["code"]);
    format!("{method} {} {real}/{simulated}", difference.place)
}

/// One difference of each sort, so many of them shrunk, which takes many tries.
async fn stories(
    shrunk: u64,
    pair: Option<&Pair>,
    differences: &BTreeMap<String, Found>,
) -> String {
    let mut text = format!("{} sorts of differences\n", differences.len());
    for ((sort, found), index) in differences.iter().zip(0..) {
        let seed = found.seeds[0];
        let steps = generate::sequence(seed);
        let named = &found.seeds[..found.seeds.len().min(NAMED)];
        text.push_str(&format!(
            "\n{sort}, in {} sequences, such as those of seeds {named:?}:\n",
            found.seeds.len()
        ));
        match pair {
            Some(pair) if index < shrunk => {
                let (steps, difference) =
                    story::shrink(pair, &steps, found.difference.clone()).await;
                text.push_str(&story::tell(&steps, &difference));
            }
            Some(_) => text.push_str(&story::tell_end(&steps, &found.difference)),
            None => text.push_str(&story::tell(&steps, &found.difference)),
        }
        text.push_str(&format!(
            "again: CONFORMANCE_SEED={seed} CONFORMANCE_SEQUENCES=1 cargo test --workspace --test conformance \
             random_sequences\n"
        ));
    }
    text
}
