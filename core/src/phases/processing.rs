//! Processing: wait for the RemediationProcessing, then create the AIAnalysis from its result.
//!
//! | the RemediationProcessing | what follows |
//! |---|---|
//! | Completed | the AIAnalysis is created, then Analyzing |
//! | Failed | the remediation fails with the child's reason (category F) |
//! | Pending, Processing, no status yet, a word that is not known | wait, until the deadline of processing |
//! | being deleted | wait: it may still end |
//! | gone, or its reference was taken away | created again (category A); the phase's clock keeps running |

use crate::action::{AnalysisSpec, ChildSpec, ProcessingSpec};
use crate::children::ProcessingStatus;
use crate::draft::{Draft, Verdict};
use crate::kind::ChildKind;
use crate::phase::Phase;
use crate::rule::Rule;
use crate::status::ObjectRef;
use crate::view::{Ensured, Named, View};

const KIND: ChildKind = ChildKind::RemediationProcessing;

pub(crate) fn decide(view: &View<'_>, draft: &mut Draft<'_>) -> Verdict {
    let Some(reference) = draft.status.remediation_processing_ref.clone() else {
        return create_again(view, draft);
    };
    let child = match view.named(KIND, &reference.name, &reference.uid) {
        Named::There(child) => child,
        Named::Gone => return create_again(view, draft),
        Named::Unconfirmed => return super::confirm_lost(view, draft, KIND, &reference.name),
    };
    draft.wait_for(child);
    let status = child.status.processing();
    match status.phase.as_str() {
        "Failed" => Verdict::Fail(super::child_failed(child)),
        "Completed" => analyze(view, draft, status),
        "" | "Pending" | "Processing" => Verdict::Wait,
        unknown => {
            super::note_unknown_phase(draft, child, unknown);
            Verdict::Wait
        }
    }
}

/// Creates the AIAnalysis from the result of the processing, and enters Analyzing.
fn analyze(view: &View<'_>, draft: &mut Draft<'_>, result: &ProcessingStatus) -> Verdict {
    let key = view.stage_key(ChildKind::AIAnalysis);
    draft.rule = Rule::ChildCompleted;
    match view.ensure(&key) {
        Ensured::There(child) => {
            draft.enter(
                Phase::Analyzing,
                "ProcessingCompleted",
                &format!("{key} looks for the cause"),
            );
            draft.status.to_mut().ai_analysis_ref = Some(ObjectRef {
                name: child.key.name.clone(),
                uid: child.uid.clone(),
            });
            draft.wait_for(child);
            Verdict::Record
        }
        Ensured::Create => Verdict::Create {
            beats_clock: view.creation_refused(&key).is_none(),
            children: vec![view.new_child(key, analysis_spec(view, draft, result))],
        },
        Ensured::Later => {
            super::note_delay(view, draft, &key);
            Verdict::Wait
        }
        Ensured::Refused(refusal) => Verdict::Fail(super::creation_refused(&key, refusal)),
    }
}

/// The spec of the AIAnalysis: a function of the request and of the recorded result alone.
pub(crate) fn analysis_spec(
    view: &View<'_>,
    draft: &Draft<'_>,
    result: &ProcessingStatus,
) -> ChildSpec {
    ChildSpec::Analysis(AnalysisSpec {
        targeting_data: view
            .state
            .request
            .spec
            .targeting_data
            .clone()
            .unwrap_or_default(),
        enriched_data: result.enriched_data.clone(),
        attempt: draft.status.attempt.unwrap_or(1),
    })
}

fn create_again(view: &View<'_>, draft: &mut Draft<'_>) -> Verdict {
    let key = view.stage_key(KIND);
    draft.rule = Rule::ChildLost;
    match view.ensure(&key) {
        Ensured::There(child) => {
            draft.status.to_mut().remediation_processing_ref = Some(ObjectRef {
                name: child.key.name.clone(),
                uid: child.uid.clone(),
            });
            draft.wait_for(child);
            Verdict::Record
        }
        Ensured::Create => {
            let spec = ChildSpec::Processing(ProcessingSpec {
                targeting_data: view
                    .state
                    .request
                    .spec
                    .targeting_data
                    .clone()
                    .unwrap_or_default(),
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
