//! What a plan may hold, so that a run of it ends soon and takes little memory. Plans that a seed draws lie far within;
//! those of a trace were perhaps edited by hand.

use super::plan::{CallFault, Deed, InFlight, Plan, Trouble, When};
use crate::simulation::children::bounds::{OutOfBounds, at_most};

/// The most requests.
const MOST_REQUESTS: usize = 40;
/// The most troubles.
const MOST_TROUBLES: usize = 1_000;
/// The most deeds that write as much as an object can hold.
const MOST_LARGE_DEEDS: usize = 10;
/// The most status writes of busy controllers, in all.
const MOST_BUSY_WRITES: u64 = 2_000;
/// The latest moment and the longest duration, in milliseconds: an hour.
const HOUR: i64 = 3_600_000;
/// How far a clock or a time may be moved, in milliseconds: thirty days.
const FAR: i64 = 30 * 24 * HOUR;
/// The number of the last replica.
const LAST_REPLICA: i64 = 1;
/// The longest name that Kubernetes allows.
const LONGEST_NAME: usize = 253;

impl Plan {
    /// Whether it can be run: in bounded time and memory.
    ///
    /// # Errors
    /// The first field that lies beyond its bound.
    pub fn check(&self) -> Result<(), OutOfBounds> {
        let size = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let millis = |millis: u64| i64::try_from(millis).unwrap_or(i64::MAX);
        between("replicas", size(self.replicas), 1, LAST_REPLICA + 1)?;
        between("concurrency", size(self.concurrency), 1, 1_000)?;
        between("pageSize", i64::from(self.page_size), 1, 10_000)?;
        between("safetyMs", millis(self.safety_ms), 0, HOUR)?;
        at_most("requests", self.requests.len(), MOST_REQUESTS)?;
        at_most("troubles", self.troubles.len(), MOST_TROUBLES)?;
        for (number, asked) in self.requests.iter().enumerate() {
            let place = format!("requests[{number}]");
            let checked = named("name", &asked.name)
                // Later nobody would wait for it.
                .and_then(|()| between("atMs", millis(asked.at_ms), 0, millis(self.safety_ms)))
                .and_then(|()| asked.script.check().map_err(|error| error.within("script")));
            checked.map_err(|error| error.within(&place))?;
        }
        let busy: u64 = self
            .requests
            .iter()
            .map(|asked| asked.script.busy_writes())
            .sum();
        if busy > MOST_BUSY_WRITES {
            let problem = format!(
                "hold {busy} writes of busy controllers; at most {MOST_BUSY_WRITES} are allowed"
            );
            return Err(OutOfBounds::new("requests", problem));
        }
        for (number, trouble) in self.troubles.iter().enumerate() {
            trouble
                .check()
                .map_err(|error| error.within(&format!("troubles[{number}]")))?;
        }
        let large = self.troubles.iter().filter(|trouble| trouble.is_large());
        match large.count() {
            0..=MOST_LARGE_DEEDS => Ok(()),
            count => Err(OutOfBounds::new(
                "troubles",
                format!(
                    "hold {count} deeds that write as much as an object can hold; at most {MOST_LARGE_DEEDS} are allowed"
                ),
            )),
        }
    }
}

fn between(place: &str, found: i64, least: i64, most: i64) -> Result<(), OutOfBounds> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    // What does not fit into the type is far beyond, so the number itself says nothing.
    let found = if found == i64::MAX {
        "too large a number".to_owned()
    } else {
        found.to_string()
    };
    let problem = format!("is {found}; from {least} to {most} is allowed");
    Err(OutOfBounds::new(place, problem))
}

fn named(place: &str, name: &str) -> Result<(), OutOfBounds> {
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    if (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(());
    }
    let problem = format!("is no name: 1 to {LONGEST_NAME} of a-z, 0-9, `-` and `.` are allowed");
    Err(OutOfBounds::new(place, problem))
}

/// A number of a trouble, and what it may be.
struct Bounded {
    field: &'static str,
    found: i64,
    least: i64,
    most: i64,
}

/// A moment or a duration, in milliseconds.
fn time(field: &'static str, millis: u64) -> Bounded {
    Bounded {
        field,
        found: i64::try_from(millis).unwrap_or(i64::MAX),
        least: 0,
        most: HOUR,
    }
}

fn replica(number: usize) -> Bounded {
    Bounded {
        field: "replica",
        found: i64::try_from(number).unwrap_or(i64::MAX),
        least: 0,
        most: LAST_REPLICA,
    }
}

/// By how much something is moved.
fn moved(field: &'static str, found: i64, most: i64) -> Bounded {
    Bounded {
        field,
        found,
        least: -most,
        most,
    }
}

