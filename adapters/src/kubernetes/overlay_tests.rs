//! Read-your-writes: what is used instead of the cache, and for how long.

use remediation_core::children::{ChildStatus, Owner, ProcessingStatus};
use remediation_core::error::ApiFailure;
use remediation_core::kind::{ChildKind, REQUEST_KIND};
use remediation_core::phase::{Phase, PhaseWord};

use super::*;

const RP: ChildKind = ChildKind::RemediationProcessing;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn source(watched: Watched) -> Source {
    Source {
        watched,
        namespace: None,
    }
}

fn request(version: &str, phase: Phase) -> Request {
    let mut request = Request {
        identity: Identity {
            namespace: "shop".into(),
            name: "web".into(),
            uid: "u-1".into(),
        },
        resource_version: version.into(),
        ..Request::default()
    };
    request.status.phase = Some(PhaseWord::Known(phase));
    request
}

fn child(version: &str) -> Child {
    Child {
        key: ChildKey::new(RP, "web-processing"),
        uid: "c-1".into(),
        resource_version: version.into(),
        deleting: false,
        owner: Some(Owner {
            kind: REQUEST_KIND.into(),
            name: "web".into(),
            uid: "u-1".into(),
        }),
        request_label: None,
        request_uid_label: None,
        status: ChildStatus::Processing(ProcessingStatus::default()),
    }
}

struct World {
    cache: Cache,
    overlay: Overlay,
}

impl World {
    fn new() -> Self {
        let mut cache = Cache::default();
        cache.request_seen(&source(Watched::Request), request("10", Phase::Pending));
        Self {
            cache,
            overlay: Overlay::default(),
        }
    }

    fn wrote(&mut self, outcome: &Outcome, seconds: i64) {
        let who = request("0", Phase::Pending).identity;
        self.overlay
            .learn(&who, &Call::ReadRequest, outcome, at(seconds));
    }

    fn wrote_request(&mut self, version: &str, phase: Phase) {
        self.wrote(&Outcome::Request(Box::new(request(version, phase))), 0);
    }

    fn wrote_child(&mut self, version: &str) {
        self.wrote(&Outcome::Child(Box::new(child(version))), 0);
    }

    fn view(&mut self, seconds: i64) -> View {
        self.overlay
            .view(&self.cache, &ObjectName::new("shop", "web"), at(seconds))
            .unwrap()
    }
}

#[test]
fn a_write_counts_until_the_cache_has_it() {
    let mut world = World::new();
    world.wrote_request("12", Phase::Processing);
    world
        .cache
        .request_seen(&source(Watched::Request), request("11", Phase::Pending));
    assert_eq!(
        world.view(1).request.status.known_phase(),
        Some(Phase::Processing)
    );
    world
        .cache
        .request_seen(&source(Watched::Request), request("12", Phase::Processing));
    world
        .cache
        .request_seen(&source(Watched::Request), request("13", Phase::Analyzing));
    assert_eq!(
        world.view(1).request.status.known_phase(),
        Some(Phase::Analyzing)
    );
    assert!(world.overlay.of.is_empty(), "nothing is kept");
}

#[test]
fn versions_are_compared_as_numbers() {
    let mut world = World::new();
    world
        .cache
        .request_seen(&source(Watched::Request), request("99", Phase::Pending));
    world.wrote_request("100", Phase::Processing);
    assert_eq!(
        world.view(1).request.status.known_phase(),
        Some(Phase::Processing)
    );
}

#[test]
fn a_created_child_is_seen_before_its_watch_shows_it() {
    let mut world = World::new();
    world.wrote_child("20");
    assert_eq!(world.view(1).children.seen.len(), 1);
    world.cache.progressed(&source(Watched::Child(RP)), 19);
    assert_eq!(world.view(1).children.seen.len(), 1);
    world.cache.progressed(&source(Watched::Child(RP)), 20);
    assert!(
        world.view(1).children.seen.is_empty(),
        "its watch passed it: it was deleted"
    );
}

#[test]
fn a_list_that_began_before_the_write_does_not_undo_it() {
    let mut world = World::new();
    let began = world.overlay.begin_list();
    world.wrote_child("20");
    world
        .cache
        .children_listed(&source(Watched::Child(RP)), RP, vec![], 19);
    world.overlay.listed(&source(Watched::Child(RP)), began);
    assert_eq!(world.view(1).children.seen.len(), 1);
}

