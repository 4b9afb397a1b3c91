//! `simulate`: runs the operator in a simulated cluster, with everything going wrong that can, one run a seed.

mod campaign;

use std::io::Write;

use remediation_adapters::simulation::run::{Options, Plan, run};

use crate::cli::{Output, SimulateArgs};
use crate::failure::Failure;
use campaign::Campaign;
pub(crate) use campaign::Seeds;

/// A time as people write it.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    let parsed: remediation_core::time::GoDuration = text
        .parse()
        .map_err(|error| format!("{error}; write for example 90s, 5m or 2h"))?;
    match u64::try_from(parsed.as_millis()) {
        Ok(millis) if millis > 0 => Ok(std::time::Duration::from_millis(millis)),
        Ok(_) | Err(_) => Err("it must be more than zero".to_owned()),
    }
}

pub(crate) fn main(args: &SimulateArgs) -> Result<(), Failure> {
    if args.print {
        let plan = Plan::from_seed(args.seed.unwrap_or(0));
        let options = Options {
            trace: true,
            ..Options::default()
        };
        let report = run(&plan, &options);
        return std::io::stdout()
            .write_all(report.trace.as_bytes())
            .map_err(|error| Failure::writing(&error));
    }
    let seeds = match (&args.seeds, args.seed) {
        (Some(range), _) => *range,
        (None, Some(seed)) => Seeds {
            from: seed,
            to: seed + 1,
        },
        (None, None) => Seeds {
            from: 0,
            to: u64::MAX,
        },
    };
    let time = match (args.time, &args.seeds, args.seed) {
        (Some(time), _, _) => Some(time),
        (None, None, None) => Some(std::time::Duration::from_secs(10)),
        (None, _, _) => None,
    };
    let outcome = Campaign { seeds, time }.run();
    let text = match args.output {
        Output::Text => outcome.text(),
        Output::Json => outcome.json(),
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::writing(&error))
}
