//! What a controller does with one object, beat by beat: pure data from the script and the object's spec.

use std::time::Duration;

use remediation_core::kind::ChildKind;
use serde_json::{Value, json};

use super::script::{Decision, Outcome, Quirk, Script, Stage, duration};

/// Stands for the time of writing wherever it is found in a status.
pub(super) const NOW: &str = "<now>";

/// One thing a controller does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Beat {
    /// Time passes.
    Wait(Duration),
    /// This is merged into the object's status.
    Write(Value),
    /// Each step that the orchestrator runs is counted in the object's status once it is completed, until all are.
    CountSteps(usize),
}

/// All that a controller does with an object of this kind; nothing where the script says that it never acts.
pub(super) fn of(kind: ChildKind, script: &Script, spec: &Value) -> Vec<Beat> {
    match kind {
        ChildKind::RemediationProcessing => processing(script),
        ChildKind::AIAnalysis => analysis(script),
        ChildKind::WorkflowExecution => workflow(script),
        ChildKind::KubernetesExecution => execution(script, spec),
        ChildKind::NotificationRequest => notification(spec),
    }
}

/// What is left to do where an earlier process of the controller already reported this phase.
pub(super) fn after(beats: Vec<Beat>, phase: &str) -> Vec<Beat> {
    let reported = beats
        .iter()
        .rposition(|beat| matches!(beat, Beat::Write(status) if status["phase"] == phase));
    match reported {
        Some(last) => beats.into_iter().skip(last + 1).collect(),
        None => beats,
    }
}

fn processing(script: &Script) -> Vec<Beat> {
    let done = json!({
        "phase": "Completed",
        "message": "the alert was enriched",
        "enrichedData": { "owner": "team-platform", "recentDeployments": "1", "runbook": "runbooks/default.md" },
    });
    staged(&script.processing, &["Processing"], done)
}

fn analysis(script: &Script) -> Vec<Beat> {
    let recommendations: Vec<Value> = script
        .recommendations
        .iter()
        .map(|action| json!({ "action": action, "description": format!("{action} ends the cause"), "parameters": {} }))
        .collect();
    let result = json!({
        "summary": "the alert's cause was found",
        "rootCause": "the workload exceeds what it was given",
        "recommendations": recommendations,
    });
    let ready = json!({ "phase": "Ready", "confidence": 0.92, "investigationResult": result });
    let Some(approval) = &script.approval else {
        return staged(&script.analysis, &["Investigating"], ready);
    };
    let asking = json!({
        "phase": "Approving", "confidence": 0.61, "investigationResult": result,
        "approval": { "required": true },
    });
    let mut beats = staged(&script.analysis, &["Investigating"], asking);
    if script.analysis.outcome != Outcome::Succeed {
        return beats;
    }
    let (phase, word) = match approval.decision {
        Decision::Approved => ("Ready", "Approved"),
        Decision::Rejected => ("Rejected", "Rejected"),
        Decision::Silent => return beats,
    };
    beats.push(Beat::Wait(duration(approval.after)));
    beats.push(Beat::Write(json!({
        "phase": phase,
        "approval": { "required": true, "decision": word, "decidedBy": "oncall@example.com", "decidedAt": NOW },
    })));
    beats
}

fn workflow(script: &Script) -> Vec<Beat> {
    let steps = script.steps.len().max(1);
    let mut executing = json!({ "phase": "Executing", "stepsTotal": steps, "stepsCompleted": 0, "plan": plan(script) });
    if script.steps.is_empty() {
        // A controller that keeps its plan to itself.
        executing["plan"] = Value::Null;
    }
    let mut beats = staged(&script.planning, &["Planning", "Validating"], executing);
    if script.planning.outcome != Outcome::Succeed {
        return beats;
    }
    if script.planning.quirks.contains(&Quirk::Replans) && !script.steps.is_empty() {
        let mut other = plan(script);
        other["steps"][0]["action"] = json!("RestartPod");
        beats.extend([
            Beat::Wait(Duration::from_millis(300)),
            Beat::Write(json!({ "plan": other })),
        ]);
    }
    let done = json!({ "phase": "Completed", "stepsCompleted": steps });
    if script.executed_by_orchestrator {
        beats.push(Beat::CountSteps(steps));
        beats.extend(ending(&script.workflow, done));
        return beats;
    }
    let each = script.workflow.wait() / u32::try_from(steps).unwrap_or(u32::MAX);
    for completed in 1..steps {
        beats.push(Beat::Wait(each));
        beats.push(Beat::Write(json!({ "stepsCompleted": completed })));
    }
    beats.push(Beat::Wait(each));
    beats.extend(ending(&script.workflow, done));
    beats
}

fn plan(script: &Script) -> Value {
    let steps: Vec<Value> = script
        .steps
        .iter()
        .map(|step| {
            json!({
                "name": step.name, "action": step.action, "dependsOn": step.depends_on,
                "parameters": { "step": step.name },
            })
        })
        .collect();
    let executed_by = if script.executed_by_orchestrator {
        "Orchestrator"
    } else {
        "WorkflowController"
    };
    json!({ "executedBy": executed_by, "steps": steps })
}

