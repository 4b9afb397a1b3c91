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
use domain::build::{Built, build};
use domain::families::{Digits, FAMILIES, Family, WIDE};

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
    assert!(
        every > 1 || whole.cases >= 5_000_000,
        "{} cases",
        whole.cases
    );
}

#[test]
fn an_input_made_from_the_one_before_is_what_it_would_be_alone() {
    let counted = |family: &Family, index| (family.make)(&mut Digits::exact(index));
    let drawn = |family: &Family, index| (family.make)(&mut Digits::random(1, index));
    for family in FAMILIES.iter().chain([&WIDE]) {
        let mut kept = 0;
        let mut last = None;
        for index in (0..3_000).chain((3_000..2_000_000).step_by(1_999)) {
            let case = if family.name == WIDE.name {
                drawn(family, index)
            } else {
                counted(family, index)
            };
            let same = |last: &Built| last.case.has_children_of(&case);
            kept += usize::from(last.as_ref().is_some_and(same));
            let alone = build(&case, None);
            let input = build(&case, last.take());
            assert_eq!(input.state.request, alone.state.request, "{case:?}");
            assert_eq!(input.state.memory, alone.state.memory, "{case:?}");
            assert_eq!(input.children, alone.children, "{case:?}");
            assert_eq!(input.now, alone.now, "{case:?}");
            last = Some(Built { case, input });
        }
        assert!(kept > 100 || family.name == WIDE.name, "{}", family.name);
    }
}
