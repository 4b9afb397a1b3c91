//! Reading of objects as JSON, leniently: what is missing or of another type is not there.

use remediation_core::kind::{REQUEST_KIND, REQUEST_UID_LABEL};
use remediation_core::time::{GoDuration, Time};
use serde_json::Value;

/// The words of the phases, in the order of a life. `Failed` is no place in it.
pub(super) const PLACES: [&str; 7] = [
    "Pending",
    "Initializing",
    "Processing",
    "Analyzing",
    "WorkflowPlanning",
    "Executing",
    "Completed",
];
/// The times that say when something happened, in status.
pub(super) const TIMES: [&str; 5] = [
    "startTime",
    "phaseStartTime",
    "approvalRequestedTime",
    "failureTime",
    "completionTime",
];
/// The places, by name.
pub(super) const PROCESSING: usize = 2;
pub(super) const ANALYZING: usize = 3;
pub(super) const PLANNING: usize = 4;
pub(super) const EXECUTING: usize = 5;
pub(super) const COMPLETED: usize = 6;

/// A text at a path of field names.
pub(super) fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(value, path)?.as_str()
}

/// What stands at a path of field names.
pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, field| value.get(field))
}

/// The members of a list, of none where it is not there.
pub(super) fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    at(value, path)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// A time, to the millisecond.
pub(super) fn time(text: &str) -> Option<Time> {
    text.parse().ok().map(Time::at)
}

/// `namespace/name`
pub(super) fn shown(object: &Value) -> String {
    let part = |field| text(object, &["metadata", field]).unwrap_or_default();
    format!("{}/{}", part("namespace"), part("name"))
}

pub(super) fn uid(object: &Value) -> &str {
    text(object, &["metadata", "uid"]).unwrap_or_default()
}

pub(super) fn is_deleting(object: &Value) -> bool {
    text(object, &["metadata", "deletionTimestamp"]).is_some()
}

pub(super) fn is_suspended(object: &Value) -> bool {
    at(object, &["spec", "suspend"]) == Some(&Value::Bool(true))
}

/// The UID of the request that controls an object.
pub(super) fn owner(object: &Value) -> Option<&str> {
    list(object, &["metadata", "ownerReferences"])
        .iter()
        .find(|owner| owner["controller"] == true && owner["kind"] == REQUEST_KIND)
        .and_then(|owner| text(owner, &["uid"]))
}

/// The UID of the request in an object's labels.
pub(super) fn label(object: &Value) -> Option<&str> {
    text(object, &["metadata", "labels", REQUEST_UID_LABEL])
}

/// The bytes of a value as JSON, without making them.
pub(super) fn size(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // A value in memory is always JSON, and counting cannot fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// The status of a request.
#[derive(Clone, Copy)]
pub(super) struct Status<'a>(pub(super) &'a Value);

impl<'a> Status<'a> {
    pub(super) fn of(object: &'a Value) -> Self {
        Self(object.get("status").unwrap_or(&Value::Null))
    }

    pub(super) fn text(self, field: &str) -> Option<&'a str> {
        self.0.get(field)?.as_str()
    }

    pub(super) fn number(self, field: &str) -> Option<i64> {
        self.0.get(field)?.as_i64()
    }

    pub(super) fn time(self, field: &str) -> Option<Time> {
        time(self.text(field)?)
    }

    /// No time at all where it is not there.
    pub(super) fn duration(self, field: &str) -> GoDuration {
        self.text(field)
            .and_then(|text| text.parse().ok())
            .unwrap_or(GoDuration::ZERO)
    }

    /// A request without any phase is Pending.
    pub(super) fn phase(self) -> &'a str {
        self.text("phase").unwrap_or(PLACES[0])
    }

    /// Where in a life the phase is; none for Failed and for words that are no phase.
    pub(super) fn place(self) -> Option<usize> {
        let phase = self.phase();
        PLACES.iter().position(|place| *place == phase)
    }

    pub(super) fn has_ended(self) -> bool {
        self.text("completionTime").is_some()
    }

    pub(super) fn has_failed(self) -> bool {
        self.text("failurePhase").is_some() || self.text("failureCategory").is_some()
    }

    pub(super) fn condition(self, kind: &str) -> Option<(&'a str, &'a str)> {
        let condition = list(self.0, &["conditions"])
            .iter()
            .find(|condition| condition["type"] == kind)?;
        let part = |field| text(condition, &[field]).unwrap_or_default();
        Some((part("status"), part("reason")))
    }

    /// Whether a notification is still owed: it could not be created.
    pub(super) fn owes_notification(self) -> bool {
        matches!(self.condition("Escalated"), Some(("False", _)))
    }

    /// The recorded limit of this phase, or `overall`, `approval`.
    pub(super) fn limit(self, of: &str) -> Option<GoDuration> {
        text(self.0, &["effectivePolicy", "timeouts", of])?
            .parse()
            .ok()
    }

    pub(super) fn ttl(self) -> Option<GoDuration> {
        let seconds = at(self.0, &["effectivePolicy", "ttlSecondsAfterFinished"])?.as_i64()?;
        Some(GoDuration::from_secs(seconds))
    }

    pub(super) fn overall_deadline(self) -> Option<Time> {
        let paused = self.duration("suspendedTotal");
        Some(
            self.time("startTime")?
                .plus(self.limit("overall")?)
                .plus(paused),
        )
    }

    /// The earlier of the deadlines that this status amounts to: start + limit + pause.
    pub(super) fn deadline(self) -> Option<Time> {
        let paused = self.duration("suspendedInPhase");
        let begun = |field: &str, limit: &str| {
            Some(self.time(field)?.plus(self.limit(limit)?).plus(paused))
        };
        let of_phase = match self.phase() {
            "Initializing" | "Processing" => begun("phaseStartTime", "processing"),
            "Analyzing" if self.text("approvalRequestedTime").is_some() => {
                begun("approvalRequestedTime", "approval")
            }
            "Analyzing" => begun("phaseStartTime", "analyzing"),
            "WorkflowPlanning" => begun("phaseStartTime", "workflowPlanning"),
            "Executing" => begun("phaseStartTime", "executing"),
            _ => None,
        };
        of_phase.into_iter().chain(self.overall_deadline()).min()
    }

    /// The UID under this reference (`remediationProcessingRef`, …).
    pub(super) fn reference(self, field: &str) -> Option<&'a str> {
        text(self.0, &[field, "uid"])
    }

    /// The references to the executions of steps.
    pub(super) fn steps(self) -> &'a [Value] {
        list(self.0, &["kubernetesExecutionRefs"])
    }

    /// The executions that status names: `""` for the workflow, else the step, and the UID.
    pub(super) fn executions(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let workflow = self.reference("workflowExecutionRef").map(|uid| ("", uid));
        let steps = self.steps().iter().filter_map(|reference| {
            Some((text(reference, &["step"])?, text(reference, &["uid"])?))
        });
        workflow.into_iter().chain(steps)
    }

    /// The UIDs of the notifications that status names.
    pub(super) fn notifications(self) -> impl Iterator<Item = &'a str> {
        let references = list(self.0, &["notificationRefs"]).iter();
        references.filter_map(|reference| text(reference, &["uid"]))
    }

    /// Whether this UID is that of a child that status names, notifications aside.
    pub(super) fn names(self, uid: &str) -> bool {
        let stages = ["remediationProcessingRef", "aiAnalysisRef"];
        stages
            .iter()
            .any(|field| self.reference(field) == Some(uid))
            || self.executions().any(|(_, named)| named == uid)
    }
}
