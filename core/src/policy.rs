//! The policy: the operator's settings, and what of them is in force for one remediation.
//!
//! `spec.timeouts` overrides the operator's configuration, which overrides the defaults here. What counted
//! when a remediation began is recorded in its status and holds to its end, so that a rollout with other
//! settings changes no remediation that is under way.

use serde::{Deserialize, Serialize};

use crate::names;
use crate::request::RequestSpec;
use crate::time::GoDuration;

/// What the operator is configured to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// How long each phase may take.
    pub timeouts: DefaultTimeouts,
    /// How long a request stays after it ended.
    pub retention: Retention,
    /// Who is told, and how.
    pub notifications: Notifications,
    /// Which Events are written.
    pub events: EventSettings,
}

/// How long each phase may take, unless the request says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DefaultTimeouts {
    /// For Initializing, and again for Processing. Default 15m.
    pub processing: GoDuration,
    /// For Analyzing, until approval is asked for. Default 15m.
    pub analyzing: GoDuration,
    /// For the rest of Analyzing, once approval is asked for. Default 15m.
    pub approval: GoDuration,
    /// For WorkflowPlanning. Default 15m.
    pub workflow_planning: GoDuration,
    /// For Executing. Default 30m.
    pub executing: GoDuration,
    /// For the whole remediation. Default: the sum of the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overall: Option<GoDuration>,
}

impl Default for DefaultTimeouts {
    fn default() -> Self {
        Self {
            processing: GoDuration::from_mins(15),
            analyzing: GoDuration::from_mins(15),
            approval: GoDuration::from_mins(15),
            workflow_planning: GoDuration::from_mins(15),
            executing: GoDuration::from_mins(30),
            overall: None,
        }
    }
}

/// How long requests stay after they ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Retention {
    /// In seconds, unless the request says otherwise. Default 86400 (24 h).
    pub ttl_seconds_after_finished: i64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            ttl_seconds_after_finished: 86_400,
        }
    }
}

/// Where notifications of one occasion go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// `high` or `low`, for the notification controller.
    pub priority: String,
    /// The channels, for the notification controller.
    pub channels: Vec<String>,
}

/// Where notifications go, by occasion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Notifications {
    /// A remediation failed. Default: high, slack and email.
    pub escalation: Route,
    /// A remediation completed. Default: low, slack.
    pub success: Route,
    /// Somebody has to approve. Default: high, slack and email.
    pub approval: Route,
}

impl Default for Notifications {
    fn default() -> Self {
        let route = |priority: &str, channels: &[&str]| Route {
            priority: priority.to_owned(),
            channels: channels.iter().map(ToString::to_string).collect(),
        };
        Self {
            escalation: route("high", &["slack", "email"]),
            success: route("low", &["slack"]),
            approval: route("high", &["slack", "email"]),
        }
    }
}

/// Which Events are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EventSettings {
    /// One for each transition too. Off by default: `status.history` already holds them, and each costs the
    /// API server as much as a status write.
    pub transitions: bool,
}

/// The policy in force for one remediation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EffectivePolicy {
    /// How long each phase may take.
    pub timeouts: EffectiveTimeouts,
    /// How long the request stays after it ended, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub ttl_seconds_after_finished: i64,
    /// The first 16 hexadecimal digits of a hash of the operator's configuration.
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    pub configuration_hash: String,
}

/// How long each phase of one remediation may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EffectiveTimeouts {
    /// For Initializing, and again for Processing.
    pub processing: GoDuration,
    /// For Analyzing, until approval is asked for.
    pub analyzing: GoDuration,
    /// For the rest of Analyzing, once approval is asked for.
    pub approval: GoDuration,
    /// For WorkflowPlanning.
    pub workflow_planning: GoDuration,
    /// For Executing.
    pub executing: GoDuration,
    /// For the whole remediation.
    pub overall: GoDuration,
}

