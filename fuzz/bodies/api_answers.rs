//! Answers of the API server, or of whatever stands between: a failure has one category and a wait within bounds, an
//! object is read or refused with a reason, and a decision follows from it (S18, S30).
//!
//! The first line holds the status code and, after a space, the value of `Retry-After`; the rest is the body.

use remediation_adapters::kubernetes::failure;
use remediation_adapters::kubernetes::read::{self, ChildWire, RequestWire};
use remediation_core::children::Children;
use remediation_core::decide::{State, decide};
use remediation_core::error::{backoff, classify};
use remediation_core::kind::ChildKind;
use remediation_core::memory::{Errand, Memory};
use remediation_core::time::GoDuration;

/// What [`backoff`] is.
pub type Backoff<'a> = &'a dyn Fn(u32, Option<GoDuration>, &str) -> GoDuration;

/// Takes the answer as a failure, as a request, and as a child of each kind.
pub fn run(data: &[u8]) {
    run_with(data, &backoff);
}

/// The same, where refused calls wait as this says.
pub fn run_with(data: &[u8], backoff: Backoff<'_>) {
    let at = data.iter().position(|byte| *byte == b'\n');
    let (head, body) = at.map_or((data, &[][..]), |at| (&data[..at], &data[at + 1..]));
    let head = String::from_utf8_lossy(head);
    let (code, retry_after) = head.split_once(' ').unwrap_or((&head, ""));
    let code: u16 = code.trim().parse().unwrap_or(500);
    refused(
        code,
        Some(retry_after).filter(|text| !text.is_empty()),
        body,
        backoff,
    );
    if let Ok(wire) = serde_json::from_slice::<RequestWire>(body) {
        request(wire);
    }
    for kind in ChildKind::ALL {
        if let Ok(wire) = serde_json::from_slice::<ChildWire>(body) {
            let (_, child) = read::child(kind, wire);
            assert_eq!(child.key.kind, kind);
        }
    }
}

fn refused(code: u16, retry_after: Option<&str>, body: &[u8], backoff: Backoff<'_>) {
    let failure = failure::from_answer(code, retry_after, body);
    let cause = classify(&failure);
    assert!(!cause.word().is_empty() && !cause.next_step().is_empty());
    let wait = backoff(1, failure.retry_after, "u-1");
    assert!(wait >= GoDuration::from_secs(5), "S30: waits {wait}");
    let now = "2026-03-01T12:00:00Z".parse().expect("a time");
    let mut memory = Memory::default();
    memory.refuse(
        Errand::Record,
        cause,
        &failure.message,
        failure.retry_after,
        "u-1",
        now,
    );
    let refusal = memory.refusal(&Errand::Record).expect("just refused");
    assert!(refusal.next_try > now && refusal.message.chars().count() <= 512);
}

fn request(wire: RequestWire) {
    let request = match read::request(wire) {
        Ok(request) => request,
        Err(error) => {
            assert!(!error.problem.is_empty());
            return;
        }
    };
    let state = State {
        request,
        ..State::default()
    };
    let now = "2026-03-01T12:00:00Z".parse().expect("a time");
    let actions = decide(&state, &Children::default(), now);
    assert_eq!(actions, decide(&state, &Children::default(), now), "S18");
}
