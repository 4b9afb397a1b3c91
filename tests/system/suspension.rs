//! Suspension: nothing is created and no deadline runs, in whatever phase.

use serde_json::{Value, json};

use crate::harness::Result;
use crate::stage::{AIA, QUIET, RPROC, STAGES, Stage, alert, on_both_backends};

on_both_backends!(
    a_request_that_is_created_suspended_begins_when_it_is_resumed,
    suspended_in_each_phase_it_goes_on_from_there,
    no_deadline_passes_during_a_suspension,
);

async fn a_request_that_is_created_suspended_begins_when_it_is_resumed(
    stage: &mut Stage,
) -> Result {
    stage
        .request_with("web", json!({ "targetingData": alert(), "suspend": true }))
        .await?;
    let request = stage
        .until("web", "suspended", |s| s["suspendedSince"].is_string())
        .await?;
    assert_eq!(request.data["status"]["phase"], "Pending");
    assert_eq!(stage.count_now(RPROC).await?, 0);
    stage.suspend("web", false).await?;
    stage.take_to("web", "Completed").await?;
    Ok(())
}

async fn suspended_in_each_phase_it_goes_on_from_there(stage: &mut Stage) -> Result {
    for (phase, kind, suffix) in STAGES {
        let name = phase.to_lowercase();
        stage.request_in(&name, phase).await?;
        stage.suspend(&name, true).await?;
        let request = stage
            .until(&name, "suspended", |s| s["suspendedSince"].is_string())
            .await?;
        assert_eq!(request.data["status"]["phase"], phase);
        assert_eq!(request.data["status"]["nextDeadline"], Value::Null);
        let touch = json!({ "message": "still here" });
        stage.says(kind, &format!("{name}-{suffix}"), touch).await?;
        stage.suspend(&name, false).await?;
        let request = stage
            .until(&name, "resumed", |s| s["suspendedTotal"].is_string())
            .await?;
        assert_eq!(request.data["status"]["phase"], phase);
        stage.take_to(&name, "Completed").await?;
    }
    Ok(())
}

async fn no_deadline_passes_during_a_suspension(stage: &mut Stage) -> Result {
    stage
        .request_within("web", json!({ "processing": "1s" }))
        .await?;
    stage.until_phase("web", "Processing").await?;
    stage.suspend("web", true).await?;
    stage
        .until("web", "suspended", |s| s["suspendedSince"].is_string())
        .await?;
    stage
        .says(RPROC, "web-processing", json!({ "phase": "Completed" }))
        .await?;
    tokio::time::sleep(QUIET + std::time::Duration::from_secs(1)).await;
    let request = stage.until_phase("web", "Processing").await?;
    assert_eq!(request.data["status"]["completionTime"], Value::Null);
    assert_eq!(stage.count_now(AIA).await?, 0);
    stage.suspend("web", false).await?;
    stage.until_phase("web", "Analyzing").await?;
    Ok(())
}
