//! The real operator binary as a process.

use super::{
    Context, DEADLINE, Failure, Result, Signal, ports::free_port, supervised::Supervised, until,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long one HTTP request to the operator may take.
const HTTP_TIMEOUT: Duration = Duration::from_secs(5);

/// A running operator; dropping it kills it with SIGKILL.
pub(crate) struct Operator {
    process: Supervised,
    address: SocketAddr,
}

static STARTED: AtomicU32 = AtomicU32::new(0);

impl Operator {
    /// Runs `remediation-orchestrator run` with this kubeconfig, a free `--http-address` and
    /// `args`, and returns when `/readyz` answers 200. Its log lies beside the kubeconfig.
    pub(crate) async fn start(kubeconfig: &Path, args: &[&str]) -> Result<Self> {
        let mut operator = Self::start_unready(kubeconfig, args)?;
        operator.ready(DEADLINE).await?;
        Ok(operator)
    }

    /// Starts it and does not wait: for an operator that cannot become ready yet.
    pub(crate) fn start_unready(kubeconfig: &Path, args: &[&str]) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let folder = kubeconfig.parent().unwrap_or(Path::new("."));
        let log = folder.join(format!(
            "operator-{}.log",
            STARTED.fetch_add(1, Ordering::Relaxed)
        ));
        let mut all = vec![
            String::from("run"),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--http-address={address}"),
        ];
        all.extend(args.iter().map(ToString::to_string));
        let program = Path::new(env!("CARGO_BIN_EXE_remediation-orchestrator"));
        Ok(Self {
            process: Supervised::start("the operator", program, all, &log)?,
            address,
        })
    }

    /// Waits until `/readyz` answers 200.
    pub(crate) async fn ready(&mut self, deadline: Duration) -> Result {
        let answer = until(deadline, async || match self.get("/readyz").await {
            Ok((200, _)) => Some(Ok(())),
            Ok(_) | Err(_) => self.check_running().err().map(Err),
        })
        .await;
        answer.unwrap_or_else(|| {
            Err(self
                .process
                .failure(&format!("is not ready after {deadline:?}")))
        })
    }

    /// Where it serves `/healthz`, `/readyz` and `/metrics`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The HTTP status and body of a GET.
    pub(crate) async fn get(&self, path: &str) -> Result<(u16, String)> {
        get(self.address, path).await
    }

    /// `/metrics`, as text.
    pub(crate) async fn metrics(&self) -> Result<String> {
        match self.get("/metrics").await? {
            (200, text) => Ok(text),
            (status, text) => Err(Failure::new(format!("/metrics answers {status}: {text}"))),
        }
    }

    /// The sum over all series of this metric that carry every one of `labels`, each written as
    /// `name="value"`; 0 when there is none.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> Result<f64> {
        sum_of(&self.metrics().await?, name, labels)
    }

    /// All that it has logged so far.
    pub(crate) fn log(&self) -> Result<String> {
        let path = self.process.log();
        std::fs::read_to_string(path).context(|| format!("reading {}", path.display()))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its log file.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.process.log().to_owned()
    }

    /// Kills it with SIGKILL and returns when it is gone.
    pub(crate) fn kill9(self) {
        drop(self);
    }

    /// Asks it to end with SIGTERM, and waits for its end.
    pub(crate) async fn terminate(mut self, deadline: Duration) -> Result<ExitStatus> {
        self.process.signal(Signal::Terminate)?;
        self.process.wait_for_end(deadline).await
    }

    /// Sends it a signal.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result {
        self.process.signal(signal)
    }

    /// Waits until it ends by itself, as it must on a wrong configuration.
    pub(crate) async fn wait_for_end(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.process.wait_for_end(deadline).await
    }

    /// An error with the end of its log if it has ended.
    pub(crate) fn check_running(&mut self) -> Result {
        self.process.check_running()
    }
}

/// A plain HTTP/1.0 GET: the response ends with the connection.
async fn get(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())
            .await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        Ok::<String, std::io::Error>(response)
    };
    let asking = || format!("GET http://{address}{path}");
    let response = timeout(HTTP_TIMEOUT, exchange)
        .await
        .context(asking)?
        .context(asking)?;
    let (head, body) = response
        .split_once("\r\n\r\n")
        .ok_or_else(|| Failure::new(format!("{}: no HTTP: {response:?}", asking())))?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status =
        status.ok_or_else(|| Failure::new(format!("{}: no HTTP status: {head:?}", asking())))?;
    Ok((status, body.to_owned()))
}

/// Reads the Prometheus text format as far as is needed to add up one metric.
pub(crate) fn sum_of(metrics: &str, name: &str, labels: &[&str]) -> Result<f64> {
    let mut sum = 0.0;
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let (series_name, series_labels) = series.split_once('{').unwrap_or((series, ""));
        if series_name == name && labels.iter().all(|label| series_labels.contains(label)) {
            sum += value
                .parse::<f64>()
                .context(|| format!("the metric {line}"))?;
        }
    }
    Ok(sum)
}

#[test]
fn a_metric_is_summed_over_the_series_that_match() -> Result {
    let text = r#"# TYPE writes counter
writes{kind="rr",result="ok"} 3
writes{kind="wfe",result="ok"} 4
writes_total 100
up 1
"#;
    assert_eq!(sum_of(text, "writes", &["result=\"ok\""])?, 7.0);
    assert_eq!(
        sum_of(text, "writes", &["kind=\"rr\"", "result=\"ok\""])?,
        3.0
    );
    assert_eq!(sum_of(text, "up", &[])?, 1.0);
    assert_eq!(sum_of(text, "absent", &[])?, 0.0);
    Ok(())
}
