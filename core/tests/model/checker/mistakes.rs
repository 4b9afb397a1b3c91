//! Mistakes made on purpose around the real decision and executor: a checker that notices none of them would prove
//! nothing. What ships is [`NONE`].

use jiff::Timestamp;
use remediation_core::action::ChildSpec;
use remediation_core::children::{Child, ChildKey, ChildStatus, Owner};
use remediation_core::kind::{ChildKind, REQUEST_KIND};
use remediation_core::memory::{Errand, Memory};
use remediation_core::names::Occasion;
use remediation_core::pass::{Call, Outcome};
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::request::Request;
use remediation_core::time::{GoDuration, Time};
use serde_json::{Value, json};

use super::config::{Config, Hand, named};
use super::server::Refusal;
use super::state::{Budget, Obj};
use super::words::{ODD, child, key, slot};

/// What is done wrongly.
pub(crate) struct Mistake {
    pub(crate) name: &'static str,
    /// The request is seen otherwise than it is.
    pub(crate) request: fn(&mut Request, Timestamp),
    /// A child is seen otherwise than it is.
    pub(crate) child: fn(&mut Child, &Request, Timestamp),
    /// Another call is made than the one that was asked for.
    pub(crate) call: fn(&mut Call),
    /// A call is not made at all: this is believed instead.
    pub(crate) answer: fn(&Call, &Request) -> Option<Outcome>,
    /// What is believed instead of what came of a call.
    pub(crate) outcome: fn(&Call, Outcome) -> Outcome,
    /// How far the clock is off that decisions are made by, in milliseconds.
    pub(crate) skew: i64,
    /// Status writes do not carry the resource version that they were decided from.
    pub(crate) unconditional_status: bool,
    /// Deletes carry no preconditions.
    pub(crate) unconditional_delete: bool,
    /// Wake-ups are forgotten.
    pub(crate) sleeps: fn(&Memory) -> bool,
    /// A pass ends after one call.
    pub(crate) hasty: bool,
    /// The request is seen otherwise by a process that remembers nothing yet.
    pub(crate) anew: fn(&mut Request),
}

/// None.
pub(crate) const NONE: Mistake = Mistake {
    name: "none",
    request: |_, _| {},
    child: |_, _, _| {},
    call: |_| {},
    answer: |_, _| None,
    outcome: |_, outcome| outcome,
    skew: 0,
    unconditional_status: false,
    unconditional_delete: false,
    sleeps: |_| false,
    hasty: false,
    anew: |_| {},
};

/// A mistake, the configuration that must show it, and the promises of which one must be seen broken.
pub(crate) struct Canary {
    pub(crate) mistake: &'static Mistake,
    pub(crate) config: &'static str,
    pub(crate) narrowed: fn(&mut Config),
    pub(crate) breaks: &'static [&'static str],
}

impl Canary {
    pub(crate) fn config(&self) -> Config {
        let mut config = named(self.config).expect("a configuration");
        config.mistake = self.mistake;
        config.fair_every = 1;
        (self.narrowed)(&mut config);
        config
    }
}

const AS_IT_IS: fn(&mut Config) = |_| {};

fn escalates(call: &Call) -> bool {
    let Call::Create(new) = call else {
        return false;
    };
    matches!(&new.spec, ChildSpec::Notification(n) if n.occasion == Occasion::Escalation)
}

/// An object that nobody made.
fn imagined(key: &ChildKey) -> Option<Outcome> {
    let made_up = Obj {
        inc: 1,
        rv: 1,
        owner: 1,
        ..Obj::default()
    };
    Some(Outcome::Child(Box::new(child(slot(key)?, made_up))))
}

fn say(child: &mut Child, status: Value) {
    child.status = ChildStatus::read(child.key.kind, status);
}

fn phase(request: &mut Request, phase: Phase) {
    request.status.phase = Some(PhaseWord::Known(phase));
}

