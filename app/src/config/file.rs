//! Reading the configuration file: which fields it gives and where, and what is wrong with its keys.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::fields::{self, FIELDS};
use super::values::Raw;
use super::{Given, Problem, field};

/// A YAML value whose keys and values know where they stand.
enum Node {
    Nothing,
    Value(Raw),
    Mapping(Vec<(Spanned<String>, Spanned<Node>)>),
}

/// The fields that a file gives; what is wrong with it is added to `problems`.
pub(super) fn read(path: &Path, problems: &mut Vec<Problem>) -> Vec<Given> {
    let shown = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, &shown, problems),
        Err(error) => {
            problems.push(Problem {
                place: shown,
                path: String::new(),
                what: format!("cannot be read: {error}"),
            });
            Vec::new()
        }
    }
}

/// The same from the text of a file; `file` is only for messages.
pub(crate) fn parse(text: &str, file: &str, problems: &mut Vec<Problem>) -> Vec<Given> {
    let nothing = text
        .lines()
        .all(|line| matches!(line.trim_start().as_bytes().first(), None | Some(b'#')));
    if nothing {
        return Vec::new();
    }
    let options = serde_saphyr::options! { with_snippet: false };
    match serde_saphyr::from_str_with_options::<Node>(text, options) {
        Ok(Node::Nothing) => Vec::new(),
        Ok(Node::Value(raw)) => {
            problems.push(Problem {
                place: format!("{file}:1"),
                path: String::new(),
                what: format!(
                    "holds {}, not a mapping; write for example `timeouts: {{analyzing: 10m}}`",
                    raw.describe()
                ),
            });
            Vec::new()
        }
        Ok(Node::Mapping(entries)) => {
            let mut given = Vec::new();
            walk(entries, "", file, &mut given, problems);
            given
        }
        Err(error) => {
            let place = error.location().map_or_else(
                || file.to_owned(),
                |at| format!("{file}:{}:{}", at.line(), at.column()),
            );
            problems.push(Problem {
                place,
                path: String::new(),
                what: format!("is no YAML that can be read: {error}"),
            });
            Vec::new()
        }
    }
}

fn walk(
    entries: Vec<(Spanned<String>, Spanned<Node>)>,
    above: &str,
    file: &str,
    given: &mut Vec<Given>,
    problems: &mut Vec<Problem>,
) {
    for (key, value) in entries {
        let path = if above.is_empty() {
            key.value.clone()
        } else {
            format!("{above}.{}", key.value)
        };
        let place = format!(
            "{file}:{}:{}",
            key.referenced.line(),
            key.referenced.column()
        );
        let known = field(&path);
        let is_group = fields::groups().contains(&path);
        match (value.value, known) {
            (Node::Mapping(inner), None) if is_group => walk(inner, &path, file, given, problems),
            (Node::Nothing, _) if is_group || known.is_some() => {}
            (Node::Value(raw), Some(field)) => given.push(Given { field, place, raw }),
            (Node::Mapping(_), Some(field)) => given.push(Given {
                field,
                place,
                raw: Raw::Mapping,
            }),
            (Node::Value(raw), None) if is_group => problems.push(Problem {
                place,
                what: format!(
                    "{} is no mapping; it holds {}",
                    raw.describe(),
                    keys_below(&path).join(", ")
                ),
                path,
            }),
            (Node::Nothing | Node::Value(_) | Node::Mapping(_), None | Some(_)) => {
                problems.push(Problem {
                    place,
                    what: unknown(&path),
                    path: remediation_core::text::clean(&path, 80),
                });
            }
        }
    }
}

/// The keys that a group holds.
fn keys_below(group: &str) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for field in FIELDS {
        let below = if group.is_empty() {
            Some(field.path)
        } else {
            field
                .path
                .strip_prefix(group)
                .and_then(|rest| rest.strip_prefix('.'))
        };
        if let Some(key) = below.and_then(|rest| rest.split('.').next())
            && !keys.iter().any(|known| known == key)
        {
            keys.push(key.to_owned());
        }
    }
    keys
}

