//! Executing: the workflow changes the cluster. Where its plan says so, the orchestrator runs the steps, each
//! once all that it depends on is completed; and when everything is completed, the remediation is.
//!
//! | what is seen | what follows |
//! |---|---|
//! | the WorkflowExecution Completed, and every step of a plan that is ours | the success notification, then Completed |
//! | the WorkflowExecution or a step Failed | the remediation fails with the child's reason (category F) |
//! | one of them deleted before it ended | the remediation fails: it may have acted and is not created again |
//! | a plan that cannot be run ([`plan::problem`]: a circle, a bad name, too many steps), or changed after it was begun | the remediation fails: InvalidPlan |
//! | steps whose dependencies are all completed | their KubernetesExecutions are created, then named in status |
//! | an earlier word, or one that is not known | wait, until the deadline of executing |
//!
//! Before a failure of these phases is recorded, the success notification is looked for: [`fail_unless_completed`].

use crate::action::{ChildSpec, ExecutionSpec, NewChild};
use crate::children::{Child, ChildKey, Plan, PlanStep, WorkflowStatus};
use crate::conditions;
use crate::deadline;
use crate::draft::{Draft, Failure, Verdict};
use crate::error::Category;
use crate::kind::ChildKind;
use crate::memory::{Errand, Refusal};
use crate::names::{self, Occasion};
use crate::notification;
use crate::phase::Phase;
use crate::phases::failing;
use crate::plan;
use crate::rule::Rule;
use crate::status::{ExecutionRef, ObjectRef};
use crate::time::Time;
use crate::view::{Ensured, Named, View};

pub(crate) fn decide(view: &View<'_>, draft: &mut Draft<'_>) -> Verdict {
    let child = match named_workflow(view, draft) {
        Ok(child) => child,
        Err(verdict) => return unless_a_step_failed(view, draft, verdict),
    };
    draft.wait_for(child);
    let workflow = child.status.workflow();
    match workflow.phase.as_str() {
        "Failed" => return Verdict::Fail(super::child_failed(child)),
        "" | "Pending" | "Planning" | "Validating" | "Executing" | "Running" | "Completed" => {}
        unknown => super::note_unknown_phase(draft, child, unknown),
    }
    pursue(view, draft, child, workflow)
}

/// The failure that the workflow is gone, unless a step failed: that comes first.
pub(crate) fn unless_a_step_failed(
    view: &View<'_>,
    draft: &mut Draft<'_>,
    verdict: Verdict,
) -> Verdict {
    match verdict {
        Verdict::Fail(gone) => {
            let failed = look_at_steps(view, draft).err();
            Verdict::Fail(failed.unwrap_or(gone))
        }
        Verdict::Wait
        | Verdict::Hold
        | Verdict::Record
        | Verdict::Create { .. }
        | Verdict::Read(_) => verdict,
    }
}

/// Follows a workflow that is executing or completed: its steps, where they are ours to run, and its end.
pub(crate) fn pursue(
    view: &View<'_>,
    draft: &mut Draft<'_>,
    child: &Child,
    workflow: &WorkflowStatus,
) -> Verdict {
    let steps = match look_at_steps(view, draft) {
        Ok(steps) => steps,
        Err(failure) => return Verdict::Fail(failure),
    };
    let completed = workflow.phase == "Completed";
    if completed && every_step_is_completed(draft, workflow) {
        return succeed(view, draft, &child.key);
    }
    if child.deleting && !completed {
        return Verdict::Fail(deleted(view, draft, &child.key));
    }
    if let Some(lost) = steps.deleted {
        return Verdict::Fail(deleted(view, draft, &lost));
    }
    if let Some(key) = steps.unconfirmed {
        return if draft.may_try(view, &Errand::Read(key.clone())) {
            Verdict::Read(key)
        } else {
            Verdict::Wait
        };
    }
    let own_plan = workflow.plan.as_ref().filter(|plan| plan::is_ours(plan));
    if let Some(problem) = plan_problem(draft, workflow.plan.as_ref()) {
        return Verdict::Fail(Failure {
            rule: Rule::InvalidPlan,
            reason: "InvalidPlan".to_owned(),
            message: format!("{}: {problem}{}", child.key, still_running(view, draft)),
            category: Category::F,
            timeout_phase: None,
        });
    }
    let executing = completed || matches!(workflow.phase.as_str(), "Executing" | "Running");
    match own_plan.filter(|_| executing) {
        Some(plan) => run_ready_steps(view, draft, plan),
        None => enter_if_planning(draft, executing),
    }
}

