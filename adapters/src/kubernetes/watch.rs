//! Watching one kind: list, watch from there, and never stop.
//!
//! kube's own watcher hides what is needed here: bookmarks (how far a watch has come), the difference between
//! the ordinary end of a watch (the server closes each after the time we asked for; it resumes and nothing is counted)
//! and its loss (category D: counted, listed again, all requests looked at again), and a backoff without
//! randomness. The list is a consistent read, in pages. A watch that ends before its time is lost too: the server may
//! have come back with older versions, from which a watch would wait in vain for ours to be passed.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use http_body_util::BodyExt;
use kube::Client;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::client::Body;
use kube::core::Request as Requests;
use remediation_core::error::{ApiFailure, Cause, classify};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};

use super::failure;
use super::read::version;

/// How a watch is timed.
#[derive(Clone, Copy, Debug)]
pub struct WatchTiming {
    /// After this time the server ends the watch, and it is resumed. Whole seconds. Default 290 s.
    pub length: Duration,
    /// A watch on which nothing came for so long is taken for dead. The server sends a bookmark about every
    /// minute, so this is two and a half of them. Default 150 s.
    pub longest_silence: Duration,
    /// How long one page of a list may take. Default 30 s.
    pub page_timeout: Duration,
    /// How many objects a page holds. Default 500.
    pub page_size: u32,
}

impl Default for WatchTiming {
    fn default() -> Self {
        Self {
            length: Duration::from_secs(290),
            longest_silence: Duration::from_secs(150),
            page_timeout: Duration::from_secs(30),
            page_size: 500,
        }
    }
}

/// The pauses before reconnecting after a loss; the last one is repeated. All below the 10 s that category D
/// allows.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// The longest pause that a server can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(9);
/// A watch may end so much before its time and still end as it should.
const EARLY: Duration = Duration::from_secs(1);

/// After so long a watch is well again, and its next loss is a new one.
const STABLE: Duration = Duration::from_secs(60);

/// Who takes what a watch brings.
pub trait Sink<T>: Send + Sync + 'static {
    /// What is kept of an object of a list: the list is far larger than what is kept of it.
    type Kept: Send;
    /// A list begins; the number is handed back with its result.
    fn list_begins(&self) -> u64;
    /// An object of a list; none if it cannot be read.
    fn keep(&self, object: T) -> Option<Self::Kept>;
    /// All there is, at this version.
    fn listed(&self, objects: Vec<Self::Kept>, version: u64, began: u64);
    /// An object was added or changed.
    fn seen(&self, object: T);
    /// An object is gone.
    fn gone(&self, object: T);
    /// Nothing changed up to this version.
    fn progressed(&self, version: u64);
    /// The watch was lost, for this reason. It is reconnected.
    fn lost(&self, why: &ApiFailure);
}

/// Watches one collection for ever.
pub struct Watch<T, S> {
    /// The way to the API server.
    pub client: Client,
    /// The path of the collection.
    pub path: String,
    /// How it is timed.
    pub timing: WatchTiming,
    /// Who takes what comes.
    pub sink: Arc<S>,
    /// What an object is read as.
    pub object: std::marker::PhantomData<fn() -> T>,
}

/// Why a watch or a list ended.
enum Ended {
    /// As it should: resume from this version.
    Ordinarily(String),
    /// Lost: list again.
    Lost(ApiFailure),
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default)]
    metadata: PageMetadata,
    #[serde(default = "Vec::new")]
    items: Vec<T>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMetadata {
    resource_version: String,
    #[serde(rename = "continue")]
    next: Option<String>,
}

