//! Random lives: children that say anything, calls that are refused or lost, processes that die, clocks that jump.
//! The oracle looks on at every call; once the faults stop, the remediation comes to its one end.

use jiff::SignedDuration;
use proptest::prelude::*;
use remediation_core::children::ChildKey;
use remediation_core::error::ApiFailure;
use remediation_core::kind::ChildKind;
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::status::Status;
use remediation_core::time::Time;
use serde_json::Value;

use crate::world::api::{
    any, conflicting, creates, failure, forbidden, invalid, notifies, reads, records, timeout,
    unavailable,
};
use crate::world::{Crash, Fate, Fits, Reply, World};
use crate::{any as some, cases};

/// Something that happens, before the next pass.
#[derive(Clone, Debug)]
enum Move {
    /// The child of this number says something.
    Says(usize, Value),
    /// So many milliseconds pass, or the clock jumps back.
    Time(i64),
    /// Calls of this sort are answered otherwise, so often.
    Fault(Fits, Reply, u32),
    /// The process dies at a call.
    Dies(Crash),
    /// The process is started anew between two passes.
    Restart,
    /// The child of this number is gone.
    Vanishes(usize),
    /// The child of this number gets a deletion timestamp.
    IsDeleting(usize),
    /// The child of this number loses its owner reference.
    LosesOwner(usize),
    /// The cache does not show this child, or shows all of them again.
    Hides(Option<usize>),
    /// The request is suspended, or goes on.
    Suspend(bool),
}

/// What somebody does to a status by hand.
#[derive(Clone, Debug)]
enum Edit {
    Phase(PhaseWord),
    PhaseStart(Option<Time>),
    Everything(Box<Status>),
    NoReferences,
}

fn a_fault() -> impl Strategy<Value = Move> {
    let sorts: Vec<Fits> = vec![any, creates, records, reads, notifies];
    let refusals: Vec<ApiFailure> = vec![
        forbidden("cannot create resource"),
        invalid(),
        failure(429, "TooManyRequests", "slow down"),
        failure(500, "InternalError", "etcd is slow"),
        unavailable(),
        timeout(),
    ];
    let refuse = prop::sample::select(refusals).prop_map(Reply::Refuse);
    let often = (prop_oneof![3 => refuse, 1 => Just(Reply::Lose)], 1_u32..6);
    let conflicts = (Just(Reply::Refuse(conflicting())), 1_u32..3);
    (
        prop::sample::select(sorts),
        prop_oneof![4 => often, 1 => conflicts],
    )
        .prop_map(|(sort, (reply, times))| Move::Fault(sort, reply, times))
}

fn a_crash() -> impl Strategy<Value = Move> {
    let fate = prop_oneof![
        Just(Fate::NotApplied),
        Just(Fate::Applied),
        (1_usize..4).prop_map(Fate::AppliedLate),
    ];
    (0_usize..4, fate).prop_map(|(at, fate)| Move::Dies(Crash { at, fate }))
}

fn a_move() -> impl Strategy<Value = Move> {
    let which = 0_usize..8;
    prop_oneof![
        8 => (which.clone(), some::report()).prop_map(|(child, said)| Move::Says(child, said)),
        3 => prop_oneof![4 => 0_i64..60_000, 1 => 0_i64..1_000_000, 1 => -60_000_i64..0].prop_map(Move::Time),
        3 => a_fault(),
        3 => a_crash(),
        1 => Just(Move::Restart),
        1 => which.clone().prop_map(Move::Vanishes),
        1 => which.clone().prop_map(Move::IsDeleting),
        1 => which.clone().prop_map(Move::LosesOwner),
        1 => proptest::option::of(which).prop_map(Move::Hides),
        1 => proptest::bool::ANY.prop_map(Move::Suspend),
    ]
}

