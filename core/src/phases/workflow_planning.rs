//! WorkflowPlanning: wait for the WorkflowExecution to begin executing.
//!
//! One that is already Completed goes straight on, through Executing, in one write.

use crate::draft::{Draft, Verdict};
use crate::phases::executing;
use crate::phases::processing;
use crate::view::View;

pub(crate) fn decide(view: &View<'_>, draft: &mut Draft<'_>) -> Verdict {
    let child = match executing::named_workflow(view, draft) {
        Ok(child) => child,
        Err(verdict) => return executing::unless_a_step_failed(view, draft, verdict),
    };
    draft.wait_for(child);
    let workflow = child.status.workflow();
    match workflow.phase.as_str() {
        "Failed" => Verdict::Fail(super::child_failed(child)),
        "Executing" | "Running" | "Completed" => executing::pursue(view, draft, child, workflow),
        _ if child.deleting => {
            let gone = Verdict::Fail(executing::deleted(view, draft, &child.key));
            executing::unless_a_step_failed(view, draft, gone)
        }
        "" | "Pending" | "Planning" | "Validating" => Verdict::Wait,
        unknown => {
            processing::note_unknown_phase(draft, child, unknown);
            Verdict::Wait
        }
    }
}
