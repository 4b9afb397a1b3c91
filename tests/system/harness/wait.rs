//! Waits that wake on watch events, with a deadline, and say at the end what was last seen.

use super::{Failure, Result};
use futures::{StreamExt, TryStreamExt};
use kube::{
    Api, Resource,
    runtime::watcher::{self, Event, watch_object, watcher},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Debug, pin::pin, time::Duration};
use tokio::time::{sleep, timeout};

/// Long enough for anything that a healthy system does by itself on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Between two tries where there is no event to wait for: a process that starts, a file that grows,
/// a refused watch.
const RETRY: Duration = Duration::from_millis(50);

/// What can be waited for.
pub(crate) trait Watched:
    Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static
{
}
impl<K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static> Watched for K {}

/// Waits until the object exists and `holds` for it, and returns it as it then was.
pub(crate) async fn eventually<K: Watched>(
    api: &Api<K>,
    name: &str,
    what: &str,
    deadline: Duration,
    holds: impl Fn(&K) -> bool,
) -> Result<K> {
    let seen = watch_until(api, name, what, deadline, |object| {
        object.is_some_and(&holds)
    })
    .await?;
    seen.ok_or_else(|| Failure::new(format!("{what}: {name} does not exist")))
}

/// Waits until no object of this name exists.
pub(crate) async fn eventually_gone<K: Watched>(
    api: &Api<K>,
    name: &str,
    deadline: Duration,
) -> Result {
    let what = format!("{name} is gone");
    watch_until(api, name, &what, deadline, |object| object.is_none())
        .await
        .map(|_| ())
}

async fn watch_until<K: Watched>(
    api: &Api<K>,
    name: &str,
    what: &str,
    deadline: Duration,
    holds: impl Fn(Option<&K>) -> bool,
) -> Result<Option<K>> {
    let mut last_seen = String::from("nothing yet");
    let wait = async {
        let mut states = pin!(watch_object(api.clone(), name));
        loop {
            match states.next().await {
                Some(Ok(object)) if holds(object.as_ref()) => return object,
                Some(Ok(Some(object))) => last_seen = show(&object),
                Some(Ok(None)) => last_seen = String::from("no such object"),
                Some(Err(error)) => {
                    last_seen = format!("{last_seen}\nand then the watch error: {error}");
                    sleep(RETRY).await;
                }
                None => sleep(RETRY).await,
            }
        }
    };
    match timeout(deadline, wait).await {
        Ok(object) => Ok(object),
        Err(_) => Err(Failure::new(format!(
            "not within {deadline:?}: {what}. Last seen of {name}:\n{last_seen}"
        ))),
    }
}

/// Waits until `holds` for the objects that match `config`, in the order of namespace and name.
pub(crate) async fn eventually_list<K: Watched>(
    api: &Api<K>,
    config: watcher::Config,
    what: &str,
    deadline: Duration,
    holds: impl Fn(&[K]) -> bool,
) -> Result<Vec<K>> {
    let mut known = BTreeMap::new();
    let mut last_error = String::new();
    let wait = async {
        let mut events = pin!(watcher(api.clone(), config));
        let mut complete = false;
        loop {
            match events.try_next().await {
                Ok(Some(Event::Init)) => {
                    known.clear();
                    complete = false;
                }
                Ok(Some(Event::InitDone)) => complete = true,
                Ok(Some(Event::Apply(object) | Event::InitApply(object))) => {
                    known.insert(key(&object), object);
                }
                Ok(Some(Event::Delete(object))) => {
                    known.remove(&key(&object));
                }
                Ok(None) => sleep(RETRY).await,
                Err(error) => {
                    last_error = format!("\nand the watch error: {error}");
                    sleep(RETRY).await;
                }
            }
            let objects: Vec<K> = known.values().cloned().collect();
            if complete && holds(&objects) {
                return objects;
            }
        }
    };
    match timeout(deadline, wait).await {
        Ok(objects) => Ok(objects),
        Err(_) => {
            let shown: Vec<String> = known.values().map(show).collect();
            let count = shown.len();
            let list = shown.join("\n");
            Err(Failure::new(format!(
                "not within {deadline:?}: {what}. Last seen, {count} objects:\n{list}{last_error}"
            )))
        }
    }
}

/// Asks again and again until there is an answer: for things that send no event, such as a port or
/// a file. `None` at the deadline.
pub(crate) async fn until<T>(
    deadline: Duration,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> Option<T> {
    let wait = async {
        loop {
            match ask().await {
                Some(answer) => return answer,
                None => sleep(RETRY).await,
            }
        }
    };
    timeout(deadline, wait).await.ok()
}

fn key<K: Resource>(object: &K) -> (Option<String>, Option<String>) {
    (object.meta().namespace.clone(), object.meta().name.clone())
}

/// The object as JSON, without the managed fields that nobody reads.
fn show<K: Watched>(object: &K) -> String {
    let mut object = object.clone();
    object.meta_mut().managed_fields = None;
    serde_json::to_string_pretty(&object)
        .unwrap_or_else(|error| format!("(cannot be shown: {error})"))
}
