//! The state of the model: numbers only, written as bytes for its fingerprint and for a checkpoint.

use super::words::{REQUEST_SLOTS, SLOTS};

/// The hash of a content that is kept once in a table; 0 is none.
pub(crate) type Id = u64;

/// An object under one of the known names, as it is stored or was seen. `inc` 0: there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Obj {
    /// Which object of this name it is; its UID.
    pub(crate) inc: u8,
    /// Its version, counted for each object by itself.
    pub(crate) rv: u8,
    /// The request that owns it (or whose UID a notification's label holds): 1 or 2; 0 nobody, 3 somebody else.
    pub(crate) owner: u8,
    pub(crate) flags: u8,
    /// Which of the words of its kind it says.
    pub(crate) status: u8,
    /// `notAfter` of an execution, the hash of the reason of an escalation.
    pub(crate) extra: u32,
}

pub(crate) const DELETING: u8 = 1;
pub(crate) const UNLABELLED: u8 = 2;
pub(crate) const SUSPENDED: u8 = 4;
/// The owner that is neither of the two requests.
pub(crate) const FOREIGN: u8 = 3;

impl Obj {
    pub(crate) fn exists(self) -> bool {
        self.inc != 0
    }
    pub(crate) fn is(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The request, as it is stored or was seen. `inc` 0: there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rr {
    pub(crate) inc: u8,
    pub(crate) rv: u8,
    pub(crate) flags: u8,
    pub(crate) status: Id,
}

impl Rr {
    pub(crate) fn exists(self) -> bool {
        self.inc != 0
    }
    pub(crate) fn is(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// A process of the operator: what it has in its caches, remembers, and is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proc {
    pub(crate) up: bool,
    /// When it asked to be woken; 0 never.
    pub(crate) wake: u32,
    pub(crate) memory: Id,
    /// The pass in flight.
    pub(crate) pass: Id,
    pub(crate) rr: Rr,
    pub(crate) cache: [Obj; REQUEST_SLOTS],
}

/// How much of each sort may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Deaths of processes.
    pub(crate) crashes: u8,
    /// Answers that are refusals, or do not come.
    pub(crate) faults: u8,
    /// Calls that arrive late.
    pub(crate) late: u8,
    /// Things people do.
    pub(crate) hands: u8,
    /// Statuses that a well-behaved controller does not write.
    pub(crate) lapses: u8,
    /// Jumps of the clock.
    pub(crate) clock: u8,
}

/// What happened so far and cannot be seen in the rest: the oracle's own memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ghost {
    /// By request and execution (workflow, step a, step b): the one that status named first.
    pub(crate) named: [[u8; 3]; 2],
    /// By request and execution: how many objects began to act.
    pub(crate) started: [[u8; 3]; 2],
    /// By request and occasion: how many notifications were created.
    pub(crate) notified: [[u8; 3]; 2],
    /// By request and slot: how many of them were created.
    pub(crate) created: [[u8; REQUEST_SLOTS]; 2],
    /// By slot: the objects (a bit for each `inc`) that ever said what leads on, and that ever acted.
    pub(crate) led: [u8; REQUEST_SLOTS],
    pub(crate) acted: [u8; REQUEST_SLOTS],
    /// The workflows that ever said that they are completed.
    pub(crate) finished: u8,
    pub(crate) flags: u8,
}

/// A hand wrote into status: what was edited is not ours to answer for.
pub(crate) const EDITED: u8 = 1;
/// Something other than crashes and passing refusals happened: a failure may be the right end.
pub(crate) const DISTURBED: u8 = 2;
/// A success notification was created when the failure was already recorded: the known window.
pub(crate) const CONTRADICTED: u8 = 4;
/// A hand took references to executions away.
pub(crate) const UNNAMED: u8 = 8;

/// Everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct World {
    /// Milliseconds since the beginning.
    pub(crate) now: u32,
    pub(crate) rr: Rr,
    /// How many requests of this name there have been.
    pub(crate) requests: u8,
    pub(crate) objs: [Obj; SLOTS],
    /// How many objects of each name there have been.
    pub(crate) incs: [u8; SLOTS],
    pub(crate) procs: [Proc; 2],
    /// Calls that are still on their way, by the pass that made them; sorted.
    pub(crate) late: [Id; 2],
    pub(crate) left: Budget,
    pub(crate) ghost: Ghost,
}

/// The size of a state in bytes.
pub(crate) const BYTES: usize = 4 + 11 + 1 + SLOTS * 9 + SLOTS + 2 * PROC + 16 + 6 + GHOST;
const PROC: usize = 1 + 4 + 8 + 8 + 11 + REQUEST_SLOTS * 9;
const GHOST: usize = 6 + 6 + 6 + 2 * REQUEST_SLOTS + 2 * REQUEST_SLOTS + 2;

/// Writes and reads the fields of a state in one order.
pub(crate) struct Bytes<'a> {
    buffer: &'a mut [u8],
    at: usize,
    reads: bool,
}

impl<'a> Bytes<'a> {
    fn byte(&mut self, value: &mut u8) {
        if self.reads {
            *value = self.buffer[self.at];
        } else {
            self.buffer[self.at] = *value;
        }
        self.at += 1;
    }

