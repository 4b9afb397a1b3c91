//! What is checked of a decision when it is made, from what the pass had truly seen: written from the page of promises,
//! not from the code.

use jiff::Timestamp;
use remediation_core::action::{ChildSpec, NewChild};
use remediation_core::error::Category;
use remediation_core::kind::REQUEST_UID_LABEL;
use remediation_core::memory::Memory;
use remediation_core::names::Occasion;
use remediation_core::pass::{Call, RecordCall};
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::status::Status;
use remediation_core::time::Time;

use super::config::Config;
use super::passes::{Next, Node};
use super::reach::EDGES;
use super::server::{CallC, Out, Refusal};
use super::state::{DELETING, Obj, Rr, SUSPENDED};
use super::statuses::{Entry, Statuses, deadlines, overall, reason_hash};
use super::words::{
    AIA, ODD, REQUEST_SLOTS, RP, SLOTS, STEP_A, STEP_B, WFE, enriched_by, fails, identity, leads,
    millis, read_version, slot, uid,
};

/// What a pass has truly seen.
pub(crate) struct Truth {
    pub(crate) rr: Rr,
    pub(crate) seen: [Obj; SLOTS],
}

impl Truth {
    pub(crate) fn began(rr: Rr, objs: &[Obj; REQUEST_SLOTS]) -> Self {
        let mut seen = [Obj::default(); SLOTS];
        seen[..REQUEST_SLOTS].copy_from_slice(objs);
        Self { rr, seen }
    }

    pub(crate) fn answered(before: &Node, out: Out) -> Self {
        let (mut rr, mut seen) = (before.rr, before.seen);
        match (out, before.next) {
            (Out::Child(slot, obj), _) => seen[usize::from(slot)] = obj,
            (Out::Request(request), _) if request.inc == rr.inc => rr = request,
            (
                Out::Failed(Refusal::NotFound) | Out::Deleted,
                Next::Call(CallC::ReadRequest | CallC::DeleteRequest { .. }),
            )
            | (Out::Request(_), _) => rr.flags |= DELETING,
            (
                Out::Failed(Refusal::NotFound) | Out::Deleted,
                Next::Call(
                    CallC::Read { slot }
                    | CallC::DeleteChild { slot, .. }
                    | CallC::Restore { slot, .. },
                ),
            ) => seen[usize::from(slot)] = Obj::default(),
            (Out::Deleted | Out::Failed(_), _) => {}
        }
        Self { rr, seen }
    }
}

/// A decision, and what it is looked at with.
pub(crate) struct Look<'a> {
    pub(crate) config: &'a Config,
    pub(crate) statuses: &'a Statuses,
    pub(crate) truth: &'a Truth,
    pub(crate) memory: &'a Memory,
    pub(crate) now: Timestamp,
    pub(crate) found: &'a mut Vec<String>,
}

