//! Reads a request's path and query into what it asks for: `/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME/SUBRESOURCE`.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// What a path points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Discovery, health and the like.
    NonResource,
    /// Objects of one resource.
    Resource(ResourcePath),
}

/// A path below `/api/v1` or `/apis/GROUP/VERSION`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ResourcePath {
    pub(crate) group: String,
    pub(crate) version: String,
    /// Absent for cluster-scoped objects and for a list across all namespaces.
    pub(crate) namespace: Option<String>,
    /// The plural.
    pub(crate) resource: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

impl Target {
    pub(crate) fn parse(path: &str) -> Self {
        let segments: Vec<_> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy())
            .collect();
        let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        match segments.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => Self::resource("", version, rest),
            ["apis", group, version, rest @ ..] if !rest.is_empty() => {
                Self::resource(group, version, rest)
            }
            _ => Self::NonResource,
        }
    }

    fn resource(group: &str, version: &str, rest: &[&str]) -> Self {
        let mut path = ResourcePath {
            group: group.to_owned(),
            version: version.to_owned(),
            ..ResourcePath::default()
        };
        let rest = match rest {
            // `namespaces/NAME` and `namespaces/NAME/status` are about the Namespace itself.
            ["namespaces", namespace, inner @ ..]
                if !matches!(inner, [] | ["status" | "finalize"]) =>
            {
                path.namespace = Some((*namespace).to_owned());
                inner
            }
            all => all,
        };
        match rest {
            [resource] => path.resource = (*resource).to_owned(),
            [resource, name] => {
                path.resource = (*resource).to_owned();
                path.name = Some((*name).to_owned());
            }
            [resource, name, subresource] => {
                path.resource = (*resource).to_owned();
                path.name = Some((*name).to_owned());
                path.subresource = Some((*subresource).to_owned());
            }
            _ => return Self::NonResource,
        }
        Self::Resource(path)
    }
}

/// A request's query parameters; the last one wins where a name comes twice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            // Of a parameter that is given twice, the first counts.
            parameters
                .entry(name.into_owned())
                .or_insert_with(|| value.into_owned());
        }
        Self(parameters)
    }

    /// The parameter's value; an empty one counts as absent.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name).and_then(|value| value.parse().ok())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(
            self.text(name),
            Some("true" | "1" | "True" | "TRUE" | "t" | "T")
        )
    }

    /// `dryRun=All`: everything but the write.
    pub(crate) fn dry_run(&self) -> bool {
        self.text("dryRun") == Some("All")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(path: &str) -> ResourcePath {
        match Target::parse(path) {
            Target::Resource(resource) => resource,
            Target::NonResource => panic!("{path} is not a resource"),
        }
    }

    #[test]
    fn a_namespaced_status_is_read_in_its_parts() {
        let path = resource("/apis/example.com/v1/namespaces/prod/widgets/a/status");
        assert_eq!(
            (
                path.group.as_str(),
                path.version.as_str(),
                path.resource.as_str()
            ),
            ("example.com", "v1", "widgets")
        );
        assert_eq!(path.namespace.as_deref(), Some("prod"));
        assert_eq!(
            (path.name.as_deref(), path.subresource.as_deref()),
            (Some("a"), Some("status"))
        );
    }

    #[test]
    fn a_namespace_is_an_object_and_not_its_own_content() {
        let path = resource("/api/v1/namespaces/prod/finalize");
        assert_eq!(path.resource, "namespaces");
        assert_eq!(
            (path.name.as_deref(), path.subresource.as_deref()),
            (Some("prod"), Some("finalize"))
        );
        assert_eq!(path.namespace, None);
        assert_eq!(
            resource("/api/v1/namespaces/prod/events")
                .namespace
                .as_deref(),
            Some("prod")
        );
    }

    #[test]
    fn discovery_is_not_a_resource() {
        for path in [
            "/",
            "/api",
            "/api/v1",
            "/apis",
            "/apis/example.com",
            "/apis/example.com/v1",
            "/version",
        ] {
            assert_eq!(Target::parse(path), Target::NonResource, "{path}");
        }
    }
}
