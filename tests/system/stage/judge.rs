//! After each scenario the checker of the promises looks at everything that was committed in the scenario's namespace,
//! whatever the scenario itself asserts.

use std::sync::Mutex;
use std::sync::PoisonError;

use jiff::SignedDuration;
use remediation_adapters::simulation::api_server::{self, CommitObserver};
use remediation_adapters::simulation::promises::{Commit, Expectations, Promises, audit};

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
        commits.extend(commit);
    }
}

impl Recorder {
    /// An error that names each promise that was broken, where so many calls were refused or processes killed.
    pub(super) fn judge(&self, disturbances: u32) -> Result {
        let commits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        judge(&commits, disturbances)
    }
}

/// The same of what was committed in a namespace of a real API server since then.
pub(super) fn judge_audited(
    plane: &ControlPlane,
    since: AuditMark,
    namespace: &str,
    disturbances: u32,
) -> Result {
    let log = plane.audit_text(since)?;
    let named = format!("\"namespace\":\"{namespace}\"");
    let ours: String = log
        .lines()
        .filter(|line| line.contains(&named))
        .flat_map(|line| [line, "\n"])
        .collect();
    let reading = || String::from("reading the audit log");
    let commits = audit::commits(&ours).context(reading)?;
    let refused = audit::refusals(&ours).context(reading)?;
    let refused = u32::try_from(refused.len()).unwrap_or(u32::MAX);
    judge(&commits, disturbances.saturating_add(refused))
}

fn judge(commits: &[Commit], disturbances: u32) -> Result {
    let mut promises = Promises::new(Expectations {
        lag: LAG,
        ..Expectations::default()
    });
    if let Some(first) = commits.first() {
        for _ in 0..disturbances {
            promises.fault(first.at);
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
