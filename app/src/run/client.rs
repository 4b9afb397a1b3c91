//! The client of the cluster that was asked for.

use remediation_adapters::kubernetes::client::{self, ClusterOptions};

use crate::cli::ClusterArgs;
use crate::failure::Failure;

/// A client, and what its configuration says of the place.
pub(super) struct Connection {
    pub(super) client: kube::Client,
    /// The Pod's namespace, else the context's.
    pub(super) namespace: String,
    pub(super) server: String,
}

/// Connects to nothing yet: the first call does.
pub(super) async fn prepare(args: &ClusterArgs) -> Result<Connection, Failure> {
    let options = ClusterOptions {
        kubeconfig: args.kubeconfig.clone(),
        context: args.context.clone(),
    };
    let refuse = |error: client::ClientError| Failure::Input(error.to_string());
    let config = client::config(&options).await.map_err(refuse)?;
    Ok(Connection {
        namespace: config.default_namespace.clone(),
        server: config.cluster_url.to_string(),
        client: client::client(config, env!("CARGO_PKG_VERSION")).map_err(refuse)?,
    })
}
