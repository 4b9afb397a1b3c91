//! Category 5: state inconsistencies. (Deletion of the request in each phase is in `deletion.rs`.)

use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::{DEADLINE, Result, eventually, eventually_gone};
use crate::stage::{AIA, NOTIF, RPROC, Stage, WFE, on_both_backends};

on_both_backends!(
    a_child_without_owner_reference_gets_it_back_and_is_collected,
    a_phase_edited_back_walks_forward_again_without_a_second_child,
    a_terminal_phase_without_completion_time_is_not_believed,
    changes_while_the_operator_was_away_are_seen_at_its_start,
    a_terminal_request_whose_phase_was_edited_stays_terminal,
);

async fn a_child_without_owner_reference_gets_it_back_and_is_collected(
    stage: &mut Stage,
) -> Result {
    stage.request_in("web", "Analyzing").await?;
    let strip = json!({ "metadata": { "ownerReferences": null, "labels": null } });
    let analyses = stage.children(AIA);
    analyses
        .patch(
            "web-aianalysis",
            &PatchParams::default(),
            &Patch::Merge(strip),
        )
        .await?;
    let what = "the owner reference is back";
    let child = eventually(&analyses, "web-aianalysis", what, DEADLINE, |child| {
        child.owner_references().len() == 1 && child.labels().len() == 2
    })
    .await?;
    assert_eq!(child.owner_references()[0].controller, Some(true));
    stage
        .delete_request("web", &DeleteParams::background())
        .await?;
    eventually_gone(&analyses, "web-aianalysis", DEADLINE).await
}

async fn a_phase_edited_back_walks_forward_again_without_a_second_child(
    stage: &mut Stage,
) -> Result {
    stage.request_in("web", "WorkflowPlanning").await?;
    let before = stage.child(AIA, "web-aianalysis").await?.uid();
    stage
        .edit_status("web", json!({ "phase": "Processing" }))
        .await?;
    stage.until_phase("web", "WorkflowPlanning").await?;
    assert_eq!(stage.child(AIA, "web-aianalysis").await?.uid(), before);
    stage.take_to("web", "Completed").await?;
    for kind in [RPROC, AIA, WFE, NOTIF] {
        assert_eq!(stage.count_now(kind).await?, 1, "{kind}");
    }
    Ok(())
}

async fn a_terminal_phase_without_completion_time_is_not_believed(stage: &mut Stage) -> Result {
    stage.request_in("web", "Analyzing").await?;
    stage
        .edit_status("web", json!({ "phase": "Completed" }))
        .await?;
    let request = stage
        .until("web", "people are told", |status| {
            let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
            conditions
                .iter()
                .any(|condition| condition["reason"] == "UnknownPhase")
        })
        .await?;
    assert_eq!(request.data["status"]["completionTime"], Value::Null);
    stage
        .edit_status("web", json!({ "phase": "Analyzing" }))
        .await?;
    stage.take_to("web", "Completed").await?;
    Ok(())
}

async fn changes_while_the_operator_was_away_are_seen_at_its_start(stage: &mut Stage) -> Result {
    stage.request_in("moved", "Processing").await?;
    stage.request_in("deleted", "Executing").await?;
    stage.kill_operator().await?;
    stage.request("new").await?;
    stage
        .says(RPROC, "moved-processing", json!({ "phase": "Completed" }))
        .await?;
    stage.delete_child(WFE, "deleted-workflow").await?;
    stage.start_operator().await?;
    stage.until_phase("moved", "Analyzing").await?;
    stage.until_phase("new", "Processing").await?;
    let request = stage.until_phase("deleted", "Failed").await?;
    assert_eq!(request.data["status"]["reason"], "ChildDeleted");
    Ok(())
}

async fn a_terminal_request_whose_phase_was_edited_stays_terminal(stage: &mut Stage) -> Result {
    stage.request_in("web", "Completed").await?;
    stage
        .edit_status("web", json!({ "phase": "Processing" }))
        .await?;
    // A second remediation shows that the operator has had its chance to do something about the first.
    stage.request_in("other", "Completed").await?;
    assert_eq!(stage.count_now(RPROC).await?, 2);
    assert_eq!(stage.count_now(NOTIF).await?, 2);
    let request = stage.requests().get("web").await?;
    assert!(request.data["status"]["completionTime"].is_string());
    Ok(())
}
