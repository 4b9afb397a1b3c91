//! What operators look at: metrics, logs, and the small HTTP server that shows health.

mod descriptions;
pub mod http;
pub mod logs;
pub mod metrics;

pub use metrics::Metrics;
