//! An open watch through the proxy, with what goes wrong with it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use jiff::Timestamp;
use kube::client::Body;
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use super::calls::{Answered, Broken};
use super::connection::ResetSwitch;
use super::held::Sight;
use super::{Fault, Shared};

/// How often a quiet watch may go wrong.
const BEAT: Duration = Duration::from_millis(500);

/// Hands on what comes from the API server until something goes wrong.
pub(super) fn pump(
    shared: Arc<Shared>,
    reset: ResetSwitch,
    resource: &str,
    body: Body,
) -> Answered {
    let (out, handed_on) = mpsc::channel(0);
    let sight = Sight::of(&shared, resource);
    tokio::spawn(run(shared, reset, body, out, sight));
    StreamBody::new(handed_on).boxed_unsync()
}

type Out = mpsc::Sender<Result<Frame<Bytes>, Broken>>;

async fn run(shared: Arc<Shared>, reset: ResetSwitch, body: Body, mut out: Out, mut sight: Sight) {
    let mut chunks = body.into_data_stream();
    let mut beat = Instant::now() + BEAT;
    loop {
        let chunk = tokio::select! {
            biased;
            chunk = chunks.next() => match chunk {
                Some(Ok(chunk)) => Some(chunk),
                Some(Err(_)) => {
                    sight.lose();
                    reset.set();
                    return break_off(out).await;
                }
                None => return sight.lose(),
            },
            () = sleep_until(beat) => {
                beat = Instant::now() + BEAT;
                None
            }
        };
        if out.is_closed() {
            return;
        }
        let fault = draw(&shared, chunk.is_some());
        if fault.is_some_and(|fault| fault != Fault::WatchLagging) {
            sight.lose();
        }
        match fault {
            None => {}
            Some(Fault::WatchLagging) => {
                let since = Timestamp::now();
                sleep(shared.millis(50, 1_500)).await;
                shared.state().held.add(since);
            }
            Some(Fault::WatchSilent) => {
                let silence = shared.state().silence;
                tokio::select! {
                    biased;
                    () = sleep(silence) => {}
                    () = closed(&out) => {}
                }
                reset.set();
                return break_off(out).await;
            }
            Some(Fault::WatchGone) => {
                let event = json!({ "type": "ERROR", "object": {
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "message": "too old resource version (injected by the proxy)",
                    "reason": "Expired", "code": 410,
                } });
                let _ = hand_on(&mut out, Bytes::from(format!("{event}\n"))).await;
                return;
            }
            Some(Fault::WatchTruncated) => {
                let chunk = chunk.unwrap_or_default();
                let _ = hand_on(&mut out, chunk.slice(..chunk.len() / 2)).await;
                return break_off(out).await;
            }
            Some(Fault::WatchReset) => {
                reset.set();
                return break_off(out).await;
            }
            // The channel's end is the body's ordinary end. Those of calls are never drawn here.
            Some(_) => return,
        }
        if let Some(chunk) = chunk
            && hand_on(&mut out, chunk).await.is_err()
        {
            return;
        }
    }
}

/// What goes wrong now. An event can be cut and be late; where nothing comes, nothing can.
fn draw(shared: &Shared, event: bool) -> Option<Fault> {
    let state = &mut *shared.state();
    let fault = state.rates.draw_watch(&mut state.random)?;
    if !event && matches!(fault, Fault::WatchTruncated | Fault::WatchLagging) {
        return None;
    }
    state.count(fault);
    Some(fault)
}

async fn hand_on(out: &mut Out, chunk: Bytes) -> Result<(), mpsc::SendError> {
    out.send(Ok(Frame::data(chunk))).await
}

async fn break_off(mut out: Out) {
    // A caller that has gone needs no telling.
    let _ = out.send(Err(Broken)).await;
}

/// Returns once the caller has gone.
async fn closed(out: &Out) {
    while !out.is_closed() {
        sleep(BEAT).await;
    }
}
