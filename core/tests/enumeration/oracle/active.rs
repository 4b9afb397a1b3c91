//! The phases in which work is done: which child is waited for, and what follows from what it says.

use std::collections::BTreeMap;

use remediation_core::action::{AnalysisSpec, ChildSpec, NewChild, ProcessingSpec};
use remediation_core::children::{Child, ChildKey};
use remediation_core::error::{Category, Cause};
use remediation_core::kind::ChildKind;
use remediation_core::memory::{Errand, Refusal};
use remediation_core::phase::Phase;
use remediation_core::status::ObjectRef;
use remediation_core::targeting::TargetingData;
use remediation_core::time::GoDuration;

use super::facts::{Leave, Seen};
use super::{Failure, Oracle};

/// What follows from a look at the present phase.
pub(crate) enum Verdict {
    /// Another phase was entered: that is recorded, and decided upon again.
    Entered,
    /// Something is created or read, and decided upon again.
    Act,
    /// Nothing but the clock.
    Wait,
    /// The same, and nothing keeps the workflow from executing.
    Proceed,
    /// It fails.
    Fail(Failure),
    /// It completes, with a part of the message.
    Complete(String),
}

/// What became of the wish to have a child.
pub(crate) enum Had<'a> {
    /// It is there, and status names it.
    There(&'a Child),
    /// It is there, and status does not name it yet.
    Found(&'a Child),
    /// Not yet.
    Not(Verdict),
}

impl<'a> Oracle<'a> {
    /// The decision on a remediation that is under way.
    pub(crate) fn live(&mut self) {
        let verdict = match self.phase() {
            None => self.unplaced(),
            Some(Phase::Pending | Phase::Initializing) => self.initializing(),
            Some(Phase::Processing) => self.processing(),
            Some(Phase::Analyzing) => self.analyzing(),
            Some(Phase::WorkflowPlanning) => self.planning(),
            Some(Phase::Executing) => self.executing(),
            Some(Phase::Completed | Phase::Failed) => unreachable!("not a phase that is placed"),
        };
        match verdict {
            Verdict::Act if self.creates_of_nothing() => self.fail(asks_for_nothing()),
            Verdict::Act => self.conclude(),
            Verdict::Entered => {
                self.count();
                self.conclude();
            }
            Verdict::Wait | Verdict::Proceed => match self.passed() {
                Some(of_phase) => {
                    let failure = self.timeout(of_phase);
                    self.fail(failure);
                }
                None => {
                    self.count();
                    self.conclude();
                }
            },
            Verdict::Fail(failure) => self.fail(failure),
            Verdict::Complete(says) => self.complete(&says),
        }
    }

    /// Whether a child would be created that has nothing to go by: a hand wrote a phase in which what is asked for is not
    /// looked at.
    fn creates_of_nothing(&self) -> bool {
        let owned = |new: &NewChild| new.key.kind != ChildKind::NotificationRequest;
        self.creates.iter().any(owned) && !is_valid(self.state.request.spec.targeting_data.as_ref())
    }

    /// A word that cannot be placed is still in progress: people are told, and the overall deadline bounds it.
    fn unplaced(&mut self) -> Verdict {
        self.trouble = Some(("UnknownPhase", "which this version cannot place".into()));
        Verdict::Wait
    }

    fn initializing(&mut self) -> Verdict {
        if !is_valid(self.state.request.spec.targeting_data.as_ref()) {
            return Verdict::Fail(asks_for_nothing());
        }
        if self.policy_now().1 {
            return Verdict::Fail(Failure::invalid("InvalidSpec", "spec."));
        }
        let spec = self.processing_spec();
        match self.next(ChildKind::RemediationProcessing, spec) {
            Had::There(child) | Had::Found(child) => {
                self.enter_with(child, Phase::Processing, "ProcessingCreated")
            }
            Had::Not(verdict) => verdict,
        }
    }

    /// Status names a child that it did not name: that is recorded, and decided upon again.
    pub(crate) fn name_again(&mut self, child: &Child) -> Verdict {
        self.name_stage(child);
        self.waiting_for = Some(child.key.to_string());
        if child.status.phase().is_empty() {
            self.never_started(&child.key.to_string());
        }
        Verdict::Entered
    }

    /// The next phase waits for this child from now on; a minute later it must have begun.
    pub(crate) fn entered(&mut self, child: &Child) -> Verdict {
        self.waiting_for = Some(child.key.to_string());
        if child.status.phase().is_empty() {
            self.never_started("");
        }
        Verdict::Entered
    }

    /// Names this child, and enters the phase that waits for it, which history tells with this reason.
    pub(crate) fn enter_with(&mut self, child: &Child, phase: Phase, reason: &str) -> Verdict {
        self.name_stage(child);
        self.enter(phase, Some((reason, &child.key.to_string())));
        self.entered(child)
    }

    fn processing_spec(&self) -> ChildSpec {
        let data = self
            .state
            .request
            .spec
            .targeting_data
            .clone()
            .unwrap_or_default();
        ChildSpec::Processing(ProcessingSpec {
            targeting_data: data,
        })
    }

    fn processing(&mut self) -> Verdict {
        let child = match self.have(ChildKind::RemediationProcessing, |oracle| {
            Ok(oracle.processing_spec())
        }) {
            Had::There(child) => child,
            Had::Found(child) => return self.name_again(child),
            Had::Not(verdict) => return verdict,
        };
        self.waiting_for = Some(child.key.to_string());
        let says = child.status.processing();
        match says.phase.as_str() {
            "Failed" => Verdict::Fail(self.child_failed(child)),
            "Completed" => {
                let spec = self.analysis_spec(&says.enriched_data);
                match self.next(ChildKind::AIAnalysis, spec) {
                    Had::There(analysis) | Had::Found(analysis) => {
                        self.enter_with(analysis, Phase::Analyzing, "ProcessingCompleted")
                    }
                    Had::Not(verdict) => verdict,
                }
            }
            word => self.waits_for(child, word, &["Pending", "Processing"]),
        }
    }

    pub(crate) fn analysis_spec(&self, enriched: &BTreeMap<String, String>) -> ChildSpec {
        ChildSpec::Analysis(AnalysisSpec {
            targeting_data: self
                .state
                .request
                .spec
                .targeting_data
                .clone()
                .unwrap_or_default(),
            enriched_data: enriched.clone(),
            attempt: self.status.attempt.unwrap_or(1),
        })
    }

    /// The RemediationProcessing or AIAnalysis: there, or to be named, read or created. One that is on its way out
    /// without being named does not exist: its name is waited for.
    pub(crate) fn have(
        &mut self,
        kind: ChildKind,
        spec: impl FnOnce(&mut Self) -> Result<ChildSpec, Verdict>,
    ) -> Had<'a> {
        let key = self.stage(kind);
        let named = self.reference(kind).map(|r| r.uid.clone());
        let seen = self.look(&key);
        if let (Some(uid), Seen::Ours(child)) = (&named, seen)
            && child.uid == *uid
        {
            return Had::There(child);
        }
        if named.is_some() && !self.children.live.contains(&key.to_string()) {
            self.waiting_for = Some(key.to_string());
            // Nobody looks for what cannot be created again yet.
            return Had::Not(match self.backs_off(&Errand::Create(key.clone())) {
                Some(refusal) => self.wait_to_create(&key, refusal),
                None => self.read(key),
            });
        }
        match seen {
            Seen::Ours(child) if child.deleting => {
                self.waiting_for = Some(key.to_string());
                Had::Not(Verdict::Wait)
            }
            Seen::Ours(child) => Had::Found(child),
            Seen::Unseen | Seen::Gone | Seen::Taken => {
                Had::Not(match self.leave(&Errand::Create(key.clone())) {
                    Leave::Now => match spec(self) {
                        Ok(spec) => self.create_in_time(key, spec),
                        Err(verdict) => verdict,
                    },
                    Leave::Later(refusal) => self.wait_to_create(&key, refusal),
                    Leave::Never(refusal) => Verdict::Fail(refused(refusal)),
                })
            }
        }
    }

    /// The child of the next phase: there, or to be created. One that is on its way out before status names it does not
    /// exist, and its name is waited for.
    pub(crate) fn next(&mut self, kind: ChildKind, spec: ChildSpec) -> Had<'a> {
        let key = self.stage(kind);
        match self.look(&key) {
            Seen::Ours(child) if child.deleting => {
                self.waiting_for = Some(key.to_string());
                Had::Not(Verdict::Wait)
            }
            Seen::Ours(child) => Had::Found(child),
            Seen::Unseen | Seen::Gone | Seen::Taken
                if self.phase() == Some(Phase::Initializing) =>
            {
                Had::Not(self.create_in_time(key, spec))
            }
            Seen::Unseen | Seen::Gone | Seen::Taken => {
                Had::Not(self.create_unless_refused_late(key, spec))
            }
        }
    }

    /// Creates a child that a result asks for: also at a deadline, but not again once that was refused.
    pub(crate) fn create_unless_refused_late(&mut self, key: ChildKey, spec: ChildSpec) -> Verdict {
        if self.refusal(&Errand::Create(key.clone())).is_some() {
            return self.create_in_time(key, spec);
        }
        self.create(key, spec)
    }

    /// Creates a child that no result of another asks for: not once a deadline has passed.
    fn create_in_time(&mut self, key: ChildKey, spec: ChildSpec) -> Verdict {
        match self.create(key, spec) {
            Verdict::Act if self.passed().is_some() => {
                self.creates.clear();
                Verdict::Wait
            }
            verdict => verdict,
        }
    }

    pub(crate) fn read(&mut self, key: ChildKey) -> Verdict {
        match self.backs_off(&Errand::Read(key.clone())) {
            None => {
                self.reads.push(key);
                Verdict::Act
            }
            Some(refusal) => {
                self.wake(refusal.next_try);
                Verdict::Wait
            }
        }
    }

    pub(crate) fn create(&mut self, key: ChildKey, spec: ChildSpec) -> Verdict {
        match self.leave(&Errand::Create(key.clone())) {
            Leave::Now => {
                let new = self.child(key, spec);
                self.creates.push(new);
                Verdict::Act
            }
            Leave::Later(refusal) => self.wait_to_create(&key, refusal),
            Leave::Never(refusal) => Verdict::Fail(refused(refusal)),
        }
    }

    pub(crate) fn wait_to_create(&mut self, key: &ChildKey, refusal: &Refusal) -> Verdict {
        if self.held_up(refusal) {
            self.waiting_for = Some(key.to_string());
        }
        Verdict::Wait
    }

    /// A call that has to wait: people are told why, and it is tried again.
    pub(crate) fn held_up(&mut self, refusal: &Refusal) -> bool {
        self.wake(refusal.next_try);
        let first_try_of_all = self.phase() == Some(Phase::Initializing);
        let silent = matches!(
            refusal.cause,
            Cause::Timeout | Cause::Unavailable | Cause::TooManyRequests
        );
        if refusal.cause != Cause::NamespaceTerminating
            && (first_try_of_all || !silent || refusal.tries > 1)
        {
            self.trouble = Some((refusal.cause.word(), refusal.message.clone()));
            return true;
        }
        false
    }

    pub(crate) fn name_stage(&mut self, child: &Child) {
        let reference = Some(ObjectRef {
            name: child.key.name.clone(),
            uid: child.uid.clone(),
        });
        match child.key.kind {
            ChildKind::RemediationProcessing => self.status.remediation_processing_ref = reference,
            ChildKind::AIAnalysis => self.status.ai_analysis_ref = reference,
            _ => self.status.workflow_execution_ref = reference,
        }
    }

    /// A child that has not ended. One that nobody began with for a minute, or that says a word that nobody knows, is
    /// a trouble.
    pub(crate) fn waits_for(&mut self, child: &Child, word: &str, known: &[&str]) -> Verdict {
        self.waiting_for = Some(child.key.to_string());
        if word.is_empty() {
            self.never_started(&child.key.to_string());
        } else if !known.contains(&word) {
            self.trouble = Some(("UnknownPhase", format!("`{word}`")));
        }
        Verdict::Wait
    }

    pub(crate) fn never_started(&mut self, who: &str) {
        let Some(began) = self.status.phase_start_time else {
            return;
        };
        let paused = self.status.suspended_in_phase.unwrap_or(GoDuration::ZERO);
        let minute = began.plus(GoDuration::from_secs(60)).plus(paused).moment();
        if self.now >= minute {
            self.trouble = Some(("ChildNeverStarted", who.to_owned()));
        } else {
            self.wake(minute);
        }
    }

    pub(crate) fn child_failed(&self, child: &Child) -> Failure {
        let (reason, message) = child.status.why();
        let fallback = &format!("{}Failed", child.key.kind);
        let word = !reason.is_empty()
            && reason
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_');
        Failure::of_child(
            if word { reason } else { fallback },
            if word { message } else { "" },
        )
    }

    /// The failure that a passed deadline is.
    fn timeout(&self, of_phase: bool) -> Failure {
        let asked =
            self.phase() == Some(Phase::Analyzing) && self.status.approval_requested_time.is_some();
        let reason = match of_phase {
            false => "OverallTimeout",
            true if asked => "ApprovalExpired",
            true if self.is_unstarted() => "ChildNeverStarted",
            true => "PhaseTimeout",
        };
        Failure {
            reason: reason.into(),
            says: String::new(),
            category: Category::F,
            timed_out: true,
        }
    }

    /// Whether the child that is waited for has said nothing at all. Of several steps, none.
    fn is_unstarted(&self) -> bool {
        if self.waiting_for.is_none() {
            return false;
        }
        if let Some(unstarted) = self.unstarted_steps() {
            return unstarted;
        }
        let waited_for =
            |child: &&Child| Some(child.key.to_string()) == self.waiting_for && self.is_ours(child);
        self.children
            .seen
            .values()
            .find(waited_for)
            // Whatever holds the name and is to go is nobody's to begin with, unless status names it.
            .filter(|child| !child.deleting || self.is_named(child))
            .is_some_and(|child| child.status.phase().is_empty())
    }
}

fn asks_for_nothing() -> Failure {
    Failure::invalid("InvalidTargetingData", "spec.targetingData")
}

pub(crate) fn refused(refusal: &Refusal) -> Failure {
    Failure::invalid(refusal.cause.word(), refusal.message.clone())
}

/// The three required fields within their bounds, and not too large in all.
fn is_valid(data: Option<&TargetingData>) -> bool {
    data.is_some_and(|data| {
        let fields = [
            (&data.signal_fingerprint, 128),
            (&data.alert_name, 253),
            (&data.environment, 63),
        ];
        let within = fields
            .iter()
            .all(|(field, most)| !field.trim().is_empty() && field.chars().count() <= *most);
        let context: usize = data.context.values().map(String::len).sum();
        within && context < 8000
    })
}
