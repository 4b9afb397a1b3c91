//! Liveness: from a state, faults stop and everything that can go on does, in one fixed order. It must come to an end,
//! the right people must know, nothing may be left behind, and then nothing may be written any more.

use remediation_core::names::Occasion;
use remediation_core::phase::Phase;

use super::config::Hand;
use super::moves::{Move, Until, vanishes};
use super::passes::{Log, Next, Passes};
use super::reach::Reach;
use super::server::{CallC, is_garbage};
use super::state::{Budget, DELETING, DISTURBED, EDITED, FOREIGN, Obj, SUSPENDED, World};
use super::statuses::owed;
use super::table::Seen;
use super::words::{AIA, REQUEST_SLOTS, RP, WFE, notification_slot};

/// What the controllers do once faults have stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They succeed, and people agree.
    Helpful,
    /// They never write anything again.
    Silent,
}

/// Far more moves than any remediation needs to its end.
const MOST_MOVES: usize = 400;

/// Passes that may be needed in a phase before nothing is left but to wait.
const MOST_PASSES: u64 = 3;

/// Follows the schedule from here. The moves that were made, where something does not hold.
pub(crate) fn follow(
    passes: &Passes,
    from: &World,
    mode: Mode,
    good: &Seen,
    reach: &mut Reach,
) -> Option<(Vec<Move>, Vec<String>)> {
    let mut world = *from;
    world.left = Budget::default();
    let mut made = Vec::new();
    let mut met = Vec::new();
    let mut passes_here = 0;
    loop {
        let mark = world.fingerprint() ^ if mode == Mode::Silent { 0x5A5A } else { 0 };
        let mark = mark.wrapping_add(passes_here << 32);
        if good.parent(mark).is_some() {
            break;
        }
        met.push(mark);
        let mut found = Vec::new();
        let next = next_move(passes, &world, mode);
        let rests = matches!(next, None | Some(Move::Clock(_)));
        if rests && world.rr.exists() {
            at_rest(passes, &world, mode, next, &mut found);
        }
        if next.is_none() && !world.rr.exists() {
            left_behind(&world, &mut found);
        }
        if made.len() > MOST_MOVES {
            found.push("L2: it never comes to rest".into());
        }
        let mut after = world;
        if let Some(next) = next.filter(|_| found.is_empty()) {
            after = passes.step(&world, next, reach, &mut found);
            made.push(next);
            let phase = |world: &World| passes.statuses.facts(world.rr.status).phase;
            passes_here = match next {
                Move::Begin(_) => passes_here + 1,
                Move::Deliver(_) if phase(&world) == phase(&after) => passes_here,
                Move::Sync(..) => passes_here,
                _ => 0,
            };
            if passes_here > MOST_PASSES {
                found.push(format!(
                    "L7: {passes_here} passes in one phase, and still not on its way"
                ));
            }
        }
        if !found.is_empty() {
            return Some((made, found));
        }
        if next.is_none() {
            break;
        }
        world = after;
    }
    for mark in met {
        good.insert(mark, 1);
    }
    None
}

fn next_move(passes: &Passes, world: &World, mode: Mode) -> Option<Move> {
    if world.late[0] != 0 {
        return Some(Move::Late(0));
    }
    if let Some(slot) = (0..REQUEST_SLOTS).find(|slot| is_garbage(world, *slot)) {
        return Some(Move::Collect(slot as u8));
    }
    if let Some(slot) = (0..REQUEST_SLOTS).find(|slot| world.objs[*slot].is(DELETING)) {
        return Some(Move::Release(slot as u8));
    }
    if vanishes(world) {
        return Some(Move::Vanish);
    }
    if world.rr.is(SUSPENDED) {
        return Some(Move::Hand(Hand::Suspend, 0));
    }
    if world.procs[1].up {
        let busy = world.procs[1].pass != 0;
        return Some(if busy {
            Move::Deliver(1)
        } else {
            Move::Stop(1)
        });
    }
    let proc = &world.procs[0];
    if !proc.up {
        return Some(Move::Restart(0));
    }
    if proc.pass != 0 {
        return Some(Move::Deliver(0));
    }
    let sync = passes
        .moves(world)
        .into_iter()
        .find(|what| matches!(what, Move::Sync(..)));
    if sync.is_some() {
        return sync;
    }
    if proc.rr.exists() && does_something(passes, world) {
        return Some(Move::Begin(0));
    }
    if mode == Mode::Helpful {
        let helped = (0..REQUEST_SLOTS).find_map(|slot| helps(passes, world, slot));
        if helped.is_some() {
            return helped;
        }
    }
    passes
        .clock(world, Until::Wake)
        .map(|_| Move::Clock(Until::Wake))
}

