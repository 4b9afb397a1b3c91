//! What is recorded of a remediation: its status, a digest that never holds a child's whole result.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::conditions;
use crate::error::Category;
use crate::names::Occasion;
use crate::phase::{Phase, PhaseWord};
use crate::policy::EffectivePolicy;
use crate::time::{GoDuration, Time};

/// The newest entries of `history` that are kept.
pub const HISTORY_KEPT: usize = 32;

/// The status of a remediation request. All times are UTC with milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Where the remediation is: Pending, Initializing, Processing, Analyzing, WorkflowPlanning, Executing, Completed or Failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<PhaseWord>,
    /// Why it is there: one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 128)))]
    pub reason: Option<String>,
    /// Why it is there, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 1024)))]
    pub message: Option<String>,
    /// What it waits for: `Kind/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 320)))]
    pub waiting_for: Option<String>,
    /// When it began: the overall deadline counts from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When the present phase began: its deadline counts from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase_start_time: Option<Time>,
    /// When it ended. Set means terminal, whatever phase says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// When the request will be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry_time: Option<Time>,
    /// When it fails if nothing happens. Absent while suspended and once it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_deadline: Option<Time>,
    /// The RemediationProcessing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediation_processing_ref: Option<ObjectRef>,
    /// The AIAnalysis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ai_analysis_ref: Option<ObjectRef>,
    /// The WorkflowExecution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_execution_ref: Option<ObjectRef>,
    /// The KubernetesExecutions, one for each step begun.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    pub kubernetes_execution_refs: Vec<ExecutionRef>,
    /// The NotificationRequests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 8)))]
    pub notification_refs: Vec<NotificationRef>,
    /// The policy in force, as it stood when the remediation began; it holds to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_policy: Option<EffectivePolicy>,
    /// Percent done. Never falls; 100 only in Completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))]
    pub overall_progress: Option<i64>,
    /// Steps that are completed, of `stepsTotal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub steps_completed: Option<i64>,
    /// Processing and analysis are a step each; the rest are the workflow's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub steps_total: Option<i64>,
    /// Which attempt this is, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 64)))]
    pub attempt: Option<u32>,
    /// The plan that was begun: the number of its steps, a colon, a hash of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    pub plan_hash: Option<String>,
    /// Whether the request for approval was sent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub approval_notification_sent: bool,
    /// When approval was asked for: the approval deadline counts from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_requested_time: Option<Time>,
    /// The phase whose deadline, or in which the overall deadline, passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_phase: Option<Phase>,
    /// The phase in which it failed. Set means that the outcome is fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_phase: Option<Phase>,
    /// The category of the error, A to F.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_category: Option<Category>,
    /// When the failure was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_time: Option<Time>,
    /// When the present suspension was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended_since: Option<Time>,
    /// How long the clock of the present phase stood still.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended_in_phase: Option<GoDuration>,
    /// How long the overall clock stood still.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended_total: Option<GoDuration>,
    /// The generation of spec that was last acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Complete, Failed, Reconciling, Stalled, AwaitingApproval, Suspended, Escalated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 16), extend("x-kubernetes-list-type" = "map"), extend("x-kubernetes-list-map-keys" = ["type"])))]
    pub conditions: Vec<Condition>,
    /// Each transition from Processing on, the newest 32.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 32)))]
    pub history: Vec<HistoryEntry>,
    /// How many older entries of `history` were dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub history_dropped: Option<i64>,
}

/// A child that status names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ObjectRef {
    /// Its name, in the request's namespace.
    #[cfg_attr(feature = "schema", schemars(length(max = 253)))]
    pub name: String,
    /// Its UID.
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    pub uid: String,
}

/// A KubernetesExecution that status names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExecutionRef {
    /// The step of the plan that it runs.
    #[cfg_attr(feature = "schema", schemars(length(max = 63)))]
    pub step: String,
    /// Its name, in the request's namespace.
    #[cfg_attr(feature = "schema", schemars(length(max = 253)))]
    pub name: String,
    /// Its UID.
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    pub uid: String,
    /// Whether it was seen Completed; what came of it later does not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub completed: bool,
}

/// A NotificationRequest that status names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotificationRef {
    /// What it is about.
    #[serde(rename = "type")]
    pub occasion: Occasion,
    /// Its name, in the request's namespace.
    #[cfg_attr(feature = "schema", schemars(length(max = 253)))]
    pub name: String,
    /// Its UID.
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    pub uid: String,
}

