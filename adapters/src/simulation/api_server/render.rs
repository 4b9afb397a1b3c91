//! How an object goes out: as it is kept, in another version, or its metadata alone.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{object::StoredObject, write::Endpoint};

/// The form that the client asks for in its `Accept` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Form {
    #[default]
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
    /// What `kubectl get` prints.
    Table,
}

impl Form {
    /// The first media type that the server can answer.
    pub(crate) fn of_accept(accept: &str) -> Self {
        for media_type in accept.split(',') {
            let parameter = |name: &str| {
                media_type
                    .split(';')
                    .skip(1)
                    .find_map(|parameter| parameter.trim().strip_prefix(name)?.strip_prefix('='))
            };
            let json = media_type.trim_start().starts_with("application/json");
            match parameter("as") {
                Some("Table") if json && parameter("v") == Some("v1") => return Self::Table,
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") if json => {
                    return Self::Metadata;
                }
                None if json => return Self::Whole,
                _ => {}
            }
        }
        Self::Whole
    }
}

/// Writes objects in one version and form.
#[derive(Debug, Clone)]
pub(crate) struct Renderer {
    form: Form,
    /// Where it differs from the version that objects are kept in.
    api_version: Option<String>,
}

impl Renderer {
    pub(crate) fn new(endpoint: &Endpoint, form: Form) -> Self {
        let kept = &endpoint.definition.storage_version;
        let api_version = (endpoint.version().name != *kept).then(|| endpoint.api_version());
        Self { form, api_version }
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Objects go out as they are kept, byte for byte.
    pub(crate) fn is_verbatim(&self) -> bool {
        self.form == Form::Whole && self.api_version.is_none()
    }

    pub(crate) fn bytes(&self, object: &StoredObject) -> Bytes {
        if self.is_verbatim() {
            return object.bytes.clone();
        }
        Bytes::from(self.value(object).to_string())
    }

    pub(crate) fn value(&self, object: &StoredObject) -> Value {
        match self.form {
            Form::Metadata => json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": object.value["metadata"],
            }),
            Form::Whole | Form::Table => {
                let mut value = object.value.clone();
                if let Some(api_version) = &self.api_version {
                    value["apiVersion"] = api_version.clone().into();
                }
                value
            }
        }
    }
}
