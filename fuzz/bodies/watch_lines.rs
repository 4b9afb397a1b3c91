//! The lines of a watch, cut anywhere, and none of ours perhaps: whatever comes, the watch goes on with another request
//! within the ten seconds that category D allows.
//!
//! The bytes come in pieces; the length of each is the byte before it, so that every cut is tried.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use kube::client::{Body, Client};
use remediation_adapters::kubernetes::read::ChildWire;
use remediation_adapters::kubernetes::watch::{Sink, Watch, WatchTiming};
use remediation_core::error::ApiFailure;

/// Serves the bytes to a watch, and gives it ten seconds to ask again.
pub fn run(data: &[u8]) {
    run_for(data, Duration::from_secs(10));
}

/// The same, with so much time.
pub fn run_for(data: &[u8], time: Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let requests = Arc::new(Mutex::new(0_usize));
    let mut answers = VecDeque::from([
        vec![Bytes::from_static(
            br#"{"metadata":{"resourceVersion":"5"},"items":[]}"#,
        )],
        pieces(data),
    ]);
    let counted = requests.clone();
    runtime.block_on(async {
        let service = tower::service_fn(move |_: http::Request<Body>| {
            *counted.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            let answer = answers.pop_front();
            async move {
                let Some(pieces) = answer else {
                    return futures::future::pending().await;
                };
                let frames = pieces.into_iter().map(|piece| Ok(Frame::data(piece)));
                let frames = frames.collect::<Vec<Result<_, std::io::Error>>>();
                let body = StreamBody::new(stream::iter(frames)).boxed_unsync();
                Ok::<_, std::io::Error>(http::Response::new(body))
            }
        });
        let sink = Arc::new(Counts::default());
        let watch: Watch<ChildWire, Counts> = Watch {
            client: Client::new(service, "default"),
            path: "/apis/aianalysis.kubernaut.ai/v1alpha1/aianalyses".to_owned(),
            timing: WatchTiming::default(),
            sink: sink.clone(),
            object: std::marker::PhantomData,
        };
        tokio::time::timeout(time, watch.run()).await.ok();
        let seen = *sink.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(seen <= data.len(), "{seen} events in {} bytes", data.len());
    });
    let requests = *requests.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(requests >= 3, "the watch stopped after {requests} requests");
}

fn pieces(mut data: &[u8]) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let end = usize::from(*length).min(rest.len());
        pieces.push(Bytes::copy_from_slice(&rest[..end]));
        data = &rest[end..];
    }
    pieces
}

/// Counts the events.
#[derive(Default)]
struct Counts(Mutex<usize>);

impl Counts {
    fn one(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }
}

impl Sink<ChildWire> for Counts {
    type Kept = ();

    fn list_begins(&self) -> u64 {
        1
    }

    fn keep(&self, _: ChildWire) -> Option<()> {
        Some(())
    }

    fn listed(&self, _: Vec<()>, _: u64, _: u64) {}

    fn seen(&self, _: ChildWire) {
        self.one();
    }

    fn gone(&self, _: ChildWire) {
        self.one();
    }

    fn progressed(&self, _: u64) {
        self.one();
    }

    fn lost(&self, _: &ApiFailure) {}
}
