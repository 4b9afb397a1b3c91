//! `completions`: a completion script for a shell.

use std::io::Write;

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};
use crate::failure::Failure;

pub(crate) fn main(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut Cli::command(),
        "remediation-orchestrator",
        &mut script,
    );
    std::io::stdout()
        .write_all(&script)
        .map_err(|error| Failure::writing(&error))
}
