//! Random reads, and requests that no client should make.

use super::Generator;
use crate::request::Request;

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
const METADATA: &str = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

/// Label selectors, wrong ones among them.
const LABEL_SELECTORS: &[&str] = &[
    "tier=front",
    "tier==back",
    "tier!=front",
    "tier in (front, back)",
    "tier notin (front)",
    "tier",
    "!tier",
    "tier=front,example.com/app=web",
    "tier=front,tier=back",
    "tier=",
    "tier in ()",
    "tier in front",
    "a b",
    "=x",
    "tier=a b",
    "tier>1",
    "Bad_Prefix/x=y",
    "tier==front,",
];

/// Field selectors, wrong ones among them.
const FIELD_SELECTORS: &[&str] = &[
    "metadata.name=a",
    "metadata.name!=a",
    "metadata.name==b,metadata.namespace={ns}",
    "metadata.namespace={ns}",
    "metadata.namespace=elsewhere",
    "metadata.uid=1",
    "spec.colour=green",
    "spec.colour!=green",
    "spec.size=3",
    "spec.unknown=1",
    "status.phase=Active",
    "involvedObject.name=p",
    "type=Warning",
    "nonsense",
    "",
];

impl Generator {
    pub(super) fn get(&mut self) {
        let name = self.known_name();
        let path = self.kind.object(name);
        let request = match self.random.below(10) {
            0 => Request::get(format!("{path}/status")),
            1 => Request::get(format!("{path}/nothing")),
            2 => Request::get(path).accept(TABLE),
            3 => Request::get(path).accept(METADATA),
            4 => {
                // A read that may be old: the list makes the server's cache new.
                self.refresh();
                Request::get(path).query("resourceVersion", "0")
            }
            5 => {
                self.refresh();
                Request::get(path).query("resourceVersion", &self.kind.known("rv", name, ":first"))
            }
            6 => Request::get(path).accept("application/xml"),
            7 => Request::get(format!("{}/never", self.kind.collection())),
            _ => Request::get(path),
        };
        self.send(request);
    }

    /// A list that shows the newest state, so that the server's cache has it too.
    pub(super) fn refresh(&mut self) {
        let list = self.selected(Request::get(self.kind.collection()));
        self.send(list);
    }

    /// The same in a form from which nobody learns a newer resourceVersion. What is not older than one may be as old
    /// as the server's cache is.
    pub(super) fn freshen(&mut self) {
        let list = self.selected(Request::get(self.kind.collection()));
        self.send(list.accept(TABLE));
    }

    pub(super) fn list(&mut self) {
        let path = if self.random.percent(15) && self.kind.namespaced {
            self.kind.everywhere()
        } else {
            self.kind.collection()
        };
        let everywhere = self.kind.namespaced && path == self.kind.everywhere();
        let mut request = self.selected(Request::get(path));
        if everywhere {
            request = request.query("fieldSelector", "metadata.namespace={ns}");
        } else if self.random.percent(35) {
            let selector = self.random.pick(FIELD_SELECTORS);
            if self.kind.namespaced || selector.starts_with("status") {
                request = request.query("fieldSelector", selector);
            }
        }
        if self.kind.namespaced && self.random.percent(35) {
            request = request.query("labelSelector", self.random.pick(LABEL_SELECTORS));
        }
        request = match self.random.below(14) {
            0 => request.accept(TABLE),
            1 => request.accept(METADATA_LIST),
            2 => request.query("resourceVersion", "{listrv}"),
            3 => request
                .query("resourceVersion", "{listrv}")
                .query("resourceVersionMatch", "Exact"),
            4 => request
                .query("resourceVersion", "{listrv}")
                .query("resourceVersionMatch", "NotOlderThan"),
            5 => request.query("resourceVersion", "0"),
            6 => request.query("resourceVersion", "x"),
            7 => request.query("resourceVersionMatch", "Exact"),
            8 => request
                .query("resourceVersion", "0")
                .query("resourceVersionMatch", "Exact"),
            9 => request
                .query("resourceVersion", "{listrv}")
                .query("resourceVersionMatch", "Vague"),
            10 => request.query("continue", "nonsense"),
            _ => request,
        };
        // Whether there is a next page after one of all namespaces depends on other sequences.
        let paged = self.random.percent(40) && self.kind.namespaced && !everywhere;
        if paged && self.random.percent(60) {
            // Enough for more than one page.
            for name in self.kind.names() {
                let object = self.kind.plain(name);
                self.send(Request::post(self.kind.collection(), object));
            }
        }
        if paged {
            request = request.query(
                "limit",
                self.random.pick(&["1", "2", "2", "500", "0", "-1", "x"]),
            );
        }
        let mut next = request.clone();
        next.query.retain(|(name, _)| name != "continue");
        let next = next.query("continue", "{continue}");
        let may_be_old = request.parameter("resourceVersion").is_some();
        if may_be_old {
            self.freshen();
        }
        self.send(request);
        if paged && self.random.percent(70) {
            if self.random.percent(50) {
                self.create();
            }
            if may_be_old {
                self.freshen();
            }
            self.send(next);
        }
    }

    /// Wrong paths and methods, discovery, and reviews.
    pub(super) fn odd(&mut self) {
        let name = self.name();
        let (kind, object, collection) =
            (self.kind, self.kind.object(name), self.kind.collection());
        let request = match self.random.below(18) {
            0 => Request::get(format!("{}/namespaces/{{ns}}/nothings", kind.root())),
            1 => Request::get("/apis/nothing.example.com/v1/namespaces/{ns}/nothings"),
            2 => Request::get(format!("{}/x", kind.root().replace("v1", "v7"))),
            3 => Request::post(object, kind.plain(name)),
            4 => Request::put(collection, kind.plain(name)),
            5 => Request::merge(collection, serde_json::json!({})),
            6 => Request::delete(format!("{object}/status")),
            7 if kind.api_version.contains('/') => Request::get(kind.root()),
            8 if kind.api_version.contains('/') => {
                let group = kind.root();
                let group = group.rsplit_once('/').map_or("", |(group, _)| group);
                Request::get(group)
            }
            9 => Request::get("/api"),
            10 => review(),
            11 => Request::post(
                format!(
                    "{}/namespaces/no-such-namespace/{}",
                    kind.root(),
                    kind.plural
                ),
                kind.plain(name),
            ),
            12 => Request::get(format!(
                "{}/namespaces/no-such-namespace/{}",
                kind.root(),
                kind.plural
            )),
            13 => Request::post(kind.everywhere(), kind.plain(name)),
            14 => Request::get(format!("{}/{name}", kind.everywhere())),
            15 => Request::put(format!("{object}/nothing"), kind.plain(name)),
            16 => Request::get("/nowhere"),
            _ => Request::merge(
                object,
                serde_json::json!({"metadata": {"labels": {"tier": "side"}}}),
            )
            .content_type(Some(self.random.pick(&[
                "application/json",
                "application/strategic-merge-patch+json",
                "text/plain",
            ]))),
        };
        self.send(request);
    }
}

fn review() -> Request {
    let spec = serde_json::json!({"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "{ns}"}});
    Request::post(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        serde_json::json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec,
        }),
    )
}
