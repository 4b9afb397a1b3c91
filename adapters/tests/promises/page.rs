//! The page of the promises is written from the table in the code.

use crate::committed::assert_committed;
use remediation_adapters::simulation::promises::{Layer, Shown, TABLE};

const INTRODUCTION: &str = "# Promises

This page is written from the code: `UPDATE=1 cargo test -p remediation-adapters --features simulation --test promises`
renews it.

No remediation acts twice, none is forgotten, no failure goes unreported, whatever crashes, lags or is edited by hand.
These are the sentences in which that is stated, numbered so that tests and comments can name them: S for what never
happens, L for what happens in the end, once faults have stopped.

## The checker

`adapters/src/simulation/promises` reads every committed write to a request and its children, in the API server's order,
and says which promise the history breaks. It is written from the sentences below: it shares the names of kinds and the
forms of times with the core, and none of its rules. It judges

* each scenario on the simulated API server and on a real one (`cargo test -p remediation-orchestrator --test system`),
* each run of the simulation, with its faults,
* any audit log of a real API server that logs the project's kinds at the level `RequestResponse`.

What it bears with, and no more:

* A status write carries the resourceVersion that it was decided from, so it is judged by what it found. What a hand wrote
  is found, and is no breach of ours.
* A creation may be decided from a view that lags, and may land late. It may come after the suspension, the end or the
  deletion of its request by as much as the run allows for (`Expectations::lag`, one second where nothing is made to lag),
  and not by more. So may the sweeping of a straggler after its request is gone.
* Clocks may differ by as much as the run says (`Expectations::skew`, nothing by default). Where a stored start may lie more
  than 5 s ahead of the orchestrator's clock, it is set to now, and a workflow that is created in the same pass goes by the new one.
* Where a hand takes an execution's reference away at the moment at which its executor looks (by `Expectations::lag`), the
  executor has begun rightly: no orchestrator can keep a hand and an executor apart.
* Each fault, each change by hand, each failing child allows three writes more than the ten of S28; each further step two;
  each change of a workflow's progress one.

Each promise that a history can show has a canary: a history that breaks that promise, and is reported as that and as
nothing else (`adapters/tests/promises/broken.rs`); the other ways to break it are in `more.rs` beside it, 80 histories in
all. Lives of the real operator that succeed, fail, time out, are suspended, deleted and edited by hand break none
(`good.rs`).

## What it does not see

* What was decided, asked or refused: only what was committed. Reads, waits and refused calls are the other layers'.
* Whether a write carried a precondition: an unconditional one shows only where it undid something.
* In an audit log deletions carry no version; each is placed after everything that had been answered by then.
* Where a hand changes the fields that say why a request failed, what notifications say of it is not judged; where it changes
  the references to executions, what it wrote counts as named.
* Leases and Events are no remediation's.

## Figures

Two cores shared with other work, development build: the tests of the checker, 80 canaries and 48 recorded lives, take 6 to
11 s; the scenarios of `system`, each judged, 143 to 181 s. Unoptimised the checker judges 363 lives of 30 writes a second
(its optimised rate is not measured yet); this prints it:
`cargo test -p remediation-adapters --features simulation --test promises -- many_lives --nocapture`.

## What it found

In the operator so far nothing: what it reported in the 141 scenarios and in the recorded lives was wrong in the checker or
came from what was recorded, and each case is a test now:

* A workflow that is created in the pass that resumes a request has a latest moment that counts the pause, which is recorded
  one write later.
* The executions of all ready steps are created before one write names them: the budget of S28 counts from their creation.
* A status patch whose client was killed while it waited stands in the audit log as failed (504) and was committed all the
  same. The reader puts it together from what was asked, where a later request builds on its version.
* A scenario that edits a request after its child spoke relied on the order of two watches; it waits now until the operator
  has seen the child.

## The table

A layer that checks a promise is marked; the head says how much of it the ordinary test run takes. Campaigns take more:
[reliability.md](../reliability.md). What the simulation's runs reached, phase by phase, is on a page of its own:
[reached.md](reached.md).

";

#[test]
fn the_committed_page_of_promises_is_current() {
    let mut page = INTRODUCTION.to_owned();
    let heads = Layer::ALL.map(|layer| format!("{}: {}", layer.word(), layer.cases()));
    let heads = heads.join(" | ");
    let marks = ":-:|".repeat(Layer::ALL.len());
    page.push_str(&format!(
        "| | Promise | {heads} | Canary, or what shows it instead |\n|---|---|{marks}---|\n"
    ));
    for entry in TABLE {
        let layers = Layer::ALL.map(|layer| {
            if entry.layers.contains(&layer) {
                "✓"
            } else {
                ""
            }
        });
        let shown = match entry.shown {
            Shown::ByHistory(canary) => format!("`{canary}`"),
            Shown::Elsewhere(why) => format!("no history shows it: {why}"),
            Shown::NotBuilt => "what it is about is not built yet".to_owned(),
        };
        let layers = layers.join(" | ");
        page.push_str(&format!(
            "| {} | {} | {layers} | {shown} |\n",
            entry.promise, entry.statement
        ));
    }
    let renews = "-p remediation-adapters --features simulation --test promises";
    assert_committed("docs/reliability/promises.md", &page, renews);
}

#[test]
fn every_promise_stands_once_and_in_order_and_says_how_it_is_shown() {
    assert!(
        TABLE
            .windows(2)
            .all(|pair| pair[0].promise < pair[1].promise)
    );
    for entry in TABLE {
        assert_eq!(entry.statement, entry.promise.statement());
        assert!(
            entry.layers.windows(2).all(|pair| pair[0] < pair[1]),
            "{}",
            entry.promise
        );
        let built = entry.shown != Shown::NotBuilt;
        assert_eq!(built, !entry.layers.is_empty(), "{}", entry.promise);
    }
    assert!(Layer::ALL.windows(2).all(|pair| pair[0] < pair[1]));
}
