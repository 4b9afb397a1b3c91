//! Mistakes made on purpose: a wrong wrapper around `decide` that the enumeration does not notice would show that it
//! proves nothing. Each names the promise that it breaks, if it breaks one: these are the promises that this layer checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use remediation_core::action::{Action, ChildSpec};
use remediation_core::children::{Belongs, ChildStatus, Children, Owner};
use remediation_core::decide::{Decision, State, explain};
use remediation_core::error::Category;
use remediation_core::kind::{ChildKind, REQUEST_KIND};
use remediation_core::phase::Phase;
use remediation_core::status::Status;
use remediation_core::time::{GoDuration, Time};
use serde_json::json;

use crate::campaign::{Campaign, Decide};
use crate::domain::families::WIDE;

/// Cases that are drawn for each mistake: far fewer than the ordinary run looks at. The second number only where the
/// first was not enough.
const DRAWN: [u64; 2] = [1_000, 40_000];

/// Fails unless the enumeration notices this wrapper.
fn is_noticed(what: &str, decide: Decide<'_>) {
    for cases in DRAWN {
        let report = Campaign {
            family: &WIDE,
            seed: Some(1),
            cases,
        }
        .run(decide);
        if report.wrong > 0 {
            return println!("{:>5} of {cases:>5} cases notice: {what}", report.wrong);
        }
    }
    panic!("unnoticed: {what}");
}

/// Changes the answer.
fn answers(what: &str, change: impl Fn(&mut Vec<Action>, &State) + Sync) {
    is_noticed(what, &|state: &State,
                       children: &Children,
                       now: Timestamp| {
        let mut answer = explain(state, children, now);
        change(&mut answer.actions, state);
        answer
    });
}

/// Changes each status that is recorded.
fn records(what: &str, change: impl Fn(&mut Status, &State) + Sync) {
    answers(what, |actions, state| {
        for action in actions {
            if let Action::Record(record) = action {
                change(&mut record.status, state);
            }
        }
    });
}

/// Leaves actions out.
fn omits(what: &str, kept: impl Fn(&Action) -> bool + Sync) {
    answers(what, |actions, _| actions.retain(|action| kept(action)));
}

/// Shows `decide` something else than there is.
fn shows(what: &str, change: impl Fn(&mut State, &mut Children, &mut Timestamp) + Sync) {
    is_noticed(what, &|state: &State,
                       children: &Children,
                       now: Timestamp|
     -> Decision {
        let (mut state, mut children, mut now) = (state.clone(), children.clone(), now);
        change(&mut state, &mut children, &mut now);
        explain(&state, &children, now)
    });
}

/// Takes what belongs to others for ours.
fn adopt(whose: Belongs, state: &State, children: &mut Children) {
    let request = &state.request.identity;
    for child in children.seen.values_mut() {
        if child.belongs(request) == whose {
            child.owner = Some(Owner {
                kind: REQUEST_KIND.into(),
                name: request.name.clone(),
                uid: request.uid.clone(),
            });
        }
    }
}

#[test]
fn no_mistake_at_all_is_noticed() {
    let report = Campaign {
        family: &WIDE,
        seed: Some(1),
        cases: DRAWN[1],
    }
    .run(&explain);
    report.assert_clean("the true `decide`");
}

#[test]
fn an_action_that_is_left_out_is_noticed() {
    for kind in ChildKind::ALL {
        omits(
            &format!("no {kind} is created"),
            |a| !matches!(a, Action::Create(new) if new.key.kind == kind),
        );
    }
    omits("nothing is recorded", |a| !matches!(a, Action::Record(_)));
    omits("nothing is read", |a| !matches!(a, Action::Read(_)));
    omits("no ownership is restored", |a| {
        !matches!(a, Action::RestoreOwnership(_))
    });
    omits("no straggler is deleted", |a| {
        !matches!(a, Action::DeleteChild(_))
    });
    omits("S25: the request is never deleted", |a| {
        !matches!(a, Action::DeleteRequest)
    });
    omits("nobody is told", |a| !matches!(a, Action::Announce(_)));
    omits("S10: no wake-up is asked for", |a| {
        !matches!(a, Action::WakeAt(_))
    });
}

