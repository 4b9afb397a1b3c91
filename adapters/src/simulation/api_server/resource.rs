//! What the server serves: one definition for each resource, built in or made from a CustomResourceDefinition.

use std::sync::Arc;

use super::{json_path::JsonPath, schema::Schema};

/// A resource in all its versions.
#[derive(Debug)]
pub(crate) struct ResourceDefinition {
    /// Empty for the core group.
    pub(crate) group: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) namespaced: bool,
    /// The version that objects are kept in.
    pub(crate) storage_version: String,
    /// The served versions, in discovery's order.
    pub(crate) versions: Vec<VersionDefinition>,
    pub(crate) rules: WriteRules,
}

/// One served version.
#[derive(Debug)]
pub(crate) struct VersionDefinition {
    pub(crate) name: String,
    /// Absent where fields are kept as they come (the built-in kinds).
    pub(crate) schema: Option<Arc<Schema>>,
    /// The fields of a built-in kind; nothing beside their types is checked by it.
    pub(crate) fields: Option<Arc<Schema>>,
    /// `/status` is a subresource.
    pub(crate) status: bool,
    pub(crate) columns: Vec<Column>,
    /// Field selectors beside `metadata.name` and `metadata.namespace`.
    pub(crate) selectable: Vec<FieldPath>,
}

/// A field as a selector or a column names it: `.spec.phase`.
pub(crate) type FieldPath = Vec<String>;

/// A column of `kubectl get`.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// `string`, `integer`, `date`, …
    pub(crate) type_: String,
    pub(crate) format: String,
    pub(crate) description: String,
    /// Above 0: shown with `-o wide` only.
    pub(crate) priority: i64,
    pub(crate) path: JsonPath,
}

const AGE_DESCRIPTION: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. \
It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is \
represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: \
https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

impl Column {
    pub(crate) fn new(name: &str, type_: &str, path: &str) -> Self {
        Self {
            name: name.to_owned(),
            type_: type_.to_owned(),
            format: String::new(),
            description: String::new(),
            priority: 0,
            path: JsonPath::parse(path),
        }
    }

    /// The column of kinds that say nothing about columns.
    pub(crate) fn age() -> Self {
        Self {
            description: AGE_DESCRIPTION.to_owned(),
            ..Self::new("Age", "date", ".metadata.creationTimestamp")
        }
    }
}

/// In what the kinds differ when they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WriteRules {
    /// Comes from a CustomResourceDefinition.
    pub(crate) custom: bool,
    /// Counts changes of the desired state in `metadata.generation`.
    pub(crate) generation: bool,
    /// A PUT without resourceVersion overwrites.
    pub(crate) unconditional_update: bool,
    /// A PUT of an object that does not exist creates it.
    pub(crate) create_on_update: bool,
}

impl WriteRules {
    pub(crate) const CUSTOM: Self = Self {
        custom: true,
        generation: true,
        unconditional_update: false,
        create_on_update: false,
    };
}

impl ResourceDefinition {
    /// `widgets.example.com`, or the plural alone in the core group.
    pub(crate) fn group_resource(&self) -> String {
        join_group(&self.plural, &self.group)
    }

    /// `Widget.example.com`.
    pub(crate) fn group_kind(&self) -> String {
        join_group(&self.kind, &self.group)
    }

    /// `example.com/v1`, or `v1` in the core group.
    pub(crate) fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() {
            version.to_owned()
        } else {
            format!("{}/{version}", self.group)
        }
    }

    pub(crate) fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }

    pub(crate) fn is_namespace(&self) -> bool {
        self.is("", "namespaces")
    }

    pub(crate) fn is_custom_resource_definition(&self) -> bool {
        self.is("apiextensions.k8s.io", "customresourcedefinitions")
    }
}

/// `NAME.GROUP`, or the name alone in the core group.
pub(crate) fn join_group(name: &str, group: &str) -> String {
    if group.is_empty() {
        name.to_owned()
    } else {
        format!("{name}.{group}")
    }
}
