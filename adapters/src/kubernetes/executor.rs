//! Drives one pass of the core: asks what to do, makes that one call, tells the core what came of it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use remediation_core::action::Event;
use remediation_core::pass::{Call, Outcome, Pass, Step};
use remediation_core::request::Identity;

use super::calls::Calls;
use super::failure;
use super::gate::Gate;
use crate::clock::Clock;

/// Who is told of what the executor does: metrics, logs, Events, and the memory of one's own writes.
pub trait Observer: Send + Sync + 'static {
    /// A call was answered, or not.
    fn answered(&self, request: &Identity, call: &Call, outcome: &Outcome, now: Timestamp);
    /// An Event is to be written. Must not wait.
    fn announce(&self, request: &Identity, event: Event);
}

/// Makes the calls that the core asks for.
pub struct Executor {
    /// The API server.
    pub calls: Arc<dyn Calls>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Whether this process may write at all.
    pub gate: Gate,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
    /// How long a call may take. After it the outcome is unknown: the call may have been applied.
    pub call_timeout: Duration,
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing is left to do before this moment, or before something changes.
    Done(Option<Timestamp>),
    /// This process may not act any more. Nothing was begun after that.
    NotLeading,
}

impl Executor {
    /// Runs the pass to its end. Afterwards the pass holds what is to be remembered.
    pub async fn run(&self, pass: &mut Pass) -> End {
        let request = pass.view().0.request.identity.clone();
        loop {
            match pass.next(self.clock.now()) {
                Step::Call(call) => {
                    if !self.gate.may_act(self.clock.now()) {
                        return End::NotLeading;
                    }
                    let outcome = self.make(&request, &call).await;
                    pass.learn(outcome, self.clock.now());
                }
                Step::Announce(event) => self.observer.announce(&request, event),
                Step::Done(wake) => return End::Done(wake),
            }
        }
    }

    /// Makes one call and tells the observer; an answer that does not come in time is an unknown outcome.
    pub async fn make(&self, request: &Identity, call: &Call) -> Outcome {
        let answer = tokio::time::timeout(self.call_timeout, self.calls.call(request, call));
        let outcome = answer
            .await
            .unwrap_or_else(|_| Outcome::Failed(failure::no_answer(self.call_timeout)));
        self.observer
            .answered(request, call, &outcome, self.clock.now());
        outcome
    }
}

#[cfg(test)]
#[path = "executor_tests.rs"]
mod tests;