#[test]
fn a_field_that_is_wrong_is_noticed() {
    records("S13: the reason is lost", |status, _| status.reason = None);
    records("failurePhase is lost", |status, _| {
        status.failure_phase = None;
    });
    records("S13: the category is B", |status, _| {
        status.failure_category = status.failure_category.map(|_| Category::B);
    });
    records("timeoutPhase is lost", |status, _| {
        status.timeout_phase = None;
    });
    records("completionTime is unset", |status, _| {
        status.completion_time = None;
    });
    records("S25: expiry counts a second more", |status, _| {
        status.expiry_time = status
            .expiry_time
            .map(|time| time.plus(GoDuration::from_secs(1)));
    });
    records("S9: nextDeadline is a millisecond late", |status, _| {
        status.next_deadline = status
            .next_deadline
            .map(|time| time.plus(GoDuration::from_millis(1)));
    });
    records("the workflow is not named", |status, _| {
        status.workflow_execution_ref = None;
    });
    records("S1: another execution is named", |status, _| {
        if let Some(reference) = &mut status.workflow_execution_ref {
            reference.uid.push('x');
        }
    });
    records("no step is named", |status, _| {
        status.kubernetes_execution_refs.clear();
    });
    records("S23: a completed step is forgotten", |status, _| {
        for reference in &mut status.kubernetes_execution_refs {
            reference.completed = false;
        }
    });
    records("S35: history is forgotten", |status, _| {
        status.history.clear();
    });
    records("S23: progress goes on to 100", |status, _| {
        status.overall_progress = Some(100);
    });
    records("approval is asked for again", |status, _| {
        status.approval_notification_sent = false;
    });
    records("S34: the pause is lost", |status, _| {
        status.suspended_total = None;
    });
    records("S8: phaseStartTime is that of the whole", |status, _| {
        status.phase_start_time = status.start_time;
    });
    records(
        "S27: the policy follows the configuration",
        |status, state| {
            let (policy, _) = remediation_core::policy::effective(
                &Arc::clone(&state.settings),
                &state.request.spec,
            );
            status.effective_policy = Some(policy);
        },
    );
}

#[test]
fn an_order_that_is_wrong_is_noticed() {
    answers(
        "S12: the escalation comes before the record",
        |actions, _| {
            let escalation = actions.iter().position(|action| {
            matches!(action, Action::Create(new) if new.key.kind == ChildKind::NotificationRequest)
        });
            if let Some(at) = escalation {
                let action = actions.remove(at);
                actions.insert(0, action);
            }
        },
    );
    answers("S10: the wake-up is a nanosecond late", |actions, _| {
        for action in actions {
            if let Action::WakeAt(moment) = action {
                *moment += SignedDuration::from_nanos(1);
            }
        }
    });
    answers("a step is created twice", |actions, _| {
        let step = actions.iter().find(|action| matches!(action, Action::Create(new) if new.key.kind == ChildKind::KubernetesExecution));
        if let Some(step) = step.cloned() {
            actions.push(step);
        }
    });
    answers("S6: a phase of the path is skipped", |actions, _| {
        for action in actions {
            if let Action::Record(record) = action
                && record.path.len() > 1
            {
                record.path.remove(0);
            }
        }
    });
    answers("S14: a child that status names is deleted", |actions, _| {
        for action in actions {
            if let Action::RestoreOwnership(seen) = action {
                *action = Action::DeleteChild(seen.clone());
            }
        }
    });
    answers(
        "S4/S26: an execution may start a second too late",
        |actions, _| {
            for action in actions {
                if let Action::Create(new) = action
                    && let ChildSpec::Execution(spec) = &mut new.spec
                {
                    spec.not_after = spec.not_after.plus(GoDuration::from_secs(1));
                }
            }
        },
    );
}

