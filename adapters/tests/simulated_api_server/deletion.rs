//! Finalizers, owners and their dependents, namespaces.

use k8s_openapi::{
    api::core::v1::{ConfigMap, Namespace},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::widget::{Widget, server, widget, widgets};

async fn create(client: &Client, widget: &Widget) -> Widget {
    widgets(client)
        .create(&PostParams::default(), widget)
        .await
        .unwrap()
}

/// A child of `owner` that blocks its foreground deletion.
fn child(name: &str, owner: &Widget) -> Widget {
    let mut child = widget(name);
    let mut reference = owner.controller_owner_ref(&()).unwrap();
    reference.block_owner_deletion = Some(true);
    child.owner_references_mut().push(reference);
    child
}

async fn names(client: &Client) -> Vec<String> {
    widgets(client)
        .list(&Default::default())
        .await
        .unwrap()
        .into_iter()
        .map(|found| found.name_any())
        .collect()
}

#[tokio::test]
async fn a_finalizer_holds_an_object_back_until_it_is_removed() {
    let (_server, client) = server().await;
    let mut guarded = widget("a");
    guarded
        .finalizers_mut()
        .push("example.com/guard".to_owned());
    create(&client, &guarded).await;
    let api = widgets(&client);
    let deleting = api
        .delete("a", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert!(deleting.metadata.deletion_timestamp.is_some());
    assert_eq!(deleting.metadata.generation, Some(2));
    let more = json!({"metadata": {"finalizers": ["example.com/guard", "example.com/more"]}});
    let refused = api
        .patch("a", &PatchParams::default(), &Patch::Merge(&more))
        .await
        .unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 422));
    let none = json!({"metadata": {"finalizers": null}});
    api.patch("a", &PatchParams::default(), &Patch::Merge(&none))
        .await
        .unwrap();
    assert!(api.get_opt("a").await.unwrap().is_none());
}

#[tokio::test]
async fn background_deletion_leaves_the_children_to_the_garbage_collector() {
    let (server, client) = server().await;
    let owner = create(&client, &widget("owner")).await;
    let parent = create(&client, &child("child", &owner)).await;
    create(&client, &child("grandchild", &parent)).await;
    create(&client, &widget("stranger")).await;
    assert_eq!(server.collect_garbage(), 0);
    widgets(&client)
        .delete("owner", &DeleteParams::background())
        .await
        .unwrap();
    assert_eq!(names(&client).await, ["child", "grandchild", "stranger"]);
    assert_eq!(server.collect_garbage(), 2);
    assert_eq!(names(&client).await, ["stranger"]);
}

#[tokio::test]
async fn foreground_deletion_takes_the_children_first() {
    let (server, client) = server().await;
    let owner = create(&client, &widget("owner")).await;
    let mut guarded = child("child", &owner);
    guarded
        .finalizers_mut()
        .push("example.com/guard".to_owned());
    create(&client, &guarded).await;
    widgets(&client)
        .delete("owner", &DeleteParams::foreground())
        .await
        .unwrap();
    server.collect_garbage();
    assert_eq!(
        names(&client).await,
        ["child", "owner"],
        "the child's finalizer holds both back"
    );
    let none = json!({"metadata": {"finalizers": null}});
    widgets(&client)
        .patch("child", &PatchParams::default(), &Patch::Merge(&none))
        .await
        .unwrap();
    server.collect_garbage();
    assert_eq!(names(&client).await, [""; 0]);
}

#[tokio::test]
async fn orphaned_children_stay_and_lose_their_owner() {
    let (server, client) = server().await;
    let owner = create(&client, &widget("owner")).await;
    create(&client, &child("child", &owner)).await;
    widgets(&client)
        .delete("owner", &DeleteParams::orphan())
        .await
        .unwrap();
    server.collect_garbage();
    assert_eq!(names(&client).await, ["child"]);
    assert!(
        widgets(&client)
            .get("child")
            .await
            .unwrap()
            .owner_references()
            .is_empty()
    );
}

#[tokio::test]
async fn an_owner_of_another_uid_is_no_owner() {
    let (server, client) = server().await;
    let first = create(&client, &widget("owner")).await;
    widgets(&client)
        .delete("owner", &DeleteParams::default())
        .await
        .unwrap();
    create(&client, &widget("owner")).await;
    create(&client, &child("late", &first)).await;
    assert_eq!(server.collect_garbage(), 1);
    assert_eq!(names(&client).await, ["owner"]);
}

#[tokio::test]
async fn a_child_of_two_stays_as_long_as_one_of_them() {
    let (server, client) = server().await;
    let (one, two) = (
        create(&client, &widget("one")).await,
        create(&client, &widget("two")).await,
    );
    let mut both = child("child", &one);
    both.owner_references_mut()
        .push(two.owner_ref(&()).unwrap());
    create(&client, &both).await;
    widgets(&client)
        .delete("one", &DeleteParams::default())
        .await
        .unwrap();
    server.collect_garbage();
    let left = widgets(&client).get("child").await.unwrap();
    assert_eq!(
        left.owner_references()
            .iter()
            .map(|owner| owner.name.as_str())
            .collect::<Vec<_>>(),
        ["two"]
    );
    widgets(&client)
        .delete("two", &DeleteParams::default())
        .await
        .unwrap();
    server.collect_garbage();
    assert_eq!(names(&client).await, [""; 0]);
}

#[tokio::test]
async fn a_terminating_namespace_takes_nothing_new_and_goes_with_its_contents() {
    let (server, client) = server().await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let missing: Api<Widget> = Api::namespaced(client.clone(), "prod");
    let absent = missing
        .create(&PostParams::default(), &widget("a"))
        .await
        .unwrap_err();
    assert!(
        matches!(absent, kube::Error::Api(status) if status.message == "namespaces \"prod\" not found")
    );
    let prod = serde_json::from_value(json!({"metadata": {"name": "prod"}})).unwrap();
    namespaces
        .create(&PostParams::default(), &prod)
        .await
        .unwrap();
    missing
        .create(&PostParams::default(), &widget("a"))
        .await
        .unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "prod");
    let map =
        serde_json::from_value(json!({"metadata": {"name": "m"}, "data": {"a": "b"}})).unwrap();
    maps.create(&PostParams::default(), &map).await.unwrap();

    namespaces
        .delete("prod", &DeleteParams::default())
        .await
        .unwrap();
    let refused = missing
        .create(&PostParams::default(), &widget("b"))
        .await
        .unwrap_err();
    let kube::Error::Api(status) = refused else {
        panic!("not a refusal: {refused}")
    };
    assert_eq!((status.code, status.reason.as_str()), (403, "Forbidden"));
    let causes = status.details.unwrap().causes;
    assert_eq!(causes[0].reason, "NamespaceTerminating");
    server.collect_garbage();
    assert!(namespaces.get_opt("prod").await.unwrap().is_none());
    assert!(
        maps.list(&Default::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

#[tokio::test]
async fn a_kind_goes_with_its_definition() {
    let (server, client) = server().await;
    create(&client, &widget("a")).await;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions
        .delete("widgets.example.com", &DeleteParams::default())
        .await
        .unwrap();
    server.collect_garbage();
    assert!(
        definitions
            .get_opt("widgets.example.com")
            .await
            .unwrap()
            .is_none()
    );
    let gone = widgets(&client).get("a").await.unwrap_err();
    assert!(
        matches!(gone, kube::Error::Api(status) if status.code == 404 && status.message.contains("404 page not found"))
    );
}
