//! Create, update, patch and delete.
//!
//! Each runs under the write lock: the object that was checked is the object that is stored.

use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::admission::Write;
use crate::backend::Body;
use crate::object::{generated_name, meta, new_uid};
use crate::patch;
use crate::rbac::Policy;
use crate::resource::{Kind, Resource};
use crate::reviews;
use crate::server::BODY_LIMIT;
use crate::status::{FieldError, Status};
use crate::store::{Key, Tables, within};

use super::body::{self, Unknown};
use super::rules;
use super::{Api, Ask, name_of, respond};

/// How many names are tried if the generated one is taken (`maxNameGenerationCreateAttempts`).
const NAMES: usize = 8;

const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// What an object becomes, and whether this is a dry run.
struct Wanted {
    object: Value,
    warnings: Vec<String>,
    trial: bool,
}

impl Ask<'_> {
    /// Whether nothing is to be stored (`dryRun=All`).
    fn trial(&self) -> Result<bool, Status> {
        let mut values = self.query.all("dryRun").peekable();
        let trial = values.peek().is_some();
        trial_values(values)?;
        Ok(trial)
    }

    fn read(&self) -> Result<Wanted, Status> {
        let unknown = Unknown::of(self.query)?;
        let trial = self.trial()?;
        let read = body::object(self.resource, self.content_type(), self.body, unknown)?;
        Ok(Wanted { object: read.object, warnings: read.warnings, trial })
    }

    fn conflict(&self, why: &str) -> Status {
        Status::conflict(self.resource.plural, self.resource.group, &self.attributes.name, why)
    }

    /// The object belongs in the place that the URL names.
    fn fit_namespace(&self, object: &mut Value) -> Result<(), Status> {
        let expected = self.namespace();
        let there = meta(object, "namespace");
        if there == expected {
            return Ok(());
        }
        if there.is_empty() {
            object["metadata"]["namespace"] = expected.into();
            return Ok(());
        }
        Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ))
    }

    fn fit_name(&self, object: &Value) -> Result<(), Status> {
        let (there, expected) = (name_of(object), &self.attributes.name);
        match there {
            "" => Err(Status::bad_request(format!(
                "the name of the object ({expected} based on URL) was undeterminable: name must be provided"
            ))),
            name if name == expected => Ok(()),
            name => Err(Status::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({expected})"
            ))),
        }
    }
}

fn trial_values<'v>(values: impl Iterator<Item = &'v str>) -> Result<(), Status> {
    match { values }.find(|value| *value != "All") {
        None => Ok(()),
        Some(other) => {
            let error = FieldError::not_supported("dryRun", &json!([other]), &["All"]);
            Err(Status::invalid("CreateOptions", "meta.k8s.io", "", &[error]))
        }
    }
}

impl Api {
    pub(super) fn create(&self, ask: &Ask<'_>) -> Result<Response<Body>, Status> {
        let Wanted { mut object, warnings, trial } = ask.read()?;
        ask.fit_namespace(&mut object)?;
        if !meta(&object, "resourceVersion").is_empty() {
            return Err(Status::new(500, "", "resourceVersion should not be set on objects to be created"));
        }
        let tables = &mut self.store().lock();
        let added = rules::check_namespace(tables, ask).and_then(|()| self.add(ask, tables, object, trial));
        Ok(self.told(ask, added.map(|kept| (StatusCode::CREATED, kept)), &warnings))
    }

    /// A new object, from a create or from an update of an object that does not exist.
    fn add(
        &self,
        ask: &Ask<'_>,
        tables: &mut Tables,
        mut object: Value,
        trial: bool,
    ) -> Result<Value, Status> {
        if let Value::Object(metadata) = &mut object["metadata"] {
            for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion"]
            {
                metadata.remove(field);
            }
            metadata.insert("uid".to_owned(), new_uid().into());
            metadata.insert("creationTimestamp".to_owned(), self.clock().stamp().into());
        }
        let prefix = meta(&object, "generateName").to_owned();
        let generated = name_of(&object).is_empty() && !prefix.is_empty();
        if generated {
            let taken = |name: &String| tables.get(ask.resource.kind, ask.namespace(), name).is_some();
            let names = std::iter::repeat_with(|| generated_name(&prefix)).take(NAMES);
            let mut names = names.skip_while(taken);
            object["metadata"]["name"] = names.next().unwrap_or_else(|| generated_name(&prefix)).into();
        }
        let policy = self.policy(tables);
        let admission = self.admission(ask, &policy);
        admission.begin(&mut object, None)?;
        admission.create(&mut object)?;
        let name = name_of(&object).to_owned();
        if tables.get(ask.resource.kind, ask.namespace(), &name).is_some() {
            return Err(Status::already_exists(ask.resource.plural, ask.resource.group, &name));
        }
        if trial {
            return Ok(object);
        }
        let kept = tables.put(ask.resource.kind, (ask.namespace().to_owned(), name), object);
        rules::written(tables, ask.resource.kind);
        Ok(Value::clone(&kept))
    }

