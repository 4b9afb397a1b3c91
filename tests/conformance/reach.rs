//! What the random sequences have reached: each verb with each sort of outcome. A run that does not see them all proves
//! less than it says.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    request::{Request, Step},
    run::{Outcome, Transcript},
};

/// Verb and outcome, as they are counted, that a run must have seen.
const EXPECTED: &[(&str, &[&str])] = &[
    (
        "create",
        &[
            "201",
            "201 dry run",
            "201 generated name",
            "201 with a warning",
            "400 BadRequest",
            "404 NotFound",
            "405 MethodNotAllowed",
            "409 AlreadyExists",
            "415 UnsupportedMediaType",
            "422 Invalid",
            "500",
        ],
    ),
    (
        "get",
        &[
            "200",
            "200 Table",
            "200 PartialObjectMetadata",
            "404 NotFound",
            "406 NotAcceptable",
        ],
    ),
    (
        "list",
        &[
            "200",
            "200 Table",
            "200 PartialObjectMetadataList",
            "200 first page",
            "200 next page",
            "400 BadRequest",
            "422 Invalid",
        ],
    ),
    (
        "replace",
        &[
            "200",
            "200 dry run",
            "201",
            "400 BadRequest",
            "404 NotFound",
            "409 Conflict",
            "415 UnsupportedMediaType",
            "422 Invalid",
            "500",
        ],
    ),
    (
        "merge patch",
        &[
            "200",
            "200 dry run",
            "400 BadRequest",
            "404 NotFound",
            "409 Conflict",
            "415 UnsupportedMediaType",
            "422 Invalid",
        ],
    ),
    ("json patch", &["200", "404 NotFound", "422 Invalid"]),
    (
        "status",
        &["200", "404 NotFound", "409 Conflict", "422 Invalid"],
    ),
    (
        "delete",
        &[
            "200 gone",
            "200 pending",
            "200 dry run",
            "400 BadRequest",
            "404 NotFound",
            "405 MethodNotAllowed",
            "409 Conflict",
            "422 Invalid",
        ],
    ),
    (
        "deletecollection",
        &["200", "200 dry run", "405 MethodNotAllowed"],
    ),
    (
        "watch",
        &[
            "ADDED",
            "MODIFIED",
            "DELETED",
            "BOOKMARK",
            "400 BadRequest",
            "422 Invalid",
            "500",
        ],
    ),
    ("settle", &["something left", "nothing left"]),
];

/// How often each verb came to each outcome.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    outcomes: BTreeMap<(String, String), usize>,
    sequences: usize,
}

impl Reach {
    pub(crate) fn count(&mut self, steps: &[Step], transcript: &Transcript) {
        self.sequences += 1;
        for (step, outcome) in steps.iter().zip(transcript) {
            match (step, outcome) {
                (Step::Send(request), Outcome::Answered(answer)) => {
                    let outcome = outcome_of(request, answer.code, &answer.headers, &answer.body);
                    self.add(verb(request), outcome);
                }
                (_, Outcome::Watched(events)) => {
                    for event in events {
                        let type_ = event["type"].as_str().unwrap_or("the end");
                        self.add("watch", type_.to_owned());
                    }
                }
                (_, Outcome::Answered(answer)) => {
                    self.add("watch", refusal(answer.code, &answer.body));
                }
                (_, Outcome::Settled(state)) => {
                    let left = if state.is_empty() {
                        "nothing"
                    } else {
                        "something"
                    };
                    self.add("settle", format!("{left} left"));
                }
            }
        }
    }

    fn add(&mut self, verb: &str, outcome: String) {
        *self.outcomes.entry((verb.to_owned(), outcome)).or_default() += 1;
    }

    /// What should have been seen and was not.
    pub(crate) fn missing(&self) -> Vec<String> {
        let expected = EXPECTED
            .iter()
            .flat_map(|(verb, outcomes)| outcomes.iter().map(move |outcome| (*verb, *outcome)));
        expected
            .filter(|(verb, outcome)| {
                !self
                    .outcomes
                    .contains_key(&((*verb).to_owned(), (*outcome).to_owned()))
            })
            .map(|(verb, outcome)| format!("{verb}: {outcome}"))
            .collect()
    }

    pub(crate) fn sequences(&self) -> usize {
        self.sequences
    }

    pub(crate) fn requests(&self) -> usize {
        self.outcomes
            .iter()
            .filter(|((verb, _), _)| verb != "watch" && verb != "settle")
            .map(|(_, times)| times)
            .sum()
    }

    /// One line for each verb.
    pub(crate) fn table(&self) -> String {
        let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for ((verb, outcome), times) in &self.outcomes {
            let line = lines.entry(verb).or_default();
            line.push(format!("{outcome} ×{times}"));
        }
        let lines = lines
            .iter()
            .map(|(verb, outcomes)| format!("  {verb}: {}\n", outcomes.join(", ")));
        lines.collect()
    }
}

fn verb(request: &Request) -> &'static str {
    let content_type = request.content_type.as_deref().unwrap_or_default();
    match request.method {
        "GET" if request.parameter("watch").is_some() => "watch",
        "GET" if request.path.starts_with("/api") && request.is_about_one_object() => "get",
        "GET" => "list",
        "PUT" | "PATCH" if request.path.ends_with("/status") => "status",
        "PUT" => "replace",
        "PATCH" if content_type.starts_with("application/json-patch") => "json patch",
        "PATCH" => "merge patch",
        "DELETE" if request.is_about_one_object() => "delete",
        "DELETE" => "deletecollection",
        _ => "create",
    }
}

fn outcome_of(request: &Request, code: u16, headers: &[String], body: &Value) -> String {
    if code >= 300 {
        return refusal(code, body);
    }
    let kind = body["kind"].as_str().unwrap_or_default();
    let form = match (verb(request), kind) {
        (_, "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList") => kind,
        _ if request.is_dry_run() => "dry run",
        ("list", _)
            if request
                .parameter("continue")
                .is_some_and(|token| !token.is_empty()) =>
        {
            "next page"
        }
        ("list", _) if has_text(body, "/metadata/continue") => "first page",
        ("delete", "Status") => "gone",
        ("delete", _) => "pending",
        ("create", _) if has_text(body, "/metadata/generateName") => "generated name",
        ("create", _) if headers.iter().any(|header| header.starts_with("warning")) => {
            "with a warning"
        }
        _ => "",
    };
    format!("{code} {form}").trim_end().to_owned()
}

fn has_text(body: &Value, pointer: &str) -> bool {
    let text = body.pointer(pointer).and_then(Value::as_str);
    text.is_some_and(|text| !text.is_empty())
}

fn refusal(code: u16, body: &Value) -> String {
    let reason = body["reason"].as_str().unwrap_or_default();
    format!("{code} {reason}").trim_end().to_owned()
}
