//! What becomes of each call that reaches the API server: the plan's troubles with calls, and crashes in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use remediation_core::kind::{ChildKind, REQUEST_PLURAL};
use tokio::time::Instant;

use super::definitions;
use super::expect;
use super::link::Life;
use super::people;
use super::plan::{CallFault, Deed, InFlight, Plan, Stream, Trouble, When};
use super::witness::Witness;
use crate::simulation::api_server::{Intercept, Interceptor, Refusal, RequestInfo};

/// Longer than any client waits.
const NEVER: Duration = Duration::from_secs(30 * 24 * 3600);
/// Many times what any plan needs: more calls of one stream come from a circle, in which no time need pass.
const MOST_CALLS: u32 = 300_000;

/// Stands between all clients and the server.
pub(super) struct Faults {
    state: Mutex<State>,
    witness: Arc<Witness>,
    people: people::People,
    started: Instant,
}

#[derive(Default)]
struct State {
    counted: BTreeMap<Stream, u32>,
    /// What was counted when the first remediation ended.
    counted_to_first_end: Option<BTreeMap<Stream, u32>>,
    /// What was counted when everything healed.
    counted_until_healed: BTreeMap<Stream, u32>,
    calls: BTreeMap<(Stream, u32), CallFault>,
    crashes: BTreeMap<(Stream, u32), (InFlight, u64)>,
    deeds: BTreeMap<u32, Vec<(String, Deed)>>,
    sorts: Vec<Sort>,
    outage: bool,
    healed: bool,
    /// The plurals of kinds that are not installed.
    uninstalled: BTreeSet<&'static str>,
    /// Whether the definition of the requests is an older one.
    older: bool,
    /// The processes that run, by replica.
    lives: BTreeMap<String, Arc<Life>>,
}

/// Calls of one sort, for a time.
struct Sort {
    verb: String,
    plural: String,
    fault: CallFault,
    from: Duration,
    to: Option<Duration>,
}

/// What the User-Agent of an operator begins with.
const OPERATOR: &str = "remediation-orchestrator-";

/// The User-Agent of an operator.
pub(super) fn agent(replica: usize) -> String {
    format!("{OPERATOR}{replica}")
}

