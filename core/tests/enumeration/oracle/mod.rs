//! What `decide` must answer, written from the page of behaviour and not from the code: no rule of the core is called
//! from here, only its words (names, phases, kinds, the shapes of actions and of status).
//!
//! A forecast is a list of actions. Texts for people in it are fragments that the real text must contain; everything
//! else must be equal.

mod active;
mod analysis;
mod clocks;
mod ended;
mod executing;
mod facts;
mod failing;
mod plans;
mod progress;
mod record;
mod sweep;

use jiff::Timestamp;
use remediation_core::action::{Action, Event, EventSeverity, NewChild};
use remediation_core::children::{Child, ChildKey, Children};
use remediation_core::decide::State;
use remediation_core::error::Category;
use remediation_core::phase::Phase;
use remediation_core::status::Status;
use remediation_core::time::Time;

use crate::domain::build::Input;

/// The actions that the page of behaviour asks for.
pub(crate) fn forecast(input: &Input) -> Vec<Action> {
    let request = &input.state.request;
    let mut oracle = Oracle::new(input);
    if request.deleting {
        return Vec::new();
    }
    if request.status.completion_time.is_some() {
        oracle.ended();
        return oracle.out;
    }
    if let Some(ended) = oracle.end_that_was_taken_away() {
        oracle.ends_again(ended);
        return oracle.out;
    }
    if request.spec.suspend {
        oracle.suspended();
        return oracle.out;
    }
    oracle.resume();
    oracle.mend_clocks();
    if request.status.failure_phase.is_some() || request.status.failure_category.is_some() {
        oracle.finish_failing();
    } else {
        oracle.live();
    }
    oracle.out
}

/// A forecast in the making.
pub(crate) struct Oracle<'a> {
    state: &'a State,
    children: &'a Children,
    now: Timestamp,
    /// `now` as status stores it.
    stamp: Time,
    /// The status as it will be.
    status: Status,
    /// The phases that are entered.
    path: Vec<Phase>,
    creates: Vec<NewChild>,
    reads: Vec<ChildKey>,
    /// What is announced behind a record.
    events: Vec<Event>,
    /// What holds the remediation up: a reason, and a part of its message.
    trouble: Option<(&'static str, String)>,
    /// Moments at which it must be decided again, besides the deadlines.
    wakes: Vec<Timestamp>,
    waiting_for: Option<String>,
    /// The workflow that is believed.
    workflow: Option<&'a Child>,
    /// Whether a step is ready, but a deadline has passed.
    skipped: bool,
    out: Vec<Action>,
}

/// Why a remediation fails.
pub(crate) struct Failure {
    reason: String,
    /// A part of the message.
    says: String,
    category: Category,
    timed_out: bool,
}

impl Failure {
    fn of_child(reason: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            says: says.into(),
            category: Category::F,
            timed_out: false,
        }
    }

    fn invalid(reason: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            category: Category::C,
            ..Self::of_child(reason, says)
        }
    }
}

impl<'a> Oracle<'a> {
    fn new(input: &'a Input) -> Self {
        Self {
            state: &input.state,
            children: &input.children,
            now: input.now,
            stamp: Time::at(input.now),
            status: input.state.request.status.clone(),
            path: Vec::new(),
            creates: Vec::new(),
            reads: Vec::new(),
            events: Vec::new(),
            trouble: None,
            wakes: Vec::new(),
            waiting_for: input.state.request.status.waiting_for.clone(),
            workflow: None,
            skipped: false,
            out: Vec::new(),
        }
    }

    fn before(&self) -> &'a Status {
        &self.state.request.status
    }

    fn announce(severity: EventSeverity, reason: &'static str, says: &str) -> Event {
        Event {
            severity,
            reason,
            note: says.to_owned(),
        }
    }
}
