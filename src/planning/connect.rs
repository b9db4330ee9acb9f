//! The way to a cluster, and what is read there.

use super::source::{LARGEST_FILE, Source};
use crate::cli::Global;
use crate::cluster::{self, Connection};
use crate::error::{Error, Result};
use crate::model::{ClusterName, RosterName, hex, sha256};
use crate::pki;
use crate::plan::observed::is_ours;
use crate::plan::{Observed, Unseen};
use crate::roster::Cluster;

/// A cluster that was reached and, once [`Reached::read`] has run, read.
pub struct Reached {
    /// The way there.
    pub connection: Connection,
    /// What is known of it.
    pub observed: Observed,
    /// The CA for kubeconfigs.
    pub certificate_authority: Option<Vec<u8>>,
    /// What is wrong with keys that users brought: they get nothing new, everyone else does.
    pub refused_keys: Vec<Error>,
}

impl Reached {
    /// Reads the cluster.
    ///
    /// # Errors
    /// A list that failed.
    pub async fn read(mut self, roster: &RosterName) -> Result<Self> {
        self.observed.state = cluster::observe(&self.connection).await?;
        let requests = &self.observed.state.requests;
        if requests.iter().any(|request| is_ours(&request.labels, roster)) {
            self.observed.identity = Some(cluster::whoami(&self.connection).await?);
        }
        Ok(self)
    }
}

/// Reads what the repository knows of a cluster, and connects to it.
///
/// # Errors
/// There is no way there, or its records are not as certctl wrote them.
pub async fn reach(
    source: &Source,
    global: &Global,
    name: &ClusterName,
    wanted: &Cluster,
) -> Result<Reached> {
    let mut observed = source.repository(name)?;
    let refused_keys = source.brought_keys(name, &mut observed);
    let connection =
        Connection::open(global.kubeconfig.as_deref(), &wanted.context, global.request_timeout).await?;
    let certificate_authority = endpoint(source, wanted, Some(&connection), &mut observed)?;
    if certificate_authority.is_none() && connection.insecure() {
        return Err(Error::new(format!(
            "cluster `{name}`: context `{}` skips the verification of the server, so its kubeconfigs would have no CA; nothing was planned",
            wanted.context
        ))
        .hint(format!("name the server's CA with `certificateAuthority:` of cluster `{name}` in {}", source.file)));
    }
    Ok(Reached { connection, observed, certificate_authority, refused_keys })
}

/// What the repository alone knows of a cluster, with what is wrong with keys that users brought.
///
/// # Errors
/// Its records are not as certctl wrote them.
pub fn unreached(source: &Source, name: &ClusterName, wanted: &Cluster) -> Result<(Observed, Vec<Error>)> {
    let mut observed = source.repository(name)?;
    let refused_keys = source.brought_keys(name, &mut observed);
    observed.unseen.insert(Unseen::Cluster);
    endpoint(source, wanted, None, &mut observed)?;
    Ok((observed, refused_keys))
}

/// Notes where kubeconfigs lead and which CA they hold, which is returned: as the roster says, else as
/// certctl's own kubeconfig does, where that was read.
pub fn endpoint(
    source: &Source,
    wanted: &Cluster,
    connection: Option<&Connection>,
    observed: &mut Observed,
) -> Result<Option<Vec<u8>>> {
    match wanted.server.as_deref().or(connection.map(Connection::server)) {
        Some(server) => observed.server = server.to_owned(),
        None => drop(observed.unseen.insert(Unseen::Server)),
    }
    let authority = match (&wanted.certificate_authority, connection) {
        (Some(path), _) => Some(certificate_authority(source, wanted, path.as_str())?),
        (None, Some(connection)) => connection.certificate_authority().map(<[u8]>::to_vec),
        (None, None) => {
            observed.unseen.insert(Unseen::CertificateAuthority);
            None
        }
    };
    observed.certificate_authority_sha256 = authority.as_ref().map(|ca| hex(&sha256(ca)));
    Ok(authority)
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
