//! Errors as the API server words them: a `Status` with code, reason, message and details
//! (k8s.io/apimachinery pkg/api/errors). kubectl prints the message, programs read the rest.

use std::fmt;

use http::StatusCode;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use serde_json::{Map, Value, json};

use crate::backend::{Body, whole};

/// The response to a failed request.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The HTTP code.
    pub code: u16,
    /// The machine-readable reason, e.g. `NotFound`.
    pub reason: &'static str,
    /// The human-readable message.
    pub message: String,
    /// The object and the causes.
    pub details: Option<Value>,
    /// For paged lists: where to continue.
    pub next: Option<String>,
    /// Seconds after which the client may try again.
    pub retry_after: Option<u32>,
}

/// What is wrong with one field (`field.Error`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The path, e.g. `subjects[0].name`.
    pub field: String,
    /// `FieldValueRequired`, `FieldValueInvalid`, `FieldValueForbidden`, `FieldValueNotSupported` ...
    pub reason: &'static str,
    /// The text without the path, e.g. `Required value`.
    pub body: String,
}

impl FieldError {
    /// Something is missing.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        Self::new(field, "FieldValueRequired", with_detail("Required value", detail))
    }

    /// A value that is not allowed. `value` is shown as Go's `%#v` shows it: strings in quotes.
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self::new(
            field,
            "FieldValueInvalid",
            with_detail(&format!("Invalid value: {}", shown(value)), detail),
        )
    }

    /// A field that may not be set.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self::new(field, "FieldValueForbidden", with_detail("Forbidden", detail))
    }

    /// A value that is not among those known.
    pub fn not_supported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Self {
        let values: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
        let detail = match &values[..] {
            [] => String::new(),
            values => format!("supported values: {}", values.join(", ")),
        };
        Self::new(
            field,
            "FieldValueNotSupported",
            with_detail(&format!("Unsupported value: {}", shown(value)), &detail),
        )
    }

    /// Something is longer than it may be.
    pub fn too_long(field: impl Into<String>, longest: usize) -> Self {
        let body = format!("Too long: may not be more than {longest} bytes");
        Self::new(field, "FieldValueTooLong", body)
    }

    /// A duplicate value.
    pub fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self::new(field, "FieldValueDuplicate", format!("Duplicate value: {}", shown(value)))
    }

    fn new(field: impl Into<String>, reason: &'static str, body: String) -> Self {
        Self { field: field.into(), reason, body }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body)
    }
}

fn with_detail(what: &str, detail: &str) -> String {
    if detail.is_empty() { what.to_owned() } else { format!("{what}: {detail}") }
}

/// A value as a field error shows it.
fn shown(value: &Value) -> String {
    value.to_string()
}

/// `resource.group`, as messages name a kind of object; an empty group is omitted.
pub fn qualified(resource: &str, group: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}

fn about(name: &str, group: &str, kind: &str) -> Option<Value> {
    let mut details = Map::new();
    for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            details.insert(key.to_owned(), value.into());
        }
    }
    Some(Value::Object(details))
}

impl Status {
    /// Any error.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None, next: None, retry_after: None }
    }

    fn on(mut self, name: &str, group: &str, kind: &str) -> Self {
        self.details = about(name, group, kind);
        self
    }

    /// 404: no such object.
    pub fn not_found(resource: &str, group: &str, name: &str) -> Self {
        let message = format!("{} {name:?} not found", qualified(resource, group));
        Self::new(404, "NotFound", message).on(name, group, resource)
    }

    /// 404: a path or a kind of resource that does not exist. `why` says what the sandbox lacks.
    pub fn no_resource(why: &str) -> Self {
        let mut status =
            Self::new(404, "NotFound", format!("the server could not find the requested resource: {why}"));
        status.details = Some(json!({}));
        status
    }

    /// 409: an object with that name exists.
    pub fn already_exists(resource: &str, group: &str, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", qualified(resource, group));
        Self::new(409, "AlreadyExists", message).on(name, group, resource)
    }

    /// 409: the object has changed.
    pub fn conflict(resource: &str, group: &str, name: &str, why: &str) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} {name:?}: {why}", qualified(resource, group));
        Self::new(409, "Conflict", message).on(name, group, resource)
    }

    /// 403: `why` is what the authorizer or an admission plugin says.
    pub fn forbidden(resource: &str, group: &str, name: &str, why: &str) -> Self {
        let message = match (resource, name) {
            ("", _) => format!("forbidden: {why}"),
            (_, "") => format!("{} is forbidden: {why}", qualified(resource, group)),
            _ => format!("{} {name:?} is forbidden: {why}", qualified(resource, group)),
        };
        Self::new(403, "Forbidden", message).on(name, group, resource)
    }

    /// 422: all invalid fields at once.
    pub fn invalid(kind: &str, group: &str, name: &str, errors: &[FieldError]) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for error in errors {
            let text = error.to_string();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let all = match &texts[..] {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut status =
            Self::new(422, "Invalid", format!("{} {name:?} is invalid: {all}", qualified(kind, group)))
                .on(name, group, kind);
        let causes: Vec<Value> = errors
            .iter()
            .map(|error| json!({"reason": error.reason, "message": error.body, "field": error.field}))
            .collect();
        if let Some(Value::Object(details)) = &mut status.details {
            details.insert("causes".to_owned(), causes.into());
        }
        status
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 401.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 405: a verb that this kind of resource does not have.
    pub fn method_not_allowed(resource: &str, group: &str, action: &str) -> Self {
        let message =
            format!("{action} is not supported on resources of kind {:?}", qualified(resource, group));
        Self::new(405, "MethodNotAllowed", message).on("", group, resource)
    }

    /// 405, 406, 415 or 422 as the server words it, without an object.
    pub fn generic(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        let mut status = Self::new(code, reason, message);
        status.details = Some(json!({}));
        status
    }

    /// 406: the client wants a format that is not supported.
    pub fn not_acceptable(message: impl Into<String>) -> Self {
        Self::generic(406, "NotAcceptable", message)
    }

    /// 410: a resource version or a continue token that is too old.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 413.
    pub fn too_large(limit: usize) -> Self {
        Self::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
    }

    /// 415: a body or patch format that is not supported.
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// 429, with `Retry-After`.
    pub fn too_many_requests(message: impl Into<String>, seconds: u32) -> Self {
        let mut status = Self::new(429, "TooManyRequests", message);
        status.retry_after = Some(seconds);
        status.details = Some(json!({"retryAfterSeconds": seconds}));
        status
    }

    /// 500.
    pub fn internal(why: &str) -> Self {
        let mut status = Self::new(500, "InternalError", format!("Internal error occurred: {why}"));
        status.details = Some(json!({"causes": [{"message": why}]}));
        status
    }

    /// 504: it took too long.
    pub fn timeout(message: &str, seconds: u32) -> Self {
        let mut status = Self::new(504, "Timeout", format!("Timeout: {message}"));
        status.details = Some(if seconds > 0 { json!({"retryAfterSeconds": seconds}) } else { json!({}) });
        status
    }

    /// As an API object.
    pub fn to_value(&self) -> Value {
        let mut metadata = Map::new();
        if let Some(next) = &self.next {
            metadata.insert("continue".to_owned(), next.as_str().into());
        }
        let mut value = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if !self.reason.is_empty() {
            value["reason"] = self.reason.into();
        }
        if let Some(details) = &self.details {
            value["details"] = details.clone();
        }
        value
    }

    /// As the response to a request.
    pub fn into_response(self) -> http::Response<Body> {
        let mut response = http::Response::new(whole(self.to_value().to_string()));
        *response.status_mut() = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}
