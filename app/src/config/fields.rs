//! The table of all configuration fields.

use std::collections::BTreeSet;

use serde_json::Value;

use super::tree;
use super::values::{Kind, YEAR};

/// One field of the configuration.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its path in the file: `timeouts.analyzing`.
    pub(crate) path: &'static str,
    /// What values it takes.
    pub(crate) kind: Kind,
    /// Its default in words, where an empty or missing value means something else than itself.
    pub(crate) default: Option<&'static str>,
    /// What it is for, in one sentence.
    pub(crate) about: &'static str,
}

const MILLI: i64 = 1;
const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const TIMEOUT: Kind = Kind::Duration(MILLI, YEAR);
const PRIORITY: Kind = Kind::Word(&["high", "low"]);

const fn field(path: &'static str, kind: Kind, about: &'static str) -> Field {
    Field {
        path,
        kind,
        default: None,
        about,
    }
}

const fn explained(
    path: &'static str,
    kind: Kind,
    default: &'static str,
    about: &'static str,
) -> Field {
    Field {
        path,
        kind,
        default: Some(default),
        about,
    }
}

/// Every field, in the order in which the reference page and the help list them.
pub(crate) const FIELDS: &[Field] = &[
    explained(
        "namespace",
        Kind::Namespace,
        "all namespaces",
        "Look after the requests of this namespace only.",
    ),
    field(
        "httpAddress",
        Kind::Address,
        "Where /healthz, /readyz and /metrics are served; port 0 takes a free one.",
    ),
    field(
        "leaderElect",
        Kind::Switch,
        "Run several replicas of which one acts, elected by a Lease.",
    ),
    field("leaseName", Kind::Name, "The name of the Lease."),
    explained(
        "leaseNamespace",
        Kind::Namespace,
        "the Pod's namespace, else the context's",
        "The namespace of the Lease.",
    ),
    field(
        "leaseDuration",
        Kind::Duration(SECOND, HOUR),
        "How long a lease holds after its last renewal; a standby takes over after this, leaseRetry and a second.",
    ),
    field(
        "leaseRetry",
        Kind::Duration(100 * MILLI, HOUR),
        "How often the lease is renewed or asked for; less than two thirds of leaseDuration.",
    ),
    field(
        "concurrency",
        Kind::Whole(1, 1024),
        "How many requests are worked on at the same time.",
    ),
    field(
        "callTimeout",
        Kind::Duration(100 * MILLI, 5 * MINUTE),
        "How long one call to the API server may take.",
    ),
    field(
        "logFormat",
        Kind::Word(&["auto", "json", "text"]),
        "How log lines look: `auto` is text on a terminal, else json.",
    ),
    field(
        "logLevel",
        Kind::Word(&["error", "warn", "info", "debug", "trace"]),
        "Which log lines are written: this level and those before it.",
    ),
    field(
        "timeouts.processing",
        TIMEOUT,
        "How long Initializing may take, and again Processing.",
    ),
    field(
        "timeouts.analyzing",
        TIMEOUT,
        "How long Analyzing may take until approval is asked for.",
    ),
    field(
        "timeouts.approval",
        TIMEOUT,
        "How long Analyzing may take once approval is asked for.",
    ),
    field(
        "timeouts.workflowPlanning",
        TIMEOUT,
        "How long WorkflowPlanning may take.",
    ),
    field(
        "timeouts.executing",
        TIMEOUT,
        "How long Executing may take.",
    ),
    explained(
        "timeouts.overall",
        TIMEOUT,
        "the sum of the others that are in force",
        "How long a whole remediation may take.",
    ),
    field(
        "retention.ttlSecondsAfterFinished",
        Kind::Whole(0, 315_360_000),
        "How many seconds a request stays after it ended; 0 deletes it at once.",
    ),
    field(
        "notifications.escalation.priority",
        PRIORITY,
        "The priority of the notification that a remediation failed.",
    ),
    field(
        "notifications.escalation.channels",
        Kind::List,
        "Where the notification goes that a remediation failed.",
    ),
    field(
        "notifications.success.priority",
        PRIORITY,
        "The priority of the notification that a remediation completed.",
    ),
    field(
        "notifications.success.channels",
        Kind::List,
        "Where the notification goes that a remediation completed.",
    ),
    field(
        "notifications.approval.priority",
        PRIORITY,
        "The priority of the notification that somebody has to approve.",
    ),
    field(
        "notifications.approval.channels",
        Kind::List,
        "Where the notification goes that somebody has to approve.",
    ),
    field(
        "events.transitions",
        Kind::Switch,
        "Write an Event for each change of phase too; `status.history` holds them anyway.",
    ),
];

impl Field {
    /// `--timeouts-analyzing` without the dashes in front.
    pub(crate) fn flag(&self) -> String {
        spaced(self.path, '-').to_lowercase()
    }

    /// `REMEDIATION_TIMEOUTS_ANALYZING`
    pub(crate) fn variable(&self) -> String {
        format!("REMEDIATION_{}", spaced(self.path, '_').to_uppercase())
    }

    /// Its default, for people.
    pub(crate) fn default_text(&self) -> String {
        if let Some(words) = self.default {
            return words.to_owned();
        }
        let tree = super::Configuration::default().tree();
        match tree::at(&tree, self.path) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(entries)) => entries
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(","),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    /// The part of the path that groups fields: `timeouts`; `operator` for those at the top.
    pub(crate) fn section(&self) -> &'static str {
        self.path
            .split_once('.')
            .map_or("operator", |(section, _)| section)
    }
}

/// `timeouts.workflowPlanning` → `timeouts-workflow-Planning`
fn spaced(path: &str, separator: char) -> String {
    let mut spaced = String::new();
    for character in path.chars() {
        if character == '.' {
            spaced.push(separator);
        } else {
            if character.is_ascii_uppercase() {
                spaced.push(separator);
            }
            spaced.push(character);
        }
    }
    spaced
}

/// The paths that group others: `timeouts`, `notifications`, `notifications.escalation`.
pub(crate) fn groups() -> BTreeSet<String> {
    let mut groups = BTreeSet::new();
    for field in FIELDS {
        let mut path = field.path;
        while let Some((group, _)) = path.rsplit_once('.') {
            groups.insert(group.to_owned());
            path = group;
        }
    }
    groups
}
