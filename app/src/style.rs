//! Colour, on a terminal only: `NO_COLOR` (any value but empty) and `TERM=dumb` turn it off.

use std::io::IsTerminal;

/// Whether and how to colour what goes to one stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    colour: bool,
}

impl Style {
    /// For standard output.
    #[cfg(feature = "tools")]
    pub(crate) fn stdout() -> Self {
        Self {
            colour: wanted() && std::io::stdout().is_terminal(),
        }
    }

    /// Without colour, whatever the terminal.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { colour: false }
    }

    /// For standard error.
    pub(crate) fn stderr() -> Self {
        Self {
            colour: wanted() && std::io::stderr().is_terminal(),
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    #[cfg(feature = "tools")]
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    #[cfg(feature = "tools")]
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    #[cfg(feature = "tools")]
    pub(crate) fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    #[cfg(feature = "tools")]
    pub(crate) fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.paint("31", text)
    }
}

fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
