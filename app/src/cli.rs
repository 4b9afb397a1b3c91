//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::flags::ConfigArgs;

/// Takes RemediationRequests through their phases, on a Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(name = "remediation-orchestrator", version, about, max_term_width = 110, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  remediation-orchestrator demo                     a dozen remediations on a simulated cluster, in some seconds
  remediation-orchestrator crd | kubectl apply --server-side -f -
  remediation-orchestrator run --context staging    the operator, from this machine
  kubectl get rr,rproc,aia,wfe,kexec,notif -A -o yaml | remediation-orchestrator replay -

Exit codes: 0 fine, 1 a divergence or a failed check, 2 bad input or usage.";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the operator against a cluster
    Run(Box<RunArgs>),
    /// Runs a dozen remediations on a simulated cluster, in some seconds
    #[cfg(feature = "tools")]
    Demo(DemoArgs),
    /// Shows what today's rules would do with the requests of a dump
    #[cfg(feature = "tools")]
    Replay(ReplayArgs),
    /// Runs the operator in a simulated cluster, with everything going wrong that can
    #[cfg(feature = "tools")]
    Simulate(SimulateArgs),
    /// Prints the custom resource definitions as YAML
    Crd(CrdArgs),
    /// Prints a completion script for a shell
    Completions(CompletionsArgs),
}

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every field can stand in the file of --config, in the environment and in a flag; a flag wins over the
environment, the environment over the file.

Examples:
  remediation-orchestrator run --config config.yaml --leader-elect
  remediation-orchestrator run -n shop --http-address 127.0.0.1:9090 --log-level debug
  remediation-orchestrator run --config config.yaml --print-config")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Prints the configuration in force as YAML, and ends
    #[arg(long)]
    pub(crate) print_config: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// Which cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClusterArgs {
    /// The kubeconfig [default: $KUBECONFIG, ~/.kube/config, else the Pod's ServiceAccount]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
}

/// Arguments of `crd`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  remediation-orchestrator crd | kubectl apply --server-side -f -
  remediation-orchestrator crd -o json > crds.json")]
pub(crate) struct CrdArgs {
    /// How to print them
    #[arg(short, long, value_enum, default_value_t = Manifest::Yaml)]
    pub(crate) output: Manifest,
}

/// How manifests are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Manifest {
    /// Documents separated by `---`.
    Yaml,
    /// One List.
    Json,
}

/// How results are printed.
#[cfg(feature = "tools")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Arguments of `demo`.
#[cfg(feature = "tools")]
#[derive(Debug, Args)]
#[command(after_help = "\
The exit code is 0 if every remediation ended as scripted, else 1.

Examples:
  remediation-orchestrator demo
  remediation-orchestrator demo --json | jq 'select(.type == \"result\")'
  remediation-orchestrator demo --serve --port 8080      then use kubectl from another terminal")]
pub(crate) struct DemoArgs {
    /// Prints one JSON object a line: each transition, each result, the end
    #[arg(long)]
    pub(crate) json: bool,
    /// Keeps the simulated API server on a loopback port until Ctrl-C, for kubectl
    #[arg(long)]
    pub(crate) serve: bool,
    /// The port of --serve [default: a free one]
    #[arg(
        long,
        requires = "serve",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub(crate) port: u16,
}

/// Arguments of `replay`.
#[cfg(feature = "tools")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl get rr,rproc,aia,wfe,kexec,notif -A -o yaml > dump.yaml
  remediation-orchestrator replay dump.yaml
  remediation-orchestrator replay dump.yaml -n shop --now 2026-03-01T12:00:00Z -o json
  kubectl get rr,rproc,aia,wfe,kexec,notif -n shop -o json | remediation-orchestrator replay -")]
pub(crate) struct ReplayArgs {
    /// Dumps made with `kubectl get … -o yaml` or `-o json`; - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// The time to decide at, RFC 3339 [default: the newest time in the dump]
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<jiff::Timestamp>,
    /// Only the requests of this namespace
    #[arg(short, long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// The operator's configuration file, for requests that have not begun
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How to print the result
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// Arguments of `simulate`.
#[cfg(feature = "tools")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  remediation-orchestrator simulate                       as many seeds as ten seconds allow
  remediation-orchestrator simulate --seeds 0..10000
  remediation-orchestrator simulate --time 5m
  remediation-orchestrator simulate --seeds 0..10000 --no-faults
  remediation-orchestrator simulate --seed 42 --print     every call and write of one run
  remediation-orchestrator simulate --trace simulation-seed-42.json
  remediation-orchestrator simulate --every-fault         each fault at each call of some lives
  remediation-orchestrator simulate --every-pair --part 3/100")]
pub(crate) struct SimulateArgs {
    /// One seed
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    pub(crate) seed: Option<u64>,
    /// A range of seeds, the end not included
    #[arg(long, value_name = "FROM..TO")]
    pub(crate) seeds: Option<crate::simulate::Seeds>,
    /// Ends after this time, for example 90s, 5m or 2h
    #[arg(long, value_name = "TIME", value_parser = crate::simulate::duration, conflicts_with = "print")]
    pub(crate) time: Option<std::time::Duration>,
    /// The same requests and children, and nothing goes wrong around them: how fast whole lifecycles are
    #[arg(long, conflicts_with_all = ["trace", "every_fault", "every_pair"])]
    pub(crate) no_faults: bool,
    /// Runs a recorded trace again, and prints every call and write
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "seeds", "time"])]
    pub(crate) trace: Option<PathBuf>,
    /// Where the smallest run that breaks a promise is written [default: simulation-seed-N.json, or
    /// simulation-every-fault.json and simulation-every-pair.json]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trace", "print"])]
    pub(crate) out: Option<PathBuf>,
    /// Every single fault at every call of a few reference lives, instead of seeds
    #[arg(long, conflicts_with_all = ["seed", "seeds", "trace"])]
    pub(crate) every_fault: bool,
    /// Every ordered pair of faults at the calls of a few reference lives; takes some ten minutes on two cores
    #[arg(long, conflicts_with_all = ["seed", "seeds", "trace", "every_fault"])]
    pub(crate) every_pair: bool,
    /// One part of --every-pair alone, for example 3/10; the parts together are the whole
    #[arg(long, value_name = "PART/PARTS", requires = "every_pair")]
    pub(crate) part: Option<crate::simulate::Part>,
    /// Prints every call and write of the run of --seed
    #[arg(long, requires = "seed")]
    pub(crate) print: bool,
    /// How to print the result
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(remediation-orchestrator completions bash)
  remediation-orchestrator completions fish > ~/.config/fish/completions/remediation-orchestrator.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
