//! The concrete input of a case.

use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp};
use remediation_core::children::Children;
use remediation_core::decide::State;
use remediation_core::error::Category;
use remediation_core::memory::Memory;
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::policy::{EffectivePolicy, EffectiveTimeouts, EventSettings, Settings};
use remediation_core::request::{Identity, Request, Timeouts};
use remediation_core::status::{Condition, HistoryEntry, Status};
use remediation_core::targeting::{TargetResource, TargetingData};
use remediation_core::time::{GoDuration, Time};

use super::memory::{forget_what_succeeded, put_memory};
use super::objects::{put_children, put_notifications, put_steps};
use super::{Asked, Case, Clock, Data, EndedIn, EscalatedIn, FailureIn, Limits, PhaseIn, Shown};

/// A concrete input.
pub(crate) struct Input {
    pub(crate) state: State,
    pub(crate) children: Children,
    pub(crate) now: Timestamp,
    /// Whether `children` are taken from the case before, and are not to be made again.
    pub(super) keeps_children: bool,
}

/// A case and its input, from which the next takes what is the same: two thirds of the texts that a case is made of.
pub(crate) struct Built {
    pub(crate) case: Case,
    pub(crate) input: Input,
}

pub(crate) const NAME: &str = "web";
pub(crate) const UID: &str = "0a1b2c3d-1111-4111-8111-000000000001";
pub(super) const EARLIER_UID: &str = "ffffffff-2222-4222-8222-000000000002";
/// When the present phase began: 2026-03-01T12:00:00Z, in milliseconds.
const BEGAN: i64 = 1_772_366_400_000;
const MINUTE: i64 = 60_000;
/// How long before the phase the remediation began, unless the clock says otherwise.
const LEAD: i64 = 10 * MINUTE;
const NANO: i64 = 1;

/// The phase, if it is one of ours.
pub(crate) fn known(phase: PhaseIn) -> Option<Phase> {
    match phase {
        PhaseIn::Absent | PhaseIn::Pending => Some(Phase::Pending),
        PhaseIn::Initializing => Some(Phase::Initializing),
        PhaseIn::Processing => Some(Phase::Processing),
        PhaseIn::Analyzing => Some(Phase::Analyzing),
        PhaseIn::WorkflowPlanning => Some(Phase::WorkflowPlanning),
        PhaseIn::Executing => Some(Phase::Executing),
        PhaseIn::Completed => Some(Phase::Completed),
        PhaseIn::Failed => Some(Phase::Failed),
        PhaseIn::Unknown | PhaseIn::Empty => None,
    }
}

/// The input of this case, made from what the one before it leaves.
pub(crate) fn build(case: &Case, last: Option<Built>) -> Input {
    let (kept, children) = match last {
        Some(last) => {
            let request = last.case.asks_as(case).then_some(last.input.state.request);
            let same = last.case.has_children_of(case);
            (request, same.then_some(last.input.children))
        }
        None => (None, None),
    };
    let mut input = Input {
        state: State {
            settings: settings(case.transitions),
            request: kept.unwrap_or_else(|| asked(case)),
            memory: Memory::default(),
        },
        keeps_children: children.is_some(),
        children: children.unwrap_or_default(),
        now: Timestamp::UNIX_EPOCH,
    };
    let request = &mut input.state.request;
    request.status = Status::default();
    request.deleting = case.deleting;
    request.spec.suspend = case.suspended;
    put_times(case, &mut input);
    put_outcome(case, &mut input);
    put_counts(case, &mut input.state.request.status);
    put_children(case, &mut input);
    put_steps(case, &mut input);
    put_notifications(case, &mut input);
    put_memory(case, &mut input);
    forget_what_succeeded(&mut input);
    input
}

fn settings(transitions: bool) -> Arc<Settings> {
    static PLAIN: LazyLock<Arc<Settings>> = LazyLock::new(Arc::default);
    static LOUD: LazyLock<Arc<Settings>> = LazyLock::new(|| {
        Arc::new(Settings {
            events: EventSettings { transitions: true },
            ..Settings::default()
        })
    });
    if transitions {
        LOUD.clone()
    } else {
        PLAIN.clone()
    }
}

