//! Committed writes from the audit log of a real API server (audit.k8s.io/v1, one JSON object a line).
//!
//! The policy must log the project's kinds at the level `RequestResponse`. The log holds the requests in the order in which
//! they were answered; the writes are put into the order in which they were committed, that of their resourceVersions.
//! A deletion has none. Whoever watches may act on it before it is answered, so it stands where it may have been committed first:
//! after all that had been answered when it was asked for, and all that was written to its object.
//!
//! A client that dies while it waits leaves a request in the log that failed (504) and may have been committed all the same. Where a later
//! request builds on the version that this one must have made, the write is put together from what was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

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
    /// A write is committed between the two; whoever watches may act on it before it is answered.
    request_received_timestamp: Timestamp,
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
    earliest: Timestamp,
    actor: Actor,
    kind: Kind,
    /// `namespace/name`
    object: String,
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
    },
    /// A merge patch that was committed, by what came after it.
    Asked(Value),
}

/// What an audit log tells.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The committed writes, in their order.
    pub commits: Vec<Commit>,
    /// When the orchestrator was refused a call, or its outcome is not known: for [`Promises::fault`](super::Promises::fault).
    pub refused: Vec<Timestamp>,
    /// Whether a request whose outcome is not known may have created something: then
    /// [`Expectations::whole`](super::Expectations::whole) does not hold.
    pub unsure: bool,
}

/// Reads these lines of an audit log.
///
/// # Errors
/// If a line is no audit event, or a write was logged without its response.
pub fn read(log: &str) -> Result<Log, AuditError> {
    let mut told = Log::default();
    let mut writes: Vec<Write> = Vec::new();
    let mut unknown: BTreeMap<(Kind, String), Write> = BTreeMap::new();
    let mut versions = BTreeSet::new();
    for (number, line) in (1..).zip(log.lines()).filter(|(_, line)| !line.is_empty()) {
        let event = parse(number, line)?;
        told.note_refusal(&event);
        let begin = writes.len();
        if let Some(write) = unsure(&event) {
            unknown.insert((write.kind, write.object.clone()), write);
        } else {
            read_event(event, number, &mut writes)?;
        }
        let mut found = None;
        let (earlier, new) = writes.split_at_mut(begin);
        for write in new {
            if let Effect::Image {
                version, expected, ..
            } = write.effect
            {
                write.order = version;
                versions.insert(version);
                found = expected.map(|expected| (expected, write.kind, write.object.clone()));
            } else {
                let before = earlier.iter().filter(|other| {
                    other.at <= write.earliest
                        || (other.kind == write.kind && other.object == write.object)
                });
                write.order = before.map(|other| other.order).max().unwrap_or(0);
            }
        }
        if let Some((expected, kind, object)) = found
            && !versions.contains(&expected)
            && let Some(mut write) = unknown.remove(&(kind, object))
        {
            versions.insert(expected);
            write.order = expected;
            writes.push(write);
        }
    }
    writes.sort_by_key(|write| (write.order, matches!(write.effect, Effect::Gone { .. })));
    let mut images = Images::default();
    told.commits = writes
        .into_iter()
        .filter_map(|write| images.commit(write))
        .collect();
    Ok(told)
}

impl Log {
    fn note_refusal(&mut self, event: &Event) {
        let code = event.response_status.as_ref().map_or(0, |s| s.code);
        if code >= 400 && Actor::of(&event.user_agent).is_ours() {
            self.refused.push(event.stage_timestamp);
        }
        self.unsure |= code >= 500 && event.verb == "create";
    }
}

/// A patch of which nobody knows whether it was committed.
fn unsure(event: &Event) -> Option<Write> {
    let code = event.response_status.as_ref()?.code;
    let about = event.object_ref.as_ref()?;
    if code < 500 || event.verb != "patch" || event.stage != "ResponseComplete" {
        return None;
    }
    Some(Write {
        at: event.stage_timestamp,
        earliest: event.request_received_timestamp,
        actor: Actor::of(&event.user_agent),
        kind: Kind::of(&about.api_group, &about.resource)?,
        object: format!("{}/{}", about.namespace, about.name),
        created: false,
        effect: Effect::Asked(event.request_object.clone()?),
        order: 0,
    })
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
        request_received_timestamp: earliest,
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
    let object = format!("{}/{}", about.namespace, about.name);
    let mut push = |object: String, created, effect| {
        writes.push(Write {
            at,
            earliest,
            actor: actor.clone(),
            kind,
            object,
            created,
            effect,
            order: 0,
        });
    };
    if verb == "deletecollection" {
        for item in list(&response, &["items"]) {
            push(read::shown(item), false, deleted(item.clone()));
        }
    } else if response["kind"] == "Status" {
        let uid = text(&response, &["details", "uid"]).map(str::to_owned);
        push(object, false, Effect::Gone { uid });
    } else if verb == "delete" || read::is_deleting(&response) {
        push(object, false, deleted(response));
    } else {
        let expected = request_object.as_ref().and_then(version);
        let object = read::shown(&response);
        push(object, verb == "create", image(response, expected));
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
            earliest,
            actor,
            kind,
            object: name,
            created,
            effect,
            order,
        } = write;
        let (verb, before, after) = match effect {
            Effect::Asked(patch) => {
                let uid = self.uids.get(&(kind, name))?;
                let (newest, image) = self.by_uid.get_mut(uid)?;
                let before = Arc::clone(image);
                let mut after = (*before).clone();
                let status = patch.get("status")?.clone();
                merge(&mut after, &json!({ "status": status }));
                (*newest, *image) = (order, Arc::new(after));
                (Verb::Update, Some(before), Some(Arc::clone(image)))
            }
            Effect::Gone { uid } => {
                let known = self.uids.remove(&(kind, name));
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
                self.uids.insert((kind, name), uid.clone());
                self.by_uid.insert(uid, (version, Arc::clone(&after)));
                let verb = if created { Verb::Create } else { Verb::Update };
                (verb, before, Some(after))
            }
        };
        Some(Commit {
            at,
            earliest,
            actor,
            kind,
            verb,
            before,
            after,
        })
    }
}

/// Applies a JSON merge patch (RFC 7396).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(target) = target.as_object_mut() else {
        return;
    };
    for (field, value) in patch {
        if value.is_null() {
            target.remove(field);
        } else {
            merge(target.entry(field).or_insert(Value::Null), value);
        }
    }
}
