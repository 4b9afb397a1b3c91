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
/// The longest note that fits beside a column that can be left out: `ChildNeverStarted in Analyzing`.
const NOTE: usize = 32;
/// The width of the columns that are always there, with the two spaces before the note.
const ALWAYS: usize = NAME + 1 + PHASE + 1 + 4 + 1 + 6 + 2;
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
        if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
            return None;
        }
        let (width, height) = size()?;
        let fits = width >= NARROWEST && height > rows + AROUND;
        fits.then(|| Self {
            style: Style::stdout(),
            width,
            drawn: 0,
        })
    }

    /// Which columns have room beside the note.
    fn columns(&self) -> Columns {
        let with_bar = ALWAYS + BAR + 1 + NOTE;
        Columns {
            bar: self.width >= with_bar,
            alert: self.width > with_bar + ALERT,
        }
    }

    /// What to print so that the terminal shows the rows as they are now, over what was drawn before.
    pub(crate) fn draw(&mut self, board: &Board, title: &str, now: Timestamp) -> String {
        let mut lines = vec![self.style.bold(&cut(title, self.width))];
        let columns = self.columns();
        let (progress, done) = if columns.bar {
            ("PROGRESS", "")
        } else {
            ("", "DONE")
        };
        let head = columns.line(
            ["NAME", "ALERT", "PHASE", progress, done, "LEFT"],
            "WAITING FOR, OR WHY IT ENDED",
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
        let plain = self.columns().line(
            [
                &cut(&row.name, NAME),
                &cut(&row.alert, ALERT),
                phase.name(),
                &bar(row.progress()),
                &format!("{}%", row.progress()),
                &left,
            ],
            &row.note(),
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

/// Columns and lines of the terminal that standard output goes to, if it goes to one.
fn size() -> Option<(usize, usize)> {
    use std::io::IsTerminal;
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let (terminal_size::Width(width), terminal_size::Height(height)) =
        terminal_size::terminal_size()?;
    Some((usize::from(width), usize::from(height)))
}

/// How many columns the terminal has that standard output goes to, if it goes to one.
pub(crate) fn width() -> Option<usize> {
    size().map(|(width, _)| width)
}

/// The columns that a narrow terminal goes without.
#[derive(Clone, Copy, Debug)]
struct Columns {
    alert: bool,
    bar: bool,
}

impl Columns {
    /// A line of name, alert, phase, bar, percentage and time left, then the note.
    fn line(self, [name, alert, phase, bar, done, left]: [&str; 6], note: &str) -> String {
        let alert = if self.alert {
            format!("{alert:ALERT$} ")
        } else {
            String::new()
        };
        let bar = if self.bar {
            format!("{bar:BAR$} ")
        } else {
            String::new()
        };
        format!("{name:NAME$} {alert}{phase:PHASE$} {bar}{done:>4} {left:>6}  {note}")
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
    fn a_narrow_terminal_keeps_what_says_why() {
        let shown = |width| {
            let table = Table {
                style: Style::none(),
                width,
                drawn: 0,
            };
            let text = table.columns().line(
                ["web", "HighLoad", "Failed", "███░░░░░░░", "33%", ""],
                "ChildNeverStarted in Analyzing",
            );
            cut(&text, width)
        };
        assert!(shown(140).contains("HighLoad") && shown(140).contains("███"));
        assert!(!shown(120).contains("HighLoad") && shown(120).contains("███"));
        assert!(!shown(80).contains("███") && shown(80).contains("33%"));
        for width in [80, 96, 97, 127, 140, 200] {
            assert!(shown(width).contains("ChildNeverStarted in Ana"), "{width}");
        }
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
