//! The text of notifications. Each says what happened, where, and what to do next, and is true to the status that
//! stands beside it.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::action::{ChildSpec, NewChild, NotificationSpec};
use crate::children::{AnalysisStatus, Child, ChildKey};
use crate::draft::Draft;
use crate::kind::{ChildKind, REQUEST_PLURAL};
use crate::names::Occasion;
use crate::policy::Route;
use crate::text::clean;
use crate::view::{Named, View};

/// The longest body, in bytes, also as JSON writes it.
const LONGEST_BODY: usize = 4096;
/// The most executions that are listed by name.
const MOST_LISTED: usize = 8;

/// The escalation of the failure that the draft records.
pub(crate) fn escalation(view: &View<'_>, draft: &Draft<'_>, key: ChildKey) -> NewChild {
    let status = &draft.status;
    let reason = clean(status.reason.as_deref().unwrap_or(""), crate::text::REASON);
    let phase = status
        .failure_phase
        .map_or("an unknown phase", |phase| phase.name());
    let category = status
        .failure_category
        .map_or("?", |category| category.letter());
    let mut body = Body::about(view);
    body.line("Failed in", phase);
    body.line("Reason", &reason);
    body.line("What happened", status.message.as_deref().unwrap_or(""));
    body.line("Error category", category);
    let running = possibly_running(view, draft);
    if !running.is_empty() {
        body.line("May still be running", &running.join(", "));
    }
    let mut metadata = metadata(view);
    metadata.insert("failure_reason".to_owned(), reason.clone());
    metadata.insert("failure_category".to_owned(), category.to_owned());
    metadata.insert("phase".to_owned(), phase.to_owned());
    let subject = format!(
        "Remediation {} failed: {reason} in {phase}",
        view.identity().name
    );
    build(view, key, Occasion::Escalation, &subject, body, metadata)
}

/// The notification of a remediation that completed.
pub(crate) fn success(view: &View<'_>, draft: &Draft<'_>, key: ChildKey) -> NewChild {
    let mut body = Body::about(view);
    body.line("Outcome", "Completed");
    if let Some(workflow) = &draft.status.workflow_execution_ref {
        body.line("Workflow", &format!("WorkflowExecution/{}", workflow.name));
    }
    let mut metadata = metadata(view);
    metadata.insert("phase".to_owned(), "Completed".to_owned());
    let subject = format!("Remediation {} completed", view.identity().name);
    build(view, key, Occasion::Success, &subject, body, metadata)
}

/// The request for somebody's approval of an analysis.
pub(crate) fn approval(
    view: &View<'_>,
    draft: &Draft<'_>,
    key: ChildKey,
    analysis: &Child,
    result: &AnalysisStatus,
) -> NewChild {
    let mut body = Body::about(view);
    body.line("Waits for approval", &analysis.key.to_string());
    body.line("Decide within", &draft.policy.timeouts.approval.to_string());
    let found = &result.investigation_result;
    body.line("Root cause", &found.root_cause);
    body.line("Summary", &found.summary);
    for recommendation in found.recommendations.iter().take(MOST_LISTED) {
        let action = format!("{} {}", recommendation.action, recommendation.description);
        body.line("Recommended", &clean(&action, 200));
    }
    let mut metadata = metadata(view);
    metadata.insert("phase".to_owned(), "Analyzing".to_owned());
    metadata.insert("ai_analysis".to_owned(), analysis.key.name.clone());
    let subject = format!("Remediation {} waits for approval", view.identity().name);
    build(view, key, Occasion::Approval, &subject, body, metadata)
}

