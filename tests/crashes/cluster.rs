//! What lasts from the beginning of a test to its end: a control plane of its own, simulated children, users, the record
//! of what was committed, and the oracles that judge it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use remediation_adapters::simulation::api_server::SystemClock;
use remediation_adapters::simulation::children::{Children, Options, Scripts};

use crate::check::{Violation, violations};
use crate::crew::Replica;
use crate::harness::{AuditMark, Context, ControlPlane, Failure, Result, User as Account};
use crate::judge::{Disturbances, judge};
use crate::proxy::{Period, Proxy};
use crate::random::Random;
use crate::recorder::Recorder;
use crate::story::Story;
use crate::user::User;

/// The name of everything in deploy/manifests.
pub(crate) const NAME: &str = "remediation-orchestrator";

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
    /// When it held the operator up.
    held: Mutex<Vec<Period>>,
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
            held: Mutex::default(),
            began: Instant::now(),
        })
    }

    /// A replica of the operator that has not started.
    pub(crate) async fn replica(&self, args: &[&str], random: Random) -> Result<Replica> {
        Replica::new(&self.kubeconfig, &self.folder, args, random).await
    }

    /// When the test began.
    pub(crate) fn began(&self) -> Instant {
        self.began
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

    /// Remembers that the operator could not do anything from then until now.
    pub(crate) fn held_up_since(&self, since: Timestamp) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.push((since, Timestamp::now()));
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
        let mut held = self
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        held.extend(proxies.iter().flat_map(|proxy| proxy.held_up()));
        let late = proxies.iter().flat_map(|proxy| proxy.applied_late());
        let disturbances = Disturbances {
            faults,
            held,
            late: late.collect(),
        };
        let audit = self.plane.audit_text(AuditMark::default())?;
        let recorder = &self.user.recorder;
        recorder.look(|history| judge(history, &audit, &disturbances, true))
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
