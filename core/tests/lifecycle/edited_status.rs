//! Statuses that were edited by hand: nothing hangs, nothing acts twice, and what ended has ended.

use remediation_core::children::ChildStatus;
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::plan::fingerprint;
use remediation_core::status::Status;
use serde_json::json;

use crate::world::World;
use crate::world::api::{creates, creates_a, notifies, reads};
use crate::world::children::{AIA, KEXEC, RP, WFE, workflow};

fn set_to(phase: Phase) -> impl FnOnce(&mut Status) {
    move |status| status.phase = Some(PhaseWord::Known(phase))
}

#[test]
fn a_status_that_was_wiped_is_found_again_from_the_children() {
    let mut world = World::until(Phase::Executing);
    let uid = world.uid_of(WFE);
    world.edit(|status| *status = Status::default());
    assert_eq!(world.phase(), Phase::Executing);
    assert_eq!(
        world.status().workflow_execution_ref.as_ref().unwrap().uid,
        uid
    );
    for kind in [RP, AIA, WFE] {
        assert_eq!(world.count(kind), 1, "{kind}");
    }
}

#[test]
fn a_phase_that_was_set_back_comes_forward_again_without_a_second_execution() {
    for to in [
        Phase::Pending,
        Phase::Initializing,
        Phase::Processing,
        Phase::Analyzing,
        Phase::WorkflowPlanning,
    ] {
        let mut world = World::until(Phase::Executing);
        let uid = world.uid_of(WFE);
        world.edit(set_to(to));
        assert_eq!(world.phase(), Phase::Executing, "from {to}");
        assert_eq!(world.uid_of(WFE), uid);
    }
}

#[test]
fn a_phase_that_was_set_back_creates_no_execution_again_that_is_gone() {
    let mut world = World::until(Phase::Executing);
    let key = world.key_of(WFE);
    world.objects.remove(&key);
    world.edit(set_to(Phase::Analyzing));
    assert_eq!(world.outcome(), (Phase::Failed, "ChildDeleted".into()));
    assert_eq!(world.calls(|call| creates_a(call, WFE)), 1, "S1");
}

#[test]
fn a_phase_that_was_set_forward_creates_nothing_that_does_not_follow_and_ends_at_a_deadline() {
    for to in [Phase::Analyzing, Phase::WorkflowPlanning, Phase::Executing] {
        let mut world = World::until(Phase::Processing);
        world.edit(set_to(to));
        assert_eq!(world.phase(), to);
        assert_eq!((world.count(WFE), world.count(KEXEC)), (0, 0));
        world.run_for_secs(31 * 60);
        assert_eq!(world.phase(), Phase::Failed);
    }
}

#[test]
fn a_phase_that_was_set_forward_creates_nothing_for_a_request_that_asks_for_nothing() {
    for to in [Phase::Processing, Phase::Analyzing, Phase::WorkflowPlanning] {
        let mut world = World::with(|request| request.spec.targeting_data = None);
        world.edit(set_to(to));
        world.run_for_secs(31 * 60);
        let owned = world.calls(|call| creates(call) && !notifies(call));
        assert_eq!(owned, 0, "from {to}");
        assert_eq!(world.phase(), Phase::Failed, "from {to}");
        assert!(world.notification("escalation").is_some(), "from {to}");
    }
}

#[test]
fn targeting_data_that_was_taken_away_starts_no_step_and_the_failure_names_what_may_still_run() {
    let steps = json!([{ "name": "a" }, { "name": "b", "dependsOn": ["a"] }, { "name": "c" }]);
    let mut world = World::running(&steps);
    world.request.as_mut().unwrap().spec.targeting_data = None;
    world.step_says("a", json!({ "phase": "Completed" }));
    assert_eq!(
        world.outcome(),
        (Phase::Failed, "InvalidTargetingData".into())
    );
    assert_eq!(
        world.names_of(KEXEC),
        ["web-execution-a", "web-execution-c"]
    );
    let message = world.status().message.clone().unwrap();
    assert!(
        message.contains(
            "still be running: WorkflowExecution/web-workflow, KubernetesExecution/web-execution-c"
        ),
        "{message}"
    );
}

