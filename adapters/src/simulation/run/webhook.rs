//! A mutating webhook: it adds to what operators create, as a service mesh or a policy engine does.

use http::{Method, Request};
use kube::client::Body as ClientBody;
use remediation_core::kind::ChildKind;
use serde_json::{Value, json};

/// The request as the webhook makes it, and whether it was one that it changes.
pub(super) async fn mutate(request: Request<ClientBody>) -> (Request<ClientBody>, bool) {
    let path = request.uri().path();
    let kind = ChildKind::ALL
        .into_iter()
        .find(|kind| path.ends_with(&format!("/{}", kind.plural())));
    let (Some(kind), &Method::POST) = (kind, request.method()) else {
        return (request, false);
    };
    let (parts, body) = request.into_parts();
    // The body of a creation is in memory, and reading it cannot fail.
    let bytes = body.collect_bytes().await.unwrap_or_default();
    let Ok(mut object) = serde_json::from_slice::<Value>(&bytes) else {
        return (Request::from_parts(parts, bytes.to_vec().into()), false);
    };
    object["metadata"]["labels"]["mesh.example.com/revision"] = json!("1-27");
    object["metadata"]["annotations"]["mesh.example.com/injected"] = json!("{\"sidecar\":[]}");
    if let (ChildKind::NotificationRequest, Some(channels)) =
        (kind, object["spec"]["channels"].as_array_mut())
    {
        channels.push(json!("audit"));
    }
    let body = object.to_string().into_bytes();
    (Request::from_parts(parts, body.into()), true)
}
