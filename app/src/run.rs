//! `run`: the operator against a cluster.

use std::io::Write;

use crate::cli::RunArgs;
use crate::config::{Configuration, Problem};
use crate::failure::Failure;

pub(crate) fn main(args: &RunArgs) -> Result<(), Failure> {
    let configuration = args.config.load().map_err(|problems| refuse(&problems))?;
    if args.print_config {
        return print(&configuration);
    }
    Ok(())
}

fn refuse(problems: &[Problem]) -> Failure {
    let mut text = match problems.len() {
        1 => "the configuration has a mistake".to_owned(),
        many => format!("the configuration has {many} mistakes"),
    };
    for problem in problems {
        text.push_str("\n  ");
        text.push_str(&problem.to_string());
    }
    text.push_str(
        "\nnext: correct them and start again; docs/reference/configuration.md describes each field",
    );
    Failure::Input(text)
}

fn print(configuration: &Configuration) -> Result<(), Failure> {
    let text = serde_saphyr::to_string(&configuration.tree())
        .map_err(|error| Failure::Check(format!("the configuration cannot be printed: {error}")))?;
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::writing(&error))
}
