//! The HTTP server of the operator: `/healthz`, `/readyz`, `/metrics`, and nothing else.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::HttpService;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Metrics;

/// A request that sends its head more slowly is dropped.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long open connections may take to end when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// What the server shows of the operator's state.
pub trait Probe: Send + Sync + 'static {
    /// Why the process should be restarted, if it should.
    fn unhealthy(&self) -> Option<String>;
    /// Why the process does not serve yet, if it does not.
    fn unready(&self) -> Option<String>;
}

/// A server that listens, and does not answer yet.
pub struct Server {
    listener: TcpListener,
    probe: Arc<dyn Probe>,
    metrics: Metrics,
}

impl Server {
    /// Listens on this address.
    ///
    /// # Errors
    /// If the address cannot be used.
    pub async fn bind(
        address: SocketAddr,
        probe: Arc<dyn Probe>,
        metrics: Metrics,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self {
            listener,
            probe,
            metrics,
        })
    }

    /// Where it listens; tells the port where 0 was asked for.
    ///
    /// # Errors
    /// If the operating system does not know.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop` is done, then ends open connections within two seconds.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT);
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = self.listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: some will be free soon.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (probe, metrics) = (self.probe.clone(), self.metrics.clone());
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer(request.method(), request.uri().path(), &*probe, &metrics);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            connections.spawn(serve(connection, stopped.clone()));
            while connections.try_join_next().is_some() {}
        }
        drop(self.listener);
        drop(stopping);
        let all_ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT, all_ended).await.is_err() {
            tracing::debug!("connections were still open when the server stopped");
        }
    }
}

/// Serves one connection to its end; once the server stops, to the end of the request under way.
async fn serve<S>(
    connection: http1::Connection<TokioIo<TcpStream>, S>,
    mut stopped: watch::Receiver<()>,
) where
    S: HttpService<Incoming, ResBody = Full<Bytes>, Error = Infallible>,
{
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        // The sender is dropped when the server stops; nothing is ever sent.
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

fn answer(
    method: &Method,
    path: &str,
    probe: &dyn Probe,
    metrics: &Metrics,
) -> Response<Full<Bytes>> {
    let check = |problem: Option<String>| match problem {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")),
    };
    let (status, body) = if method != Method::GET && method != Method::HEAD {
        (
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET is answered here\n".to_owned(),
        )
    } else {
        match path {
            "/healthz" => check(probe.unhealthy()),
            "/readyz" => check(probe.unready()),
            "/metrics" => (StatusCode::OK, metrics.render()),
            _ => (
                StatusCode::NOT_FOUND,
                "there are /healthz, /readyz and /metrics\n".to_owned(),
            ),
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    struct Fixed(Option<&'static str>);

    impl Probe for Fixed {
        fn unhealthy(&self) -> Option<String> {
            None
        }
        fn unready(&self) -> Option<String> {
            self.0.map(str::to_owned)
        }
    }

    async fn get(address: SocketAddr, path: &str) -> String {
        let stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.writable().await.unwrap();
        assert_eq!(stream.try_write(head.as_bytes()).unwrap(), head.len());
        let mut answer = Vec::new();
        loop {
            stream.readable().await.unwrap();
            let mut piece = [0; 4096];
            match stream.try_read(&mut piece) {
                Ok(0) => return String::from_utf8(answer).unwrap(),
                Ok(length) => answer.extend_from_slice(&piece[..length]),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        }
    }

    #[tokio::test]
    async fn health_readiness_and_metrics_are_served_until_it_is_stopped() {
        let metrics = Metrics::new();
        metrics.status_update_success();
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let probe = Arc::new(Fixed(Some("not synced: AIAnalysis")));
        let server = Server::bind(loopback, probe, metrics).await.unwrap();
        let address = server.address().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async move {
            stopped.await.ok();
        }));
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let unready = get(address, "/readyz").await;
        assert!(
            unready.starts_with("HTTP/1.1 503") && unready.contains("AIAnalysis"),
            "{unready}"
        );
        let shown = get(address, "/metrics").await;
        assert!(shown.contains("status_update_success_total 1"), "{shown}");
        assert!(get(address, "/").await.starts_with("HTTP/1.1 404"));
        stop.send(()).unwrap();
        running.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
