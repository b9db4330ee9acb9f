//! What a credential asks the API server about itself: objects that are created and not stored, so that asking
//! twice is harmless.

use kube::api::PostParams;
use kube::core::Request as Build;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::connect::Connection;
use super::error::CallFailure;
use super::resource::{Call, Place, Resource};
use super::retry::Repeat;
use super::write::to_bytes;
use crate::error::Result;
use crate::rbac::Requester;

/// Who the API server takes a connection for.
#[derive(Deserialize)]
pub(super) struct ReviewedUser {
    /// Never empty.
    #[serde(default)]
    pub(super) username: String,
    #[serde(default)]
    pub(super) groups: Vec<String>,
}

/// The user that the API server takes this connection for (SelfSubjectReview, Kubernetes 1.28).
///
/// # Errors
/// The review failed, or names no user.
pub async fn whoami(connection: &Connection) -> Result<String> {
    Ok(own_identity(connection).await?.user)
}

/// As [`whoami`], with the groups.
///
/// # Errors
/// The review failed, or names no user.
pub async fn own_identity(connection: &Connection) -> Result<Requester> {
    let call = call(Resource::SelfSubjectReviews, "nothing was changed");
    let me = who(connection, Repeat::Harmless).await.map_err(|failure| failure.explain(connection, &call))?;
    Ok(Requester { user: me.username, groups: me.groups })
}

pub(super) async fn who(connection: &Connection, repeat: Repeat) -> Result<ReviewedUser, CallFailure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        user_info: ReviewedUser,
    }
    let status: Status = ask(connection, Resource::SelfSubjectReviews, None, repeat).await?;
    match status.user_info {
        me if me.username.is_empty() => Err(CallFailure::Garbled("the review names no user".to_owned())),
        me => Ok(me),
    }
}

/// The `status` of a review of this kind.
pub(super) async fn ask<S: DeserializeOwned>(
    connection: &Connection,
    resource: Resource,
    spec: Option<Value>,
    repeat: Repeat,
) -> Result<S, CallFailure> {
    #[derive(Deserialize)]
    struct Review<S> {
        status: S,
    }
    let kind = match resource {
        Resource::SelfSubjectRulesReviews => "SelfSubjectRulesReview",
        Resource::SelfSubjectAccessReviews => "SelfSubjectAccessReview",
        _ => "SelfSubjectReview",
    };
    let mut body = json!({"apiVersion": format!("{}/v1", resource.group()), "kind": kind});
    if let Some(spec) = spec {
        body["spec"] = spec;
    }
    let request = Build::new(resource.path(None))
        .create(&PostParams::default(), to_bytes(&body))
        .map_err(|error| CallFailure::Ours(error.to_string()))?;
    let review: Review<S> = connection.call(&request, repeat).await?;
    Ok(review.status)
}

/// A review, as errors describe it.
pub(super) fn call(resource: Resource, otherwise: &'static str) -> Call {
    Call { verb: "create", resource, place: Place::Cluster, name: None, otherwise }
}
