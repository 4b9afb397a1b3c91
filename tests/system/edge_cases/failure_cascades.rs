//! Category 3: failure cascades. (An API server that is down while children are created is in `outages.rs`.)

use kube::ResourceExt;
use serde_json::json;

use crate::harness::Result;
use crate::stage::{KEXEC, NOTIF, RPROC, Stage, WFE, on_both_backends};

on_both_backends!(
    all_children_fail_at_once_and_one_escalation_is_sent,
    a_child_controller_that_was_away_goes_on,
    ten_timeouts_at_once_are_escalated_once_each,
);

async fn all_children_fail_at_once_and_one_escalation_is_sent(stage: &mut Stage) -> Result {
    stage.request_in("web", "WorkflowPlanning").await?;
    let plan = json!({ "executedBy": "Orchestrator", "steps": [{ "name": "a" }, { "name": "b" }] });
    stage
        .says(
            WFE,
            "web-workflow",
            json!({ "phase": "Executing", "plan": plan }),
        )
        .await?;
    stage.count(KEXEC, 2).await?;
    let failed = || json!({ "phase": "Failed", "reason": "Cascade" });
    futures::try_join!(
        stage.says(WFE, "web-workflow", failed()),
        stage.says(KEXEC, "web-execution-a", failed()),
        stage.says(KEXEC, "web-execution-b", failed()),
        stage.says(RPROC, "web-processing", failed()),
    )?;
    let request = stage.until_phase("web", "Failed").await?;
    assert_eq!(request.data["status"]["reason"], "Cascade");
    stage.notification("web", "escalation").await?;
    assert_eq!(stage.count_now(NOTIF).await?, 1);
    Ok(())
}

async fn a_child_controller_that_was_away_goes_on(stage: &mut Stage) -> Result {
    stage.request_in("web", "Processing").await?;
    stage
        .says(RPROC, "web-processing", json!({ "phase": "Processing" }))
        .await?;
    stage.kill_operator().await?;
    stage
        .says(RPROC, "web-processing", json!({ "phase": "Completed" }))
        .await?;
    stage.start_operator().await?;
    stage.take_to("web", "Completed").await?;
    Ok(())
}

async fn ten_timeouts_at_once_are_escalated_once_each(stage: &mut Stage) -> Result {
    let names: Vec<String> = (0..10).map(|n| format!("late-{n}")).collect();
    for name in &names {
        stage
            .request_within(name, json!({ "processing": "1s" }))
            .await?;
    }
    for name in &names {
        stage.until_phase(name, "Failed").await?;
    }
    let escalations = stage.count(NOTIF, names.len()).await?;
    for (escalation, name) in escalations.iter().zip(&names) {
        assert!(
            escalation
                .name_any()
                .starts_with(&format!("{name}-escalation-"))
        );
    }
    let timeouts = stage
        .metric("remediationorchestrator_phase_timeout_total", &[])
        .await?;
    assert_eq!(timeouts, 10.0);
    Ok(())
}
