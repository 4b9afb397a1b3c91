//! Watches: a stream of events that is drawn from the store's history as fast as the client reads it.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::Frame;
use serde_json::json;
use tokio::time::{Instant, Sleep};
use tower::BoxError;

use super::{
    endpoint::Endpoint,
    list::{parse_version, too_old},
    object::StoredObject,
    path::Query,
    render::Renderer,
    selector::Selector,
    server::Shared,
    status::ApiError,
    store::{Event, Store, watch_line},
};

/// How often a watch that asked for bookmarks gets one.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);
/// The last bookmark comes this long before the stream's regular end.
const BOOKMARK_BEFORE_END: Duration = Duration::from_secs(2);
/// How long a watch lives that does not say how long it wants to.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// An open watch: the body of its response.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    id: u64,
    epoch: u64,
    endpoint: Endpoint,
    selector: Selector,
    renderer: Renderer,
    /// The state at the start, still to be sent as ADDED events.
    initial: VecDeque<Arc<StoredObject>>,
    /// A bookmark that marks the end of the initial events is still to be sent.
    initial_mark: bool,
    /// Everything up to this resourceVersion has been sent.
    cursor: u64,
    /// The first event has been sent.
    begun: bool,
    bookmarks: bool,
    /// Events are being held back, so bookmarks are too.
    silent: bool,
    bookmark_timer: Pin<Box<Sleep>>,
    end: Pin<Box<Sleep>>,
    ended: bool,
}

impl Watch {
    /// Opens a watch. Must be called within a tokio runtime.
    pub(crate) fn open(
        shared: &Arc<Shared>,
        store: &mut Store,
        endpoint: Endpoint,
        selector: Selector,
        renderer: Renderer,
        query: &Query,
    ) -> Result<Self, ApiError> {
        let streaming_list = query.flag("sendInitialEvents");
        let bookmarks = query.flag("allowWatchBookmarks");
        let version = query
            .text("resourceVersion")
            .map(parse_version)
            .transpose()
            .map_err(ApiError::internal)?
            .unwrap_or_default();
        let from_state = streaming_list || version == 0;
        let mut initial = VecDeque::new();
        if from_state
            && query.text("sendInitialEvents") != Some("false")
            && let Some(resource) =
                store.resource(&endpoint.definition.group, &endpoint.definition.plural)
        {
            initial.extend(
                resource
                    .objects
                    .values()
                    .filter(|object| selector.matches(object))
                    .cloned(),
            );
        }
        let timeout = query
            .number("timeoutSeconds")
            .filter(|seconds| *seconds > 0)
            .map_or(DEFAULT_TIMEOUT, Duration::from_secs);
        // A watch that is over before its last bookmark would be due gets none.
        let last_bookmark = timeout.saturating_sub(BOOKMARK_BEFORE_END);
        let first_bookmark = if last_bookmark.is_zero() {
            timeout
        } else {
            last_bookmark.min(BOOKMARK_INTERVAL)
        };
        Ok(Self {
            shared: Arc::clone(shared),
            id: store.next_watch_id(),
            epoch: store.watch_epoch,
            endpoint,
            selector,
            renderer,
            initial,
            initial_mark: streaming_list && bookmarks,
            cursor: if from_state { store.revision } else { version },
            begun: false,
            bookmarks,
            silent: false,
            bookmark_timer: Box::pin(tokio::time::sleep(first_bookmark)),
            end: Box::pin(tokio::time::sleep(timeout)),
            ended: false,
        })
    }

