//! Where a test sees each write as it is committed, in the order in which the server commits them.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

/// One committed write.
#[derive(Debug, Clone)]
pub struct Commit {
    /// When, by the server's clock.
    pub at: Timestamp,
    /// When the request for it reached the server.
    pub received: Timestamp,
    /// The resourceVersion that it was given.
    pub revision: u64,
    /// Whose request it was: the client's `User-Agent`. Empty for the server's own controllers.
    pub client: Arc<str>,
    /// The API group; empty for the core group.
    pub group: Arc<str>,
    /// The plural of the kind.
    pub plural: Arc<str>,
    /// The object before; none where it was created.
    pub before: Option<Arc<Value>>,
    /// The object after; none where it is gone.
    pub after: Option<Arc<Value>>,
}

/// Is told of each write while the store is locked: it must not ask the server for anything.
pub trait CommitObserver: Send + Sync {
    /// This was committed.
    fn committed(&self, commit: Commit);
}

/// Who writes now, and who is told of it.
#[derive(Clone, Default)]
pub(crate) struct Witness {
    pub(crate) client: Arc<str>,
    pub(crate) received: Timestamp,
    pub(crate) now: Timestamp,
    pub(crate) observer: Option<Arc<dyn CommitObserver>>,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Witness")
            .field("client", &self.client)
            .field("received", &self.received)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
