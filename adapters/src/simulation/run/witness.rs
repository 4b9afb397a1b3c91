//! Sees every call and every committed write of a run: keeps the trace, counts what was reached, and asks the
//! promises.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use remediation_core::kind::{ChildKind, REQUEST_PLURAL};
use serde_json::Value;
use tokio::sync::watch;

use super::plan::Deed;
use super::reach::Reach;
use super::template;
use crate::simulation::api_server::{Commit, CommitObserver, Intercept, RequestInfo};

/// What is known of the requests, by name: their phase, or none where there is no such request.
pub(super) type Phases = BTreeMap<String, String>;

pub(super) struct Witness {
    state: Mutex<State>,
    phases: watch::Sender<Phases>,
}

#[derive(Default)]
struct State {
    reach: Reach,
    trace: Option<String>,
    ends: BTreeMap<String, End>,
    lifecycles: u64,
    requests: i64,
    last_commit: Option<jiff::Timestamp>,
}

/// What became of one request (by its name), as far as two runs can be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// The last phase and reason.
    pub phase: String,
    /// The reason with it.
    pub reason: String,
    /// Creations and deletions of objects under its name, by kind.
    pub created: BTreeMap<String, u32>,
    /// As [`End::created`].
    pub deleted: BTreeMap<String, u32>,
}

impl Witness {
    pub(super) fn new(trace: bool) -> Self {
        let state = State {
            trace: trace.then(String::new),
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            phases: watch::Sender::default(),
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The phases of all requests, now and later.
    pub(super) fn phases(&self) -> watch::Receiver<Phases> {
        self.phases.subscribe()
    }

    /// A call reaches the server.
    pub(super) fn asked(&self, request: &RequestInfo, verdict: &Intercept) {
        let mut state = self.locked();
        let Some(trace) = &mut state.trace else {
            return;
        };
        let RequestInfo {
            verb,
            resource,
            subresource,
            name,
            user_agent,
            ..
        } = request;
        let name = name.as_deref().unwrap_or_default();
        let slash = subresource.as_deref().unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = write!(trace, "{user_agent} {verb} {resource}/{slash} {name}");
        if *verdict != Intercept::Pass {
            let _ = write!(trace, " {verdict:?}");
        }
        trace.push('\n');
    }

    /// Something was done to a call.
    pub(super) fn reach(&self, sort: &str, request: Option<&RequestInfo>) {
        let name = request.and_then(about);
        self.reach_about(sort, name.as_deref());
    }

    pub(super) fn reach_deed(&self, request: &str, deed: &Deed) {
        self.reach_about(&format!("Person {}", deed.word()), Some(request));
    }

    /// This sort of trouble happened, in the phase that this request is in.
    pub(super) fn reach_about(&self, sort: &str, request: Option<&str>) {
        let phase = match request {
            Some(request) => self.phases.borrow().get(request).cloned(),
            None => self.phases.borrow().values().next().cloned(),
        };
        let phase = phase.unwrap_or_default();
        let mut state = self.locked();
        state.reach.trouble(sort, &phase);
        if let Some(trace) = &mut state.trace {
            let _ = writeln!(trace, "! {sort} in {phase:?}");
        }
    }

    /// Hands over what was counted.
    pub(super) fn finish(&self) -> (Reach, String, BTreeMap<String, End>, u64) {
        let mut state = self.locked();
        (
            std::mem::take(&mut state.reach),
            state.trace.take().unwrap_or_default(),
            std::mem::take(&mut state.ends),
            state.lifecycles,
        )
    }

    /// How many requests there are.
    pub(super) fn requests(&self) -> i64 {
        self.locked().requests
    }

    /// When anything but a Lease or an Event was last written.
    pub(super) fn last_commit(&self) -> Option<jiff::Timestamp> {
        self.locked().last_commit
    }
}

/// The name of the request that a call is about.
fn about(request: &RequestInfo) -> Option<String> {
    if let Some(name) = &request.name {
        return Some(head(name).to_owned());
    }
    let body = std::str::from_utf8(&request.body).ok()?;
    let at = body.find("\"name\":\"r")?;
    Some(head(&body[at + 8..]).to_owned())
}

/// The names of requests hold no hyphen; those of their children begin with them.
fn head(name: &str) -> &str {
    name.split(['-', '"']).next().unwrap_or(name)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value["metadata"][field].as_str().unwrap_or_default()
}

impl CommitObserver for Witness {
    fn committed(&self, commit: Commit) {
        let mut state = self.locked();
        let state = &mut *state;
        if let Some(trace) = &mut state.trace {
            let _ = writeln!(trace, "{}", line(&commit));
        }
        if matches!(&*commit.plural, "leases" | "events") {
            return;
        }
        state.last_commit = Some(commit.at);
        let shown = commit.after.as_deref().or(commit.before.as_deref());
        let Some(object) = shown else { return };
        let name = text(object, "name");
        let end = state.ends.entry(head(name).to_owned()).or_default();
        let kind = object["kind"].as_str().unwrap_or_default();
        match (&commit.before, &commit.after) {
            (None, Some(_)) => *end.created.entry(kind.to_owned()).or_default() += 1,
            (Some(_), None) => *end.deleted.entry(kind.to_owned()).or_default() += 1,
            _ => {}
        }
        if *commit.plural == *REQUEST_PLURAL {
            let phase = |object: &Option<Arc<Value>>| {
                let object = object.as_ref()?;
                Some(object["status"]["phase"].as_str().unwrap_or("").to_owned())
            };
            let (from, to) = (phase(&commit.before), phase(&commit.after));
            match (&from, &to) {
                (None, Some(_)) => state.requests += 1,
                (Some(_), None) => state.requests -= 1,
                _ => {}
            }
            if let Some(after) = &commit.after {
                end.phase = to.clone().unwrap_or_default();
                end.reason = after["status"]["reason"].as_str().unwrap_or("").to_owned();
                let ended = |object: &Value| object["status"]["completionTime"].is_string();
                let ended_before = commit.before.as_deref().is_some_and(ended);
                if ended(after) && !ended_before {
                    state.lifecycles += 1;
                }
                state.reach.written(&commit, from.as_deref().unwrap_or(""));
            }
            if from != to {
                self.phases.send_modify(|phases| match to {
                    Some(to) => {
                        phases.insert(name.to_owned(), to);
                    }
                    None => {
                        phases.remove(name);
                    }
                });
            }
        }
    }
}

/// A commit in one line.
fn line(commit: &Commit) -> String {
    let after = commit.after.as_deref().or(commit.before.as_deref());
    let object = after.unwrap_or(&Value::Null);
    let passed = commit.at.duration_since(template::start());
    let status = &object["status"];
    let what = match (&commit.before, &commit.after) {
        (None, _) => "created",
        (_, None) => "gone",
        (Some(_), Some(_)) => "written",
    };
    let short = |field: &str| status[field].as_str().unwrap_or("-").to_owned();
    let client = if commit.client.is_empty() {
        "system"
    } else {
        &*commit.client
    };
    format!(
        "{:>10.3} #{} {client} {what} {}/{} {} {} {}",
        passed.as_secs_f64(),
        commit.revision,
        commit.plural,
        text(object, "name"),
        text(object, "uid").get(..8).unwrap_or_default(),
        short("phase"),
        short("reason"),
    )
}

/// The kind of a plural, where it is a child's.
pub(super) fn child_kind(plural: &str) -> Option<ChildKind> {
    ChildKind::ALL
        .into_iter()
        .find(|kind| kind.plural() == plural)
}
