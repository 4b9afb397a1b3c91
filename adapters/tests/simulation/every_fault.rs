//! Every single fault at every call of the reference lives: no promise is broken, and all faults that pass end as the
//! faultless life does, with the same creations and deletions.

use std::sync::Mutex;

use remediation_adapters::simulation::run::points::references;
use remediation_adapters::simulation::run::{Options, Stream};

use super::{on_all_cores, sorted};

#[test]
fn every_fault_at_every_point_ends_as_the_faultless_life_does() {
    let mut runs = 0;
    for reference in references() {
        assert_eq!(reference.report.broken, [], "{}", reference.name);
        let points = reference.points();
        assert!(
            reference.report.calls[&Stream::Work] >= 6 && points.len() > 400,
            "{}: the life is too short",
            reference.name
        );
        let wrong = Mutex::new(Vec::new());
        on_all_cores(points.len(), |number| {
            let point = &points[number];
            if let Some(story) = reference.with(&[point], &Options::default()) {
                let text = format!("{:?}: {story}", point.trouble);
                wrong.lock().unwrap().push(text);
            }
        });
        let wrong = sorted(wrong);
        assert!(wrong.is_empty(), "S21: {}: {wrong:#?}", reference.name);
        runs += points.len();
    }
    println!("{runs} runs");
}
