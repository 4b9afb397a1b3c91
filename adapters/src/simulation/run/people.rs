//! People: they create the requests, and interfere with them.

use std::sync::Arc;
use std::time::Duration;

use remediation_core::kind::{
    API_VERSION, ChildKind, REQUEST_GROUP, REQUEST_KIND, REQUEST_LABEL, REQUEST_UID_LABEL,
};
use remediation_core::names;
use remediation_core::request::Identity;
use serde_json::{Value, json};

use super::definitions;
use super::hand::{Hand, NAMESPACE, children, requests};
use super::hostile;
use super::plan::{Asked, Deed};
use crate::simulation::board::Board;
use crate::simulation::children::SCRIPT_ANNOTATION;

/// What people can do.
#[derive(Clone)]
pub(super) struct People {
    hand: Hand,
    asked: Arc<Vec<Asked>>,
    /// Turns true when people stop to interfere, and set right what they promised to.
    healed: Arc<Board<bool>>,
}

const FINALIZER: &str = "example.com/hold";

impl People {
    pub(super) fn new(hand: Hand, asked: Vec<Asked>, healed: Arc<Board<bool>>) -> Self {
        Self {
            hand,
            asked: Arc::new(asked),
            healed,
        }
    }

    /// Creates the request of this name.
    pub(super) fn ask(&self, name: &str) {
        let Some(asked) = self.asked.iter().find(|asked| asked.name == name) else {
            return;
        };
        let script = serde_json::to_string(&asked.script).unwrap_or_default();
        let object = json!({
            "apiVersion": format!("{REQUEST_GROUP}/{API_VERSION}"),
            "kind": REQUEST_KIND,
            "metadata": {
                "name": name, "namespace": NAMESPACE,
                "annotations": { SCRIPT_ANNOTATION: script },
            },
            "spec": asked.spec,
        });
        self.hand.send("POST", &requests(), &object);
    }

    /// Does what can be done at once; what follows later is done by a task.
    pub(super) fn act(&self, request: &str, deed: &Deed) {
        let path = format!("{}/{request}", requests());
        let status = format!("{path}/status");
        let hand = &self.hand;
        match deed {
            Deed::Delete => self.delete(&path, "Background"),
            Deed::DeleteForeground => self.delete(&path, "Foreground"),
            Deed::Recreate => {
                self.delete(&path, "Background");
                self.ask(request);
            }
            Deed::Annotate => {
                let note =
                    json!({ "metadata": { "annotations": { "example.com/ticket": "OPS-1" } } });
                hand.send("PATCH", &path, &note);
            }
            Deed::Suspend(for_ms) => {
                let suspend = |suspend: bool| json!({ "spec": { "suspend": suspend } });
                hand.send("PATCH", &path, &suspend(true));
                if *for_ms > 0 {
                    let (hand, path) = (hand.clone(), path);
                    self.later(*for_ms, move || {
                        hand.send("PATCH", &path, &suspend(false));
                    });
                }
            }
            Deed::DeleteChildren(kind) => {
                for child in self.children_of(request, *kind) {
                    self.delete(&child, "Background");
                }
            }
            Deed::HoldChildren(kind, for_ms) => {
                for child in self.children_of(request, *kind) {
                    let hold =
                        |finalizers: Value| json!({ "metadata": { "finalizers": finalizers } });
                    hand.send("PATCH", &child, &hold(json!([FINALIZER])));
                    self.delete(&child, "Background");
                    let hand = hand.clone();
                    self.later(*for_ms, move || {
                        hand.send("PATCH", &child, &hold(Value::Null));
                    });
                }
            }
            Deed::Strip(kind) => {
                for child in self.children_of(request, *kind) {
                    let strip = json!({ "metadata": { "ownerReferences": null, "labels": null } });
                    hand.send("PATCH", &child, &strip);
                }
            }
            Deed::PutForeign(kind) => self.put_foreign(request, *kind),
            Deed::EditPhase(word) => {
                hand.send("PATCH", &status, &json!({ "status": { "phase": word } }));
            }
            Deed::EditRemove(field) => {
                hand.send("PATCH", &status, &json!({ "status": { field: null } }));
            }
            Deed::EditPhaseStart(seconds) => {
                let (_, object) = hand.send("GET", &path, &Value::Null);
                let start = object["status"]["phaseStartTime"].as_str();
                let start = start.and_then(|text| text.parse::<jiff::Timestamp>().ok());
                if let Some(start) = start {
                    let moved = start.saturating_add(jiff::SignedDuration::from_secs(*seconds));
                    let moved = format!("{:.3}", moved.unwrap_or(start));
                    let edit = json!({ "status": { "phaseStartTime": moved } });
                    hand.send("PATCH", &status, &edit);
                }
            }
            Deed::HostileStatus(kind) => {
                for child in self.children_of(request, *kind) {
                    hand.send("PATCH", &format!("{child}/status"), &hostile::status(*kind));
                }
            }
            Deed::HostileMetadata => {
                hand.send("PATCH", &path, &hostile::metadata());
            }
            Deed::NewerStatus => {
                definitions::make_newer(hand);
                let (_, object) = hand.send("GET", &path, &Value::Null);
                hand.send("PATCH", &status, &newer(&object["status"]));
            }
            Deed::OddStatus(kind) => {
                for child in self.children_of(request, *kind) {
                    let odd = json!({ "status": { "phase": "Hibernating", "message": "\u{202e}odd\u{0}", "surprise": [1, { "a": null }] } });
                    hand.send("PATCH", &format!("{child}/status"), &odd);
                }
            }
        }
    }

