//! Free loopback ports for servers that have to be told their port.

use super::{Failure, Result};
use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
};

/// Below the range that Linux and macOS give to outgoing connections. A client that keeps dialling
/// a stopped server in that range can, by chance, connect to itself, and then holds the port
/// against the server's return.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port on 127.0.0.1 that nothing listens on now. No port is given out twice in one process, and
/// processes begin at different places.
pub(super) fn free_port() -> Result<u16> {
    let begin = std::process::id().wrapping_mul(641);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let candidate = FIRST + begin.wrapping_add(step) % COUNT;
        let Ok(port) = u16::try_from(candidate) else {
            continue;
        };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Failure::new(format!(
        "no free port on 127.0.0.1 from {FIRST} to {}",
        FIRST + COUNT - 1
    )))
}
