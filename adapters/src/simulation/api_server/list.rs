//! Lists: at the newest or an older resourceVersion, whole or page by page.

use std::{ops::Bound, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Map, Value};

use super::{
    object::{ObjectKey, StoredObject},
    path::Query,
    selector::Selector,
    status::ApiError,
    store::{Resource, Store},
};

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) objects: Vec<Arc<StoredObject>>,
    pub(crate) resource_version: u64,
    pub(crate) continue_token: Option<String>,
    /// Objects that come after this page, where no selector makes the count unknown.
    pub(crate) remaining: Option<usize>,
}

/// Where a list goes on: opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    /// 0: whatever is newest, after the first token has expired.
    revision: u64,
    after: ObjectKey,
}

impl Token {
    fn encode(&self) -> String {
        format!(
            "{}:{}:{}",
            self.revision, self.after.namespace, self.after.name
        )
    }

    fn decode(token: &str) -> Option<Self> {
        let (revision, key) = token.split_once(':')?;
        let (namespace, name) = key.split_once(':')?;
        let after = ObjectKey {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        Some(Self {
            revision: revision.parse().ok()?,
            after,
        })
    }
}

/// Lists what the selector matches.
pub(crate) fn list(
    store: &Store,
    resource: &Resource,
    selector: &Selector,
    query: &Query,
) -> Result<Page, ApiError> {
    let token = match query.text("continue") {
        None => None,
        Some(_)
            if query
                .text("resourceVersion")
                .is_some_and(|version| version != "0") =>
        {
            return Err(ApiError::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        Some(token) => Some(Token::decode(token).ok_or_else(|| {
            ApiError::bad_request("invalid continue token: continue key is not valid")
        })?),
    };
    // A list that may be old comes from the server's cache, which there is not for Events, and whole; an object by its
    // name is a list of its own.
    let cached = resource.definition.kind != "Event";
    let may_be_old = cached && token.is_none() && query.text("resourceVersion") == Some("0");
    let whole = may_be_old || selector.names_one();
    let limit = query
        .number("limit")
        .filter(|limit| *limit > 0 && !whole)
        .and_then(|limit| usize::try_from(limit).ok());
    let revision = match &token {
        Some(token) if token.revision == 0 => store.revision,
        Some(token) if token.revision < resource.compacted => {
            return Err(expired_token(token));
        }
        Some(token) => token.revision,
        None => wanted_revision(store, resource, query, limit.is_some())?,
    };
    let start = token.map(|token| token.after);
    if revision == store.revision {
        Ok(page(
            &resource.objects,
            start.as_ref(),
            selector,
            limit,
            revision,
        ))
    } else {
        Ok(page(
            &resource.objects_at(revision),
            start.as_ref(),
            selector,
            limit,
            revision,
        ))
    }
}

fn page(
    objects: &std::collections::BTreeMap<ObjectKey, Arc<StoredObject>>,
    after: Option<&ObjectKey>,
    selector: &Selector,
    limit: Option<usize>,
    revision: u64,
) -> Page {
    let first_of_namespace;
    let start = match (after, selector.namespace()) {
        (Some(after), _) => Bound::Excluded(after),
        (None, Some(namespace)) => {
            first_of_namespace = ObjectKey {
                namespace: namespace.to_owned(),
                name: String::new(),
            };
            Bound::Included(&first_of_namespace)
        }
        (None, None) => Bound::Unbounded,
    };
    let in_namespace = |key: &ObjectKey| {
        selector
            .namespace()
            .is_none_or(|namespace| key.namespace == namespace)
    };
    let mut rest = objects
        .range((start, Bound::Unbounded))
        .take_while(|(key, _)| in_namespace(key));
    let found: Vec<(&ObjectKey, &Arc<StoredObject>)> = rest
        .by_ref()
        .filter(|(_, object)| selector.matches(object))
        .take(limit.unwrap_or(usize::MAX))
        .collect();
    // A real server does not look whether any of the rest matches.
    let left = limit.map_or(0, |_| rest.count());
    let continue_token = match found.last() {
        Some((last, _)) if left > 0 => Some(
            Token {
                revision,
                after: (*last).clone(),
            }
            .encode(),
        ),
        _ => None,
    };
    Page {
        remaining: (left > 0 && selector.has_only_namespace()).then_some(left),
        objects: found
            .into_iter()
            .map(|(_, object)| Arc::clone(object))
            .collect(),
        resource_version: revision,
        continue_token,
    }
}

fn wanted_revision(
    store: &Store,
    resource: &Resource,
    query: &Query,
    paged: bool,
) -> Result<u64, ApiError> {
    let matching = query.text("resourceVersionMatch");
    let Some(version) = query.text("resourceVersion") else {
        return Ok(store.revision);
    };
    let version = parse_version(version)
        .map_err(|error| ApiError::bad_request(format!("invalid resource version: {error}")))?;
    match matching {
        Some("Exact") if version < resource.compacted => Err(too_old(version, resource.compacted)),
        Some("Exact") if version <= store.revision => Ok(version),
        // A page of an older list is a page of just that.
        None if version > 0 && version <= store.revision && paged => {
            if version < resource.compacted {
                Err(too_old(version, resource.compacted))
            } else {
                Ok(version)
            }
        }
        _ if version > store.revision => Err(too_large(version, store.revision)),
        // Not older than: the newest is never older.
        _ => Ok(store.revision),
    }
}

/// Reads a resourceVersion; the error tells what is wrong with it.
pub(crate) fn parse_version(version: &str) -> Result<u64, String> {
    version.parse().map_err(|_| {
        format!(
            "resourceVersion: Invalid value: \"{version}\": strconv.ParseUint: parsing \"{version}\": invalid syntax"
        )
    })
}

/// The resourceVersion lies before what the server remembers.
pub(crate) fn too_old(version: u64, oldest: u64) -> ApiError {
    ApiError::expired(format!("too old resource version: {version} ({oldest})"))
}

/// The resourceVersion lies in the future: the server has waited, and gives up.
fn too_large(version: u64, newest: u64) -> ApiError {
    let mut error = ApiError::new(
        504,
        "Timeout",
        format!("Timeout: Too large resource version: {version}, current: {newest}"),
    );
    error.retry_after = Some(1);
    error.details = Some(Box::new(serde_json::json!({
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
    })));
    error
}

fn expired_token(token: &Token) -> ApiError {
    let mut error = ApiError::expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list \
         without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
         results. Continuing with the provided token results in an inconsistent list - objects that were created, \
         modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    error.continue_token = Some(
        Token {
            revision: 0,
            after: token.after.clone(),
        }
        .encode(),
    );
    error
}

impl Page {
    /// The list's metadata.
    pub(crate) fn metadata(&self, custom: bool) -> Value {
        let mut metadata = Map::new();
        metadata.insert(
            "resourceVersion".to_owned(),
            self.resource_version.to_string().into(),
        );
        if let Some(token) = &self.continue_token {
            metadata.insert("continue".to_owned(), token.clone().into());
        } else if custom {
            // Lists of custom resources carry it even when it is empty.
            metadata.insert("continue".to_owned(), "".into());
        }
        if let Some(remaining) = self.remaining {
            metadata.insert("remainingItemCount".to_owned(), remaining.into());
        }
        Value::Object(metadata)
    }

    /// The list as JSON, around the bytes of its items.
    pub(crate) fn body(
        &self,
        kind: &str,
        api_version: &str,
        custom: bool,
        items: impl Iterator<Item = Bytes>,
    ) -> Bytes {
        let mut body = BytesMut::new();
        let head = format!(
            "{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\"metadata\":{},\"items\":[",
            self.metadata(custom)
        );
        body.put_slice(head.as_bytes());
        for (index, item) in items.enumerate() {
            if index > 0 {
                body.put_u8(b',');
            }
            body.put_slice(&item);
        }
        body.put_slice(b"]}\n");
        body.freeze()
    }
}
