//! Create, read, change and delete, and watching it happen.

use std::pin::pin;

use futures::TryStreamExt;
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    runtime::watcher::{self, Event},
};
use serde_json::json;

use crate::widget::{server, widget, widgets};

#[tokio::test]
async fn a_created_object_carries_what_the_server_sets() {
    let (_server, client) = server().await;
    let created = widgets(&client)
        .create(&PostParams::default(), &widget("a"))
        .await
        .unwrap();
    assert_eq!(created.metadata.generation, Some(1));
    assert_eq!(created.namespace().as_deref(), Some("default"));
    assert_eq!(
        created.creation_timestamp().unwrap().0.to_string(),
        "2026-01-02T03:04:05Z"
    );
    assert_eq!(created.uid().unwrap().len(), 36);
    assert_eq!(widgets(&client).get("a").await.unwrap(), created);
}

#[tokio::test]
async fn refusals_are_those_of_a_real_server() {
    let (_server, client) = server().await;
    let api = widgets(&client);
    let created = api
        .create(&PostParams::default(), &widget("a"))
        .await
        .unwrap();
    let refusal = |error: kube::Error| match error {
        kube::Error::Api(status) => (status.code, status.reason.clone(), status.message.clone()),
        other => panic!("not a refusal: {other}"),
    };
    let again = api
        .create(&PostParams::default(), &widget("a"))
        .await
        .unwrap_err();
    assert_eq!(
        refusal(again),
        (
            409,
            "AlreadyExists".to_owned(),
            "widgets.example.com \"a\" already exists".to_owned()
        )
    );
    let absent = api.get("b").await.unwrap_err();
    assert_eq!(
        refusal(absent),
        (
            404,
            "NotFound".to_owned(),
            "widgets.example.com \"b\" not found".to_owned()
        )
    );
    let mut first = created.clone();
    first.spec.colour = "blue".to_owned();
    api.replace("a", &PostParams::default(), &first)
        .await
        .unwrap();
    let late = api
        .replace("a", &PostParams::default(), &first)
        .await
        .unwrap_err();
    assert_eq!(refusal(late).1, "Conflict");
    let wrong = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some("other".to_owned()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    assert_eq!(
        refusal(api.delete("a", &wrong).await.unwrap_err()).1,
        "Conflict"
    );
}

#[tokio::test]
async fn status_and_spec_are_written_apart() {
    let (_server, client) = server().await;
    let api = widgets(&client);
    let mut new = widget("a");
    new.status = Some(crate::widget::WidgetStatus {
        phase: Some("Early".to_owned()),
        ..Default::default()
    });
    let created = api.create(&PostParams::default(), &new).await.unwrap();
    assert_eq!(created.status, None);

    let mut changed = created.clone();
    changed.status = Some(crate::widget::WidgetStatus {
        phase: Some("Ready".to_owned()),
        ..Default::default()
    });
    changed.spec.colour = "blue".to_owned();
    let with_status = api
        .replace_status("a", &PostParams::default(), &changed)
        .await
        .unwrap();
    assert_eq!(
        with_status.status.as_ref().unwrap().phase.as_deref(),
        Some("Ready")
    );
    assert_eq!(with_status.spec.colour, "red");
    assert_eq!(with_status.metadata.generation, Some(1));

    changed.metadata.resource_version = with_status.resource_version();
    changed.status = None;
    let with_spec = api
        .replace("a", &PostParams::default(), &changed)
        .await
        .unwrap();
    assert_eq!(with_spec.spec.colour, "blue");
    assert_eq!(with_spec.status, with_status.status);
    assert_eq!(with_spec.metadata.generation, Some(2));

    let unchanged = api
        .replace("a", &PostParams::default(), &with_spec)
        .await
        .unwrap();
    assert_eq!(unchanged.resource_version(), with_spec.resource_version());

    let patch = json!({"status": {"phase": "Gone"}, "metadata": {"resourceVersion": "1"}});
    let late = api
        .patch_status("a", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap_err();
    assert!(matches!(late, kube::Error::Api(status) if status.is_conflict()));
}

#[tokio::test]
async fn a_watcher_sees_every_change_in_order() {
    let (server, client) = server().await;
    let api = widgets(&client);
    api.create(&PostParams::default(), &widget("before"))
        .await
        .unwrap();
    for config in [
        watcher::Config::default(),
        watcher::Config::default().streaming_lists(),
    ] {
        let mut events = pin!(watcher::watcher(api.clone(), config));
        let mut seen = Vec::new();
        while let Some(event) = events.try_next().await.unwrap() {
            match event {
                Event::Init => seen.push("init".to_owned()),
                Event::InitApply(object) => seen.push(format!("found {}", object.name_any())),
                Event::InitDone => {
                    seen.push("done".to_owned());
                    api.create(&PostParams::default(), &widget("after"))
                        .await
                        .unwrap();
                    server.disconnect_watches();
                    api.delete("after", &DeleteParams::default()).await.unwrap();
                }
                Event::Apply(object) => seen.push(format!("applied {}", object.name_any())),
                Event::Delete(object) => {
                    seen.push(format!("deleted {}", object.name_any()));
                    break;
                }
            }
        }
        assert_eq!(
            seen,
            [
                "init",
                "found before",
                "done",
                "applied after",
                "deleted after"
            ]
        );
    }
}

#[tokio::test]
async fn lists_come_in_pages_of_one_moment() {
    let (server, client) = server().await;
    let api = widgets(&client);
    for name in ["a", "b", "c"] {
        api.create(&PostParams::default(), &widget(name))
            .await
            .unwrap();
    }
    let first = api.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(1));
    api.delete("c", &DeleteParams::default()).await.unwrap();
    let rest = ListParams::default()
        .limit(2)
        .continue_token(first.metadata.continue_.as_deref().unwrap());
    let second = api.list(&rest).await.unwrap();
    assert_eq!(second.items[0].name_any(), "c");
    assert_eq!(
        second.metadata.resource_version,
        first.metadata.resource_version
    );
    server.compact();
    let late = api.list(&rest).await.unwrap_err();
    assert!(
        matches!(late, kube::Error::Api(status) if status.code == 410 && status.reason == "Expired")
    );
}
