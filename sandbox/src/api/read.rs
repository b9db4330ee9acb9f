//! Get and list.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::backend::Body;
use crate::request::Query;
use crate::resource::Resource;
use crate::selector::Selector;
use crate::status::{FieldError, Status};
use crate::store::{Key, Object, Tables, within};

use super::negotiate::Form;
use super::respond::{self, List, Rows};
use super::{Api, Ask};

impl Ask<'_> {
    pub(super) fn selector(&self) -> Result<Selector, Status> {
        let labels = self.query.first("labelSelector").unwrap_or_default();
        let fields = self.query.first("fieldSelector").unwrap_or_default();
        Selector::parse(self.resource, labels, fields)
    }

    pub(super) fn rows(&self) -> Rows {
        Rows::of(self.query.text("includeObject"))
    }

    /// The namespace that a list, a watch or an object is in; empty for all, and for cluster-scoped kinds.
    pub(super) fn namespace(&self) -> &str {
        if self.resource.namespaced { &self.attributes.namespace } else { "" }
    }

    pub(super) fn key(&self) -> Key {
        (self.namespace().to_owned(), self.attributes.name.clone())
    }

    pub(super) fn not_found(&self) -> Status {
        Status::not_found(self.resource.plural, self.resource.group, &self.attributes.name)
    }
}

/// The resource version, if one is given that does not mean "any".
///
/// # Errors
/// 500 without a reason: the real server reports it as an internal error.
pub(super) fn resource_version(text: Option<&str>) -> Result<Option<u64>, Status> {
    text.map(|text| {
        text.parse().map_err(|_| {
            let why = format!(
                "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
            );
            Status::new(500, "", why)
        })
    })
    .transpose()
}

