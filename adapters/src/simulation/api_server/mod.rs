//! A small Kubernetes API server in this process, faithful in what an operator can see of a real one.
//!
//! It keeps custom resources and the few built-in kinds that an operator needs, speaks real JSON and the real watch
//! protocol, and checks objects against their CustomResourceDefinition: structure, defaults, and CEL rules. It sits
//! behind [`kube::Client`] ([`ApiServer::client`]) and, for kubectl, behind a port ([`ApiServer::serve`]).
//!
//! Nothing in it depends on the machine's clock or on chance: time comes from a [`Clock`], UIDs from a seed, and the
//! controllers that a cluster runs (garbage collection, namespace deletion) run when they are told to.
//!
//! Not here: field ownership of server-side apply, conversion webhooks, admission, authorization (everybody may do
//! everything).

mod builtin;
mod builtin_rules;
mod cel;
mod check;
mod checkpoint;
mod clock;
mod commit;
mod crd;
mod decode;
mod delete;
mod discovery;
mod endpoint;
mod event;
mod field_path;
mod garbage;
mod intercept;
mod json_path;
mod list;
mod log;
mod metadata;
mod namespace;
mod object;
mod openapi;
mod options;
mod patch;
mod path;
mod prune;
mod render;
mod resource;
mod review;
mod route;
mod schema;
mod selector;
mod serve;
mod server;
mod service;
mod status;
mod store;
mod table;
mod validate;
mod watch;
mod write;

pub use checkpoint::Checkpoint;
pub use clock::{Clock, SystemClock, TokioClock};
pub use commit::{Commit, CommitObserver};
pub use intercept::{Intercept, Interceptor, Refusal, RequestInfo};
pub use log::{RequestOutcome, RequestRecord};
pub use server::{ApiServer, Options};
pub use service::{ApiService, ResponseBody};
