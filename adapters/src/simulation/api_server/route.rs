//! Finds out what a request is about and has it done.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::Value;

use super::{
    check,
    decode::{decode, undecodable},
    delete::{self, DeleteOptions, Deleted},
    discovery,
    endpoint::{Endpoint, FieldValidation, WriteOptions, Written},
    event, list,
    object::{ObjectKey, StoredObject},
    options,
    patch::{Patch, PatchType},
    path::{Query, ResourcePath, Target},
    render::Renderer,
    review,
    selector::Selector,
    server::{Context, Shared},
    service::{Incoming, Reply},
    status::{ApiError, Cause, add_warnings},
    store::{Resource, Store},
    watch::Watch,
    write,
};

/// The reply, and the name of an object where only serving the request could tell it.
type Served = Result<(Reply, Option<String>), ApiError>;

/// Serves a request.
pub(crate) fn serve(shared: &Arc<Shared>, incoming: &Incoming) -> (Reply, Option<String>) {
    let served = match &incoming.target {
        Target::NonResource => discovery::answer(&shared.store(), &incoming.path)
            .map(|response| (Reply::Response(response), None)),
        Target::Resource(path) => resource(shared, incoming, path),
    };
    served.unwrap_or_else(|error| (Reply::Response(error.response()), None))
}

/// A request about objects, while it is served.
struct Call<'a> {
    shared: &'a Arc<Shared>,
    store: &'a mut Store,
    context: Context,
    incoming: &'a Incoming,
    endpoint: Endpoint,
    renderer: Renderer,
    namespace: Option<&'a str>,
    options: WriteOptions,
}

fn resource(shared: &Arc<Shared>, incoming: &Incoming, path: &ResourcePath) -> Served {
    if incoming.method == Method::POST
        && let Some(answer) = review::answer(&path.group, &path.resource, &incoming.info.body)
    {
        return Ok((
            reply(StatusCode::CREATED, answer.to_string().into(), &[]),
            None,
        ));
    }
    let mut store = shared.store_for(&incoming.info.user_agent, incoming.info.received);
    let endpoint = find(&store, path)?;
    let status_only = match path.subresource.as_deref() {
        None => false,
        Some("status") if endpoint.version().status => true,
        Some(_) if endpoint.definition.rules.custom => {
            return Err(ApiError::not_found(
                &endpoint.definition,
                path.name.as_deref().unwrap_or_default(),
            ));
        }
        Some(_) => return Err(ApiError::no_such_resource()),
    };
    options::check_accept(&endpoint.definition, &incoming.accept)?;
    let call = Call {
        renderer: Renderer::new(
            &endpoint,
            &incoming.accept,
            incoming.query.text("includeObject"),
            shared.now(),
        ),
        options: WriteOptions {
            status_only,
            ..WriteOptions::parse(&incoming.query)
        },
        context: shared.context(),
        namespace: path.namespace.as_deref(),
        store: &mut store,
        shared,
        incoming,
        endpoint,
    };
    match &path.name {
        None => call.on_collection(),
        Some(name) => call.on_object(name),
    }
}

/// The resource in the version that the path names.
fn find(store: &Store, path: &ResourcePath) -> Result<Endpoint, ApiError> {
    let newer_events = path.group == event::GROUP && path.resource == "events";
    let group = if newer_events { "" } else { &path.group };
    let resource = store.resource(group, &path.resource).ok_or_else(|| {
        let built_in = |resource: &Resource| {
            resource.definition.group == path.group && !resource.definition.rules.custom
        };
        if store.resources.values().any(built_in) {
            ApiError::no_such_resource()
        } else {
            ApiError::page_not_found()
        }
    })?;
    let definition = Arc::clone(&resource.definition);
    let version = definition
        .versions
        .iter()
        .position(|version| version.name == path.version)
        .ok_or_else(ApiError::page_not_found)?;
    let misplaced = if definition.namespaced {
        path.namespace.is_none() && path.name.is_some()
    } else {
        path.namespace.is_some()
    };
    if misplaced && !definition.rules.custom {
        Err(ApiError::no_such_resource())
    } else if misplaced {
        Err(ApiError::page_not_found())
    } else {
        Ok(Endpoint {
            definition,
            version,
            newer_events,
        })
    }
}

