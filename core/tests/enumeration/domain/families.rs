//! The parts of the domain that are enumerated in full: products of the axes that act on each other. What is picked first changes
//! fastest: the axes that leave the objects beside the request as they are.

use super::*;

/// A mixed-radix number: each pick takes one digit. Drawn at random, or counted through.
pub(crate) struct Digits {
    rest: u64,
    /// How many combinations there are of what was picked so far.
    pub(crate) size: u128,
    random: bool,
}

impl Digits {
    pub(crate) fn exact(index: u64) -> Self {
        Self {
            rest: index,
            size: 1,
            random: false,
        }
    }

    /// Digits that depend on nothing but the seed and the index.
    pub(crate) fn random(seed: u64, index: u64) -> Self {
        let rest =
            seed.wrapping_mul(0xD134_2543_DE82_EF95) ^ index.wrapping_mul(0x2545_F491_4F6C_DD1D);
        Self {
            rest,
            size: 1,
            random: true,
        }
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let base = of.len() as u64;
        self.size *= u128::from(base);
        let digit = if self.random {
            self.rest = self.rest.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.rest;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (z ^ (z >> 31)) % base
        } else {
            let digit = self.rest % base;
            self.rest /= base;
            digit
        };
        of[usize::try_from(digit).unwrap()]
    }

    fn flag(&mut self) -> bool {
        self.pick(&[false, true])
    }

    fn kid(&mut self, places: &[Place], named: &[Named]) -> Kid {
        Kid {
            place: self.pick(places),
            named: self.pick(named),
        }
    }
}

/// One product of axes.
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) make: fn(&mut Digits) -> Case,
}

impl Family {
    pub(crate) fn size(&self) -> u64 {
        let mut digits = Digits::exact(0);
        (self.make)(&mut digits);
        u64::try_from(digits.size).unwrap()
    }

    pub(crate) fn case(&self, index: u64) -> Case {
        (self.make)(&mut Digits::exact(index))
    }
}

const NEW: &[PhaseIn] = &[PhaseIn::Absent, PhaseIn::Pending, PhaseIn::Initializing];
/// The clocks of the largest family: each side of each deadline.
const CLOCKS: &[Clock] = &[
    Clock::Fresh,
    Clock::MinuteMinus,
    Clock::Minute,
    Clock::PhaseMinus,
    Clock::PhaseAt,
    Clock::OverallMinus,
    Clock::OverallAt,
    Clock::OverallFirst,
    Clock::PhaseFirst,
    Clock::AheadMore,
    Clock::PausedAt,
    Clock::ResumingAt,
];
const NAMED: &[Named] = &[Named::No, Named::This, Named::OtherUid];

pub(crate) const FAMILIES: &[Family] = &[
    Family {
        name: "begin",
        make: begin,
    },
    Family {
        name: "invalid",
        make: invalid,
    },
    Family {
        name: "unasked",
        make: unasked,
    },
    Family {
        name: "processing",
        make: processing,
    },
    Family {
        name: "analyzing",
        make: analyzing,
    },
    Family {
        name: "planning",
        make: planning,
    },
    Family {
        name: "executing",
        make: executing,
    },
    Family {
        name: "workflow",
        make: workflow,
    },
    Family {
        name: "failing",
        make: failing,
    },
    Family {
        name: "ended",
        make: ended,
    },
    Family {
        name: "gates",
        make: gates,
    },
];

fn begin(d: &mut Digits) -> Case {
    let phase = d.pick(NEW);
    Case {
        clock: d.pick(Clock::ALL),
        limits: d.pick(&[Limits::Default, Limits::Shorter]),
        refusal: d.pick(Refusal::ALL),
        rp: d.kid(Place::ALL, NAMED),
        rp_says: d.pick(RpSays::ALL),
        ..Case::ordinary(phase)
    }
}

fn invalid(d: &mut Digits) -> Case {
    let phase = d.pick(NEW);
    Case {
        clock: d.pick(Clock::ALL),
        data: d.pick(Data::ALL),
        limits: d.pick(Limits::ALL),
        rp: Kid {
            place: d.pick(Place::ALL),
            named: Named::No,
        },
        escalation: d.pick(&[Note::Unknown, Note::There, Note::Waits]),
        ..Case::ordinary(phase)
    }
}