/// All of them.
pub(crate) static CANARIES: [Canary; 37] = [
    Canary {
        mistake: &Mistake {
            name: "status-before-create",
            answer: |call, _| match call {
                Call::Create(new) if new.key.kind == ChildKind::WorkflowExecution => {
                    imagined(&new.key)
                }
                _ => None,
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["rule 3"],
    },
    Canary {
        mistake: &Mistake {
            name: "no-precondition-on-status",
            unconditional_status: true,
            ..NONE
        },
        config: "leaders",
        narrowed: AS_IT_IS,
        breaks: &["S27"],
    },
    Canary {
        mistake: &Mistake {
            name: "no-precondition-on-delete",
            unconditional_delete: true,
            ..NONE
        },
        config: "people",
        narrowed: |config| {
            config.hands = &[Hand::DeleteChild, Hand::Foreign];
            config.fair_every = u64::MAX;
            config.budget = Budget {
                crashes: 1,
                hands: 2,
                lapses: 1,
                ..Budget::default()
            };
        },
        breaks: &["S14"],
    },
    Canary {
        mistake: &Mistake {
            name: "believes-foreign-objects",
            child: |child, request, _| {
                if let Some(owner) = child.owner.as_mut().filter(|owner| owner.uid == "theirs") {
                    owner.uid.clone_from(&request.identity.uid);
                }
            },
            ..NONE
        },
        config: "people",
        narrowed: AS_IT_IS,
        breaks: &["S15"],
    },
    Canary {
        mistake: &Mistake {
            name: "adopts-earlier-incarnations",
            child: |child, request, _| {
                if let Some(owner) = child
                    .owner
                    .as_mut()
                    .filter(|owner| owner.kind == REQUEST_KIND)
                {
                    *owner = Owner {
                        uid: request.identity.uid.clone(),
                        ..owner.clone()
                    };
                }
            },
            ..NONE
        },
        config: "again",
        narrowed: |config| config.fair_every = u64::MAX,
        breaks: &["S16"],
    },
    Canary {
        mistake: &Mistake {
            name: "believes-an-absence-from-the-cache",
            answer: |call, _| match call {
                Call::Read(key) if key.kind == ChildKind::WorkflowExecution => {
                    Some(Outcome::Failed(Refusal::NotFound.failure()))
                }
                _ => None,
            },
            ..NONE
        },
        config: "blind",
        narrowed: |config| {
            config.fair_every = u64::MAX;
            config.budget = Budget::default();
        },
        breaks: &["rule 5"],
    },
    Canary {
        mistake: &Mistake {
            name: "creates-a-lost-execution-again",
            request: |request, _| {
                if request.status.known_phase() == Some(Phase::WorkflowPlanning) {
                    phase(request, Phase::Analyzing);
                    request.status.workflow_execution_ref = None;
                    request.status.history.pop();
                }
            },
            ..NONE
        },
        config: "people",
        narrowed: |config| {
            config.hands = &[Hand::DeleteChild];
            config.fair_every = u64::MAX;
            config.budget = Budget {
                crashes: 1,
                hands: 1,
                ..Budget::default()
            };
        },
        breaks: &["S1"],
    },
    Canary {
        mistake: &Mistake {
            name: "takes-no-answer-for-success",
            outcome: |call, outcome| match (call, outcome) {
                (Call::Create(new), Outcome::Failed(failure)) if failure.timed_out => {
                    imagined(&new.key).unwrap_or(Outcome::Failed(failure))
                }
                (_, outcome) => outcome,
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["rule 3"],
    },
    Canary {
        mistake: &Mistake {
            name: "escalates-again-under-another-name",
            call: |call| {
                if let Call::Create(new) = call
                    && let ChildSpec::Notification(notification) = &new.spec
                    && notification.priority == "urgent"
                {
                    new.key = key(ODD).clone();
                }
            },
            ..NONE
        },
        config: "leaders",
        narrowed: |config| {
            config.fair_every = u64::MAX;
            config.budget = Budget {
                clock: 1,
                ..Budget::default()
            };
        },
        breaks: &["S12"],
    },
    Canary {
        mistake: &Mistake {
            name: "escalates-before-it-is-recorded",
            answer: |call, request| match call {
                Call::Record(record)
                    if record.to.failure_phase.is_some() && record.to.completion_time.is_none() =>
                {
                    Some(Outcome::Request(Box::new(Request {
                        status: record.to.clone(),
                        ..request.clone()
                    })))
                }
                _ => None,
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S12"],
    },
    Canary {
        mistake: &Mistake {
            name: "tells-nobody",
            answer: |call, _| match call {
                Call::Create(new) if escalates(call) => imagined(&new.key),
                _ => None,
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["L4"],
    },
    Canary {
        mistake: &Mistake {
            name: "moves-an-end-that-was-taken-away",
            call: |call| {
                if let Call::Record(record) = call
                    && record.from.completion_time.is_none()
                    && record.from.history == record.to.history
                    && let Some(end) = &mut record.to.completion_time
                {
                    *end = end.plus(GoDuration::from_secs(1));
                }
            },
            ..NONE
        },
        config: "edits",
        narrowed: |config| config.hands = &[Hand::EditEnd],
        breaks: &["S7"],
    },
    Canary {
        mistake: &Mistake {
            name: "writes-over-an-ending",
            request: |request, _| {
                if request.status.completion_time.take().is_some() {
                    phase(request, Phase::Processing);
                }
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S7"],
    },
    Canary {
        mistake: &Mistake {
            name: "acts-while-suspended",
            request: |request, _| request.spec.suspend = false,
            ..NONE
        },
        config: "approval",
        narrowed: AS_IT_IS,
        breaks: &["S34"],
    },
    Canary {
        mistake: &Mistake {
            name: "acts-while-deleted",
            request: |request, _| request.deleting = false,
            ..NONE
        },
        config: "people",
        narrowed: AS_IT_IS,
        breaks: &["S5"],
    },
    Canary {
        mistake: &Mistake {
            name: "a-millisecond-early",
            skew: 1,
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S9"],
    },
    Canary {
        mistake: &Mistake {
            name: "a-millisecond-late",
            skew: -1,
            ..NONE
        },
        config: "plain",
        narrowed: |config| config.fair_every = u64::MAX,
        breaks: &["S10"],
    },
    Canary {
        mistake: &Mistake {
            name: "the-clock-beats-the-child",
            child: |child, request, now| {
                let due = request.status.next_deadline;
                if due.is_some_and(|due| due.reached(now)) {
                    say(child, Value::Null);
                }
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S11"],
    },
    Canary {
        mistake: &Mistake {
            name: "never-wakes",
            sleeps: |_| true,
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S10"],
    },
    Canary {
        mistake: &Mistake {
            name: "sweeps-what-is-named",
            request: |request, _| {
                if request.status.is_terminal() {
                    request.status.workflow_execution_ref = None;
                }
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S14"],
    },
    Canary {
        mistake: &Mistake {
            name: "sweeps-nothing",
            answer: |call, _| matches!(call, Call::DeleteChild(_)).then_some(Outcome::Deleted),
            ..NONE
        },
        config: "leaders",
        narrowed: |config| config.budget.clock = 2,
        breaks: &["L14"],
    },
    Canary {
        mistake: &Mistake {
            name: "forgets-history",
            call: |call| {
                if let Call::Record(record) = call {
                    record.to.history.clear();
                }
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S35"],
    },
    Canary {
        mistake: &Mistake {
            name: "progress-goes-back",
            call: |call| {
                if let Call::Record(record) = call {
                    record.to.overall_progress = Some(0);
                }
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S23"],
    },
    Canary {
        mistake: &Mistake {
            name: "policy-of-the-day",
            request: |request, _| request.status.effective_policy = None,
            ..NONE
        },
        config: "leaders",
        narrowed: AS_IT_IS,
        breaks: &["S27"],
    },
    Canary {
        mistake: &Mistake {
            name: "deletes-a-day-early",
            request: |request, _| {
                let day = GoDuration::from_secs(86_400).as_millis();
                let earlier = |end: Time| Time::from_millis(end.as_millis() - day);
                request.status.completion_time = request.status.completion_time.map(earlier);
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S25"],
    },
    Canary {
        mistake: &Mistake {
            name: "an-unknown-word-is-success",
            child: |child, _, _| {
                if child.status.phase() == "Hibernating" {
                    say(child, json!({ "phase": "Completed" }));
                }
            },
            ..NONE
        },
        config: "people",
        narrowed: AS_IT_IS,
        breaks: &["S2"],
    },
    Canary {
        mistake: &Mistake {
            name: "skips-a-phase",
            call: |call| {
                if let Call::Record(record) = call
                    && record.to.known_phase() == Some(Phase::Analyzing)
                    && let Some(entry) = record.to.history.last_mut()
                {
                    let skipped = PhaseWord::Known(Phase::Executing);
                    entry.phase = skipped.clone();
                    record.to.phase = Some(skipped);
                }
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S6"],
    },
    Canary {
        mistake: &Mistake {
            name: "starts-again",
            call: |call| {
                if let Call::Record(record) = call
                    && let Some(start) = record.from.start_time
                {
                    record.to.start_time = Some(start.plus(GoDuration::from_secs(1)));
                }
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S8"],
    },
    Canary {
        mistake: &Mistake {
            name: "escalates-for-another-reason",
            call: |call| {
                if let Call::Create(new) = call
                    && let ChildSpec::Notification(spec) = &mut new.spec
                    && let Some(reason) = spec.metadata.get_mut("failure_reason")
                {
                    reason.push('x');
                }
            },
            ..NONE
        },
        config: "invalid",
        narrowed: AS_IT_IS,
        breaks: &["S13"],
    },
    Canary {
        mistake: &Mistake {
            name: "does-not-see-what-it-created",
            answer: |call, _| match call {
                Call::Create(new) if new.key.kind == ChildKind::AIAnalysis => imagined(key(ODD)),
                _ => None,
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S19"],
    },
    Canary {
        mistake: &Mistake {
            name: "an-outage-is-a-no",
            outcome: |_, outcome| match outcome {
                Outcome::Failed(failure) if failure == Refusal::Unavailable.failure() => {
                    Outcome::Failed(Refusal::Invalid.failure())
                }
                outcome => outcome,
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S21"],
    },
    Canary {
        mistake: &Mistake {
            name: "a-new-process-deletes-earlier",
            anew: |request| {
                if let Some(policy) = &mut request.status.effective_policy {
                    policy.ttl_seconds_after_finished -= 1;
                }
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S22"],
    },
    Canary {
        mistake: &Mistake {
            name: "gives-an-execution-more-time",
            call: |call| {
                if let Call::Create(new) = call
                    && let ChildSpec::Workflow(spec) = &mut new.spec
                {
                    spec.not_after = spec.not_after.plus(GoDuration::from_secs(1));
                }
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S26"],
    },
    Canary {
        mistake: &Mistake {
            name: "writes-what-is-recorded",
            call: |call| {
                if let Call::Record(record) = call
                    && record.from.phase.is_some()
                {
                    record.to = record.from.clone();
                }
            },
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["S28"],
    },
    Canary {
        mistake: &Mistake {
            name: "gives-up-after-a-refusal",
            sleeps: |memory| !memory.refusals.is_empty(),
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["L5"],
    },
    Canary {
        mistake: &Mistake {
            name: "gives-up-a-status-that-was-refused",
            sleeps: |memory| memory.refusal(&Errand::Record).is_some(),
            ..NONE
        },
        config: "plain",
        narrowed: AS_IT_IS,
        breaks: &["L2"],
    },
    Canary {
        mistake: &Mistake {
            name: "makes-one-call-a-pass",
            hasty: true,
            ..NONE
        },
        config: "invalid",
        narrowed: AS_IT_IS,
        breaks: &["L7"],
    },
];
