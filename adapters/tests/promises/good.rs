//! Lives in which much happens and nothing breaks.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use kube::api::DeleteParams;
use remediation_adapters::simulation::children::{Approval, Decision, Script, Stage, Step};
use remediation_adapters::simulation::promises::{Expectations, Promises};
use remediation_core::kind::ChildKind;
use remediation_core::time::GoDuration;
use serde_json::json;

use crate::recorded::{Cluster, Recorded, alert, record};

/// What is expected where there are no faults and one clock.
pub(crate) fn strict() -> Expectations {
    Expectations {
        lateness: Some(SignedDuration::from_secs(1)),
        contract: true,
        ..Expectations::default()
    }
}

fn check(life: &str, recorded: &Recorded) {
    let mut promises = Promises::new(strict());
    let mut found = Vec::new();
    for commit in &recorded.commits {
        found.extend(promises.commit(commit));
    }
    found.extend(promises.end(&recorded.ending));
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{life}: {}", shown.join("\n"));
}

fn step(name: &str, needs: &[&str]) -> Step {
    Step {
        name: name.to_owned(),
        action: format!("Do{name}"),
        depends_on: needs.iter().map(|step| (*step).to_owned()).collect(),
        stage: Stage::lasting(Duration::from_secs(2)),
    }
}

/// A script in which the orchestrator runs two steps, one after the other.
pub(crate) fn two_steps() -> Script {
    Script {
        steps: vec![step("a", &[]), step("b", &["a"])],
        executed_by_orchestrator: true,
        ..Script::default()
    }
}

/// It is asked for, and plays itself.
pub(crate) async fn alone(cluster: &Cluster) {
    cluster.ask(json!({ "targetingData": alert() })).await;
}

fn failing() -> Stage {
    Stage::failing(Duration::from_secs(2), "Broken", "it broke")
}

#[test]
fn lives_that_succeed() {
    check("ordinary", &record(Script::default(), alone));
    check("two steps", &record(two_steps(), alone));
    let diamond = Script {
        steps: vec![
            step("a", &[]),
            step("b", &["a"]),
            step("c", &["a"]),
            step("d", &["b", "c"]),
        ],
        ..two_steps()
    };
    check("diamond", &record(diamond, alone));
    let approved = Script {
        approval: Some(Approval {
            after: GoDuration::from_secs(90),
            decision: Decision::Approved,
        }),
        ..Script::default()
    };
    check("approved", &record(approved, alone));
}

#[test]
fn lives_that_fail() {
    let scripts = [
        Script {
            processing: failing(),
            ..Script::default()
        },
        Script {
            analysis: failing(),
            ..Script::default()
        },
        Script {
            planning: failing(),
            ..Script::default()
        },
        Script {
            workflow: failing(),
            ..Script::default()
        },
        Script {
            recommendations: Vec::new(),
            ..Script::default()
        },
        Script {
            steps: vec![
                step("a", &[]),
                Step {
                    stage: failing(),
                    ..step("b", &["a"])
                },
            ],
            ..two_steps()
        },
        Script {
            approval: Some(Approval {
                after: GoDuration::from_secs(9),
                decision: Decision::Rejected,
            }),
            ..Script::default()
        },
    ];
    for (number, script) in scripts.into_iter().enumerate() {
        check(&format!("failing {number}"), &record(script, alone));
    }
    check(
        "nothing to aim at",
        &record(Script::default(), async |cluster: &Cluster| {
            cluster.ask(json!({})).await;
        }),
    );
}

