//! What clients ask before they ask for objects: which groups, versions and resources there are, and how the server does.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde_json::{Value, json};

use super::{
    event, openapi,
    resource::{ResourceDefinition, VersionDefinition},
    status::ApiError,
    store::Store,
};

const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// Resources that are only created, and kept nowhere: group, plural, kind.
const REVIEWS: [(&str, &str, &str); 3] = [
    (
        "authentication.k8s.io",
        "selfsubjectreviews",
        "SelfSubjectReview",
    ),
    (
        "authorization.k8s.io",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
    ),
    (
        "authorization.k8s.io",
        "selfsubjectrulesreviews",
        "SelfSubjectRulesReview",
    ),
];

/// Answers a path that is no resource.
pub(crate) fn answer(store: &Store, path: &str) -> Result<Response<Bytes>, ApiError> {
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    let value = match segments.as_slice() {
        ["healthz" | "readyz" | "livez", ..] => {
            return Ok(response("text/plain; charset=utf-8", "ok".into()));
        }
        ["version"] => version(),
        ["api"] => json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}],
        }),
        ["api", "v1"] => resources(store, "", "v1").ok_or_else(ApiError::page_not_found)?,
        ["apis"] => json!({
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": groups(store).iter().map(|(name, versions)| group(name, versions)).collect::<Vec<_>>(),
        }),
        ["apis", name] => {
            let groups = groups(store);
            let versions = groups.get(*name).ok_or_else(ApiError::page_not_found)?;
            let mut group = group(name, versions);
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            group
        }
        ["apis", group, version] => {
            resources(store, group, version).ok_or_else(ApiError::page_not_found)?
        }
        ["openapi", "v2"] => openapi::v2(),
        ["openapi", "v3"] => {
            let mut paths = vec!["api/v1".to_owned()];
            for (group, versions) in groups(store) {
                paths.extend(
                    versions
                        .iter()
                        .map(|version| format!("apis/{group}/{version}")),
                );
            }
            openapi::index(&paths)
        }
        ["openapi", "v3", "api", "v1"] => openapi::document(store, "", "v1"),
        ["openapi", "v3", "apis", group, version] => openapi::document(store, group, version),
        _ => return Err(ApiError::page_not_found()),
    };
    Ok(response("application/json", value.to_string().into()))
}

fn response(content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The version of Kubernetes whose behaviour is simulated.
fn version() -> Value {
    json!({
        "major": "1",
        "minor": "36",
        "gitVersion": "v1.36.3",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "simulated",
    })
}

/// The named groups and their versions.
fn groups(store: &Store) -> BTreeMap<String, BTreeSet<String>> {
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |group: &str, version: &str| {
        groups
            .entry(group.to_owned())
            .or_default()
            .insert(version.to_owned());
    };
    add(event::GROUP, "v1");
    for (group, _, _) in REVIEWS {
        add(group, "v1");
    }
    for resource in store.resources.values() {
        let definition = &resource.definition;
        for version in definition
            .versions
            .iter()
            .filter(|_| !definition.group.is_empty())
        {
            add(&definition.group, &version.name);
        }
    }
    groups
}

fn group(name: &str, versions: &BTreeSet<String>) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    json!({"name": name, "versions": versions, "preferredVersion": versions.first()})
}

fn resources(store: &Store, group: &str, version: &str) -> Option<Value> {
    let mut list = Vec::new();
    for resource in store.resources.values() {
        let definition = &resource.definition;
        let newer_events = group == event::GROUP && definition.is("", "events");
        if definition.group != group && !newer_events {
            continue;
        }
        for served in definition
            .versions
            .iter()
            .filter(|served| served.name == version)
        {
            list.extend(entries(definition, served));
        }
    }
    for (_, plural, kind) in REVIEWS
        .iter()
        .filter(|(review, _, _)| *review == group && version == "v1")
    {
        list.push(json!({
            "name": plural, "singularName": kind.to_lowercase(), "namespaced": false, "kind": kind, "verbs": ["create"],
        }));
    }
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    (!list.is_empty()).then(|| {
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list})
    })
}

fn entries(definition: &ResourceDefinition, version: &VersionDefinition) -> Vec<Value> {
    let mut entry = json!({
        "name": definition.plural,
        "singularName": definition.singular,
        "namespaced": definition.namespaced,
        "kind": definition.kind,
        "verbs": VERBS,
    });
    if !definition.short_names.is_empty() {
        entry["shortNames"] = definition.short_names.clone().into();
    }
    if !definition.categories.is_empty() {
        entry["categories"] = definition.categories.clone().into();
    }
    let mut entries = vec![entry];
    if version.status {
        entries.push(json!({
            "name": format!("{}/status", definition.plural),
            "singularName": "",
            "namespaced": definition.namespaced,
            "kind": definition.kind,
            "verbs": ["get", "patch", "update"],
        }));
    }
    entries
}
