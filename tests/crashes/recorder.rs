//! Every version of every object of the project, as it was committed: a watch on etcd itself, so that none is missed
//! when the API server is killed, and none depends on what an API server remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::TryStreamExt;
use http_body_util::BodyExt;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use kube::api::DynamicObject;
use kube::client::Body;
use kube::{Client, Config, ResourceExt};
use remediation_core::kind::{ChildKind, REQUEST_GROUP, REQUEST_KIND};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::{Context, DEADLINE, Failure, Result};

/// Between two tries where the API server does not answer.
const RETRY: Duration = Duration::from_millis(200);

/// One committed version of one object.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) kind: String,
    /// The resource version: etcd's revision, which orders all commits.
    pub(crate) at: u64,
    /// When etcd told of it.
    pub(crate) seen: Timestamp,
    /// Whether this is the object's end.
    pub(crate) gone: bool,
    pub(crate) object: DynamicObject,
}

/// All that was recorded so far.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// In the order in which they were committed.
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

    fn learn(&mut self, kind: &str, at: u64, object: DynamicObject, gone: bool) {
        let key = (kind.to_owned(), object.name_any());
        if gone {
            self.latest.remove(&key);
            self.gone.extend(object.uid());
        } else {
            self.latest.insert(key, object.clone());
        }
        self.versions.push(Version {
            kind: kind.to_owned(),
            at,
            seen: Timestamp::now(),
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
    /// Records what is committed to this etcd from now on.
    pub(crate) async fn start(etcd_url: &str) -> Result<Self> {
        let url = etcd_url
            .parse()
            .context(|| format!("etcd's address {etcd_url}"))?;
        let mut config = Config::new(url);
        config.read_timeout = None;
        let client = Client::try_from(config)?;
        let recorder = Self {
            history: Arc::default(),
            changed: watch::Sender::new(0),
            _tasks: Arc::default(),
        };
        let (begun, beginning) = oneshot::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(record(
            client,
            recorder.history.clone(),
            recorder.changed.clone(),
            begun,
        ));
        let begins = timeout(DEADLINE, beginning).await;
        begins
            .context(|| "etcd does not begin a watch".to_owned())?
            .context(|| "the recorder ended".to_owned())?;
        Ok(Self {
            _tasks: Arc::new(tasks),
            ..recorder
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
                self.check_complete()?;
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

/// Watches for ever, resuming where it broke off.
async fn record(
    client: Client,
    history: Arc<Mutex<History>>,
    changed: watch::Sender<u64>,
    begun: oneshot::Sender<()>,
) {
    let (mut begun, mut next) = (Some(begun), 0);
    loop {
        // Everything below `/registry/`; `0` follows `/`.
        let create = json!({ "create_request": {
            "key": ByteString(b"/registry/".to_vec()),
            "range_end": ByteString(b"/registry0".to_vec()),
            "start_revision": next.to_string(),
            "prev_kv": true,
        } });
        let request =
            http::Request::post("/v3/watch").body(Body::from(create.to_string().into_bytes()));
        let Ok(request) = request else { return };
        if let Ok(answer) = client.send(request).await {
            let mut chunks = answer.into_body().into_data_stream();
            let mut line = Vec::new();
            while let Ok(Some(chunk)) = chunks.try_next().await {
                line.extend_from_slice(&chunk);
                while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
                    let message: Vec<u8> = line.drain(..=end).collect();
                    let Ok(message) = serde_json::from_slice::<Value>(&message) else {
                        continue;
                    };
                    let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
                    let known = history.versions.len();
                    next = history.learn_message(&message["result"]).unwrap_or(next);
                    // Other people's objects, such as leases, are no news.
                    let news = history.versions.len() > known || history.gap.is_some();
                    drop(history);
                    if news {
                        changed.send_modify(|count| *count += 1);
                    }
                    if let Some(begun) = begun.take() {
                        // Whoever waits for it may have given up.
                        let _ = begun.send(());
                    }
                }
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

impl History {
    /// Takes what etcd tells at once; returns the revision to go on from.
    fn learn_message(&mut self, result: &Value) -> Option<u64> {
        if result["canceled"] == true {
            self.gap = Some(format!("etcd ended the record: {result}"));
        }
        for event in result["events"].as_array().into_iter().flatten() {
            if let Err(failure) = self.learn_event(event) {
                self.gap = Some(format!("a commit cannot be read: {failure:?}: {event}"));
            }
        }
        number(&result["header"]["revision"]).map(|revision| revision + 1)
    }

    fn learn_event(&mut self, event: &Value) -> Result {
        let now = &event["kv"];
        let key = String::from_utf8(bytes(&now["key"])?)?;
        let parts: Vec<&str> = key.split('/').collect();
        // "", "registry", group, plural, namespace, name
        let Some(kind) = parts.get(2).and_then(|group| kind_of(group)) else {
            return Ok(());
        };
        let gone = event["type"] == "DELETE";
        let stored = if gone { &event["prev_kv"] } else { now };
        let mut object: DynamicObject = serde_json::from_slice(&bytes(&stored["value"])?)?;
        let at = number(&now["mod_revision"]).unwrap_or(0);
        object.metadata.resource_version = Some(at.to_string());
        self.learn(kind, at, object, gone);
        Ok(())
    }
}

/// The kind whose group this is; none for groups that are not the project's. Each has one kind.
fn kind_of(group: &str) -> Option<&'static str> {
    if group == REQUEST_GROUP {
        return Some(REQUEST_KIND);
    }
    let mut all = ChildKind::ALL.into_iter();
    all.find(|kind| kind.group() == group).map(ChildKind::name)
}

fn bytes(value: &Value) -> Result<Vec<u8>> {
    Ok(serde_json::from_value::<ByteString>(value.clone())?.0)
}

/// etcd writes whole numbers as strings.
fn number(value: &Value) -> Option<u64> {
    value.as_str().and_then(|text| text.parse().ok())
}