#[test]
fn lives_that_time_out() {
    let limits = json!({ "processing": "90s", "analyzing": "90s", "approval": "90s", "workflowPlanning": "90s",
        "executing": "90s" });
    let ask = async |cluster: &Cluster| {
        cluster
            .ask(json!({ "targetingData": alert(), "timeouts": limits.clone() }))
            .await;
    };
    for stage in [Stage::ignored(), Stage::stalling()] {
        let scripts = [
            Script {
                processing: stage.clone(),
                ..Script::default()
            },
            Script {
                analysis: stage.clone(),
                ..Script::default()
            },
            Script {
                planning: stage.clone(),
                ..Script::default()
            },
            Script {
                workflow: stage.clone(),
                ..Script::default()
            },
        ];
        for (number, script) in scripts.into_iter().enumerate() {
            check(
                &format!("{:?} {number}", stage.outcome),
                &record(script, ask),
            );
        }
    }
    let overall = async |cluster: &Cluster| {
        let timeouts = json!({ "overall": "2s" });
        cluster
            .ask(json!({ "targetingData": alert(), "timeouts": timeouts }))
            .await;
    };
    check("overall", &record(two_steps(), overall));
}

#[test]
fn lives_that_hands_reach_into() {
    for phase in ["Processing", "Analyzing", "WorkflowPlanning", "Executing"] {
        let suspended = async |cluster: &Cluster| {
            alone(cluster).await;
            cluster.until(phase).await;
            cluster.suspend(true).await;
            tokio::time::sleep(Duration::from_millis(3_333)).await;
            cluster.suspend(false).await;
        };
        check(
            &format!("suspended in {phase}"),
            &record(two_steps(), suspended),
        );
        for params in [DeleteParams::background(), DeleteParams::foreground()] {
            let deleted = async |cluster: &Cluster| {
                alone(cluster).await;
                cluster.until(phase).await;
                cluster.requests().delete("web", &params).await.unwrap();
            };
            check(
                &format!("deleted in {phase}"),
                &record(two_steps(), deleted),
            );
        }
    }
    let losses = [
        (
            ChildKind::RemediationProcessing,
            "web-processing",
            "Processing",
        ),
        (ChildKind::AIAnalysis, "web-aianalysis", "Analyzing"),
        (
            ChildKind::WorkflowExecution,
            "web-workflow",
            "WorkflowPlanning",
        ),
        (ChildKind::WorkflowExecution, "web-workflow", "Executing"),
        (
            ChildKind::KubernetesExecution,
            "web-execution-a",
            "Executing",
        ),
    ];
    for (kind, name, phase) in losses {
        let lost = async |cluster: &Cluster| {
            alone(cluster).await;
            cluster.until(phase).await;
            cluster.delete(kind, name).await;
        };
        check(
            &format!("{kind} deleted in {phase}"),
            &record(two_steps(), lost),
        );
    }
}

#[test]
fn lives_whose_status_is_edited() {
    let edits = [
        json!({ "phase": "Analyzing" }),
        json!({ "phase": "Hibernating" }),
        json!({ "phase": "Completed" }),
        json!({ "startTime": "2027-01-01T00:00:00.000Z" }),
        json!({ "overallProgress": 97, "stepsCompleted": 40 }),
        json!({ "history": null, "reason": "Because" }),
        json!({ "aiAnalysisRef": null }),
        json!({ "workflowExecutionRef": null }),
        json!({ "completionTime": "2026-03-01T12:00:01.000Z", "phase": "Completed" }),
    ];
    for edit in edits {
        let edited = async |cluster: &Cluster| {
            alone(cluster).await;
            cluster.until("Executing").await;
            cluster.edit_status(edit.clone()).await;
        };
        check(&format!("edited {edit}"), &record(two_steps(), edited));
    }
}

#[test]
fn a_life_that_expires() {
    let brief = async |cluster: &Cluster| {
        let spec = json!({ "targetingData": alert(), "ttlSecondsAfterFinished": 30 });
        cluster.ask(spec).await;
    };
    check("expired", &record(Script::default(), brief));
}

#[test]
fn many_lives_are_judged_alike_and_the_rate_is_printed() {
    const LIVES: u32 = 300;
    let life = record(two_steps(), alone);
    let begin = Instant::now();
    for _ in 0..LIVES {
        check("again", &life);
    }
    let took = begin.elapsed().as_secs_f64();
    let writes = life.commits.len();
    let lives = f64::from(LIVES) / took;
    println!("{lives:.0} lives of {writes} writes judged in a second");
}
