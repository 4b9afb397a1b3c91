//! Reads dumps: one object, a List, a JSON array, several YAML documents, or several JSON values after each other.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

/// Where something stands in a dump.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was named; `<stdin>` for standard input.
    pub file: String,
    /// The line, from 1; absent where the format does not tell it.
    pub line: Option<u64>,
    /// The item of a List, from 0.
    pub item: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(item) = self.item {
            write!(f, " (items[{item}])")?;
        }
        Ok(())
    }
}

/// An object of a dump.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Where it stands.
    pub place: Place,
    /// The object itself.
    pub object: Value,
}

impl Found {
    /// `kind`, empty if it has none.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }
}

/// What a dump holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dump {
    /// The objects, in their order.
    pub objects: Vec<Found>,
}

impl Dump {
    /// The newest time that stands anywhere in metadata or status: the dump was made at that time or later. Times
    /// that lie ahead by their nature (deadlines, expiry) do not count.
    #[must_use]
    pub fn newest_time(&self) -> Option<Timestamp> {
        let mut newest = None;
        for found in &self.objects {
            for part in ["metadata", "status"] {
                newest_in(&found.object[part], &mut newest);
            }
        }
        newest
    }
}

fn newest_in(value: &Value, newest: &mut Option<Timestamp>) {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "nextDeadline" | "expiryTime"))
            .for_each(|(_, value)| newest_in(value, newest)),
        Value::Array(entries) => entries.iter().for_each(|entry| newest_in(entry, newest)),
        // No other text has this shape: a date, a `T`, a time and a zone.
        Value::String(text) if text.len() >= 20 && text.as_bytes()[10] == b'T' => {
            if let Ok(time) = text.parse::<Timestamp>() {
                *newest = (*newest).max(Some(time));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Why a dump cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct DumpError {
    /// Where.
    pub place: Place,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// Reads a dump. `file` is only for messages.
///
/// # Errors
/// Where the text is neither YAML nor JSON, or holds something that is no Kubernetes object.
pub fn parse(file: &str, text: &str) -> Result<Dump, DumpError> {
    let documents = match text.trim_start().chars().next() {
        Some('{' | '[') => json(file, text)?,
        Some(_) => yaml(file, text)?,
        None => Vec::new(),
    };
    let mut dump = Dump::default();
    for document in documents {
        document.into_objects(file, &mut dump)?;
    }
    if dump.objects.is_empty() {
        return Err(DumpError {
            place: Place {
                file: file.to_owned(),
                line: None,
                item: None,
            },
            what: "holds no object; make a dump with `kubectl get rr,rproc,aia,wfe,kexec,notif -A -o yaml`"
                .to_owned(),
        });
    }
    Ok(dump)
}

fn json(file: &str, text: &str) -> Result<Vec<Document>, DumpError> {
    serde_json::Deserializer::from_str(text)
        .into_iter::<Value>()
        .map(|value| match value {
            Ok(value) => Ok(Document::from_json(value)),
            Err(error) => Err(DumpError {
                place: Place {
                    file: file.to_owned(),
                    line: Some(error.line() as u64),
                    item: None,
                },
                what: format!("is no JSON that can be read: {error}"),
            }),
        })
        .collect()
}

fn yaml(file: &str, text: &str) -> Result<Vec<Document>, DumpError> {
    // No budget: a dump of a large cluster is large, and aliases are bounded apart from it.
    let options =
        serde_saphyr::options! { with_snippet: false, budget: None, strict_booleans: true };
    let documents: Vec<Spanned<Document>> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| DumpError {
            place: Place {
                file: file.to_owned(),
                line: error.location().map(|location| location.line()),
                item: None,
            },
            what: format!("is no YAML that can be read: {error}"),
        })?;
    Ok(documents
        .into_iter()
        .map(|document| Document {
            line: Some(document.referenced.line()),
            ..document.value
        })
        .collect())
}

/// One document of a file: an object, or a list of them.
#[derive(Default)]
struct Document {
    line: Option<u64>,
    /// Everything but `items`; not an object where the document is something else.
    fields: Value,
    items: Option<Vec<(Option<u64>, Value)>>,
}

impl Document {
    fn from_json(value: Value) -> Self {
        let without_lines =
            |items: Vec<Value>| items.into_iter().map(|item| (None, item)).collect();
        match value {
            Value::Array(items) => Self {
                fields: Value::Object(Map::new()),
                items: Some(without_lines(items)),
                line: None,
            },
            Value::Object(mut fields) => {
                let items = match fields.remove("items") {
                    Some(Value::Array(items)) => Some(without_lines(items)),
                    Some(_) | None => None,
                };
                Self {
                    fields: Value::Object(fields),
                    items,
                    line: None,
                }
            }
            other => Self {
                fields: other,
                items: None,
                line: None,
            },
        }
    }

    fn into_objects(self, file: &str, dump: &mut Dump) -> Result<(), DumpError> {
        let entries: Vec<(Option<u64>, Option<usize>, Value)> = match self.items {
            Some(items) => items
                .into_iter()
                .enumerate()
                .map(|(n, (line, item))| (line, Some(n), item))
                .collect(),
            // An empty document, as after a trailing `---`.
            None if self.fields.is_null() => return Ok(()),
            None => vec![(self.line, None, self.fields)],
        };
        for (line, item, object) in entries {
            let place = Place {
                file: file.to_owned(),
                line,
                item,
            };
            let wrong = match &object {
                Value::Object(fields) => {
                    if !fields.get("kind").is_some_and(Value::is_string) {
                        Some("has no `kind`".to_owned())
                    } else if !object["metadata"]["name"].is_string() {
                        Some("has no `metadata.name`".to_owned())
                    } else {
                        None
                    }
                }
                Value::Null => Some("is empty".to_owned()),
                Value::String(text) => Some(format!(
                    "is the text `{}`",
                    remediation_core::text::clean(text, 40)
                )),
                Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                    Some("is no mapping".to_owned())
                }
            };
            if let Some(what) = wrong {
                return Err(DumpError {
                    place,
                    what: format!(
                        "{what}, so it is no Kubernetes object; make a dump with `kubectl get rr,rproc,aia,wfe,kexec,notif -A -o yaml`"
                    ),
                });
            }
            dump.objects.push(Found { place, object });
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DocumentVisitor)
    }
}

/// Reads a YAML document so that the items of a List know their lines.
struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object or a List of them")
    }

    fn visit_unit<E>(self) -> Result<Document, E> {
        Ok(Document::default())
    }

    fn visit_none<E>(self) -> Result<Document, E> {
        Ok(Document::default())
    }

    fn visit_bool<E>(self, value: bool) -> Result<Document, E> {
        Ok(Document::from_json(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Document, E> {
        Ok(Document::from_json(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Document, E> {
        Ok(Document::from_json(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Document, E> {
        Ok(Document::from_json(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Document, E> {
        Ok(Document::from_json(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Document, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element::<Spanned<Value>>()? {
            items.push((Some(item.referenced.line()), item.value));
        }
        Ok(Document {
            line: None,
            fields: Value::Object(Map::new()),
            items: Some(items),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let (mut fields, mut items) = (Map::new(), None);
        while let Some(key) = map.next_key::<String>()? {
            if key == "items" {
                let found: Option<Vec<Spanned<Value>>> = map.next_value()?;
                items = Some(
                    found
                        .unwrap_or_default()
                        .into_iter()
                        .map(|item| (Some(item.referenced.line()), item.value))
                        .collect(),
                );
            } else {
                fields.insert(key, map.next_value()?);
            }
        }
        Ok(Document {
            line: None,
            fields: Value::Object(fields),
            items,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(String, Option<u64>)> {
        parse("f", text)
            .unwrap()
            .objects
            .iter()
            .map(|found| (found.kind().to_owned(), found.place.line))
            .collect()
    }

    fn refusal(text: &str) -> String {
        parse("f", text).unwrap_err().to_string()
    }

    const LIST: &str = "apiVersion: v1\nitems:\n- kind: A\n  metadata:\n    name: a\n- kind: B\n  metadata: {name: b}\nkind: List\n";

    #[test]
    fn lists_documents_and_json_are_read() {
        let (a, b) = ("A".to_owned(), "B".to_owned());
        assert_eq!(kinds(LIST), [(a.clone(), Some(3)), (b.clone(), Some(6))]);
        let documents = "kind: A\nmetadata: {name: a}\n---\nkind: B\nmetadata: {name: b}\n---\n";
        assert_eq!(kinds(documents).len(), 2);
        let object = |kind: &str| format!(r#"{{"kind": "{kind}", "metadata": {{"name": "x"}}}}"#);
        for text in [
            format!(
                r#"{{"kind": "List", "items": [{}, {}]}}"#,
                object("A"),
                object("B")
            ),
            format!("{}\n{}", object("A"), object("B")),
            format!("[{}, {}]", object("A"), object("B")),
        ] {
            assert_eq!(
                kinds(&text),
                [(a.clone(), None), (b.clone(), None)],
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, expected) in [
            ("kind: A\n  bad: [\n", "f:2: is no YAML"),
            ("{\"kind\": \"A\",\n \"metadata\": }", "f:2: is no JSON"),
            ("", "f: holds no object"),
            ("kind: List\nitems: []\n", "f: holds no object"),
            ("just text", "f:1: is the text `just text`, so it is no"),
            ("- 3\n", "f:1 (items[0]): is no mapping"),
            ("metadata: {name: a}\n", "f:1: has no `kind`"),
            ("kind: A\n", "f:1: has no `metadata.name`"),
            (
                "kind: List\nitems:\n- kind: A\n  metadata: {name: a}\n- 3\n",
                "f:5 (items[1]): is no mapping",
            ),
            ("[3]", "f (items[0]): is no mapping"),
        ] {
            let found = refusal(text);
            assert!(found.starts_with(expected), "{text:?}: {found}");
        }
    }

    #[test]
    fn the_newest_time_is_found_wherever_it_stands_but_no_deadline() {
        let text = "kind: A\nmetadata: {name: a, creationTimestamp: \"2026-03-01T12:00:00Z\"}\nspec: {notAfter: \"2030-01-01T00:00:00Z\"}\nstatus:\n  nextDeadline: \"2027-01-01T00:00:00Z\"\n  history: [{time: \"2026-03-01T12:00:05.250Z\"}]\n";
        let newest = parse("f", text).unwrap().newest_time().unwrap();
        assert_eq!(newest.to_string(), "2026-03-01T12:00:05.25Z");
    }
}
