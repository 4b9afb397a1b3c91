//! Passes, each kept once: what a pass saw when it began and what it was answered make up its log, and the hash of the
//! log is the pass. What the real [`Pass`] does next after a log is found out by replaying it, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use remediation_core::children::Children;
use remediation_core::decide::{State, explain};
use remediation_core::memory::{Errand, Memory, Refusal as Remembered};
use remediation_core::pass::{Outcome, Pass, Step};
use remediation_core::request;

use super::config::{Config, Hand};
use super::decided::{self, Truth};
use super::server::{CallC, Out, Refusal};
use super::state::{DELETING, Id, Obj, Rr, SUSPENDED, fingerprint, log_bytes};
use super::statuses::Statuses;
use super::table::Table;
use super::words::{self, REQUEST_SLOTS, SLOTS, child, identity, moment};

/// The most rounds of a pass in which nothing is refused and no phase is entered, a round being: decide, do all that is
/// asked for, and decide again. The last decision, which asks for nothing, is none. See `core/tests/world/passes.rs`.
const MOST_ROUNDS: u32 = 4;
/// For each phase that is entered; of those, the first has one less where no hand wrote into status.
const ROUNDS_A_PHASE: u32 = 2;

/// Which request a pass is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) inc: u8,
}

/// Where a pass stands, as its log tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    Began {
        who: u8,
        now: u32,
        memory: Id,
        rr: Rr,
        objs: [Obj; REQUEST_SLOTS],
    },
    Answered {
        before: Id,
        now: u32,
        out: Out,
    },
}

impl Log {
    fn now(&self) -> u32 {
        match self {
            Log::Began { now, .. } | Log::Answered { now, .. } => *now,
        }
    }
}

/// What a pass does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Call(CallC),
    Done { wake: u32, memory: Id },
}

/// A pass after its log.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) log: Log,
    pub(crate) who: u8,
    pub(crate) next: Next,
    /// What it has truly seen so far, whatever it was made to believe.
    pub(crate) rr: Rr,
    pub(crate) seen: [Obj; SLOTS],
    /// The rules that it followed, a bit each.
    pub(crate) rules: u32,
    /// What does not hold of the decision.
    pub(crate) found: Vec<String>,
}

impl Node {
    pub(crate) fn request(&self) -> Request {
        Request { inc: self.rr.inc }
    }
}

/// All passes, statuses and memories of one exploration.
pub(crate) struct Passes {
    pub(crate) config: Config,
    pub(crate) statuses: Statuses,
    pub(crate) nodes: Table<Arc<Node>>,
    pub(crate) memories: Table<Arc<Memory>>,
    /// How often the real code was run.
    pub(crate) replays: AtomicU64,
}

