//! Children that are gone: what may have acted is never created again; the rest is.

use remediation_core::children::ChildStatus;
use remediation_core::phase::Phase;
use serde_json::json;

use crate::world::api::{conflicting, creates, creates_a, invalid, reads, records, unavailable};
use crate::world::children::{AIA, KEXEC, RP, WFE, completed_processing, ready};
use crate::world::{Crash, Fate, Reply, World};

#[test]
fn a_processing_or_analysis_that_vanished_is_created_again() {
    for (phase, kind) in [(Phase::Processing, RP), (Phase::Analyzing, AIA)] {
        let mut world = World::until(phase);
        let (lost, spec) = (world.uid_of(kind), world.spec_of(kind).clone());
        let deadline = world.status().next_deadline;
        world.after_secs(30);
        world.vanish(kind);
        assert_eq!(world.phase(), phase);
        assert_ne!(world.uid_of(kind), lost);
        assert_eq!(*world.spec_of(kind), spec, "S26: the same spec");
        assert_eq!(
            world.status().next_deadline,
            deadline,
            "the clock keeps running"
        );
    }
}

#[test]
fn a_processing_that_vanishes_again_and_again_ends_at_the_deadline() {
    let mut world = World::until(Phase::Processing);
    while world.phase() == Phase::Processing {
        world.after_secs(20);
        if world.count(RP) > 0 && world.phase() == Phase::Processing {
            world.vanish(RP);
        }
        assert!(world.calls(|call| creates_a(call, RP)) < 100);
    }
    assert_eq!(world.outcome(), (Phase::Failed, "ChildNeverStarted".into()));
}

#[test]
fn a_next_child_that_is_being_deleted_is_not_blamed_for_not_beginning() {
    let mut world = World::until(Phase::Processing);
    world.put(AIA, "web-aianalysis", world.owner(), None);
    let key = world.key_of(AIA);
    world.change(&key, |child| {
        child.status = ChildStatus::read(AIA, json!({}));
    });
    world.begin_deleting(AIA);
    world.says(RP, completed_processing());
    world.run_for_secs(16 * 60);
    assert_eq!(world.outcome(), (Phase::Failed, "PhaseTimeout".into()));
    let message = world.status().message.as_ref().unwrap();
    assert!(message.contains("is still being deleted"), "{message}");
}

#[test]
fn an_analysis_that_vanished_with_the_result_it_needs_waits_and_says_so() {
    let mut world = World::until(Phase::Analyzing);
    let key = world.key_of(RP);
    world.objects.remove(&key);
    world.rests = false;
    world.vanish(AIA);
    world.after_secs(1);
    assert_eq!(world.condition("Reconciling").unwrap().1, "ChildLost");
    world.run_for_secs(900);
    assert_eq!(world.outcome(), (Phase::Failed, "PhaseTimeout".into()));
    assert!(
        world
            .status()
            .message
            .as_ref()
            .unwrap()
            .contains("ChildLost")
    );
}

#[test]
fn an_execution_that_status_names_and_that_is_gone_is_never_created_again() {
    for phase in [Phase::WorkflowPlanning, Phase::Executing] {
        let mut world = World::until(phase);
        world.vanish(WFE);
        assert_eq!(world.outcome(), (Phase::Failed, "ChildDeleted".into()));
        assert_eq!(world.calls(|call| creates_a(call, WFE)), 1);
        assert!(world.notification("escalation").is_some());
    }
    let mut world = World::running(&json!([{ "name": "a" }]));
    world.vanish(KEXEC);
    assert_eq!(world.outcome(), (Phase::Failed, "ChildDeleted".into()));
    let message = world.status().message.as_ref().unwrap();
    assert!(
        message.contains("KubernetesExecution/web-execution-a was deleted"),
        "{message}"
    );
    assert!(
        message.contains("WorkflowExecution/web-workflow"),
        "what may still run: {message}"
    );
}

#[test]
fn an_execution_on_its_way_out_is_gone() {
    for phase in [Phase::WorkflowPlanning, Phase::Executing] {
        let mut world = World::until(phase);
        world.begin_deleting(WFE);
        assert_eq!(world.outcome(), (Phase::Failed, "ChildDeleted".into()));
    }
    let mut world = World::running(&json!([{ "name": "a" }]));
    world.begin_deleting(KEXEC);
    assert_eq!(world.outcome(), (Phase::Failed, "ChildDeleted".into()));
}

#[test]
fn an_execution_whose_name_holds_another_uid_is_gone() {
    let mut world = World::until(Phase::Executing);
    let key = world.key_of(WFE);
    world.change(&key, |child| child.uid = "another".into());
    world.reconcile();
    assert_eq!(world.outcome(), (Phase::Failed, "ChildDeleted".into()));
}

