//! What each kind requires of an object before it is stored, and of the user who writes it.

use std::ops::Deref;

use http::HeaderMap;
use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::bootstrap;
use crate::object::{meta, new_uid};
use crate::rbac::{Policy, aggregation};
use crate::request::Attributes;
use crate::resource::{AUTHENTICATION, Kind, RESOURCES};
use crate::status::Status;
use crate::store::{Change, Key, Store, Tables, within};
use crate::user::User;
use crate::validate::typed;

use super::{Api, Ask, body};

/// The policy that the RBAC objects define, and the revision up to which it includes them.
#[derive(Default)]
pub struct Followed {
    policy: Policy,
    revision: u64,
}

/// The kinds that define a policy.
const GRANTING: [Kind; 4] = [Kind::ClusterRole, Kind::Role, Kind::ClusterRoleBinding, Kind::RoleBinding];

impl Deref for Followed {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.policy
    }
}

impl Followed {
    /// Applies the changes since that revision.
    pub fn follow(&mut self, tables: &Tables) {
        if GRANTING.iter().all(|kind| tables.changed(*kind) <= self.revision) {
            return;
        }
        let mut changes = Vec::new();
        for kind in GRANTING {
            match tables.changes_after(kind, self.revision, usize::MAX) {
                Ok(of_kind) => changes.extend(of_kind.into_iter().map(|change| (kind, change))),
                Err(_) => {
                    *self = Self { policy: all(tables), revision: tables.revision() };
                    return;
                }
            }
        }
        for (kind, Change { before, after, .. }) in changes {
            match (after, before) {
                (Some(object), _) => learn(&mut self.policy, kind, &object),
                (None, Some(object)) => forget(&mut self.policy, kind, &object),
                (None, None) => {}
            }
        }
        self.revision = tables.revision();
    }
}

fn all(tables: &Tables) -> Policy {
    let mut policy = Policy::default();
    for kind in GRANTING {
        for object in tables.objects(kind).values() {
            learn(&mut policy, kind, object);
        }
    }
    policy
}

fn learn(policy: &mut Policy, kind: Kind, object: &Value) {
    let (namespace, name) = (meta(object, "namespace"), meta(object, "name"));
    match kind {
        Kind::ClusterRole => policy.set_cluster_role(name, typed::<ClusterRole>(object).rules),
        Kind::Role => policy.set_role(namespace, name, typed::<Role>(object).rules),
        Kind::ClusterRoleBinding => {
            let binding: ClusterRoleBinding = typed(object);
            policy.set_binding((None, name.to_owned()), Some((binding.role_ref, binding.subjects)));
        }
        _ => {
            let binding: RoleBinding = typed(object);
            let place = (Some(namespace.to_owned()), name.to_owned());
            policy.set_binding(place, Some((binding.role_ref, binding.subjects)));
        }
    }
}

fn forget(policy: &mut Policy, kind: Kind, object: &Value) {
    let (namespace, name) = (meta(object, "namespace"), meta(object, "name"));
    match kind {
        Kind::ClusterRole => policy.remove_cluster_role(name),
        Kind::Role => policy.remove_role(namespace, name),
        Kind::ClusterRoleBinding => policy.set_binding((None, name.to_owned()), None),
        _ => policy.set_binding((Some(namespace.to_owned()), name.to_owned()), None),
    }
}

/// Updates the rules of the aggregated ClusterRoles.
pub fn aggregate(tables: &mut Tables) {
    // Each round can fill another role from one that the last round filled; more rounds than roles
    // mean that two roles feed each other forever.
    for _ in 0..tables.objects(Kind::ClusterRole).len() {
        let roles: Vec<ClusterRole> =
            tables.objects(Kind::ClusterRole).values().map(|object| typed(object)).collect();
        let changes = aggregation::changes(&roles);
        if changes.is_empty() {
            return;
        }
        for (name, rules) in changes {
            let Some(role) = tables.get(Kind::ClusterRole, "", &name) else { continue };
            let mut role = Value::clone(role);
            role["rules"] = serde_json::to_value(rules).unwrap_or_default();
            tables.put(Kind::ClusterRole, (String::new(), name), role);
        }
    }
}

