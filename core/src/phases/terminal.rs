//! Completed and Failed: nothing changes any more. A notification that is still owed is tried again, stragglers are
//! swept, and when its time to live is over the request is deleted. Where a hand took the completion time away it is
//! written again as it was.

use crate::action::Action;
use crate::children::ChildKey;
use crate::conditions;
use crate::decide::Decision;
use crate::draft::{Draft, Verdict};
use crate::error::Cause;
use crate::kind::ChildKind;
use crate::memory::Errand;
use crate::names::{self, Occasion};
use crate::notification;
use crate::phase::Phase;
use crate::phases::failing;
use crate::rule::Rule;
use crate::time::{GoDuration, Time};
use crate::view::{Ensured, View};

pub(crate) fn decide(view: &View<'_>) -> Decision {
    let mut draft = Draft::of(view);
    draft.rule = Rule::Ended;
    let ended = view.status().completion_time.unwrap_or(Time::at(view.now));
    let ttl = GoDuration::from_secs(draft.policy.ttl_seconds_after_finished);
    let expiry = ended.plus(ttl);
    if expiry.reached(view.now) {
        let actions = match view.state.memory.refusal(&Errand::DeleteRequest) {
            Some(refusal) if !refusal.is_over(view.now) => vec![Action::WakeAt(refusal.next_try)],
            Some(_) | None => vec![Action::DeleteRequest],
        };
        return Decision {
            rule: Rule::Expired,
            actions,
        };
    }
    draft.wake_at(expiry.moment());
    let verdict = notify_late(view, &mut draft);
    draft.conclude(view, verdict)
}

/// Writes the end again that a hand took the completion time of.
pub(crate) fn restore(view: &View<'_>, ended: Time) -> Decision {
    let mut draft = Draft::of(view);
    draft.rule = Rule::Ended;
    draft.end(ended);
    draft.conclude(view, Verdict::Record)
}

/// Tries again to create a notification that is owed, unless it was refused for good.
fn notify_late(view: &View<'_>, draft: &mut Draft<'_>) -> Verdict {
    let owed = view
        .status()
        .condition(conditions::ESCALATED)
        .filter(|escalated| {
            let for_good = [Cause::Invalid, Cause::NameConflict].map(Cause::word);
            escalated.status == "False" && !for_good.contains(&escalated.reason.as_str())
        });
    if owed.is_none() {
        return Verdict::Wait;
    }
    // Where a hand took away what says how it ended, nobody is told anything that may not be true.
    let occasion = match (view.status().has_failed(), view.status().known_phase()) {
        (true, _) => Occasion::Escalation,
        (false, Some(Phase::Completed)) => Occasion::Success,
        (false, _) => return Verdict::Wait,
    };
    let key = ChildKey::new(
        ChildKind::NotificationRequest,
        names::notification(view.identity(), occasion),
    );
    match view.ensure(&key) {
        Ensured::There(child) => {
            let at = draft.stamp();
            let status = draft.status.to_mut();
            failing::name_notification(status, occasion, child);
            conditions::set(
                status,
                conditions::ESCALATED,
                true,
                "NotificationCreated",
                String::new(),
                at,
            );
            Verdict::Record
        }
        Ensured::Create => Verdict::Create {
            children: vec![match occasion {
                Occasion::Escalation => notification::escalation(view, draft, key),
                Occasion::Success | Occasion::Approval => notification::success(view, draft, key),
            }],
            beats_clock: true,
        },
        Ensured::Later => {
            if let Some(refusal) = view.creation_refused(&key) {
                draft.wake_at(refusal.next_try);
            }
            Verdict::Wait
        }
        Ensured::Refused(refusal) => {
            let at = draft.stamp();
            conditions::set(
                draft.status.to_mut(),
                conditions::ESCALATED,
                false,
                refusal.cause.word(),
                format!("the notification could not be created: {}", refusal.message),
                at,
            );
            Verdict::Record
        }
    }
}
