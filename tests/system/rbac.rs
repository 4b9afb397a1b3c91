//! The operator runs under exactly the role that deploy/manifests grants: nothing is refused, and no granted verb goes
//! unused. OwnerReferencesPermissionEnforcement is on.

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use remediation_adapters::kubernetes::api::api_resource;
use remediation_core::kind::ChildKind;
use serde_json::json;

use crate::harness::{
    DEADLINE, Failure, Operator, Result, User, eventually, eventually_gone, until,
};
use crate::stage::{AIA, KEXEC, RPROC, Stage, WFE, alert};

const NAME: &str = "remediation-orchestrator";

/// A verb on a resource: `patch remediationrequests/status`.
type Grants = BTreeSet<String>;

fn granted(rules: Option<Vec<PolicyRule>>) -> Grants {
    let mut grants = Grants::new();
    for rule in rules.unwrap_or_default() {
        for resource in rule.resources.unwrap_or_default() {
            grants.extend(rule.verbs.iter().map(|verb| format!("{verb} {resource}")));
        }
    }
    grants
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_role_is_enough_and_no_more_than_is_used() -> Result {
    let mut stage = Stage::private("rbac").await?;
    stage.kill_operator().await?;
    let outcome = run(&stage).await;
    stage.close(outcome).await
}

async fn run(stage: &Stage) -> Result {
    let plane = stage.plane()?;
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/manifests");
    let manifests = manifests.display().to_string();
    for file in ["namespace.yaml", "rbac.yaml", "workload.yaml"] {
        let file = format!("{manifests}/{file}");
        let applied = plane.kubectl(User::Admin, &["apply", "-f", &file]).await?;
        let error = String::from_utf8_lossy(&applied.stderr).into_owned();
        assert!(applied.status.success(), "{error}");
    }
    let kubeconfig = plane.service_account_kubeconfig(NAME, NAME).await?;
    let mark = plane.audit_mark();
    let mut operator =
        Operator::start(&kubeconfig, &["--leader-elect", "--lease-namespace", NAME]).await?;
    use_every_verb(stage).await?;
    operator.check_running()?;

    let admin = plane.client(User::Admin).await?;
    let cluster_role = Api::<ClusterRole>::all(admin.clone()).get(NAME).await?;
    let role = Api::<Role>::namespaced(admin, NAME).get(NAME).await?;
    let mut allowed = granted(cluster_role.rules);
    allowed.extend(granted(role.rules));
    // The finalizers are not a resource of their own: the right to update them is checked on each create.
    allowed.remove("update remediationrequests/finalizers");

    let account = format!("system:serviceaccount:{NAME}:{NAME}");
    let unused = until(DEADLINE, async || {
        let used = used(&plane.audit_since(mark).ok()?, &account);
        allowed.is_subset(&used).then_some(())
    })
    .await;
    let events = plane.audit_since(mark)?;
    if unused.is_none() {
        let used = used(&events, &account);
        let unused: Vec<&String> = allowed.difference(&used).collect();
        return Err(Failure::new(format!("granted and never used: {unused:?}")));
    }
    let refused: Vec<String> = events
        .iter()
        .filter(|event| event.user.username == account && event.code() == 403)
        .map(|event| format!("{} {}", event.verb, event.request_uri))
        .collect();
    assert_eq!(
        refused,
        Vec::<String>::new(),
        "refused under the shipped role"
    );
    stage.come_to_rest().await?;
    let end = operator.terminate(DEADLINE).await?;
    assert!(end.success(), "{end}");
    Ok(())
}

fn used(events: &[crate::harness::AuditEvent], account: &str) -> Grants {
    let ours = events.iter().filter(|event| event.user.username == account);
    ours.filter_map(|event| {
        let object = event.object_ref.as_ref()?;
        Some(match object.subresource.as_str() {
            "" => format!("{} {}", event.verb, object.resource),
            subresource => format!("{} {}/{subresource}", event.verb, object.resource),
        })
    })
    .collect()
}

/// Takes remediations through everything that asks the API server for something.
async fn use_every_verb(stage: &Stage) -> Result {
    let plan = json!({ "phase": "Executing",
        "plan": { "executedBy": "Orchestrator", "steps": [{ "name": "scale" }] } });

    // Each kind: create, list, watch; get where one is gone; patch where an owner reference was lost.
    stage.request_in("lost", "Processing").await?;
    let first = stage.child(RPROC, "lost-processing").await?.uid();
    stage.delete_child(RPROC, "lost-processing").await?;
    stage
        .until("lost", "another processing", |s| {
            s["remediationProcessingRef"]["uid"].as_str() != first.as_deref()
        })
        .await?;
    stage.take_to("lost", "Analyzing").await?;
    let first = stage.child(AIA, "lost-aianalysis").await?.uid();
    stage.delete_child(AIA, "lost-aianalysis").await?;
    stage
        .until("lost", "another analysis", |s| {
            s["aiAnalysisRef"]["uid"].as_str() != first.as_deref()
        })
        .await?;
    stage.take_to("lost", "WorkflowPlanning").await?;
    stage.delete_child(WFE, "lost-workflow").await?;
    stage.until_phase("lost", "Failed").await?;

    stage.request_in("step", "WorkflowPlanning").await?;
    stage.says(WFE, "step-workflow", plan.clone()).await?;
    stage
        .until("step", "the step is named", |s| {
            s["kubernetesExecutionRefs"][0]["uid"].is_string()
        })
        .await?;
    for (kind, name) in [
        (RPROC, "step-processing"),
        (AIA, "step-aianalysis"),
        (WFE, "step-workflow"),
        (KEXEC, "step-execution-scale"),
    ] {
        let strip = Patch::Merge(json!({ "metadata": { "ownerReferences": null } }));
        stage
            .children(kind)
            .patch(name, &PatchParams::default(), &strip)
            .await?;
        eventually(
            &stage.children(kind),
            name,
            "owned again",
            DEADLINE,
            |child| !child.owner_references().is_empty(),
        )
        .await?;
    }
    stage.delete_child(KEXEC, "step-execution-scale").await?;
    let ended = stage.until_phase("step", "Failed").await?;

    // Stragglers of each kind: children of an ended request that it does not name.
    for (kind, spec) in straggler_specs() {
        let name = format!("straggler-{}", kind.short());
        straggler(stage, &ended, kind, &name, spec).await?;
        eventually_gone(&stage.children(kind), &name, DEADLINE).await?;
    }

    // A conflict, after which the request is read afresh; and its deletion when its time is over.
    let short = json!({ "targetingData": alert(), "ttlSecondsAfterFinished": 1 });
    stage.request_with("rival", short).await?;
    let rival = async {
        for round in 0..200 {
            let edited = stage
                .edit_status("rival", json!({ "historyDropped": round }))
                .await;
            if edited.is_err() {
                return;
            }
        }
    };
    let life = async {
        stage.take_to("rival", "Completed").await?;
        eventually_gone(&stage.requests(), "rival", DEADLINE).await
    };
    let (_, life) = futures::join!(rival, life);
    life
}

fn straggler_specs() -> [(ChildKind, serde_json::Value); 4] {
    let later = "2099-01-01T00:00:00.000Z";
    [
        (RPROC, json!({ "targetingData": alert() })),
        (AIA, json!({ "targetingData": alert(), "attempt": 1 })),
        (
            WFE,
            json!({ "targetingData": alert(), "recommendations": [], "notAfter": later }),
        ),
        (
            KEXEC,
            json!({ "step": "late", "action": "Scale", "notAfter": later }),
        ),
    ]
}

async fn straggler(
    stage: &Stage,
    request: &DynamicObject,
    kind: ChildKind,
    name: &str,
    spec: serde_json::Value,
) -> Result {
    let mut child = DynamicObject::new(name, &api_resource(kind)).data(json!({ "spec": spec }));
    child.metadata.owner_references = Some(vec![serde_json::from_value(json!({
        "apiVersion": "remediation.kubernaut.ai/v1alpha1", "kind": "RemediationRequest",
        "name": request.name_any(), "uid": request.uid(), "controller": true, "blockOwnerDeletion": true,
    }))?]);
    stage
        .children(kind)
        .create(&PostParams::default(), &child)
        .await?;
    Ok(())
}
