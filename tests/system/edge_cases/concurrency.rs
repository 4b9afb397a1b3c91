//! Category 1: concurrency and race conditions. (Simultaneous requests of one alert are in `guide.rs`.)

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::harness::Result;
use crate::stage::{AIA, NOTIF, RPROC, Stage, WFE, on_both_backends};

const TENTH: Duration = Duration::from_millis(100);

on_both_backends!(
    children_that_answer_at_once_race_with_the_phase_transitions,
    a_storm_of_watch_events_makes_no_storm_of_writes,
    competing_status_writes_are_never_overwritten_and_hold_nothing_up,
    ten_foreign_status_writes_a_second_cost_ours_eight_tries_at_most,
);

async fn children_that_answer_at_once_race_with_the_phase_transitions(stage: &mut Stage) -> Result {
    stage.expect_haste();
    let names: Vec<String> = (0..8).map(|n| format!("race-{n}")).collect();
    let lives = names.iter().map(async |name| -> Result {
        stage.request(name).await?;
        // The status is written as soon as the child exists, often before the request names it.
        stage.child(RPROC, &format!("{name}-processing")).await?;
        stage
            .says(
                RPROC,
                &format!("{name}-processing"),
                json!({ "phase": "Completed" }),
            )
            .await?;
        stage.child(AIA, &format!("{name}-aianalysis")).await?;
        stage
            .says(AIA, &format!("{name}-aianalysis"), crate::stage::ready())
            .await?;
        stage.child(WFE, &format!("{name}-workflow")).await?;
        stage
            .says(
                WFE,
                &format!("{name}-workflow"),
                json!({ "phase": "Completed" }),
            )
            .await?;
        stage.until_phase(name, "Completed").await?;
        Ok(())
    });
    for outcome in futures::future::join_all(lives).await {
        outcome?;
    }
    for kind in [RPROC, AIA, WFE, NOTIF] {
        assert_eq!(stage.count_now(kind).await?, names.len(), "{kind}");
    }
    Ok(())
}

async fn a_storm_of_watch_events_makes_no_storm_of_writes(stage: &mut Stage) -> Result {
    stage.request_in("web", "Executing").await?;
    let before = stage.until_phase("web", "Executing").await?;
    for done in 0..60 {
        let status = json!({ "phase": "Executing", "stepsTotal": 60, "stepsCompleted": done });
        stage.says(WFE, "web-workflow", status).await?;
    }
    stage
        .says(WFE, "web-workflow", json!({ "phase": "Completed" }))
        .await?;
    let after = stage.until_phase("web", "Completed").await?;
    let conflicts = "remediationorchestrator_status_update_conflicts_total";
    assert_eq!(stage.metric(conflicts, &[]).await?, 0.0);
    let written = stage
        .metric("remediationorchestrator_status_update_success_total", &[])
        .await?;
    assert!(
        written < 30.0,
        "{written} status writes for sixty changes of progress"
    );
    assert_ne!(
        before.metadata.resource_version,
        after.metadata.resource_version
    );
    Ok(())
}

async fn competing_status_writes_are_never_overwritten_and_hold_nothing_up(
    stage: &mut Stage,
) -> Result {
    stage.request("web").await?;
    let rival = async {
        for round in 0..40 {
            // A field that the orchestrator never writes after the start of a remediation.
            stage
                .edit_status("web", json!({ "historyDropped": round }))
                .await?;
        }
        Ok::<(), crate::harness::Failure>(())
    };
    let life = stage.take_to("web", "Completed");
    let (rival, life) = futures::join!(rival, life);
    rival?;
    life?;
    let request = stage
        .until("web", "the rival's last word", |s| {
            s["historyDropped"] == 39
        })
        .await?;
    assert_eq!(request.data["status"]["phase"], "Completed");
    assert_eq!(stage.count_now(NOTIF).await?, 1);
    Ok(())
}

async fn ten_foreign_status_writes_a_second_cost_ours_eight_tries_at_most(
    stage: &mut Stage,
) -> Result {
    let mut edits = 0;
    // However short a life is, lives go on until twenty foreign writes fell into them.
    for life in 0.. {
        if edits >= 20 {
            break;
        }
        let name = format!("web-{life}");
        stage.request(&name).await?;
        let rival = async {
            loop {
                let asked = Instant::now();
                let edit = json!({ "historyDropped": edits });
                stage.edit_status(&name, edit).await?;
                edits += 1;
                // The beat is the promise's; a server that is slow to answer is asked less often.
                tokio::time::sleep(TENTH.max(4 * asked.elapsed())).await;
            }
        };
        tokio::select! {
            stopped = rival => return stopped,
            ended = stage.take_to(&name, "Completed") => drop(ended?),
        }
        let answers = stage.status_writes(&name).await?;
        let most = most_tries(&answers);
        println!("{name}: {edits} foreign writes so far, {answers:?}");
        assert!(most <= 8, "L8: {most} tries of one write: {answers:?}");
    }
    Ok(())
}

/// The most tries that one write took.
fn most_tries(answers: &[u16]) -> usize {
    let tries = answers
        .split_inclusive(|code| *code == 200)
        .map(<[u16]>::len);
    tries.max().unwrap_or_default()
}

#[test]
fn tries_are_counted() {
    assert_eq!(most_tries(&[200, 409, 409, 200, 409]), 3);
    assert_eq!(most_tries(&[[409; 8].as_slice(), &[200]].concat()), 9);
}
