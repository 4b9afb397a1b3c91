//! One request after another, while nothing fails.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_request_goes_through_all_its_phases_within_the_write_budget() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.ask("web", alert()).await;
    world.go_through("web").await;
    let analysis = world
        .children(ChildKind::AIAnalysis)
        .get("web-aianalysis")
        .await
        .unwrap();
    assert_eq!(analysis.data["spec"]["enrichedData"]["owner"], "team-a");
    let owner = &analysis.metadata.owner_references.unwrap()[0];
    assert_eq!(
        (owner.controller, owner.block_owner_deletion),
        (Some(true), Some(true))
    );
    assert_eq!(owner.name, "web");
    let workflow = world
        .children(ChildKind::WorkflowExecution)
        .get("web-workflow")
        .await
        .unwrap();
    assert_eq!(
        workflow.data["spec"]["recommendations"][0]["parameters"]["replicas"],
        3
    );
    let told = world
        .children(ChildKind::NotificationRequest)
        .list(&ListParams::default())
        .await
        .unwrap();
    assert_eq!(told.items.len(), 1);
    assert!(told.items[0].metadata.owner_references.is_none());
    let statuses = world.count("patch", "remediationrequests/status");
    assert!(statuses <= 5, "{statuses} status writes");
    for kind in ChildKind::ALL {
        assert_eq!(world.count("create", kind.plural()), 1, "{kind}");
    }
    let shown = operator.metrics.render();
    let transition = "phase_transitions_total{from=\"Executing\",to=\"Completed\"} 1";
    assert!(shown.contains(transition), "{shown}");
    assert!(shown.contains("status_update_conflicts_total 0"), "{shown}");
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_live_while_nothing_fails() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.ask("web", alert()).await;
    world.go_through("web").await;
    let shown = operator.metrics.render();
    let reads: Vec<&str> = shown
        .lines()
        .filter(|line| line.contains("verb=\"get\""))
        .collect();
    assert!(reads.is_empty(), "{reads:?}");
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_acted_on_at_the_millisecond() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    let timeouts = Timeouts {
        processing: Some("90s".into()),
        ..Timeouts::default()
    };
    let spec = RequestSpec {
        timeouts: Some(timeouts),
        ..alert()
    };
    world.ask("slow", spec).await;
    let begun = world.reaches("slow", Phase::Processing).await;
    let failed = world.until("slow", "failed", Status::has_failed).await;
    let deadline = begun.phase_start_time.unwrap().moment() + SignedDuration::from_secs(90);
    assert_eq!(
        failed.failure_time.map(|time| time.moment()),
        Some(deadline)
    );
    world.reaches("slow", Phase::Failed).await;
    let shown = operator.metrics.render();
    assert!(shown.contains("phase_timeout_total 1"), "{shown}");
    assert!(
        shown.contains("deadline_lag_seconds_bucket{le=\"0.01\"} 1"),
        "{shown}"
    );
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_where_the_last_process_stopped() {
    let world = World::new().await;
    let first = world.operator(OperatorSettings::default());
    first.synced().await;
    world.ask("web", alert()).await;
    world.reaches("web", Phase::Processing).await;
    first.stop().await;
    let done = json!({ "phase": "Completed" });
    world
        .answer(ChildKind::RemediationProcessing, "web-processing", done)
        .await;
    let second = world.operator(OperatorSettings::default());
    world.reaches("web", Phase::Analyzing).await;
    assert_eq!(world.count("create", "remediationprocessings"), 1);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_read_is_skipped_and_said_and_the_others_go_on() {
    let world = World::new().await;
    world.ask("web", alert()).await;
    world.ask("odd", alert()).await;
    // As a newer version might write it: the schema lets any history through that this one cannot read.
    let odd = json!({ "status": { "startTime": "2026-03-01T12:00:00Z", "suspendedTotal": "99999999999h" } });
    world
        .raw_requests()
        .patch_status("odd", &PatchParams::default(), &Patch::Merge(odd))
        .await
        .unwrap();
    let operator = world.operator(OperatorSettings::default());
    world.reaches("web", Phase::Processing).await;
    let odd = world.raw_requests().get("odd").await.unwrap();
    assert_eq!(odd.data["status"]["phase"], Value::Null);
    assert!(
        operator
            .metrics
            .render()
            .contains("errors_total{category=\"C\"} 1")
    );
    for _ in 0..50 {
        if world.count("create", "events") == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(world.count("create", "events"), 1);
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn twenty_requests_at_once_all_complete_and_the_oldest_first() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    for n in 0..20 {
        world.ask(&format!("r{n:02}"), alert()).await;
    }
    for n in 0..20 {
        world.go_through(&format!("r{n:02}")).await;
    }
    assert_eq!(world.count("create", "notificationrequests"), 20);
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_is_deleted_once_when_its_time_is_over_and_its_children_go_too() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    let spec = RequestSpec {
        ttl_seconds_after_finished: Some(3600),
        ..alert()
    };
    world.ask("web", spec).await;
    world.go_through("web").await;
    let ended = world.status("web").await.completion_time.unwrap().moment();
    world
        .clock
        .sleep_until(ended + SignedDuration::from_secs(3599))
        .await;
    assert!(world.requests().get_opt("web").await.unwrap().is_some());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(world.requests().get_opt("web").await.unwrap().is_none());
    for kind in ChildKind::OWNED {
        let left = world
            .children(kind)
            .list(&ListParams::default())
            .await
            .unwrap();
        assert!(left.items.is_empty(), "{kind}");
    }
    let shown = operator.metrics.render();
    let deletions = "verb=\"delete\",resource=\"remediationrequests\",code=\"200\"} 1";
    assert!(shown.contains(deletions), "{shown}");
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_child_that_lost_its_owner_gets_it_back_and_keeps_its_other_owners() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.ask("web", alert()).await;
    world.reaches("web", Phase::Processing).await;
    let other = json!({ "apiVersion": "v1", "kind": "Namespace", "name": "default",
        "uid": world.namespace_uid().await });
    let stripped = json!({ "metadata": { "ownerReferences": [other], "labels": null } });
    let children = world.children(ChildKind::RemediationProcessing);
    children
        .patch(
            "web-processing",
            &PatchParams::default(),
            &Patch::Merge(stripped),
        )
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let child = children.get("web-processing").await.unwrap();
    let owners: Vec<String> = child
        .metadata
        .owner_references
        .unwrap()
        .into_iter()
        .map(|owner| owner.kind)
        .collect();
    assert_eq!(owners, ["Namespace", "RemediationRequest"]);
    assert_eq!(child.metadata.labels.unwrap().len(), 2);
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn only_the_namespaces_that_were_named_are_looked_at() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings {
        namespaces: vec!["default".into(), "kube-system".into()],
        ..OperatorSettings::default()
    });
    operator.synced().await;
    world.ask("web", alert()).await;
    world.go_through("web").await;
    assert_eq!(
        world.count("list", "aianalyses"),
        2,
        "one for each namespace"
    );
    let everywhere = |record: &crate::simulation::api_server::RequestRecord| {
        record.group.ends_with("kubernaut.ai") && record.namespace.is_none()
    };
    assert!(!world.server.requests().iter().any(everywhere));
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn requests_of_one_name_in_two_namespaces_do_not_see_each_others_children() {
    let here = World::new().await;
    let there = World {
        server: here.server.clone(),
        client: Client::new(here.server.service(), "kube-system"),
        clock: here.clock.clone(),
    };
    let operator = here.operator(OperatorSettings::default());
    operator.synced().await;
    here.ask("web", alert()).await;
    there.ask("web", alert()).await;
    here.reaches("web", Phase::Processing).await;
    there.reaches("web", Phase::Processing).await;
    let failed = json!({ "phase": "Failed", "reason": "NoData", "message": "nothing is known" });
    there
        .answer(ChildKind::RemediationProcessing, "web-processing", failed)
        .await;
    here.go_through("web").await;
    let status = there.reaches("web", Phase::Failed).await;
    assert_eq!(status.reason.as_deref(), Some("NoData"));
    for (world, told) in [(&here, "success"), (&there, "escalation")] {
        let notifications = world.children(ChildKind::NotificationRequest);
        let notifications = notifications.list(&ListParams::default()).await.unwrap();
        let types: Vec<&Value> = notifications
            .iter()
            .map(|told| &told.data["spec"]["type"])
            .collect();
        assert_eq!(types, [told]);
    }
    operator.stop().await;
}

impl World {
    async fn namespace_uid(&self) -> String {
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.client.clone());
        namespaces
            .get("default")
            .await
            .unwrap()
            .metadata
            .uid
            .unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_created_again_does_not_wait_for_what_was_refused_to_the_earlier_one() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.faults(|request| match request.verb.as_str() {
        "create" if request.resource == "remediationprocessings" => {
            refusal(503, "ServiceUnavailable")
        }
        _ => Intercept::Pass,
    });
    world.ask("web", alert()).await;
    // The third refusal in a row is waited for thirty seconds.
    tokio::time::sleep(Duration::from_secs(22)).await;
    world.server.set_interceptor(None);
    let delete = kube::api::DeleteParams::default();
    world.requests().delete("web", &delete).await.unwrap();
    world.ask("web", alert()).await;
    let asked = world.clock.now();
    world.reaches("web", Phase::Processing).await;
    let took = world.clock.now().duration_since(asked);
    assert!(took <= SignedDuration::from_secs(2), "{took}");
    operator.stop().await;
}
