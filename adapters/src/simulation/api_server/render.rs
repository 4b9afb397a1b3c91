//! How an object goes out: as it is kept, in another version, its metadata alone, or as a row of a table.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{endpoint::Endpoint, event, list::Page, object::StoredObject, table::table};

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
    endpoint: Endpoint,
    /// Objects go out in the version that they are kept in.
    same_version: bool,
    /// Rows of tables carry the whole object, not its metadata alone.
    whole_rows: bool,
    /// Ages are counted from the request on.
    now: Timestamp,
}

impl Renderer {
    pub(crate) fn new(
        endpoint: &Endpoint,
        accept: &str,
        include_object: Option<&str>,
        now: Timestamp,
    ) -> Self {
        let same_version = !endpoint.newer_events
            && endpoint.version().name == endpoint.definition.storage_version;
        let whole_rows = include_object == Some("Object");
        Self {
            form: Form::of_accept(accept),
            endpoint: endpoint.clone(),
            same_version,
            whole_rows,
            now,
        }
    }

    /// Objects go out as they are kept, byte for byte.
    pub(crate) fn is_verbatim(&self) -> bool {
        self.form == Form::Whole && self.same_version
    }

    /// The object, or a table of this one row.
    pub(crate) fn bytes(&self, object: &StoredObject) -> Bytes {
        self.event_bytes(object, true)
    }

    /// The object in an event of a watch, whose tables tell their columns once.
    pub(crate) fn event_bytes(&self, object: &StoredObject, first: bool) -> Bytes {
        match self.form {
            Form::Whole if self.same_version => object.bytes.clone(),
            Form::Whole => self.value(object).to_string().into(),
            Form::Metadata => metadata_only(object).to_string().into(),
            Form::Table => {
                let metadata = json!({"resourceVersion": object.revision.to_string()});
                self.table(std::iter::once(object), &metadata, first)
            }
        }
    }

    /// A page of a list.
    pub(crate) fn page(&self, page: &Page) -> Bytes {
        let definition = &self.endpoint.definition;
        let objects = page.objects.iter().map(AsRef::as_ref);
        match self.form {
            Form::Table => self.table(objects, &page.metadata(false), true),
            Form::Metadata => {
                let items = objects.map(|object| Bytes::from(metadata_only(object).to_string()));
                if page.objects.is_empty() {
                    // A real server makes this list in another way than all others.
                    let metadata = page.metadata(false);
                    let list = json!({
                        "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                        "metadata": metadata, "items": null,
                    });
                    return list.to_string().into();
                }
                page.body("PartialObjectMetadataList", "meta.k8s.io/v1", false, items)
            }
            Form::Whole if definition.rules.custom => {
                let items = objects.map(|object| self.bytes(object));
                page.body(
                    &definition.list_kind,
                    &self.endpoint.api_version(),
                    true,
                    items,
                )
            }
            Form::Whole => {
                let items = objects.map(|object| self.bare(object));
                page.body(
                    &definition.list_kind,
                    &self.endpoint.api_version(),
                    false,
                    items,
                )
            }
        }
    }

    fn table<'a>(
        &self,
        objects: impl Iterator<Item = &'a StoredObject>,
        metadata: &Value,
        with_columns: bool,
    ) -> Bytes {
        let version = self.endpoint.version();
        table(
            version,
            objects,
            metadata,
            with_columns,
            self.whole_rows,
            self.now,
        )
        .to_string()
        .into()
    }

    fn value(&self, object: &StoredObject) -> Value {
        let mut value = (*object.value).clone();
        if self.endpoint.newer_events {
            event::from_core(&mut value);
        } else {
            value["apiVersion"] = self.endpoint.api_version().into();
        }
        value
    }

    /// The object as an item of a list of a built-in kind: it does not name its kind.
    fn bare(&self, object: &StoredObject) -> Bytes {
        let mut value = self.value(object);
        if let Some(fields) = value.as_object_mut() {
            fields.remove("apiVersion");
            fields.remove("kind");
        }
        value.to_string().into()
    }
}

fn metadata_only(object: &StoredObject) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.value["metadata"],
    })
}
