//! Whether somebody may do something, as the cluster itself says it (SubjectAccessReview): all its authorizers, not
//! only the rules of RBAC. It decides nothing.

use http::Request;
use serde::Deserialize;
use serde_json::json;

use super::connect::Connection;
use super::error::CallFailure;
use super::resource::{Call, Place, Resource};
use super::retry::Repeat;
use crate::error::Result;
use crate::rbac::{AccessRequest, Requester};

/// What a cluster answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Verdict {
    pub allowed: bool,
    /// Why, in the authorizer's words; often empty.
    #[serde(default)]
    pub reason: String,
}

#[derive(Deserialize)]
struct Review {
    status: Verdict,
}

/// Asks whether somebody may do something.
///
/// # Errors
/// The review failed.
pub async fn review_access(
    connection: &Connection,
    requester: &Requester,
    request: &AccessRequest,
) -> Result<Verdict> {
    let call = Call {
        verb: "create",
        resource: Resource::SubjectAccessReviews,
        place: Place::Cluster,
        name: None,
        otherwise: "what the cluster itself would say is not known",
    };
    let mut spec = json!({"user": requester.user, "groups": requester.groups});
    match request {
        AccessRequest::Resource { verb, group, resource, subresource, namespace, name } => {
            spec["resourceAttributes"] = json!({
                "verb": verb, "group": group, "resource": resource, "subresource": subresource,
                "namespace": namespace.as_deref().unwrap_or_default(), "name": name,
            });
        }
        AccessRequest::Path { verb, path } => {
            spec["nonResourceAttributes"] = json!({"verb": verb, "path": path});
        }
    }
    let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec});
    let review = async {
        let request = Request::post(call.resource.path(None))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body.to_string().into_bytes())
            .map_err(|error| CallFailure::Ours(error.to_string()))?;
        // A review stores nothing, so asking twice is harmless.
        connection.call::<Review>(&request, Repeat::Harmless).await
    };
    let review = review.await.map_err(|failure| failure.explain(connection, &call))?;
    Ok(review.status)
}
