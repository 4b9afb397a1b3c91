//! WorkflowPlanning and Executing: what may act is never created twice, and its results decide.

use remediation_core::action::ChildSpec;
use remediation_core::children::Child;
use remediation_core::kind::ChildKind;
use remediation_core::phase::Phase;

use super::active::{Had, Verdict};
use super::facts::Seen;
use super::{Failure, Oracle};

const KNOWN: [&str; 5] = ["Pending", "Planning", "Validating", "Executing", "Running"];

impl<'a> Oracle<'a> {
    /// The workflow: there, gone, to be read, or (if status does not name it yet) to be created.
    pub(crate) fn have_workflow(&mut self, spec: Option<ChildSpec>) -> Had<'a> {
        let key = self.stage(ChildKind::WorkflowExecution);
        let named = self
            .reference(ChildKind::WorkflowExecution)
            .map(|r| r.uid.clone());
        let seen = self.look(&key);
        let Some(uid) = named else {
            return match (seen, spec) {
                (Seen::Ours(child), _) if child.deleting => {
                    self.waiting_for = Some(key.to_string());
                    Had::Not(Verdict::Wait)
                }
                (Seen::Ours(child), _) => Had::Found(child),
                (Seen::Taken | Seen::Gone | Seen::Unseen, Some(spec)) => {
                    Had::Not(self.create_unless_refused_late(key, spec))
                }
                (Seen::Taken | Seen::Gone | Seen::Unseen, None) => {
                    self.waiting_for = Some(key.to_string());
                    Had::Not(Verdict::Wait)
                }
            };
        };
        match seen {
            // From Analyzing the way leads through WorkflowPlanning, which tells what became of it.
            Seen::Ours(child)
                if child.uid == uid && (!child.deleting || is_over(child) || spec.is_some()) =>
            {
                Had::There(child)
            }
            Seen::Ours(child) if child.uid == uid => {
                self.waiting_for = Some(key.to_string());
                if child.status.phase().is_empty() {
                    self.never_started("");
                }
                Had::Not(Verdict::Fail(Failure::of_child(
                    "ChildDeleted",
                    key.to_string(),
                )))
            }
            _ if !self.children.live.contains(&key.to_string()) => {
                self.waiting_for = Some(key.to_string());
                Had::Not(self.read(key))
            }
            Seen::Ours(_) | Seen::Taken | Seen::Gone | Seen::Unseen => Had::Not(Verdict::Fail(
                Failure::of_child("ChildDeleted", key.to_string()),
            )),
        }
    }

    pub(crate) fn planning(&mut self) -> Verdict {
        let workflow = match self.believed_workflow() {
            Ok(child) => child,
            Err(verdict) => return verdict,
        };
        match workflow.status.phase() {
            "Failed" => Verdict::Fail(self.child_failed(workflow)),
            "Executing" | "Running" | "Completed" => match self.run(workflow) {
                Verdict::Entered | Verdict::Proceed => {
                    self.enter(Phase::Executing, Some(("WorkflowExecuting", "")));
                    Verdict::Entered
                }
                verdict => verdict,
            },
            word => self.waits_for(workflow, word, &KNOWN),
        }
    }

    pub(crate) fn executing(&mut self) -> Verdict {
        match self.believed_workflow() {
            Ok(workflow) => self.run(workflow),
            Err(verdict) => verdict,
        }
    }

    /// The workflow, named from now on. Where it is gone, a step that failed comes first.
    fn believed_workflow(&mut self) -> Result<&'a Child, Verdict> {
        let workflow = match self.have_workflow(None) {
            Had::There(child) | Had::Found(child) => child,
            Had::Not(Verdict::Fail(gone)) => {
                return Err(Verdict::Fail(self.failed_step().unwrap_or(gone)));
            }
            Had::Not(verdict) => return Err(verdict),
        };
        self.name_stage(workflow);
        self.workflow = Some(workflow);
        self.waiting_for = Some(workflow.key.to_string());
        Ok(workflow)
    }

    /// What the workflow and its steps lead to. A step that failed or is gone ends it; steps that are ready are begun,
    /// unless a deadline has passed.
    fn run(&mut self, workflow: &Child) -> Verdict {
        let late = self.passed().is_some();
        let word = workflow.status.phase();
        if word == "Failed" {
            return Verdict::Fail(self.child_failed(workflow));
        }
        if word != "Completed" {
            let _ = self.waits_for(workflow, word, &KNOWN);
        }
        if let Some(failure) = self.failed_step() {
            return Verdict::Fail(failure);
        }
        self.troubled_step();
        if let Some(verdict) = self.lost_step() {
            return verdict;
        }
        let plan = self.our_plan();
        let shown = workflow.status.workflow().plan.as_ref();
        if let Some(failure) = shown.and_then(|plan| self.invalid_plan(plan, workflow)) {
            return Verdict::Fail(failure);
        }
        if word == "Completed" && self.all_completed(shown) {
            return Verdict::Complete(workflow.key.to_string());
        }
        let named = self.status.kubernetes_execution_refs.clone();
        let hash = self.status.plan_hash.clone();
        let begins = matches!(word, "Executing" | "Running" | "Completed");
        if let Some(failure) = plan
            .as_ref()
            .filter(|_| begins)
            .and_then(|plan| self.begin_steps(plan, late))
        {
            (self.status.kubernetes_execution_refs, self.status.plan_hash) = (named, hash);
            return Verdict::Fail(failure);
        }
        if !self.creates.is_empty() {
            (self.status.kubernetes_execution_refs, self.status.plan_hash) = (named, hash);
            return Verdict::Act;
        }
        if self.skipped {
            (self.status.kubernetes_execution_refs, self.status.plan_hash) = (named, hash);
            return Verdict::Wait;
        }
        if self.status.kubernetes_execution_refs.len() > named.len() {
            return Verdict::Entered;
        }
        Verdict::Proceed
    }
}

pub(crate) fn is_over(child: &Child) -> bool {
    matches!(child.status.phase(), "Completed" | "Failed")
}
