//! `decide` over its whole abstract input domain, against an oracle that was written from the page of behaviour alone.
//!
//! A [`domain::Case`] is one choice for each thing that a decision can tell apart. The families of cases in
//! `domain/families.rs` are counted through to the end; of the product of all axes, cases are drawn. For each the answer
//! of `decide` must be the oracle's forecast: the same actions in the same order, field by field.
//!
//! ```text
//! cargo test -p remediation-core --test enumeration
//! ENUMERATION_DRAWN=50000000 ENUMERATION_SEED=7 cargo test --release -p remediation-core --test enumeration -- --nocapture
//! ```

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod campaign;
mod canaries;
mod compare;
mod domain;
mod oracle;
mod reach;
mod settle;

use remediation_core::decide::explain;

use campaign::{Campaign, number_from};
use domain::families::{FAMILIES, WIDE};

/// A third of the time went into the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Cases that are drawn from the product of all axes, in the ordinary test run.
const DRAWN: u64 = 500_000;

#[test]
fn every_decision_is_what_the_page_of_behaviour_asks_for() {
    // For a quick look while something is changed: a part of each family.
    let every = number_from("ENUMERATION_PART", 1).max(1);
    let seed = number_from("ENUMERATION_SEED", 1);
    let how = match every {
        1 => "every case".to_owned(),
        part => format!("one case of {part}"),
    };
    let mut whole = campaign::Report::default();
    for family in FAMILIES {
        let report = Campaign {
            family,
            seed: None,
            cases: family.size() / every,
        }
        .run(&explain);
        println!("{}", report.line(family.name, &how));
        report.assert_clean(family.name);
        whole.merge(report);
    }
    let drawn = Campaign {
        family: &WIDE,
        seed: Some(seed),
        cases: number_from("ENUMERATION_DRAWN", DRAWN),
    };
    let report = drawn.run(&explain);
    println!(
        "{}",
        report.line(WIDE.name, &format!("drawn with seed {seed}"))
    );
    report.assert_clean(WIDE.name);
    whole.merge(report);
    println!(
        "{}",
        whole.line("in all", "those counted through, and those drawn")
    );
    whole.reach.assert_complete();
}
