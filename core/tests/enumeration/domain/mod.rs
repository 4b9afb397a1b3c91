//! The abstract input of a decision: what of the request, its status, its children and the memory of the process is
//! told apart. A [`Case`] is one choice for each axis; [`build`] makes the concrete input of it.

pub(crate) mod build;
pub(crate) mod families;
mod memory;
mod objects;
pub(crate) mod words;

use remediation_core::phase::Phase;

/// Words of one axis, with the list of them all.
macro_rules! axis {
    ($(#[$doc:meta])* $name:ident { $($word:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($word),+ }
        impl $name {
            #[allow(dead_code, reason = "some axes are never counted through as a whole")]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$word),+];
        }
    };
}

axis!(
    /// What `status.phase` holds.
    PhaseIn { Absent, Pending, Initializing, Processing, Analyzing, WorkflowPlanning, Executing, Completed, Failed, Unknown, Empty }
);
axis!(
    /// The object under the name of a child, as it is seen. What is somebody else's was read live, as only a live read
    /// shows it, but for `ForeignCached`.
    Place { Gone, GoneLive, Ours, OursLive, Terminating, Ownerless, Unlabelled, Foreign, ForeignCached, Earlier, EarlierTerminating }
);
axis!(
    /// What status says of a child: nothing, this object, or another UID under its name.
    Named { No, This, OtherUid }
);
axis!(
    /// What a RemediationProcessing says.
    RpSays { Nothing, Pending, Processing, Completed, CompletedBare, Failed, FailedBare, Unknown, Miscased }
);
axis!(
    /// The phase word of an AIAnalysis.
    AiaWord { Nothing, Pending, Investigating, Approving, Ready, Completed, Rejected, Failed, FailedBare, Unknown }
);
axis!(
    /// The decision that an AIAnalysis shows.
    Decision { None, Approved, Rejected, Unknown }
);
axis!(
    /// The phase word of a WorkflowExecution.
    WfeWord { Nothing, Pending, Planning, Validating, Executing, Running, Completed, Failed, FailedBare, Unknown }
);
axis!(
    /// The plan that a WorkflowExecution shows. `Fork` is a, then b and c; `Chain` a, then b.
    PlanIn { None, Theirs, One, Pair, Chain, Fork, Empty, Cyclic, Twice, UnknownNeed, BadName }
);
axis!(
    /// The plan hash that status holds.
    HashIn { None, Same, Changed, Garbage }
);
axis!(
    /// What a WorkflowExecution counts: completed of total.
    Counts { None, OneOfTwo, Hostile, Fewer }
);
axis!(
    /// One step of the plan: its KubernetesExecution, and what status says of it.
    StepIn {
        Absent, AbsentLive, Unnamed, UnnamedCompleted, UnnamedTerminating, Hidden, Lost, Started, Running, Completed, Failed,
        Unknown, Terminating, TerminatingCompleted, Replaced, Foreign, Earlier, DoneHidden, DoneFailed, Ownerless,
        Waits, MayTry, Refused,
    }
);
axis!(
    /// A notification of one occasion: not looked for, known to be absent, there, somebody else's, recorded, refused just
    /// now (and to wait, or to be tried again), refused for a minute, or refused for good.
    Note { Unknown, Absent, There, Foreign, Recorded, Waits, MayTry, Long, LongMayTry, Denied, Refused }
);
axis!(
    /// What the process remembers of creating the next child.
    Refusal { None, Waits, MayTry, TakenWaits, NamespaceGoing, Invalid, NameConflict }
);
axis!(
    /// The targeting data.
    Data { Valid, Missing, Blank, TooLong, TooLarge }
);
axis!(
    /// `spec.timeouts` and `spec.ttlSecondsAfterFinished`.
    Limits { Default, Shorter, WrongDuration, WrongTtl }
);
axis!(
    /// Where `now` lies, and what status holds of times. The limit of the phase ends at the phase's deadline.
    Clock {
        Fresh, SubSecond, MinuteMinus, Minute, PhaseMinus, PhaseAt, PhaseAfter, OverallMinus, OverallAt, OverallFirst, PhaseFirst,
        SameInstant, AheadFive, AheadMore, StartAhead, PhaseAhead, NoTimes, NoStart, NoPhaseStart, NoPolicy,
        PausedMinus, PausedAt, Resuming, ResumingAt, Back,
    }
);
axis!(
    /// Whether approval was asked for, as status holds it.
    Asked { No, Sent, TimeOnly, SentOnly }
);
axis!(
    /// What of a failure is recorded.
    FailureIn { None, Fresh, AtThirtySeconds, JustBefore, TimedOut, CategoryOnly, PhaseOnly, CategoryC }
);
axis!(
    /// How it ended, and how far its time to live is; in the last two a hand took the completion time away, and history
    /// or a condition tells.
    EndedIn { No, CompletedNow, Failed, LastNano, AtExpiry, Late, NoPolicy, Ahead, HistoryTells, ConditionTells }
);
axis!(
    /// What the condition `Escalated` says.
    EscalatedIn { None, Yes, OwedForNow, OwedForGood }
);
axis!(
    /// When this process last wrote status: never, this second, or longer ago.
    Written { Never, Now, LongAgo, Ahead }
);
axis!(
    /// What status shows of progress.
    Shown { None, Right, More, Hostile }
);

/// One of the three stages: its object, its mention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Kid {
    pub(crate) place: Place,
    pub(crate) named: Named,
}

