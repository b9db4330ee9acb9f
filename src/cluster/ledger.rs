//! What the cluster remembers: the ConfigMap `certctl-<roster>` in kube-system, read and written whole.
//!
//! It refuses to take an object that cannot be read for one that is not there, to write one that does not
//! carry this roster's labels, and to overwrite what somebody else wrote since it was read.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::ListParams;
use kube::core::Request as Build;
use serde::Deserialize;
use serde_json::json;

use super::connect::Connection;
use super::convert::{Metadata, Named, Page};
use super::error::CallFailure;
use super::resource::{Call, Place, Resource, segment};
use super::retry::Repeat;
use super::write::{Writer, as_us, to_bytes};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::model::{LABEL_MANAGED_BY, LABEL_ROSTER, MANAGED_BY, RosterName};
use crate::plan::observed::{SeenLedger, StoredLedger, is_ours};
use crate::plan::write::WriteError;
use crate::rights::needed::{HOME, own_object};

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    data: Option<BTreeMap<String, String>>,
}

/// Reads it. Whatever goes wrong is an answer of its own: only what depends on the ledger may fail by it.
pub async fn read(connection: &Connection, roster: &RosterName) -> SeenLedger {
    let call = call("get", roster, "what it remembers of revoked credentials is not known");
    let answer = match builder().get(&segment(&own_object(roster)), &Default::default()) {
        Ok(request) => connection.call::<Object>(&request, Repeat::Harmless).await,
        Err(error) => Err(CallFailure::Ours(error.to_string())),
    };
    match answer {
        Ok(object) => object.seen(connection, roster),
        Err(failure) if failure.code() == Some(404) => SeenLedger::Missing,
        Err(failure) => unusable(&failure.explain(connection, &call)),
    }
}

/// The rosters that this cluster remembers anything of, by its own word.
///
/// # Errors
/// They could not be listed.
pub async fn rosters(connection: &Connection) -> Result<BTreeSet<RosterName>> {
    let call = Call {
        verb: "list",
        resource: Resource::ConfigMaps,
        place: Place::Namespace(HOME.to_owned()),
        name: None,
        otherwise: "nothing was changed",
    };
    let read = async {
        let params = ListParams::default().labels(&format!("{LABEL_MANAGED_BY}={MANAGED_BY}"));
        let request = builder().list(&params).map_err(|error| CallFailure::Ours(error.to_string()))?;
        let page: Page<Named> = connection.call(&request, Repeat::Harmless).await?;
        let labels = page.items.unwrap_or_default().into_iter().map(|object| object.metadata);
        let ours = labels.filter_map(|Metadata { name: found, labels, .. }| {
            let roster: RosterName = labels?.get(LABEL_ROSTER)?.parse().ok()?;
            (found == own_object(&roster)).then_some(roster)
        });
        Ok(ours.collect())
    };
    read.await.map_err(|failure: CallFailure| failure.explain(connection, &call))
}

impl Writer {
    /// Reads it again, e.g. after a conflict.
    pub async fn get_ledger(&self) -> SeenLedger {
        read(&self.connection, &self.roster).await
    }

    /// Makes it, or replaces the version that `ledger` was decided from.
    ///
    /// # Errors
    /// [`WriteError::Conflict`] if it is there already, or changed since.
    pub async fn put_ledger(
        &self,
        ledger: &Ledger,
        resource_version: Option<&str>,
    ) -> Result<StoredLedger, WriteError> {
        let name = own_object(&self.roster);
        let body = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": HOME,
                "labels": self.labels(),
                "resourceVersion": resource_version,
            },
            "data": ledger.to_data(),
        });
        let (verb, request) = match resource_version {
            None => ("create", builder().create(&as_us(), to_bytes(&body))),
            Some(_) => ("update", builder().replace(&segment(&name), &as_us(), to_bytes(&body))),
        };
        let call = call(verb, &self.roster, "it was left as it is");
        let object: Object = self.send(&call, request).await?;
        Ok(StoredLedger { ledger: ledger.clone(), resource_version: object.metadata.resource_version })
    }
}

impl Object {
    fn seen(self, connection: &Connection, roster: &RosterName) -> SeenLedger {
        let (context, name) = (connection.context(), own_object(roster));
        let Self { metadata, data } = self;
        if !is_ours(&metadata.labels.unwrap_or_default(), roster) {
            return unusable(
                &Error::new(format!(
                    "{context}: ConfigMap {HOME}/{name} does not carry the labels of roster `{roster}`"
                ))
                .hint(how_to_look(&name))
                .hint("if somebody took the labels off, put them back; if it is someone else's, rename it"),
            );
        }
        match Ledger::parse(&data.unwrap_or_default()) {
            Ok(ledger) => {
                SeenLedger::Kept(StoredLedger { ledger, resource_version: metadata.resource_version })
            }
            Err(why) => unusable(
                &Error::new(format!(
                    "{context}: ConfigMap {HOME}/{name} is not as certctl writes it: {why}"
                ))
                .hint(how_to_look(&name))
                .hint(format!(
                    "if it cannot be restored, `kubectl delete configmap {name} -n {HOME}`: the next apply writes it anew from the records, and what was revoked before is known from them alone"
                )),
            ),
        }
    }
}

fn how_to_look(name: &str) -> String {
    format!(
        "`kubectl get configmap {name} -n {HOME} -o yaml --show-managed-fields` shows it, and who changed it"
    )
}

fn unusable(error: &Error) -> SeenLedger {
    let facts: Vec<String> = [error.message().to_owned()].into_iter().chain(error.causes()).collect();
    SeenLedger::Unusable { message: facts.join(": "), hints: error.hints().to_vec() }
}

fn builder() -> Build {
    Build::new(Resource::ConfigMaps.path(Some(HOME)))
}

fn call(verb: &'static str, roster: &RosterName, otherwise: &'static str) -> Call {
    Call {
        verb,
        resource: Resource::ConfigMaps,
        place: Place::Namespace(HOME.to_owned()),
        name: Some(own_object(roster)),
        otherwise,
    }
}