    fn admission<'a>(&self, ask: &'a Ask<'_>, policy: &'a Policy) -> Write<'a> {
        let Ask { user, attributes, resource, .. } = ask;
        Write { kind: resource.kind, user, request: attributes, policy, now: self.clock().now() }
    }

    /// Answers a review, which is an object that is created and not stored.
    pub(super) fn review(&self, ask: &Ask<'_>) -> Result<Response<Body>, Status> {
        let Wanted { mut object, warnings, .. } = ask.read()?;
        ask.fit_namespace(&mut object)?;
        let policy = self.policy(&self.store().lock());
        let answer = reviews::answer(
            ask.resource.kind,
            object,
            ask.user,
            &policy,
            ask.namespace(),
            self.clock().now(),
        )?;
        let mut response = self.show(ask, StatusCode::CREATED, &answer);
        respond::warn(&mut response, &warnings);
        Ok(response)
    }

    pub(super) fn update(&self, ask: &Ask<'_>) -> Result<Response<Body>, Status> {
        let Wanted { mut object, warnings, trial } = ask.read()?;
        ask.fit_namespace(&mut object)?;
        ask.fit_name(&object)?;
        let tables = &mut self.store().lock();
        let current = tables.get(ask.resource.kind, ask.namespace(), &ask.attributes.name).cloned();
        let uid = meta(&object, "uid");
        let there = current.as_ref().map(|current| meta(current, "uid")).unwrap_or_default();
        if !uid.is_empty() && uid != there && (current.is_some() || creates(ask)) {
            return Err(ask.conflict(&uid_failed(ask, uid, there)));
        }
        let Some(current) = current else {
            if !creates(ask) {
                return Err(ask.not_found());
            }
            rules::may_create(&self.policy(tables), ask)?;
            rules::check_namespace(tables, ask)?;
            let added = self.add(ask, tables, object, trial);
            return Ok(self.told(ask, added.map(|kept| (StatusCode::CREATED, kept)), &warnings));
        };
        let replaced = self.replace(ask, tables, &current, object, trial);
        Ok(self.told(ask, replaced.map(|kept| (StatusCode::OK, kept)), &warnings))
    }

    pub(super) fn patch(&self, ask: &Ask<'_>) -> Result<Response<Body>, Status> {
        let form = patch::Form::of(ask.content_type())?;
        let unknown = Unknown::of(ask.query)?;
        let trial = ask.trial()?;
        let tables = &mut self.store().lock();
        let current = tables.get(ask.resource.kind, ask.namespace(), &ask.attributes.name).cloned();
        let current = current.ok_or_else(|| ask.not_found())?;
        let patched = patch::apply(form, ask.resource.kind, &current, ask.body)?;
        let text = patched.to_string();
        if text.len() > BODY_LIMIT {
            // A small patch can make a large object.
            return Err(Status::too_large(BODY_LIMIT));
        }
        let read = body::typed(ask.resource, patched, unknown).map_err(|status| {
            let why = status
                .message
                .rsplit_once("cannot be handled as a ")
                .map_or(status.message.as_str(), |(_, why)| why.split_once(": ").map_or(why, |(_, why)| why));
            Status::invalid("", "", "", &[FieldError::invalid("patch", &text.into(), why)])
        })?;
        let mut object = read.object;
        ask.fit_namespace(&mut object)?;
        ask.fit_name(&object)?;
        let replaced = self.replace(ask, tables, &current, object, trial);
        Ok(self.told(ask, replaced.map(|kept| (StatusCode::OK, kept)), &read.warnings))
    }

    /// The response to a write: the stored object, or why nothing was stored. Warnings come with both.
    fn told(
        &self,
        ask: &Ask<'_>,
        outcome: Result<(StatusCode, Value), Status>,
        warnings: &[String],
    ) -> Response<Body> {
        let mut response = match outcome {
            Ok((code, kept)) => self.show(ask, code, &kept),
            Err(status) => status.into_response(),
        };
        respond::warn(&mut response, warnings);
        response
    }

    /// A new state of an existing object.
    fn replace(
        &self,
        ask: &Ask<'_>,
        tables: &mut Tables,
        current: &Value,
        mut object: Value,
        trial: bool,
    ) -> Result<Value, Status> {
        let name = &ask.attributes.name;
        let policy = self.policy(tables);
        let admission = self.admission(ask, &policy);
        admission.begin(&mut object, Some(current))?;
        match meta(&object, "resourceVersion") {
            "" | "0" if ask.resource.kind == Kind::Lease => {
                let why = "must be specified for an update";
                let error = FieldError::invalid("metadata.resourceVersion", &json!(0), why);
                let Resource { plural, group, .. } = ask.resource;
                return Err(Status::invalid(plural, group, name, &[error]));
            }
            "" | "0" => {}
            version if version == meta(current, "resourceVersion") => {}
            version if version.parse::<u64>().is_err() => {
                let why = format!("strconv.ParseUint: parsing {version:?}: invalid syntax");
                return Err(Status::new(500, "", why));
            }
            _ => return Err(ask.conflict(MODIFIED)),
        }
        keep_system_fields(&mut object, current);
        if meta(&object, "uid") != meta(current, "uid") {
            let error = FieldError::invalid("metadata.uid", &object["metadata"]["uid"], "field is immutable");
            let Resource { name: kind, group, .. } = ask.resource;
            return Err(Status::invalid(kind, group, name, &[error]));
        }
        admission.update(&mut object, current)?;
        let key = (ask.namespace().to_owned(), name.clone());
        if trial || object == *current {
            return Ok(object);
        }
        let finished = !object["metadata"]["deletionTimestamp"].is_null()
            && object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)
            && ask.resource.kind != Kind::Namespace;
        let kept = tables.put(ask.resource.kind, key.clone(), object);
        if finished {
            tables.remove(ask.resource.kind, &key);
        }
        rules::written(tables, ask.resource.kind);
        Ok(Value::clone(&kept))
    }

    pub(super) fn delete(&self, ask: &Ask<'_>) -> Result<Response<Body>, Status> {
        let options = Deletion::of(ask)?;
        let tables = &mut self.store().lock();
        let removed = self.remove(ask, tables, &ask.key(), &options)?;
        // Pods and namespaces are returned as they were; for other kinds the name is enough.
        if matches!(ask.resource.kind, Kind::Pod | Kind::Namespace) || removed.waits {
            return Ok(self.show(ask, StatusCode::OK, &removed.object));
        }
        let mut details = Map::new();
        for (key, value) in [
            ("name", ask.attributes.name.as_str()),
            ("group", ask.resource.group),
            ("kind", ask.resource.plural),
            ("uid", meta(&removed.object, "uid")),
        ] {
            if !value.is_empty() {
                details.insert(key.to_owned(), value.into());
            }
        }
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
        Ok(respond::json(StatusCode::OK, &status))
    }

    pub(super) fn delete_collection(&self, ask: &Ask<'_>) -> Result<Response<Body>, Status> {
        let options = Deletion::of(ask)?;
        let selector = ask.selector()?;
        let tables = &mut self.store().lock();
        let all = within(tables.objects(ask.resource.kind), ask.namespace(), None);
        let keys: Vec<Key> =
            all.filter(|(_, object)| selector.matches(object)).map(|(key, _)| key.clone()).collect();
        let mut items = Vec::new();
        for key in keys {
            items.push(self.remove(ask, tables, &key, &options)?.object.into());
        }
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".to_owned(), tables.revision().to_string().into());
        Ok(respond::json(StatusCode::OK, &respond::List { resource: ask.resource, metadata, items: &items }))
    }

    fn remove(
        &self,
        ask: &Ask<'_>,
        tables: &mut Tables,
        key: &Key,
        options: &Deletion,
    ) -> Result<Removed, Status> {
        let (kind, (namespace, name)) = (ask.resource.kind, key);
        let current = tables.get(kind, namespace, name).cloned();
        let current =
            current.ok_or_else(|| Status::not_found(ask.resource.plural, ask.resource.group, name))?;
        options.check(ask.resource, &current)?;
        rules::may_delete(kind, name)?;
        let mut object = Value::clone(&current);
        if kind == Kind::Namespace {
            object["status"]["phase"] = "Terminating".into();
            mark_deleted(&mut object, &self.clock().stamp());
            if !options.trial {
                rules::empty_namespace(tables, name);
                tables.remove(kind, key);
            }
            return Ok(Removed { object, waits: false });
        }
        let finalizers = object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty());
        if finalizers {
            if object["metadata"]["deletionTimestamp"].is_null() {
                mark_deleted(&mut object, &self.clock().stamp());
                if !options.trial {
                    object = Value::clone(&tables.put(kind, key.clone(), object));
                }
            }
            return Ok(Removed { object, waits: true });
        }
        if kind == Kind::Pod {
            // The only kind here that is deleted with a grace period, which is zero here.
            mark_deleted(&mut object, &self.clock().stamp());
        }
        if !options.trial {
            tables.remove(kind, key);
            rules::written(tables, kind);
        }
        Ok(Removed { object, waits: false })
    }
}

