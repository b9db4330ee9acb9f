//! A server on loopback in front of another API server. With [`crate::faults`] in between, a real
//! cluster can be broken as the sandbox can.

use crate::faults::Faults;
use crate::sandbox::{Error, Options, Sandbox};
pub use crate::upstream::Upstream;

/// A server on loopback whose answers are another API server's, unless a fault says otherwise. It ends
/// when this is dropped.
#[derive(Debug)]
pub struct Proxy(Sandbox);

impl Proxy {
    /// Starts one in front of `upstream`. `context` is the name in its kubeconfig.
    ///
    /// # Errors
    /// There is no port, or no randomness.
    pub fn start(upstream: Upstream, context: &str) -> Result<Self, Error> {
        let options = Options { context: context.to_owned(), audit: false, ..Options::default() };
        Sandbox::launch(options, Some(upstream)).map(Self)
    }

    /// The kubeconfig that leads to the proxy. Whoever holds it is, upstream, who `upstream` says.
    pub fn kubeconfig(&self) -> String {
        self.0.kubeconfig()
    }

    /// What is to go wrong with which calls.
    pub fn faults(&self) -> &Faults {
        self.0.faults()
    }
}
