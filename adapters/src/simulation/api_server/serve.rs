//! The same server over HTTP, for kubectl.

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use super::service::ApiService;

/// Serves connections until it is dropped; they end with it.
pub(crate) async fn serve(listener: TcpListener, service: ApiService) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let service = service.clone();
                    connections.spawn(async move {
                        let handler = service_fn(move |request| service.clone().handle(request));
                        let connection = hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), handler);
                        if let Err(error) = connection.await {
                            tracing::debug!(%error, "a connection to the simulated API server broke off");
                        }
                    });
                }
                // Out of descriptors or the like: the next connection may work.
                Err(error) => {
                    tracing::warn!(%error, "the simulated API server could not accept a connection");
                    tokio::task::yield_now().await;
                }
            },
        }
    }
}
