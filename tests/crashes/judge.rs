//! The project's own checker of the promises, on what a run committed: etcd tells what was committed and by when, the
//! audit log who did it and since when it was asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use remediation_adapters::simulation::promises::{
    Actor, Commit, Ending, Expectations, Kind, Promises, Refused, Verb,
};
use remediation_core::kind::{ChildKind, REQUEST_GROUP, REQUEST_KIND, REQUEST_PLURAL};
use serde_json::Value;

use crate::check::Violation;
use crate::harness::{Context, Result};
use crate::proxy::{Late, Period};
use crate::recorder::{History, Version};

/// A creation may be decided this long before it is asked for: calls before it are waited for, on a busy machine. What the test
/// does to watches and processes is told apart from it.
const LAG: SignedDuration = SignedDuration::from_secs(2);
/// Operator, API server and recorder have one clock.
const SKEW: SignedDuration = SignedDuration::ZERO;
/// Where the audit log does not tell when a write was asked for, it was so long before the recorder saw it at most.
const UNTOLD: SignedDuration = SignedDuration::from_secs(3);

/// What the test did to the operator.
pub(crate) struct Disturbances {
    /// When something was made to go wrong.
    pub(crate) faults: Vec<Timestamp>,
    /// When it could know nothing new, or was stopped.
    pub(crate) held: Vec<Period>,
    /// What was applied long after it was made.
    pub(crate) late: Vec<Late>,
}

/// All that was broken. `settled`: whether everything has come to rest.
pub(crate) fn judge(
    history: &History,
    audit: &str,
    disturbances: &Disturbances,
    settled: bool,
) -> Result<Vec<Violation>> {
    let writers = Writers::read(audit)?;
    let mut promises = Promises::new(Expectations {
        skew: SKEW,
        lag: LAG,
        lateness: None,
        contract: true,
        whole: true,
    });
    for (from, to) in &disturbances.held {
        promises.held_up(*from, *to, None);
    }
    let mut faults = disturbances.faults.clone();
    faults.sort();
    let mut faults = faults.into_iter().peekable();
    let mut newest: BTreeMap<String, Arc<Value>> = BTreeMap::new();
    let mut found = Vec::new();
    for version in &history.versions {
        while let Some(fault) = faults.next_if(|fault| *fault <= version.seen) {
            promises.fault(fault, None);
        }
        let mut commit = commit(version, &writers, &mut newest);
        let made = disturbances.late.iter().filter(|late| is_of(late, version));
        let made = made.map(|late| late.period.0);
        commit.earliest = made.fold(commit.earliest, Timestamp::min);
        found.extend(promises.commit(&commit));
    }
    found.extend(promises.end(&Ending {
        now: Timestamp::now(),
        skew: SKEW,
        settled,
        refused: Refused::default(),
        collected: settled,
    }));
    let violations = found.into_iter().map(|violation| Violation {
        promise: violation.promise.to_string(),
        what: violation.to_string(),
    });
    Ok(violations.collect())
}

/// Whether this call may have made this version.
fn is_of(late: &Late, version: &Version) -> bool {
    let (made, applied) = late.period;
    let plural = ChildKind::ALL
        .into_iter()
        .find(|kind| kind.name() == version.kind)
        .map_or(REQUEST_PLURAL, ChildKind::plural);
    late.call.resource.split('/').next() == Some(plural)
        && version.object.metadata.name.as_ref() == Some(&late.call.name)
        && (made..=applied + UNTOLD).contains(&version.seen)
}

