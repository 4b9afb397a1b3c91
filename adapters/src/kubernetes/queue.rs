//! The work queue: which request is looked at next.
//!
//! kube's own controller queue iterates hash maps with random keys, so two runs differ, and it serves a burst
//! phase by phase: all requests finish late. This one is small and deterministic:
//!
//! * a request is never handed out twice at once; an event that comes meanwhile hands it out again after;
//! * a wake-up is kept until it is due or replaced by the next pass, no event loses it; a clock that is set back
//!   makes all of them due;
//! * deadlines that are due come first, then the request that was created first, so that what was begun is
//!   finished, also after a restart; every fourth time it is the one that waits longest, so that nobody starves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::cache::ObjectName;
use crate::clock::Clock;

/// Every how many turns the request that waits longest is served.
const FAIR_TURN: u64 = 4;

/// A deterministic work queue of requests.
pub struct Queue {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// How old each request is.
    ages: BTreeMap<ObjectName, Age>,
    /// Ready, by age; a wake-up that is due counts as the oldest of all.
    by_age: BTreeSet<(Age, u64, ObjectName)>,
    /// Ready, by arrival.
    by_arrival: BTreeMap<u64, ObjectName>,
    ready: BTreeMap<ObjectName, Ready>,
    /// Handed out; `true` if it became ready again meanwhile.
    running: BTreeMap<ObjectName, bool>,
    timers: BTreeSet<(Timestamp, ObjectName)>,
    wakes: BTreeMap<ObjectName, Timestamp>,
    counter: u64,
    turns: u64,
    /// What the clock showed when it was last looked at.
    latest: Option<Timestamp>,
}

/// When a request was created, in whole seconds, and of those created in the same second which was seen first.
type Age = (Timestamp, u64);

/// Older than any request.
const OLDEST: Age = (Timestamp::MIN, 0);

#[derive(Clone, Copy, Debug)]
struct Ready {
    rank: Age,
    arrival: u64,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::new(State::default()),
            changed: Notify::new(),
        }
    }

    /// Something happened to this request, which was `created` then; now, where that is not known.
    pub fn add(&self, name: ObjectName, created: Option<Timestamp>) {
        let now = self.clock.now();
        let mut state = self.locked();
        state.note_age(&name, created.unwrap_or(now));
        state.make_ready(name, false, now);
        drop(state);
        self.changed.notify_one();
    }

    /// This request is gone: it is not woken any more.
    pub fn forget(&self, name: &ObjectName) {
        let mut state = self.locked();
        state.cancel_wake(name);
        state.ages.remove(name);
    }

    /// The next request to look at, as soon as there is one. It must be given back by [`Queue::done`].
    /// Safe to be dropped and called again.
    pub async fn next(&self) -> ObjectName {
        loop {
            let changed = self.changed.notified();
            let (next, first_timer) = {
                let now = self.clock.now();
                let mut state = self.locked();
                state.fire_timers(now);
                (
                    state.take(),
                    state.timers.first().map(|(moment, _)| *moment),
                )
            };
            if let Some(name) = next {
                return name;
            }
            match first_timer {
                None => changed.await,
                Some(moment) => {
                    tokio::select! {
                        biased;
                        () = changed => {}
                        () = self.clock.sleep_until(moment) => {}
                    }
                }
            }
        }
    }

    /// The pass over this request ended; it is woken at `wake` at the latest.
    pub fn done(&self, name: &ObjectName, wake: Option<Timestamp>) {
        let now = self.clock.now();
        let mut state = self.locked();
        state.cancel_wake(name);
        if let Some(wake) = wake {
            state.wakes.insert(name.clone(), wake);
            state.timers.insert((wake, name.clone()));
        }
        if state.running.remove(name) == Some(true) {
            state.make_ready(name.clone(), false, now);
        }
        drop(state);
        self.changed.notify_one();
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let state = self.locked();
        state.ages.is_empty() && state.wakes.is_empty() && state.ready.is_empty()
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics between two changes, so a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The age of a request that is not known yet.
    fn note_age(&mut self, name: &ObjectName, created: Timestamp) -> Age {
        if let Some(known) = self.ages.get(name) {
            return *known;
        }
        let age = (created, self.counter);
        self.ages.insert(name.clone(), age);
        age
    }

    fn make_ready(&mut self, name: ObjectName, urgent: bool, now: Timestamp) {
        self.counter += 1;
        if let Some(again) = self.running.get_mut(&name) {
            *again = true;
            return;
        }
        let age = self.note_age(&name, now);
        let rank = if urgent { OLDEST } else { age };
        match self.ready.get(&name).copied() {
            Some(waiting) if waiting.rank <= rank => {}
            Some(waiting) => {
                self.by_age
                    .remove(&(waiting.rank, waiting.arrival, name.clone()));
                self.by_age.insert((rank, waiting.arrival, name.clone()));
                self.ready.insert(name, Ready { rank, ..waiting });
            }
            None => {
                let arrival = self.counter;
                self.by_arrival.insert(arrival, name.clone());
                self.by_age.insert((rank, arrival, name.clone()));
                self.ready.insert(name, Ready { rank, arrival });
            }
        }
    }

    fn fire_timers(&mut self, now: Timestamp) {
        // A clock that was set back would make every wake-up late by as much: all are looked at, and ask for new ones.
        let set_back = self.latest.is_some_and(|latest| now < latest);
        self.latest = Some(now);
        while let Some((moment, _)) = self.timers.first()
            && (set_back || *moment <= now)
            && let Some((_, name)) = self.timers.pop_first()
        {
            self.wakes.remove(&name);
            self.make_ready(name, true, now);
        }
    }

    fn take(&mut self) -> Option<ObjectName> {
        self.turns += 1;
        let name = if self.turns.is_multiple_of(FAIR_TURN) {
            self.by_arrival.values().next().cloned()
        } else {
            self.by_age.first().map(|(_, _, name)| name.clone())
        }?;
        if let Some(ready) = self.ready.remove(&name) {
            self.by_arrival.remove(&ready.arrival);
            self.by_age
                .remove(&(ready.rank, ready.arrival, name.clone()));
        }
        self.running.insert(name.clone(), false);
        Some(name)
    }

    fn cancel_wake(&mut self, name: &ObjectName) {
        if let Some(moment) = self.wakes.remove(name) {
            self.timers.remove(&(moment, name.clone()));
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