#[test]
fn a_list_that_began_after_the_write_shows_how_things_are() {
    let mut world = World::new();
    world.wrote_child("20");
    world.wrote_request("21", Phase::Processing);
    for watched in [Watched::Request, Watched::Child(RP)] {
        let began = world.overlay.begin_list();
        world.overlay.listed(&source(watched), began);
    }
    let view = world.view(1);
    assert!(view.children.seen.is_empty(), "etcd was restored");
    assert_eq!(view.request.status.known_phase(), Some(Phase::Pending));
    assert!(world.overlay.of.is_empty(), "nothing is kept");
}

#[test]
fn after_ten_seconds_it_is_read_live_once() {
    let mut world = World::new();
    world.wrote_request("12", Phase::Processing);
    world.wrote_child("20");
    assert!(world.view(9).overdue.is_empty());
    let key = child("20").key;
    assert_eq!(
        world.view(10).overdue,
        [Call::ReadRequest, Call::Read(key.clone())]
    );
    let who = request("0", Phase::Pending).identity;
    world
        .overlay
        .learn(&who, &Call::Read(key), &not_found(), at(10));
    let live = Outcome::Request(Box::new(request("12", Phase::Processing)));
    world.overlay.learn(&who, &Call::ReadRequest, &live, at(10));
    let view = world.view(11);
    assert!(view.overdue.is_empty() && view.children.seen.is_empty());
}

fn delete_child() -> Call {
    Call::DeleteChild(remediation_core::action::Precondition {
        key: child("20").key,
        uid: "c-1".into(),
        resource_version: "20".into(),
    })
}

fn delete_request() -> Call {
    Call::DeleteRequest {
        resource_version: "10".into(),
    }
}

/// A request and its child that are shown, and that we deleted at 0, after one list.
fn both_deleted() -> World {
    let mut world = World::new();
    world.overlay.begin_list();
    let children = source(Watched::Child(RP));
    world.cache.child_seen(&children, "shop", child("20"));
    let who = request("0", Phase::Pending).identity;
    for call in [delete_request(), delete_child()] {
        world.overlay.learn(&who, &call, &Outcome::Deleted, at(0));
    }
    world
}

/// Whether the request and its child count as being deleted.
fn deleting(world: &mut World, seconds: i64) -> [bool; 2] {
    let view = world.view(seconds);
    let child = view.children.at(&child("20").key).unwrap();
    [view.request.deleting, child.deleting]
}

#[test]
fn what_we_deleted_counts_as_being_deleted_until_a_live_read_shows_it() {
    let mut world = both_deleted();
    let (who, name) = (
        request("0", Phase::Pending).identity,
        ObjectName::new("shop", "web"),
    );
    assert_eq!(world.overlay.look_again(&name), Some(at(10)));
    assert_eq!(deleting(&mut world, 9), [true, true]);
    assert_eq!(world.view(9).overdue, []);
    let reads = [Call::Read(child("20").key), Call::ReadRequest];
    let asked = |world: &mut World, seconds| {
        let mut asked = world.view(seconds).overdue;
        asked.sort_by_key(|call| *call == Call::ReadRequest);
        asked
    };
    assert_eq!(asked(&mut world, 10), reads);
    for read in &reads {
        world.overlay.learn(&who, read, &not_found(), at(10));
    }
    assert_eq!(deleting(&mut world, 19), [true, true]);
    assert_eq!(world.overlay.look_again(&name), Some(at(20)));
    for read in &reads {
        world.overlay.learn(&who, read, &failed(503), at(20));
        world.overlay.prolong(&name, read, at(20));
    }
    assert_eq!(asked(&mut world, 29), []);
    assert_eq!(asked(&mut world, 30), reads);
    let live = [
        Outcome::Child(Box::new(child("20"))),
        Outcome::Request(Box::new(request("10", Phase::Pending))),
    ];
    for (read, live) in reads.iter().zip(&live) {
        world.overlay.learn(&who, read, live, at(30));
    }
    assert_eq!(deleting(&mut world, 31), [false, false]);
    assert_eq!(world.overlay.look_again(&name), None);
}

#[test]
fn what_we_deleted_is_not_read_once_the_watch_shows_it() {
    let mut gone = both_deleted();
    let children = source(Watched::Child(RP));
    let place = place("shop", &child("20").key);
    gone.cache.child_gone(&children, &place, 30);
    let mut going = both_deleted();
    let mut marked = child("30");
    marked.deleting = true;
    going.cache.child_seen(&children, "shop", marked);
    let mut another = both_deleted();
    let mut anew = child("30");
    anew.uid = "c-2".into();
    another.cache.child_seen(&children, "shop", anew);
    for world in [&mut gone, &mut going, &mut another] {
        assert_eq!(world.view(11).overdue, [Call::ReadRequest]);
    }
    let mut marked = request("30", Phase::Pending);
    marked.deleting = true;
    gone.cache.request_seen(&source(Watched::Request), marked);
    assert_eq!(gone.view(11).overdue, []);
    assert!(gone.overlay.of.is_empty(), "nothing is kept");
}

