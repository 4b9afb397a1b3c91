//! The docs page of phases, written from [`TRANSITIONS`], [`ORDER`] and [`Rule`], so that it cannot tell another
//! story than the code.

use crate::decide::ORDER;
use crate::phase::{Phase, TRANSITIONS};
use crate::rule::Rule;

/// The page, in Markdown.
#[must_use]
pub fn phases() -> String {
    let mut page = String::from(
        "# Phases\n\n\
         This page is written from the code: `UPDATE=1 cargo test -p remediation-core --test pages` renews it.\n\n",
    );
    let paragraphs = [diagram(), edges(), files(), order(), rules()];
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

fn files() -> String {
    let mut text = String::from(
        "## Where the rules stand\n\nThe rules of a phase stand in one file, whose first lines list them.\n\n\
         | Phase | File |\n|---|---|\n",
    );
    for phase in Phase::ALL {
        let file = file(phase);
        line(&mut text, &format!("| {phase} | [{file}](../../{file}) |"));
    }
    text
}

fn file(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending | Phase::Initializing => "core/src/phases/initializing.rs",
        Phase::Processing => "core/src/phases/processing.rs",
        Phase::Analyzing => "core/src/phases/analyzing.rs",
        Phase::WorkflowPlanning => "core/src/phases/workflow_planning.rs",
        Phase::Executing => "core/src/phases/executing.rs",
        Phase::Completed | Phase::Failed => "core/src/phases/terminal.rs",
    }
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
