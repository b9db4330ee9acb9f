//! Responses, written as JSON.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, WARNING};
use http::{HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};
use serde_json::{Map, Value, json};

use crate::backend::{Body, whole};
use crate::resource::{Kind, Resource};
use crate::store::Object;
use crate::table;

use super::negotiate::Form;

/// Any JSON.
pub fn json(code: StatusCode, value: &impl Serialize) -> Response<Body> {
    // These values have string keys, and writing to memory cannot fail.
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(whole(bytes));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// Aggregated discovery, under its own content type.
pub fn discovery(document: &Value) -> Response<Body> {
    let mut response = json(StatusCode::OK, document);
    let form = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(form));
    response.headers_mut().insert(http::header::VARY, HeaderValue::from_static("Accept"));
    response
}

/// Adds the warnings for the client.
pub fn warn(response: &mut Response<Body>, warnings: &[String]) {
    for warning in warnings {
        let text: String = warning.chars().filter(|c| !c.is_control()).collect();
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{text}\"").as_bytes()) {
            response.headers_mut().append::<HeaderName>(WARNING, value);
        }
    }
}

/// How tables show their objects (the query's `includeObject`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// With each object's metadata.
    Metadata,
    /// Only the cells.
    Bare,
    /// With each whole object.
    Whole,
}

impl Rows {
    /// What the query asks for.
    pub fn of(include: Option<&str>) -> Self {
        match include {
            Some("None") => Self::Bare,
            Some("Object") => Self::Whole,
            _ => Self::Metadata,
        }
    }
}

/// One object in the requested format.
pub fn object(form: Form, resource: &Resource, object: &Value, rows: Rows, now: Timestamp) -> Value {
    match form {
        Form::Table => table(
            resource.kind,
            std::iter::once(object),
            &json!({"resourceVersion": object["metadata"]["resourceVersion"]}),
            rows,
            true,
            now,
        ),
        Form::Metadata => partial(object),
        _ => object.clone(),
    }
}

/// A table of objects.
pub fn table<'a>(
    kind: Kind,
    objects: impl Iterator<Item = &'a Value>,
    metadata: &Value,
    rows: Rows,
    headed: bool,
    now: Timestamp,
) -> Value {
    let lines = objects.map(|object| {
        let mut line = json!({"cells": table::cells(kind, object, now)});
        match rows {
            Rows::Metadata => line["object"] = partial(object),
            Rows::Whole => line["object"] = object.clone(),
            Rows::Bare => {}
        }
        line
    });
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": if headed { table::definitions(kind) } else { Value::Null },
        "rows": lines.collect::<Vec<_>>(),
    })
}

/// Only the metadata of an object.
pub fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// A list of whole objects, written without copying them.
pub struct List<'a> {
    /// The kind of the objects.
    pub resource: &'a Resource,
    /// The list's own metadata.
    pub metadata: Map<String, Value>,
    /// The objects.
    pub items: &'a [Object],
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("kind", &format!("{}List", self.resource.name))?;
        map.serialize_entry("apiVersion", &self.resource.api_version())?;
        map.serialize_entry("metadata", &self.metadata)?;
        map.serialize_entry("items", &Items(self.items))?;
        map.end()
    }
}

struct Items<'a>(&'a [Object]);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for object in self.0 {
            list.serialize_element(&Item(object))?;
        }
        list.end()
    }
}

/// An object in a list, which names the kind once for all its objects.
struct Item<'a>(&'a Value);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.0.as_object().into_iter().flatten() {
            if key != "kind" && key != "apiVersion" {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}
