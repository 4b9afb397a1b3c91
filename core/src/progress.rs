//! Progress: how many steps there are and how many are completed, from what the children say.
//!
//! Processing and analysis count as a step each, the workflow as `max(1, stepsTotal)`; so 0, 33, 66, 75 … %.
//! It never goes back, and is 100 only in Completed. How often it is written: `PROGRESS_EVERY` in
//! `core/src/draft.rs`.

use std::borrow::Cow;

use crate::children::WorkflowStatus;
use crate::phase::Phase;
use crate::plan;
use crate::status::Status;

/// The most steps of a workflow that are counted.
const MOST: i64 = 1024;

/// Writes the progress that a phase and the workflow's own count amount to into a status.
pub(crate) fn update(
    status: &mut Cow<'_, Status>,
    phase: Phase,
    workflow: Option<&WorkflowStatus>,
) {
    let own_plan = workflow
        .and_then(|w| w.plan.as_ref())
        .filter(|p| plan::is_ours(p));
    let begun = status.plan_hash.as_deref().and_then(plan::steps_of);
    let published = match (begun, own_plan, workflow) {
        (Some(steps), _, _) => i64::try_from(steps).unwrap_or(MOST),
        (None, Some(plan), _) => i64::try_from(plan.steps.len()).unwrap_or(MOST),
        (None, None, Some(workflow)) => workflow.steps_total,
        (None, None, None) => status.steps_total.unwrap_or(0).saturating_sub(2),
    };
    let of_workflow = published.clamp(1, MOST);
    let done_of_workflow = if begun.is_some() {
        let done = status
            .kubernetes_execution_refs
            .iter()
            .filter(|r| r.completed)
            .count();
        i64::try_from(done).unwrap_or(MOST)
    } else {
        workflow.map_or(0, |w| w.steps_completed)
    }
    .clamp(0, of_workflow);
    let before = match phase {
        Phase::Pending | Phase::Initializing | Phase::Processing => 0,
        Phase::Analyzing => 1,
        Phase::WorkflowPlanning | Phase::Executing | Phase::Completed => 2,
        Phase::Failed => return,
    };
    let known = status.steps_completed.unwrap_or(0).clamp(0, 2 + MOST);
    let completed = known.max(before + done_of_workflow);
    let total = completed.max(2 + of_workflow);
    let (completed, percent) = if phase == Phase::Completed {
        (total, 100)
    } else {
        let shown = status.overall_progress.unwrap_or(0);
        (completed, shown.max(100 * completed / total).clamp(0, 99))
    };
    let new = (Some(total), Some(completed), Some(percent));
    let recorded = (
        status.steps_total,
        status.steps_completed,
        status.overall_progress,
    );
    if new != recorded {
        let status = status.to_mut();
        (
            status.steps_total,
            status.steps_completed,
            status.overall_progress,
        ) = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workflow(completed: i64, total: i64) -> WorkflowStatus {
        WorkflowStatus {
            steps_completed: completed,
            steps_total: total,
            ..WorkflowStatus::default()
        }
    }

    fn shown(status: &Status) -> (i64, i64, i64) {
        (
            status.steps_completed.unwrap(),
            status.steps_total.unwrap(),
            status.overall_progress.unwrap(),
        )
    }

    #[test]
    fn one_of_two_workflow_steps_makes_three_of_four() {
        let mut status = Cow::Owned(Status::default());
        update(&mut status, Phase::Processing, None);
        assert_eq!(shown(&status), (0, 3, 0));
        update(&mut status, Phase::Analyzing, None);
        assert_eq!(shown(&status), (1, 3, 33));
        update(&mut status, Phase::WorkflowPlanning, None);
        assert_eq!(shown(&status), (2, 3, 66));
        update(&mut status, Phase::Executing, Some(&workflow(1, 2)));
        assert_eq!(shown(&status), (3, 4, 75));
        update(&mut status, Phase::Completed, Some(&workflow(1, 2)));
        assert_eq!(shown(&status), (4, 4, 100));
    }

    #[test]
    fn it_never_goes_back_and_nonsense_is_held_in_bounds() {
        let mut status = Cow::Owned(Status::default());
        update(&mut status, Phase::Executing, Some(&workflow(3, 4)));
        let before = shown(&status);
        for nonsense in [
            workflow(0, 4),
            workflow(-5, -7),
            workflow(i64::MAX, i64::MAX),
        ] {
            update(&mut status, Phase::Executing, Some(&nonsense));
            assert!(status.overall_progress.unwrap() >= before.2);
            assert!(status.overall_progress.unwrap() <= 99);
            assert!(status.steps_completed <= status.steps_total);
        }
        // Also what a hand wrote.
        status.to_mut().steps_completed = Some(i64::MAX);
        update(&mut status, Phase::Executing, None);
        assert_eq!(status.steps_completed, Some(2 + MOST));
    }
}
