//! The API server: names taken once, optimistic concurrency, preconditions. Every write that it commits is checked.

use remediation_core::error::ApiFailure;

use super::commits;
use super::config::Config;
use super::passes::Request;
use super::reach::Reach;
use super::state::{DELETING, FOREIGN, Id, Obj, Rr, UNLABELLED, World};
use super::statuses::Statuses;
use super::words::{ODD, REQUEST_SLOTS, WFE};

/// A call, in the numbers of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallC {
    Create {
        slot: u8,
        extra: u32,
    },
    Record {
        rv: (u8, u8),
        from: Id,
        to: Id,
        edges: u16,
    },
    Read {
        slot: u8,
    },
    ReadRequest,
    Restore {
        slot: u8,
        inc: u8,
        rv: (u8, u8),
    },
    DeleteChild {
        slot: u8,
        inc: u8,
        rv: (u8, u8),
    },
    DeleteRequest {
        rv: (u8, u8),
    },
}

/// What came of a call, in the numbers of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Out {
    Child(u8, Obj),
    Request(Rr),
    Deleted,
    Failed(Refusal),
}

/// An answer that is not success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    NotFound,
    Conflict,
    AlreadyExists,
    Unavailable,
    /// No answer; applied or not.
    Timeout,
    TooMany,
    Forbidden,
    Invalid,
}

impl Refusal {
    pub(crate) const ALL: [Refusal; 8] = [
        Refusal::NotFound,
        Refusal::Conflict,
        Refusal::AlreadyExists,
        Refusal::Unavailable,
        Refusal::Timeout,
        Refusal::TooMany,
        Refusal::Forbidden,
        Refusal::Invalid,
    ];

    pub(crate) fn failure(self) -> ApiFailure {
        let (code, reason, message) = match self {
            Refusal::NotFound => (404, "NotFound", "not found"),
            Refusal::Conflict => (409, "Conflict", "the object has been modified"),
            Refusal::AlreadyExists => (409, "AlreadyExists", "the object exists already"),
            Refusal::Unavailable => (503, "ServiceUnavailable", "etcd leader changed"),
            Refusal::Timeout => (0, "", "no answer within 10s"),
            Refusal::TooMany => (429, "TooManyRequests", "slow down"),
            Refusal::Forbidden => (403, "Forbidden", "cannot create resource"),
            Refusal::Invalid => (422, "Invalid", "spec.x: Invalid value"),
        };
        ApiFailure {
            code,
            reason: reason.into(),
            message: message.into(),
            timed_out: self == Refusal::Timeout,
            ..ApiFailure::default()
        }
    }
}

/// What a write is checked with.
pub(crate) struct Desk<'a> {
    pub(crate) config: &'a Config,
    pub(crate) statuses: &'a Statuses,
    pub(crate) found: &'a mut Vec<String>,
    pub(crate) reach: &'a mut Reach,
    /// Whether the call comes from a process that is dead or has given it up.
    pub(crate) late: bool,
}

/// Applies a call, and says what the API server answers.
pub(crate) fn apply(world: &mut World, by: &Request, call: CallC, desk: &mut Desk<'_>) -> Out {
    match call {
        CallC::Create { slot, extra } => create(world, by, usize::from(slot), extra, desk),
        CallC::Record {
            rv,
            from,
            to,
            edges,
        } => {
            if !world.rr.exists() {
                return Out::Failed(Refusal::NotFound);
            }
            let current = (world.rr.inc, world.rr.rv);
            if current != rv && !desk.config.mistake.unconditional_status {
                return Out::Failed(Refusal::Conflict);
            }
            commits::recorded(world, from, to, desk);
            desk.reach.edges |= edges;
            world.rr.status = to;
            world.rr.rv += 1;
            Out::Request(world.rr)
        }
        CallC::Read { slot } => match world.objs[usize::from(slot)] {
            obj if obj.exists() => Out::Child(slot, obj),
            _ => Out::Failed(Refusal::NotFound),
        },
        CallC::ReadRequest if world.rr.exists() => Out::Request(world.rr),
        CallC::ReadRequest => Out::Failed(Refusal::NotFound),
        CallC::Restore { slot, inc, rv } => {
            match held(world, slot, inc, rv, false) {
                Some(refusal) => return Out::Failed(refusal),
                None => commits::restored(world, by, usize::from(slot), desk),
            }
            let obj = &mut world.objs[usize::from(slot)];
            obj.rv += 1;
            obj.owner = by.inc;
            obj.flags &= !UNLABELLED;
            Out::Child(slot, *obj)
        }
        CallC::DeleteChild { slot, inc, rv } => {
            match held(
                world,
                slot,
                inc,
                rv,
                desk.config.mistake.unconditional_delete,
            ) {
                Some(refusal) => return Out::Failed(refusal),
                None => commits::deleted(world, by, usize::from(slot), desk),
            }
            world.objs[usize::from(slot)] = Obj::default();
            Out::Deleted
        }
        CallC::DeleteRequest { rv } => {
            if !world.rr.exists() {
                return Out::Failed(Refusal::NotFound);
            }
            if (world.rr.inc, world.rr.rv) != rv {
                return Out::Failed(Refusal::Conflict);
            }
            commits::expired(world, desk);
            world.rr = Rr::default();
            Out::Deleted
        }
    }
}

/// Why an object cannot be changed as it was seen.
fn held(world: &World, slot: u8, inc: u8, rv: (u8, u8), anyway: bool) -> Option<Refusal> {
    let obj = world.objs[usize::from(slot)];
    if !obj.exists() {
        return Some(Refusal::NotFound);
    }
    let same = obj.inc == inc && (obj.inc, obj.rv) == rv;
    (!same && !anyway).then_some(Refusal::Conflict)
}

fn create(world: &mut World, by: &Request, slot: usize, extra: u32, desk: &mut Desk<'_>) -> Out {
    if world.objs[slot].exists() {
        return Out::Failed(Refusal::AlreadyExists);
    }
    commits::created(world, by, slot, extra, desk);
    world.incs[slot] += 1;
    world.objs[slot] = Obj {
        inc: world.incs[slot],
        rv: 1,
        owner: by.inc,
        extra,
        ..Obj::default()
    };
    Out::Child(slot as u8, world.objs[slot])
}

/// What the garbage collector may take: what belongs to a request that is gone or is being deleted.
pub(crate) fn is_garbage(world: &World, slot: usize) -> bool {
    let obj = world.objs[slot];
    let owned = slot < REQUEST_SLOTS && obj.exists() && obj.owner != 0 && obj.owner != FOREIGN;
    owned && (obj.owner != world.rr.inc || world.rr.is(DELETING))
}

/// Whether an executor may begin, by the child contract and from what the API server itself holds.
pub(crate) fn may_start(world: &World, slot: usize, statuses: &Statuses) -> bool {
    use remediation_core::phase::Phase;
    let obj = world.objs[slot];
    if !(WFE..REQUEST_SLOTS).contains(&slot) {
        return slot != ODD;
    }
    if !world.rr.exists() || world.rr.is(super::state::SUSPENDED) || world.rr.is(DELETING) {
        return false;
    }
    let facts = statuses.facts(world.rr.status);
    let in_phase = match facts.phase {
        Some(Phase::WorkflowPlanning) => slot == WFE,
        Some(Phase::Executing) => true,
        _ => false,
    };
    let in_time = world.now <= obj.extra.max(facts.next_deadline);
    in_phase && in_time && facts.refs[slot] == obj.inc
}
