//! The CAs that the API server verifies client certificates with, where it may be read: the ConfigMap that it
//! publishes for other servers (k8s.io/apiserver pkg/server/options/authentication.go).
//!
//! Nothing depends on it: what cannot be read is not known.

use std::collections::BTreeMap;

use kube::core::Request as Build;
use serde::Deserialize;

use super::connect::Connection;
use super::error::CallFailure;
use super::resource::{Resource, segment};
use super::retry::Repeat;
use crate::pki::ClientAuthorities;
use crate::rights::needed::{CLIENT_AUTHORITIES, HOME};

/// Reads them.
///
/// # Errors
/// Why they are not known, in one sentence.
pub async fn client_authorities(connection: &Connection) -> Result<ClientAuthorities, String> {
    #[derive(Deserialize)]
    struct Object {
        #[serde(default)]
        data: BTreeMap<String, String>,
    }
    let get = Build::new(Resource::ConfigMaps.path(Some(HOME)))
        .get(&segment(CLIENT_AUTHORITIES), &Default::default());
    let answer = match get {
        Ok(request) => connection.call::<Object>(&request, Repeat::Never).await,
        Err(error) => Err(CallFailure::Ours(error.to_string())),
    };
    let mut object = answer.map_err(|failure| failure.in_short())?;
    let pem = object.data.remove("client-ca-file").ok_or("the API server publishes none")?;
    ClientAuthorities::read(&pem).map_err(|error| error.message().to_owned())
}
