//! Progress: 1 for the processing, 1 for the analysis, and the workflow's steps; it never falls, and is 100 only at the end.

use remediation_core::children::Child;
use remediation_core::kind::ChildKind;
use remediation_core::phase::Phase;

use super::Oracle;
use super::facts::Seen;

/// The most steps of a workflow that are counted.
const MOST: i64 = 1024;

impl Oracle<'_> {
    /// Counts what is completed.
    pub(crate) fn count(&mut self) {
        let Some(phase) = self.phase() else { return };
        let (done, of) = self.workflow_counts();
        let before = match phase {
            Phase::Pending | Phase::Initializing | Phase::Processing => 0,
            Phase::Analyzing => 1,
            _ => 2,
        };
        self.show(before + done, 2 + of, 99);
    }

    /// All is completed, of as many as were shown.
    pub(crate) fn count_all(&mut self) {
        let of = self
            .begun_steps()
            .unwrap_or(self.status.steps_total.unwrap_or(0).saturating_sub(2));
        let known = self.status.steps_completed.unwrap_or(0).clamp(0, 2 + MOST);
        let total = (2 + of.clamp(1, MOST)).max(known);
        self.status.steps_total = Some(total);
        self.status.steps_completed = Some(total);
        self.status.overall_progress = Some(100);
    }

    /// How many steps the plan has that was begun.
    fn begun_steps(&self) -> Option<i64> {
        self.status
            .plan_hash
            .as_ref()?
            .split(':')
            .next()?
            .parse()
            .ok()
    }

    fn named_workflow(&self) -> Option<&Child> {
        let named = self.status.workflow_execution_ref.as_ref()?;
        match self.look(&self.stage(ChildKind::WorkflowExecution)) {
            Seen::Ours(child) if child.uid == named.uid => Some(child),
            Seen::Ours(_) | Seen::Taken | Seen::Gone | Seen::Unseen => None,
        }
    }

    fn show(&mut self, completed: i64, total: i64, most: i64) {
        let shown = self.status.steps_completed.unwrap_or(0).clamp(0, 2 + MOST);
        let completed = completed.max(shown);
        let total = total.max(completed);
        let percent = (completed * 100 / total)
            .max(self.status.overall_progress.unwrap_or(0))
            .clamp(0, most);
        self.status.steps_total = Some(total);
        self.status.steps_completed = Some(completed);
        self.status.overall_progress = Some(percent);
    }

    /// How many steps of the workflow are completed, and how many it has.
    fn workflow_counts(&self) -> (i64, i64) {
        let references = &self.status.kubernetes_execution_refs;
        let completed = signed(references.iter().filter(|r| r.completed).count());
        if let Some(steps) = self.begun_steps() {
            let of = steps.clamp(1, MOST);
            return (completed.min(of), of);
        }
        let Some(workflow) = self.named_workflow() else {
            return (
                0,
                self.status
                    .steps_total
                    .unwrap_or(3)
                    .saturating_sub(2)
                    .clamp(1, MOST),
            );
        };
        let says = workflow.status.workflow();
        let ours = says
            .plan
            .as_ref()
            .filter(|plan| plan.executed_by == "Orchestrator");
        let shown = ours.map_or(says.steps_total, |plan| signed(plan.steps.len()));
        let of = shown.clamp(1, MOST);
        (says.steps_completed.clamp(0, of), of)
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