/// Whether a pass would write anything, or end otherwise than the last one. Reading again what was read before is
/// nothing.
fn does_something(passes: &Passes, world: &World) -> bool {
    let (mut reach, mut found) = (Reach::default(), Vec::new());
    let mut next = passes.step(world, Move::Begin(0), &mut reach, &mut found);
    while next.procs[0].pass != 0 {
        match passes.node(next.procs[0].pass).next {
            Next::Call(CallC::Read { .. } | CallC::ReadRequest) => {}
            Next::Call(_) | Next::Done { .. } => return true,
        }
        next = passes.step(&next, Move::Deliver(0), &mut reach, &mut found);
    }
    next != *world
}

/// What a controller that does its work writes next.
fn helps(passes: &Passes, world: &World, slot: usize) -> Option<Move> {
    let obj = world.objs[slot];
    let planned = passes.config.planned;
    let next = match (slot, obj.status) {
        (RP | 3.., 0 | 1 | 4) => 2,
        (AIA, 0 | 1 | 4) => 3,
        (WFE, 0 | 1 | 4) if planned => 3,
        (WFE, 2 | 3) if planned => 6,
        (AIA, 2) | (WFE, 0 | 1 | 2 | 4) => 5,
        _ => return None,
    };
    let works = obj.exists() && obj.owner != FOREIGN && passes.begins_rightly(world, slot);
    works.then_some(Move::Says(slot as u8, next, false))
}

/// What does not hold where nothing more happens before the clock goes on, or ever.
fn at_rest(
    passes: &Passes,
    world: &World,
    mode: Mode,
    next: Option<Move>,
    found: &mut Vec<String>,
) {
    let facts = passes.statuses.facts(world.rr.status);
    if !facts.terminal {
        if next.is_none() {
            found.push("L2/L12: stuck, and nothing will wake it".into());
        }
        return;
    }
    if next.is_none() {
        found.push("L5: ended, and nothing will delete it".into());
    }
    let inc = world.rr.inc;
    let edited = world.ghost.flags & EDITED != 0;
    let told = |occasion| {
        let notification = world.objs[notification_slot(inc, occasion)];
        (notification.exists() && notification.owner == inc).then_some(notification)
    };
    if let Some(occasion) = owed(&facts).filter(|_| facts.escalated != Some(false)) {
        match told(occasion) {
            None => found.push(format!("L4: ended, and nobody was told ({occasion:?})")),
            Some(notification) => {
                let says = notification.extra == facts.reason;
                if occasion == Occasion::Escalation && !says && !edited {
                    found.push("S13: the escalation does not say what status says".into());
                }
            }
        }
    }
    let completed = facts.phase == Some(Phase::Completed) && !edited;
    if completed && told(Occasion::Escalation).is_some() {
        found.push("S12: Completed, and an escalation exists".into());
    }
    let smooth = mode == Mode::Helpful && world.ghost.flags & DISTURBED == 0;
    if smooth && facts.phase != Some(Phase::Completed) {
        found
            .push("S21: nothing went wrong but crashes and passing refusals, and it failed".into());
    }
    let memory = passes.memories.get(world.procs[0].memory);
    if memory.is_some_and(|memory| !memory.refusals.is_empty()) {
        // What was refused is tried again when the clock goes on; then it is looked at again.
        return;
    }
    for slot in 0..REQUEST_SLOTS {
        let obj = world.objs[slot];
        if obj.exists() && obj.owner == inc && facts.refs[slot] != obj.inc {
            found.push(format!("L14: a straggler stays in slot {slot}"));
        }
    }
    restart_changes_nothing(passes, world, found);
}

/// S22 and S28: whoever begins anew here has nothing to write, and is woken at the same moment.
fn restart_changes_nothing(passes: &Passes, world: &World, found: &mut Vec<String>) {
    let proc = &world.procs[0];
    let refs = passes.statuses.facts(proc.rr.status).refs;
    let mut objs = proc.cache;
    for (slot, obj) in objs.iter_mut().enumerate() {
        if obj.owner != proc.rr.inc && refs[slot] == 0 {
            *obj = Obj::default();
        }
    }
    if proc.memory != 0 && passes.statuses.facts(proc.rr.status).escalated == Some(false) {
        // A notification that is owed is tried again at once.
        return;
    }
    let (_, node) = passes.after(Log::Began {
        who: 0,
        now: world.now,
        memory: 0,
        rr: proc.rr,
        objs,
    });
    match node.next {
        Next::Call(call) => found.push(format!("S22: a restart at rest asks for {call:?}")),
        Next::Done { wake, .. } if wake != proc.wake => {
            found.push("S22: a restart at rest is woken at another moment".into());
        }
        Next::Done { .. } => {}
    }
}

/// L6: once the request is gone, all that it owned is.
fn left_behind(world: &World, found: &mut Vec<String>) {
    let owned = |obj: &Obj| obj.exists() && matches!(obj.owner, 1 | 2);
    if world.objs[..REQUEST_SLOTS].iter().any(owned) {
        found.push("L6: something is left behind".into());
    }
}
