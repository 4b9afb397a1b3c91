//! The integration tests of the enhancement guide, one for one.

use kube::ResourceExt;
use serde_json::json;

use crate::harness::Result;
use crate::stage::{AIA, RPROC, Stage, WFE, alert, on_both_backends, ready};

on_both_backends!(
    all_four_children_are_created_in_sequence,
    a_failed_child_fails_the_request_and_escalates,
    progress_is_added_up_over_all_children,
    three_requests_of_one_alert_at_once_get_a_processing_each,
);

/// BR-REM-041: 4-way CRD watch coordination.
async fn all_four_children_are_created_in_sequence(stage: &mut Stage) -> Result {
    let request = stage.request("complete-remediation").await?;

    let processing = stage
        .child(RPROC, "complete-remediation-processing")
        .await?;
    let owners = processing.owner_references();
    assert_eq!(owners.len(), 1);
    assert_eq!(owners[0].name, "complete-remediation");
    assert_eq!(owners[0].kind, "RemediationRequest");
    assert_eq!(Some(&owners[0].uid), request.metadata.uid.as_ref());
    assert_eq!(
        (owners[0].controller, owners[0].block_owner_deletion),
        (Some(true), Some(true))
    );
    assert_eq!(processing.data["spec"]["targetingData"], alert());

    let enriched = json!({ "enrichedKey": "enrichedValue" });
    stage
        .says(
            RPROC,
            "complete-remediation-processing",
            json!({ "phase": "Completed", "enrichedData": enriched }),
        )
        .await?;
    let analysis = stage.child(AIA, "complete-remediation-aianalysis").await?;
    assert_eq!(analysis.data["spec"]["enrichedData"], enriched);

    stage
        .says(AIA, "complete-remediation-aianalysis", ready())
        .await?;
    let workflow = stage.child(WFE, "complete-remediation-workflow").await?;
    let recommendations = &workflow.data["spec"]["recommendations"];
    assert_eq!(recommendations.as_array().map(Vec::len), Some(1));
    assert_eq!(recommendations[0]["action"], "ScaleDeployment");

    let request = stage
        .until_phase("complete-remediation", "WorkflowPlanning")
        .await?;
    let status = &request.data["status"];
    for (reference, child) in [
        ("remediationProcessingRef", &processing),
        ("aiAnalysisRef", &analysis),
        ("workflowExecutionRef", &workflow),
    ] {
        assert_eq!(
            status[reference]["name"],
            json!(child.name_any()),
            "{reference}"
        );
        assert_eq!(status[reference]["uid"], json!(child.uid()), "{reference}");
    }
    Ok(())
}

/// BR-REM-041 and BR-ORCH-001: child failure and escalation.
async fn a_failed_child_fails_the_request_and_escalates(stage: &mut Stage) -> Result {
    stage.request("failed-remediation").await?;
    stage.child(RPROC, "failed-remediation-processing").await?;
    let message = "Failed to enrich signal data: timeout fetching cluster state";
    stage
        .says(
            RPROC,
            "failed-remediation-processing",
            json!({ "phase": "Failed", "reason": "EnrichmentError", "message": message,
                    "conditions": [{ "type": "Failed", "status": "True", "reason": "EnrichmentTimeout",
                                     "message": "Context API timeout",
                                     "lastTransitionTime": "2026-03-01T12:00:00Z" }] }),
        )
        .await?;
    let request = stage.until_phase("failed-remediation", "Failed").await?;
    let status = &request.data["status"];
    assert_eq!(status["reason"], "EnrichmentError");
    assert!(
        status["message"]
            .as_str()
            .unwrap_or_default()
            .contains(message)
    );
    assert_eq!(status["failureCategory"], "F");
    assert_eq!(status["failurePhase"], "Processing");

    let escalation = stage
        .notification("failed-remediation", "escalation")
        .await?;
    assert_eq!(escalation.data["spec"]["priority"], "high");
    assert_eq!(
        escalation.data["spec"]["metadata"]["failure_reason"],
        "EnrichmentError"
    );
    assert!(
        escalation.owner_references().is_empty(),
        "it outlives its request"
    );
    Ok(())
}

/// BR-REM-050: status aggregation.
async fn progress_is_added_up_over_all_children(stage: &mut Stage) -> Result {
    stage
        .request_in("progress-aggregation", "WorkflowPlanning")
        .await?;
    stage
        .says(
            WFE,
            "progress-aggregation-workflow",
            json!({ "stepsCompleted": 1, "stepsTotal": 2, "phase": "Executing" }),
        )
        .await?;
    let request = stage
        .until("progress-aggregation", "75 %", |status| {
            status["overallProgress"] == 75
        })
        .await?;
    assert_eq!(request.data["status"]["stepsCompleted"], 3);
    assert_eq!(request.data["status"]["stepsTotal"], 4);
    Ok(())
}

/// Edge case category 1 of the guide: concurrency.
async fn three_requests_of_one_alert_at_once_get_a_processing_each(stage: &mut Stage) -> Result {
    let create = async |index: usize| stage.request(&format!("duplicate-alert-{index}")).await;
    futures::try_join!(create(0), create(1), create(2))?;
    let processings = stage.count(RPROC, 3).await?;
    for (index, processing) in processings.iter().enumerate() {
        assert_eq!(
            processing.name_any(),
            format!("duplicate-alert-{index}-processing")
        );
        stage
            .until_phase(&format!("duplicate-alert-{index}"), "Processing")
            .await?;
    }
    assert_eq!(stage.count_now(RPROC).await?, 3);
    Ok(())
}
