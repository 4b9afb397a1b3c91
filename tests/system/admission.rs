//! An admission policy or a quota says no, to a child or to a notification.

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use remediation_core::kind::ChildKind;
use serde_json::{Value, json};

use crate::harness::{DEADLINE, Failure, Result, User, until};
use crate::stage::{AIA, NOTIF, RPROC, Stage};

/// Refuses the creation of this kind in the stage's namespace, and waits until it does.
async fn refuse(stage: &Stage, kind: ChildKind, probe_spec: Value) -> Result {
    let client = stage.plane()?.client(User::Admin).await?;
    let name = format!("no-{}-in-{}", kind.plural(), stage.namespace);
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let policy = serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": { "resourceRules": [{ "apiGroups": [kind.group()], "apiVersions": ["*"],
                "operations": ["CREATE"], "resources": [kind.plural()] }] },
            "validations": [{ "expression": "false", "message": "not in this test" }],
        },
    }))?;
    policies.create(&PostParams::default(), &policy).await?;
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client);
    let binding = serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": { "policyName": name, "validationActions": ["Deny"],
            "matchResources": { "namespaceSelector": { "matchLabels": {
                "kubernetes.io/metadata.name": stage.namespace } } } },
    }))?;
    bindings.create(&PostParams::default(), &binding).await?;
    let probe = kube::api::DynamicObject::new(
        "probe",
        &remediation_adapters::kubernetes::api::api_resource(kind),
    )
    .data(json!({ "spec": probe_spec }));
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let refused = until(DEADLINE, async || {
        stage
            .children(kind)
            .create(&dry_run, &probe)
            .await
            .is_err()
            .then_some(())
    });
    refused
        .await
        .ok_or_else(|| Failure::new("the policy does not come into force"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_refuses_a_child_fails_the_request_and_names_itself() -> Result {
    let stage = Stage::real("policy-child").await?;
    let outcome = async {
        refuse(
            &stage,
            AIA,
            json!({ "targetingData": crate::stage::alert(), "attempt": 1 }),
        )
        .await?;
        stage.request_in("web", "Processing").await?;
        stage
            .says(RPROC, "web-processing", json!({ "phase": "Completed" }))
            .await?;
        let request = stage.until_phase("web", "Failed").await?;
        let status = &request.data["status"];
        assert_eq!(status["failureCategory"], "C");
        let message = status["message"].as_str().unwrap_or_default();
        assert!(message.contains("not in this test"), "{message}");
        stage.notification("web", "escalation").await?;
        Ok(())
    }
    .await;
    stage.close(outcome).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_refuses_the_escalation_holds_nothing_up_and_is_named() -> Result {
    let stage = Stage::real("policy-notification").await?;
    let outcome = async {
        let spec = json!({ "type": "success", "priority": "low", "channels": [], "subject": "s", "body": "b", "metadata": {} });
        refuse(&stage, NOTIF, spec).await?;
        stage.request_in("web", "Processing").await?;
        stage.says(RPROC, "web-processing", json!({ "phase": "Failed", "reason": "Broken" })).await?;
        let request = stage.until_phase("web", "Failed").await?;
        assert_eq!(request.data["status"]["reason"], "Broken", "the outcome is not changed by it");
        let conditions = request.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let escalated = conditions.iter().find(|c| c["type"] == "Escalated").cloned().unwrap_or_default();
        assert_eq!(escalated["status"], "False");
        let message = escalated["message"].as_str().unwrap_or_default();
        assert!(message.contains("not in this test"), "{message}");
        assert_eq!(stage.count_now(NOTIF).await?, 0);
        Ok(())
    }
    .await;
    stage.close(outcome).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_that_is_used_up_is_named_and_waited_for() -> Result {
    let stage = Stage::real("quota").await?;
    let outcome = async {
        let quotas: Api<ResourceQuota> =
            Api::namespaced(stage.plane()?.client(User::Admin).await?, &stage.namespace);
        let counted = format!("count/{}.{}", AIA.plural(), AIA.group());
        let quota = serde_json::from_value(json!({ "metadata": { "name": "none" },
            "spec": { "hard": { counted.clone(): "0" } } }))?;
        quotas.create(&PostParams::default(), &quota).await?;
        // The controller that would fill this in does not run here.
        let hard = |count: &str| {
            Patch::Merge(json!({ "status": { "hard": { counted.clone(): count }, "used": { counted.clone(): "0" } } }))
        };
        quotas.patch_status("none", &PatchParams::default(), &hard("0")).await?;
        stage.request_in("web", "Processing").await?;
        stage.says(RPROC, "web-processing", json!({ "phase": "Completed" })).await?;
        stage
            .until("web", "people are told of the quota", |status| {
                let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
                conditions.iter().any(|condition| condition["reason"] == "QuotaExceeded")
            })
            .await?;
        let raised = Patch::Merge(json!({ "spec": { "hard": { counted.clone(): "9" } } }));
        quotas.patch("none", &PatchParams::default(), &raised).await?;
        quotas.patch_status("none", &PatchParams::default(), &hard("9")).await?;
        stage.until_phase("web", "Analyzing").await?;
        Ok(())
    }
    .await;
    stage.close(outcome).await
}