/// Whether an update creates a missing object (`AllowCreateOnUpdate`).
fn creates(ask: &Ask<'_>) -> bool {
    use Kind::{ClusterRole, ClusterRoleBinding, Lease, Role, RoleBinding};
    matches!(ask.resource.kind, ClusterRole | ClusterRoleBinding | Lease | Role | RoleBinding)
        && ask.attributes.subresource.is_empty()
}

/// `storage.Preconditions.Check`, with the key that the object has in etcd.
fn uid_failed(ask: &Ask<'_>, wanted: &str, there: &str) -> String {
    let (namespace, name) = ask.key();
    let place = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
    format!(
        "StorageError: invalid object, Code: 4, Key: /registry/{}/{place}{name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in object meta: {there}",
        ask.resource.plural
    )
}

/// The fields that no update changes.
fn keep_system_fields(object: &mut Value, current: &Value) {
    let Value::Object(metadata) = &mut object["metadata"] else { return };
    let before = &current["metadata"];
    metadata.insert("resourceVersion".to_owned(), before["resourceVersion"].clone());
    for field in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"] {
        match &before[field] {
            Value::Null => {
                metadata.remove(field);
            }
            value => {
                metadata.insert(field.to_owned(), value.clone());
            }
        }
    }
    if metadata.get("uid").and_then(Value::as_str).unwrap_or_default().is_empty() {
        metadata.insert("uid".to_owned(), before["uid"].clone());
    }
}

