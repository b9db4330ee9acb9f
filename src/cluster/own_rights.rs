//! Which rights a credential has, as the cluster's authorizers say it themselves (SelfSubjectAccessReview): all of
//! them side by side, before any of them is needed.
//!
//! It changes nothing. What cannot be asked is not known: it is no refusal.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _};
use kube::api::PostParams;
use kube::core::Request as Build;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::connect::Connection;
use super::error::CallFailure;
use super::resource::{Place, Resource, Right};
use super::retry::Repeat;
use super::self_review;
use super::write::to_bytes;

/// How many are asked for at once.
const AT_ONCE: usize = 32;

/// From here on, a right in several namespaces is asked for in all of them at first.
const SEVERAL: usize = 2;

/// Whether a credential has a right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HasRight {
    Yes,
    No,
    /// It could not be asked: why, in one line.
    Unknown(String),
}

/// Whether the credential of this connection has each of these rights.
pub async fn rights(
    connection: &Connection,
    rights: impl IntoIterator<Item = Right>,
) -> BTreeMap<Right, HasRight> {
    let rights: BTreeSet<Right> = rights.into_iter().collect();
    let mut places: BTreeMap<Right, usize> = BTreeMap::new();
    for right in &rights {
        *places.entry(everywhere(right)).or_default() += 1;
    }
    let wide: BTreeSet<Right> =
        places.into_iter().filter(|(_, n)| *n >= SEVERAL).map(|(right, _)| right).collect();
    let wide = ask_all(connection, wide).await;
    let holds_everywhere = |right: &Right| wide.get(&everywhere(right)) == Some(&HasRight::Yes);
    let (held, open): (Vec<Right>, Vec<Right>) = rights.into_iter().partition(holds_everywhere);
    let mut answers = ask_all(connection, open).await;
    answers.extend(held.into_iter().map(|right| (right, HasRight::Yes)));
    answers
}

/// The same right in all namespaces, or in the cluster.
fn everywhere(right: &Right) -> Right {
    let place = match &right.place {
        Place::Cluster => Place::Cluster,
        Place::AllNamespaces | Place::Namespace(_) => Place::AllNamespaces,
    };
    Right { place, ..right.clone() }
}

async fn ask_all(
    connection: &Connection,
    rights: impl IntoIterator<Item = Right>,
) -> BTreeMap<Right, HasRight> {
    let asked = rights.into_iter().map(|right| async move {
        let has = match has(connection, &right).await {
            Ok(true) => HasRight::Yes,
            Ok(false) => HasRight::No,
            Err(failure) => HasRight::Unknown(failure.in_short()),
        };
        (right, has)
    });
    stream::iter(asked).buffer_unordered(AT_ONCE).collect().await
}

async fn has(connection: &Connection, right: &Right) -> Result<bool, CallFailure> {
    if is_allowed(connection, right).await? {
        return Ok(true);
    }
    match (right.resource, right.name.as_deref().and_then(|name| name.split_once('/'))) {
        // A rule may name all signers of a domain (pkg/registry/certificates, IsAuthorizedForSignerName).
        (Resource::Signers, Some((domain, _))) => {
            is_allowed(connection, &Right { name: Some(format!("{domain}/*")), ..right.clone() }).await
        }
        (Resource::ClusterRoles | Resource::Roles, _) if right.verb == "bind" => {
            may_bind(connection, right).await
        }
        _ => Ok(false),
    }
}

async fn is_allowed(connection: &Connection, right: &Right) -> Result<bool, CallFailure> {
    #[derive(Deserialize)]
    struct Status {
        allowed: bool,
    }
    let (resource, subresource) =
        right.resource.plural().split_once('/').unwrap_or((right.resource.plural(), ""));
    let namespace = match &right.place {
        Place::Cluster | Place::AllNamespaces => "",
        Place::Namespace(namespace) => namespace,
    };
    let spec = json!({"resourceAttributes": {
        "verb": right.verb,
        "group": right.resource.group(),
        "resource": resource,
        "subresource": subresource,
        "namespace": namespace,
        "name": right.name.as_deref().unwrap_or_default(),
    }});
    let review = Resource::SelfSubjectAccessReviews;
    let status: Status = self_review::ask(connection, review, Some(spec), Repeat::Harmless).await?;
    Ok(status.allowed)
}

/// Whoever has every right of a role may bind it without `bind`. The API server knows: a dry run is judged like
/// any other request, and stores nothing.
async fn may_bind(connection: &Connection, right: &Right) -> Result<bool, CallFailure> {
    let (resource, namespace, kind) = match &right.place {
        Place::Cluster => (Resource::ClusterRoleBindings, None, "ClusterRoleBinding"),
        // Of all of them, nobody can be asked at once.
        Place::AllNamespaces => return Ok(false),
        Place::Namespace(namespace) => (Resource::RoleBindings, Some(namespace.as_str()), "RoleBinding"),
    };
    let role = if right.resource == Resource::Roles { "Role" } else { "ClusterRole" };
    let group = resource.group();
    let body = json!({
        "apiVersion": format!("{group}/v1"),
        "kind": kind,
        "metadata": {"name": "certctl:tried", "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": role, "name": right.name},
    });
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let request = Build::new(resource.path(namespace))
        .create(&params, to_bytes(&body))
        .map_err(|error| CallFailure::Ours(error.to_string()))?;
    match connection.call::<IgnoredAny>(&request, Repeat::Harmless).await {
        Ok(_) => Ok(true),
        Err(failure) if failure.code() == Some(403) => Ok(false),
        // It is judged before the name is looked up.
        Err(failure) if failure.code() == Some(409) => Ok(true),
        Err(failure) => Err(failure),
    }
}