impl<T, S> Watch<T, S>
where
    T: Clone + DeserializeOwned + HasVersion + Send + 'static,
    S: Sink<T>,
{
    /// Runs until it is dropped.
    pub async fn run(self) {
        let mut losses = 0;
        let mut told_missing = false;
        loop {
            let began = Instant::now();
            let failure = match self.list().await {
                Ok(listed_at) => {
                    told_missing = false;
                    self.watch(listed_at).await
                }
                Err(failure) => failure,
            };
            if began.elapsed() >= STABLE {
                losses = 0;
            }
            // An outage counts once, however often it is tried again. That there is no such kind may turn out after one.
            let is_missing = classify(&failure) == Cause::KindMissing;
            if losses == 0 || (is_missing && !told_missing) {
                self.sink.lost(&failure);
                told_missing = is_missing;
            }
            let pause = PAUSES
                .get(losses)
                .or(PAUSES.last())
                .copied()
                .unwrap_or(LONGEST_PAUSE);
            losses += 1;
            tokio::time::sleep(asked(&failure).clamp(pause, LONGEST_PAUSE)).await;
        }
    }

    /// Lists all, page by page, and hands it on as one.
    async fn list(&self) -> Result<String, ApiFailure> {
        let began = self.sink.list_begins();
        let mut objects = Vec::new();
        let mut next = None;
        loop {
            let parameters = ListParams {
                limit: Some(self.timing.page_size),
                continue_token: next,
                ..ListParams::default()
            };
            let request = Requests::new(&*self.path).list(&parameters);
            let request = request.map_err(|error| failure::unreadable("a list", &error))?;
            let page = timeout(self.timing.page_timeout, self.page(request.map(Body::from)));
            let page = page
                .await
                .unwrap_or_else(|_| Err(failure::no_answer(self.timing.page_timeout)))?;
            objects.extend(
                page.items
                    .into_iter()
                    .filter_map(|object| self.sink.keep(object)),
            );
            next = page.metadata.next.filter(|token| !token.is_empty());
            if next.is_none() {
                let listed_at = page.metadata.resource_version;
                self.sink.listed(objects, version(&listed_at), began);
                return Ok(listed_at);
            }
        }
    }

    async fn page(&self, request: http::Request<Body>) -> Result<Page<T>, ApiFailure> {
        let answer = self.client.send(request).await;
        let (head, body) = answer
            .map_err(|error| failure::from_transport(&error))?
            .into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| failure::from_transport(&error))?;
        let body = body.to_bytes();
        if !head.status.is_success() {
            let asked = head.headers.get(http::header::RETRY_AFTER);
            let asked = asked.and_then(|value| value.to_str().ok());
            return Err(failure::from_answer(head.status.as_u16(), asked, &body));
        }
        serde_json::from_slice(&body).map_err(|error| failure::unreadable("a list", &error))
    }

    /// Watches from this version on, resuming as often as the watch ends as it should.
    async fn watch(&self, mut from: String) -> ApiFailure {
        loop {
            match self.watch_once(from).await {
                Ended::Lost(failure) => return failure,
                Ended::Ordinarily(reached) => from = reached,
            }
        }
    }

    async fn watch_once(&self, mut from: String) -> Ended {
        let began = Instant::now();
        let parameters = WatchParams {
            timeout: Some(
                u32::try_from(self.timing.length.as_secs())
                    .unwrap_or(u32::MAX)
                    .min(294),
            ),
            ..WatchParams::default()
        };
        let request = match Requests::new(&*self.path).watch(&parameters, &from) {
            Ok(request) => request,
            Err(error) => return Ended::Lost(failure::unreadable("a watch", &error)),
        };
        let opened = timeout(
            self.timing.page_timeout,
            self.client.request_events::<T>(request),
        );
        let mut events: BoxStream<'static, kube::Result<WatchEvent<T>>> = match opened.await {
            Ok(Ok(events)) => Box::pin(events),
            Ok(Err(error)) => return Ended::Lost(of_kube(error)),
            Err(_) => return Ended::Lost(failure::no_answer(self.timing.page_timeout)),
        };
        loop {
            let event = match timeout(self.timing.longest_silence, events.next()).await {
                Ok(Some(Ok(event))) => event,
                Ok(Some(Err(error))) => return Ended::Lost(of_kube(error)),
                Ok(None) if began.elapsed() + EARLY >= self.timing.length => {
                    return Ended::Ordinarily(from);
                }
                Ok(None) => return Ended::Lost(failure::unreadable("a watch", &"it ended early")),
                Err(_) => return Ended::Lost(failure::no_answer(self.timing.longest_silence)),
            };
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    object.version().clone_into(&mut from);
                    self.sink.seen(object);
                }
                WatchEvent::Deleted(object) => {
                    object.version().clone_into(&mut from);
                    self.sink.gone(object);
                }
                WatchEvent::Bookmark(bookmark) => {
                    from = bookmark.metadata.resource_version;
                    self.sink.progressed(version(&from));
                }
                WatchEvent::Error(status) => {
                    return Ended::Lost(of_kube(kube::Error::Api(status)));
                }
            }
        }
    }
}

/// An object that says at which version it was seen.
pub trait HasVersion {
    /// The resource version.
    fn version(&self) -> &str;
}

impl<S: Default> HasVersion for super::read::Wire<S> {
    fn version(&self) -> &str {
        &self.metadata.resource_version
    }
}

fn of_kube(error: kube::Error) -> ApiFailure {
    match error {
        kube::Error::Api(status) => ApiFailure {
            code: status.code,
            reason: status.reason.clone(),
            message: status.message.clone(),
            retry_after: status
                .details
                .as_ref()
                .map(|details| i64::from(details.retry_after_seconds))
                .filter(|seconds| *seconds > 0)
                .map(remediation_core::time::GoDuration::from_secs),
            ..ApiFailure::default()
        },
        error => failure::from_transport(&error),
    }
}

/// The pause that the server asked for.
fn asked(failure: &ApiFailure) -> Duration {
    let millis = failure.retry_after.map_or(0, |asked| asked.as_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
