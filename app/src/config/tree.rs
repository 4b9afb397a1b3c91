//! Values by their paths in a tree: `timeouts.analyzing`.

#[cfg(test)]
use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Puts a value at a path of a tree, making the mappings on the way.
pub(crate) fn set(tree: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            tree.insert(path.to_owned(), value);
        }
        Some((head, rest)) => {
            let inner = tree
                .entry(head)
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

/// The value at a path of a tree.
pub(crate) fn at<'a>(tree: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(tree, |value, key| value.get(key))
}

/// The paths of everything in a tree that is no mapping.
#[cfg(test)]
pub(crate) fn leaves(tree: &Value) -> BTreeSet<String> {
    fn walk(tree: &Value, path: &str, found: &mut BTreeSet<String>) {
        match tree {
            Value::Object(fields) => {
                for (key, value) in fields {
                    let path = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    walk(value, &path, found);
                }
            }
            _ => {
                found.insert(path.to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(tree, "", &mut found);
    found
}
