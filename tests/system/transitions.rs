//! Each row of the table of phases: what is observed, and what then happens.

use kube::ResourceExt;
use serde_json::{Value, json};

use crate::harness::Result;
use crate::stage::{AIA, KEXEC, NOTIF, RPROC, STAGES, Stage, WFE, alert, on_both_backends, ready};

on_both_backends!(
    invalid_targeting_data_fails_and_escalates,
    a_workflow_that_is_already_completed_goes_straight_to_completed,
    an_analysis_waits_for_approval_once,
    a_rejected_analysis_fails,
    an_analysis_without_a_recommendation_fails,
    a_failure_in_each_phase_is_escalated_once,
    the_orchestrator_runs_a_plan_as_a_graph,
    a_failed_step_ends_the_plan,
    a_plan_that_cannot_be_run_fails_before_any_step,
    a_plan_that_changes_after_it_was_begun_fails,
    a_timeout_in_each_phase_is_escalated,
    an_unknown_phase_word_is_still_in_progress,
    a_completed_request_is_deleted_when_its_time_is_over,
);

async fn invalid_targeting_data_fails_and_escalates(stage: &mut Stage) -> Result {
    stage.request_with("none", json!({})).await?;
    let mut data = alert();
    data["alertName"] = json!("");
    stage
        .request_with("empty", json!({ "targetingData": data }))
        .await?;
    let mut data = alert();
    data["context"] = (0..3)
        .map(|n| (format!("k{n}"), json!("x".repeat(4000))))
        .collect();
    stage
        .request_with("large", json!({ "targetingData": data }))
        .await?;
    for (name, field) in [
        ("none", "targetingData"),
        ("empty", "alertName"),
        ("large", "8192"),
    ] {
        let request = stage.until_phase(name, "Failed").await?;
        let status = &request.data["status"];
        assert_eq!(status["failureCategory"], "C", "{name}");
        assert_eq!(status["reason"], "InvalidTargetingData", "{name}");
        let message = status["message"].as_str().unwrap_or_default();
        assert!(message.contains(field), "{name}: {message}");
        let escalation = stage.notification(name, "escalation").await?;
        let body = escalation.data["spec"]["body"].as_str().unwrap_or_default();
        assert!(body.contains(field), "{name}: {body}");
    }
    assert_eq!(stage.count_now(RPROC).await?, 0);
    Ok(())
}

async fn a_workflow_that_is_already_completed_goes_straight_to_completed(
    stage: &mut Stage,
) -> Result {
    stage.request_in("web", "WorkflowPlanning").await?;
    stage
        .says(WFE, "web-workflow", json!({ "phase": "Completed" }))
        .await?;
    let request = stage.until_phase("web", "Completed").await?;
    let status = &request.data["status"];
    assert_eq!(status["overallProgress"], 100);
    let history = status["history"].as_array().cloned().unwrap_or_default();
    let phases: Vec<&str> = history
        .iter()
        .filter_map(|entry| entry["phase"].as_str())
        .collect();
    assert_eq!(
        phases,
        [
            "Processing",
            "Analyzing",
            "WorkflowPlanning",
            "Executing",
            "Completed"
        ]
    );
    stage.notification("web", "success").await?;
    assert_eq!(stage.count_now(NOTIF).await?, 1);
    Ok(())
}

async fn an_analysis_waits_for_approval_once(stage: &mut Stage) -> Result {
    stage.request_in("web", "Analyzing").await?;
    let mut status = ready();
    status["approval"] = json!({ "required": true });
    stage.says(AIA, "web-aianalysis", status.clone()).await?;
    let request = stage
        .until("web", "approval is asked for", |s| {
            s["approvalNotificationSent"] == true
        })
        .await?;
    assert_eq!(request.data["status"]["phase"], "Analyzing");
    assert_eq!(request.data["status"]["reason"], "AwaitingApproval");
    stage.notification("web", "approval").await?;
    status["approval"] = json!({ "required": true, "decision": "Approved", "decidedBy": "sre" });
    stage.says(AIA, "web-aianalysis", status).await?;
    stage.take_to("web", "Completed").await?;
    let all = stage.count(NOTIF, 2).await?;
    let kinds: Vec<&Value> = all.iter().map(|n| &n.data["spec"]["type"]).collect();
    assert_eq!(kinds, ["approval", "success"]);
    Ok(())
}

async fn a_rejected_analysis_fails(stage: &mut Stage) -> Result {
    for (name, rejection) in [
        ("by-phase", json!({ "phase": "Rejected" })),
        (
            "by-decision",
            json!({ "phase": "Approving", "approval": { "required": true, "decision": "Rejected" } }),
        ),
    ] {
        stage.request_in(name, "Analyzing").await?;
        stage
            .says(AIA, &format!("{name}-aianalysis"), rejection)
            .await?;
        let request = stage.until_phase(name, "Failed").await?;
        assert_eq!(request.data["status"]["reason"], "AnalysisRejected");
        stage.notification(name, "escalation").await?;
    }
    assert_eq!(stage.count_now(WFE).await?, 0);
    Ok(())
}

