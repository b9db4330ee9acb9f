//! A server on loopback in front of another API server. With [`crate::faults`] in between, a real
//! cluster can be made to fail like the sandbox.

use crate::clock::Clock;
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
        Self::start_at(upstream, context, Clock::default())
    }

    /// As [`Self::start`], with a clock of its own: each response has its `Date`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_at(upstream: Upstream, context: &str, clock: Clock) -> Result<Self, Error> {
        let options =
            Options { context: context.to_owned(), audit: false, date: clock, ..Options::default() };
        Sandbox::launch(options, Some(upstream)).map(Self)
    }

    /// Its URL.
    pub fn server(&self) -> String {
        self.0.server()
    }

    /// The authority that issued its certificate, PEM.
    pub fn serving_ca_pem(&self) -> String {
        self.0.serving_ca_pem()
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
