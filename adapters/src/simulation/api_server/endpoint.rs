//! What a request is about and how: the resource in the version that it names, the options of a write, its outcome.

use std::sync::Arc;

use super::{
    object::StoredObject,
    path::Query,
    resource::{ResourceDefinition, VersionDefinition},
};

/// What to do about fields that the schema does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// The query of a write.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WriteOptions {
    /// `/status`: nothing but the status changes.
    pub(crate) status_only: bool,
    /// The object was made by patching the stored one.
    pub(crate) patched: bool,
    pub(crate) dry_run: bool,
    pub(crate) field_validation: FieldValidation,
}

impl WriteOptions {
    pub(crate) fn parse(query: &Query) -> Self {
        let field_validation = match query.text("fieldValidation") {
            Some("Ignore") => FieldValidation::Ignore,
            Some("Strict") => FieldValidation::Strict,
            _ => FieldValidation::Warn,
        };
        Self {
            dry_run: query.dry_run(),
            field_validation,
            ..Self::default()
        }
    }
}

/// A resource in the version that the request names.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) definition: Arc<ResourceDefinition>,
    /// Index into the definition's versions.
    pub(crate) version: usize,
    /// The core group's events, asked for as `events.k8s.io`.
    pub(crate) newer_events: bool,
}

impl Endpoint {
    pub(crate) fn version(&self) -> &VersionDefinition {
        &self.definition.versions[self.version]
    }

    /// As the client names it.
    pub(crate) fn api_version(&self) -> String {
        if self.newer_events {
            return "events.k8s.io/v1".to_owned();
        }
        self.definition.api_version(&self.version().name)
    }

    /// Under the group that the objects are kept in.
    pub(crate) fn as_kept(&self) -> Self {
        Self {
            newer_events: false,
            ..self.clone()
        }
    }
}

/// A write that was accepted.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) object: Arc<StoredObject>,
    pub(crate) created: bool,
    pub(crate) warnings: Vec<String>,
}
