//! Deterministic names: the same request asks for the same child twice, so that creating twice is impossible.
//!
//! Two different requests never ask for one name: where a plain name could be read in two ways, or
//! would pass a limit of Kubernetes, it ends in a hash of everything that makes it unique.

use sha2::{Digest, Sha256};

use crate::kind::ChildKind;
use crate::request::Identity;

/// The longest name of an object.
pub const LONGEST_NAME: usize = 253;
/// The longest value of a label.
pub const LONGEST_LABEL: usize = 63;

/// What a notification is about; each request has at most one of each.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Occasion {
    /// The remediation failed.
    Escalation,
    /// The remediation completed.
    Success,
    /// Somebody has to approve the analysis.
    Approval,
}

impl Occasion {
    /// `escalation`
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Occasion::Escalation => "escalation",
            Occasion::Success => "success",
            Occasion::Approval => "approval",
        }
    }
}

/// The name of a request's RemediationProcessing, AIAnalysis or WorkflowExecution.
#[must_use]
pub fn stage(request: &Identity, kind: ChildKind) -> String {
    let suffix = match kind {
        ChildKind::RemediationProcessing => "processing",
        ChildKind::AIAnalysis => "aianalysis",
        ChildKind::WorkflowExecution => "workflow",
        ChildKind::KubernetesExecution | ChildKind::NotificationRequest => {
            unreachable!("steps and notifications are named by `step` and `notification`")
        }
    };
    bounded(format!("{}-{suffix}", request.name), LONGEST_NAME)
}

/// The name of the KubernetesExecution of one step.
///
/// A request whose own name holds `-execution-`, or ends in `-execution`, could be read as another request's
/// step, so its steps end in a hash of the request's UID, the step and the attempt.
#[must_use]
pub fn step(request: &Identity, step: &str, attempt: u32) -> String {
    let plain = format!("{}-execution-{step}", request.name);
    let ambiguous = request.name.contains("-execution-") || request.name.ends_with("-execution");
    if ambiguous || attempt >= 2 {
        let unique = format!("{}/{step}/{attempt}", request.uid);
        let mark = hash(&unique, 10);
        let head = cut(&plain, LONGEST_NAME - mark.len() - 1);
        return format!("{head}-{mark}");
    }
    bounded(plain, LONGEST_NAME)
}

/// The name of a notification: it holds the first eight characters of the request's UID, so that a
/// later request of the same name gets one of its own.
#[must_use]
pub fn notification(request: &Identity, occasion: Occasion) -> String {
    let uid: String = request.uid.chars().take(8).collect();
    bounded(
        format!("{}-{}-{uid}", request.name, occasion.word()),
        LONGEST_NAME,
    )
}

/// The value of the label that names the request.
#[must_use]
pub fn label(request_name: &str) -> String {
    bounded(request_name.to_owned(), LONGEST_LABEL)
}

/// The first `length` hexadecimal digits (64 at most) of the SHA-256 of a text.
#[must_use]
pub fn hash(text: &str, length: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .take(length)
        .filter_map(|nibble| char::from_digit(u32::from(nibble), 16))
        .collect()
}

/// The text itself, or its beginning and a hash of the whole where it is longer than `limit`.
fn bounded(text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    let mark = hash(&text, 10);
    format!("{}-{mark}", cut(&text, limit - mark.len() - 1))
}

/// At most the first `limit` bytes, without a trailing `.` or `-`.
fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].trim_end_matches(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str, uid: &str) -> Identity {
        Identity {
            namespace: "default".into(),
            name: name.into(),
            uid: uid.into(),
        }
    }

    #[test]
    fn children_are_named_after_their_request() {
        let web = request("web", "0a1b2c3d-0000");
        assert_eq!(
            stage(&web, ChildKind::RemediationProcessing),
            "web-processing"
        );
        assert_eq!(stage(&web, ChildKind::AIAnalysis), "web-aianalysis");
        assert_eq!(stage(&web, ChildKind::WorkflowExecution), "web-workflow");
        assert_eq!(step(&web, "scale", 1), "web-execution-scale");
        assert_eq!(
            notification(&web, Occasion::Escalation),
            "web-escalation-0a1b2c3d"
        );
    }

    #[test]
    fn a_step_of_one_request_is_never_read_as_a_step_of_another() {
        // `web` step `a-execution-b` and `web-execution-a` step `b` would share a plain name.
        let plain = step(&request("web", "u1"), "a-execution-b", 1);
        let other = step(&request("web-execution-a", "u2"), "b", 1);
        assert_ne!(plain, other);
        assert_ne!(
            step(&request("web", "u1"), "a", 1),
            step(&request("web", "u1"), "a", 2)
        );
    }

    #[test]
    fn a_name_that_is_too_long_is_cut_and_stays_unique() {
        let long = "n".repeat(253);
        let (one, two) = (
            request(&long, "u1"),
            request(&format!("{}m", &long[1..]), "u2"),
        );
        for kind in [
            ChildKind::RemediationProcessing,
            ChildKind::AIAnalysis,
            ChildKind::WorkflowExecution,
        ] {
            let (a, b) = (stage(&one, kind), stage(&two, kind));
            assert!(a.len() <= LONGEST_NAME && b.len() <= LONGEST_NAME);
            assert_ne!(a, b);
        }
        assert!(step(&one, &"s".repeat(63), 3).len() <= LONGEST_NAME);
        assert_ne!(
            stage(&one, ChildKind::AIAnalysis),
            stage(&one, ChildKind::WorkflowExecution)
        );
        assert!(label(&long).len() <= LONGEST_LABEL);
    }

    #[test]
    fn a_step_named_like_the_infix_does_not_meet_another_requests_step() {
        let (web, odd) = (request("web", "u-1"), request("web-execution", "u-2"));
        assert_ne!(step(&web, "execution-scale", 1), step(&odd, "scale", 1));
    }

    #[test]
    fn a_cut_never_ends_in_a_dot_or_a_dash() {
        let dotted = format!("{}.-.-{}", "a".repeat(48), "b".repeat(40));
        let value = label(&dotted);
        assert!(!value.contains(".-1") && value.starts_with(&"a".repeat(48)));
        assert_eq!(value.as_bytes()[48], b'-');
    }

    #[test]
    fn a_name_that_needs_a_hash_keeps_as_much_of_its_head_as_fits() {
        let name = "w".repeat(100);
        let second = step(&request(&name, "u1"), "scale", 2);
        assert!(
            second.starts_with(&format!("{name}-execution-scale-")),
            "{second}"
        );
        let longest = step(&request(&"w".repeat(253), "u1"), "scale", 2);
        assert_eq!(longest.len(), LONGEST_NAME);
    }

    #[test]
    fn a_cut_falls_between_characters() {
        assert_eq!(cut("aä", 2), "a");
        assert_eq!(cut("aä", 3), "aä");
    }
}
