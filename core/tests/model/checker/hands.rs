//! What people do.

use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::status::Status;

use super::config::Hand;
use super::moves::Move;
use super::passes::Passes;
use super::state::{
    DELETING, DISTURBED, EDITED, FOREIGN, Obj, Rr, SUSPENDED, UNLABELLED, UNNAMED, World,
};
use super::words::{REQUEST_SLOTS, STEP_A, WFE};

/// The phases that a hand writes.
fn edited(which: u8) -> PhaseWord {
    match which {
        0 => PhaseWord::Known(Phase::Processing),
        1 => PhaseWord::Known(Phase::Executing),
        2 => PhaseWord::Known(Phase::Completed),
        3 => PhaseWord::Known(Phase::Pending),
        _ => PhaseWord::Unknown("Hibernating".into()),
    }
}

/// What may be done in this state.
pub(crate) fn moves(passes: &Passes, world: &World, moves: &mut Vec<Move>) {
    let there = world.rr.exists();
    let active = there && !world.rr.is(DELETING);
    for hand in passes.config.hands {
        let slots = 0..REQUEST_SLOTS as u8;
        let steps = passes.config.planned;
        let slots = slots.filter(|slot| steps || usize::from(*slot) < STEP_A);
        let obj = |slot: u8| world.objs[usize::from(slot)];
        let ours = |slot: &u8| obj(*slot).exists() && !obj(*slot).is(DELETING);
        let mut all = |fits: bool, which: Vec<u8>| {
            if fits {
                moves.extend(which.into_iter().map(|which| Move::Hand(*hand, which)));
            }
        };
        match hand {
            Hand::Delete | Hand::DeleteForeground | Hand::Suspend => all(active, vec![0]),
            Hand::Recreate => all(!there && world.requests < 2, vec![0]),
            Hand::DeleteChild | Hand::BeginDeleteChild => all(true, slots.filter(ours).collect()),
            Hand::Strip => {
                let stripped = |slot: &u8| obj(*slot).is(UNLABELLED) || obj(*slot).owner == FOREIGN;
                all(
                    active,
                    slots.filter(ours).filter(|s| !stripped(s)).collect(),
                );
            }
            Hand::Foreign => all(true, slots.filter(|slot| !obj(*slot).exists()).collect()),
            Hand::EditPhase => all(active, (0..5).collect()),
            Hand::EditRefs => {
                let refs = passes.statuses.facts(world.rr.status).refs;
                all(active && refs[WFE] != 0, vec![0]);
            }
            Hand::EditEnd => {
                let ended = passes.statuses.facts(world.rr.status).terminal;
                all(active && ended, vec![0]);
            }
        }
    }
}

pub(crate) fn act(passes: &Passes, world: &mut World, hand: Hand, which: u8) {
    let slot = usize::from(which);
    world.left.hands = world.left.hands.saturating_sub(1);
    if hand != Hand::Suspend {
        world.ghost.flags |= DISTURBED;
    }
    match hand {
        Hand::Delete => world.rr = Rr::default(),
        Hand::DeleteForeground => {
            world.rr.flags |= DELETING;
            world.rr.rv += 1;
        }
        Hand::Recreate => {
            world.requests += 1;
            world.rr = Rr {
                inc: world.requests,
                rv: 1,
                flags: 0,
                status: passes.statuses.id(&Status::default()),
            };
        }
        Hand::Suspend => {
            world.rr.flags ^= SUSPENDED;
            world.rr.rv += 1;
        }
        Hand::DeleteChild => world.objs[slot] = Obj::default(),
        Hand::BeginDeleteChild => {
            world.objs[slot].flags |= DELETING;
            world.objs[slot].rv += 1;
        }
        Hand::Strip => {
            let obj = &mut world.objs[slot];
            (obj.owner, obj.flags) = (0, obj.flags | UNLABELLED);
            obj.rv += 1;
        }
        Hand::Foreign => {
            world.incs[slot] += 1;
            world.objs[slot] = Obj {
                inc: world.incs[slot],
                rv: 1,
                owner: FOREIGN,
                // It says what would be believed first.
                status: [2, 3, 5, 2, 2][slot],
                ..Obj::default()
            };
        }
        Hand::EditPhase => edit(passes, world, |status| status.phase = Some(edited(which))),
        Hand::EditEnd => edit(passes, world, |status| status.completion_time = None),
        Hand::EditRefs => {
            world.ghost.flags |= UNNAMED;
            edit(passes, world, |status| {
                status.workflow_execution_ref = None;
                status.kubernetes_execution_refs.clear();
            });
        }
    }
}

fn edit(passes: &Passes, world: &mut World, change: impl FnOnce(&mut Status)) {
    let mut status = passes.statuses.get(world.rr.status).status.clone();
    change(&mut status);
    world.rr.status = passes.statuses.id(&status);
    world.rr.rv += 1;
    world.ghost.flags |= EDITED;
}
