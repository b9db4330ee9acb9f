//! CertificateSigningRequests in the cluster: what came of them, and whose left-overs they are.

use jiff::Timestamp;

use super::cleanup::Cleanup;
use super::observed::{self, RepositoryState, SeenCluster, SigningRequest};
use crate::model::UserName;
use crate::record::Credential;
use crate::roster::Roster;

/// The recorded credential that came of a request. The cluster deletes an issued request within the hour.
pub(super) fn outcome<'a>(
    repository: &'a RepositoryState,
    request: &SigningRequest,
) -> Option<&'a Credential> {
    let user = request.common_name.as_ref()?.parse::<UserName>().ok().filter(|_| request.issued)?;
    repository.records.get(&user)?.credentials.iter().find(|c| Some(&c.id) == request.key.as_ref())
}

/// Whether this very identity made a request in the name of this roster.
pub(super) fn is_of_this_identity(roster: &Roster, cluster: &SeenCluster, request: &SigningRequest) -> bool {
    observed::is_ours(&request.labels, &roster.name)
        && request.name.starts_with(&observed::request_prefix(&roster.name))
        && cluster.identity.as_ref() == Some(&request.requester)
}

/// Requests of ours that nobody needs any more: those without a record, and those whose record is
/// forgotten now, which otherwise would be without one next time. Labels can be written by anyone, so
/// only what this very identity made is ours; the rest is for a warning to name.
pub(super) fn leftovers<'a>(
    roster: &'a Roster,
    repository: &'a RepositoryState,
    cluster: &'a SeenCluster,
    now: Timestamp,
) -> impl Iterator<Item = Cleanup> + 'a {
    let ours = cluster.state.requests.iter().filter(move |request| {
        is_of_this_identity(roster, cluster, request)
            && outcome(repository, request).is_none_or(|credential| credential.not_after <= now)
    });
    ours.map(|request| Cleanup::Request {
        name: request.name.clone(),
        uid: request.uid.clone(),
        requester: request.requester.clone(),
    })
}
