//! Times and deadlines: S8 (written once), S9 (not too early), S11 (a child that ended in time), S34 (pauses), and how
//! late a timeout may be (L1).

use jiff::SignedDuration;
use remediation_core::kind::ChildKind;
use remediation_core::time::{GoDuration, Time};

use super::read::{self, Status, TIMES};
use super::status_write::StatusWrite;
use super::{Findings, Promise};

/// A stored time that lies further ahead than this is rewritten.
const AHEAD: SignedDuration = SignedDuration::from_secs(5);
/// What is stored is cut to the millisecond.
const CUT: SignedDuration = SignedDuration::from_millis(1);

pub(super) fn check(write: &StatusWrite<'_>, found: &mut Findings<'_>) {
    check_written_once(write, found);
    check_order(write, found);
    check_pause(write, found);
    check_next_deadline(write, found);
    check_timeout(write, found);
}

impl StatusWrite<'_> {
    /// Whether the orchestrator could take this for a time that lies ahead, which it rewrites.
    fn may_lie_ahead(&self, time: Time) -> bool {
        let latest = time.moment() + CUT + self.allowance.expectations.skew;
        latest.duration_since(self.at) > AHEAD
    }
}

fn check_written_once(write: &StatusWrite<'_>, found: &mut Findings<'_>) {
    let (before, after) = (write.before, write.after);
    let moved = before.phase() != after.phase();
    let fields = [
        ("startTime", true),
        ("phaseStartTime", !moved),
        ("approvalRequestedTime", true),
        ("failureTime", true),
        ("completionTime", false),
    ];
    for (field, once) in fields {
        if !once || before.text(field) == after.text(field) {
            continue;
        }
        let Some(old) = before.time(field) else {
            continue;
        };
        if !write.may_lie_ahead(old) {
            let new = after.text(field).unwrap_or("nothing");
            found.breaks(
                Promise::S8,
                format!("status.{field} was {old} and became {new}"),
            );
        }
    }
}

/// No new time lies before one that was there, unless that one is a hand's.
fn check_order(write: &StatusWrite<'_>, found: &mut Findings<'_>) {
    let (before, after) = (write.before, write.after);
    let latest = TIMES
        .iter()
        .filter_map(|field| before.time(field))
        .filter(|time| !write.may_lie_ahead(*time) && !write.request.set_by_hand.contains(time))
        .max();
    let Some(latest) = latest else { return };
    let new = TIMES
        .iter()
        .filter(|field| before.text(field).is_none() || **field == "phaseStartTime")
        .filter(|field| before.text(field) != after.text(field))
        .find_map(|field| Some((field, after.time(field).filter(|time| *time < latest)?)));
    if let Some((field, time)) = new {
        found.breaks(
            Promise::S8,
            format!("status.{field} became {time}, and {latest} was recorded already"),
        );
    }
}

fn check_pause(write: &StatusWrite<'_>, found: &mut Findings<'_>) {
    let (before, after) = (write.before, write.after);
    if write.was_suspended {
        let begun = before.text("phase").is_some();
        if (begun && before.phase() != after.phase())
            || before.text("reason") != after.text("reason")
        {
            found.breaks(
                Promise::S34,
                format!(
                    "while it is suspended it went from {} to {}",
                    before.phase(),
                    after.phase()
                ),
            );
        }
    }
    let grown = |field: &str| {
        let (old, new) = (before.duration(field), after.duration(field));
        new.as_millis() - old.as_millis()
    };
    let total = grown("suspendedTotal");
    let since = before.time("suspendedSince");
    let resumed = since.filter(|_| after.text("suspendedSince").is_none());
    let Some(since) = resumed else {
        if total != 0 {
            found.breaks(
                Promise::S34,
                format!("suspendedTotal grew by {total} ms although nothing was resumed"),
            );
        }
        return;
    };
    if before.text("startTime").is_none() {
        return;
    }
    let skew = write.allowance.expectations.skew + CUT;
    let longest = (write.at + skew).duration_since(since.moment());
    let shortest = write
        .resumed
        .map(|at| (at - skew).duration_since(since.moment()));
    let pause = SignedDuration::from_millis(total);
    let fits =
        pause <= longest.max(SignedDuration::ZERO) && shortest.is_none_or(|least| pause >= least);
    if !fits {
        found.breaks(
            Promise::S34,
            format!(
                "suspended since {since}, resumed by {}, and the pause counts {total} ms",
                write.at
            ),
        );
    }
    let same_clock = ["phase", "approvalRequestedTime"]
        .iter()
        .all(|field| before.text(field) == after.text(field));
    if same_clock && grown("suspendedInPhase") != total {
        found.breaks(
            Promise::S34,
            "the pause was not added to the clock of the phase as to that of the whole",
        );
    }
}