#[test]
fn an_execution_that_status_does_not_name_yet_is_created_again() {
    let mut world = World::until(Phase::Analyzing);
    world.crash = Some(Crash {
        at: 0,
        fate: Fate::Applied,
    });
    world.says(AIA, ready());
    let key = world.key_of(WFE);
    world.objects.remove(&key);
    world.reconcile();
    assert_eq!(world.phase(), Phase::WorkflowPlanning);
}

#[test]
fn what_a_cache_does_not_show_is_read_before_it_is_declared_gone() {
    for (phase, kind) in [
        (Phase::Processing, RP),
        (Phase::Analyzing, AIA),
        (Phase::Executing, WFE),
    ] {
        let mut world = World::until(phase);
        let uid = world.uid_of(kind);
        world.hidden.insert(world.key_of(kind));
        world.rests = false;
        world.reconcile();
        assert_eq!((world.phase(), world.calls(reads)), (phase, 1));
        assert_eq!(world.uid_of(kind), uid);
    }
}

#[test]
fn while_it_cannot_be_created_again_no_event_looks_for_it() {
    for (phase, kind) in [(Phase::Processing, RP), (Phase::Analyzing, AIA)] {
        let mut world = World::until(phase);
        world.refuse_always(creates, unavailable());
        world.vanish(kind);
        for _ in 0..5 {
            world.reconcile();
        }
        assert_eq!(world.calls(reads), 1, "{kind}");
        world.faults.clear();
        world.after_secs(10);
        assert_eq!((world.phase(), world.count(kind)), (phase, 1));
    }
}

#[test]
fn while_it_cannot_be_created_again_no_event_looks_for_it_under_a_name_that_a_hand_wrote() {
    let mut world = World::until(Phase::Processing);
    world.refuse_always(creates, unavailable());
    world.edit_unseen(|status| {
        status.remediation_processing_ref.as_mut().unwrap().name = "another".into();
    });
    world.vanish(RP);
    for _ in 0..5 {
        world.reconcile();
    }
    assert_eq!(world.calls(reads), 1);
}

#[test]
fn one_that_can_never_be_created_again_is_not_looked_for_while_its_failure_cannot_be_recorded() {
    let mut world = World::until(Phase::Processing);
    world.refuse_always(creates, invalid());
    world.refuse_always(records, unavailable());
    world.vanish(RP);
    let looks = world.calls(reads);
    for _ in 0..5 {
        world.reconcile();
    }
    assert_eq!(world.calls(reads), looks);
    world.faults.pop();
    world.run_for_secs(10);
    assert_eq!(world.outcome(), (Phase::Failed, "Invalid".into()));
}

#[test]
fn one_that_can_never_be_created_again_fails_it_also_where_that_is_recorded_later() {
    let mut world = World::until(Phase::Processing);
    world.rests = false;
    world.refuse_always(creates, invalid());
    world.fault(records, Reply::Refuse(conflicting()), Some(3));
    world.vanish(RP);
    assert_eq!(world.phase(), Phase::Processing);
    world.faults.clear();
    world.after_secs(1);
    assert_eq!(world.outcome(), (Phase::Failed, "Invalid".into()));
    assert_eq!(
        world.events("Invalid"),
        0,
        "nothing was said to be tried again"
    );
}

#[test]
fn a_look_for_it_that_was_refused_does_not_count_against_its_creation() {
    let mut world = World::until(Phase::Analyzing);
    world.refuse_once(reads, invalid());
    world.vanish(AIA);
    world.run_for_secs(10);
    assert_eq!((world.phase(), world.count(AIA)), (Phase::Analyzing, 1));
}

#[test]
fn while_it_cannot_be_read_nothing_is_concluded() {
    let mut world = World::until(Phase::Executing);
    let key = world.key_of(WFE);
    world.objects.remove(&key);
    world.refuse_always(reads, unavailable());
    world.reconcile();
    world.run_for_secs(60);
    assert_eq!(world.phase(), Phase::Executing);
    assert!(
        world.calls(reads) <= 5,
        "with backoff: {}",
        world.calls(reads)
    );
    world.faults.clear();
    world.run_for_secs(40);
    assert_eq!(world.outcome(), (Phase::Failed, "ChildDeleted".into()));
}

#[test]
fn a_processing_on_its_way_out_without_a_result_does_not_exist() {
    let mut world = World::until(Phase::Processing);
    world.begin_deleting(RP);
    assert_eq!(
        (world.phase(), world.count(RP)),
        (Phase::Processing, 1),
        "its name is taken"
    );
    world.vanish(RP);
    world.says(RP, completed_processing());
    assert_eq!(world.phase(), Phase::Analyzing);
}

#[test]
fn a_step_that_failed_is_the_reason_also_where_the_workflow_is_gone() {
    let mut world = World::running(&json!([{ "name": "a" }]));
    let step = world.key_of(KEXEC);
    world.write_status(&step, json!({ "phase": "Failed", "reason": "PodGone" }));
    world.vanish(WFE);
    assert_eq!(
        world.outcome(),
        (Phase::Failed, "PodGone".into()),
        "a child that failed comes first"
    );
}