fn an_edit() -> impl Strategy<Value = Edit> {
    let words = Phase::ALL.map(PhaseWord::Known).to_vec();
    let unknown = PhaseWord::Unknown("Hibernating".into());
    prop_oneof![
        4 => prop::sample::select([words, vec![unknown]].concat()).prop_map(Edit::Phase),
        2 => proptest::option::of(some::time()).prop_map(Edit::PhaseStart),
        1 => some::status().prop_map(|status| Edit::Everything(Box::new(status))),
        1 => Just(Edit::NoReferences),
    ]
}

/// The child of this number, of those that are owned.
fn child(world: &World, number: usize) -> Option<ChildKey> {
    let mut owned: Vec<_> = world.objects.keys().collect();
    owned.retain(|key| key.kind != ChildKind::NotificationRequest);
    let index = number.checked_rem(owned.len())?;
    Some(owned[index].clone())
}

fn happen(world: &mut World, what: Move) {
    if world.request.is_none() {
        return;
    }
    let key = |number| child(world, number);
    match what {
        Move::Says(number, said) => {
            if let Some(key) = key(number) {
                world.write_status(&key, said);
            }
        }
        Move::Time(millis) => world.now += SignedDuration::from_millis(millis),
        Move::Fault(sort, reply, times) => {
            world.faults.clear();
            world.fault(sort, reply, Some(times));
        }
        Move::Dies(crash) => world.crash = Some(crash),
        Move::Restart => world.restart(),
        Move::Vanishes(number) => {
            if let Some(key) = key(number) {
                world.objects.remove(&key);
            }
        }
        Move::IsDeleting(number) => {
            if let Some(key) = key(number) {
                world.change(&key, |child| child.deleting = true);
            }
        }
        Move::LosesOwner(number) => {
            if let Some(key) = key(number) {
                world.change(&key, |child| child.owner = None);
            }
        }
        Move::Hides(Some(number)) => world.hidden.extend(key(number)),
        Move::Hides(None) => world.hidden.clear(),
        Move::Suspend(suspend) => return world.suspend(suspend),
    }
    world.reconcile();
}

fn edit(world: &mut World, edit: Edit) {
    if world.request.is_none() {
        return;
    }
    world.edit(|status| match edit {
        Edit::Phase(word) => status.phase = Some(word),
        Edit::PhaseStart(time) => status.phase_start_time = time,
        Edit::Everything(edited) => *status = *edited,
        Edit::NoReferences => {
            status.remediation_processing_ref = None;
            status.ai_analysis_ref = None;
            status.workflow_execution_ref = None;
            status.kubernetes_execution_refs.clear();
        }
    });
}

/// What holds after every pass, beyond what the oracle checks at each call.
fn check(world: &World) -> Result<(), TestCaseError> {
    let Some(request) = &world.request else {
        return Ok(());
    };
    let active = !request.status.is_terminal() && !request.spec.suspend;
    prop_assert!(
        !active || world.wake.is_some(),
        "S10: active, and no wake-up"
    );
    Ok(())
}

/// While calls are late, answers lost and caches behind, a second pass at the same moment may well see news: only where
/// nothing of that is going on it must rest.
fn new_world() -> World {
    let mut world = World::new();
    world.rests = false;
    world
}

/// Nothing is in the way any more.
fn clear_the_way(world: &mut World) {
    world.faults.clear();
    world.hidden.clear();
    world.crash = None;
    for (_, call) in std::mem::take(&mut world.late) {
        world.apply(&call);
    }
}

/// Nothing is in the way any more; three hours pass, and more where a hand wrote that its clock stood still.
pub(crate) fn calm_down(world: &mut World) {
    clear_the_way(world);
    if world.request.is_some() {
        world.suspend(false);
    }
    world.run_for_secs(3 * 3_600);
    for _ in 0..4 {
        let ended = world
            .request
            .as_ref()
            .is_none_or(|request| request.status.is_terminal());
        if let Some(wake) = world.wake.filter(|_| !ended) {
            world.now = world.now.max(wake);
            world.reconcile();
        }
    }
}

