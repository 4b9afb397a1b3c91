//! Whole lifecycles under kills, faults and restarts of the API server: no promise is broken.

use std::time::Duration;

use crate::campaign::{Report, Settings, run};
use crate::harness::{Failure, Result};
use crate::kills::POINTS;
use crate::proxy::{Fault, Place};

fn from_environment(variable: &str, default: u64) -> Result<u64> {
    match std::env::var(variable) {
        Err(_) => Ok(default),
        Ok(text) => text.parse().map_err(|_| {
            Failure::new(format!(
                "{variable}={text}: give a whole number, for example {default}"
            ))
        }),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_promise_is_broken_whatever_crashes() -> Result {
    let lifecycles = usize::try_from(from_environment("CRASHES_LIFECYCLES", 120)?)?;
    let settings = Settings {
        seed: from_environment("CRASHES_SEED", 1)?,
        lifecycles,
        at_once: usize::try_from(from_environment("CRASHES_AT_ONCE", 24)?)?,
        limit: Duration::from_secs(from_environment("CRASHES_SECONDS", 240)?),
        restarts: 1 + lifecycles / 300,
    };
    let again = format!(
        "CRASHES_SEED={} CRASHES_LIFECYCLES={lifecycles} cargo test -p remediation-orchestrator --test crashes -- no_promise_is_broken --nocapture",
        settings.seed
    );
    let report = run(settings).await;
    let report = report.map_err(|failure| Failure::new(format!("{failure:?}\nagain: {again}")))?;
    show(&report);
    if !report.violations.is_empty() {
        let (count, folder) = (report.violations.len(), report.folder.display());
        let mut text =
            format!("{count} violations; what happened lies in {folder}\nagain: {again}\n");
        for violation in &report.violations {
            text.push_str(&format!("{}: {}\n", violation.promise, violation.what));
        }
        return Err(Failure::new(text));
    }
    assert!(report.stories.len() >= lifecycles);
    assert_eq!(
        report.restarts, settings.restarts,
        "restarts of the API server"
    );
    assert_eq!(
        report.kills.missing(),
        [""; 0],
        "never killed at these calls"
    );
    for place in Place::OF_DEATH {
        let killed = report.kills.at.keys().any(|(_, at)| *at == place);
        assert!(killed, "never killed {place:?} a call");
    }
    assert!(report.kills.starting > 0, "never killed while it started");
    assert!(report.kills.asked > 0, "never asked to end");
    for fault in Fault::OF_CALLS.into_iter().chain(Fault::OF_WATCHES) {
        assert!(
            report.faults.contains_key(&fault),
            "never injected: {fault:?}"
        );
    }
    Ok(())
}

fn show(report: &Report) {
    println!(
        "{} lifecycles in {:.0} s, {} kills, {} restarts of the API server, {} faults, {} violations",
        report.stories.len(),
        report.took.as_secs_f32(),
        report.kills.total(),
        report.restarts,
        report.faults.values().sum::<u64>(),
        report.violations.len(),
    );
    for point in POINTS {
        println!("  killed at {point}: {}", report.kills.of(point));
    }
    println!(
        "  killed anywhere: {}, while starting: {}, asked to end: {}",
        report.kills.anywhere, report.kills.starting, report.kills.asked
    );
    for (fault, count) in &report.faults {
        println!("  {fault:?}: {count}");
    }
}
