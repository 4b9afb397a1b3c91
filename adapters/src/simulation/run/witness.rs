//! Sees every call and every committed write of a run: keeps the trace, counts what was reached, and asks the
//! promises.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use remediation_core::kind::{ChildKind, REQUEST_PLURAL};
use remediation_core::names::{self, Occasion};
use remediation_core::request::Identity;
use serde_json::Value;

use super::expect;
use super::hand::NAMESPACE;
use super::plan::{Deed, Plan, Stream};
use super::reach::Reach;
use super::repeated::Repeated;
use super::template;
use crate::simulation::api_server::{Commit, CommitObserver, Intercept, RequestInfo};
use crate::simulation::board::Board;
use crate::simulation::promises::{self, Ending, Kind, Promise, Promises, Violation};

/// What is known of the requests, by name: their phase, or none where there is no such request.
pub(super) type Phases = BTreeMap<String, String>;

pub(super) struct Witness {
    state: Mutex<State>,
    phases: Arc<Board<Phases>>,
    started: tokio::time::Instant,
    /// How many requests an operator works on at once.
    concurrency: usize,
    /// The names of all requests of the plan.
    requests: BTreeSet<String>,
}

/// All that was seen.
pub(super) struct Seen {
    pub(super) reach: Reach,
    pub(super) trace: String,
    pub(super) ends: BTreeMap<String, End>,
    pub(super) lifecycles: u64,
    pub(super) broken: Vec<Violation>,
}

