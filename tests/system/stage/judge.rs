//! During and after each scenario the checker of the promises looks at everything that was committed in the scenario's
//! namespace, whatever the scenario itself asserts: at each write, and at what is left undone once the operator has come to rest.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use remediation_adapters::simulation::api_server::{self, CommitObserver};
use remediation_adapters::simulation::promises::{
    Commit, Ending, Expectations, Promises, Refused, audit,
};
use remediation_core::kind::{REQUEST_GROUP, REQUEST_PLURAL};
use serde_json::{Value, json};

use super::QUIET;
use crate::harness::{AuditMark, Context, ControlPlane, Failure, Result};

/// How far behind a decision may be, and how late a deadline may be recorded, on a machine that is busy with other scenarios.
const LAG: SignedDuration = SignedDuration::from_secs(1);
const LATENESS: SignedDuration = SignedDuration::from_secs(1);
/// The checker calls overdue what was due for longer.
const DUE: SignedDuration = SignedDuration::from_millis(1_001);

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
    pub(super) fn commits(&self) -> Vec<Commit> {
        let commits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        commits.clone()
    }
}

/// What happened in a scenario.
pub(super) struct Record {
    pub(super) commits: Vec<Commit>,
    /// When the operator was refused a call or lost it, and when something was done to it.
    pub(super) faults: Vec<Timestamp>,
    /// Whether everything that was created is among the commits.
    pub(super) whole: bool,
}

impl Record {
    /// What was committed in a namespace of a real API server since then.
    pub(super) fn audited(plane: &ControlPlane, since: AuditMark, namespace: &str) -> Result<Self> {
        let log = plane.audit_text(since)?;
        let named = format!("\"namespace\":\"{namespace}\"");
        let ours: String = log
            .lines()
            .filter(|line| line.contains(&named))
            .flat_map(|line| [line, "\n"])
            .collect();
        let log = audit::read(&ours).context(|| String::from("reading the audit log"))?;
        Ok(Self {
            commits: log.commits,
            faults: log.refused,
            whole: !log.unsure,
        })
    }

    /// Whether nothing has been written for a while.
    pub(super) fn is_quiet(&self) -> bool {
        let now = Timestamp::now();
        let quiet = |commit: &Commit| now.duration_since(commit.at).unsigned_abs() > QUIET;
        self.commits.iter().all(quiet)
    }

    /// An error that names each promise that was broken by a write.
    pub(super) fn judge(&self, conduct: &Conduct) -> Result {
        self.check_recorded(conduct.idle)?;
        self.play(conduct).1
    }

    /// An error that names what is undone of all that was due when the last write was made.
    pub(super) fn judge_at_rest(&self, conduct: &Conduct) -> Result {
        let last = self.commits.iter().map(|commit| commit.at).max();
        let now = Timestamp::now().max(last.map_or(Timestamp::MIN, |last| last + DUE));
        let undone = self.play(conduct).0.end(&Ending {
            now,
            skew: SignedDuration::ZERO,
            settled: true,
            refused: Refused::default(),
            collected: true,
        });
        tell_of(self.commits.len(), undone.iter().map(ToString::to_string))
    }

    /// A record in which nothing is the operator's would be judged in vain.
    fn check_recorded(&self, idle: bool) -> Result {
        let wrote = self.commits.iter().any(|commit| commit.actor.is_ours());
        if wrote != idle {
            return Ok(());
        }
        let count = self.commits.len();
        Err(Failure::new(if idle {
            format!(
                "the operator was to write nothing, and is among the writers of {count} objects"
            )
        } else {
            format!("of {count} recorded writes none is the operator's: nothing would be judged")
        }))
    }

    fn play(&self, conduct: &Conduct) -> (Promises, Result) {
        let mut promises = Promises::new(Expectations {
            lag: LAG,
            lateness: Some(LATENESS),
            contract: !conduct.hasty,
            whole: self.whole,
            ..Expectations::default()
        });
        let mut faults = self.faults.clone();
        faults.sort();
        let mut faults = faults.into_iter().peekable();
        let mut broken = Vec::new();
        for commit in &self.commits {
            while let Some(fault) = faults.next_if(|fault| *fault <= commit.at) {
                promises.fault(fault, None);
            }
            let violations = promises.commit(commit).into_iter();
            broken.extend(violations.map(|violation| violation.to_string()));
        }
        for fault in faults {
            promises.fault(fault, None);
        }
        let told = tell_of(self.commits.len(), broken.into_iter());
        (promises, told)
    }
}

/// How those whom the scenario plays behave.
#[derive(Default)]
pub(super) struct Conduct {
    /// Whether the operator is to write nothing.
    pub(super) idle: bool,
    /// Whether executors begin before status names them, against the child contract.
    pub(super) hasty: bool,
}

fn tell_of(writes: usize, broken: impl Iterator<Item = String>) -> Result {
    let broken: Vec<String> = broken.collect();
    if broken.is_empty() {
        return Ok(());
    }
    let broken = broken.join("\n");
    Err(Failure::new(format!(
        "promises were broken in {writes} writes:\n{broken}"
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

fn record(commits: &[Commit]) -> Record {
    Record {
        commits: commits.to_vec(),
        faults: Vec::new(),
        whole: true,
    }
}

fn failure(judged: Result) -> String {
    format!("{:?}", judged.expect_err("something is wrong"))
}

#[test]
fn a_scenario_in_which_a_promise_is_broken_fails() {
    let (conduct, idle) = (Conduct::default(), true);
    let fine = first_status(&json!({ "phase": "Initializing" }));
    record(&fine).judge(&conduct).expect("nothing is broken");
    let broken = first_status(&json!({ "phase": "Hibernating" }));
    let told = failure(record(&broken).judge(&conduct));
    assert!(told.contains("S6 shop/web"), "{told}");
    let unseen = failure(record(&broken[..1]).judge(&conduct));
    assert!(unseen.contains("none is the operator's"), "{unseen}");
    let wrote = failure(record(&broken).judge(&Conduct { idle, ..conduct }));
    assert!(wrote.contains("was to write nothing"), "{wrote}");
}

#[test]
fn a_scenario_at_whose_end_something_is_undone_fails() {
    let idle = Conduct {
        idle: true,
        ..Conduct::default()
    };
    let asked = record(&first_status(&json!({}))[..1]);
    asked.judge(&idle).expect("no write is wrong");
    let told = failure(asked.judge_at_rest(&idle));
    assert!(told.contains("L2 shop/web"), "{told}");
}

#[test]
fn a_fault_allows_for_more_writes_of_the_requests_that_are_there() {
    let write = |number: i64, status: &Value| {
        let [_, write] = first_status(status);
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(number);
        Commit { at, ..write }
    };
    let mut commits = first_status(&json!({ "phase": "Initializing" })).to_vec();
    for number in 1..13 {
        let status = json!({ "phase": "Initializing", "message": number.to_string() });
        commits.push(write(number, &status));
    }
    let mut record = record(&commits);
    let told = failure(record.judge(&Conduct::default()));
    assert!(told.contains("S28 shop/web"), "{told}");
    record.faults.push(Timestamp::UNIX_EPOCH);
    let told = failure(record.judge(&Conduct::default()));
    assert!(
        told.contains("S28 shop/web"),
        "before it was asked for: {told}"
    );
    record.faults = vec![commits[5].at];
    record
        .judge(&Conduct::default())
        .expect("three more are allowed");
}