/// Refuses a `resourceVersionMatch` that contradicts the other parameters (`ValidateListOptions` in
/// k8s.io/apimachinery pkg/apis/meta/internalversion/validation).
fn check_match(query: &Query) -> Result<(), Status> {
    const FIELD: &str = "resourceVersionMatch";
    let Some(wanted) = query.text(FIELD) else { return Ok(()) };
    let version = query.text("resourceVersion");
    let mut errors = Vec::new();
    let mut forbid = |why: &str| errors.push(FieldError::forbidden(FIELD, why));
    if version.is_none() {
        forbid("resourceVersionMatch is forbidden unless resourceVersion is provided");
    }
    if query.text("continue").is_some() {
        forbid("resourceVersionMatch is forbidden when continue is provided");
    }
    if wanted == "Exact" && version == Some("0") {
        forbid("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
    }
    if !matches!(wanted, "Exact" | "NotOlderThan") {
        errors.push(FieldError::not_supported(FIELD, &wanted.into(), &["Exact", "NotOlderThan", ""]));
    }
    match errors.as_slice() {
        [] => Ok(()),
        errors => Err(Status::invalid("ListOptions", "meta.k8s.io", "", errors)),
    }
}

/// 504, as the watch cache words it.
pub(super) fn not_yet(wanted: u64, current: u64) -> Status {
    let mut status = Status::timeout(&format!("Too large resource version: {wanted}, current: {current}"), 1);
    status.details = Some(json!({
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }));
    status
}

/// Where a list continues: the revision of its first page and the last object of this one.
struct Token {
    revision: u64,
    last: Key,
}

impl Token {
    fn write(&self) -> String {
        let (namespace, name) = &self.last;
        let start = format!("{namespace}/{name}\0");
        let token = json!({"v": "meta.k8s.io/v1", "rv": self.revision, "start": start});
        URL_SAFE_NO_PAD.encode(token.to_string())
    }

    fn read(text: &str) -> Result<Self, Status> {
        let parse = || {
            let token: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            let (namespace, name) = token["start"].as_str()?.strip_suffix('\0')?.split_once('/')?;
            // -1 is the token that comes with a 410: continue with the current objects.
            let revision = token["rv"].as_i64().and_then(|revision| u64::try_from(revision.max(0)).ok())?;
            Some(Self { revision, last: (namespace.to_owned(), name.to_owned()) })
        };
        parse().ok_or_else(|| {
            Status::bad_request(format!("invalid continue token: continue key is not valid: {text:?}"))
        })
    }
}

/// One page of objects.
struct Page {
    items: Vec<Object>,
    revision: u64,
    next: Option<String>,
    remaining: Option<u64>,
}

impl Api {
    pub(super) fn get(&self, ask: &Ask<'_>) -> Result<Response<Body>, Status> {
        let wanted = resource_version(ask.query.text("resourceVersion"))?;
        let object = {
            let tables = self.store().lock();
            if let Some(wanted) = wanted
                && wanted > tables.revision()
            {
                return Err(not_yet(wanted, tables.revision()));
            }
            tables.get(ask.resource.kind, ask.namespace(), &ask.attributes.name).cloned()
        };
        let object = object.ok_or_else(|| ask.not_found())?;
        Ok(self.show(ask, StatusCode::OK, &object))
    }

    /// One object as a response.
    pub(super) fn show(&self, ask: &Ask<'_>, code: StatusCode, object: &Value) -> Response<Body> {
        match ask.form {
            Form::Table | Form::Metadata => {
                let now = self.clock().now();
                respond::json(code, &respond::object(ask.form, ask.resource, object, ask.rows(), now))
            }
            _ => respond::json(code, object),
        }
    }

    pub(super) fn list(&self, ask: &Ask<'_>) -> Result<Response<Body>, Status> {
        let page = self.page(ask)?;
        Ok(self.show_list(ask, &page))
    }

    fn show_list(&self, ask: &Ask<'_>, page: &Page) -> Response<Body> {
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".to_owned(), page.revision.to_string().into());
        if let Some(next) = &page.next {
            metadata.insert("continue".to_owned(), next.as_str().into());
        }
        if let Some(remaining) = page.remaining {
            metadata.insert("remainingItemCount".to_owned(), remaining.into());
        }
        let objects = page.items.iter().map(|object| &**object);
        match ask.form {
            Form::Table => {
                let (kind, now) = (ask.resource.kind, self.clock().now());
                let table = respond::table(kind, objects, &Value::Object(metadata), ask.rows(), true, now);
                respond::json(StatusCode::OK, &table)
            }
            Form::MetadataList | Form::Metadata => respond::json(
                StatusCode::OK,
                &json!({
                    "kind": "PartialObjectMetadataList",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": metadata,
                    "items": objects.map(respond::partial).collect::<Vec<_>>(),
                }),
            ),
            _ => {
                let list = List { resource: ask.resource, metadata, items: &page.items };
                respond::json(StatusCode::OK, &list)
            }
        }
    }

    fn page(&self, ask: &Ask<'_>) -> Result<Page, Status> {
        check_match(ask.query)?;
        let selector = ask.selector()?;
        let limit =
            ask.query.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|l| *l > 0);
        let token = ask.query.text("continue").map(Token::read).transpose()?;
        let wanted = resource_version(ask.query.text("resourceVersion"))
            .map_err(|wrong| Status::bad_request(format!("invalid resource version: {}", wrong.message)))?;
        let exact = ask.query.text("resourceVersionMatch") == Some("Exact");
        if token.is_some() && wanted.is_some_and(|wanted| wanted != 0) {
            return Err(Status::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        let kind = ask.resource.kind;
        let now = self.clock().now();
        let mut tables = self.store().lock();
        let current = tables.revision();
        let revision = match (&token, wanted) {
            (Some(token), _) if token.revision > 0 => token.revision,
            (None, Some(wanted)) if wanted > current => return Err(not_yet(wanted, current)),
            (None, Some(wanted)) if exact && wanted > 0 => wanted,
            _ => current,
        };
        let objects = match tables.objects_at(kind, revision, now) {
            Some(objects) => objects,
            None => return Err(too_old(token)),
        };
        let after = token.as_ref().map(|token| &token.last);
        let mut rest = within(&objects, ask.namespace(), after);
        let (mut items, mut last) = (Vec::new(), None);
        while limit.is_none_or(|limit| items.len() < limit)
            && let Some((key, object)) = rest.next()
        {
            if selector.matches(object) {
                items.push(object.clone());
            }
            last = Some(key.clone());
        }
        // As on the real server, the remaining objects may not match: the last page can be empty.
        let more = limit.is_some() && rest.next().is_some();
        let next = last.filter(|_| more).map(|last| Token { revision, last }.write());
        let remaining = (more && selector.is_everything()).then(|| 1 + rest.count() as u64);
        if more {
            keep(&mut tables, ask.resource, revision, current, now);
        }
        Ok(Page { items, revision, next, remaining })
    }
}

fn keep(tables: &mut Tables, resource: &Resource, revision: u64, current: u64, now: jiff::Timestamp) {
    // The revision of a later page is already kept.
    if revision == current {
        tables.keep_for_paging(resource.kind, now);
    }
}

/// 410, with a token to continue with the current objects (`handleExpiredContinue` in etcd3/store.go).
fn too_old(token: Option<Token>) -> Status {
    let Some(token) = token else {
        return Status::expired("The resourceVersion for the provided list is too old.");
    };
    let mut status = Status::expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list. Objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    status.next = Some(Token { revision: 0, ..token }.write());
    status
}
