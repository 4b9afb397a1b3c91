//! A file with all its changes behind a number.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use super::NUMBER;
use super::body;
use super::list::{Mutant, Span};

/// A file in which the environment chooses the change.
#[derive(Debug)]
pub struct Switched {
    /// Its text.
    pub text: String,
    /// The lines of each change, by number, from 1.
    pub lines: BTreeMap<usize, Range<usize>>,
    /// The changes that cannot stand behind a number.
    pub apart: Vec<usize>,
    /// The lines of each function with changes, and their numbers.
    pub functions: Vec<(Range<usize>, Vec<usize>)>,
    /// The functions that are `const` no more, by name, and the numbers of their changes.
    pub constant: BTreeMap<String, Vec<usize>>,
}

/// What every package with changes gets: the number that is in force.
#[must_use]
pub fn chooser() -> String {
    format!(
        r#"
#[allow(missing_docs, unreachable_pub)]
pub(crate) fn planted_mutant() -> usize {{
    static NUMBER: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *NUMBER.get_or_init(|| std::env::var("{NUMBER}").ok().and_then(|n| n.parse().ok()).unwrap_or_default())
}}
"#
    )
}

/// Puts these changes of one file behind their numbers.
#[must_use]
pub fn switch(text: &str, mutants: &[(usize, &Mutant)]) -> Switched {
    let mut by_function: BTreeMap<Span, Vec<(usize, &Mutant)>> = BTreeMap::new();
    let mut switched = Switched {
        text: String::new(),
        lines: BTreeMap::new(),
        apart: Vec::new(),
        functions: Vec::new(),
        constant: BTreeMap::new(),
    };
    for (number, mutant) in mutants {
        match &mutant.function {
            Some(function) => by_function
                .entry(function.span)
                .or_default()
                .push((*number, mutant)),
            None => switched.apart.push(*number),
        }
    }
    let mut copied = 0;
    for (span, changes) in &by_function {
        let range = span.start.offset(text)..span.end.offset(text);
        let numbers = changes.iter().map(|(number, _)| *number);
        let opening = body::opening(&text[range.clone()]);
        let Some(found) = opening.filter(|_| copied <= range.start) else {
            switched.apart.extend(numbers);
            continue;
        };
        let opening = range.start + found.brace;
        if let Some(constant) = found.constant {
            // A constant function cannot look at the environment.
            let constant = range.start + constant;
            switched.text.push_str(&text[copied..constant]);
            copied = constant + "const ".len();
            let function = changes.iter().find_map(|(_, m)| m.function.as_ref());
            let name = function.map_or("", |f| &f.function_name);
            let known = switched.constant.entry(last(name).to_owned()).or_default();
            known.extend(numbers.clone());
        }
        switched.text.push_str(&text[copied..opening]);
        let first = line(&switched.text);
        switched
            .text
            .push_str("{ match crate::planted_mutant() {\n");
        for (number, mutant) in changes {
            let from = line(&switched.text);
            let changed = format!(
                "{}{}{}",
                &text[opening..mutant.span.start.offset(text)],
                mutant.replacement,
                &text[mutant.span.end.offset(text)..range.end]
            );
            let _ = writeln!(switched.text, "{number} => {changed}");
            switched.lines.insert(*number, from..line(&switched.text));
        }
        let _ = write!(switched.text, "_ => {} }} }}", &text[opening..range.end]);
        let lines = first..line(&switched.text) + 1;
        switched.functions.push((lines, numbers.collect()));
        copied = range.end;
    }
    switched.text.push_str(&text[copied..]);
    switched
}

/// The last word of a path.
pub(super) fn last(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// The number of the line that is being written.
fn line(text: &str) -> usize {
    text.matches('\n').count() + 1
}

impl Switched {
    /// The change that this line belongs to alone.
    #[must_use]
    pub fn change_in(&self, line: usize) -> Option<usize> {
        let mut changes = self.lines.iter();
        let (number, _) = changes.find(|(_, lines)| lines.contains(&line))?;
        Some(*number)
    }

    /// The changes that an error of the compiler in this line is about: one of them, or all of a function whose changes do
    /// not go together.
    #[must_use]
    pub fn blamed(&self, line: usize) -> Vec<usize> {
        if let Some(number) = self.change_in(line) {
            return vec![number];
        }
        let mut functions = self.functions.iter();
        let function = functions.find(|(lines, _)| lines.contains(&line));
        function
            .map(|(_, numbers)| numbers.clone())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::list::{Function, Place};
    use super::*;

    const TEXT: &str = "/// One.\nfn one() -> u8 {\n    1\n}\nconst fn two() -> u8 {\n    2\n}\n";

    fn mutant(function: (usize, usize), line: usize) -> Mutant {
        let place = |line, column| Place { line, column };
        Mutant {
            name: String::new(),
            file: String::new(),
            function: Some(Function {
                function_name: "A::f".to_owned(),
                span: Span {
                    start: place(function.0, 1),
                    end: place(function.1, 2),
                },
            }),
            span: Span {
                start: place(line, 5),
                end: place(line, 6),
            },
            replacement: "9".to_owned(),
        }
    }

    #[test]
    fn a_function_becomes_a_match_whose_last_arm_is_the_function_as_it_was() {
        let (one, two) = (mutant((1, 4), 3), mutant((5, 7), 6));
        let switched = switch(TEXT, &[(7, &one), (8, &two)]);
        assert_eq!(
            switched.text,
            "/// One.\nfn one() -> u8 { match crate::planted_mutant() {\n7 => {\n    9\n}\n_ => {\n    1\n} } }\n\
             fn two() -> u8 { match crate::planted_mutant() {\n8 => {\n    9\n}\n_ => {\n    2\n} } }\n"
        );
        assert_eq!(switched.apart, [0_usize; 0]);
        assert_eq!(switched.constant["f"], [8]);
    }

    #[test]
    fn an_error_is_blamed_on_the_change_in_its_line_or_on_all_of_its_function() {
        let (one, other) = (mutant((1, 4), 3), mutant((1, 4), 3));
        let switched = switch(TEXT, &[(7, &one), (8, &other)]);
        assert_eq!(switched.blamed(4), [7]);
        assert_eq!(switched.blamed(7), [8]);
        assert_eq!(switched.blamed(2), [7, 8]);
        assert_eq!(switched.blamed(1), [0_usize; 0]);
    }
}