#[test]
fn a_kind_that_is_not_served_says_nothing_of_its_objects() {
    let mut world = World::new();
    world.wrote_request("12", Phase::Processing);
    world.wrote_child("20");
    let who = request("0", Phase::Pending).identity;
    for read in [Call::ReadRequest, Call::Read(child("20").key)] {
        world.overlay.learn(&who, &read, &failed(404), at(1));
    }
    let view = world.view(1);
    assert!(!view.request.deleting);
    assert_eq!(view.request.status.known_phase(), Some(Phase::Processing));
    assert_eq!(view.children.seen.len(), 1);
}

#[test]
fn a_later_request_of_the_same_name_begins_anew() {
    let mut world = World::new();
    world.wrote_request("12", Phase::Processing);
    world.wrote_child("20");
    let mut reborn = request("30", Phase::Pending);
    reborn.identity.uid = "u-2".into();
    world.cache.request_seen(&source(Watched::Request), reborn);
    let view = world.view(1);
    assert_eq!(view.request.identity.uid, "u-2");
    assert_eq!(view.request.status.known_phase(), Some(Phase::Pending));
    assert!(view.children.seen.is_empty());
}

#[test]
fn a_foreign_object_is_not_taken_for_a_write_of_ours() {
    let mut world = World::new();
    let mut foreign = child("20");
    foreign.owner = None;
    world.wrote(&Outcome::Child(Box::new(foreign)), 0);
    assert!(world.view(1).children.seen.is_empty());
}

#[test]
fn a_childs_write_counts_until_the_cache_has_it() {
    let (mut world, watch) = (World::new(), source(Watched::Child(RP)));
    let cached = |version: &str, word: &str| {
        let mut child = child(version);
        child.status = ChildStatus::read(RP, serde_json::json!({ "phase": word }));
        child
    };
    let shown = |world: &mut World| {
        let view = world.view(1);
        view.children.at(&child("0").key).unwrap().clone()
    };
    world.wrote_child("20");
    world
        .cache
        .child_seen(&watch, "shop", cached("19", "Pending"));
    assert_eq!(shown(&mut world), child("20"));
    world
        .cache
        .child_seen(&watch, "shop", cached("20", "Processing"));
    assert_eq!(shown(&mut world), cached("20", "Processing"));
    world.wrote_child("21");
    world
        .cache
        .child_seen(&watch, "shop", cached("22", "Completed"));
    assert_eq!(shown(&mut world), cached("22", "Completed"));
    assert!(world.overlay.of.is_empty(), "nothing is kept");
}

#[test]
fn a_list_of_another_namespace_or_kind_undoes_nothing() {
    let mut world = World::new();
    world.wrote_child("20");
    world.wrote_request("21", Phase::Processing);
    let in_namespace = |namespace: &str, watched| Source {
        namespace: Some(namespace.into()),
        ..source(watched)
    };
    for elsewhere in [
        in_namespace("other", Watched::Request),
        in_namespace("other", Watched::Child(RP)),
        source(Watched::Child(ChildKind::AIAnalysis)),
    ] {
        let began = world.overlay.begin_list();
        assert!(world.overlay.listed(&elsewhere, began).is_empty());
        let view = world.view(1);
        assert_eq!(view.request.status.known_phase(), Some(Phase::Processing));
        assert_eq!(view.children.seen.len(), 1);
    }
    let began = world.overlay.begin_list();
    let here = in_namespace("shop", Watched::Child(RP));
    let affected = world.overlay.listed(&here, began);
    assert_eq!(affected, Affected::from([ObjectName::new("shop", "web")]));
    assert!(world.view(1).children.seen.is_empty());
}

#[test]
fn a_live_read_that_shows_the_child_of_another_ends_what_we_wrote() {
    let mut world = World::new();
    world.wrote_child("20");
    let who = request("0", Phase::Pending).identity;
    let mut anew = child("30");
    anew.uid = "c-2".into();
    anew.owner = None;
    let read = Call::Read(anew.key.clone());
    assert_eq!(world.view(10).overdue, std::slice::from_ref(&read));
    let live = Outcome::Child(Box::new(anew));
    world.overlay.learn(&who, &read, &live, at(10));
    let view = world.view(10);
    assert!(view.children.seen.is_empty());
    assert_eq!(view.overdue, [], "read live once");
}

