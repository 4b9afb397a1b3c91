//! Category 4: timing and latency. (The exact threshold, to the nanosecond, is in core's tests.)

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Failure, Result};
use crate::stage::{RPROC, Stage, on_both_backends};

on_both_backends!(
    a_timeout_is_recorded_at_its_deadline_and_not_before,
    a_start_in_the_future_is_put_right,
    a_phase_start_edited_into_the_past_times_out_at_once,
    a_child_that_completes_before_the_deadline_beats_it_over_a_restart,
);

fn time(value: &Value) -> Result<Timestamp> {
    let text = value
        .as_str()
        .ok_or_else(|| Failure::new(format!("no time: {value}")))?;
    Ok(text.parse()?)
}

async fn a_timeout_is_recorded_at_its_deadline_and_not_before(stage: &mut Stage) -> Result {
    stage
        .request_within("web", json!({ "processing": "1200ms" }))
        .await?;
    let request = stage.until_phase("web", "Processing").await?;
    let deadline = time(&request.data["status"]["nextDeadline"])?;
    let began = time(&request.data["status"]["phaseStartTime"])?;
    assert_eq!(
        deadline.duration_since(began),
        SignedDuration::from_millis(1200)
    );
    let request = stage.until_phase("web", "Failed").await?;
    let failed = time(&request.data["status"]["failureTime"])?;
    assert!(failed >= deadline, "{failed} is before {deadline}");
    Ok(())
}

async fn a_start_in_the_future_is_put_right(stage: &mut Stage) -> Result {
    stage.request_in("web", "Processing").await?;
    let ahead = Timestamp::now() + SignedDuration::from_hours(1);
    let ahead = ahead.to_string();
    stage
        .edit_status(
            "web",
            json!({ "phaseStartTime": ahead, "startTime": ahead }),
        )
        .await?;
    stage
        .until("web", "both starts are put right", |status| {
            let limit = Timestamp::now() + SignedDuration::from_secs(5);
            ["phaseStartTime", "startTime"]
                .iter()
                .all(|field| time(&status[field]).is_ok_and(|stored| stored < limit))
        })
        .await?;
    stage.take_to("web", "Completed").await?;
    Ok(())
}

async fn a_phase_start_edited_into_the_past_times_out_at_once(stage: &mut Stage) -> Result {
    stage.request_in("web", "Processing").await?;
    // A word that the request tells of: once it does, the operator has seen that somebody began.
    stage
        .says(RPROC, "web-processing", json!({ "phase": "Warming" }))
        .await?;
    stage
        .until("web", "that the word is unknown", |status| {
            let conditions = status["conditions"].as_array();
            conditions.is_some_and(|all| all.iter().any(|c| c["reason"] == "UnknownPhase"))
        })
        .await?;
    stage
        .edit_status("web", json!({ "phaseStartTime": "2020-01-01T00:00:00Z" }))
        .await?;
    let request = stage.until_phase("web", "Failed").await?;
    assert_eq!(request.data["status"]["reason"], "PhaseTimeout");
    Ok(())
}

async fn a_child_that_completes_before_the_deadline_beats_it_over_a_restart(
    stage: &mut Stage,
) -> Result {
    stage
        .request_within("web", json!({ "processing": "1s" }))
        .await?;
    let request = stage.until_phase("web", "Processing").await?;
    let deadline = time(&request.data["status"]["nextDeadline"])?;
    stage.kill_operator().await?;
    stage
        .says(RPROC, "web-processing", json!({ "phase": "Completed" }))
        .await?;
    let left = deadline.duration_since(Timestamp::now());
    if left.is_positive() {
        tokio::time::sleep(left.unsigned_abs()).await;
    }
    stage.start_operator().await?;
    stage.until_phase("web", "Analyzing").await?;
    Ok(())
}
