//! Label and field selectors of lists and watches.

use serde_json::Value;

use super::{
    metadata::{MAX_LABEL_VALUE, is_label_text, qualified_name_problem},
    object::{FIELD_NAME, FIELD_NAMESPACE, StoredObject, at, labels, text},
    resource::{FieldPath, ResourceDefinition, VersionDefinition},
    status::ApiError,
};

/// Which objects a list or a watch is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selector {
    namespace: Option<String>,
    labels: Vec<LabelRequirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct LabelRequirement {
    key: String,
    operator: Operator,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operator {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
    /// The label is a whole number above this one.
    Above(i64),
    Below(i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FieldRequirement {
    path: FieldPath,
    value: String,
    equal: bool,
}

impl Selector {
    pub(crate) fn parse(
        labels: &str,
        fields: &str,
        definition: &ResourceDefinition,
        version: &VersionDefinition,
        namespace: Option<&str>,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            namespace: namespace.map(str::to_owned),
            labels: parse_labels(labels)?,
            fields: parse_fields(fields, definition, version)?,
        })
    }

    pub(crate) fn matches(&self, object: &StoredObject) -> bool {
        let value = &object.value;
        self.namespace
            .as_deref()
            .is_none_or(|namespace| text(value, "namespace") == Some(namespace))
            && self
                .labels
                .iter()
                .all(|requirement| requirement.matches(value))
            && self
                .fields
                .iter()
                .all(|requirement| requirement.matches(value))
    }

    /// Sees every object of the resource.
    pub(crate) fn is_everything(&self) -> bool {
        self.namespace.is_none() && self.has_only_namespace()
    }

    /// Sees every object of its namespace, or of all.
    pub(crate) fn has_only_namespace(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// It asks for an object by its name.
    pub(crate) fn names_one(&self) -> bool {
        let is_name = |field: &FieldRequirement| field.equal && field.path == FIELD_NAME;
        self.fields.iter().any(is_name)
    }

    /// The one namespace that it is about.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }
}

impl LabelRequirement {
    fn matches(&self, object: &Value) -> bool {
        let value = labels(object)
            .and_then(|labels| labels.get(&self.key))
            .and_then(Value::as_str);
        let among =
            |list: &[String]| value.is_some_and(|value| list.iter().any(|wanted| wanted == value));
        let number = value.and_then(|value| value.parse::<i64>().ok());
        match &self.operator {
            Operator::In(list) => among(list),
            Operator::NotIn(list) => !among(list),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Above(bound) => number.is_some_and(|number| number > *bound),
            Operator::Below(bound) => number.is_some_and(|number| number < *bound),
        }
    }
}

impl FieldRequirement {
    fn matches(&self, object: &Value) -> bool {
        let found = match at(object, &self.path) {
            Some(Value::String(text)) => text == &self.value,
            None | Some(Value::Null) => self.value.is_empty(),
            Some(other) => format!("{other}") == self.value,
        };
        found == self.equal
    }
}

fn parse_labels(selector: &str) -> Result<Vec<LabelRequirement>, ApiError> {
    let unparseable = || ApiError::bad_request(format!("unable to parse requirement: {selector}"));
    let mut requirements = Vec::new();
    let mut rest = selector.trim();
    if rest.ends_with(',') {
        return Err(unparseable());
    }
    while !rest.is_empty() {
        let end = end_of_requirement(rest);
        let requirement = rest[..end].trim();
        rest = rest[end..].trim_start_matches(',').trim_start();
        requirements.push(parse_label(requirement).ok_or_else(unparseable)?);
    }
    Ok(requirements)
}

/// The syntax of both selectors, which is looked at before what they are about.
pub(crate) fn check_syntax(labels: &str, fields: &str) -> Result<(), ApiError> {
    parse_labels(labels)?;
    for part in fields.split(',').filter(|part| !part.is_empty()) {
        if !part.contains('=') {
            return Err(ApiError::bad_request(format!(
                "invalid selector: '{fields}'; can't understand '{part}'"
            )));
        }
    }
    Ok(())
}

/// Where the first comma outside of parentheses is.
fn end_of_requirement(text: &str) -> usize {
    let mut depth = 0_i32;
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth <= 0 => return index,
            _ => {}
        }
    }
    text.len()
}