/// The recorded executions that are not known to have ended, as `Kind/name`; the first few, and how many more.
pub(crate) fn possibly_running(view: &View<'_>, draft: &Draft<'_>) -> Vec<String> {
    let status = &draft.status;
    let workflow = status
        .workflow_execution_ref
        .iter()
        .map(|r| (ChildKind::WorkflowExecution, &r.name, &r.uid));
    let steps = status
        .kubernetes_execution_refs
        .iter()
        .filter(|r| !r.completed)
        .map(|r| (ChildKind::KubernetesExecution, &r.name, &r.uid));
    let mut running: Vec<String> = workflow
        .chain(steps)
        .filter(|(kind, name, uid)| match view.named(*kind, name, uid) {
            Named::There(child) => !matches!(child.status.phase(), "Completed" | "Failed"),
            Named::Gone => false,
            Named::Unconfirmed => true,
        })
        .map(|(kind, name, _)| format!("{kind}/{name}"))
        .collect();
    if running.len() > MOST_LISTED {
        let more = running.len() - MOST_LISTED;
        running.truncate(MOST_LISTED);
        running.push(format!("and {more} more"));
    }
    running
}

/// The command that shows more.
fn look_further(view: &View<'_>) -> String {
    let request = view.identity();
    format!(
        "kubectl -n {} describe {REQUEST_PLURAL} {}",
        request.namespace, request.name
    )
}

fn metadata(view: &View<'_>) -> BTreeMap<String, String> {
    let request = view.identity();
    let data = view.state.request.spec.targeting_data.as_ref();
    let environment = data.map_or("", |data| data.environment.as_str());
    BTreeMap::from(
        [
            ("remediation_request", request.name.clone()),
            ("namespace", request.namespace.clone()),
            ("environment", clean(environment, 63)),
            ("command", look_further(view)),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    )
}

fn build(
    view: &View<'_>,
    key: ChildKey,
    occasion: Occasion,
    subject: &str,
    mut body: Body,
    metadata: BTreeMap<String, String>,
) -> NewChild {
    let routes = &view.state.settings.notifications;
    let Route { priority, channels } = match occasion {
        Occasion::Escalation => &routes.escalation,
        Occasion::Success => &routes.success,
        Occasion::Approval => &routes.approval,
    };
    body.line("Look further", &look_further(view));
    let spec = ChildSpec::Notification(NotificationSpec {
        occasion,
        priority: priority.clone(),
        channels: channels.clone(),
        subject: clean(subject, 400),
        body: body.bounded(),
        metadata,
    });
    view.new_child(key, spec)
}

/// A body of lines, `what: text`.
struct Body(String);

impl Body {
    fn about(view: &View<'_>) -> Self {
        let request = view.identity();
        let mut body = Self(String::new());
        body.line(
            "Remediation",
            &format!("{}/{}", request.namespace, request.name),
        );
        let Some(data) = &view.state.request.spec.targeting_data else {
            return body;
        };
        body.line("Alert", &data.alert_name);
        body.line("Environment", &data.environment);
        body.line("Cluster", data.cluster_name.as_deref().unwrap_or(""));
        if let Some(target) = &data.target_resource {
            let place = target.namespace.as_deref().unwrap_or("");
            body.line(
                "Target",
                &format!("{} {place}/{}", target.kind, target.name),
            );
        }
        body
    }

    fn line(&mut self, what: &str, text: &str) {
        let text = clean(text, crate::text::MESSAGE);
        if !text.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(self.0, "{what}: {text}");
        }
    }

    fn bounded(mut self) -> String {
        if self.0.len() <= LONGEST_BODY / 2 {
            return self.0;
        }
        let mut size = 0;
        let end = self.0.char_indices().find_map(|(at, character)| {
            size += match character {
                '"' | '\\' | '\n' => 2,
                other => other.len_utf8(),
            };
            (size > LONGEST_BODY).then_some(at)
        });
        self.0.truncate(end.unwrap_or(self.0.len()));
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_may_be_exactly_as_long_as_is_allowed() {
        let body = |length: usize| Body("x".repeat(length)).bounded().len();
        assert_eq!(body(LONGEST_BODY), LONGEST_BODY);
        assert_eq!(body(LONGEST_BODY + 1), LONGEST_BODY);
    }
}
