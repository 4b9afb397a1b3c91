//! The same plan is the same run, to the byte.

use remediation_adapters::simulation::run::{Options, Plan, run};

fn trace(seed: u64) -> String {
    let options = Options {
        trace: true,
        ..Options::default()
    };
    run(&Plan::from_seed(seed), &options).trace
}

#[test]
fn the_same_seed_twice_is_the_same_trace_to_the_byte() {
    for seed in 0..40 {
        let (first, second) = (trace(seed), trace(seed));
        assert!(
            first.lines().count() > 30,
            "seed {seed}: something happened"
        );
        assert!(first == second, "S18: two runs of seed {seed} differ");
    }
}

#[test]
fn runs_on_other_threads_and_beside_others_are_the_same() {
    let alone: Vec<String> = (0..8).map(trace).collect();
    let beside: Vec<_> = (0..8)
        .map(|seed| std::thread::spawn(move || trace(seed)))
        .collect();
    for (seed, (alone, beside)) in alone.into_iter().zip(beside).enumerate() {
        assert!(
            alone == beside.join().unwrap(),
            "S18: two runs of seed {seed} differ"
        );
    }
}