/// A condition, as Kubernetes shapes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `Complete`, `Failed`, …
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    pub kind: String,
    /// `True` or `False`.
    #[cfg_attr(feature = "schema", schemars(length(max = 16)))]
    pub status: String,
    /// One word.
    #[cfg_attr(feature = "schema", schemars(length(max = 128)))]
    pub reason: String,
    /// A sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 1024)))]
    pub message: String,
    /// When `status` last changed.
    pub last_transition_time: Time,
}

/// One transition, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HistoryEntry {
    /// The phase that was entered.
    pub phase: PhaseWord,
    /// When.
    pub time: Time,
    /// Why: one word.
    #[cfg_attr(feature = "schema", schemars(length(max = 128)))]
    pub reason: String,
    /// Why, in a sentence of at most 128 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 256)))]
    pub message: String,
}

impl Status {
    /// The phase, if it is one of ours. A request without any is Pending.
    #[must_use]
    pub fn known_phase(&self) -> Option<Phase> {
        match &self.phase {
            None => Some(Phase::Pending),
            Some(PhaseWord::Known(phase)) => Some(*phase),
            Some(PhaseWord::Unknown(_)) => None,
        }
    }

    /// Whether the remediation ended. The completion time decides, whatever phase was edited to.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.completion_time.is_some()
    }

    /// When it ended, where a hand took the completion time away: the last entry of history tells, or the condition
    /// that says how it ended. Both are written with the completion time and never without.
    #[must_use]
    pub fn forgotten_end(&self) -> Option<Time> {
        if self.is_terminal() {
            return None;
        }
        let terminal = |word: &PhaseWord| matches!(word, PhaseWord::Known(p) if p.is_terminal());
        let last = self.history.last().filter(|entry| terminal(&entry.phase));
        let said = || {
            [conditions::COMPLETE, conditions::FAILED]
                .iter()
                .filter_map(|kind| self.condition(kind))
                .find(|condition| condition.status == "True")
                .map(|condition| condition.last_transition_time)
        };
        last.map(|entry| entry.time).or_else(said)
    }

    /// Whether a failure is recorded: the outcome is fixed, also if it is not yet terminal.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failure_phase.is_some() || self.failure_category.is_some()
    }

    /// The recorded notification of this occasion.
    #[must_use]
    pub fn notification(&self, occasion: Occasion) -> Option<&NotificationRef> {
        self.notification_refs
            .iter()
            .find(|reference| reference.occasion == occasion)
    }

    /// The condition of this type.
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.kind == kind)
    }

    /// The recorded execution of this step.
    #[must_use]
    pub fn execution(&self, step: &str) -> Option<&ExecutionRef> {
        self.kubernetes_execution_refs
            .iter()
            .find(|reference| reference.step == step)
    }
}

/// The JSON merge patch (RFC 7386) that makes `to` of `from`. What neither names is left alone, so that
/// fields of a newer version survive an older one.
#[must_use]
pub fn merge_patch(from: &Status, to: &Status) -> Value {
    // A status is a plain tree of structs with string keys: serialising one cannot fail.
    let tree = |status: &Status| serde_json::to_value(status).unwrap_or_default();
    difference(tree(from), tree(to))
}

fn difference(from: Value, to: Value) -> Value {
    let (mut from, to) = match (from, to) {
        (Value::Object(from), Value::Object(to)) => (from, to),
        (_, to) => return to,
    };
    let mut patch = Map::new();
    for (key, value) in to {
        match from.remove(&key) {
            Some(old) if old == value => {}
            Some(old @ Value::Object(_)) => {
                patch.insert(key, difference(old, value));
            }
            Some(_) | None => {
                patch.insert(key, value);
            }
        }
    }
    patch.extend(from.into_iter().map(|(gone, _)| (gone, Value::Null)));
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_holds_only_what_changed() {
        let from = Status {
            reason: Some("A".into()),
            message: Some("old".into()),
            steps_total: Some(3),
            ..Status::default()
        };
        let to = Status {
            reason: Some("A".into()),
            message: Some("new".into()),
            ..Status::default()
        };
        assert_eq!(
            merge_patch(&from, &to),
            serde_json::json!({ "message": "new", "stepsTotal": null })
        );
        assert_eq!(merge_patch(&to, &to), serde_json::json!({}));
    }

    #[test]
    fn a_patch_of_a_nested_object_holds_only_what_changed_there() {
        use serde_json::json;
        assert_eq!(
            difference(
                json!({ "a": { "b": 1, "c": 2, "d": 3 } }),
                json!({ "a": { "b": 1, "c": 4 } })
            ),
            json!({ "a": { "c": 4, "d": null } })
        );
        assert_eq!(
            difference(json!({ "a": {} }), json!({ "a": 1 })),
            json!({ "a": 1 })
        );
        assert_eq!(
            difference(json!({ "a": 1 }), json!({ "a": {} })),
            json!({ "a": {} })
        );
    }
}
