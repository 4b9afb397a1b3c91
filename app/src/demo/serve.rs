//! `demo --serve`: the simulated API server on a loopback port, for kubectl.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use remediation_adapters::simulation::api_server::ApiServer;
use remediation_adapters::simulation::children::SCRIPT_ANNOTATION;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::broken;
use super::scenario::NAMESPACE;
use crate::failure::Failure;

/// The server on its port, and the kubeconfig; both go when it is dropped.
#[derive(Debug)]
pub(crate) struct Serving {
    address: SocketAddr,
    kubeconfig: PathBuf,
    _server: JoinSet<()>,
}

impl Serving {
    /// Serves on this port of the loopback interface; 0 takes a free one.
    pub(crate) async fn start(server: &ApiServer, port: u16) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|error| {
                Failure::Input(format!(
                    "port {port} of 127.0.0.1 cannot be had: {error}; choose another with --port, or none for a free one"
                ))
            })?;
        let address = listener
            .local_addr()
            .map_err(|error| broken("the port is not known", &error))?;
        let kubeconfig =
            std::env::temp_dir().join(format!("remediation-demo-{}.kubeconfig", address.port()));
        let text = serde_saphyr::to_string(&json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "demo", "cluster": { "server": format!("http://{address}") } }],
            "users": [{ "name": "demo", "user": {} }],
            "contexts": [{ "name": "demo", "context": {
                "cluster": "demo", "user": "demo", "namespace": NAMESPACE,
            }}],
            "current-context": "demo",
        }))
        .map_err(|error| broken("the kubeconfig cannot be written", &error))?;
        std::fs::write(&kubeconfig, text).map_err(|error| {
            Failure::Input(format!(
                "{} cannot be written: {error}; set TMPDIR to a folder that can",
                kubeconfig.display()
            ))
        })?;
        let mut tasks = JoinSet::new();
        tasks.spawn(server.serve(listener));
        Ok(Self {
            address,
            kubeconfig,
            _server: tasks,
        })
    }

    /// What people can do now.
    pub(crate) fn instructions(&self) -> String {
        format!(
            "the simulated API server listens on http://{}\n\n  \
             export KUBECONFIG={}\n  \
             kubectl get rr -w\n  \
             kubectl describe rr checkout-crashloop\n  \
             kubectl get rr,rproc,aia,wfe,kexec,notif\n",
            self.address,
            self.kubeconfig.display()
        )
    }

    /// What people can do once the scenario is over.
    pub(crate) fn reminder(&self) -> String {
        let request = format!(
            r#"kubectl apply -f - <<EOF
apiVersion: remediation.kubernaut.ai/v1alpha1
kind: RemediationRequest
metadata:
  name: my-alert
  annotations:
    {SCRIPT_ANNOTATION}: '{{"processing": {{"takes": "5s"}}}}'
spec:
  targetingData: {{signalFingerprint: fp-1, alertName: MyAlert, environment: staging}}
EOF
"#
        );
        format!(
            "the cluster stays until Ctrl-C; a new request is taken through its phases too:\n\n\
             export KUBECONFIG={}\n{request}",
            self.kubeconfig.display()
        )
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It points to a server that is gone; where it is gone itself there is nothing to do.
        let _ = std::fs::remove_file(&self.kubeconfig);
    }
}
