//! Being asked to stop: Ctrl-C or SIGTERM.

use std::future::pending;

use tokio::signal::unix::{SignalKind, signal};

/// Returns when the process is asked to stop; never where signals cannot be had.
pub(crate) async fn interrupted() {
    tokio::select! {
        biased;
        () = received(SignalKind::interrupt()) => {}
        () = received(SignalKind::terminate()) => {}
    }
}

async fn received(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "this process cannot be asked to stop by a signal");
            pending::<()>().await;
        }
    }
}
