//! What can go wrong between the operator and the API server, how often it shall, and how often it did.

use std::collections::BTreeMap;

use crate::random::Random;

/// One way to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The connection is reset and nothing was forwarded.
    Reset,
    /// Nothing was forwarded, and no answer ever comes.
    Swallowed,
    /// The request is forwarded late, and answered in time.
    Delayed,
    /// 429 without a hint.
    TooManyRequests,
    /// 429 with `Retry-After: 1`.
    TooManyRequestsRetryAfter,
    /// 500.
    InternalError,
    /// 503.
    Unavailable,
    /// Applied; then the connection is reset.
    ResponseLost,
    /// The connection is reset; the request is applied later, perhaps after the process died.
    AppliedLate,
    /// Applied; the answer comes after the caller gave up.
    AnsweredLate,
    /// Applied; the answer breaks off in the middle.
    AnswerTruncated,
    /// Applied twice; the second answer is given.
    Duplicated,
    /// A watch is refused with 410.
    WatchRefusedGone,
    /// A watch says 410 in its stream.
    WatchGone,
    /// A watch ends as it should.
    WatchEnded,
    /// A watch's connection is reset.
    WatchReset,
    /// A watch breaks off within an event.
    WatchTruncated,
    /// A watch stays open and nothing comes any more, until it is reset.
    WatchSilent,
    /// What a watch brings comes late.
    WatchLagging,
}

impl Fault {
    /// Those that befall any request but a watch that is open.
    pub(crate) const OF_CALLS: [Self; 12] = [
        Self::Reset,
        Self::Swallowed,
        Self::Delayed,
        Self::TooManyRequests,
        Self::TooManyRequestsRetryAfter,
        Self::InternalError,
        Self::Unavailable,
        Self::ResponseLost,
        Self::AppliedLate,
        Self::AnsweredLate,
        Self::AnswerTruncated,
        Self::Duplicated,
    ];

    /// Those that befall watches.
    pub(crate) const OF_WATCHES: [Self; 7] = [
        Self::WatchRefusedGone,
        Self::WatchGone,
        Self::WatchEnded,
        Self::WatchReset,
        Self::WatchTruncated,
        Self::WatchSilent,
        Self::WatchLagging,
    ];
}

/// How often something goes wrong, of a thousand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rates {
    /// Of a thousand requests.
    pub(crate) calls: u16,
    /// Of a thousand events and half seconds of a watch.
    pub(crate) watches: u16,
    /// Which faults; all where empty.
    pub(crate) only: Vec<Fault>,
}

impl Rates {
    /// Nothing goes wrong.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn of(calls: u16, watches: u16) -> Self {
        Self {
            calls,
            watches,
            only: Vec::new(),
        }
    }

    /// This fault befalls everything that it can befall.
    pub(crate) fn always(fault: Fault) -> Self {
        Self {
            calls: 1000,
            watches: 1000,
            only: vec![fault],
        }
    }

    /// What befalls a request.
    pub(super) fn draw_call(&self, random: &mut Random) -> Option<Fault> {
        self.draw(self.calls, &Fault::OF_CALLS, random)
    }

    /// What befalls a watch that is opened.
    pub(super) fn draw_open(&self, random: &mut Random) -> Option<Fault> {
        self.draw(self.watches, &[Fault::WatchRefusedGone], random)
    }

    /// What befalls an open watch now.
    pub(super) fn draw_watch(&self, random: &mut Random) -> Option<Fault> {
        self.draw(self.watches, &Fault::OF_WATCHES[1..], random)
    }

    fn draw(&self, chance: u16, all: &[Fault], random: &mut Random) -> Option<Fault> {
        let allowed: Vec<Fault> = all
            .iter()
            .copied()
            .filter(|fault| self.only.is_empty() || self.only.contains(fault))
            .collect();
        if !allowed.is_empty() && random.per_mille(chance) {
            random.pick(&allowed).copied()
        } else {
            None
        }
    }
}

/// How often each fault was injected.
pub(crate) type Counts = BTreeMap<Fault, u64>;

#[test]
fn rates_name_which_faults_are_drawn() {
    let mut random = Random::new(1);
    assert_eq!(Rates::none().draw_call(&mut random), None);
    assert_eq!(Rates::none().draw_watch(&mut random), None);
    let only = Rates::always(Fault::Duplicated);
    assert_eq!(only.draw_call(&mut random), Some(Fault::Duplicated));
    assert_eq!(only.draw_watch(&mut random), None);
    assert_eq!(only.draw_open(&mut random), None);
    let mut drawn = std::collections::BTreeSet::new();
    for _ in 0..1000 {
        drawn.extend(Rates::of(500, 500).draw_call(&mut random));
    }
    assert_eq!(drawn.len(), Fault::OF_CALLS.len());
}
