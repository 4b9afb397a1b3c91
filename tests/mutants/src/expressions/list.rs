//! The changes that cargo-mutants names.

use std::io;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::part::Part;

/// A change.
#[derive(Clone, Debug, Deserialize)]
pub struct Mutant {
    /// File, line, column, and what is changed.
    pub name: String,
    /// The file, from the root of the workspace.
    pub file: String,
    /// The function that it lies in.
    pub function: Option<Function>,
    /// What is replaced.
    pub span: Span,
    /// By what.
    pub replacement: String,
}

/// A function.
#[derive(Clone, Debug, Deserialize)]
pub struct Function {
    /// Its name, with that of the type before it.
    pub function_name: String,
    /// From its documentation to its last brace.
    pub span: Span,
}

/// A piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Span {
    /// Its first character.
    pub start: Place,
    /// The one after its last.
    pub end: Place,
}

/// A place in a file; lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// Where in the text it is, in bytes.
    #[must_use]
    pub fn offset(self, text: &str) -> usize {
        let lines = text.split_inclusive('\n').take(self.line - 1);
        let line_start: usize = lines.map(str::len).sum();
        let line = &text[line_start..];
        let before = line.chars().take(self.column - 1).map(char::len_utf8);
        line_start + before.sum::<usize>()
    }
}

impl Mutant {
    /// What is changed and where, with the text of the line but not its number: it stays the same when code above it
    /// changes. `text` is the file.
    #[must_use]
    pub fn essence(&self, text: &str) -> String {
        let line = text.lines().nth(self.span.start.line - 1);
        format!(
            "{}, at `{}`",
            Self::kind_of(&self.name),
            line.unwrap_or_default().trim()
        )
    }

    /// The file and what is changed, without the place: what remains of a name when the code around it changes.
    #[must_use]
    pub fn kind_of(name: &str) -> String {
        let mut parts = name.splitn(4, ':');
        let file = parts.next().unwrap_or_default();
        format!("{file}:{}", parts.nth(2).unwrap_or_default())
    }

    /// The whole file with this one change.
    #[must_use]
    pub fn applied(&self, text: &str) -> String {
        let start = self.span.start.offset(text);
        let end = self.span.end.offset(text);
        format!("{}{}{}", &text[..start], self.replacement, &text[end..])
    }
}

/// All changes of a part of the workspace at this folder.
///
/// # Errors
/// If cargo-mutants is not there, fails, or says what cannot be read.
pub fn list(root: &Path, part: &Part) -> io::Result<Vec<Mutant>> {
    let mut command = Command::new("cargo");
    command.args(["mutants", "--list", "--json", "--package", part.package]);
    for file in part.files {
        command.args(["--file", file]);
    }
    let output = command.current_dir(root).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!(
            "cargo-mutants lists nothing: {} (is it there? `cargo install cargo-mutants`)",
            String::from_utf8_lossy(&output.stderr).trim()
        )));
    }
    serde_json::from_slice(&output.stdout).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(name: &str, from: usize, to: usize, replacement: &str) -> Mutant {
        let place = |column| Place { line: 2, column };
        Mutant {
            name: name.to_owned(),
            file: "a.rs".to_owned(),
            function: None,
            span: Span {
                start: place(from),
                end: place(to),
            },
            replacement: replacement.to_owned(),
        }
    }

    #[test]
    fn a_change_is_applied_where_its_span_says_counted_in_characters() {
        let change = mutant("a.rs:2:6: replace x", 6, 7, "!=");
        assert_eq!(change.applied("//\nä == b\nc"), "//\nä == !=\nc");
        assert_eq!(
            change.essence("//\nä == b\nc"),
            "a.rs: replace x, at `ä == b`"
        );
    }
}
