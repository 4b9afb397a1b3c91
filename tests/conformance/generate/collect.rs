//! Sequences about owners and dependents, in which the garbage collector is given its time.

use serde_json::{Value, json};

use super::{Generator, metadata::HOLD};
use crate::{
    kinds::{CONFIG_MAP, GADGET, Kind, REQUEST, WIDGET, WORKFLOW},
    random::Random,
    request::{Request, Step},
};

const FAMILIES: &[(usize, (&Kind, &Kind))] = &[
    (4, (&REQUEST, &WORKFLOW)),
    (2, (&WIDGET, &CONFIG_MAP)),
    (2, (&GADGET, &WIDGET)),
    (1, (&CONFIG_MAP, &CONFIG_MAP)),
];

/// An owner `a`, dependents `b` and `c`, and what becomes of them.
pub(super) fn sequence(mut random: Random) -> Vec<Step> {
    let (owner, dependent) = random.weighted(FAMILIES);
    let mut owners = Generator::new(owner, random);
    owners.begin_quietly();
    let mut dependents = Generator::new(dependent, owners.random.clone());
    // Marks of the two must differ.
    dependents.watches = 10;
    dependents.begin_quietly();
    let mut random = dependents.random;
    let mut steps = owners.steps;
    steps.append(&mut dependents.steps);

    let settle = Step::Settle(vec![owner.collection(), dependent.collection()]);
    let policy = random.pick(&["Background", "Foreground", "Orphan", ""]);
    let (held, chained) = (random.percent(25), random.percent(40));
    // Whether the collector looks at a dependent before or after it lets an owner go that it need not wait for is chance.
    // It shows where the owner stays all the same, and where the dependent has dependents.
    let must_block = policy == "Foreground" && (held || chained);
    let mut first = owner.plain("a");
    if held {
        first["metadata"]["finalizers"] = json!([HOLD]);
    }
    steps.push(Step::Send(Request::post(owner.collection(), first)));
    for name in ["b", "c"] {
        let mut object = dependent.plain(name);
        // One owner each: of two that go together, it is chance which one is missed first.
        let mut owner = if name == "c" && chained {
            reference(dependent, "b", &mut random)
        } else {
            reference(owner, "a", &mut random)
        };
        if must_block {
            owner["blockOwnerDeletion"] = true.into();
        }
        object["metadata"]["ownerReferences"] = json!([owner]);
        if random.percent(25) {
            object["metadata"]["finalizers"] = json!([HOLD]);
        }
        steps.push(Step::Send(Request::post(dependent.collection(), object)));
    }
    // The collector learns who owns whom before it has to know.
    steps.push(settle.clone());
    let mut delete = Request::delete(owner.object("a"));
    if !policy.is_empty() {
        delete = if random.percent(50) {
            delete.query("propagationPolicy", policy)
        } else {
            let options =
                json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy});
            delete.body(options, "application/json")
        };
    }
    steps.push(Step::Send(delete));
    steps.push(settle.clone());
    for (kind, name) in [(dependent, "b"), (dependent, "c"), (owner, "a")] {
        if random.percent(60) {
            let patch = json!({"metadata": {"finalizers": null}});
            steps.push(Step::Send(Request::merge(kind.object(name), patch)));
            steps.push(settle.clone());
        }
    }
    steps.push(Step::Send(Request::get(dependent.collection())));
    steps
}

fn reference(owner: &Kind, name: &str, random: &mut Random) -> Value {
    let mut reference = json!({
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": name,
        "uid": owner.known("uid", name, ""),
    });
    if random.percent(50) {
        reference["blockOwnerDeletion"] = random.percent(80).into();
    }
    reference
}

impl Generator {
    /// A list and a watch from there on.
    fn begin_quietly(&mut self) {
        self.refresh();
        self.watch_from_list();
    }
}
