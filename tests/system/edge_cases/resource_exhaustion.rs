//! Category 2: resource exhaustion.

use serde_json::json;

use crate::harness::Result;
use crate::stage::{AIA, KEXEC, RPROC, Stage, WFE, alert, on_both_backends};

on_both_backends!(
    a_hundred_requests_at_once_all_begin,
    the_largest_targeting_data_passes_through_unchanged,
    a_plan_of_sixty_four_steps_runs,
);

async fn a_hundred_requests_at_once_all_begin(stage: &mut Stage) -> Result {
    let names: Vec<String> = (0..100).map(|n| format!("burst-{n}")).collect();
    let creations = names.iter().map(|name| stage.request(name));
    for created in futures::future::join_all(creations).await {
        created?;
    }
    stage.count(RPROC, names.len()).await?;
    for name in &names {
        stage.until_phase(name, "Processing").await?;
    }
    Ok(())
}

async fn the_largest_targeting_data_passes_through_unchanged(stage: &mut Stage) -> Result {
    let mut data = alert();
    data["context"] = json!({ "dump": "ä".repeat(1900), "more": "x".repeat(3500) });
    assert!(data.to_string().len() < 8192);
    stage
        .request_with("web", json!({ "targetingData": data }))
        .await?;
    stage.take_to("web", "Completed").await?;
    for (kind, name) in [
        (RPROC, "web-processing"),
        (AIA, "web-aianalysis"),
        (WFE, "web-workflow"),
    ] {
        let child = stage.child(kind, name).await?;
        assert_eq!(child.data["spec"]["targetingData"], data, "{kind}");
    }
    Ok(())
}

async fn a_plan_of_sixty_four_steps_runs(stage: &mut Stage) -> Result {
    stage.request_in("web", "WorkflowPlanning").await?;
    let steps: Vec<_> = (0..64)
        .map(|n| json!({ "name": format!("step-{n}"), "action": "Scale" }))
        .collect();
    let plan = json!({ "executedBy": "Orchestrator", "steps": steps });
    stage
        .says(
            WFE,
            "web-workflow",
            json!({ "phase": "Executing", "plan": plan }),
        )
        .await?;
    for n in 0..64 {
        let name = format!("web-execution-step-{n}");
        stage.child(KEXEC, &name).await?;
        stage
            .says(KEXEC, &name, json!({ "phase": "Completed" }))
            .await?;
    }
    stage
        .says(WFE, "web-workflow", json!({ "phase": "Completed" }))
        .await?;
    let request = stage.until_phase("web", "Completed").await?;
    assert!(request.data["status"].to_string().len() < 32 * 1024);
    Ok(())
}
