//! The page of the promises is written from the table in the code, and its marks from what the layers' code checks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use remediation_adapters::simulation::promises::{Entry, Promise, Shown, TABLE};

use crate::committed::assert_committed;

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
* A creation may be decided from a view that lags, and may land late. It may be asked for (it is judged by when it reached the server)
  after the suspension, the end or the deletion of its request by as much as the run allows for (`Expectations::lag`, one second by
  default), and not by more. So may the sweeping of a straggler after its request is gone. Time in which a run holds the
  operator up (`Promises::held_up`: a watch that lags, a call without an answer) does not count.
* Clocks may differ by as much as the run says (`Expectations::skew`, nothing by default). Where a stored start may lie more
  than 5 s ahead of the orchestrator's clock, it is set to now, and a workflow that is created in the same pass goes by the new one.
* Where a hand takes an execution's reference away at the moment at which its executor looks (by as much), the
  executor has begun rightly: no orchestrator can keep a hand and an executor apart.
* Where a hand took the workflow's name away, any workflow of the request that completed makes a success.
* A status of one step stays within 4 kB unless a child or a hand wrote more than 128 bytes in one place, or the request's
  name is that long; then, as with more steps, within 32 kB.
* Each fault, each change by hand, each failing child allows three writes more than the ten of S28; each further step two;
  each change of a workflow's progress one.

Each promise that a history can show has a canary: a history that breaks that promise, and is reported as that and as
nothing else (`adapters/tests/promises/broken.rs`); the other ways to break it are in `more.rs`, `claims.rs` and `ends.rs` beside it, 100 histories in
all. Lives of the real operator that succeed, fail, time out, are suspended, deleted and edited by hand break none
(`good.rs`).

## What it does not see

* What was decided, asked or refused: only what was committed. Reads, waits and refused calls are the other layers'.
* Whether a write carried a precondition: an unconditional one shows only where it undid something.
* In an audit log deletions carry no version; each is placed where it may have been committed first, after all that had been
  answered when it was asked for.
* Where a hand changes the fields that say why a request failed, what notifications say of it is not judged; where it changes
  the references to executions, what it wrote counts as named.
* Whether what a failure of category C says was refused, but for a name that somebody else holds.
* Leases and Events are no remediation's.

## Figures

Two cores shared with other work, development build: the tests of the checker, 100 canaries and 48 recorded lives, take 6 to
11 s; the scenarios of `system`, each judged, 143 to 181 s. Unoptimised the checker judges 363 lives of 30 writes a second
(its optimised rate is not measured yet); this prints it:
`cargo test -p remediation-adapters --features simulation --test promises -- many_lives --nocapture`.

## What it found

In the operator so far nothing: what it reported in the scenarios and in the recorded lives was wrong in the checker or
came from what was recorded, and each case is a test now:

* A workflow that is created in the pass that resumes a request has a latest moment that counts the pause, which is recorded
  one write later.
* The executions of all ready steps are created before one write names them: the budget of S28 counts from their creation.
* A status patch whose client was killed while it waited stands in the audit log as failed (504) and was committed all the
  same. The reader puts it together from what was asked, where a later request builds on its version.
* A scenario that edits a request after its child spoke relied on the order of two watches; it waits now until the operator
  has seen the child.

## The table

The head of a column says how much of the layer the ordinary test run takes. Campaigns take more:
[reliability.md](../reliability.md). What the simulation's runs reached, phase by phase, is on a page of its own:
[reached.md](reached.md). No mark is set by hand (`adapters/tests/promises/page.rs`):

* A promise is marked for a layer whose code reports a text that begins with its number (`S19: not at rest`); what is there only
  to test that code does not count. In the enumeration, which compares whole decisions, it is the mistakes made on purpose that
  name the promise they break.
* Simulation, every fault and real are judged by the checker above, whose every promise has a canary. They are marked for all that a
  history can show, but for what does not happen there:
UNMET* A check of a part is marked too: a single decision shows no more of S9 than that the deadline was kept in it.

";

const ENUMERATION: Layer = Layer {
    head: "enumeration: 6.7 million inputs",
    code: &["core/tests/enumeration"],
    others: &[],
    history: false,
    unmet: &[],
};

/// A way in which a promise is shown.
struct Layer {
    /// What it is called, and what the ordinary test run takes of it.
    head: &'static str,
    /// Where its checks are.
    code: &'static [&'static str],
    /// What in there another layer calls, and this one does not.
    others: &'static [&'static str],
    /// Whether the checker of the promises judges it.
    history: bool,
    /// What happens in none of its runs, and the promises that are about it.
    unmet: &'static [(Promise, &'static str)],
}

/// Compares a run with faults with one without; of the runs of seeds none is compared.
const POINTS: &str = "adapters/src/simulation/run/points.rs";

