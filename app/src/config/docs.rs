//! The reference page of the configuration and the JSON schema of the file, written from the table.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Configuration;
use super::fields::{FIELDS, Field};
use super::tree;
use super::values::Kind;

const HEAD: &str = "\
<!-- Written from app/src/config/fields.rs; `UPDATE=1 cargo test -p remediation-orchestrator` writes it anew. -->
# Configuration

`remediation-orchestrator run` takes its configuration from one YAML file (`--config FILE`), from environment
variables and from flags. A flag wins over a variable, a variable over the file, the file over the default. All of
it is validated when the operator starts: every mistake is listed with its place and path, unknown keys are refused,
and the exit code is 2. `run --print-config` shows what is in force, as YAML, and ends.

A change of configuration is a rollout: it counts for remediations that begin after it. What was in force when a
remediation began is recorded in its `status.effectivePolicy` and holds to its end. A request may override the
timeouts and the retention by `spec.timeouts` and `spec.ttlSecondsAfterFinished`.

Durations are written as in Go: `90s`, `15m`, `1h30m` (units `ms`, `s`, `m`, `h`). A list is comma-separated in a
flag or a variable. A variable that is set to nothing counts as not set.

```yaml
# config.yaml
timeouts:
  analyzing: 10m
  executing: 45m
notifications:
  escalation:
    channels: [pager, slack]
leaderElect: true
```

An editor that knows JSON schemas can check the file against
[configuration.schema.json](configuration.schema.json).
";

const TAIL: &str = "
## Given by flag or environment only

| flag | variable | what it is for |
|---|---|---|
| `--config FILE` | `REMEDIATION_CONFIG` | the YAML file |
| `-A`, `--all-namespaces` | | all namespaces, whatever the file says |
| `--kubeconfig FILE` | `KUBECONFIG` | the kubeconfig; default `~/.kube/config`, else the ServiceAccount of the Pod |
| `--context NAME` | | the context of the kubeconfig |
";

/// The reference page.
pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut section = "";
    for field in FIELDS {
        if field.section() != section {
            section = field.section();
            // Writing to a String cannot fail.
            let _ = write!(
                page,
                "\n## {section}\n\n| path | flag, variable | takes | default | what it is for |\n|---|---|---|---|---|\n"
            );
        }
        let _ = writeln!(
            page,
            "| `{}` | `--{}`<br>`{}` | {} | {} | {} |",
            field.path,
            field.flag(),
            field.variable(),
            field.kind.describe(),
            default_cell(field),
            field.about
        );
    }
    page + TAIL
}

fn default_cell(field: &Field) -> String {
    if field.default.is_some() {
        field.default_text()
    } else {
        format!("`{}`", field.default_text())
    }
}

/// The JSON schema of the file.
pub(crate) fn schema() -> Value {
    let mut root = group();
    for field in FIELDS {
        let mut schema = kind_schema(field.kind);
        if let Some(fields) = schema.as_object_mut() {
            fields.insert("description".to_owned(), Value::from(field.about));
            if let Some(default) = tree::at(&Configuration::default().tree(), field.path) {
                fields.insert("default".to_owned(), default.clone());
            }
        }
        place(&mut root, field.path, schema);
    }
    root.insert(
        "$schema".to_owned(),
        Value::from("https://json-schema.org/draft/2020-12/schema"),
    );
    root.insert(
        "title".to_owned(),
        Value::from("Configuration of the remediation orchestrator"),
    );
    Value::Object(root)
}

fn group() -> Map<String, Value> {
    let Value::Object(group) =
        json!({ "type": ["object", "null"], "additionalProperties": false, "properties": {} })
    else {
        return Map::new();
    };
    group
}

fn place(group_schema: &mut Map<String, Value>, path: &str, schema: Value) {
    let Some(Value::Object(properties)) = group_schema.get_mut("properties") else {
        return;
    };
    match path.split_once('.') {
        None => {
            properties.insert(path.to_owned(), schema);
        }
        Some((head, rest)) => {
            let inner = properties
                .entry(head)
                .or_insert_with(|| Value::Object(group()));
            if let Value::Object(inner) = inner {
                place(inner, rest, schema);
            }
        }
    }
}

fn kind_schema(kind: Kind) -> Value {
    match kind {
        Kind::Duration(..) => {
            json!({ "type": "string", "pattern": remediation_core::time::PATTERN })
        }
        Kind::Whole(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::List => json!({ "type": "array", "minItems": 1, "maxItems": 32,
                              "items": { "type": "string", "minLength": 1, "maxLength": 253 } }),
        Kind::Address => json!({ "type": "string", "minLength": 1 }),
        Kind::Namespace => json!({ "type": "string", "maxLength": 63 }),
        Kind::Name => json!({ "type": "string", "minLength": 1, "maxLength": 253 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_committed;

    #[test]
    fn the_committed_page_is_current() {
        assert_committed("docs/reference/configuration.md", &page());
    }

    #[test]
    fn the_committed_schema_is_current() {
        let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        assert_committed("docs/reference/configuration.schema.json", &text);
    }

    #[test]
    fn the_default_configuration_follows_the_schema() {
        let schema = schema();
        let tree = Configuration::default().tree();
        for path in tree::leaves(&tree) {
            let pointer = path.split('.').fold(String::new(), |pointer, key| {
                format!("{pointer}/properties/{key}")
            });
            let declared = schema.pointer(&pointer).expect(&path);
            assert_eq!(declared.get("default"), tree::at(&tree, &path), "{path}");
        }
    }
}
