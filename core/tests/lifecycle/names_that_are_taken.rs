//! Names of ours that something else holds: ours is adopted, an earlier incarnation waited for, all else left alone.

use remediation_core::children::Owner;
use remediation_core::error::Category;
use remediation_core::names;
use remediation_core::phase::Phase;
use serde_json::json;

use crate::world::World;
use crate::world::api::{creates, failure, reads, records, unavailable};
use crate::world::children::{AIA, KEXEC, NOTIF, RP, WFE, completed_processing, executing, ready};
use crate::world::{Crash, Fate, Reply};

fn earlier() -> Option<Owner> {
    Some(Owner {
        kind: "RemediationRequest".into(),
        name: "web".into(),
        uid: "earlier".into(),
    })
}

#[test]
fn a_foreign_object_under_a_name_of_ours_fails_the_request_and_is_not_touched() {
    let owners = [
        None,
        Some(Owner {
            kind: "Deployment".into(),
            name: "x".into(),
            uid: "y".into(),
        }),
    ];
    for owner in owners {
        let mut world = World::new();
        world.put(RP, "web-processing", owner.clone(), None);
        let uid = world.uid_of(RP);
        world.reconcile();
        assert_eq!(world.outcome(), (Phase::Failed, "NameConflict".into()));
        assert_eq!(world.status().failure_category, Some(Category::C));
        assert_eq!(world.uid_of(RP), uid);
        assert!(world.status().remediation_processing_ref.is_none());
    }
}

#[test]
fn a_foreign_object_is_not_believed_in_any_later_phase_either() {
    for (phase, kind, name) in [
        (Phase::Processing, AIA, "web-aianalysis"),
        (Phase::Analyzing, WFE, "web-workflow"),
    ] {
        let mut world = World::until(phase);
        world.put(kind, name, None, None);
        if phase == Phase::Processing {
            world.says(RP, completed_processing());
        } else {
            world.says(AIA, ready());
        }
        assert_eq!(world.outcome(), (Phase::Failed, "NameConflict".into()));
        assert_eq!(world.status().failure_phase, Some(phase));
    }
    let mut world = World::until(Phase::WorkflowPlanning);
    world.put(KEXEC, "web-execution-a", None, None);
    world.says(WFE, executing(&json!([{ "name": "a" }])));
    assert_eq!(world.outcome(), (Phase::Failed, "NameConflict".into()));
}

#[test]
fn a_name_that_is_taken_and_cannot_be_read_is_tried_again_with_a_backoff() {
    let mut world = World::new();
    world.fault(
        creates,
        Reply::Refuse(failure(409, "AlreadyExists", "exists")),
        None,
    );
    world.reconcile();
    assert_eq!(world.calls(creates), 2, "S30: once more, then later");
    world.run_for_secs(600);
    // 5 s, 10 s, then every 30 s: two tries each.
    let tries = world.calls(creates);
    assert!(
        (20..=50).contains(&tries),
        "S30: {tries} tries in ten minutes"
    );
    assert_eq!(world.condition("Reconciling").unwrap().1, "AlreadyExists");
    world.faults.clear();
    world.run_for_secs(40);
    assert_eq!(world.phase(), Phase::Processing);
}

#[test]
fn an_earlier_incarnation_is_waited_for_until_it_is_gone() {
    let mut world = World::new();
    world.put(RP, "web-processing", earlier(), None);
    world.reconcile();
    assert_eq!(world.phase(), Phase::Initializing);
    assert!(
        world.status().remediation_processing_ref.is_none(),
        "S16: not ours"
    );
    world.run_for_secs(120);
    let key = world.key_of(RP);
    world.objects.remove(&key);
    world.run_for_secs(60);
    assert_eq!(world.phase(), Phase::Processing);
}

#[test]
fn an_earlier_incarnation_that_stays_is_bounded_by_the_deadline() {
    let mut world = World::new();
    world.put(RP, "web-processing", earlier(), None);
    world.reconcile();
    let written = world.calls(records);
    world.run_for_secs(14 * 60);
    assert!(world.calls(records) <= written + 1, "S28");
    assert!(world.calls(creates) <= 40, "with backoff");
    world.run_for_secs(120);
    assert_eq!(world.outcome(), (Phase::Failed, "PhaseTimeout".into()));
}

#[test]
fn a_child_of_ours_that_was_created_before_a_crash_is_adopted() {
    let mut world = World::new();
    world.crash = Some(Crash {
        at: 0,
        fate: Fate::Applied,
    });
    world.reconcile();
    let uid = world.uid_of(RP);
    world.hidden.insert(world.key_of(RP));
    world.rests = false;
    world.reconcile();
    assert_eq!((world.phase(), world.uid_of(RP)), (Phase::Processing, uid));
    assert_eq!(world.calls(reads), 1);
}

#[test]
fn a_create_that_was_applied_unheard_is_adopted() {
    let mut world = World::new();
    world.fault(creates, Reply::Lose, Some(1));
    world.rests = false;
    world.reconcile();
    world.run_for_secs(10);
    assert_eq!((world.phase(), world.count(RP)), (Phase::Processing, 1));
    assert!(world.memory.refusals.is_empty(), "nothing is owed any more");
}

#[test]
fn a_name_that_is_taken_and_cannot_be_read_is_tried_again_with_backoff() {
    let mut world = World::new();
    world.put(RP, "web-processing", earlier(), None);
    world.refuse_always(reads, unavailable());
    world.reconcile();
    assert_eq!((world.calls(creates), world.calls(reads)), (1, 1));
    world.run_for_secs(60);
    assert!(world.calls(creates) <= 4, "{}", world.calls(creates));
}

#[test]
fn names_of_253_characters_work_from_end_to_end() {
    let name = "a".repeat(253);
    let mut world = World::with(|request| request.identity.name.clone_from(&name));
    world.proceed_to(Phase::WorkflowPlanning);
    let steps = json!([{ "name": "s".repeat(63) }]);
    world.says(WFE, executing(&steps));
    let key = world.key_of(KEXEC);
    world.child_says(&key, json!({ "phase": "Completed" }));
    world.says(WFE, json!({ "phase": "Completed" }));
    assert_eq!(world.phase(), Phase::Completed);
    for object in world.objects.values() {
        assert!(object.child.key.name.len() <= names::LONGEST_NAME);
        let label = object.child.request_label.as_ref().unwrap();
        assert!(label.len() <= names::LONGEST_LABEL);
    }
    assert_eq!(world.count(NOTIF), 1);
}

#[test]
fn what_holds_a_name_of_ours_and_is_not_ours_is_not_blamed_for_never_starting() {
    let mut world = World::new();
    world.put(RP, "web-processing", earlier(), None);
    let key = world.key_of(RP);
    world.write_status(&key, json!({}));
    world.reconcile();
    world.run_for_secs(16 * 60);
    assert_eq!(
        world.outcome(),
        (Phase::Failed, "PhaseTimeout".into()),
        "S16"
    );
}
