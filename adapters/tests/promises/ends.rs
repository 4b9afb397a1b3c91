//! More canaries: what must happen and does not.

use jiff::SignedDuration;
use remediation_adapters::simulation::promises::Promise;
use serde_json::json;

use crate::broken::{MINUTE, NOW, at_once, in_phase, in_the_end, phase};
use crate::more::{Another, delay, fails, remove};
use crate::recorded::Recorded;
use crate::tale::{NOTIF, REQUEST, Tale};

/// A life whose notification was never created, and that a hand named before the end.
fn named_by_hand(life: &Recorded, word: &'static str) -> Tale {
    let mut tale = in_phase(life, word);
    tale.commits.retain(|commit| commit.kind != NOTIF);
    let end = tale.commits.len() - 1;
    let ended = tale.image(end)["status"].clone();
    tale.cut_before(end)
        .user_changes(|request| {
            request["status"]["notificationRefs"] = ended["notificationRefs"].clone();
        })
        .we_write(NOW, |status| *status = ended.clone())
}

pub(crate) const ENDS: &[Another] = &[
    (Promise::L1, "a timeout is recorded late", |lives| {
        let tale = Tale::of(&lives.timed_out);
        let failing = tale.ours(REQUEST, |o| o["status"]["failurePhase"].is_string());
        let mut tale = tale.cut_after(failing);
        delay(&mut tale.commits[failing], SignedDuration::from_secs(2));
        at_once(tale)
    }),
    (Promise::L2, "nobody begins with a request", |lives| {
        let tale = Tale::of(&lives.good);
        let asked = tale.creation(REQUEST);
        in_the_end(tale.cut_after(asked), MINUTE)
    }),
    (Promise::L2, "a recorded failure does not end it", |lives| {
        in_the_end(
            in_phase(&lives.good, "Executing").we_write(NOW, fails),
            MINUTE,
        )
    }),
    (
        Promise::L2,
        "status names a success that never was",
        |lives| in_the_end(named_by_hand(&lives.good, "Completed"), MINUTE),
    ),
    (
        Promise::L4,
        "status names an escalation that never was",
        |lives| in_the_end(named_by_hand(&lives.failed, "Failed"), MINUTE),
    ),
    (Promise::L2, "a success is told nobody", |lives| {
        let mut tale = Tale::of(&lives.good);
        let end = tale.ours(REQUEST, phase("Completed"));
        tale = tale.cut_after(end).tamper(end, |request| {
            remove(&mut request["status"], "notificationRefs");
        });
        tale.commits.retain(|commit| commit.kind != NOTIF);
        in_the_end(tale, MINUTE)
    }),
    (
        Promise::L6,
        "a request that is being deleted stays",
        |lives| {
            let tale = in_phase(&lives.good, "Processing").user_changes(|request| {
                request["metadata"]["deletionTimestamp"] = json!("2026-03-01T12:00:00Z");
            });
            in_the_end(tale, MINUTE)
        },
    ),
];
