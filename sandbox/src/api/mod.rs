//! The in-memory API: the backend that a sandbox runs on.
//!
//! Each request is authorized, dispatched by its verb, and answered in the format that the client wants.
//! What the sandbox lacks is refused by name, and only after authorization.

mod body;
mod negotiate;
mod read;
mod respond;
mod rules;
mod watch;
mod write;

pub(crate) use rules::beginning;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::Value;

use crate::audit::{Audit, Entry};
use crate::backend::{Abort, Backend, Body, whole};
use crate::clock::Clock;
use crate::discovery;
use crate::gc;
use crate::rbac::Policy;
use crate::request::{Attributes, Query};
use crate::resource::{Kind, Resource, groups};
use crate::status::Status;
use crate::store::{Store, Tables};
use crate::user::User;

use negotiate::Form;
use rules::Followed;

/// The in-memory objects and the operations on them. Clones share the same API.
#[derive(Clone)]
pub struct Api(Arc<Shared>);

struct Shared {
    store: Store,
    clock: Clock,
    version: String,
    server: String,
    audit: Option<Audit>,
    policy: Mutex<Followed>,
    /// The second in which old requests were last collected.
    cleaned: AtomicI64,
}

/// What an API is created from.
pub struct Setup {
    /// The initial objects.
    pub store: Store,
    /// Its clock.
    pub clock: Clock,
    /// What `/version` says, e.g. `v1.37.2`.
    pub version: String,
    /// Host and port, for discovery.
    pub server: String,
    /// Whether an audit log is kept.
    pub audit: bool,
}

/// One request for a resource.
struct Ask<'a> {
    user: &'a User,
    attributes: &'a Attributes,
    resource: &'static Resource,
    query: &'a Query,
    headers: &'a HeaderMap,
    body: &'a [u8],
    form: Form,
}

impl Ask<'_> {
    fn content_type(&self) -> &str {
        self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Backend for Api {
    async fn handle(&self, user: User, request: Request<Bytes>) -> Result<Response<Body>, Abort> {
        Ok(self.answer(&user, &request))
    }
}

impl Api {
    /// Creates an in-memory API.
    pub fn new(setup: Setup) -> Self {
        let Setup { store, clock, version, server, audit } = setup;
        let audit = audit.then(Audit::default);
        Self(Arc::new(Shared {
            store,
            clock,
            version,
            server,
            audit,
            policy: Mutex::default(),
            cleaned: AtomicI64::new(i64::MIN),
        }))
    }

    /// Its objects.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Deletes expired CertificateSigningRequests, at most once per second of the
    /// clock.
    pub(crate) fn throw_away_old_requests(&self) {
        let now = self.0.clock.now();
        if self.0.cleaned.swap(now.as_second(), Ordering::Relaxed) != now.as_second() {
            gc::throw_away(&mut self.0.store.lock(), now);
        }
    }

    /// Its audit log, if it keeps one.
    pub fn audit(&self) -> Option<&Audit> {
        self.0.audit.as_ref()
    }

    /// Who may do what, according to the current objects. Do not lock the tables while holding it.
    fn policy(&self, tables: &Tables) -> MutexGuard<'_, Followed> {
        let mut followed = self.0.policy.lock().unwrap_or_else(PoisonError::into_inner);
        followed.follow(tables);
        followed
    }

    fn answer(&self, user: &User, request: &Request<Bytes>) -> Response<Body> {
        let received = self.0.clock.now();
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let attributes = match Attributes::of(request.method(), request.uri().path(), &query) {
            Ok(attributes) => attributes,
            Err(status) => return status.into_response(),
        };
        let agent =
            request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let uri = request.uri().to_string();
        let mut entry = Entry::new(user, &attributes, &uri, agent, received);
        let answer = self.authorized(user, &attributes, &query, request, &mut entry);
        match answer {
            Ok(Answer::Whole(response)) => {
                self.log(&entry, response.status());
                response
            }
            Ok(Answer::Watch(watch)) => watch.into_response(self.clone(), entry),
            Err(status) => {
                let response = status.into_response();
                self.log(&entry, response.status());
                response
            }
        }
    }

    fn log(&self, entry: &Entry, code: StatusCode) {
        if let Some(audit) = &self.0.audit {
            audit.completed(entry, code.as_u16(), self.0.clock.now());
        }
    }

    fn authorized(
        &self,
        user: &User,
        attributes: &Attributes,
        query: &Query,
        request: &Request<Bytes>,
        entry: &mut Entry,
    ) -> Result<Answer, Status> {
        let impersonated = {
            let policy = self.policy(&self.0.store.lock());
            let impersonated = rules::impersonated(&policy, user, request.headers())?;
            let user = impersonated.as_ref().unwrap_or(user);
            if let Some(other) = &impersonated {
                entry.impersonated(other);
            }
            policy.allows(user, attributes).map_err(|denied| Policy::forbidden(user, attributes, &denied))?;
            impersonated
        };
        let user = impersonated.as_ref().unwrap_or(user);
        if !attributes.is_resource {
            return self.path(attributes, request).map(Answer::Whole);
        }
        let resource = find(attributes)?;
        let ask = Ask {
            user,
            attributes,
            resource,
            query,
            headers: request.headers(),
            body: request.body(),
            form: negotiate::form(request.headers())?,
        };
        self.resource(&ask)
    }

    /// Non-resource paths: discovery, health, the version.
    fn path(&self, attributes: &Attributes, request: &Request<Bytes>) -> Result<Response<Body>, Status> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(not_allowed());
        }
        let path = attributes.path.as_str();
        let health = ["/healthz", "/livez", "/readyz"];
        if health
            .iter()
            .any(|root| path.strip_prefix(root).is_some_and(|rest| matches!(rest, "" | "/" | "/ping")))
        {
            let mut response = Response::new(whole("ok"));
            response
                .headers_mut()
                .insert(CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
            return Ok(response);
        }
        if path == "/version" || path == "/version/" {
            return Ok(respond::json(StatusCode::OK, &discovery::version(&self.0.version)));
        }
        let aggregated = negotiate::form(request.headers())? == Form::Discovery;
        match discovery::document(path, aggregated, &self.0.server) {
            Some(document) if document["kind"] == "APIGroupDiscoveryList" => {
                Ok(respond::discovery(&document))
            }
            Some(document) => Ok(respond::json(StatusCode::OK, &document)),
            None => Err(Status::no_resource(&format!("the sandbox does not have {path}"))),
        }
    }

    fn resource(&self, ask: &Ask<'_>) -> Result<Answer, Status> {
        let attributes = ask.attributes;
        if ask.resource.kind == Kind::CertificateSigningRequest {
            self.throw_away_old_requests();
        }
        let has_name = !attributes.name.is_empty();
        match attributes.verb.as_str() {
            "get" => self.get(ask),
            "list" => self.list(ask),
            "watch" => return self.watch(ask).map(Answer::Watch),
            "create" if !ask.resource.is_kept() => self.review(ask),
            "create" if !has_name => self.create(ask),
            "update" if has_name => self.update(ask),
            "patch" if has_name => self.patch(ask),
            "delete" => self.delete(ask),
            "deletecollection" => self.delete_collection(ask),
            _ => Err(not_allowed()),
        }
        .map(Answer::Whole)
    }
}

