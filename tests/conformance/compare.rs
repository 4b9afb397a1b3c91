//! Compares two transcripts of the same steps.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    explained,
    mask::masked,
    request::Step,
    run::{Transcript, UNMARKED},
};

/// The first step at which the servers differ.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    /// Index of the step.
    pub(crate) step: usize,
    /// Where in the answer.
    pub(crate) place: String,
    pub(crate) real: Value,
    pub(crate) simulated: Value,
}

/// What a comparison found: the first unexplained difference, and how often each explained one was met.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) difference: Option<Difference>,
    pub(crate) explained: BTreeMap<&'static str, usize>,
}

pub(crate) fn compare(steps: &[Step], real: &Transcript, simulated: &Transcript) -> Comparison {
    let mut comparison = Comparison::default();
    let mut pairs: Vec<_> = masked(real)
        .into_iter()
        .zip(masked(simulated))
        .enumerate()
        .collect();
    // Watches last: they tell the consequences of what answers have told before.
    pairs.sort_by_key(|(index, _)| matches!(steps[*index], Step::Watch { .. }));
    for (index, (mut real, mut simulated)) in pairs {
        if is_unmarked(&real) {
            // Equal or not: a watch that did not see its own end has shown nothing.
            comparison.difference = Some(Difference {
                step: index,
                place: "/events".to_owned(),
                real,
                simulated,
            });
            return comparison;
        }
        if real == simulated {
            continue;
        }
        for name in explained::level(&steps[index], &mut real, &mut simulated) {
            *comparison.explained.entry(name).or_default() += 1;
        }
        if let Some(place) = first_difference(&real, &simulated, "") {
            comparison.difference = Some(Difference {
                step: index,
                place,
                real,
                simulated,
            });
            return comparison;
        }
    }
    comparison
}

/// Whether these are the events of a watch that did not see its own end.
pub(crate) fn is_unmarked(answer: &Value) -> bool {
    let events = answer["events"].as_array();
    events
        .and_then(|events| events.last())
        .is_some_and(|event| event == UNMARKED)
}

fn first_difference(left: &Value, right: &Value, place: &str) -> Option<String> {
    match (left, right) {
        _ if left == right => None,
        (Value::Object(left), Value::Object(right)) => {
            let mut fields: Vec<&String> = left.keys().chain(right.keys()).collect();
            // The code and the reason tell more than a message does.
            fields.sort_by_key(|field| (!matches!(field.as_str(), "code" | "reason"), *field));
            fields.into_iter().find_map(|field| {
                let (left, right) = (left.get(field), right.get(field));
                first_difference(
                    left.unwrap_or(&Value::from("(absent)")),
                    right.unwrap_or(&Value::from("(absent)")),
                    &format!("{place}/{field}"),
                )
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => left
            .iter()
            .zip(right)
            .enumerate()
            .find_map(|(index, (left, right))| {
                first_difference(left, right, &format!("{place}/{index}"))
            }),
        _ => Some(place.to_owned()),
    }
}