impl Passes {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            statuses: Statuses::new(),
            nodes: Table::new(),
            memories: Table::new(),
            replays: AtomicU64::new(0),
        }
    }

    pub(crate) fn node(&self, id: Id) -> Arc<Node> {
        self.nodes.get(id).expect("every pass in flight is kept")
    }

    /// The pass of this log.
    pub(crate) fn after(&self, log: Log) -> (Id, Arc<Node>) {
        let id = log_id(&log);
        if let Some(node) = self.nodes.get(id) {
            return (id, node);
        }
        let node = Arc::new(self.find_out(log));
        self.nodes.put(id, node.clone());
        (id, node)
    }

    fn find_out(&self, log: Log) -> Node {
        self.replays.fetch_add(1, Ordering::Relaxed);
        let (truth, now) = match &log {
            Log::Began { now, rr, objs, .. } => (Truth::began(*rr, objs), *now),
            Log::Answered { before, now, out } => {
                let before = self.node(*before);
                (Truth::answered(&before, *out), *now)
            }
        };
        let mut rules = 0;
        let (mut pass, who) = self.replay(&log);
        let step = self.advance(&mut pass, now, &mut rules);
        if self.config.mistake.hasty && matches!(log, Log::Answered { .. }) {
            let memory = self.memory_id(pass.into_parts().2);
            return Node {
                log,
                who,
                next: Next::Done { wake: 0, memory },
                rr: truth.rr,
                seen: truth.seen,
                rules,
                found: Vec::new(),
            };
        }
        let mut found = Vec::new();
        let at = moment(now);
        let next = match step {
            Step::Call(mut call) => {
                (self.config.mistake.call)(&mut call);
                let memory = &pass.view().0.memory;
                let look = decided::Look {
                    config: &self.config,
                    statuses: &self.statuses,
                    truth: &truth,
                    memory,
                    now: at,
                    found: &mut found,
                };
                Next::Call(look.at(&call))
            }
            Step::Done(wake) => {
                let sleeps = (self.config.mistake.sleeps)(&pass.view().0.memory);
                let wake = wake.filter(|_| !sleeps);
                let entry = self.statuses.get(truth.rr.status);
                let rounds = pass.rounds();
                let memory = pass.into_parts().2;
                decided::at_rest(&truth, &entry, &memory, wake, at, &mut found);
                let most = self.most_rounds(&log);
                if rounds > most + 1 {
                    found.push(format!("S19: {} rounds in one pass", rounds - 1));
                }
                Next::Done {
                    wake: wake.map_or(0, |wake| words::millis(wake.as_millisecond())),
                    memory: self.memory_id(memory),
                }
            }
            Step::Announce(_) => unreachable!("passed over"),
        };
        Node {
            log,
            who,
            next,
            rr: truth.rr,
            seen: truth.seen,
            rules,
            found,
        }
    }

    /// How many rounds a pass of this log may have taken. Each call that was refused may begin its step again; what is read
    /// after a conflict is another view, and so is the same at another time.
    fn most_rounds(&self, log: &Log) -> u32 {
        let writes = [Hand::EditPhase, Hand::EditRefs, Hand::EditEnd];
        let edited = self.config.hands.iter().any(|hand| writes.contains(hand));
        let (mut entered, mut refused, mut views) = (0, 0, 1);
        let mut log = *log;
        while let Log::Answered { before, out, now } = log {
            let before = self.node(before);
            views += u32::from(before.log.now() != now);
            let absent = matches!(before.next, Next::Call(CallC::Read { .. }))
                && out == Out::Failed(Refusal::NotFound);
            refused += u32::from(matches!(out, Out::Failed(_)) && !absent);
            views += u32::from(before.next == Next::Call(CallC::ReadRequest));
            if let Next::Call(CallC::Record { from, to, .. }) = before.next {
                let entries = |id| self.statuses.get(id).status.history.len();
                let new = entries(to).saturating_sub(entries(from));
                entered += u32::try_from(new).unwrap_or(0);
            }
            log = before.log;
        }
        let spared = u32::from(!edited && entered > 0);
        MOST_ROUNDS * views + ROUNDS_A_PHASE * entered - spared + refused
    }

    /// The real pass as it stands before its next step.
    fn replay(&self, log: &Log) -> (Pass, u8) {
        match log {
            Log::Began {
                who,
                now,
                memory,
                rr,
                objs,
            } => {
                let mut request = self.request(*rr);
                (self.config.mistake.request)(&mut request, moment(*now));
                if *memory == 0 {
                    (self.config.mistake.anew)(&mut request);
                }
                let seen = objs.iter().enumerate().filter(|(_, obj)| obj.exists());
                let mut children = Children::default();
                for (slot, obj) in seen {
                    let mut child = child(slot, *obj);
                    (self.config.mistake.child)(&mut child, &request, moment(*now));
                    children.cached(child);
                }
                let memory = match memory {
                    0 => Memory::default(),
                    id => (*self.memories.get(*id).expect("memories are kept")).clone(),
                };
                let state = State {
                    request,
                    settings: self.config.settings[usize::from(*who)].clone(),
                    memory,
                };
                (Pass::new(state, children), *who)
            }
            Log::Answered { before, now, out } => {
                let before = self.node(*before);
                let (mut pass, who) = self.replay(&before.log);
                let began = match &before.log {
                    Log::Began { now, .. } | Log::Answered { now, .. } => *now,
                };
                let step = self.advance(&mut pass, began, &mut 0);
                let Step::Call(call) = step else {
                    unreachable!("only a pass that made a call is answered")
                };
                let at = moment(*now);
                let outcome = self.outcome(*out, &pass.view().0.request, at);
                let outcome = (self.config.mistake.outcome)(&call, outcome);
                pass.learn(outcome, at);
                (pass, who)
            }
        }
    }

    /// On to the next call, or to the end.
    fn advance(&self, pass: &mut Pass, now: u32, rules: &mut u32) -> Step {
        let skewed = moment(now) + SignedDuration::from_millis(self.config.mistake.skew);
        for _ in 0..50 {
            let (state, children) = pass.view();
            let rule = explain(state, children, skewed).rule;
            *rules |= 1 << (rule as u32);
            match pass.next(skewed) {
                Step::Announce(_) => {}
                Step::Call(call) => {
                    let believed = (self.config.mistake.answer)(&call, &pass.view().0.request);
                    match believed {
                        Some(believed) => pass.learn(believed, skewed),
                        None => return Step::Call(call),
                    }
                }
                done @ Step::Done(_) => return done,
            }
        }
        Step::Done(None)
    }

    pub(crate) fn request(&self, rr: Rr) -> request::Request {
        let mut spec = self.config.spec.clone();
        spec.suspend = rr.is(SUSPENDED);
        request::Request {
            identity: identity(rr.inc).clone(),
            resource_version: words::version(rr.inc, rr.rv),
            generation: 1 + i64::from(spec.suspend),
            deleting: rr.is(DELETING),
            created: None,
            spec,
            status: self.statuses.get(rr.status).status.clone(),
        }
    }

    fn outcome(&self, out: Out, believed: &request::Request, now: Timestamp) -> Outcome {
        match out {
            Out::Child(slot, obj) => {
                let mut child = child(usize::from(slot), obj);
                (self.config.mistake.child)(&mut child, believed, now);
                Outcome::Child(Box::new(child))
            }
            Out::Request(rr) => {
                let mut request = self.request(rr);
                (self.config.mistake.request)(&mut request, now);
                Outcome::Request(Box::new(request))
            }
            Out::Deleted => Outcome::Deleted,
            Out::Failed(refusal) => Outcome::Failed(refusal.failure()),
        }
    }

    pub(crate) fn memory_id(&self, memory: Memory) -> Id {
        if memory == Memory::default() {
            return 0;
        }
        let id = fingerprint(format!("{memory:?}").as_bytes());
        self.memories.put(id, Arc::new(memory));
        id
    }

    /// Memories as JSON, for a checkpoint.
    pub(crate) fn memory_texts(&self) -> Vec<String> {
        let text = |memory: &Memory| {
            let refusals: Vec<(&Errand, &Remembered)> = memory.refusals.iter().collect();
            let rest = (memory.last_record, memory.outrun);
            serde_json::to_string(&(refusals, rest)).expect("plain data")
        };
        self.memories.all().iter().map(|(_, m)| text(m)).collect()
    }

    pub(crate) fn read_memory(&self, text: &str) -> Result<(), serde_json::Error> {
        type Rest = (Option<Timestamp>, u32);
        let (refusals, (last_record, outrun)): (Vec<(Errand, Remembered)>, Rest) =
            serde_json::from_str(text)?;
        self.memory_id(Memory {
            refusals: refusals.into_iter().collect(),
            last_record,
            outrun,
        });
        Ok(())
    }
}

