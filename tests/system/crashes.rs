//! The operator is killed with SIGKILL between any two phases: the remediation goes on and nothing is done twice.

use serde_json::json;

use crate::harness::Result;
use crate::stage::{AIA, NOTIF, RPROC, STAGES, Stage, WFE, on_both_backends};

on_both_backends!(
    killed_in_each_phase_it_goes_on_and_does_nothing_twice,
    killed_after_a_failure_it_escalates_once,
);

async fn killed_in_each_phase_it_goes_on_and_does_nothing_twice(stage: &mut Stage) -> Result {
    for (phase, ..) in STAGES {
        let name = phase.to_lowercase();
        stage.request_in(&name, phase).await?;
        stage.kill_operator().await?;
        stage.start_operator().await?;
        stage.take_to(&name, "Completed").await?;
    }
    for kind in [RPROC, AIA, WFE, NOTIF] {
        assert_eq!(stage.count_now(kind).await?, STAGES.len(), "{kind}");
    }
    Ok(())
}

async fn killed_after_a_failure_it_escalates_once(stage: &mut Stage) -> Result {
    for round in 0..4 {
        let name = format!("web-{round}");
        stage.request_in(&name, "Processing").await?;
        let failed = json!({ "phase": "Failed", "reason": "Broken" });
        stage
            .says(RPROC, &format!("{name}-processing"), failed)
            .await?;
        // Wherever it is by now: before, between or after its three steps.
        stage.kill_operator().await?;
        stage.start_operator().await?;
        stage.until_phase(&name, "Failed").await?;
        stage.notification(&name, "escalation").await?;
        assert_eq!(stage.count_now(NOTIF).await?, round + 1);
    }
    Ok(())
}