#[test]
fn a_terminal_word_without_completion_time_is_in_progress_until_the_overall_deadline() {
    for to in [Phase::Completed, Phase::Failed] {
        let mut world = World::until(Phase::Processing);
        world.edit(set_to(to));
        world.after_secs(2);
        assert_eq!(world.condition("Reconciling").unwrap().1, "UnknownPhase");
        assert_eq!(world.status().completion_time, None);
        assert_eq!(world.events("UnknownPhase"), 1);
        world.run_for_secs(91 * 60);
        assert_eq!(world.outcome(), (Phase::Failed, "OverallTimeout".into()));
        assert!(world.notification("escalation").is_some());
    }
}

#[test]
fn an_end_whose_completion_time_was_removed_is_the_same_end_again() {
    for completes in [true, false] {
        for forget in [
            |_: &mut Status| {},
            |status: &mut Status| status.history.clear(),
            |status: &mut Status| status.conditions.clear(),
            |status: &mut Status| status.phase = Some(PhaseWord::Known(Phase::Processing)),
        ] {
            let mut world = if completes {
                World::until(Phase::Completed)
            } else {
                let mut world = World::until(Phase::Processing);
                world.says(RP, json!({ "phase": "Failed", "reason": "Broken" }));
                world
            };
            let before = world.status().clone();
            assert!(before.completion_time.is_some());
            world.after_secs(60);
            world.edit(|status| {
                status.completion_time = None;
                forget(status);
            });
            let after = world.status();
            assert_eq!(after.completion_time, before.completion_time, "S7");
            assert_eq!(after.expiry_time, before.expiry_time, "S25");
            assert_eq!(after.phase_start_time, before.phase_start_time, "S8");
            assert_eq!(after.reason, before.reason, "S7");
            assert_eq!(after.overall_progress, before.overall_progress, "S23");
            assert!(after.history.len() <= before.history.len(), "S35");
            world.run_for_secs(23 * 3600);
            assert_eq!(world.calls(notifies), 1, "S12");
            assert_eq!(world.status().completion_time, before.completion_time);
            world.run_for_secs(3600);
            assert!(
                world.request.is_none(),
                "S25: it expires when it would have"
            );
        }
    }
}

#[test]
fn a_word_that_nobody_knows_can_be_corrected() {
    let mut world = World::until(Phase::Processing);
    world.edit(|status| status.phase = Some(PhaseWord::Unknown("Hibernating".into())));
    world.after_secs(60);
    assert_eq!(
        world.status().phase,
        Some(PhaseWord::Unknown("Hibernating".into()))
    );
    world.edit(set_to(Phase::Processing));
    world.proceed_to(Phase::Completed);
}

#[test]
fn times_and_policy_that_were_removed_are_filled_in_so_that_a_clock_runs() {
    for phase in [
        Phase::Initializing,
        Phase::Processing,
        Phase::Analyzing,
        Phase::WorkflowPlanning,
        Phase::Executing,
    ] {
        let mut world = World::until(phase.max(Phase::Processing));
        world.edit(|status| {
            status.phase = Some(PhaseWord::Known(phase));
            status.start_time = None;
            status.phase_start_time = None;
            status.next_deadline = None;
            status.effective_policy = None;
        });
        let status = world.status();
        assert!(status.start_time.is_some() && status.phase_start_time.is_some());
        assert!(status.effective_policy.is_some(), "S27");
        assert!(world.wake.is_some(), "S10");
        world.run_for_secs(31 * 60);
        assert_eq!(world.phase(), Phase::Failed);
    }
}

