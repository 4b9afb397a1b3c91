//! The client: where the cluster is, how long a connection may take, and what we are called there.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may take to accept what is written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection on which nothing comes for so long is closed. Longer than any watch lasts: the operator's own
/// watches have an idle timeout, and every other call has its own.
const READ_TIMEOUT: Duration = Duration::from_secs(330);

/// Which cluster is meant, as kubectl's flags say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterOptions {
    /// The kubeconfig file; by default `$KUBECONFIG`, `~/.kube/config`, or the Pod's own account.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; by default the current one.
    pub context: Option<String>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The kubeconfig that was named cannot be read at all.
    #[error("{path}: cannot be read: {problem}; give a kubeconfig that exists, or none")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: std::io::Error,
    },
    /// The kubeconfig that was named cannot be used.
    #[error(
        "{path}: cannot be used: {problem}; list its contexts with `kubectl config get-contexts`"
    )]
    Kubeconfig {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No cluster was found.
    #[error(
        "there is neither a kubeconfig nor a Pod's ServiceAccount: {0}; give one with --kubeconfig FILE or KUBECONFIG"
    )]
    NoCluster(String),
    /// The configuration cannot be used.
    #[error(
        "no client can be made for {url}: {problem}; check its certificates and credentials with `kubectl config view`"
    )]
    Unusable {
        /// The cluster.
        url: String,
        /// What is wrong.
        problem: String,
    },
}

/// The configuration for this cluster. The client never retries by itself: retrying is the core's decision, and
/// kube's own would repeat a creation for minutes.
///
/// # Errors
/// If there is no cluster, or what names it cannot be read.
pub async fn config(options: &ClusterOptions) -> Result<Config, ClientError> {
    let chosen = KubeConfigOptions {
        context: options.context.clone(),
        ..KubeConfigOptions::default()
    };
    let mut config = match &options.kubeconfig {
        Some(path) => {
            let refuse = |problem: String| ClientError::Kubeconfig {
                path: path.display().to_string(),
                problem,
            };
            std::fs::File::open(path).map_err(|problem| ClientError::Unreadable {
                path: path.display().to_string(),
                problem,
            })?;
            let file = Kubeconfig::read_from(path).map_err(|error| refuse(error.to_string()))?;
            Config::from_custom_kubeconfig(file, &chosen)
                .await
                .map_err(|error| refuse(error.to_string()))?
        }
        None if options.context.is_some() => {
            Config::from_kubeconfig(&chosen)
                .await
                .map_err(|error| ClientError::Kubeconfig {
                    path: "the kubeconfig".to_owned(),
                    problem: error.to_string(),
                })?
        }
        None => Config::infer()
            .await
            .map_err(|error| ClientError::NoCluster(error.to_string()))?,
    };
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.write_timeout = Some(WRITE_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    Ok(config)
}

/// A client that calls itself `remediation-orchestrator/<version>`.
///
/// # Errors
/// If the configuration cannot be used, for example its certificates.
pub fn client(mut config: Config, version: &str) -> Result<Client, ClientError> {
    if let Ok(agent) = HeaderValue::try_from(format!("{}/{version}", super::calls::FIELD_MANAGER)) {
        config.headers.push((http::header::USER_AGENT, agent));
    }
    let url = config.cluster_url.to_string();
    Client::try_from(config).map_err(|error| ClientError::Unusable {
        url,
        problem: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_kubeconfig_that_cannot_be_read_is_named() {
        let options = ClusterOptions {
            kubeconfig: Some("/does/not/exist".into()),
            context: None,
        };
        let error = config(&options).await.unwrap_err().to_string();
        assert!(
            error.starts_with("/does/not/exist: cannot be read: No such file"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn the_client_never_retries_and_gives_up_on_a_silent_connection() {
        let file = std::env::temp_dir().join(format!("kubeconfig-{}", std::process::id()));
        let text = r#"{"apiVersion":"v1","kind":"Config","current-context":"c",
            "clusters":[{"name":"c","cluster":{"server":"http://127.0.0.1:1"}}],
            "contexts":[{"name":"c","context":{"cluster":"c","user":"u","namespace":"ops"}}],
            "users":[{"name":"u","user":{}}]}"#;
        std::fs::write(&file, text).unwrap();
        let options = ClusterOptions {
            kubeconfig: Some(file.clone()),
            context: Some("c".into()),
        };
        let config = config(&options).await.unwrap();
        std::fs::remove_file(file).unwrap();
        assert!(!config.default_retry);
        assert_eq!(config.default_namespace, "ops");
        assert!(config.read_timeout.is_some() && config.connect_timeout.is_some());
        assert!(client(config, "0.1.0").is_ok());
    }
}
