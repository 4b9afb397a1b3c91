//! The targeting data: what the alert said, handed unchanged from kind to kind, and its validation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most that targeting data may be in all, in bytes of JSON: it is copied into every child.
pub const LARGEST: usize = 8 * 1024;

/// The alert as its sender described it. The schema bounds each field; that the three required ones are
/// there is checked by [`validate`], so that a request without them fails visibly instead of being lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct TargetingData {
    /// What makes this alert the same as another one. Required, 1 to 128 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 128)))]
    pub signal_fingerprint: String,
    /// The name of the alert. Required, 1 to 253 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 253)))]
    pub alert_name: String,
    /// Where it fired, for example `production`. Required, 1 to 63 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 63)))]
    pub environment: String,
    /// The cluster it fired in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 253)))]
    pub cluster_name: Option<String>,
    /// How bad it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// How soon it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// What is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_resource: Option<TargetResource>,
    /// The alert's labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = 128, "x-longest-value" = 4096)))]
    pub labels: BTreeMap<String, String>,
    /// The alert's annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = 128, "x-longest-value" = 4096)))]
    pub annotations: BTreeMap<String, String>,
    /// Whatever else the sender knows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = 128, "x-longest-value" = 4096)))]
    pub context: BTreeMap<String, String>,
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Users suffer now.
    Critical,
    /// Users will suffer.
    Warning,
    /// Worth knowing.
    Info,
}

/// How soon an alert matters, `P0` first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the words are the whole meaning")]
pub enum Priority {
    P0,
    P1,
    P2,
    P3,
}

/// The object that is broken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TargetResource {
    /// `apps/v1`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 253)))]
    pub api_version: Option<String>,
    /// `Deployment`
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 63)))]
    pub kind: String,
    /// `checkout`
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 253)))]
    pub name: String,
    /// `shop`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 63)))]
    pub namespace: Option<String>,
}

/// What is wrong with a request's targeting data, in words that name each field; `None` if nothing is.
#[must_use]
pub fn validate(data: Option<&TargetingData>) -> Option<String> {
    let Some(data) = data else {
        return Some("spec.targetingData is missing".to_owned());
    };
    let mut problems = Vec::new();
    for (field, value, longest) in [
        ("signalFingerprint", &data.signal_fingerprint, 128),
        ("alertName", &data.alert_name, 253),
        ("environment", &data.environment, 63),
    ] {
        let length = value.chars().count();
        if value.trim().is_empty() {
            problems.push(format!("spec.targetingData.{field} is missing or empty"));
        } else if length > longest {
            problems.push(format!(
                "spec.targetingData.{field} has {length} characters, {longest} are allowed"
            ));
        }
    }
    let size = serde_json::to_string(data).map_or(usize::MAX, |json| json.len());
    if size > LARGEST {
        problems.push(format!(
            "spec.targetingData is {size} bytes in all, {LARGEST} are allowed: shorten labels, annotations or context"
        ));
    }
    (!problems.is_empty()).then(|| problems.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> TargetingData {
        TargetingData {
            signal_fingerprint: "fp-1".into(),
            alert_name: "HighMemoryUsage".into(),
            environment: "production".into(),
            ..TargetingData::default()
        }
    }

    #[test]
    fn complete_data_is_valid() {
        assert_eq!(validate(Some(&valid())), None);
    }

    #[test]
    fn each_missing_field_is_named() {
        assert!(
            validate(None)
                .unwrap()
                .contains("spec.targetingData is missing")
        );
        let problems = validate(Some(&TargetingData::default())).unwrap();
        for field in ["signalFingerprint", "alertName", "environment"] {
            assert!(problems.contains(field), "{problems}");
        }
        let blank = TargetingData {
            alert_name: "  ".into(),
            ..valid()
        };
        assert!(validate(Some(&blank)).unwrap().contains("alertName"));
    }

    #[test]
    fn a_context_that_is_too_large_in_all_is_named_with_both_sizes() {
        let mut data = valid();
        data.context = (0..3)
            .map(|n| (format!("k{n}"), "x".repeat(4000)))
            .collect();
        let problem = validate(Some(&data)).unwrap();
        assert!(
            problem.contains("8192") && problem.contains("bytes in all"),
            "{problem}"
        );
    }

    #[test]
    fn a_field_may_be_exactly_as_long_as_is_said() {
        let named = |length: usize| TargetingData {
            alert_name: "x".repeat(length),
            ..valid()
        };
        assert_eq!(validate(Some(&named(253))), None);
        assert!(validate(Some(&named(254))).unwrap().contains("254"));
        let sized = |length: usize| {
            let mut data = valid();
            data.context.insert("k".into(), "x".repeat(length));
            data
        };
        let frame = serde_json::to_string(&sized(0)).unwrap().len();
        assert_eq!(validate(Some(&sized(LARGEST - frame))), None);
        assert!(validate(Some(&sized(LARGEST - frame + 1))).is_some());
    }
}
