//! What the server checks, fills in and drops by a kind's schema.

use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams, ValidationDirective},
    core::Status,
};
use serde_json::{Value, json};

use crate::widget::{Widget, server, widget, widgets};

fn refusal(error: kube::Error) -> Status {
    match error {
        kube::Error::Api(status) => *status,
        other => panic!("not a refusal: {other}"),
    }
}

fn anything(client: &kube::Client) -> Api<DynamicObject> {
    Api::namespaced_with(
        client.clone(),
        "default",
        &ApiResource::erase::<Widget>(&()),
    )
}

fn object(spec: &Value) -> DynamicObject {
    DynamicObject::new("a", &ApiResource::erase::<Widget>(&())).data(json!({"spec": spec}))
}

#[tokio::test]
async fn defaults_come_and_unknown_fields_go() {
    let (_server, client) = server().await;
    let api = anything(&client);
    let spec = json!({"colour": "red", "size": null, "label": null, "unheard": {"of": 1}});
    let created = api
        .create(&PostParams::default(), &object(&spec))
        .await
        .unwrap();
    assert_eq!(
        created.data["spec"],
        json!({"colour": "red", "size": 3, "label": null})
    );

    let patch = json!({"spec": {"unheard": 1}});
    let strict = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    let refused = refusal(
        api.patch("a", &strict, &Patch::Merge(&patch))
            .await
            .unwrap_err(),
    );
    assert_eq!(refused.code, 422);
    assert!(
        refused
            .message
            .contains("strict decoding error: unknown field \"spec.unheard\""),
        "{}",
        refused.message
    );
}

#[tokio::test]
async fn an_invalid_object_is_refused_field_by_field() {
    let (_server, client) = server().await;
    for (spec, field, reason, message) in [
        (
            json!({}),
            "spec.colour",
            "FieldValueRequired",
            "Required value",
        ),
        (
            json!({"colour": "red", "size": 101}),
            "spec.size",
            "FieldValueInvalid",
            "Invalid value: 101: spec.size in body should be less than or equal to 100",
        ),
        (
            json!({"colour": "red", "size": "x"}),
            "spec.size",
            "FieldValueTypeInvalid",
            "Invalid value: \"string\": spec.size in body must be of type integer: \"string\"",
        ),
        (
            json!({"colour": "incredibly red"}),
            "spec.colour",
            "FieldValueTooLong",
            "Too long: may not be more than 10 bytes",
        ),
        (
            json!({"colour": "red", "label": "A"}),
            "spec.label",
            "FieldValueInvalid",
            "Invalid value: \"A\": spec.label in body should match '^[a-z]+$'",
        ),
        (
            json!({"colour": "red", "until": "later"}),
            "spec.until",
            "FieldValueTypeInvalid",
            "Invalid value: \"later\": spec.until in body must be of type date-time: \"later\"",
        ),
    ] {
        let refused = refusal(
            anything(&client)
                .create(&PostParams::default(), &object(&spec))
                .await
                .unwrap_err(),
        );
        let cause = refused.details.unwrap().causes[0].clone();
        assert_eq!(
            (
                cause.field.as_str(),
                cause.reason.as_str(),
                cause.message.as_str()
            ),
            (field, reason, message)
        );
        assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"));
    }
}

#[tokio::test]
async fn rules_in_cel_hold_and_compare_with_the_older_object() {
    let (_server, client) = server().await;
    let api = widgets(&client);
    let mut endless = widget("a");
    endless.spec.size = 60;
    endless.spec.until = Some("2026-01-01T00:00:00Z".to_owned());
    let refused = refusal(
        api.create(&PostParams::default(), &endless)
            .await
            .unwrap_err(),
    );
    assert_eq!(
        refused.message,
        "Widget.example.com \"a\" is invalid: spec: Invalid value: a large widget has no end"
    );
    let created = api
        .create(&PostParams::default(), &widget("a"))
        .await
        .unwrap();
    let patch = json!({"spec": {"size": 4}});
    let refused = refusal(
        api.patch("a", &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap_err(),
    );
    assert_eq!(
        refused.message,
        "Widget.example.com \"a\" is invalid: spec: Invalid value: size is immutable"
    );
    assert_eq!(
        api.get("a").await.unwrap().resource_version(),
        created.resource_version()
    );
}

#[tokio::test]
async fn entries_of_a_list_of_type_map_differ_in_their_keys() {
    let (_server, client) = server().await;
    widgets(&client)
        .create(&PostParams::default(), &widget("a"))
        .await
        .unwrap();
    let twice = json!({"status": {"conditions": [{"type": "A", "status": "x"}, {"type": "A", "status": "y"}]}});
    let refused = refusal(
        widgets(&client)
            .patch_status("a", &PatchParams::default(), &Patch::Merge(&twice))
            .await
            .unwrap_err(),
    );
    let cause = &refused.details.unwrap().causes[0];
    assert_eq!(cause.field, "status.conditions[1]");
    assert_eq!(cause.message, "Duplicate value: {\"type\":\"A\"}");
}

#[tokio::test]
async fn a_dry_run_checks_everything_and_writes_nothing() {
    let (server, client) = server().await;
    let before = server.resource_version();
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let created = widgets(&client).create(&dry, &widget("a")).await.unwrap();
    assert_eq!((created.resource_version(), created.spec.size), (None, 3));
    assert_eq!(server.resource_version(), before);
    assert!(widgets(&client).get_opt("a").await.unwrap().is_none());
}
