//! The promises, each in one sentence, and which layers of tests show it: the page docs/reliability/promises.md is
//! written from this table.

use std::fmt;

/// A way in which a promise is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Every abstract input of a decision.
    Enumeration,
    /// Random inputs of a decision, and random lives.
    Property,
    /// Every interleaving of a small world.
    Model,
    /// The whole operator on the simulated API server, with faults.
    Simulation,
    /// Every single fault at every call of a reference life.
    EveryFault,
    /// The real binary on a real API server.
    Real,
}

impl Layer {
    /// All of them.
    pub const ALL: [Layer; 6] = [
        Layer::Enumeration,
        Layer::Property,
        Layer::Model,
        Layer::Simulation,
        Layer::EveryFault,
        Layer::Real,
    ];

    /// What the page calls it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Layer::Enumeration => "enumeration",
            Layer::Property => "property",
            Layer::Model => "model",
            Layer::Simulation => "simulation",
            Layer::EveryFault => "every fault",
            Layer::Real => "real",
        }
    }

    /// What the ordinary test run takes of it.
    #[must_use]
    pub const fn cases(self) -> &'static str {
        match self {
            Layer::Enumeration => "6.5 million inputs",
            Layer::Property => "1,900 inputs, 600 lives",
            Layer::Model => "1.9 million states",
            Layer::Simulation => "10,000 runs",
            Layer::EveryFault => "4,908 runs",
            Layer::Real => "143 scenarios, 192 lives",
        }
    }
}

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
    /// The layers that show it.
    pub layers: &'static [Layer],
}

