//! Errors: every answer of the API server that is not success is classified here, once, into the categories
//! A to F of the enhancement guide, and what follows from each is decided here.

use serde::{Deserialize, Serialize};

use crate::names;
use crate::time::GoDuration;

/// The category of an error, after the enhancement guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Category {
    /// An object is not there. Normal: creation is the answer.
    A,
    /// The API server is unavailable or refuses for now. Retried with backoff.
    B,
    /// Invalid: will be refused every time. Fails and escalates.
    C,
    /// A watch was lost. Reconnected and listed again.
    D,
    /// Somebody else wrote first. Read afresh and decided again.
    E,
    /// A child failed, or did not finish in time. Fails and escalates.
    F,
}

impl Category {
    /// All of them.
    pub const ALL: [Category; 6] = [
        Category::A,
        Category::B,
        Category::C,
        Category::D,
        Category::E,
        Category::F,
    ];

    /// `B`
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Category::A => "A",
            Category::B => "B",
            Category::C => "C",
            Category::D => "D",
            Category::E => "E",
            Category::F => "F",
        }
    }
}

/// What exactly went wrong, as a word that people see in reasons, Events and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// 404: the object is not there.
    NotFound,
    /// 409 on a write: somebody else wrote first.
    Conflict,
    /// 409 on a create: the name is taken.
    AlreadyExists,
    /// 400, 413, 422: our own object is not acceptable.
    Invalid,
    /// The name is taken by an object that is not this request's.
    NameConflict,
    /// 403: a role lacks a verb.
    RBACDenied,
    /// 403: a quota is used up.
    QuotaExceeded,
    /// 403 or 404: the namespace is going or gone.
    NamespaceTerminating,
    /// 403: an admission policy or webhook said no.
    PolicyDenied,
    /// 404 in plain text: the kind is not installed.
    KindMissing,
    /// 429: too many requests.
    TooManyRequests,
    /// No answer in time: it may have been applied, or may be applied later.
    Timeout,
    /// 5xx, no connection, an answer that cannot be read.
    Unavailable,
    /// 401: the credentials were not accepted.
    Unauthorized,
}

impl Cause {
    /// The word itself.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Cause::NotFound => "NotFound",
            Cause::Conflict => "Conflict",
            Cause::AlreadyExists => "AlreadyExists",
            Cause::Invalid => "Invalid",
            Cause::NameConflict => "NameConflict",
            Cause::RBACDenied => "RBACDenied",
            Cause::QuotaExceeded => "QuotaExceeded",
            Cause::NamespaceTerminating => "NamespaceTerminating",
            Cause::PolicyDenied => "PolicyDenied",
            Cause::KindMissing => "KindMissing",
            Cause::TooManyRequests => "TooManyRequests",
            Cause::Timeout => "APITimeout",
            Cause::Unavailable => "APIUnavailable",
            Cause::Unauthorized => "Unauthorized",
        }
    }

    /// The category that this cause belongs to.
    #[must_use]
    pub const fn category(self) -> Category {
        match self {
            Cause::NotFound => Category::A,
            Cause::AlreadyExists
            | Cause::RBACDenied
            | Cause::QuotaExceeded
            | Cause::NamespaceTerminating
            | Cause::PolicyDenied
            | Cause::KindMissing
            | Cause::TooManyRequests
            | Cause::Timeout
            | Cause::Unavailable
            | Cause::Unauthorized => Category::B,
            Cause::Invalid | Cause::NameConflict => Category::C,
            Cause::Conflict => Category::E,
        }
    }

    /// What a person can do about it; shown with the error.
    #[must_use]
    pub const fn next_step(self) -> &'static str {
        match self {
            Cause::NotFound | Cause::Conflict | Cause::AlreadyExists => {
                "nothing: it is handled automatically"
            }
            Cause::Invalid => "correct the field that the message names, and create a new request",
            Cause::NameConflict => {
                "rename or remove the object that holds the name, and create a new request"
            }
            Cause::RBACDenied => {
                "grant the orchestrator's ServiceAccount the verb that the message names"
            }
            Cause::QuotaExceeded => "raise the quota of the namespace, or remove what uses it up",
            Cause::NamespaceTerminating => "nothing: the namespace is being deleted",
            Cause::PolicyDenied => {
                "ask the owner of the admission policy or webhook that the message names"
            }
            Cause::KindMissing => "install the custom resource definition of that kind",
            Cause::TooManyRequests | Cause::Timeout | Cause::Unavailable => {
                "check the health of the API server; it is retried automatically"
            }
            Cause::Unauthorized => "check the orchestrator's ServiceAccount token or kubeconfig",
        }
    }

    /// Whether the API server said no (4xx), rather than not answering properly.
    #[must_use]
    pub const fn server_said_no(self) -> bool {
        match self {
            Cause::NotFound
            | Cause::Conflict
            | Cause::AlreadyExists
            | Cause::Invalid
            | Cause::NameConflict
            | Cause::RBACDenied
            | Cause::QuotaExceeded
            | Cause::NamespaceTerminating
            | Cause::PolicyDenied
            | Cause::KindMissing
            | Cause::Unauthorized => true,
            Cause::TooManyRequests | Cause::Timeout | Cause::Unavailable => false,
        }
    }
}

