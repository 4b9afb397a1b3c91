//! The API server is away: for a moment in each phase, and longer than a deadline.

use serde_json::json;

use crate::harness::{DEADLINE, Result, until};
use crate::stage::{AIA, NOTIF, RPROC, STAGES, Stage, WFE};

/// Waits until the API server answers this client again.
async fn reachable(stage: &Stage) -> Result {
    let answer = until(DEADLINE, async || {
        stage.requests().list(&Default::default()).await.ok()
    })
    .await;
    answer
        .map(|_| ())
        .ok_or_else(|| crate::harness::Failure::new("the API server does not come back"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_api_server_in_each_phase_loses_nothing() -> Result {
    let stage = Stage::private("outage").await?;
    let outcome = async {
        for (phase, ..) in STAGES {
            let name = phase.to_lowercase();
            stage.request_in(&name, phase).await?;
            stage.disturb();
            stage.plane()?.restart_api_server().await?;
            reachable(&stage).await?;
            stage.take_to(&name, "Completed").await?;
        }
        for kind in [RPROC, AIA, WFE, NOTIF] {
            assert_eq!(stage.count_now(kind).await?, STAGES.len(), "{kind}");
        }
        let lost = stage
            .metric("remediationorchestrator_watch_reconnections_total", &[])
            .await?;
        assert!(lost > 0.0, "a lost watch is counted (category D)");
        Ok(())
    }
    .await;
    stage.close(outcome).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_that_passes_during_an_outage_is_recorded_after_it() -> Result {
    let stage = Stage::private("outage-deadline").await?;
    let outcome = async {
        stage
            .request_within("late", json!({ "processing": "2s" }))
            .await?;
        stage.request("waiting").await?;
        stage.until_phase("late", "Processing").await?;
        stage.until_phase("waiting", "Processing").await?;
        stage.disturb();
        stage.plane()?.stop_api_server();
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        stage.plane()?.start_api_server().await?;
        stage.disturb();
        reachable(&stage).await?;
        let request = stage.until_phase("late", "Failed").await?;
        assert_eq!(request.data["status"]["timeoutPhase"], "Processing");
        stage.notification("late", "escalation").await?;
        stage.take_to("waiting", "Completed").await?;
        Ok(())
    }
    .await;
    stage.close(outcome).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_is_not_installed_is_named_and_holds_up_nothing_else() -> Result {
    let stage = Stage::private("no-kind").await?;
    let outcome = async {
        let notifications = "notificationrequests.notification.kubernaut.ai";
        let crds: kube::Api<k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition> =
            kube::Api::all(stage.client.clone());
        crds.delete(notifications, &Default::default()).await?;
        crate::harness::eventually_gone(&crds, notifications, DEADLINE).await?;
        stage.request_in("web", "Processing").await?;
        let failed = json!({ "phase": "Failed", "reason": "Broken" });
        stage.says(RPROC, "web-processing", failed).await?;
        let request = stage.until_phase("web", "Failed").await?;
        let conditions = request.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let escalated = conditions.iter().find(|c| c["type"] == "Escalated").cloned().unwrap_or_default();
        assert_eq!((&escalated["status"], &escalated["reason"]), (&json!("False"), &json!("KindMissing")));
        let message = escalated["message"].as_str().unwrap_or_default();
        assert!(message.contains("custom resource definition"), "what to do: {message}");
        for crd in remediation_adapters::kubernetes::crd::all() {
            crate::harness::apply_crd(&stage.client, &crd).await?;
        }
        stage.notification("web", "escalation").await?;
        stage
            .until("web", "the escalation is recorded", |s| s["notificationRefs"][0]["uid"].is_string())
            .await?;
        Ok(())
    }
    .await;
    stage.close(outcome).await
}
