//! A server on loopback in front of another API server. With [`crate::faults`] in between, a real
//! cluster can be made to fail like the sandbox.

use crate::faults::Faults;
use crate::sandbox::{Error, Options, Sandbox};
pub use crate::upstream::Upstream;

/// A server on loopback that returns another API server's responses, except for injected faults. It stops
/// when dropped.
#[derive(Debug)]
pub struct Proxy(Sandbox);

impl Proxy {
    /// Starts one in front of `upstream`. `context` is the name in its kubeconfig.
    ///
    /// # Errors
    /// There is no free port, or no randomness.
    pub fn start(upstream: Upstream, context: &str) -> Result<Self, Error> {
        let options = Options { context: context.to_owned(), audit: false, ..Options::default() };
        Sandbox::launch(options, Some(upstream)).map(Self)
    }

    /// The kubeconfig for the proxy. Anyone who has it acts upstream as the user of `upstream`.
    pub fn kubeconfig(&self) -> String {
        self.0.kubeconfig()
    }

    /// The faults to inject.
    pub fn faults(&self) -> &Faults {
        self.0.faults()
    }
}
