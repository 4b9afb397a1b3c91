//! The API server's audit log: which requests were made, by whom, and how they ended.

use super::{Context, ControlPlane, Failure, Result, until};
use serde::Deserialize;
use std::{io::Read, io::Seek, io::SeekFrom, time::Duration};

/// Who did what; for what is written to the project's kinds with bodies, so that the promises can be checked. Health checks and
/// the API server's talk with itself are left out.
pub(super) const POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
  - level: None
    nonResourceURLs: ["/healthz*", "/livez*", "/readyz*"]
  - level: None
    users: ["system:apiserver"]
  - level: RequestResponse
    verbs: [create, update, patch, delete, deletecollection]
    resources:
      - group: remediation.kubernaut.ai
      - group: remediationprocessing.kubernaut.ai
      - group: aianalysis.kubernaut.ai
      - group: workflowexecution.kubernaut.ai
      - group: kubernetesexecution.kubernaut.ai
      - group: notification.kubernaut.ai
  - level: Metadata
"#;

/// One request, as far as the tests look at it. A watch gives an event when its response starts and
/// one when it ends.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditEvent {
    #[serde(rename = "auditID")]
    pub(crate) audit_id: String,
    /// `ResponseStarted`, `ResponseComplete` or `Panic`.
    pub(crate) stage: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub(crate) verb: String,
    #[serde(rename = "requestURI")]
    pub(crate) request_uri: String,
    pub(crate) user: AuditUser,
    #[serde(default)]
    pub(crate) user_agent: String,
    /// Missing for requests that are not about a resource, such as discovery.
    pub(crate) object_ref: Option<ObjectRef>,
    pub(crate) response_status: Option<ResponseStatus>,
    /// RFC 3339, in microseconds.
    pub(crate) request_received_timestamp: String,
    /// RFC 3339, in microseconds.
    pub(crate) stage_timestamp: String,
}

/// Who asked.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AuditUser {
    pub(crate) username: String,
}

/// What the request is about; fields that it does not name are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ObjectRef {
    pub(crate) api_group: String,
    pub(crate) api_version: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// How it ended.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ResponseStatus {
    /// The HTTP status.
    #[serde(default)]
    pub(crate) code: u16,
    /// The reason of a refusal, such as `Conflict`.
    #[serde(default)]
    pub(crate) reason: String,
}

impl AuditEvent {
    /// Whether the request is about an object, or list of objects, in this namespace.
    pub(crate) fn is_in(&self, namespace: &str) -> bool {
        self.object_ref
            .as_ref()
            .is_some_and(|object| object.namespace == namespace)
    }

    /// The HTTP status, 0 while there is none.
    pub(crate) fn code(&self) -> u16 {
        self.response_status
            .as_ref()
            .map_or(0, |status| status.code)
    }

    /// Whether the request could change something.
    pub(crate) fn is_write(&self) -> bool {
        matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        )
    }
}

/// A place in the audit log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AuditMark(u64);

impl ControlPlane {
    /// The present end of the audit log, for [`audit_since`](Self::audit_since).
    pub(crate) fn audit_mark(&self) -> AuditMark {
        AuditMark(std::fs::metadata(self.audit_log()).map_or(0, |file| file.len()))
    }

    /// Every request so far. A request is written when its response has been sent, so that the last
    /// ones may be missing for a moment: see [`audited`](Self::audited).
    pub(crate) fn audit(&self) -> Result<Vec<AuditEvent>> {
        self.audit_since(AuditMark::default())
    }

    /// The requests that were written since `mark`.
    pub(crate) fn audit_since(&self, mark: AuditMark) -> Result<Vec<AuditEvent>> {
        self.audit_text(mark)?
            .lines()
            .map(|line| serde_json::from_str(line).context(|| format!("the audit event {line}")))
            .collect()
    }

    /// The lines that were written since `mark`, as they are.
    pub(crate) fn audit_text(&self, mark: AuditMark) -> Result<String> {
        let path = self.audit_log();
        let reading = || format!("reading the audit log {}", path.display());
        let mut file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(String::new()),
            Err(error) => return Err(error).context(reading),
        };
        file.seek(SeekFrom::Start(mark.0)).context(reading)?;
        let mut text = String::new();
        file.read_to_string(&mut text).context(reading)?;
        // A last line without its end is still being written.
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        Ok(text)
    }

    /// Waits until `count` or more requests since `mark` match, and returns all that match then.
    pub(crate) async fn audited(
        &self,
        mark: AuditMark,
        what: &str,
        count: usize,
        deadline: Duration,
        matches: impl Fn(&AuditEvent) -> bool,
    ) -> Result<Vec<AuditEvent>> {
        let matching = || -> Result<Vec<AuditEvent>> {
            Ok(self
                .audit_since(mark)?
                .into_iter()
                .filter(|event| matches(event))
                .collect())
        };
        let enough = until(deadline, async || {
            matching().ok().filter(|events| events.len() >= count)
        })
        .await;
        match enough {
            Some(events) => Ok(events),
            None => Err(Failure::new(format!(
                "not within {deadline:?} in the audit log: {count} × {what}; seen: {:#?}",
                matching()?
            ))),
        }
    }
}