/// The request, without what happens to it later.
fn asked(case: &Case) -> Request {
    let mut request = Request {
        identity: Identity {
            namespace: "shop".into(),
            name: NAME.into(),
            uid: UID.into(),
        },
        resource_version: "7".into(),
        generation: 3,
        ..Request::default()
    };
    put_spec(case, &mut request);
    request
}

fn put_spec(case: &Case, request: &mut Request) {
    let mut data = TargetingData {
        signal_fingerprint: "fp-1".into(),
        alert_name: "HighMemoryUsage".into(),
        environment: "production".into(),
        target_resource: Some(TargetResource {
            kind: "Deployment".into(),
            name: "checkout".into(),
            ..TargetResource::default()
        }),
        ..TargetingData::default()
    };
    match case.data {
        Data::Valid => {}
        Data::Missing => return put_limits(case, request),
        Data::Blank => data.alert_name = "  ".into(),
        Data::TooLong => data.environment = "e".repeat(64),
        Data::TooLarge => {
            data.context = (0..3)
                .map(|n| (format!("k{n}"), "x".repeat(3000)))
                .collect();
        }
    }
    request.spec.targeting_data = Some(data);
    put_limits(case, request);
}

fn put_limits(case: &Case, request: &mut Request) {
    let spec = &mut request.spec;
    match case.limits {
        Limits::Default => {}
        Limits::Shorter => {
            let asked = Timeouts {
                processing: Some("7m".into()),
                overall: Some("40m".into()),
                ..Timeouts::default()
            };
            spec.timeouts = Some(asked);
            spec.ttl_seconds_after_finished = Some(60);
        }
        Limits::WrongDuration => {
            spec.timeouts = Some(Timeouts {
                analyzing: Some("soon".into()),
                ..Timeouts::default()
            });
        }
        Limits::WrongTtl => spec.ttl_seconds_after_finished = Some(-1),
    }
}

/// The recorded policy: other numbers than the defaults, so that it shows which of them is followed.
fn policy() -> EffectivePolicy {
    let mins = GoDuration::from_mins;
    EffectivePolicy {
        timeouts: EffectiveTimeouts {
            processing: mins(11),
            analyzing: mins(12),
            approval: mins(16),
            workflow_planning: mins(13),
            executing: mins(31),
            overall: mins(80),
        },
        ttl_seconds_after_finished: 3600,
        configuration_hash: "0123456789abcdef".into(),
    }
}

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

/// How long after the beginning of the phase its deadline is, with the recorded policy, or without.
fn limit(case: &Case, asked: bool, recorded: bool) -> i64 {
    let pick = |with: i64, without: i64| MINUTE * if recorded { with } else { without };
    match known(case.phase) {
        Some(Phase::Pending | Phase::Initializing | Phase::Processing)
            if case.limits == Limits::Shorter =>
        {
            pick(11, 7)
        }
        Some(Phase::Pending | Phase::Initializing | Phase::Processing) => pick(11, 15),
        Some(Phase::Analyzing) if asked => pick(5 + 16, 5 + 15),
        Some(Phase::Analyzing) => pick(12, 15),
        Some(Phase::WorkflowPlanning) => pick(13, 15),
        Some(Phase::Executing | Phase::Completed | Phase::Failed) | None => pick(31, 30),
    }
}