/// A hand wrote a phase behind that in which what is asked for is looked at.
fn unasked(d: &mut Digits) -> Case {
    let places = &[Place::Ours, Place::Gone, Place::GoneLive];
    let named = &[Named::No, Named::This];
    Case {
        clock: d.pick(&[Clock::Fresh, Clock::PhaseAt, Clock::OverallAt]),
        data: d.pick(Data::ALL),
        rp: d.kid(places, named),
        rp_says: d.pick(&[RpSays::Nothing, RpSays::Completed]),
        aia: d.kid(places, named),
        aia_word: d.pick(&[AiaWord::Nothing, AiaWord::Ready]),
        wfe: d.kid(places, named),
        wfe_word: WfeWord::Executing,
        plan: PlanIn::Pair,
        steps: [
            d.pick(&[StepIn::Absent, StepIn::Unnamed, StepIn::Completed]),
            StepIn::Absent,
            StepIn::Absent,
        ],
        ..Case::ordinary(d.pick(&[
            PhaseIn::Processing,
            PhaseIn::Analyzing,
            PhaseIn::WorkflowPlanning,
            PhaseIn::Executing,
        ]))
    }
}

fn processing(d: &mut Digits) -> Case {
    Case {
        clock: d.pick(CLOCKS),
        refusal: d.pick(Refusal::ALL),
        rp: d.kid(Place::ALL, NAMED),
        rp_says: d.pick(RpSays::ALL),
        aia: d.kid(Place::ALL, NAMED),
        aia_word: d.pick(&[AiaWord::Nothing, AiaWord::Ready]),
        ..Case::ordinary(PhaseIn::Processing)
    }
}

fn analyzing(d: &mut Digits) -> Case {
    Case {
        clock: d.pick(Clock::ALL),
        asked: d.pick(Asked::ALL),
        aia: d.kid(
            &[
                Place::Ours,
                Place::Terminating,
                Place::Gone,
                Place::GoneLive,
            ],
            &[Named::This, Named::No],
        ),
        aia_word: d.pick(AiaWord::ALL),
        required: d.flag(),
        decision: d.pick(Decision::ALL),
        recommends: d.flag(),
        approval: d.pick(Note::ALL),
        ..Case::ordinary(PhaseIn::Analyzing)
    }
}

fn planning(d: &mut Digits) -> Case {
    Case {
        clock: d.pick(Clock::ALL),
        wfe: d.kid(Place::ALL, NAMED),
        wfe_word: d.pick(WfeWord::ALL),
        plan: d.pick(PlanIn::ALL),
        success: d.pick(&[Note::Unknown, Note::Absent, Note::There]),
        ..Case::ordinary(PhaseIn::WorkflowPlanning)
    }
}

fn executing(d: &mut Digits) -> Case {
    Case {
        clock: d.pick(&[Clock::Fresh, Clock::PhaseAt]),
        hash: d.pick(HashIn::ALL),
        wfe_word: d.pick(&[WfeWord::Executing, WfeWord::Completed]),
        plan: d.pick(&[PlanIn::Pair, PlanIn::Chain, PlanIn::Fork, PlanIn::None]),
        steps: [
            d.pick(StepIn::ALL),
            d.pick(StepIn::ALL),
            d.pick(StepIn::ALL),
        ],
        success: d.pick(&[Note::Absent, Note::Unknown]),
        ..Case::ordinary(PhaseIn::Executing)
    }
}

fn workflow(d: &mut Digits) -> Case {
    Case {
        clock: d.pick(&[
            Clock::Fresh,
            Clock::PhaseMinus,
            Clock::PhaseAt,
            Clock::OverallAt,
            Clock::PausedAt,
        ]),
        hash: d.pick(&[HashIn::None, HashIn::Same]),
        wfe: d.kid(Place::ALL, NAMED),
        wfe_word: d.pick(WfeWord::ALL),
        plan: d.pick(&[PlanIn::None, PlanIn::Theirs, PlanIn::Pair, PlanIn::Cyclic]),
        steps: [
            d.pick(&[
                StepIn::Absent,
                StepIn::Failed,
                StepIn::Running,
                StepIn::DoneHidden,
            ]),
            StepIn::Absent,
            StepIn::Absent,
        ],
        counts: d.pick(Counts::ALL),
        success: d.pick(&[Note::Unknown, Note::Absent, Note::There]),
        ..Case::ordinary(PhaseIn::Executing)
    }
}