fn mark_deleted(object: &mut Value, now: &str) {
    object["metadata"]["deletionTimestamp"] = now.into();
    object["metadata"]["deletionGracePeriodSeconds"] = 0.into();
}

/// An object that was removed, or is waiting for its finalizers.
struct Removed {
    object: Value,
    waits: bool,
}

/// `DeleteOptions`.
struct Deletion {
    uid: Option<String>,
    resource_version: Option<String>,
    trial: bool,
}

impl Deletion {
    fn of(ask: &Ask<'_>) -> Result<Self, Status> {
        let mut trial = ask.trial()?;
        let mut this = Self { uid: None, resource_version: None, trial };
        if ask.body.is_empty() {
            return Ok(this);
        }
        let options = body::value("DeleteOptions", ask.content_type(), ask.body)?;
        let wrong = |what: &str| {
            Status::bad_request(format!(
                "DeleteOptions in version \"v1\" cannot be handled as a DeleteOptions: {what}"
            ))
        };
        if !options.is_object() {
            return Err(wrong("it is no object"));
        }
        if !matches!(options["kind"].as_str(), None | Some("" | "DeleteOptions")) {
            return Err(wrong("it is of another kind"));
        }
        let text = |value: &Value, field: &str| match value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            _ => Err(wrong(&format!("{field} is no string"))),
        };
        match &options["preconditions"] {
            Value::Null => {}
            Value::Object(_) => {
                this.uid = text(&options["preconditions"]["uid"], "preconditions.uid")?;
                this.resource_version =
                    text(&options["preconditions"]["resourceVersion"], "preconditions.resourceVersion")?;
            }
            _ => return Err(wrong("preconditions is no object")),
        }
        let policy = text(&options["propagationPolicy"], "propagationPolicy")?;
        if let Some(policy) = policy
            && !matches!(policy.as_str(), "Orphan" | "Background" | "Foreground")
        {
            let known = ["Foreground", "Background", "Orphan", "nil"];
            let error = FieldError::not_supported("propagationPolicy", &policy.into(), &known);
            return Err(Status::invalid("DeleteOptions", "meta.k8s.io", "", &[error]));
        }
        if let Value::Array(values) = &options["dryRun"] {
            trial_values(values.iter().map(|value| value.as_str().unwrap_or_default()))?;
            trial |= !values.is_empty();
        }
        Ok(Self { trial, ..this })
    }

    /// Deletes only the intended object (`BeforeDelete`, which names the kind where others name the
    /// resource).
    fn check(&self, resource: &Resource, object: &Value) -> Result<(), Status> {
        let conflict =
            |why: String| Err(Status::conflict(resource.name, resource.group, name_of(object), &why));
        let (uid, version) = (meta(object, "uid"), meta(object, "resourceVersion"));
        match (&self.uid, &self.resource_version) {
            (Some(wanted), _) if wanted != uid => conflict(format!(
                "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
            )),
            (_, Some(wanted)) if wanted != version => conflict(format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({version}). The object might have been modified"
            )),
            _ => Ok(()),
        }
    }
}
