//! From the objects of a dump to requests with their children, as the core sees them.

use std::collections::{BTreeMap, BTreeSet};

use remediation_core::children::{Child, ChildKey, Children};
use remediation_core::kind::{ChildKind, REQUEST_KIND};
use remediation_core::request::Request;
use serde::Deserialize;

use super::dump::{Dump, DumpError, Found, Place};
use crate::kubernetes::read::{self, ChildWire, RequestWire};

/// A request of a dump with its children.
#[derive(Clone, Debug)]
pub struct Remediation {
    /// Where the request stands.
    pub place: Place,
    /// The request.
    pub request: Request,
    /// Those of its children that the dump holds.
    pub children: Children,
    /// The children that its status names and the dump does not hold: gone, or not dumped.
    pub missing: Vec<ChildKey>,
}

/// All requests of a dump.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// In the order of namespace and name.
    pub remediations: Vec<Remediation>,
    /// How many objects belong to no request of the dump, by kind; unknown kinds too.
    pub others: BTreeMap<String, usize>,
    /// The kinds of children of which the dump holds no object at all.
    pub kinds_without_objects: BTreeSet<ChildKind>,
}

/// Finds the requests of a dump and their children.
///
/// # Errors
/// Where a request or child cannot be read, or a request stands in the dump twice.
pub fn gather(dump: &Dump) -> Result<Gathered, DumpError> {
    let mut requests: BTreeMap<(String, String), (Place, Request)> = BTreeMap::new();
    let mut children: Vec<(String, Child)> = Vec::new();
    let mut gathered = Gathered {
        kinds_without_objects: ChildKind::ALL.into_iter().collect(),
        ..Gathered::default()
    };
    for found in &dump.objects {
        let kind = ChildKind::ALL
            .into_iter()
            .find(|kind| kind.name() == found.kind());
        if let Some(kind) = kind {
            let wire = ChildWire::deserialize(&found.object).map_err(|e| unreadable(found, &e))?;
            gathered.kinds_without_objects.remove(&kind);
            children.push(read::child(kind, wire));
        } else if found.kind() == REQUEST_KIND {
            let wire =
                RequestWire::deserialize(&found.object).map_err(|e| unreadable(found, &e))?;
            let request = read::request(wire).map_err(|e| unreadable(found, &e))?;
            let key = (
                request.identity.namespace.clone(),
                request.identity.name.clone(),
            );
            if let Some((earlier, _)) = requests.get(&key) {
                return Err(DumpError {
                    place: found.place.clone(),
                    what: format!(
                        "the RemediationRequest {}/{} stands here a second time, the first is at {earlier}; give one dump at a time",
                        key.0, key.1
                    ),
                });
            }
            requests.insert(key, (found.place.clone(), request));
        } else {
            *gathered.others.entry(found.kind().to_owned()).or_default() += 1;
        }
    }
    let mut pool = Pool::of(children);
    gathered.remediations = requests
        .into_values()
        .map(|(place, request)| {
            let named = named(&request);
            let children = pool.take(&request, &named);
            let missing = named
                .into_iter()
                .filter(|key| children.at(key).is_none())
                .collect();
            Remediation {
                place,
                request,
                children,
                missing,
            }
        })
        .collect();
    for child in pool.slots.into_iter().flatten() {
        *gathered
            .others
            .entry(child.key.kind.name().to_owned())
            .or_default() += 1;
    }
    Ok(gathered)
}

/// Children that have found no request yet.
struct Pool {
    slots: Vec<Option<Child>>,
    /// By namespace and the UID of a request that the child names as its owner or in its label.
    by_request: BTreeMap<(String, String), Vec<usize>>,
    /// By namespace and key.
    by_key: BTreeMap<(String, ChildKey), usize>,
}

