//! What makes a plan that a workflow publishes one that the orchestrator cannot run.

use std::collections::BTreeSet;

use serde_json::Value;

use super::read::{list, text};

/// The most steps that a plan may have.
const MOST_STEPS: usize = 64;
/// The longest name of a step.
const LONGEST_NAME: usize = 63;

/// Whether the orchestrator is to run this plan and cannot. What cannot be read cannot be run.
pub(super) fn cannot_be_run(plan: &Value) -> bool {
    text(plan, &["executedBy"]) == Some("Orchestrator") && !can_be_run(plan)
}

fn can_be_run(plan: &Value) -> bool {
    let steps = list(plan, &["steps"]);
    let names: BTreeSet<&str> = steps
        .iter()
        .filter_map(|step| text(step, &["name"]))
        .filter(|name| is_label(name))
        .collect();
    (1..=MOST_STEPS).contains(&steps.len())
        && names.len() == steps.len()
        && steps.iter().all(is_readable)
        && comes_to_an_end(steps)
}

fn is_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let outer = |c: Option<char>| c.is_some_and(|c| c != '-');
    name.len() <= LONGEST_NAME
        && name.chars().all(inner)
        && outer(name.chars().next())
        && outer(name.chars().next_back())
}

fn is_readable(step: &Value) -> bool {
    let is = |field: &str, fits: fn(&Value) -> bool| step.get(field).is_none_or(fits);
    let texts =
        |values: Option<&Vec<Value>>| values.is_some_and(|v| v.iter().all(Value::is_string));
    let map = step.get("parameters").map(|map| {
        map.as_object()
            .is_some_and(|map| map.values().all(Value::is_string))
    });
    is("action", Value::is_string)
        && is("timeout", Value::is_string)
        && map.unwrap_or(true)
        && step
            .get("dependsOn")
            .is_none_or(|needs| texts(needs.as_array()))
}

/// Whether each step is reached where those come first that it depends on.
fn comes_to_an_end(steps: &[Value]) -> bool {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for _ in steps {
        let ready = steps.iter().filter(|step| {
            let mut needs = list(step, &["dependsOn"]).iter();
            needs.all(|need| need.as_str().is_some_and(|need| done.contains(need)))
        });
        let ready: Vec<&str> = ready.filter_map(|step| text(step, &["name"])).collect();
        done.extend(ready);
    }
    done.len() == steps.len()
}