/// The deadline that status shows follows from the times and limits beside it.
fn check_next_deadline(write: &StatusWrite<'_>, found: &mut Findings<'_>) {
    let after = write.after;
    let shows = after.time("nextDeadline");
    let runs = !after.has_ended() && !after.has_failed() && after.text("suspendedSince").is_none();
    let expected = after.deadline().filter(|_| runs);
    if shows != expected && (expected.is_some() || !runs) && after.text("startTime").is_some() {
        let shown = |time: Option<Time>| time.map_or("nothing".to_owned(), |time| time.to_string());
        found.breaks(
            Promise::S9,
            format!(
                "status.nextDeadline is {}, what follows from status is {}",
                shown(shows),
                shown(expected)
            ),
        );
    }
}

fn check_timeout(write: &StatusWrite<'_>, found: &mut Findings<'_>) {
    let (before, after) = (write.before, write.after);
    let times_out =
        !before.has_failed() && after.has_failed() && after.text("timeoutPhase").is_some();
    if !times_out {
        return;
    }
    let reason = after.text("reason").unwrap_or_default();
    let passed = match (reason, before.phase()) {
        ("OverallTimeout", _) => after.overall_deadline(),
        _ => at_failure(before, after),
    };
    let Some(deadline) = passed else { return };
    let skew = write.allowance.expectations.skew;
    if write.at + skew < deadline.moment() {
        return found.breaks(
            Promise::S9,
            format!("{reason} was recorded before the deadline {deadline}"),
        );
    }
    // A hand may have moved it into the past.
    let due = write.request.handled.max(Some(deadline.moment()));
    if due.is_some_and(|due| write.allowance.is_late(due, write.earliest)) {
        found.breaks(
            Promise::L1,
            format!("{reason} was recorded late: the deadline was {deadline}"),
        );
    }
    check_child_in_time(write, reason, found);
}

/// The deadline that the failing write went by: the phase is the one before, the pauses those that it counted.
fn at_failure(before: Status<'_>, after: Status<'_>) -> Option<Time> {
    if before.phase() == after.phase() {
        return after.deadline();
    }
    // In one write with Initializing: its clock is the whole's.
    let limit = after.limit("processing").unwrap_or(GoDuration::ZERO);
    Some(after.time("startTime")?.plus(limit))
}

/// S11: what the phase waited for had not succeeded long before.
fn check_child_in_time(write: &StatusWrite<'_>, reason: &str, found: &mut Findings<'_>) {
    let before = write.before;
    let field = match before.place() {
        Some(read::PROCESSING) => "remediationProcessingRef",
        Some(read::ANALYZING) => "aiAnalysisRef",
        Some(read::PLANNING | read::EXECUTING) => "workflowExecutionRef",
        _ => return,
    };
    let Some(child) = before
        .reference(field)
        .and_then(|uid| write.children.get(uid))
    else {
        return;
    };
    let steps_done = || {
        let planned = before
            .text("planHash")
            .and_then(|hash| hash.split_once(':'));
        let wanted = planned.and_then(|(steps, _)| steps.parse().ok());
        let done = before
            .steps()
            .iter()
            .filter(|step| step["completed"] == true)
            .count();
        wanted.is_none_or(|wanted: usize| wanted == done)
    };
    let useful = match child.kind {
        ChildKind::AIAnalysis => {
            let path = ["status", "investigationResult", "recommendations"];
            !read::list(&child.image, &path).is_empty()
        }
        ChildKind::WorkflowExecution => steps_done(),
        ChildKind::RemediationProcessing
        | ChildKind::KubernetesExecution
        | ChildKind::NotificationRequest => true,
    };
    // What could not be created yet is told by the condition, and the clock runs on.
    let troubled = write.namespace_ends
        || !matches!(
            before.condition("Reconciling"),
            None | Some((_, "" | "InProgress" | "ChildNeverStarted" | "UnknownPhase"))
        );
    let disturbed = write.last_fault >= child.succeeded;
    let seen = child
        .succeeded
        .filter(|at| write.allowance.is_known(*at, write.earliest) && child.gone.is_none());
    let still = child.failed.is_none()
        && child
            .results
            .last()
            .is_some_and(|image| image.get("status") == child.image.get("status"));
    if let Some(at) = seen
        && useful
        && still
        && !troubled
        && !(disturbed && write.last_fault.is_some())
    {
        found.breaks(
            Promise::S11,
            format!(
                "{reason} was recorded although {} had succeeded at {at}",
                child.object
            ),
        );
    }
}
