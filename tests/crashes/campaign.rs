//! A run: many remediations at once, a proxy that makes things go wrong, an operator that is killed again and again,
//! an API server that is restarted; then quiet, and the question whether every promise held.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;

use crate::check::Violation;
use crate::cluster::Cluster;
use crate::crew::Replica;
use crate::harness::{Context, DEADLINE, Failure, Result, until};
use crate::kills::{Kills, keep_killing};
use crate::proxy::{Call, Counts, Fault, Proxy, Rates};
use crate::random::Random;
use crate::story::{Story, Tale};

/// After so long without a commit everything has come to rest: the process is fresh, so that nothing waits for a retry.
const QUIET: Duration = Duration::from_secs(3);

/// How long an operator may take to start on a busy machine, and everything to come to rest.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// How a run is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// How many remediations at least.
    pub(crate) lifecycles: usize,
    /// How many of them at once.
    pub(crate) at_once: usize,
    /// How long new ones are begun at most, where that many have not been begun by then.
    pub(crate) limit: Duration,
    /// How often the API server is restarted.
    pub(crate) restarts: usize,
}

/// What came of a run.
pub(crate) struct Report {
    pub(crate) stories: Vec<Story>,
    pub(crate) kills: Kills,
    pub(crate) faults: Counts,
    pub(crate) restarts: usize,
    pub(crate) took: Duration,
    pub(crate) violations: Vec<Violation>,
    /// Where the logs are.
    pub(crate) folder: PathBuf,
}

/// Runs it all.
pub(crate) async fn run(settings: Settings) -> Result<Report> {
    let cluster = Cluster::start(&format!("seed-{}", settings.seed)).await?;
    let outcome = run_on(&cluster, settings).await;
    let violations = match &outcome {
        Ok(report) => report.violations.clone(),
        Err(failure) => vec![Violation {
            promise: "the run itself".to_owned(),
            what: format!("{failure:?}"),
        }],
    };
    if !violations.is_empty() {
        cluster.keep(&violations)?;
    }
    let folder = cluster.folder.display();
    outcome.context(|| format!("what happened lies in {folder}"))
}

async fn run_on(cluster: &Cluster, settings: Settings) -> Result<Report> {
    let random = Random::new(settings.seed);
    let mut replica = cluster.replica(&[], random.fork("faults")).await?;
    let proxy = replica.proxy.clone();
    let killed = watch::Sender::new(Kills::default());
    let (stop, stopped) = watch::channel(false);
    let run = Run {
        cluster,
        settings,
        proxy: &proxy,
        killed: killed.subscribe(),
        restarts: AtomicUsize::new(0),
    };
    let stories = {
        let tell = |what: String| cluster.disturb(&what);
        let killing = keep_killing(&mut replica, random.fork("kills"), &killed, stopped, tell);
        let living = async {
            let lived = run.live(&random).await;
            stop.send_replace(true);
            lived
        };
        let (killing, living) = tokio::join!(killing, living);
        killing?;
        living?
    };
    let took = cluster.began().elapsed();
    let mut violations = come_to_rest(cluster, &mut replica, &stories).await?;
    violations.extend(cluster.violations(&stories, &[&proxy])?);
    Ok(Report {
        stories,
        kills: killed.borrow().clone(),
        faults: proxy.counts(),
        restarts: run.restarts.into_inner(),
        took,
        violations,
        folder: cluster.folder.clone(),
    })
}

/// The part of a run in which things go wrong.
struct Run<'a> {
    cluster: &'a Cluster,
    settings: Settings,
    proxy: &'a Proxy,
    killed: watch::Receiver<Kills>,
    restarts: AtomicUsize,
}