/// Whether the controller executes without waiting to be named.
pub(super) fn is_eager(kind: ChildKind, script: &Script, spec: &Value) -> bool {
    let stage = match kind {
        ChildKind::WorkflowExecution => script.planning.clone(),
        ChildKind::KubernetesExecution => stage_of(script, spec),
        ChildKind::RemediationProcessing
        | ChildKind::AIAnalysis
        | ChildKind::NotificationRequest => return false,
    };
    stage.quirks.contains(&Quirk::Eager)
}

fn stage_of(script: &Script, spec: &Value) -> Stage {
    let step = script.steps.iter().find(|step| spec["step"] == *step.name);
    step.map_or_else(Stage::default, |step| step.stage.clone())
}

fn execution(script: &Script, spec: &Value) -> Vec<Beat> {
    let stage = stage_of(script, spec);
    let done =
        json!({ "phase": "Completed", "completionTime": NOW, "result": { "changed": "true" } });
    let mut beats = staged(&stage, &["Validating", "Executing"], done);
    if let Some(Beat::Write(first)) = beats.first_mut() {
        first["startTime"] = json!(NOW);
    }
    beats
}

fn notification(spec: &Value) -> Vec<Beat> {
    let channels = spec["channels"].as_array().cloned().unwrap_or_default();
    let deliveries: Vec<Value> = channels
        .iter()
        .map(|channel| json!({ "channel": channel, "status": "Sent", "attempts": 1, "time": NOW }))
        .collect();
    vec![Beat::Write(
        json!({ "phase": "Sent", "deliveries": deliveries }),
    )]
}

/// The phase words of a stage at equal distances, then what comes of it. A stage that takes no time and ends is over
/// before anything but its end is reported.
fn staged(stage: &Stage, words: &[&str], done: Value) -> Vec<Beat> {
    if stage.outcome == Outcome::NeverAct {
        return Vec::new();
    }
    let ending = ending(stage, done);
    let ends = ending.is_some();
    let words = if ends && stage.wait().is_zero() {
        &[]
    } else {
        words
    };
    let words = stage
        .first_word
        .as_deref()
        .into_iter()
        .chain(words.iter().copied());
    let words: Vec<&str> = words.collect();
    let each = stage.wait() / u32::try_from(words.len()).unwrap_or(u32::MAX).max(1);
    let mut beats: Vec<Beat> = words
        .into_iter()
        .flat_map(|word| [Beat::Write(json!({ "phase": word })), Beat::Wait(each)])
        .collect();
    for quirk in &stage.quirks {
        beats.extend(before_the_end(*quirk, &words_of(&beats)));
    }
    beats.extend(ending);
    if ends {
        let after = stage
            .quirks
            .iter()
            .filter_map(|quirk| after_the_end(*quirk));
        for status in after {
            beats.extend([Beat::Wait(Duration::from_millis(300)), Beat::Write(status)]);
        }
    }
    beats
}

/// The phase words that are reported, in order.
fn words_of(beats: &[Beat]) -> Vec<Value> {
    let words = beats.iter().filter_map(|beat| match beat {
        Beat::Write(status) => status.get("phase").cloned(),
        Beat::Wait(_) | Beat::CountSteps(_) => None,
    });
    words.collect()
}

/// What this quirk adds before the end.
fn before_the_end(quirk: Quirk, words: &[Value]) -> Vec<Beat> {
    const MOMENT: Duration = Duration::from_millis(10);
    match quirk {
        Quirk::Flaps => {
            let back_and_forth = words.iter().rev().chain(words.iter()).cloned();
            back_and_forth
                .flat_map(|word| [Beat::Wait(MOMENT), Beat::Write(json!({ "phase": word }))])
                .collect()
        }
        Quirk::Busy(times) => (0..times)
            .flat_map(|time| {
                let message = format!("still at it ({time})");
                [
                    Beat::Wait(MOMENT),
                    Beat::Write(json!({ "message": message })),
                ]
            })
            .collect(),
        Quirk::Odd => vec![Beat::Write(json!({
            "message": "\u{202e}\u{0}".repeat(10_000), "reason": "not one word \u{1f525}",
            "surprise": { "deep": [[[{}]]] }, "stepsCompleted": -7, "confidence": 12,
        }))],
        Quirk::Regresses | Quirk::Turns | Quirk::Replans | Quirk::Eager => Vec::new(),
    }
}

/// What this quirk reports after the end.
fn after_the_end(quirk: Quirk) -> Option<Value> {
    match quirk {
        Quirk::Regresses => Some(json!({ "phase": "Pending" })),
        Quirk::Turns => Some(
            json!({ "phase": "Failed", "reason": "ChangedItsMind", "message": "it was no success after all" }),
        ),
        Quirk::Flaps | Quirk::Busy(_) | Quirk::Odd | Quirk::Replans | Quirk::Eager => None,
    }
}