/// L2: it has come to its one end, people know, and nothing more is asked for.
pub(crate) fn at_the_end(world: &World) -> Result<(), TestCaseError> {
    let phase = world.phase();
    let mut again = world.clone();
    again.reconcile();
    prop_assert_eq!(again.calls.len(), world.calls.len(), "L2: not at rest");
    prop_assert!(phase.is_terminal(), "L2: still {phase}");
    Ok(())
}

/// Passes that a death may cost.
const MOST_PASSES: u32 = 3;

/// L7: after a death, with nothing in the way, it is back on its way within three passes: what is asked for is done, and
/// what is waited for will wake it.
pub(crate) fn back_on_its_way(world: &mut World) -> Result<(), TestCaseError> {
    let mut asked = 1;
    for _ in 0..=MOST_PASSES {
        let before = world.calls.len();
        world.reconcile();
        asked = world.calls[before..]
            .iter()
            .filter(|call| !reads(call))
            .count();
    }
    prop_assert_eq!(
        asked,
        0,
        "L7: not back on its way after {} passes",
        MOST_PASSES
    );
    check(world)
}

fn walk(moves: Vec<Move>) -> Result<World, TestCaseError> {
    let mut world = new_world();
    world.reconcile();
    for what in moves {
        happen(&mut world, what);
        check(&world)?;
    }
    calm_down(&mut world);
    Ok(world)
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn every_life_keeps_the_promises_and_comes_to_one_end(
        moves in prop::collection::vec(a_move(), 1..25),
    ) {
        let world = walk(moves)?;
        at_the_end(&world)?;
        let phase = world.phase();
        let told = (world.notification("success").is_some(), world.notification("escalation").is_some());
        let for_good = world.condition("Escalated").is_some_and(|(is, why, _)| (is, why) == ("False", "Invalid"));
        let one = (phase == Phase::Completed, phase == Phase::Failed);
        let known = world.oracle.window && phase == Phase::Failed && told == (true, true);
        prop_assert!(told == one || known || (told == (false, false) && for_good), "S12: {phase}, {told:?}");
    }

    #[test]
    fn a_status_that_is_edited_on_the_way_still_comes_to_an_end(
        before in prop::collection::vec(a_move(), 0..12),
        by_hand in an_edit(),
        after in prop::collection::vec(a_move(), 0..8),
    ) {
        let mut world = new_world();
        world.reconcile();
        for what in before {
            happen(&mut world, what);
        }
        edit(&mut world, by_hand);
        for what in after {
            happen(&mut world, what);
        }
        calm_down(&mut world);
        let ended = world.request.as_ref().is_none_or(|request| request.status.is_terminal());
        prop_assert!(ended, "L2: still {:?}", world.status().phase);
    }

    #[test]
    fn three_passes_after_a_death_it_is_back_on_its_way(
        moves in prop::collection::vec(a_move(), 0..12),
        said in some::report(),
        crash in a_crash(),
    ) {
        let mut world = new_world();
        world.reconcile();
        for what in moves {
            happen(&mut world, what);
        }
        clear_the_way(&mut world);
        happen(&mut world, crash);
        happen(&mut world, Move::Says(0, said));
        clear_the_way(&mut world);
        back_on_its_way(&mut world)?;
    }

    #[test]
    fn nothing_is_asked_for_once_the_request_is_being_deleted(
        moves in prop::collection::vec(a_move(), 0..12),
        after in prop::collection::vec(a_move(), 1..6),
    ) {
        let mut world = new_world();
        for what in moves {
            happen(&mut world, what);
        }
        world.late.clear();
        world.request.as_mut().unwrap().deleting = true;
        world.reconcile();
        let calls = world.calls.len();
        for what in after {
            happen(&mut world, what);
        }
        prop_assert_eq!(world.calls.len(), calls, "S5");
    }
}