#[test]
fn references_that_were_removed_are_named_again() {
    for (phase, kind) in [
        (Phase::Processing, RP),
        (Phase::Analyzing, AIA),
        (Phase::Executing, WFE),
    ] {
        let mut world = World::until(phase);
        let uid = world.uid_of(kind);
        world.edit(|status| {
            status.remediation_processing_ref = status
                .remediation_processing_ref
                .take()
                .filter(|_| kind != RP);
            status.ai_analysis_ref = status.ai_analysis_ref.take().filter(|_| kind != AIA);
            status.workflow_execution_ref = None;
        });
        assert_eq!((world.phase(), world.uid_of(kind)), (phase, uid));
        let status = world.status();
        let named = match kind {
            WFE => &status.workflow_execution_ref,
            AIA => &status.ai_analysis_ref,
            _ => &status.remediation_processing_ref,
        };
        assert_eq!(named.as_ref().unwrap().uid, world.uid_of(kind));
    }
}

#[test]
fn references_to_steps_that_were_removed_are_named_again() {
    let mut world = World::running(&json!([{ "name": "a" }]));
    let uid = world.uid_of(KEXEC);
    world.edit(|status| status.kubernetes_execution_refs.clear());
    assert_eq!(world.status().execution("a").unwrap().uid, uid);
}

#[test]
fn a_reference_to_a_name_that_is_not_ours_is_looked_for_once_and_does_not_spin() {
    for phase in [Phase::Processing, Phase::Analyzing, Phase::Executing] {
        let mut world = World::until(phase);
        world.edit(|status| {
            let references = [
                &mut status.remediation_processing_ref,
                &mut status.ai_analysis_ref,
                &mut status.workflow_execution_ref,
            ];
            for reference in references.into_iter().flatten() {
                reference.name = "elsewhere".into();
            }
        });
        assert!(world.calls(reads) <= 2, "{phase}: {}", world.calls(reads));
        assert!(world.rounds <= 6, "{}", world.rounds);
        let expected = if phase == Phase::Executing {
            Phase::Failed
        } else {
            phase
        };
        assert_eq!(world.phase(), expected);
    }
}

#[test]
fn a_failure_that_a_hand_wrote_is_a_failure() {
    for phase in [Phase::Pending, Phase::Processing] {
        let mut world = World::new();
        if phase == Phase::Processing {
            world.reconcile();
        }
        world.edit(|status| {
            status.failure_phase = Some(Phase::Processing);
            status.reason = Some("StoppedByHand".into());
        });
        assert_eq!(world.outcome(), (Phase::Failed, "StoppedByHand".into()));
        assert!(world.notification("escalation").is_some());
    }
}

#[test]
fn numbers_out_of_range_are_held_in_it() {
    let mut world = World::until(Phase::Executing);
    for n in [i64::MIN, -1, i64::MAX] {
        world.after_secs(2);
        world.edit(|status| {
            status.steps_total = Some(n);
            status.steps_completed = Some(n);
            status.overall_progress = Some(n);
            status.history_dropped = Some(i64::MAX);
            status.plan_hash = None;
        });
        world.after_secs(2);
        let status = world.status();
        assert!((0..100).contains(&status.overall_progress.unwrap()));
        assert!(status.steps_completed.unwrap() <= status.steps_total.unwrap());
    }
}

#[test]
fn history_keeps_the_newest_thirty_two_entries_and_counts_the_rest() {
    let mut world = World::until(Phase::Processing);
    world.edit_unseen(|status| {
        let entry = status.history[0].clone();
        status.history = vec![entry; 32];
    });
    world.proceed_to(Phase::WorkflowPlanning);
    let status = world.status();
    assert_eq!(
        (status.history.len(), status.history_dropped),
        (32, Some(2))
    );
    assert_eq!(
        status.history[31].phase,
        PhaseWord::Known(Phase::WorkflowPlanning)
    );
}

#[test]
fn a_named_child_that_somebody_else_took_over_is_not_created_again_when_the_phase_is_set_back() {
    let mut world = World::until(Phase::Processing);
    let key = world.key_of(RP);
    world.change(&key, |child| {
        child.owner.as_mut().unwrap().uid = "somebody-else".into();
    });
    world.edit(set_to(Phase::Initializing));
    assert!(world.rounds <= 4, "{} rounds", world.rounds);
    assert_eq!(world.calls(|call| creates_a(call, RP)), 1);
    assert_eq!(world.phase(), Phase::Processing);
}