    fn delete(&self, path: &str, propagation: &str) {
        let options = json!({ "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation });
        self.hand.send("DELETE", path, &options);
    }

    /// The paths of the children of a request, found by their label or name.
    fn children_of(&self, request: &str, kind: ChildKind) -> Vec<String> {
        let collection = children(kind);
        let prefix = format!("{request}-");
        let all = self.hand.list(&collection);
        all.iter()
            .filter_map(|child| child["metadata"]["name"].as_str())
            .filter(|name| name.starts_with(&prefix))
            .map(|name| format!("{collection}/{name}"))
            .collect()
    }

    /// An object under the name that a child of the request would get.
    fn put_foreign(&self, request: &str, kind: ChildKind) {
        let (_, object) = self
            .hand
            .send("GET", &format!("{}/{request}", requests()), &Value::Null);
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        let identity = Identity {
            namespace: NAMESPACE.to_owned(),
            name: request.to_owned(),
            uid: uid.to_owned(),
        };
        let targeting = object["spec"]["targetingData"].clone();
        let (name, spec) = match kind {
            ChildKind::RemediationProcessing => (
                names::stage(&identity, kind),
                json!({ "targetingData": targeting }),
            ),
            ChildKind::AIAnalysis => (
                names::stage(&identity, kind),
                json!({ "targetingData": targeting, "enrichedData": {}, "attempt": 1 }),
            ),
            ChildKind::WorkflowExecution => (
                names::stage(&identity, kind),
                json!({ "targetingData": targeting, "recommendations": [], "notAfter": "2030-01-01T00:00:00.000Z" }),
            ),
            ChildKind::KubernetesExecution => (
                names::step(&identity, "one", 1),
                json!({ "step": "one", "action": "DrainNode", "parameters": {}, "notAfter": "2030-01-01T00:00:00.000Z" }),
            ),
            ChildKind::NotificationRequest => (
                names::notification(&identity, names::Occasion::Escalation),
                json!({ "type": "escalation", "priority": "low", "channels": ["slack"], "subject": "other", "body": "other", "metadata": {} }),
            ),
        };
        let foreign = json!({
            "apiVersion": format!("{}/{API_VERSION}", kind.group()),
            "kind": kind.name(),
            "metadata": {
                "name": name, "namespace": NAMESPACE,
                "labels": { REQUEST_LABEL: "somebody-else", REQUEST_UID_LABEL: "00000000-aaaa" },
            },
            "spec": spec,
        });
        self.hand.send("POST", &children(kind), &foreign);
    }

    /// Does something after this time, or when everything heals.
    fn later(&self, after_ms: u64, act: impl FnOnce() + Send + 'static) {
        let healed = Arc::clone(&self.healed);
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = healed.until(|healed| *healed) => {}
                () = tokio::time::sleep(Duration::from_millis(after_ms)) => {}
            }
            act();
        });
    }
}