/// What to say of a key that does not exist: the nearest one that does, wherever it is.
fn unknown(path: &str) -> String {
    let last = path.rsplit('.').next().unwrap_or(path);
    let distance = |candidate: &str| {
        let own = strsim::damerau_levenshtein(&path.to_lowercase(), &candidate.to_lowercase());
        let tail = candidate.rsplit('.').next().unwrap_or(candidate);
        // A right key in the wrong place is nearer than any misspelt one, and misspelt there a little farther.
        let elsewhere = strsim::damerau_levenshtein(&last.to_lowercase(), &tail.to_lowercase()) + 1;
        own.min(elsewhere)
    };
    let nearest = FIELDS
        .iter()
        .map(|field| field.path.to_owned())
        .chain(fields::groups())
        .min_by_key(|candidate| distance(candidate));
    match nearest {
        Some(near) if distance(&near) <= 1 + last.chars().count() / 3 => {
            format!("no such key; did you mean `{near}`?")
        }
        Some(_) | None => {
            let above = path.rsplit_once('.').map_or("", |(above, _)| above);
            let keys = keys_below(above);
            if keys.is_empty() {
                "no such key".to_owned()
            } else {
                format!("no such key; there are {}", keys.join(", "))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Value(Raw::Switch(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Value(Raw::Whole(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Value(Raw::Whole(
            i64::try_from(value).unwrap_or(i64::MAX),
        )))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Value(Raw::Decimal(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Value(Raw::Text(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = sequence.next_element::<Node>()? {
            entries.push(match entry {
                Node::Nothing => Raw::Text(String::new()),
                Node::Value(raw) => raw,
                Node::Mapping(_) => Raw::Mapping,
            });
        }
        Ok(Node::Value(Raw::List(entries)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry::<Spanned<String>, Spanned<Node>>()? {
            entries.push(entry);
        }
        Ok(Node::Mapping(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let given = parse(text, "f.yaml", &mut problems);
        if let Err(more) = super::super::assemble(&given, Vec::new()) {
            problems.extend(more);
        }
        problems.iter().map(Problem::to_string).collect()
    }

    #[test]
    fn a_good_file_is_taken_with_places() {
        let text = "timeouts:\n  analyzing: 10m\n  approval:\nnotifications:\n  success: {channels: [a, b]}\nleaderElect: true\n";
        let mut found = Vec::new();
        let given = parse(text, "f.yaml", &mut found);
        assert_eq!(found, []);
        let places: Vec<&str> = given.iter().map(|given| given.place.as_str()).collect();
        assert_eq!(places[0], "f.yaml:2:3");
        assert_eq!(given.len(), 3, "an empty value counts as not given");
    }

    #[test]
    fn empty_files_are_the_default() {
        for text in ["", "# nothing\n\n", "---\n", "{}\n", "timeouts:\n"] {
            assert_eq!(problems(text), Vec::<String>::new(), "{text:?}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_the_nearest_one() {
        for (text, expected) in [
            (
                "timeout:\n  analyzing: 5m\n",
                "f.yaml:1:1: timeout: no such key; did you mean `timeouts`?",
            ),
            (
                "timeouts:\n  analysing: 5m\n",
                "f.yaml:2:3: timeouts.analysing: no such key; did you mean `timeouts.analyzing`?",
            ),
            ("analyzing: 5m\n", "did you mean `timeouts.analyzing`?"),
            ("leader-elect: true\n", "did you mean `leaderElect`?"),
            (
                "timeouts:\n  xyzzy: 5m\n",
                "no such key; there are processing, analyzing",
            ),
            (
                "notifications:\n  success:\n    chanels: [a]\n",
                "f.yaml:3:5: notifications.success.chanels: no such key; did you mean `notifications.success.channels`?",
            ),
        ] {
            let found = problems(text);
            assert!(
                found.iter().any(|line| line.contains(expected)),
                "{expected} not in {found:?}"
            );
        }
    }

    #[test]
    fn values_of_the_wrong_type_are_named() {
        for (text, expected) in [
            (
                "timeouts: 5m\n",
                "f.yaml:1:1: timeouts: `5m` is no mapping; it holds processing",
            ),
            (
                "timeouts: {analyzing: 900}\n",
                "timeouts.analyzing: 900 has no unit",
            ),
            ("timeouts: {analyzing: {}}\n", "a mapping is no duration"),
            ("concurrency: 1.5\n", "concurrency: 1.5 is no whole number"),
            ("concurrency: [1]\n", "a list is no whole number"),
            (
                "leaderElect: 1\n",
                "leaderElect: 1 is neither true nor false",
            ),
            ("notifications: {success: {channels: 3}}\n", "3 is no list"),
            ("namespace: 7\n", "namespace: 7 is no name of a namespace"),
            ("- a\n", "f.yaml:1: holds a list, not a mapping"),
            ("just text\n", "not a mapping"),
            ("a: [\n", "is no YAML"),
            ("concurrency: 1\nconcurrency: 2\n", "f.yaml:2"),
            ("a: b\n---\nc: d\n", "f.yaml:"),
        ] {
            let found = problems(text);
            assert!(
                found.iter().any(|line| line.contains(expected)),
                "{expected} not in {found:?}"
            );
        }
    }

    #[test]
    fn all_problems_of_a_file_are_listed_at_once() {
        let found = problems(
            "timeouts:\n  analyzing: soon\n  executing: 0s\nconcurency: 4\nhttpAddress: here\n",
        );
        assert_eq!(found.len(), 4, "{found:#?}");
    }
}
