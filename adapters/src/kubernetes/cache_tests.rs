//! The indexes of the cache, event by event.

use remediation_core::children::{ChildStatus, Owner, ProcessingStatus};
use remediation_core::request::Identity;
use remediation_core::status::ObjectRef;

use super::*;

fn source(watched: Watched) -> Source {
    Source {
        watched,
        namespace: None,
    }
}

fn request(name: &str, uid: &str, version: &str) -> Request {
    Request {
        identity: Identity {
            namespace: "shop".into(),
            name: name.into(),
            uid: uid.into(),
        },
        resource_version: version.into(),
        ..Request::default()
    }
}

const RP: ChildKind = ChildKind::RemediationProcessing;

fn child(name: &str, version: &str, owner: Option<(&str, &str)>) -> Child {
    Child {
        key: ChildKey::new(RP, name),
        uid: format!("uid-of-{name}"),
        resource_version: version.into(),
        deleting: false,
        owner: owner.map(|(name, uid)| Owner {
            kind: REQUEST_KIND.into(),
            name: name.into(),
            uid: uid.into(),
        }),
        request_label: None,
        request_uid_label: None,
        status: ChildStatus::Processing(ProcessingStatus::default()),
    }
}

fn names(affected: Affected) -> Vec<String> {
    affected.into_iter().map(|name| name.name).collect()
}

#[test]
fn a_child_leads_to_its_owner_whatever_the_uid() {
    let mut cache = Cache::default();
    let watch = source(Watched::Child(RP));
    let affected = cache.child_seen(
        &watch,
        "shop",
        child("web-processing", "5", Some(("web", "old"))),
    );
    assert_eq!(names(affected), ["web"]);
    assert_eq!(cache.owned_by("old").count(), 1);
    assert_eq!(cache.owned_by("new").count(), 0);
    let gone = cache.child_gone(&watch, &(RP, ObjectName::new("shop", "web-processing")), 6);
    assert_eq!(names(gone), ["web"]);
    assert_eq!(cache.owned_by("old").count(), 0);
}

#[test]
fn a_child_that_lost_its_owner_leads_to_the_request_that_names_it() {
    let mut cache = Cache::default();
    let mut web = request("web", "u-1", "3");
    web.status.remediation_processing_ref = Some(ObjectRef {
        name: "web-processing".into(),
        uid: "c-1".into(),
    });
    cache.request_seen(&source(Watched::Request), web);
    let watch = source(Watched::Child(RP));
    let affected = cache.child_seen(&watch, "shop", child("web-processing", "5", None));
    assert_eq!(names(affected), ["web"]);
    let elsewhere = cache.child_seen(&watch, "other", child("web-processing", "6", None));
    assert!(
        elsewhere.is_empty(),
        "a name counts in its own namespace only"
    );
    cache.request_gone(
        &source(Watched::Request),
        &ObjectName::new("shop", "web"),
        7,
    );
    let affected = cache.child_seen(&watch, "shop", child("web-processing", "8", None));
    assert!(
        affected.is_empty(),
        "the index forgets a request that is gone"
    );
}

#[test]
fn an_owner_that_changes_concerns_both() {
    let mut cache = Cache::default();
    let watch = source(Watched::Child(RP));
    cache.child_seen(&watch, "shop", child("c", "5", Some(("a", "ua"))));
    let affected = cache.child_seen(&watch, "shop", child("c", "6", Some(("b", "ub"))));
    assert_eq!(names(affected), ["a", "b"]);
    assert_eq!(cache.owned_by("ua").count(), 0);
    assert_eq!(cache.owned_by("ub").count(), 1);
}

#[test]
fn the_same_version_twice_concerns_nobody() {
    let mut cache = Cache::default();
    let watch = source(Watched::Request);
    assert_eq!(
        names(cache.request_seen(&watch, request("web", "u-1", "3"))),
        ["web"]
    );
    assert!(
        cache
            .request_seen(&watch, request("web", "u-1", "3"))
            .is_empty()
    );
    assert_eq!(cache.active()[&Phase::Pending], 1);
}