/// An answer of the API server that is not success, in plain data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiFailure {
    /// The HTTP status code; 0 where there was no answer at all.
    pub code: u16,
    /// `reason` of the Status object; empty where the answer was none.
    pub reason: String,
    /// `message` of the Status object, or what is known instead.
    pub message: String,
    /// `reason` of each of the Status object's `details.causes`.
    pub causes: Vec<String>,
    /// `details.kind` of the Status object.
    pub about: String,
    /// Whether the time for the answer ran out: the call may have been applied.
    pub timed_out: bool,
    /// How long the server asked to wait.
    pub retry_after: Option<GoDuration>,
}

/// What went wrong, from an answer of the API server.
#[must_use]
pub fn classify(failure: &ApiFailure) -> Cause {
    if failure.timed_out {
        return Cause::Timeout;
    }
    match failure.code {
        401 => Cause::Unauthorized,
        403 => classify_forbidden(failure),
        404 if failure.about == "namespaces" => Cause::NamespaceTerminating,
        404 if failure.reason == "NotFound" => Cause::NotFound,
        404 => Cause::KindMissing,
        409 if failure.reason == "AlreadyExists" => Cause::AlreadyExists,
        409 => Cause::Conflict,
        // A deleted version answers 410 to a write with a precondition: it is gone.
        410 => Cause::NotFound,
        400 | 405 | 406 | 413 | 415 | 422 => Cause::Invalid,
        429 => Cause::TooManyRequests,
        504 => Cause::Timeout,
        _ => Cause::Unavailable,
    }
}

fn classify_forbidden(failure: &ApiFailure) -> Cause {
    let says = |words: &str| failure.message.contains(words);
    if failure
        .causes
        .iter()
        .any(|cause| cause == "NamespaceTerminating")
        || says("because it is being terminated")
    {
        Cause::NamespaceTerminating
    } else if says("exceeded quota") {
        Cause::QuotaExceeded
    } else if says("admission webhook")
        || says("ValidatingAdmissionPolicy")
        || says("denied request")
    {
        Cause::PolicyDenied
    } else {
        Cause::RBACDenied
    }
}

/// The longest wait that a server can ask for: a larger number is a mistake, and what is refused must be tried again
/// within the life of a process.
const LONGEST_ASKED: GoDuration = GoDuration::from_mins(60);

