//! `run`: the operator against a cluster.

mod access;
mod client;
mod preflight;

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use remediation_adapters::clock::SystemClock;
use remediation_adapters::kubernetes::lease::{LeaseSettings, identity};
use remediation_adapters::kubernetes::operator::{Health, Operator, OperatorSettings};
use remediation_adapters::telemetry::http::{Probe, Server};
use remediation_adapters::telemetry::{Metrics, logs};
use remediation_core::lease::LeaseTiming;
use remediation_core::time::GoDuration;
use tokio::sync::watch;

use crate::cli::RunArgs;
use crate::config::Configuration;
use crate::failure::Failure;
use crate::interrupt::interrupted;
use client::Connection;
use preflight::Preflight;

/// How long to wait before the cluster is asked again whether the operator can begin; the last for ever.
const ASK_AGAIN: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

pub(crate) fn main(args: &RunArgs) -> Result<(), Failure> {
    let configuration = args
        .config
        .load()
        .map_err(|problems| crate::config::refuse(&problems))?;
    if args.print_config {
        return print(&configuration);
    }
    start_logging(&configuration)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Check(format!("the operator cannot start: {error}")))?;
    let outcome = runtime.block_on(run(args, configuration));
    runtime.shutdown_background();
    outcome
}

async fn run(args: &RunArgs, configuration: Configuration) -> Result<(), Failure> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        interrupted().await;
        tracing::info!("asked to stop");
        stop.send_replace(true);
    });
    let connection = client::prepare(&args.cluster).await?;
    let metrics = Metrics::new();
    let state = Arc::new(State::default());
    let address = configuration.operator.http_address;
    let http = Server::bind(address, state.clone(), metrics.clone())
        .await
        .map_err(|error| {
            Failure::Check(format!(
                "{address} cannot be listened on: {error}; choose another with --http-address, port 0 takes a free one"
            ))
        })?;
    let bound = http.address().unwrap_or(address);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        server = connection.server,
        http = %bound,
        configuration = configuration.settings.hash(),
        "starting"
    );
    let serving = tokio::spawn(http.run(wait(stopped.clone())));
    let outcome = tokio::select! {
        biased;
        () = wait(stopped.clone()) => None,
        () = cleared(&connection, &configuration, &state) => Some(()),
    };
    if outcome.is_some() {
        let operator = Operator::new(
            connection.client.clone(),
            Arc::new(SystemClock),
            settings(&configuration, &connection),
            metrics,
        );
        state.begin(operator.health());
        operator.run(wait(stopped.clone())).await;
    }
    if let Err(error) = serving.await {
        tracing::error!(%error, "the HTTP server ended badly");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Returns once the cluster has what the operator needs; says why not for as long as it has not.
async fn cleared(connection: &Connection, configuration: &Configuration, state: &State) {
    let operator = &configuration.operator;
    let preflight = Preflight {
        client: connection.client.clone(),
        call_timeout: std_duration(operator.call_timeout),
    };
    let mut tries = 0;
    loop {
        let blockers = preflight.blockers().await;
        if blockers.is_empty() {
            break;
        }
        let wait = ASK_AGAIN[tries.min(ASK_AGAIN.len() - 1)];
        tries += 1;
        // Before it is logged, so that whoever reads the log finds the same at /readyz.
        state.wait_for(blockers.join("; "));
        for blocker in &blockers {
            tracing::error!(retry_in_seconds = wait.as_secs(), "{blocker}");
        }
        tokio::time::sleep(wait).await;
    }
    let lease_namespace = lease_namespace(configuration, connection);
    for missing in preflight.missing_rights(operator, &lease_namespace).await {
        tracing::error!("{missing}");
    }
}

fn settings(configuration: &Configuration, connection: &Connection) -> OperatorSettings {
    let operator = &configuration.operator;
    let host = host();
    let lease = operator.leader_elect.then(|| LeaseSettings {
        namespace: lease_namespace(configuration, connection),
        name: operator.lease_name.clone(),
        identity: identity(&host, std::process::id(), Timestamp::now()),
        timing: LeaseTiming {
            duration: operator.lease_duration,
            retry: operator.lease_retry,
        },
    });
    OperatorSettings {
        policy: configuration.settings.clone(),
        namespaces: Some(operator.namespace.clone())
            .filter(|namespace| !namespace.is_empty())
            .into_iter()
            .collect(),
        concurrency: usize::from(operator.concurrency),
        call_timeout: std_duration(operator.call_timeout),
        lease,
        instance: host,
        ..OperatorSettings::default()
    }
}

fn lease_namespace(configuration: &Configuration, connection: &Connection) -> String {
    match configuration.operator.lease_namespace.as_str() {
        "" => connection.namespace.clone(),
        namespace => namespace.to_owned(),
    }
}

/// The name of this host: in a cluster, the Pod's.
fn host() -> String {
    std::env::var("HOSTNAME")
        .ok()
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
        .map(|name| remediation_core::text::clean(&name, 63))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "remediation-orchestrator".to_owned())
}

fn std_duration(duration: GoDuration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(0))
}

/// Returns once the process is asked to stop.
async fn wait(mut stopped: watch::Receiver<bool>) {
    // An error means that nobody can ask any more: then it never stops.
    if stopped.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What the probes are told: the preflight's state, then the operator's.
#[derive(Default)]
struct State {
    waiting_for: Mutex<String>,
    operator: OnceLock<Arc<Health>>,
}

impl State {
    fn wait_for(&self, what: String) {
        *self
            .waiting_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = what;
    }

    fn begin(&self, operator: Arc<Health>) {
        // It begins once in a process.
        let _ = self.operator.set(operator);
    }
}

impl Probe for State {
    fn unhealthy(&self) -> Option<String> {
        self.operator.get().and_then(|health| health.unhealthy())
    }

    fn unready(&self) -> Option<String> {
        if let Some(health) = self.operator.get() {
            return health.unready();
        }
        let waiting_for = self
            .waiting_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Some(match waiting_for.as_str() {
            "" => "the cluster is being asked what it has".to_owned(),
            what => what.to_owned(),
        })
    }
}

fn start_logging(configuration: &Configuration) -> Result<(), Failure> {
    let operator = &configuration.operator;
    let format = match operator.log_format.as_str() {
        "json" => logs::Format::Json,
        "text" => logs::Format::Plain,
        _ => logs::Format::Auto,
    };
    // kube's client says each failed call once more, without what it was for.
    let filter = format!("{},kube_client::client::builder=off", operator.log_level);
    logs::init(format, &filter).map_err(|error| Failure::Input(error.to_string()))
}

fn print(configuration: &Configuration) -> Result<(), Failure> {
    let text = serde_saphyr::to_string(&configuration.tree())
        .map_err(|error| Failure::Check(format!("the configuration cannot be printed: {error}")))?;
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::writing(&error))
}
