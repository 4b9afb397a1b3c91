//! Each promise that a history can show has a canary, which is reported as that promise and as no other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use remediation_adapters::simulation::children::{Script, Stage};
use remediation_adapters::simulation::promises::{Promise, Promises, Shown, TABLE};
use serde_json::json;

use crate::broken::{Broken, CANARIES, Lives};
use crate::claims::CLAIMS;
use crate::ends::ENDS;
use crate::good::{alone, strict, two_steps};
use crate::more::MORE;
use crate::recorded::{Cluster, alert, record};

fn lives() -> Lives {
    let failing = Stage::failing(Duration::from_secs(2), "Broken", "it broke");
    let failed = Script {
        workflow: failing,
        ..Script::default()
    };
    let ignored = Script {
        processing: Stage::ignored(),
        ..Script::default()
    };
    let slow = Script {
        processing: Stage::lasting(Duration::from_secs(60)),
        ..two_steps()
    };
    Lives {
        good: record(two_steps(), alone),
        failed: record(failed, alone),
        timed_out: record(ignored, async |cluster: &Cluster| {
            let timeouts = json!({ "processing": "30s" });
            cluster
                .ask(json!({ "targetingData": alert(), "timeouts": timeouts }))
                .await;
        }),
        suspended: record(slow, async |cluster: &Cluster| {
            alone(cluster).await;
            cluster.until("Processing").await;
            cluster.suspend(true).await;
            tokio::time::sleep(Duration::from_secs(7)).await;
            cluster.suspend(false).await;
        }),
    }
}

#[test]
fn each_canary_breaks_its_own_promise_and_no_other() {
    let lives = lives();
    let promised: BTreeMap<&str, Promise> = TABLE
        .iter()
        .filter_map(|entry| match entry.shown {
            Shown::ByHistory(canary) => Some((canary, entry.promise)),
            Shown::Elsewhere(_) | Shown::NotBuilt => None,
        })
        .collect();
    let named: BTreeSet<&str> = CANARIES.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, promised.keys().copied().collect());
    let named = CANARIES
        .iter()
        .map(|(name, make)| (promised[name], *name, *make));
    let wrong: Vec<String> = named
        .chain([MORE, CLAIMS, ENDS].into_iter().flatten().copied())
        .filter_map(|(promise, name, make)| misjudged(promise, name, make(&lives)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with how a canary is judged.
fn misjudged(promise: Promise, name: &str, (tale, ending): Broken) -> Option<String> {
    let mut promises = Promises::new(strict());
    let mut found = Vec::new();
    for commit in &tale.commits {
        found.extend(promises.commit(commit));
    }
    found.extend(ending.iter().flat_map(|ending| promises.end(ending)));
    let broken: BTreeSet<Promise> = found.iter().map(|found| found.promise).collect();
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    (broken != BTreeSet::from([promise])).then(|| format!("{promise} {name}: {shown:#?}"))
}