const LAYERS: [Layer; 6] = [
    ENUMERATION,
    Layer {
        head: "property: 1,900 inputs, 800 lives",
        code: &["core/tests/properties", "core/tests/world"],
        ..ENUMERATION
    },
    Layer {
        head: "model: 2.6 million states",
        code: &["core/tests/model"],
        ..ENUMERATION
    },
    Layer {
        head: "simulation: 10,000 runs, 55 scenarios",
        code: &[
            "adapters/src/simulation/run",
            "adapters/tests/simulation/determinism.rs",
            "adapters/tests/simulation/found.rs",
            "adapters/tests/simulation/seeds.rs",
            "tests/system/edge_cases",
        ],
        others: &[POINTS],
        history: true,
        unmet: &[],
    },
    Layer {
        head: "every fault: 4,908 runs",
        code: &[POINTS, "adapters/tests/simulation/every_fault.rs"],
        others: &[],
        history: true,
        unmet: &[
            (Promise::S11, "no child ends as a deadline passes"),
            (Promise::S15, "no object of somebody else"),
            (Promise::S16, "no earlier request"),
            (Promise::S27, "no other settings"),
            (Promise::S29, "no large texts"),
            (Promise::S34, "no suspension"),
            (Promise::L5, "no crash lasts until a request has expired"),
            (Promise::L6, "nobody deletes a request"),
            (Promise::L12, "nobody deletes an execution"),
            (Promise::L14, "no child that comes too late"),
        ],
    },
    Layer {
        head: "real: 68 scenarios, 192 lives",
        code: &["tests/system", "tests/crashes"],
        others: &[],
        history: true,
        unmet: &[(Promise::S27, "no other settings")],
    },
];

impl Layer {
    fn word(&self) -> &str {
        self.head.split(':').next().unwrap()
    }

    /// The promises that it checks.
    fn checks(&self) -> BTreeSet<Promise> {
        let history = TABLE.iter().filter(|entry| {
            self.history
                && matches!(entry.shown, Shown::ByHistory(_))
                && self.unmet.iter().all(|(unmet, _)| *unmet != entry.promise)
        });
        let others: Vec<PathBuf> = self.others.iter().map(|path| workspace(path)).collect();
        let code = self.code.iter();
        let named = code.flat_map(|path| named(&workspace(path), &others));
        history.map(|entry| entry.promise).chain(named).collect()
    }
}

fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The source files here.
fn sources(path: &Path) -> Vec<String> {
    if path.is_file() {
        return vec![std::fs::read_to_string(path).unwrap()];
    }
    let files = std::fs::read_dir(path).unwrap();
    files
        .flat_map(|file| sources(&file.unwrap().path()))
        .collect()
}

/// The lines of the code here, but for these files, for comments, and for what is there only to test that code.
fn code(path: &Path, but_for: &[PathBuf]) -> Vec<String> {
    if but_for.iter().any(|other| other == path) {
        return Vec::new();
    }
    if path.is_file() {
        let source = std::fs::read_to_string(path).unwrap();
        return untested(&source).0.into_iter().map(str::to_owned).collect();
    }
    let files = std::fs::read_dir(path).unwrap();
    let files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    let tests: BTreeSet<String> = files
        .iter()
        .filter(|file| file.is_file())
        .flat_map(|file| {
            let source = std::fs::read_to_string(file).unwrap();
            let modules = untested(&source).1.into_iter();
            modules.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let is_test = |file: &Path| {
        file.file_stem()
            .is_some_and(|name| tests.contains(name.to_str().unwrap()))
    };
    let files = files.iter().filter(|file| !is_test(file));
    files.flat_map(|file| code(file, but_for)).collect()
}

/// The lines of a source file that are neither comments nor behind `#[cfg(test)]`, and the files that are behind it.
fn untested(source: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut code, mut tests) = (Vec::new(), Vec::new());
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let word = line.trim_start();
        if word != "#[cfg(test)]" {
            code.extend((!word.starts_with("//")).then_some(line));
            continue;
        }
        // As rustfmt writes it, an item ends where it began to the right.
        let indent = line.len() - word.len();
        for line in lines.by_ref() {
            let module = line.trim_start().strip_prefix("mod ");
            tests.extend(module.and_then(|name| name.strip_suffix(';')));
            let outermost = line.len() - line.trim_start().len() == indent;
            if outermost && line.ends_with(['}', ';']) {
                break;
            }
        }
    }
    (code, tests)
}