/// How long to wait after the n-th refusal in a row (from 1): 5 s, 10 s, then 30 s, and never less than the
/// server asked for, an hour at most. Up to a fifth is added so that many requests do not come back at the same moment; the
/// addition is drawn from a hash of `who`, so that the same input always waits the same time.
#[must_use]
pub fn backoff(tries: u32, retry_after: Option<GoDuration>, who: &str) -> GoDuration {
    let base = match tries {
        0 | 1 => 5_000,
        2 => 10_000,
        _ => 30_000,
    };
    let draw = i64::from_str_radix(&names::hash(&format!("{who}/{tries}"), 4), 16).unwrap_or(0);
    let jittered = GoDuration::from_millis(base + base * draw / (5 * 65_536));
    retry_after.map_or(jittered, |asked| asked.min(LONGEST_ASKED).max(jittered))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: u16, reason: &str, message: &str) -> ApiFailure {
        ApiFailure {
            code,
            reason: reason.into(),
            message: message.into(),
            ..ApiFailure::default()
        }
    }

    #[test]
    fn every_answer_has_one_category() {
        use Category::{A, B, C, E};
        for (code, reason, message, cause, category) in [
            (404, "NotFound", "x not found", Cause::NotFound, A),
            (404, "", "404 page not found", Cause::KindMissing, B),
            (410, "Gone", "the version is gone", Cause::NotFound, A),
            (409, "Conflict", "modified", Cause::Conflict, E),
            (409, "AlreadyExists", "exists", Cause::AlreadyExists, B),
            (400, "BadRequest", "", Cause::Invalid, C),
            (422, "Invalid", "", Cause::Invalid, C),
            (413, "RequestEntityTooLarge", "", Cause::Invalid, C),
            (429, "TooManyRequests", "", Cause::TooManyRequests, B),
            (500, "InternalError", "", Cause::Unavailable, B),
            (503, "ServiceUnavailable", "", Cause::Unavailable, B),
            (504, "Timeout", "", Cause::Timeout, B),
            (0, "", "connection refused", Cause::Unavailable, B),
            (401, "Unauthorized", "", Cause::Unauthorized, B),
            (
                403,
                "Forbidden",
                "User \"x\" cannot create resource",
                Cause::RBACDenied,
                B,
            ),
            (
                403,
                "Forbidden",
                "exceeded quota: q",
                Cause::QuotaExceeded,
                B,
            ),
            (
                403,
                "Forbidden",
                "unable to create new content in namespace x because it is being terminated",
                Cause::NamespaceTerminating,
                B,
            ),
            (
                403,
                "Forbidden",
                "admission webhook \"w\" denied the request",
                Cause::PolicyDenied,
                B,
            ),
            (
                403,
                "Forbidden",
                "ValidatingAdmissionPolicy 'p' denied request",
                Cause::PolicyDenied,
                B,
            ),
        ] {
            let found = classify(&failure(code, reason, message));
            assert_eq!(found, cause, "{code} {reason} {message}");
            assert_eq!(found.category(), category, "{cause:?}");
        }
    }

    #[test]
    fn no_answer_in_time_may_have_been_applied() {
        let late = ApiFailure {
            timed_out: true,
            ..ApiFailure::default()
        };
        assert_eq!(classify(&late), Cause::Timeout);
    }

    #[test]
    fn backoff_grows_to_thirty_seconds_and_is_jittered_by_at_most_a_fifth() {
        for (tries, base) in [(1, 5_000), (2, 10_000), (3, 30_000), (99, 30_000)] {
            let waits: std::collections::BTreeSet<i64> = (0..50)
                .map(|n| backoff(tries, None, &format!("uid-{n}")).as_millis())
                .collect();
            assert!(
                waits
                    .iter()
                    .all(|wait| (base..=base + base / 5).contains(wait))
            );
            assert!(waits.len() > 10, "jittered");
        }
        assert_eq!(backoff(1, None, "u"), backoff(1, None, "u"));
    }

    #[test]
    fn the_server_may_ask_for_longer_but_not_for_less() {
        let minute = GoDuration::from_mins(1);
        assert_eq!(backoff(1, Some(minute), "u"), minute);
        assert!(backoff(3, Some(GoDuration::from_secs(1)), "u") >= GoDuration::from_secs(30));
        let forever = GoDuration::from_secs(i64::MAX);
        assert_eq!(backoff(1, Some(forever), "u"), GoDuration::from_mins(60));
    }

    #[test]
    fn each_sign_of_a_forbidden_write_is_enough() {
        for (words, cause) in [
            (
                "because it is being terminated",
                Cause::NamespaceTerminating,
            ),
            ("exceeded quota: q", Cause::QuotaExceeded),
            ("admission webhook \"w\" said no", Cause::PolicyDenied),
            ("ValidatingAdmissionPolicy 'p' said no", Cause::PolicyDenied),
            ("w denied request", Cause::PolicyDenied),
            ("forbidden", Cause::RBACDenied),
        ] {
            assert_eq!(
                classify(&failure(403, "Forbidden", words)),
                cause,
                "{words}"
            );
        }
        let caused = |cause: &str| ApiFailure {
            causes: vec![cause.into()],
            ..failure(403, "Forbidden", "")
        };
        assert_eq!(
            classify(&caused("NamespaceTerminating")),
            Cause::NamespaceTerminating
        );
        assert_eq!(classify(&caused("FieldValueForbidden")), Cause::RBACDenied);
    }
}
