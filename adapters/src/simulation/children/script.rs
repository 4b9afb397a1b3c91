//! What the simulated controllers do for one remediation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use remediation_core::time::GoDuration;
use serde::{Deserialize, Serialize};

/// The annotation of a RemediationRequest that may hold a [`Script`] as JSON.
pub const SCRIPT_ANNOTATION: &str = "simulation.kubernaut.ai/script";

/// What the simulated controllers do for one remediation. The default succeeds within three seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Script {
    /// What the processing controller does.
    pub processing: Stage,
    /// What the analysis controller does.
    pub analysis: Stage,
    /// Whether the analysis asks for approval once it is done, and what comes of it.
    pub approval: Option<Approval>,
    /// The actions that the analysis recommends.
    pub recommendations: Vec<String>,
    /// What the workflow controller does until it executes.
    pub planning: Stage,
    /// What the workflow controller does then. Where the orchestrator runs the steps, only `outcome` counts.
    pub workflow: Stage,
    /// The steps of the workflow's plan.
    pub steps: Vec<Step>,
    /// Whether the orchestrator is to run the steps, a KubernetesExecution each.
    pub executed_by_orchestrator: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            processing: Stage::lasting(Duration::from_millis(500)),
            analysis: Stage::lasting(Duration::from_millis(800)),
            approval: None,
            recommendations: vec!["RestartPod".to_owned()],
            planning: Stage::lasting(Duration::from_millis(500)),
            workflow: Stage::lasting(Duration::from_millis(1000)),
            steps: Vec::new(),
            executed_by_orchestrator: false,
        }
    }
}

/// What one controller does with one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Stage {
    /// How long it takes.
    pub takes: GoDuration,
    /// What comes of it.
    pub outcome: Outcome,
    /// A phase word to report first, as a newer controller might.
    pub first_word: Option<String>,
    /// What the controller does that it should not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quirks: Vec<Quirk>,
}

/// What a controller does that it should not, or that nobody expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Quirk {
    /// Its phase goes back and forth before it ends.
    Flaps,
    /// So many status writes before it ends, a hundredth of a second apart.
    Busy(u32),
    /// Its status holds what nobody expects: a long message, text from right to left, fields of other types.
    Odd,
    /// After its end it reports an earlier phase again.
    Regresses,
    /// After it completed it reports a failure.
    Turns,
    /// It publishes another plan while the first one is carried out.
    Replans,
    /// It executes without waiting to be named: a breach of the contract.
    Eager,
}

impl Quirk {
    /// All of them.
    pub const ALL: [Quirk; 7] = [
        Quirk::Flaps,
        Quirk::Busy(60),
        Quirk::Odd,
        Quirk::Regresses,
        Quirk::Turns,
        Quirk::Replans,
        Quirk::Eager,
    ];
}

impl Stage {
    /// Succeeds after this time.
    #[must_use]
    pub fn lasting(takes: Duration) -> Self {
        Self {
            takes: GoDuration::from_millis(i64::try_from(takes.as_millis()).unwrap_or(i64::MAX)),
            ..Self::default()
        }
    }

    /// Fails after this time.
    #[must_use]
    pub fn failing(takes: Duration, reason: &str, message: &str) -> Self {
        Self {
            outcome: Outcome::Fail {
                reason: reason.to_owned(),
                message: message.to_owned(),
            },
            ..Self::lasting(takes)
        }
    }

    /// Is never picked up: its status stays empty.
    #[must_use]
    pub fn ignored() -> Self {
        Self {
            outcome: Outcome::NeverAct,
            ..Self::default()
        }
    }

    /// Begins and never ends.
    #[must_use]
    pub fn stalling() -> Self {
        Self {
            outcome: Outcome::Stall,
            ..Self::default()
        }
    }

    pub(super) fn wait(&self) -> Duration {
        duration(self.takes)
    }
}

pub(super) fn duration(duration: GoDuration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(0))
}

