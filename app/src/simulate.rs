//! `simulate`: runs the operator in a simulated cluster, with everything going wrong that can, one run a seed.

mod campaign;
mod found;
mod memory;
mod part;
mod points;
mod progress;
#[cfg(test)]
mod tests;

use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use remediation_adapters::simulation::run::{
    LARGEST_TRACE, Options, Plan, Report, Trace, TraceError, run,
};
use serde_json::json;

use crate::cli::{Output, SimulateArgs};
use crate::failure::Failure;
use campaign::Campaign;
pub(crate) use campaign::Seeds;
pub(crate) use part::Part;

/// How long a campaign lasts that nobody gave an end.
const SHORT: Duration = Duration::from_secs(10);

/// A time as people write it.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: remediation_core::time::GoDuration = text
        .parse()
        .map_err(|error| format!("{error}; write for example 90s, 5m or 2h"))?;
    match u64::try_from(parsed.as_millis()) {
        Ok(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        Ok(_) | Err(_) => Err("it must be more than zero".to_owned()),
    }
}

pub(crate) fn main(args: &SimulateArgs) -> Result<(), Failure> {
    simulate(args, &Options::default(), &mut std::io::stdout())
}

/// Does what the arguments ask for, with what stands between the operators and their calls; the result goes to `out`.
fn simulate(args: &SimulateArgs, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(file) = &args.trace {
        return repeat(args, file, options, out);
    }
    if args.every_fault || args.every_pair {
        return points::simulate(args, options, out);
    }
    if let (Some(seed), true) = (args.seed, args.print) {
        return print_run(args, seed, options, out);
    }
    let (from, to) = match (args.seeds, args.seed) {
        (Some(Seeds { from, to }), _) => (from, to),
        (None, Some(seed)) => (seed, seed.saturating_add(1)),
        (None, None) => (0, u64::MAX),
    };
    let endless = args.time.is_none() && to == u64::MAX;
    let campaign = Campaign {
        plan: &|seed| plan(args, seed),
        seeds: Seeds { from, to },
        time: if endless { Some(SHORT) } else { args.time },
        options,
    };
    let tally = campaign.run();
    eprintln!("{}", tally.rate());
    let text = match args.output {
        Output::Text => tally.text(),
        Output::Json => tally.json(),
    };
    print(out, &text)?;
    match tally.broken.first_key_value() {
        None => Ok(()),
        Some((seed, violations)) => Err(found::tell(args, *seed, violations, &tally, options)),
    }
}

/// The plan of a seed, as the arguments ask for it.
fn plan(args: &SimulateArgs, seed: u64) -> Plan {
    let mut plan = Plan::from_seed(seed);
    if args.no_faults {
        plan.troubles.clear();
    }
    plan
}

/// Prints everything that happens in one run.
fn print_run(
    args: &SimulateArgs,
    seed: u64,
    options: &Options,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let report = run(&plan(args, seed), &written_down(options));
    print_report(args.output, &report, out)?;
    report.broken.first().map_or(Ok(()), |violation| {
        Err(Failure::Check(format!("seed {seed}: {violation}")))
    })
}

/// Runs a trace again.
fn repeat(
    args: &SimulateArgs,
    file: &Path,
    options: &Options,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let shown = file.display();
    let trace = read(file).map_err(|problem| Failure::Input(format!("{shown}: {problem}")))?;
    let report = trace.run(&written_down(options));
    print_report(args.output, &report, out)?;
    match report.broken.first() {
        None => {
            eprintln!(
                "{shown}: no promise is broken any more (it was {})",
                trace.promise
            );
            Ok(())
        }
        Some(violation) => Err(Failure::Check(format!("{shown}: {violation}"))),
    }
}

fn print_report(output: Output, report: &Report, out: &mut dyn Write) -> Result<(), Failure> {
    match output {
        Output::Text => print(out, &report.trace),
        Output::Json => {
            let broken: Vec<String> = report.broken.iter().map(ToString::to_string).collect();
            let lines: Vec<&str> = report.trace.lines().collect();
            let value = json!({ "broken": broken, "trace": lines });
            print(out, &format!("{value:#}\n"))
        }
    }
}

/// The trace in a file; no more is read than a trace may be long, since the file may be a device without an end.
fn read(file: &Path) -> Result<Trace, String> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|open| open.take(LARGEST_TRACE as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}; give a file that `simulate` wrote"))?;
    if bytes.len() > LARGEST_TRACE {
        return Err(TraceError::TooLarge.to_string());
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| "is no UTF-8 text, so no trace; give a file that `simulate` wrote")?;
    Trace::read(text).map_err(|error| error.to_string())
}

fn written_down(options: &Options) -> Options {
    Options {
        trace: true,
        ..options.clone()
    }
}

fn print(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    out.write_all(text.as_bytes())
        .map_err(|error| Failure::writing(&error))
}
