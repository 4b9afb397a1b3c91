//! Pending and Initializing: start the clock, check what was asked, create the RemediationProcessing.
//!
//! | what is seen | what follows |
//! |---|---|
//! | valid targeting data and limits | the RemediationProcessing is created, then Processing |
//! | targeting data missing or invalid ([`targeting::validate`]) | the remediation fails: InvalidTargetingData (category C) |
//! | a limit that cannot be read ([`crate::policy`]) | the remediation fails: InvalidSpec (category C) |
//! | the creation refused for now | tried again with backoff, until the deadline of processing |
//! | the creation refused for good | the remediation fails with the cause (category C) |
//!
//! A write that only says Initializing carries nothing, so the first status written is normally Processing; only
//! if the RemediationProcessing cannot be created at once is Initializing recorded, so that a clock runs.

use crate::action::{ChildSpec, ProcessingSpec};
use crate::draft::{Draft, Failure, Verdict};
use crate::error::Category;
use crate::kind::ChildKind;
use crate::phase::Phase;
use crate::policy::effective;
use crate::rule::Rule;
use crate::status::ObjectRef;
use crate::targeting;
use crate::view::{Ensured, View};

pub(crate) fn decide(view: &View<'_>, draft: &mut Draft<'_>) -> Verdict {
    let spec = &view.state.request.spec;
    let (_, wrong_policy) = effective(&view.state.settings, spec);
    if draft.status.known_phase() == Some(Phase::Pending) {
        start_the_clock(draft);
    }
    let data = match (&spec.targeting_data, wrong_data(view), wrong_policy) {
        (Some(data), None, None) => data,
        (_, wrong_data, wrong_policy) => return Verdict::Fail(invalid(wrong_data, wrong_policy)),
    };
    let key = view.stage_key(ChildKind::RemediationProcessing);
    match view.ensure(&key) {
        Ensured::There(child) => {
            draft.rule = Rule::Begin;
            draft.enter(
                Phase::Processing,
                "ProcessingCreated",
                &format!("{key} enriches the alert"),
            );
            draft.status.to_mut().remediation_processing_ref = Some(ObjectRef {
                name: child.key.name.clone(),
                uid: child.uid.clone(),
            });
            draft.wait_for(child);
            Verdict::Record
        }
        Ensured::Create => {
            draft.rule = Rule::Begin;
            let spec = ChildSpec::Processing(ProcessingSpec {
                targeting_data: data.clone(),
            });
            Verdict::Create {
                children: vec![view.new_child(key, spec)],
                beats_clock: false,
            }
        }
        Ensured::Later => {
            super::note_delay(view, draft, &key);
            Verdict::Wait
        }
        Ensured::Refused(refusal) => Verdict::Fail(super::creation_refused(&key, refusal)),
    }
}

fn start_the_clock(draft: &mut Draft<'_>) {
    draft.enter(
        Phase::Initializing,
        "Initializing",
        "checking what was asked",
    );
    let at = draft.stamp();
    let status = draft.status.to_mut();
    status.start_time.get_or_insert(at);
    status.attempt.get_or_insert(1);
}

/// What is wrong with the targeting data, in words; `None` if nothing is.
pub(super) fn wrong_data(view: &View<'_>) -> Option<String> {
    targeting::validate(view.state.request.spec.targeting_data.as_ref())
}

/// The failure of a request that asks for what cannot be done; it names all that is wrong.
pub(super) fn invalid(wrong_data: Option<String>, wrong_policy: Option<String>) -> Failure {
    let reason = if wrong_data.is_some() {
        "InvalidTargetingData"
    } else {
        "InvalidSpec"
    };
    let problems: Vec<String> = [wrong_data, wrong_policy].into_iter().flatten().collect();
    Failure {
        rule: Rule::InvalidRequest,
        reason: reason.to_owned(),
        message: format!(
            "{}; create a new request with it corrected",
            problems.join("; ")
        ),
        category: Category::C,
        timeout_phase: None,
    }
}
