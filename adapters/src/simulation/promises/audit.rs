//! Committed writes from the audit log of a real API server (audit.k8s.io/v1, one JSON object a line).
//!
//! The policy must log the project's kinds at the level `RequestResponse`. The log holds the requests in the order in which
//! they were answered; the writes are put into the order in which they were committed, that of their resourceVersions.
//! A deletion has none, and stands after everything that had been answered by then.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::commit::{Actor, Commit, Kind, Verb};
use super::read::{self, list, text};

/// Why an audit log cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// A line is no audit event.
    #[error(
        "audit log, line {line}: {problem}; the file must hold audit.k8s.io/v1 events, one JSON object a line"
    )]
    Unreadable {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// What was written is not in the log.
    #[error(
        "audit log, line {line}: the {verb} of {resource} is logged without its response; the audit policy must have the level \
         RequestResponse for it"
    )]
    NoResponse {
        /// Counted from 1.
        line: usize,
        /// `patch`
        verb: String,
        /// `aianalyses`
        resource: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    #[serde(default, rename = "requestURI")]
    request_uri: String,
    #[serde(default)]
    user_agent: String,
    object_ref: Option<ObjectRef>,
    response_status: Option<ResponseStatus>,
    request_object: Option<Value>,
    response_object: Option<Value>,
    stage_timestamp: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct ResponseStatus {
    #[serde(default)]
    code: u16,
}

/// One object that one request wrote.
struct Write {
    at: Timestamp,
    actor: Actor,
    kind: Kind,
    created: bool,
    effect: Effect,
    /// Where it stands among the writes.
    order: u64,
}

enum Effect {
    Image {
        object: Value,
        version: u64,
        /// The resourceVersion that the request insisted on.
        expected: Option<u64>,
    },
    Gone {
        uid: Option<String>,
        object: String,
    },
}

/// The committed writes that these lines of an audit log tell of, in their order.
///
/// # Errors
/// If a line is no audit event, or a write was logged without its response.
pub fn commits(log: &str) -> Result<Vec<Commit>, AuditError> {
    let mut writes = Vec::new();
    let mut newest = 0;
    for (number, line) in (1..).zip(log.lines()).filter(|(_, line)| !line.is_empty()) {
        let event = parse(number, line)?;
        let begin = writes.len();
        read_event(event, number, &mut writes)?;
        for write in &mut writes[begin..] {
            if let Effect::Image { version, .. } = write.effect {
                write.order = version;
                newest = newest.max(version);
            } else {
                write.order = newest;
            }
        }
    }
    writes.sort_by_key(|write| (write.order, matches!(write.effect, Effect::Gone { .. })));
    let mut images = Images::default();
    Ok(writes
        .into_iter()
        .filter_map(|write| images.commit(write))
        .collect())
}

/// When the orchestrator was refused a call, for [`Promises::fault`](super::Promises::fault).
///
/// # Errors
/// If a line is no audit event.
pub fn refusals(log: &str) -> Result<Vec<Timestamp>, AuditError> {
    let mut refused = Vec::new();
    for (number, line) in (1..).zip(log.lines()).filter(|(_, line)| !line.is_empty()) {
        let event = parse(number, line)?;
        let code = event.response_status.map_or(0, |status| status.code);
        if code >= 400 && Actor::of(&event.user_agent).is_ours() {
            refused.push(event.stage_timestamp);
        }
    }
    Ok(refused)
}

fn parse(number: usize, line: &str) -> Result<Event, AuditError> {
    serde_json::from_str(line).map_err(|error| AuditError::Unreadable {
        line: number,
        problem: error.to_string(),
    })
}

fn read_event(event: Event, line: usize, writes: &mut Vec<Write>) -> Result<(), AuditError> {
    let Event {
        stage,
        verb,
        request_uri,
        user_agent,
        object_ref,
        response_status,
        request_object,
        response_object,
        stage_timestamp: at,
    } = event;
    let writing =
        ["create", "update", "patch", "delete", "deletecollection"].contains(&verb.as_str());
    let accepted = response_status.is_some_and(|status| (200..300).contains(&status.code));
    let about = object_ref.unwrap_or_default();
    let Some(kind) = Kind::of(&about.api_group, &about.resource) else {
        return Ok(());
    };
    if stage != "ResponseComplete" || !writing || !accepted || request_uri.contains("dryRun=") {
        return Ok(());
    }
    let Some(response) = response_object else {
        let resource = about.resource;
        return Err(AuditError::NoResponse {
            line,
            verb,
            resource,
        });
    };
    let actor = Actor::of(&user_agent);
    let mut push = |created, effect| {
        writes.push(Write {
            at,
            actor: actor.clone(),
            kind,
            created,
            effect,
            order: 0,
        });
    };
    if verb == "deletecollection" {
        for object in list(&response, &["items"]) {
            push(false, deleted(object.clone()));
        }
    } else if response["kind"] == "Status" {
        let uid = text(&response, &["details", "uid"]).map(str::to_owned);
        let object = format!("{}/{}", about.namespace, about.name);
        push(false, Effect::Gone { uid, object });
    } else if verb == "delete" || read::is_deleting(&response) {
        push(false, deleted(response));
    } else {
        let expected = request_object.as_ref().and_then(version);
        push(verb == "create", image(response, expected));
    }
    Ok(())
}

fn version(object: &Value) -> Option<u64> {
    text(object, &["metadata", "resourceVersion"])?.parse().ok()
}

fn image(object: Value, expected: Option<u64>) -> Effect {
    Effect::Image {
        version: version(&object).unwrap_or(0),
        object,
        expected,
    }
}

/// An object that was deleted or is being deleted: finalizers hold it back.
fn deleted(object: Value) -> Effect {
    if read::is_deleting(&object) && !list(&object, &["metadata", "finalizers"]).is_empty() {
        return image(object, None);
    }
    Effect::Gone {
        uid: Some(read::uid(&object).to_owned()),
        object: read::shown(&object),
    }
}

/// The newest image of each object.
#[derive(Default)]
struct Images {
    by_uid: BTreeMap<String, (u64, Arc<Value>)>,
    /// The UID of each object by its kind and `namespace/name`.
    uids: BTreeMap<(Kind, String), String>,
}

impl Images {
    /// None where nothing changed.
    fn commit(&mut self, write: Write) -> Option<Commit> {
        let Write {
            at,
            actor,
            kind,
            created,
            effect,
            ..
        } = write;
        let (verb, before, after) = match effect {
            Effect::Gone { uid, object } => {
                let known = self.uids.remove(&(kind, object));
                let (_, before) = self.by_uid.remove(&uid.or(known)?)?;
                (Verb::Delete, Some(before), None)
            }
            Effect::Image {
                object,
                version,
                expected,
            } => {
                let uid = read::uid(&object).to_owned();
                let known = self.by_uid.get(&uid);
                if known.is_some_and(|(newest, _)| *newest >= version) {
                    return None;
                }
                let fits = |newest: u64| expected.is_none_or(|expected| expected == newest);
                let before = known
                    .filter(|(newest, _)| fits(*newest))
                    .map(|(_, image)| Arc::clone(image));
                let after = Arc::new(object);
                self.uids.insert((kind, read::shown(&after)), uid.clone());
                self.by_uid.insert(uid, (version, Arc::clone(&after)));
                let verb = if created { Verb::Create } else { Verb::Update };
                (verb, before, Some(after))
            }
        };
        Some(Commit {
            at,
            actor,
            kind,
            verb,
            before,
            after,
        })
    }
}