fn parse_label(text: &str) -> Option<LabelRequirement> {
    let requirement = |key: &str, operator: Operator| {
        let key = key.trim();
        let values: &[String] = match &operator {
            Operator::In(list) | Operator::NotIn(list) => list,
            Operator::Exists | Operator::DoesNotExist | Operator::Above(_) | Operator::Below(_) => {
                &[]
            }
        };
        let fits = qualified_name_problem(key).is_none()
            && values.iter().all(|value| {
                value.is_empty() || (value.len() <= MAX_LABEL_VALUE && is_label_text(value))
            });
        fits.then(|| LabelRequirement {
            key: key.to_owned(),
            operator,
        })
    };
    if let Some(key) = text.strip_prefix('!') {
        return requirement(key, Operator::DoesNotExist);
    }
    if let Some((key, value)) = text.split_once("!=") {
        return requirement(key, Operator::NotIn(vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return requirement(key, Operator::In(vec![value.trim().to_owned()]));
    }
    if let Some((key, bound)) = text.split_once('>') {
        return requirement(key, Operator::Above(bound.trim().parse().ok()?));
    }
    if let Some((key, bound)) = text.split_once('<') {
        return requirement(key, Operator::Below(bound.trim().parse().ok()?));
    }
    let Some((head, list)) = text.split_once('(') else {
        return requirement(text, Operator::Exists);
    };
    let values = list
        .strip_suffix(')')?
        .split(',')
        .map(|value| value.trim().to_owned())
        .collect();
    match head.split_whitespace().collect::<Vec<_>>().as_slice() {
        [key, "in"] => requirement(key, Operator::In(values)),
        [key, "notin"] => requirement(key, Operator::NotIn(values)),
        _ => None,
    }
}

fn parse_fields(
    selector: &str,
    definition: &ResourceDefinition,
    version: &VersionDefinition,
) -> Result<Vec<FieldRequirement>, ApiError> {
    let mut requirements = Vec::new();
    for part in selector.split(',').filter(|part| !part.is_empty()) {
        let (field, value, equal) = if let Some((field, value)) = part.split_once("!=") {
            (field, value, false)
        } else if let Some((field, value)) = part.split_once("==").or_else(|| part.split_once('='))
        {
            (field, value, true)
        } else {
            return Err(ApiError::bad_request(format!(
                "invalid selector: '{part}'; can't understand '{part}'"
            )));
        };
        let path: FieldPath = field.split('.').map(str::to_owned).collect();
        let known = path == FIELD_NAME
            || (definition.namespaced && path == FIELD_NAMESPACE)
            || version.selectable.contains(&path);
        if !known && version.selectable.is_empty() && !definition.rules.custom {
            return Err(ApiError::bad_request(format!(
                "\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
            )));
        }
        if !known {
            return Err(ApiError::bad_request(format!(
                "field label not supported: {field}"
            )));
        }
        requirements.push(FieldRequirement {
            path,
            value: value.to_owned(),
            equal,
        });
    }
    Ok(requirements)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(selector: &str, labels: &Value) -> bool {
        let object = json!({"metadata": {"labels": labels}});
        parse_labels(selector)
            .expect("a selector")
            .iter()
            .all(|requirement| requirement.matches(&object))
    }

    #[test]
    fn label_selectors_mean_what_kubernetes_means() {
        let labels = json!({"app": "web", "tier": "front"});
        for selector in [
            "",
            "app",
            "app=web",
            "app==web,tier!=back",
            "app in (web, api),tier notin (back)",
            "!gone",
            "gone!=x",
        ] {
            assert!(matches(selector, &labels), "{selector}");
        }
        for selector in [
            "gone",
            "app=api",
            "app!=web",
            "app in (api)",
            "!app",
            "tier notin (front,back)",
        ] {
            assert!(!matches(selector, &labels), "{selector}");
        }
        assert!(parse_labels("app in web").is_err());
    }
}
