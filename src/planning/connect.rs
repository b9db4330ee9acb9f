//! The way to a cluster, and what is read there.

use std::collections::BTreeSet;

use super::source::{LARGEST_FILE, Source};
use crate::cli::Global;
use crate::cluster::{self, Connection};
use crate::error::{Error, Result};
use crate::model::{Authority, CaBundle, ClusterName, RosterName};
use crate::pki::{self, ClientAuthorities};
use crate::plan::RepositoryState;
use crate::plan::check;
use crate::plan::endpoint::{self, ContextEndpoint, Endpoint, NamedEndpoint, PublishedEndpoint};
use crate::plan::observed::{ClusterState, SeenCluster, UnknownCertificates, UnseenCluster, is_ours};
use crate::record::CredentialState;
use crate::render::words;
use crate::roster::Cluster;

/// A cluster that can be reached, and was not read yet.
pub struct Reached {
    /// The way there.
    pub connection: Connection,
    /// What the repository knows of it.
    pub repository: RepositoryState,
    /// What kubeconfigs hold of it.
    pub published: PublishedEndpoint,
}

impl Reached {
    /// What is in the cluster that this is the way to, where that is the one that the records are about.
    ///
    /// # Errors
    /// A list that failed, or another cluster.
    pub async fn observe(&self, name: &ClusterName) -> Result<ClusterState> {
        let state = cluster::observe(&self.connection).await?;
        check::identity(self.repository.pinned_uid.as_deref(), &state.uid)
            .map_err(|other| words::another_cluster(name, &other))?;
        Ok(state)
    }

    /// Reads the cluster.
    ///
    /// # Errors
    /// A list that failed.
    pub async fn read(&self, roster: &RosterName) -> Result<SeenCluster> {
        let (state, ledger, authorities) = futures::join!(
            cluster::observe(&self.connection),
            cluster::read_ledger(&self.connection, roster),
            cluster::client_authorities(&self.connection)
        );
        let state = state?;
        let identity = match state.requests.iter().any(|request| is_ours(&request.labels, roster)) {
            true => Some(cluster::whoami(&self.connection).await?),
            false => None,
        };
        Ok(SeenCluster {
            state,
            identity,
            published: self.published.clone(),
            unknown: match authorities {
                Ok(authorities) => UnknownCertificates::Known(self.unknown_to(&authorities)),
                Err(why) => UnknownCertificates::Unasked { why },
            },
            clock: self.connection.clocks(),
            ledger,
        })
    }

    /// Which recorded certificates none of these CAs has issued.
    fn unknown_to(&self, authorities: &ClientAuthorities) -> BTreeSet<String> {
        let credentials = self.repository.records.values().flat_map(|record| &record.credentials);
        let live = credentials.filter(|credential| credential.state == CredentialState::Active);
        let unknown = live.filter(|credential| !authorities.may_know(&credential.certificate));
        unknown.map(|credential| credential.x509_sha256.clone()).collect()
    }
}

/// Reads what the repository knows of a cluster, and connects to it.
///
/// # Errors
/// There is no way there, or its records do not say which cluster they are about.
pub async fn reach(
    source: &Source,
    global: &Global,
    name: &ClusterName,
    wanted: &Cluster,
) -> Result<Reached> {
    let repository = source.known(name)?;
    let connection =
        Connection::open(global.kubeconfig.as_deref(), &wanted.context, global.request_timeout).await?;
    let published = published(source, wanted, &repository, &connection)?;
    Ok(Reached { connection, repository, published })
}

/// What kubeconfigs hold of a cluster.
///
/// # Errors
/// The CA that the roster or certctl's own kubeconfig names cannot be used.
pub fn published(
    source: &Source,
    wanted: &Cluster,
    repository: &RepositoryState,
    connection: &Connection,
) -> Result<PublishedEndpoint> {
    let named = named(source, wanted)?;
    Ok(endpoint::published(&named, repository.pinned_endpoint.as_ref(), &context(connection)?))
}

/// What certctl's own kubeconfig says.
///
/// # Errors
/// Its CA cannot be used.
pub fn context(connection: &Connection) -> Result<ContextEndpoint> {
    let context = connection.context().to_owned();
    let bundle = connection.certificate_authority().map(pki::ca_bundle).transpose().map_err(|error| {
        error.within(&format!("context `{context}`: the certificate-authority of the kubeconfig"))
    })?;
    let server = connection.server().to_owned();
    Ok(ContextEndpoint {
        context,
        verified: server.starts_with("https://") && !connection.insecure(),
        endpoint: Endpoint { server, authority: bundle.map_or(Authority::System, Authority::Bundle) },
    })
}

/// What roster and pin say of a cluster, without asking anybody.
///
/// # Errors
/// The CA that the roster names cannot be used.
pub fn unseen(source: &Source, wanted: &Cluster, repository: &RepositoryState) -> Result<UnseenCluster> {
    let NamedEndpoint { server, authority } = named(source, wanted)?;
    let pinned = repository.pinned_endpoint.as_ref();
    Ok(UnseenCluster {
        server: server.or_else(|| pinned.map(|pinned| pinned.server.clone())),
        authority: authority.map(Authority::Bundle).or_else(|| pinned.map(|pinned| pinned.authority.clone())),
    })
}

/// What the roster says of where kubeconfigs lead.
///
/// # Errors
/// The CA that it names cannot be used.
pub fn named(source: &Source, wanted: &Cluster) -> Result<NamedEndpoint> {
    let path = wanted.certificate_authority.as_ref();
    let authority = path.map(|path| certificate_authority(source, wanted, path.as_str())).transpose()?;
    Ok(NamedEndpoint { server: wanted.server.clone(), authority })
}

/// The CA that the roster names.
///
/// # Errors
/// There is no such file, or it is no bundle of certificates.
pub fn certificate_authority(source: &Source, cluster: &Cluster, path: &str) -> Result<CaBundle> {
    let what = format!("certificateAuthority {path}");
    let read = source
        .files
        .read(path, LARGEST_FILE)
        .map_err(|cause| Error::new(format!("{what} could not be read")).caused_by(cause));
    let checked = read.and_then(|pem| pki::ca_bundle(&pem).map_err(|error| error.within(&what)));
    checked.map_err(|error| error.placed(&source.file, cluster.position))
}
