//! Events about requests (events.k8s.io/v1): posted by one background task from a bounded queue, so that
//! nobody ever waits for one. Too many for one request, or for the queue, are dropped and counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::core::Request as Requests;
use kube::core::params::PostParams;
use remediation_core::action::{Event, EventSeverity};
use remediation_core::kind::{API_VERSION, REQUEST_GROUP, REQUEST_KIND};
use remediation_core::names;
use remediation_core::request::Identity;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::telemetry::Metrics;

/// Events that wait to be posted; more are dropped.
const QUEUE: usize = 256;
/// Events of one request that may come at once.
const BURST: i32 = 10;
/// After these, one more in so long.
const REFILL: SignedDuration = SignedDuration::from_mins(1);
/// Requests that the limiter remembers before it looks for ones to forget.
const REMEMBERED: usize = 4096;
/// How long the API server may take for one.
const POST_TIMEOUT: Duration = Duration::from_secs(10);
/// Who reports: a qualified name.
const CONTROLLER: &str = "kubernaut.ai/remediation-orchestrator";

/// Takes Events. Never waits.
pub struct Announcer {
    sender: mpsc::Sender<Value>,
    limiter: Mutex<Limiter>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    instance: String,
}

/// Posts what an [`Announcer`] takes.
pub struct Poster {
    receiver: mpsc::Receiver<Value>,
    client: Client,
    metrics: Metrics,
}

/// An announcer, and the poster that must be run for it. `instance` names this process, 128 characters at most.
#[must_use]
pub fn announcer(
    client: Client,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    instance: &str,
) -> (Announcer, Poster) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let announcer = Announcer {
        sender,
        limiter: Mutex::new(Limiter::default()),
        clock,
        metrics: metrics.clone(),
        instance: instance.chars().take(128).collect(),
    };
    let poster = Poster {
        receiver,
        client,
        metrics,
    };
    (announcer, poster)
}

impl Announcer {
    /// Writes this Event about this request, some time soon, if there are not too many.
    pub fn publish(&self, request: &Identity, event: &Event) {
        let now = self.clock.now();
        let allowed = self
            .limiter
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .allows(&request.uid, now);
        if !allowed
            || self
                .sender
                .try_send(self.body(request, event, now))
                .is_err()
        {
            self.metrics.event_dropped();
        }
    }

    fn body(&self, request: &Identity, event: &Event, now: Timestamp) -> Value {
        let unique = format!("{}/{}/{}/{now}", request.uid, event.reason, event.note);
        let head: String = request.name.chars().take(200).collect();
        let head = head.trim_end_matches(['.', '-']);
        json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": format!("{head}.{}", names::hash(&unique, 16)),
                "namespace": request.namespace,
            },
            "eventTime": format!("{now:.6}"),
            "reportingController": CONTROLLER,
            "reportingInstance": self.instance,
            "action": "Remediate",
            "reason": event.reason,
            "note": remediation_core::text::clean(&event.note, 1000),
            "type": match event.severity {
                EventSeverity::Normal => "Normal",
                EventSeverity::Warning => "Warning",
            },
            "regarding": {
                "apiVersion": format!("{REQUEST_GROUP}/{API_VERSION}"),
                "kind": REQUEST_KIND,
                "namespace": request.namespace,
                "name": request.name,
                "uid": request.uid,
            },
        })
    }
}

impl Poster {
    /// Posts until the announcer is dropped. One that is refused is dropped: an Event is a convenience, status
    /// holds the truth.
    pub async fn run(mut self) {
        while let Some(event) = self.receiver.recv().await {
            let namespace = event["metadata"]["namespace"].as_str().unwrap_or_default();
            let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
            let body = event.to_string().into_bytes();
            let Ok(request) = Requests::new(path).create(&PostParams::default(), body) else {
                self.metrics.event_dropped();
                continue;
            };
            let posted =
                tokio::time::timeout(POST_TIMEOUT, self.client.request_text(request)).await;
            let code = match &posted {
                Ok(Ok(_)) => 201,
                Ok(Err(kube::Error::Api(status))) => status.code,
                Ok(Err(_)) | Err(_) => 0,
            };
            self.metrics.api_request("create", "events", code);
            if code != 201 {
                tracing::debug!(code, reason = %event["reason"], "an Event was not written");
                self.metrics.event_dropped();
            }
        }
    }
}

/// Lets a burst of Events of one request through, then one a minute.
#[derive(Default)]
struct Limiter {
    /// For each request the moment at which its allowance is whole again.
    whole_at: BTreeMap<String, Timestamp>,
}

impl Limiter {
    fn allows(&mut self, uid: &str, now: Timestamp) -> bool {
        if self.whole_at.len() > REMEMBERED {
            self.whole_at.retain(|_, whole| *whole > now);
        }
        let whole = self.whole_at.get(uid).copied().unwrap_or(now).max(now);
        let next = whole.saturating_add(REFILL).unwrap_or(Timestamp::MAX);
        if next.duration_since(now) > REFILL * BURST {
            return false;
        }
        self.whole_at.insert(uid.to_owned(), next);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SteadyClock;

    #[tokio::test(start_paused = true)]
    async fn an_event_for_which_there_is_no_room_is_dropped_and_counted() {
        let nobody = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Ok::<_, std::io::Error>(http::Response::new(kube::client::Body::empty()))
        });
        let (client, metrics) = (Client::new(nobody, "default"), Metrics::new());
        let start = Timestamp::from_second(1_000_000).unwrap();
        let clock = Arc::new(SteadyClock::starting_at(start));
        let (announcer, poster) = announcer(client, clock, metrics.clone(), "test");
        let event = Event {
            severity: EventSeverity::Normal,
            reason: "RemediationCompleted",
            note: String::new(),
        };
        for n in 0..=QUEUE {
            let request = Identity {
                uid: format!("u-{n}"),
                ..Identity::default()
            };
            announcer.publish(&request, &event);
        }
        assert!(metrics.render().contains("events_dropped_total 1"));
        drop(poster);
        announcer.publish(&Identity::default(), &event);
        assert!(metrics.render().contains("events_dropped_total 2"));
    }

    #[test]
    fn a_request_may_burst_and_then_one_event_a_minute() {
        let mut limiter = Limiter::default();
        let start = Timestamp::from_second(1_000_000).unwrap();
        let allowed = (0..20).filter(|_| limiter.allows("u-1", start)).count();
        assert_eq!(allowed, 10);
        assert!(limiter.allows("u-2", start), "each request by itself");
        assert!(!limiter.allows("u-1", start + SignedDuration::from_secs(59)));
        assert!(limiter.allows("u-1", start + SignedDuration::from_secs(60)));
        assert!(!limiter.allows("u-1", start + SignedDuration::from_secs(60)));
    }
}
