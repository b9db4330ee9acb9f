//! The API in memory: the backend that a sandbox runs on.

use bytes::Bytes;
use http::{Request, Response};

use crate::backend::{Abort, Backend, Body};
use crate::status::Status;
use crate::user::User;

/// Objects in memory and what may be done with them.
#[derive(Debug, Default)]
pub struct Api {}

impl Backend for Api {
    async fn handle(&self, _user: User, request: Request<Bytes>) -> Result<Response<Body>, Abort> {
        let why = format!("the sandbox does not have {}", request.uri().path());
        Ok(Status::no_resource(&why).into_response())
    }
}
