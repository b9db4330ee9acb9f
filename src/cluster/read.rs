//! What is in the cluster now, in a fixed number of lists, however many people there are.
//!
//! It changes nothing. It refuses to answer with less than everything: one list that fails fails
//! the whole, and a cluster that shows no kube-system is an error, not an empty cluster.

use std::collections::BTreeMap;

use http::header::ACCEPT;
use http::{HeaderValue, Request};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use kube::api::ListParams;
use kube::core::Request as Build;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::connect::Connection;
use super::convert::{self, BindingObject, Metadata, Named, Page, RoleObject};
use super::error::CallFailure;
use super::limits::{self, Budget, Weight};
use super::resource::{Call, Place, Resource};
use super::retry::Repeat;
use crate::error::{Error, Result};
use crate::plan::observed::{Binding, ClusterState, Roles};

/// How many objects a page contains: the default of kubectl and client-go.
const PAGE: u32 = 500;

/// How often one list may start over because its continue token expired (after 5 minutes, the
/// compaction interval of etcd).
const RESTARTS: u32 = 2;

/// The namespace whose UID is the cluster's identity.
const IDENTITY: &str = "kube-system";

/// Metadata only, and whole objects from a server that cannot leave the rest out.
const METADATA_ONLY: HeaderValue = HeaderValue::from_static(
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json",
);

/// Reads the whole state that a plan is computed from: six lists, concurrently, in pages of 500.
///
/// # Errors
/// Any list that could not be read to its end; a cluster without kube-system.
pub async fn observe(connection: &Connection) -> Result<ClusterState> {
    let budget = Budget::default();
    let (namespaces, cluster_roles, roles, cluster_role_bindings, role_bindings, requests) = futures::join!(
        list(connection, &budget, Resource::Namespaces, |object: Named| {
            let Metadata { name, uid, deletion_timestamp, labels, .. } = object.metadata;
            (name, (uid, (deletion_timestamp.is_some(), labels.unwrap_or_default())))
        }),
        list(connection, &budget, Resource::ClusterRoles, |object: RoleObject| {
            (object.metadata.name.clone(), object.into_rules())
        }),
        list(connection, &budget, Resource::Roles, |object: RoleObject| {
            let namespace = object.metadata.namespace.clone().unwrap_or_default();
            ((namespace, object.metadata.name.clone()), object.into_rules())
        }),
        list(connection, &budget, Resource::ClusterRoleBindings, |object: BindingObject| Binding::from(
            object
        )),
        list(connection, &budget, Resource::RoleBindings, |object: BindingObject| { Binding::from(object) }),
        list(connection, &budget, Resource::SigningRequests, |object: CertificateSigningRequest| {
            convert::signing_request(object)
        }),
    );
    let mut unread = Vec::new();
    let namespaces = kept(namespaces, &mut unread);
    let cluster_roles = kept(cluster_roles, &mut unread);
    let roles = kept(roles, &mut unread);
    let cluster_role_bindings = kept(cluster_role_bindings, &mut unread);
    let role_bindings = kept(role_bindings, &mut unread);
    let requests = kept(requests, &mut unread);
    let errors = told(unread).into_iter().map(|(failure, call)| failure.explain(connection, &call));
    if let Some(error) = Error::all(errors) {
        return Err(error);
    }
    let terminating =
        namespaces.iter().filter(|(_, (_, (goes, _)))| *goes).map(|(name, _)| name.clone()).collect();
    let mut namespace_labels = BTreeMap::new();
    let namespaces: Vec<(String, String)> = namespaces
        .into_iter()
        .map(|(name, (uid, (_, labels)))| {
            namespace_labels.insert(name.clone(), labels);
            (name, uid)
        })
        .collect();
    let uid = identity(connection, &namespaces)?;
    let mut bindings = cluster_role_bindings;
    bindings.extend(role_bindings);
    Ok(ClusterState {
        uid,
        namespaces: namespaces.into_iter().map(|(name, _)| name).collect(),
        namespace_labels,
        terminating,
        roles: Roles {
            cluster_roles: cluster_roles.into_iter().collect(),
            roles: roles.into_iter().collect(),
        },
        bindings,
        requests,
    })
}

