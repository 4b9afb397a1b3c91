//! A watch against a server that is played by the test, piece by piece.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use kube::client::Body as Sent;
use serde_json::{Value, json};

use super::*;
use crate::kubernetes::read::ChildWire;

/// What a request is answered with: pieces of a body, and whether it then stays open.
struct Answer {
    code: u16,
    pieces: Vec<String>,
    stays_open: bool,
}

type Script = Arc<Mutex<(VecDeque<Answer>, Vec<String>)>>;

fn client(answers: Vec<Answer>) -> (Client, Script) {
    let script: Script = Arc::new(Mutex::new((answers.into(), Vec::new())));
    let service = tower::service_fn({
        let script = script.clone();
        move |request: http::Request<Sent>| {
            let mut script = script.lock().unwrap();
            script.1.push(request.uri().to_string());
            let answer = script.0.pop_front();
            async move {
                let Some(answer) = answer else {
                    return futures::future::pending().await;
                };
                let pieces = answer
                    .pieces
                    .into_iter()
                    .map(|piece| Ok(Frame::data(Bytes::from(piece))));
                let pieces = stream::iter(pieces.collect::<Vec<Result<_, std::io::Error>>>());
                let body = if answer.stays_open {
                    StreamBody::new(pieces.chain(stream::pending())).boxed_unsync()
                } else {
                    StreamBody::new(pieces).boxed_unsync()
                };
                let mut response = http::Response::new(body);
                *response.status_mut() = http::StatusCode::from_u16(answer.code).unwrap();
                Ok::<_, std::io::Error>(response)
            }
        }
    });
    (Client::new(service, "default"), script)
}

fn answer(pieces: &[Value], stays_open: bool) -> Answer {
    Answer {
        code: 200,
        pieces: pieces.iter().map(|piece| format!("{piece}\n")).collect(),
        stays_open,
    }
}

fn object(name: &str, version: &str) -> Value {
    json!({ "metadata": { "name": name, "namespace": "shop", "uid": name, "resourceVersion": version } })
}

fn page(version: &str, next: Option<&str>, names: &[&str]) -> Value {
    let items: Vec<Value> = names.iter().map(|name| object(name, "1")).collect();
    json!({ "metadata": { "resourceVersion": version, "continue": next }, "items": items })
}

fn event(kind: &str, object: &Value) -> Value {
    json!({ "type": kind, "object": object })
}

