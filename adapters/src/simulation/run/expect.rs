//! What a plan lets expect: how much the promises must bear with, and what is judged beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use remediation_core::kind::{ChildKind, REQUEST_PLURAL};
use serde_json::Value;

use super::hand::NAMESPACE;
use super::plan::{CallFault, Plan, Stream, StreamFault, Trouble};
use super::reach::Reach;
use super::template;
use crate::simulation::children::Started;
use crate::simulation::promises::{Ending, Expectations, Promise, Refused, Violation};

/// How long an operator believes a watch on which nothing comes.
const SILENCE: Duration = Duration::from_secs(150);
/// How long it waits for the answer to a list or a watch, and to any other call.
const PAGE: Duration = Duration::from_secs(30);
const CALL: Duration = Duration::from_secs(10);
/// The longest pause before it lists and watches again what was lost, and a second for what that brings.
pub(super) const RECONNECT: Duration = Duration::from_secs(10);
/// An expired request that is still there so long after is one that nobody looks at.
const LONG: SignedDuration = SignedDuration::from_secs(60);

/// Longer than a run lasts.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// How much a plan's history may differ from a faultless one.
pub(super) fn expectations(plan: &Plan) -> Expectations {
    let skew = plan.troubles.iter().map(|trouble| match trouble {
        Trouble::Clock { by_ms, .. } => by_ms.saturating_abs(),
        Trouble::Freeze { for_ms, .. } => signed(*for_ms),
        Trouble::Call { .. }
        | Trouble::Calls { .. }
        | Trouble::Crash { .. }
        | Trouble::CrashAt { .. }
        | Trouble::Stop { .. }
        | Trouble::Stall { .. }
        | Trouble::Panic { .. }
        | Trouble::Watch { .. }
        | Trouble::Cut { .. }
        | Trouble::Lag { .. }
        | Trouble::Outage { .. }
        | Trouble::Restore { .. }
        | Trouble::Namespace { .. }
        | Trouble::Uninstalled { .. }
        | Trouble::OlderDefinition { .. }
        | Trouble::Webhook { .. }
        | Trouble::Reconfigure { .. }
        | Trouble::Garbage { .. }
        | Trouble::Person { .. } => 0,
    });
    Expectations {
        skew: SignedDuration::from_millis(skew.fold(0, i64::saturating_add)),
        lag: SignedDuration::from_secs(1),
        lateness: Some(SignedDuration::from_secs(1)),
        contract: plan.children_obey(),
        whole: true,
    }
}

/// From when to when a plan holds the operator up at fixed times: watches that lag, a process that stands still or is down, a
/// server that does not answer. What calls and watches hold up is known when it strikes.
pub(super) fn held_up(plan: &Plan) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    plan.troubles.iter().filter_map(|trouble| {
        let (from, for_ms) = match trouble {
            Trouble::Lag { at_ms, for_ms, .. }
            | Trouble::Stall { at_ms, for_ms, .. }
            | Trouble::Outage { at_ms, for_ms } => (*at_ms, *for_ms),
            Trouble::CrashAt { at_ms, down_ms, .. } | Trouble::Stop { at_ms, down_ms, .. } => {
                (*at_ms, *down_ms)
            }
            Trouble::Cut { at_ms, .. } => (*at_ms, 0),
            Trouble::Uninstalled { until_ms, .. } => (0, *until_ms),
            Trouble::Call { .. }
            | Trouble::Calls { .. }
            | Trouble::Crash { .. }
            | Trouble::Panic { .. }
            | Trouble::Clock { .. }
            | Trouble::Freeze { .. }
            | Trouble::Watch { .. }
            | Trouble::Restore { .. }
            | Trouble::Namespace { .. }
            | Trouble::OlderDefinition { .. }
            | Trouble::Webhook { .. }
            | Trouble::Reconfigure { .. }
            | Trouble::Garbage { .. }
            | Trouble::Person { .. } => return None,
        };
        let to = after(from.saturating_add(for_ms)).saturating_add(RECONNECT);
        Some((after(from), to.unwrap_or(Timestamp::MAX)))
    })
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX / 4)
}

fn after(millis: u64) -> Timestamp {
    let passed = SignedDuration::from_millis(signed(millis));
    template::start()
        .saturating_add(passed)
        .unwrap_or(Timestamp::MAX)
}

