//! The kind that the tests are about, and a server that serves it.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client, CustomResource, CustomResourceExt, KubeSchema, api::PostParams};
use remediation_adapters::simulation::api_server::{ApiServer, Options, TokioClock};
use serde::{Deserialize, Serialize};

#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "example.com",
    version = "v1",
    kind = "Widget",
    namespaced,
    status = "WidgetStatus",
    shortname = "wd",
    category = "all",
    selectable = ".spec.colour",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Colour","type":"string","jsonPath":".spec.colour"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Size","type":"integer","jsonPath":".spec.size","priority":1}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.size == oldSelf.size").message("size is immutable"))]
#[x_kube(validation = Rule::new("!has(self.until) || self.size < 50").message("a large widget has no end"))]
pub(crate) struct WidgetSpec {
    #[schemars(length(min = 1, max = 10))]
    pub colour: String,
    #[serde(default = "default_size")]
    #[schemars(range(min = 1, max = 100))]
    pub size: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[a-z]+$"))]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub until: Option<String>,
}

fn default_size() -> i32 {
    3
}

#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WidgetStatus {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<WidgetCondition>,
}

#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub(crate) struct WidgetCondition {
    #[serde(rename = "type")]
    pub type_: String,
    pub status: String,
}

pub(crate) fn origin() -> Timestamp {
    "2026-01-02T03:04:05.678Z".parse().unwrap()
}

pub(crate) fn empty_server() -> ApiServer {
    ApiServer::new(Options::new(Arc::new(TokioClock::starting_at(origin())), 1))
}

/// A server that serves widgets.
pub(crate) async fn server() -> (ApiServer, Client) {
    let server = empty_server();
    let client = server.client();
    install(&client).await;
    server.clear_requests();
    (server, client)
}

pub(crate) async fn install(client: &Client) {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions
        .create(&PostParams::default(), &Widget::crd())
        .await
        .unwrap();
}

pub(crate) fn widgets(client: &Client) -> Api<Widget> {
    Api::namespaced(client.clone(), "default")
}

pub(crate) fn widget(name: &str) -> Widget {
    Widget::new(
        name,
        WidgetSpec {
            colour: "red".to_owned(),
            size: 3,
            ..WidgetSpec::default()
        },
    )
}
