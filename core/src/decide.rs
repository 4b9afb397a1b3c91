//! The decision: from what is seen of a request and its children to what is to be done about it.
//!
//! When several rules apply, [`ORDER`] holds. The rules of each phase stand in the file of that phase.

use std::sync::Arc;

use jiff::Timestamp;

use crate::action::Action;
use crate::children::Children;
use crate::draft::Draft;
use crate::memory::Memory;
use crate::phases::{self, failing, suspended, terminal};
use crate::policy::Settings;
use crate::request::Request;
use crate::rule::Rule;
use crate::view::View;

/// When several rules apply, the first of these is followed. The first four stand in [`explain`], the rest in the
/// files of the phases and, for the clock, in `phases/mod.rs`.
pub const ORDER: [&str; 9] = [
    "The request is being deleted.",
    "It ended.",
    "It is suspended.",
    "A failure is recorded already.",
    "A child failed.",
    "A child completed.",
    "A child was deleted.",
    "The plan is invalid.",
    "The earlier of the deadlines that have passed: exactly at a deadline it has passed.",
];

/// Everything but the children that a decision depends on.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The request as it was seen.
    pub request: Request,
    /// The operator's settings.
    pub settings: Arc<Settings>,
    /// What this process remembers of the request.
    pub memory: Memory,
}

/// What is to be done, and the rule that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The rule.
    pub rule: Rule,
    /// What is to be done, in order; it is safe to stop after any of it.
    pub actions: Vec<Action>,
}

/// What is to be done, in order. Pure and total: the same input gives the same actions, whatever it is.
#[must_use]
pub fn decide(state: &State, children: &Children, now: Timestamp) -> Vec<Action> {
    explain(state, children, now).actions
}

/// What is to be done, and the rule that says so.
#[must_use]
pub fn explain(state: &State, children: &Children, now: Timestamp) -> Decision {
    let view = View {
        state,
        children,
        now,
    };
    let request = &state.request;
    if request.deleting {
        return Decision {
            rule: Rule::BeingDeleted,
            actions: Vec::new(),
        };
    }
    if request.status.is_terminal() {
        return terminal::decide(&view);
    }
    if let Some(ended) = request.status.forgotten_end() {
        return terminal::restore(&view, ended);
    }
    if request.spec.suspend {
        return suspended::decide(&view);
    }
    let mut draft = Draft::of(&view);
    suspended::resume(&view, &mut draft);
    draft.repair_clocks();
    let verdict = if request.status.has_failed() {
        failing::finish(&view, &mut draft)
    } else {
        phases::decide(&view, &mut draft)
    };
    draft.conclude(&view, verdict)
}
