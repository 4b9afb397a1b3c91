//! Whether the operator gets on with its work, and whether it has begun.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::telemetry::http::Probe;

/// A loop that has not come round for so long is stuck; it comes round every five seconds.
const LONGEST_SILENCE: SignedDuration = SignedDuration::from_secs(60);

/// How the operator is.
pub struct Health {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    last_beat: Timestamp,
    /// Whether others may lead, so that standing by is being ready.
    elects: bool,
    leading: bool,
    /// Sources that have not been listed yet; `None` before it is known which there are.
    missing: Option<BTreeSet<String>>,
    /// The pass that has been running longest, and since when.
    oldest_pass: Option<(String, Timestamp)>,
}

/// A pass that runs longer is stuck: each of its calls has a timeout.
const LONGEST_PASS: SignedDuration = SignedDuration::from_mins(10);

impl Health {
    pub(super) fn new(clock: Arc<dyn Clock>, elects: bool) -> Self {
        let state = State {
            last_beat: clock.now(),
            elects,
            leading: false,
            missing: None,
            oldest_pass: None,
        };
        Self {
            clock,
            state: Mutex::new(state),
        }
    }

    /// The loop came round.
    pub(super) fn beat(&self) {
        let now = self.clock.now();
        self.with(|state| state.last_beat = now);
    }

    pub(super) fn leading(&self, leading: bool) {
        self.with(|state| {
            state.leading = leading;
            state.missing = None;
            state.oldest_pass = None;
        });
    }

    pub(super) fn missing(&self, sources: BTreeSet<String>) {
        self.with(|state| state.missing = Some(sources));
    }

    pub(super) fn oldest_pass(&self, pass: Option<(String, Timestamp)>) {
        self.with(|state| state.oldest_pass = pass);
    }

    /// Whether this process acts now.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        self.with(|state| state.leading)
    }

    /// Whether it acts and has seen everything there is.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.with(|state| state.leading && state.missing.as_ref().is_some_and(BTreeSet::is_empty))
    }

    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Probe for Health {
    fn unhealthy(&self) -> Option<String> {
        let now = self.clock.now();
        self.with(|state| {
            let silence = now.duration_since(state.last_beat);
            if silence > LONGEST_SILENCE {
                return Some(format!(
                    "the work loop has stood still for {} s",
                    silence.as_secs()
                ));
            }
            state.oldest_pass.as_ref().and_then(|(request, since)| {
                let running = now.duration_since(*since);
                (running > LONGEST_PASS).then(|| {
                    format!(
                        "the pass over {request} has been running for {} s",
                        running.as_secs()
                    )
                })
            })
        })
    }

    fn unready(&self) -> Option<String> {
        self.with(|state| match (&state.missing, state.leading) {
            (_, false) if state.elects => None,
            (_, false) | (None, true) => Some("starting".to_owned()),
            (Some(missing), true) if missing.is_empty() => None,
            (Some(missing), true) => {
                let names: Vec<&str> = missing.iter().map(String::as_str).collect();
                Some(format!("not listed yet: {}", names.join(", ")))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SteadyClock;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stands_still_is_unhealthy_and_one_that_lists_is_unready() {
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let clock = Arc::new(SteadyClock::starting_at(start));
        let health = Health::new(clock.clone(), false);
        assert_eq!(health.unready().as_deref(), Some("starting"));
        health.leading(true);
        health.missing(BTreeSet::from(["AIAnalysis".to_owned()]));
        assert!(health.unready().unwrap().contains("AIAnalysis"));
        health.missing(BTreeSet::new());
        assert!(health.is_synced() && health.unready().is_none());
        clock
            .sleep_until(start + SignedDuration::from_secs(60))
            .await;
        assert_eq!(health.unhealthy(), None);
        clock
            .sleep_until(start + SignedDuration::from_secs(62))
            .await;
        assert!(health.unhealthy().unwrap().contains("62 s"));
        health.beat();
        assert_eq!(health.unhealthy(), None);
        health.oldest_pass(Some((
            "shop/web".to_owned(),
            start - SignedDuration::from_mins(11),
        )));
        assert!(health.unhealthy().unwrap().contains("shop/web"));
    }

    #[tokio::test(start_paused = true)]
    async fn standing_by_is_being_ready() {
        let clock = Arc::new(SteadyClock::starting_at(Timestamp::UNIX_EPOCH));
        let health = Health::new(clock, true);
        assert_eq!(health.unready(), None);
        assert!(!health.is_leading() && !health.is_synced());
    }
}
