//! Whether the promises held, from the outside: every committed version of every object, what the executors started,
//! and how each story may end.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use kube::api::DynamicObject;
use remediation_adapters::simulation::children::Started;
use remediation_core::kind::{REQUEST_KIND, REQUEST_UID_LABEL};
use serde_json::Value;

use crate::recorder::{History, Version};
use crate::story::Story;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// Its number, `S12`.
    pub(crate) promise: String,
    /// Whose, and how.
    pub(crate) what: String,
}

/// What is known of one request, by its UID.
#[derive(Default)]
struct Life {
    name: String,
    /// The status of each version, in order.
    statuses: Vec<Value>,
    gone: bool,
    /// For each execution that status may name: the UIDs that it ever named.
    named: BTreeMap<String, BTreeSet<String>>,
    /// The notifications about it, by type: their names.
    told: BTreeMap<String, BTreeSet<String>>,
}

/// All that was broken in a run that has come to rest.
pub(crate) fn violations(
    history: &History,
    started: &[Started],
    stories: &[Story],
) -> Vec<Violation> {
    let lives = lives(&history.versions);
    let mut found = Vec::new();
    for (uid, life) in &lives {
        let mut broken = |promise: &str, what: String| {
            let what = format!("{} ({uid}): {what}", life.name);
            let promise = promise.to_owned();
            found.push(Violation { promise, what });
        };
        named_once(life, &mut broken);
        terminal_is_absorbing(life, &mut broken);
        phases_go_forward(life, &mut broken);
        told_once(life, &mut broken);
    }
    starts(&lives, started, &mut found);
    ends(&lives, history, stories, &mut found);
    stragglers(&lives, history, &mut found);
    found.sort();
    found.dedup();
    found
}

fn lives(versions: &[Version]) -> BTreeMap<String, Life> {
    let mut lives: BTreeMap<String, Life> = BTreeMap::new();
    for Version {
        kind, gone, object, ..
    } in versions
    {
        if kind == REQUEST_KIND {
            let life = lives.entry(object.uid().unwrap_or_default()).or_default();
            life.name = object.name_any();
            life.gone |= gone;
            let status = object.data["status"].clone();
            for (what, uid) in named(&status) {
                life.named.entry(what).or_default().insert(uid);
            }
            life.statuses.push(status);
        } else if kind == "NotificationRequest"
            && let Some(uid) = object.labels().get(REQUEST_UID_LABEL)
        {
            let life = lives.entry(uid.clone()).or_default();
            let of = object.data["spec"]["type"].as_str().unwrap_or("untyped");
            let told = life.told.entry(of.to_owned()).or_default();
            told.insert(object.name_any());
        }
    }
    lives
}

/// The executions that a status names: what, and its UID.
fn named(status: &Value) -> Vec<(String, String)> {
    let uid = |reference: &Value| reference["uid"].as_str().map(str::to_owned);
    let workflow = uid(&status["workflowExecutionRef"]).map(|uid| ("workflow".to_owned(), uid));
    let steps = status["kubernetesExecutionRefs"].as_array();
    let steps = steps.into_iter().flatten().filter_map(|reference| {
        let step = reference["step"].as_str().unwrap_or_default();
        uid(reference).map(|uid| (format!("step {step}"), uid))
    });
    workflow.into_iter().chain(steps).collect()
}

