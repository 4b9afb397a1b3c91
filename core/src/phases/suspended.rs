//! Suspended: nothing is created and no deadline runs. When the suspension was seen is recorded, so that the pause
//! can be added to every deadline exactly.

use crate::conditions;
use crate::decide::Decision;
use crate::draft::Draft;
use crate::phase::{Phase, PhaseWord};
use crate::rule::Rule;
use crate::time::Time;
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
