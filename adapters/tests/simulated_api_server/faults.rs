//! What tests can do to requests, and see of them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::{Error, ResourceExt, api::PostParams};
use remediation_adapters::simulation::api_server::{
    Intercept, Interceptor, Refusal, RequestInfo, RequestOutcome,
};

use crate::widget::{origin, server, widget, widgets};

/// Treats the next creations as told, one after the other.
struct Script(Mutex<Vec<Intercept>>);

impl Interceptor for Script {
    fn before(&self, request: &RequestInfo) -> Intercept {
        if request.verb != "create" {
            return Intercept::Pass;
        }
        self.0.lock().unwrap().pop().unwrap_or(Intercept::Pass)
    }
}

fn script(steps: impl IntoIterator<Item = Intercept>) -> Option<Arc<dyn Interceptor>> {
    let mut steps: Vec<Intercept> = steps.into_iter().collect();
    steps.reverse();
    Some(Arc::new(Script(Mutex::new(steps))))
}

#[tokio::test(start_paused = true)]
async fn requests_can_be_refused_lost_delayed_and_repeated() {
    let (server, client) = server().await;
    let api = widgets(&client);
    let refusal = Refusal {
        code: 403,
        reason: "Forbidden".to_owned(),
        message: "exceeded quota".to_owned(),
        retry_after: None,
    };
    server.set_interceptor(script([
        Intercept::Refuse(refusal),
        Intercept::Drop,
        Intercept::ApplyThenLose,
        Intercept::Delay(Duration::from_secs(60)),
        Intercept::ApplyLate(Duration::from_secs(60)),
        Intercept::ApplyTwice,
    ]));
    let create = async |name: &str| api.create(&PostParams::default(), &widget(name)).await;
    let exists = async |name: &str| api.get_opt(name).await.unwrap().is_some();

    assert!(
        matches!(create("refused").await, Err(Error::Api(status)) if status.message == "exceeded quota")
    );
    assert!(matches!(create("dropped").await, Err(Error::Service(_))));
    assert!(!exists("refused").await && !exists("dropped").await);
    assert!(matches!(create("lost").await, Err(Error::Service(_))));
    assert!(exists("lost").await);
    let delayed = create("delayed").await.unwrap();
    let age = delayed.creation_timestamp().unwrap().0.as_second() - origin().as_second();
    assert_eq!(age, 60);
    assert!(matches!(create("late").await, Err(Error::Service(_))));
    assert!(!exists("late").await);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(exists("late").await);
    server.clear_requests();
    create("twice").await.unwrap();
    let outcomes: Vec<RequestOutcome> = server
        .requests()
        .iter()
        .map(|request| request.outcome)
        .collect();
    assert_eq!(
        outcomes,
        [RequestOutcome::Answered(201), RequestOutcome::Lost]
    );
}

#[tokio::test]
async fn requests_are_logged_and_counted() {
    let (server, client) = server().await;
    let api = widgets(&client);
    let created = api
        .create(&PostParams::default(), &widget("a"))
        .await
        .unwrap();
    api.replace_status("a", &PostParams::default(), &created)
        .await
        .unwrap();
    api.get_opt("b").await.unwrap();
    let requests = server.requests();
    let told: Vec<(&str, Option<&str>, Option<&str>, RequestOutcome)> = requests
        .iter()
        .map(|request| {
            (
                request.verb.as_str(),
                request.subresource.as_deref(),
                request.name.as_deref(),
                request.outcome,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("create", None, Some("a"), RequestOutcome::Answered(201)),
            (
                "update",
                Some("status"),
                Some("a"),
                RequestOutcome::Answered(200)
            ),
            ("get", None, Some("b"), RequestOutcome::Answered(404)),
        ]
    );
    let counts = server.request_counts();
    assert_eq!(
        counts[&("update".to_owned(), "widgets/status".to_owned())],
        1
    );
}

#[tokio::test]
async fn a_body_beyond_three_mebibytes_is_refused() {
    let (_server, client) = server().await;
    let mut huge = widget("a");
    huge.annotations_mut()
        .insert("example.com/huge".to_owned(), "x".repeat(3 * 1024 * 1024));
    let refused = widgets(&client)
        .create(&PostParams::default(), &huge)
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::Api(status) if status.code == 413));
}

#[tokio::test]
async fn the_same_seed_and_requests_give_the_same_bytes() {
    let run = async || {
        let (server, client) = server().await;
        let api = widgets(&client);
        let mut generated = widget("");
        generated.metadata.generate_name = Some("w-".to_owned());
        for _ in 0..20 {
            api.create(&PostParams::default(), &generated)
                .await
                .unwrap();
        }
        server.collect_garbage();
        serde_json::to_string(&api.list(&Default::default()).await.unwrap()).unwrap()
    };
    tokio::time::pause();
    assert_eq!(run().await, run().await);
}

#[tokio::test]
async fn a_restored_state_is_the_earlier_one() {
    let (server, client) = server().await;
    let api = widgets(&client);
    let kept = api
        .create(&PostParams::default(), &widget("kept"))
        .await
        .unwrap();
    let checkpoint = server.checkpoint();
    let version = server.resource_version();
    api.create(&PostParams::default(), &widget("lost"))
        .await
        .unwrap();
    server.restore(&checkpoint);
    assert_eq!(server.resource_version(), version);
    assert_eq!(api.get("kept").await.unwrap(), kept);
    assert!(api.get_opt("lost").await.unwrap().is_none());
    let next = api
        .create(&PostParams::default(), &widget("next"))
        .await
        .unwrap();
    assert_eq!(next.resource_version(), Some((version + 1).to_string()));
}