#[test]
fn a_plan_hash_that_was_removed_neither_completes_early_nor_holds_the_end_up() {
    let plan = json!([{ "name": "a" }, { "name": "b", "dependsOn": ["a"] }]);
    for shown in [true, false] {
        let mut world = World::running(&plan);
        world.step_says("a", json!({ "phase": "Completed" }));
        let completed = if shown {
            workflow("Completed", &plan)
        } else {
            json!({ "phase": "Completed" })
        };
        let key = world.key_of(WFE);
        world.write_status(&key, completed);
        world.edit(|status| status.plan_hash = None);
        assert_eq!(
            world.phase(),
            Phase::Executing,
            "S24: b runs, shown {shown}"
        );
        world.step_says("b", json!({ "phase": "Completed" }));
        assert_eq!(world.phase(), Phase::Completed, "shown {shown}");
    }
}

#[test]
fn a_reference_to_a_step_that_the_plan_does_not_have_counts_for_none_that_it_has() {
    let plan = json!([{ "name": "a" }, { "name": "b" }]);
    let mut world = World::running(&plan);
    world.step_says("a", json!({ "phase": "Completed" }));
    let key = world.key_of(WFE);
    world.write_status(&key, workflow("Completed", &plan));
    world.edit(|status| {
        for reference in &mut status.kubernetes_execution_refs {
            reference.completed = true;
            if reference.step == "b" {
                reference.step = "z".into();
            }
        }
    });
    assert_eq!(world.phase(), Phase::Executing, "S24: b is not completed");
}

#[test]
fn a_hash_that_a_hand_wrote_makes_no_plan_runnable() {
    let circle = json!([{ "name": "ok" }, { "name": "a", "dependsOn": ["a"] }]);
    let mut world = World::until(Phase::Executing);
    let said = workflow("Executing", &circle);
    let plan = ChildStatus::read(WFE, said.clone());
    let hash = fingerprint(plan.workflow().plan.as_ref().unwrap());
    world.edit_unseen(|status| status.plan_hash = Some(hash));
    world.says(WFE, said);
    assert_eq!(world.outcome(), (Phase::Failed, "InvalidPlan".into()));
    assert_eq!(world.count(KEXEC), 0);
}

#[test]
fn a_terminal_word_without_completion_time_lets_nothing_be_swept() {
    for to in [Phase::Completed, Phase::Failed] {
        let mut world = World::until(Phase::Executing);
        world.edit(|status| {
            *status = Status {
                phase: Some(PhaseWord::Known(to)),
                ..Status::default()
            };
        });
        for kind in [RP, AIA, WFE] {
            assert_eq!(world.count(kind), 1, "S25: {kind} while not terminal");
        }
    }
}

#[test]
fn a_phase_that_cannot_be_placed_is_named_as_it_stands_when_the_overall_deadline_passes() {
    let mut world = World::until(Phase::Processing);
    world.edit(|status| status.phase = Some(PhaseWord::Unknown("Hibernating".into())));
    world.run_for_secs(91 * 60);
    let message = world.status().message.as_ref().unwrap();
    assert!(message.contains("`Hibernating`"), "S13: {message}");
    assert!(!message.contains("Initializing"), "S13: {message}");
}

#[test]
fn a_failure_that_a_hand_wrote_without_a_reason_is_escalated_with_the_one_that_status_will_show() {
    let mut world = World::until(Phase::Processing);
    world.edit(|status| status.failure_phase = Some(Phase::Processing));
    let escalation = world.notification("escalation").unwrap();
    let told = escalation["metadata"]["failure_reason"].as_str().unwrap();
    assert_eq!(world.outcome(), (Phase::Failed, told.to_owned()), "S13");
}

#[test]
fn a_terminal_word_alone_completes_no_progress() {
    let mut world = World::until(Phase::Analyzing);
    world.after_secs(2);
    world.edit(|status| status.phase = Some(PhaseWord::Known(Phase::Completed)));
    let status = world.status();
    assert_eq!(
        (status.overall_progress, status.steps_completed),
        (Some(33), Some(1))
    );
}
