//! Which requests there were, for tests that count them.

use std::collections::{BTreeMap, VecDeque};

/// Verb and resource pairs that are counted apart; beyond that they are counted as `other`.
const MAX_COUNTERS: usize = 1_000;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestOutcome {
    /// Answered with this HTTP status code.
    Answered(u16),
    /// The client got a transport error, or went away.
    Lost,
}

/// One request, as the audit log of a real server would have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`; the HTTP method in lower
    /// case for paths that are no resource.
    pub verb: String,
    /// API group; empty for the core group.
    pub group: String,
    /// The plural; the path for what is no resource.
    pub resource: String,
    /// `status`, …
    pub subresource: Option<String>,
    /// Absent for cluster-scoped objects and across all namespaces.
    pub namespace: Option<String>,
    /// The object's name; of a creation, as far as it is known.
    pub name: Option<String>,
    /// How it ended.
    pub outcome: RequestOutcome,
    /// The client's `User-Agent`.
    pub user_agent: String,
}

/// The newest requests, and how many there were of each sort.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    records: VecDeque<RequestRecord>,
    counts: BTreeMap<(String, String), u64>,
    limit: usize,
}

impl RequestLog {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Whether anything is remembered.
    pub(crate) fn is_kept(&self) -> bool {
        self.limit > 0
    }

    pub(crate) fn push(&mut self, record: RequestRecord) {
        let subject = match &record.subresource {
            Some(subresource) => format!("{}/{subresource}", record.resource),
            None => record.resource.clone(),
        };
        let mut key = (record.verb.clone(), subject);
        if self.counts.len() >= MAX_COUNTERS && !self.counts.contains_key(&key) {
            "other".clone_into(&mut key.1);
        }
        *self.counts.entry(key).or_default() += 1;
        if self.records.len() >= self.limit {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    pub(crate) fn records(&self) -> Vec<RequestRecord> {
        self.records.iter().cloned().collect()
    }

    pub(crate) fn counts(&self) -> BTreeMap<(String, String), u64> {
        self.counts.clone()
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.counts.clear();
    }
}
