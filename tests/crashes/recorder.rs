//! Every version of every object of the project, as the API server committed them: a watch of each kind that resumes
//! where it broke off, also across a restart of the API server, so that no version is missed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::TryStreamExt;
use kube::api::{ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::core::Request;
use kube::{Api, Client, ResourceExt};
use remediation_adapters::kubernetes::api::{api_resource, request_resource};
use remediation_core::kind::ChildKind;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::{Context, Failure, Result};

/// Between two tries where the API server does not answer.
const RETRY: Duration = Duration::from_millis(200);

/// One committed version of one object.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) kind: String,
    /// The resource version: etcd's revision, comparable between kinds.
    pub(crate) at: u64,
    /// Whether this is the object's end.
    pub(crate) gone: bool,
    pub(crate) object: DynamicObject,
}

/// All that was recorded so far.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// In order of arrival; see [`sorted`](Self::sorted).
    pub(crate) versions: Vec<Version>,
    latest: BTreeMap<(String, String), DynamicObject>,
    /// The UIDs of objects that are gone.
    gone: BTreeSet<String>,
    /// Why the record is not complete.
    gap: Option<String>,
}

impl History {
    /// The object as it is now.
    pub(crate) fn latest(&self, kind: &str, name: &str) -> Option<&DynamicObject> {
        self.latest.get(&(kind.to_owned(), name.to_owned()))
    }

    /// All objects of a kind as they are now.
    pub(crate) fn all(&self, kind: &str) -> impl Iterator<Item = &DynamicObject> {
        self.latest
            .iter()
            .filter(move |((of, _), _)| of == kind)
            .map(|(_, object)| object)
    }

    /// Whether the object of this UID was there and is gone.
    pub(crate) fn is_gone(&self, uid: &str) -> bool {
        self.gone.contains(uid)
    }

    /// The versions in the order in which they were committed.
    pub(crate) fn sorted(&self) -> Vec<Version> {
        let mut versions = self.versions.clone();
        versions.sort_by_key(|version| version.at);
        versions
    }

    fn learn(&mut self, kind: &str, object: DynamicObject, gone: bool) {
        let key = (kind.to_owned(), object.name_any());
        if gone {
            self.latest.remove(&key);
            self.gone.extend(object.uid());
        } else {
            self.latest.insert(key, object.clone());
        }
        self.versions.push(Version {
            kind: kind.to_owned(),
            at: version(&object),
            gone,
            object,
        });
    }
}

/// The running record.
#[derive(Clone)]
pub(crate) struct Recorder {
    history: Arc<Mutex<History>>,
    changed: watch::Sender<u64>,
    _tasks: Arc<JoinSet<()>>,
}

impl Recorder {
    /// Records what happens in this namespace from now on.
    pub(crate) async fn start(client: &Client, namespace: &str) -> Result<Self> {
        let history = Arc::new(Mutex::new(History::default()));
        let changed = watch::Sender::new(0);
        let mut tasks = JoinSet::new();
        let resources = std::iter::once(request_resource()).chain(ChildKind::ALL.map(api_resource));
        for resource in resources {
            let api: Api<DynamicObject> =
                Api::namespaced_with(client.clone(), namespace, &resource);
            let now = api.list(&ListParams::default()).await;
            let now = now.context(|| format!("listing {}", resource.plural))?;
            let from = now.metadata.resource_version.unwrap_or_default();
            tasks.spawn(record(
                client.clone(),
                api.resource_url().to_owned(),
                resource,
                from,
                history.clone(),
                changed.clone(),
            ));
        }
        Ok(Self {
            history,
            changed,
            _tasks: Arc::new(tasks),
        })
    }

    /// Looks at the record.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&History) -> T) -> T {
        look(&self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until there is an answer.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        deadline: Duration,
        mut ask: impl FnMut(&History) -> Option<T>,
    ) -> Result<T> {
        let mut changes = self.changed.subscribe();
        let wait = async {
            loop {
                changes.borrow_and_update();
                if let Some(answer) = self.look(&mut ask) {
                    return Ok(answer);
                }
                let woken = changes.changed().await;
                woken.context(|| String::from("the recorder has ended"))?;
            }
        };
        timeout(deadline, wait)
            .await
            .unwrap_or_else(|_| Err(Failure::new(format!("not within {deadline:?}: {what}"))))
    }

    /// Waits until nothing was committed for so long.
    pub(crate) async fn until_quiet(&self, quiet: Duration, deadline: Duration) -> Result {
        let mut changes = self.changed.subscribe();
        let wait = async {
            loop {
                changes.borrow_and_update();
                match timeout(quiet, changes.changed()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return,
                }
            }
        };
        timeout(deadline, wait).await.map_err(|_| {
            Failure::new(format!(
                "writes go on: never quiet for {quiet:?} within {deadline:?}"
            ))
        })
    }

    /// An error where the record has a gap.
    pub(crate) fn check_complete(&self) -> Result {
        self.look(|history| match &history.gap {
            None => Ok(()),
            Some(gap) => Err(Failure::new(gap.clone())),
        })
    }
}

fn version(object: &DynamicObject) -> u64 {
    let version = object.metadata.resource_version.as_deref();
    version.and_then(|text| text.parse().ok()).unwrap_or(0)
}

async fn record(
    client: Client,
    path: String,
    resource: ApiResource,
    mut from: String,
    history: Arc<Mutex<History>>,
    changed: watch::Sender<u64>,
) {
    let parameters = WatchParams::default();
    loop {
        let Ok(request) = Request::new(&*path).watch(&parameters, &from) else {
            return;
        };
        if let Ok(events) = client.request_events::<DynamicObject>(request).await {
            let mut events = std::pin::pin!(events);
            while let Ok(Some(event)) = events.try_next().await {
                let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
                match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        from = object.resource_version().unwrap_or_default();
                        history.learn(&resource.kind, object, false);
                    }
                    WatchEvent::Deleted(object) => {
                        from = object.resource_version().unwrap_or_default();
                        history.learn(&resource.kind, object, true);
                    }
                    WatchEvent::Bookmark(bookmark) => {
                        from = bookmark.metadata.resource_version;
                        continue;
                    }
                    WatchEvent::Error(status) if status.code == 410 => {
                        history.gap = Some(format!(
                            "the record of {} has a gap: {}",
                            resource.plural, status.message
                        ));
                        return;
                    }
                    WatchEvent::Error(_) => break,
                }
                drop(history);
                changed.send_modify(|count| *count += 1);
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}