impl Trouble {
    fn check(&self) -> Result<(), OutOfBounds> {
        let variant = variant_field(self);
        for number in self.numbers() {
            between(number.field, number.found, number.least, number.most)
                .map_err(|error| error.within(&variant))?;
        }
        if let Trouble::Person { request, .. } = self {
            named("request", request).map_err(|error| error.within(&variant))?;
        }
        Ok(())
    }

    /// All numbers of this trouble that cost time or memory, or with which is reckoned. Those of calls, watches and
    /// events may be any: what is never reached never happens.
    fn numbers(&self) -> Vec<Bounded> {
        match self {
            Trouble::Panic { .. } | Trouble::Watch { .. } => Vec::new(),
            Trouble::Call { fault, .. } => fault.number().into_iter().collect(),
            Trouble::Calls {
                fault,
                at_ms,
                for_ms,
                ..
            } => {
                let lasts = for_ms.map(|for_ms| time("forMs", for_ms));
                [Some(time("atMs", *at_ms)), lasts, fault.number()]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            Trouble::Crash {
                in_flight, down_ms, ..
            } => {
                let late = match in_flight {
                    InFlight::AppliedLate(late) => Some(time("inFlight.appliedLate", *late)),
                    InFlight::NotApplied | InFlight::Applied => None,
                };
                late.into_iter().chain([time("downMs", *down_ms)]).collect()
            }
            Trouble::CrashAt {
                replica: which,
                at_ms,
                down_ms,
            }
            | Trouble::Stop {
                replica: which,
                at_ms,
                down_ms,
            } => vec![
                replica(*which),
                time("atMs", *at_ms),
                time("downMs", *down_ms),
            ],
            Trouble::Stall {
                replica: which,
                at_ms,
                for_ms,
            }
            | Trouble::Freeze {
                replica: which,
                at_ms,
                for_ms,
            } => vec![
                replica(*which),
                time("atMs", *at_ms),
                time("forMs", *for_ms),
            ],
            Trouble::Clock {
                replica: which,
                at_ms,
                by_ms,
            } => vec![
                replica(*which),
                time("atMs", *at_ms),
                moved("byMs", *by_ms, FAR),
            ],
            Trouble::Reconfigure {
                replica: which,
                at_ms,
            } => vec![replica(*which), time("atMs", *at_ms)],
            Trouble::Cut { at_ms, .. } | Trouble::Namespace { at_ms } => vec![time("atMs", *at_ms)],
            Trouble::Lag { at_ms, for_ms, .. }
            | Trouble::Outage { at_ms, for_ms }
            | Trouble::Webhook { at_ms, for_ms } => {
                vec![time("atMs", *at_ms), time("forMs", *for_ms)]
            }
            Trouble::Restore { saved_ms, at_ms } => {
                vec![time("savedMs", *saved_ms), time("atMs", *at_ms)]
            }
            Trouble::Uninstalled { until_ms, .. } | Trouble::OlderDefinition { until_ms } => {
                vec![time("untilMs", *until_ms)]
            }
            Trouble::Garbage { late_ms } => vec![time("lateMs", *late_ms)],
            Trouble::Person { when, deed, .. } => {
                let when = match when {
                    When::At(at_ms) => Some(time("when.at", *at_ms)),
                    When::Phase(_, after_ms) => Some(time("when.phase[1]", *after_ms)),
                    When::Call(_) => None,
                };
                when.into_iter().chain(deed.number()).collect()
            }
        }
    }

    /// Whether it writes as much as an object can hold, or reads and writes a whole definition.
    fn is_large(&self) -> bool {
        matches!(
            self,
            Trouble::Person {
                deed: Deed::HostileStatus(_) | Deed::HostileMetadata | Deed::NewerStatus,
                ..
            }
        )
    }
}

/// The field that a trouble stands in, as it is written.
fn variant_field(trouble: &Trouble) -> String {
    let written = serde_json::to_value(trouble).unwrap_or_default();
    let field = written.as_object().and_then(|fields| fields.keys().next());
    field.cloned().unwrap_or_default()
}

impl CallFault {
    fn number(&self) -> Option<Bounded> {
        match self {
            CallFault::TooMany(Some(seconds)) => Some(Bounded {
                field: "fault.tooMany",
                found: i64::from(*seconds),
                least: 0,
                most: HOUR / 1000,
            }),
            CallFault::AppliedLate(late) => Some(time("fault.appliedLate", *late)),
            CallFault::Slow(late) => Some(time("fault.slow", *late)),
            CallFault::Conflict
            | CallFault::Invalid
            | CallFault::TooLarge
            | CallFault::Denied
            | CallFault::QuotaExceeded
            | CallFault::PolicyDenied
            | CallFault::Unauthorized
            | CallFault::TooMany(None)
            | CallFault::ServerError
            | CallFault::Unavailable
            | CallFault::Expired
            | CallFault::Refused
            | CallFault::Silent
            | CallFault::AppliedSilent
            | CallFault::Lost
            | CallFault::Twice => None,
        }
    }
}

impl Deed {
    fn number(&self) -> Option<Bounded> {
        match self {
            Deed::Suspend(for_ms) => Some(time("deed.suspend", *for_ms)),
            Deed::HoldChildren(_, for_ms) => Some(time("deed.holdChildren[1]", *for_ms)),
            Deed::EditPhaseStart(seconds) => {
                Some(moved("deed.editPhaseStart", *seconds, FAR / 1000))
            }
            Deed::Delete
            | Deed::DeleteForeground
            | Deed::Recreate
            | Deed::Annotate
            | Deed::DeleteChildren(_)
            | Deed::Strip(_)
            | Deed::PutForeign(_)
            | Deed::EditPhase(_)
            | Deed::EditRemove(_)
            | Deed::OddStatus(_)
            | Deed::HostileStatus(_)
            | Deed::HostileMetadata
            | Deed::NewerStatus => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::run::points::references;

    #[test]
    fn what_is_drawn_from_a_seed_lies_within_the_bounds() {
        for seed in 0..20_000 {
            assert_eq!(Plan::from_seed(seed).check(), Ok(()), "seed {seed}");
        }
        for reference in references() {
            assert_eq!(reference.plan.check(), Ok(()), "{}", reference.name);
        }
    }

    fn clock(by_ms: i64) -> Trouble {
        Trouble::Clock {
            replica: 0,
            at_ms: 0,
            by_ms,
        }
    }

    fn person(request: &str, when: When, deed: Deed) -> Trouble {
        Trouble::Person {
            request: request.to_owned(),
            when,
            deed,
        }
    }

    type Change = &'static dyn Fn(&mut Plan);

    #[test]
    fn each_bound_is_told_with_its_place() {
        let cases: [(Change, &str); 17] = [
            (&|plan| plan.replicas = 3, "`replicas` is 3; from 1 to 2"),
            (&|plan| plan.replicas = 0, "`replicas` is 0; from 1 to 2"),
            (
                &|plan| plan.concurrency = usize::MAX,
                "`concurrency` is too large a number; from 1 to 1000",
            ),
            (&|plan| plan.page_size = 0, "`pageSize` is 0; from 1 to"),
            (
                &|plan| plan.safety_ms = 3_600_001,
                "`safetyMs` is 3600001; from 0 to 3600000",
            ),
            (
                &|plan| plan.requests = vec![plan.requests[0].clone(); 41],
                "`requests` has 41 entries; at most 40",
            ),
            (
                &|plan| plan.requests[0].name = "../x".to_owned(),
                "`requests[0].name` is no name",
            ),
            (
                &|plan| plan.requests[0].at_ms = plan.safety_ms + 1,
                "`requests[0].atMs` is",
            ),
            (
                &|plan| {
                    let busy = vec![crate::simulation::children::Quirk::Busy(900)];
                    let script = &mut plan.requests[0].script;
                    script.processing.quirks = busy.clone();
                    script.analysis.quirks = busy.clone();
                    script.planning.quirks = busy;
                },
                "`requests` hold 2700 writes of busy controllers; at most 2000",
            ),
            (
                &|plan| plan.requests[0].script.steps = vec![Default::default(); 101],
                "`requests[0].script.steps` has 101 entries; at most 100",
            ),
            (
                &|plan| plan.troubles = vec![clock(1); 1001],
                "`troubles` has 1001 entries; at most 1000",
            ),
            (
                &|plan| plan.troubles = vec![clock(i64::MIN)],
                "`troubles[0].clock.byMs` is -9223372036854775808; from -2592000000 to",
            ),
            (
                &|plan| {
                    plan.troubles = vec![
                        clock(1),
                        Trouble::Calls {
                            verb: "create".to_owned(),
                            plural: "events".to_owned(),
                            fault: CallFault::Lost,
                            at_ms: 1,
                            for_ms: Some(u64::MAX),
                        },
                    ];
                },
                "`troubles[1].calls.forMs` is too large a number",
            ),
            (
                &|plan| {
                    plan.troubles = vec![Trouble::Stall {
                        replica: 2,
                        at_ms: 0,
                        for_ms: 0,
                    }];
                },
                "`troubles[0].stall.replica` is 2; from 0 to 1",
            ),
            (
                &|plan| plan.troubles = vec![person("r 0", When::At(0), Deed::Delete)],
                "`troubles[0].person.request` is no name",
            ),
            (
                &|plan| plan.troubles = vec![person("r0", When::At(4_000_000), Deed::Delete)],
                "`troubles[0].person.when.at` is 4000000",
            ),
            (
                &|plan| {
                    plan.troubles = vec![person("r0", When::Call(0), Deed::HostileMetadata); 11];
                },
                "`troubles` hold 11 deeds that write as much as an object can hold; at most 10",
            ),
        ];
        for (change, told) in cases {
            let mut plan = Plan::from_seed(1);
            change(&mut plan);
            let error = plan.check().unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
    }
}