fn put_times(case: &Case, input: &mut Input) {
    let status = &mut input.state.request.status;
    status.phase = match case.phase {
        PhaseIn::Absent => None,
        PhaseIn::Unknown => Some(PhaseWord::Unknown("Hibernating".into())),
        PhaseIn::Empty => Some(PhaseWord::Unknown(String::new())),
        phase => known(phase).map(PhaseWord::Known),
    };
    status.attempt = case.attempt;
    let asked = matches!(case.asked, Asked::Sent | Asked::TimeOnly);
    if asked {
        let since = at(BEGAN + 5 * MINUTE);
        status.approval_requested_time = Some(since);
        status.conditions.push(condition(
            "AwaitingApproval",
            "True",
            "ApprovalRequired",
            since,
        ));
    }
    status.approval_notification_sent = matches!(case.asked, Asked::Sent | Asked::SentOnly);
    let recorded = case.clock != Clock::NoPolicy;
    status.effective_policy = recorded.then(policy);
    let limit = limit(case, asked, recorded);
    let (mut start, mut began) = (Some(BEGAN - LEAD), Some(BEGAN));
    let overall = 80 * MINUTE;
    let paused = 100_250;
    // Milliseconds after the beginning of the phase, and nanoseconds after that.
    let (millis, nanos) = match case.clock {
        Clock::Fresh | Clock::NoPolicy => (10_000, 0),
        Clock::SubSecond => (400, 1),
        Clock::MinuteMinus => (MINUTE, -NANO),
        Clock::Minute => (MINUTE, 0),
        Clock::PhaseMinus => (limit, -NANO),
        Clock::PhaseAt => (limit, 0),
        Clock::PhaseAfter => (limit + 1000, 7),
        Clock::OverallMinus | Clock::OverallAt | Clock::OverallFirst => {
            start = Some(BEGAN + limit / 2 - overall);
            match case.clock {
                Clock::OverallMinus => (limit / 2, -NANO),
                Clock::OverallAt => (limit / 2, 0),
                _ => (limit, 0),
            }
        }
        Clock::PhaseFirst => {
            start = Some(BEGAN + limit + 1000 - overall);
            (limit + 2000, 0)
        }
        Clock::SameInstant => {
            start = Some(BEGAN + limit - overall);
            (limit, 0)
        }
        Clock::AheadFive => {
            start = Some(BEGAN);
            (-5_000, 0)
        }
        Clock::AheadMore => {
            start = Some(BEGAN);
            (-5_000, -NANO)
        }
        Clock::StartAhead => {
            start = Some(BEGAN + 3_600_000);
            (10_000, 0)
        }
        Clock::PhaseAhead => {
            start = Some(BEGAN - 3_600_000);
            began = Some(BEGAN + 3_600_000);
            (10_000, 0)
        }
        Clock::NoTimes => {
            (start, began) = (None, None);
            (10_000, 250_000)
        }
        Clock::NoStart => {
            start = None;
            (10_000, 0)
        }
        Clock::NoPhaseStart => {
            began = None;
            (10_000, 0)
        }
        Clock::PausedMinus | Clock::PausedAt => {
            status.suspended_in_phase = Some(GoDuration::from_millis(paused));
            status.suspended_total = Some(GoDuration::from_millis(paused + 5));
            let last = if case.clock == Clock::PausedAt {
                0
            } else {
                -NANO
            };
            (limit + paused, last)
        }
        Clock::Resuming => {
            status.suspended_since = Some(at(BEGAN + MINUTE));
            status.suspended_total = Some(GoDuration::from_millis(paused));
            (limit, 0)
        }
        Clock::ResumingAt => {
            status.suspended_since = Some(at(BEGAN + limit));
            (limit + 600_000, 999_999)
        }
        Clock::Back => (-3_000, 0),
    };
    let is_new = matches!(case.phase, PhaseIn::Absent);
    if !is_new {
        status.start_time = start.map(at);
        status.phase_start_time = began.map(at);
    }
    let from = Timestamp::from_millisecond(BEGAN + millis).unwrap();
    input.now = from + SignedDuration::from_nanos(nanos);
    put_recorded_pause(case, input);
}

/// A suspension that this process has seen already.
fn put_recorded_pause(case: &Case, input: &mut Input) {
    let status = &mut input.state.request.status;
    if case.born_suspended {
        let since = Time::at(input.now).as_millis() - 30_000;
        status.suspended_since = Some(at(since));
        status.conditions.push(condition(
            "Suspended",
            "True",
            "SuspendRequested",
            at(since),
        ));
        status.observed_generation = Some(3);
    }
}

fn condition(kind: &str, status: &str, reason: &str, since: Time) -> Condition {
    Condition {
        kind: kind.into(),
        status: status.into(),
        reason: reason.into(),
        message: "said before".into(),
        last_transition_time: since,
    }
}