#[derive(Default)]
struct State {
    reach: Reach,
    trace: Option<String>,
    ends: BTreeMap<String, End>,
    lifecycles: u64,
    last_commit: Option<jiff::Timestamp>,
    promises: Option<Promises>,
    broken: Vec<Violation>,
    repeated: Repeated,
    /// When a process that stood still went on: all that it had asked meanwhile arrives in that moment.
    went_on: Option<tokio::time::Instant>,
    /// The names of all notifications that were ever created, as far as etcd knows.
    notifications: BTreeSet<String>,
    /// When etcd was last restored.
    restored: Option<jiff::Timestamp>,
    /// Until when each operator waits for the answers to calls of its work.
    hanging: BTreeMap<String, Vec<jiff::Timestamp>>,
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
    pub(super) fn new(trace: bool, plan: &Plan) -> Self {
        let mut promises = Promises::new(expect::expectations(plan));
        for (from, to) in expect::held_up(plan) {
            promises.held_up(from, to, None);
        }
        let state = State {
            promises: Some(promises),
            trace: trace.then(String::new),
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            phases: Arc::default(),
            started: tokio::time::Instant::now(),
            concurrency: plan.concurrency.max(1),
            requests: plan.requests.iter().map(|r| r.name.clone()).collect(),
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The phases of all requests, now and later.
    pub(super) fn phases(&self) -> Arc<Board<Phases>> {
        Arc::clone(&self.phases)
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

    /// Something was done to a call, which concerns the request that it is about.
    pub(super) fn reach(&self, sort: &str, request: &RequestInfo) {
        self.strikes_call(sort, request);
        self.disturbs(self.hit(request).as_deref());
    }

    /// Something that concerns all requests happened as this call came.
    pub(super) fn reach_all(&self, sort: &str, request: &RequestInfo) {
        self.strikes_call(sort, request);
        self.disturbs(None);
    }

    /// The request of the plan that a call is about.
    fn hit(&self, request: &RequestInfo) -> Option<String> {
        about(request).filter(|name| self.requests.contains(name))
    }

    pub(super) fn reach_deed(&self, request: &str, deed: &Deed) {
        self.reach_about(&format!("Person {}", deed.word()), Some(request));
    }

    /// This sort of trouble happened, in the phase that this request is in.
    pub(super) fn reach_about(&self, sort: &str, request: Option<&str>) {
        self.strikes(sort, request);
        self.disturbs(request);
    }

    /// A trouble with this request, or with all, begins that counts as reached once it strikes.
    pub(super) fn disturbs(&self, request: Option<&str>) {
        let now = self.now();
        if let Some(promises) = &mut self.locked().promises {
            promises.fault(now, request.map(object).as_deref());
        }
    }

    /// A trouble that has begun has an effect on this call.
    pub(super) fn strikes_call(&self, sort: &str, request: &RequestInfo) {
        let name = about(request);
        self.strikes(sort, name.as_deref());
    }

    /// A trouble that has begun has an effect, in the phase that this request is in.
    pub(super) fn strikes(&self, sort: &str, request: Option<&str>) {
        let phase = self.phases.look(|phases| match request {
            Some(request) => phases.get(request).cloned(),
            None => phases.values().next().cloned(),
        });
        let phase = phase.unwrap_or_default();
        let mut state = self.locked();
        state.reach.trouble(sort, &phase);
        if let Some(trace) = &mut state.trace {
            let _ = writeln!(trace, "! {sort} in {phase:?}");
        }
    }

    /// For so long from now on the operator may learn nothing new, and has something to catch up with after it.
    pub(super) fn held_up(&self, duration: Duration) {
        let now = self.now();
        let to = now.saturating_add(duration).unwrap_or(jiff::Timestamp::MAX);
        if let Some(promises) = &mut self.locked().promises {
            promises.held_up(now, to, None);
        }
    }

    /// For so long an operator waits for the answer to this call, or has something to catch up with after it. Where all its
    /// passes wait, nothing else is done.
    pub(super) fn waits(&self, request: &RequestInfo, duration: Duration) {
        let Some(hit) = self.hit(request) else {
            return self.held_up(duration);
        };
        let now = self.now();
        let to = now.saturating_add(duration).unwrap_or(jiff::Timestamp::MAX);
        let mut state = self.locked();
        let state = &mut *state;
        let Some(promises) = &mut state.promises else {
            return;
        };
        promises.held_up(now, to, Some(&object(&hit)));
        let agent = request.user_agent.clone();
        let hanging = state.hanging.entry(agent).or_default();
        hanging.retain(|until| *until > now);
        if duration.is_zero() {
            return;
        }
        hanging.push(to);
        hanging.sort_unstable_by(|one, other| other.cmp(one));
        if let Some(free) = hanging.get(self.concurrency - 1) {
            promises.paused(now, *free);
        }
    }

    /// The past was changed, and these are all requests and children that there are: what was promised about it can no longer
    /// be judged, and all watches begin anew.
    pub(super) fn history_rewritten(&self, stored: Vec<(Kind, Value)>) {
        self.held_up(expect::RECONNECT);
        let now = self.now();
        let mut state = self.locked();
        let state = &mut *state;
        state.notifications = stored
            .iter()
            .filter(|(kind, _)| *kind == Kind::Child(ChildKind::NotificationRequest))
            .map(|(_, object)| text(object, "name").to_owned())
            .collect();
        state.restored = Some(now);
        if let Some(promises) = &mut state.promises {
            promises.restored(now, stored);
        }
    }

    /// Calls of this stream are not answered any more: there were too many of them.
    pub(super) fn asks_without_end(&self, stream: Stream, calls: u32) {
        self.asks_too_much(
            "",
            format!("there were {calls} calls of the stream {stream:?}"),
        );
    }

    /// An operator's call is answered with this code, by whomever, or with none: nothing that fails may be asked for again and
    /// again without a pause.
    pub(super) fn answers(&self, request: &RequestInfo, code: Option<u16>) {
        let RequestInfo { verb, resource, .. } = request;
        if resource == "leases" {
            return;
        }
        if code.is_some_and(|code| code < 400) {
            if verb == "list" {
                self.locked().repeated.lists(&request.user_agent);
            }
            return;
        }
        let about = about(request);
        let now = tokio::time::Instant::now();
        if self.locked().went_on == Some(now) {
            return;
        }
        let too_often = self.locked().repeated.failed(request, about.clone(), now);
        if let Some(too_often) = too_often {
            let story = format!("{verb} {resource} failed, and was asked for {too_often}");
            self.asks_too_much(&about.unwrap_or_default(), story);
        }
    }

    /// A process that stood still goes on in this moment.
    pub(super) fn goes_on(&self) {
        self.locked().went_on = Some(tokio::time::Instant::now());
    }

    /// Once in a run is enough.
    fn asks_too_much(&self, object: &str, story: String) {
        let known = |broken: &Violation| broken.promise == Promise::S30;
        if self.locked().broken.iter().any(known) {
            return;
        }
        self.broken(Violation {
            promise: Promise::S30,
            object: object.to_owned(),
            at: self.now(),
            story,
        });
    }

    /// A promise was broken that no committed write shows.
    pub(super) fn broken(&self, violation: Violation) {
        self.locked().break_promise(violation);
    }

    /// Judges the end, and hands over what was seen.
    pub(super) fn finish(&self, ending: &Ending) -> Seen {
        let mut state = self.locked();
        if let Some(promises) = state.promises.take() {
            for violation in promises.end(ending) {
                state.break_promise(violation);
            }
        }
        Seen {
            reach: std::mem::take(&mut state.reach),
            trace: state.trace.take().unwrap_or_default(),
            ends: std::mem::take(&mut state.ends),
            lifecycles: state.lifecycles,
            broken: std::mem::take(&mut state.broken),
        }
    }

    fn now(&self) -> jiff::Timestamp {
        template::start()
            .saturating_add(self.started.elapsed())
            .unwrap_or(jiff::Timestamp::MAX)
    }

    /// How many remediations came to an end so far.
    pub(super) fn lifecycles(&self) -> u64 {
        self.locked().lifecycles
    }

    /// When anything but a Lease or an Event was last written.
    pub(super) fn last_commit(&self) -> Option<jiff::Timestamp> {
        self.locked().last_commit
    }
}

impl State {
    fn judge(&mut self, commit: &Commit) {
        let Some(promises) = &mut self.promises else {
            return;
        };
        let written = promises::Commit::new(
            commit.at,
            &commit.client,
            (&commit.group, &commit.plural),
            commit.before.clone(),
            commit.after.clone(),
        );
        let Some(written) = written else { return };
        for violation in promises.commit(&written.received(commit.received)) {
            self.break_promise(violation);
        }
    }

    fn judge_namespace(&mut self, commit: &Commit) {
        let ends = |object: &Value| object["metadata"]["deletionTimestamp"].is_string();
        if let Some(promises) = &mut self.promises
            && commit.after.as_deref().is_some_and(ends)
        {
            promises.namespace_ends();
        }
    }

    /// Nobody may be left without being told how a request ended, unless its status says why.
    fn is_told(&mut self, commit: &Commit) {
        let Some(after) = &commit.after else {
            return;
        };
        let name = text(after, "name");
        if child_kind(&commit.plural) == Some(ChildKind::NotificationRequest) {
            self.notifications.insert(name.to_owned());
        }
        let ended = |object: &Value| object["status"]["completionTime"].is_string();
        let ends = ended(after) && !commit.before.as_deref().is_some_and(ended);
        // What was asked for before etcd was restored may land after it, and rests on what was taken back.
        let rests_on_the_past = self.restored.is_some_and(|at| commit.received < at);
        if *commit.plural != *REQUEST_PLURAL || !ends || rests_on_the_past {
            return;
        }
        let status = &after["status"];
        // A hand may have written another phase over that of the end.
        let failed = status["phase"] == "Failed" || status["failurePhase"].is_string();
        let (promise, occasion) = if failed {
            (Promise::L4, Occasion::Escalation)
        } else {
            (Promise::L2, Occasion::Success)
        };
        let identity = Identity {
            namespace: text(after, "namespace").to_owned(),
            name: name.to_owned(),
            uid: text(after, "uid").to_owned(),
        };
        let conditions = after["status"]["conditions"].as_array();
        let says_why = conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Escalated" && condition["status"] == "False");
        let notification = names::notification(&identity, occasion);
        if !says_why && !self.notifications.contains(&notification) {
            self.break_promise(Violation {
                promise,
                object: format!("{}/{name}", identity.namespace),
                at: commit.at,
                story: format!(
                    "it ended, {notification} was never created, and status does not say why"
                ),
            });
        }
    }

    fn break_promise(&mut self, violation: Violation) {
        if let Some(trace) = &mut self.trace {
            let _ = writeln!(trace, "!! {violation}");
        }
        self.broken.push(violation);
    }
}

/// A request, as the promises call it.
fn object(request: &str) -> String {
    format!("{NAMESPACE}/{request}")
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
        if &*commit.plural == "namespaces" {
            state.judge_namespace(&commit);
        }
        state.judge(&commit);
        state.is_told(&commit);
        let shown = commit.after.as_deref().or(commit.before.as_deref());
        let Some(object) = shown else { return };
        let name = text(object, "name");
        state.repeated.news_of(head(name));
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
                self.phases.change(|phases| match to {
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
