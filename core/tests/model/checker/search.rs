//! The exploration: breadth first, layer by layer, so that the first path to a violation is a shortest one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use remediation_core::status::Status;

use super::config::Config;
use super::fair::{self, Mode};
use super::moves::{Move, invariants};
use super::passes::Passes;
use super::reach::Reach;
use super::state::{DISTURBED, Proc, Rr, World};
use super::table::Seen;

/// How far an exploration goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) states: usize,
    pub(crate) time: Duration,
    pub(crate) threads: usize,
}

/// What does not hold, and the way there.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) what: Vec<String>,
    /// The state that it was found in.
    pub(crate) state: u64,
    /// The last move, where the move itself is wrong.
    pub(crate) last: Option<Move>,
    /// The schedule that was followed from there, where the end of it is wrong.
    pub(crate) fair: Option<Mode>,
}

/// What an exploration came to.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) states: usize,
    pub(crate) moves: u64,
    pub(crate) depth: usize,
    /// Whether nothing is left to explore within the configuration's bounds.
    pub(crate) complete: bool,
    pub(crate) fair_states: usize,
    pub(crate) replays: u64,
    pub(crate) passes: usize,
    pub(crate) statuses: usize,
    pub(crate) time: Duration,
    pub(crate) reach: Reach,
    pub(crate) violation: Option<Violation>,
}

/// An exploration that can stop and go on.
pub(crate) struct Search {
    pub(crate) passes: Passes,
    pub(crate) seen: Seen,
    pub(crate) good: Seen,
    /// What is still to be expanded, in blocks: each is given back to the system once it is done with.
    pub(crate) frontier: Vec<Block>,
    pub(crate) depth: usize,
    pub(crate) moves: u64,
    pub(crate) reach: Reach,
}

/// A state in which more objects than this had one name, one after the other, is not gone on from.
const MOST_OF_ONE_NAME: u8 = 4;
/// States that one worker takes at a time.
pub(crate) type Block = Vec<World>;

/// The most states of a block.
pub(crate) const BLOCK: usize = 512;

impl Search {
    pub(crate) fn new(config: Config) -> Self {
        let passes = Passes::new(config);
        let start = start(&passes);
        let seen = Seen::new();
        seen.insert(start.fingerprint(), 0);
        Self {
            passes,
            seen,
            good: Seen::new(),
            frontier: vec![vec![start]],
            depth: 0,
            moves: 0,
            reach: Reach::default(),
        }
    }

    /// Explores until nothing is left, something is wrong, or a limit is reached (at the end of a layer, or within one).
    pub(crate) fn run(&mut self, limits: Limits) -> Report {
        let began = Instant::now();
        let mut violation = None;
        while !self.frontier.is_empty() && violation.is_none() {
            if self.seen.len() >= limits.states || began.elapsed() >= limits.time {
                break;
            }
            violation = self.layer(&limits, began);
        }
        Report {
            states: self.seen.len(),
            moves: self.moves,
            depth: self.depth,
            complete: self.frontier.is_empty() && violation.is_none(),
            fair_states: self.good.len(),
            replays: self.passes.replays.load(Ordering::Relaxed),
            passes: self.passes.nodes.len(),
            statuses: self.passes.statuses.len(),
            time: began.elapsed(),
            reach: self.reach.clone(),
            violation,
        }
    }

