//! The definitions obey the rules of structural schemas, and everything in them is bounded.

use serde_json::Value;

use super::*;

/// The schemas of spec and status of each definition, with their names.
fn schemas() -> Vec<(String, Value)> {
    all()
        .into_iter()
        .flat_map(|crd| {
            let schema = crd.spec.versions[0].schema.clone().unwrap();
            let schema = serde_json::to_value(schema.open_api_v3_schema.unwrap()).unwrap();
            ["spec", "status"].map(|part| {
                let path = format!("{}.{part}", crd.spec.names.kind);
                (path, schema["properties"][part].clone())
            })
        })
        .collect()
}

fn walk(path: &str, schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    visit(path, schema);
    if let Some(fields) = schema["properties"].as_object() {
        for (name, field) in fields {
            walk(&format!("{path}.{name}"), field, visit);
        }
    }
    if schema["items"].is_object() {
        walk(&format!("{path}[]"), &schema["items"], visit);
    }
    if schema["additionalProperties"].is_object() {
        walk(&format!("{path}.*"), &schema["additionalProperties"], visit);
    }
}

#[test]
fn every_string_list_and_map_is_bounded() {
    let mut seen = 0;
    for (root, schema) in schemas() {
        walk(&root, &schema, &mut |path, node| {
            seen += 1;
            let bound = match node["type"].as_str() {
                Some("string") if node["enum"].is_array() => return,
                Some("string") => &node["maxLength"],
                Some("array") => &node["maxItems"],
                Some("object") if node["additionalProperties"].is_object() => {
                    &node["maxProperties"]
                }
                Some(_) => return,
                None if path.ends_with(".parameters.*") => return,
                None => panic!("{path} has no type: {node}"),
            };
            assert!(bound.is_number(), "{path} is not bounded: {node}");
        });
    }
    assert!(seen > 200, "only {seen} nodes were looked at");
}

#[test]
fn a_maps_values_are_as_long_as_its_type_says_and_no_longer() {
    let mut longest = std::collections::BTreeMap::new();
    for (root, schema) in schemas() {
        walk(&root, &schema, &mut |path, node| {
            assert!(node.get("x-longest-value").is_none(), "{path}");
            if path.ends_with(".*") && node["type"] == "string" {
                longest.insert(path.to_owned(), node["maxLength"].as_i64().unwrap());
            }
        });
    }
    for (field, expected) in [
        ("RemediationRequest.spec.targetingData.labels.*", 4096),
        ("RemediationRequest.spec.targetingData.annotations.*", 4096),
        ("RemediationRequest.spec.targetingData.context.*", 4096),
        ("AIAnalysis.spec.targetingData.context.*", 4096),
        ("AIAnalysis.spec.enrichedData.*", 16_384),
        ("KubernetesExecution.spec.parameters.*", 16_384),
        ("NotificationRequest.spec.metadata.*", 1024),
        ("RemediationProcessing.status.enrichedData.*", 16_384),
    ] {
        assert_eq!(longest.get(field), Some(&expected), "{field}: {longest:?}");
    }
}

#[test]
fn no_enum_has_a_word_that_is_no_text() {
    let mut enums = 0;
    for (root, schema) in schemas() {
        walk(&root, &schema, &mut |path, node| {
            for word in node["enum"].as_array().into_iter().flatten() {
                assert!(word.is_string(), "{path}: {word}");
                enums += 1;
            }
        });
    }
    assert!(enums > 10, "only {enums} words were looked at");
}

#[test]
fn every_schema_is_structural_and_without_defaults() {
    for (root, schema) in schemas() {
        walk(&root, &schema, &mut |path, node| {
            for keyword in [
                "default",
                "$ref",
                "anyOf",
                "oneOf",
                "definitions",
                "uniqueItems",
            ] {
                assert!(node.get(keyword).is_none(), "{path} has {keyword}");
            }
            let both = node["properties"].is_object() && node["additionalProperties"].is_object();
            assert!(!both, "{path} has properties and additionalProperties");
        });
    }
}

#[test]
fn a_child_status_refuses_no_word_and_keeps_unknown_fields() {
    for (root, schema) in schemas() {
        if !root.ends_with(".status") || root.starts_with(REQUEST_KIND) {
            continue;
        }
        walk(&root, &schema, &mut |path, node| {
            assert!(node.get("enum").is_none(), "{path} has an enum");
            assert!(node.get("pattern").is_none(), "{path} has a pattern");
            assert!(node.get("required").is_none(), "{path} requires a field");
            assert!(node.get("minimum").is_none(), "{path} has a minimum");
            if node["properties"].is_object() {
                assert_eq!(node["x-kubernetes-preserve-unknown-fields"], true, "{path}");
            }
        });
    }
}

#[test]
fn every_spec_is_required_and_immutable() {
    for crd in all() {
        let schema = crd.spec.versions[0].schema.clone().unwrap();
        let schema = serde_json::to_value(schema.open_api_v3_schema.unwrap()).unwrap();
        assert_eq!(schema["required"], serde_json::json!(["spec"]));
        let spec = &schema["properties"]["spec"];
        let rules = spec["x-kubernetes-validations"].as_array().unwrap();
        if crd.spec.names.kind == REQUEST_KIND {
            let fixed = spec["properties"].as_object().unwrap().len() - 1;
            assert_eq!(rules.len(), fixed, "one rule for each field but suspend");
            assert!(
                !rules
                    .iter()
                    .any(|rule| rule["rule"].as_str().unwrap().contains("suspend"))
            );
        } else {
            assert_eq!(rules[0]["rule"], "self == oldSelf");
        }
    }
}

#[test]
fn an_open_object_of_a_spec_is_a_map_so_that_a_renamed_field_is_seen() {
    for (root, schema) in schemas() {
        walk(&root, &schema, &mut |path, node| {
            let open = node["x-kubernetes-preserve-unknown-fields"] == true;
            if open && root.ends_with(".spec") {
                assert!(
                    path.ends_with(".*"),
                    "{path} keeps unknown fields beside known ones"
                );
            }
        });
    }
}

#[test]
fn every_kind_has_a_status_subresource() {
    for crd in all() {
        let json = serde_json::to_value(&crd).unwrap();
        assert!(json["spec"]["versions"][0]["subresources"]["status"].is_object());
    }
}

#[test]
fn a_request_shows_what_people_look_for() {
    let crd = &all()[0];
    let columns = crd.spec.versions[0]
        .additional_printer_columns
        .clone()
        .unwrap();
    let shown = |wide: bool| -> Vec<String> {
        columns
            .iter()
            .filter(|column| column.priority.is_some() == wide)
            .map(|column| column.name.clone())
            .collect()
    };
    assert_eq!(
        shown(false),
        ["Phase", "Progress", "Alert", "Environment", "Reason", "Age"]
    );
    assert_eq!(
        shown(true),
        ["Target", "WaitingFor", "PhaseAge", "Deadline", "Attempt"]
    );
}
