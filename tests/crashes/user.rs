//! The user: creates a request, does what the story says, and waits for its end. The API server may be away at any
//! moment, so everything is tried until it is answered.

use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use remediation_adapters::kubernetes::api::{api_resource, request_resource};
use remediation_core::kind::{ChildKind, REQUEST_KIND};
use serde_json::json;

use crate::harness::{Context, Failure, Result, until};
use crate::recorder::{History, Recorder};
use crate::story::{Act, Story};

/// The user at work in one namespace.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) recorder: Recorder,
    /// How long a remediation may take, with everything that goes wrong on the way.
    pub(crate) patience: Duration,
}

impl User {
    /// Plays all these stories at once, to their ends.
    pub(crate) async fn play_all(&self, stories: &[Story]) -> Result {
        futures::future::try_join_all(stories.iter().map(|story| self.play(story)))
            .await
            .map(|_| ())
    }

    /// Plays a story to its end.
    pub(crate) async fn play(&self, story: &Story) -> Result {
        let outcome = self.play_out(story).await;
        outcome.context(|| format!("{} ({:?})", story.name, story.tale))
    }

    async fn play_out(&self, story: &Story) -> Result {
        let mut uid = self.create(story).await?;
        if let Some((phase, act)) = story.act {
            let what = format!("phase {phase} or the end");
            self.recorder
                .until(&what, self.patience, |history| {
                    reached(history, story, &uid, phase).then_some(())
                })
                .await?;
            match act {
                Act::Recreate { foreground } => {
                    self.delete(story, &uid, foreground).await?;
                    uid = self.create(story).await?;
                }
                Act::Delete => self.delete(story, &uid, false).await?,
                Act::Suspend(pause) => {
                    self.suspend(story, true).await?;
                    tokio::time::sleep(pause).await;
                    self.suspend(story, false).await?;
                }
                Act::DeleteChild(kind) => self.delete_child(story, kind).await?,
            }
        }
        self.recorder
            .until(
                "terminal, or gone where it is to go",
                self.patience,
                |history| ended(history, story, &uid).then_some(()),
            )
            .await
            .map_err(|failure| {
                let now = self.recorder.look(|history| {
                    history
                        .latest(REQUEST_KIND, &story.name)
                        .map(|object| object.data["status"].to_string())
                });
                Failure::new(format!("{failure:?}; its status: {now:?}"))
            })
    }

    fn requests(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &request_resource())
    }

    /// Creates the request and returns its UID.
    pub(crate) async fn create(&self, story: &Story) -> Result<String> {
        let mut object = DynamicObject::new(&story.name, &request_resource())
            .data(json!({ "spec": story.spec }));
        object.metadata.annotations = Some(story.annotations.clone());
        let requests = self.requests();
        self.answered("creating a request", async || {
            match requests.create(&PostParams::default(), &object).await {
                Ok(created) => created.uid(),
                // An answer was lost: it is there already.
                Err(kube::Error::Api(status)) if status.is_already_exists() => {
                    let there = requests.get(&story.name).await.ok()?;
                    there
                        .metadata
                        .deletion_timestamp
                        .is_none()
                        .then(|| there.uid())?
                }
                Err(_) => None,
            }
        })
        .await
    }

    async fn delete(&self, story: &Story, uid: &str, foreground: bool) -> Result {
        let requests = self.requests();
        let how = if foreground {
            DeleteParams::foreground()
        } else {
            DeleteParams::background()
        };
        self.answered("deleting a request", async || {
            match requests.delete(&story.name, &how).await {
                Ok(_) => Some(()),
                Err(kube::Error::Api(status)) if status.is_not_found() => Some(()),
                Err(_) => None,
            }
        })
        .await?;
        self.recorder
            .until("the deleted request is gone", self.patience, |history| {
                let now = history.latest(REQUEST_KIND, &story.name);
                (now.and_then(ResourceExt::uid).as_deref() != Some(uid)).then_some(())
            })
            .await
    }

    async fn suspend(&self, story: &Story, suspend: bool) -> Result {
        let patch = Patch::Merge(json!({ "spec": { "suspend": suspend } }));
        let requests = self.requests();
        self.answered("suspending a request", async || {
            let params = PatchParams::default();
            requests.patch(&story.name, &params, &patch).await.ok()
        })
        .await
        .map(|_| ())
    }

    async fn delete_child(&self, story: &Story, kind: ChildKind) -> Result {
        let end = match kind {
            ChildKind::WorkflowExecution => "workflow",
            ChildKind::RemediationProcessing => "processing",
            ChildKind::AIAnalysis
            | ChildKind::KubernetesExecution
            | ChildKind::NotificationRequest => {
                return Err(Failure::new(format!("no story deletes a {kind}")));
            }
        };
        let resource = api_resource(kind);
        let children: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let name = format!("{}-{end}", story.name);
        self.answered("deleting a child", async || {
            match children.delete(&name, &DeleteParams::background()).await {
                Ok(_) => Some(()),
                Err(kube::Error::Api(status)) if status.is_not_found() => Some(()),
                Err(_) => None,
            }
        })
        .await
    }

    async fn answered<T>(&self, what: &str, ask: impl AsyncFnMut() -> Option<T>) -> Result<T> {
        let answer = until(self.patience, ask).await;
        answer.ok_or_else(|| Failure::new(format!("not answered: {what}")))
    }
}

/// Whether the request of this UID is in this phase, has ended, or is gone.
fn reached(history: &History, story: &Story, uid: &str, phase: &str) -> bool {
    match history.latest(REQUEST_KIND, &story.name) {
        Some(object) if object.uid().as_deref() == Some(uid) => {
            let status = &object.data["status"];
            status["phase"] == phase || status["completionTime"].is_string()
        }
        // Not seen yet, or gone already.
        Some(_) | None => history.is_gone(uid),
    }
}

fn ended(history: &History, story: &Story, uid: &str) -> bool {
    if story.ends_gone() {
        return history.is_gone(uid);
    }
    history
        .latest(REQUEST_KIND, &story.name)
        .is_some_and(|object| {
            object.uid().as_deref() == Some(uid)
                && object.data["status"]["completionTime"].is_string()
        })
}