macro_rules! promises {
    ($($name:ident $statement:literal, $shown:expr, [$($layer:ident)*];)+) => {
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
                layers: &[$(Layer::$layer),*],
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
    S1 "For each step of an attempt status names one execution, and never a second.", ByHistory("a_second_execution_of_a_step_is_named"), [Enumeration Property Model Simulation EveryFault Real];
    S2 "A child is created only after the one that leads to it was seen successful.", ByHistory("an_analysis_is_created_before_the_processing_completed"), [Enumeration Property Model Simulation EveryFault Real];
    S3 "Processing, analysis and execution are never under way two at a time.", ByHistory("a_processing_is_created_again_while_the_analysis_runs"), [Enumeration Model Simulation EveryFault Real];
    S4 "No execution is created or starts once its phase is over.", ByHistory("a_step_is_created_after_the_failure_was_recorded"), [Enumeration Property Model Simulation EveryFault Real];
    S5 "Nothing is created for a request that has ended, is being deleted, is suspended, or is gone.", ByHistory("a_child_is_created_for_a_suspended_request"), [Enumeration Property Model Simulation EveryFault Real];
    S6 "The phase moves along the allowed edges only.", ByHistory("the_phase_goes_back"), [Enumeration Property Model Simulation EveryFault Real];
    S7 "How a remediation ended never changes.", ByHistory("the_reason_changes_after_the_end"), [Enumeration Property Model Simulation EveryFault Real];
    S8 "Each time is written once and none goes back.", ByHistory("the_start_time_is_written_twice"), [Property Simulation EveryFault Real];
    S9 "Nothing times out before its deadline, and the deadline that status shows is the one that follows from it.", ByHistory("a_timeout_comes_a_millisecond_early"), [Enumeration Property Simulation EveryFault Real];
    S10 "The operator wakes at the earliest of its deadlines.", Elsewhere("what a decision asks for besides writes shows in no history: the properties of `decide`; that no deadline passes unseen is L1"), [Enumeration Property];
    S11 "A child that ended in time beats a deadline that has passed, until the failure is recorded; after that nothing does.", ByHistory("a_timeout_is_recorded_although_the_child_had_completed"), [Enumeration Property Model Simulation Real];
    S12 "A failed request has one escalation, ever, and a completed one has none.", ByHistory("two_escalations_of_one_request"), [Property Model Simulation EveryFault Real];
    S13 "A notification says what the status that follows says.", ByHistory("an_escalation_gives_another_reason_than_status"), [Property Model Simulation EveryFault Real];
    S14 "Only what is ours is changed or deleted, and what status names is never deleted.", ByHistory("an_object_of_somebody_else_is_changed"), [Property Model Simulation EveryFault Real];
    S15 "A foreign object under one of our names is neither touched nor believed.", ByHistory("a_foreign_object_is_named"), [Enumeration Property Simulation Real];
    S16 "Children of an earlier request of the same name are ignored.", ByHistory("a_child_of_an_earlier_request_is_named"), [Enumeration Property Simulation Real];
    S17 "A decision from an old view fails harmlessly or changes nothing.", Elsewhere("a history shows what was committed, not what it was decided from: the model; its consequences are S1 to S8 here"), [Property Model];
    S18 "The same input gives the same decision, to the byte.", Elsewhere("the properties of `decide`, and the same seed giving the same trace"), [Enumeration Property Simulation];
    S19 "Once a decision is carried out, the next one at the same time is to do nothing.", Elsewhere("the properties of `decide`; endless writing is S28 here"), [Enumeration Property];
    S20 "However far each kind's cache lags, acting on it breaks no promise.", Elsewhere("runs with lagging watches, judged by all the others here"), [Model Simulation];
    S21 "After a crash at any call a new process reaches the same end with the same creations and deletions.", Elsewhere("it compares two histories: every fault at every point"), [Model EveryFault];
    S22 "A restart at a quiet moment changes no later decision.", Elsewhere("it compares two histories: the model and the properties"), [Property Model];
    S23 "Progress never goes back, is 100 in Completed alone, and a step seen completed stays so.", ByHistory("progress_goes_back"), [Enumeration Property Simulation EveryFault Real];
    S24 "Nothing counts as success that did not say so.", ByHistory("a_request_completes_on_an_unknown_word"), [Enumeration Property Model Simulation Real];
    S25 "A request is deleted after its end and its time to live, not before.", ByHistory("a_request_is_deleted_before_it_expires"), [Enumeration Property Simulation Real];
    S26 "A child's spec is made of the request's spec, the results that led to it and the deadlines, and of nothing else.", ByHistory("a_step_gets_another_action_than_the_plan"), [Property Simulation Real];
    S27 "The policy that counted at the start counts to the end.", ByHistory("the_policy_changes_under_way"), [Property Simulation Real];
    S28 "A fault-free remediation of one step takes ten writes, and each fault adds three at most.", ByHistory("the_same_condition_is_written_for_ever"), [Model Simulation EveryFault Real];
    S29 "A status stays below 32 kB and a notification below 8 KiB, whatever is put into them.", ByHistory("a_status_grows_too_large"), [Property Simulation Real];
    S30 "Every error of the API server has one answer, and none is repeated without a pause.", Elsewhere("refused calls change nothing, so no history shows them: the table of errors and the scenarios with faults"), [Property Simulation Real];
    S31 "One request that goes wrong delays no other by more than a second.", Elsewhere("the operator's tests with a request that poisons; a missed deadline is L1 here"), [Simulation Real];
    S32 "Limits count too much on an old view, never too little.", NotBuilt, [];
    S33 "Two requests for one target never execute at once where their policy forbids it.", NotBuilt, [];
    S34 "While a request is suspended nothing moves, and the pause is added to every deadline exactly.", ByHistory("a_pause_is_counted_too_long"), [Enumeration Property Simulation Real];
    S35 "Each transition has one entry in history.", ByHistory("a_transition_without_an_entry_in_history"), [Property Simulation EveryFault Real];
    L1 "A request whose children never act ends within a second of its deadline.", ByHistory("a_deadline_passes_and_nothing_happens"), [Model Simulation Real];
    L2 "Every remediation ends, people are told, and then nothing is written.", ByHistory("a_completed_workflow_is_left_alone"), [Model Simulation EveryFault Real];
    L3 "A child's success leads to the next child within two reconciles.", Elsewhere("a history counts no reconciles: the properties, and the measured latency"), [Property Model];
    L4 "Every failure leads to its notification, or status says why not.", ByHistory("a_failure_that_nobody_is_told"), [Model Simulation EveryFault Real];
    L5 "A request that expired while the operator was down is deleted when it is back.", ByHistory("an_expired_request_stays"), [Simulation Real];
    L6 "A request that somebody deletes goes, with its children, whatever it was doing.", ByHistory("a_child_of_a_deleted_request_stays"), [Simulation Real];
    L7 "After a restart the remediation is back on its way within three reconciles a phase.", Elsewhere("a history counts no reconciles: the model and every fault"), [Model EveryFault];
    L8 "Among ten foreign status writes a second each of ours lands within eight tries.", Elsewhere("refused tries are in no history: the scenario with a writer beside us"), [Simulation Real];
    L9 "Between its end and its expiry nothing is written, but for a notification that is still owed.", ByHistory("status_is_written_after_the_end"), [Enumeration Property Simulation Real];
    L11 "A standby takes over within the lease, its retry and a second.", Elsewhere("leases are no remediation's: the tests of leadership, on the clock"), [Simulation Real];
    L12 "A remediation whose execution was deleted ends.", ByHistory("a_deleted_workflow_holds_its_request_up"), [Model Simulation Real];
    L14 "Children that came too late are removed.", ByHistory("a_straggler_is_left"), [Model Simulation Real];
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