impl Run<'_> {
    /// Plays stories until there were enough of them, and everything that can go wrong has.
    async fn live(&self, random: &Random) -> Result<Vec<Story>> {
        let lived = AtomicUsize::new(0);
        let living = self.play(random.fork("stories"), &lived);
        tokio::select! {
            biased;
            stories = living => stories,
            () = self.weather(random.fork("weather")) => unreachable!("the weather never ends"),
            failure = self.restart_api_server(&lived) => Err(failure),
        }
    }

    async fn play(&self, mut random: Random, lived: &AtomicUsize) -> Result<Vec<Story>> {
        let mut stories = Vec::new();
        let mut playing = FuturesUnordered::new();
        let mut tales: Vec<Tale> = Vec::new();
        loop {
            while playing.len() < self.settings.at_once && self.wants_more(stories.len()) {
                if tales.is_empty() {
                    tales = Tale::ALL.to_vec();
                    random.shuffle(&mut tales);
                }
                let tale = tales.pop().unwrap_or(Tale::Plain);
                let story = tale.tell(stories.len(), &mut random);
                let user = self.cluster.user.clone();
                let played = story.clone();
                playing.push(async move { (user.play(&played).await, played) });
                stories.push(story);
            }
            match playing.next().await {
                // The verdict on one that takes long is given once nothing goes wrong any more.
                Some((ended, story)) => {
                    if !ended? {
                        self.cluster.tell(&format!("{} takes long", story.name));
                    }
                }
                None => return Ok(stories),
            }
            lived.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn wants_more(&self, begun: usize) -> bool {
        let missing = !self.killed.borrow().missing().is_empty()
            || !missing_faults(&self.proxy.counts()).is_empty();
        let late = self.cluster.began().elapsed() > self.settings.limit;
        begun < self.settings.lifecycles || (missing && !late)
    }

    /// Calm and storms, for ever. In each some kinds of faults only, so that their mixtures differ.
    async fn weather(&self, mut random: Random) {
        loop {
            let (calls, watches) = match random.below(4) {
                0 => (0, 0),
                1 => (30, 40),
                2 => (80, 120),
                _ => (160, 250),
            };
            let counts = self.proxy.counts();
            let mut only = missing_faults(&counts);
            for fault in Fault::OF_CALLS.into_iter().chain(Fault::OF_WATCHES) {
                if random.below(2) == 0 {
                    only.push(fault);
                }
            }
            self.cluster.tell(&format!(
                "faults: {calls} ‰ of calls, {watches} ‰ of watches, {only:?}"
            ));
            self.proxy.set_rates(Rates {
                calls,
                watches,
                only,
            });
            tokio::time::sleep(random.millis(2_000, 6_000)).await;
        }
    }

    /// Restarts the API server at equal distances; returns only if that fails.
    async fn restart_api_server(&self, lived: &AtomicUsize) -> Failure {
        let every = self.settings.lifecycles / (self.settings.restarts + 1);
        for restart in 1..=self.settings.restarts {
            let due = async || (lived.load(Ordering::Relaxed) >= every * restart).then_some(());
            until(Duration::MAX, due).await;
            self.cluster
                .tell("the API server is killed and started again");
            if let Err(failure) = self.cluster.plane.restart_api_server().await {
                return failure;
            }
            // A request that is deleted and created again while the garbage collector's watch is broken looks to it
            // like a change, and the children of the first are never collected. A fresh one collects them.
            if let Err(failure) = self.cluster.plane.restart_controller_manager() {
                return failure;
            }
            self.restarts.fetch_add(1, Ordering::Relaxed);
        }
        std::future::pending().await
    }
}

fn missing_faults(counts: &Counts) -> Vec<Fault> {
    let all = Fault::OF_CALLS.into_iter().chain(Fault::OF_WATCHES);
    all.filter(|fault| !counts.contains_key(fault)).collect()
}

/// Nothing goes wrong any more: everything comes to rest, and a fresh process changes nothing (L2, S22).
async fn come_to_rest(
    cluster: &Cluster,
    replica: &mut Replica,
    stories: &[Story],
) -> Result<Vec<Violation>> {
    let proxy = replica.proxy.clone();
    proxy.set_rates(Rates::none());
    proxy.settled(DEADLINE).await?;
    cluster.tell("quiet: nothing goes wrong any more");
    let recorder = &cluster.user.recorder;
    let mut violations = Vec::new();
    // A fresh process waits for no retry.
    replica.kill();
    replica.start()?;
    replica.ready(START_DEADLINE).await?;
    if cluster.user.until_ended(stories).await.is_err() {
        cluster.tell("not all have ended: the oracles say which");
    }
    if let Err(failure) = recorder.until_quiet(QUIET, START_DEADLINE).await {
        violations.push(Violation {
            promise: "L2".to_owned(),
            what: format!("{failure:?}"),
        });
    }
    replica.kill();
    let before = proxy.writes().len();
    cluster.tell("one more restart, at rest");
    replica.start()?;
    replica.ready(START_DEADLINE).await?;
    recorder.until_quiet(QUIET, START_DEADLINE).await?;
    let written = proxy.writes().split_off(before).into_iter();
    violations.extend(wrote_at_rest(written.map(|write| write.call)));
    Ok(violations)
}

/// What a process did that began when there was nothing to do. Its preflight asks for its rights by creating reviews, which
/// are not stored.
fn wrote_at_rest(writes: impl Iterator<Item = Call>) -> Option<Violation> {
    let written: Vec<Call> = writes
        .filter(|call| !call.resource.ends_with("reviews"))
        .collect();
    (!written.is_empty()).then(|| Violation {
        promise: "S22".to_owned(),
        what: format!("a restart at rest made writes: {written:?}"),
    })
}

#[test]
fn a_write_of_a_process_that_begins_at_rest_is_noticed() {
    let call = |resource: &str| Call {
        verb: "create",
        resource: resource.to_owned(),
        name: "web".to_owned(),
        says: String::new(),
    };
    let review = call("selfsubjectaccessreviews");
    assert!(wrote_at_rest([review.clone()].into_iter()).is_none());
    let event = call("events");
    let noticed = wrote_at_rest([review, event].into_iter()).unwrap();
    assert_eq!(noticed.promise, "S22");
}
