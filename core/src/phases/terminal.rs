//! Completed and Failed: nothing changes any more. A notification that is still owed is tried again, stragglers are
//! swept, and when its time to live is over the request is deleted.

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
use crate::rule::Rule;
use crate::status::NotificationRef;
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
            Some(refusal) if view.now < refusal.next_try => vec![Action::WakeAt(refusal.next_try)],
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
    let occasion = if view.status().has_failed() {
        Occasion::Escalation
    } else {
        Occasion::Success
    };
    let key = ChildKey::new(
        ChildKind::NotificationRequest,
        names::notification(view.identity(), occasion),
    );
    match view.ensure(&key) {
        Ensured::There(child) => {
            let at = Time::at(view.now);
            let status = draft.status.to_mut();
            if status.notification(occasion).is_none() {
                status.notification_refs.push(NotificationRef {
                    occasion,
                    name: child.key.name.clone(),
                    uid: child.uid.clone(),
                });
            }
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
        Ensured::Later => Verdict::Wait,
        Ensured::Refused(refusal) => {
            let at = Time::at(view.now);
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
