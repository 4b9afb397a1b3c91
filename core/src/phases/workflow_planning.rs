//! WorkflowPlanning: wait for the WorkflowExecution to begin executing.
//!
//! | the WorkflowExecution | what follows |
//! |---|---|
//! | Executing, Running | the first steps of a plan that is ours to run are created, then Executing |
//! | Completed already | straight on, through Executing, in one write; see [`executing`] |
//! | Failed | the remediation fails with the child's reason (category F) |
//! | Pending, Planning, Validating, no status yet, a word that is not known | wait, until the deadline of workflow planning |
//! | being deleted before it executes, or gone | the remediation fails: it may have acted and is not created again |
//! | its reference was taken away by a hand | one of ours that is there is named again; else wait for the deadline |

use crate::draft::{Draft, Verdict};
use crate::phases::executing;
use crate::view::View;

pub(crate) fn decide(view: &View<'_>, draft: &mut Draft<'_>) -> Verdict {
    let child = match executing::named_workflow(view, draft) {
        Ok(child) => child,
        Err(verdict) => return verdict,
    };
    draft.wait_for(child);
    let workflow = child.status.workflow();
    match workflow.phase.as_str() {
        "Failed" => Verdict::Fail(super::child_failed(child)),
        "Executing" | "Running" | "Completed" => executing::pursue(view, draft, child, workflow),
        _ if child.deleting => Verdict::Fail(executing::deleted(view, draft, &child.key)),
        "" | "Pending" | "Planning" | "Validating" => Verdict::Wait,
        unknown => {
            super::note_unknown_phase(draft, child, unknown);
            Verdict::Wait
        }
    }
}