/// Who is bound now, by whomever.
///
/// # Errors
/// A list that failed.
pub async fn bindings(connection: &Connection) -> Result<Vec<Binding>> {
    let budget = Budget::default();
    let read = |resource| list(connection, &budget, resource, |object: BindingObject| Binding::from(object));
    let read = futures::try_join!(read(Resource::ClusterRoleBindings), read(Resource::RoleBindings));
    let (mut all, in_namespaces) = read.map_err(|(failure, call)| failure.explain(connection, &call))?;
    all.extend(in_namespaces);
    Ok(all)
}

/// Only the cluster's identity, before anything else is read or written there. A list, because that
/// is the verb which reading the state needs anyway.
///
/// # Errors
/// It could not be read; a cluster without kube-system.
pub async fn uid(connection: &Connection) -> Result<String> {
    let read = async {
        let params = ListParams::default().fields(&format!("metadata.name={IDENTITY}"));
        let request = Build::new(Resource::Namespaces.path(None))
            .list(&params)
            .map_err(|error| CallFailure::Ours(error.to_string()))?;
        let page: Page<Named> = connection.call(&request, Repeat::Harmless).await?;
        Ok(page.items.unwrap_or_default().into_iter().map(|n| (n.metadata.name, n.metadata.uid)).collect())
    };
    let call = Call {
        verb: "list",
        resource: Resource::Namespaces,
        place: Place::Cluster,
        name: None,
        otherwise: "nothing was changed",
    };
    let namespaces: Vec<(String, String)> =
        read.await.map_err(|failure: CallFailure| failure.explain(connection, &call))?;
    identity(connection, &namespaces)
}

/// The UID of the namespace that identifies the cluster.
fn identity(connection: &Connection, namespaces: &[(String, String)]) -> Result<String> {
    let found = namespaces.iter().find(|(name, uid)| name == IDENTITY && !uid.is_empty());
    found.map(|(_, uid)| uid.clone()).ok_or_else(|| {
        let context = connection.context();
        Error::new(format!(
            "{context}: the cluster shows no namespace {IDENTITY}, so it cannot be told from another; nothing was changed"
        ))
        .hint(format!(
            "check that `server` of context `{context}` is a whole Kubernetes API server: `kubectl --context {context} get namespace {IDENTITY}`"
        ))
    })
}

/// What was read, or nothing and a note that it was not: the caller returns none of it then.
fn kept<T>(read: Result<Vec<T>, Unread>, unread: &mut Vec<Unread>) -> Vec<T> {
    read.unwrap_or_else(|failed| {
        unread.push(failed);
        Vec::new()
    })
}

/// Which of the lists that failed are told: every missing right at once, but a cluster that is down
/// only once.
fn told(unread: Vec<Unread>) -> Vec<Unread> {
    let (refused, mut other): (Vec<_>, Vec<_>) =
        unread.into_iter().partition(|(failure, _)| failure.is_missing_right());
    other.truncate(1);
    if other.is_empty() { refused } else { other }
}

/// A list that could not be read to its end.
type Unread = (CallFailure, Call);

/// Every object of one kind in the whole cluster, each reduced by `keep` as its page arrives.
async fn list<O: DeserializeOwned, T: Weight>(
    connection: &Connection,
    budget: &Budget,
    resource: Resource,
    keep: impl Fn(O) -> T,
) -> Result<Vec<T>, Unread> {
    let call = Call {
        verb: "list",
        resource,
        place: match resource {
            Resource::Roles | Resource::RoleBindings => Place::AllNamespaces,
            _ => Place::Cluster,
        },
        name: None,
        otherwise: "nothing was changed",
    };
    let time = limits::listing_time(connection.limit());
    let listed = async {
        let mut restarts = 0;
        loop {
            match pages(connection, budget, resource, &keep).await {
                Err(failure) if failure.code() == Some(410) && restarts < RESTARTS => restarts += 1,
                ended => return ended,
            }
        }
    };
    let ended = timeout(time, listed).await.unwrap_or_else(|_| {
        Err(CallFailure::Lost(format!("the list did not end within {} s", time.as_secs_f64())))
    });
    ended.map_err(|failure| (failure, call))
}