#[test]
fn a_version_that_is_used_again_for_something_else_is_another() {
    let mut cache = Cache::default();
    let requests = source(Watched::Request);
    let name = ObjectName::new("shop", "web");
    cache.request_seen(&requests, request("web", "u-1", "3"));
    let mut restored = request("web", "u-1", "3");
    restored.status.observed_generation = Some(7);
    let affected = cache.requests_listed(&requests, vec![restored.clone()], 3);
    assert_eq!(names(affected), ["web"]);
    assert_eq!(**cache.request(&name).unwrap(), restored);

    let children = source(Watched::Child(RP));
    let seen = child("web-processing", "5", Some(("web", "u-1")));
    cache.child_seen(&children, "shop", seen.clone());
    let restored = Child {
        deleting: true,
        ..seen
    };
    let listed = vec![("shop".to_owned(), restored.clone())];
    assert_eq!(
        names(cache.children_listed(&children, RP, listed, 5)),
        ["web"]
    );
    assert_eq!(
        **cache.child(&place("shop", &restored.key)).unwrap(),
        restored
    );
}

#[test]
fn a_list_replaces_what_was_seen_in_its_namespace_only() {
    let mut cache = Cache::default();
    let all = source(Watched::Request);
    cache.request_seen(&all, request("a", "ua", "3"));
    cache.request_seen(&all, request("b", "ub", "4"));
    let shop = Source {
        watched: Watched::Request,
        namespace: Some("other".into()),
    };
    assert!(cache.requests_listed(&shop, vec![], 9).is_empty());
    let affected = cache.requests_listed(
        &all,
        vec![request("b", "ub", "4"), request("c", "uc", "8")],
        9,
    );
    assert_eq!(names(affected), ["a", "c"]);
    assert_eq!(cache.requests().count(), 2);
    assert_eq!(cache.active()[&Phase::Pending], 2);
}

#[test]
fn an_older_list_takes_the_progress_back() {
    let mut cache = Cache::default();
    let all = source(Watched::Request);
    let name = ObjectName::new("shop", "web");
    cache.progressed(&all, 100);
    cache.progressed(&all, 90);
    assert!(cache.has_reached(Watched::Request, &name, 100));
    cache.requests_listed(&all, vec![], 50);
    assert!(
        !cache.has_reached(Watched::Request, &name, 51),
        "a restored etcd"
    );
}

#[test]
fn a_request_is_counted_in_the_phase_that_it_is_in_alone() {
    let (mut cache, requests) = (Cache::default(), source(Watched::Request));
    let in_phase = |phase, version| {
        let mut request = request("web", "u-1", version);
        request.status.phase = Some(remediation_core::phase::PhaseWord::Known(phase));
        request
    };
    let count = |cache: &Cache, phase| cache.active().get(&phase).copied().unwrap_or(0);
    cache.request_seen(&requests, in_phase(Phase::Processing, "5"));
    cache.request_seen(&requests, in_phase(Phase::Analyzing, "6"));
    assert_eq!(count(&cache, Phase::Processing), 0);
    assert_eq!(count(&cache, Phase::Analyzing), 1);
    cache.request_gone(&requests, &ObjectName::new("shop", "web"), 7);
    assert_eq!(count(&cache, Phase::Analyzing), 0);
}

#[test]
fn a_list_of_children_replaces_what_was_seen_of_its_kind_and_in_its_namespace_only() {
    let mut cache = Cache::default();
    let watch = source(Watched::Child(RP));
    let mut other_kind = child("analysis", "4", Some(("web", "u")));
    other_kind.key.kind = ChildKind::AIAnalysis;
    cache.child_seen(
        &source(Watched::Child(ChildKind::AIAnalysis)),
        "shop",
        other_kind,
    );
    cache.child_seen(&watch, "shop", child("here", "5", Some(("web", "u"))));
    cache.child_seen(&watch, "other", child("there", "6", Some(("db", "d"))));
    let shop = Source {
        namespace: Some("shop".into()),
        ..watch
    };
    let affected = cache.children_listed(&shop, RP, vec![], 9);
    assert_eq!(names(affected), ["web"]);
    let left: Vec<&str> = ["u", "d"]
        .into_iter()
        .flat_map(|uid| cache.owned_by(uid))
        .map(|child| &*child.key.name)
        .collect();
    assert_eq!(left, ["analysis", "there"]);
    let there = (RP, ObjectName::new("other", "there"));
    assert_eq!(cache.child(&there).unwrap().key.name, "there");
    let again = child("there", "6", Some(("db", "d")));
    let watch = source(Watched::Child(RP));
    assert!(cache.child_seen(&watch, "other", again).is_empty());
    let mut reborn = child("there", "6", Some(("db", "d")));
    reborn.uid = "another".into();
    assert_eq!(names(cache.child_seen(&watch, "other", reborn)), ["db"]);
}

#[test]
fn a_place_is_told_as_kubectl_tells_it() {
    assert_eq!(ObjectName::new("shop", "web").to_string(), "shop/web");
}
