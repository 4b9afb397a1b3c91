//! Requests as templates: what differs between two servers (UIDs, resourceVersions, tokens) is named, and filled in
//! from what each server has answered before.

use std::fmt;

use serde_json::Value;

/// A request that both servers get.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) content_type: Option<String>,
    pub(crate) accept: Option<String>,
    pub(crate) body: Body,
}

/// The body of a request, in which the [placeholders](super::memory::Memory::fill) of the path may stand too.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    None,
    Json(Value),
    Text(String),
}

impl Request {
    fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            content_type: None,
            accept: None,
            body: Body::None,
        }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new("DELETE", path)
    }

    pub(crate) fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new("POST", path).body(body, "application/json")
    }

    pub(crate) fn put(path: impl Into<String>, body: Value) -> Self {
        Self::new("PUT", path).body(body, "application/json")
    }

    pub(crate) fn merge(path: impl Into<String>, patch: Value) -> Self {
        Self::new("PATCH", path).body(patch, "application/merge-patch+json")
    }

    pub(crate) fn json_patch(path: impl Into<String>, patch: Value) -> Self {
        Self::new("PATCH", path).body(patch, "application/json-patch+json")
    }

    pub(crate) fn body(mut self, body: Value, content_type: &str) -> Self {
        self.body = Body::Json(body);
        self.content_type = Some(content_type.to_owned());
        self
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        self.body = Body::Text(text.to_owned());
        self
    }

    pub(crate) fn content_type(mut self, content_type: Option<&str>) -> Self {
        self.content_type = content_type.map(str::to_owned);
        self
    }

    pub(crate) fn accept(mut self, accept: &str) -> Self {
        self.accept = Some(accept.to_owned());
        self
    }

    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_dry_run(&self) -> bool {
        let in_body = match &self.body {
            Body::Json(body) => body.get("dryRun").is_some(),
            Body::None | Body::Text(_) => false,
        };
        in_body || self.parameter("dryRun").is_some()
    }

    /// The path ends in the name of an object or a subresource of it.
    pub(crate) fn is_about_one_object(&self) -> bool {
        let mut parts = self.path.trim_matches('/').split('/');
        let below_version = match parts.next() {
            Some("api") => parts.skip(1).collect::<Vec<_>>(),
            _ => parts.skip(2).collect::<Vec<_>>(),
        };
        match below_version.as_slice() {
            ["namespaces", _, rest @ ..] if rest.len() > 1 || rest == ["status"] => true,
            ["namespaces", _, _] => false,
            all => all.len() > 1,
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        for (index, (name, value)) in self.query.iter().enumerate() {
            write!(f, "{}{name}={value}", if index == 0 { '?' } else { '&' })?;
        }
        if let Some(content_type) = &self.content_type {
            write!(f, "\n      Content-Type: {content_type}")?;
        }
        if let Some(accept) = &self.accept {
            write!(f, "\n      Accept: {accept}")?;
        }
        match &self.body {
            Body::None => Ok(()),
            Body::Json(body) => write!(f, "\n      {body}"),
            Body::Text(text) => write!(f, "\n      {text}"),
        }
    }
}

/// One step of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Send(Request),
    /// Opens a watch that lasts to the end of the sequence. Then the `closing` requests write an object that the watch
    /// must see and that carries the text `mark`: with it, everything has been seen that was to be seen.
    Watch {
        request: Request,
        closing: Vec<Request>,
        mark: String,
    },
    /// Waits until the garbage collector and the namespace controller have done their work on these collections.
    Settle(Vec<String>),
}

impl Step {
    /// The method of its request, or in a word what it does.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::Send(request) => request.method,
            Self::Watch { .. } => "watch",
            Self::Settle(_) => "settle",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(request) => request.fmt(f),
            Self::Watch { request, .. } => write!(f, "open a watch: {request}"),
            Self::Settle(collections) => {
                write!(f, "let the controllers finish: {}", collections.join(", "))
            }
        }
    }
}