/// What comes of a stage in the end.
fn ending(stage: &Stage, done: Value) -> Option<Beat> {
    match &stage.outcome {
        Outcome::Succeed => Some(Beat::Write(done)),
        Outcome::Fail { reason, message } if reason.is_empty() && message.is_empty() => {
            Some(Beat::Write(json!({ "phase": "Failed" })))
        }
        Outcome::Fail { reason, message } => Some(Beat::Write(
            json!({ "phase": "Failed", "reason": reason, "message": message }),
        )),
        Outcome::NeverAct | Outcome::Stall => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::children::{Approval, Step};
    use remediation_core::time::GoDuration;

    fn phases(beats: &[Beat]) -> Vec<String> {
        beats
            .iter()
            .filter_map(|beat| match beat {
                Beat::Write(status) => status["phase"].as_str().map(str::to_owned),
                Beat::Wait(_) | Beat::CountSteps(_) => None,
            })
            .collect()
    }

    fn takes(beats: &[Beat]) -> Duration {
        beats
            .iter()
            .map(|beat| match beat {
                Beat::Wait(time) => *time,
                Beat::Write(_) | Beat::CountSteps(_) => Duration::ZERO,
            })
            .sum()
    }

    #[test]
    fn a_stage_takes_as_long_as_the_script_says() {
        let script = Script {
            processing: Stage {
                first_word: Some("Queued".into()),
                ..Stage::lasting(Duration::from_secs(2))
            },
            ..Script::default()
        };
        let beats = of(ChildKind::RemediationProcessing, &script, &Value::Null);
        assert_eq!(phases(&beats), ["Queued", "Processing", "Completed"]);
        assert_eq!(takes(&beats), Duration::from_secs(2));
    }

    #[test]
    fn a_stage_that_takes_no_time_reports_only_its_end() {
        let script = Script {
            processing: Stage::lasting(Duration::ZERO),
            ..Script::default()
        };
        let beats = of(ChildKind::RemediationProcessing, &script, &Value::Null);
        assert_eq!(phases(&beats), ["Completed"]);
    }

    #[test]
    fn one_that_never_acts_writes_nothing_and_one_that_stalls_never_ends() {
        let script = Script {
            processing: Stage::ignored(),
            planning: Stage::stalling(),
            ..Script::default()
        };
        assert_eq!(
            of(ChildKind::RemediationProcessing, &script, &Value::Null),
            []
        );
        let beats = of(ChildKind::WorkflowExecution, &script, &Value::Null);
        assert_eq!(phases(&beats), ["Planning", "Validating"]);
    }

    #[test]
    fn an_approval_is_asked_for_before_it_is_given() {
        let script = Script {
            approval: Some(Approval {
                after: GoDuration::from_secs(3),
                decision: Decision::Rejected,
            }),
            ..Script::default()
        };
        let beats = of(ChildKind::AIAnalysis, &script, &Value::Null);
        assert_eq!(phases(&beats), ["Investigating", "Approving", "Rejected"]);
    }

    #[test]
    fn a_workflow_reports_its_progress() {
        let script = Script {
            steps: ["a", "b"]
                .map(|name| Step {
                    name: name.into(),
                    ..Step::default()
                })
                .to_vec(),
            ..Script::default()
        };
        let beats = of(ChildKind::WorkflowExecution, &script, &Value::Null);
        assert!(beats.contains(&Beat::Write(json!({ "stepsCompleted": 1 }))));
        assert!(beats.contains(&Beat::Write(
            json!({ "phase": "Completed", "stepsCompleted": 2 })
        )));
    }

    #[test]
    fn a_workflow_may_publish_another_plan_while_the_first_is_carried_out() {
        let planning = Stage {
            quirks: vec![Quirk::Replans],
            ..Stage::default()
        };
        let mut script = Script {
            planning,
            steps: vec![Step::default()],
            ..Script::default()
        };
        let plans = |script: &Script| -> Vec<Value> {
            let beats = of(ChildKind::WorkflowExecution, script, &Value::Null);
            let plan = |beat: &Beat| match beat {
                Beat::Write(status) => status.get("plan").cloned(),
                Beat::Wait(_) | Beat::CountSteps(_) => None,
            };
            beats.iter().filter_map(plan).collect()
        };
        let published = plans(&script);
        assert_eq!(published.len(), 2);
        assert_ne!(published[0], published[1]);
        script.steps.clear();
        assert_eq!(plans(&script), [Value::Null], "there is nothing to change");
    }

    #[test]
    fn a_restarted_controller_goes_on_where_it_was() {
        let script = Script {
            steps: vec![Step {
                name: "scale".into(),
                stage: Stage::lasting(Duration::from_secs(1)),
                ..Step::default()
            }],
            ..Script::default()
        };
        let spec = json!({ "step": "scale" });
        let beats = of(ChildKind::KubernetesExecution, &script, &spec);
        assert_eq!(
            phases(&after(beats.clone(), "Validating")),
            ["Executing", "Completed"]
        );
        assert_eq!(after(beats.clone(), "Unheard"), beats);
        assert_eq!(after(beats, "Completed"), []);
    }
}
