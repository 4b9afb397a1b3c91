//! Every single fault at every call of the reference lives: each strikes, no promise is broken, and all faults that pass
//! end as the faultless life does, with the same creations and deletions.

use std::sync::Mutex;

use remediation_adapters::simulation::run::points::references;
use remediation_adapters::simulation::run::{Options, Stream, Trouble};

use super::{on_all_cores, sorted};

/// How many runs there are of each life. They follow from the calls that the operator makes and the events that it sees:
/// where these change, so does this, and with it what `docs/reliability.md`, `docs/reliability/simulation.md` and
/// `LAYERS` say.
const RUNS: [(&str, usize); 6] = [
    ("one step", 791),
    ("a plan", 972),
    ("an approval", 862),
    ("a failure", 833),
    ("a timeout", 676),
    ("two replicas", 774),
];

#[test]
fn every_fault_at_every_point_ends_as_the_faultless_life_does() {
    let mut runs = Vec::new();
    for reference in references() {
        assert_eq!(reference.report.broken, [], "{}", reference.name);
        let points = reference.points();
        let wrong = Mutex::new(Vec::new());
        on_all_cores(points.len(), |number| {
            let point = &points[number];
            let report = reference.run(&[point], &Options::default());
            let mut wrong = wrong.lock().unwrap();
            if !report.reach.troubles.contains_key(&point.trouble.sort()) {
                wrong.push(format!("{:?} never struck", point.trouble));
            }
            for violation in report.broken {
                wrong.push(format!("{:?}: {violation}", point.trouble));
            }
        });
        let wrong = sorted(wrong);
        assert!(wrong.is_empty(), "S21: {}: {wrong:#?}", reference.name);
        runs.push((reference.name, points.len()));
    }
    assert_eq!(
        runs,
        RUNS,
        "{} runs",
        runs.iter().map(|of| of.1).sum::<usize>()
    );
}

#[test]
fn two_replicas_are_tried_at_each_call_of_the_lease_of_a_life() {
    let mut lives = references().into_iter();
    let two = lives.find(|life| life.name == "two replicas").unwrap();
    assert_eq!(two.plan.replicas, 2);
    let mut crashed: Vec<u32> = two
        .points()
        .iter()
        .filter_map(|point| match point.trouble {
            Trouble::Crash {
                stream: Stream::Lease,
                nth,
                ..
            } => Some(nth),
            _ => None,
        })
        .collect();
    crashed.dedup();
    let under_way = two.report.calls_to_first_end[&Stream::Lease];
    assert_eq!(crashed, (0..under_way).collect::<Vec<_>>());
    assert!(under_way >= 6, "both ask for it, and one renews it");
}
