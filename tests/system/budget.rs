//! The audit log of a fault-free run, held to the budget: what the operator asks of the API server.

use std::collections::BTreeMap;

use serde_json::json;

use crate::harness::{AuditEvent, DEADLINE, Result};
use crate::stage::{KEXEC, Stage, WFE};

/// The operator's requests by verb and resource.
fn by_verb(events: &[AuditEvent]) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        let resource = event.object_ref.as_ref().map_or(String::new(), |object| {
            match object.subresource.as_str() {
                "" => object.resource.clone(),
                subresource => format!("{}/{subresource}", object.resource),
            }
        });
        *counts.entry((event.verb.clone(), resource)).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_fault_free_remediation_makes_at_most_ten_writes_and_an_event() -> Result {
    let stage = Stage::real("budget").await?;
    let outcome = run(&stage).await;
    stage.close(outcome).await
}

async fn run(stage: &Stage) -> Result {
    let plane = stage.plane()?;
    let mark = plane.audit_mark();
    stage.request_in("web", "WorkflowPlanning").await?;
    let plan =
        json!({ "executedBy": "Orchestrator", "steps": [{ "name": "scale", "action": "Scale" }] });
    stage
        .says(
            WFE,
            "web-workflow",
            json!({ "phase": "Executing", "plan": plan }),
        )
        .await?;
    stage.until_phase("web", "Executing").await?;
    stage
        .says(
            KEXEC,
            "web-execution-scale",
            json!({ "phase": "Completed" }),
        )
        .await?;
    stage
        .says(WFE, "web-workflow", json!({ "phase": "Completed" }))
        .await?;
    stage.until_phase("web", "Completed").await?;
    let ours = |event: &AuditEvent| {
        event.user_agent.starts_with("remediation-orchestrator") && event.is_in(&stage.namespace)
    };
    let what = "the Event about the outcome is written";
    plane
        .audited(mark, what, 1, DEADLINE, |event| {
            ours(event)
                && event
                    .object_ref
                    .as_ref()
                    .is_some_and(|o| o.resource == "events")
        })
        .await?;
    let all: Vec<AuditEvent> = plane.audit_since(mark)?.into_iter().filter(ours).collect();
    let counts = by_verb(&all);
    for ((verb, resource), count) in &counts {
        println!("{count:3} {verb} {resource}");
    }
    let sum = |fits: &dyn Fn(&str, &str) -> bool| -> usize {
        counts
            .iter()
            .filter(|((verb, resource), _)| fits(verb, resource))
            .map(|(_, n)| n)
            .sum()
    };
    let is_event = |resource: &str| resource == "events";
    let writes =
        sum(&|verb, resource| !["get", "list", "watch"].contains(&verb) && !is_event(resource));
    let events = sum(&|_, resource| is_event(resource));
    let reads = sum(&|verb, _| ["get", "list"].contains(&verb));
    println!("writes {writes}, Events {events}, live reads {reads}");
    assert!(writes <= 10, "{writes} writes: {counts:?}");
    assert!(events <= 1, "{events} Events");
    assert_eq!(
        reads, 0,
        "no live GET or LIST on the fault-free path: {counts:?}"
    );
    Ok(())
}
