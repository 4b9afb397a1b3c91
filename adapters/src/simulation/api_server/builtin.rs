//! The built-in kinds that an operator and kubectl need.

use std::sync::{Arc, LazyLock};

use super::builtin_rules;
use super::resource::{Column, ResourceDefinition, VersionDefinition, WriteRules};

struct Builtin {
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
    short_names: &'static [&'static str],
    namespaced: bool,
    status: bool,
    selectable: &'static [&'static str],
    /// Name, type and path of the columns between name and age.
    columns: &'static [(&'static str, &'static str, &'static str)],
    rules: WriteRules,
}

const PLAIN: WriteRules = WriteRules {
    custom: false,
    generation: false,
    unconditional_update: true,
    create_on_update: false,
};

const KINDS: &[Builtin] = &[
    Builtin {
        group: "",
        version: "v1",
        plural: "namespaces",
        kind: "Namespace",
        short_names: &["ns"],
        namespaced: false,
        status: true,
        selectable: &["status.phase"],
        columns: &[("Status", "string", ".status.phase")],
        rules: PLAIN,
    },
    Builtin {
        group: "",
        version: "v1",
        plural: "events",
        kind: "Event",
        short_names: &["ev"],
        namespaced: true,
        status: false,
        selectable: &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        columns: &[
            ("Type", "string", ".type"),
            ("Reason", "string", ".reason"),
            ("Kind", "string", ".involvedObject.kind"),
            ("Object", "string", ".involvedObject.name"),
            ("Message", "string", ".message"),
        ],
        rules: WriteRules {
            create_on_update: true,
            ..PLAIN
        },
    },
    Builtin {
        group: "",
        version: "v1",
        plural: "configmaps",
        kind: "ConfigMap",
        short_names: &["cm"],
        namespaced: true,
        status: false,
        selectable: &[],
        columns: &[],
        rules: PLAIN,
    },
    Builtin {
        group: "",
        version: "v1",
        plural: "secrets",
        kind: "Secret",
        short_names: &[],
        namespaced: true,
        status: false,
        selectable: &["type"],
        columns: &[("Type", "string", ".type")],
        rules: PLAIN,
    },
    Builtin {
        group: "",
        version: "v1",
        plural: "serviceaccounts",
        kind: "ServiceAccount",
        short_names: &["sa"],
        namespaced: true,
        status: false,
        selectable: &[],
        columns: &[],
        rules: PLAIN,
    },
    Builtin {
        group: "coordination.k8s.io",
        version: "v1",
        plural: "leases",
        kind: "Lease",
        short_names: &[],
        namespaced: true,
        status: false,
        selectable: &[],
        columns: &[("Holder", "string", ".spec.holderIdentity")],
        rules: WriteRules {
            create_on_update: true,
            unconditional_update: false,
            ..PLAIN
        },
    },
    Builtin {
        group: "apiextensions.k8s.io",
        version: "v1",
        plural: "customresourcedefinitions",
        kind: "CustomResourceDefinition",
        short_names: &["crd", "crds"],
        namespaced: false,
        status: true,
        selectable: &[],
        columns: &[],
        rules: WriteRules {
            generation: true,
            unconditional_update: false,
            ..PLAIN
        },
    },
];

/// The kinds that are there before any CustomResourceDefinition, compiled once for all servers.
pub(crate) fn definitions() -> &'static [Arc<ResourceDefinition>] {
    static DEFINITIONS: LazyLock<Vec<Arc<ResourceDefinition>>> =
        LazyLock::new(|| compiled().into_iter().map(Arc::new).collect());
    &DEFINITIONS
}

fn compiled() -> Vec<ResourceDefinition> {
    KINDS
        .iter()
        .map(|kind| ResourceDefinition {
            group: kind.group.to_owned(),
            plural: kind.plural.to_owned(),
            singular: kind.kind.to_lowercase(),
            kind: kind.kind.to_owned(),
            list_kind: format!("{}List", kind.kind),
            short_names: kind
                .short_names
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            categories: Vec::new(),
            namespaced: kind.namespaced,
            storage_version: kind.version.to_owned(),
            versions: vec![VersionDefinition {
                name: kind.version.to_owned(),
                schema: None,
                fields: builtin_rules::fields(kind.kind),
                status: kind.status,
                columns: kind
                    .columns
                    .iter()
                    .map(|(name, type_, path)| Column::new(name, type_, path))
                    .chain([Column::age()])
                    .collect(),
                selectable: kind
                    .selectable
                    .iter()
                    .map(|path| path.split('.').map(str::to_owned).collect())
                    .collect(),
            }],
            rules: kind.rules,
        })
        .collect()
}
