//! `replay`: what today's rules would do with the requests of a dump, and by which rule.

mod words;

use std::io::{Read, Write};
use std::sync::Arc;

use jiff::Timestamp;
use remediation_adapters::snapshot::{self, Dump, Gathered, Remediation};
use remediation_core::decide::{Decision, State, explain};
use remediation_core::memory::Memory;
use remediation_core::policy::Settings;
use serde_json::{Value, json};

use crate::cli::{Output, ReplayArgs};
use crate::failure::Failure;
use crate::style::Style;

pub(crate) fn main(args: &ReplayArgs) -> Result<(), Failure> {
    let settings = Arc::new(settings(args)?);
    let dump = read(args)?;
    let gathered = snapshot::gather(&dump).map_err(|error| Failure::Input(error.to_string()))?;
    let (now, now_from) = now(args, &dump)?;
    let chosen: Vec<&Remediation> = gathered
        .remediations
        .iter()
        .filter(|remediation| {
            args.namespace
                .as_ref()
                .is_none_or(|namespace| remediation.request.identity.namespace == *namespace)
        })
        .collect();
    if chosen.is_empty() {
        let place = args
            .namespace
            .as_ref()
            .map_or_else(String::new, |namespace| {
                format!(" in namespace {namespace}")
            });
        return Err(Failure::Input(format!(
            "{}: holds no RemediationRequest{place}; make a dump with `{}`",
            args.files.join(", "),
            words::DUMP_COMMAND
        )));
    }
    let explained: Vec<(&Remediation, Decision)> = chosen
        .into_iter()
        .map(|remediation| (remediation, decide(remediation, &settings, now)))
        .collect();
    let text = match args.output {
        Output::Text => {
            eprintln!("as of {now} ({now_from})");
            for caveat in caveats(&gathered) {
                eprintln!("note: {caveat}");
            }
            let style = Style::stdout();
            explained
                .iter()
                .map(|(remediation, decision)| {
                    words::remediation(remediation, decision, now, style)
                })
                .collect::<Vec<_>>()
                .join("\n")
        }
        Output::Json => as_json(&gathered, &explained, now, now_from)?,
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::writing(&error))
}

fn decide(remediation: &Remediation, settings: &Arc<Settings>, now: Timestamp) -> Decision {
    let state = State {
        request: remediation.request.clone(),
        settings: Arc::clone(settings),
        memory: Memory::default(),
    };
    explain(&state, &remediation.children, now)
}

fn settings(args: &ReplayArgs) -> Result<Settings, Failure> {
    match &args.config {
        None => Ok(Settings::default()),
        Some(file) => crate::config::load(Some(file), &[])
            .map(|configuration| configuration.settings)
            .map_err(|problems| crate::config::refuse(&problems)),
    }
}

fn read(args: &ReplayArgs) -> Result<Dump, Failure> {
    let mut all = Dump::default();
    for file in &args.files {
        let mut bytes = Vec::new();
        let (name, outcome) = if file == "-" {
            ("<stdin>", std::io::stdin().lock().read_to_end(&mut bytes))
        } else {
            let outcome =
                std::fs::File::open(file).and_then(|mut open| open.read_to_end(&mut bytes));
            (file.as_str(), outcome)
        };
        outcome.map_err(|error| {
            Failure::Input(format!(
                "{name}: cannot be read: {error}; give a file, or - for standard input"
            ))
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
                + 1;
            Failure::Input(format!(
                "{name}:{line}: is no UTF-8 text, so neither YAML nor JSON"
            ))
        })?;
        let dump =
            snapshot::parse(name, &text).map_err(|error| Failure::Input(error.to_string()))?;
        all.objects.extend(dump.objects);
    }
    Ok(all)
}

/// The time that is decided at, and where it is from.
fn now(args: &ReplayArgs, dump: &Dump) -> Result<(Timestamp, &'static str), Failure> {
    match (args.now, dump.newest_time()) {
        (Some(now), _) => Ok((now, "from --now")),
        (None, Some(newest)) => Ok((newest, "the newest time in the dump; --now sets another")),
        (None, None) => Err(Failure::Input(
            "the dump holds no time to decide at; give one with --now 2026-03-01T12:00:00Z"
                .to_owned(),
        )),
    }
}

/// What the dump cannot tell.
fn caveats(gathered: &Gathered) -> Vec<String> {
    let mut caveats = Vec::new();
    if !gathered.kinds_without_objects.is_empty() {
        let kinds: Vec<&str> = gathered
            .kinds_without_objects
            .iter()
            .map(|kind| kind.name())
            .collect();
        caveats.push(format!(
            "the dump holds no {}; if there are any in the cluster, dump all kinds: {}",
            kinds.join(", no "),
            words::DUMP_COMMAND
        ));
    }
    if !gathered.others.is_empty() {
        let others: Vec<String> = gathered
            .others
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        caveats.push(format!(
            "left aside, because they belong to no request of the dump: {}",
            others.join(", ")
        ));
    }
    caveats.push(
        "kubectl lists one kind after the other, so a dump is no consistent cut; and it does not hold what the \
         operator remembers of refused calls"
            .to_owned(),
    );
    caveats
}

fn as_json(
    gathered: &Gathered,
    explained: &[(&Remediation, Decision)],
    now: Timestamp,
    now_from: &str,
) -> Result<String, Failure> {
    let remediations: Vec<Value> = explained
        .iter()
        .map(|(remediation, decision)| {
            json!({
                "namespace": remediation.request.identity.namespace,
                "name": remediation.request.identity.name,
                "uid": remediation.request.identity.uid,
                "place": remediation.place.to_string(),
                "phase": remediation.request.status.phase,
                "rule": decision.rule,
                "why": decision.rule.words(),
                "actions": decision.actions,
                "inWords": decision.actions.iter().map(|action| words::action(action, remediation, now)).collect::<Vec<_>>(),
                "missing": remediation.missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        })
        .collect();
    let all = json!({
        "now": now, "nowFrom": now_from, "notes": caveats(gathered), "remediations": remediations,
    });
    serde_json::to_string_pretty(&all)
        .map(|text| text + "\n")
        .map_err(|error| Failure::Check(format!("the result cannot be printed: {error}")))
}