impl Look<'_> {
    /// Checks a call, and puts it in the numbers of the model.
    pub(crate) fn at(mut self, call: &Call) -> CallC {
        let place = |key| slot(key).unwrap_or(ODD) as u8;
        let entry = self.statuses.get(self.truth.rr.status);
        match call {
            Call::Create(new) => self.create(new, &entry),
            Call::Record(record) => {
                let from = &entry.status;
                let (edges, found) = transition(from, &record.to, self.now);
                self.found.extend(found);
                self.outrun(record, &entry);
                if record.from == record.to {
                    self.found
                        .push("S28: writes what is recorded already".into());
                }
                CallC::Record {
                    rv: read_version(&record.resource_version),
                    from: self.truth.rr.status,
                    to: self.statuses.id(&record.to),
                    edges,
                }
            }
            Call::Read(key) => CallC::Read { slot: place(key) },
            Call::ReadRequest => CallC::ReadRequest,
            Call::RestoreOwnership(seen) => CallC::Restore {
                slot: place(&seen.key),
                inc: super::words::inc_of(usize::from(place(&seen.key)), &seen.uid),
                rv: read_version(&seen.resource_version),
            },
            Call::DeleteChild(seen) => CallC::DeleteChild {
                slot: place(&seen.key),
                inc: super::words::inc_of(usize::from(place(&seen.key)), &seen.uid),
                rv: read_version(&seen.resource_version),
            },
            Call::DeleteRequest { resource_version } => CallC::DeleteRequest {
                rv: read_version(resource_version),
            },
        }
    }

    fn create(&mut self, new: &NewChild, entry: &Entry) -> CallC {
        let slot = slot(&new.key).unwrap_or(ODD);
        let (facts, status, rr) = (&entry.facts, &entry.status, self.truth.rr);
        let notification = slot >= REQUEST_SLOTS;
        let owed = notification && facts.escalated == Some(false);
        let mut wrong = |what: &str| self.found.push(format!("{what}: creates {}", new.key));
        if rr.is(DELETING) || (facts.terminal && !owed) {
            wrong("S5: it is over");
        }
        if rr.is(SUSPENDED) && !facts.terminal {
            wrong("S34: it is suspended");
        }
        if facts.failed && !notification {
            wrong("S4: a failure is recorded");
        }
        let uid_label = new.labels.get(REQUEST_UID_LABEL);
        if uid_label != Some(&identity(rr.inc).uid) {
            wrong("S16: not labelled with the UID of the request");
        }
        let held = |slot: usize| {
            let seen = self.truth.seen[slot];
            (seen.exists() && facts.refs[slot] == seen.inc && leads(slot, seen.status))
                .then_some(seen)
        };
        let led = match slot {
            AIA => held(RP).is_some(),
            WFE => held(AIA).is_some(),
            STEP_A => held(WFE).is_some(),
            STEP_B => held(WFE).is_some() && (facts.steps_done[0] || held(STEP_A).is_some()),
            _ => true,
        };
        if !led {
            wrong("S2: what leads to it was not seen successful");
        }
        let clock = resumed(status, self.now);
        let (ends, mut extra) = (overall(&clock), 0);
        let after = |time: Time| millis(time.as_millis());
        let right = match &new.spec {
            ChildSpec::Processing(spec) => {
                Some(&spec.targeting_data) == self.config.spec.targeting_data.as_ref()
            }
            ChildSpec::Analysis(spec) => {
                spec.enriched_data == enriched_by(self.truth.seen[RP].inc) && spec.attempt == 1
            }
            ChildSpec::Workflow(spec) => {
                extra = after(spec.not_after);
                let by = format!("act-{}", uid(AIA, self.truth.seen[AIA].inc));
                spec.recommendations.len() == 1
                    && spec.recommendations[0].action == by
                    && Some(spec.not_after) == ends
            }
            ChildSpec::Execution(spec) => {
                extra = after(spec.not_after);
                let begun = facts.phase == Some(Phase::Executing);
                let executing = if begun {
                    deadlines(&clock).into_iter().min()
                } else {
                    let limits = status.effective_policy.as_ref().map(|p| &p.timeouts);
                    let own = limits.map(|limits| Time::at(self.now).plus(limits.executing));
                    own.into_iter().chain(ends).min()
                };
                let changed = self.truth.seen[WFE].status == 8;
                let second = if changed { "Evict" } else { "Restart" };
                let actions = [(STEP_A, "a", "Drain"), (STEP_B, "b", second)];
                actions.contains(&(slot, spec.step.as_str(), spec.action.as_str()))
                    && Some(spec.not_after) == executing
            }
            ChildSpec::Notification(spec) => {
                let reason = spec.metadata.get("failure_reason");
                extra = reason.map_or(0, |reason| reason_hash(reason));
                let escalates = spec.occasion == Occasion::Escalation;
                let message = status.message.as_deref().unwrap_or_default();
                let start: String = message.chars().take(40).collect();
                // What was decided with the failure itself is compared when it is created.
                !escalates || !facts.failed || (extra == facts.reason && spec.body.contains(&start))
            }
        };
        if !right {
            wrong(if notification {
                "S13: it does not say what is recorded"
            } else {
                "S26: its spec does not follow from what is recorded"
            });
        }
        CallC::Create {
            slot: slot as u8,
            extra,
        }
    }

    /// S11: no deadline is declared passed where a child was seen terminal, unless what follows was refused.
    fn outrun(&mut self, record: &RecordCall, entry: &Entry) {
        let timed_out = record.to.timeout_phase.is_some() && !entry.facts.failed;
        if !timed_out || !self.memory.refusals.is_empty() {
            return;
        }
        let said = |slot: usize| {
            let seen = self.truth.seen[slot];
            let named = seen.exists() && entry.facts.refs[slot] == seen.inc;
            named.then_some(seen.status)
        };
        let over = match entry.facts.phase {
            Some(Phase::Processing) => said(RP).is_some_and(|s| leads(RP, s) || fails(RP, s)),
            Some(Phase::Analyzing) => said(AIA).is_some_and(|s| leads(AIA, s) || fails(AIA, s)),
            Some(Phase::WorkflowPlanning | Phase::Executing) => {
                let step_failed = [STEP_A, STEP_B]
                    .iter()
                    .any(|step| said(*step).is_some_and(|s| fails(*step, s)));
                said(WFE).is_some_and(|s| s == 5 || fails(WFE, s)) || step_failed
            }
            _ => false,
        };
        // What holds the name of the next child and is on its way out is waited for, as long as the phase may last.
        let next = match entry.facts.phase {
            Some(Phase::Processing) => self.truth.seen[AIA],
            Some(Phase::Analyzing) => self.truth.seen[WFE],
            _ => Obj::default(),
        };
        let taken = next.exists() && (next.is(DELETING) || next.owner != self.truth.rr.inc);
        if over && !taken {
            self.found
                .push("S11: a deadline beats a child that was seen terminal".into());
        }
    }
}