/// The policy for a request that begins now, and what is wrong with what it asked for. Where a field is
/// wrong the operator's setting stands in, so that a clock runs for the failure too.
#[must_use]
pub fn effective(settings: &Settings, spec: &RequestSpec) -> (EffectivePolicy, Option<String>) {
    let mut problems = Vec::new();
    let asked = spec.timeouts.clone().unwrap_or_default();
    let mut choose = |field: &str, asked: Option<&String>, default: GoDuration| match asked {
        None => default,
        Some(text) => match text.parse::<GoDuration>() {
            Ok(duration) if !duration.is_zero() => duration,
            Ok(_) => {
                problems.push(format!("spec.timeouts.{field} is zero, it must be more"));
                default
            }
            Err(error) => {
                problems.push(format!("spec.timeouts.{field}: {error}"));
                default
            }
        },
    };
    let defaults = &settings.timeouts;
    let processing = choose("processing", asked.processing.as_ref(), defaults.processing);
    let analyzing = choose("analyzing", asked.analyzing.as_ref(), defaults.analyzing);
    let approval = choose("approval", asked.approval.as_ref(), defaults.approval);
    let workflow_planning = choose(
        "workflowPlanning",
        asked.workflow_planning.as_ref(),
        defaults.workflow_planning,
    );
    let executing = choose("executing", asked.executing.as_ref(), defaults.executing);
    let sum = [analyzing, approval, workflow_planning, executing]
        .into_iter()
        .fold(processing, GoDuration::plus);
    let overall = choose(
        "overall",
        asked.overall.as_ref(),
        defaults.overall.unwrap_or(sum),
    );
    let ttl = spec
        .ttl_seconds_after_finished
        .unwrap_or(settings.retention.ttl_seconds_after_finished);
    if ttl < 0 {
        problems.push(format!(
            "spec.ttlSecondsAfterFinished is {ttl}, it must not be negative"
        ));
    }
    let policy = EffectivePolicy {
        timeouts: EffectiveTimeouts {
            processing,
            analyzing,
            approval,
            workflow_planning,
            executing,
            overall,
        },
        ttl_seconds_after_finished: if ttl < 0 {
            settings.retention.ttl_seconds_after_finished
        } else {
            ttl
        },
        configuration_hash: settings.hash(),
    };
    (policy, (!problems.is_empty()).then(|| problems.join("; ")))
}

impl Settings {
    /// The first 16 hexadecimal digits of a hash of these settings.
    #[must_use]
    pub fn hash(&self) -> String {
        // Settings are a plain tree of structs with string keys: serialising them cannot fail.
        names::hash(&serde_json::to_string(self).unwrap_or_default(), 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Timeouts;

    #[test]
    fn by_default_a_remediation_may_take_ninety_minutes_in_all() {
        let (policy, problem) = effective(&Settings::default(), &RequestSpec::default());
        assert_eq!(problem, None);
        assert_eq!(policy.timeouts.overall.to_string(), "1h30m");
        assert_eq!(policy.timeouts.executing.to_string(), "30m");
        assert_eq!(policy.ttl_seconds_after_finished, 86_400);
    }

    #[test]
    fn the_request_overrides_the_configuration_and_the_sum_follows() {
        let settings = Settings {
            timeouts: DefaultTimeouts {
                analyzing: GoDuration::from_mins(5),
                ..DefaultTimeouts::default()
            },
            ..Settings::default()
        };
        let spec = RequestSpec {
            timeouts: Some(Timeouts {
                executing: Some("1h".into()),
                ..Timeouts::default()
            }),
            ..RequestSpec::default()
        };
        let (policy, _) = effective(&settings, &spec);
        assert_eq!(policy.timeouts.analyzing.to_string(), "5m");
        assert_eq!(policy.timeouts.overall.to_string(), "1h50m");
    }

    #[test]
    fn a_wrong_duration_is_named_and_the_default_stands_in() {
        let spec = RequestSpec {
            timeouts: Some(Timeouts {
                analyzing: Some("soon".into()),
                overall: Some("0s".into()),
                ..Timeouts::default()
            }),
            ..RequestSpec::default()
        };
        let (policy, problem) = effective(&Settings::default(), &spec);
        let problem = problem.unwrap();
        assert!(
            problem.contains("spec.timeouts.analyzing")
                && problem.contains("spec.timeouts.overall")
        );
        assert_eq!(policy.timeouts.analyzing.to_string(), "15m");
    }

    #[test]
    fn the_hash_of_settings_tells_them_apart() {
        let (settings, mut other) = (Settings::default(), Settings::default());
        other.notifications.success.priority = "other".into();
        assert_eq!(settings.hash(), Settings::default().hash());
        assert_ne!(settings.hash(), other.hash());
        assert_eq!(settings.hash().len(), 16);
    }
}