fn named_once(life: &Life, broken: &mut impl FnMut(&'static str, String)) {
    for (what, uids) in &life.named {
        if uids.len() > 1 {
            broken("S1", format!("status named more than one {what}: {uids:?}"));
        }
    }
}

fn terminal_is_absorbing(life: &Life, broken: &mut impl FnMut(&'static str, String)) {
    let end =
        |status: &Value| ["phase", "reason", "completionTime"].map(|field| status[field].clone());
    let mut ended = None;
    for status in &life.statuses {
        match &ended {
            None if status["completionTime"].is_string() => ended = Some(end(status)),
            Some(ended) if *ended != end(status) => {
                broken(
                    "S7",
                    format!("ended as {ended:?} and then as {:?}", end(status)),
                );
            }
            None | Some(_) => {}
        }
    }
}

fn phases_go_forward(life: &Life, broken: &mut impl FnMut(&'static str, String)) {
    const ORDER: [&str; 8] = [
        "Pending",
        "Initializing",
        "Processing",
        "Analyzing",
        "WorkflowPlanning",
        "Executing",
        "Completed",
        "Failed",
    ];
    let place = |status: &Value| {
        let phase = status["phase"].as_str().unwrap_or("Pending");
        ORDER.iter().position(|known| *known == phase)
    };
    for pair in life.statuses.windows(2) {
        match (place(&pair[0]), place(&pair[1])) {
            (Some(before), Some(after)) if before <= after => {}
            _ => broken(
                "S6",
                format!("went from {} to {}", pair[0]["phase"], pair[1]["phase"]),
            ),
        }
    }
}

fn told_once(life: &Life, broken: &mut impl FnMut(&'static str, String)) {
    let told = |of: &str| life.told.get(of).map_or(0, BTreeSet::len);
    let (escalations, successes) = (told("escalation"), told("success"));
    if escalations > 1 || told("approval") > 1 || successes > 1 {
        broken("S12", format!("people were told twice: {:?}", life.told));
    }
    if escalations > 0 && successes > 0 {
        broken(
            "S12",
            format!("people were told success and failure: {:?}", life.told),
        );
    }
    let end = life.statuses.iter().rev();
    let end = end
        .clone()
        .find(|status| status["completionTime"].is_string());
    match end.and_then(|status| status["phase"].as_str()) {
        Some("Completed") if (escalations, successes) != (0, 1) => {
            broken(
                "S12",
                format!("Completed, and people were told {:?}", life.told),
            );
        }
        Some("Failed") if (escalations, successes) != (1, 0) => {
            broken(
                "L4",
                format!("Failed, and people were told {:?}", life.told),
            );
        }
        Some(_) | None => {}
    }
}

/// Nothing started that status did not name, and nothing started twice.
fn starts(lives: &BTreeMap<String, Life>, started: &[Started], found: &mut Vec<Violation>) {
    let mut once = BTreeMap::new();
    for start in started {
        let same = (start.request_uid.as_str(), start.name.as_str());
        if let Some(first) = once.insert(same, &start.uid) {
            found.push(Violation {
                promise: "S1".to_owned(),
                what: format!("{} started as {first} and as {}", start.name, start.uid),
            });
        }
        let life = lives.get(&start.request_uid);
        if !life.is_some_and(|life| life.named.values().any(|uids| uids.contains(&start.uid))) {
            found.push(Violation {
                promise: "S4".to_owned(),
                what: format!("{} started and no status names {}", start.name, start.uid),
            });
        }
    }
}

/// Each story came to one of its ends.
fn ends(
    lives: &BTreeMap<String, Life>,
    history: &History,
    stories: &[Story],
    found: &mut Vec<Violation>,
) {
    for story in stories {
        let now = history.latest(REQUEST_KIND, &story.name);
        if story.ends_gone() != now.is_none() {
            let word = if now.is_some() { "still there" } else { "gone" };
            found.push(Violation {
                promise: "L6".to_owned(),
                what: format!("{} ({:?}) is {word}", story.name, story.tale),
            });
            continue;
        }
        // One that is gone by itself ended before.
        let of_name = || lives.values().filter(|life| life.name == story.name);
        let status = match now {
            Some(object) => Some(object.data["status"].clone()),
            None => of_name().find_map(|life| {
                let ended = life.statuses.last()?;
                ended["completionTime"].is_string().then(|| ended.clone())
            }),
        };
        let Some(status) = status else {
            if !story.ends.is_empty() {
                found.push(Violation {
                    promise: "L2".to_owned(),
                    what: format!("{} ({:?}) never ended", story.name, story.tale),
                });
            }
            continue;
        };
        let fits = story.ends.is_empty()
            || story.ends.iter().any(|(phase, reason)| {
                status["phase"] == *phase && reason.is_none_or(|reason| status["reason"] == reason)
            });
        if !fits || !status["completionTime"].is_string() {
            found.push(Violation {
                promise: "L2".to_owned(),
                what: format!(
                    "{} ({:?}) is {} {}: {}, and may only be {:?}",
                    story.name,
                    story.tale,
                    status["phase"],
                    status["reason"],
                    status["message"],
                    story.ends
                ),
            });
        }
    }
}

/// No execution is left that its request does not name.
fn stragglers(lives: &BTreeMap<String, Life>, history: &History, found: &mut Vec<Violation>) {
    let executions = ["WorkflowExecution", "KubernetesExecution"];
    for object in executions.into_iter().flat_map(|kind| history.all(kind)) {
        let owner = owner(object);
        let uid = object.uid().unwrap_or_default();
        let life = lives.get(&owner);
        let named = |life: &Life| life.named.values().any(|uids| uids.contains(&uid));
        if !life.is_some_and(|life| !life.gone && named(life)) {
            found.push(Violation {
                promise: "L14".to_owned(),
                what: format!(
                    "{} ({uid}) of {owner} is left, and no status names it",
                    object.name_any()
                ),
            });
        }
    }
}

fn owner(object: &DynamicObject) -> String {
    let owner = object
        .owner_references()
        .iter()
        .find(|owner| owner.kind == REQUEST_KIND);
    owner.map_or_else(String::new, |owner| owner.uid.clone())
}
