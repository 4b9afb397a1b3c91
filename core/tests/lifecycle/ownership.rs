//! Owner references and labels that were lost are given back; stragglers are swept, and nothing else is.

use remediation_core::children::{ChildKey, Owner};
use remediation_core::phase::Phase;
use serde_json::json;

use crate::world::World;
use crate::world::api::{conflicting, deletes, failure, forbidden, restores, unavailable};
use crate::world::children::{AIA, KEXEC, NOTIF, RP, WFE};

#[test]
fn a_child_that_lost_its_owner_or_labels_gets_them_back_by_one_patch_and_an_event() {
    for what in ["owner", "name label", "uid label"] {
        let mut world = World::until(Phase::Analyzing);
        let key = world.key_of(RP);
        world.change(&key, |child| match what {
            "owner" => child.owner = None,
            "name label" => child.request_label = None,
            _ => child.request_uid_label = Some("wrong".into()),
        });
        world.reconcile();
        assert_eq!(world.calls(restores), 1, "{what}");
        assert_eq!(world.objects[&key].child.owner, world.owner());
        assert_eq!(world.events("OwnershipRestored"), 1);
        assert_eq!(world.phase(), Phase::Analyzing, "it is still ours");
    }
}

#[test]
fn ownership_is_restored_after_the_end_too() {
    let mut world = World::until(Phase::Completed);
    let key = world.key_of(WFE);
    world.change(&key, |child| child.owner = None);
    world.reconcile();
    assert!(world.objects[&key].child.owner.is_some());
}

#[test]
fn a_child_that_somebody_else_controls_now_is_left_alone() {
    let mut world = World::until(Phase::Executing);
    let key = world.key_of(WFE);
    let other = Owner {
        kind: "Job".into(),
        name: "j".into(),
        uid: "j-1".into(),
    };
    world.change(&key, |child| child.owner = Some(other));
    world.reconcile();
    assert_eq!(
        (world.calls(restores), world.phase()),
        (0, Phase::Executing)
    );
}

#[test]
fn a_restoration_that_is_refused_is_announced_by_nobody_and_tried_with_backoff() {
    let mut world = World::until(Phase::Analyzing);
    world.refuse_always(restores, forbidden("cannot patch resource"));
    let key = world.key_of(RP);
    world.change(&key, |child| child.owner = None);
    world.reconcile();
    world.run_for_secs(60);
    assert_eq!(world.events("OwnershipRestored"), 0);
    assert!(world.calls(restores) <= 4, "{}", world.calls(restores));
}

#[test]
fn a_restoration_that_was_to_follow_a_status_which_was_not_kept_is_announced_once_it_is_made() {
    let mut world = World::until(Phase::Processing);
    (world.lenient, world.rests) = (true, false);
    world.stores = |status| {
        status.failure_phase = None;
        status.failure_category = None;
        status.failure_time = None;
    };
    let key = world.key_of(RP);
    world.change(&key, |child| child.owner = None);
    world.says(RP, json!({ "phase": "Failed" }));
    let restored = (world.calls(restores), world.events("OwnershipRestored"));
    assert_eq!(restored, (1, 1));
}

#[test]
fn a_restoration_that_always_comes_second_is_tried_three_times() {
    let mut world = World::until(Phase::Analyzing);
    let key = world.key_of(RP);
    world.change(&key, |child| child.request_label = None);
    world.refuse_always(restores, conflicting());
    world.reconcile();
    assert_eq!(world.calls(restores), 3);
}

#[test]
fn a_restoration_that_is_undone_at_once_does_not_spin() {
    let mut world = World::until(Phase::Analyzing);
    world.strips_labels = true;
    let key = world.key_of(RP);
    world.change(&key, |child| child.request_label = None);
    world.reconcile();
    assert_eq!(
        (world.calls(restores), world.events("OwnershipRestored")),
        (1, 0)
    );
    world.run_for_secs(120);
    assert!(world.calls(restores) <= 6, "{}", world.calls(restores));
}

#[test]
fn a_child_of_this_request_that_status_does_not_name_is_swept_once_its_phase_is_over() {
    for (phase, kind, swept) in [
        (Phase::Processing, RP, false),
        (Phase::Analyzing, RP, true),
        (Phase::Executing, RP, true),
        (Phase::Executing, AIA, true),
        (Phase::Executing, WFE, false),
        (Phase::Executing, KEXEC, false),
        (Phase::Completed, KEXEC, true),
        (Phase::Completed, WFE, true),
        (Phase::Completed, NOTIF, false),
    ] {
        let mut world = World::until(phase);
        let (owner, uid) = (
            world.owner(),
            world.request.as_ref().unwrap().identity.uid.clone(),
        );
        world.put(kind, "web-straggler", owner, Some(&uid));
        let labelled = ChildKey::new(kind, "web-straggler");
        world.change(&labelled, |child| child.request_label = Some("web".into()));
        world.reconcile();
        let gone = !world.objects.contains_key(&labelled);
        assert_eq!(gone, swept, "{kind} in {phase}");
        assert_eq!(world.calls(deletes), usize::from(swept));
    }
}

#[test]
fn a_create_that_arrives_after_the_phase_was_given_up_is_swept() {
    let mut world = World::until(Phase::Analyzing);
    world.run_for_secs(20 * 60);
    assert_eq!(world.phase(), Phase::Failed);
    let (owner, uid) = (
        world.owner(),
        world.request.as_ref().unwrap().identity.uid.clone(),
    );
    world.put(WFE, "web-workflow", owner, Some(&uid));
    world.reconcile();
    assert_eq!(world.count(WFE), 0);
}

#[test]
fn a_straggler_that_cannot_be_deleted_is_tried_with_backoff_and_then_goes() {
    for answer in [unavailable(), conflicting(), forbidden("cannot delete")] {
        let mut world = World::until(Phase::Completed);
        let (owner, uid) = (
            world.owner(),
            world.request.as_ref().unwrap().identity.uid.clone(),
        );
        world.put(KEXEC, "web-straggler", owner, Some(&uid));
        world.refuse_always(deletes, answer);
        world.reconcile();
        world.run_for_secs(60);
        assert!(world.calls(deletes) <= 12, "{}", world.calls(deletes));
        world.faults.clear();
        world.run_for_secs(60);
        assert_eq!(world.count(KEXEC), 0);
    }
}

#[test]
fn a_straggler_that_is_gone_already_is_no_trouble() {
    let mut world = World::until(Phase::Completed);
    let (owner, uid) = (
        world.owner(),
        world.request.as_ref().unwrap().identity.uid.clone(),
    );
    world.put(KEXEC, "web-straggler", owner, Some(&uid));
    world.refuse_once(deletes, failure(404, "NotFound", "not found"));
    world.rests = false;
    world.reconcile();
    assert!(world.memory.refusals.is_empty());
}

#[test]
fn a_label_that_was_lost_does_not_turn_a_named_child_into_a_foreign_one() {
    let mut world = World::until(Phase::Processing);
    let key = world.key_of(RP);
    world.change(&key, |child| child.owner = None);
    world.hidden.insert(key.clone());
    world.rests = false;
    world.reconcile();
    world.hidden.clear();
    world.vanish(RP);
    assert_eq!(
        (world.phase(), world.count(RP)),
        (Phase::Processing, 1),
        "created again"
    );
    world.says(RP, json!({ "phase": "Completed" }));
    assert_eq!(world.phase(), Phase::Analyzing);
}
