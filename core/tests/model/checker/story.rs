//! A path, told in words, so that a person can follow what went wrong without reading the model.

use std::fmt::Write;

use remediation_core::kind::{ChildKind, REQUEST_KIND};

use super::fair::{self, Mode};
use super::moves::{Fate, Move, Until};
use super::passes::{Next, Passes};
use super::reach::Reach;
use super::search::{Search, Violation, start};
use super::server::CallC;
use super::state::World;
use super::table::Seen;
use super::words::{key, kind, moment, said, uid};

/// The whole way to a violation, and how to walk it again.
pub(crate) fn tell(search: &Search, violation: &Violation) -> String {
    let passes = &search.passes;
    let mut path = search.path(violation.state);
    path.extend(violation.last);
    let (mut text, numbers) = walk(passes, &path, violation.fair);
    for what in &violation.what {
        let _ = writeln!(text, "VIOLATED  {what}");
    }
    let _ = writeln!(
        text,
        "again: cargo run -p remediation-core --example model -- repeat {} {}{}{}",
        passes.config.name,
        if numbers.is_empty() {
            "-".to_owned()
        } else {
            numbers
        },
        match violation.fair {
            Some(Mode::Helpful) => " --then helpful",
            Some(Mode::Silent) => " --then silent",
            None => "",
        },
        match passes.config.mistake.name {
            "none" => String::new(),
            mistake => format!(" --mistake {mistake}"),
        },
    );
    text
}

/// Walks a path and tells it; also the number of each move among those that were possible.
pub(crate) fn walk(passes: &Passes, path: &[Move], fair: Option<Mode>) -> (String, String) {
    let mut world = start(passes);
    let (mut text, mut numbers) = (String::new(), Vec::new());
    let mut count = 0;
    let mut tell = |world: &World, what: Move| {
        let mut found = Vec::new();
        let next = passes.step(world, what, &mut Reach::default(), &mut found);
        count += 1;
        let _ = writeln!(text, "{count:>3}. {}", line(passes, world, what, &next));
        for what in found {
            let _ = writeln!(text, "     !! {what}");
        }
        next
    };
    for what in path {
        let index = passes.moves(&world).iter().position(|m| m == what);
        numbers.push(index.map_or("?".to_owned(), |index| index.to_string()));
        world = tell(&world, *what);
    }
    if let Some(mode) = fair {
        let followed = fair::follow(passes, &world, mode, &Seen::new(), &mut Reach::default());
        world.left = super::state::Budget::default();
        for what in followed.map(|(made, _)| made).unwrap_or_default() {
            world = tell(&world, what);
        }
    }
    let _ = writeln!(text, "     then: {}", describe(passes, &world));
    (text, numbers.join("."))
}

/// The moves of these numbers.
pub(crate) fn read_path(passes: &Passes, numbers: &str) -> Result<Vec<Move>, String> {
    let mut world = start(passes);
    let mut path = Vec::new();
    for number in numbers.split('.').filter(|number| *number != "-") {
        let index: usize = number
            .parse()
            .map_err(|_| format!("`{number}` is no number of a move"))?;
        let moves = passes.moves(&world);
        let what = *moves
            .get(index)
            .ok_or_else(|| format!("move {index} of {} does not exist here", moves.len()))?;
        path.push(what);
        world = passes.step(&world, what, &mut Reach::default(), &mut Vec::new());
    }
    Ok(path)
}