/// A response: complete, or a stream.
enum Answer {
    Whole(Response<Body>),
    Watch(watch::Watch),
}

fn not_allowed() -> Status {
    Status::generic(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    )
}

/// The resource that a request names, if the sandbox has it and it supports the verb.
fn find(attributes: &Attributes) -> Result<&'static Resource, Status> {
    let Attributes { api_group, api_version, resource: plural, subresource, verb, .. } = attributes;
    let lacks = |what: &str| Err(Status::no_resource(&format!("the sandbox does not have {what}")));
    if !api_group.is_empty() && !groups().any(|group| group == api_group) {
        return lacks(&format!("the API group {api_group:?}"));
    }
    if api_version != "v1" {
        return lacks(&format!("version {api_version:?} of an API; everything in it is v1"));
    }
    if !attributes.path.trim_matches('/').starts_with("api") || matches!(verb.as_str(), "proxy") {
        return lacks("proxies");
    }
    let Some(resource) = Resource::find(api_group, plural) else {
        return lacks(&format!("{plural:?}"));
    };
    if attributes.path.contains("/watch/")
        && verb == "watch"
        && attributes.path.split('/').any(|part| part == "watch")
    {
        return lacks("watches by path; use ?watch=true");
    }
    let verbs = match subresource.as_str() {
        "" => resource.verbs,
        name => match resource.subresources.iter().find(|(known, _)| *known == name) {
            Some((_, verbs)) => verbs,
            None => return lacks(&format!("{plural}/{name}")),
        },
    };
    if !verbs.contains(&verb.as_str()) {
        return Err(not_allowed());
    }
    // Namespaced objects are identified by namespace and name, cluster-scoped objects only by name.
    let in_namespace = !attributes.namespace.is_empty();
    let misplaced = if resource.namespaced {
        !in_namespace && !matches!(verb.as_str(), "list" | "watch")
    } else {
        in_namespace && resource.kind != Kind::Namespace
    };
    if misplaced {
        return lacks(&attributes.path);
    }
    Ok(resource)
}

/// The object of a value's metadata, for messages: `name` if it is set.
fn name_of(object: &Value) -> &str {
    crate::object::meta(object, "name")
}
