//! What may happen next in a state, and what comes of it.

use super::config::Hand;
use super::hands;
use super::passes::{Log, Next, Node, Passes};
use super::process::{delay, lags, note, settle, sync};
use super::reach::Reach;
use super::server::{CallC, Desk, Out, Refusal, apply, is_garbage, may_start};
use super::state::{DELETING, DISTURBED, Obj, Proc, Rr, World};
use super::words::{REQUEST_SLOTS, WFE, fails, leads};

/// What becomes of the call in flight of a process that dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    NotApplied,
    Applied,
    Late,
}

/// Where the clock goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Until {
    /// The first wake-up that a process asked for.
    Wake,
    /// A millisecond before the next deadline.
    Before,
    /// The next deadline, or the expiry.
    Deadline,
    /// The overall deadline: everybody slept through the others.
    Overall,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Move {
    Begin(u8),
    Deliver(u8),
    Refuse(u8, Refusal),
    Lose(u8),
    Delay(u8),
    Die(u8, Fate),
    Restart(u8),
    Stop(u8),
    Sync(u8, u8),
    Says(u8, u8, bool),
    Collect(u8),
    Vanish,
    Release(u8),
    Late(u8),
    Hand(Hand, u8),
    Clock(Until),
}

impl Move {
    /// The kind of the move; faults by the kind of call that they hit.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Move::Begin(_) => "pass begins",
            Move::Deliver(_) => "call answered",
            Move::Refuse(_, refusal) => match refusal {
                Refusal::Unavailable => "refused: 503",
                Refusal::Timeout => "no answer, not applied",
                Refusal::TooMany => "refused: 429",
                Refusal::Forbidden => "refused: 403",
                Refusal::Invalid => "refused: 422",
                Refusal::Conflict => "refused: 409",
                Refusal::NotFound | Refusal::AlreadyExists => "refused",
            },
            Move::Lose(_) => "no answer, applied",
            Move::Delay(_) => "no answer, applied late",
            Move::Die(_, Fate::NotApplied) => "death, call not applied",
            Move::Die(_, Fate::Applied) => "death, call applied",
            Move::Die(_, Fate::Late) => "death, call applied late",
            Move::Restart(_) => "restart",
            Move::Stop(_) => "stop",
            Move::Sync(..) => "cache catches up",
            Move::Says(_, _, false) => "controller writes",
            Move::Says(_, _, true) => "controller lapses",
            Move::Collect(_) => "garbage collected",
            Move::Vanish => "foreground deletion ends",
            Move::Release(_) => "finalizer removed",
            Move::Late(_) => "late call arrives",
            Move::Hand(hand, _) => match hand {
                Hand::Delete => "hand deletes the request",
                Hand::DeleteForeground => "hand deletes the request in the foreground",
                Hand::Recreate => "hand creates the name again",
                Hand::Suspend => "hand suspends or resumes",
                Hand::DeleteChild => "hand deletes a child",
                Hand::BeginDeleteChild => "hand deletes a child with a finalizer",
                Hand::Strip => "hand strips a child",
                Hand::Foreign => "hand takes a name",
                Hand::EditPhase => "hand edits the phase",
                Hand::EditRefs => "hand edits the references",
                Hand::EditEnd => "hand takes the completion time away",
            },
            Move::Clock(Until::Wake) => "clock to the wake-up",
            Move::Clock(Until::Before) => "clock to just before the deadline",
            Move::Clock(Until::Deadline) => "clock to the deadline",
            Move::Clock(Until::Overall) => "clock to the overall deadline",
        }
    }
}

impl Passes {
    /// Everything that may happen, in an order that never changes.
    pub(crate) fn moves(&self, world: &World) -> Vec<Move> {
        let mut moves = Vec::with_capacity(24);
        for who in 0..2 {
            self.process_moves(world, who, &mut moves);
        }
        self.controller_moves(world, &mut moves);
        for slot in 0..REQUEST_SLOTS {
            if is_garbage(world, slot) {
                moves.push(Move::Collect(slot as u8));
            } else if world.objs[slot].is(DELETING) {
                moves.push(Move::Release(slot as u8));
            }
        }
        if vanishes(world) {
            moves.push(Move::Vanish);
        }
        let late = world.late.iter().enumerate().filter(|(_, id)| **id != 0);
        moves.extend(late.map(|(index, _)| Move::Late(index as u8)));
        if world.left.hands > 0 {
            hands::moves(self, world, &mut moves);
        }
        if world.left.clock > 0 {
            let untils = [Until::Wake, Until::Before, Until::Deadline, Until::Overall];
            let targets = untils.map(|until| (until, self.clock(world, until)));
            for (n, (until, target)) in targets.iter().enumerate() {
                let same = targets[..n].iter().any(|(_, other)| other == target);
                if target.is_some() && !same {
                    moves.push(Move::Clock(*until));
                }
            }
        }
        moves
    }

