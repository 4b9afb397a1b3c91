//! The kinds that the sequences are about: the operator's own, two that use more of CustomResourceDefinitions than it
//! does, and the built-in ones that it needs.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

/// A kind, as requests name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) api_version: &'static str,
    pub(crate) namespaced: bool,
    pub(crate) custom: bool,
    /// Its status is a subresource.
    pub(crate) status: bool,
}

pub(crate) const WIDGET: Kind = Kind {
    kind: "Widget",
    plural: "widgets",
    api_version: "conformance.kubernaut.ai/v1",
    namespaced: true,
    custom: true,
    status: true,
};

pub(crate) const GADGET: Kind = Kind {
    kind: "Gadget",
    plural: "gadgets",
    status: false,
    ..WIDGET
};

pub(crate) const REQUEST: Kind = Kind {
    kind: "RemediationRequest",
    plural: "remediationrequests",
    api_version: "remediation.kubernaut.ai/v1alpha1",
    ..WIDGET
};

pub(crate) const WORKFLOW: Kind = Kind {
    kind: "WorkflowExecution",
    plural: "workflowexecutions",
    api_version: "workflowexecution.kubernaut.ai/v1alpha1",
    ..WIDGET
};

pub(crate) const LEASE: Kind = Kind {
    kind: "Lease",
    plural: "leases",
    api_version: "coordination.k8s.io/v1",
    namespaced: true,
    custom: false,
    status: false,
};

pub(crate) const EVENT: Kind = Kind {
    kind: "Event",
    plural: "events",
    api_version: "v1",
    ..LEASE
};

pub(crate) const CONFIG_MAP: Kind = Kind {
    kind: "ConfigMap",
    plural: "configmaps",
    api_version: "v1",
    ..LEASE
};

pub(crate) const NAMESPACE: Kind = Kind {
    kind: "Namespace",
    plural: "namespaces",
    api_version: "v1",
    namespaced: false,
    custom: false,
    status: true,
};

impl Kind {
    /// `/apis/GROUP/VERSION`, or `/api/v1`.
    pub(crate) fn root(&self) -> String {
        match self.api_version.contains('/') {
            true => format!("/apis/{}", self.api_version),
            false => format!("/api/{}", self.api_version),
        }
    }

    /// The path of the objects of a sequence.
    pub(crate) fn collection(&self) -> String {
        if self.namespaced {
            format!("{}/namespaces/{{ns}}/{}", self.root(), self.plural)
        } else {
            self.everywhere()
        }
    }

    /// The path of the objects of all namespaces.
    pub(crate) fn everywhere(&self) -> String {
        format!("{}/{}", self.root(), self.plural)
    }

    pub(crate) fn object(&self, name: &str) -> String {
        format!("{}/{name}", self.collection())
    }

    /// The placeholder for a resourceVersion (`rv`) or `uid` of an object.
    pub(crate) fn known(&self, what: &str, name: &str, which: &str) -> String {
        let name = name.replace("{ns}", "ns~");
        format!("{{{what}:{}/{name}{which}}}", self.kind)
    }

    /// Names for a few objects. Those of cluster-scoped ones belong to the sequence.
    pub(crate) fn names(&self) -> &'static [&'static str] {
        if self.namespaced {
            &["a", "b", "c"]
        } else {
            &["{ns}-a", "{ns}-b"]
        }
    }

    /// An object of these fields, with the metadata that every object of a sequence has.
    pub(crate) fn with(&self, name: &str, fields: &Value) -> Value {
        let mut object = json!({
            "apiVersion": self.api_version,
            "kind": self.kind,
            "metadata": {"name": name},
        });
        if !self.namespaced {
            object["metadata"]["labels"] = json!({"sequence": "{ns}"});
        }
        if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
            object.extend(fields.clone());
        }
        object
    }

    /// A valid object that says as little as may be.
    pub(crate) fn plain(&self, name: &str) -> Value {
        self.with(name, &self.plain_fields())
    }

    fn plain_fields(&self) -> Value {
        match self.kind {
            "Widget" => json!({"spec": {"colour": "red"}}),
            "RemediationRequest" => json!({"spec": {}}),
            "WorkflowExecution" => json!({"spec": {
                "targetingData": {}, "recommendations": [], "notAfter": "2026-01-01T00:00:00Z",
            }}),
            "Event" => json!({
                "involvedObject": {"kind": "Pod", "name": "p", "namespace": "{ns}"},
                "reason": "Started", "message": "it started", "type": "Normal",
            }),
            _ => json!({}),
        }
    }
}