fn failing(d: &mut Digits) -> Case {
    let phase = d.pick(PhaseIn::ALL);
    Case {
        clock: d.pick(Clock::ALL),
        failure: d.pick(&FailureIn::ALL[1..]),
        escalation: d.pick(Note::ALL),
        ..Case::ordinary(phase)
    }
}

fn ended(d: &mut Digits) -> Case {
    let phase = d.pick(PhaseIn::ALL);
    Case {
        ended: d.pick(&EndedIn::ALL[1..]),
        escalated: d.pick(EscalatedIn::ALL),
        suspended: d.flag(),
        escalation: d.pick(Note::ALL),
        success: d.pick(Note::ALL),
        ..Case::ordinary(phase)
    }
}

fn gates(d: &mut Digits) -> Case {
    let phase = d.pick(PhaseIn::ALL);
    Case {
        clock: d.pick(Clock::ALL),
        deleting: d.flag(),
        suspended: d.flag(),
        born_suspended: d.flag(),
        ended: d.pick(&[EndedIn::No, EndedIn::CompletedNow]),
        failure: d.pick(&[FailureIn::None, FailureIn::Fresh]),
        rp_says: d.pick(&[RpSays::Nothing, RpSays::Completed]),
        straggler: d.flag(),
        ..Case::ordinary(phase)
    }
}

/// Every axis at once: far too many to count through, so cases are drawn.
pub(crate) const WIDE: Family = Family {
    name: "wide",
    make: wide,
};

fn wide(d: &mut Digits) -> Case {
    let phase = d.pick(PhaseIn::ALL);
    // Gates are drawn seldom, so that most cases get past them.
    let seldom = [
        false, false, false, false, false, false, false, false, false, true,
    ];
    Case {
        phase,
        deleting: d.pick(&seldom),
        suspended: d.pick(&seldom),
        born_suspended: d.pick(&seldom),
        data: *oftener(d, &Data::ALL[0], Data::ALL),
        limits: *oftener(d, &Limits::ALL[0], Limits::ALL),
        clock: d.pick(Clock::ALL),
        rp: d.kid(Place::ALL, NAMED),
        rp_says: d.pick(RpSays::ALL),
        aia: d.kid(Place::ALL, NAMED),
        aia_word: d.pick(AiaWord::ALL),
        required: d.flag(),
        decision: d.pick(Decision::ALL),
        recommends: d.flag(),
        asked: d.pick(Asked::ALL),
        wfe: d.kid(Place::ALL, NAMED),
        wfe_word: d.pick(WfeWord::ALL),
        plan: d.pick(PlanIn::ALL),
        hash: d.pick(HashIn::ALL),
        counts: d.pick(Counts::ALL),
        steps: [
            d.pick(StepIn::ALL),
            d.pick(StepIn::ALL),
            d.pick(StepIn::ALL),
        ],
        refusal: d.pick(Refusal::ALL),
        record_refused: d.pick(&seldom),
        success: d.pick(Note::ALL),
        escalation: d.pick(Note::ALL),
        approval: d.pick(Note::ALL),
        failure: *oftener(d, &FailureIn::None, FailureIn::ALL),
        ended: *oftener(d, &EndedIn::No, EndedIn::ALL),
        escalated: d.pick(EscalatedIn::ALL),
        written: d.pick(Written::ALL),
        shown: d.pick(Shown::ALL),
        attempt: d.pick(&[None, Some(0), Some(1), Some(2), Some(u32::MAX)]),
        straggler: d.flag(),
        transitions: d.flag(),
    }
}

/// In nine of ten cases the ordinary word.
fn oftener<'a, T: Copy>(d: &mut Digits, ordinary: &'a T, of: &'a [T]) -> &'a T {
    let any = d.pick(&[
        false, false, false, false, false, false, false, false, false, true,
    ]);
    let drawn = d.pick(&(0..of.len()).collect::<Vec<_>>());
    if any { &of[drawn] } else { ordinary }
}
