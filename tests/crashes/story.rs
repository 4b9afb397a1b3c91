//! What happens to one remediation, apart from faults: how its children behave, what its user does, and how it may
//! end. Faults delay an end; they never change it.

use std::collections::BTreeMap;
use std::time::Duration;

use remediation_adapters::simulation::children::{
    Approval, Decision, SCRIPT_ANNOTATION, Script, Stage, Step,
};
use remediation_core::kind::ChildKind;
use remediation_core::time::GoDuration;
use serde_json::{Value, json};

use crate::random::Random;

/// The stories there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tale {
    Plain,
    PlannedSteps,
    OrchestratedSteps,
    ProcessingFails,
    AnalysisFails,
    NothingRecommended,
    PlanningFails,
    StepFails,
    Approved,
    Rejected,
    ApprovalExpires,
    NeverPickedUp,
    AnalysisStalls,
    PlanningStalls,
    ExecutionStalls,
    OverallTimeout,
    Invalid,
    DeletedAndRecreated,
    DeletedForGood,
    Suspended,
    ProcessingDeleted,
    WorkflowDeleted,
    RetainedNoTime,
    /// Takes longer than the others: only where a test asks for it.
    SlowProcessing,
}

/// What the user does, once the request has reached a phase (or has ended).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Deletes the request and creates it again under the same name.
    Recreate { foreground: bool },
    /// Deletes the request.
    Delete,
    /// Suspends it for so long.
    Suspend(Duration),
    /// Deletes a child.
    DeleteChild(ChildKind),
}

/// One remediation.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) name: String,
    pub(crate) tale: Tale,
    pub(crate) spec: Value,
    pub(crate) annotations: BTreeMap<String, String>,
    /// In which phase the user does what.
    pub(crate) act: Option<(&'static str, Act)>,
    /// The ends it may come to: phase and reason, no reason where any will do.
    pub(crate) ends: Vec<(&'static str, Option<&'static str>)>,
}

const COMPLETED: (&str, Option<&str>) = ("Completed", None);

const fn failed(reason: &'static str) -> (&'static str, Option<&'static str>) {
    ("Failed", Some(reason))
}

impl Tale {
    pub(crate) const ALL: [Self; 23] = [
        Self::Plain,
        Self::PlannedSteps,
        Self::OrchestratedSteps,
        Self::ProcessingFails,
        Self::AnalysisFails,
        Self::NothingRecommended,
        Self::PlanningFails,
        Self::StepFails,
        Self::Approved,
        Self::Rejected,
        Self::ApprovalExpires,
        Self::NeverPickedUp,
        Self::AnalysisStalls,
        Self::PlanningStalls,
        Self::ExecutionStalls,
        Self::OverallTimeout,
        Self::Invalid,
        Self::DeletedAndRecreated,
        Self::DeletedForGood,
        Self::Suspended,
        Self::ProcessingDeleted,
        Self::WorkflowDeleted,
        Self::RetainedNoTime,
    ];