/// What comes of a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It completes.
    #[default]
    Succeed,
    /// It fails.
    Fail {
        /// One word.
        reason: String,
        /// A sentence.
        message: String,
    },
    /// The object is never picked up: its status stays empty.
    NeverAct,
    /// It begins and never ends.
    Stall,
}

/// A person who is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// How long the person takes.
    pub after: GoDuration,
    /// What the person says.
    pub decision: Decision,
}

/// What somebody who is asked says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// Yes.
    Approved,
    /// No.
    Rejected,
    /// Nothing, ever.
    Silent,
}

/// A step of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Step {
    /// Its name, a DNS label.
    pub name: String,
    /// Its action, for example `ScaleDeployment`.
    pub action: String,
    /// The steps that must be completed first.
    pub depends_on: Vec<String>,
    /// What the executor does with it, where the orchestrator runs it.
    pub stage: Stage,
}

/// Which remediation follows which script: that of its annotation [`SCRIPT_ANNOTATION`], else that of its name,
/// else the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scripts {
    by_name: BTreeMap<String, Arc<Script>>,
    default: Arc<Script>,
}

impl Scripts {
    /// All remediations follow this one.
    #[must_use]
    pub fn all(default: Script) -> Self {
        Self {
            by_name: BTreeMap::new(),
            default: Arc::new(default),
        }
    }

    /// Remediations of this name, in any namespace, follow this one.
    #[must_use]
    pub fn with(mut self, request: impl Into<String>, script: Script) -> Self {
        self.by_name.insert(request.into(), Arc::new(script));
        self
    }

    /// The script of a request with this name and these annotations.
    pub(super) fn of(
        &self,
        name: &str,
        annotations: Option<&BTreeMap<String, String>>,
    ) -> Arc<Script> {
        if let Some(text) = annotations.and_then(|all| all.get(SCRIPT_ANNOTATION)) {
            let read = serde_json::from_str::<Script>(text).map_err(|error| error.to_string());
            let bounded = |script: Script| {
                let checked = script.check().map_err(|error| error.to_string());
                checked.map(|()| script)
            };
            match read.and_then(bounded) {
                Ok(script) => return Arc::new(script),
                Err(error) => {
                    tracing::warn!(request = name, %error, "the annotation {SCRIPT_ANNOTATION} is no script; it is ignored");
                }
            }
        }
        Arc::clone(self.by_name.get(name).unwrap_or(&self.default))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_wins_over_the_name_and_the_name_over_the_default() {
        let named = Script {
            processing: Stage::ignored(),
            ..Script::default()
        };
        let scripts = Scripts::default().with("web", named.clone());
        assert_eq!(*scripts.of("web", None), named);
        assert_eq!(*scripts.of("other", None), Script::default());
        let annotated = BTreeMap::from([(
            SCRIPT_ANNOTATION.to_owned(),
            r#"{"analysis": {"takes": "2s", "outcome": {"fail": {"reason": "NoModel", "message": "m"}}}}"#
                .to_owned(),
        )]);
        assert_eq!(
            scripts.of("web", Some(&annotated)).analysis,
            Stage::failing(Duration::from_secs(2), "NoModel", "m")
        );
        for broken in ["{", r#"{"analysis": {"quirks": [{"busy": 4000000000}]}}"#] {
            let broken = BTreeMap::from([(SCRIPT_ANNOTATION.to_owned(), broken.to_owned())]);
            assert_eq!(*scripts.of("web", Some(&broken)), named);
        }
    }

    #[test]
    fn a_script_survives_its_json() {
        let script = Script {
            approval: Some(Approval {
                after: GoDuration::from_secs(1),
                decision: Decision::Approved,
            }),
            steps: vec![Step {
                name: "cordon".into(),
                ..Step::default()
            }],
            ..Script::default()
        };
        let text = serde_json::to_string(&script).unwrap();
        assert_eq!(serde_json::from_str::<Script>(&text).unwrap(), script);
    }
}
