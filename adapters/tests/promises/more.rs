//! More canaries: the other ways in which a promise can be broken.

use jiff::SignedDuration;
use remediation_adapters::simulation::promises::{Commit, Promise};
use serde_json::{Value, json};

use crate::broken::{Broken, LATER, Lives, NOW, at_once, in_phase, later, renamed};
use crate::tale::{AIA, KEXEC, NOTIF, REQUEST, RPROC, Tale, WFE, made};

/// What it breaks, how, and the history.
pub(crate) type Another = (Promise, &'static str, fn(&Lives) -> Broken);

/// A step could not be created.
pub(crate) fn fails(status: &mut Value) {
    for (field, value) in [
        ("failurePhase", "Executing"),
        ("failureCategory", "C"),
        ("reason", "Invalid"),
    ] {
        status[field] = json!(value);
    }
    remove(status, "nextDeadline");
}

pub(crate) fn remove(object: &mut Value, field: &str) {
    object.as_object_mut().unwrap().remove(field);
}

/// A child of this kind as it was created, in a history that ends in this phase.
fn created(lives: &Lives, kind: remediation_adapters::simulation::promises::Kind) -> Value {
    let tale = Tale::of(&lives.good);
    tale.image(tale.creation(kind))
}

fn tampered(
    lives: &Lives,
    kind: remediation_adapters::simulation::promises::Kind,
    change: fn(&mut Value),
) -> Broken {
    let tale = Tale::of(&lives.good);
    let at = tale.creation(kind);
    at_once(
        tale.cut_after(at)
            .tamper(at, |object| change(&mut object["spec"])),
    )
}

/// A failed request whose escalation could not be created until it had ended; the write that names it does this as well.
fn told_late(lives: &Lives, does: fn(&mut Value)) -> Broken {
    let tale = in_phase(&lives.failed, "Failed");
    let last = tale.commits.len() - 1;
    let told = tale.image(last)["status"].clone();
    let owing = tale.tamper(last, |request| {
        let status = &mut request["status"];
        remove(status, "notificationRefs");
        let conditions = status["conditions"].as_array_mut().unwrap();
        for condition in conditions.iter_mut().filter(|c| c["type"] == "Escalated") {
            condition["status"] = json!("False");
        }
    });
    at_once(owing.we_write(NOW, |status| {
        *status = told;
        does(status);
    }))
}

pub(crate) const MORE: &[Another] = &[
    (Promise::S1, "an execution is forgotten", |lives| {
        at_once(
            in_phase(&lives.good, "Executing")
                .we_write(NOW, |status| remove(status, "kubernetesExecutionRefs")),
        )
    }),
    (
        Promise::S7,
        "an end whose completion time a hand took away becomes another",
        |lives| {
            let taken = in_phase(&lives.good, "Completed")
                .user_changes(|request| remove(&mut request["status"], "completionTime"));
            at_once(taken.we_write(NOW, |status| {
                status["completionTime"] = json!("2030-03-02T00:00:00.000Z");
            }))
        },
    ),
    (
        Promise::S16,
        "a child of an earlier request is swept",
        |lives| {
            let tale = in_phase(&lives.good, "Processing");
            let (request, child) = (tale.request(), tale.image(tale.creation(RPROC)));
            let tale = tale.deleted(false, REQUEST, request);
            let mut tale = tale.deleted(true, RPROC, child);
            delay(tale.commits.last_mut().unwrap(), LATER);
            at_once(tale)
        },
    ),
    (
        Promise::S14,
        "what a newer version wrote is lost",
        |lives| {
            let newer = in_phase(&lives.good, "Executing").user_changes(|request| {
                request["status"]["later"] = json!({ "by": "a newer one" });
            });
            at_once(newer.we_write(NOW, |status| remove(status, "later")))
        },
    ),
    (
        Promise::S14,
        "a condition of somebody else is lost",
        |lives| {
            let theirs = in_phase(&lives.good, "Executing").user_changes(|request| {
                let conditions = request["status"]["conditions"].as_array_mut().unwrap();
                conditions.push(json!({ "type": "Verified", "status": "Unknown" }));
            });
            at_once(theirs.we_write(NOW, |status| {
                status["conditions"].as_array_mut().unwrap().pop();
            }))
        },
    ),
    (
        Promise::S2,
        "a step comes before what it depends on",
        |lives| {
            let all = Tale::of(&lives.good);
            let second = all.image(
                all.commits
                    .iter()
                    .rposition(|c| c.kind == KEXEC && c.before.is_none())
                    .unwrap(),
            );
            at_once(in_phase(&lives.good, "Executing").we_create(NOW, KEXEC, second))
        },
    ),
    (
        Promise::S2,
        "a workflow comes before the analysis is ready",
        |lives| {
            let workflow = created(lives, WFE);
            at_once(in_phase(&lives.good, "Analyzing").we_create(NOW, WFE, workflow))
        },
    ),
    (
        Promise::S4,
        "a step comes after its latest moment",
        |lives| {
            let tale = Tale::of(&lives.good);
            let at = tale.creation(KEXEC);
            let step = tale.image(at);
            at_once(
                tale.cut_before(at)
                    .we_create(SignedDuration::from_hours(1), KEXEC, step),
            )
        },
    ),
    (Promise::S4, "a workflow starts after the end", |lives| {
        let tale = in_phase(&lives.timed_out, "Failed");
        let mut stray = created(lives, WFE);
        stray["metadata"]["ownerReferences"][0]["uid"] = tale.request()["metadata"]["uid"].clone();
        let tale = tale.user_creates(WFE, stray);
        let stray = tale.image(tale.commits.len() - 1);
        at_once(tale.user_updates(WFE, stray, |object| {
            object["status"] = json!({ "phase": "Planning" });
        }))
    }),
    (Promise::S5, "a child is created after the end", |lives| {
        let analysis = created(lives, AIA);
        at_once(in_phase(&lives.good, "Completed").we_create(LATER, AIA, analysis))
    }),
    (
        Promise::S5,
        "a child is created although the request is being deleted",
        |lives| {
            let tale = in_phase(&lives.good, "Processing").user_changes(|request| {
                request["metadata"]["deletionTimestamp"] = json!("2026-03-01T12:00:00Z");
            });
            let processing = created(lives, RPROC);
            at_once(tale.we_create(LATER, RPROC, processing))
        },
    ),
    (
        Promise::S5,
        "a child is created although the request is gone",
        |lives| {
            let tale = in_phase(&lives.good, "Processing");
            let request = tale.request();
            let processing = created(lives, RPROC);
            at_once(
                tale.deleted(false, REQUEST, request)
                    .we_create(LATER, RPROC, processing),
            )
        },
    ),
    (Promise::S5, "a child is created for nobody", |lives| {
        let mut processing = created(lives, RPROC);
        processing["metadata"]["ownerReferences"][0]["uid"] = json!("nobody");
        at_once(in_phase(&lives.good, "Processing").we_create(NOW, RPROC, processing))
    }),
    (
        Promise::S5,
        "status is written although the request is being deleted",
        |lives| {
            let tale = in_phase(&lives.good, "Processing").user_changes(|request| {
                request["metadata"]["deletionTimestamp"] = json!("2026-03-01T12:00:00Z");
            });
            at_once(tale.we_write(NOW, |status| status["message"] = json!("more")))
        },
    ),
    (Promise::S6, "a phase is left out", |lives| {
        let tale = in_phase(&lives.good, "WorkflowPlanning");
        let last = tale.commits.len() - 1;
        let status = tale.image(last)["status"].clone();
        at_once(
            in_phase(&lives.good, "Processing")
                .user_creates(WFE, created(lives, WFE))
                .we_write(NOW, |ours| {
                    let first = ours["history"][0].clone();
                    *ours = status;
                    let last = ours["history"][2].clone();
                    ours["history"] = json!([first, last]);
                    ours["workflowExecutionRef"]["uid"] = json!(made(1));
                    remove(ours, "aiAnalysisRef");
                }),
        )
    }),
    (
        Promise::S6,
        "a phase is entered without its child",
        |lives| {
            let tale = in_phase(&lives.good, "Analyzing");
            let last = tale.commits.len() - 1;
            at_once(tale.tamper(last, |request| {
                remove(&mut request["status"], "aiAnalysisRef");
            }))
        },
    ),
    (Promise::S7, "the end is taken back", |lives| {
        at_once(in_phase(&lives.good, "Completed").we_write(NOW, |status| {
            status["phase"] = json!("Executing");
            remove(status, "completionTime");
        }))
    }),
    (
        Promise::S8,
        "a phase begins before the one before it",
        |lives| {
            let tale = in_phase(&lives.good, "Analyzing");
            let last = tale.commits.len() - 1;
            at_once(tale.tamper(last, |request| {
                let status = &mut request["status"];
                status["phaseStartTime"] = later(&status["startTime"], -3);
                status["nextDeadline"] = later(&status["phaseStartTime"], 15 * 60);
            }))
        },
    ),
    (
        Promise::S9,
        "another deadline is shown than follows",
        |lives| {
            at_once(in_phase(&lives.good, "Processing").we_write(NOW, |status| {
                status["nextDeadline"] = later(&status["nextDeadline"], 1);
            }))
        },
    ),
    (Promise::S11, "a recorded failure changes", |lives| {
        let tale = in_phase(&lives.good, "Executing").we_write(NOW, fails);
        at_once(tale.we_write(NOW, |status| status["reason"] = json!("Otherwise")))
    }),
    (Promise::S12, "a completed request is escalated", |lives| {
        let failed = Tale::of(&lives.failed);
        let mut escalation = failed.image(failed.creation(NOTIF));
        let tale = in_phase(&lives.good, "Completed");
        let uid = tale.request()["metadata"]["uid"].clone();
        escalation["metadata"]["labels"]["kubernaut.ai/remediation-request-uid"] = uid;
        // Within the lag, so that it is not S5; what it says is true, so that it is not S13.
        let tale = tale.user_changes(|request| fails(&mut request["status"]));
        at_once(tale.we_create(NOW, NOTIF, escalation))
    }),
    (Promise::S12, "success is told twice", |lives| {
        let tale = in_phase(&lives.good, "Completed");
        let success = renamed(tale.image(tale.creation(NOTIF)), "web-success-again");
        at_once(tale.we_create(NOW, NOTIF, success))
    }),
    (Promise::S12, "success is told after a failure", |lives| {
        let (tale, failed) = (Tale::of(&lives.good), Tale::of(&lives.failed));
        let success = tale.image(tale.creation(NOTIF));
        let mut escalation = failed.image(failed.creation(NOTIF));
        escalation["metadata"]["labels"] = success["metadata"]["labels"].clone();
        escalation["spec"]["metadata"]["failure_reason"] = json!("Invalid");
        escalation["spec"]["metadata"]["failure_category"] = json!("C");
        let completed = tale.says(WFE, "Completed");
        let tale = tale.cut_after(completed).we_write(NOW, fails);
        let tale = tale.we_create(NOW, NOTIF, escalation);
        at_once(tale.we_create(NOW, NOTIF, success))
    }),
    (
        Promise::S13,
        "an escalation comes before the failure is recorded",
        |lives| {
            let tale = Tale::of(&lives.failed);
            let recorded = tale.ours(REQUEST, |o| o["status"]["failurePhase"].is_string());
            let escalation = tale.image(tale.creation(NOTIF));
            at_once(tale.cut_before(recorded).we_create(NOW, NOTIF, escalation))
        },
    ),
    (
        Promise::S14,
        "a child that status names is deleted",
        |lives| {
            let processing = created(lives, RPROC);
            at_once(in_phase(&lives.good, "Processing").deleted(true, RPROC, processing))
        },
    ),
    (
        Promise::S14,
        "a child is deleted before its phase is over",
        |lives| {
            let tale = Tale::of(&lives.good);
            let at = tale.creation(RPROC);
            let processing = tale.image(at);
            at_once(tale.cut_after(at).deleted(true, RPROC, processing))
        },
    ),
    (
        Promise::S14,
        "a child that status names is told something else",
        |lives| {
            let analysis = created(lives, AIA);
            let tale = in_phase(&lives.good, "Analyzing");
            at_once(tale.we_change(AIA, analysis, |object| {
                object["spec"]["attempt"] = json!(2);
            }))
        },
    ),
    (
        Promise::S14,
        "a label of somebody else is lost as ours is given back",
        |lives| {
            let tale = in_phase(&lives.good, "Processing");
            let processing = created(lives, RPROC);
            let tale = tale.user_updates(RPROC, processing, |object| {
                object["metadata"]["labels"] = json!({ "mesh": "1-27" });
            });
            let (stripped, ours) = (tale.image(tale.commits.len() - 1), created(lives, RPROC));
            at_once(tale.we_change(RPROC, stripped, |object| {
                object["metadata"]["labels"] = ours["metadata"]["labels"].clone();
            }))
        },
    ),
    (Promise::S14, "the spec of a request is changed", |lives| {
        let tale = in_phase(&lives.good, "Processing");
        let request = tale.request();
        at_once(tale.we_change(REQUEST, request, |request| {
            request["spec"]["suspend"] = json!(true);
        }))
    }),
    (
        Promise::S15,
        "a foreign object under our name is changed",
        |lives| {
            let tale = Tale::of(&lives.good);
            let asked = tale.creation(REQUEST);
            let mut theirs = created(lives, RPROC);
            theirs["metadata"]["ownerReferences"] = json!([]);
            let tale = tale.cut_after(asked).user_creates(RPROC, theirs);
            let theirs = tale.image(tale.commits.len() - 1);
            at_once(tale.we_change(RPROC, theirs, |object| {
                object["metadata"]["labels"] = json!({});
            }))
        },
    ),
    (
        Promise::S23,
        "a completed step is completed no more",
        |lives| {
            let tale = Tale::of(&lives.good);
            let done = |o: &Value| o["status"]["kubernetesExecutionRefs"][0]["completed"] == true;
            let at = tale.ours(REQUEST, done);
            at_once(tale.cut_after(at).we_write(NOW, |status| {
                remove(&mut status["kubernetesExecutionRefs"][0], "completed");
            }))
        },
    ),
    (Promise::S23, "a hundred percent come too early", |lives| {
        at_once(
            in_phase(&lives.good, "Executing")
                .we_write(NOW, |status| status["overallProgress"] = json!(100)),
        )
    }),
    (
        Promise::S25,
        "a request is marked for deletion under way",
        |lives| {
            let tale = in_phase(&lives.good, "Executing");
            let request = tale.request();
            at_once(tale.we_change(REQUEST, request, |request| {
                request["metadata"]["deletionTimestamp"] = json!("2026-03-01T12:00:00Z");
            }))
        },
    ),
    (Promise::S26, "another target is processed", |lives| {
        tampered(lives, RPROC, |spec| {
            spec["targetingData"]["environment"] = json!("staging");
        })
    }),
    (
        Promise::S26,
        "the analysis is told something else",
        |lives| {
            tampered(lives, AIA, |spec| {
                spec["enrichedData"] = json!({ "owner": "nobody" });
            })
        },
    ),
    (
        Promise::S26,
        "other actions are planned than recommended",
        |lives| {
            tampered(lives, WFE, |spec| {
                spec["recommendations"][0]["action"] = json!("DeleteAll");
            })
        },
    ),
    (Promise::S26, "a workflow may start too late", |lives| {
        tampered(lives, WFE, |spec| {
            spec["notAfter"] = later(&spec["notAfter"], 1);
        })
    }),
    (Promise::S26, "a step gets other parameters", |lives| {
        tampered(lives, KEXEC, |spec| {
            spec["parameters"] = json!({ "replicas": "0" });
        })
    }),
    (Promise::S29, "a notification is too large", |lives| {
        let tale = Tale::of(&lives.failed);
        let at = tale.creation(NOTIF);
        at_once(tale.cut_after(at).tamper(at, |object| {
            object["spec"]["body"] = json!("x".repeat(9_000));
        }))
    }),
    (
        Promise::S29,
        "a status of one step grows too large under way",
        |lives| {
            at_once(in_phase(&lives.good, "Executing").we_write(NOW, |status| {
                status["message"] = json!("x".repeat(4096));
            }))
        },
    ),
    (Promise::S34, "a suspended request moves on", |lives| {
        let tale = in_phase(&lives.good, "Analyzing");
        let last = tale.commits.len() - 1;
        let after = tale.image(last)["status"].clone();
        let tale = tale
            .cut_before(last)
            .user_changes(|request| request["spec"]["suspend"] = json!(true));
        at_once(tale.we_write(NOW, |status| *status = after))
    }),
    (Promise::S34, "a pause is counted that was none", |lives| {
        at_once(in_phase(&lives.good, "Processing").we_write(NOW, |status| {
            status["suspendedTotal"] = json!("1s");
        }))
    }),
    (Promise::S35, "an entry of history is lost", |lives| {
        let tale = in_phase(&lives.good, "WorkflowPlanning");
        at_once(tale.we_write(NOW, |status| {
            status["history"].as_array_mut().unwrap().remove(0);
        }))
    }),
    (
        Promise::S35,
        "history is lost as people are told after the end",
        |lives| told_late(lives, |status| remove(status, "history")),
    ),
    (
        Promise::S35,
        "history goes on as people are told after the end",
        |lives| {
            told_late(lives, |status| {
                let last = status["history"][0].clone();
                status["history"].as_array_mut().unwrap().push(last);
            })
        },
    ),
    (
        Promise::S1,
        "an execution is forgotten as people are told after the end",
        |lives| told_late(lives, |status| remove(status, "workflowExecutionRef")),
    ),
];

/// It is asked for so much later, and committed at once.
pub(crate) fn delay(commit: &mut Commit, by: SignedDuration) {
    commit.at += by;
    commit.earliest += by;
}
