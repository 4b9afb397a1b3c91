//! Names: whose object holds one, the longest ones, and the same one used again.

use kube::ResourceExt;
use kube::api::{DeleteParams, DynamicObject, PostParams};
use remediation_adapters::kubernetes::api::api_resource;
use serde_json::json;

use crate::harness::Result;
use crate::stage::{AIA, KEXEC, NOTIF, RPROC, Stage, WFE, alert, on_both_backends};

on_both_backends!(
    a_foreign_object_under_our_name_is_never_touched,
    a_foreign_notification_under_our_name_holds_nothing_up,
    the_same_name_used_again_after_a_failure_is_escalated_again,
    names_of_253_characters_work_and_do_not_meet,
    a_request_named_like_another_ones_step_does_not_meet_it,
);

async fn a_foreign_object_under_our_name_is_never_touched(stage: &mut Stage) -> Result {
    let spec = json!({ "targetingData": alert(), "attempt": 1 });
    let foreign =
        DynamicObject::new("web-aianalysis", &api_resource(AIA)).data(json!({ "spec": spec }));
    let foreign = stage
        .children(AIA)
        .create(&PostParams::default(), &foreign)
        .await?;
    stage
        .says(AIA, "web-aianalysis", json!({ "phase": "Ready" }))
        .await?;
    stage.request_in("web", "Processing").await?;
    stage
        .says(RPROC, "web-processing", json!({ "phase": "Completed" }))
        .await?;
    let request = stage.until_phase("web", "Failed").await?;
    assert_eq!(request.data["status"]["reason"], "NameConflict");
    assert_eq!(request.data["status"]["failureCategory"], "C");
    stage.notification("web", "escalation").await?;
    let after = stage.child(AIA, "web-aianalysis").await?;
    assert_eq!(after.uid(), foreign.uid());
    assert!(after.owner_references().is_empty() && after.labels().is_empty());
    Ok(())
}

async fn a_foreign_notification_under_our_name_holds_nothing_up(stage: &mut Stage) -> Result {
    let request = stage.request_in("web", "Processing").await?;
    let uid: String = request.uid().unwrap_or_default().chars().take(8).collect();
    let name = format!("web-escalation-{uid}");
    let spec = json!({ "type": "success", "priority": "low", "channels": [], "subject": "s", "body": "b", "metadata": {} });
    let foreign = DynamicObject::new(&name, &api_resource(NOTIF)).data(json!({ "spec": spec }));
    stage
        .children(NOTIF)
        .create(&PostParams::default(), &foreign)
        .await?;
    stage
        .says(
            RPROC,
            "web-processing",
            json!({ "phase": "Failed", "reason": "Broken" }),
        )
        .await?;
    let request = stage.until_phase("web", "Failed").await?;
    let conditions = request.data["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let escalated = conditions
        .iter()
        .find(|condition| condition["type"] == "Escalated");
    let escalated = escalated.cloned().unwrap_or_default();
    assert_eq!(
        (&escalated["status"], &escalated["reason"]),
        (&json!("False"), &json!("NameConflict"))
    );
    let left = stage.children(NOTIF).get(&name).await?;
    assert_eq!(left.data["spec"]["body"], "b");
    Ok(())
}

async fn the_same_name_used_again_after_a_failure_is_escalated_again(stage: &mut Stage) -> Result {
    for round in 1..=2 {
        stage.request_in("web", "Processing").await?;
        stage
            .says(
                RPROC,
                "web-processing",
                json!({ "phase": "Failed", "reason": "Broken" }),
            )
            .await?;
        stage.until_phase("web", "Failed").await?;
        stage.count(NOTIF, round).await?;
        // The next one asks for its children while the garbage collector may still hold the old ones.
        stage
            .delete_request("web", &DeleteParams::background())
            .await?;
    }
    Ok(())
}

async fn names_of_253_characters_work_and_do_not_meet(stage: &mut Stage) -> Result {
    let stem = "n".repeat(252);
    let names = [format!("{stem}a"), format!("{stem}b")];
    for name in &names {
        stage.request(name).await?;
    }
    let results = [
        (RPROC, json!({ "phase": "Completed" })),
        (AIA, crate::stage::ready()),
        (
            WFE,
            json!({ "phase": "Executing", "plan": { "executedBy": "Orchestrator",
                    "steps": [{ "name": "s".repeat(63) }] } }),
        ),
        (KEXEC, json!({ "phase": "Completed" })),
        (WFE, json!({ "phase": "Completed" })),
    ];
    for (kind, status) in results {
        for child in stage.count(kind, names.len()).await? {
            assert!(child.name_any().len() <= 253);
            stage.says(kind, &child.name_any(), status.clone()).await?;
        }
    }
    for name in &names {
        stage.until_phase(name, "Completed").await?;
    }
    Ok(())
}

async fn a_request_named_like_another_ones_step_does_not_meet_it(stage: &mut Stage) -> Result {
    let plan = |step: &str| {
        json!({ "phase": "Executing",
            "plan": { "executedBy": "Orchestrator", "steps": [{ "name": step }] } })
    };
    for (name, step) in [("web", "a-execution-b"), ("web-execution-a", "b")] {
        stage.request_in(name, "WorkflowPlanning").await?;
        stage
            .says(WFE, &format!("{name}-workflow"), plan(step))
            .await?;
        stage.until_phase(name, "Executing").await?;
    }
    let steps = stage.count(KEXEC, 2).await?;
    assert_ne!(
        steps[0].owner_references()[0].uid,
        steps[1].owner_references()[0].uid
    );
    Ok(())
}
