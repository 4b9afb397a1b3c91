//! Calls and watches that fail.

use std::sync::Mutex;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_creation_creates_nothing_twice() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    let lost = Mutex::new(std::collections::BTreeSet::new());
    world.faults(move |request| {
        let first = request.verb == "create"
            && request.resource != "remediationrequests"
            && lost.lock().unwrap().insert(request.resource.clone());
        if first {
            Intercept::ApplyThenLose
        } else {
            Intercept::Pass
        }
    });
    world.ask("web", alert()).await;
    world.go_through("web").await;
    for kind in ChildKind::ALL {
        let all = world
            .children(kind)
            .list(&ListParams::default())
            .await
            .unwrap();
        assert_eq!(all.items.len(), 1, "{kind}");
    }
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_all_backoffs_when_the_watches_come_back() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.ask("web", alert()).await;
    world.reaches("web", Phase::Processing).await;
    world.faults(|request| {
        // The controllers of the children still get through.
        let ours = request.verb != "patch" || request.resource == "remediationrequests";
        if ours {
            refusal(503, "ServiceUnavailable")
        } else {
            Intercept::Pass
        }
    });
    let done = json!({ "phase": "Completed" });
    world
        .answer(ChildKind::RemediationProcessing, "web-processing", done)
        .await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.server.disconnect_watches();
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.server.set_interceptor(None);
    let back = world.clock.now();
    world.reaches("web", Phase::Analyzing).await;
    let late = world.clock.now().duration_since(back);
    assert!(late <= SignedDuration::from_secs(10), "{late}");
    let shown = operator.metrics.render();
    assert!(
        shown.contains("watch_reconnections_total{kind=\"AIAnalysis\"} 1"),
        "{shown}"
    );
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_ordinary_end_of_a_watch_is_not_counted_and_loses_nothing() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.ask("web", alert()).await;
    world.reaches("web", Phase::Processing).await;
    tokio::time::sleep(Duration::from_secs(700)).await;
    let done = json!({ "phase": "Completed" });
    world
        .answer(ChildKind::RemediationProcessing, "web-processing", done)
        .await;
    world.reaches("web", Phase::Analyzing).await;
    let shown = operator.metrics.render();
    assert!(!shown.contains("watch_reconnections_total{"), "{shown}");
    assert_eq!(world.count("list", "aianalyses"), 1);
    assert!(world.count("watch", "aianalyses") >= 3);
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_gone_leads_to_a_new_list() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.ask("web", alert()).await;
    world.reaches("web", Phase::Processing).await;
    let done = json!({ "phase": "Completed" });
    world.faults(|request| match request.verb.as_str() {
        "watch" => Intercept::Drop,
        _ => Intercept::Pass,
    });
    world.server.disconnect_watches();
    tokio::time::sleep(Duration::from_secs(3)).await;
    world
        .answer(ChildKind::RemediationProcessing, "web-processing", done)
        .await;
    world.server.compact();
    world.server.set_interceptor(None);
    world.reaches("web", Phase::Analyzing).await;
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_to_list_is_told_at_readyz_with_what_to_do() {
    let world = World::new().await;
    world.faults(|request| {
        if request.verb == "list" && request.resource == "aianalyses" {
            refusal(403, "Forbidden")
        } else {
            Intercept::Pass
        }
    });
    let operator = world.operator(OperatorSettings::default());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let told = operator.health.unready().unwrap();
    assert!(told.contains("AIAnalysis ("), "{told}");
    assert!(told.contains("Forbidden (made for the test)"), "{told}");
    assert!(
        told.contains("grant the orchestrator's ServiceAccount"),
        "{told}"
    );
    world.server.set_interceptor(None);
    operator.synced().await;
    assert_eq!(operator.health.unready(), None);
    operator.stop().await;
}