/// For how long a call to which this was done keeps the operator from learning anything new.
pub(super) fn held_up_by_call(stream: Stream, fault: CallFault) -> Duration {
    let (answered, asked) = match fault {
        CallFault::Silent | CallFault::AppliedSilent | CallFault::Slow(_) => (false, 0),
        CallFault::TooMany(seconds) => (true, seconds.unwrap_or(0)),
        CallFault::Conflict
        | CallFault::Invalid
        | CallFault::TooLarge
        | CallFault::Denied
        | CallFault::QuotaExceeded
        | CallFault::PolicyDenied
        | CallFault::Unauthorized
        | CallFault::ServerError
        | CallFault::Unavailable
        | CallFault::Expired
        | CallFault::Refused
        | CallFault::Lost
        | CallFault::AppliedLate(_)
        | CallFault::Twice => (true, 0),
    };
    match stream {
        Stream::List | Stream::Watch if answered => Duration::from_secs(asked.into()) + RECONNECT,
        Stream::List | Stream::Watch => PAGE + RECONNECT,
        Stream::Work if !answered => {
            let CallFault::Slow(late) = fault else {
                return CALL;
            };
            CALL.min(Duration::from_millis(late))
        }
        Stream::Work | Stream::Lease | Stream::Event => Duration::ZERO,
    }
}

/// For how long a watch to which this was done shows nothing new.
pub(super) fn held_up_by_watch(fault: StreamFault) -> Duration {
    match fault {
        StreamFault::Silence => SILENCE + RECONNECT,
        StreamFault::End | StreamFault::Repeat | StreamFault::Truncate => RECONNECT,
    }
}

/// How things stand when a run ends.
pub(super) fn ending(plan: &Plan, now: Timestamp) -> Ending {
    let mut refused = Refused::default();
    for trouble in &plan.troubles {
        let Trouble::Calls {
            verb,
            plural,
            for_ms: None,
            ..
        } = trouble
        else {
            continue;
        };
        let notifications = plural == ChildKind::NotificationRequest.plural();
        match verb.as_str() {
            "create" | "get" if notifications => refused.notifications = true,
            "create" | "get" => refused.creations = true,
            "patch" if plural == REQUEST_PLURAL => refused.statuses = true,
            "delete" => refused.deletions = true,
            _ => {}
        }
    }
    Ending {
        now,
        // All clocks were set right when everything healed.
        skew: SignedDuration::ZERO,
        settled: true,
        refused,
        collected: true,
    }
}

/// Promises that no history of writes shows: no execution starts twice, no request is left where nobody looks, no
/// pass panics by itself.
pub(super) fn unjudged(
    plan: &Plan,
    now: Timestamp,
    left: &[Value],
    started: &[Started],
    counted: &Reach,
) -> Vec<Violation> {
    let mut broken = Vec::new();
    let mut violation = |promise, object: &str, story: String| {
        broken.push(Violation {
            promise,
            object: format!("{NAMESPACE}/{object}"),
            at: now,
            story,
        });
    };
    let restored = plan.troubles.iter().filter_map(|trouble| match trouble {
        Trouble::Restore { at_ms, .. } => Some(after(*at_ms)),
        _ => None,
    });
    let restored = restored.max();
    let mut executions: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    // Where the cluster forgot that the first one was named, nobody can know.
    let known = |start: &&Started| restored.is_none_or(|restored| start.at > restored);
    for start in started.iter().filter(known) {
        let uids = executions
            .entry((&start.request_uid, &start.name))
            .or_default();
        uids.insert(&start.uid);
    }
    for ((_, name), uids) in executions {
        if uids.len() > 1 {
            let story = format!("{} executions under this name started", uids.len());
            violation(Promise::S1, name, story);
        }
    }
    let ending = ending(plan, now);
    for request in left {
        let name = request["metadata"]["name"].as_str().unwrap_or_default();
        let ended = request["status"]["completionTime"].is_string();
        let waits = request["spec"]["suspend"] == true || is_due_later(request, now);
        if !ended && !waits && !ending.refused.statuses {
            let phase = &request["status"]["phase"];
            let story = format!("it never ended: its phase is still {phase}");
            violation(Promise::L2, name, story);
        }
        if has_expired(request, now) && !ending.refused.deletions {
            let story = "the request has expired and is still there".to_owned();
            violation(Promise::L5, name, story);
        }
    }
    let panics = counted.categories.get("Panic").copied().unwrap_or(0);
    let made = plan
        .troubles
        .iter()
        .filter(|trouble| matches!(trouble, Trouble::Panic { .. }))
        .count();
    if panics > made as u64 {
        violation(Promise::S31, "", format!("{panics} passes panicked"));
    }
    broken
}

