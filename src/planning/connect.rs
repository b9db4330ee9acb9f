//! The way to a cluster, and what is read there.

use super::source::{LARGEST_FILE, Source};
use crate::cli::Global;
use crate::cluster::{self, Connection};
use crate::error::{Error, Result};
use crate::model::{ClusterName, RosterName, hex, sha256};
use crate::pki;
use crate::plan::RepositoryState;
use crate::plan::observed::{Endpoint, SeenCluster, UnseenCluster, is_ours};
use crate::roster::Cluster;

/// A cluster that can be reached, and was not read yet.
pub struct Reached {
    /// The way there.
    pub connection: Connection,
    /// What the repository knows of it.
    pub repository: RepositoryState,
    /// What kubeconfigs hold of it.
    pub endpoint: Endpoint,
    /// The CA for kubeconfigs.
    pub certificate_authority: Option<Vec<u8>>,
}

impl Reached {
    /// Reads the cluster.
    ///
    /// # Errors
    /// A list that failed.
    pub async fn read(&self, roster: &RosterName) -> Result<SeenCluster> {
        let (state, ledger) = futures::join!(
            cluster::observe(&self.connection),
            cluster::read_ledger(&self.connection, roster)
        );
        let state = state?;
        let identity = match state.requests.iter().any(|request| is_ours(&request.labels, roster)) {
            true => Some(cluster::whoami(&self.connection).await?),
            false => None,
        };
        Ok(SeenCluster { state, identity, endpoint: self.endpoint.clone(), ledger })
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
    let (endpoint, certificate_authority) = endpoint(source, wanted, &connection)?;
    if certificate_authority.is_none() && connection.insecure() {
        return Err(Error::new(format!(
            "cluster `{name}`: context `{}` skips the verification of the server, so its kubeconfigs would have no CA; nothing was planned",
            wanted.context
        ))
        .hint(format!("name the server's CA with `certificateAuthority:` of cluster `{name}` in {}", source.file)));
    }
    Ok(Reached { connection, repository, endpoint, certificate_authority })
}

/// What kubeconfigs hold of a cluster, with the CA itself: as the roster says, else as certctl's own
/// kubeconfig does.
///
/// # Errors
/// The CA that the roster names cannot be used.
pub fn endpoint(
    source: &Source,
    wanted: &Cluster,
    connection: &Connection,
) -> Result<(Endpoint, Option<Vec<u8>>)> {
    let authority = match &wanted.certificate_authority {
        Some(path) => Some(certificate_authority(source, wanted, path.as_str())?),
        None => connection.certificate_authority().map(<[u8]>::to_vec),
    };
    let endpoint = Endpoint {
        server: wanted.server.as_deref().unwrap_or(connection.server()).to_owned(),
        certificate_authority_sha256: authority.as_ref().map(|ca| hex(&sha256(ca))),
    };
    Ok((endpoint, authority))
}

/// What the roster alone says of a cluster.
///
/// # Errors
/// The CA that it names cannot be used.
pub fn unseen(source: &Source, wanted: &Cluster) -> Result<UnseenCluster> {
    let authority = wanted.certificate_authority.as_ref();
    let authority = authority.map(|path| certificate_authority(source, wanted, path.as_str())).transpose()?;
    Ok(UnseenCluster {
        server: wanted.server.clone(),
        certificate_authority_sha256: authority.map(|ca| hex(&sha256(&ca))),
    })
}

/// The CA that the roster names.
pub fn certificate_authority(source: &Source, cluster: &Cluster, path: &str) -> Result<Vec<u8>> {
    let what = format!("certificateAuthority {path}");
    let read = source
        .files
        .read(path, LARGEST_FILE)
        .map_err(|cause| Error::new(format!("{what} could not be read")).caused_by(cause));
    let checked = read.and_then(|pem| {
        pki::check_authority(&pem).map_err(|error| error.within(&what))?;
        Ok(pem)
    });
    checked.map_err(|error| error.placed(&source.file, cluster.position))
}
