//! The watch protocol in its corners.

use std::{pin::pin, time::Duration};

use futures::{StreamExt, TryStreamExt};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    core::PartialObjectMeta,
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;

use crate::widget::{Widget, server, widget, widgets};

fn told(event: &WatchEvent<Widget>) -> String {
    match event {
        WatchEvent::Added(object) => format!("added {}", object.name_any()),
        WatchEvent::Modified(object) => format!("modified {}", object.name_any()),
        WatchEvent::Deleted(object) => {
            format!("deleted {} {}", object.name_any(), object.spec.colour)
        }
        WatchEvent::Bookmark(_) => "bookmark".to_owned(),
        WatchEvent::Error(status) => format!("error {}", status.code),
    }
}

#[tokio::test]
async fn a_change_can_take_an_object_out_of_a_selection() {
    let (_server, client) = server().await;
    let api = widgets(&client);
    let params = WatchParams::default().fields("spec.colour=red").timeout(10);
    let mut events = pin!(api.watch(&params, "0").await.unwrap());
    api.create(&PostParams::default(), &widget("a"))
        .await
        .unwrap();
    for colour in ["blue", "red"] {
        let patch = json!({"spec": {"colour": colour}});
        api.patch("a", &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
    }
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(told(&events.try_next().await.unwrap().unwrap()));
    }
    assert_eq!(
        seen,
        ["added a", "deleted a red", "added a", "deleted a red"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_gets_bookmarks_and_ends_at_its_time() {
    let (_server, client) = server().await;
    let api = widgets(&client);
    let started = tokio::time::Instant::now();
    let events = api
        .watch(&WatchParams::default().timeout(150), "0")
        .await
        .unwrap();
    let seen: Vec<String> = events
        .map_ok(|event| told(&event))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(seen, ["bookmark", "bookmark", "bookmark"]);
    assert_eq!(started.elapsed().as_secs(), 150);
}

#[tokio::test]
async fn a_version_that_is_forgotten_is_an_error_in_the_stream() {
    let (server, client) = server().await;
    let api = widgets(&client);
    let first = api
        .create(&PostParams::default(), &widget("a"))
        .await
        .unwrap();
    api.create(&PostParams::default(), &widget("b"))
        .await
        .unwrap();
    server.compact();
    let version = first.resource_version().unwrap();
    let events = api
        .watch(&WatchParams::default().timeout(10), &version)
        .await
        .unwrap();
    let seen: Vec<String> = events
        .map_ok(|event| told(&event))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(seen, ["error 410"]);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_lists_again_after_its_version_is_forgotten() {
    let (server, client) = server().await;
    let api = widgets(&client);
    let mut events = pin!(watcher(api.clone(), watcher::Config::default()).default_backoff());
    let mut inits = 0;
    while let Some(event) = events.next().await {
        if matches!(event, Ok(watcher::Event::InitDone)) {
            inits += 1;
            if inits == 2 {
                break;
            }
            api.create(&PostParams::default(), &widget("a"))
                .await
                .unwrap();
            server.compact();
        }
    }
    assert_eq!(inits, 2);
}

#[tokio::test]
async fn metadata_can_be_watched_alone() {
    let (_server, client) = server().await;
    let api = widgets(&client);
    api.create(&PostParams::default(), &widget("a"))
        .await
        .unwrap();
    let metadata: Api<PartialObjectMeta<Widget>> = Api::default_namespaced(client.clone());
    let mut objects = pin!(watcher(metadata, watcher::Config::default()).applied_objects());
    let found = objects.try_next().await.unwrap().unwrap();
    assert_eq!(found.name_any(), "a");
    let list = api.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(list.items.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_waits_without_end_of_its_own() {
    let (_server, client) = server().await;
    let api = widgets(&client);
    let mut events = pin!(
        api.watch(
            &WatchParams::default().disable_bookmarks().timeout(290),
            "0"
        )
        .await
        .unwrap()
    );
    let early = tokio::time::timeout(Duration::from_secs(289), events.next()).await;
    assert!(early.is_err(), "nothing happened, so nothing is told");
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn watches_can_be_held_back() {
    let (server, client) = server().await;
    let api = widgets(&client);
    let mut events = pin!(api.watch(&WatchParams::default(), "0").await.unwrap());
    server.hold_watches("example.com", "widgets");
    api.create(&PostParams::default(), &widget("a"))
        .await
        .unwrap();
    let early = tokio::time::timeout(Duration::from_secs(200), events.next()).await;
    assert!(
        early.is_err(),
        "neither the event nor a bookmark comes through"
    );
    assert_eq!(api.get("a").await.unwrap().name_any(), "a");
    server.release_watches("example.com", "widgets");
    assert_eq!(told(&events.try_next().await.unwrap().unwrap()), "added a");
}