fn log_id(log: &Log) -> Id {
    let bytes = match log {
        Log::Began {
            who,
            now,
            memory,
            rr,
            objs,
        } => log_bytes(*who, *now, *memory, *rr, objs),
        Log::Answered { before, now, out } => {
            let (tag, rr, obj) = out_parts(*out);
            log_bytes(tag, *now, *before, rr, &[obj])
        }
    };
    fingerprint(&bytes)
}

/// An outcome in the fields of a log: what it is, and with which object.
pub(crate) fn out_parts(out: Out) -> (u8, Rr, Obj) {
    match out {
        Out::Child(slot, obj) => (100 + slot, Rr::default(), obj),
        Out::Request(rr) => (200, rr, Obj::default()),
        Out::Deleted => (201, Rr::default(), Obj::default()),
        Out::Failed(refusal) => (210 + refusal as u8, Rr::default(), Obj::default()),
    }
}

/// Back from [`out_parts`].
pub(crate) fn out_of(tag: u8, rr: Rr, obj: Obj) -> Option<Out> {
    match tag {
        100..112 => Some(Out::Child(tag - 100, obj)),
        200 => Some(Out::Request(rr)),
        201 => Some(Out::Deleted),
        210..218 => Some(Out::Failed(Refusal::ALL[usize::from(tag - 210)])),
        _ => None,
    }
}
