//! Where a test lays hands on a request before the server sees it.

use std::time::Duration;

use bytes::Bytes;

/// A request, before anything has been done about it.
#[derive(Debug, Clone)]
pub struct RequestInfo {
    /// When it came, by the server's clock.
    pub received: jiff::Timestamp,
    /// As in [`RequestRecord::verb`](super::RequestRecord::verb).
    pub verb: String,
    /// API group; empty for the core group and for what is no resource.
    pub group: String,
    /// The plural; the path for what is no resource.
    pub resource: String,
    /// `status`, …
    pub subresource: Option<String>,
    /// Absent for cluster-scoped objects and across all namespaces.
    pub namespace: Option<String>,
    /// The name in the path; a creation has none.
    pub name: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: String,
    /// The query as it came.
    pub query: String,
    /// The request's body.
    pub body: Bytes,
}

/// What is to become of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intercept {
    /// Served as usual.
    Pass,
    /// Answered with a `Status` and not served.
    Refuse(Refusal),
    /// Served, but the client sees a transport error.
    ApplyThenLose,
    /// Served after this time (of tokio's clock), if the client still waits.
    Delay(Duration),
    /// Served now, answered after this time.
    ApplyThenDelay(Duration),
    /// The client sees a transport error now; the request is served after this time, whoever still wants it.
    ApplyLate(Duration),
    /// The client sees a transport error; nothing is served.
    Drop,
    /// Served, and served again; the client sees the first answer.
    ApplyTwice,
}

/// An answer that an interceptor gives in the server's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status code, 400 to 599.
    pub code: u16,
    /// `Forbidden`, `TooManyRequests`, …
    pub reason: String,
    /// For people.
    pub message: String,
    /// Seconds, for the `Retry-After` header.
    pub retry_after: Option<u32>,
}

/// Decides on each request before it is served, and is told what came of it. Called without any lock held.
pub trait Interceptor: Send + Sync {
    /// What is to become of this request.
    fn before(&self, request: &RequestInfo) -> Intercept;

    /// It was answered with this HTTP status code, whoever still waits for the answer.
    fn answered(&self, _request: &RequestInfo, _code: u16) {}
}