/// Whether it should have been deleted long ago by what is stored, and nobody has begun to.
fn has_expired(request: &Value, now: Timestamp) -> bool {
    request["metadata"]["deletionTimestamp"].is_null()
        && status_time(request, "expiryTime")
            .is_some_and(|expiry| now.duration_since(expiry) > LONG)
}

/// Whether it has ended, and expires only after a run can last.
pub(super) fn stays(request: &Value, now: Timestamp) -> bool {
    let expiry = status_time(request, "expiryTime");
    expiry.is_some_and(|expiry| expiry.duration_since(now) > HOUR)
}

/// Whether its deadline lies ahead: where a clock leaps while a request is suspended, the pause and with it every deadline
/// is that much longer (S34), and the run is over before.
fn is_due_later(request: &Value, now: Timestamp) -> bool {
    status_time(request, "nextDeadline").is_some_and(|deadline| deadline > now)
}

fn status_time(request: &Value, field: &str) -> Option<Timestamp> {
    request["status"][field].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn broken(
        left: &[Value],
        started: &[Started],
        troubles: Vec<Trouble>,
        panics: u64,
    ) -> Vec<Promise> {
        let plan = Plan {
            troubles,
            ..Plan::from_seed(0)
        };
        let mut counted = Reach::default();
        counted.categories.insert("Panic".to_owned(), panics);
        let found = unjudged(&plan, after(600_000), left, started, &counted);
        found
            .into_iter()
            .map(|violation| violation.promise)
            .collect()
    }

    fn start(uid: &str) -> Started {
        Started {
            kind: ChildKind::KubernetesExecution,
            namespace: NAMESPACE.to_owned(),
            name: "r0-execution-one".to_owned(),
            uid: uid.to_owned(),
            request_uid: "u-0".to_owned(),
            at: after(1_000),
        }
    }

    fn restored() -> Vec<Trouble> {
        vec![Trouble::Restore {
            saved_ms: 1_000,
            at_ms: 2_000,
        }]
    }

    #[test]
    fn two_executions_of_one_step_that_start_break_s1() {
        let again = [start("e-0"), start("e-0")];
        assert_eq!(broken(&[], &again, Vec::new(), 0), []);
        let two = [start("e-0"), start("e-1")];
        assert_eq!(broken(&[], &two, Vec::new(), 0), [Promise::S1]);
        assert_eq!(broken(&[], &two, restored(), 0), []);
        let after_it = two.map(|start| Started {
            at: after(3_000),
            ..start
        });
        assert_eq!(broken(&[], &after_it, restored(), 0), [Promise::S1]);
    }

    #[test]
    fn a_request_that_never_ends_breaks_l2_unless_it_is_suspended_or_due_later() {
        let request = |spec: Value, status: Value| json!({ "metadata": { "name": "r0" }, "spec": spec, "status": status });
        let ended = json!({ "completionTime": after(1_000) });
        let later = json!({ "nextDeadline": after(700_000) });
        let fine = [
            request(json!({}), ended),
            request(json!({ "suspend": true }), json!({})),
            request(json!({}), later),
        ];
        assert_eq!(broken(&fine, &[], Vec::new(), 0), []);
        let past = request(json!({}), json!({ "nextDeadline": after(500_000) }));
        assert_eq!(broken(&[past], &[], Vec::new(), 0), [Promise::L2]);
    }

    #[test]
    fn an_expired_request_that_stays_breaks_l5_whatever_became_of_etcd_and_of_the_clocks() {
        let expired = |at| {
            let status = json!({ "completionTime": after(1_000), "expiryTime": after(at) });
            json!({ "metadata": { "name": "r0" }, "status": status })
        };
        let leaps = [3_600_000, -3_600_000].map(|by_ms| Trouble::Clock {
            replica: 0,
            at_ms: 1_000,
            by_ms,
        });
        for troubles in [restored(), leaps.to_vec(), Vec::new()] {
            let left = |at| broken(&[expired(at)], &[], troubles.clone(), 0);
            assert_eq!(left(590_000), []);
            assert_eq!(left(500_000), [Promise::L5]);
        }
    }

    #[test]
    fn a_panic_that_nobody_made_breaks_s31() {
        let made = || vec![Trouble::Panic { nth: 3 }];
        assert_eq!(broken(&[], &[], made(), 1), []);
        assert_eq!(broken(&[], &[], made(), 2), [Promise::S31]);
    }
}
