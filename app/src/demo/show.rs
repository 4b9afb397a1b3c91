//! How the demo is shown: a live table on a terminal, lines elsewhere, JSON for programs.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;
use remediation_core::phase::{Phase, PhaseWord};
use remediation_core::text;
use serde_json::json;

use super::follow::{Board, Told};
use super::live::{self, Table};
use super::summary::{self, Verdict};
use crate::cli::DemoArgs;
use crate::failure::Failure;
use crate::style::Style;

/// Where results go.
#[derive(Debug)]
pub(crate) struct Show {
    mode: Mode,
    style: Style,
    began: Timestamp,
}

#[derive(Debug)]
enum Mode {
    Live(Table),
    Lines,
    Json,
}

const TITLE: &str = "remediation-orchestrator demo: the real operator on a simulated cluster";

impl Show {
    /// The way to show it that fits the arguments and the terminal.
    pub(crate) fn new(args: &DemoArgs, rows: usize) -> Self {
        let mode = if args.json {
            Mode::Json
        } else {
            match Table::on_terminal(rows) {
                Some(table) if !args.serve => Mode::Live(table),
                Some(_) | None => Mode::Lines,
            }
        };
        Self {
            mode,
            style: Style::stdout(),
            began: Timestamp::now(),
        }
    }

    /// Something for people, on standard error.
    pub(crate) fn say(&self, text: &str) {
        eprintln!("{text}");
    }

    /// Transitions that happened.
    pub(crate) fn transitions(&mut self, told: &[Told]) -> Result<(), Failure> {
        for told in told {
            match &self.mode {
                Mode::Live(_) => {}
                Mode::Lines => print(&self.line(told))?,
                Mode::Json => print_json(&json!({
                    "type": "transition",
                    "name": told.name,
                    "from": told.from,
                    "phase": told.entry.phase,
                    "time": told.entry.time,
                    "reason": told.entry.reason,
                    "message": told.entry.message,
                    "progress": told.progress,
                }))?,
            }
        }
        Ok(())
    }

    /// Time passed.
    pub(crate) fn refresh(&mut self, board: &Board, now: Timestamp) -> Result<(), Failure> {
        match &mut self.mode {
            Mode::Live(table) => print(&table.draw(board, TITLE, now)),
            Mode::Lines | Mode::Json => Ok(()),
        }
    }

    /// The end of the scenario.
    pub(crate) fn summary(
        &mut self,
        board: &Board,
        verdicts: &[Verdict],
        calls: &BTreeMap<String, u64>,
        took: Duration,
    ) -> Result<(), Failure> {
        self.refresh(board, Timestamp::now())?;
        let astray = verdicts
            .iter()
            .filter(|verdict| !verdict.is_as_scripted())
            .count();
        if let Mode::Json = self.mode {
            for verdict in verdicts {
                print_json(&verdict.as_json())?;
            }
            return print_json(&json!({
                "type": "end", "asScripted": astray == 0, "seconds": took.as_secs_f64(),
                "apiCalls": calls,
            }));
        }
        let total: u64 = calls.values().sum();
        let verdict = if astray == 0 {
            self.style
                .green(&format!("all {} ended as scripted", verdicts.len()))
        } else {
            self.style.red(&format!(
                "{astray} of {} did not end as scripted",
                verdicts.len()
            ))
        };
        print(&format!(
            "\n{}\n{verdict} in {:.1} s\nthe operator made {total} API calls: {}\n",
            summary::table(verdicts, self.style, live::width()),
            took.as_secs_f64(),
            summary::by_verb(calls)
        ))
    }

    /// Nothing is shown any more: the terminal is as it was.
    pub(crate) fn close(&mut self) {
        if let Mode::Live(_) = self.mode {
            // Where standard output is closed no cursor is hidden on it.
            let _ = print(Table::end());
        }
    }

    fn line(&self, told: &Told) -> String {
        let since = told.entry.time.moment().duration_since(self.began);
        let from = told
            .from
            .as_ref()
            .map_or_else(String::new, |from| format!("{from} → "));
        let phase = text::clean(&told.entry.phase.to_string(), 64);
        let phase = match told.entry.phase {
            PhaseWord::Known(Phase::Completed) => self.style.green(&phase),
            PhaseWord::Known(Phase::Failed) => self.style.red(&phase),
            PhaseWord::Known(_) | PhaseWord::Unknown(_) => phase,
        };
        let message = match told.entry.message.as_str() {
            "" => String::new(),
            message => format!(": {}", text::clean(message, text::HISTORY_MESSAGE)),
        };
        format!(
            "{:>6.1}s  {:22}  {from}{phase}  ({}{message})\n",
            since.as_secs_f64().max(0.0),
            told.name,
            text::clean(&told.entry.reason, text::REASON),
        )
    }
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::writing(&error))
}

fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{value}\n"))
}