fn line(passes: &Passes, before: &World, what: Move, after: &World) -> String {
    let process = |who: u8| if who == 0 { "process A" } else { "process B" };
    let asked = |who: u8| {
        let pass = before.procs[usize::from(who)].pass;
        if pass == 0 {
            return "between two passes".to_owned();
        }
        call(passes, pass)
    };
    let goes_on = |who: u8| {
        let proc = after.procs[usize::from(who)];
        match (proc.pass, proc.wake) {
            (0, 0) => "rests".to_owned(),
            (0, wake) => format!("rests until {}", moment(wake)),
            (pass, _) => format!("wants to {}", call(passes, pass)),
        }
    };
    match what {
        Move::Begin(who) => format!("{} looks at the request, {}", process(who), goes_on(who)),
        Move::Deliver(who) => {
            format!(
                "{}: {}: answered; {}",
                process(who),
                asked(who),
                goes_on(who)
            )
        }
        Move::Refuse(who, refusal) => format!(
            "{}: {}: {refusal:?}, not applied; {}",
            process(who),
            asked(who),
            goes_on(who)
        ),
        Move::Lose(who) => format!(
            "{}: {}: applied, but the answer is lost; {}",
            process(who),
            asked(who),
            goes_on(who)
        ),
        Move::Delay(who) => format!(
            "{}: {}: no answer, and the call is still on its way; {}",
            process(who),
            asked(who),
            goes_on(who)
        ),
        Move::Die(who, fate) => {
            let fate = match fate {
                Fate::NotApplied => "not applied",
                Fate::Applied => "applied",
                Fate::Late => "still on its way",
            };
            format!("{} dies: {}: {fate}", process(who), asked(who))
        }
        Move::Restart(who) => format!("{} starts and lists everything", process(who)),
        Move::Stop(who) => format!("{} stops", process(who)),
        Move::Sync(who, kind) => format!(
            "{}'s cache of {} catches up",
            process(who),
            match kind {
                0 => REQUEST_KIND,
                1 => ChildKind::RemediationProcessing.name(),
                2 => ChildKind::AIAnalysis.name(),
                3 => ChildKind::WorkflowExecution.name(),
                _ => ChildKind::KubernetesExecution.name(),
            }
        ),
        Move::Says(slot, status, lapse) => {
            let slot = usize::from(slot);
            let said = said(slot, status, &uid(slot, before.objs[slot].inc));
            let rightly = if lapse { " (which it should not)" } else { "" };
            format!("the controller of {} writes {said}{rightly}", key(slot))
        }
        Move::Collect(slot) => format!("the garbage collector takes {}", key(slot.into())),
        Move::Vanish => "the request is gone, now that its children are".into(),
        Move::Release(slot) => format!("{} is gone, its finalizer removed", key(slot.into())),
        Move::Late(index) => {
            format!(
                "a late call arrives: {}",
                call(passes, before.late[usize::from(index)])
            )
        }
        Move::Hand(hand, which) => {
            let which = usize::from(which);
            let about = match hand {
                super::config::Hand::EditPhase => {
                    let phase = &passes.statuses.get(after.rr.status).status.phase;
                    phase.as_ref().map_or(String::new(), |p| format!(" to {p}"))
                }
                super::config::Hand::DeleteChild
                | super::config::Hand::BeginDeleteChild
                | super::config::Hand::Strip
                | super::config::Hand::Foreign => format!(" ({} {})", kind(which), key(which)),
                _ => String::new(),
            };
            format!("a {}{about}", what.kind())
        }
        Move::Clock(until) => {
            let why = match until {
                Until::Wake => "a wake-up",
                Until::Before => "a millisecond before the deadline",
                Until::Deadline => "the deadline",
                Until::Overall => "the overall deadline",
            };
            format!("it is {}: {why}", moment(after.now))
        }
    }
}

fn call(passes: &Passes, pass: u64) -> String {
    let node = passes.node(pass);
    let Next::Call(call) = node.next else {
        return "nothing".into();
    };
    let place = |slot: u8| key(usize::from(slot)).to_string();
    match call {
        CallC::Create { slot, .. } => format!("create {}", place(slot)),
        CallC::Record { to, .. } => {
            let status = &passes.statuses.get(to).status;
            let phase = status
                .phase
                .as_ref()
                .map_or("none".into(), ToString::to_string);
            let failed = status.failure_phase.map_or("", |_| ", a failure");
            let reason = status.reason.as_deref().unwrap_or("no reason");
            format!("record {phase} ({reason}{failed})")
        }
        CallC::Read { slot } => format!("read {}", place(slot)),
        CallC::ReadRequest => "read the request".into(),
        CallC::Restore { slot, .. } => format!("give {} its owner back", place(slot)),
        CallC::DeleteChild { slot, .. } => format!("delete {}", place(slot)),
        CallC::DeleteRequest { .. } => "delete the request".into(),
    }
}

fn describe(passes: &Passes, world: &World) -> String {
    let request = if world.rr.exists() {
        let status = &passes.statuses.get(world.rr.status).status;
        serde_json::to_string(status).expect("a plain tree of structs")
    } else {
        "no request".to_owned()
    };
    let there = world
        .objs
        .iter()
        .enumerate()
        .filter(|(_, obj)| obj.exists());
    let objects: Vec<String> = there
        .map(|(slot, obj)| format!("{} ({})", key(slot), uid(slot, obj.inc)))
        .collect();
    format!("{request}; {}", objects.join(", "))
}
