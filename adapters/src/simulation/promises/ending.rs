//! What must have happened once faults have stopped: the L promises.

use jiff::{SignedDuration, Timestamp};
use remediation_core::kind::ChildKind;
use remediation_core::time::Time;

use super::read::{self, Status, list};
use super::state::{Child, Request};
use super::touch::{is_straggler, last_place};
use super::{Ending, Findings, Promise, Promises, Violation};

/// How much later than due counts as late.
const LATE: SignedDuration = SignedDuration::from_secs(1);
/// How long a notification that cannot be created may hold up the end.
const HELD_UP: SignedDuration = SignedDuration::from_secs(31);

impl Promises {
    /// Says what is missing at the end.
    #[must_use]
    pub fn end(&self, ending: &Ending) -> Vec<Violation> {
        let mut all = Vec::new();
        if !ending.settled {
            return all;
        }
        for request in self.requests.values() {
            let mut found = Findings::new(&request.object, ending.now);
            self.end_request(request, ending, &mut found);
            all.append(&mut found.list);
        }
        all
    }

    fn end_request(&self, request: &Request, ending: &Ending, found: &mut Findings<'_>) {
        let due = |since: Option<Timestamp>| {
            since.is_some_and(|since| since + LATE + ending.skew < ending.now)
        };
        if request.gone.is_some() || request.deleting.is_some() {
            self.end_deleted(request, ending, found);
            return;
        }
        let status = request.status();
        if request.ended.is_some() {
            self.end_ended(request, ending, &due, found);
        } else if request.suspended.is_none() && !ending.refused.statuses {
            self.end_active(request, ending, &due, found);
        }
        // Nothing is swept while it is suspended; an end ignores that.
        let pauses = request.suspended.filter(|_| request.ended.is_none());
        let waits = |child: &Child| {
            let left = last_place(child.kind).and_then(|last| request.left[last]);
            let late = left.max(Some(child.created));
            pauses.is_some_and(|since| late.is_some_and(|late| late + LATE > since))
        };
        for child in self.children_of(request).filter(|child| !waits(child)) {
            let stays = child.gone.is_none() && child.deleting.is_none();
            let unnamed = !status.names(read::uid(&child.image));
            if stays
                && unnamed
                && is_owned(child)
                && is_straggler(child, status)
                && due(Some(child.created))
                && !ending.refused.deletions
            {
                found.breaks(
                    Promise::L14,
                    format!("{} came too late and is still there", child.object),
                );
            }
        }
    }

    fn children_of<'a>(&'a self, request: &'a Request) -> impl Iterator<Item = &'a Child> {
        request
            .children
            .iter()
            .filter_map(|uid| self.children.get(uid))
    }

    fn end_deleted(&self, request: &Request, ending: &Ending, found: &mut Findings<'_>) {
        if !ending.collected {
            return;
        }
        let held = |image| {
            list(image, &["metadata", "finalizers"])
                .iter()
                .any(|finalizer| finalizer != "foregroundDeletion")
        };
        if request.gone.is_none() && !held(&request.image) {
            found.breaks(
                Promise::L6,
                "the request is being deleted and is still there",
            );
        }
        let owned =
            |child: &&Child| child.kind != ChildKind::NotificationRequest && is_owned(child);
        for child in self.children_of(request).filter(owned) {
            if request.gone.is_some() && child.gone.is_none() && !held(&child.image) {
                found.breaks(
                    Promise::L6,
                    format!("the request is gone and {} is still there", child.object),
                );
            }
        }
    }

