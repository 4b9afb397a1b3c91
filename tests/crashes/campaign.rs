//! A run: many remediations at once, a proxy that makes things go wrong, an operator that is killed again and again,
//! an API server that is restarted; then quiet, and the question whether every promise held.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use remediation_adapters::simulation::api_server::SystemClock;
use remediation_adapters::simulation::children::{Children, Options, Scripts};
use tokio::sync::watch;

use crate::check::{Violation, violations};
use crate::crew::Replica;
use crate::harness::{
    AuditMark, Context, ControlPlane, DEADLINE, Failure, Result, User as Account, until,
};
use crate::judge::judge;
use crate::kills::{Kills, keep_killing};
use crate::proxy::{Call, Counts, Fault, Proxy, Rates};
use crate::random::Random;
use crate::recorder::Recorder;
use crate::story::{Story, Tale};
use crate::user::User;

/// The name of everything in deploy/manifests.
pub(crate) const NAME: &str = "remediation-orchestrator";

/// After so long without a commit everything has come to rest: longer than the longest pause of a retry while
/// faults are gone, apart from backoffs, which a restart ends.
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

/// The parts of a run that last from its beginning to its end.
pub(crate) struct Cluster {
    pub(crate) plane: ControlPlane,
    pub(crate) user: User,
    pub(crate) children: Children,
    /// The operator's own credentials, under the role that deploy/manifests grants.
    pub(crate) kubeconfig: PathBuf,
    /// What the run leaves for people: the logs and the story.
    pub(crate) folder: PathBuf,
    story: Arc<Mutex<String>>,
    /// When the test made something go wrong, apart from what the proxies did.
    disturbed: Mutex<Vec<Timestamp>>,
    began: Instant,
}

impl Cluster {
    /// A control plane of its own with simulated children and no operator.
    pub(crate) async fn start(name: &str) -> Result<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("crashes")
            .join(name);
        // What an earlier run left may be there or not.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).context(|| format!("creating {}", folder.display()))?;
        let crds = remediation_adapters::kubernetes::crd::all();
        let plane = ControlPlane::start(&crds).await?;
        let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/manifests");
        for file in ["namespace.yaml", "rbac.yaml"] {
            let file = manifests.join(file).display().to_string();
            let applied = plane
                .kubectl(Account::Admin, &["apply", "-f", &file])
                .await?;
            if !applied.status.success() {
                let error = String::from_utf8_lossy(&applied.stderr);
                return Err(Failure::new(format!("kubectl apply -f {file}: {error}")));
            }
        }
        let kubeconfig = plane.service_account_kubeconfig(NAME, NAME).await?;
        let namespace = plane.namespace("crashes").await?;
        let client = plane.client(Account::ChildControllers).await?;
        let recorder = Recorder::start(&plane.etcd_url()).await?;
        let children = Children::spawn(Options {
            client,
            namespace: Some(namespace.clone()),
            clock: Arc::new(SystemClock),
            scripts: Scripts::default(),
        });
        let user = User {
            client: plane.client(Account::Admin).await?,
            namespace,
            recorder,
            patience: Duration::from_secs(240),
        };
        Ok(Self {
            plane,
            user,
            children,
            kubeconfig,
            folder,
            story: Arc::default(),
            disturbed: Mutex::default(),
            began: Instant::now(),
        })
    }

    /// A replica of the operator that has not started.
    pub(crate) async fn replica(&self, args: &[&str], random: Random) -> Result<Replica> {
        Replica::new(&self.kubeconfig, &self.folder, args, random).await
    }

    /// Writes down what the test did, for whoever has to understand a violation.
    pub(crate) fn tell(&self, what: &str) {
        let mut story = self.story.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a String cannot fail.
        let _ = writeln!(story, "{:9.3} {what}", self.began.elapsed().as_secs_f32());
    }

    /// Tells of a crash, and remembers that something was made to go wrong.
    pub(crate) fn disturb(&self, what: &str) {
        self.tell(what);
        let mut disturbed = self
            .disturbed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        disturbed.push(Timestamp::now());
    }

    /// What broke, now that nothing happens any more.
    pub(crate) fn violations(
        &self,
        stories: &[Story],
        proxies: &[&Proxy],
    ) -> Result<Vec<Violation>> {
        let started = self.children.started();
        let recorder = &self.user.recorder;
        recorder.check_complete()?;
        let mut found = recorder.look(|history| violations(history, &started, stories));
        found.extend(self.judged(proxies)?);
        Ok(found)
    }

    /// The same, as far as the project's own checker sees it.
    pub(crate) fn judged(&self, proxies: &[&Proxy]) -> Result<Vec<Violation>> {
        let disturbed = self
            .disturbed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut faults = disturbed.clone();
        faults.extend(proxies.iter().flat_map(|proxy| proxy.injected()));
        let audit = self.plane.audit_text(AuditMark::default())?;
        let recorder = &self.user.recorder;
        recorder.look(|history| judge(history, &audit, &faults, true))
    }

    /// The end of a run that has come to rest: an error where a promise was broken.
    pub(crate) fn close(&self, proxies: &[&Proxy], stories: &[Story]) -> Result {
        let violations = self.violations(stories, proxies)?;
        if violations.is_empty() {
            return Ok(());
        }
        self.keep(&violations)?;
        Err(Failure::new(format!(
            "{} violations, see {}: {violations:#?}",
            violations.len(),
            self.folder.display()
        )))
    }

    /// Puts what is needed to understand a violation into the folder.
    pub(crate) fn keep(&self, violations: &[Violation]) -> Result {
        let story = self.story.lock().unwrap_or_else(PoisonError::into_inner);
        std::fs::write(self.folder.join("story.txt"), story.as_bytes())?;
        let mut text = String::new();
        for violation in violations {
            let _ = writeln!(text, "{}: {}", violation.promise, violation.what);
        }
        std::fs::write(self.folder.join("violations.txt"), text)?;
        std::fs::copy(self.plane.audit_log(), self.folder.join("audit.log"))?;
        let commits = self.user.recorder.look(|history| {
            let line = |version: &crate::recorder::Version| {
                let (at, gone) = (version.at, version.gone);
                serde_json::json!({ "at": at, "gone": gone, "object": version.object }).to_string()
            };
            let lines: Vec<String> = history.versions.iter().map(line).collect();
            lines.join("\n")
        });
        std::fs::write(self.folder.join("commits.jsonl"), commits)?;
        Ok(())
    }
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
    let took = cluster.began.elapsed();
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
        let late = self.cluster.began.elapsed() > self.settings.limit;
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
    // The preflight asks for its rights by creating reviews, which are not stored.
    let written = proxy
        .writes()
        .split_off(before)
        .into_iter()
        .map(|write| write.call);
    let written: Vec<Call> = written
        .filter(|call| !call.resource.ends_with("reviews"))
        .collect();
    if !written.is_empty() {
        let what = format!("a restart at rest made writes: {written:?}");
        violations.push(Violation {
            promise: "S22".to_owned(),
            what,
        });
    }
    Ok(violations)
}
