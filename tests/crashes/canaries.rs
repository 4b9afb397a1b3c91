//! Both oracles must notice what is done wrong on purpose: with the operator's own credentials and under its name, by
//! the proxy, by an executor, and by an operator that is not there.

use std::path::Path;
use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use jiff::Timestamp;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, ResourceExt};
use remediation_adapters::kubernetes::api::{api_resource, request_resource};
use remediation_adapters::simulation::children::Started;
use remediation_core::kind::{ChildKind, REQUEST_KIND};
use serde_json::{Value, json};

use crate::check::{Violation, violations};
use crate::cluster::Cluster;
use crate::harness::{DEADLINE, Failure, Result};
use crate::random::Random;
use crate::story::{Story, Tale};

/// Long enough for the checker to call something late.
const LATE: Duration = Duration::from_secs(4);

/// Somebody who passes for the operator.
async fn impostor(kubeconfig: &Path) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    let name = HeaderValue::from_static("remediation-orchestrator/canary");
    config.headers.push((USER_AGENT, name));
    Ok(Client::try_from(config)?)
}

struct Canaries {
    cluster: Cluster,
    impostor: Client,
    /// What was done to requests that no story tells of.
    stories: Vec<Story>,
}

impl Canaries {
    fn requests(&self) -> Api<DynamicObject> {
        let namespace = &self.cluster.user.namespace;
        Api::namespaced_with(self.impostor.clone(), namespace, &request_resource())
    }

    fn children(&self, kind: ChildKind) -> Api<DynamicObject> {
        let namespace = &self.cluster.user.namespace;
        Api::namespaced_with(self.impostor.clone(), namespace, &api_resource(kind))
    }

    async fn write_status(&self, story: &Story, status: Value) -> Result {
        let patch = Patch::Merge(json!({ "status": status }));
        let params = PatchParams::default();
        let requests = self.requests();
        requests.patch_status(&story.name, &params, &patch).await?;
        self.recorded(&requests.get(&story.name).await?).await
    }

    /// Makes an object once more under another name, without its status.
    async fn copy(&self, kind: ChildKind, name: &str, copy: &str) -> Result<DynamicObject> {
        let children = self.children(kind);
        let original = children.get(name).await?;
        let mut object = DynamicObject::new(copy, &api_resource(kind))
            .data(json!({ "spec": original.data["spec"] }));
        object.metadata.labels = original.metadata.labels;
        object.metadata.owner_references = original.metadata.owner_references;
        let created = children.create(&PostParams::default(), &object).await?;
        self.recorded(&created).await?;
        Ok(created)
    }

    /// Waits until the recorder has this version.
    async fn recorded(&self, object: &DynamicObject) -> Result {
        let version: u64 = object.resource_version().unwrap_or_default().parse()?;
        let recorder = &self.cluster.user.recorder;
        recorder
            .until("the recorder sees it", DEADLINE, |history| {
                let last = history.versions.last()?;
                (last.at >= version).then_some(())
            })
            .await
    }

    fn seen_from_outside(&self, more: &[Started]) -> Vec<Violation> {
        let mut started = self.cluster.children.started();
        started.extend_from_slice(more);
        let recorder = &self.cluster.user.recorder;
        recorder.look(|history| violations(history, &started, &self.stories))
    }

    fn judged(&self) -> Result<Vec<Violation>> {
        self.cluster.judged(&[])
    }

