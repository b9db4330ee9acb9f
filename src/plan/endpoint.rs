//! Where kubeconfigs lead, from one source: what the roster says, else what the first apply pinned, and only
//! before there is a pin what certctl's own context says.
//!
//! An address that would be no use to anyone else is refused: one without TLS, and one of the machine that
//! certctl runs on, unless the roster names that.

use std::net::IpAddr;

use crate::model::{Authority, CaBundle, Invalid};
use crate::record::PinnedEndpoint;
use crate::roster;

/// What kubeconfigs hold of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// What they connect to.
    pub server: String,
    /// What they verify it with.
    pub authority: Authority,
}

impl Endpoint {
    /// As the pin says it.
    pub fn to_pin(&self) -> PinnedEndpoint {
        let certificate_authority = self.authority.bundle().map(|bundle| bundle.pem().to_owned());
        PinnedEndpoint { server: self.server.clone(), certificate_authority }
    }
}

/// What the roster says of it; what is `None` it leaves to the pin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedEndpoint {
    pub server: Option<String>,
    pub authority: Option<CaBundle>,
}

/// What certctl's own kubeconfig says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextEndpoint {
    /// The name of the context.
    pub context: String,
    pub endpoint: Endpoint,
    /// Whether certctl itself verifies the server: not without TLS, nor with `insecure-skip-tls-verify`.
    pub verified: bool,
}

/// What kubeconfigs get, and what was decided on the way there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedEndpoint {
    pub endpoint: Endpoint,
    /// Why no kubeconfig may be made with it.
    pub refused: Option<Unpublishable>,
    /// What certctl's own context says, where the pin says otherwise and counts.
    pub passed_over: Option<ContextEndpoint>,
}

/// Why no kubeconfig may lead there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpublishable {
    /// It is no `https://` address, or one that no kubeconfig should hold.
    Address { server: String, why: Invalid },
    /// It is this very machine for whoever uses it, and the roster does not say that this is meant.
    Loopback { server: String },
    /// There is no CA to verify it with: certctl's own context does not verify it either.
    Unverified { context: String },
}

/// The one source of each part.
pub fn published(
    named: &NamedEndpoint,
    pinned: Option<&Endpoint>,
    context: &ContextEndpoint,
) -> PublishedEndpoint {
    let own = &context.endpoint;
    let fallback = pinned.unwrap_or(own);
    let server = named.server.as_ref().unwrap_or(&fallback.server).clone();
    let authority = match (&named.authority, &fallback.authority) {
        (Some(bundle), _) => Authority::Bundle(bundle.clone()),
        // The records of an earlier version say how the bundle was written.
        (None, Authority::Bundle(bundle)) => Authority::Bundle(match own.authority.bundle() {
            Some(own) => bundle.clone().also_spelled_as(own),
            None => bundle.clone(),
        }),
        (None, Authority::System) => Authority::System,
    };
    let other_server = named.server.is_none() && fallback.server != own.server;
    let other_authority = named.authority.is_none() && fallback.authority != own.authority;
    let refused = match roster::server(&server) {
        Err(why) => Some(Unpublishable::Address { server: server.clone(), why }),
        Ok(_) if named.server.is_none() && is_loopback(&server) => {
            Some(Unpublishable::Loopback { server: server.clone() })
        }
        Ok(_) if named.authority.is_none() && pinned.is_none() && !context.verified => {
            Some(Unpublishable::Unverified { context: context.context.clone() })
        }
        Ok(_) => None,
    };
    PublishedEndpoint {
        endpoint: Endpoint { server, authority },
        refused,
        passed_over: (other_server || other_authority).then(|| context.clone()),
    }
}

/// Whether an address is the machine itself, for whoever uses it.
fn is_loopback(server: &str) -> bool {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _port)) => address,
        None => authority.split(':').next().unwrap_or_default(),
    };
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => {
            let mapped = match address {
                IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4),
                v4 @ IpAddr::V4(_) => v4,
            };
            mapped.is_loopback() || mapped.is_unspecified()
        }
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_itself_is_known_however_it_is_written() {
        for here in [
            "https://localhost",
            "https://LOCALHOST.:6443/x",
            "https://kubernetes.localhost:6443",
            "https://127.0.0.1:6443",
            "https://127.8.9.1",
            "https://0.0.0.0:6443",
            "https://[::1]:6443",
            "https://[::ffff:127.0.0.1]:6443",
        ] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in ["https://10.0.0.1", "https://localhost.example.com", "https://[2001:db8::1]:6443"] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