async fn pages<O: DeserializeOwned, T: Weight>(
    connection: &Connection,
    budget: &Budget,
    resource: Resource,
    keep: &impl Fn(O) -> T,
) -> Result<Vec<T>, CallFailure> {
    let mut all = Vec::new();
    let mut next = None;
    let mut size = PAGE;
    for _ in 0..limits::PAGES {
        let request = page_request(resource, size, next.clone())?;
        let page: Page<O> = match connection.call(&request, Repeat::Harmless).await {
            // Large objects, which anyone may have planted: fewer of them at once.
            Err(CallFailure::TooLarge(_)) if size > 1 => {
                size = (size / 8).max(1);
                continue;
            }
            page => page?,
        };
        if !page.kind.ends_with("List") {
            return Err(CallFailure::Garbled(format!("a {} where a list was asked for", page.kind)));
        }
        let kept: Vec<T> = page.items.unwrap_or_default().into_iter().map(keep).collect();
        budget.take(&kept)?;
        all.extend(kept);
        match page.metadata.next.filter(|token| !token.is_empty()) {
            Some(token) => next = Some(token),
            None => return Ok(all),
        }
    }
    Err(CallFailure::TooLarge(format!("it has more than {} pages", limits::PAGES)))
}

fn page_request(
    resource: Resource,
    size: u32,
    next: Option<String>,
) -> Result<Request<Vec<u8>>, CallFailure> {
    let params = ListParams { limit: Some(size), continue_token: next, ..ListParams::default() };
    let mut request = Build::new(resource.path(None))
        .list(&params)
        .map_err(|error| CallFailure::Ours(error.to_string()))?;
    if resource == Resource::Namespaces {
        request.headers_mut().insert(ACCEPT, METADATA_ONLY);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn unread(failures: &[CallFailure]) -> Vec<Unread> {
        let call = Call {
            verb: "list",
            resource: Resource::Roles,
            place: Place::AllNamespaces,
            name: None,
            otherwise: "nothing was changed",
        };
        failures.iter().map(|failure| (failure.clone(), call.clone())).collect()
    }

    #[test]
    fn every_missing_right_is_reported_and_everything_else_once() {
        let refused = |user: &str| CallFailure::Api {
            status: Box::new(
                Status::failure(&format!("User \"{user}\" cannot list resource"), "").with_code(403),
            ),
            retry_after: None,
        };
        let lost = CallFailure::Lost("reset".into());
        assert_eq!(told(unread(&[])).len(), 0);
        assert_eq!(told(unread(&[refused("ci"), refused("ci")])).len(), 2);
        assert_eq!(told(unread(&[refused("system:anonymous"), refused("system:anonymous")])).len(), 1);
        let one = told(unread(&[refused("ci"), lost.clone(), lost]));
        assert!(matches!(&one[..], [(CallFailure::Lost(_), _)]));
    }

    #[test]
    fn lists_are_paged_and_names_come_without_the_rest() {
        let request = page_request(Resource::Namespaces, PAGE, Some("a/b=".into())).expect("a request");
        assert_eq!(request.uri().to_string(), "/api/v1/namespaces?&limit=500&continue=a%2Fb%3D");
        assert_eq!(request.headers()[ACCEPT], METADATA_ONLY);
        let request = page_request(Resource::RoleBindings, PAGE, None).expect("a request");
        assert!(!request.headers().contains_key(ACCEPT));
    }
}
