//! What is counted in rounds and in passes: how soon nothing is left to ask for (S19), how soon a success leads on (L3),
//! and that neither another pass nor another process has anything to add at the same moment (S19, S22).

use jiff::{SignedDuration, Timestamp};
use remediation_core::children::{Child, ChildKey, Children};
use remediation_core::decide::State;
use remediation_core::names;
use remediation_core::pass::{Call, Outcome};
use remediation_core::phase::Phase;
use remediation_core::status::ObjectRef;

use super::World;
use super::api::reads;
use super::children::{AIA, KEXEC, RP, WFE};
use super::oracle::Oracle;

/// The most rounds of a pass in which nothing is refused and no phase is entered, a round being: decide, do all that is
/// asked for, and decide again. The last decision, which asks for nothing, is none.
///
/// One step takes two rounds that write: create and name. Before it a child that the cache does not show takes one that
/// looks, and after it a lost analysis whose approval was asked for takes one more, to say that nobody is asked any longer.
const MOST_ROUNDS: u32 = 4;
/// For each phase that is entered: create and record, or record the failure and the end. A failure takes a look for the
/// success as well, and the end a sweep: five rounds for a phase that follows from one word of a child, and six where a
/// hand wrote into status, so that more than one thing may be missing.
const ROUNDS_A_PHASE: u32 = 2;

/// By the second pass that sees a success, what it leads to must have been asked for.
const SECOND_PASS: u32 = 2;

/// What a pass came by.
pub(super) struct Course {
    /// What the success that it saw leads to.
    owed: Option<ChildKey>,
    /// Whether it asked for that.
    asked: bool,
    /// Whether a call was refused in it, or is remembered as refused.
    disturbed: bool,
    refused: u32,
    /// How many views of the request it decided from.
    views: u32,
    entered: usize,
    pub(super) calls: usize,
}

impl Course {
    pub(super) fn asks(&mut self, call: &Call) {
        self.calls += 1;
        match call {
            Call::Create(new) => self.asked |= Some(&new.key) == self.owed.as_ref(),
            Call::Record(record) => self.entered += record.path.len(),
            // Somebody wrote in between: what is decided next is decided from another view.
            Call::ReadRequest => self.views += 1,
            Call::Read(_)
            | Call::RestoreOwnership(_)
            | Call::DeleteChild(_)
            | Call::DeleteRequest { .. } => {}
        }
    }

    pub(super) fn learns(&mut self, call: &Call, outcome: &Outcome) {
        let absent = matches!((call, outcome), (Call::Read(_), Outcome::Failed(failure)) if failure.code == 404);
        if matches!(outcome, Outcome::Failed(_)) && !absent {
            self.refused += 1;
            self.disturbed = true;
        }
    }
}

impl World {
    pub(super) fn begin_course(&self, state: &State, children: &Children) -> Course {
        Course {
            owed: self.owed(children),
            asked: false,
            disturbed: !state.memory.refusals.is_empty(),
            refused: 0,
            views: 1,
            entered: 0,
            calls: 0,
        }
    }

    /// Checks what was counted in a pass that came to its end.
    pub(super) fn end_course(&mut self, course: &Course) {
        self.refused = course.refused > 0;
        let entered = u32::try_from(course.entered).unwrap();
        let spared = u32::from(!self.oracle.edited && entered > 0);
        let most = MOST_ROUNDS * course.views + ROUNDS_A_PHASE * entered - spared + course.refused;
        let rounds = self.rounds - 1;
        if rounds > most {
            self.oracle
                .violated(format!("S19: {rounds} rounds, {most} are enough"));
        }
        let sat = course
            .owed
            .as_ref()
            .filter(|_| !course.asked && !course.disturbed);
        self.idle = if sat.is_some() { self.idle + 1 } else { 0 };
        if let Some(key) = sat.filter(|_| self.idle >= SECOND_PASS) {
            let passes = self.idle;
            self.oracle.violated(format!(
                "L3: {passes} passes saw what leads to {key}, and did not ask for it"
            ));
        }
    }