/// The promises that the code here reports: with whose numbers a text begins, `"S26/S13: its spec"`, or that stand
/// alone as a violation's, `promise: "S22"` or `Promise::S22`.
fn named(path: &Path, but_for: &[PathBuf]) -> BTreeSet<Promise> {
    let mut found = BTreeSet::new();
    for line in code(path, but_for) {
        let violations = line
            .split("Promise::")
            .skip(1)
            .filter_map(|rest| numbered(rest.split(|c: char| !c.is_alphanumeric()).next()?));
        found.extend(violations);
        let parts: Vec<&str> = line.split('"').collect();
        for pair in parts.windows(2) {
            let numbers = match pair[1].split_once(": ") {
                Some((numbers, _)) => numbers,
                None if pair[0].ends_with("promise: ") => pair[1],
                None => continue,
            };
            let promises: Option<Vec<Promise>> = numbers.split('/').map(numbered).collect();
            found.extend(promises.into_iter().flatten());
        }
    }
    found
}

fn numbered(number: &str) -> Option<Promise> {
    let promises = TABLE.iter().map(|entry| entry.promise);
    promises
        .into_iter()
        .find(|promise| promise.name() == number)
}

/// The tests that are named as what shows it.
fn tests(entry: &Entry) -> Vec<&'static str> {
    let Shown::Elsewhere(why) = entry.shown else {
        return Vec::new();
    };
    why.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_committed_page_of_promises_is_current() {
    let unmet = LAYERS.iter().filter(|layer| !layer.unmet.is_empty());
    let unmet: String = unmet
        .map(|layer| {
            let all = layer.unmet.iter();
            let all: Vec<String> = all
                .map(|(promise, what)| format!("{what} ({promise})"))
                .collect();
            format!("  * {}: {}.\n", layer.word(), all.join(", "))
        })
        .collect();
    let mut page = INTRODUCTION.replace("UNMET", &unmet);
    let heads = LAYERS.map(|layer| layer.head).join(" | ");
    let marks = ":-:|".repeat(LAYERS.len());
    page.push_str(&format!(
        "| | Promise | {heads} | Canary, or what shows it instead |\n|---|---|{marks}---|\n"
    ));
    let checks = LAYERS.map(|layer| layer.checks());
    for entry in TABLE {
        let marked = |checks: &BTreeSet<Promise>| {
            if checks.contains(&entry.promise) {
                "✓"
            } else {
                ""
            }
        };
        let layers = checks.each_ref().map(marked).join(" | ");
        let shown = match entry.shown {
            Shown::ByHistory(canary) => format!("`{canary}`"),
            Shown::Elsewhere(why) => format!("no history shows it: {why}"),
            Shown::NotBuilt => "what it is about is not built yet".to_owned(),
        };
        page.push_str(&format!(
            "| {} | {} | {layers} | {shown} |\n",
            entry.promise, entry.statement
        ));
    }
    let renews = "-p remediation-adapters --features simulation --test promises";
    assert_committed("docs/reliability/promises.md", &page, renews);
}

#[test]
fn every_promise_stands_once_and_in_order_and_is_checked_by_a_layer_or_a_test_that_exists() {
    assert!(
        TABLE
            .windows(2)
            .all(|pair| pair[0].promise < pair[1].promise)
    );
    let layers: BTreeSet<Promise> = LAYERS.iter().flat_map(Layer::checks).collect();
    let units = ["core/src", "adapters/src"].map(|path| sources(&workspace(path)).concat());
    let exists = |test: &str| {
        units
            .iter()
            .any(|code| code.contains(&format!("fn {test}()")))
    };
    for entry in TABLE {
        let promise = entry.promise;
        assert_eq!(entry.statement, promise.statement());
        let named = tests(entry);
        let checked = layers.contains(&promise) || !named.is_empty();
        assert_eq!(checked, entry.shown != Shown::NotBuilt, "{promise}");
        for test in named {
            assert!(exists(test), "{promise}: there is no test {test}");
        }
    }
}

#[test]
fn what_a_layer_checks_is_read_from_its_code() {
    let folder = std::env::temp_dir().join(format!("promises-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("deeper")).unwrap();
    std::fs::create_dir_all(folder.join("tests")).unwrap();
    let code = "// \"S1: a comment\"\nfound.push(\"S26/S13: its spec\");\nnoticed(&world, \"S5:\");\nprintln!(\"S99: none\");";
    let tested = "#[cfg(test)]\nmod tests {\n    const A: Promise = Promise::S2;\n}\nconst B: Promise = Promise::S3;";
    let files = [
        ("deeper/check.rs", code),
        ("tested.rs", tested),
        (
            "mod.rs",
            "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod more_tests;",
        ),
        ("tests/first.rs", "Promise::S4"),
        ("more_tests.rs", "Promise::S6"),
        ("another.rs", "Promise::S7"),
    ];
    for (name, code) in files {
        std::fs::write(folder.join(name), code).unwrap();
    }
    let found = named(&folder, &[folder.join("another.rs")]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(
        found,
        BTreeSet::from([Promise::S3, Promise::S13, Promise::S26])
    );
}
