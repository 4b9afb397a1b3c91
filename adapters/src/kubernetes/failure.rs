//! From an answer of the API server that is not success to plain data. It is classified in the core.

use std::error::Error as _;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use remediation_core::error::ApiFailure;
use remediation_core::time::GoDuration;

/// What the API server said, from the parts of its answer. A body that is no Status object is taken as it is:
/// a plain-text 404 on a POST means that the kind is not installed.
#[must_use]
pub fn from_answer(code: u16, retry_after: Option<&str>, body: &[u8]) -> ApiFailure {
    let header = retry_after.and_then(|seconds| seconds.trim().parse::<i64>().ok());
    let Ok(status) = serde_json::from_slice::<Status>(body) else {
        let text = String::from_utf8_lossy(body);
        return ApiFailure {
            code,
            message: remediation_core::text::clean(&text, remediation_core::text::MESSAGE),
            retry_after: header.map(GoDuration::from_secs),
            ..ApiFailure::default()
        };
    };
    from_status(code, header, status)
}

/// What a Status object says, also one that arrived within a watch.
#[must_use]
pub fn from_status(code: u16, retry_after: Option<i64>, status: Status) -> ApiFailure {
    let details = status.details.unwrap_or_default();
    let causes = details.causes.unwrap_or_default();
    let retry_after = retry_after.or(details
        .retry_after_seconds
        .filter(|seconds| *seconds > 0)
        .map(i64::from));
    ApiFailure {
        code,
        reason: status.reason.unwrap_or_default(),
        message: status.message.unwrap_or_default(),
        causes: causes
            .into_iter()
            .filter_map(|cause| cause.reason)
            .collect(),
        about: details.kind.unwrap_or_default(),
        timed_out: false,
        retry_after: retry_after.map(GoDuration::from_secs),
    }
}

/// What went wrong without an answer: no connection, or one that broke.
#[must_use]
pub fn from_transport(error: &kube::Error) -> ApiFailure {
    let mut message = error.to_string();
    let mut timed_out = false;
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        timed_out |= inner
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut);
        source = inner.source();
    }
    ApiFailure {
        message: remediation_core::text::clean(&message, remediation_core::text::MESSAGE),
        timed_out,
        ..ApiFailure::default()
    }
}

/// An answer that says success and cannot be read: what was asked may well have been applied.
#[must_use]
pub fn unreadable(what: &str, error: &dyn std::fmt::Display) -> ApiFailure {
    ApiFailure {
        message: format!("the answer to {what} cannot be read: {error}"),
        ..ApiFailure::default()
    }
}

/// No answer within the time that a call may take.
#[must_use]
pub fn no_answer(after: std::time::Duration) -> ApiFailure {
    ApiFailure {
        message: format!("no answer within {} s", after.as_secs_f64()),
        timed_out: true,
        ..ApiFailure::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remediation_core::error::{Cause, classify};

    /// An error that does not say what it comes from.
    #[derive(Debug, thiserror::Error)]
    #[error("no connection")]
    struct Chain(#[source] std::io::Error);

    #[test]
    fn what_has_no_answer_or_none_that_can_be_read_says_so() {
        let failure = no_answer(std::time::Duration::from_millis(1500));
        assert_eq!(failure.message, "no answer within 1.5 s");
        assert!(failure.timed_out);
        let failure = unreadable("a list", &"no JSON");
        assert_eq!(
            failure.message,
            "the answer to a list cannot be read: no JSON"
        );
        assert_eq!(classify(&failure), Cause::Unavailable);
    }

    #[test]
    fn a_status_object_is_read_with_causes_and_what_it_is_about() {
        let body = br#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
            "message":"namespaces \"nope\" not found","reason":"NotFound",
            "details":{"name":"nope","kind":"namespaces"},"code":404}"#;
        let failure = from_answer(404, None, body);
        assert_eq!(failure.about, "namespaces");
        assert_eq!(classify(&failure), Cause::NamespaceTerminating);
    }

    #[test]
    fn a_plain_text_404_means_that_the_kind_is_missing() {
        let failure = from_answer(404, None, b"404 page not found\n");
        assert_eq!(failure.message, "404 page not found");
        assert_eq!(classify(&failure), Cause::KindMissing);
    }

    #[test]
    fn the_header_and_the_details_both_ask_for_patience() {
        let failure = from_answer(429, Some("7"), b"Too many requests");
        assert_eq!(failure.retry_after, Some(GoDuration::from_secs(7)));
        let body = br#"{"kind":"Status","code":429,"reason":"TooManyRequests",
            "details":{"retryAfterSeconds":3,"causes":[{"reason":"X"}]}}"#;
        let failure = from_answer(429, None, body);
        assert_eq!(failure.retry_after, Some(GoDuration::from_secs(3)));
        assert_eq!(failure.causes, ["X"]);
        assert_eq!(classify(&failure), Cause::TooManyRequests);
        let body = br#"{"kind":"Status","code":429,"details":{"retryAfterSeconds":0}}"#;
        assert_eq!(from_answer(429, None, body).retry_after, None);
    }

    #[test]
    fn a_broken_connection_is_unavailability_with_the_whole_chain_of_reasons() {
        let refused =
            std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        let failure = from_transport(&kube::Error::Service(Box::new(refused)));
        assert!(
            failure.message.contains("connection refused"),
            "{}",
            failure.message
        );
        assert_eq!(classify(&failure), Cause::Unavailable);
        let within = std::io::Error::other("tls: bad certificate");
        let failure = from_transport(&kube::Error::Service(Box::new(Chain(within))));
        assert_eq!(
            failure.message.matches("tls: bad certificate").count(),
            1,
            "{}",
            failure.message
        );
        assert!(!failure.timed_out);
        let late = std::io::Error::new(std::io::ErrorKind::TimedOut, "timed out");
        let failure = from_transport(&kube::Error::ReadEvents(late));
        assert_eq!(classify(&failure), Cause::Timeout);
    }
}
