//! One request through the proxy, with what goes wrong with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, RETRY_AFTER, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use jiff::Timestamp;
use kube::client::Body;
use serde_json::{Value, json};

use super::connection::ResetSwitch;
use super::held::Late;
use super::trap::Trap;
use super::{Call, Caught, Fault, Place, Shared, watches};

/// The body of an answer.
pub(super) type Answered = UnsyncBoxBody<Bytes, Broken>;

/// The connection breaks off here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the proxy breaks the connection")
    }
}

impl std::error::Error for Broken {}

/// One request on one connection.
#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) shared: Arc<Shared>,
    pub(super) reset: ResetSwitch,
    arrived: Timestamp,
    call: Call,
    head: Arc<Parts>,
    body: Bytes,
}

pub(super) async fn serve(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    reset: ResetSwitch,
) -> Result<Response<Answered>, Broken> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    let call = Call::of(&head, &body);
    let trap = shared.arrived(&call);
    let exchange = Exchange {
        shared,
        reset,
        arrived: Timestamp::now(),
        call,
        head: Arc::new(head),
        body,
    };
    if let Some(trap) = trap {
        return exchange.stop(trap).await;
    }
    let fault = exchange.draw();
    match fault {
        Some(fault) => {
            exchange.shared.count(fault);
            exchange.suffer(fault).await
        }
        None => exchange.pass().await,
    }
}

impl Exchange {
    fn draw(&self) -> Option<Fault> {
        let state = &mut *self.shared.state();
        if self.call.verb == "watch" {
            return state.rates.draw_open(&mut state.random);
        }
        let drawn = state.rates.draw_call(&mut state.random);
        // Nothing of a read is applied.
        drawn.filter(|fault| {
            self.call.is_write()
                || !matches!(
                    fault,
                    Fault::ResponseLost | Fault::AppliedLate | Fault::Duplicated
                )
        })
    }

    /// Forwards it and hands the answer on.
    async fn pass(self) -> Result<Response<Answered>, Broken> {
        self.make_twin().await;
        let answer = self.forward().await?;
        let (head, body) = answer.into_parts();
        let body = if self.call.verb == "watch" && head.status.is_success() {
            let (shared, reset) = (self.shared.clone(), self.reset.clone());
            watches::pump(shared, reset, &self.call.resource, body)
        } else {
            body.map_err(|_| Broken).boxed_unsync()
        };
        Ok(Response::from_parts(head, body))
    }

    async fn suffer(self, fault: Fault) -> Result<Response<Answered>, Broken> {
        match fault {
            Fault::Reset => self.reset(),
            Fault::Swallowed => {
                tokio::time::sleep(Duration::from_secs(3)).await;
                self.reset()
            }
            Fault::Delayed => {
                tokio::time::sleep(self.shared.millis(20, 700)).await;
                self.pass().await
            }
            Fault::TooManyRequests => Ok(refusal(429, "TooManyRequests", false)),
            Fault::TooManyRequestsRetryAfter => Ok(refusal(429, "TooManyRequests", true)),
            Fault::InternalError => Ok(refusal(500, "InternalError", false)),
            Fault::Unavailable => Ok(refusal(503, "ServiceUnavailable", false)),
            Fault::WatchRefusedGone => Ok(refusal(410, "Expired", false)),
            Fault::ResponseLost => {
                self.answer_in_full().await?;
                self.reset()
            }
            Fault::AppliedLate => {
                self.apply_late();
                self.reset()
            }
            Fault::AnsweredLate => {
                let answer = self.answer_in_full().await?;
                tokio::time::sleep(self.shared.millis(1_200, 3_000)).await;
                Ok(whole(answer))
            }
            Fault::AnswerTruncated => {
                let (head, body) = self.answer_in_full().await?;
                let half = body.slice(..body.len() / 2);
                let frames = [Ok(Frame::data(half)), Err(Broken)];
                let body = StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
                Ok(Response::from_parts(head, body))
            }
            Fault::Duplicated => {
                self.answer_in_full().await?;
                Ok(whole(self.answer_in_full().await?))
            }
            Fault::WatchGone
            | Fault::WatchEnded
            | Fault::WatchReset
            | Fault::WatchTruncated
            | Fault::WatchSilent
            | Fault::WatchLagging => self.pass().await,
        }
    }