/// What the recorded steps came to, as far as the way ahead depends on it.
struct Steps {
    deleted: Option<ChildKey>,
    unconfirmed: Option<ChildKey>,
}

/// Looks at every recorded step: notes which are completed, and finds one that failed or is gone.
fn look_at_steps(view: &View<'_>, draft: &mut Draft<'_>) -> Result<Steps, Failure> {
    let mut steps = Steps {
        deleted: None,
        unconfirmed: None,
    };
    for index in 0..draft.status.kubernetes_execution_refs.len() {
        let reference = &draft.status.kubernetes_execution_refs[index];
        if reference.completed {
            continue;
        }
        let key = ChildKey::new(ChildKind::KubernetesExecution, reference.name.clone());
        match view.named(key.kind, &reference.name, &reference.uid) {
            Named::There(child) => match child.status.phase() {
                "Failed" => return Err(super::child_failed(child)),
                "Completed" => {
                    draft.status.to_mut().kubernetes_execution_refs[index].completed = true;
                }
                _ if child.deleting => {
                    steps.deleted.get_or_insert(key);
                }
                "" | "Pending" | "Validating" | "Executing" | "Running" => {}
                unknown => super::note_unknown_phase(draft, child, unknown),
            },
            Named::Gone => {
                steps.deleted.get_or_insert(key);
            }
            Named::Unconfirmed => {
                steps.unconfirmed.get_or_insert(key);
            }
        }
    }
    Ok(steps)
}

/// Whether nothing is left to run. A plan that was begun counts by what was recorded of it, also when the
/// workflow's controller has dropped it since.
fn every_step_is_completed(draft: &Draft<'_>, workflow: &WorkflowStatus) -> bool {
    let references = &draft.status.kubernetes_execution_refs;
    let all_recorded = references.iter().all(|reference| reference.completed);
    let begun = draft.status.plan_hash.as_deref();
    let unchanged = |plan: &Plan| begun.is_none_or(|hash| plan::fingerprint(plan) == hash);
    let completed = |step: &PlanStep| {
        let recorded = draft.status.execution(&step.name);
        recorded.is_some_and(|reference| reference.completed)
    };
    let nothing_left = match &workflow.plan {
        Some(plan) if plan::is_ours(plan) => {
            unchanged(plan) && plan::problem(plan).is_none() && plan.steps.iter().all(completed)
        }
        Some(plan) => unchanged(plan),
        None => begun.is_none_or(|hash| plan::steps_of(hash) == Some(references.len())),
    };
    all_recorded && nothing_left
}

/// Why a published plan cannot be run, or no longer.
fn plan_problem(draft: &Draft<'_>, published: Option<&Plan>) -> Option<String> {
    let published = published?;
    match &draft.status.plan_hash {
        Some(begun) if plan::fingerprint(published) != *begun => {
            Some("the plan was changed after it was begun".to_owned())
        }
        Some(_) | None if plan::is_ours(published) => plan::problem(published),
        Some(_) | None => None,
    }
}

