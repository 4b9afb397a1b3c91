//! The canaries: histories that break one promise each, and how.

use jiff::{SignedDuration, Timestamp};
use remediation_adapters::simulation::promises::Ending;
use serde_json::{Value, json};

use crate::recorded::{Recorded, settled};
use crate::tale::{AIA, KEXEC, NOTIF, REQUEST, RPROC, Tale, WFE, made};

/// The recorded lives that the canaries are made of.
pub(crate) struct Lives {
    /// Two steps, run by the orchestrator.
    pub(crate) good: Recorded,
    /// The workflow fails.
    pub(crate) failed: Recorded,
    /// Nobody begins with the processing.
    pub(crate) timed_out: Recorded,
    /// Suspended in Processing and resumed.
    pub(crate) suspended: Recorded,
}

/// A history that breaks a promise, and its end where it shows only there.
pub(crate) type Broken = (Tale, Option<Ending>);
/// Makes one.
pub(crate) type Canary = (&'static str, fn(&Lives) -> Broken);

pub(crate) const NOW: SignedDuration = SignedDuration::ZERO;
pub(crate) const LATER: SignedDuration = SignedDuration::from_secs(5);
pub(crate) const MINUTE: SignedDuration = SignedDuration::from_secs(60);

pub(crate) fn at_once(tale: Tale) -> Broken {
    (tale, None)
}

pub(crate) fn in_the_end(tale: Tale, later: SignedDuration) -> Broken {
    let ending = settled(tale.time() + later);
    (tale, Some(ending))
}

pub(crate) fn phase(phase: &'static str) -> impl Fn(&Value) -> bool {
    move |object| object["status"]["phase"] == phase
}

pub(crate) fn in_phase(life: &Recorded, word: &'static str) -> Tale {
    let tale = Tale::of(life);
    let at = tale.ours(REQUEST, phase(word));
    tale.cut_after(at)
}

pub(crate) fn renamed(mut object: Value, name: &str) -> Value {
    object["metadata"]["name"] = json!(name);
    object
}

pub(crate) fn later(text: &Value, seconds: i64) -> Value {
    let time: Timestamp = text.as_str().unwrap().parse().unwrap();
    json!(format!("{:.3}", time + SignedDuration::from_secs(seconds)))
}

pub(crate) const CANARIES: &[Canary] = &[
    ("a_second_execution_of_a_step_is_named", |lives| {
        let tale = Tale::of(&lives.good);
        let (first, second) = (
            tale.creation(KEXEC),
            tale.ours(REQUEST, |o| {
                o["status"]["kubernetesExecutionRefs"][1].is_object()
            }),
        );
        let twin = renamed(tale.image(first), "web-execution-twin");
        let named = tale.image(second);
        let tale = tale.cut_before(second).user_creates(KEXEC, twin);
        at_once(tale.we_write(NOW, |status| {
            *status = named["status"].clone();
            status["kubernetesExecutionRefs"][0] =
                json!({ "step": "a", "name": "web-execution-twin", "uid": made(1) });
        }))
    }),
    (
        "an_analysis_is_created_before_the_processing_completed",
        |lives| {
            let tale = Tale::of(&lives.good);
            let analysis = tale.image(tale.creation(AIA));
            at_once(in_phase(&lives.good, "Processing").we_create(NOW, AIA, analysis))
        },
    ),
    (
        "a_processing_is_created_again_while_the_analysis_runs",
        |lives| {
            let tale = in_phase(&lives.good, "Analyzing");
            let processing = tale.image(tale.creation(RPROC));
            at_once(tale.we_create(LATER, RPROC, processing))
        },
    ),
    (
        "a_step_is_created_after_the_failure_was_recorded",
        |lives| {
            let tale = Tale::of(&lives.good);
            let second = tale.image(
                tale.commits
                    .iter()
                    .rposition(|c| c.kind == KEXEC && c.before.is_none())
                    .unwrap(),
            );
            let tale = in_phase(&lives.good, "Executing").we_write(NOW, |status| {
                status["failurePhase"] = json!("Executing");
                status["failureCategory"] = json!("C");
                status["reason"] = json!("Invalid");
                status.as_object_mut().unwrap().remove("nextDeadline");
            });
            at_once(tale.we_create(LATER, KEXEC, second))
        },
    ),
    ("a_child_is_created_for_a_suspended_request", |lives| {
        let tale = Tale::of(&lives.good);
        let (asked, processing) = (tale.creation(REQUEST), tale.image(tale.creation(RPROC)));
        let tale = tale
            .cut_after(asked)
            .user_changes(|request| request["spec"]["suspend"] = json!(true));
        at_once(tale.we_create(LATER, RPROC, processing))
    }),
    ("the_phase_goes_back", |lives| {
        let tale = in_phase(&lives.good, "Analyzing");
        at_once(tale.we_write(NOW, |status| {
            status["phase"] = json!("Processing");
            let first = status["history"][0].clone();
            status["history"].as_array_mut().unwrap().push(first);
        }))
    }),
    ("the_reason_changes_after_the_end", |lives| {
        let tale = in_phase(&lives.good, "Completed");
        at_once(tale.we_write(NOW, |status| status["reason"] = json!("Otherwise")))
    }),
    ("the_start_time_is_written_twice", |lives| {
        let tale = in_phase(&lives.good, "Processing");
        at_once(tale.we_write(NOW, |status| {
            status["startTime"] = later(&status["startTime"], 1);
        }))
    }),
    ("a_timeout_comes_a_millisecond_early", |lives| {
        let tale = Tale::of(&lives.timed_out);
        let failing = tale.ours(REQUEST, |o| o["status"]["failurePhase"].is_string());
        let before = tale.commits[failing].before.clone().unwrap();
        let deadline: Timestamp = before["status"]["nextDeadline"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let mut tale = tale.cut_after(failing);
        tale.commits[failing].at = deadline - SignedDuration::from_millis(1);
        at_once(tale)
    }),
    (
        "a_timeout_is_recorded_although_the_child_had_completed",
        |lives| {
            let tale = Tale::of(&lives.good);
            let completed = tale.says(RPROC, "Completed");
            let tale = tale.cut_after(completed);
            let deadline: Timestamp = tale.request()["status"]["nextDeadline"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap();
            let late = deadline.duration_since(tale.time());
            at_once(tale.we_write(late, |status| {
                for (field, value) in [
                    ("failurePhase", "Processing"),
                    ("timeoutPhase", "Processing"),
                    ("failureCategory", "F"),
                    ("reason", "PhaseTimeout"),
                ] {
                    status[field] = json!(value);
                }
                status.as_object_mut().unwrap().remove("nextDeadline");
            }))
        },
    ),
    ("two_escalations_of_one_request", |lives| {
        let tale = Tale::of(&lives.failed);
        let first = tale.creation(NOTIF);
        let second = renamed(tale.image(first), "web-escalation-again");
        at_once(tale.cut_after(first).we_create(NOW, NOTIF, second))
    }),
    ("an_escalation_gives_another_reason_than_status", |lives| {
        let tale = Tale::of(&lives.failed);
        let escalation = tale.creation(NOTIF);
        at_once(
            tale.cut_after(escalation)
                .tamper(escalation, |notification| {
                    notification["spec"]["metadata"]["failure_reason"] = json!("Nothing");
                }),
        )
    }),
    ("an_object_of_somebody_else_is_changed", |lives| {
        let tale = in_phase(&lives.good, "Processing");
        let theirs = json!({ "metadata": { "name": "theirs", "namespace": "default", "uid": made(1) }, "spec": {} });
        at_once(
            tale.user_creates(RPROC, theirs.clone())
                .we_change(RPROC, theirs, |object| {
                    object["metadata"]["labels"] = json!({ "a": "b" });
                }),
        )
    }),
    ("a_foreign_object_is_named", |lives| {
        at_once(names_another(lives, None))
    }),
    ("a_child_of_an_earlier_request_is_named", |lives| {
        at_once(names_another(lives, Some("an-earlier-request")))
    }),
    ("progress_goes_back", |lives| {
        let tale = in_phase(&lives.good, "WorkflowPlanning");
        at_once(tale.we_write(NOW, |status| status["overallProgress"] = json!(10)))
    }),
    ("a_request_completes_on_an_unknown_word", |lives| {
        let tale = Tale::of(&lives.good);
        let (done, end) = (
            tale.says(WFE, "Completed"),
            tale.ours(REQUEST, phase("Completed")),
        );
        at_once(
            tale.cut_after(end)
                .tamper(done, |workflow| workflow["status"]["phase"] = json!("Done")),
        )
    }),
    ("a_request_is_deleted_before_it_expires", |lives| {
        let tale = in_phase(&lives.good, "Completed");
        let request = tale.request();
        at_once(tale.deleted(true, REQUEST, request))
    }),
    ("a_step_gets_another_action_than_the_plan", |lives| {
        let tale = Tale::of(&lives.good);
        let step = tale.creation(KEXEC);
        at_once(tale.cut_after(step).tamper(step, |execution| {
            execution["spec"]["action"] = json!("DeleteAll");
        }))
    }),
    ("the_policy_changes_under_way", |lives| {
        let tale = in_phase(&lives.good, "Processing");
        at_once(tale.we_write(NOW, |status| {
            status["effectivePolicy"]["configurationHash"] = json!("another");
        }))
    }),
    ("the_same_condition_is_written_for_ever", |lives| {
        let tale = in_phase(&lives.good, "Processing");
        at_once((0..40).fold(tale, |tale, round| {
            tale.we_write(NOW, |status| {
                status["message"] = json!(format!("round {round}"));
            })
        }))
    }),
    ("a_status_grows_too_large", |lives| {
        let tale = in_phase(&lives.good, "Processing");
        at_once(tale.we_write(NOW, |status| {
            status["message"] = json!("x".repeat(33 * 1024));
        }))
    }),
    ("a_pause_is_counted_too_long", |lives| {
        let tale = Tale::of(&lives.suspended);
        let resumed = tale.ours(REQUEST, |o| o["status"]["suspendedTotal"].is_string());
        at_once(tale.cut_after(resumed).tamper(resumed, |request| {
            let status = &mut request["status"];
            let pause = status["suspendedTotal"]
                .as_str()
                .unwrap()
                .trim_end_matches('s')
                .to_owned();
            let longer = json!(format!("1h{pause}s"));
            status["suspendedTotal"] = longer.clone();
            status["suspendedInPhase"] = longer;
            status["nextDeadline"] = later(&status["nextDeadline"], 3600);
        }))
    }),
    ("a_transition_without_an_entry_in_history", |lives| {
        let tale = in_phase(&lives.good, "Analyzing");
        let last = tale.commits.len() - 1;
        at_once(tale.tamper(last, |request| {
            request["status"]["history"].as_array_mut().unwrap().pop();
        }))
    }),
    ("a_deadline_passes_and_nothing_happens", |lives| {
        in_the_end(
            in_phase(&lives.good, "Processing"),
            SignedDuration::from_hours(2),
        )
    }),
    ("a_completed_workflow_is_left_alone", |lives| {
        let tale = Tale::of(&lives.good);
        let completed = tale.says(WFE, "Completed");
        in_the_end(tale.cut_after(completed), MINUTE)
    }),
    ("a_failure_that_nobody_is_told", |lives| {
        let mut tale = in_phase(&lives.failed, "Failed");
        tale.commits.retain(|commit| commit.kind != NOTIF);
        let last = tale.commits.len() - 1;
        let tale = tale.tamper(last, |request| {
            let status = request["status"].as_object_mut().unwrap();
            status.remove("notificationRefs");
            status.remove("conditions");
        });
        in_the_end(tale, MINUTE)
    }),
    ("an_expired_request_stays", |lives| {
        in_the_end(
            in_phase(&lives.good, "Completed"),
            SignedDuration::from_hours(25),
        )
    }),
    ("a_child_of_a_deleted_request_stays", |lives| {
        let tale = in_phase(&lives.good, "Processing");
        let request = tale.request();
        in_the_end(tale.deleted(false, REQUEST, request), MINUTE)
    }),
    ("status_is_written_after_the_end", |lives| {
        let tale = in_phase(&lives.good, "Completed");
        at_once(tale.we_write(NOW, |status| status["message"] = json!("again")))
    }),
    ("a_deleted_workflow_holds_its_request_up", |lives| {
        let tale = in_phase(&lives.good, "Executing");
        let at = tale
            .commits
            .iter()
            .rposition(|commit| commit.kind == WFE)
            .unwrap();
        let workflow = tale.image(at);
        in_the_end(tale.deleted(false, WFE, workflow), MINUTE)
    }),
    ("a_straggler_is_left", |lives| {
        let tale = in_phase(&lives.good, "WorkflowPlanning");
        let analysis = tale.image(tale.creation(AIA));
        in_the_end(tale.we_create(NOW, AIA, analysis), MINUTE)
    }),
];

/// A history in which status names an object under our name that is of somebody else.
fn names_another(lives: &Lives, owner: Option<&str>) -> Tale {
    let tale = Tale::of(&lives.good);
    let (asked, named) = (
        tale.creation(REQUEST),
        tale.ours(REQUEST, phase("Processing")),
    );
    let mut theirs = tale.image(tale.creation(RPROC));
    match owner {
        Some(owner) => theirs["metadata"]["ownerReferences"][0]["uid"] = json!(owner),
        None => theirs["metadata"]["ownerReferences"] = json!([]),
    }
    let status = tale.image(named)["status"].clone();
    tale.cut_after(asked)
        .user_creates(RPROC, theirs)
        .we_write(NOW, |ours| {
            *ours = status;
            ours["remediationProcessingRef"]["uid"] = json!(made(1));
        })
}
