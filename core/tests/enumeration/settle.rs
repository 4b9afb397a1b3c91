//! What follows a decision: the same input gives the same bytes (S18), and doing what is asked for comes to rest (S19).

use remediation_core::action::{Action, NewChild};
use remediation_core::children::{Child, ChildStatus, Owner};
use remediation_core::decide::Decision;
use remediation_core::kind::{ChildKind, REQUEST_KIND, REQUEST_LABEL, REQUEST_UID_LABEL};
use remediation_core::memory::Errand;
use remediation_core::request::Identity;
use serde_json::json;

use crate::campaign::Decide;
use crate::domain::build::Input;

/// The most rounds from any well-typed view, a round being: decide, do all that is asked for, and decide again. The last
/// decision, which asks for nothing, is none.
const MOST_ROUNDS: usize = 4;
/// So many more for each phase that is entered on the way: here all children may have spoken at once, so that a view can
/// lead through several phases.
const ROUNDS_A_PHASE: usize = 2;

/// What does not hold of an answer and of what follows it.
pub(crate) fn problem(mut input: Input, answer: &Decision, decide: Decide<'_>) -> Option<String> {
    let again = decide(&input.state, &input.children, input.now);
    let bytes = |decision: &Decision| serde_json::to_vec(&decision.actions).unwrap();
    if bytes(answer) != bytes(&again) {
        return Some("S18: the same input gave another answer".into());
    }
    let mut actions = again.actions;
    let mut entered = 0;
    let mut rounds = 0;
    loop {
        if actions
            .iter()
            .all(|action| matches!(action, Action::WakeAt(_)))
        {
            return None;
        }
        rounds += 1;
        for action in &actions {
            if let Action::Record(record) = action {
                entered += record.path.len();
            }
        }
        if rounds > MOST_ROUNDS + ROUNDS_A_PHASE * entered {
            let shown = crate::compare::shown(&actions);
            return Some(format!("S19: not at rest before round {rounds}: {shown}"));
        }
        for action in actions {
            if !apply(&mut input, action) {
                return None;
            }
        }
        actions = decide(&input.state, &input.children, input.now).actions;
    }
}

/// Does what is asked for, as the API server would without a fault; `false` where the request is gone.
fn apply(input: &mut Input, action: Action) -> bool {
    let request = input.state.request.identity.clone();
    let children = &mut input.children;
    match action {
        Action::Create(new) => {
            input.state.memory.succeed(&Errand::Create(new.key.clone()));
            children.learn(created(&request, *new));
        }
        Action::Record(record) => {
            input.state.request.status = record.status;
            input.state.memory.last_record = Some(input.now);
        }
        Action::Read(key) => match children.at(&key).cloned() {
            Some(child) => children.learn(child),
            None => children.learn_absent(&key),
        },
        Action::RestoreOwnership(seen) => {
            let mut child = children
                .at(&seen.key)
                .expect("only what is seen is patched")
                .clone();
            child.owner = Some(owner(&request));
            child.request_label = Some(request.name);
            child.request_uid_label = Some(request.uid);
            children.learn(child);
        }
        Action::DeleteChild(seen) => children.learn_absent(&seen.key),
        Action::DeleteRequest => return false,
        Action::Announce(_) | Action::WakeAt(_) => {}
    }
    true
}

fn owner(request: &Identity) -> Owner {
    Owner {
        kind: REQUEST_KIND.into(),
        name: request.name.clone(),
        uid: request.uid.clone(),
    }
}

fn created(request: &Identity, new: NewChild) -> Child {
    Child {
        uid: format!("created-{}", new.key.name),
        resource_version: "9".into(),
        deleting: false,
        owner: (new.key.kind != ChildKind::NotificationRequest).then(|| owner(request)),
        request_label: new.labels.get(REQUEST_LABEL).cloned(),
        request_uid_label: new.labels.get(REQUEST_UID_LABEL).cloned(),
        status: ChildStatus::read(new.key.kind, json!({})),
        key: new.key,
    }
}
