//! Makes the transcripts of two servers comparable: what may differ gets a name by the order in which it was first
//! seen, so that two answers which speak of the same object, or of the same version of it, still say so.

use serde_json::{Value, json};

use crate::run::{Outcome, Transcript};

/// Times that a server sets.
const TIMES: [&str; 2] = ["creationTimestamp", "deletionTimestamp"];

/// The time that sequences give for those, in vain. A server that took it over would be seen.
pub(crate) const GIVEN_TIME: &str = "2026-01-01T00:00:00Z";

/// The generateName of all sequences.
const GENERATED: &str = "gen-";

/// The names given so far.
#[derive(Default)]
struct Names {
    uids: Vec<String>,
    versions: Vec<String>,
    /// Versions do not keep their order: controllers wrote in between.
    settled: bool,
}

/// The transcript with one value for each step.
pub(crate) fn masked(transcript: &Transcript) -> Vec<Value> {
    let mut names = Names {
        settled: transcript
            .iter()
            .any(|outcome| matches!(outcome, Outcome::Settled(_))),
        ..Names::default()
    };
    let answers: Vec<Value> = transcript
        .iter()
        .map(|outcome| match outcome {
            Outcome::Answered(answer) => {
                let mut body = answer.body.clone();
                names.mask(&mut body);
                let mut headers = json!(answer.headers);
                names.mask(&mut headers);
                json!({"code": answer.code, "headers": headers, "body": body})
            }
            Outcome::Watched(_) => Value::Null,
            Outcome::Settled(state) => {
                let mut state = json!(state);
                names.mask(&mut state);
                state
            }
        })
        .collect();
    // Events last: a watch sees again what answers have told.
    let outcomes = transcript.iter().zip(answers);
    outcomes
        .map(|(outcome, answer)| match outcome {
            Outcome::Watched(events) => names.events(events),
            Outcome::Answered(_) | Outcome::Settled(_) => answer,
        })
        .collect()
}

impl Names {
    /// In their order; by object, where controllers wrote in an order of their own.
    fn events(&mut self, events: &[Value]) -> Value {
        let mut events: Vec<Value> = events.to_vec();
        // A server sends bookmarks when it likes, but for the one that ends the initial events.
        events.retain(|event| {
            event["type"] != "BOOKMARK" || event.to_string().contains("initial-events-end")
        });
        if self.settled {
            // A stable sort: the order of one object's events stays.
            events.sort_by_key(|event| {
                let places = [
                    "/object/metadata/name",
                    "/object/rows/0/object/metadata/name",
                ];
                let name = places.iter().find_map(|place| event.pointer(place));
                name.map(Value::to_string)
            });
        }
        for event in &mut events {
            if event["type"] == "BOOKMARK" {
                let object = &mut event["object"];
                object["metadata"]["resourceVersion"] = "<bookmark>".into();
                // Beside its metadata, a bookmark's object is an empty one of its kind.
                if let Some(object) = object.as_object_mut() {
                    object.retain(|field, _| {
                        ["apiVersion", "kind", "metadata"].contains(&field.as_str())
                    });
                }
            }
            self.mask(event);
        }
        json!({ "events": events })
    }

    fn mask(&mut self, value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.remove("managedFields");
                let is_list = map.contains_key("items")
                    || map.get("kind").and_then(Value::as_str) == Some("Table");
                for (field, inner) in map.iter_mut() {
                    match field.as_str() {
                        "metadata" if is_list => self.mask_list_metadata(inner),
                        "resourceVersion" => self.mask_version(inner),
                        "cells" => {
                            mask_ages(inner);
                            self.mask(inner);
                        }
                        time if TIMES.contains(&time)
                            && inner.is_string()
                            && *inner != GIVEN_TIME =>
                        {
                            *inner = "<time>".into();
                        }
                        _ => self.mask(inner),
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|inner| self.mask(inner)),
            Value::String(text) => *text = self.masked_text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn mask_list_metadata(&mut self, metadata: &mut Value) {
        for field in ["resourceVersion", "continue"] {
            if let Some(text) = metadata.get_mut(field)
                && text.as_str().is_some_and(|text| !text.is_empty())
            {
                *text = format!("<{field}>").into();
            }
        }
    }

    fn mask_version(&mut self, version: &mut Value) {
        let Some(text) = version.as_str() else { return };
        if text.is_empty() || text.starts_with('<') || !text.bytes().all(|b| b.is_ascii_digit()) {
            return;
        }
        *version = if self.settled {
            "<version>".into()
        } else {
            symbol("version", &mut self.versions, text).into()
        };
    }

    fn masked_text(&mut self, text: &str) -> String {
        let mut masked = text.to_owned();
        if let Some(start) = masked.find(GENERATED)
            && masked.is_char_boundary(start + GENERATED.len() + 5)
            && masked.len() >= start + GENERATED.len() + 5
        {
            let suffix = start + GENERATED.len();
            masked.replace_range(suffix..suffix + 5, "<any>");
        }
        let mut position = 0;
        while let Some(start) = find_uid(&masked[position..]) {
            let start = position + start;
            let uid = masked[start..start + UID].to_owned();
            let name = symbol("uid", &mut self.uids, &uid);
            masked.replace_range(start..start + UID, &name);
            position = start + name.len();
        }
        self.mask_versions_in(&masked)
    }

    /// In a sentence about versions, those that are known by their names, and all others as some version.
    fn mask_versions_in(&self, text: &str) -> String {
        let about = text.to_lowercase();
        if !about.contains("resource version") && !about.contains("resourceversion") {
            return text.to_owned();
        }
        let mut masked = String::new();
        let mut digits = String::new();
        for character in text.chars().chain(['\0']) {
            if character.is_ascii_digit() {
                digits.push(character);
                continue;
            }
            if digits.len() < 3 {
                masked.push_str(&digits);
            } else {
                match self.versions.iter().position(|known| *known == digits) {
                    Some(index) if !self.settled => masked.push_str(&format!("<version {index}>")),
                    _ => masked.push_str("<some version>"),
                }
            }
            digits.clear();
            if character != '\0' {
                masked.push(character);
            }
        }
        masked
    }
}

fn symbol(what: &str, known: &mut Vec<String>, text: &str) -> String {
    let index = known
        .iter()
        .position(|known| known == text)
        .unwrap_or_else(|| {
            known.push(text.to_owned());
            known.len() - 1
        });
    format!("<{what} {index}>")
}

/// Characters of a UID.
const UID: usize = 36;

/// Where the first UID begins.
fn find_uid(text: &str) -> Option<usize> {
    let is_uid = |window: &[u8]| {
        window.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    text.as_bytes().windows(UID).position(is_uid)
}

/// The age of an object in its row of a table, such as `2m30s`.
fn mask_ages(cells: &mut Value) {
    for cell in cells.as_array_mut().into_iter().flatten() {
        let age = cell.as_str().is_some_and(|text| {
            text.ends_with(['s', 'm', 'h', 'd'])
                && text.starts_with(|first: char| first.is_ascii_digit())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || b"smhd".contains(&byte))
        });
        if age {
            *cell = "<age>".into();
        }
    }
}
