//! A pass comes to an end, whatever the API server answers and however the time goes on meanwhile.

use jiff::{SignedDuration, Timestamp};
use remediation_core::children::Children;
use remediation_core::decide::State;
use remediation_core::pass::{CONFLICT_TRIES, Call, Outcome, Pass, Step};
use remediation_core::request::Request;
use remediation_core::status::Status;

use crate::world::World;

/// How one pass ended: its calls, when it is to be woken after its end, and how often it decided.
struct Ended {
    calls: Vec<Call>,
    wake: Option<SignedDuration>,
    rounds: u32,
}

/// One pass over a new request; each call takes a second.
fn one_pass(answer: impl Fn(&mut World, &Call) -> Outcome) -> Ended {
    let mut world = World::new();
    let request = world.request.clone().unwrap();
    let state = State {
        request,
        settings: world.settings.clone(),
        memory: std::mem::take(&mut world.memory),
    };
    let mut pass = Pass::new(state, Children::default());
    let mut calls = Vec::new();
    let mut now: Timestamp = world.now;
    while calls.len() < 1000 {
        match pass.next(now) {
            Step::Call(call) => {
                now += SignedDuration::from_secs(1);
                let outcome = answer(&mut world, &call);
                pass.learn(outcome, now);
                calls.push(call);
            }
            Step::Announce(_) => {}
            Step::Done(wake) => {
                return Ended {
                    calls,
                    wake: wake.map(|wake| wake.duration_since(now)),
                    rounds: pass.rounds(),
                };
            }
        }
    }
    panic!("S19: a pass without an end: {:#?}", &calls[990..]);
}

#[test]
fn a_server_that_creates_something_else_is_not_asked_for_ever() {
    let ended = one_pass(|world, call| {
        let mut outcome = world.apply(call);
        if let Outcome::Child(child) = &mut outcome {
            world.objects.remove(&child.key);
            child.key.name.push_str("-else");
        }
        outcome
    });
    assert_eq!((ended.calls.len(), ended.rounds), (32, 32));
    assert_eq!(ended.wake, Some(SignedDuration::from_secs(1)));
}

#[test]
fn a_server_that_keeps_nothing_of_a_status_is_asked_three_times_though_each_status_is_another() {
    let ended = one_pass(|world, call| match world.apply(call) {
        Outcome::Request(kept) => Outcome::Request(Box::new(Request {
            status: Status::default(),
            ..*kept
        })),
        outcome => outcome,
    });
    let records = ended.calls.iter().filter_map(|call| match call {
        Call::Record(record) => Some(&record.to),
        _ => None,
    });
    let records: Vec<&Status> = records.collect();
    assert_eq!(records.len(), CONFLICT_TRIES as usize);
    assert!(records.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(ended.wake.is_some(), "S22: tried again later");
}
