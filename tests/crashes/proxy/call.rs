//! What a request that passes the proxy is about, as far as faults and traps look at it.

use bytes::Bytes;
use http::Method;
use http::request::Parts;
use serde_json::Value;

/// A request on its way.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// `get`, `list`, `watch`, `create`, `patch`, `update` or `delete`.
    pub(crate) verb: &'static str,
    /// The plural, `status` behind a slash where the request is about that: `remediationrequests/status`.
    pub(crate) resource: String,
    /// The object's name; that of the body where it is created.
    pub(crate) name: String,
    /// What a status write says: the phase, or `failure` where it records one before the phase changes.
    pub(crate) says: String,
}

impl Call {
    pub(super) fn of(head: &Parts, body: &Bytes) -> Self {
        let parts: Vec<&str> = head.uri.path().split('/').skip(1).collect();
        // /api/v1/… and /apis/<group>/<version>/…, then perhaps namespaces/<namespace>.
        let rest = match parts.first() {
            Some(&"api") => parts.get(2..),
            Some(&"apis") => parts.get(3..),
            Some(_) | None => None,
        };
        let rest = match rest.unwrap_or_default() {
            ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
            rest => rest,
        };
        let (plural, name, sub) = match rest {
            [] => ("", "", ""),
            [plural] => (*plural, "", ""),
            [plural, name] => (*plural, *name, ""),
            [plural, name, sub, ..] => (*plural, *name, *sub),
        };
        let watched = head.uri.query().is_some_and(|query| {
            query
                .split('&')
                .any(|pair| pair == "watch=true" || pair == "watch=1")
        });
        let verb = match head.method {
            Method::POST => "create",
            Method::PATCH => "patch",
            Method::PUT => "update",
            Method::DELETE => "delete",
            _ if watched => "watch",
            _ if name.is_empty() => "list",
            _ => "get",
        };
        let body: Value = match verb {
            "create" | "patch" => serde_json::from_slice(body).unwrap_or_default(),
            _ => Value::Null,
        };
        let status = &body["status"];
        let says = match status["phase"].as_str() {
            Some(phase) => phase,
            None if status["failureTime"].is_string() => "failure",
            None => "",
        };
        let name = match verb {
            "create" => body["metadata"]["name"].as_str().unwrap_or_default(),
            _ => name,
        };
        Self {
            verb,
            resource: match sub {
                "" => plural.to_owned(),
                sub => format!("{plural}/{sub}"),
            },
            name: name.to_owned(),
            says: says.to_owned(),
        }
    }

    /// Whether it could change something.
    pub(crate) fn is_write(&self) -> bool {
        matches!(self.verb, "create" | "patch" | "update" | "delete")
    }

    /// Whether it is a write of the work itself, and not of the election, the preflight or an Event.
    pub(crate) fn is_work(&self) -> bool {
        let resource = self.resource.as_str();
        self.is_write()
            && !resource.ends_with("reviews")
            && !["leases", "events"].contains(&resource)
    }

    /// What it does, without names: `create aianalyses`, `record Analyzing`.
    pub(crate) fn label(&self) -> String {
        if self.resource == "remediationrequests/status" && !self.says.is_empty() {
            format!("record {}", self.says)
        } else {
            format!("{} {}", self.verb, self.resource)
        }
    }
}

#[cfg(test)]
fn call(method: Method, uri: &str, body: &str) -> Call {
    let request = http::Request::builder().method(method).uri(uri).body(());
    let (head, ()) = request.expect("a request").into_parts();
    Call::of(&head, &Bytes::copy_from_slice(body.as_bytes()))
}

#[test]
fn a_request_is_named_after_what_it_does() {
    let group = "/apis/remediation.kubernaut.ai/v1alpha1/namespaces/shop/remediationrequests";
    let label = |method, uri: &str, body: &str| call(method, uri, body).label();
    assert_eq!(label(Method::GET, group, ""), "list remediationrequests");
    assert_eq!(
        label(Method::GET, &format!("{group}?watch=true&limit=1"), ""),
        "watch remediationrequests"
    );
    let status = format!("{group}/web/status?fieldManager=x");
    let says = r#"{"status":{"phase":"Analyzing"}}"#;
    assert_eq!(label(Method::PATCH, &status, says), "record Analyzing");
    let says = r#"{"status":{"failureTime":"2026-01-01T00:00:00Z"}}"#;
    assert_eq!(label(Method::PATCH, &status, says), "record failure");
    assert_eq!(
        label(Method::PATCH, &status, r#"{"status":{"message":"x"}}"#),
        "patch remediationrequests/status"
    );
    let created = call(
        Method::POST,
        "/api/v1/namespaces/a/events",
        r#"{"metadata":{"name":"e"}}"#,
    );
    assert_eq!(
        (created.label().as_str(), created.name.as_str()),
        ("create events", "e")
    );
    assert!(created.is_write());
    assert_eq!(label(Method::GET, "/readyz", ""), "list ");
}
