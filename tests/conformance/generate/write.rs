//! Random writes: create, replace, patches, status, delete.

use serde_json::{Value, json};

use super::{Generator, metadata::HOLD};
use crate::{fields, request::Request};

/// The UID of no object.
const STRANGER: &str = "e0000000-0000-4000-8000-000000000000";

impl Generator {
    pub(super) fn create(&mut self) {
        let name = self.name();
        self.made.push(name);
        let mut object = self
            .kind
            .with(name, &fields::fields(self.kind, &mut self.random));
        self.decorate(&mut object);
        // One mistake of this sort at a time: which of two is told is another question.
        if self.random.percent(12) {
            self.spoil(&mut object);
        } else if self.random.percent(5) {
            object = self.kind.plain(name);
            self.misname(&mut object);
        } else if self.random.percent(6) && !self.generated && self.kind.namespaced {
            object["metadata"]["generateName"] = "gen-".into();
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.remove("name");
            }
            self.generated = true;
        }
        let request = Request::post(self.kind.collection(), object);
        let request = self.write_options(request);
        let request = self.garble(request);
        self.send(request);
    }

    pub(super) fn replace(&mut self) {
        let name = self.known_name();
        let mut object = self
            .kind
            .with(name, &fields::fields(self.kind, &mut self.random));
        self.decorate(&mut object);
        let misnamed = self.random.percent(5);
        if misnamed {
            object = self.kind.plain(name);
        }
        self.identify(&mut object, name);
        if misnamed {
            self.misname(&mut object);
        } else if self.random.percent(10) {
            self.spoil(&mut object);
        }
        // A replacement that creates may make an object that is in deletion from the start, and never goes.
        if matches!(self.kind.kind, "Lease" | "Event")
            && let Some(metadata) = object["metadata"].as_object_mut()
        {
            metadata.remove("deletionTimestamp");
        }
        // A dry run of a replacement gives a selfLink back, for no use.
        let linked = object["metadata"].get("selfLink").is_some();
        let mut request = Request::put(self.kind.object(name), object);
        if !linked {
            request = self.write_options(request);
        }
        let request = self.garble(request);
        self.send(request);
    }

    pub(super) fn patch(&mut self) {
        let name = self.known_name();
        let path = self.kind.object(name);
        let request = if self.random.percent(30) {
            Request::json_patch(path, fields::json_patch(self.kind, &mut self.random))
        } else {
            let mut patch = self.metadata_patch(name);
            if self.random.percent(60) {
                let fields = fields::merge_patch(self.kind, &mut self.random);
                if let (Value::Object(patch), Value::Object(fields)) = (&mut patch, fields) {
                    patch.extend(fields);
                }
            }
            Request::merge(path, patch)
        };
        let request = self.write_options(request);
        let request = self.garble(request);
        self.send(request);
    }

    /// What a merge patch says of the metadata.
    fn metadata_patch(&mut self, name: &str) -> Value {
        let metadata = match self.random.below(15) {
            0 => json!({"labels": {"tier": "front"}}),
            1 => json!({"labels": {"tier": null}}),
            2 => json!({"labels": null}),
            3 => json!({"annotations": {"example.com/n": "1"}}),
            4 => json!({"finalizers": [HOLD]}),
            5 | 6 => json!({"finalizers": null}),
            7 => json!({"resourceVersion": self.kind.known("rv", name, "")}),
            8 => {
                json!({"resourceVersion": self.kind.known("rv", name, ":first"), "labels": {"tier": "side"}})
            }
            9 => json!({"uid": self.kind.known("uid", name, ":first")}),
            10 => json!({"name": "other"}),
            11 => json!({"labels": {"tier": "a b"}}),
            12 => json!({"generation": 50, "creationTimestamp": null}),
            13 => json!({"resourceVersion": "1"}),
            _ => return json!({}),
        };
        json!({"metadata": metadata})
    }

    pub(super) fn write_status(&mut self) {
        let name = self.known_name();
        let status = fields::status(self.kind, &mut self.random);
        let path = format!("{}/status", self.kind.object(name));
        let request = if self.random.percent(50) {
            let mut patch = json!({"status": status});
            if self.random.percent(20) {
                patch["metadata"] = json!({"labels": {"tier": "front"}, "finalizers": [HOLD]});
            }
            if self.random.percent(20) {
                patch["metadata"]["resourceVersion"] = self.kind.known("rv", name, ":first").into();
            }
            Request::merge(path, patch)
        } else {
            let mut object = self.kind.plain(name);
            object["status"] = status;
            self.identify(&mut object, name);
            Request::put(path, object)
        };
        let request = self.write_options(request);
        self.send(request);
    }

    pub(super) fn delete(&mut self) {
        let name = self.known_name();
        let mut request = Request::delete(self.kind.object(name));
        let wait = self.kind.kind == "Namespace";
        request = match self.random.below(15) {
            0 => request.query("dryRun", "All"),
            1 => request.query("propagationPolicy", "Background"),
            2 => request.query("propagationPolicy", "Sideways"),
            3 => request.query("gracePeriodSeconds", "0"),
            4 => self.delete_body(
                request,
                json!({"preconditions": {"uid": self.kind.known("uid", name, "")}}),
            ),
            5 => {
                let uid = if self.random.percent(50) {
                    self.kind.known("uid", name, ":first")
                } else {
                    STRANGER.to_owned()
                };
                self.delete_body(request, json!({"preconditions": {"uid": uid}}))
            }
            6 => {
                let version = self.kind.known("rv", name, "");
                self.delete_body(
                    request,
                    json!({"preconditions": {"resourceVersion": version}}),
                )
            }
            7 => {
                let version = self.kind.known("rv", name, ":first");
                self.delete_body(
                    request,
                    json!({"preconditions": {"resourceVersion": version}}),
                )
            }
            8 => self.delete_body(request, json!({"propagationPolicy": "Background"})),
            9 => self.delete_body(request, json!({"dryRun": ["All"]})),
            10 => self.delete_body(request, json!({"propagationPolicy": "Sideways"})),
            11 => request.content_type(Some("application/json")).text("{"),
            _ => request,
        };
        self.send(request);
        if wait {
            let settling = self.settling();
            self.steps.push(settling);
        } else {
            // A patch begins with what the server's cache has, and could warn of what is gone.
            self.freshen();
        }
    }

    fn delete_body(&self, request: Request, options: Value) -> Request {
        let mut body = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
        if let (Value::Object(body), Value::Object(options)) = (&mut body, options) {
            body.extend(options);
        }
        request.body(body, "application/json")
    }

    pub(super) fn delete_collection(&mut self) {
        let request = Request::delete(self.kind.collection());
        let request = if self.kind.namespaced {
            match self.random.below(5) {
                0 => request.query("labelSelector", "tier=front"),
                1 => request.query("fieldSelector", "metadata.name=a"),
                2 => request.query("dryRun", "All"),
                3 => request.query("limit", "1"),
                _ => request,
            }
        } else {
            // Namespaces cannot be deleted so.
            self.selected(request)
        };
        self.send(request);
    }

    /// The resourceVersion and the UID that a replacement gives.
    fn identify(&mut self, object: &mut Value, name: &str) {
        let metadata = &mut object["metadata"];
        match self.random.below(12) {
            0 => {}
            1 => metadata["resourceVersion"] = "".into(),
            2 => metadata["resourceVersion"] = "0".into(),
            3 => metadata["resourceVersion"] = "x1".into(),
            4 | 5 => metadata["resourceVersion"] = self.kind.known("rv", name, ":first").into(),
            _ => metadata["resourceVersion"] = self.kind.known("rv", name, "").into(),
        }
        match self.random.below(8) {
            0 => metadata["uid"] = self.kind.known("uid", name, "").into(),
            1 => metadata["uid"] = self.kind.known("uid", name, ":first").into(),
            2 if self.random.percent(50) => {
                metadata["uid"] = STRANGER.into();
            }
            _ => {}
        }
    }

    /// Now and then, another kind or version than the path's.
    fn misname(&mut self, object: &mut Value) {
        match self.random.below(5) {
            0 => object["kind"] = "Other".into(),
            1 => object["kind"] = "".into(),
            2 => object["apiVersion"] = "example.com/v9".into(),
            3 => object["apiVersion"] = "".into(),
            _ => {
                if let Some(object) = object.as_object_mut() {
                    object.remove("kind");
                    object.remove("apiVersion");
                }
            }
        }
    }

    fn write_options(&mut self, mut request: Request) -> Request {
        if self.random.percent(8) {
            request = request.query("dryRun", "All");
        } else if self.random.percent(2) {
            request = request.query("dryRun", "Some");
        }
        if self.random.percent(25) {
            let validation = self
                .random
                .pick(&["Strict", "Strict", "Warn", "Ignore", "Loud"]);
            request = request.query("fieldValidation", validation);
        }
        if self.random.percent(10) {
            request = request.query("fieldManager", "tests");
        }
        request
    }

    /// Now and then, a body that cannot be read.
    fn garble(&mut self, request: Request) -> Request {
        if !self.random.percent(5) {
            return request;
        }
        match self.random.below(7) {
            0 => request.text("{\"kind\": "),
            1 => request.text(""),
            2 => request.text("[]"),
            3 => request.text("null"),
            4 => request.content_type(Some("text/plain")),
            5 => request.content_type(Some("application/xml")),
            _ => request.content_type(None),
        }
    }
}
