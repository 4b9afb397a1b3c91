//! The decision.
use jiff::Timestamp;

use crate::action::Action;
use crate::children::Children;
use crate::memory::Memory;
use crate::policy::Settings;
use crate::request::Request;

/// Everything but the children that a decision depends on.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The request as it was seen.
    pub request: Request,
    /// The operator's settings.
    pub settings: std::sync::Arc<Settings>,
    /// What this process remembers of the request.
    pub memory: Memory,
}

/// What to do, in order.
#[must_use]
pub fn decide(_state: &State, _children: &Children, _now: Timestamp) -> Vec<Action> {
    Vec::new()
}
