//! Failing, in three steps: the failure is recorded, which fixes the outcome also against a child that completes
//! later; then the escalation, which repeats it; then the terminal phase.
//!
//! | the escalation | what follows |
//! |---|---|
//! | is there | Failed, with the condition Escalated true |
//! | refused by the API server (a policy, a missing role, an invalid object, ...) | Failed at once, with Escalated false and the reason; tried again by [`super::terminal`] unless refused for good |
//! | no answer, too many requests, an outage | held up, 30 seconds from the failure at most; then the same |

use jiff::Timestamp;

use crate::action::{EventSeverity, NewChild};
use crate::children::{Child, ChildKey};
use crate::conditions;
use crate::draft::{Draft, Failure, Verdict};
use crate::kind::ChildKind;
use crate::memory::Refusal;
use crate::names::{self, Occasion};
use crate::notification;
use crate::phase::Phase;
use crate::rule::Rule;
use crate::status::{NotificationRef, Status};
use crate::text;
use crate::time::{GoDuration, Time};
use crate::view::{Ensured, View};

/// How long a notification that cannot be created may hold up the terminal phase, unless the API server said no.
const LONGEST_HOLD: GoDuration = GoDuration::from_secs(30);

/// The reason of a failure that a hand wrote without one.
const UNNAMED: &str = "Failed";

/// The first step: writes the failure into the draft.
pub(crate) fn record(draft: &mut Draft<'_>, failure: &Failure) {
    let at = draft.stamp();
    let phase = draft
        .status
        .known_phase()
        .filter(|phase| !phase.is_terminal());
    let status = draft.status.to_mut();
    draft.rule = failure.rule;
    status.failure_phase = Some(match phase {
        Some(Phase::Pending) | None => Phase::Initializing,
        Some(phase) => phase,
    });
    status.failure_category = Some(failure.category);
    status.failure_time = Some(at);
    status.timeout_phase = failure.timeout_phase;
    status.reason = Some(text::clean(&failure.reason, text::REASON));
    status.message = Some(text::clean(&failure.message, text::MESSAGE));
    status.next_deadline = None;
    draft.trouble = None;
}

/// The second step: the escalation of the failure that the draft records, if it is not known to exist and may
/// be tried.
pub(crate) fn escalation(view: &View<'_>, draft: &Draft<'_>) -> Option<NewChild> {
    let key = escalation_key(view);
    let wanted = matches!(view.ensure(&key), Ensured::Create);
    wanted.then(|| notification::escalation(view, draft, key))
}

/// The last steps, once the failure is recorded: the escalation, then Failed.
pub(crate) fn finish(view: &View<'_>, draft: &mut Draft<'_>) -> Verdict {
    draft.rule = Rule::FailureRecorded;
    if draft.status.reason.is_none() {
        // A hand wrote the failure: what the escalation says is what the status will say.
        draft.status.to_mut().reason = Some(UNNAMED.to_owned());
    }
    if draft.status.known_phase() == Some(Phase::Pending) {
        // A hand wrote the failure of a request that had not begun: Failed follows from Initializing alone.
        let (reason, message) = recorded_reason(&draft.status);
        draft.enter(Phase::Initializing, &reason, &message);
    }
    let key = escalation_key(view);
    match view.ensure(&key) {
        Ensured::There(child) => {
            fail(draft);
            let at = draft.stamp();
            let status = draft.status.to_mut();
            name_notification(status, Occasion::Escalation, child);
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
            children: vec![notification::escalation(view, draft, key)],
            beats_clock: true,
        },
        Ensured::Later | Ensured::Refused(_) => {
            let refusal = view.creation_refused(&key);
            let since = draft.status.failure_time.map_or(view.now, Time::moment);
            if let Some(due) = refusal.and_then(|r| held_up_until(r, since, view.now)) {
                draft.wake_at(due);
                return Verdict::Hold;
            }
            fail(draft);
            note_undelivered(draft, refusal);
            Verdict::Record
        }
    }
}

/// When to decide again where a notification that was refused holds up the terminal phase; `None` if it does not any
/// longer.
pub(crate) fn held_up_until(
    refusal: &Refusal,
    since: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    if refusal.cause.server_said_no() {
        return None;
    }
    next_try(refusal, since, now)
}

/// When to try again what may hold up the terminal phase for thirty seconds; `None` once they are over.
pub(crate) fn next_try(refusal: &Refusal, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let due = end_of_hold(since.min(now));
    (!due.reached(now)).then(|| due.moment().min(refusal.next_try))
}

/// Until when what is refused since then may hold up the terminal phase.
pub(crate) fn end_of_hold(since: Timestamp) -> Time {
    Time::at(since).plus(LONGEST_HOLD)
}

/// Says that the notification that is owed could not be created, and why.
pub(crate) fn note_undelivered(draft: &mut Draft<'_>, refusal: Option<&Refusal>) {
    let at = draft.stamp();
    let (reason, message) = refusal.map_or(("Unknown", String::new()), |refusal| {
        let next = refusal.cause.next_step();
        (refusal.cause.word(), format!("{}; {next}", refusal.message))
    });
    let message = text::clean(
        &format!("the notification could not be created: {message}"),
        text::MESSAGE,
    );
    draft.announce(EventSeverity::Warning, "NotificationUndelivered", &message);
    conditions::set(
        draft.status.to_mut(),
        conditions::ESCALATED,
        false,
        reason,
        message,
        at,
    );
}

/// Enters Failed with the reason and message that were recorded.
fn fail(draft: &mut Draft<'_>) {
    let (reason, message) = recorded_reason(&draft.status);
    draft.enter(Phase::Failed, &reason, &message);
    let at = draft.stamp();
    draft.end(at);
    let status = draft.status.to_mut();
    for kind in [conditions::FAILED, conditions::STALLED] {
        conditions::set(status, kind, true, &reason, String::new(), at);
    }
    draft.announce(
        EventSeverity::Warning,
        "RemediationFailed",
        &format!("{reason}: {message}"),
    );
}

fn recorded_reason(status: &Status) -> (String, String) {
    let reason = status.reason.as_deref().unwrap_or(UNNAMED);
    let message = status.message.as_deref().unwrap_or_default();
    (reason.to_owned(), message.to_owned())
}

/// Names a notification, in the place of an earlier one of the same occasion.
pub(crate) fn name_notification(status: &mut Status, occasion: Occasion, child: &Child) {
    status
        .notification_refs
        .retain(|known| known.occasion != occasion);
    status.notification_refs.push(NotificationRef {
        occasion,
        name: child.key.name.clone(),
        uid: child.uid.clone(),
    });
}

fn escalation_key(view: &View<'_>) -> ChildKey {
    ChildKey::new(
        ChildKind::NotificationRequest,
        names::notification(view.identity(), Occasion::Escalation),
    )
}