impl Pool {
    fn of(children: Vec<(String, Child)>) -> Self {
        let mut pool = Self {
            slots: Vec::with_capacity(children.len()),
            by_request: BTreeMap::new(),
            by_key: BTreeMap::new(),
        };
        for (namespace, child) in children {
            let slot = pool.slots.len();
            let owner = child.owner.as_ref().map(|owner| owner.uid.clone());
            for uid in owner.into_iter().chain(child.request_uid_label.clone()) {
                let of_request = pool.by_request.entry((namespace.clone(), uid));
                of_request.or_default().push(slot);
            }
            pool.by_key.insert((namespace, child.key.clone()), slot);
            pool.slots.push(Some(child));
        }
        pool
    }

    /// Those that belong to a request or that its status names.
    fn take(&mut self, request: &Request, named: &BTreeSet<ChildKey>) -> Children {
        let namespace = &request.identity.namespace;
        let own = self
            .by_request
            .get(&(namespace.clone(), request.identity.uid.clone()))
            .into_iter()
            .flatten()
            .copied();
        let by_name = named
            .iter()
            .filter_map(|key| self.by_key.get(&(namespace.clone(), key.clone())).copied());
        own.chain(by_name)
            .collect::<Vec<usize>>()
            .into_iter()
            .filter_map(|slot| self.slots[slot].take())
            .collect()
    }
}

/// The children that the request's status names.
fn named(request: &Request) -> BTreeSet<ChildKey> {
    let status = &request.status;
    let one = |kind, named: &Option<remediation_core::status::ObjectRef>| {
        named
            .as_ref()
            .map(|named| ChildKey::new(kind, named.name.clone()))
    };
    one(
        ChildKind::RemediationProcessing,
        &status.remediation_processing_ref,
    )
    .into_iter()
    .chain(one(ChildKind::AIAnalysis, &status.ai_analysis_ref))
    .chain(one(
        ChildKind::WorkflowExecution,
        &status.workflow_execution_ref,
    ))
    .chain(
        status
            .kubernetes_execution_refs
            .iter()
            .map(|step| ChildKey::new(ChildKind::KubernetesExecution, step.name.clone())),
    )
    .chain(
        status
            .notification_refs
            .iter()
            .map(|note| ChildKey::new(ChildKind::NotificationRequest, note.name.clone())),
    )
    .collect()
}

fn unreadable(found: &Found, error: &dyn std::fmt::Display) -> DumpError {
    DumpError {
        place: found.place.clone(),
        what: format!("this {} cannot be read: {error}", found.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const DUMP: &str = r#"
apiVersion: v1
kind: List
items:
- kind: RemediationRequest
  metadata: {name: web, namespace: shop, uid: u1}
  status:
    phase: WorkflowPlanning
    remediationProcessingRef: {name: web-processing, uid: p1}
    workflowExecutionRef: {name: web-workflow, uid: w1}
- kind: RemediationProcessing
  metadata:
    name: web-processing
    namespace: shop
    uid: p1
    ownerReferences: [{kind: RemediationRequest, name: web, uid: u1, controller: true}]
  status: {phase: Completed}
- kind: AIAnalysis
  metadata: {name: web-aianalysis, namespace: elsewhere, uid: a1}
- kind: Pod
  metadata: {name: x}
"#;

    #[test]
    fn children_find_their_request_and_what_is_missing_is_said() {
        let gathered = gather(&parse("f", DUMP).unwrap()).unwrap();
        let web = &gathered.remediations[0];
        assert_eq!(web.place.line, Some(5));
        assert_eq!(web.children.iter().count(), 1);
        assert_eq!(
            web.missing,
            [ChildKey::new(ChildKind::WorkflowExecution, "web-workflow")]
        );
        assert_eq!(
            gathered.others,
            BTreeMap::from([("AIAnalysis".into(), 1), ("Pod".into(), 1)])
        );
        assert!(
            gathered
                .kinds_without_objects
                .contains(&ChildKind::WorkflowExecution)
        );
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let broken = DUMP.replace("phase: WorkflowPlanning", "phase: 7");
        let error = gather(&parse("f", &broken).unwrap())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("f:5 (items[0]): this RemediationRequest"),
            "{error}"
        );
        let twice = format!("{DUMP}---\n{}", DUMP.trim_start());
        let error = gather(&parse("f", &twice).unwrap())
            .unwrap_err()
            .to_string();
        assert!(error.contains("a second time"), "{error}");
    }
}