    /// The `number`th story of a run.
    pub(crate) fn tell(self, number: usize, random: &mut Random) -> Story {
        let mut script = quick();
        let mut spec = json!({ "targetingData": {
            "signalFingerprint": format!("crash-{number}"),
            "alertName": "HighPodCrashLoop",
            "environment": "production",
        } });
        let mut act = None;
        let beginning = ["Processing", "Analyzing", "WorkflowPlanning", "Executing"];
        let anywhere = random.pick(&beginning).copied().unwrap_or("Processing");
        let fails = |reason: &str| Stage::failing(Duration::from_millis(100), reason, "it broke");
        let ends = match self {
            Self::Plain => vec![COMPLETED],
            Self::PlannedSteps => {
                script.steps = steps(&[("a", &[]), ("b", &["a"])]);
                vec![COMPLETED]
            }
            Self::OrchestratedSteps => {
                script.steps =
                    steps(&[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["b", "c"])]);
                script.executed_by_orchestrator = true;
                vec![COMPLETED]
            }
            Self::ProcessingFails => {
                script.processing = fails("NoContext");
                vec![failed("NoContext")]
            }
            Self::AnalysisFails => {
                script.analysis = fails("ModelUnavailable");
                vec![failed("ModelUnavailable")]
            }
            Self::NothingRecommended => {
                script.recommendations = Vec::new();
                vec![failed("NoRecommendation")]
            }
            Self::PlanningFails => {
                script.planning = fails("NoSuchAction");
                vec![failed("NoSuchAction")]
            }
            Self::StepFails => {
                script.steps = steps(&[("a", &[]), ("b", &["a"])]);
                script.steps[1].stage = fails("Refused");
                script.executed_by_orchestrator = true;
                vec![failed("Refused")]
            }
            Self::Approved => {
                script.approval = approval(Decision::Approved);
                vec![COMPLETED]
            }
            Self::Rejected => {
                script.approval = approval(Decision::Rejected);
                vec![failed("AnalysisRejected")]
            }
            Self::ApprovalExpires => {
                script.approval = approval(Decision::Silent);
                spec["timeouts"] = json!({ "approval": "2s" });
                vec![failed("ApprovalExpired")]
            }
            Self::NeverPickedUp => {
                script.processing = Stage::ignored();
                spec["timeouts"] = json!({ "processing": "2s" });
                vec![failed("ChildNeverStarted"), failed("PhaseTimeout")]
            }
            Self::AnalysisStalls => {
                script.analysis = Stage::stalling();
                spec["timeouts"] = json!({ "analyzing": "2s" });
                vec![failed("PhaseTimeout"), failed("ChildNeverStarted")]
            }
            Self::PlanningStalls => {
                script.planning = Stage::stalling();
                spec["timeouts"] = json!({ "workflowPlanning": "2s" });
                vec![failed("PhaseTimeout"), failed("ChildNeverStarted")]
            }
            Self::ExecutionStalls => {
                script.workflow = Stage::stalling();
                spec["timeouts"] = json!({ "executing": "2s" });
                vec![failed("PhaseTimeout")]
            }
            Self::OverallTimeout => {
                script.workflow = Stage::stalling();
                spec["timeouts"] = json!({ "overall": "3s" });
                vec![failed("OverallTimeout")]
            }
            Self::Invalid => {
                spec = json!({});
                vec![("Failed", None)]
            }
            Self::DeletedAndRecreated => {
                let foreground = random.below(2) == 0;
                act = Some((anywhere, Act::Recreate { foreground }));
                vec![COMPLETED]
            }
            Self::DeletedForGood => {
                act = Some((anywhere, Act::Delete));
                Vec::new()
            }
            Self::Suspended => {
                act = Some((anywhere, Act::Suspend(random.millis(200, 1_500))));
                vec![COMPLETED]
            }
            Self::ProcessingDeleted => {
                let child = ChildKind::RemediationProcessing;
                act = Some(("Processing", Act::DeleteChild(child)));
                vec![COMPLETED]
            }
            Self::WorkflowDeleted => {
                script.workflow = Stage::lasting(Duration::from_secs(3));
                let child = ChildKind::WorkflowExecution;
                act = Some(("Executing", Act::DeleteChild(child)));
                // One that completed before it was deleted counts.
                vec![failed("ChildDeleted"), COMPLETED]
            }
            Self::SlowProcessing => {
                script.processing = Stage::lasting(Duration::from_secs(15));
                vec![COMPLETED]
            }
            Self::RetainedNoTime => {
                spec["ttlSecondsAfterFinished"] = json!(0);
                vec![COMPLETED]
            }
        };
        let script = serde_json::to_string(&script).unwrap_or_default();
        Story {
            name: format!("rr-{number}"),
            tale: self,
            spec,
            annotations: BTreeMap::from([(SCRIPT_ANNOTATION.to_owned(), script)]),
            act,
            ends,
        }
    }
}

impl Story {
    /// Whether the request is gone in the end.
    pub(crate) fn ends_gone(&self) -> bool {
        matches!(self.tale, Tale::DeletedForGood | Tale::RetainedNoTime)
    }
}

/// Children that take a fraction of a second.
fn quick() -> Script {
    let stage = |millis| Stage::lasting(Duration::from_millis(millis));
    Script {
        processing: stage(150),
        analysis: stage(200),
        planning: stage(150),
        workflow: stage(300),
        ..Script::default()
    }
}

fn steps(all: &[(&str, &[&str])]) -> Vec<Step> {
    all.iter()
        .map(|(name, depends_on)| Step {
            name: (*name).to_owned(),
            action: "RestartPod".to_owned(),
            depends_on: depends_on.iter().map(ToString::to_string).collect(),
            stage: Stage::lasting(Duration::from_millis(150)),
        })
        .collect()
}

fn approval(decision: Decision) -> Option<Approval> {
    Some(Approval {
        after: GoDuration::from_millis(300),
        decision,
    })
}
