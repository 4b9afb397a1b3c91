//! Random watches. Each ends with an object that it is sure to see.

use serde_json::{Value, json};

use super::Generator;
use crate::request::{Request, Step};

impl Generator {
    /// The watch of everything from the last list on.
    pub(super) fn watch_from_list(&mut self) {
        let request = self
            .watching(self.kind.collection())
            .query("resourceVersion", "{listrv}");
        self.open(request, &json!({}), &json!({}));
    }

    fn watching(&self, path: String) -> Request {
        let request = Request::get(path).query("watch", "1");
        self.selected(request)
    }

    pub(super) fn watch(&mut self) {
        let request = self.watching(self.kind.collection());
        let from_list = request.clone().query("resourceVersion", "{listrv}");
        let (none, green) = (json!({}), json!({"spec": {"colour": "green"}}));
        let namespaced = self.kind.namespaced;
        let widget = self.kind.kind == "Widget";
        match self.random.below(18) {
            0 | 1 => {
                self.refresh();
                self.open(request.query("resourceVersion", "0"), &none, &none);
            }
            2 => {
                self.refresh();
                self.open(request, &none, &none);
            }
            3 | 4 if namespaced => {
                let labels = json!({"tier": "front"});
                let selector =
                    self.random
                        .pick(&["tier=front", "tier in (front,side)", "tier", "tier!=back"]);
                self.open(from_list.query("labelSelector", selector), &labels, &none);
            }
            5 if namespaced => {
                self.open(
                    from_list.query("labelSelector", "tier notin (front)"),
                    &none,
                    &none,
                );
            }
            6 | 7 if namespaced => self.watch_one_name(from_list),
            8 | 9 if widget => {
                let selector = self.random.pick(&["spec.colour=green", "spec.colour!=red"]);
                self.open(from_list.query("fieldSelector", selector), &none, &green);
            }
            10 | 11 => {
                self.refresh();
                let request = request
                    .query("sendInitialEvents", "true")
                    .query("resourceVersionMatch", "NotOlderThan")
                    .query("allowWatchBookmarks", "true");
                self.open(request, &none, &none);
            }
            12 => self.open(from_list.query("allowWatchBookmarks", "true"), &none, &none),
            13 if namespaced => {
                let request = self
                    .watching(self.kind.everywhere())
                    .query("fieldSelector", "metadata.namespace={ns}")
                    .query("resourceVersion", "{listrv}");
                self.open(request, &none, &none);
            }
            14 => self.open(
                from_list.accept("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"),
                &none,
                &none,
            ),
            15 => self.open(
                from_list.accept("application/json;as=Table;v=v1;g=meta.k8s.io"),
                &none,
                &none,
            ),
            _ => self.refused_watch(request),
        }
    }

    /// A watch that the server must not open.
    fn refused_watch(&mut self, request: Request) {
        let request = match self.random.below(6) {
            0 => request.query("resourceVersion", "x"),
            1 => request.query("fieldSelector", "spec.unknown=1"),
            2 => request.query("resourceVersionMatch", "NotOlderThan"),
            3 => request.query("sendInitialEvents", "true"),
            4 => request
                .query("sendInitialEvents", "true")
                .query("resourceVersionMatch", "Exact"),
            5 if self.kind.namespaced => request.query("labelSelector", "tier in front"),
            // A second selector would not be looked at.
            _ => request.query("resourceVersion", "-1"),
        };
        self.send(request);
    }

    /// A watch of one object by its name, which in the end is made anew.
    fn watch_one_name(&mut self, request: Request) {
        let object = self.kind.object("a");
        let request = request.query("fieldSelector", "metadata.name=a");
        let closing = vec![
            Request::merge(&*object, json!({"metadata": {"finalizers": null}})),
            Request::delete(&*object),
        ];
        self.open_with(request, closing, "a", &json!({}), &json!({}));
    }

    fn open(&mut self, request: Request, labels: &Value, fields: &Value) {
        let name = format!("zz-{}", self.watches);
        let name = if self.kind.namespaced {
            name
        } else {
            format!("{{ns}}-{name}")
        };
        self.open_with(request, Vec::new(), &name, labels, fields);
    }

    fn open_with(
        &mut self,
        request: Request,
        mut closing: Vec<Request>,
        name: &str,
        labels: &Value,
        fields: &Value,
    ) {
        let mark = format!("mark-{}", self.watches);
        self.watches += 1;
        let mut object = self.kind.plain(name);
        if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
            object.extend(fields.clone());
        }
        for (key, value) in labels.as_object().into_iter().flatten() {
            object["metadata"]["labels"][key] = value.clone();
        }
        object["metadata"]["labels"]["mark"] = mark.as_str().into();
        closing.push(Request::post(self.kind.collection(), object));
        self.steps.push(Step::Watch {
            request,
            closing,
            mark,
        });
    }
}
