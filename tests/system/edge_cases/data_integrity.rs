//! Category 6: data integrity. (Missing and invalid targeting data are in `transitions.rs`.)

use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::harness::{Failure, Result};
use crate::stage::{AIA, NOTIF, RPROC, Stage, WFE, alert, on_both_backends};

on_both_backends!(
    no_spec_can_be_changed_once_it_is_written,
    strange_text_reaches_the_children_as_it_was_sent,
    partial_and_hostile_status_is_read_leniently,
);

async fn no_spec_can_be_changed_once_it_is_written(stage: &mut Stage) -> Result {
    stage.request_in("web", "Completed").await?;
    let mut targets = vec![(stage.requests(), "web".to_owned())];
    for (kind, name) in [
        (RPROC, "web-processing"),
        (AIA, "web-aianalysis"),
        (WFE, "web-workflow"),
    ] {
        targets.push((stage.children(kind), name.to_owned()));
    }
    let edits = [
        json!({ "spec": { "targetingData": { "environment": "staging" } } }),
        json!({ "spec": { "targetingData": { "severity": "critical" } } }),
        json!({ "spec": { "targetingData": { "clusterName": null } } }),
        json!({ "spec": { "targetingData": null } }),
        json!({ "spec": null }),
    ];
    for (api, name) in &targets {
        for edit in &edits {
            let patch = Patch::Merge(edit);
            let answer = api.patch(name, &PatchParams::default(), &patch).await;
            match answer {
                Err(kube::Error::Api(status)) if status.code == 422 => {}
                other => return Err(Failure::new(format!("{name} {edit}: {other:?}"))),
            }
        }
    }
    let escalation = stage.notification("web", "success").await?;
    let name = escalation.metadata.name.unwrap_or_default();
    let edit = Patch::Merge(json!({ "spec": { "body": "changed" } }));
    assert!(
        stage
            .children(NOTIF)
            .patch(&name, &PatchParams::default(), &edit)
            .await
            .is_err()
    );
    Ok(())
}

async fn strange_text_reaches_the_children_as_it_was_sent(stage: &mut Stage) -> Result {
    let mut data = alert();
    data["alertName"] = json!("Ünïcode \u{202e}evil\u{1b}[31m <!channel>");
    data["labels"] = json!({ "a/b": "\"quoted\"", "emoji": "🔥" });
    stage
        .request_with("web", json!({ "targetingData": data }))
        .await?;
    stage.take_to("web", "Analyzing").await?;
    let child = stage.child(AIA, "web-aianalysis").await?;
    assert_eq!(child.data["spec"]["targetingData"], data);
    stage
        .says(
            AIA,
            "web-aianalysis",
            json!({ "phase": "Failed", "reason": "two words", "message": "a\u{1b}[2Jb" }),
        )
        .await?;
    let request = stage.until_phase("web", "Failed").await?;
    assert_eq!(request.data["status"]["reason"], "AIAnalysisFailed");
    let escalation = stage.notification("web", "escalation").await?;
    let text = escalation.data["spec"].to_string() + &request.data["status"].to_string();
    for hostile in ["\\u001b", "\u{202e}", "<!channel>"] {
        assert!(!text.contains(hostile), "{hostile:?} in {text}");
    }
    Ok(())
}

async fn partial_and_hostile_status_is_read_leniently(stage: &mut Stage) -> Result {
    stage.request_in("web", "Executing").await?;
    for status in [
        json!({ "stepsCompleted": 5 }),
        json!({ "stepsCompleted": -3, "stepsTotal": -1 }),
        json!({ "stepsCompleted": 9_007_199_254_740_991_i64, "stepsTotal": 1 }),
        json!({ "message": "x".repeat(30_000) }),
        json!({ "phase": "" }),
        json!({ "phase": "Executing", "stepsCompleted": 1, "stepsTotal": 4 }),
    ] {
        stage.says(WFE, "web-workflow", status).await?;
    }
    let request = stage.take_to("web", "Completed").await?;
    assert_eq!(request.data["status"]["overallProgress"], 100);
    Ok(())
}
