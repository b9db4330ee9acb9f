//! The interface between the server and what handles its requests: the in-memory API, a proxy to another
//! API server, or either of them with deliberate faults.

use std::fmt;
use std::future::Future;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

use crate::user::User;

/// The connection is dropped, without a response or in the middle of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abort;

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is dropped on purpose")
    }
}

impl std::error::Error for Abort {}

/// The body of a response: complete, or the stream of a watch. An [`Abort`] inside it cuts the connection.
pub type Body = UnsyncBoxBody<Bytes, Abort>;

/// A complete body.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// What handles requests whose sender is authenticated.
pub trait Backend: Send + Sync + 'static {
    /// Handles one request. The body of `request` is complete and of limited size.
    ///
    /// # Errors
    /// [`Abort`] if the connection is to be dropped without a response.
    fn handle(
        &self,
        user: User,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Body>, Abort>> + Send;
}