    /// Both oracles, or those of them that can see it, must name this promise now. `about` is a part of the object's
    /// name.
    fn must_fire(&self, about: &str, outside: &str, judged: &str) -> Result {
        let fires = |all: &[Violation], promise: &str| {
            promise.is_empty()
                || all
                    .iter()
                    .any(|found| found.promise == promise && found.what.contains(about))
        };
        let seen = self.seen_from_outside(&[]);
        if !fires(&seen, outside) {
            return Err(Failure::new(format!(
                "not seen from outside: {outside} of {about}: {seen:#?}"
            )));
        }
        let seen = self.judged()?;
        if !fires(&seen, judged) {
            return Err(Failure::new(format!(
                "the checker does not see {judged} of {about}: {seen:#?}"
            )));
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_done_wrong_on_purpose_is_noticed() -> Result {
    let cluster = Cluster::start("canaries").await?;
    let mut random = Random::new(1);
    let mut replica = cluster.replica(&[], random.fork("faults")).await?;
    replica.start()?;
    replica.ready(DEADLINE).await?;
    let mut tell = |tale: Tale, number: usize| tale.tell(number, &mut random);
    let [plain, failing, deleted] = [
        tell(Tale::Plain, 0),
        tell(Tale::ProcessingFails, 1),
        tell(Tale::Plain, 2),
    ];
    let mut active = tell(Tale::ExecutionStalls, 3);
    active.spec["timeouts"] = json!({});
    let twins = tell(Tale::ProcessingFails, 4);
    let forgotten = tell(Tale::Plain, 5);
    let ended = [plain.clone(), failing.clone(), deleted.clone()];
    cluster.user.play_all(&ended).await?;
    cluster.user.create(&active).await?;
    cluster
        .user
        .recorder
        .until("it is executing", DEADLINE, |history| {
            let request = history.latest(REQUEST_KIND, &active.name)?;
            (request.data["status"]["phase"] == "Executing").then_some(())
        })
        .await?;
    let stories = ended.to_vec();
    let mut canaries = Canaries {
        impostor: impostor(&cluster.kubeconfig).await?,
        cluster,
        stories,
    };
    canaries.cluster.close(&[], &ended)?;

    // The proxy makes each escalation twice.
    replica.proxy.set_twin("notificationrequests");
    canaries
        .cluster
        .user
        .play_all(std::slice::from_ref(&twins))
        .await?;
    replica.kill();
    canaries.must_fire(&twins.name, "S12", "S12")?;

    // From here on no operator runs, and the canaries pass for it.
    let escalation = {
        let recorder = &canaries.cluster.user.recorder;
        let begin = format!("{}-escalation-", failing.name);
        recorder.look(|history| {
            let all = history
                .all("NotificationRequest")
                .map(ResourceExt::name_any);
            all.into_iter().find(|name| name.starts_with(&begin))
        })
    };
    let escalation = escalation.ok_or_else(|| Failure::new("no escalation"))?;
    let notification = ChildKind::NotificationRequest;
    canaries
        .copy(notification, &escalation, &format!("{escalation}-again"))
        .await?;
    canaries.must_fire(&failing.name, "S12", "S12")?;

    let workflow = format!("{}-workflow", plain.name);
    let late = canaries
        .copy(
            ChildKind::WorkflowExecution,
            &workflow,
            &format!("{workflow}-late"),
        )
        .await?;
    tokio::time::sleep(LATE).await;
    canaries.must_fire(&workflow, "L14", "L14")?;
    let later = format!("{workflow}-later");
    canaries
        .copy(ChildKind::WorkflowExecution, &workflow, &later)
        .await?;
    canaries.must_fire(&later, "", "S5")?;

    let unnamed = Started {
        kind: ChildKind::WorkflowExecution,
        namespace: canaries.cluster.user.namespace.clone(),
        name: late.name_any(),
        uid: late.uid().unwrap_or_default(),
        request_uid: late.owner_references()[0].uid.clone(),
        at: Timestamp::now(),
    };
    let seen = canaries.seen_from_outside(&[unnamed.clone(), unnamed]);
    for promise in ["S1", "S4"] {
        let found = seen
            .iter()
            .any(|found| found.promise == promise && found.what.contains("-late"));
        assert!(found, "not seen from outside: {promise}: {seen:#?}");
    }

    let another = json!({ "workflowExecutionRef": { "uid": "another" } });
    canaries.write_status(&active, another).await?;
    canaries.must_fire(&active.name, "S1", "S1")?;
    let back = json!({ "phase": "Processing" });
    canaries.write_status(&active, back).await?;
    canaries.must_fire(&active.name, "S6", "S6")?;
    let failed = json!({ "phase": "Failed" });
    canaries.write_status(&plain, failed).await?;
    canaries.must_fire(&plain.name, "S7", "S7")?;

    canaries
        .requests()
        .delete(&deleted.name, &DeleteParams::background())
        .await?;
    let recorder = canaries.cluster.user.recorder.clone();
    recorder
        .until("the request is gone", DEADLINE, |history| {
            history
                .latest(REQUEST_KIND, &deleted.name)
                .is_none()
                .then_some(())
        })
        .await?;
    canaries.must_fire(&deleted.name, "L6", "S25")?;

    let mut user = canaries.cluster.user.clone();
    user.patience = LATE;
    let ended = user.play(&forgotten).await?;
    assert!(!ended, "nobody took care of it, and it ended");
    canaries.stories.push(forgotten.clone());
    canaries.must_fire(&forgotten.name, "L2", "L2")
}
