//! The docs page of phases, written from [`TRANSITIONS`] and [`Rule`], so that it cannot tell another story
//! than the code.

use crate::phase::{Phase, TRANSITIONS};
use crate::rule::Rule;

/// When several rules apply, the first of these is followed; the code is [`crate::decide::explain`].
const ORDER: [&str; 9] = [
    "The request is being deleted.",
    "It ended.",
    "It is suspended.",
    "A failure is recorded already.",
    "A child failed.",
    "A child completed.",
    "A child was deleted.",
    "The plan is invalid.",
    "The earlier of the deadlines that have passed: exactly at a deadline it has passed.",
];

/// The page, in Markdown.
#[must_use]
pub fn phases() -> String {
    let mut page = String::from(
        "# Phases\n\n\
         This page is written from the code: `UPDATE=1 cargo test -p remediation-core --test pages` renews it.\n\n",
    );
    let paragraphs = [diagram(), edges(), order(), rules()];
    page.push_str(&paragraphs.join("\n"));
    page
}

fn diagram() -> String {
    let mut text = String::from("```mermaid\nstateDiagram-v2\n    [*] --> Pending\n");
    for edge in TRANSITIONS {
        line(&mut text, &format!("    {} --> {}", edge.from, edge.to));
    }
    for phase in Phase::ALL.into_iter().filter(|phase| phase.is_terminal()) {
        line(&mut text, &format!("    {phase} --> [*]"));
    }
    text.push_str("```\n");
    text
}

fn edges() -> String {
    let mut text = String::from(
        "## Transitions\n\nThere are no others. Completed and Failed are terminal.\n\n\
         | From | To | When | What is done first |\n|---|---|---|---|\n",
    );
    for edge in TRANSITIONS {
        let (from, to, when, doing) = (edge.from, edge.to, edge.when, edge.doing);
        line(&mut text, &format!("| {from} | {to} | {when} | {doing} |"));
    }
    text
}

fn order() -> String {
    let mut text = String::from(
        "## Order of rules\n\nWhen several rules apply, the first one is followed:\n\n",
    );
    for (place, rule) in (1..).zip(ORDER) {
        line(&mut text, &format!("{place}. {rule}"));
    }
    text
}

fn rules() -> String {
    let mut text = String::from(
        "## Rules\n\nEach decision names the rule that it followed.\n\n| Rule | In words |\n|---|---|\n",
    );
    for rule in Rule::ALL {
        line(&mut text, &format!("| `{}` | {rule} |", rule.name()));
    }
    text
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
