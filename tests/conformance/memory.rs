//! What a client of one server remembers of the answers, to fill in later requests with.

use std::collections::BTreeMap;

use serde_json::Value;

/// What stands where a server has given nothing to remember.
const NO_UID: &str = "00000000-0000-4000-8000-000000000000";
const NO_VERSION: &str = "1";

/// What one server has answered in one sequence so far.
#[derive(Debug)]
pub(crate) struct Memory {
    namespace: String,
    /// By `Kind/name`, oldest first, each value once.
    uids: BTreeMap<String, Vec<String>>,
    versions: BTreeMap<String, Vec<String>>,
    list_version: String,
    continue_token: String,
}

impl Memory {
    pub(crate) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            uids: BTreeMap::new(),
            versions: BTreeMap::new(),
            list_version: NO_VERSION.to_owned(),
            continue_token: String::new(),
        }
    }

    /// Fills in `{ns}`, `{rv:Kind/name}` and `{uid:Kind/name}` (the newest ones known), `{rv:Kind/name:first}` and
    /// `{uid:Kind/name:first}` (the oldest ones), `{listrv}` and `{continue}` (of the last list).
    pub(crate) fn fill(&self, template: &str) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some(start) = rest.find('{') {
            filled.push_str(&rest[..start]);
            rest = &rest[start..];
            match rest
                .find('}')
                .and_then(|end| Some((self.value(&rest[1..end])?, end)))
            {
                Some((value, end)) => {
                    filled.push_str(&value);
                    rest = &rest[end + 1..];
                }
                None => {
                    filled.push('{');
                    rest = &rest[1..];
                }
            }
        }
        filled + rest
    }

    fn value(&self, placeholder: &str) -> Option<String> {
        let found = |values: &BTreeMap<String, Vec<String>>, key: &str, nothing: &str| {
            let (key, first) = match key.strip_suffix(":first") {
                Some(key) => (key, true),
                None => (key, false),
            };
            let values = values.get(&key.replace("ns~", &self.namespace));
            let value =
                values.and_then(|values| if first { values.first() } else { values.last() });
            value.cloned().unwrap_or_else(|| nothing.to_owned())
        };
        match placeholder.split_once(':') {
            Some(("rv", key)) => Some(found(&self.versions, key, NO_VERSION)),
            Some(("uid", key)) => Some(found(&self.uids, key, NO_UID)),
            Some(_) => None,
            None => match placeholder {
                "ns" => Some(self.namespace.clone()),
                "listrv" => Some(self.list_version.clone()),
                "continue" => Some(self.continue_token.clone()),
                _ => None,
            },
        }
    }

    /// Learns from the body of an answer.
    pub(crate) fn learn(&mut self, body: &Value) {
        let kind = body
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        match body.get("items").and_then(Value::as_array) {
            Some(items) => {
                let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
                if let Some(version) = text("/metadata/resourceVersion") {
                    version.clone_into(&mut self.list_version);
                }
                text("/metadata/continue")
                    .unwrap_or_default()
                    .clone_into(&mut self.continue_token);
                let kind = kind.trim_end_matches("List");
                items.iter().for_each(|item| self.learn_object(kind, item));
            }
            None => self.learn_object(&kind, body),
        }
    }

    fn learn_object(&mut self, kind: &str, object: &Value) {
        let text = |field: &str| {
            object
                .pointer(&format!("/metadata/{field}"))
                .and_then(Value::as_str)
        };
        // A dry run's object has no resourceVersion, and its UID is nobody's.
        let (Some(name), Some(uid), Some(version)) =
            (text("name"), text("uid"), text("resourceVersion"))
        else {
            return;
        };
        let key = format!("{kind}/{name}");
        for (values, value) in [(&mut self.uids, uid), (&mut self.versions, version)] {
            let values = values.entry(key.clone()).or_default();
            values.retain(|known| known != value);
            values.push(value.to_owned());
        }
    }
}
