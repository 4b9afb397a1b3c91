//! Deletion: of the request in each phase, in the background and in the foreground, of each child, of the namespace.

use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;

use crate::harness::{DEADLINE, Result, eventually_gone};
use crate::stage::{AIA, KEXEC, NOTIF, RPROC, STAGES, Stage, WFE, on_both_backends};

on_both_backends!(
    a_request_deleted_in_each_phase_can_be_created_again_at_once,
    a_foreground_deletion_ends_with_everything_gone,
    a_processing_or_analysis_that_is_deleted_is_created_again,
    an_execution_that_is_deleted_is_never_created_again,
    a_namespace_deleted_in_flight_goes,
);

async fn a_request_deleted_in_each_phase_can_be_created_again_at_once(stage: &mut Stage) -> Result {
    for (phase, ..) in STAGES {
        let name = phase.to_lowercase();
        let first = stage.request_in(&name, phase).await?;
        stage
            .delete_request(&name, &DeleteParams::background())
            .await?;
        let second = stage.request_in(&name, "Completed").await?;
        assert_ne!(first.uid(), second.uid());
        for (kind, suffix) in [
            (RPROC, "processing"),
            (AIA, "aianalysis"),
            (WFE, "workflow"),
        ] {
            let child = stage.child(kind, &format!("{name}-{suffix}")).await?;
            assert_eq!(
                Some(child.owner_references()[0].uid.clone()),
                second.uid(),
                "{phase}"
            );
        }
    }
    assert_eq!(
        stage.count_now(NOTIF).await?,
        STAGES.len(),
        "a success each, no escalation"
    );
    Ok(())
}

async fn a_foreground_deletion_ends_with_everything_gone(stage: &mut Stage) -> Result {
    stage.request_in("web", "Executing").await?;
    stage
        .delete_request("web", &DeleteParams::foreground())
        .await?;
    for kind in [RPROC, AIA, WFE, KEXEC, NOTIF] {
        stage.count(kind, 0).await?;
    }
    Ok(())
}

async fn a_processing_or_analysis_that_is_deleted_is_created_again(stage: &mut Stage) -> Result {
    for (phase, kind, suffix) in [
        ("Processing", RPROC, "processing"),
        ("Analyzing", AIA, "aianalysis"),
    ] {
        let name = phase.to_lowercase();
        stage.request_in(&name, phase).await?;
        let child = format!("{name}-{suffix}");
        let first = stage.child(kind, &child).await?.uid();
        stage.delete_child(kind, &child).await?;
        let reference = if kind == RPROC {
            "remediationProcessingRef"
        } else {
            "aiAnalysisRef"
        };
        let request = stage
            .until(&name, "the new child is named", |status| {
                status[reference]["uid"]
                    .as_str()
                    .is_some_and(|uid| Some(uid) != first.as_deref())
            })
            .await?;
        assert_eq!(request.data["status"]["phase"], phase);
        stage.take_to(&name, "Completed").await?;
    }
    Ok(())
}

async fn an_execution_that_is_deleted_is_never_created_again(stage: &mut Stage) -> Result {
    for phase in ["WorkflowPlanning", "Executing"] {
        let name = phase.to_lowercase();
        stage.request_in(&name, phase).await?;
        stage.delete_child(WFE, &format!("{name}-workflow")).await?;
        let request = stage.until_phase(&name, "Failed").await?;
        assert_eq!(request.data["status"]["reason"], "ChildDeleted", "{phase}");
    }
    stage.request_in("step", "WorkflowPlanning").await?;
    let plan = json!({ "executedBy": "Orchestrator", "steps": [{ "name": "scale" }] });
    stage
        .says(
            WFE,
            "step-workflow",
            json!({ "phase": "Executing", "plan": plan }),
        )
        .await?;
    stage
        .until("step", "the step is named", |s| {
            s["kubernetesExecutionRefs"][0]["uid"].is_string()
        })
        .await?;
    stage.delete_child(KEXEC, "step-execution-scale").await?;
    let request = stage.until_phase("step", "Failed").await?;
    assert_eq!(request.data["status"]["reason"], "ChildDeleted");
    assert_eq!(stage.count_now(KEXEC).await?, 0);
    assert_eq!(stage.count(NOTIF, 3).await?.len(), 3);
    Ok(())
}

async fn a_namespace_deleted_in_flight_goes(stage: &mut Stage) -> Result {
    for (phase, ..) in STAGES {
        stage.request_in(&phase.to_lowercase(), phase).await?;
    }
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> =
        kube::Api::all(stage.client.clone());
    namespaces
        .delete(&stage.namespace, &DeleteParams::default())
        .await?;
    eventually_gone(&namespaces, &stage.namespace, DEADLINE * 2).await
}
