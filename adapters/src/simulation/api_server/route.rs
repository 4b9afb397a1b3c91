//! Finds out what a request is about and has it done.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::Value;

use super::{
    delete::{self, DeleteOptions, Deleted},
    list,
    object::{ObjectKey, StoredObject},
    patch::{Patch, PatchType},
    path::{ResourcePath, Target},
    render::{Form, Renderer},
    selector::Selector,
    server::Shared,
    service::{Incoming, Reply},
    status::ApiError,
    store::Store,
    watch::Watch,
    write::{self, Endpoint, WriteOptions, Written},
};

/// Serves a request. Returns also the name of the object, where only serving it could tell.
pub(crate) fn serve(shared: &Arc<Shared>, incoming: &Incoming) -> (Reply, Option<String>) {
    let served = match &incoming.target {
        Target::NonResource => Err(ApiError::page_not_found()),
        Target::Resource(path) => resource(shared, incoming, path),
    };
    served.unwrap_or_else(|error| (Reply::Response(error.response()), None))
}

type Served = Result<(Reply, Option<String>), ApiError>;

fn resource(shared: &Arc<Shared>, incoming: &Incoming, path: &ResourcePath) -> Served {
    let context = shared.context();
    let mut store = shared.store();
    let endpoint = find(&store, path)?;
    let definition = Arc::clone(&endpoint.definition);
    let status_only = match path.subresource.as_deref() {
        None => false,
        Some("status") if endpoint.version().status => true,
        Some(_) => return Err(ApiError::page_not_found()),
    };
    let form = Form::of_accept(&incoming.accept);
    let renderer = Renderer::new(&endpoint, form);
    let namespace = path.namespace.as_deref();
    let body = &incoming.info.body;
    let options = WriteOptions::parse(&incoming.query);
    let Some(name) = path.name.as_deref() else {
        return match incoming.method {
            Method::GET | Method::HEAD => {
                let selector = Selector::parse(
                    &incoming.query,
                    &definition,
                    endpoint.version(),
                    namespace,
                    None,
                )?;
                if incoming.query.flag("watch") {
                    return open_watch(shared, &mut store, endpoint, selector, renderer, incoming);
                }
                list_objects(&store, &endpoint, &selector, &renderer, incoming)
            }
            Method::POST if definition.namespaced == namespace.is_some() => {
                let value = read_object(body, &incoming.content_type)?;
                let written =
                    write::create(&mut store, &context, &endpoint, namespace, value, options)?;
                let name = written.object.key().name;
                Ok((reply_written(&written, &renderer), Some(name)))
            }
            Method::DELETE if definition.namespaced == namespace.is_some() => {
                let selector = Selector::parse(
                    &incoming.query,
                    &definition,
                    endpoint.version(),
                    namespace,
                    None,
                )?;
                let page = list_page(&store, &endpoint, &selector, incoming)?;
                let delete_options = DeleteOptions::parse(&incoming.query, body)?;
                for object in &page.objects {
                    delete::delete(
                        &mut store,
                        &context,
                        &definition,
                        &object.key(),
                        &delete_options,
                    )?;
                }
                Ok((reply_page(&page, &endpoint, &renderer), None))
            }
            _ => Err(ApiError::method_not_allowed()),
        };
    };
    let key = ObjectKey {
        namespace: namespace.unwrap_or_default().to_owned(),
        name: name.to_owned(),
    };
    let current = store.get(&definition, &key).cloned();
    let missing = || ApiError::not_found(&definition, name);
    match incoming.method {
        Method::GET | Method::HEAD if incoming.query.flag("watch") => {
            let selector = Selector::parse(
                &incoming.query,
                &definition,
                endpoint.version(),
                namespace,
                Some(name),
            )?;
            open_watch(shared, &mut store, endpoint, selector, renderer, incoming)
        }
        Method::GET | Method::HEAD => {
            let object = current.ok_or_else(missing)?;
            Ok((reply(StatusCode::OK, renderer.bytes(&object), &[]), None))
        }
        Method::PUT => {
            let value = read_object(body, &incoming.content_type)?;
            let written = match current {
                Some(old) => write::update(
                    &mut store,
                    &context,
                    &endpoint,
                    &old,
                    value,
                    status_only,
                    options,
                )?,
                None if definition.rules.create_on_update && !status_only => {
                    write::create(&mut store, &context, &endpoint, namespace, value, options)?
                }
                None => return Err(missing()),
            };
            Ok((reply_written(&written, &renderer), None))
        }
        Method::PATCH => {
            let type_ = PatchType::parse(&incoming.content_type, &definition)?;
            let patch = Patch::parse(type_, body)?;
            let written = match (current, patch) {
                (Some(old), patch) => {
                    let value = patch.apply(&in_version(&old, &endpoint))?;
                    write::update(
                        &mut store,
                        &context,
                        &endpoint,
                        &old,
                        value,
                        status_only,
                        options,
                    )?
                }
                (None, Patch::Apply(mut configuration)) if !status_only => {
                    configuration["metadata"]["name"] = name.into();
                    write::create(
                        &mut store,
                        &context,
                        &endpoint,
                        namespace,
                        configuration,
                        options,
                    )?
                }
                (None, _) => return Err(missing()),
            };
            Ok((reply_written(&written, &renderer), None))
        }
        Method::DELETE if !status_only => {
            let delete_options = DeleteOptions::parse(&incoming.query, body)?;
            let bytes =
                match delete::delete(&mut store, &context, &definition, &key, &delete_options)? {
                    Deleted::Gone(object) => {
                        Bytes::from(delete::success(&definition, &object).to_string())
                    }
                    Deleted::Pending(object) => renderer.bytes(&object),
                };
            Ok((reply(StatusCode::OK, bytes, &[]), None))
        }
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// The resource in the version that the path names.
fn find(store: &Store, path: &ResourcePath) -> Result<Endpoint, ApiError> {
    let resource = store
        .resource(&path.group, &path.resource)
        .ok_or_else(ApiError::page_not_found)?;
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
    if misplaced {
        Err(ApiError::page_not_found())
    } else {
        Ok(Endpoint {
            definition,
            version,
        })
    }
}

fn read_object(body: &[u8], content_type: &str) -> Result<Value, ApiError> {
    if content_type.contains("protobuf") {
        return Err(ApiError::unsupported_media_type(
            "application/json, application/yaml",
        ));
    }
    if content_type.contains("yaml") {
        return std::str::from_utf8(body)
            .ok()
            .and_then(|text| serde_saphyr::from_str(text).ok())
            .ok_or_else(|| ApiError::bad_request("error parsing YAML"));
    }
    serde_json::from_slice(body).map_err(|error| {
        ApiError::bad_request(format!("the object provided is unrecognized: {error}"))
    })
}

/// The object as a client of this version sees it.
fn in_version(object: &StoredObject, endpoint: &Endpoint) -> Value {
    let mut value = object.value.clone();
    value["apiVersion"] = endpoint.api_version().into();
    value
}

fn open_watch(
    shared: &Arc<Shared>,
    store: &mut Store,
    endpoint: Endpoint,
    selector: Selector,
    renderer: Renderer,
    incoming: &Incoming,
) -> Served {
    let watch = Watch::open(shared, store, endpoint, selector, renderer, &incoming.query)?;
    Ok((Reply::Watch(Box::new(watch)), None))
}

fn list_page(
    store: &Store,
    endpoint: &Endpoint,
    selector: &Selector,
    incoming: &Incoming,
) -> Result<list::Page, ApiError> {
    let definition = &endpoint.definition;
    let resource = store
        .resource(&definition.group, &definition.plural)
        .ok_or_else(ApiError::page_not_found)?;
    list::list(store, resource, selector, &incoming.query)
}

fn list_objects(
    store: &Store,
    endpoint: &Endpoint,
    selector: &Selector,
    renderer: &Renderer,
    incoming: &Incoming,
) -> Served {
    let page = list_page(store, endpoint, selector, incoming)?;
    Ok((reply_page(&page, endpoint, renderer), None))
}

fn reply_page(page: &list::Page, endpoint: &Endpoint, renderer: &Renderer) -> Reply {
    let items = page.objects.iter().map(|object| renderer.bytes(object));
    let body = match renderer.form() {
        Form::Metadata => page.body("PartialObjectMetadataList", "meta.k8s.io/v1", items),
        Form::Whole | Form::Table => page.body(
            &endpoint.definition.list_kind,
            &endpoint.api_version(),
            items,
        ),
    };
    reply(StatusCode::OK, body, &[])
}

fn reply_written(written: &Written, renderer: &Renderer) -> Reply {
    let code = if written.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    reply(code, renderer.bytes(&written.object), &written.warnings)
}

fn reply(code: StatusCode, body: Bytes, warnings: &[String]) -> Reply {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    for warning in warnings {
        let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            headers.append(header::WARNING, value);
        }
    }
    Reply::Response(response)
}