    /// Holds the call until whoever set the trap lets go.
    async fn stop(self, trap: Trap) -> Result<Response<Answered>, Broken> {
        if trap.place == Place::After {
            self.answer_in_full().await?;
        }
        let (release, released) = tokio::sync::oneshot::channel();
        let caught = Caught {
            call: self.call.clone(),
            _release: release,
        };
        if trap.caught.send(caught).is_ok() {
            // The process that made the call is being killed meanwhile, which drops this future; so what is
            // applied late goes its own way.
            if trap.place == Place::Late {
                self.apply_late();
            }
            // Letting go is dropping, which is an error here.
            let _ = released.await;
            if trap.place == Place::Held {
                let passed = self.clone().pass().await;
                self.was_late();
                return passed;
            }
        }
        self.reset()
    }

    fn reset(&self) -> Result<Response<Answered>, Broken> {
        self.reset.set();
        Err(Broken)
    }

    /// Applies it some time from now, whatever becomes of the connection.
    fn apply_late(&self) {
        let (exchange, wait) = (self.clone(), self.shared.millis(200, 3_000));
        exchange.shared.late.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            // Nobody waits for the answer.
            let _ = exchange.answer_in_full().await;
            exchange.was_late();
            exchange.shared.late.fetch_sub(1, Ordering::SeqCst);
        });
    }

    /// It has been applied only now.
    fn was_late(&self) {
        let late = Late {
            call: self.call.clone(),
            period: (self.arrived, Timestamp::now()),
        };
        self.shared.state().held.late.push(late);
    }

    async fn answer_in_full(&self) -> Result<(http::response::Parts, Bytes), Broken> {
        let (head, body) = self.forward().await?.into_parts();
        let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
        Ok((head, body))
    }

    async fn forward(&self) -> Result<Response<Body>, Broken> {
        self.forward_with(self.body.clone()).await
    }

    async fn forward_with(&self, body: Bytes) -> Result<Response<Body>, Broken> {
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = self.head.uri.clone();
        let headers = request.headers_mut();
        headers.clone_from(&self.head.headers);
        for of_this_hop in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            headers.remove(of_this_hop);
        }
        let answer = self.shared.upstream.send(request).await;
        // No API server to speak to: as if nothing listened there.
        let mut answer = answer.map_err(|_| {
            self.reset.set();
            Broken
        })?;
        for of_this_hop in [CONNECTION, TRANSFER_ENCODING] {
            answer.headers_mut().remove(of_this_hop);
        }
        Ok(answer)
    }

    /// The canary: the same object under another name.
    async fn make_twin(&self) {
        let wanted = self.shared.state().twin == Some(self.call.resource.as_str());
        if !wanted || self.call.verb != "create" {
            return;
        }
        let mut object: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        object["metadata"]["name"] = json!(format!("{}-twin", self.call.name));
        // Where it cannot be made, the test that asked for it fails.
        let _ = self.forward_with(Bytes::from(object.to_string())).await;
    }
}

fn whole((head, body): (http::response::Parts, Bytes)) -> Response<Answered> {
    let body = Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync();
    Response::from_parts(head, body)
}

/// What an API server, or something before it, says when it cannot.
fn refusal(code: u16, reason: &str, retry_after: bool) -> Response<Answered> {
    let text = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "injected by the proxy", "reason": reason, "code": code,
    });
    let body = Full::new(Bytes::from(text.to_string()));
    let mut answer = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(
        "content-type",
        http::HeaderValue::from_static("application/json"),
    );
    if retry_after {
        headers.insert(RETRY_AFTER, http::HeaderValue::from_static("1"));
    }
    answer
}
