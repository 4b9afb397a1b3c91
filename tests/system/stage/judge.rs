//! After each scenario the checker of the promises looks at everything that was committed in the scenario's namespace,
//! whatever the scenario itself asserts.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use remediation_adapters::simulation::api_server::{self, CommitObserver};
use remediation_adapters::simulation::promises::{Commit, Expectations, Promises, audit};
use remediation_core::kind::{REQUEST_GROUP, REQUEST_PLURAL};
use serde_json::{Value, json};

use crate::harness::{AuditMark, Context, ControlPlane, Failure, Result};

/// How far behind a decision may be on a machine that is busy with other scenarios.
const LAG: SignedDuration = SignedDuration::from_secs(5);

/// What is committed on a simulated API server.
#[derive(Default)]
pub(super) struct Recorder(Mutex<Vec<Commit>>);

impl CommitObserver for Recorder {
    fn committed(&self, write: api_server::Commit) {
        let kind = (&*write.group, &*write.plural);
        let commit = Commit::new(write.at, &write.client, kind, write.before, write.after);
        let mut commits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        commits.extend(commit.map(|commit| commit.received(write.received)));
    }
}

impl Recorder {
    /// An error that names each promise that was broken, where so many calls were refused or processes killed.
    pub(super) fn judge(&self, idle: bool, disturbances: u32) -> Result {
        let commits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        check_recorded(&commits, idle)?;
        judge(&commits, true, disturbances)
    }
}

/// The same of what was committed in a namespace of a real API server since then.
pub(super) fn judge_audited(
    plane: &ControlPlane,
    since: AuditMark,
    namespace: &str,
    idle: bool,
    disturbances: u32,
) -> Result {
    let log = plane.audit_text(since)?;
    let named = format!("\"namespace\":\"{namespace}\"");
    let ours: String = log
        .lines()
        .filter(|line| line.contains(&named))
        .flat_map(|line| [line, "\n"])
        .collect();
    let log = audit::read(&ours).context(|| String::from("reading the audit log"))?;
    check_recorded(&log.commits, idle)?;
    let refused = u32::try_from(log.refused.len()).unwrap_or(u32::MAX);
    judge(
        &log.commits,
        !log.unsure,
        disturbances.saturating_add(refused),
    )
}

/// A record in which nothing is the operator's would be judged in vain.
fn check_recorded(commits: &[Commit], idle: bool) -> Result {
    let wrote = commits.iter().any(|commit| commit.actor.is_ours());
    if wrote != idle {
        return Ok(());
    }
    let count = commits.len();
    Err(Failure::new(if idle {
        format!("the operator was to write nothing, and is among the writers of {count} objects")
    } else {
        format!("of {count} recorded writes none is the operator's: nothing would be judged")
    }))
}

fn judge(commits: &[Commit], whole: bool, disturbances: u32) -> Result {
    let mut promises = Promises::new(Expectations {
        lag: LAG,
        whole,
        ..Expectations::default()
    });
    if let Some(first) = commits.first() {
        for _ in 0..disturbances {
            promises.fault(first.at, None);
        }
    }
    let broken: Vec<String> = commits
        .iter()
        .flat_map(|commit| promises.commit(commit))
        .map(|violation| violation.to_string())
        .collect();
    if broken.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "promises were broken in {} writes:\n{}",
        commits.len(),
        broken.join("\n")
    )))
}

/// A write of the orchestrator's to the status of a request that did not have any.
fn first_status(status: &Value) -> [Commit; 2] {
    let metadata = json!({ "name": "web", "namespace": "shop", "uid": "1" });
    let asked = Arc::new(json!({ "metadata": metadata, "spec": {} }));
    let recorded = Arc::new(json!({ "metadata": metadata, "spec": {}, "status": status }));
    let write = |agent, before, after| {
        let kind = (REQUEST_GROUP, REQUEST_PLURAL);
        Commit::new(Timestamp::UNIX_EPOCH, agent, kind, before, Some(after))
            .expect("it is a request")
    };
    [
        write("curl", None, asked.clone()),
        write("remediation-orchestrator/1", Some(asked), recorded),
    ]
}

#[test]
fn a_scenario_in_which_a_promise_is_broken_fails() {
    let fine = first_status(&json!({ "phase": "Initializing" }));
    judge(&fine, true, 0).expect("nothing is broken");
    let broken = first_status(&json!({ "phase": "Hibernating" }));
    let failure = format!(
        "{:?}",
        judge(&broken, true, 0).expect_err("there is no such edge")
    );
    assert!(failure.contains("S6 shop/web"), "{failure}");
    check_recorded(&broken, false).expect("ours is among them");
    let unseen = check_recorded(&broken[..1], false).expect_err("nothing of ours was recorded");
    assert!(format!("{unseen:?}").contains("none is the operator's"));
}
