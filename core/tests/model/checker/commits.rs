//! What is checked of a write when the API server commits it, from what has truly happened before.

use super::decided::transition;
use super::passes::Request;
use super::server::Desk;
use super::state::{CONTRADICTED, DELETING, EDITED, Id, UNLABELLED, UNNAMED, World};
use super::words::{
    AIA, ODD, REQUEST_SLOTS, RP, STEP_A, STEP_B, WFE, fails, leads, moment, notification_slot,
};
use remediation_core::names::Occasion;
use remediation_core::phase::Phase;

/// A status was written.
pub(crate) fn recorded(world: &mut World, from: Id, to: Id, desk: &mut Desk<'_>) {
    let stored = desk.statuses.get(world.rr.status);
    let new = desk.statuses.get(to);
    if world.rr.status != from {
        let (_, found) = transition(&stored.status, &new.status, moment(world.now));
        desk.found.extend(found);
        if desk.found.is_empty() {
            desk.found
                .push("S17: replaces a status that it was not decided from".into());
        }
    }
    let (before, after) = (&stored.facts, &new.facts);
    let inc = usize::from(world.rr.inc) - 1;
    for slot in 0..REQUEST_SLOTS {
        let named = after.refs[slot];
        if named == 0 || named == before.refs[slot] {
            continue;
        }
        let obj = world.objs[slot];
        if named > world.incs[slot] {
            desk.wrong(format!(
                "rule 3: names an object of slot {slot} that was never created"
            ));
        }
        if obj.inc == named && obj.owner != world.rr.inc && !obj.is(UNLABELLED) {
            desk.wrong("S15/S16: names an object that belongs to somebody else".into());
        }
        if slot < WFE {
            continue;
        }
        let first = &mut world.ghost.named[inc][slot - WFE];
        if *first == 0 {
            *first = named;
        } else if *first != named && world.ghost.flags & UNNAMED == 0 {
            desk.wrong(format!("S1: a second execution is named (slot {slot})"));
        }
    }
    if after.child_deleted && !before.failed {
        let gone = (WFE..REQUEST_SLOTS).any(|slot| {
            let (named, obj) = (after.refs[slot], world.objs[slot]);
            named != 0 && (obj.inc != named || obj.is(DELETING))
        });
        if !gone {
            desk.wrong("rule 5: ChildDeleted, and every execution is there".into());
        }
    }
    if after.failed && !before.failed && world.ghost.notified[inc][1] > 0 {
        // The known window: the failure was decided before, by a process that is dead, or by another leader.
        if desk.late || desk.config.two_leaders {
            world.ghost.flags |= CONTRADICTED;
            desk.reach.saw("late failure after a success notification");
        } else if world.ghost.flags & (EDITED | CONTRADICTED) == 0 {
            desk.wrong("S12: fails after people were told that it succeeded".into());
        }
    }
    if after.terminal && !before.terminal {
        ended(world, to, desk);
    }
}

fn ended(world: &World, to: Id, desk: &mut Desk<'_>) {
    let facts = desk.statuses.facts(to);
    let inc = usize::from(world.rr.inc) - 1;
    let [escalations, successes, _] = world.ghost.notified[inc];
    if facts.phase == Some(Phase::Completed) {
        let said = |mask: u8, slot: usize| mask & (1 << facts.refs[slot]) != 0;
        if !said(world.ghost.finished, WFE) {
            desk.wrong("S24: Completed, and the workflow never said so".into());
        }
        let steps = [STEP_A, STEP_B];
        let all = steps.iter().all(|s| said(world.ghost.led[*s], *s));
        if desk.config.planned && !all {
            desk.wrong("S2: Completed with a step that never was".into());
        }
        if escalations > 0 {
            desk.wrong("S12: Completed, and was escalated".into());
        }
        if successes == 0 && facts.escalated != Some(false) {
            desk.wrong("L4: Completed, and nobody is told or owed it".into());
        }
    } else if escalations == 0 && facts.escalated != Some(false) {
        desk.wrong("L4: Failed, and nobody is told or owed it".into());
    }
    let kind = if facts.phase == Some(Phase::Completed) {
        "ended in Completed"
    } else {
        "ended in Failed"
    };
    desk.reach.saw(kind);
    if world.ghost.flags & CONTRADICTED != 0 && facts.phase == Some(Phase::Failed) {
        desk.reach
            .saw("failed after a success notification arrived late");
    }
}