fn put_outcome(case: &Case, input: &mut Input) {
    let now = Time::at(input.now);
    let status = &mut input.state.request.status;
    let phase = known(case.phase).unwrap_or(Phase::Executing);
    let mut fail = |reason: &str, category, after: i64| {
        status.reason = Some(reason.into());
        status.message = Some("it broke".into());
        status.failure_phase = Some(phase);
        status.failure_category = category;
        status.failure_time = Some(at(now.as_millis() - after));
    };
    match case.failure {
        FailureIn::None => {}
        FailureIn::Fresh => fail("Broken", Some(Category::F), 0),
        FailureIn::AtThirtySeconds => fail("Broken", Some(Category::F), 30_000),
        FailureIn::JustBefore => fail("Broken", Some(Category::F), 29_999),
        FailureIn::TimedOut => {
            fail("PhaseTimeout", Some(Category::F), 1_000);
            status.timeout_phase = Some(phase);
        }
        FailureIn::CategoryOnly => status.failure_category = Some(Category::F),
        FailureIn::PhaseOnly => status.failure_phase = Some(Phase::Processing),
        FailureIn::CategoryC => fail("NameConflict", Some(Category::C), 0),
    }
    let ttl = 3_600_000;
    let ended = match case.ended {
        EndedIn::No => None,
        EndedIn::CompletedNow | EndedIn::Failed => Some(now.as_millis()),
        EndedIn::LastNano => Some(now.as_millis() - ttl + 1),
        EndedIn::AtExpiry => Some(now.as_millis() - ttl),
        EndedIn::Late => Some(now.as_millis() - 2 * ttl),
        EndedIn::NoPolicy => {
            status.effective_policy = None;
            Some(now.as_millis() - ttl)
        }
        EndedIn::Ahead => Some(now.as_millis() + ttl),
        EndedIn::HistoryTells => {
            status.history.push(HistoryEntry {
                phase: PhaseWord::Known(Phase::Failed),
                time: at(now.as_millis() - 60_000),
                reason: "Broken".into(),
                message: String::new(),
            });
            None
        }
        EndedIn::ConditionTells => {
            let since = at(now.as_millis() - 70_000);
            status
                .conditions
                .push(condition("Complete", "True", "RemediationCompleted", since));
            None
        }
    };
    if let Some(ended) = ended {
        status.completion_time = Some(at(ended));
        status.expiry_time = Some(at(ended + ttl));
        if case.ended == EndedIn::Failed {
            status.reason = Some("Broken".into());
            status.message = Some("it broke".into());
            status.failure_phase = Some(Phase::Executing);
            status.failure_category = Some(Category::F);
            status.failure_time = Some(at(ended));
        }
    }
    let since = at(now.as_millis() - 90_000);
    match case.escalated {
        EscalatedIn::None => {}
        EscalatedIn::Yes => {
            status
                .conditions
                .push(condition("Escalated", "True", "NotificationCreated", since));
        }
        EscalatedIn::OwedForNow => {
            status
                .conditions
                .push(condition("Escalated", "False", "APIUnavailable", since));
        }
        EscalatedIn::OwedForGood => {
            status
                .conditions
                .push(condition("Escalated", "False", "Invalid", since));
        }
    }
}

fn put_counts(case: &Case, status: &mut Status) {
    let phase = known(case.phase).unwrap_or(Phase::Executing);
    let right = match phase {
        Phase::Pending | Phase::Initializing => None,
        Phase::Processing => Some((0, 3, 0)),
        Phase::Analyzing => Some((1, 3, 33)),
        Phase::WorkflowPlanning | Phase::Executing | Phase::Completed | Phase::Failed => {
            Some((2, 3, 66))
        }
    };
    let shown = match case.shown {
        Shown::None => None,
        Shown::Right => right,
        Shown::More => Some((4, 5, 80)),
        Shown::Hostile => Some((i64::MAX, -1, i64::MIN)),
    };
    if let Some((completed, total, percent)) = shown {
        status.steps_completed = Some(completed);
        status.steps_total = Some(total);
        status.overall_progress = Some(percent);
    }
}
