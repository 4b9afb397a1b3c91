//! What children say, made once for each choice of their axes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use remediation_core::children::{ChildStatus, Plan, PlanStep};
use remediation_core::kind::ChildKind;
use serde_json::{Value, json};

use super::{AiaWord, Counts, Decision, PlanIn, RpSays, WfeWord};

/// The steps of every plan here, in the order of their axes.
pub(crate) const STEPS: [&str; 3] = ["a", "b", "c"];

pub(crate) fn processing(says: RpSays) -> &'static ChildStatus {
    static TABLE: LazyLock<Vec<ChildStatus>> = LazyLock::new(|| {
        let say = |says: &RpSays| match says {
            RpSays::Nothing => json!({}),
            RpSays::Pending => json!({ "phase": "Pending" }),
            RpSays::Processing => json!({ "phase": "Processing" }),
            RpSays::Completed => {
                json!({ "phase": "Completed", "enrichedData": { "owner": "team-a" } })
            }
            RpSays::CompletedBare => json!({ "phase": "Completed" }),
            RpSays::Failed => {
                json!({ "phase": "Failed", "reason": "ContextMissing", "message": "no context of rp" })
            }
            RpSays::FailedBare => json!({ "phase": "Failed", "reason": "two words" }),
            RpSays::Unknown => json!({ "phase": "Hibernating" }),
            RpSays::Miscased => json!({ "phase": "completed", "reason": 7 }),
        };
        let read = |says| ChildStatus::read(ChildKind::RemediationProcessing, say(says));
        RpSays::ALL.iter().map(read).collect()
    });
    &TABLE[says as usize]
}

/// The index of what an AIAnalysis says in its table.
pub(crate) fn analysis(
    word: AiaWord,
    required: bool,
    decision: Decision,
    recommends: bool,
) -> &'static ChildStatus {
    static TABLE: LazyLock<Vec<ChildStatus>> = LazyLock::new(|| {
        let mut table = Vec::new();
        for word in AiaWord::ALL {
            for required in [false, true] {
                for decision in Decision::ALL {
                    for recommends in [false, true] {
                        let said = say_analysis(*word, required, *decision, recommends);
                        table.push(ChildStatus::read(ChildKind::AIAnalysis, said));
                    }
                }
            }
        }
        table
    });
    let row = (word as usize * 2 + usize::from(required)) * Decision::ALL.len() + decision as usize;
    &TABLE[row * 2 + usize::from(recommends)]
}

fn say_analysis(word: AiaWord, required: bool, decision: Decision, recommends: bool) -> Value {
    let phase = match word {
        AiaWord::Nothing => "",
        AiaWord::Pending => "Pending",
        AiaWord::Investigating => "Investigating",
        AiaWord::Approving => "Approving",
        AiaWord::Ready => "Ready",
        AiaWord::Completed => "Completed",
        AiaWord::Rejected => "Rejected",
        AiaWord::Failed | AiaWord::FailedBare => "Failed",
        AiaWord::Unknown => "Dreaming",
    };
    let decision = match decision {
        Decision::None => "",
        Decision::Approved => "Approved",
        Decision::Rejected => "Rejected",
        Decision::Unknown => "Maybe",
    };
    let recommendations = if recommends {
        json!([{ "action": "ScaleDeployment", "parameters": { "replicas": 3 } }])
    } else {
        json!([])
    };
    let mut said = json!({
        "phase": phase,
        "approval": { "required": required, "decision": decision, "decidedBy": "sre" },
        "investigationResult": { "rootCause": "leak", "recommendations": recommendations },
    });
    if word == AiaWord::Failed {
        said["reason"] = json!("ModelUnavailable");
        said["message"] = json!("no answer of aia");
    }
    said
}