/// What does not hold of a status write, whoever stored what it replaces; and the edges that it takes.
pub(crate) fn transition(from: &Status, to: &Status, now: Timestamp) -> (u16, Vec<String>) {
    let mut found = Vec::new();
    let mut wrong = |what: &str| found.push(what.to_owned());
    let phase = |s: &Status| {
        s.phase
            .as_ref()
            .map_or("Pending".into(), ToString::to_string)
    };
    let (before, after) = (phase(from), phase(to));
    let terminal = |s: &Status| s.completion_time.is_some();
    let failed = |s: &Status| s.failure_phase.is_some() || s.failure_category.is_some();
    let unplaced = match &from.phase {
        Some(PhaseWord::Unknown(_)) => true,
        Some(PhaseWord::Known(phase)) => phase.is_terminal() && !terminal(from),
        None => false,
    };
    let mut path = vec![before.clone()];
    let entries = to.history.get(from.history.len()..).unwrap_or_default();
    let kept = to.history.get(..from.history.len());
    if kept != Some(&from.history[..]) {
        wrong("S35: history was rewritten");
    }
    let entered: Vec<String> = entries
        .iter()
        .map(|entry| entry.phase.to_string())
        .collect();
    let begins = before == "Pending" && (after == "Initializing" || !entered.is_empty());
    path.extend(begins.then(|| "Initializing".to_owned()));
    path.extend(entered);
    if path.last() != Some(&after) {
        wrong(&format!(
            "S35: {before} became {after} without an entry in history"
        ));
    }
    let mut edges = 0;
    for pair in path.windows(2) {
        let edge = EDGES
            .iter()
            .position(|edge| *edge == (&*pair[0], &*pair[1]));
        match edge {
            Some(edge) => edges |= 1 << edge,
            None if unplaced => {}
            None => wrong(&format!("S6: from {} to {}", pair[0], pair[1])),
        }
    }
    if terminal(from)
        && (before != after
            || from.reason != to.reason
            || from.completion_time != to.completion_time)
    {
        wrong("S7: an ending changed");
    }
    let over = |phase: &PhaseWord| matches!(phase, PhaseWord::Known(p) if p.is_terminal());
    let taken_away = from.history.last().filter(|e| over(&e.phase));
    if let Some(end) = taken_away.filter(|_| !terminal(from))
        && (before != after
            || from.reason != to.reason
            || to.completion_time != Some(end.time)
            || from.phase_start_time != to.phase_start_time)
    {
        wrong("S7: an end whose time a hand took away became another");
    }
    if failed(from) {
        let outcome = |s: &Status| {
            let fixed = (
                s.failure_phase,
                s.failure_category,
                s.timeout_phase,
                s.failure_time,
            );
            (fixed, s.reason.clone(), s.message.clone())
        };
        if outcome(from) != outcome(to) {
            wrong("S11: a recorded failure changed");
        }
    }
    if terminal(to) && !terminal(from) && failed(to) != (after == "Failed") {
        wrong("S11: the end is not the one that was recorded");
    }
    let once = [
        (from.start_time, to.start_time),
        (from.completion_time, to.completion_time),
        (from.failure_time, to.failure_time),
        (from.approval_requested_time, to.approval_requested_time),
    ];
    if once.iter().any(|(a, b)| a.is_some() && a != b) {
        wrong("S8: a time was written twice");
    }
    if to.phase_start_time < from.phase_start_time {
        wrong("S8: phaseStartTime went back");
    }
    if from.effective_policy.is_some() && from.effective_policy != to.effective_policy {
        wrong("S27: the policy in force changed");
    }
    if to.overall_progress < from.overall_progress || to.steps_completed < from.steps_completed {
        wrong("S23: progress went back");
    }
    if (to.overall_progress == Some(100)) != (after == "Completed") && !unplaced {
        wrong("S23: 100 % is Completed, and nothing else is");
    }
    let frozen = from.kubernetes_execution_refs.iter().all(|old| {
        let new = to.execution(&old.step);
        new.is_none_or(|new| new.completed >= old.completed)
    });
    if !frozen {
        wrong("S23: a completed step is none any more");
    }
    if to.timeout_phase.is_some() && !failed(from) {
        let clock = resumed(from, now);
        if !deadlines(&clock)
            .iter()
            .any(|deadline| deadline.moment() <= now)
        {
            wrong("S9: timed out before any deadline");
        }
    }
    if to.failure_category == Some(Category::B) || (failed(to) && to.reason.is_none()) {
        wrong("S24: a failure without a cause that ends it");
    }
    (edges, found)
}

