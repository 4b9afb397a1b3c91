//! What the children are, as the page tells them apart, and what the process remembers of its calls.

use jiff::Timestamp;
use remediation_core::children::{Child, ChildKey};
use remediation_core::error::{Category, Cause};
use remediation_core::kind::ChildKind;
use remediation_core::memory::{Errand, Refusal};
use remediation_core::status::ObjectRef;

use super::Oracle;

/// What is seen under the name of a child.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen<'a> {
    /// A child of this request, terminating or not.
    Ours(&'a Child),
    /// Something else holds the name.
    Taken,
    /// The API server said in this pass that nothing is there.
    Gone,
    /// The cache shows nothing.
    Unseen,
}

/// Whether a call may be made now.
pub(crate) enum Leave<'a> {
    /// At once.
    Now,
    /// Not before the time that the refusal names.
    Later(&'a Refusal),
    /// Never: it was refused for good (category C).
    Never(&'a Refusal),
}

impl<'a> Oracle<'a> {
    /// The name of a stage: the request's name and a suffix.
    pub(crate) fn stage(&self, kind: ChildKind) -> ChildKey {
        let suffix = match kind {
            ChildKind::RemediationProcessing => "processing",
            ChildKind::AIAnalysis => "aianalysis",
            _ => "workflow",
        };
        ChildKey::new(
            kind,
            format!("{}-{suffix}", self.state.request.identity.name),
        )
    }

    pub(crate) fn reference(&self, kind: ChildKind) -> Option<&ObjectRef> {
        match kind {
            ChildKind::RemediationProcessing => self.status.remediation_processing_ref.as_ref(),
            ChildKind::AIAnalysis => self.status.ai_analysis_ref.as_ref(),
            _ => self.status.workflow_execution_ref.as_ref(),
        }
    }

    /// Whether status names this object by UID.
    pub(crate) fn is_named(&self, child: &Child) -> bool {
        let status = self.before();
        let steps = status.kubernetes_execution_refs.iter().map(|r| &r.uid);
        let stages = [
            &status.remediation_processing_ref,
            &status.ai_analysis_ref,
            &status.workflow_execution_ref,
        ];
        let mut uids = stages.into_iter().flatten().map(|r| &r.uid).chain(steps);
        uids.any(|uid| *uid == child.uid)
    }

    /// A child is ours if this request owns it, or if status names it.
    pub(crate) fn is_ours(&self, child: &Child) -> bool {
        let uid = &self.state.request.identity.uid;
        match child.key.kind {
            ChildKind::NotificationRequest => child.request_uid_label.as_ref() == Some(uid),
            _ => {
                child.owner.as_ref().is_some_and(|owner| owner.uid == *uid) || self.is_named(child)
            }
        }
    }

    pub(crate) fn look(&self, key: &ChildKey) -> Seen<'a> {
        let text = key.to_string();
        match self.children.seen.get(&text) {
            Some(child) if self.is_ours(child) => Seen::Ours(child),
            Some(_) => Seen::Taken,
            None if self.children.live.contains(&text) => Seen::Gone,
            None => Seen::Unseen,
        }
    }

    pub(crate) fn refusal(&self, errand: &Errand) -> Option<&'a Refusal> {
        self.state.memory.refusals.get(errand)
    }

    /// The refusal that keeps this errand from being run now.
    pub(crate) fn backs_off(&self, errand: &Errand) -> Option<&'a Refusal> {
        self.refusal(errand)
            .filter(|refusal| self.now < refusal.next_try && self.now >= refusal.last)
    }

    /// Whether this errand may be run.
    pub(crate) fn leave(&self, errand: &Errand) -> Leave<'a> {
        match self.refusal(errand) {
            Some(refusal) if matches!(refusal.cause, Cause::Invalid | Cause::NameConflict) => {
                Leave::Never(refusal)
            }
            Some(refusal) if self.now < refusal.next_try && self.now >= refusal.last => {
                Leave::Later(refusal)
            }
            Some(_) | None => Leave::Now,
        }
    }

    pub(crate) fn is_for_good(refusal: &Refusal) -> bool {
        refusal.cause.category() == Category::C
    }

    /// Asks for a wake-up at this moment, if it lies ahead.
    pub(crate) fn wake(&mut self, moment: Timestamp) {
        if moment > self.now {
            self.wakes.push(moment);
        }
    }
}
