//! The model checker in the ordinary test run: every configuration explored to its end, every promise checked at every
//! committed write, the schedules without faults followed to their end, and mistakes made on purpose caught.
//!
//! Longer explorations are a command: see `core/examples/model.rs` and `docs/reliability/model.md`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checker;

use std::time::Duration;

use checker::checkpoint;
use checker::config;
use checker::mistakes::CANARIES;
use checker::moves::{Fate, Move, Until};
use checker::passes::Passes;
use checker::reach::Reach;
use checker::search::{Limits, Report, Search};
use checker::server::Refusal;
use checker::story;

const LIMITS: Limits = Limits {
    states: 3_000_000,
    time: Duration::from_secs(900),
    threads: 2,
};

/// What must be reached in all configurations together, beyond every edge, every rule and every kind of move.
const SIGHTS: [&str; 7] = [
    "created again",
    "created for a request that is gone",
    "ended in Completed",
    "ended in Failed",
    "ownership given back",
    "request deleted after its time to live",
    "straggler swept",
];

/// Every kind of move but `Stop`, which is a schedule's own.
fn kinds() -> Vec<&'static str> {
    let refusals = [
        Refusal::Unavailable,
        Refusal::Timeout,
        Refusal::TooMany,
        Refusal::Forbidden,
        Refusal::Invalid,
        Refusal::Conflict,
    ];
    let fates = [Fate::NotApplied, Fate::Applied, Fate::Late];
    let untils = [Until::Wake, Until::Before, Until::Deadline, Until::Overall];
    let others = [
        Move::Begin(0),
        Move::Deliver(0),
        Move::Lose(0),
        Move::Delay(0),
        Move::Restart(0),
        Move::Sync(0, 0),
        Move::Says(0, 0, false),
        Move::Says(0, 0, true),
        Move::Collect(0),
        Move::Vanish,
        Move::Release(0),
        Move::Late(0),
    ];
    let refused = refusals.map(|refusal| Move::Refuse(0, refusal));
    let hands = config::Hand::ALL.map(|hand| Move::Hand(hand, 0));
    let moves = refused
        .into_iter()
        .chain(fates.map(|fate| Move::Die(0, fate)))
        .chain(untils.map(Move::Clock))
        .chain(others)
        .chain(hands);
    moves.map(Move::kind).collect()
}

fn explore(config: config::Config, reach: &mut Reach) -> Report {
    let name = config.name;
    let mut search = Search::new(config);
    let report = search.run(LIMITS);
    println!(
        "{name}: {} states, {} moves, depth {}, {} states of schedules, {} passes, {:.1} s",
        report.states,
        report.moves,
        report.depth,
        report.fair_states,
        report.passes,
        report.time.as_secs_f64()
    );
    if let Some(violation) = &report.violation {
        panic!("{name}\n{}", story::tell(&search, violation));
    }
    assert!(report.complete, "{name} was not explored to its end");
    reach.merge(&report.reach);
    report
}

#[test]
fn every_state_within_the_bounds_keeps_the_promises() {
    let mut reach = Reach::default();
    let reports = config::all()
        .into_iter()
        .map(|config| explore(config, &mut reach));
    let states: usize = reports.map(|report| report.states).sum();
    println!("{states} states in all");
    assert!(states >= 1_000_000, "only {states} states");
    assert_eq!(
        reach.edges_missing(),
        Vec::<String>::new(),
        "edges never taken"
    );
    assert_eq!(reach.rules_missing(), [], "rules never followed");
    let made = reach.by_kind();
    let lagged = made.contains_key(Move::Sync(0, 0).kind());
    assert!(lagged, "S20: no cache was ever behind");
    let never: Vec<_> = kinds()
        .into_iter()
        .filter(|kind| !made.contains_key(kind))
        .collect();
    assert_eq!(never, Vec::<&str>::new(), "never happened");
    let unseen: Vec<_> = SIGHTS
        .iter()
        .filter(|what| !reach.sights.contains_key(*what))
        .collect();
    assert_eq!(unseen, Vec::<&&str>::new(), "never seen");
}

/// The promises that a violation names before its colon: `S9/L1: at rest past a deadline`.
fn broken(what: &str) -> impl Iterator<Item = &str> {
    what.split(": ").next().unwrap_or_default().split('/')
}

#[test]
fn every_mistake_that_is_made_on_purpose_is_caught() {
    let mut missed = Vec::new();
    for canary in &CANARIES {
        let mut search = Search::new(canary.config());
        let report = search.run(Limits {
            states: 400_000,
            // One thread, so that it is always the same violation that is found first.
            threads: 1,
            ..LIMITS
        });
        let name = canary.mistake.name;
        let Some(violation) = report.violation else {
            missed.push(format!("{name}: nothing in {} states", report.states));
            continue;
        };
        println!(
            "{name}: {} after {} states",
            violation.what[0], report.states
        );
        let named = |what: &String| broken(what).any(|number| canary.breaks.contains(&number));
        if !violation.what.iter().any(named) {
            let told = story::tell(&search, &violation);
            missed.push(format!("{name} was taken for something else:\n{told}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_violation_is_told_as_a_story_that_can_be_walked_again() {
    let canary = &CANARIES[0];
    let mut search = Search::new(canary.config());
    let violation = search.run(LIMITS).violation.unwrap();
    let told = story::tell(&search, &violation);
    let again = told
        .lines()
        .find(|line| line.starts_with("again:"))
        .unwrap();
    let numbers = again
        .split(' ')
        .skip_while(|word| *word != "plain")
        .nth(1)
        .unwrap();
    let passes = Passes::new(canary.config());
    let path = story::read_path(&passes, numbers).unwrap();
    let (walked, _) = story::walk(&passes, &path, violation.fair);
    assert!(
        told.starts_with(&walked),
        "{told}\n\nwalked again:\n{walked}"
    );
}

#[test]
fn an_exploration_that_is_stopped_and_taken_up_again_ends_as_one_that_is_not() {
    let bounds = || {
        let mut config = config::named("plan").unwrap();
        (
            config.budget.faults,
            config.budget.lapses,
            config.budget.clock,
        ) = (0, 0, 0);
        config
    };
    let whole = Search::new(bounds()).run(LIMITS);
    let directory = std::env::temp_dir().join(format!("model-{}", std::process::id()));
    let mut half = Search::new(bounds());
    let first = half.run(Limits {
        states: whole.states / 2,
        ..LIMITS
    });
    assert!(!first.complete && first.states < whole.states);
    checkpoint::write(&half, &directory).unwrap();
    let rest = checkpoint::read(bounds(), &directory).unwrap().run(LIMITS);
    let mut others = bounds();
    others.budget.clock = 1;
    let refused = checkpoint::read(others, &directory).err();
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(rest.complete);
    assert_eq!((rest.states, rest.moves), (whole.states, whole.moves));
    assert!(refused.is_some_and(|error| error.to_string().contains("other bounds")));
}
