//! What happens in one simulated run, as plain data: made from a seed, shrunk after a violation, kept in a trace.

use std::fmt;

use remediation_core::kind::ChildKind;
use remediation_core::request::RequestSpec;
use serde::{Deserialize, Serialize};

use crate::simulation::children::{Quirk, Script, Stage};

/// One run. All times are milliseconds of virtual time; those of troubles count from the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// UIDs come from it.
    pub seed: u64,
    /// How many operators there are, 1 or 2; two elect a leader with a Lease.
    pub replicas: usize,
    /// How many requests an operator works on at once.
    pub concurrency: usize,
    /// How many objects a page of a list holds.
    pub page_size: u32,
    /// When people stop and everything heals that is not said to last for ever.
    pub safety_ms: u64,
    /// What is asked for.
    pub requests: Vec<Asked>,
    /// What goes wrong.
    pub troubles: Vec<Trouble>,
}

impl Plan {
    /// Whether all controllers of children keep the contract.
    pub(super) fn children_obey(&self) -> bool {
        let eager = |stage: &Stage| stage.quirks.contains(&Quirk::Eager);
        let scripts = self.requests.iter().map(|asked| &asked.script);
        let mut stages = scripts.flat_map(|script| {
            let steps = script.steps.iter().map(|step| &step.stage);
            [&script.planning, &script.workflow]
                .into_iter()
                .chain(steps)
        });
        !stages.any(eager)
            && !self.troubles.iter().any(|trouble| {
                matches!(
                    trouble,
                    Trouble::Person {
                        deed: Deed::OddStatus(_),
                        ..
                    }
                )
            })
    }
}

/// A request that somebody creates, and what its children's controllers do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asked {
    /// Its name.
    pub name: String,
    /// When it is created.
    pub at_ms: u64,
    /// Its spec.
    pub spec: RequestSpec,
    /// What its children's controllers do.
    pub script: Script,
}

/// Calls of the operator that are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stream {
    /// Create, read, write and delete requests and children.
    Work,
    /// Lists.
    List,
    /// The opening of watches.
    Watch,
    /// The Lease.
    Lease,
    /// Events.
    Event,
}

impl Stream {
    /// All of them.
    pub const ALL: [Stream; 5] = [
        Stream::Work,
        Stream::List,
        Stream::Watch,
        Stream::Lease,
        Stream::Event,
    ];
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CallFault {
    /// 409: somebody else wrote first (of a creation: the name is taken).
    Conflict,
    /// 422.
    Invalid,
    /// 413.
    TooLarge,
    /// 403, the role lacks the verb.
    Denied,
    /// 403, the quota is used up.
    QuotaExceeded,
    /// 403, an admission webhook says no.
    PolicyDenied,
    /// 401.
    Unauthorized,
    /// 429, with the seconds of a `Retry-After`.
    TooMany(Option<u32>),
    /// 500.
    ServerError,
    /// 503.
    Unavailable,
    /// 410: of a list its continuation, of a watch its version is gone.
    Expired,
    /// No connection: not applied.
    Refused,
    /// Not applied, and no answer before the client gives up.
    Silent,
    /// Applied, and no answer before the client gives up.
    AppliedSilent,
    /// Applied, and the connection breaks.
    Lost,
    /// The connection breaks, and it is applied so much later.
    AppliedLate(u64),
    /// Applied twice.
    Twice,
    /// Answered so much later.
    Slow(u64),
}

/// What becomes of the call in flight when a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InFlight {
    /// It never arrives.
    NotApplied,
    /// It is applied.
    Applied,
    /// It is applied so much later.
    AppliedLate(u64),
}

/// What becomes of a watch while it streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StreamFault {
    /// Nothing comes any more, and the connection stays open.
    Silence,
    /// The connection breaks in the middle of an event.
    Truncate,
    /// The event comes twice.
    Repeat,
    /// The stream ends as it should.
    End,
}

/// When a person acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// At this time.
    At(u64),
    /// So long after the request's status first showed this phase.
    Phase(String, u64),
    /// Right before the operators' `Work` call of this number is served.
    Call(u32),
}

