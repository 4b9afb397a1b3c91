//! Decisions in words.

use std::fmt::Write as _;

use jiff::Timestamp;
use remediation_adapters::snapshot::Remediation;
use remediation_core::action::Action;
use remediation_core::decide::Decision;
use remediation_core::status::merge_patch;
use remediation_core::text;
use remediation_core::time::{GoDuration, Time};

use crate::style::Style;

/// How a dump is made.
pub(super) const DUMP_COMMAND: &str = "kubectl get rr,rproc,aia,wfe,kexec,notif -A -o yaml";

/// A request, the rule that applies to it, and what would be done, several lines.
pub(super) fn remediation(
    remediation: &Remediation,
    decision: &Decision,
    now: Timestamp,
    style: Style,
) -> String {
    let identity = &remediation.request.identity;
    let status = &remediation.request.status;
    let name = format!("{}/{}", identity.namespace, identity.name);
    let phase = status.phase.as_ref().map_or_else(
        || "new".to_owned(),
        |phase| text::clean(&phase.to_string(), 64),
    );
    let mut lines = format!("{}  {phase}", style.bold(&name));
    // Writing to a String cannot fail.
    if let Some(reason) = &status.reason {
        let _ = write!(lines, " ({})", text::clean(reason, text::REASON));
    }
    if let Some(progress) = status.overall_progress {
        let _ = write!(lines, "  {progress} %");
    }
    let _ = write!(lines, "\n  rule  {:?}: {}\n", decision.rule, decision.rule);
    let mut number = 0;
    for action in &decision.actions {
        if matches!(action, Action::WakeAt(_)) {
            continue;
        }
        number += 1;
        let _ = writeln!(
            lines,
            "  {number:>4}. {}",
            self::action(action, remediation, now)
        );
    }
    if number == 0 {
        lines.push_str("  then  nothing is written\n");
    }
    for action in &decision.actions {
        if matches!(action, Action::WakeAt(_)) {
            let _ = writeln!(lines, "  then  {}", self::action(action, remediation, now));
        }
    }
    for key in &remediation.missing {
        let _ = writeln!(
            lines,
            "  gap   {key} is named in status but does not stand in the dump: deleted, or not dumped"
        );
    }
    lines
}

/// One action, in a line.
pub(super) fn action(action: &Action, remediation: &Remediation, now: Timestamp) -> String {
    match action {
        Action::Create(child) => format!("create {}", child.key),
        Action::Record(record) => {
            let path: Vec<&str> = record.path.iter().map(|phase| phase.name()).collect();
            let patch = merge_patch(&remediation.request.status, &record.status);
            let fields: Vec<&str> = patch
                .as_object()
                .into_iter()
                .flatten()
                .map(|(field, _)| field.as_str())
                .collect();
            let entering = if path.is_empty() {
                "record".to_owned()
            } else {
                format!("record phase {},", path.join(" → "))
            };
            let why = match (&record.status.reason, &record.status.message) {
                (Some(reason), Some(message)) => format!(" reason {reason} ({message});"),
                (Some(reason), None) => format!(" reason {reason};"),
                (None, _) => String::new(),
            };
            format!("{entering}{why} fields {}", fields.join(", "))
        }
        Action::Read(key) => {
            format!(
                "read {key} from the API server: the dump does not show it, and absence from a cache proves nothing"
            )
        }
        Action::RestoreOwnership(child) => {
            format!("give {} its owner reference and labels back", child.key)
        }
        Action::DeleteChild(child) => {
            format!(
                "delete {}, which status does not name and whose phase is over",
                child.key
            )
        }
        Action::DeleteRequest => "delete the request: its time to live is over".to_owned(),
        Action::Announce(event) => {
            format!(
                "write the Event {} ({:?}): {}",
                event.reason, event.severity, event.note
            )
        }
        Action::WakeAt(moment) => {
            // To the second: nobody reads milliseconds of hours.
            let left = Time::at(*moment).since(Time::at(now)).as_millis();
            let left = GoDuration::from_secs((left + 500) / 1000);
            format!(
                "decide again at {}, in {left}, or when something changes",
                Time::at(*moment)
            )
        }
    }
}
