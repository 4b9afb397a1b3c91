//! The live view: a table that is redrawn in place, on a terminal.

use std::fmt::Write as _;

use jiff::Timestamp;
use remediation_core::phase::Phase;

use super::follow::{Board, Row};
use crate::style::Style;

const NAME: usize = 22;
const ALERT: usize = 29;
const PHASE: usize = 16;
const BAR: usize = 10;
/// Lines beside the rows: title, head, foot.
const AROUND: usize = 4;
/// The narrowest terminal on which a row says something.
const NARROWEST: usize = 60;

/// A table on a terminal.
#[derive(Debug)]
pub(crate) struct Table {
    style: Style,
    width: usize,
    /// How many lines the last drawing has, to go back up over them.
    drawn: usize,
}

impl Table {
    /// A table, if standard output is a terminal that holds so many rows.
    pub(crate) fn on_terminal(rows: usize) -> Option<Self> {
        use std::io::IsTerminal;
        if !std::io::stdout().is_terminal()
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb")
        {
            return None;
        }
        let (terminal_size::Width(width), terminal_size::Height(height)) =
            terminal_size::terminal_size()?;
        let fits = usize::from(width) >= NARROWEST && usize::from(height) > rows + AROUND;
        fits.then(|| Self {
            style: Style::stdout(),
            width: usize::from(width),
            drawn: 0,
        })
    }

    /// What to print so that the terminal shows the rows as they are now, over what was drawn before.
    pub(crate) fn draw(&mut self, board: &Board, title: &str, now: Timestamp) -> String {
        let mut lines = vec![self.style.bold(&cut(title, self.width))];
        let head = format!(
            "{:NAME$} {:ALERT$} {:PHASE$} {:BAR$}      {:>6}  {}",
            "NAME", "ALERT", "PHASE", "PROGRESS", "LEFT", "WAITING FOR, OR WHY IT ENDED"
        );
        lines.push(self.style.dim(&cut(&head, self.width)));
        for row in board.rows() {
            lines.push(self.row(row, now));
        }
        let mut text = String::new();
        // Writing to a String cannot fail.
        if self.drawn == 0 {
            text.push_str("\u{1b}[?25l");
        } else {
            let _ = write!(text, "\u{1b}[{}A", self.drawn);
        }
        for line in &lines {
            let _ = write!(text, "\r{line}\u{1b}[K\n");
        }
        text.push_str("\u{1b}[J");
        self.drawn = lines.len();
        text
    }

    /// What to print when nothing is drawn any more: the cursor comes back.
    pub(crate) fn end() -> &'static str {
        "\u{1b}[?25h"
    }

    fn row(&self, row: &Row, now: Timestamp) -> String {
        let phase = row.phase();
        let left = row
            .left(now)
            .map_or_else(String::new, |left| seconds(left.as_millis()));
        let plain = format!(
            "{:NAME$} {:ALERT$} {:PHASE$} {} {:>3}% {left:>6}  {}",
            cut(&row.name, NAME),
            cut(&row.alert, ALERT),
            phase.name(),
            bar(row.progress()),
            row.progress(),
            row.note(),
        );
        let plain = cut(&plain, self.width);
        match phase {
            Phase::Completed => self.style.green(&plain),
            Phase::Failed => self.style.red(&plain),
            _ if row.note() == "AwaitingApproval" => self.style.yellow(&plain),
            Phase::Pending
            | Phase::Initializing
            | Phase::Processing
            | Phase::Analyzing
            | Phase::WorkflowPlanning
            | Phase::Executing => plain,
        }
    }
}

fn bar(progress: i64) -> String {
    let full = usize::try_from(progress).unwrap_or(0) * BAR / 100;
    format!("{}{}", "█".repeat(full), "░".repeat(BAR - full))
}

fn seconds(millis: i64) -> String {
    if millis >= 60_000 {
        format!("{}m{:02}s", millis / 60_000, millis / 1000 % 60)
    } else {
        format!("{}.{}s", millis / 1000, millis % 1000 / 100)
    }
}

/// At most so many characters.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let head: String = text.chars().take(width.saturating_sub(1)).collect();
    head + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_progress_says() {
        assert_eq!(bar(0), "░░░░░░░░░░");
        assert_eq!(bar(66), "██████░░░░");
        assert_eq!(bar(100), "██████████");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }

    #[test]
    fn time_left_is_short() {
        assert_eq!(seconds(2_540), "2.5s");
        assert_eq!(seconds(899_000), "14m59s");
    }
}
