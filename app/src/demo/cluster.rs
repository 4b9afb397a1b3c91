//! The demo's cluster: the API server in this process, the simulated controllers, and the real operator on it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use remediation_adapters::kubernetes::api::{api_resource, request_resource};
use remediation_adapters::simulation::api_server::{
    ApiServer, Intercept, Interceptor, Options, RequestInfo, SystemClock,
};
use remediation_adapters::simulation::children::{self, Children};
use remediation_adapters::simulation::install_definitions;
use remediation_core::kind::{ChildKind, REQUEST_PLURAL};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::scenario::{self, Disturbance, NAMESPACE, Remediation};

/// How long a status write is held back so that an edit can come before it.
const HELD_BACK: Duration = Duration::from_millis(100);
/// How often the garbage collector runs.
const COLLECTION: Duration = Duration::from_millis(100);

/// A cluster whose operator has not started.
pub(crate) struct Cluster {
    pub(crate) server: ApiServer,
    pub(crate) client: kube::Client,
    /// What runs beside the operator; ends with the cluster.
    tasks: JoinSet<()>,
    _children: Children,
}

/// Something that the cluster refused at the start: a mistake in this program.
pub(crate) type StartError = kube::Error;

impl Cluster {
    /// A cluster with the definitions, the namespace and the controllers, but without requests.
    pub(crate) async fn start(remediations: &[Remediation]) -> Result<Self, StartError> {
        let clock = Arc::new(SystemClock);
        let server = ApiServer::new(Options::new(clock.clone(), 1));
        let client = server.client();
        install_definitions(&client).await?;
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
        let namespace = serde_json::from_value(json!({ "metadata": { "name": NAMESPACE } }))
            .map_err(kube::Error::SerdeError)?;
        namespaces
            .create(&PostParams::default(), &namespace)
            .await?;
        let children = Children::spawn(children::Options {
            client: client.clone(),
            namespace: None,
            clock,
            scripts: scenario::scripts(remediations),
        });
        let mut tasks = JoinSet::new();
        let collector = server.clone();
        tasks.spawn(async move {
            let mut ticks = tokio::time::interval(COLLECTION);
            loop {
                ticks.tick().await;
                collector.collect_garbage();
            }
        });
        let mut cluster = Self {
            server,
            client,
            tasks,
            _children: children,
        };
        cluster.disturb(remediations);
        Ok(cluster)
    }

    /// The requests of one namespace.
    pub(crate) fn requests(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), NAMESPACE, &request_resource())
    }

    /// The notifications of one namespace.
    pub(crate) fn notifications(&self) -> Api<DynamicObject> {
        let resource = api_resource(ChildKind::NotificationRequest);
        Api::namespaced_with(self.client.clone(), NAMESPACE, &resource)
    }

    /// Creates the requests, one after the other as alerts fire.
    pub(crate) fn fire(&mut self, remediations: &[Remediation], apart: Duration) {
        let manifests: Vec<_> = remediations.iter().map(Remediation::manifest).collect();
        let requests = self.requests();
        self.tasks.spawn(async move {
            for manifest in manifests {
                let created = match serde_json::from_value(manifest) {
                    Ok(object) => requests
                        .create(&PostParams::default(), &object)
                        .await
                        .map(|_| ()),
                    Err(error) => Err(kube::Error::SerdeError(error)),
                };
                if let Err(error) = created {
                    tracing::error!(%error, "a request of the demo was not created");
                }
                tokio::time::sleep(apart).await;
            }
        });
    }

    /// Lets people do what the scenario says they do.
    fn disturb(&mut self, remediations: &[Remediation]) {
        let named = |wanted: Disturbance| {
            remediations
                .iter()
                .filter(move |remediation| remediation.disturbance == wanted)
                .map(|remediation| remediation.name)
        };
        let (tell, mut told) = mpsc::unbounded_channel();
        self.server.set_interceptor(Some(Arc::new(HoldBack {
            requests: Mutex::new(named(Disturbance::EditBeforeStatusWrite).collect()),
            tell,
        })));
        let requests = self.requests();
        self.tasks.spawn(async move {
            while let Some(name) = told.recv().await {
                let edit =
                    json!({ "metadata": { "annotations": { "example.com/ticket": "OPS-4711" } } });
                let patched = requests
                    .patch(name, &PatchParams::default(), &Patch::Merge(&edit))
                    .await;
                if let Err(error) = patched {
                    tracing::error!(%error, name, "the demo's edit was refused");
                }
            }
        });
        let resource = api_resource(ChildKind::WorkflowExecution);
        for name in named(Disturbance::DeleteWorkflow) {
            let workflows: Api<DynamicObject> =
                Api::namespaced_with(self.client.clone(), NAMESPACE, &resource);
            self.tasks.spawn(async move {
                let name = format!("{name}-workflow");
                let executing = kube::runtime::wait::await_condition(
                    workflows.clone(),
                    &name,
                    |workflow: Option<&DynamicObject>| {
                        workflow
                            .is_some_and(|workflow| workflow.data["status"]["phase"] == "Executing")
                    },
                );
                let deleted = match executing.await {
                    Ok(_) => {
                        tokio::time::sleep(Duration::from_millis(800)).await;
                        workflows
                            .delete(&name, &DeleteParams::default())
                            .await
                            .map(|_| ())
                    }
                    Err(error) => {
                        tracing::error!(%error, name, "the demo lost sight of the workflow");
                        return;
                    }
                };
                if let Err(error) = deleted {
                    tracing::error!(%error, name, "the demo's deletion was refused");
                }
            });
        }
    }
}

/// Holds the first status write of some requests back and tells of it, so that an edit comes before the write.
struct HoldBack {
    requests: Mutex<Vec<&'static str>>,
    tell: mpsc::UnboundedSender<&'static str>,
}

impl Interceptor for HoldBack {
    fn before(&self, request: &RequestInfo) -> Intercept {
        if request.resource != REQUEST_PLURAL || request.subresource.as_deref() != Some("status") {
            return Intercept::Pass;
        }
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = requests
            .iter()
            .position(|name| request.name.as_deref() == Some(name))
        else {
            return Intercept::Pass;
        };
        let name = requests.remove(found);
        // Where nobody listens any more the demo is over.
        let _ = self.tell.send(name);
        Intercept::Delay(HELD_BACK)
    }
}