    fn end_ended(
        &self,
        request: &Request,
        ending: &Ending,
        due: &dyn Fn(Option<Timestamp>) -> bool,
        found: &mut Findings<'_>,
    ) {
        let status = request.status();
        // Why it is not told, where that is for good.
        let never = matches!(
            status.condition("Escalated"),
            Some(("False", "Invalid" | "NameConflict"))
        );
        let follows = || Some(status.time("completionTime")?.plus(status.ttl()?));
        let expiry = status.time("expiryTime").or_else(follows);
        let expired = due(expiry.map(Time::moment));
        // What has expired is to go, and nobody is told of it any more.
        let given_up = expired && ending.refused.deletions;
        let told = never
            || given_up
            || request.edited
            || ending.refused.notifications
            || self.namespace_ends;
        let (promise, notified, occasion) = match status.phase() {
            "Failed" => (Promise::L4, &request.escalations, "escalation"),
            _ => (Promise::L2, &request.successes, "success"),
        };
        // Somebody may have deleted it since. One that status names and that never was has told nobody.
        let named = list(status.0, &["notificationRefs"]).iter().any(|named| {
            let once =
                read::text(named, &["uid"]).is_some_and(|uid| self.children.contains_key(uid));
            named["type"] == occasion && (once || !self.allowances.common.expectations.whole)
        });
        if notified.is_empty() && !named && !told {
            let story = format!("it is {} and there was no {occasion}", status.phase());
            found.breaks(promise, story);
        }
        if expired && !ending.refused.deletions {
            found.breaks(Promise::L5, "the request has expired and is still there");
        }
    }

    fn end_active(
        &self,
        request: &Request,
        ending: &Ending,
        due: &dyn Fn(Option<Timestamp>) -> bool,
        found: &mut Findings<'_>,
    ) {
        let status = request.status();
        let phase = status.phase();
        if let Some(failed) = request.failed {
            if failed + HELD_UP < ending.now {
                found.breaks(
                    Promise::L2,
                    format!("its failure was recorded at {failed} and it is {phase} still"),
                );
            }
            return;
        }
        let lost = self
            .lost_execution(status)
            .filter(|child| due(child.gone.or(child.deleting)));
        if let Some(child) = lost {
            return found.breaks(
                Promise::L12,
                format!("{} was deleted and it is {phase} still", child.object),
            );
        }
        let deadline = status.deadline().map(|deadline| deadline.moment());
        if due(deadline) {
            return found.breaks(
                Promise::L1,
                format!("its deadline has passed and it is {phase} still"),
            );
        }
        if ending.refused.creations {
            return;
        }
        if status.text("phase").is_none() && due(Some(request.created)) {
            return found.breaks(Promise::L2, "nobody has begun with it");
        }
        if let Some(child) = self.awaited(status)
            && due(child.failed.or(child.succeeded))
        {
            found.breaks(
                Promise::L2,
                format!(
                    "{} says {} and it is {phase} still",
                    child.object,
                    child.phase()
                ),
            );
        }
    }

    /// An execution that status names, that has said nothing final and is gone.
    fn lost_execution(&self, status: Status<'_>) -> Option<&Child> {
        status
            .executions()
            .filter_map(|(_, uid)| self.children.get(uid))
            .find(|child| {
                child.succeeded.is_none() && (child.gone.is_some() || child.deleting.is_some())
            })
    }

    /// The child whose result the phase waits for, and that has given it.
    fn awaited(&self, status: Status<'_>) -> Option<&Child> {
        let field = match status.place()? {
            read::PROCESSING => "remediationProcessingRef",
            read::ANALYZING => "aiAnalysisRef",
            read::PLANNING | read::EXECUTING => "workflowExecutionRef",
            _ => return None,
        };
        let child = self.children.get(status.reference(field)?)?;
        let steps = status.steps().iter();
        let running = steps
            .filter_map(|step| self.children.get(step["uid"].as_str()?))
            .any(|step| !step.is_over());
        let planned = status
            .text("planHash")
            .and_then(|hash| hash.split_once(':'));
        let begun = planned.is_none_or(|(count, _)| count.parse() == Ok(status.steps().len()));
        // A word that is final stays so only while it is said.
        let says_so = matches!(child.phase(), "Completed" | "Ready" | "Failed" | "Rejected");
        (says_so && child.gone.is_none() && !running && begun).then_some(child)
    }
}

/// Whether it still says whose it is: one that a hand took that from is nobody's.
fn is_owned(child: &Child) -> bool {
    read::owner(&child.image).is_some()
}