/// Creates the executions of the steps that are ready; once they are there, names them in one write.
fn run_ready_steps(view: &View<'_>, draft: &mut Draft<'_>, published: &Plan) -> Verdict {
    let known = draft.status.kubernetes_execution_refs.clone();
    let begun = |step: &str| known.iter().any(|r| r.step == step);
    let completed = |step: &str| known.iter().any(|r| r.step == step && r.completed);
    let attempt = draft.status.attempt.unwrap_or(1);
    let mut to_create: Vec<NewChild> = Vec::new();
    let mut to_name = Vec::new();
    for step in plan::ready(published, &begun, &completed) {
        let key = ChildKey::new(
            ChildKind::KubernetesExecution,
            names::step(view.identity(), &step.name, attempt),
        );
        match view.ensure(&key) {
            Ensured::There(child) => to_name.push(ExecutionRef {
                step: step.name.clone(),
                name: child.key.name.clone(),
                uid: child.uid.clone(),
                completed: false,
            }),
            Ensured::Create => to_create.push(view.new_child(key, step_spec(view, draft, step))),
            Ensured::Later => super::note_delay(view, draft, &key),
            Ensured::Refused(refusal) => {
                let mut failure = super::creation_refused(&key, refusal);
                failure.message.push_str(&still_running(view, draft));
                return Verdict::Fail(failure);
            }
        }
    }
    if !to_create.is_empty() {
        draft.rule = Rule::StepsReady;
        return Verdict::Create {
            children: to_create,
            beats_clock: false,
        };
    }
    let named_any = !to_name.is_empty();
    if named_any {
        draft.rule = Rule::StepsReady;
        let status = draft.status.to_mut();
        status.kubernetes_execution_refs.extend(to_name);
        status
            .plan_hash
            .get_or_insert_with(|| plan::fingerprint(published));
    }
    match enter_if_planning(draft, true) {
        Verdict::Wait if named_any => Verdict::Record,
        verdict => verdict,
    }
}

fn step_spec(view: &View<'_>, draft: &Draft<'_>, step: &PlanStep) -> ChildSpec {
    let target = view.state.request.spec.targeting_data.as_ref();
    ChildSpec::Execution(ExecutionSpec {
        step: step.name.clone(),
        action: step.action.clone(),
        parameters: step.parameters.clone(),
        not_after: step_not_after(draft),
        timeout: step.timeout.clone(),
        target_resource: target.and_then(|data| data.target_resource.clone()),
    })
}

/// The earlier of the executing and the overall deadline. Before Executing is recorded, it begins now.
fn step_not_after(draft: &Draft<'_>) -> Time {
    let executing = match draft.status.known_phase() {
        Some(Phase::Executing) => {
            deadline::of_phase(&draft.status, &draft.policy, Phase::Executing).map(|d| d.at)
        }
        _ => Some(draft.stamp().plus(draft.policy.timeouts.executing)),
    };
    let overall = deadline::overall(&draft.status, &draft.policy).map(|d| d.at);
    [executing, overall]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or_else(|| draft.stamp())
}

fn enter_if_planning(draft: &mut Draft<'_>, executing: bool) -> Verdict {
    if !executing || draft.status.known_phase() != Some(Phase::WorkflowPlanning) {
        return Verdict::Wait;
    }
    if draft.rule == Rule::Waiting {
        draft.rule = Rule::WorkflowExecuting;
    }
    draft.enter(
        Phase::Executing,
        "WorkflowExecuting",
        "the workflow executes the recommended actions",
    );
    Verdict::Record
}

/// Creates the success notification, then enters Completed. A notification that is refused never changes the
/// outcome, and holds it up for thirty seconds at most.
fn succeed(view: &View<'_>, draft: &mut Draft<'_>, workflow: &ChildKey) -> Verdict {
    draft.rule = Rule::ChildCompleted;
    let key = success_key(view);
    match view.ensure(&key) {
        Ensured::There(child) => {
            complete(draft, &format!("{workflow} completed"));
            failing::name_notification(draft.status.to_mut(), Occasion::Success, child);
            Verdict::Record
        }
        Ensured::Create => Verdict::Create {
            children: vec![notification::success(view, draft, key)],
            beats_clock: true,
        },
        Ensured::Later | Ensured::Refused(_) => {
            let refusal = view.creation_refused(&key);
            if let Some(due) = refusal.and_then(|r| failing::held_up_until(r, r.first, view.now)) {
                draft.wake_at(due);
                return Verdict::Hold;
            }
            complete(draft, &format!("{workflow} completed"));
            failing::note_undelivered(draft, refusal);
            Verdict::Record
        }
    }
}

/// Enters Completed, through Executing where that was not recorded.
fn complete(draft: &mut Draft<'_>, message: &str) {
    let _ = enter_if_planning(draft, true);
    draft.rule = Rule::ChildCompleted;
    draft.enter(Phase::Completed, "RemediationCompleted", message);
    let at = draft.stamp();
    draft.end(at);
    let status = draft.status.to_mut();
    conditions::remove(status, conditions::ESCALATED);
    conditions::set(
        status,
        conditions::COMPLETE,
        true,
        "RemediationCompleted",
        message.to_owned(),
        at,
    );
    crate::progress::update(&mut draft.status, Phase::Completed, None);
    draft.announce(
        crate::action::EventSeverity::Normal,
        "RemediationCompleted",
        message,
    );
}

