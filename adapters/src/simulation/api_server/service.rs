//! Requests in, responses out: reads a request, lets the interceptor at it, and serves it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response, request::Parts};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower::{BoxError, Service};

use super::{
    intercept::{Intercept, Refusal, RequestInfo},
    log::{RequestOutcome, RequestRecord},
    path::{Query, Target},
    route,
    server::Shared,
    status::ApiError,
    watch::Watch,
};

/// Larger bodies are refused, as the real server does.
const MAX_BODY: usize = 3 * 1024 * 1024;

/// The API server as a tower service.
#[derive(Debug, Clone)]
pub struct ApiService {
    shared: Arc<Shared>,
}

/// A response's body: bytes, or the events of a watch.
#[derive(Debug)]
pub struct ResponseBody(Kind);

#[derive(Debug)]
enum Kind {
    Bytes(Option<Bytes>),
    Watch(Box<Watch>),
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.get_mut().0 {
            Kind::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Watch(watch) => watch.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Kind::Bytes(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Bytes(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Watch(_) => SizeHint::default(),
        }
    }
}

/// What serving a request comes to.
pub(crate) enum Reply {
    Response(Response<Bytes>),
    Watch(Box<Watch>),
}

impl Reply {
    fn code(&self) -> u16 {
        match self {
            Self::Response(response) => response.status().as_u16(),
            Self::Watch(_) => 200,
        }
    }

    fn into_response(self) -> Response<ResponseBody> {
        match self {
            Self::Response(response) => {
                response.map(|bytes| ResponseBody(Kind::Bytes(Some(bytes))))
            }
            Self::Watch(watch) => {
                let mut response = Response::new(ResponseBody(Kind::Watch(watch)));
                let json = http::HeaderValue::from_static("application/json");
                response
                    .headers_mut()
                    .insert(http::header::CONTENT_TYPE, json);
                response
            }
        }
    }
}

/// A request, read.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) target: Target,
    pub(crate) query: Query,
    pub(crate) content_type: String,
    pub(crate) accept: String,
    pub(crate) info: RequestInfo,
}

impl ApiService {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) async fn handle<B>(
        self,
        request: Request<B>,
    ) -> Result<Response<ResponseBody>, BoxError>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let body = match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                let incoming = Incoming::read(&parts, Bytes::new(), self.shared.now());
                let refusal = Reply::Response(ApiError::too_large(MAX_BODY).response());
                self.record(
                    &incoming.info,
                    RequestOutcome::Answered(refusal.code()),
                    None,
                );
                return Ok(refusal.into_response());
            }
            Err(error) => return Err(error),
        };
        let incoming = Incoming::read(&parts, body, self.shared.now());
        let intercept = match self.shared.interceptor() {
            Some(interceptor) => interceptor.before(&incoming.info),
            None => Intercept::Pass,
        };
        match intercept {
            Intercept::Pass => Ok(self.serve(&incoming).into_response()),
            Intercept::Refuse(refusal) => Ok(self.refuse(&incoming, &refusal).into_response()),
            Intercept::ApplyThenLose => {
                self.serve_unseen(&incoming);
                Err(connection_lost())
            }
            Intercept::Delay(delay) => {
                tokio::time::sleep(delay).await;
                Ok(self.serve(&incoming).into_response())
            }
            Intercept::ApplyThenDelay(delay) => {
                let reply = self.serve(&incoming);
                tokio::time::sleep(delay).await;
                Ok(reply.into_response())
            }
            Intercept::ApplyLate(delay) => {
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    self.serve_unseen(&incoming);
                });
                Err(connection_lost())
            }
            Intercept::Drop => {
                self.record(&incoming.info, RequestOutcome::Lost, None);
                Err(connection_lost())
            }
            Intercept::ApplyTwice => {
                let reply = self.serve(&incoming);
                self.serve_unseen(&incoming);
                Ok(reply.into_response())
            }
        }
    }

    fn serve(&self, incoming: &Incoming) -> Reply {
        let (reply, name) = route::serve(&self.shared, incoming);
        self.record(&incoming.info, RequestOutcome::Answered(reply.code()), name);
        reply
    }

    fn serve_unseen(&self, incoming: &Incoming) {
        let (_, name) = route::serve(&self.shared, incoming);
        self.record(&incoming.info, RequestOutcome::Lost, name);
    }

    fn refuse(&self, incoming: &Incoming, refusal: &Refusal) -> Reply {
        let mut error = ApiError::new(
            refusal.code,
            refusal.reason.clone(),
            refusal.message.clone(),
        );
        error.retry_after = refusal.retry_after;
        let reply = Reply::Response(error.response());
        self.record(&incoming.info, RequestOutcome::Answered(reply.code()), None);
        reply
    }

    fn record(&self, info: &RequestInfo, outcome: RequestOutcome, name: Option<String>) {
        if let (RequestOutcome::Answered(code), Some(interceptor)) =
            (outcome, self.shared.interceptor())
        {
            interceptor.answered(info, code);
        }
        let mut log = self.shared.log();
        if !log.is_kept() {
            return;
        }
        log.push(RequestRecord {
            verb: info.verb.clone(),
            group: info.group.clone(),
            resource: info.resource.clone(),
            subresource: info.subresource.clone(),
            namespace: info.namespace.clone(),
            name: info.name.clone().or(name),
            outcome,
            user_agent: info.user_agent.clone(),
        });
    }
}

fn connection_lost() -> BoxError {
    Box::new(io::Error::new(
        io::ErrorKind::ConnectionReset,
        "the simulated connection was lost",
    ))
}

impl Incoming {
    fn read(parts: &Parts, body: Bytes, received: jiff::Timestamp) -> Self {
        let header = |name: http::HeaderName| -> String {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let path = parts.uri.path().to_owned();
        let query = Query::parse(parts.uri.query());
        let target = Target::parse(&path);
        let mut info = RequestInfo {
            received,
            verb: parts.method.as_str().to_lowercase(),
            group: String::new(),
            resource: path.clone(),
            subresource: None,
            namespace: None,
            name: None,
            user_agent: header(http::header::USER_AGENT),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body,
        };
        if let Target::Resource(resource) = &target {
            info.verb =
                verb(&parts.method, resource.name.is_some(), query.flag("watch")).to_owned();
            info.group.clone_from(&resource.group);
            info.resource.clone_from(&resource.resource);
            info.subresource.clone_from(&resource.subresource);
            info.namespace.clone_from(&resource.namespace);
            info.name.clone_from(&resource.name);
        }
        Self {
            method: parts.method.clone(),
            path,
            target,
            query,
            content_type: header(http::header::CONTENT_TYPE),
            accept: header(http::header::ACCEPT),
            info,
        }
    }
}

fn verb(method: &Method, named: bool, watch: bool) -> &'static str {
    match (method, named) {
        (&Method::GET | &Method::HEAD, true) => "get",
        (&Method::GET | &Method::HEAD, false) if watch => "watch",
        (&Method::GET | &Method::HEAD, false) => "list",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, true) => "delete",
        (&Method::DELETE, false) => "deletecollection",
        _ => "unknown",
    }
}

impl<B> Service<Request<B>> for ApiService
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(self.clone().handle(request))
    }
}