/// What a person does to a request or around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Deed {
    /// Deletes it.
    Delete,
    /// Deletes it with `--cascade=foreground`.
    DeleteForeground,
    /// Deletes it and creates one of the same name at once.
    Recreate,
    /// Annotates it, so that its version changes.
    Annotate,
    /// Suspends it, and resumes it so much later; never where that is 0.
    Suspend(u64),
    /// Deletes all its children of this kind.
    DeleteChildren(ChildKind),
    /// Gives its children of this kind a finalizer, deletes them, and takes the finalizer away so much later.
    HoldChildren(ChildKind, u64),
    /// Takes owner references and labels from its children of this kind.
    Strip(ChildKind),
    /// Puts an object of somebody else under the name of its child of this kind.
    PutForeign(ChildKind),
    /// Writes this word as the phase of its status.
    EditPhase(String),
    /// Sets this field of its status to null.
    EditRemove(String),
    /// Moves the phase's start so many seconds.
    EditPhaseStart(i64),
    /// Writes an odd value as the status of its children of this kind.
    OddStatus(ChildKind),
    /// Writes as much as the definition lets into the status of its children of this kind, and texts that try to do
    /// something where they are shown.
    HostileStatus(ChildKind),
    /// Labels and annotates it with as much as it can hold.
    HostileMetadata,
    /// A newer build of the orchestrator installs its definition, and writes a field and a condition into its status
    /// that this one does not know.
    NewerStatus,
}

/// Something that goes wrong, or somebody who interferes. Each can be left out by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Trouble {
    /// One call of an operator, by its number among those of its stream.
    Call {
        /// Which calls are counted.
        stream: Stream,
        /// Its number, from 0, over all operators.
        nth: u32,
        /// What becomes of it.
        fault: CallFault,
    },
    /// All calls of this verb and resource, for a time or for ever.
    Calls {
        /// As in a role.
        verb: String,
        /// The plural.
        plural: String,
        /// What becomes of them.
        fault: CallFault,
        /// From when.
        at_ms: u64,
        /// How long; for ever where absent.
        for_ms: Option<u64>,
    },
    /// The operator that makes this call dies in it, and starts again.
    Crash {
        /// Which calls are counted.
        stream: Stream,
        /// Its number, from 0, over all operators.
        nth: u32,
        /// What becomes of the call.
        in_flight: InFlight,
        /// How long it takes to start again.
        down_ms: u64,
    },
    /// An operator dies at this time, and starts again.
    CrashAt {
        /// Which one.
        replica: usize,
        /// When.
        at_ms: u64,
        /// How long it takes to start again.
        down_ms: u64,
    },
    /// An operator is told to stop, and starts again.
    Stop {
        /// Which one.
        replica: usize,
        /// When.
        at_ms: u64,
        /// How long it takes to start again.
        down_ms: u64,
    },
    /// An operator's calls and answers stand still; they go on afterwards.
    Stall {
        /// Which one.
        replica: usize,
        /// When.
        at_ms: u64,
        /// How long.
        for_ms: u64,
    },
    /// The pass that makes this call panics.
    Panic {
        /// Its number among the `Work` calls, from 0, over all operators.
        nth: u32,
    },
    /// An operator's wall clock is set.
    Clock {
        /// Which one.
        replica: usize,
        /// When.
        at_ms: u64,
        /// By how much, forward or back.
        by_ms: i64,
    },
    /// An operator's wall clock stands still.
    Freeze {
        /// Which one.
        replica: usize,
        /// When.
        at_ms: u64,
        /// How long.
        for_ms: u64,
    },
    /// An open watch of an operator.
    Watch {
        /// Its number among all watches that operators open, from 0.
        nth: u32,
        /// Before or in which event.
        event: u32,
        /// What becomes of it.
        fault: StreamFault,
    },
    /// All watches are cut, after the history was forgotten where that is said.
    Cut {
        /// When.
        at_ms: u64,
        /// Whether the history is forgotten first, so that everybody must list again.
        compact: bool,
    },
    /// The watches of one kind fall behind.
    Lag {
        /// The plural.
        plural: String,
        /// From when.
        at_ms: u64,
        /// How long.
        for_ms: u64,
        /// Whether the history is forgotten before they go on, so that deletions are never seen.
        compact: bool,
    },
    /// The API server restarts: nothing is served for a while, and all watches are cut.
    Outage {
        /// From when.
        at_ms: u64,
        /// How long.
        for_ms: u64,
    },
    /// etcd is restored to an earlier state.
    Restore {
        /// The time whose state it is.
        saved_ms: u64,
        /// When.
        at_ms: u64,
    },
    /// The namespace is deleted.
    Namespace {
        /// When.
        at_ms: u64,
    },
    /// A child's kind is not installed at first.
    Uninstalled {
        /// Which one.
        kind: ChildKind,
        /// When it is.
        until_ms: u64,
    },
    /// The definition of the requests is an older one at first, which lacks some fields of status.
    OlderDefinition {
        /// When it is brought up to date.
        until_ms: u64,
    },
    /// A mutating webhook adds to everything that operators create: labels, annotations, a channel of notifications.
    Webhook {
        /// From when.
        at_ms: u64,
        /// How long.
        for_ms: u64,
    },
    /// An operator is stopped, and starts again with other settings.
    Reconfigure {
        /// Which one.
        replica: usize,
        /// When.
        at_ms: u64,
    },
    /// The garbage collector is late.
    Garbage {
        /// By how much.
        late_ms: u64,
    },
    /// Somebody acts.
    Person {
        /// About which request.
        request: String,
        /// When.
        when: When,
        /// What is done.
        deed: Deed,
    },
}