    fn process_moves(&self, world: &World, who: u8, moves: &mut Vec<Move>) {
        let proc = &world.procs[usize::from(who)];
        let config = &self.config;
        if !proc.up {
            if who == 0 || config.two_leaders {
                moves.push(Move::Restart(who));
            }
            return;
        }
        if proc.pass == 0 {
            if proc.rr.exists() {
                moves.push(Move::Begin(who));
            }
            if config.lag {
                let lagging = (0..5).filter(|kind| lags(world, proc, *kind));
                moves.extend(lagging.map(|kind| Move::Sync(who, kind)));
            }
            if world.left.crashes > 0 && proc.memory != 0 {
                moves.push(Move::Die(who, Fate::NotApplied));
            }
            return;
        }
        moves.push(Move::Deliver(who));
        let node = self.node(proc.pass);
        let Next::Call(call) = node.next else {
            return;
        };
        let writes = !matches!(call, CallC::Read { .. } | CallC::ReadRequest);
        let room = world.left.late > 0 && writes && world.late[1] == 0;
        if world.left.faults > 0 {
            let fits = |refusal: &&Refusal| match refusal {
                Refusal::Conflict => writes && !matches!(call, CallC::Create { .. }),
                Refusal::Invalid => matches!(call, CallC::Create { .. } | CallC::Record { .. }),
                _ => true,
            };
            let refusals = config.refusals.iter().filter(fits);
            moves.extend(refusals.map(|refusal| Move::Refuse(who, *refusal)));
            if writes && config.refusals.contains(&Refusal::Timeout) {
                moves.push(Move::Lose(who));
                moves.extend(room.then_some(Move::Delay(who)));
            }
        }
        if world.left.crashes > 0 {
            moves.push(Move::Die(who, Fate::NotApplied));
            if writes {
                moves.push(Move::Die(who, Fate::Applied));
                moves.extend(room.then_some(Move::Die(who, Fate::Late)));
            }
        }
    }

    fn controller_moves(&self, world: &World, moves: &mut Vec<Move>) {
        for says in self.config.says.iter().copied().flatten() {
            let obj = world.objs[says.slot];
            let fits = obj.exists() && !obj.is(DELETING) && says.from.contains(&obj.status);
            let ours = obj.owner != super::state::FOREIGN;
            let may = !says.lapse || world.left.lapses > 0;
            if fits && ours && may && self.begins_rightly(world, says.slot) {
                moves.push(Move::Says(says.slot as u8, says.to, says.lapse));
            }
        }
    }

    /// Whether an object that says nothing yet may begin.
    pub(crate) fn begins_rightly(&self, world: &World, slot: usize) -> bool {
        world.objs[slot].status != 0 || may_start(world, slot, &self.statuses)
    }

    /// Where the clock would go.
    pub(crate) fn clock(&self, world: &World, until: Until) -> Option<u32> {
        let facts = || {
            let there = world.rr.exists() && !world.rr.is(DELETING);
            there.then(|| self.statuses.facts(world.rr.status))
        };
        let target = match until {
            Until::Wake => {
                let up = world
                    .procs
                    .iter()
                    .filter(|proc| proc.up && proc.wake > world.now);
                up.map(|proc| proc.wake).min()
            }
            Until::Before if !self.config.to_the_millisecond => None,
            Until::Before => facts()?.deadline.map(|deadline| deadline - 1),
            Until::Deadline => {
                let facts = facts()?;
                facts.deadline.or(facts.expiry)
            }
            Until::Overall => facts()?.overall,
        };
        target.filter(|target| *target > world.now)
    }

    /// The state after a move; what does not hold is added to `found`.
    pub(crate) fn step(
        &self,
        world: &World,
        what: Move,
        reach: &mut Reach,
        found: &mut Vec<String>,
    ) -> World {
        let mut world = *world;
        match what {
            Move::Begin(who) => self.begin(&mut world, usize::from(who), reach, found),
            Move::Deliver(who) => {
                let out = self.call(&mut world, usize::from(who), false, reach, found);
                self.learn(&mut world, usize::from(who), out, reach, found);
            }
            Move::Refuse(who, refusal) => {
                world.left.faults -= 1;
                if refusal == Refusal::Invalid {
                    world.ghost.flags |= DISTURBED;
                }
                self.learn(
                    &mut world,
                    usize::from(who),
                    Out::Failed(refusal),
                    reach,
                    found,
                );
            }
            Move::Lose(who) => {
                world.left.faults -= 1;
                self.call(&mut world, usize::from(who), true, reach, found);
                let out = Out::Failed(Refusal::Timeout);
                self.learn(&mut world, usize::from(who), out, reach, found);
            }
            Move::Delay(who) => {
                world.left.faults -= 1;
                delay(&mut world, usize::from(who));
                let out = Out::Failed(Refusal::Timeout);
                self.learn(&mut world, usize::from(who), out, reach, found);
            }
            Move::Die(who, fate) => {
                let who = usize::from(who);
                world.left.crashes -= 1;
                match fate {
                    Fate::NotApplied => {}
                    Fate::Applied => {
                        self.call(&mut world, who, true, reach, found);
                    }
                    Fate::Late => delay(&mut world, who),
                }
                world.procs[who] = Proc::default();
            }
            Move::Stop(who) => world.procs[usize::from(who)] = Proc::default(),
            Move::Restart(who) => {
                // The first list of a process is a consistent read.
                world.procs[usize::from(who)].up = true;
                (0..5).for_each(|kind| sync(&mut world, usize::from(who), kind));
            }
            Move::Sync(who, kind) => sync(&mut world, usize::from(who), kind),
            Move::Says(slot, status, lapse) => says(&mut world, usize::from(slot), status, lapse),
            Move::Collect(slot) | Move::Release(slot) => {
                world.objs[usize::from(slot)] = Obj::default();
            }
            Move::Vanish => world.rr = Rr::default(),
            Move::Late(index) => {
                let id = std::mem::take(&mut world.late[usize::from(index)]);
                world.late.sort_unstable_by(|a, b| b.cmp(a));
                self.apply(&mut world, &self.node(id), true, reach, found);
            }
            Move::Hand(hand, which) => hands::act(self, &mut world, hand, which),
            Move::Clock(until) => {
                world.left.clock = world.left.clock.saturating_sub(1);
                let target = self.clock(&world, until).unwrap_or(world.now);
                let there = world
                    .rr
                    .exists()
                    .then(|| self.statuses.facts(world.rr.status));
                let deadline = there.and_then(|facts| facts.deadline);
                if deadline.is_some_and(|deadline| deadline <= target) {
                    world.ghost.flags |= DISTURBED;
                }
                world.now = target;
            }
        }
        world
    }

