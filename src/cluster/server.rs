//! What an API server is: its version, its API groups, and single objects as they are. It decides nothing.

use std::collections::BTreeSet;

use http::Request;
use kube::core::Request as Build;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::connect::Connection;
use super::error::CallFailure;
use super::resource::{Call, Place, Resource, segment};
use super::retry::Repeat;
use crate::error::{Error, Result, visible_line};

/// `gitVersion`, e.g. `v1.37.2`.
///
/// # Errors
/// It does not say.
pub async fn version(connection: &Connection) -> Result<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        git_version: String,
    }
    let version: Version = get(connection, "/version").await?;
    Ok(visible_line(&version.git_version))
}

/// The API groups that are served in version v1.
///
/// # Errors
/// They could not be read.
pub async fn api_groups(connection: &Connection) -> Result<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Groups {
        groups: Vec<Group>,
    }
    #[derive(Deserialize)]
    struct Group {
        name: String,
        versions: Vec<GroupVersion>,
    }
    #[derive(Deserialize)]
    struct GroupVersion {
        version: String,
    }
    let groups: Groups = get(connection, "/apis").await?;
    let served = groups.groups.into_iter().filter(|group| group.versions.iter().any(|it| it.version == "v1"));
    Ok(served.map(|group| group.name).collect())
}

/// A Role or a binding, by kind, as the API server has it; `None` where there is none.
///
/// # Errors
/// It could not be read, or is of no kind of RBAC.
pub async fn rbac_object(
    connection: &Connection,
    kind: &str,
    namespace: Option<&str>,
    name: &str,
) -> Result<Option<Value>> {
    let resource = match kind {
        "ClusterRole" => Resource::ClusterRoles,
        "ClusterRoleBinding" => Resource::ClusterRoleBindings,
        "RoleBinding" => Resource::RoleBindings,
        _ => Resource::Roles,
    };
    let place = namespace.map_or(Place::Cluster, |namespace| Place::Namespace(namespace.to_owned()));
    let call =
        Call { verb: "get", resource, place, name: Some(name.to_owned()), otherwise: "it was not compared" };
    let request = Build::new(resource.path(namespace)).get(&segment(name), &Default::default());
    let answer = match request {
        Ok(request) => connection.call(&request, Repeat::Harmless).await,
        Err(error) => Err(CallFailure::Ours(error.to_string())),
    };
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(failure) if failure.code() == Some(404) => Ok(None),
        Err(failure) => Err(failure.explain(connection, &call)),
    }
}

async fn get<T: DeserializeOwned>(connection: &Connection, path: &str) -> Result<T> {
    let request = Request::get(path).body(Vec::new()).map_err(|error| CallFailure::Ours(error.to_string()));
    let answer = match request {
        Ok(request) => connection.call(&request, Repeat::Harmless).await,
        Err(failure) => Err(failure),
    };
    answer.map_err(|failure| {
        Error::new(format!("{path} of {} could not be read", connection.server()))
            .caused_by(failure.in_short())
    })
}