impl Trouble {
    /// What sort it is, as it is counted: a word or two.
    #[must_use]
    pub fn sort(&self) -> String {
        match self {
            Trouble::Call { stream, fault, .. } => format!("{stream:?} {}", fault.word()),
            Trouble::Calls { verb, fault, .. } => format!("Every {verb} {}", fault.word()),
            Trouble::Crash {
                stream, in_flight, ..
            } => format!("Crash in {stream:?} {}", in_flight.word()),
            Trouble::CrashAt { .. } => "Crash at a time".to_owned(),
            Trouble::Stop { .. } => "Stop".to_owned(),
            Trouble::Stall { .. } => "Stall".to_owned(),
            Trouble::Panic { .. } => "Panic".to_owned(),
            Trouble::Clock { by_ms, .. } if *by_ms < 0 => "Clock back".to_owned(),
            Trouble::Clock { .. } => "Clock forward".to_owned(),
            Trouble::Freeze { .. } => "Clock frozen".to_owned(),
            Trouble::Watch { fault, .. } => format!("Stream {fault:?}"),
            Trouble::Cut { compact: true, .. } => "Watches cut and history forgotten".to_owned(),
            Trouble::Cut { compact: false, .. } => "Watches cut".to_owned(),
            Trouble::Lag { compact: true, .. } => "Lag and history forgotten".to_owned(),
            Trouble::Lag { compact: false, .. } => "Lag".to_owned(),
            Trouble::Outage { .. } => "Outage".to_owned(),
            Trouble::Restore { .. } => "Restored etcd".to_owned(),
            Trouble::Namespace { .. } => "Namespace deleted".to_owned(),
            Trouble::Uninstalled { .. } => "Kind not installed".to_owned(),
            Trouble::OlderDefinition { .. } => "Older definition".to_owned(),
            Trouble::Webhook { .. } => "Webhook".to_owned(),
            Trouble::Reconfigure { .. } => "Reconfigured".to_owned(),
            Trouble::Garbage { .. } => "Garbage collector late".to_owned(),
            Trouble::Person { deed, .. } => format!("Person {}", deed.word()),
        }
    }
}

/// The name of a variant, without what it holds.
fn variant(debug: &impl fmt::Debug) -> String {
    let text = format!("{debug:?}");
    let end = text.find(['(', ' ', '{']).unwrap_or(text.len());
    text[..end].to_owned()
}

impl CallFault {
    /// Its name, without what it holds.
    #[must_use]
    pub fn word(&self) -> String {
        variant(self)
    }
}

impl InFlight {
    /// Its name, without what it holds.
    #[must_use]
    pub fn word(&self) -> String {
        variant(self)
    }
}

impl Deed {
    /// Its name, without what it holds.
    #[must_use]
    pub fn word(&self) -> String {
        variant(self)
    }
}
