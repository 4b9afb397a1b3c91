//! Simulated child controllers: they fill in the status of the child kinds as real controllers would, each
//! remediation after its [`Script`]. They speak to the API server through a [`kube::Client`] alone, so they work on
//! the simulated one and on a real one.
//!
//! They obey the child contract (docs/child-contract.md): see [`requests`] for when an executor may start.
//! Nothing here is random, and all waiting is tokio's, so that paused time runs through them.

mod beats;
pub(in crate::simulation) mod bounds;
mod controller;
mod requests;
mod script;

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use remediation_core::kind::ChildKind;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::simulation::api_server::Clock;
pub use bounds::OutOfBounds;
use requests::Requests;
pub use script::{
    Approval, Decision, Outcome, Quirk, SCRIPT_ANNOTATION, Script, Scripts, Stage, Step,
};

/// Status writes under way at once: over HTTP/1.1 each takes a connection.
const MOST_WRITES: usize = 32;

/// How the controllers are set up.
#[derive(Clone)]
pub struct Options {
    /// The API server they work on.
    pub client: kube::Client,
    /// The namespace they look after; all where absent.
    pub namespace: Option<String>,
    /// Tells the time that executors compare deadlines with, and that goes into status.
    pub clock: Arc<dyn Clock>,
    /// What happens to which remediation.
    pub scripts: Scripts,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Options")
            .field("namespace", &self.namespace)
            .field("scripts", &self.scripts)
            .finish_non_exhaustive()
    }
}

/// An executor that started: what a real one would have done to the cluster by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// `WorkflowExecution` or `KubernetesExecution`.
    pub kind: ChildKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The UID of its request.
    pub request_uid: String,
    /// When.
    pub at: Timestamp,
}

/// The running controllers. They stop when it is dropped.
#[derive(Debug)]
pub struct Children {
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Children {
    /// Starts all controllers. Must be called within a tokio runtime.
    #[must_use]
    pub fn spawn(options: Options) -> Self {
        let shared = Arc::new(Shared {
            requests: Requests::default(),
            started: Mutex::new(Vec::new()),
            writes: Semaphore::new(MOST_WRITES),
            options,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(requests::watch(Arc::clone(&shared)));
        for kind in ChildKind::ALL {
            tasks.spawn(controller::run(Arc::clone(&shared), kind));
        }
        Self {
            shared,
            _tasks: tasks,
        }
    }

    /// Every execution that started so far, in order.
    #[must_use]
    pub fn started(&self) -> Vec<Started> {
        self.shared
            .started
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// What the controllers share.
#[derive(Debug)]
struct Shared {
    options: Options,
    requests: Requests,
    started: Mutex<Vec<Started>>,
    writes: Semaphore,
}