impl Faults {
    pub(super) fn new(plan: &Plan, witness: Arc<Witness>, people: people::People) -> Self {
        let mut state = State::default();
        for trouble in &plan.troubles {
            match trouble {
                Trouble::Call { stream, nth, fault } => {
                    state.calls.insert((*stream, *nth), *fault);
                }
                Trouble::Crash {
                    stream,
                    nth,
                    in_flight,
                    down_ms,
                } => {
                    state
                        .crashes
                        .insert((*stream, *nth), (*in_flight, *down_ms));
                }
                Trouble::Calls {
                    verb,
                    plural,
                    fault,
                    at_ms,
                    for_ms,
                } => state.sorts.push(Sort {
                    verb: verb.clone(),
                    plural: plural.clone(),
                    fault: *fault,
                    from: Duration::from_millis(*at_ms),
                    to: for_ms.map(|for_ms| Duration::from_millis(at_ms + for_ms)),
                }),
                Trouble::Person {
                    request,
                    when: When::Call(nth),
                    deed,
                } => {
                    let deeds = state.deeds.entry(*nth).or_default();
                    deeds.push((request.clone(), deed.clone()));
                }
                Trouble::Person { .. }
                | Trouble::CrashAt { .. }
                | Trouble::Stop { .. }
                | Trouble::Stall { .. }
                | Trouble::Panic { .. }
                | Trouble::Clock { .. }
                | Trouble::Freeze { .. }
                | Trouble::Watch { .. }
                | Trouble::Cut { .. }
                | Trouble::Lag { .. }
                | Trouble::Outage { .. }
                | Trouble::Restore { .. }
                | Trouble::Namespace { .. }
                | Trouble::Uninstalled { .. }
                | Trouble::OlderDefinition { .. }
                | Trouble::Webhook { .. }
                | Trouble::Reconfigure { .. }
                | Trouble::Garbage { .. } => {}
            }
        }
        Self {
            state: Mutex::new(state),
            witness,
            people,
            started: Instant::now(),
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process of this replica begins.
    pub(super) fn born(&self, agent: &str, life: Arc<Life>) {
        self.locked().lives.insert(agent.to_owned(), life);
    }

    /// The process of this replica that runs now.
    pub(super) fn life(&self, agent: &str) -> Option<Arc<Life>> {
        self.locked().lives.get(agent).cloned()
    }

    /// While it lasts nothing is served.
    pub(super) fn outage(&self, outage: bool) {
        self.locked().outage = outage;
    }

    /// Whether this kind is installed.
    pub(super) fn installed(&self, kind: ChildKind, installed: bool) {
        let uninstalled = &mut self.locked().uninstalled;
        if installed {
            uninstalled.remove(kind.plural());
        } else {
            uninstalled.insert(kind.plural());
        }
    }

    /// Whether the definition of the requests is an older one.
    pub(super) fn older(&self, older: bool) {
        self.locked().older = older;
    }

    /// From now on only what lasts for ever goes wrong.
    pub(super) fn heal(&self) {
        let mut state = self.locked();
        state.healed = true;
        state.counted_until_healed = state.counted.clone();
        state.outage = false;
        state.calls.clear();
        state.crashes.clear();
        state.deeds.clear();
        state.sorts.retain(|sort| sort.to.is_none());
    }

    /// How many calls operators made until everything healed, of each stream.
    pub(super) fn counted(&self) -> BTreeMap<Stream, u32> {
        self.locked().counted_until_healed.clone()
    }

    /// How many of them they had made when the first remediation ended.
    pub(super) fn counted_to_first_end(&self) -> BTreeMap<Stream, u32> {
        let state = self.locked();
        let counted = state.counted_to_first_end.as_ref();
        counted.unwrap_or(&state.counted_until_healed).clone()
    }

    fn of_operator(&self, request: &RequestInfo) -> Intercept {
        let stream = stream(request);
        let passed = self.started.elapsed();
        let ended = self.witness.lifecycles() > 0;
        let (nth, deeds) = {
            let mut state = self.locked();
            if ended && !state.healed && state.counted_to_first_end.is_none() {
                state.counted_to_first_end = Some(state.counted.clone());
            }
            if state.outage {
                drop(state);
                self.witness.reach_all("Outage", request);
                return Intercept::Drop;
            }
            let counted = state.counted.entry(stream).or_default();
            let nth = *counted;
            if nth >= MOST_CALLS {
                drop(state);
                self.witness.asks_without_end(stream, nth);
                return Intercept::Delay(NEVER);
            }
            *counted += 1;
            let deeds = if stream == Stream::Work {
                state.deeds.remove(&nth)
            } else {
                None
            };
            (nth, deeds.unwrap_or_default())
        };
        for (about, deed) in deeds {
            self.witness.reach_deed(&about, &deed);
            self.people.act(&about, &deed);
        }
        let mut state = self.locked();
        if let Some((in_flight, down_ms)) = state.crashes.remove(&(stream, nth)) {
            let life = state.lives.get(&request.user_agent).cloned();
            drop(state);
            let sort = format!("Crash in {stream:?} {}", in_flight.word());
            self.witness.reach_all(&sort, request);
            self.witness.held_up(Duration::from_millis(down_ms));
            if let Some(life) = life {
                life.end(down_ms);
            }
            return match in_flight {
                InFlight::NotApplied => Intercept::Delay(NEVER),
                InFlight::Applied => Intercept::ApplyThenDelay(NEVER),
                InFlight::AppliedLate(late) => Intercept::ApplyLate(Duration::from_millis(late)),
            };
        }
        if let Some(fault) = state.calls.remove(&(stream, nth)) {
            drop(state);
            let sort = format!("{stream:?} {}", fault.word());
            return self.strike(&sort, stream, fault, request);
        }
        let sort = state.sorts.iter().find(|sort| {
            sort.verb == request.verb
                && sort.plural == request.resource
                && sort.from <= passed
                && sort.to.is_none_or(|to| passed < to)
        });
        let Some(fault) = sort.map(|sort| sort.fault) else {
            let uninstalled = state.uninstalled.contains(request.resource.as_str());
            let older = state.older && request.resource == REQUEST_PLURAL;
            drop(state);
            if uninstalled {
                self.witness.strikes_call("Kind not installed", request);
            }
            if older && definitions::holds_later_field(&request.body) {
                self.witness.strikes_call("Older definition", request);
                // What is not kept is tried again with a backoff.
                self.witness.waits(request, Duration::ZERO);
            }
            return Intercept::Pass;
        };
        drop(state);
        let sort = format!("Every {} {}", request.verb, fault.word());
        self.strike(&sort, stream, fault, request)
    }

    fn strike(
        &self,
        sort: &str,
        stream: Stream,
        fault: CallFault,
        request: &RequestInfo,
    ) -> Intercept {
        self.witness.reach(sort, request);
        self.witness
            .waits(request, expect::held_up_by_call(stream, fault));
        intercept(fault, request)
    }
}

impl Interceptor for Faults {
    fn before(&self, request: &RequestInfo) -> Intercept {
        let verdict = if request.user_agent.starts_with(OPERATOR) {
            let verdict = self.of_operator(request);
            let lost = matches!(
                verdict,
                Intercept::Drop | Intercept::ApplyThenLose | Intercept::ApplyLate(_)
            );
            if lost {
                self.witness.answers(request, None);
            }
            verdict
        } else if self.locked().outage && request.user_agent != super::hand::USER {
            Intercept::Drop
        } else {
            Intercept::Pass
        };
        self.witness.asked(request, &verdict);
        verdict
    }

    fn answered(&self, request: &RequestInfo, code: u16) {
        if request.user_agent.starts_with(OPERATOR) {
            self.witness.answers(request, Some(code));
        }
    }
}

fn stream(request: &RequestInfo) -> Stream {
    match (request.verb.as_str(), request.resource.as_str()) {
        (_, "leases") => Stream::Lease,
        (_, "events") => Stream::Event,
        ("list", _) => Stream::List,
        ("watch", _) => Stream::Watch,
        _ => Stream::Work,
    }
}

fn intercept(fault: CallFault, request: &RequestInfo) -> Intercept {
    let millis = Duration::from_millis;
    let refuse = |code: u16, reason: &str, message: &str, retry_after| {
        Intercept::Refuse(Refusal {
            code,
            reason: reason.to_owned(),
            message: format!("{message} (simulated)"),
            retry_after,
        })
    };
    match fault {
        CallFault::Conflict if request.verb == "create" => {
            refuse(409, "AlreadyExists", "the object already exists", None)
        }
        CallFault::Conflict => refuse(
            409,
            "Conflict",
            "the object has been modified; please apply your changes to the latest version",
            None,
        ),
        CallFault::Invalid => refuse(422, "Invalid", "spec: Invalid value", None),
        CallFault::TooLarge => refuse(413, "RequestEntityTooLarge", "limit is 3145728", None),
        CallFault::Denied => refuse(
            403,
            "Forbidden",
            "is forbidden: User \"system:serviceaccount:ops:remediation-orchestrator\" cannot do this",
            None,
        ),
        CallFault::QuotaExceeded => {
            refuse(403, "Forbidden", "is forbidden: exceeded quota: all", None)
        }
        CallFault::PolicyDenied => refuse(
            403,
            "Forbidden",
            "admission webhook \"policy.example.com\" denied the request: no",
            None,
        ),
        CallFault::Unauthorized => refuse(401, "Unauthorized", "Unauthorized", None),
        CallFault::TooMany(seconds) => refuse(
            429,
            "TooManyRequests",
            "the server has received too many requests",
            seconds,
        ),
        CallFault::ServerError => refuse(500, "InternalError", "an error on the server", None),
        CallFault::Unavailable => refuse(503, "ServiceUnavailable", "apiserver not ready", None),
        CallFault::Expired => refuse(410, "Expired", "the version is too old", None),
        CallFault::Refused => Intercept::Drop,
        CallFault::Silent => Intercept::Delay(NEVER),
        CallFault::AppliedSilent => Intercept::ApplyThenDelay(NEVER),
        CallFault::Lost => Intercept::ApplyThenLose,
        CallFault::AppliedLate(late) => Intercept::ApplyLate(millis(late)),
        CallFault::Twice => Intercept::ApplyTwice,
        CallFault::Slow(late) => Intercept::Delay(millis(late)),
    }
}
