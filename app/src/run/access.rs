//! What the operator may do: the one table of verbs. The preflight asks for each of them, the manifests grant
//! exactly them.

use remediation_core::kind::{ChildKind, REQUEST_GROUP, REQUEST_PLURAL};

/// Verbs on a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) group: &'static str,
    /// The plural, with the subresource: `remediationrequests/status`.
    pub(crate) resource: String,
    pub(crate) verbs: &'static [&'static str],
}

impl Access {
    fn to(
        group: &'static str,
        resource: impl Into<String>,
        verbs: &'static [&'static str],
    ) -> Self {
        Self {
            group,
            resource: resource.into(),
            verbs,
        }
    }
}

/// What the operator needs wherever there are requests.
pub(crate) fn on_requests() -> Vec<Access> {
    let mut all = vec![
        Access::to(
            REQUEST_GROUP,
            REQUEST_PLURAL,
            &["get", "list", "watch", "delete"],
        ),
        Access::to(
            REQUEST_GROUP,
            format!("{REQUEST_PLURAL}/status"),
            &["patch"],
        ),
        // To set blockOwnerDeletion on children where OwnerReferencesPermissionEnforcement is on.
        Access::to(
            REQUEST_GROUP,
            format!("{REQUEST_PLURAL}/finalizers"),
            &["update"],
        ),
    ];
    all.extend(ChildKind::OWNED.map(|kind| {
        let verbs = &["get", "list", "watch", "create", "patch", "delete"];
        Access::to(kind.group(), kind.plural(), verbs)
    }));
    let notification = ChildKind::NotificationRequest;
    all.push(Access::to(
        notification.group(),
        notification.plural(),
        &["get", "create"],
    ));
    all.push(Access::to("events.k8s.io", "events", &["create"]));
    all
}

/// What the operator needs in the namespace of the Lease, if it takes part in an election.
pub(crate) fn on_leases() -> Access {
    Access::to(
        "coordination.k8s.io",
        "leases",
        &["get", "create", "update"],
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use remediation_adapters::kubernetes::calls::verb_and_resource;
    use remediation_core::action::{ChildSpec, NewChild, Precondition, ProcessingSpec};
    use remediation_core::children::ChildKey;
    use remediation_core::pass::{Call, RecordCall};
    use serde_json::Value;

    use super::*;

    /// `group/resource: verb` of each rule of the roles of this kind in the manifests.
    fn granted(kind: &str) -> BTreeSet<String> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/manifests/rbac.yaml");
        let text = std::fs::read_to_string(file).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        let texts = |value: &Value| -> Vec<String> {
            let entries = value.as_array().unwrap().iter();
            entries
                .map(|entry| entry.as_str().unwrap().to_owned())
                .collect()
        };
        let mut granted = BTreeSet::new();
        for role in documents.iter().filter(|document| document["kind"] == kind) {
            for rule in role["rules"].as_array().unwrap() {
                for group in texts(&rule["apiGroups"]) {
                    for resource in texts(&rule["resources"]) {
                        for verb in texts(&rule["verbs"]) {
                            granted.insert(format!("{group}/{resource}: {verb}"));
                        }
                    }
                }
            }
        }
        granted
    }

    fn needed(all: &[Access]) -> BTreeSet<String> {
        all.iter()
            .flat_map(|access| {
                let Access {
                    group,
                    resource,
                    verbs,
                } = access;
                verbs
                    .iter()
                    .map(move |verb| format!("{group}/{resource}: {verb}"))
            })
            .collect()
    }

    #[test]
    fn the_manifests_grant_exactly_what_is_needed() {
        assert_eq!(granted("ClusterRole"), needed(&on_requests()));
        assert_eq!(granted("Role"), needed(&[on_leases()]));
    }

    /// The calls that the executor makes for a child of this kind.
    fn calls_for(kind: ChildKind) -> Vec<Call> {
        let key = ChildKey::new(kind, "web-x");
        let create = Call::Create(Box::new(NewChild {
            key: key.clone(),
            labels: std::collections::BTreeMap::new(),
            spec: ChildSpec::Processing(ProcessingSpec {
                targeting_data: Default::default(),
            }),
        }));
        let seen = Precondition {
            key: key.clone(),
            uid: "u".into(),
            resource_version: "1".into(),
        };
        let mut calls = vec![create, Call::Read(key)];
        if ChildKind::OWNED.contains(&kind) {
            calls.extend([
                Call::RestoreOwnership(seen.clone()),
                Call::DeleteChild(seen),
            ]);
        }
        calls
    }

    /// The verbs in the words of the executor and of the watches, not in those of the table.
    #[test]
    fn the_table_holds_exactly_what_executor_watches_and_events_ask_for() {
        let record = Call::Record(Box::new(RecordCall {
            from: Default::default(),
            to: Default::default(),
            resource_version: "1".into(),
            path: vec![],
        }));
        let delete = Call::DeleteRequest {
            resource_version: "1".into(),
        };
        let on_the_request = [record, Call::ReadRequest, delete].map(|call| (REQUEST_GROUP, call));
        let on_children = ChildKind::ALL.into_iter().flat_map(|kind| {
            calls_for(kind)
                .into_iter()
                .map(move |call| (kind.group(), call))
        });
        let mut asked: BTreeSet<String> = on_the_request
            .into_iter()
            .chain(on_children)
            .map(|(group, call)| {
                let (verb, resource) = verb_and_resource(&call);
                format!("{group}/{resource}: {verb}")
            })
            .collect();
        let watched = ChildKind::OWNED.map(|kind| (kind.group(), kind.plural()));
        for (group, plural) in watched.into_iter().chain([(REQUEST_GROUP, REQUEST_PLURAL)]) {
            asked.extend(["list", "watch"].map(|verb| format!("{group}/{plural}: {verb}")));
        }
        // Asked for by the API server on behalf of a create, and by the announcements.
        asked.insert(format!(
            "{REQUEST_GROUP}/{REQUEST_PLURAL}/finalizers: update"
        ));
        asked.insert("events.k8s.io/events: create".to_owned());
        assert_eq!(needed(&on_requests()), asked);
    }
}
