//! `run`: the operator against a cluster.

mod access;
mod preflight;

use std::io::Write;

use crate::cli::RunArgs;
use crate::config::Configuration;
use crate::failure::Failure;

pub(crate) fn main(args: &RunArgs) -> Result<(), Failure> {
    let configuration = args
        .config
        .load()
        .map_err(|problems| crate::config::refuse(&problems))?;
    if args.print_config {
        return print(&configuration);
    }
    Ok(())
}

fn print(configuration: &Configuration) -> Result<(), Failure> {
    let text = serde_saphyr::to_string(&configuration.tree())
        .map_err(|error| Failure::Check(format!("the configuration cannot be printed: {error}")))?;
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::writing(&error))
}