async fn an_analysis_without_a_recommendation_fails(stage: &mut Stage) -> Result {
    stage.request_in("web", "Analyzing").await?;
    stage
        .says(AIA, "web-aianalysis", json!({ "phase": "Ready" }))
        .await?;
    let request = stage.until_phase("web", "Failed").await?;
    assert_eq!(request.data["status"]["reason"], "NoRecommendation");
    assert_eq!(request.data["status"]["failureCategory"], "F");
    assert_eq!(stage.count_now(WFE).await?, 0);
    Ok(())
}

async fn a_failure_in_each_phase_is_escalated_once(stage: &mut Stage) -> Result {
    for (phase, kind, suffix) in STAGES {
        let name = phase.to_lowercase();
        stage.request_in(&name, phase).await?;
        let failure =
            json!({ "phase": "Failed", "reason": "Broken", "message": format!("in {phase}") });
        stage
            .says(kind, &format!("{name}-{suffix}"), failure)
            .await?;
        let request = stage.until_phase(&name, "Failed").await?;
        let status = &request.data["status"];
        assert_eq!(status["failurePhase"], phase);
        assert_eq!(status["reason"], "Broken");
        let escalation = stage.notification(&name, "escalation").await?;
        assert_eq!(escalation.data["spec"]["metadata"]["phase"], phase);
    }
    assert_eq!(stage.count_now(NOTIF).await?, STAGES.len());
    Ok(())
}

/// A plan of four steps: `drain` and `backup` at once, then `scale`, then `verify`.
fn graph() -> Value {
    json!({ "executedBy": "Orchestrator", "steps": [
        { "name": "drain", "action": "DrainNode", "parameters": { "node": "n1" } },
        { "name": "backup", "action": "Backup" },
        { "name": "scale", "action": "Scale", "dependsOn": ["drain", "backup"] },
        { "name": "verify", "action": "Verify", "dependsOn": ["scale"] } ] })
}

async fn the_orchestrator_runs_a_plan_as_a_graph(stage: &mut Stage) -> Result {
    stage.request_in("web", "WorkflowPlanning").await?;
    let running = json!({ "phase": "Executing", "plan": graph() });
    stage.says(WFE, "web-workflow", running).await?;
    let first = stage.count(KEXEC, 2).await?;
    let names: Vec<String> = first.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["web-execution-backup", "web-execution-drain"]);
    assert_eq!(first[1].data["spec"]["parameters"]["node"], "n1");
    assert_eq!(first[1].owner_references()[0].kind, "RemediationRequest");
    let done = json!({ "phase": "Completed" });
    stage
        .says(KEXEC, "web-execution-drain", done.clone())
        .await?;
    stage
        .says(KEXEC, "web-execution-backup", done.clone())
        .await?;
    stage.count(KEXEC, 3).await?;
    // The workflow may say Completed before its last step exists: that one is created first.
    let ended = json!({ "phase": "Completed", "plan": graph() });
    stage.says(WFE, "web-workflow", ended).await?;
    stage
        .says(KEXEC, "web-execution-scale", done.clone())
        .await?;
    stage.child(KEXEC, "web-execution-verify").await?;
    let request = stage.until_phase("web", "Executing").await?;
    assert_eq!(request.data["status"]["completionTime"], Value::Null);
    stage.says(KEXEC, "web-execution-verify", done).await?;
    let request = stage.until_phase("web", "Completed").await?;
    let references = &request.data["status"]["kubernetesExecutionRefs"];
    assert_eq!(references.as_array().map(Vec::len), Some(4));
    Ok(())
}

async fn a_failed_step_ends_the_plan(stage: &mut Stage) -> Result {
    stage.request_in("web", "WorkflowPlanning").await?;
    stage
        .says(
            WFE,
            "web-workflow",
            json!({ "phase": "Executing", "plan": graph() }),
        )
        .await?;
    stage.count(KEXEC, 2).await?;
    stage
        .says(
            KEXEC,
            "web-execution-drain",
            json!({ "phase": "Failed", "reason": "NodeGone" }),
        )
        .await?;
    let request = stage.until_phase("web", "Failed").await?;
    assert_eq!(request.data["status"]["reason"], "NodeGone");
    let escalation = stage.notification("web", "escalation").await?;
    let body = escalation.data["spec"]["body"].as_str().unwrap_or_default();
    assert!(
        body.contains("web-execution-backup"),
        "what may still run is named: {body}"
    );
    assert_eq!(stage.count_now(KEXEC).await?, 2);
    Ok(())
}

