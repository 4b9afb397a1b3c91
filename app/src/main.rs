//! The remediation orchestrator: the operator, its demo, and replay, in one binary.

mod cli;
mod completions;
mod config;
mod crd;
#[cfg(feature = "tools")]
mod demo;
mod failure;
mod interrupt;
#[cfg(feature = "tools")]
mod replay;
mod run;
#[cfg(feature = "tools")]
mod simulate;
mod style;
#[cfg(test)]
mod testing;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};

/// Simulations are faster with it. What ships is built without tools, and keeps the smaller memory of the system's.
#[cfg(feature = "tools")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => run::main(&args),
        #[cfg(feature = "tools")]
        Command::Demo(args) => demo::main(&args),
        #[cfg(feature = "tools")]
        Command::Replay(args) => replay::main(&args),
        #[cfg(feature = "tools")]
        Command::Simulate(args) => simulate::main(&args),
        Command::Crd(args) => crd::main(&args),
        Command::Completions(args) => completions::main(&args),
    };
    failure::exit_code(outcome)
}
