//! Decisions from any view at all: they never panic, are the same twice, and create nothing for what is over.

use proptest::prelude::*;
use remediation_core::action::Action;
use remediation_core::children::{Child, Children};
use remediation_core::decide::{Decision, State, explain};
use remediation_core::kind::ChildKind;
use remediation_core::status::Status;
use remediation_core::time::Time;

use crate::world::api::reads;
use crate::world::{Object, World};
use crate::{any as some, cases};

/// A world whose request and children are whatever somebody made of them.
fn world(status: Status, children: Vec<Child>, flags: (bool, bool), now: Time) -> World {
    let mut world = World::with(|request| {
        request.status = status;
        request.deleting = flags.0;
        request.spec.suspend = flags.1;
    });
    world.now = now.moment();
    world.oracle.edited = true;
    for child in children {
        let spec = serde_json::Value::Null;
        world
            .objects
            .insert(child.key.clone(), Object { child, spec });
    }
    world
}

fn any_world() -> impl Strategy<Value = World> {
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.2));
    let children = prop::collection::vec(some::child(), 0..6);
    (some::status(), children, flags, some::time())
        .prop_map(|(status, children, flags, now)| world(status, children, flags, now))
}

/// S18: the same input gives the same decision.
pub(crate) fn is_the_same_twice(decide: impl Fn() -> Decision) -> Result<Decision, TestCaseError> {
    let decision = decide();
    prop_assert_eq!(format!("{:?}", decision), format!("{:?}", decide()), "S18");
    Ok(decision)
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn decisions_are_total_pure_and_create_nothing_for_what_is_over(world in any_world()) {
        let state = State {
            request: world.request.clone().unwrap(),
            ..State::default()
        };
        let children: Children = world.objects.values().map(|o| o.child.clone()).collect();
        let decision = is_the_same_twice(|| explain(&state, &children, world.now))?;
        let request = &state.request;
        let owed = request.status.condition("Escalated").is_some_and(|c| c.status == "False");
        for action in &decision.actions {
            let Action::Create(new) = action else { continue };
            prop_assert!(!request.deleting, "S5: being deleted");
            let told = owed && new.key.kind == ChildKind::NotificationRequest;
            prop_assert!(!request.status.is_terminal() || told, "S5: it ended");
            prop_assert!(!request.spec.suspend || request.status.is_terminal(), "S34: suspended");
        }
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_pass_from_anything_comes_to_rest(mut world in any_world()) {
        world.rests = false;
        world.reconcile();
        let before = world.calls.len();
        world.reconcile();
        let changes: Vec<_> = world.calls[before..].iter().filter(|call| !reads(call)).collect();
        prop_assert!(changes.is_empty(), "S19: not at rest, asks for {changes:#?}");
    }
}