#[test]
fn a_view_that_is_wrong_is_noticed() {
    shows("a deadline passes a nanosecond late", |_, _, now| {
        *now -= SignedDuration::from_nanos(1);
    });
    shows("S9: a deadline passes a nanosecond early", |_, _, now| {
        *now += SignedDuration::from_nanos(1);
    });
    shows("S5: deletion is not seen", |state, _, _| {
        state.request.deleting = false;
    });
    shows("S5/S34: suspension is not seen", |state, _, _| {
        state.request.spec.suspend = false;
    });
    shows("S5/S7/L9: the end is not seen", |state, _, _| {
        state.request.status.completion_time = None;
    });
    shows("S4/S11: a recorded failure is not seen", |state, _, _| {
        state.request.status.failure_phase = None;
        state.request.status.failure_category = None;
    });
    shows(
        "S1: a vanished execution is created a second time",
        |state, _, _| {
            state.request.status.workflow_execution_ref = None;
        },
    );
    shows("absence from the cache is believed", |_, children, _| {
        let missing = [
            "WorkflowExecution/web-workflow",
            "AIAnalysis/web-aianalysis",
            "RemediationProcessing/web-processing",
        ];
        children.live.extend(missing.map(str::to_owned));
    });
    shows("S30: refusals are forgotten", |state, _, _| {
        state.memory.refusals.clear();
    });
    shows("progress is written without a limit", |state, _, _| {
        state.memory.last_record = None;
    });
    shows("S15: a foreign object is believed", |state, children, _| {
        adopt(Belongs::Foreign, state, children);
    });
    shows(
        "S16: a child of an earlier request is believed",
        |state, children, _| {
            adopt(Belongs::EarlierIncarnation, state, children);
        },
    );
    shows(
        "S2/S24: a processing is taken for completed that never said so",
        |_, children, _| {
            for child in children.seen.values_mut() {
                if child.key.kind == ChildKind::RemediationProcessing {
                    child.status =
                        ChildStatus::read(child.key.kind, json!({ "phase": "Completed" }));
                }
            }
        },
    );
    shows(
        "a child on its way out is taken for one that stays",
        |_, children, _| {
            for child in children.seen.values_mut() {
                child.deleting = false;
            }
        },
    );
    shows("S9: all phases count from the beginning", |state, _, _| {
        let status = &mut state.request.status;
        if status.known_phase() > Some(Phase::Initializing) {
            status.phase_start_time = status.start_time;
        }
    });
    shows("S34: paused time is not added", |state, _, _| {
        state.request.status.suspended_in_phase = None;
    });
    shows("a start that lies ahead is believed", |state, _, now| {
        let late = Time::at(*now).plus(GoDuration::from_secs(5));
        let start = &mut state.request.status.start_time;
        *start = start.map(|time| time.min(late));
    });
}

/// Fails unless what follows a right answer is noticed, and as a breach of this promise.
fn is_noticed_as(promise: &str, decide: Decide<'_>) {
    let report = Campaign {
        family: &WIDE,
        seed: Some(1),
        cases: DRAWN[1],
    }
    .run(decide);
    let found = report.first_problem().expect("unnoticed");
    assert!(found.starts_with(promise), "noticed as {found}");
}

#[test]
fn an_answer_that_differs_in_a_byte_the_second_time_is_noticed() {
    let times = AtomicU64::new(0);
    is_noticed_as("S18:", &|state: &State, children: &Children, now| {
        let mut answer = explain(state, children, now);
        for action in &mut answer.actions {
            if let Action::Announce(event) = action {
                let time = times.fetch_add(1, Ordering::Relaxed);
                event.note.push_str(&format!(" (event {time})"));
            }
        }
        answer
    });
}

#[test]
fn a_child_that_is_created_again_and_again_is_noticed() {
    is_noticed_as("S19:", &|state: &State, children: &Children, now| {
        let mut children = children.clone();
        children
            .seen
            .retain(|_, child| !child.uid.starts_with("created-"));
        explain(state, &children, now)
    });
}

#[test]
fn a_status_that_is_written_again_and_again_is_noticed() {
    is_noticed_as("S19:", &|state: &State, children: &Children, now| {
        let mut state = state.clone();
        // What this very moment wrote is not seen; no case begins with it.
        if state.memory.last_record == Some(now) && !state.request.status.is_terminal() {
            state.request.status.waiting_for = Some("nothing".to_owned());
        }
        explain(&state, children, now)
    });
}
