//! Statuses, each kept once under a hash of its content, with what the model needs of it at hand.

use std::sync::Arc;

use remediation_core::names::Occasion;
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::status::Status;
use remediation_core::time::{GoDuration, Time};

use super::state::{Id, fingerprint};
use super::table::Table;
use super::words::{AIA, REQUEST_SLOTS, RP, STEP_A, STEP_B, WFE, inc_of, millis};

/// What a status amounts to, computed from the pages and not with the core's rules.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    /// The phase; `None` for a word that is none of ours.
    pub(crate) phase: Option<Phase>,
    /// Whether a phase is written at all.
    pub(crate) begun: bool,
    pub(crate) terminal: bool,
    pub(crate) failed: bool,
    /// By slot: which object it names.
    pub(crate) refs: [u8; REQUEST_SLOTS],
    /// The steps that it counts as completed.
    pub(crate) steps_done: [bool; 2],
    /// The earliest deadline, while there is one.
    pub(crate) deadline: Option<u32>,
    /// The overall deadline.
    pub(crate) overall: Option<u32>,
    /// What `nextDeadline` says; executors go by it.
    pub(crate) next_deadline: u32,
    /// When the request is to be deleted.
    pub(crate) expiry: Option<u32>,
    /// `Escalated`: set and true, set and false, or not set.
    pub(crate) escalated: Option<bool>,
    pub(crate) reason: u32,
    pub(crate) child_deleted: bool,
    pub(crate) no_path_back: bool,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) status: Status,
    pub(crate) facts: Facts,
}

/// All statuses that were ever stored or decided on.
pub(crate) struct Statuses(Table<Arc<Entry>>);

impl Statuses {
    pub(crate) fn new() -> Self {
        Self(Table::new())
    }

    pub(crate) fn id(&self, status: &Status) -> Id {
        let text = serde_json::to_vec(status).expect("a plain tree of structs");
        let id = fingerprint(&text);
        if self.0.get(id).is_none() {
            let facts = facts(status);
            let status = status.clone();
            self.0.put(id, Arc::new(Entry { status, facts }));
        }
        id
    }

    pub(crate) fn get(&self, id: Id) -> Arc<Entry> {
        self.0.get(id).expect("every status that is named is kept")
    }

    /// Nothing at all of a request that is not there.
    pub(crate) fn facts(&self, id: Id) -> Facts {
        if id == 0 {
            return Facts::default();
        }
        self.get(id).facts
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them as JSON, for a checkpoint.
    pub(crate) fn all(&self) -> Vec<String> {
        let text = |entry: &Arc<Entry>| serde_json::to_string(&entry.status);
        let all = self.0.all();
        all.iter()
            .map(|(_, entry)| text(entry).expect("a plain tree of structs"))
            .collect()
    }
}

/// A hash of a reason, small enough to stand in a state.
pub(crate) fn reason_hash(reason: &str) -> u32 {
    fingerprint(reason.as_bytes()) as u32
}

fn facts(status: &Status) -> Facts {
    let mut refs = [0; REQUEST_SLOTS];
    let stages = [
        (RP, &status.remediation_processing_ref),
        (AIA, &status.ai_analysis_ref),
        (WFE, &status.workflow_execution_ref),
    ];
    for (slot, reference) in stages {
        refs[slot] = reference.as_ref().map_or(0, |r| inc_of(slot, &r.uid));
    }
    let mut steps_done = [false; 2];
    for (slot, step) in [(STEP_A, "a"), (STEP_B, "b")] {
        if let Some(reference) = status.execution(step) {
            refs[slot] = inc_of(slot, &reference.uid);
            steps_done[slot - STEP_A] = reference.completed;
        }
    }
    let phase = status.known_phase();
    let terminal = status.completion_time.is_some();
    let failed = status.failure_category.is_some() || status.failure_phase.is_some();
    let at = |time: Time| millis(time.as_millis());
    let (deadline, overall) = if terminal || failed || status.suspended_since.is_some() {
        (None, None)
    } else {
        (
            deadlines(status).into_iter().min().map(at),
            overall(status).map(at),
        )
    };
    let ttl = status
        .effective_policy
        .as_ref()
        .map(|policy| GoDuration::from_secs(policy.ttl_seconds_after_finished));
    let expiry = status
        .completion_time
        .zip(ttl)
        .map(|(end, ttl)| end.plus(ttl));
    let escalated = status.condition("Escalated").map(|c| c.status == "True");
    let reason = status.reason.as_deref().unwrap_or_default();
    let terminal_word = matches!(status.phase, Some(PhaseWord::Known(p)) if p.is_terminal());
    Facts {
        phase,
        begun: status.phase.is_some(),
        terminal,
        failed,
        refs,
        steps_done,
        deadline,
        overall,
        next_deadline: status.next_deadline.map_or(0, at),
        expiry: expiry.map(at),
        escalated,
        reason: reason_hash(reason),
        child_deleted: reason == "ChildDeleted" && failed,
        no_path_back: phase.is_none() || (terminal_word && !terminal),
    }
}

/// The overall deadline: start + limit + all pauses.
pub(crate) fn overall(status: &Status) -> Option<Time> {
    let limits = &status.effective_policy.as_ref()?.timeouts;
    let paused = status.suspended_total.unwrap_or_default();
    Some(status.start_time?.plus(limits.overall).plus(paused))
}

/// All deadlines that run, as the page has them: start + limit + pause.
pub(crate) fn deadlines(status: &Status) -> Vec<Time> {
    let Some(policy) = &status.effective_policy else {
        return Vec::new();
    };
    let limits = &policy.timeouts;
    let paused = status.suspended_in_phase.unwrap_or_default();
    let of_phase = match status.known_phase() {
        Some(Phase::Initializing | Phase::Processing) => Some(limits.processing),
        Some(Phase::Analyzing) => Some(limits.analyzing),
        Some(Phase::WorkflowPlanning) => Some(limits.workflow_planning),
        Some(Phase::Executing) => Some(limits.executing),
        Some(Phase::Pending | Phase::Completed | Phase::Failed) | None => None,
    };
    let asked = status.approval_requested_time;
    let of_phase = match (asked, status.known_phase()) {
        (Some(asked), Some(Phase::Analyzing)) => Some(asked.plus(limits.approval)),
        _ => of_phase
            .zip(status.phase_start_time)
            .map(|(limit, start)| start.plus(limit)),
    };
    let of_phase = of_phase.map(|deadline| deadline.plus(paused));
    of_phase.into_iter().chain(overall(status)).collect()
}

/// The notification that an ending of this sort calls for.
pub(crate) fn owed(facts: &Facts) -> Option<Occasion> {
    match (facts.failed, facts.phase) {
        (true, _) => Some(Occasion::Escalation),
        (false, Some(Phase::Completed)) => Some(Occasion::Success),
        (false, _) => None,
    }
}