/// The user that a request impersonates, if its headers name one
/// (k8s.io/apiserver pkg/endpoints/filters/impersonation).
///
/// # Errors
/// The sender may not impersonate, or the headers name no valid user.
pub fn impersonated(policy: &Policy, user: &User, headers: &HeaderMap) -> Result<Option<User>, Status> {
    // A name is the bytes that were sent, if they are text. Other bytes are refused: if they were left
    // out, the request would be made with the sender's own rights.
    let text = |value: &http::HeaderValue| {
        let text = std::str::from_utf8(value.as_bytes());
        text.map(str::to_owned).map_err(|_| Status::bad_request("an impersonation header is not UTF-8 text"))
    };
    let one = |name: &str| -> Result<Option<String>, Status> {
        Ok(headers.get(name).map(text).transpose()?.filter(|value| !value.is_empty()))
    };
    let (name, uid) = (one("impersonate-user")?, one("impersonate-uid")?);
    let groups: Vec<String> =
        headers.get_all("impersonate-group").iter().map(text).collect::<Result<_, _>>()?;
    let mut extra = std::collections::BTreeMap::<String, Vec<String>>::new();
    for (header, value) in headers {
        if let Some(key) = header.as_str().strip_prefix("impersonate-extra-") {
            let key = percent_decode_str(key).decode_utf8_lossy().to_lowercase();
            extra.entry(key).or_default().push(text(value)?);
        }
    }
    let Some(name) = name else {
        if uid.is_none() && groups.is_empty() && extra.is_empty() {
            return Ok(None);
        }
        return Err(Status::bad_request(
            "requested groups, a uid or extra without impersonating a user name",
        ));
    };
    let may = |group: &str, resource: &str, subresource: &str, namespace: &str, name: &str| {
        let wish = Attributes {
            verb: "impersonate".to_owned(),
            is_resource: true,
            api_group: group.to_owned(),
            api_version: "v1".to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..Attributes::default()
        };
        policy.allows(user, &wish).map_err(|denied| Policy::forbidden(user, &wish, &denied))
    };
    let account = name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    match account {
        Some((namespace, account)) => may("", "serviceaccounts", "", namespace, account)?,
        None => may("", "users", "", "", &name)?,
    };
    for group in &groups {
        may("", "groups", "", "", group)?;
    }
    for (key, values) in &extra {
        for value in values {
            may(AUTHENTICATION, "userextras", key, "", value)?;
        }
    }
    if let Some(uid) = &uid {
        may(AUTHENTICATION, "uids", "", "", uid)?;
    }
    let mut groups = groups;
    if groups.is_empty()
        && let Some((namespace, _)) = account
    {
        groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
    }
    let implied = if name == "system:anonymous" { "system:unauthenticated" } else { "system:authenticated" };
    if !groups.iter().any(|group| group == implied)
        && !groups.iter().any(|group| group == "system:unauthenticated")
    {
        groups.push(implied.to_owned());
    }
    Ok(Some(User { name, uid: uid.unwrap_or_default(), groups, extra }))
}

/// A namespaced object needs an existing namespace (the admission plugin NamespaceLifecycle).
///
/// # Errors
/// The namespace does not exist.
pub fn check_namespace(tables: &Tables, ask: &Ask<'_>) -> Result<(), Status> {
    let namespace = ask.namespace();
    if namespace.is_empty() || tables.get(Kind::Namespace, "", namespace).is_some() {
        return Ok(());
    }
    Err(Status::not_found("namespaces", "", namespace))
}

/// An update that creates a missing object needs the right to create.
///
/// # Errors
/// The user does not have it.
pub fn may_create(policy: &Policy, ask: &Ask<'_>) -> Result<(), Status> {
    let wish = Attributes { verb: "create".to_owned(), ..ask.attributes.clone() };
    policy.allows(ask.user, &wish).map_err(|denied| Policy::forbidden(ask.user, &wish, &denied))?;
    Ok(())
}

/// Some namespaces cannot be deleted.
///
/// # Errors
/// It is one of them.
pub fn may_delete(kind: Kind, name: &str) -> Result<(), Status> {
    if kind == Kind::Namespace && matches!(name, "default" | "kube-system" | "kube-public") {
        return Err(Status::forbidden("namespaces", "", name, "this namespace may not be deleted"));
    }
    Ok(())
}

/// The consequences of a write, before anyone else reads.
pub fn written(tables: &mut Tables, kind: Kind) {
    if kind == Kind::ClusterRole {
        aggregate(tables);
    }
}

/// Removes everything in a namespace.
pub fn empty_namespace(tables: &mut Tables, namespace: &str) {
    for resource in RESOURCES.iter().filter(|resource| resource.is_kept() && resource.namespaced) {
        let keys: Vec<Key> =
            within(tables.objects(resource.kind), namespace, None).map(|(key, _)| key.clone()).collect();
        for key in keys {
            tables.remove(resource.kind, &key);
        }
    }
}

/// The objects that every cluster has from the start.
pub fn beginning(now: Timestamp) -> Store {
    let store = Store::default();
    let mut tables = store.lock();
    for (kind, object) in bootstrap::objects(now) {
        let key = (meta(&object, "namespace").to_owned(), meta(&object, "name").to_owned());
        tables.put(kind, key, object);
    }
    aggregate(&mut tables);
    drop(tables);
    store
}

impl Api {
    /// Writes an object, bypassing every check except its type.
    ///
    /// # Errors
    /// The kind is not stored here, or the object is not of this kind.
    pub fn put(&self, object: Value) -> Result<Value, Status> {
        let group =
            object["apiVersion"].as_str().unwrap_or_default().rsplit_once('/').map_or("", |(group, _)| group);
        let kind = &object["kind"];
        let resource = RESOURCES.iter().find(|r| r.is_kept() && r.group == group && *kind == r.name);
        let resource = resource
            .ok_or_else(|| Status::no_resource(&format!("the sandbox does not have {kind} in {group:?}")))?;
        let mut object = body::typed(resource, object, body::Unknown::Refused)?.object;
        let key = (meta(&object, "namespace").to_owned(), meta(&object, "name").to_owned());
        if key.1.is_empty() || key.0.is_empty() == resource.namespaced {
            return Err(Status::bad_request(
                "an object needs a name, and a namespace where its kind is in one",
            ));
        }
        let mut tables = self.store().lock();
        let current = tables.get(resource.kind, &key.0, &key.1).cloned();
        for (field, new) in [("uid", new_uid()), ("creationTimestamp", self.clock().stamp())] {
            if meta(&object, field).is_empty() {
                let kept = current.as_ref().map(|current| meta(current, field).to_owned());
                object["metadata"][field] = kept.unwrap_or(new).into();
            }
        }
        let kept = tables.put(resource.kind, key, object);
        written(&mut tables, resource.kind);
        Ok(Value::clone(&kept))
    }
}
