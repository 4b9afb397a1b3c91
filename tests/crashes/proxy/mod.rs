//! A proxy on loopback between the operator and the API server that makes things go wrong.
//!
//! The operator speaks plain HTTP to it; it speaks TLS to the API server and hands the operator's token on. What
//! goes wrong is drawn from a seed at the [`Rates`] that are set while it runs, and each fault is counted when it is
//! injected. Requests arrive in the order in which the machine runs them, so that a seed gives the same mixture of
//! faults and not the same trace.

mod call;
mod calls;
mod connection;
mod fault;
mod held;
mod trap;
mod watches;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::harness::{Failure, Result};
use crate::random::Random;
pub(crate) use call::Call;
use connection::{Connection, ResetSwitch};
pub(crate) use fault::{Counts, Fault, Rates};
use held::Periods;
pub(crate) use held::{Late, Period};
use trap::Trap;
pub(crate) use trap::{Caught, Place};

/// A running proxy. Dropping it closes all its connections.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// A write that arrived at the proxy.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) at: Instant,
    pub(crate) call: Call,
}

struct Shared {
    upstream: Client,
    state: Mutex<State>,
    /// Requests that are still to be applied although their callers were told that they failed.
    late: AtomicUsize,
}

struct State {
    random: Random,
    rates: Rates,
    counts: Counts,
    /// When each fault was injected.
    injected: Vec<Timestamp>,
    held: Periods,
    trap: Option<Trap>,
    /// How long a watch that fell silent stays open.
    silence: Duration,
    writes: Vec<Arrived>,
    /// Each creation of this resource is made once more under another name: a canary.
    twin: Option<&'static str>,
}

impl Proxy {
    /// Starts a proxy before the API server of this kubeconfig. Nothing goes wrong yet.
    pub(crate) async fn start(kubeconfig: &Path, random: Random) -> Result<Self> {
        let file = Kubeconfig::read_from(kubeconfig)?;
        let mut config =
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        // The caller's own token is handed on.
        config.auth_info = AuthInfo::default();
        config.default_retry = false;
        Self::before(Client::try_from(config)?, random).await
    }

    /// Starts a proxy before the API server that this client speaks to.
    async fn before(upstream: Client, random: Random) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream,
            state: Mutex::new(State {
                random,
                rates: Rates::none(),
                counts: Counts::new(),
                injected: Vec::new(),
                held: Periods::default(),
                trap: None,
                silence: Duration::from_secs(2),
                writes: Vec::new(),
                twin: None,
            }),
            late: AtomicUsize::new(0),
        });
        let task = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self {
            shared,
            address,
            task,
        })
    }

    /// A kubeconfig with the credentials of `kubeconfig` that leads through the proxy, in `folder`.
    pub(crate) fn kubeconfig(&self, kubeconfig: &Path, folder: &Path) -> Result<PathBuf> {
        let mut file: Value = serde_json::from_slice(&std::fs::read(kubeconfig)?)?;
        let server = format!("http://{}", self.address);
        file["clusters"][0]["cluster"] = json!({ "server": server });
        let path = folder.join(format!("through-{}.kubeconfig", self.address.port()));
        std::fs::write(&path, file.to_string())?;
        Ok(path)
    }

    /// From now on things go wrong this often.
    pub(crate) fn set_rates(&self, rates: Rates) {
        self.shared.state().rates = rates;
    }

    /// From now on a watch that falls silent stays open so long.
    pub(crate) fn set_silence(&self, silence: Duration) {
        self.shared.state().silence = silence;
    }

    /// From now on each creation of this resource is made a second time under another name.
    pub(crate) fn set_twin(&self, resource: &'static str) {
        self.shared.state().twin = Some(resource);
    }

    /// How often each fault was injected so far.
    pub(crate) fn counts(&self) -> Counts {
        self.shared.state().counts.clone()
    }

    /// When each fault was injected.
    pub(crate) fn injected(&self) -> Vec<Timestamp> {
        self.shared.state().injected.clone()
    }

    /// When a watch brought nothing.
    pub(crate) fn held_up(&self) -> Vec<Period> {
        self.shared.state().held.until_now()
    }

    /// What was applied long after it was made.
    pub(crate) fn applied_late(&self) -> Vec<Late> {
        self.shared.state().held.late.clone()
    }

    /// The writes that arrived so far.
    pub(crate) fn writes(&self) -> Vec<Arrived> {
        self.shared.state().writes.clone()
    }

    /// Stops the world at the first call that matches, on this side of it.
    pub(crate) fn trap(
        &self,
        place: Place,
        matches: impl FnMut(&Call) -> bool + Send + 'static,
    ) -> oneshot::Receiver<Caught> {
        let (caught, catch) = oneshot::channel();
        self.shared.state().trap = Some(Trap {
            matches: Box::new(matches),
            place,
            caught,
        });
        catch
    }

    /// Takes away a trap that has not sprung.
    pub(crate) fn disarm(&self) {
        self.shared.state().trap = None;
    }

    /// Waits until nothing is left that is to be applied late.
    pub(crate) async fn settled(&self, deadline: Duration) -> Result {
        crate::harness::until(deadline, async || {
            (self.shared.late.load(Ordering::SeqCst) == 0).then_some(())
        })
        .await
        .ok_or_else(|| Failure::new("requests held back by the proxy were not applied in time"))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn count(&mut self, fault: Fault) {
        *self.counts.entry(fault).or_default() += 1;
        self.injected.push(Timestamp::now());
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, fault: Fault) {
        self.state().count(fault);
    }

    fn millis(&self, least: u64, most: u64) -> Duration {
        self.state().random.millis(least, most)
    }

    /// A request arrived; returns the trap that it springs.
    fn arrived(&self, call: &Call) -> Option<Trap> {
        let mut state = self.state();
        if call.is_write() {
            state.writes.push(Arrived {
                at: Instant::now(),
                call: call.clone(),
            });
        }
        let springs = state
            .trap
            .as_mut()
            .is_some_and(|trap| !trap.caught.is_closed() && (trap.matches)(call));
        springs.then(|| state.trap.take()).flatten()
    }
}

/// Serves connections until it is dropped; they end with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (shared, reset) = (shared.clone(), ResetSwitch::default());
                    connections.spawn(async move {
                        let io = TokioIo::new(Connection::new(stream, reset.clone()));
                        let handler = service_fn(|request| calls::serve(shared.clone(), request, reset.clone()));
                        // Connections that break off are what it is for.
                        let _ = hyper::server::conn::http1::Builder::new()
                            .serve_connection(io, handler)
                            .await;
                    });
                }
                // Out of descriptors or the like: the next connection may work.
                Err(_) => tokio::task::yield_now().await,
            },
        }
    }
}

#[cfg(test)]
mod tests;
