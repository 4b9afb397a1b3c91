//! A process of the operator: what its caches take in, what it keeps of an answer, and how a pass of it ends.

use super::passes::{Next, Node};
use super::reach::Reach;
use super::server::{CallC, Out, Refusal};
use super::state::{DELETING, Id, Proc, World};
use super::words::{STEP_A, STEP_B};

/// The slots of each watch; the request's own is 0.
fn watched(kind: u8) -> std::ops::Range<usize> {
    match kind {
        1..=3 => usize::from(kind) - 1..usize::from(kind),
        4 => STEP_A..STEP_B + 1,
        _ => 0..0,
    }
}

pub(crate) fn lags(world: &World, proc: &Proc, kind: u8) -> bool {
    if kind == 0 {
        return proc.rr != world.rr;
    }
    watched(kind).any(|slot| proc.cache[slot] != world.objs[slot])
}

pub(crate) fn sync(world: &mut World, who: usize, kind: u8) {
    let proc = &mut world.procs[who];
    if kind == 0 {
        if proc.rr.inc != world.rr.inc {
            (proc.memory, proc.wake) = (0, 0);
        }
        proc.rr = world.rr;
    }
    for slot in watched(kind) {
        proc.cache[slot] = world.objs[slot];
    }
}

/// What the operator's overlay keeps of an answer: a process never decides on a cache older than its own last write.
pub(crate) fn note(proc: &mut Proc, node: &Node, out: Out) {
    match (out, node.next) {
        (Out::Child(slot, obj), _) => {
            if let Some(cached) = proc.cache.get_mut(usize::from(slot))
                && obj.owner == node.rr.inc
                && (obj.inc, obj.rv) > (cached.inc, cached.rv)
            {
                *cached = obj;
            }
        }
        (Out::Request(rr), _) => {
            if rr.inc == proc.rr.inc && rr.rv > proc.rr.rv {
                proc.rr = rr;
            }
        }
        (Out::Deleted, Next::Call(CallC::DeleteChild { slot, inc, .. })) => {
            let cached = &mut proc.cache[usize::from(slot)];
            if cached.inc == inc {
                cached.flags |= DELETING;
            }
        }
        (Out::Deleted, Next::Call(CallC::DeleteRequest { .. }))
        | (Out::Failed(Refusal::NotFound), Next::Call(CallC::ReadRequest)) => {
            if proc.rr.inc == node.rr.inc {
                proc.rr.flags |= DELETING;
            }
        }
        (Out::Deleted | Out::Failed(_), _) => {}
    }
}

pub(crate) fn settle(
    proc: &mut Proc,
    id: Id,
    node: &Node,
    reach: &mut Reach,
    found: &mut Vec<String>,
) {
    found.extend_from_slice(&node.found);
    reach.rules |= node.rules;
    match node.next {
        Next::Call(_) => proc.pass = id,
        Next::Done { wake, memory } => {
            proc.pass = 0;
            // What the pass was over may not be what the cache holds by now.
            let same = proc.rr.inc == node.rr.inc;
            (proc.wake, proc.memory) = if same { (wake, memory) } else { (0, 0) };
        }
    }
}

pub(crate) fn delay(world: &mut World, who: usize) {
    world.left.late = world.left.late.saturating_sub(1);
    world.late[1] = world.procs[who].pass;
    world.late.sort_unstable_by(|a, b| b.cmp(a));
}
