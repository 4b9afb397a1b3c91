//! The line between one process of an operator and the API server. It dies with the process: what a dead process
//! had in flight is answered to nobody, and it can send nothing more.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body, Frame};
use kube::client::Body as ClientBody;
use tokio::sync::Notify;
use tower::{BoxError, Service};

use super::plan::StreamFault;
use super::webhook;
use crate::simulation::api_server::{ApiService, ResponseBody};
use crate::simulation::board::Board;

/// One process, from its start to its end.
#[derive(Debug, Default)]
pub(super) struct Life {
    dead: AtomicBool,
    down_ms: Mutex<u64>,
    died: Notify,
    stalled: Board<bool>,
}

impl Life {
    /// The process dies at once: nothing that it still does reaches anybody.
    pub(super) fn end(&self, down_ms: u64) {
        if !self.dead.swap(true, Ordering::Relaxed) {
            *self.down_ms.lock().unwrap_or_else(PoisonError::into_inner) = down_ms;
            self.died.notify_one();
        }
    }

    /// Waits for its death; returns how long it stays down.
    pub(super) async fn ended(&self) -> u64 {
        self.died.notified().await;
        *self.down_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stall(&self, stalled: bool) {
        self.stalled.change(|now| *now = stalled);
    }

    fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Returns when the process runs; never where it is dead.
    async fn runs(&self) {
        self.stalled.until(|stalled| !stalled).await;
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }
}

/// What is done to open watches, by their number.
#[derive(Debug, Default)]
pub(super) struct StreamFaults {
    state: Mutex<Streams>,
}

#[derive(Debug, Default)]
struct Streams {
    faults: BTreeMap<u32, (u32, StreamFault)>,
    /// How many events each watch showed that was opened before everything healed.
    shown: Vec<u32>,
    healed: bool,
}

impl StreamFaults {
    pub(super) fn new(faults: BTreeMap<u32, (u32, StreamFault)>) -> Self {
        let state = Streams {
            faults,
            ..Streams::default()
        };
        Self {
            state: Mutex::new(state),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Streams> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches that are opened from now on are left alone.
    pub(super) fn heal(&self) {
        self.locked().healed = true;
    }

    /// How many events each watch showed, by its number.
    pub(super) fn shown(&self) -> Vec<u32> {
        self.locked().shown.clone()
    }

    /// A watch is opened: its number, and what is done to it; none where watches are left alone.
    fn open(&self) -> Option<(usize, Option<(u32, StreamFault)>)> {
        let mut streams = self.locked();
        if streams.healed {
            return None;
        }
        let nth = streams.shown.len();
        streams.shown.push(0);
        let number = u32::try_from(nth).ok();
        let fault = number.and_then(|number| streams.faults.get(&number));
        Some((nth, fault.copied()))
    }

    /// The next event of this watch passes: its number.
    fn pass(&self, nth: usize) -> u32 {
        let mut streams = self.locked();
        let Some(events) = streams.shown.get_mut(nth) else {
            return 0;
        };
        *events += 1;
        *events - 1
    }
}

/// The service that the client of one process is built on.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) server: ApiService,
    pub(super) agent: HeaderValue,
    pub(super) life: Arc<Life>,
    pub(super) streams: Arc<StreamFaults>,
    /// Whether a webhook changes what is created.
    pub(super) webhook: Arc<AtomicBool>,
    /// Told of each creation that the webhook changed.
    pub(super) mutated: Arc<dyn Fn() + Send + Sync>,
    /// Told of each watch to which something was done.
    pub(super) told: Arc<dyn Fn(StreamFault) + Send + Sync>,
}

impl Service<Request<ClientBody>> for Link {
    type Response = Response<LinkBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<ClientBody>) -> Self::Future {
        request
            .headers_mut()
            .insert(header::USER_AGENT, self.agent.clone());
        let is_watch = request
            .uri()
            .query()
            .is_some_and(|query| query.contains("watch=true"));
        let mut link = self.clone();
        Box::pin(async move {
            if link.webhook.load(Ordering::Relaxed) {
                let changed;
                (request, changed) = webhook::mutate(request).await;
                if changed {
                    (link.mutated)();
                }
            }
            let life = Arc::clone(&link.life);
            let answer = if life.stalled.look(|stalled| *stalled) {
                // What was about to be sent is sent once the process goes on, whoever still waits for it.
                let (send, receive) = tokio::sync::oneshot::channel();
                let sender = Arc::clone(&life);
                tokio::spawn(async move {
                    sender.runs().await;
                    let _ = send.send(link.server.call(request).await);
                });
                receive.await.unwrap_or_else(|gone| Err(gone.into()))
            } else {
                life.runs().await;
                let answer = link.server.call(request).await;
                life.runs().await;
                return answer.map(|answer| link.watched(answer, is_watch));
            };
            answer.map(|answer| answer.map(LinkBody::plain))
        })
    }
}

impl Link {
    fn watched(&self, answer: Response<ResponseBody>, is_watch: bool) -> Response<LinkBody> {
        let opened = is_watch && answer.status().is_success();
        let Some((nth, fault)) = opened.then(|| self.streams.open()).flatten() else {
            return answer.map(LinkBody::plain);
        };
        let told = Arc::clone(&self.told);
        answer.map(|body| LinkBody {
            watch: Some((Arc::clone(&self.streams), nth)),
            fault,
            told: fault.is_some().then_some(told),
            ..LinkBody::plain(body)
        })
    }
}

/// An answer's body, to which something may be done on its way.
pub(super) struct LinkBody {
    body: ResponseBody,
    /// Where a watch's events are counted, and its number.
    watch: Option<(Arc<StreamFaults>, usize)>,
    fault: Option<(u32, StreamFault)>,
    told: Option<Arc<dyn Fn(StreamFault) + Send + Sync>>,
    state: State,
}

enum State {
    Whole,
    Silent,
    Again(Bytes),
    Broken,
    Ended,
}

impl LinkBody {
    fn plain(body: ResponseBody) -> Self {
        Self {
            body,
            watch: None,
            fault: None,
            told: None,
            state: State::Whole,
        }
    }