impl Kid {
    pub(crate) const ABSENT: Self = Self {
        place: Place::Gone,
        named: Named::No,
    };
    pub(crate) const ORDINARY: Self = Self {
        place: Place::Ours,
        named: Named::This,
    };
}

/// One choice for each axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Case {
    pub(crate) phase: PhaseIn,
    pub(crate) deleting: bool,
    pub(crate) suspended: bool,
    pub(crate) born_suspended: bool,
    pub(crate) data: Data,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) rp: Kid,
    pub(crate) rp_says: RpSays,
    pub(crate) aia: Kid,
    pub(crate) aia_word: AiaWord,
    pub(crate) required: bool,
    pub(crate) decision: Decision,
    pub(crate) recommends: bool,
    pub(crate) asked: Asked,
    pub(crate) wfe: Kid,
    pub(crate) wfe_word: WfeWord,
    pub(crate) plan: PlanIn,
    pub(crate) hash: HashIn,
    pub(crate) counts: Counts,
    pub(crate) steps: [StepIn; 3],
    pub(crate) refusal: Refusal,
    pub(crate) record_refused: bool,
    pub(crate) success: Note,
    pub(crate) escalation: Note,
    pub(crate) approval: Note,
    pub(crate) failure: FailureIn,
    pub(crate) ended: EndedIn,
    pub(crate) escalated: EscalatedIn,
    pub(crate) written: Written,
    pub(crate) shown: Shown,
    pub(crate) attempt: Option<u32>,
    pub(crate) straggler: bool,
    pub(crate) transitions: bool,
}

impl Case {
    /// Whether the other asks for the same remediation.
    pub(crate) fn asks_as(&self, other: &Self) -> bool {
        (self.data, self.limits) == (other.data, other.limits)
    }

    /// Whether the other has the same objects beside the request. An axis that is not named here counts as one that makes them.
    pub(crate) fn has_children_of(&self, other: &Self) -> bool {
        let beside = Self {
            phase: self.phase,
            deleting: self.deleting,
            suspended: self.suspended,
            born_suspended: self.born_suspended,
            data: self.data,
            limits: self.limits,
            clock: self.clock,
            asked: self.asked,
            hash: self.hash,
            refusal: self.refusal,
            record_refused: self.record_refused,
            failure: self.failure,
            ended: self.ended,
            escalated: self.escalated,
            written: self.written,
            shown: self.shown,
            transitions: self.transitions,
            ..*other
        };
        *self == beside
    }

    /// An ordinary remediation in this phase: what came before is completed and named, what comes later is absent.
    pub(crate) fn ordinary(phase: PhaseIn) -> Self {
        let reached = |at: Phase| build::known(phase).is_some_and(|now| now >= at);
        let kid = |at| {
            if reached(at) {
                Kid::ORDINARY
            } else {
                Kid::ABSENT
            }
        };
        Self {
            phase,
            deleting: false,
            suspended: false,
            born_suspended: false,
            data: Data::Valid,
            limits: Limits::Default,
            clock: Clock::Fresh,
            rp: kid(Phase::Processing),
            rp_says: if reached(Phase::Analyzing) {
                RpSays::Completed
            } else {
                RpSays::Nothing
            },
            aia: kid(Phase::Analyzing),
            aia_word: if reached(Phase::WorkflowPlanning) {
                AiaWord::Ready
            } else {
                AiaWord::Nothing
            },
            required: false,
            decision: Decision::None,
            recommends: true,
            asked: Asked::No,
            wfe: kid(Phase::WorkflowPlanning),
            wfe_word: if reached(Phase::Executing) {
                WfeWord::Executing
            } else {
                WfeWord::Nothing
            },
            plan: PlanIn::None,
            hash: HashIn::None,
            counts: Counts::None,
            steps: [StepIn::Absent; 3],
            refusal: Refusal::None,
            record_refused: false,
            success: Note::Unknown,
            escalation: Note::Unknown,
            approval: Note::Unknown,
            failure: FailureIn::None,
            ended: EndedIn::No,
            escalated: EscalatedIn::None,
            written: Written::Never,
            shown: Shown::Right,
            attempt: Some(1),
            straggler: false,
            transitions: false,
        }
    }
}
