//! Errors as the API server answers them: an HTTP code and a `Status` object, in its own words.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::resource::{ResourceDefinition, join_group};

/// One reason why an object is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// `FieldValueRequired`, `FieldValueInvalid`, …
    pub(crate) reason: &'static str,
    /// Without the field's path.
    pub(crate) message: String,
    pub(crate) field: String,
}

impl Cause {
    pub(crate) fn new(
        reason: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            reason,
            message: message.into(),
            field: field.into(),
        }
    }

    pub(crate) fn invalid(
        field: impl Into<String>,
        value: &Value,
        detail: impl AsRef<str>,
    ) -> Self {
        Self::new(
            "FieldValueInvalid",
            field,
            format!("Invalid value: {value}: {}", detail.as_ref()),
        )
    }

    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Self {
        let message = if detail.is_empty() {
            "Required value".to_owned()
        } else {
            format!("Required value: {detail}")
        };
        Self::new("FieldValueRequired", field, message)
    }

    pub(crate) fn forbidden(field: impl Into<String>, detail: impl AsRef<str>) -> Self {
        Self::new(
            "FieldValueForbidden",
            field,
            format!("Forbidden: {}", detail.as_ref()),
        )
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) details: Option<Box<Value>>,
    /// Seconds, for the `Retry-After` header.
    pub(crate) retry_after: Option<u32>,
    /// A continue token that a client may go on with after the one it sent has expired.
    pub(crate) continue_token: Option<String>,
    /// Answer the message as plain text, as for paths that nothing serves.
    pub(crate) plain: bool,
    /// What there was to warn of before the refusal.
    pub(crate) warnings: Vec<String>,
}