/// The status with the pause that ends now counted: what is resumed is decided on, and recorded, in one.
fn resumed(status: &Status, now: Timestamp) -> Status {
    let mut clock = status.clone();
    if let Some(since) = clock.suspended_since.take() {
        let pause = Time::at(now).since(since);
        for paused in [&mut clock.suspended_in_phase, &mut clock.suspended_total] {
            *paused = Some(paused.unwrap_or_default().plus(pause));
        }
    }
    clock
}

/// What does not hold once a pass has nothing left to do.
pub(crate) fn at_rest(
    truth: &Truth,
    entry: &Entry,
    memory: &Memory,
    wake: Option<Timestamp>,
    now: Timestamp,
    found: &mut Vec<String>,
) {
    let facts = &entry.facts;
    if wake.is_some_and(|wake| wake <= now) {
        found.push("S10: a wake-up that is not ahead".into());
    }
    let stands_still = truth.rr.is(DELETING) || (truth.rr.is(SUSPENDED) && !facts.terminal);
    if stands_still || !memory.refusals.is_empty() {
        return;
    }
    let due = if facts.terminal {
        facts.expiry
    } else {
        facts.deadline
    };
    let Some(due) = due.map(super::words::moment) else {
        return;
    };
    // A pass that lost three races in a row, or that found its request gone, has nothing to say.
    let soon = wake.is_some_and(|wake| wake <= now + jiff::SignedDuration::from_secs(1));
    if wake.is_none_or(|wake| wake > due) && due > now && !soon {
        found.push("S10: no wake-up at the next deadline".into());
    }
    if due <= now && !soon {
        found.push("S9/L1: at rest past a deadline".into());
    }
}
