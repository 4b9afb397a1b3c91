//! A hand on the simulated API server: requests that are answered at once, for people and for what is prepared.

use futures::FutureExt;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use remediation_core::kind::{API_VERSION, ChildKind, REQUEST_GROUP, REQUEST_PLURAL};
use serde_json::Value;
use tower::Service;

use crate::simulation::api_server::ApiServer;
use crate::simulation::promises::Kind;

/// The namespace in which everything happens.
pub(super) const NAMESPACE: &str = "shop";
/// What people call themselves.
pub(super) const USER: &str = "user";

/// Somebody who speaks to the server without waiting.
#[derive(Clone)]
pub(super) struct Hand {
    server: ApiServer,
}

impl Hand {
    pub(super) fn new(server: ApiServer) -> Self {
        Self { server }
    }

    /// The code and the body of the answer. A request that the server would make wait is not answered: code 0.
    pub(super) fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let content_type = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let bytes = if body.is_null() {
            bytes::Bytes::new()
        } else {
            body.to_string().into()
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, content_type)
            .header(header::USER_AGENT, USER)
            .body(Full::new(bytes));
        let Ok(request) = request else {
            return (0, Value::Null);
        };
        let answer = self.server.service().call(request).now_or_never();
        let Some(Ok(answer)) = answer else {
            return (0, Value::Null);
        };
        let code = answer.status().as_u16();
        let body = answer.into_body().collect().now_or_never();
        let body = body.and_then(Result::ok).map(|body| body.to_bytes());
        let value = body.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        (code, value.unwrap_or_default())
    }

    /// The objects of a collection.
    pub(super) fn list(&self, path: &str) -> Vec<Value> {
        match self.send("GET", path, &Value::Null).1["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        }
    }

    /// All requests and children.
    pub(super) fn everything(&self) -> Vec<(Kind, Value)> {
        let children = ChildKind::ALL.map(|kind| (Kind::Child(kind), children(kind)));
        let all = [(Kind::Request, requests())].into_iter().chain(children);
        all.flat_map(|(kind, path)| {
            self.list(&path)
                .into_iter()
                .map(move |object| (kind, object))
        })
        .collect()
    }
}

/// The path of the requests.
pub(super) fn requests() -> String {
    collection(REQUEST_GROUP, REQUEST_PLURAL)
}

/// The path of the children of a kind.
pub(super) fn children(kind: ChildKind) -> String {
    collection(kind.group(), kind.plural())
}

fn collection(group: &str, plural: &str) -> String {
    format!("/apis/{group}/{API_VERSION}/namespaces/{NAMESPACE}/{plural}")
}