impl ApiError {
    pub(crate) fn new(code: u16, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            message: message.into(),
            details: None,
            retry_after: None,
            continue_token: None,
            plain: false,
            warnings: Vec::new(),
        }
    }

    /// The refusal of a request that had been read with these warnings.
    pub(crate) fn warning(mut self, warnings: &[String]) -> Self {
        self.warnings.extend_from_slice(warnings);
        self
    }

    fn about(mut self, definition: &ResourceDefinition, name: &str) -> Self {
        self.details = Some(Box::new(about(name, &definition.group, &definition.plural)));
        self
    }

    /// A JSON patch that does not fit the object.
    pub(crate) fn inapplicable_patch() -> Self {
        Self::new(
            422,
            "Invalid",
            "the server rejected our request due to an error in our request",
        )
        .with_empty_details()
    }

    /// A path that nothing serves: plain text, not a `Status`.
    pub(crate) fn page_not_found() -> Self {
        Self {
            plain: true,
            ..Self::new(404, "NotFound", "404 page not found\n")
        }
    }

    pub(crate) fn not_found(definition: &ResourceDefinition, name: &str) -> Self {
        Self::new(
            404,
            "NotFound",
            format!("{} \"{name}\" not found", definition.group_resource()),
        )
        .about(definition, name)
    }

    /// The group is served, the resource is not.
    pub(crate) fn no_such_resource() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
        .with_empty_details()
    }

    pub(crate) fn already_exists(definition: &ResourceDefinition, name: &str) -> Self {
        Self::new(
            409,
            "AlreadyExists",
            format!("{} \"{name}\" already exists", definition.group_resource()),
        )
        .about(definition, name)
    }

    pub(crate) fn conflict(definition: &ResourceDefinition, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            definition.group_resource()
        );
        Self::new(409, "Conflict", message).about(definition, name)
    }

    /// The name is taken by an object that is on its way out.
    pub(crate) fn being_deleted(definition: &ResourceDefinition, name: &str) -> Self {
        let mut error = Self::already_exists(definition, name);
        error.message = format!("object is being deleted: {}", error.message);
        error
    }

    /// A precondition of a deletion does not hold; it names the kind where other conflicts name the resource.
    pub(crate) fn failed_precondition(
        definition: &ResourceDefinition,
        name: &str,
        why: &str,
    ) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            definition.group_kind()
        );
        let mut error = Self::new(409, "Conflict", message);
        error.details = Some(Box::new(about(name, &definition.group, &definition.kind)));
        error
    }

    /// The optimistic lock was lost.
    pub(crate) fn modified(definition: &ResourceDefinition, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(definition, name, why)
    }

    pub(crate) fn forbidden(definition: &ResourceDefinition, name: &str, why: &str) -> Self {
        let message = format!(
            "{} \"{name}\" is forbidden: {why}",
            definition.group_resource()
        );
        Self::new(403, "Forbidden", message).about(definition, name)
    }

    /// 422 with one cause for each finding.
    pub(crate) fn invalid(definition: &ResourceDefinition, name: &str, causes: &[Cause]) -> Self {
        Self::invalid_kind(&definition.group, &definition.kind, name, causes)
    }

    /// 422 about something that is named by its kind, or by what took the kind's place.
    pub(crate) fn invalid_kind(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Self {
        let mut findings: Vec<String> = Vec::new();
        for cause in causes {
            let finding = format!("{}: {}", cause.field, cause.message);
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        let findings = match findings.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let subject = join_group(kind, group);
        let mut error = Self::new(
            422,
            "Invalid",
            format!("{subject} \"{name}\" is invalid: {findings}"),
        );
        let mut details = about(name, group, kind);
        details["causes"] = causes
            .iter()
            .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
            .collect();
        error.details = Some(Box::new(details));
        error
    }

    /// What a real server answers when it is at a loss: a code, and no reason.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
        .with_empty_details()
    }

    /// The kind has this verb for no object.
    pub(crate) fn method_not_supported(definition: &ResourceDefinition, verb: &str) -> Self {
        let resource = definition.group_resource();
        let message = format!("{verb} is not supported on resources of kind \"{resource}\"");
        Self::new(405, "MethodNotAllowed", message).about(definition, "")
    }

    pub(crate) fn unsupported_media_type(supported: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {supported}"
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {limit}"),
        )
    }

    pub(crate) fn with_empty_details(mut self) -> Self {
        self.details = Some(Box::new(json!({})));
        self
    }

    /// The `Status` object.
    pub(crate) fn status(&self) -> Value {
        let mut metadata = Map::new();
        if let Some(token) = &self.continue_token {
            metadata.insert("continue".to_owned(), token.clone().into());
        }
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = self.reason.clone().into();
        }
        let mut details = self.details.as_deref().cloned();
        if let Some(seconds) = self.retry_after {
            details.get_or_insert_with(|| json!({}))["retryAfterSeconds"] = seconds.into();
        }
        if let Some(details) = details {
            status["details"] = details;
        }
        status
    }

    pub(crate) fn response(&self) -> http::Response<Bytes> {
        let (content_type, body) = if self.plain {
            (
                "text/plain; charset=utf-8",
                Bytes::from(self.message.clone()),
            )
        } else {
            ("application/json", Bytes::from(self.status().to_string()))
        };
        let mut response = http::Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static(content_type),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert(http::header::RETRY_AFTER, http::HeaderValue::from(seconds));
        }
        add_warnings(headers, &self.warnings);
        response
    }
}

/// Each warning in a header of its own.
pub(crate) fn add_warnings(headers: &mut http::HeaderMap, warnings: &[String]) {
    for warning in warnings {
        let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = http::HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            headers.append(http::header::WARNING, value);
        }
    }
}

fn about(name: &str, group: &str, kind: &str) -> Value {
    let mut details = Map::new();
    if !name.is_empty() {
        details.insert("name".to_owned(), name.into());
    }
    if !group.is_empty() {
        details.insert("group".to_owned(), group.into());
    }
    if !kind.is_empty() {
        details.insert("kind".to_owned(), kind.into());
    }
    Value::Object(details)
}