    /// The next line, if there is one now. Leaves the waker where the next event finds it if there is none.
    fn next_line(&mut self, context: &Context<'_>) -> Option<Result<Bytes, BoxError>> {
        let shared = Arc::clone(&self.shared);
        let mut store = shared.store();
        if store.watch_epoch != self.epoch {
            self.ended = true;
            return Some(Err(Box::new(io::Error::from(io::ErrorKind::UnexpectedEof))));
        }
        if let Some(object) = self.initial.pop_front() {
            return Some(Ok(watch_line(
                "ADDED",
                &self
                    .renderer
                    .event_bytes(&object, !std::mem::replace(&mut self.begun, true)),
            )));
        }
        if self.initial_mark {
            self.initial_mark = false;
            return Some(Ok(self.bookmark(true)));
        }
        let newest = store.revision;
        let definition = &self.endpoint.definition;
        let Some(resource) = store.resource_mut(&definition.group, &definition.plural) else {
            self.ended = true;
            return None;
        };
        if self.cursor < resource.compacted {
            self.ended = true;
            let gone = too_old(self.cursor, resource.compacted).status();
            return Some(Ok(watch_line("ERROR", gone.to_string().as_bytes())));
        }
        let newest = resource.held_at.unwrap_or(newest);
        for event in resource
            .events_after(self.cursor)
            .take_while(|event| event.revision <= newest)
        {
            self.cursor = event.revision;
            if let Some(line) = event_line(event, &self.selector, &self.renderer, !self.begun) {
                self.begun = true;
                return Some(Ok(line));
            }
        }
        // A watch may start in the future; it does not go back.
        self.cursor = self.cursor.max(newest);
        self.silent = resource.held_at.is_some();
        resource.watch(self.id, context.waker().clone());
        None
    }

    fn bookmark(&self, initial_end: bool) -> Bytes {
        let mut object = json!({
            "kind": self.endpoint.definition.kind,
            "apiVersion": self.endpoint.api_version(),
            "metadata": {"resourceVersion": self.cursor.to_string()},
        });
        if initial_end {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        watch_line("BOOKMARK", object.to_string().as_bytes())
    }

    /// The next piece of the body.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(line) = self.next_line(context) {
            return Poll::Ready(Some(line.map(Frame::data)));
        }
        if self.ended || self.end.as_mut().poll(context).is_ready() {
            self.ended = true;
            return Poll::Ready(None);
        }
        if self.bookmarks && !self.silent && self.bookmark_timer.as_mut().poll(context).is_ready() {
            let next = Instant::now() + BOOKMARK_INTERVAL;
            let last = self
                .end
                .deadline()
                .checked_sub(BOOKMARK_BEFORE_END)
                .unwrap_or(next);
            let next = if last > Instant::now() {
                next.min(last)
            } else {
                next
            };
            self.bookmark_timer.as_mut().reset(next);
            // Polled, so that the timer wakes the task again.
            let _ = self.bookmark_timer.as_mut().poll(context);
            return Poll::Ready(Some(Ok(Frame::data(self.bookmark(false)))));
        }
        Poll::Pending
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let definition = &self.endpoint.definition;
        let mut store = self.shared.store();
        let waker = store
            .resource_mut(&definition.group, &definition.plural)
            .and_then(|resource| resource.unwatch(self.id));
        // The waker may be the last to hold a task: it goes after the lock.
        drop(store);
        drop(waker);
    }
}

/// What the event is to this watch: a change can bring an object into its selection, or take it out.
fn event_line(
    event: &Event,
    selector: &Selector,
    renderer: &Renderer,
    first: bool,
) -> Option<Bytes> {
    if selector.is_everything() && renderer.is_verbatim() {
        return Some(event.line());
    }
    let matched = event
        .previous
        .as_ref()
        .is_some_and(|previous| selector.matches(previous));
    let matches = !event.deleted && selector.matches(&event.object);
    match (matched, matches) {
        (false, false) => None,
        (true, false) if event.deleted => Some(watch_line(
            "DELETED",
            &renderer.event_bytes(&event.object, first),
        )),
        (true, false) => {
            let previous = event.previous.as_ref()?;
            let last_seen = StoredObject::new((*previous.value).clone(), event.revision);
            Some(watch_line(
                "DELETED",
                &renderer.event_bytes(&last_seen, first),
            ))
        }
        (false, true) => Some(watch_line(
            "ADDED",
            &renderer.event_bytes(&event.object, first),
        )),
        (true, true) if renderer.is_verbatim() && event.type_() == "MODIFIED" => Some(event.line()),
        (true, true) => Some(watch_line(
            "MODIFIED",
            &renderer.event_bytes(&event.object, first),
        )),
    }
}