/// An object was created.
pub(crate) fn created(
    world: &mut World,
    by: &Request,
    slot: usize,
    extra: u32,
    desk: &mut Desk<'_>,
) {
    let inc = usize::from(by.inc) - 1;
    if slot >= REQUEST_SLOTS {
        return notified(world, by, slot, extra, desk);
    }
    world.ghost.created[inc][slot] += 1;
    let led = match slot {
        AIA => world.ghost.led[RP],
        WFE => world.ghost.led[AIA],
        STEP_A => world.ghost.led[WFE],
        STEP_B => world.ghost.led[STEP_A],
        _ => u8::MAX,
    };
    if led == 0 {
        desk.wrong(format!(
            "S2: slot {slot} is created, and what leads to it never succeeded"
        ));
    }
    let undisturbed = world.left.lapses == desk.config.budget.lapses
        && world.left.hands == desk.config.budget.hands;
    let active = (RP..slot.min(WFE)).any(|earlier| {
        let obj = world.objs[earlier];
        obj.owner == by.inc && !leads(earlier, obj.status) && !fails(earlier, obj.status)
    });
    if undisturbed && active {
        desk.wrong(format!(
            "S3: slot {slot} is created while an earlier child is active"
        ));
    }
    if world.ghost.created[inc][slot] > 1 {
        desk.reach.saw("created again");
    }
    if world.rr.inc != by.inc {
        desk.reach.saw("created for a request that is gone");
    }
}

fn notified(world: &mut World, by: &Request, slot: usize, extra: u32, desk: &mut Desk<'_>) {
    let inc = usize::from(by.inc) - 1;
    let base = notification_slot(by.inc, Occasion::Escalation);
    let occasion = if slot == ODD {
        0
    } else {
        slot.wrapping_sub(base)
    };
    if occasion > 2 {
        return desk.wrong("S16: a notification in the name of another request".into());
    }
    let facts = desk.statuses.facts(world.rr.status);
    let there = world.rr.inc == by.inc;
    world.ghost.notified[inc][occasion] += 1;
    let [escalations, successes, _] = world.ghost.notified[inc];
    if world.ghost.notified[inc][occasion] > 1 {
        desk.wrong("S12: people are told twice".into());
    }
    match occasion {
        0 => {
            if there && !facts.failed {
                desk.wrong("S12: escalated before a failure is recorded".into());
            } else if there && facts.reason != extra && world.ghost.flags & EDITED == 0 {
                desk.wrong("S13: the escalation does not say what status says".into());
            }
            if successes > 0 && world.ghost.flags & (EDITED | CONTRADICTED) == 0 {
                desk.wrong("S12: escalated after people were told that it succeeded".into());
            }
        }
        1 => {
            // The known window: another process, or a call of a dead one, is about to tell of a success.
            if desk.late || desk.config.two_leaders || (there && facts.failed) {
                world.ghost.flags |= CONTRADICTED;
            } else if escalations > 0 {
                desk.wrong("S12: told of a success after it was escalated".into());
            }
        }
        _ => {}
    }
}

/// A child was deleted.
pub(crate) fn deleted(world: &World, by: &Request, slot: usize, desk: &mut Desk<'_>) {
    let obj = world.objs[slot];
    if slot >= REQUEST_SLOTS || obj.owner != by.inc {
        desk.wrong("S14: deletes what is not ours".into());
    }
    if slot < REQUEST_SLOTS {
        let facts = desk.statuses.facts(world.rr.status);
        if world.rr.inc == by.inc && facts.refs[slot] == obj.inc {
            desk.wrong("S14: deletes a child that status names".into());
        }
        // Where a hand took the reference away, nothing tells that it was ever named.
        let unnamed = world.ghost.flags & UNNAMED != 0;
        if world.ghost.acted[slot] & (1 << obj.inc) != 0 && !unnamed {
            desk.wrong("S14: deletes an execution that has acted".into());
        }
    }
    desk.reach.saw("straggler swept");
}

/// Owner and labels of a child were given back.
pub(crate) fn restored(world: &World, by: &Request, slot: usize, desk: &mut Desk<'_>) {
    let obj = world.objs[slot];
    let facts = desk.statuses.facts(world.rr.status);
    let named = slot < REQUEST_SLOTS && facts.refs[slot] == obj.inc;
    if world.rr.inc == by.inc && !named {
        desk.wrong("S14: changes a child that status does not name".into());
    }
    if obj.owner != 0 && obj.owner != by.inc {
        desk.wrong("S15: takes what belongs to somebody else".into());
    }
    desk.reach.saw("ownership given back");
}

/// The request was deleted by the orchestrator.
pub(crate) fn expired(world: &World, desk: &mut Desk<'_>) {
    let facts = desk.statuses.facts(world.rr.status);
    let due = facts.expiry.is_some_and(|expiry| expiry <= world.now);
    if !due {
        desk.wrong("S25: deletes the request before completion + ttl".into());
    }
    desk.reach.saw("request deleted after its time to live");
}

impl Desk<'_> {
    fn wrong(&mut self, what: String) {
        self.found.push(what);
    }
}