#[test]
fn a_live_read_that_shows_another_request_ends_what_we_wrote_of_ours() {
    let mut world = World::new();
    world.wrote_request("12", Phase::Processing);
    let who = request("0", Phase::Pending).identity;
    let mut again = request("31", Phase::Pending);
    again.identity.uid = "u-2".into();
    let live = Outcome::Request(Box::new(again));
    world.overlay.learn(&who, &Call::ReadRequest, &live, at(10));
    let view = world.view(11);
    assert!(view.request.deleting, "until the watch shows it");
    assert_eq!(view.overdue, []);
}

fn not_found() -> Outcome {
    Outcome::Failed(ApiFailure {
        code: 404,
        reason: "NotFound".into(),
        ..ApiFailure::default()
    })
}

fn failed(code: u16) -> Outcome {
    Outcome::Failed(ApiFailure {
        code,
        ..ApiFailure::default()
    })
}

#[test]
fn a_live_read_that_fails_undoes_nothing_and_is_tried_again_ten_seconds_later() {
    let mut world = World::new();
    world.wrote_request("12", Phase::Processing);
    world.wrote_child("20");
    let (who, name) = (
        request("0", Phase::Pending).identity,
        ObjectName::new("shop", "web"),
    );
    let reads = [Call::ReadRequest, Call::Read(child("20").key)];
    assert_eq!(world.view(10).overdue, reads);
    for read in &reads {
        world.overlay.learn(&who, read, &failed(503), at(10));
        world.overlay.prolong(&name, read, at(10));
    }
    let view = world.view(19);
    assert_eq!(view.overdue, []);
    assert_eq!(view.request.status.known_phase(), Some(Phase::Processing));
    assert!(!view.request.deleting);
    assert_eq!(view.children.seen.len(), 1);
    assert_eq!(world.view(20).overdue, reads);
}

#[test]
fn a_request_that_we_deleted_or_did_not_find_counts_as_being_deleted() {
    let who = request("0", Phase::Pending).identity;
    for (call, outcome) in [
        (delete_request(), Outcome::Deleted),
        (Call::ReadRequest, not_found()),
    ] {
        let mut world = World::new();
        world.wrote_request("12", Phase::Processing);
        assert!(!world.view(0).request.deleting);
        world.overlay.learn(&who, &call, &outcome, at(0));
        assert!(world.view(1).request.deleting);
        world.overlay.forget(&ObjectName::new("shop", "web"));
        assert!(world.overlay.of.is_empty(), "nothing is kept");
    }
    let mut world = World::new();
    let mut deleting = request("11", Phase::Pending);
    deleting.deleting = true;
    world
        .cache
        .request_seen(&source(Watched::Request), deleting);
    assert!(world.view(1).request.deleting, "by somebody else");
}

#[test]
fn what_we_deleted_and_a_later_list_shows_is_there_again() {
    let (requests, children) = (source(Watched::Request), source(Watched::Child(RP)));
    let mut world = both_deleted();
    let before = 1;
    let name = ObjectName::new("shop", "web");
    for source in [&requests, &children] {
        assert!(world.overlay.listed(source, before).is_empty());
    }
    assert_eq!(deleting(&mut world, 1), [true, true], "they began before");
    let after = world.overlay.begin_list();
    let affected = world.overlay.listed(&children, after);
    assert_eq!(affected, Affected::from([name.clone()]), "it is looked at");
    assert_eq!(deleting(&mut world, 1), [true, false], "etcd was restored");
    let affected = world.overlay.listed(&requests, after);
    assert_eq!(affected, Affected::from([name]));
    assert_eq!(deleting(&mut world, 1), [false, false]);
}

#[test]
fn what_we_deleted_stays_so_where_another_stands_under_its_name() {
    let mut world = both_deleted();
    let who = request("0", Phase::Pending).identity;
    let mut anew = child("30");
    anew.uid = "c-2".into();
    let mut again = request("31", Phase::Pending);
    again.identity.uid = "u-2".into();
    let live = [
        (Call::Read(anew.key.clone()), Outcome::Child(Box::new(anew))),
        (Call::ReadRequest, Outcome::Request(Box::new(again))),
    ];
    for (read, live) in &live {
        world.overlay.learn(&who, read, live, at(10));
    }
    let name = ObjectName::new("shop", "web");
    assert_eq!(world.overlay.look_again(&name), Some(at(20)));
    let view = world.view(11);
    assert!(view.request.deleting);
    assert_eq!(view.overdue, []);
}