/// What a newer build adds to a status: a field, and a condition with a value that this one never writes.
fn newer(status: &Value) -> Value {
    let mut conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    conditions.retain(|condition| condition["type"] != "Verified");
    conditions.push(json!({
        "type": "Verified", "status": "Unknown", "reason": "InProgress",
        "lastTransitionTime": "2026-03-01T12:00:00.000Z",
    }));
    json!({ "status": { "verification": { "attempts": 1, "by": "later" }, "conditions": conditions } })
}

#[cfg(test)]
mod tests {
    use remediation_core::request::RequestSpec;
    use serde_json::Map;

    use super::*;
    use crate::simulation::api_server::TokioClock;
    use crate::simulation::children::Script;
    use crate::simulation::run::swarm::alert;
    use crate::simulation::run::template;

    /// A cluster in which somebody asked for a remediation in hostile texts.
    fn cluster() -> (Hand, People, Arc<Board<bool>>) {
        let clock = Arc::new(TokioClock::starting_at(template::start()));
        let hand = Hand::new(template::server(clock, 1));
        let asked = Asked {
            name: "r0".to_owned(),
            at_ms: 0,
            spec: RequestSpec {
                targeting_data: Some(hostile::alert(alert(0))),
                ..RequestSpec::default()
            },
            script: Script::default(),
        };
        let healed = Arc::new(Board::new(false));
        let people = People::new(hand.clone(), vec![asked], Arc::clone(&healed));
        people.ask("r0");
        (hand, people, healed)
    }

    fn request(hand: &Hand) -> Value {
        hand.list(&requests()).remove(0)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_written_to_do_harm_is_stored() {
        let (hand, people, _) = cluster();
        for kind in ChildKind::ALL {
            people.act("r0", &Deed::PutForeign(kind));
            people.act("r0", &Deed::HostileStatus(kind));
            let child = hand.list(&children(kind)).remove(0);
            let surprise = child["status"]["surprise"].as_str().unwrap_or_default();
            assert_eq!(surprise.len(), 1_000_000, "{kind}");
        }
        people.act("r0", &Deed::HostileMetadata);
        let labels = request(&hand)["metadata"]["labels"].take();
        assert_eq!(labels.as_object().map(Map::len), Some(10_000));
    }

    #[tokio::test(start_paused = true)]
    async fn an_older_definition_drops_what_a_newer_one_keeps() {
        let (hand, people, healed) = cluster();
        let older = definitions::Definitions {
            hand: hand.clone(),
            healed,
        };
        let renewed = older.make_older(1000);
        let status = format!("{}/r0/status", requests());
        let write = || {
            let patch = json!({ "status": { "phase": "Pending", "waitingFor": "Kind/name" } });
            hand.send("PATCH", &status, &patch);
            request(&hand)["status"].take()
        };
        assert_eq!(write(), json!({ "phase": "Pending" }));
        renewed.await;
        assert_eq!(write()["waitingFor"], "Kind/name");
        people.act("r0", &Deed::NewerStatus);
        let newer = request(&hand)["status"].take();
        assert_eq!(newer["verification"]["attempts"], 1, "{newer}");
        assert_eq!(newer["conditions"][0]["status"], "Unknown");
    }
}