pub(crate) fn workflow(word: WfeWord, plan: PlanIn, counts: Counts) -> &'static ChildStatus {
    static TABLE: LazyLock<Vec<ChildStatus>> = LazyLock::new(|| {
        let mut table = Vec::new();
        for word in WfeWord::ALL {
            for plan in PlanIn::ALL {
                for counts in Counts::ALL {
                    let mut said = say_workflow(*word, *counts);
                    if let Some(plan) = plan_of(*plan) {
                        said["plan"] = serde_json::to_value(plan).unwrap();
                    }
                    table.push(ChildStatus::read(ChildKind::WorkflowExecution, said));
                }
            }
        }
        table
    });
    let row = word as usize * PlanIn::ALL.len() + plan as usize;
    &TABLE[row * Counts::ALL.len() + counts as usize]
}

fn say_workflow(word: WfeWord, counts: Counts) -> Value {
    let phase = match word {
        WfeWord::Nothing => "",
        WfeWord::Pending => "Pending",
        WfeWord::Planning => "Planning",
        WfeWord::Validating => "Validating",
        WfeWord::Executing => "Executing",
        WfeWord::Running => "Running",
        WfeWord::Completed => "Completed",
        WfeWord::Failed | WfeWord::FailedBare => "Failed",
        WfeWord::Unknown => "Meditating",
    };
    let mut said = json!({ "phase": phase });
    let (completed, total) = match counts {
        Counts::None => (0, 0),
        Counts::OneOfTwo => (1, 2),
        Counts::Hostile => (i64::MAX, i64::MIN),
        Counts::Fewer => (-3, 7),
    };
    said["stepsCompleted"] = json!(completed);
    said["stepsTotal"] = json!(total);
    if word == WfeWord::Failed {
        said["reason"] = json!("StepFailed");
        said["message"] = json!("no luck of wfe");
    }
    said
}

/// The plan of this shape.
pub(crate) fn plan_of(plan: PlanIn) -> Option<Plan> {
    let steps: &[(&str, &[&str])] = match plan {
        PlanIn::None => return None,
        PlanIn::Theirs | PlanIn::Pair => &[("a", &[]), ("b", &[])],
        PlanIn::One => &[("a", &[])],
        PlanIn::Chain => &[("a", &[]), ("b", &["a"])],
        PlanIn::Fork => &[("a", &[]), ("b", &["a"]), ("c", &["a"])],
        PlanIn::Empty => &[],
        PlanIn::Cyclic => &[("c", &[]), ("a", &["b"]), ("b", &["a"])],
        PlanIn::Twice => &[("a", &[]), ("a", &[])],
        PlanIn::UnknownNeed => &[("a", &["z"])],
        PlanIn::BadName => &[("a", &[]), ("B_2", &[])],
    };
    let by = if plan == PlanIn::Theirs {
        "Workflow"
    } else {
        "Orchestrator"
    };
    Some(Plan {
        executed_by: by.into(),
        steps: steps
            .iter()
            .map(|(name, needs)| step(name, needs))
            .collect(),
    })
}

fn step(name: &str, needs: &[&str]) -> PlanStep {
    PlanStep {
        name: name.into(),
        action: format!("Do{name}"),
        parameters: [("step".to_owned(), name.to_owned())].into(),
        depends_on: needs.iter().map(ToString::to_string).collect(),
        timeout: (name == "b").then(|| "5m".into()),
    }
}

/// What a KubernetesExecution says whose phase word is this.
pub(crate) fn execution(word: &'static str) -> &'static ChildStatus {
    static TABLE: LazyLock<BTreeMap<&str, ChildStatus>> = LazyLock::new(|| {
        let say = |word| match word {
            "Failed" => {
                json!({ "phase": word, "reason": "PodGone", "message": "no pod of step" })
            }
            _ => json!({ "phase": word }),
        };
        let words = ["", "Running", "Completed", "Failed", "Perhaps"];
        words
            .map(|word| {
                let said = ChildStatus::read(ChildKind::KubernetesExecution, say(word));
                (word, said)
            })
            .into()
    });
    &TABLE[word]
}
