//! The way through the phases: S6 (allowed edges), S7 (the end), S11 (a recorded failure), S35 (history).

use serde_json::Value;

use super::read::{COMPLETED, PLACES, Status, list, text};
use super::state::End;
use super::status_write::StatusWrite;
use super::{Findings, Promise};

/// The edges that there are, as the user's guide draws them.
const EDGES: [(&str, &str); 11] = [
    ("Pending", "Initializing"),
    ("Initializing", "Processing"),
    ("Processing", "Analyzing"),
    ("Analyzing", "WorkflowPlanning"),
    ("WorkflowPlanning", "Executing"),
    ("Executing", "Completed"),
    ("Initializing", "Failed"),
    ("Processing", "Failed"),
    ("Analyzing", "Failed"),
    ("WorkflowPlanning", "Failed"),
    ("Executing", "Failed"),
];

const LOST: &str = "an entry of status.history was changed or lost";

pub(super) fn check(write: &StatusWrite<'_>, found: &mut Findings<'_>) {
    let (before, after) = (write.before, write.after);
    if before.has_ended() {
        return check_end(before, after, found);
    }
    check_taken_away(write, found);
    check_failure(write, found);
    let Some(entries) = new_entries(before, after) else {
        return found.breaks(Promise::S35, LOST);
    };
    let (from, to) = (before.phase(), after.phase());
    let visible = |phase: &str| phase != "Pending" && phase != "Initializing";
    if !entries.is_empty() {
        follow(from, to, entries, found);
    } else if from != to {
        if !leads(from, to) {
            found.breaks(Promise::S6, format!("from {from} to {to} there is no way"));
        } else if visible(to) {
            found.breaks(
                Promise::S35,
                format!("from {from} to {to} without an entry in status.history"),
            );
        }
    }
    if from != to && to != "Failed" {
        check_reference(after, found);
    }
}

/// Follows the new entries, one edge each.
fn follow(from: &str, to: &str, entries: &[Value], found: &mut Findings<'_>) {
    let mut place = from;
    for entry in entries {
        let phase = text(entry, &["phase"]).unwrap_or_default();
        // Pending and Initializing have no entries of their own: they may have been passed through.
        let reached = match (place, phase) {
            ("Pending", "Processing" | "Failed") => true,
            (unplaced, "Failed") if !active(unplaced) => true,
            (place, phase) => EDGES.contains(&(place, phase)),
        };
        if !reached {
            return found.breaks(
                Promise::S6,
                format!("from {place} to {phase} there is no edge"),
            );
        }
        place = phase;
    }
    if place != to {
        found.breaks(
            Promise::S35,
            format!("status.history ends in {place}, the phase is {to}"),
        );
    }
}

fn active(phase: &str) -> bool {
    PLACES[..COMPLETED].contains(&phase)
}

/// Whether some path of edges leads from one phase to the other.
fn leads(from: &str, to: &str) -> bool {
    let place = |phase: &str| PLACES.iter().position(|place| *place == phase);
    match (place(from), place(to)) {
        // A word that a hand wrote, or a newer version, ends by a deadline alone.
        _ if to == "Failed" => from != "Failed",
        (Some(from), Some(to)) => from < to && from < COMPLETED,
        _ => false,
    }
}

/// The entries that the write added; none where an older one is not as it was.
fn new_entries<'a>(before: Status<'_>, after: Status<'a>) -> Option<&'a [Value]> {
    let history = |status: Status<'a>| list(status.0, &["history"]);
    let (old, new) = (list(before.0, &["history"]), history(after));
    let dropped = |status: Status<'_>| {
        usize::try_from(status.number("historyDropped").unwrap_or(0)).unwrap_or(0)
    };
    let lost = dropped(after).checked_sub(dropped(before))?;
    let kept = old.get(lost..)?;
    let (same, added) = new.split_at_checked(kept.len())?;
    (same == kept).then_some(added)
}

/// A phase that waits for a child is entered with the child named.
fn check_reference(after: Status<'_>, found: &mut Findings<'_>) {
    let field = match after.phase() {
        "Processing" => "remediationProcessingRef",
        "Analyzing" => "aiAnalysisRef",
        "WorkflowPlanning" | "Executing" | "Completed" => "workflowExecutionRef",
        _ => return,
    };
    if after.reference(field).is_none() {
        let phase = after.phase();
        found.breaks(
            Promise::S6,
            format!("{phase} was entered although status.{field} names nothing"),
        );
    }
}

fn check_end(before: Status<'_>, after: Status<'_>, found: &mut Findings<'_>) {
    match new_entries(before, after) {
        Some([]) => {}
        Some(_) => found.breaks(Promise::S35, "status.history goes on after the end"),
        None => found.breaks(Promise::S35, LOST),
    }
    let mut changed = false;
    for field in ["phase", "reason", "completionTime"] {
        if before.text(field) != after.text(field) {
            changed = true;
            found.breaks(Promise::S7, change(field, before, after));
        }
    }
    if !changed && !before.owes_notification() {
        found.breaks(
            Promise::L9,
            "status was written although the remediation has ended and everybody is told",
        );
    }
}

/// A hand took the completion time away, and left what else tells of the end: it is the same end again.
fn check_taken_away(write: &StatusWrite<'_>, found: &mut Findings<'_>) {
    let (before, after) = (write.before, write.after);
    let Some(end) = &write.request.end else {
        return;
    };
    let last = list(before.0, &["history"]).last();
    let tells = last.and_then(|entry| text(entry, &["phase"])) == Some(&end.phase);
    let left = before.phase() == end.phase && before.text("reason") == end.reason.as_deref();
    if tells && left && End::of(after) != *end {
        let story = format!("it had ended ({end:?}), and became {:?}", End::of(after));
        found.breaks(Promise::S7, story);
    }
}

fn check_failure(write: &StatusWrite<'_>, found: &mut Findings<'_>) {
    let (before, after) = (write.before, write.after);
    if !before.has_failed() {
        return;
    }
    let fixed = ["failurePhase", "failureCategory", "timeoutPhase", "reason"];
    for field in fixed {
        if before.text(field).is_some() && before.text(field) != after.text(field) {
            found.breaks(Promise::S11, change(field, before, after));
        }
    }
    // A hand may have written the word, and it stays; that it ended so is never recorded.
    let ends = after.has_ended() && write.request.end.is_none();
    if after.phase() == "Completed" && (before.phase() != "Completed" || ends) {
        found.breaks(
            Promise::S11,
            "it was completed although its failure was recorded",
        );
    }
}

fn change(field: &str, before: Status<'_>, after: Status<'_>) -> String {
    let shown = |status: Status<'_>| match status.text(field) {
        Some(text) => format!("`{text}`"),
        None => "nothing".to_owned(),
    };
    format!(
        "status.{field} was {} and became {}",
        shown(before),
        shown(after)
    )
}
