//! Suspended: nothing is created and no deadline runs. When the suspension was seen is recorded, so that the pause
//! can be added to every deadline exactly once it is resumed.

use crate::conditions;
use crate::decide::Decision;
use crate::draft::Draft;
use crate::phase::{Phase, PhaseWord};
use crate::rule::Rule;
use crate::time::{GoDuration, Time};
use crate::view::View;

pub(crate) fn decide(view: &View<'_>) -> Decision {
    let mut draft = Draft::of(view);
    draft.rule = Rule::Suspended;
    if view.status().suspended_since.is_none() {
        let at = draft.stamp();
        let status = draft.status.to_mut();
        status.suspended_since = Some(Time::at(view.now));
        status.next_deadline = None;
        status.phase.get_or_insert(PhaseWord::Known(Phase::Pending));
        conditions::set(
            status,
            conditions::SUSPENDED,
            true,
            "SuspendRequested",
            "spec.suspend is true: nothing is created and no deadline runs".to_owned(),
            at,
        );
    }
    draft.conclude_paused(view)
}

/// Ends a suspension that is recorded but no longer asked for: the pause is added to the clocks of the phase and of the
/// whole, and the decision goes on as if there had been none.
pub(crate) fn resume(view: &View<'_>, draft: &mut Draft<'_>) {
    let Some(since) = draft.status.suspended_since else {
        return;
    };
    let pause = Time::at(view.now).since(since);
    let status = draft.status.to_mut();
    status.suspended_since = None;
    if status.start_time.is_some() {
        let add = |clock: Option<GoDuration>| Some(clock.unwrap_or_default().plus(pause));
        status.suspended_in_phase = add(status.suspended_in_phase);
        status.suspended_total = add(status.suspended_total);
    }
    conditions::remove(status, conditions::SUSPENDED);
}
