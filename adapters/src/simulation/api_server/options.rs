//! The options in a request's query and headers, checked before anything else about it.

use super::{
    path::Query,
    resource::ResourceDefinition,
    selector,
    status::{ApiError, Cause},
};

/// Whether the server can answer in any of the media types of an `Accept` header.
pub(crate) fn check_accept(definition: &ResourceDefinition, accept: &str) -> Result<(), ApiError> {
    let known = |media_type: &str| {
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        matches!(
            media_type,
            "" | "*/*"
                | "application/*"
                | "application/json"
                | "application/yaml"
                | "application/vnd.kubernetes.protobuf"
        )
    };
    if accept.split(',').any(known) {
        return Ok(());
    }
    let known = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    let error = |message: String| ApiError::new(406, "NotAcceptable", message);
    Err(if definition.rules.custom {
        error(format!(
            "only the following media types are accepted: {known}"
        ))
    } else {
        error(format!(
            "406: Not Acceptable\n\nAvailable representations: {known}"
        ))
        .with_empty_details()
    })
}

/// `dryRun` and `fieldValidation` of a write. `kind` is that of the options: `CreateOptions`, …
pub(crate) fn check_write(query: &Query, kind: &str) -> Result<(), ApiError> {
    let mut causes = Vec::new();
    if let Some(other) = query.text("dryRun").filter(|value| *value != "All") {
        let message = format!("Unsupported value: [\"{other}\"]: supported values: \"All\"");
        causes.push(Cause::new("FieldValueNotSupported", "dryRun", message));
    }
    if let Some(other) = query.text("fieldValidation")
        && !["Ignore", "Strict", "Warn"].contains(&other)
    {
        let message = format!(
            "Unsupported value: \"{other}\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
        );
        causes.push(Cause::new(
            "FieldValueNotSupported",
            "fieldValidation",
            message,
        ));
    }
    refuse(kind, &causes)
}

/// The options of a list or a watch that may not go together.
pub(crate) fn check_list(query: &Query, watch: bool) -> Result<(), ApiError> {
    for number in ["limit", "timeoutSeconds"] {
        if let Some(text) = query.text(number)
            && text.parse::<i64>().is_err()
        {
            return Err(ApiError::bad_request(format!(
                "strconv.ParseInt: parsing \"{text}\": invalid syntax"
            )));
        }
    }
    selector::check_syntax(
        query.text("labelSelector").unwrap_or_default(),
        query.text("fieldSelector").unwrap_or_default(),
    )?;
    let matching = query.text("resourceVersionMatch");
    let initial = query.text("sendInitialEvents");
    let mut causes = Vec::new();
    let mut forbid = |field: &str, detail: &str| causes.push(Cause::forbidden(field, detail));
    match (watch, matching) {
        (true, Some(_)) if initial.is_none() => forbid(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
        (true, matching) if initial.is_some() => {
            if matching != Some("NotOlderThan") {
                forbid(
                    "resourceVersionMatch",
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                );
            }
            if let Some(other) = matching.filter(|matching| *matching != "NotOlderThan") {
                causes.push(unsupported(other, "\"NotOlderThan\""));
            }
        }
        (true, _) | (false, None) => {}
        (false, Some(matching)) => {
            if initial.is_some() {
                forbid(
                    "sendInitialEvents",
                    "sendInitialEvents is forbidden for list",
                );
            }
            match query.text("resourceVersion") {
                None => forbid(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                ),
                Some("0") if matching == "Exact" => forbid(
                    "resourceVersionMatch",
                    "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
                ),
                Some(_) => {}
            }
            if query.text("continue").is_some() {
                forbid(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden when continue is provided",
                );
            }
            if !["Exact", "NotOlderThan"].contains(&matching) {
                causes.push(unsupported(matching, "\"Exact\", \"NotOlderThan\", \"\""));
            }
        }
    }
    refuse("ListOptions", &causes)
}

fn unsupported(value: &str, supported: &str) -> Cause {
    let message = format!("Unsupported value: \"{value}\": supported values: {supported}");
    Cause::new("FieldValueNotSupported", "resourceVersionMatch", message)
}

fn refuse(kind: &str, causes: &[Cause]) -> Result<(), ApiError> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid_kind("meta.k8s.io", kind, "", causes))
}
