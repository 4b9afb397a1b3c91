//! A difference, told as the shortest sequence that shows it.

use serde_json::Value;

use crate::{
    compare::{Difference, is_unmarked},
    request::{Body, Request, Step},
    stage::Pair,
};

/// Tries at most: a sequence is short, and each try takes both servers.
const TRIES: usize = 60;

/// The shortest sequence found that still shows a difference, and the difference.
pub(crate) async fn shrink(
    pair: &Pair,
    steps: &[Step],
    difference: Difference,
) -> (Vec<Step>, Difference) {
    let story = what_it_is_about(&steps[difference.step], &difference);
    let mut best = (steps.to_vec(), difference);
    let mut tries = 0;
    let mut changed = true;
    while changed {
        changed = false;
        let mut index = 0;
        loop {
            let candidates = smaller(&best.0, index);
            if index >= best.0.len() {
                break;
            }
            let mut shrunk = false;
            for candidate in candidates {
                if tries == TRIES {
                    return best;
                }
                tries += 1;
                let found = pair.compare(&candidate).await.difference;
                let same =
                    |found: &Difference| story == what_it_is_about(&candidate[found.step], found);
                if let Some(found) = found.filter(same) {
                    best = (candidate, found);
                    (changed, shrunk) = (true, true);
                    break;
                }
            }
            if !shrunk {
                index += 1;
            }
        }
    }
    best
}

/// What must stay the same for it to be the same story: what was asked for, which part of the answer differs, its code, and
/// whether a watch lost the request that ends it.
fn what_it_is_about(
    step: &Step,
    difference: &Difference,
) -> (&'static str, String, [Value; 2], bool) {
    let part = difference.place.split('/').nth(1).unwrap_or_default();
    let codes = [&difference.real, &difference.simulated].map(|answer| answer["code"].clone());
    (
        step.verb(),
        part.to_owned(),
        codes,
        is_unmarked(&difference.real),
    )
}

/// The sequence without step `index`, and with that step made simpler in each way there is.
fn smaller(steps: &[Step], index: usize) -> Vec<Vec<Step>> {
    let Some(step) = steps.get(index) else {
        return Vec::new();
    };
    let mut without = steps.to_vec();
    without.remove(index);
    let mut candidates = vec![without];
    // A watch that is refused could become one that is not, and that never ends.
    if let Step::Send(request) = step
        && request.parameter("watch").is_none()
    {
        candidates.extend(simpler(request).into_iter().map(|request| {
            let mut steps = steps.to_vec();
            steps[index] = Step::Send(request);
            steps
        }));
    }
    candidates
}

fn simpler(request: &Request) -> Vec<Request> {
    let mut simpler = Vec::new();
    for index in 0..request.query.len() {
        let mut fewer = request.clone();
        fewer.query.remove(index);
        simpler.push(fewer);
    }
    if request.accept.is_some() {
        simpler.push(Request {
            accept: None,
            ..request.clone()
        });
    }
    if let Body::Json(body) = &request.body {
        for place in ["", "/metadata", "/metadata/labels", "/spec", "/status"] {
            let Some(fields) = body.pointer(place).and_then(|value| value.as_object()) else {
                continue;
            };
            for field in fields.keys() {
                let mut less = body.clone();
                if let Some(map) = less
                    .pointer_mut(place)
                    .and_then(|value| value.as_object_mut())
                {
                    map.remove(field);
                }
                simpler.push(Request {
                    body: Body::Json(less),
                    ..request.clone()
                });
            }
        }
    }
    simpler
}

/// The steps, and both answers.
pub(crate) fn tell(steps: &[Step], difference: &Difference) -> String {
    let mut story = String::new();
    for (index, step) in steps.iter().enumerate() {
        story.push_str(&format!("  {}. {step}\n", index + 1));
    }
    story + &answers(difference)
}

/// The one step, and both answers.
pub(crate) fn tell_end(steps: &[Step], difference: &Difference) -> String {
    format!("  {}\n{}", steps[difference.step], answers(difference))
}

fn answers(difference: &Difference) -> String {
    format!(
        "at step {}, {} differs:\n  real:      {}\n  simulated: {}\n",
        difference.step + 1,
        difference.place,
        difference.real,
        difference.simulated
    )
}
