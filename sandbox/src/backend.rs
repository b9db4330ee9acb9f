//! The seam between the server and what answers: the API in memory, a proxy to another API server,
//! or either of them made to fail on purpose.

use std::fmt;
use std::future::Future;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

use crate::user::User;

/// The connection is dropped, without an answer or in the middle of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abort;

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is dropped on purpose")
    }
}

impl std::error::Error for Abort {}

/// The body of an answer: whole, or the stream of a watch. An [`Abort`] inside it cuts the connection.
pub type Body = UnsyncBoxBody<Bytes, Abort>;

/// A body that is there as a whole.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// What answers requests whose sender is known.
pub trait Backend: Send + Sync + 'static {
    /// Answers one request. The body of `request` is whole and of limited size.
    ///
    /// # Errors
    /// [`Abort`] where the connection is to be dropped without an answer.
    fn handle(
        &self,
        user: User,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Body>, Abort>> + Send;
}
