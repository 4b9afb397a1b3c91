//! Mistakes made on purpose around the real decision and executor: a checker that notices none of them would prove
//! nothing. What ships is [`NONE`].

use jiff::Timestamp;
use remediation_core::children::Child;
use remediation_core::pass::{Call, Outcome};
use remediation_core::request::{Identity, Request};

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
    pub(crate) answer: fn(&Call, &Identity) -> Option<Outcome>,
    /// What is believed instead of what came of a call.
    pub(crate) outcome: fn(&Call, Outcome, &Identity) -> Outcome,
    /// How far the clock is off that decisions are made by, in milliseconds.
    pub(crate) skew: i64,
    /// Status writes do not carry the resource version that they were decided from.
    pub(crate) unconditional_status: bool,
    /// Deletes carry no preconditions.
    pub(crate) unconditional_delete: bool,
    /// Wake-ups are forgotten.
    pub(crate) sleeps: bool,
}

/// None.
pub(crate) const NONE: Mistake = Mistake {
    name: "none",
    request: |_, _| {},
    child: |_, _, _| {},
    call: |_| {},
    answer: |_, _| None,
    outcome: |_, outcome, _| outcome,
    skew: 0,
    unconditional_status: false,
    unconditional_delete: false,
    sleeps: false,
};
