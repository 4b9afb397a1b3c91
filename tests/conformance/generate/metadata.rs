//! Random metadata: labels, finalizers and the like, and each thing that a server has to refuse or to ignore.

use serde_json::{Value, json};

use super::Generator;
use crate::mask::GIVEN_TIME;

/// A finalizer that nobody but the sequence itself removes.
pub(super) const HOLD: &str = "conformance.kubernaut.ai/hold";

const LABELS: &[&str] = &["front", "back", "side"];

impl Generator {
    /// Good metadata, of which there may be none.
    pub(super) fn decorate(&mut self, object: &mut Value) {
        let metadata = &mut object["metadata"];
        if self.random.percent(40) {
            metadata["labels"]["tier"] = (self.random.pick(LABELS)).into();
        }
        if self.random.percent(15) {
            metadata["labels"]["example.com/app"] = "web".into();
        }
        if self.random.percent(15) {
            metadata["annotations"] = json!({"example.com/Note": "anything: ü, \"x\""});
        }
        if self.random.percent(20) && self.kind.namespaced {
            metadata["finalizers"] = json!([HOLD]);
        }
    }

    /// Exactly one thing that is odd about the metadata.
    pub(super) fn spoil(&mut self, object: &mut Value) {
        let long = "x".repeat(64);
        let metadata = &mut object["metadata"];
        let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u"});
        match self.random.below(30) {
            0 => metadata["labels"]["tier"] = "a b".into(),
            1 => metadata["labels"]["/x"] = "v".into(),
            2 => metadata["labels"]["tier"] = long.into(),
            3 => metadata["labels"][long] = "v".into(),
            4 => metadata["labels"]["Bad_Prefix/x"] = "v".into(),
            5 => metadata["labels"]["n"] = 1.into(),
            6 => metadata["annotations"]["a b"] = "v".into(),
            7 => metadata["annotations"]["n"] = json!(["v"]),
            8 => metadata["finalizers"] = json!(["not one"]),
            9 => metadata["finalizers"] = json!(["plain"]),
            10 => metadata["finalizers"] = json!([HOLD, HOLD]),
            11 => metadata["unknown"] = 1.into(),
            12 => metadata["name"] = "Upper".into(),
            13 => metadata["name"] = "x".repeat(254).into(),
            14 => metadata["name"] = "a/b".into(),
            15 => metadata["name"] = "".into(),
            16 => metadata["name"] = 7.into(),
            17 => metadata["namespace"] = "elsewhere".into(),
            18 => metadata["namespace"] = "{ns}".into(),
            19 => metadata["resourceVersion"] = "1".into(),
            20 => metadata["resourceVersion"] = "x".into(),
            21 => metadata["uid"] = "d0000000-0000-4000-8000-000000000000".into(),
            22 => metadata["generation"] = 7.into(),
            23 => metadata["deletionTimestamp"] = GIVEN_TIME.into(),
            24 => metadata["creationTimestamp"] = GIVEN_TIME.into(),
            25 => metadata["selfLink"] = "/x".into(),
            26 => {
                let mut owner = owner;
                let field = self.random.pick(&["apiVersion", "kind", "name", "uid"]);
                owner[field] = "".into();
                metadata["ownerReferences"] = json!([owner]);
            }
            27 => {
                // One that stays: a collector would take the object away, sooner or later.
                let owner = json!({
                    "apiVersion": "v1", "kind": "Namespace", "name": "{ns}", "uid": "{uid:Namespace/ns~}",
                    "controller": true,
                });
                metadata["ownerReferences"] = json!([owner, owner]);
            }
            28 => metadata["labels"] = json!([]),
            _ => *metadata = Value::Null,
        }
    }
}