    fn word(&mut self, value: &mut u32) {
        let place = &mut self.buffer[self.at..self.at + 4];
        if self.reads {
            *value = u32::from_le_bytes(place.try_into().expect("four bytes"));
        } else {
            place.copy_from_slice(&value.to_le_bytes());
        }
        self.at += 4;
    }

    fn id(&mut self, value: &mut Id) {
        let place = &mut self.buffer[self.at..self.at + 8];
        if self.reads {
            *value = Id::from_le_bytes(place.try_into().expect("eight bytes"));
        } else {
            place.copy_from_slice(&value.to_le_bytes());
        }
        self.at += 8;
    }

    fn obj(&mut self, obj: &mut Obj) {
        let Obj {
            inc,
            rv,
            owner,
            flags,
            status,
            extra,
        } = obj;
        for field in [inc, rv, owner, flags, status] {
            self.byte(field);
        }
        self.word(extra);
    }

    fn rr(&mut self, rr: &mut Rr) {
        let Rr {
            inc,
            rv,
            flags,
            status,
        } = rr;
        for field in [inc, rv, flags] {
            self.byte(field);
        }
        self.id(status);
    }

    fn proc(&mut self, proc: &mut Proc) {
        let Proc {
            up,
            wake,
            memory,
            pass,
            rr,
            cache,
        } = proc;
        let mut is_up = u8::from(*up);
        self.byte(&mut is_up);
        *up = is_up == 1;
        self.word(wake);
        self.id(memory);
        self.id(pass);
        self.rr(rr);
        cache.iter_mut().for_each(|obj| self.obj(obj));
    }

    fn ghost(&mut self, ghost: &mut Ghost) {
        let Ghost {
            named,
            started,
            notified,
            created,
            led,
            acted,
            finished,
            flags,
        } = ghost;
        let threes = named.iter_mut().chain(started).chain(notified).flatten();
        let rest = created.iter_mut().flatten().chain(led).chain(acted);
        threes.chain(rest).for_each(|field| self.byte(field));
        self.byte(finished);
        self.byte(flags);
    }

    fn world(&mut self, world: &mut World) {
        let World {
            now,
            rr,
            requests,
            objs,
            incs,
            procs,
            late,
            left,
            ghost,
        } = world;
        self.word(now);
        self.rr(rr);
        self.byte(requests);
        objs.iter_mut().for_each(|obj| self.obj(obj));
        incs.iter_mut().for_each(|inc| self.byte(inc));
        procs.iter_mut().for_each(|proc| self.proc(proc));
        late.iter_mut().for_each(|id| self.id(id));
        let Budget {
            crashes,
            faults,
            late,
            hands,
            lapses,
            clock,
        } = left;
        for field in [crashes, faults, late, hands, lapses, clock] {
            self.byte(field);
        }
        self.ghost(ghost);
        debug_assert_eq!(self.at, BYTES);
    }
}

impl World {
    pub(crate) fn bytes(&self) -> [u8; BYTES] {
        let mut buffer = [0; BYTES];
        let mut copy = *self;
        Bytes {
            buffer: &mut buffer,
            at: 0,
            reads: false,
        }
        .world(&mut copy);
        buffer
    }

    pub(crate) fn from_bytes(bytes: &mut [u8]) -> Self {
        let mut world = Self::default();
        Bytes {
            buffer: bytes,
            at: 0,
            reads: true,
        }
        .world(&mut world);
        world
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        fingerprint(&self.bytes())
    }
}

/// A 64-bit hash that is the same in every run, on every machine; never 0.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    const KEYS: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93];
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let mut hash = KEYS[0] ^ bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = fold(hash ^ u64::from_le_bytes(word), KEYS[1]).rotate_left(23) ^ KEYS[0];
    }
    let hash = fold(hash, KEYS[0]) ^ fold(hash.rotate_left(32), KEYS[1]);
    hash.max(1)
}

/// The bytes of a root of a pass, or of what came of a call: the parts of a log.
pub(crate) fn log_bytes(who: u8, now: u32, memory: Id, rr: Rr, objs: &[Obj]) -> Vec<u8> {
    let mut buffer = vec![0; 1 + 4 + 8 + 11 + objs.len() * 9];
    let (mut who, mut now, mut memory, mut rr) = (who, now, memory, rr);
    let mut bytes = Bytes {
        buffer: &mut buffer,
        at: 0,
        reads: false,
    };
    bytes.byte(&mut who);
    bytes.word(&mut now);
    bytes.id(&mut memory);
    bytes.rr(&mut rr);
    objs.iter().for_each(|obj| bytes.obj(&mut { *obj }));
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_being_written_and_read() {
        let mut bytes: Vec<u8> = (0..BYTES).map(|n| (n % 251) as u8).collect();
        let world = World::from_bytes(&mut bytes);
        let mut written = world.bytes();
        assert_eq!(World::from_bytes(&mut written), world);
        assert_ne!(World::default().fingerprint(), world.fingerprint());
    }
}