    fn begin(&self, world: &mut World, who: usize, reach: &mut Reach, found: &mut Vec<String>) {
        if !self.config.lag {
            (0..5).for_each(|kind| sync(world, who, kind));
        }
        let proc = world.procs[who];
        let refs = self.statuses.facts(proc.rr.status).refs;
        // By owner UID, and by the names that status holds.
        let mut objs = proc.cache;
        for (slot, obj) in objs.iter_mut().enumerate() {
            if obj.owner != proc.rr.inc && refs[slot] == 0 {
                *obj = Obj::default();
            }
        }
        let (id, node) = self.after(Log::Began {
            who: who as u8,
            now: world.now,
            memory: proc.memory,
            rr: proc.rr,
            objs,
        });
        settle(&mut world.procs[who], id, &node, reach, found);
    }

    /// The call in flight is made.
    fn call(
        &self,
        world: &mut World,
        who: usize,
        late: bool,
        reach: &mut Reach,
        found: &mut Vec<String>,
    ) -> Out {
        let node = self.node(world.procs[who].pass);
        self.apply(world, &node, late, reach, found)
    }

    fn apply(
        &self,
        world: &mut World,
        node: &Node,
        late: bool,
        reach: &mut Reach,
        found: &mut Vec<String>,
    ) -> Out {
        let Next::Call(call) = node.next else {
            unreachable!("only calls are in flight")
        };
        let mut desk = Desk {
            config: &self.config,
            statuses: &self.statuses,
            found,
            reach,
            late,
        };
        apply(world, &node.request(), call, &mut desk)
    }

    /// A process learns what came of its call, or what it is told did.
    fn learn(
        &self,
        world: &mut World,
        who: usize,
        out: Out,
        reach: &mut Reach,
        found: &mut Vec<String>,
    ) {
        let now = world.now;
        let proc = &mut world.procs[who];
        let before = proc.pass;
        if self.config.own_writes {
            note(proc, &self.node(before), out);
        }
        let (id, node) = self.after(Log::Answered { before, now, out });
        settle(proc, id, &node, reach, found);
    }
}

fn says(world: &mut World, slot: usize, status: u8, lapse: bool) {
    let obj = &mut world.objs[slot];
    let begins = obj.status == 0;
    obj.status = status;
    obj.rv += 1;
    let (inc, owner) = (obj.inc, obj.owner);
    if lapse {
        world.left.lapses -= 1;
    }
    if lapse || fails(slot, status) {
        world.ghost.flags |= DISTURBED;
    }
    if leads(slot, status) {
        world.ghost.led[slot] |= 1 << inc;
    }
    if slot == WFE && matches!(status, 5 | 6) {
        world.ghost.finished |= 1 << inc;
    }
    if begins && slot >= WFE {
        world.ghost.acted[slot] |= 1 << inc;
        if let Some(started) = world
            .ghost
            .started
            .get_mut(usize::from(owner).wrapping_sub(1))
        {
            started[slot - WFE] += 1;
        }
    }
}

/// Whether a request that is being deleted in the foreground has no children left.
pub(crate) fn vanishes(world: &World) -> bool {
    let owns = |slot: usize| world.objs[slot].exists() && world.objs[slot].owner == world.rr.inc;
    world.rr.is(DELETING) && !(0..REQUEST_SLOTS).any(owns)
}

/// What does not hold of a state by itself.
pub(crate) fn invariants(world: &World, found: &mut Vec<String>) {
    let twice = world.ghost.started.iter().flatten().any(|count| *count > 1);
    if twice && world.ghost.flags & super::state::UNNAMED == 0 {
        found.push("S1: an execution acted twice".into());
    }
}