    /// What becomes of this event, if it is the one.
    fn strike(&mut self) -> Option<StreamFault> {
        let (streams, nth) = self.watch.as_ref()?;
        let at = streams.pass(*nth);
        let (event, fault) = self.fault?;
        if event != at {
            return None;
        }
        if let Some(told) = self.told.take() {
            told(fault);
        }
        Some(fault)
    }
}

type Chunk = Option<Result<Frame<Bytes>, BoxError>>;

impl Body for LinkBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Chunk> {
        let this = self.get_mut();
        match std::mem::replace(&mut this.state, State::Whole) {
            State::Whole => {}
            State::Silent => {
                this.state = State::Silent;
                return Poll::Pending;
            }
            State::Again(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
            State::Broken => {
                this.state = State::Ended;
                let broken = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                return Poll::Ready(Some(Err(broken.into())));
            }
            State::Ended => {
                this.state = State::Ended;
                return Poll::Ready(None);
            }
        }
        let frame = std::task::ready!(Pin::new(&mut this.body).poll_frame(context));
        let Some(Ok(Ok(bytes))) = frame.map(|frame| frame.map(Frame::into_data)) else {
            return Poll::Ready(None);
        };
        match this.strike() {
            None => {}
            Some(StreamFault::Silence) => {
                this.state = State::Silent;
                return Poll::Pending;
            }
            Some(StreamFault::End) => {
                this.state = State::Ended;
                return Poll::Ready(None);
            }
            Some(StreamFault::Repeat) => this.state = State::Again(bytes.clone()),
            Some(StreamFault::Truncate) => {
                this.state = State::Broken;
                let half = bytes.slice(..bytes.len() / 2);
                return Poll::Ready(Some(Ok(Frame::data(half))));
            }
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

/// A client under a name of its own, that nothing happens to.
pub(super) fn client(server: ApiService, agent: &'static str) -> kube::Client {
    let service =
        tower::ServiceExt::map_request(server, move |mut request: Request<ClientBody>| {
            let agent = HeaderValue::from_static(agent);
            request.headers_mut().insert(header::USER_AGENT, agent);
            request
        });
    kube::Client::new(service, super::hand::NAMESPACE)
}
