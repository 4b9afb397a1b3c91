//! The simple JSON paths of printer columns: `.status.conditions[?(@.type=="Ready")].status`.

use serde_json::Value;

/// A path, read once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
    /// The entries of a list whose field has this text.
    Where(String, String),
    /// All entries of a list.
    Each,
}

impl JsonPath {
    /// Reads a path; what it cannot read finds nothing.
    pub(crate) fn parse(path: &str) -> Self {
        let mut steps = Vec::new();
        let mut rest = path.trim();
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let Some(end) = inner.find(']') else { break };
                steps.push(bracket(&inner[..end]));
                rest = &inner[end + 1..];
            } else {
                let inner = rest.strip_prefix('.').unwrap_or(rest);
                let (field, after) = field(inner);
                if !field.is_empty() {
                    steps.push(Step::Field(field));
                }
                rest = after;
            }
        }
        Self(steps)
    }

    /// What the path leads to in `value`.
    pub(crate) fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.0.iter().fold(vec![value], |found, step| {
            found
                .into_iter()
                .flat_map(|value| step.follow(value))
                .collect()
        })
    }
}

impl Step {
    fn follow<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::Index(index) => list.get(*index).into_iter().collect(),
            Self::Where(field, text) => list
                .iter()
                .filter(|entry| entry.get(field).and_then(Value::as_str) == Some(text))
                .collect(),
            Self::Each => list.iter().collect(),
        }
    }
}

/// The field at the start and what follows it; a backslash takes a dot into the name.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut escaped = false;
    for (index, character) in text.char_indices() {
        match character {
            '\\' if !escaped => escaped = true,
            '.' | '[' if !escaped => return (name, &text[index..]),
            other => {
                name.push(other);
                escaped = false;
            }
        }
    }
    (name, "")
}

fn bracket(inner: &str) -> Step {
    let quotes: &[char] = &['\'', '"'];
    if let Some(condition) = inner
        .strip_prefix("?(@.")
        .and_then(|rest| rest.strip_suffix(')'))
        && let Some((field, text)) = condition.split_once("==")
    {
        return Step::Where(
            field.trim().to_owned(),
            text.trim().trim_matches(quotes).to_owned(),
        );
    }
    match inner.parse() {
        Ok(index) => Step::Index(index),
        Err(_) if inner == "*" => Step::Each,
        Err(_) => Step::Field(inner.trim_matches(quotes).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_paths_of_printer_columns_lead_to_their_values() {
        let object = json!({
            "metadata": {"labels": {"example.com/team": "red"}},
            "status": {"conditions": [{"type": "Up", "status": "False"}, {"type": "Ready", "status": "True"}]},
        });
        for (path, expected) in [
            (".metadata.labels.example\\.com/team", json!("red")),
            (".metadata.labels['example.com/team']", json!("red")),
            (
                ".status.conditions[?(@.type==\"Ready\")].status",
                json!("True"),
            ),
            (".status.conditions[0].type", json!("Up")),
        ] {
            assert_eq!(JsonPath::parse(path).find(&object), [&expected], "{path}");
        }
        assert!(JsonPath::parse(".status.phase").find(&object).is_empty());
        assert_eq!(
            JsonPath::parse(".status.conditions[*].type")
                .find(&object)
                .len(),
            2
        );
    }
}
