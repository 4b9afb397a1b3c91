//! A CustomResourceDefinition's structural schema.

use serde_json::Value;

use super::status::Cause;

/// A compiled schema.
#[derive(Debug)]
pub(crate) struct Schema;

impl Schema {
    pub(crate) fn compile(_schema: &Value) -> Result<Self, Vec<Cause>> {
        Ok(Self)
    }

    pub(crate) fn prune(&self, _value: &mut Value) -> Vec<String> {
        Vec::new()
    }

    pub(crate) fn apply_defaults(&self, _value: &mut Value) {}

    pub(crate) fn validate(&self, _value: &Value, _old: Option<&Value>) -> Vec<Cause> {
        Vec::new()
    }
}