    fn layer(&mut self, limits: &Limits, began: Instant) -> Option<Violation> {
        let layer = Mutex::new(std::mem::take(&mut self.frontier));
        let next = Mutex::new(Vec::new());
        let violations = Mutex::new(Vec::new());
        let totals = Mutex::new((0, Reach::default()));
        let stop = AtomicBool::new(false);
        let poisoned = "no worker panics while it holds a lock";
        let this = &*self;
        let work = || {
            let mut worker = Worker::new(this);
            while !stop.load(Ordering::Relaxed) {
                if this.seen.len() >= limits.states || began.elapsed() >= limits.time {
                    stop.store(true, Ordering::Relaxed);
                    break;
                }
                let Some(block) = layer.lock().expect(poisoned).pop() else {
                    break;
                };
                for world in &block {
                    worker.expand(world);
                }
                if !worker.violations.is_empty() {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            next.lock().expect(poisoned).append(&mut worker.next);
            violations
                .lock()
                .expect(poisoned)
                .append(&mut worker.violations);
            let mut totals = totals.lock().expect(poisoned);
            totals.0 += worker.moves;
            totals.1.merge(&worker.reach);
        };
        std::thread::scope(|scope| {
            for _ in 1..limits.threads {
                scope.spawn(work);
            }
            work();
        });
        self.frontier = layer.into_inner().unwrap_or_default();
        let whole = self.frontier.is_empty();
        self.frontier
            .append(&mut next.into_inner().unwrap_or_default());
        let (moves, reach) = totals.into_inner().unwrap_or_default();
        self.moves += moves;
        self.reach.merge(&reach);
        self.depth += usize::from(whole);
        let mut violations: Vec<Violation> = violations.into_inner().unwrap_or_default();
        violations.sort_by_key(|v| (v.fair.is_some(), v.state, v.last));
        violations.into_iter().next()
    }

    /// The moves that lead to a state, from the first.
    pub(crate) fn path(&self, state: u64) -> Vec<Move> {
        let mut states = vec![state];
        while let Some(parent) = self
            .seen
            .parent(states[states.len() - 1])
            .filter(|p| *p != 0)
        {
            states.push(parent);
        }
        let mut world = start(&self.passes);
        let mut path = Vec::new();
        for wanted in states.iter().rev().skip(1) {
            let step = self.passes.moves(&world).into_iter().find_map(|what| {
                let next = self
                    .passes
                    .step(&world, what, &mut Reach::default(), &mut Vec::new());
                (next.fingerprint() == *wanted).then_some((what, next))
            });
            let (what, next) = step.expect("each state was reached from its parent");
            path.push(what);
            world = next;
        }
        path
    }
}

/// A new request that nobody has looked at.
pub(crate) fn start(passes: &Passes) -> World {
    let rr = Rr {
        inc: 1,
        rv: 1,
        flags: 0,
        status: passes.statuses.id(&Status::default()),
    };
    let mut world = World {
        now: 1000,
        rr,
        requests: 1,
        left: passes.config.budget,
        ..World::default()
    };
    if passes.config.spec.targeting_data.is_none() {
        world.ghost.flags |= DISTURBED;
    }
    let listed = Proc {
        up: true,
        rr,
        ..Proc::default()
    };
    world.procs[0] = listed;
    if passes.config.two_leaders {
        world.procs[1] = listed;
    }
    world
}

struct Worker<'a> {
    search: &'a Search,
    next: Vec<Block>,
    violations: Vec<Violation>,
    moves: u64,
    reach: Reach,
}

impl<'a> Worker<'a> {
    fn new(search: &'a Search) -> Self {
        Self {
            search,
            next: Vec::new(),
            violations: Vec::new(),
            moves: 0,
            reach: Reach::default(),
        }
    }

    fn expand(&mut self, world: &World) {
        let passes = &self.search.passes;
        let state = world.fingerprint();
        let phase = match world.rr.exists() {
            false => "gone",
            true => {
                let facts = passes.statuses.facts(world.rr.status);
                facts.phase.map_or("unknown", |phase| phase.name())
            }
        };
        let mut found = Vec::new();
        for what in passes.moves(world) {
            let next = passes.step(world, what, &mut self.reach, &mut found);
            invariants(&next, &mut found);
            self.moves += 1;
            self.reach.moved(what.kind(), phase);
            if !found.is_empty() {
                self.violations.push(Violation {
                    what: std::mem::take(&mut found),
                    state,
                    last: Some(what),
                    fair: None,
                });
                continue;
            }
            if next.incs.iter().any(|inc| *inc > MOST_OF_ONE_NAME) {
                self.reach.saw("bound: a name created too often");
                continue;
            }
            let fingerprint = next.fingerprint();
            if self.search.seen.insert(fingerprint, state) {
                self.keep(next);
                if fingerprint.is_multiple_of(passes.config.fair_every) {
                    self.follow(&next, fingerprint);
                }
            }
        }
    }

    fn keep(&mut self, world: World) {
        match self.next.last_mut() {
            Some(block) if block.len() < BLOCK => block.push(world),
            _ => self.next.push(vec![world]),
        }
    }

    fn follow(&mut self, world: &World, state: u64) {
        for mode in [Mode::Helpful, Mode::Silent] {
            let (passes, good) = (&self.search.passes, &self.search.good);
            if let Some((_, what)) = fair::follow(passes, world, mode, good, &mut self.reach) {
                self.violations.push(Violation {
                    what,
                    state,
                    last: None,
                    fair: Some(mode),
                });
            }
        }
    }
}
