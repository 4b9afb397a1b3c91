//! The promises, each in one sentence, and what shows each: the page docs/reliability/promises.md is written from this
//! table.

use std::fmt;

/// Whether a history of committed writes can show that a promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Yes: the canary of this name breaks it and nothing else.
    ByHistory(&'static str),
    /// No: this is what shows it instead.
    Elsewhere(&'static str),
    /// What it is about is not built yet.
    NotBuilt,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Which promise.
    pub promise: Promise,
    /// What it says.
    pub statement: &'static str,
    /// How this checker stands to it.
    pub shown: Shown,
}

macro_rules! promises {
    ($($name:ident $statement:literal, $shown:expr;)+) => {
        /// One promise, by its number: S for what never happens, L for what happens in the end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Promise {
            $(#[doc = $statement] $name,)+
        }

        /// Every promise.
        pub const TABLE: &[Entry] = {
            use Shown::{ByHistory, Elsewhere, NotBuilt};
            &[$(Entry {
                promise: Promise::$name,
                statement: $statement,
                shown: $shown,
            },)+]
        };

        impl Promise {
            /// `S1`
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What it says.
            #[must_use]
            pub const fn statement(self) -> &'static str {
                match self { $(Self::$name => $statement,)+ }
            }
        }
    };
}

promises! {
    S1 "For each step of an attempt status names one execution, and never a second.", ByHistory("a_second_execution_of_a_step_is_named");
    S2 "A child is created only after the one that leads to it was seen successful.", ByHistory("an_analysis_is_created_before_the_processing_completed");
    S3 "Processing, analysis and execution are never under way two at a time.", ByHistory("a_processing_is_created_again_while_the_analysis_runs");
    S4 "No execution is created or starts once its phase is over.", ByHistory("a_step_is_created_after_the_failure_was_recorded");
    S5 "Nothing is created for a request that has ended, is being deleted, is suspended, or is gone.", ByHistory("a_child_is_created_for_a_suspended_request");
    S6 "The phase moves along the allowed edges only.", ByHistory("the_phase_goes_back");
    S7 "How a remediation ended never changes.", ByHistory("the_reason_changes_after_the_end");
    S8 "Each time is written once and none goes back.", ByHistory("the_start_time_is_written_twice");
    S9 "Nothing times out before its deadline, and the deadline that status shows is the one that follows from it.", ByHistory("a_timeout_comes_a_millisecond_early");
    S10 "The operator wakes at the earliest of its deadlines.", Elsewhere("what a decision asks for besides writes shows in no history; that no deadline passes unseen is L1");
    S11 "A child that ended in time beats a deadline that has passed, until the failure is recorded; after that nothing does.", ByHistory("a_timeout_is_recorded_although_the_child_had_completed");
    S12 "A failed request has one escalation, ever, and a completed one has none.", ByHistory("two_escalations_of_one_request");
    S13 "A notification says what the status that follows says.", ByHistory("an_escalation_gives_another_reason_than_status");
    S14 "Only what is ours is changed or deleted, and what status names is never deleted.", ByHistory("an_object_of_somebody_else_is_changed");
    S15 "A foreign object under one of our names is neither touched nor believed.", ByHistory("a_foreign_object_is_named");
    S16 "Children of an earlier request of the same name are ignored.", ByHistory("a_child_of_an_earlier_request_is_named");
    S17 "A decision from an old view fails harmlessly or changes nothing.", Elsewhere("a history shows what was committed, not what it was decided from; its consequences are S1 to S8 here");
    S18 "The same input gives the same decision, to the byte.", Elsewhere("it compares two decisions, or two runs of one seed");
    S19 "Once a decision is carried out, the next one at the same time is to do nothing.", Elsewhere("a decision to do nothing is in no history; endless writing is S28 here");
    S20 "However far each kind's cache lags, acting on it breaks no promise.", Elsewhere("it is all the others here, where caches and watches lag");
    S21 "After a crash at any call a new process reaches the same end with the same creations and deletions.", Elsewhere("it compares two histories");
    S22 "A restart at a quiet moment changes no later decision.", Elsewhere("it compares two decisions, or writes before and after a restart");
    S23 "Progress never goes back, is 100 in Completed alone, and a step seen completed stays so.", ByHistory("progress_goes_back");
    S24 "Nothing counts as success that did not say so, and no failure is recorded that did not happen.", ByHistory("a_request_completes_on_an_unknown_word");
    S25 "A request is deleted after its end and its time to live, not before.", ByHistory("a_request_is_deleted_before_it_expires");
    S26 "A child's spec is made of the request's spec, the results that led to it and the deadlines, and of nothing else.", ByHistory("a_step_gets_another_action_than_the_plan");
    S27 "The policy that counted at the start counts to the end.", ByHistory("the_policy_changes_under_way");
    S28 "A fault-free remediation of one step takes ten writes, and each fault adds three at most.", ByHistory("the_same_condition_is_written_for_ever");
    S29 "A status stays below 32 kB and a notification below 8 KiB, whatever is put into them.", ByHistory("a_status_grows_too_large");
    S30 "Every error of the API server has one answer, and none is repeated without a pause.", Elsewhere("refused calls change nothing; the core's test `every_answer_has_one_category` has the table of errors");
    S31 "One request that goes wrong delays no other by more than a second.", Elsewhere("a history does not tell what a request waited for; the operator's test `a_pass_that_panics_is_survived_and_stays_with_its_request` times the other request, the simulation only counts the passes that panic, and a missed deadline is L1 here");
    S32 "Limits count too much on an old view, never too little.", NotBuilt;
    S33 "Two requests for one target never execute at once where their policy forbids it.", NotBuilt;
    S34 "While a request is suspended nothing moves, and the pause is added to every deadline exactly.", ByHistory("a_pause_is_counted_too_long");
    S35 "Each transition has one entry in history.", ByHistory("a_transition_without_an_entry_in_history");
    L1 "A request whose children never act ends within a second of its deadline.", ByHistory("a_deadline_passes_and_nothing_happens");
    L2 "Every remediation ends, people are told, and then nothing is written.", ByHistory("a_completed_workflow_is_left_alone");
    L3 "A child's success leads to the next child within two reconciles.", Elsewhere("a history counts no reconciles");
    L4 "Every failure leads to its notification, or status says why not.", ByHistory("a_failure_that_nobody_is_told");
    L5 "A request that expired while the operator was down is deleted when it is back.", ByHistory("an_expired_request_stays");
    L6 "A request that somebody deletes goes, with its children, whatever it was doing.", ByHistory("a_child_of_a_deleted_request_stays");
    L7 "After a restart the remediation is back on its way within three reconciles a phase.", Elsewhere("a history counts no reconciles");
    L8 "Among ten foreign status writes a second each of ours lands within eight tries.", Elsewhere("refused tries are in no history: the requests of a scenario with a writer beside us are counted");
    L9 "Between its end and its expiry nothing is written, but for a notification that is still owed.", ByHistory("status_is_written_after_the_end");
    L11 "A standby takes over within the lease, its retry and a second.", Elsewhere("leases are no remediation's; the operator's test `a_leader_that_cannot_renew_stops_before_another_begins` times it, 13 s at most");
    L12 "A remediation whose execution was deleted ends.", ByHistory("a_deleted_workflow_holds_its_request_up");
    L14 "Children that came too late are removed.", ByHistory("a_straggler_is_left");
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