impl Call<'_> {
    fn on_collection(mut self) -> Served {
        let in_its_place = self.endpoint.definition.namespaced == self.namespace.is_some();
        match self.incoming.method {
            Method::GET | Method::HEAD if self.incoming.query.flag("watch") => {
                options::check_list(&self.incoming.query, true)?;
                let selector = self.selector()?;
                let Self {
                    shared,
                    store,
                    endpoint,
                    renderer,
                    incoming,
                    ..
                } = self;
                let watch =
                    Watch::open(shared, store, endpoint, selector, renderer, &incoming.query)?;
                Ok((Reply::Watch(Box::new(watch)), None))
            }
            Method::GET | Method::HEAD => {
                let page = self.page()?;
                Ok((reply(StatusCode::OK, self.renderer.page(&page), &[]), None))
            }
            Method::POST if in_its_place => {
                self.check_content_type()?;
                options::check_write(&self.incoming.query, "CreateOptions")?;
                let value = self.read_object()?;
                let written = self.create(value)?;
                let name = written.object.key().name;
                Ok((self.reply_written(&written), Some(name)))
            }
            Method::DELETE if in_its_place && !self.endpoint.definition.is_namespace() => {
                let page = self.page()?;
                let options = DeleteOptions::parse(&self.incoming.query, &self.incoming.info.body)?;
                let definition = &self.endpoint.definition;
                for object in &page.objects {
                    delete::delete(
                        self.store,
                        &self.context,
                        definition,
                        &object.key(),
                        &options,
                    )?;
                }
                Ok((reply(StatusCode::OK, self.renderer.page(&page), &[]), None))
            }
            _ if !self.endpoint.definition.rules.custom => Err(ApiError::method_not_allowed()),
            Method::POST | Method::DELETE => Err(ApiError::page_not_found()),
            Method::PUT | Method::PATCH => Err(ApiError::bad_request("name must be provided")),
            _ => Err(ApiError::method_not_allowed()),
        }
    }

    fn on_object(mut self, name: &str) -> Served {
        let definition = Arc::clone(&self.endpoint.definition);
        let key = ObjectKey {
            namespace: self.namespace.unwrap_or_default().to_owned(),
            name: name.to_owned(),
        };
        let current = self.store.get(&definition, &key).cloned();
        let missing = || ApiError::not_found(&definition, name);
        match self.incoming.method {
            Method::GET | Method::HEAD => {
                let object = current.ok_or_else(missing)?;
                Ok((
                    reply(StatusCode::OK, self.renderer.bytes(&object), &[]),
                    None,
                ))
            }
            Method::POST if !self.options.status_only && definition.rules.custom => {
                let value = self.read_object()?;
                let written = self.create(value)?;
                Ok((self.reply_written(&written), None))
            }
            Method::PUT => {
                options::check_write(&self.incoming.query, "UpdateOptions")?;
                let mut value = self.read_object()?;
                let written = match current {
                    Some(old) => self.update(&old, value)?,
                    None if definition.rules.create_on_update && !self.options.status_only => {
                        if self.endpoint.newer_events {
                            event::to_core(&mut value);
                        }
                        write::create_by_update(
                            self.store,
                            &self.context,
                            &self.endpoint.as_kept(),
                            &key,
                            value,
                            self.options,
                        )?
                    }
                    None => {
                        // What is wrong with the body comes first.
                        let warnings = decode(
                            &self.endpoint,
                            self.namespace,
                            Some(name),
                            &mut value,
                            self.options,
                        )?;
                        return Err(missing().warning(&warnings));
                    }
                };
                Ok((self.reply_written(&written), None))
            }
            Method::PATCH => {
                let type_ =
                    PatchType::parse(&self.incoming.content_type, &self.endpoint.definition)?;
                options::check_write(&self.incoming.query, "PatchOptions")?;
                if current.is_none() && type_ != PatchType::Apply {
                    return Err(missing());
                }
                let written = match (current, self.read_patch(type_)?) {
                    (Some(old), patch) => {
                        self.options.patched = true;
                        let value = patch.apply(self.as_seen(&old))?;
                        self.update(&old, value)?
                    }
                    (None, Patch::Apply(mut configuration)) if !self.options.status_only => {
                        configuration["metadata"]["name"] = name.into();
                        self.create(configuration)?
                    }
                    (None, _) => return Err(missing()),
                };
                Ok((self.reply_written(&written), None))
            }
            Method::DELETE if !self.options.status_only => {
                let options = DeleteOptions::parse(&self.incoming.query, &self.incoming.info.body)?;
                let bytes =
                    match delete::delete(self.store, &self.context, &definition, &key, &options)? {
                        Deleted::Gone(object) => {
                            delete::success(&definition, &object).to_string().into()
                        }
                        Deleted::Pending(object) => self.renderer.bytes(&object),
                    };
                Ok((reply(StatusCode::OK, bytes, &[]), None))
            }
            Method::DELETE if definition.rules.custom => {
                Err(ApiError::method_not_supported(&definition, "delete"))
            }
            _ => Err(ApiError::method_not_allowed()),
        }
    }

    fn create(&mut self, mut value: Value) -> Result<Written, ApiError> {
        if self.endpoint.newer_events {
            event::to_core(&mut value);
        }
        write::create(
            self.store,
            &self.context,
            &self.endpoint.as_kept(),
            self.namespace,
            value,
            self.options,
        )
    }

    fn update(&mut self, old: &Arc<StoredObject>, mut value: Value) -> Result<Written, ApiError> {
        if self.endpoint.newer_events {
            event::to_core(&mut value);
        }
        write::update(
            self.store,
            &self.context,
            &self.endpoint.as_kept(),
            old,
            value,
            self.options,
        )
    }

    /// The object as a client of this version sees it.
    fn as_seen(&self, object: &StoredObject) -> Value {
        let mut value = (*object.value).clone();
        if self.endpoint.newer_events {
            event::from_core(&mut value);
        } else {
            value["apiVersion"] = self.endpoint.api_version().into();
        }
        value
    }

    fn selector(&self) -> Result<Selector, ApiError> {
        let query = &self.incoming.query;
        let fields = query.text("fieldSelector").unwrap_or_default();
        let fields = if self.endpoint.newer_events {
            event::core_selector(fields)
        } else {
            fields.to_owned()
        };
        Selector::parse(
            query.text("labelSelector").unwrap_or_default(),
            &fields,
            &self.endpoint.definition,
            self.endpoint.version(),
            self.namespace,
        )
    }

    fn page(&self) -> Result<list::Page, ApiError> {
        options::check_list(&self.incoming.query, false)?;
        let definition = &self.endpoint.definition;
        let resource = self
            .store
            .resource(&definition.group, &definition.plural)
            .ok_or_else(ApiError::page_not_found)?;
        list::list(
            self.store,
            resource,
            &self.selector()?,
            &self.incoming.query,
        )
    }

    fn content_type(&self) -> &str {
        let content_type = self.incoming.content_type.split(';').next();
        content_type.unwrap_or_default().trim()
    }

    fn check_content_type(&self) -> Result<(), ApiError> {
        match self.content_type() {
            "" | "application/json" | "application/yaml" => Ok(()),
            _ => Err(ApiError::unsupported_media_type(
                "application/json, application/yaml, application/vnd.kubernetes.protobuf",
            )),
        }
    }

    fn read_object(&self) -> Result<Value, ApiError> {
        let body = &self.incoming.info.body;
        let unreadable = |error: &dyn std::fmt::Display| {
            let why = format!("couldn't get version/kind; json parse error: {error}");
            check::unrecognized(&self.endpoint, body, &why)
        };
        self.check_content_type()?;
        let value: Value = if self.content_type() == "application/yaml" {
            let text = std::str::from_utf8(body).map_err(|error| unreadable(&error))?;
            serde_saphyr::from_str(text).map_err(|error| unreadable(&error))
        } else {
            serde_json::from_slice(body).map_err(|error| unreadable(&error))
        }?;
        let definition = &self.endpoint.definition;
        if !definition.rules.custom && (value.is_object() || value.is_null()) {
            return Ok(check::typed(
                definition,
                &self.endpoint.api_version(),
                value,
            ));
        }
        if !value.is_object() && !value.is_null() {
            return Err(unreadable(&"not an object"));
        }
        if value["kind"].as_str().is_none_or(str::is_empty) {
            let text = String::from_utf8_lossy(body);
            let why = format!("Object 'Kind' is missing in '{text}'");
            if self.options.field_validation == FieldValidation::Ignore {
                return Err(undecodable(&self.endpoint, &value, self.options, &why));
            }
            return Err(check::unrecognized(&self.endpoint, body, &why));
        }
        Ok(value)
    }

    fn read_patch(&self, type_: PatchType) -> Result<Patch, ApiError> {
        if type_ == PatchType::Apply {
            check_apply(&self.incoming.query)?;
        }
        let body = &self.incoming.info.body;
        let unread = Patch::parse(type_, body);
        if unread.is_err()
            && type_ == PatchType::Merge
            && self.options.field_validation == FieldValidation::Ignore
            && let Ok(list @ Value::Array(_)) = serde_json::from_slice::<Value>(body)
        {
            // Where unknown fields do not matter, a real server looks at what the patch makes of the object.
            let options = WriteOptions {
                patched: true,
                ..self.options
            };
            let why = "couldn't get version/kind; json parse error: not an object";
            return Err(undecodable(&self.endpoint, &list, options, why));
        }
        unread
    }

    fn reply_written(&self, written: &Written) -> Reply {
        let code = if written.created {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        reply(
            code,
            self.renderer.bytes(&written.object),
            &written.warnings,
        )
    }
}

fn check_apply(query: &Query) -> Result<(), ApiError> {
    if query.text("fieldManager").is_some() {
        return Ok(());
    }
    let cause = Cause::required("fieldManager", "is required for apply patch");
    Err(ApiError::invalid_kind(
        "meta.k8s.io",
        "PatchOptions",
        "",
        &[cause],
    ))
}

fn reply(code: StatusCode, body: Bytes, warnings: &[String]) -> Reply {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    add_warnings(headers, warnings);
    Reply::Response(response)
}
