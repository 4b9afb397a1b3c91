//! The phases of a remediation and the edges between them: the one place where they are listed.
//!
//! The docs page of phases is written from [`TRANSITIONS`], every status write is checked against it,
//! and the tests record each edge they see and fail on one that is missing or new.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a remediation is. `Completed` and `Failed` are terminal and absorbing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Phase {
    /// Seen, not begun: a new request, or one that is suspended before it began.
    Pending,
    /// Begun: the targeting data is checked and the RemediationProcessing is created.
    Initializing,
    /// The RemediationProcessing enriches the alert.
    Processing,
    /// The AIAnalysis looks for the cause, perhaps waiting for somebody's approval.
    Analyzing,
    /// The WorkflowExecution plans and validates.
    WorkflowPlanning,
    /// The workflow changes the cluster.
    Executing,
    /// Terminal: every step succeeded.
    Completed,
    /// Terminal: it did not succeed, and somebody is told.
    Failed,
}

/// One allowed edge of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The phase that is left.
    pub from: Phase,
    /// The phase that is entered.
    pub to: Phase,
    /// What is observed.
    pub when: &'static str,
    /// What is done on the way, before the new phase is recorded.
    pub doing: &'static str,
}

const fn edge(from: Phase, to: Phase, when: &'static str, doing: &'static str) -> Transition {
    Transition {
        from,
        to,
        when,
        doing,
    }
}

/// Every allowed edge, in the order of a remediation's life.
pub const TRANSITIONS: &[Transition] = {
    use Phase::{
        Analyzing, Completed, Executing, Failed, Initializing, Pending, Processing,
        WorkflowPlanning,
    };
    const ESCALATE: &str = "record the failure, create the escalation NotificationRequest";
    &[
        edge(
            Pending,
            Initializing,
            "a new request that is not suspended",
            "start the clock, record the policy in force",
        ),
        edge(
            Initializing,
            Processing,
            "targetingData is valid",
            "create the RemediationProcessing",
        ),
        edge(
            Processing,
            Analyzing,
            "RemediationProcessing Completed",
            "create the AIAnalysis with the enriched data",
        ),
        edge(
            Analyzing,
            WorkflowPlanning,
            "AIAnalysis Ready or Completed, with a recommendation, and approved where approval is required",
            "create the WorkflowExecution with the recommendations",
        ),
        edge(
            WorkflowPlanning,
            Executing,
            "WorkflowExecution Executing, Running or Completed",
            "create the KubernetesExecutions that are ready, if the plan is ours to run",
        ),
        edge(
            Executing,
            Completed,
            "WorkflowExecution Completed, and every step of a plan that is ours to run",
            "create the success NotificationRequest",
        ),
        edge(
            Initializing,
            Failed,
            "targetingData missing or invalid, creation refused for good, or a deadline passed",
            ESCALATE,
        ),
        edge(
            Processing,
            Failed,
            "RemediationProcessing Failed, creation refused for good, or a deadline passed",
            ESCALATE,
        ),
        edge(
            Analyzing,
            Failed,
            "AIAnalysis Failed, Rejected or without a recommendation, creation refused for good, or a deadline passed",
            ESCALATE,
        ),
        edge(
            WorkflowPlanning,
            Failed,
            "WorkflowExecution Failed or deleted, a plan that cannot be run, creation refused for good, or a deadline passed",
            ESCALATE,
        ),
        edge(
            Executing,
            Failed,
            "WorkflowExecution or a KubernetesExecution Failed or deleted, a plan that cannot be run or has changed, creation refused for good, or a deadline passed",
            ESCALATE,
        ),
    ]
};

impl Phase {
    /// All phases, in the order of a remediation's life.
    pub const ALL: [Phase; 8] = [
        Phase::Pending,
        Phase::Initializing,
        Phase::Processing,
        Phase::Analyzing,
        Phase::WorkflowPlanning,
        Phase::Executing,
        Phase::Completed,
        Phase::Failed,
    ];

    /// The word that status shows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Pending => "Pending",
            Phase::Initializing => "Initializing",
            Phase::Processing => "Processing",
            Phase::Analyzing => "Analyzing",
            Phase::WorkflowPlanning => "WorkflowPlanning",
            Phase::Executing => "Executing",
            Phase::Completed => "Completed",
            Phase::Failed => "Failed",
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Phase::Completed | Phase::Failed)
    }

    /// Whether [`TRANSITIONS`] holds the edge from this phase to that one.
    #[must_use]
    pub fn may_become(self, to: Phase) -> bool {
        TRANSITIONS.iter().any(|t| t.from == self && t.to == to)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The phase word as status holds it: one of ours, or one that this version does not know
/// (a newer version's, or a hand's), which is kept and never guessed at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum PhaseWord {
    /// A phase of this version.
    Known(Phase),
    /// Any other word.
    Unknown(String),
}

impl From<String> for PhaseWord {
    fn from(word: String) -> Self {
        Phase::ALL
            .into_iter()
            .find(|phase| phase.name() == word)
            .map_or(Self::Unknown(word), Self::Known)
    }
}

impl From<PhaseWord> for String {
    fn from(word: PhaseWord) -> Self {
        match word {
            PhaseWord::Known(phase) => phase.name().to_owned(),
            PhaseWord::Unknown(word) => word,
        }
    }
}

impl fmt::Display for PhaseWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PhaseWord::Known(phase) => phase.fmt(f),
            PhaseWord::Unknown(word) => f.write_str(word),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for PhaseWord {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PhaseWord".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "maxLength": 64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_phases_are_absorbing() {
        for to in Phase::ALL {
            assert!(!Phase::Completed.may_become(to));
            assert!(!Phase::Failed.may_become(to));
        }
    }

    #[test]
    fn every_begun_phase_can_fail_and_a_pending_one_cannot() {
        for from in [
            Phase::Initializing,
            Phase::Processing,
            Phase::Analyzing,
            Phase::WorkflowPlanning,
            Phase::Executing,
        ] {
            assert!(from.may_become(Phase::Failed), "{from}");
        }
        assert!(!Phase::Pending.may_become(Phase::Failed));
    }

    #[test]
    fn an_unknown_word_is_kept_as_it_is() {
        let word: PhaseWord = serde_json::from_str("\"Hibernating\"").unwrap();
        assert_eq!(word, PhaseWord::Unknown("Hibernating".into()));
        assert_eq!(serde_json::to_string(&word).unwrap(), "\"Hibernating\"");
    }
}
