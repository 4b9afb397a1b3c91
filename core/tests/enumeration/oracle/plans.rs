//! Plans that the orchestrator runs: whether one can be run, which steps come next, and what became of them.

use std::collections::BTreeSet;

use remediation_core::action::{ChildSpec, ExecutionSpec};
use remediation_core::children::{Child, ChildKey, Plan, PlanStep};
use remediation_core::kind::ChildKind;
use remediation_core::memory::Errand;
use remediation_core::names;
use remediation_core::phase::Phase;
use remediation_core::plan::fingerprint;
use remediation_core::status::ExecutionRef;

use super::active::{Verdict, refused};
use super::facts::{Leave, Seen};
use super::{Failure, Oracle};

const OURS: &str = "Orchestrator";

/// What became of a step that status names.
enum Fate<'a> {
    Failed(&'a Child),
    Completed,
    Deleted(ChildKey),
    Unread(ChildKey),
    Runs(&'a Child),
}

impl Oracle<'_> {
    pub(crate) fn step_key(&self, step: &str) -> ChildKey {
        let request = &self.state.request.identity;
        ChildKey::new(
            ChildKind::KubernetesExecution,
            names::step(request, step, self.status.attempt.unwrap_or(1)),
        )
    }

    /// The plan of the workflow, if it is ours to run.
    pub(crate) fn our_plan(&self) -> Option<Plan> {
        let plan = self.workflow?.status.workflow().plan.clone();
        plan.filter(|plan| plan.executed_by == OURS)
    }

    fn fate(&self, reference: &ExecutionRef) -> Fate<'_> {
        let key = ChildKey::new(ChildKind::KubernetesExecution, reference.name.clone());
        if reference.completed {
            return Fate::Completed;
        }
        match self.look(&key) {
            Seen::Ours(child) if child.uid == reference.uid => match child.status.phase() {
                "Failed" => Fate::Failed(child),
                "Completed" => Fate::Completed,
                _ if child.deleting => Fate::Deleted(key),
                _ => Fate::Runs(child),
            },
            _ if !self.children.live.contains(&key.to_string()) => Fate::Unread(key),
            Seen::Ours(_) | Seen::Taken | Seen::Gone | Seen::Unseen => Fate::Deleted(key),
        }
    }

    /// The first step that failed, in the order of status. What was seen completed before it is noted, and stays so.
    pub(crate) fn failed_step(&mut self) -> Option<Failure> {
        for index in 0..self.status.kubernetes_execution_refs.len() {
            let failure = match self.fate(&self.status.kubernetes_execution_refs[index]) {
                Fate::Failed(child) => Some(self.child_failed(child)),
                Fate::Completed => None,
                Fate::Deleted(_) | Fate::Unread(_) | Fate::Runs(_) => continue,
            };
            if failure.is_some() {
                return failure;
            }
            self.status.kubernetes_execution_refs[index].completed = true;
        }
        None
    }

    /// The first step that is gone; else the first that is not seen, which is read.
    pub(crate) fn lost_step(&mut self) -> Option<Verdict> {
        let references = self.status.kubernetes_execution_refs.clone();
        for reference in &references {
            if let Fate::Deleted(key) = self.fate(reference) {
                return Some(Verdict::Fail(Failure::of_child(
                    "ChildDeleted",
                    key.to_string(),
                )));
            }
        }
        for reference in &references {
            if let Fate::Unread(key) = self.fate(reference) {
                return Some(self.read(key));
            }
        }
        None
    }

    fn is_unchanged(&self, plan: &Plan) -> bool {
        self.status
            .plan_hash
            .as_ref()
            .is_none_or(|hash| *hash == fingerprint(plan))
    }

    /// The plan cannot be run, or is another one than was begun.
    pub(crate) fn invalid_plan(&self, plan: &Plan, workflow: &Child) -> Option<Failure> {
        let ours = plan.executed_by == OURS;
        (!self.is_unchanged(plan) || (ours && !can_be_run(plan)))
            .then(|| Failure::of_child("InvalidPlan", workflow.key.to_string()))
    }

    fn named_step(&self, step: &str) -> Option<&ExecutionRef> {
        self.status
            .kubernetes_execution_refs
            .iter()
            .find(|reference| reference.step == step)
    }

    pub(crate) fn is_completed(&self, step: &str) -> bool {
        self.named_step(step)
            .is_some_and(|reference| reference.completed)
    }

    /// Names the steps that exist, and creates those that are ready: all they depend on is completed.
    pub(crate) fn begin_steps(&mut self, plan: &Plan, late: bool) -> Option<Failure> {
        for step in &plan.steps {
            if self.named_step(&step.name).is_some()
                || !step.depends_on.iter().all(|need| self.is_completed(need))
            {
                continue;
            }
            let key = self.step_key(&step.name);
            match self.look(&key) {
                Seen::Ours(child) if child.deleting => self.waiting_for = Some(key.to_string()),
                Seen::Ours(child) => {
                    let (name, uid) = (child.key.name.clone(), child.uid.clone());
                    let reference = ExecutionRef {
                        step: step.name.clone(),
                        name,
                        uid,
                        completed: false,
                    };
                    self.status.kubernetes_execution_refs.push(reference);
                    self.status.plan_hash = Some(fingerprint(plan));
                }
                Seen::Taken | Seen::Gone | Seen::Unseen => {
                    match self.leave(&Errand::Create(key.clone())) {
                        Leave::Now if late => self.skipped = true,
                        Leave::Now => {
                            let new = self.child(key, self.step_spec(step));
                            self.creates.push(new);
                        }
                        Leave::Later(refusal) => {
                            if self.held_up(refusal) {
                                self.waiting_for = Some(key.to_string());
                            }
                        }
                        Leave::Never(refusal) => return Some(refused(refusal)),
                    }
                }
            }
        }
        None
    }

    /// Whether every step of the plan is completed; of one that is no longer shown, as many as it had.
    pub(crate) fn all_completed(&self, plan: Option<&Plan>) -> bool {
        let references = &self.status.kubernetes_execution_refs;
        let known = match plan {
            Some(plan) if plan.executed_by != OURS => self.is_unchanged(plan),
            Some(plan) => {
                can_be_run(plan)
                    && self.is_unchanged(plan)
                    && plan.steps.iter().all(|step| self.is_completed(&step.name))
            }
            None => match &self.status.plan_hash {
                Some(hash) => {
                    hash.split(':').next().and_then(|n| n.parse().ok()) == Some(references.len())
                }
                None => true,
            },
        };
        known && references.iter().all(|reference| reference.completed)
    }

    /// A step that says a word that nobody knows.
    pub(crate) fn troubled_step(&mut self) {
        for reference in self.status.kubernetes_execution_refs.clone() {
            let word = match self.fate(&reference) {
                Fate::Runs(child) => child.status.phase().to_owned(),
                Fate::Failed(_) | Fate::Completed | Fate::Deleted(_) | Fate::Unread(_) => continue,
            };
            if !["", "Pending", "Validating", "Executing", "Running"].contains(&word.as_str()) {
                self.trouble = Some(("UnknownPhase", format!("`{word}`")));
            }
        }
    }

    /// Whether nobody began with any step that runs; nothing where no step runs.
    pub(crate) fn unstarted_steps(&self) -> Option<bool> {
        let left = self
            .status
            .kubernetes_execution_refs
            .iter()
            .filter(|reference| !reference.completed);
        let running = left.filter_map(|reference| {
            match self.look(&ChildKey::new(
                ChildKind::KubernetesExecution,
                reference.name.clone(),
            )) {
                Seen::Ours(child) if child.uid == reference.uid => {
                    Some(child.status.phase().is_empty())
                }
                Seen::Ours(_) | Seen::Taken | Seen::Gone | Seen::Unseen => None,
            }
        });
        let running: Vec<bool> = running.collect();
        (!running.is_empty()).then(|| running.iter().all(|empty| *empty))
    }

    pub(crate) fn step_spec(&self, step: &PlanStep) -> ChildSpec {
        let executing = self
            .status
            .effective_policy
            .as_ref()
            .map(|policy| self.stamp.plus(policy.timeouts.executing));
        let of_phase = if self.phase() == Some(Phase::Executing) {
            self.deadlines().phase
        } else {
            executing
        };
        let deadline = of_phase
            .into_iter()
            .chain(self.deadlines().overall)
            .min()
            .unwrap_or(self.stamp);
        let data = self.state.request.spec.targeting_data.as_ref();
        ChildSpec::Execution(ExecutionSpec {
            step: step.name.clone(),
            action: step.action.clone(),
            parameters: step.parameters.clone(),
            not_after: deadline,
            timeout: step.timeout.clone(),
            target_resource: data.and_then(|data| data.target_resource.clone()),
        })
    }
}

/// Whether a plan can be run: named steps, each once, and no circle: following the dependencies of a step never leads
/// back to it.
fn can_be_run(plan: &Plan) -> bool {
    let is_label = |name: &str| {
        let inner = name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        inner && (1..=63).contains(&name.len()) && !name.starts_with('-') && !name.ends_with('-')
    };
    let names: BTreeSet<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    let known = plan.steps.iter().all(|step| {
        step.depends_on
            .iter()
            .all(|need| names.contains(need.as_str()))
    });
    (1..=64).contains(&plan.steps.len())
        && names.len() == plan.steps.len()
        && names.iter().all(|name| is_label(name))
        && known
        && plan
            .steps
            .iter()
            .all(|step| !leads_to(plan, step, &step.name, plan.steps.len()))
}

/// Whether following dependencies from this step leads to that name, in so many steps at most.
fn leads_to(plan: &Plan, from: &PlanStep, name: &str, most: usize) -> bool {
    let needed = plan
        .steps
        .iter()
        .filter(|step| from.depends_on.contains(&step.name));
    most > 0
        && needed
            .into_iter()
            .any(|step| step.name == name || leads_to(plan, step, name, most - 1))
}
