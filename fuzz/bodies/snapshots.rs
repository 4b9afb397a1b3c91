//! Dumps that people hand to `replay`: YAML or JSON of any origin is read, or the mistake is told with its place; what is
//! read can be decided on (S18).

use jiff::Timestamp;
use remediation_adapters::snapshot;
use remediation_core::children::Children;
use remediation_core::decide::{Decision, State, explain};

/// What [`explain`] is.
pub type Explain<'a> = &'a dyn Fn(&State, &Children, Timestamp) -> Decision;

/// Reads the text as a dump, and decides on what it holds.
pub fn run(data: &[u8]) {
    run_with(data, &explain);
}

/// The same, of what this decides.
pub fn run_with(data: &[u8], explain: Explain<'_>) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let dump = match snapshot::parse("dump.yaml", text) {
        Ok(dump) => dump,
        Err(error) => {
            // YAML ends a line at more characters than one.
            let ends = text.matches(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
            let lines = ends.count() as u64 + 1;
            assert!(error.place.line.is_none_or(|line| line <= lines), "{error}");
            assert!(!error.what.is_empty());
            return;
        }
    };
    let now = dump.newest_time();
    let Ok(gathered) = snapshot::gather(&dump) else {
        return;
    };
    let Some(now) = now else {
        return;
    };
    for remediation in gathered.remediations {
        let state = State {
            request: remediation.request,
            ..State::default()
        };
        let decision = explain(&state, &remediation.children, now);
        assert_eq!(decision, explain(&state, &remediation.children, now), "S18");
    }
}
