//! Plans that the orchestrator runs itself: whether one can be run, which steps are ready, whether it changed.

use std::collections::{BTreeMap, BTreeSet};

use crate::children::{Plan, PlanStep};
use crate::names;
use crate::text;

/// The most steps that a plan may have.
pub const MOST_STEPS: usize = 64;
/// What `executedBy` says where the orchestrator runs the steps.
pub const OURS: &str = "Orchestrator";

/// Whether the orchestrator runs this plan's steps itself.
#[must_use]
pub fn is_ours(plan: &Plan) -> bool {
    plan.executed_by == OURS
}

/// Why this plan cannot be run; `None` if it can.
#[must_use]
pub fn problem(plan: &Plan) -> Option<String> {
    let count = plan.steps.len();
    if count == 0 {
        return Some("the plan has no step that can be read".to_owned());
    }
    if count > MOST_STEPS {
        return Some(format!(
            "the plan has {count} steps, {MOST_STEPS} are allowed"
        ));
    }
    let shown = |name: &str| text::clean(name, names::LONGEST_LABEL);
    let mut known = BTreeSet::new();
    for step in &plan.steps {
        if !is_dns_label(&step.name) {
            return Some(format!(
                "the step name `{}` is no DNS label (a-z, 0-9 and `-`, at most 63)",
                shown(&step.name)
            ));
        }
        if !known.insert(step.name.as_str()) {
            return Some(format!("two steps are named `{}`", step.name));
        }
    }
    for step in &plan.steps {
        if let Some(missing) = step.depends_on.iter().find(|d| !known.contains(d.as_str())) {
            return Some(format!(
                "step `{}` depends on `{}`, which is no step",
                step.name,
                shown(missing)
            ));
        }
    }
    circle(&plan.steps).map(|name| format!("step `{name}` depends on itself in a circle"))
}

/// The steps whose dependencies are all completed and that are not begun, in the plan's order.
pub fn ready<'a>(
    plan: &'a Plan,
    begun: &'a dyn Fn(&str) -> bool,
    completed: &'a dyn Fn(&str) -> bool,
) -> impl Iterator<Item = &'a PlanStep> {
    plan.steps.iter().filter(move |step| {
        !begun(&step.name)
            && step
                .depends_on
                .iter()
                .all(|dependency| completed(dependency))
    })
}

/// What status records of a plan that was begun: the number of its steps, a colon, a hash of the whole.
#[must_use]
pub fn fingerprint(plan: &Plan) -> String {
    // Plans are plain trees of structs with string keys: serialising one cannot fail.
    let text = serde_json::to_string(plan).unwrap_or_default();
    format!("{}:{}", plan.steps.len(), names::hash(&text, 16))
}

/// How many steps the plan of this fingerprint has.
#[must_use]
pub fn steps_of(fingerprint: &str) -> Option<usize> {
    fingerprint.split_once(':')?.0.parse().ok()
}

/// A step that can never be ready, because following dependencies from it leads back to it.
fn circle(steps: &[PlanStep]) -> Option<&str> {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = steps
        .iter()
        .map(|step| {
            let needs = step.depends_on.iter().map(String::as_str).collect();
            (step.name.as_str(), needs)
        })
        .collect();
    loop {
        let free: Vec<&str> = waiting
            .iter()
            .filter(|(_, needs)| needs.is_empty())
            .map(|(name, _)| *name)
            .collect();
        if free.is_empty() {
            return waiting.into_keys().next();
        }
        for name in free {
            waiting.remove(name);
            for needs in waiting.values_mut() {
                needs.remove(name);
            }
        }
    }
}

fn is_dns_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty()
        && name.len() <= names::LONGEST_LABEL
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(steps: &[(&str, &[&str])]) -> Plan {
        Plan {
            executed_by: OURS.into(),
            steps: steps
                .iter()
                .map(|(name, needs)| PlanStep {
                    name: (*name).into(),
                    depends_on: needs.iter().map(ToString::to_string).collect(),
                    ..PlanStep::default()
                })
                .collect(),
        }
    }

    #[test]
    fn a_plan_that_can_be_run_has_no_problem() {
        assert_eq!(
            problem(&plan(&[
                ("a", &[]),
                ("b", &["a"]),
                ("c", &["a"]),
                ("d", &["b", "c"])
            ])),
            None
        );
    }

    #[test]
    fn what_cannot_be_run_is_named() {
        let many: Vec<String> = (0..65).map(|n| format!("s{n}")).collect();
        let many: Vec<(&str, &[&str])> = many.iter().map(|name| (name.as_str(), &[][..])).collect();
        for (bad, says) in [
            (plan(&[]), "no step"),
            (plan(&[("a", &[]), ("a", &[])]), "two steps are named `a`"),
            (plan(&[("a", &["z"])]), "depends on `z`"),
            (plan(&[("a", &["b"]), ("b", &["a"])]), "circle"),
            (plan(&[("a", &["a"])]), "circle"),
            (plan(&[("Bad_Name", &[])]), "DNS label"),
            (plan(&[("-a", &[])]), "DNS label"),
            (plan(&many), "65 steps"),
        ] {
            let problem = problem(&bad).expect(says);
            assert!(problem.contains(says), "{problem}");
        }
    }

    #[test]
    fn a_step_is_ready_once_all_it_depends_on_is_completed() {
        let plan = plan(&[("a", &[]), ("b", &["a"]), ("c", &[]), ("d", &["b", "c"])]);
        let names = |begun: &[&str], done: &[&str]| -> Vec<String> {
            ready(&plan, &|s| begun.contains(&s), &|s| done.contains(&s))
                .map(|step| step.name.clone())
                .collect()
        };
        assert_eq!(names(&[], &[]), ["a", "c"]);
        assert_eq!(names(&["a", "c"], &["a"]), ["b"]);
        assert_eq!(names(&["a", "b", "c"], &["a", "c"]), Vec::<String>::new());
        assert_eq!(names(&["a", "b", "c"], &["a", "b", "c"]), ["d"]);
    }

    #[test]
    fn a_changed_plan_has_another_fingerprint() {
        let one = plan(&[("a", &[]), ("b", &["a"])]);
        let mut two = one.clone();
        two.steps[1]
            .parameters
            .insert("replicas".into(), "3".into());
        assert_ne!(fingerprint(&one), fingerprint(&two));
        assert_eq!(steps_of(&fingerprint(&one)), Some(2));
    }
}
