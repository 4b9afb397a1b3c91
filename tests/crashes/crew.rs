//! The operator's process, which dies often, and the proxy through which it speaks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::harness::{DEADLINE, Failure, Operator, Result, Signal};
use crate::proxy::Proxy;
use crate::random::Random;

/// One replica: its proxy, and its process while there is one.
pub(crate) struct Replica {
    pub(crate) proxy: Arc<Proxy>,
    kubeconfig: PathBuf,
    args: Vec<String>,
    process: Option<Operator>,
    /// The logs of all its processes, in order.
    pub(crate) logs: Vec<PathBuf>,
}

impl Replica {
    /// A replica that has not started, with the credentials of this kubeconfig; its logs lie in `folder`.
    pub(crate) async fn new(
        kubeconfig: &Path,
        folder: &Path,
        args: &[&str],
        random: Random,
    ) -> Result<Self> {
        let proxy = Arc::new(Proxy::start(kubeconfig, random).await?);
        let kubeconfig = proxy.kubeconfig(kubeconfig, folder)?;
        // Shorter than the proxy's late answers.
        let mut all = vec!["--call-timeout=1s".to_owned()];
        all.extend(args.iter().map(ToString::to_string));
        Ok(Self {
            proxy,
            kubeconfig,
            args: all,
            process: None,
            logs: Vec::new(),
        })
    }

    /// Starts its process and does not wait until it is ready.
    pub(crate) fn start(&mut self) -> Result {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let process = Operator::start_unready(&self.kubeconfig, &args)?;
        self.logs.push(process.log_file());
        self.process = Some(process);
        Ok(())
    }

    /// Kills its process with SIGKILL, and returns when it is gone.
    pub(crate) fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill9();
        }
    }

    /// Asks its process to end with SIGTERM; an error where it does not end well.
    pub(crate) async fn terminate(&mut self) -> Result {
        let Some(process) = self.process.take() else {
            return Err(Failure::new("the operator is not running"));
        };
        let end = process.terminate(DEADLINE).await?;
        if end.success() {
            Ok(())
        } else {
            Err(Failure::new(format!(
                "asked to end, the operator ended with {end}"
            )))
        }
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&mut self, deadline: Duration) -> Result {
        self.running()?.ready(deadline).await
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> Result {
        self.running()?.signal(signal)
    }

    /// Whether it holds the lease, as far as it says.
    pub(crate) async fn leads(&mut self) -> bool {
        match &self.process {
            Some(process) => process
                .metric("remediationorchestrator_leader", &[])
                .await
                .is_ok_and(|leads| leads == 1.0),
            None => false,
        }
    }

    /// An error where its process ended by itself.
    pub(crate) fn check_running(&mut self) -> Result {
        self.running()?.check_running()
    }

    fn running(&mut self) -> Result<&mut Operator> {
        self.process
            .as_mut()
            .ok_or_else(|| Failure::new("the operator is not running"))
    }
}
