//! The rules of the machine by name, so that a decision can say which one it followed.

use std::fmt;

use serde::Serialize;

/// The rule that a decision follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Rule {
    /// The request is being deleted.
    BeingDeleted,
    /// It ended, and its time to live is over.
    Expired,
    /// It ended.
    Ended,
    /// It is suspended.
    Suspended,
    /// Its failure is recorded; the escalation and the terminal phase follow.
    FailureRecorded,
    /// Its phase is a word that this version cannot place.
    UnknownPhase,
    /// It is new and valid.
    Begin,
    /// What it asks for is invalid.
    InvalidRequest,
    /// A child failed.
    ChildFailed,
    /// A child completed.
    ChildCompleted,
    /// An execution that status names is gone.
    ChildDeleted,
    /// A processing or analysis is gone and is created again.
    ChildLost,
    /// The analysis waits for somebody to approve it.
    ApprovalPending,
    /// The analysis was rejected.
    AnalysisRejected,
    /// The analysis has nothing to recommend.
    NoRecommendation,
    /// The workflow began to execute.
    WorkflowExecuting,
    /// Steps of the plan are ready.
    StepsReady,
    /// The plan cannot be run, or has changed.
    InvalidPlan,
    /// An object of ours is refused for good.
    CreationRefused,
    /// A deadline passed.
    DeadlinePassed,
    /// Nothing to do but wait.
    Waiting,
}

impl Rule {
    /// All rules, in the order in which they are listed.
    pub const ALL: [Rule; 21] = [
        Rule::BeingDeleted,
        Rule::Expired,
        Rule::Ended,
        Rule::Suspended,
        Rule::FailureRecorded,
        Rule::UnknownPhase,
        Rule::Begin,
        Rule::InvalidRequest,
        Rule::ChildFailed,
        Rule::ChildCompleted,
        Rule::ChildDeleted,
        Rule::ChildLost,
        Rule::ApprovalPending,
        Rule::AnalysisRejected,
        Rule::NoRecommendation,
        Rule::WorkflowExecuting,
        Rule::StepsReady,
        Rule::InvalidPlan,
        Rule::CreationRefused,
        Rule::DeadlinePassed,
        Rule::Waiting,
    ];

    /// The rule by name, as logs show it.
    #[must_use]
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The rule in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Rule::BeingDeleted => {
                "the request is being deleted: nothing more is created or written"
            }
            Rule::Expired => "the request ended and its time to live is over: it is deleted",
            Rule::Ended => "the request ended: nothing changes until its time to live is over",
            Rule::Suspended => "the request is suspended: nothing is created and no deadline runs",
            Rule::FailureRecorded => {
                "a failure is recorded: the escalation is created, then the request is Failed"
            }
            Rule::UnknownPhase => {
                "the phase is a word that this version cannot place: still in progress, bounded by the overall deadline"
            }
            Rule::Begin => "the request is valid: the RemediationProcessing is created",
            Rule::InvalidRequest => "what the request asks for is invalid (category C)",
            Rule::ChildFailed => "a child failed (category F)",
            Rule::ChildCompleted => "a child completed: the next step follows",
            Rule::ChildDeleted => {
                "an execution that status names is gone: it may have acted and is not created again"
            }
            Rule::ChildLost => "a processing or analysis is gone: it is created again (category A)",
            Rule::ApprovalPending => "the analysis waits for somebody to approve it",
            Rule::AnalysisRejected => "the analysis was rejected",
            Rule::NoRecommendation => "the analysis recommends nothing that could be executed",
            Rule::WorkflowExecuting => "the workflow began to execute",
            Rule::StepsReady => "steps of the plan are ready: their executions are created",
            Rule::InvalidPlan => "the plan cannot be run, or has changed since it was begun",
            Rule::CreationRefused => "an object is refused for good (category C)",
            Rule::DeadlinePassed => "a deadline passed",
            Rule::Waiting => "nothing to do before the next deadline or change",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}
