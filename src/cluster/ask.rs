//! One GET of any path, to show what a credential may do. It decides nothing.

use http::Request;
use serde_json::Value;

use super::connect::Connection;
use super::error::CallFailure;
use super::retry::Repeat;
use crate::error::{Error, Result};

/// What the API server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A list with so many items, or one object.
    Allowed {
        /// How many.
        items: usize,
    },
    /// A refusal, with the server's message.
    Refused {
        /// The HTTP code, e.g. 403.
        code: u16,
        /// The server's message.
        message: String,
    },
}

/// Asks for a path, such as `/api/v1/namespaces/shop/pods`.
///
/// # Errors
/// No answer came, or none of the Kubernetes API.
pub async fn ask(connection: &Connection, path: &str) -> Result<Answer> {
    let request = Request::get(path).body(Vec::new()).map_err(|error| CallFailure::Ours(error.to_string()));
    let answer = match request {
        Ok(request) => connection.call::<Value>(&request, Repeat::Harmless).await,
        Err(failure) => Err(failure),
    };
    match answer {
        Ok(object) => Ok(Answer::Allowed { items: object["items"].as_array().map_or(1, Vec::len) }),
        Err(CallFailure::Api { status, .. }) => {
            Ok(Answer::Refused { code: status.code, message: status.message })
        }
        Err(
            CallFailure::Unconnected { cause, .. }
            | CallFailure::Lost(cause)
            | CallFailure::Ours(cause)
            | CallFailure::Garbled(cause)
            | CallFailure::TooLarge(cause),
        ) => {
            Err(Error::new(format!("{}: {path} could not be asked for", connection.server()))
                .caused_by(cause))
        }
    }
}
