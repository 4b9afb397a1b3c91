//! Passes that panic: a bug that the operator must survive, made on purpose.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::BoxFuture;
use remediation_core::pass::{Call, Outcome};
use remediation_core::request::Identity;

use super::plan::{Plan, Trouble};
use super::witness::Witness;
use crate::kubernetes::calls::Calls;

/// Which calls panic, by their number over all processes.
pub(super) struct Panics {
    at: BTreeSet<u32>,
    made: AtomicU32,
    witness: Arc<Witness>,
}

impl Panics {
    pub(super) fn new(plan: &Plan, witness: Arc<Witness>) -> Self {
        let at = plan.troubles.iter().filter_map(|trouble| match trouble {
            Trouble::Panic { nth } => Some(*nth),
            _ => None,
        });
        Self {
            at: at.collect(),
            made: AtomicU32::new(0),
            witness,
        }
    }

    pub(super) fn wrap(self: Arc<Self>, calls: Arc<dyn Calls>) -> Arc<dyn Calls> {
        if self.at.is_empty() {
            return calls;
        }
        Arc::new(Panicking {
            panics: self,
            calls,
        })
    }
}

struct Panicking {
    panics: Arc<Panics>,
    calls: Arc<dyn Calls>,
}

impl Calls for Panicking {
    fn call(&self, request: &Identity, call: &Call) -> BoxFuture<'static, Outcome> {
        let nth = self.panics.made.fetch_add(1, Ordering::Relaxed);
        if self.panics.at.contains(&nth) {
            let witness = &self.panics.witness;
            witness.reach_about("Panic", Some(&request.name));
            // Without the message that a real bug would print.
            std::panic::resume_unwind(Box::new("made by the simulation"));
        }
        self.calls.call(request, call)
    }
}