/// A failure in these phases, unless the success notification exists: then the workflow was seen Completed, people
/// were told so, and only the last write is missing. A live read, on the failing path alone, tells; one that is refused, for
/// whatever reason, is tried again for thirty seconds from the first refusal on; when they are over, once more. Nobody
/// looks while status cannot be written: every event would ask again.
pub(crate) fn fail_unless_completed(
    view: &View<'_>,
    draft: &mut Draft<'_>,
    failure: Failure,
) -> Verdict {
    let key = success_key(view);
    if let Some(child) = view.ours(&key) {
        complete(
            draft,
            "the workflow completed, as the success notification records",
        );
        failing::name_notification(draft.status.to_mut(), Occasion::Success, child);
        return Verdict::Record;
    }
    if view.children.is_live(&key) {
        return Verdict::Fail(failure);
    }
    if !draft.may_try(view, &Errand::Record) {
        draft.rule = failure.rule;
        return Verdict::Hold;
    }
    let refusal = view.state.memory.refusal(&Errand::Read(key.clone()));
    let record = view.state.memory.refusal(&Errand::Record);
    let recent = |refusal: &&Refusal| {
        let last_look = failing::end_of_hold(refusal.first);
        let is_due = last_look.reached(view.now) && !last_look.reached(refusal.last);
        let could_not_record = record.is_some_and(|record| record.last >= refusal.last);
        !refusal.is_over(view.now) && !is_due && !could_not_record
    };
    let Some(refusal) = refusal.filter(recent) else {
        // However long ago the first look was refused, once the thirty seconds are over, and where its failure could not be
        // recorded then: what has come since is seen by another one alone.
        draft.rule = failure.rule;
        return Verdict::Read(key);
    };
    let Some(due) = failing::next_try(refusal, refusal.first, view.now) else {
        return Verdict::Fail(failure);
    };
    draft.rule = failure.rule;
    draft.wake_at(due);
    Verdict::Hold
}

fn success_key(view: &View<'_>) -> ChildKey {
    ChildKey::new(
        ChildKind::NotificationRequest,
        names::notification(view.identity(), Occasion::Success),
    )
}

/// The workflow that status names, or what to do where it cannot be seen.
pub(crate) fn named_workflow<'a>(
    view: &View<'a>,
    draft: &mut Draft<'_>,
) -> Result<&'a Child, Verdict> {
    let kind = ChildKind::WorkflowExecution;
    let Some(reference) = draft.status.workflow_execution_ref.clone() else {
        // A hand removed the reference. One of ours that was never named has never started: name it.
        let key = view.stage_key(kind);
        if let Some(child) = view.ours(&key).filter(|child| !child.deleting) {
            draft.status.to_mut().workflow_execution_ref = Some(ObjectRef {
                name: child.key.name.clone(),
                uid: child.uid.clone(),
            });
            return Ok(child);
        }
        draft.wait_for_key(&key);
        return Err(Verdict::Wait);
    };
    match view.named(kind, &reference.name, &reference.uid) {
        Named::There(child) => Ok(child),
        Named::Gone => {
            let key = ChildKey::new(kind, reference.name);
            Err(Verdict::Fail(deleted(view, draft, &key)))
        }
        Named::Unconfirmed => Err(super::confirm(view, draft, kind, &reference.name)),
    }
}

/// The failure of an execution that status names and that is gone.
pub(crate) fn deleted(view: &View<'_>, draft: &Draft<'_>, key: &ChildKey) -> Failure {
    Failure {
        rule: Rule::ChildDeleted,
        reason: "ChildDeleted".to_owned(),
        message: format!(
            "{key} was deleted before it ended; it may have acted, so it is not created again{}",
            still_running(view, draft)
        ),
        category: Category::F,
        timeout_phase: None,
    }
}

pub(crate) fn still_running(view: &View<'_>, draft: &Draft<'_>) -> String {
    match notification::possibly_running(view, draft).as_slice() {
        [] => String::new(),
        running => format!("; may still be running: {}", running.join(", ")),
    }
}
