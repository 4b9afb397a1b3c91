//! The client of the cluster that was asked for.

use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::cli::ClusterArgs;
use crate::failure::Failure;

/// How long connecting may take; each call has a time of its own.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client, and what its configuration says of the place.
pub(super) struct Connection {
    pub(super) client: kube::Client,
    /// The Pod's namespace, else the context's.
    pub(super) namespace: String,
    pub(super) server: String,
}

/// Connects to nothing yet: the first call does.
pub(super) async fn prepare(args: &ClusterArgs) -> Result<Connection, Failure> {
    let mut config = configuration(args).await?;
    // What follows from a refused call is decided by the core, with its own backoff.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // A watch may be silent for minutes; whoever reads bounds the silence.
    config.read_timeout = None;
    let namespace = config.default_namespace.clone();
    let server = config.cluster_url.to_string();
    let client = kube::Client::try_from(config).map_err(|error| {
        Failure::Input(format!(
            "no client can be made of this kubeconfig: {error}; check its certificates and credentials with `kubectl config view`"
        ))
    })?;
    Ok(Connection {
        client,
        namespace,
        server,
    })
}

async fn configuration(args: &ClusterArgs) -> Result<Config, Failure> {
    let ClusterArgs {
        kubeconfig,
        context,
    } = args;
    if kubeconfig.is_none() && context.is_none() {
        return Config::infer().await.map_err(|error| {
            Failure::Input(format!(
                "there is neither a kubeconfig nor a Pod's ServiceAccount: {}; give one with --kubeconfig FILE or KUBECONFIG",
                super::preflight::describe(&error)
            ))
        });
    }
    let (place, read) = match kubeconfig {
        Some(file) => (file.display().to_string(), Kubeconfig::read_from(file)),
        None => ("the kubeconfig".to_owned(), Kubeconfig::read()),
    };
    let refuse = |error: &dyn std::error::Error| {
        Failure::Input(format!(
            "{place}: cannot be used: {}; list its contexts with `kubectl config get-contexts`",
            super::preflight::describe(error)
        ))
    };
    let read = read.map_err(|error| refuse(&error))?;
    let options = KubeConfigOptions {
        context: context.clone(),
        ..KubeConfigOptions::default()
    };
    Config::from_custom_kubeconfig(read, &options)
        .await
        .map_err(|error| refuse(&error))
}
