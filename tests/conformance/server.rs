//! The two servers, behind one client: what they answer, as far as a client can see it.

use std::time::Duration;

use futures::FutureExt;
use http_body_util::BodyExt;
use kube::client::Body as HttpBody;
use remediation_adapters::simulation::api_server::ApiServer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    memory::Memory,
    request::{Body, Request},
};

/// How long the real server may take to send an event that must come. Much longer than it needs.
const EVENT_DEADLINE: Duration = Duration::from_secs(30);

/// How long an answer may take. Only a watch that should have been refused takes longer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// A server under comparison.
#[derive(Clone)]
pub(crate) enum Server {
    Real(kube::Client),
    Simulated(ApiServer, kube::Client),
}

/// What came back for a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// 0 where the connection broke.
    pub(crate) code: u16,
    /// The headers that mean something: Content-Type, Retry-After, and each Warning.
    pub(crate) headers: Vec<String>,
    /// JSON, or a string.
    pub(crate) body: Value,
}

/// An open watch.
pub(crate) struct Stream {
    body: HttpBody,
    buffer: Vec<u8>,
}

impl Server {
    pub(crate) fn simulated(server: ApiServer) -> Self {
        let client = server.client();
        Self::Simulated(server, client)
    }

    fn client(&self) -> &kube::Client {
        match self {
            Self::Real(client) | Self::Simulated(_, client) => client,
        }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, request: &Request, memory: &Memory) -> Answer {
        let answer = async {
            match self.begin(request, memory).await {
                Ok(response) => read(response).await,
                Err(broken) => broken,
            }
        };
        match tokio::time::timeout(ANSWER_DEADLINE, answer).await {
            Ok(answer) => answer,
            Err(late) => broken(&late),
        }
    }

    /// Opens a watch, or tells why not.
    pub(crate) async fn watch(&self, request: &Request, memory: &Memory) -> Result<Stream, Answer> {
        let response = self.begin(request, memory).await?;
        if response.status() != http::StatusCode::OK {
            return Err(read(response).await);
        }
        Ok(Stream {
            body: response.into_body(),
            buffer: Vec::new(),
        })
    }

    async fn begin(
        &self,
        request: &Request,
        memory: &Memory,
    ) -> Result<http::Response<HttpBody>, Answer> {
        let request = build(request, memory).map_err(|error| broken(&error))?;
        let sent = self.client().send(request).await;
        sent.map_err(|error| broken(&error))
    }

    /// The next event of a watch: `None` at its end, or where nothing comes that should.
    pub(crate) async fn next_event(&self, stream: &mut Stream) -> Option<Value> {
        loop {
            if let Some(end) = stream.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = stream.buffer.drain(..=end).collect();
                let event = serde_json::from_slice(&line);
                return Some(event.unwrap_or_else(
                    |_| json!({"type": "unreadable", "line": String::from_utf8_lossy(&line)}),
                ));
            }
            let frame = match self {
                Self::Real(_) => tokio::time::timeout(EVENT_DEADLINE, stream.body.frame())
                    .await
                    .ok()?,
                // What it has to say lies ready.
                Self::Simulated(..) => stream.body.frame().now_or_never()?,
            };
            let data = frame?.ok()?.into_data().ok()?;
            stream.buffer.extend_from_slice(&data);
        }
    }
}

fn build(request: &Request, memory: &Memory) -> Result<http::Request<HttpBody>, http::Error> {
    let mut uri = memory.fill(&request.path);
    for (index, (name, value)) in request.query.iter().enumerate() {
        uri.push(if index == 0 { '?' } else { '&' });
        uri.push_str(&format!("{name}={}", escaped(&memory.fill(value))));
    }
    let mut builder = http::Request::builder().method(request.method).uri(uri);
    if let Some(content_type) = &request.content_type {
        builder = builder.header(http::header::CONTENT_TYPE, content_type);
    }
    if let Some(accept) = &request.accept {
        builder = builder.header(http::header::ACCEPT, accept);
    }
    builder.body(HttpBody::from(match &request.body {
        Body::None => Vec::new(),
        Body::Json(body) => memory.fill(&body.to_string()).into_bytes(),
        Body::Text(text) => memory.fill(text).into_bytes(),
    }))
}

/// Percent-encoding for a query's value.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

async fn read(response: http::Response<HttpBody>) -> Answer {
    let (parts, body) = response.into_parts();
    let bytes = match body.collect_bytes().await {
        Ok(bytes) => bytes,
        Err(error) => return broken(&error),
    };
    let mut headers = Vec::new();
    for name in ["content-type", "retry-after", "warning"] {
        for value in parts.headers.get_all(name) {
            headers.push(format!(
                "{name}: {}",
                value.to_str().unwrap_or("unreadable")
            ));
        }
    }
    headers.sort();
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()));
    Answer {
        code: parts.status.as_u16(),
        headers,
        body,
    }
}

fn broken(error: &dyn std::error::Error) -> Answer {
    Answer {
        code: 0,
        headers: Vec::new(),
        body: format!("the connection broke: {error}").into(),
    }
}
