//! Housekeeping: stragglers are deleted, lost owner references and labels are given back.

use remediation_core::action::{Action, EventSeverity, Precondition};
use remediation_core::children::Child;
use remediation_core::kind::ChildKind;
use remediation_core::memory::Errand;
use remediation_core::phase::Phase;

use super::Oracle;

impl Oracle<'_> {
    /// Asks for what tidies up, in the order of kind and name.
    pub(crate) fn sweep(&mut self) {
        for child in self.children.seen.values() {
            if child.key.kind == ChildKind::NotificationRequest {
                continue;
            }
            let seen = || Precondition {
                key: child.key.clone(),
                uid: child.uid.clone(),
                resource_version: child.resource_version.clone(),
            };
            if self.is_straggler(child) {
                if self.may(&Errand::DeleteChild(child.key.clone())) {
                    self.out.push(Action::DeleteChild(seen()));
                }
            } else if self.lost_its_owner(child)
                && self.may(&Errand::RestoreOwnership(child.key.clone()))
            {
                self.out.push(Action::RestoreOwnership(seen()));
                let says = child.key.to_string();
                self.out.push(Action::Announce(Self::announce(
                    EventSeverity::Warning,
                    "OwnershipRestored",
                    &says,
                )));
            }
        }
    }

    fn may(&self, errand: &Errand) -> bool {
        self.refusal(errand)
            .is_none_or(|refusal| self.now >= refusal.next_try || self.now < refusal.last)
    }

    /// Of this UID, not named, while the request is terminal or past the child's phase.
    fn is_straggler(&self, child: &Child) -> bool {
        let owned = child
            .owner
            .as_ref()
            .is_some_and(|owner| owner.uid == self.state.request.identity.uid);
        if !owned || self.is_named(child) || child.deleting {
            return false;
        }
        if self.before().completion_time.is_some() {
            return true;
        }
        let after = match child.key.kind {
            ChildKind::RemediationProcessing => Phase::Processing,
            ChildKind::AIAnalysis => Phase::Analyzing,
            _ => Phase::Executing,
        };
        let phase = self
            .before()
            .known_phase()
            .filter(|phase| !phase.is_terminal());
        phase.is_some_and(|phase| phase > after)
    }

    /// Named, and nobody else's, but without our owner reference or labels.
    fn lost_its_owner(&self, child: &Child) -> bool {
        let request = &self.state.request.identity;
        let label = child.request_label.as_ref() == Some(&request.name);
        let uid_label = child.request_uid_label.as_ref() == Some(&request.uid);
        let controlled = child
            .owner
            .as_ref()
            .is_some_and(|owner| owner.uid != request.uid);
        let complete = label && uid_label && child.owner.is_some();
        self.is_named(child) && !controlled && !child.deleting && !complete
    }
}