/// Notes what it is told.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn note(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }
    fn taken(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Sink<ChildWire> for Notes {
    type Kept = ChildWire;

    fn list_begins(&self) -> u64 {
        1
    }
    fn keep(&self, object: ChildWire) -> Option<ChildWire> {
        (object.metadata.name != "unreadable").then_some(object)
    }
    fn listed(&self, objects: Vec<ChildWire>, version: u64, _: u64) {
        self.note(format!("listed {} at {version}", objects.len()));
    }
    fn seen(&self, object: ChildWire) {
        self.note(format!("seen {}", object.metadata.name));
    }
    fn gone(&self, object: ChildWire) {
        self.note(format!("gone {}", object.metadata.name));
    }
    fn progressed(&self, version: u64) {
        self.note(format!("reached {version}"));
    }
    fn lost(&self, why: &ApiFailure) {
        self.note(format!("lost {}", why.code));
    }
}

/// Watches for so long; returns what was noted, and what was asked for.
async fn watched(answers: Vec<Answer>, seconds: u64) -> (Vec<String>, Vec<String>) {
    watched_for(Duration::from_secs(seconds), answers).await
}

async fn watched_for(time: Duration, answers: Vec<Answer>) -> (Vec<String>, Vec<String>) {
    watched_with(WatchTiming::default(), answers, time).await
}

async fn watched_with(
    timing: WatchTiming,
    answers: Vec<Answer>,
    time: Duration,
) -> (Vec<String>, Vec<String>) {
    let (client, script) = client(answers);
    let notes = Arc::new(Notes::default());
    let watch: Watch<ChildWire, Notes> = Watch {
        client,
        path: "/apis/g/v1/things".into(),
        timing,
        sink: notes.clone(),
        object: std::marker::PhantomData,
    };
    tokio::time::timeout(time, watch.run()).await.unwrap_err();
    let asked = script.lock().unwrap().1.clone();
    (notes.taken(), asked)
}

#[tokio::test(start_paused = true)]
async fn pages_are_handed_on_as_one_list_and_events_follow() {
    let bookmark =
        json!({ "kind": "Thing", "apiVersion": "g/v1", "metadata": { "resourceVersion": "90" } });
    let (noted, asked) = watched(
        vec![
            answer(&[page("50", Some("next"), &["a", "b"])], false),
            answer(&[page("50", None, &["c"])], false),
            answer(
                &[
                    event("MODIFIED", &object("a", "60")),
                    event("DELETED", &object("b", "70")),
                    event("BOOKMARK", &bookmark),
                ],
                true,
            ),
        ],
        10,
    )
    .await;
    assert_eq!(noted, ["listed 3 at 50", "seen a", "gone b", "reached 90"]);
    assert!(
        asked[0].contains("limit=500") && !asked[0].contains("resourceVersion"),
        "{}",
        asked[0]
    );
    assert!(asked[1].contains("continue=next"));
    assert!(asked[2].contains("watch=true") && asked[2].contains("resourceVersion=50"));
    assert!(asked[2].contains("allowWatchBookmarks=true"));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_read_keeps_no_other_out_of_a_list() {
    let page = page("50", None, &["a", "unreadable", "b"]);
    let (noted, _) = watched(vec![answer(&[page], false)], 5).await;
    assert_eq!(noted, ["listed 2 at 50"], "S31");
}

#[tokio::test(start_paused = true)]
async fn the_ordinary_end_is_resumed_from_where_it_was() {
    let timing = WatchTiming {
        length: Duration::from_secs(1),
        ..WatchTiming::default()
    };
    let (noted, asked) = watched_with(
        timing,
        vec![
            answer(&[page("50", None, &[])], false),
            answer(&[event("ADDED", &object("a", "60"))], false),
            answer(&[event("ADDED", &object("b", "61"))], true),
        ],
        Duration::from_secs(10),
    )
    .await;
    assert_eq!(noted, ["listed 0 at 50", "seen a", "seen b"]);
    assert!(asked[2].contains("resourceVersion=60"), "{}", asked[2]);
    assert!(asked[1].contains("timeoutSeconds=1&"), "{}", asked[1]);
}

/// As after an API server that came back with an older state: a watch from our version would show nothing.
#[tokio::test(start_paused = true)]
async fn an_end_before_its_time_is_a_loss_and_leads_to_a_new_list() {
    let (noted, asked) = watched(
        vec![
            answer(&[page("50", None, &[])], false),
            answer(&[event("ADDED", &object("a", "60"))], false),
            answer(&[page("40", None, &["b"])], false),
            answer(&[], true),
        ],
        10,
    )
    .await;
    assert_eq!(
        noted,
        ["listed 0 at 50", "seen a", "lost 0", "listed 1 at 40"]
    );
    assert!(asked[3].contains("resourceVersion=40"), "{}", asked[3]);
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_loss_and_leads_to_a_new_list() {
    let (noted, _) = watched(
        vec![
            answer(&[page("50", None, &[])], false),
            answer(&[], true),
            answer(&[page("55", None, &["a"])], false),
        ],
        155,
    )
    .await;
    assert_eq!(noted, ["listed 0 at 50", "lost 0", "listed 1 at 55"]);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_gone_leads_to_a_new_list() {
    let gone = json!({ "kind": "Status", "code": 410, "reason": "Expired", "message": "too old",
        "status": "Failure", "metadata": {} });
    let (noted, _) = watched(
        vec![
            answer(&[page("50", None, &[])], false),
            answer(&[event("ERROR", &gone)], false),
            answer(&[page("55", None, &["a"])], false),
        ],
        5,
    )
    .await;
    assert_eq!(noted, ["listed 0 at 50", "lost 410", "listed 1 at 55"]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_counts_once_and_is_tried_again_within_ten_seconds() {
    let down = || Answer {
        code: 503,
        pieces: vec!["down".into()],
        stays_open: false,
    };
    let (noted, asked) = watched((0..60).map(|_| down()).collect(), 120).await;
    assert_eq!(noted, ["lost 503"]);
    assert!(
        (24..60).contains(&asked.len()),
        "{} tries in two minutes",
        asked.len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_turns_out_to_be_missing_after_an_outage_is_told_as_well() {
    let refused = |code, text: &str| Answer {
        code,
        pieces: vec![text.into()],
        stays_open: false,
    };
    let missing = || refused(404, "404 page not found");
    let listed = || answer(&[page("50", None, &[])], false);
    let cut_off = || answer(&[], false);
    let down = refused(503, "down");
    let answers = vec![down, missing(), missing(), listed(), cut_off(), missing()];
    let (noted, _) = watched(answers, 30).await;
    assert_eq!(
        noted,
        ["lost 503", "lost 404", "listed 0 at 50", "lost 404"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_pause_that_the_server_asks_for_is_kept_up_to_nine_seconds() {
    for (seconds, waits) in [(0, 250), (1, 1000), (7, 7000), (100, 9000)] {
        let busy = json!({ "kind": "Status", "code": 429, "reason": "TooManyRequests",
            "message": "wait", "status": "Failure", "metadata": {},
            "details": { "retryAfterSeconds": seconds } });
        let answers = || {
            vec![
                answer(&[page("50", None, &[])], false),
                answer(&[event("ERROR", &busy)], false),
                answer(&[page("55", None, &[])], false),
                answer(&[], true),
            ]
        };
        for (tried, within) in [(2, waits - 10), (4, waits + 10)] {
            let (_, asked) = watched_for(Duration::from_millis(within), answers()).await;
            assert_eq!(asked.len(), tried, "{seconds} s, after {within} ms");
        }
    }
}

#[test]
fn an_error_within_a_watch_is_told_as_the_server_told_it() {
    let status: kube::core::Status = serde_json::from_value(json!({ "code": 429,
        "reason": "TooManyRequests", "message": "wait", "details": { "retryAfterSeconds": 7 } }))
    .unwrap();
    let failure = of_kube(kube::Error::Api(Box::new(status)));
    let expected = ApiFailure {
        code: 429,
        reason: "TooManyRequests".into(),
        message: "wait".into(),
        retry_after: Some(remediation_core::time::GoDuration::from_secs(7)),
        ..ApiFailure::default()
    };
    assert_eq!(failure, expected);
    let status = serde_json::from_value(json!({ "details": { "retryAfterSeconds": 0 } })).unwrap();
    let failure = of_kube(kube::Error::Api(Box::new(status)));
    assert_eq!(failure.retry_after, None);
}