async fn a_plan_that_cannot_be_run_fails_before_any_step(stage: &mut Stage) -> Result {
    let plan = |steps: Value| {
        json!({ "phase": "Executing",
        "plan": { "executedBy": "Orchestrator", "steps": steps } })
    };
    for (name, steps) in [
        (
            "circle",
            json!([{ "name": "a", "dependsOn": ["b"] }, { "name": "b", "dependsOn": ["a"] }]),
        ),
        ("twice", json!([{ "name": "a" }, { "name": "a" }])),
        ("unknown", json!([{ "name": "a", "dependsOn": ["z"] }])),
        ("label", json!([{ "name": "Not A Label" }])),
    ] {
        stage.request_in(name, "WorkflowPlanning").await?;
        stage
            .says(WFE, &format!("{name}-workflow"), plan(steps))
            .await?;
        let request = stage.until_phase(name, "Failed").await?;
        assert_eq!(request.data["status"]["reason"], "InvalidPlan", "{name}");
        assert_eq!(request.data["status"]["failureCategory"], "F", "{name}");
    }
    assert_eq!(stage.count_now(KEXEC).await?, 0);
    Ok(())
}

async fn a_plan_that_changes_after_it_was_begun_fails(stage: &mut Stage) -> Result {
    stage.request_in("web", "WorkflowPlanning").await?;
    stage
        .says(
            WFE,
            "web-workflow",
            json!({ "phase": "Executing", "plan": graph() }),
        )
        .await?;
    stage
        .until("web", "the plan is begun", |s| s["planHash"].is_string())
        .await?;
    let mut changed = graph();
    changed["steps"][2]["action"] = json!("DeleteEverything");
    stage
        .says(WFE, "web-workflow", json!({ "plan": changed }))
        .await?;
    let request = stage.until_phase("web", "Failed").await?;
    assert_eq!(request.data["status"]["reason"], "InvalidPlan");
    let message = request.data["status"]["message"]
        .as_str()
        .unwrap_or_default();
    assert!(message.contains("web-execution-drain"), "{message}");
    Ok(())
}

async fn a_timeout_in_each_phase_is_escalated(stage: &mut Stage) -> Result {
    let started = |phase| json!({ "phase": phase });
    let phases = [
        ("Processing", "processing", "Processing"),
        ("Analyzing", "analyzing", "Investigating"),
        ("WorkflowPlanning", "workflowPlanning", "Planning"),
        ("Executing", "executing", "Executing"),
    ];
    for ((phase, limit, word), (_, kind, suffix)) in phases.into_iter().zip(STAGES) {
        let name = phase.to_lowercase();
        stage
            .request_within(&name, json!({ limit: "1500ms" }))
            .await?;
        stage.take_to(&name, phase).await?;
        stage
            .says(kind, &format!("{name}-{suffix}"), started(word))
            .await?;
        let request = stage.until_phase(&name, "Failed").await?;
        let status = &request.data["status"];
        assert_eq!(status["reason"], "PhaseTimeout", "{phase}");
        assert_eq!(status["timeoutPhase"], phase);
        stage.notification(&name, "escalation").await?;
    }
    stage
        .request_within("unstarted", json!({ "processing": "500ms" }))
        .await?;
    let request = stage.until_phase("unstarted", "Failed").await?;
    assert_eq!(request.data["status"]["reason"], "ChildNeverStarted");
    stage
        .request_within("overall", json!({ "overall": "500ms" }))
        .await?;
    let request = stage.until_phase("overall", "Failed").await?;
    assert_eq!(request.data["status"]["reason"], "OverallTimeout");
    stage
        .request_within("approval", json!({ "approval": "500ms" }))
        .await?;
    stage.take_to("approval", "Analyzing").await?;
    stage
        .says(AIA, "approval-aianalysis", json!({ "phase": "Approving" }))
        .await?;
    let request = stage.until_phase("approval", "Failed").await?;
    assert_eq!(request.data["status"]["reason"], "ApprovalExpired");
    Ok(())
}

async fn an_unknown_phase_word_is_still_in_progress(stage: &mut Stage) -> Result {
    stage.request_in("web", "Processing").await?;
    stage
        .says(RPROC, "web-processing", json!({ "phase": "Contemplating" }))
        .await?;
    let request = stage
        .until("web", "people are told", |status| {
            let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
            conditions
                .iter()
                .any(|condition| condition["reason"] == "UnknownPhase")
        })
        .await?;
    assert_eq!(request.data["status"]["phase"], "Processing");
    stage.take_to("web", "Completed").await?;
    Ok(())
}

async fn a_completed_request_is_deleted_when_its_time_is_over(stage: &mut Stage) -> Result {
    stage
        .request_with(
            "web",
            json!({ "targetingData": alert(), "ttlSecondsAfterFinished": 1 }),
        )
        .await?;
    stage.take_to("web", "Completed").await?;
    crate::harness::eventually_gone(&stage.requests(), "web", crate::harness::DEADLINE).await?;
    for kind in [RPROC, AIA, WFE] {
        stage.count(kind, 0).await?;
    }
    stage.notification("web", "success").await?;
    Ok(())
}