/// Takes the definition of KubernetesExecution away.
async fn uninstall_executions(world: &World) {
    let crds: Api<DynamicObject> = Api::all_with(
        world.client.clone(),
        &kube::core::ApiResource::erase::<
            k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
        >(&()),
    );
    let name = "kubernetesexecutions.kubernetesexecution.kubernaut.ai";
    crds.delete(name, &kube::api::DeleteParams::default())
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_not_installed_does_not_hold_up_the_others() {
    let world = World::new().await;
    uninstall_executions(&world).await;
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.ask("web", alert()).await;
    world.reaches("web", Phase::Processing).await;
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_turns_out_to_be_missing_after_an_outage_does_not_either() {
    let world = World::new().await;
    uninstall_executions(&world).await;
    let refused = Mutex::new(false);
    world.faults(move |request| {
        let first = request.resource == "kubernetesexecutions"
            && !std::mem::replace(&mut *refused.lock().unwrap(), true);
        if first {
            refusal(503, "ServiceUnavailable")
        } else {
            Intercept::Pass
        }
    });
    let operator = world.operator(OperatorSettings::default());
    operator.synced().await;
    world.ask("web", alert()).await;
    world.reaches("web", Phase::Processing).await;
    operator.stop().await;
}

/// Panics at every call for the request `poison`.
struct Panics(KubeCalls);

impl Calls for Panics {
    fn call(
        &self,
        request: &remediation_core::request::Identity,
        call: &remediation_core::pass::Call,
    ) -> futures::future::BoxFuture<'static, remediation_core::pass::Outcome> {
        assert!(request.name != "poison", "made for the test");
        self.0.call(request, call)
    }
}

/// An operator that panics over the request `poison`, until the sender is used.
fn poisoned(world: &World) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>, Metrics) {
    let metrics = Metrics::new();
    let operator = Operator::new(
        world.client.clone(),
        world.clock.clone(),
        OperatorSettings::default(),
        metrics.clone(),
    )
    .with_calls(Arc::new(Panics(KubeCalls::new(world.client.clone()))));
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(operator.run(async {
        stopped.await.ok();
    }));
    (stop, task, metrics)
}

fn panics(metrics: &Metrics) -> u32 {
    let shown = metrics.render();
    let line = shown
        .lines()
        .find(|line| line.contains("category=\"Panic\""))
        .unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_panics_is_survived_and_stays_with_its_request() {
    let world = World::new().await;
    let (stop, task, metrics) = poisoned(&world);
    world.ask("poison", alert()).await;
    world.ask("web", alert()).await;
    let asked = world.clock.now();
    world.go_through("web").await;
    let took = world.clock.now().duration_since(asked);
    assert!(took <= SignedDuration::from_secs(1), "S31: it took {took}");
    tokio::time::sleep(Duration::from_secs(120)).await;
    let panics = panics(&metrics);
    assert!(
        (3..=8).contains(&panics),
        "with backoff: {panics} in two minutes"
    );
    stop.send(()).unwrap();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_poisoned_and_is_gone_leaves_its_backoff_to_nobody() {
    let world = World::new().await;
    let (stop, task, metrics) = poisoned(&world);
    world.ask("poison", alert()).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    let requests = world.requests();
    requests
        .delete("poison", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let before = panics(&metrics);
    world.ask("poison", alert()).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(panics(&metrics) - before, 2, "one more after five seconds");
    stop.send(()).unwrap();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn neither_refused_nor_hanging_calls_of_other_requests_delay_a_deadline() {
    let world = World::new().await;
    let operator = world.operator(OperatorSettings {
        concurrency: 2,
        ..OperatorSettings::default()
    });
    operator.synced().await;
    let seconds = (4..=40).step_by(4);
    for limit in seconds.clone() {
        let timeouts = Timeouts {
            processing: Some(format!("{limit}s")),
            ..Timeouts::default()
        };
        let spec = RequestSpec {
            timeouts: Some(timeouts),
            ..alert()
        };
        world.ask(&format!("web-{limit}"), spec).await;
    }
    let asked: Arc<Mutex<std::collections::BTreeMap<&str, u32>>> = Arc::default();
    let counted = asked.clone();
    world.faults(move |request| {
        let people = request.verb == "create" && request.resource == "remediationrequests";
        let about = |name: &str| match &request.name {
            Some(of) => of.starts_with(name),
            None => String::from_utf8_lossy(&request.body).contains(&format!("\"name\":\"{name}")),
        };
        let Some(name) = ["refused", "hanging"].into_iter().find(|name| about(name)) else {
            return Intercept::Pass;
        };
        if people {
            return Intercept::Pass;
        }
        *counted.lock().unwrap().entry(name).or_default() += 1;
        match name {
            "refused" => refusal(503, "ServiceUnavailable"),
            _ => Intercept::Delay(Duration::from_secs(3600)),
        }
    });
    world.ask("refused", alert()).await;
    world.ask("hanging", alert()).await;
    for limit in seconds {
        let name = format!("web-{limit}");
        let deadline = world.reaches(&name, Phase::Processing).await.next_deadline;
        world
            .until(&name, "failed", |status| status.failure_time.is_some())
            .await;
        let late = world.clock.now().duration_since(deadline.unwrap().moment());
        assert!(late <= SignedDuration::from_secs(1), "S31: {late} late");
    }
    let asked = asked.lock().unwrap().clone();
    assert!(
        asked.get("refused") >= Some(&3) && asked.get("hanging") >= Some(&3),
        "{asked:?}"
    );
    operator.stop().await;
}
