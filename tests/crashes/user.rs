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

/// How long what a user does may take, while everything goes wrong on a busy machine. No verdict hangs on it.
const ANSWERED: Duration = Duration::from_secs(600);

/// The user at work in one namespace.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) recorder: Recorder,
    /// How long the end of a remediation is waited for.
    pub(crate) patience: Duration,
}

impl User {
    /// Plays all these stories at once, to their ends.
    pub(crate) async fn play_all(&self, stories: &[Story]) -> Result {
        let ended = stories
            .iter()
            .map(async |story| match self.play(story).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(Failure::new(format!(
                    "{} is still on its way",
                    self.show(story)
                ))),
                Err(failure) => Err(failure),
            });
        futures::future::try_join_all(ended).await.map(|_| ())
    }

    /// Plays a story to its end; false where it has not ended within the user's patience.
    pub(crate) async fn play(&self, story: &Story) -> Result<bool> {
        let played = self.play_out(story).await;
        played.context(|| self.show(story))
    }

    async fn play_out(&self, story: &Story) -> Result<bool> {
        let mut uid = self.create(story).await?;
        if let Some((phase, act)) = story.act {
            let what = format!("phase {phase} or the end");
            self.recorder
                .until(&what, ANSWERED, |history| {
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
        let ended = self.recorder.until("the end", self.patience, |history| {
            ended(history, story, &uid).then_some(())
        });
        let ended = ended.await.is_ok();
        self.recorder.check_complete()?;
        Ok(ended)
    }

    /// Waits until all these stories have ended.
    pub(crate) async fn until_ended(&self, stories: &[Story]) -> Result {
        let what = "all have ended";
        let all = |history: &History| {
            stories
                .iter()
                .all(|story| match history.latest(REQUEST_KIND, &story.name) {
                    Some(object) => {
                        !story.ends_gone() && object.data["status"]["completionTime"].is_string()
                    }
                    None => story.ends_gone(),
                })
        };
        self.recorder
            .until(what, self.patience, |history| all(history).then_some(()))
            .await
    }

    fn show(&self, story: &Story) -> String {
        let status = self.recorder.look(|history| {
            let request = history.latest(REQUEST_KIND, &story.name);
            request.map(|request| request.data["status"].to_string())
        });
        format!("{} ({:?}), status {status:?}", story.name, story.tale)
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
            .until("the deleted request is gone", ANSWERED, |history| {
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
        let answer = until(ANSWERED, ask).await;
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