    /// What a success that this view shows leads to and is not there yet, by the page of behaviour.
    fn owed(&self, children: &Children) -> Option<ChildKey> {
        let request = self.request.as_ref()?;
        let status = &request.status;
        let due = Oracle::deadlines(status);
        let over = request.deleting
            || request.spec.suspend
            || status.is_terminal()
            || status.has_failed()
            || due.iter().any(|deadline| deadline.moment() <= self.now);
        if over {
            return None;
        }
        let stage = |kind| ChildKey::new(kind, names::stage(&request.identity, kind));
        let named = |kind, reference: &Option<ObjectRef>| -> Option<&Child> {
            let reference = reference.as_ref()?;
            let child = children.at(&ChildKey::new(kind, &*reference.name))?;
            (child.uid == reference.uid).then_some(child)
        };
        let next = match status.known_phase()? {
            Phase::Processing => {
                let processing = named(RP, &status.remediation_processing_ref)?;
                (processing.status.phase() == "Completed").then(|| stage(AIA))
            }
            Phase::Analyzing => {
                let analysis = named(AIA, &status.ai_analysis_ref)?.status.analysis();
                let agreed = match analysis.approval.decision.as_str() {
                    "Approved" => true,
                    "Rejected" => false,
                    _ => !analysis.approval.required,
                };
                let ready = matches!(analysis.phase.as_str(), "Ready" | "Completed") && agreed;
                let recommends = !analysis.investigation_result.recommendations.is_empty();
                let first = status.workflow_execution_ref.is_none();
                (ready && recommends && first).then(|| stage(WFE))
            }
            Phase::WorkflowPlanning | Phase::Executing => {
                let workflow = named(WFE, &status.workflow_execution_ref)?
                    .status
                    .workflow();
                let executes = matches!(
                    workflow.phase.as_str(),
                    "Executing" | "Running" | "Completed"
                );
                let plan = workflow
                    .plan
                    .as_ref()
                    .filter(|plan| executes && plan.executed_by == "Orchestrator")?;
                let completed = |step: &String| {
                    status.execution(step).is_some_and(|reference| {
                        let child = children.at(&ChildKey::new(KEXEC, &*reference.name));
                        let says = child.filter(|child| child.uid == reference.uid);
                        reference.completed
                            || says.is_some_and(|child| child.status.phase() == "Completed")
                    })
                };
                let ready = plan.steps.iter().find(|step| {
                    status.execution(&step.name).is_none() && step.depends_on.iter().all(completed)
                })?;
                let attempt = status.attempt.unwrap_or(1);
                Some(ChildKey::new(
                    KEXEC,
                    names::step(&request.identity, &ready.name, attempt),
                ))
            }
            Phase::Pending | Phase::Initializing | Phase::Completed | Phase::Failed => None,
        };
        next.filter(|key| !self.objects.contains_key(key))
    }

    /// Whether nothing is in the way: a second pass at the same moment sees what the first one left.
    fn is_quiet(&self) -> bool {
        let refused = self.refused || !self.memory.refusals.is_empty();
        let lags = !self.hidden.is_empty() || !self.late.is_empty() || self.arrived;
        !refused && !lags && self.faults.is_empty() && self.crash.is_none()
    }

    /// Tries a second pass at the same moment, by this process and by another.
    pub(super) fn check_second_pass(&mut self) {
        if !self.rests && !self.is_quiet() {
            return;
        }
        let mut again = self.clone();
        if !again.pass() {
            return;
        }
        let more = again.calls[self.calls.len()..].iter();
        let more: Vec<_> = more.filter(|call| self.rests || !reads(call)).collect();
        if !more.is_empty() {
            self.oracle
                .violated(format!("S19: not at rest, asks for {more:#?}"));
        } else if again.wake != self.wake {
            let woken = (self.wake, again.wake);
            self.oracle
                .violated(format!("S19: another wake-up, {woken:?}"));
        }
        // Progress is held back for a second, which only the process remembers that wrote last.
        let soon = |wake: Timestamp| wake.duration_since(self.now) <= SignedDuration::from_secs(1);
        if !self.is_quiet() || self.wake.is_some_and(soon) {
            return;
        }
        let mut anew = self.clone();
        anew.restart();
        anew.pass();
        let more = anew.calls[self.calls.len()..].iter();
        let more: Vec<_> = more.filter(|call| !reads(call)).collect();
        if !more.is_empty() || anew.wake != self.wake {
            let woken = (self.wake, anew.wake);
            self.oracle.violated(format!(
                "S22: a restart asks for {more:#?}, woken {woken:?}"
            ));
        }
    }
}