fn commit(
    version: &Version,
    writers: &Writers,
    newest: &mut BTreeMap<String, Arc<Value>>,
) -> Commit {
    let (group, plural) = ChildKind::ALL
        .into_iter()
        .find(|kind| kind.name() == version.kind)
        .map_or((REQUEST_GROUP, REQUEST_PLURAL), |kind| {
            (kind.group(), kind.plural())
        });
    let uid = version.object.metadata.uid.clone().unwrap_or_default();
    let image = serde_json::to_value(&version.object).unwrap_or_default();
    let before = newest.remove(&uid);
    let (actor, asked) = writers.of(version, before.as_deref(), &image);
    let image = Arc::new(image);
    let (before, after, verb) = match (before, version.gone) {
        (before, true) => (Some(before.unwrap_or(image)), None, Verb::Delete),
        (None, false) => (None, Some(image), Verb::Create),
        (Some(before), false) => (Some(before), Some(image), Verb::Update),
    };
    if let Some(after) = &after {
        newest.insert(uid, after.clone());
    }
    Commit {
        at: version.seen,
        earliest: asked
            .unwrap_or_else(|| version.seen - UNTOLD)
            .min(version.seen),
        actor,
        kind: Kind::of(group, plural).unwrap_or(Kind::Request),
        verb,
        before,
        after,
    }
}

/// Who made which commit, and when it was asked for, from the audit log.
#[derive(Debug, Default)]
struct Writers {
    /// By the version that the answer shows.
    by_version: BTreeMap<u64, (Actor, Timestamp)>,
    /// Who asked for the deletion of an object, by its UID: the last one.
    deleted: BTreeMap<String, (Actor, Timestamp)>,
}

impl Writers {
    fn read(audit: &str) -> Result<Self> {
        let mut writers = Self::default();
        for line in audit.lines() {
            let event: Value =
                serde_json::from_str(line).context(|| format!("the audit event {line}"))?;
            if event["stage"] != "ResponseComplete" {
                continue;
            }
            let actor = Actor::of(event["userAgent"].as_str().unwrap_or_default());
            let asked = event["requestReceivedTimestamp"].as_str();
            let asked: Timestamp = asked.unwrap_or_default().parse()?;
            let answer = &event["responseObject"];
            if event["verb"] == "delete"
                && let Some(uid) = answer["details"]["uid"].as_str()
            {
                writers.deleted.insert(uid.to_owned(), (actor, asked));
            } else if let Some(version) = answer["metadata"]["resourceVersion"].as_str()
                && let Ok(version) = version.parse()
            {
                // Also an answer that changed nothing shows a version: whoever made it came first.
                writers.by_version.entry(version).or_insert((actor, asked));
            }
        }
        Ok(writers)
    }

    /// Where the audit log does not tell, because the API server was killed or its caller had gone, the managed
    /// fields do.
    fn of(
        &self,
        version: &Version,
        before: Option<&Value>,
        image: &Value,
    ) -> (Actor, Option<Timestamp>) {
        let uid = image["metadata"]["uid"].as_str().unwrap_or_default();
        let known = if version.gone {
            self.deleted.get(uid)
        } else {
            self.by_version.get(&version.at)
        };
        if let Some((actor, asked)) = known {
            return (actor.clone(), Some(*asked));
        }
        if version.gone {
            return (Actor::System, None);
        }
        let nothing = Value::Null;
        let before = before.unwrap_or(&nothing);
        let entry = |object: &Value, subresource: Option<&str>| {
            let entries = object["metadata"]["managedFields"].as_array().cloned();
            entries.into_iter().flatten().find(|entry| {
                entry["manager"] == "remediation-orchestrator"
                    && entry["subresource"].as_str() == subresource
            })
        };
        let ours = [None, Some("status")]
            .into_iter()
            .any(|sub| entry(image, sub).is_some() && entry(image, sub) != entry(before, sub));
        let ours = ours
            && before["metadata"]["deletionTimestamp"] == image["metadata"]["deletionTimestamp"];
        let actor = match (ours, version.kind == REQUEST_KIND) {
            (true, _) => Actor::of("remediation-orchestrator/unaudited"),
            (false, true) => Actor::User,
            (false, false) => Actor::Children,
        };
        (actor, None)
    }
}