/// The definitions that both servers get: the operator's own, and those of the tests.
pub(crate) fn definitions() -> serde_json::Result<Vec<CustomResourceDefinition>> {
    let mut all = remediation_adapters::kubernetes::crd::all();
    all.push(serde_json::from_value(widget())?);
    all.push(serde_json::from_value(gadget())?);
    Ok(all)
}

/// Structure, bounds, defaults, list types, and rules of each sort.
fn widget() -> Value {
    let parts = json!({
        "type": "array", "maxItems": 3,
        "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        "items": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "maxLength": 10},
            "count": {"type": "integer", "default": 1},
        }},
    });
    let spec = json!({
        "type": "object",
        "required": ["colour"],
        "properties": {
            "colour": {"type": "string", "enum": ["red", "green", "blue"]},
            "size": {
                "type": "integer", "minimum": 1, "maximum": 100, "default": 3,
                "x-kubernetes-validations": [{"rule": "self >= oldSelf", "message": "size may only grow"}],
            },
            "label": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 8},
            "until": {"type": "string", "format": "date-time"},
            "parts": parts,
            "tags": {
                "type": "array", "maxItems": 4, "x-kubernetes-list-type": "set",
                "items": {"type": "string", "maxLength": 10},
            },
            "limits": {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "integer"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "port": {"x-kubernetes-int-or-string": true},
            "note": {"type": "string", "nullable": true},
            "ratio": {"type": "number"},
            "on": {"type": "boolean", "default": false},
        },
        "x-kubernetes-validations": [
            {"rule": "!has(self.until) || self.size < 50", "message": "a large widget has no end"},
            {
                "rule": "!has(oldSelf.label) || has(self.label)", "message": "a label stays",
                "reason": "FieldValueForbidden", "fieldPath": ".label",
            },
            {
                "rule": "self.colour != 'blue' || !has(self.tags) || size(self.tags) < 2",
                "messageExpression": "'at most one tag for ' + self.colour",
            },
        ],
    });
    let status = json!({
        "type": "object",
        "properties": {
            "phase": {"type": "string", "enum": ["Pending", "Done"]},
            "observed": {"type": "integer", "minimum": 0},
            "conditions": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                "items": {"type": "object", "required": ["type", "status"], "properties": {
                    "type": {"type": "string"}, "status": {"type": "string"},
                }},
            },
        },
    });
    json!({
        "metadata": {"name": "widgets.conformance.kubernaut.ai"},
        "spec": {
            "group": "conformance.kubernaut.ai",
            "scope": "Namespaced",
            "names": {
                "kind": "Widget", "listKind": "WidgetList", "plural": "widgets", "singular": "widget",
                "shortNames": ["wd"], "categories": ["conformance"],
            },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "subresources": {"status": {}},
                "selectableFields": [{"jsonPath": ".spec.colour"}, {"jsonPath": ".spec.size"}],
                "additionalPrinterColumns": [
                    {"name": "Colour", "type": "string", "jsonPath": ".spec.colour"},
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "priority": 1},
                    {"name": "Ready", "type": "string",
                     "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
                    {"name": "Until", "type": "date", "jsonPath": ".spec.until"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "schema": {"openAPIV3Schema": {
                    "type": "object", "required": ["spec"], "properties": {"spec": spec, "status": status},
                }},
            }],
        },
    })
}

/// Two versions, no status subresource, no required field.
fn gadget() -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
            "mode": {"type": "string", "default": "slow"},
        }},
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    }}});
    json!({
        "metadata": {"name": "gadgets.conformance.kubernaut.ai"},
        "spec": {
            "group": "conformance.kubernaut.ai",
            "scope": "Namespaced",
            "names": {"kind": "Gadget", "listKind": "GadgetList", "plural": "gadgets", "singular": "gadget"},
            "versions": [
                {"name": "v1beta1", "served": true, "storage": false, "schema": schema},
                {"name": "v1", "served": true, "storage": true, "schema": schema},
            ],
        },
    })
}
