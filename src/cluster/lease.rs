//! One apply at a time: the Lease `certctl-<roster>` in kube-system.
//!
//! It is taken before the cluster is read and given back at the end. A holder that was killed is
//! found out as client-go's leader election does it: by watching, on our own clock, that the Lease
//! does not change for its whole duration, because clocks differ between machines. The Lease saves
//! work and confusion; what makes a race harmless are the resource versions and the git push.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::PostParams;
use kube::core::Request as Build;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::connect::Connection;
use super::error::CallFailure;
use super::resource::{Call, Place, Resource, segment};
use super::retry::Repeat;
use super::write::WritePermit;
use crate::error::{Error, Result};
use crate::model::{LABEL_MANAGED_BY, LABEL_ROSTER, MANAGED_BY, RosterName};
use crate::rights::needed::{HOME, own_object};

/// How long a holder may go without renewing before its lock expires.
const DURATION: Duration = Duration::from_secs(15);
/// How often a holder renews the lock.
const RENEWAL: Duration = Duration::from_secs(5);
/// How often a waiting run polls the lock.
const LOOK: Duration = Duration::from_millis(500);

/// It is written back whole, and so what is not looked at is kept as well, such as fields of newer servers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lease {
    api_version: String,
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holder_identity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_duration_seconds: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acquire_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renew_time: Option<String>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl Lease {
    /// A new one, or the one that is there, as its next holder writes it.
    fn taken_by(current: Option<&Self>, name: &str, roster: &RosterName, holder: &str, now: &str) -> Self {
        let mut lease = current.cloned().unwrap_or_else(|| Self {
            api_version: "coordination.k8s.io/v1".to_owned(),
            kind: "Lease".to_owned(),
            metadata: Metadata { name: name.to_owned(), ..Metadata::default() },
            spec: Spec::default(),
            other: Map::new(),
        });
        let ours = [(LABEL_MANAGED_BY, MANAGED_BY), (LABEL_ROSTER, roster.as_str())];
        lease.metadata.labels.extend(ours.map(|(key, value)| (key.to_owned(), value.to_owned())));
        lease.spec = Spec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: i64::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(now.to_owned()),
            renew_time: Some(now.to_owned()),
            other: lease.spec.other,
        };
        lease
    }
}

impl Spec {
    /// As whoever held it leaves it.
    fn given_back(self) -> Self {
        Self { lease_duration_seconds: Some(1), other: self.other, ..Self::default() }
    }
}

/// The lock, held. Give it back with [`LeaseLock::release`]; dropped without that, it expires.
pub struct LeaseLock {
    stop: oneshot::Sender<()>,
    renewing: JoinHandle<()>,
}

impl LeaseLock {
    /// Waits up to `patience` for the lock. `holder` is shown to others; `waiting` is called
    /// once with the current holder.
    ///
    /// # Errors
    /// Someone else keeps it, named with the age of their last sign of life; or the Lease cannot be
    /// read or written.
    pub async fn acquire(
        connection: &Connection,
        roster: &RosterName,
        holder: &str,
        patience: Duration,
        waiting: &(dyn Fn(&str) + Sync),
        _permit: &WritePermit,
    ) -> Result<Self> {
        let home = Home { connection: connection.clone(), name: own_object(roster) };
        let began = Instant::now();
        let mut seen: Option<(Spec, Instant)> = None;
        loop {
            let current = home.get().await?;
            // An earlier try took effect, and its reply was lost.
            if let Some(ours) =
                current.as_ref().filter(|lease| lease.spec.holder_identity.as_deref() == Some(holder))
            {
                return Ok(Self::held(home, ours.clone()));
            }
            let free = match &current {
                None => true,
                Some(lease) if lease.spec.holder_identity.as_deref().unwrap_or_default().is_empty() => true,
                Some(lease) => match &seen {
                    Some((spec, since)) if *spec == lease.spec => since.elapsed() >= DURATION,
                    _ => {
                        if seen.is_none() {
                            waiting(&said(lease));
                        }
                        seen = Some((lease.spec.clone(), Instant::now()));
                        false
                    }
                },
            };
            if free && let Some(held) = home.take(current.as_ref(), roster, holder).await? {
                return Ok(Self::held(home, held));
            }
            if let Some(lease) = current.filter(|_| began.elapsed() >= patience) {
                return Err(Error::new(format!(
                    "another apply of roster `{roster}` is at work: {}; nothing was changed",
                    said(&lease)
                ))
                .hint("wait for it, or wait longer: `--lock-timeout 5m`")
                .hint(format!(
                    "if it is dead, the lock falls {} s after its last sign of life; by hand: `kubectl delete lease {} -n {HOME}`",
                    DURATION.as_secs(),
                    home.name
                )));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn held(home: Home, mut lease: Lease) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let renewing = tokio::spawn(async move {
            while tokio::time::timeout(RENEWAL, &mut stopped).await.is_err() {
                lease.spec.renew_time = Some(micro_time());
                // If it fails, the next attempt may succeed; and losing the lock is harmless.
                if let Ok(Some(renewed)) = home.put(&lease).await {
                    lease = renewed;
                }
            }
            lease.spec = lease.spec.given_back();
            let _ = home.put(&lease).await;
        });
        Self { stop, renewing }
    }

    /// Gives it back.
    pub async fn release(self) {
        let _ = self.stop.send(());
        let _ = self.renewing.await;
    }
}

struct Home {
    connection: Connection,
    name: String,
}

impl Home {
    fn call(&self, verb: &'static str) -> Call {
        Call {
            verb,
            resource: Resource::Leases,
            place: Place::Namespace(HOME.to_owned()),
            name: Some(self.name.clone()),
            otherwise: "nothing was changed",
        }
    }

    fn builder(&self) -> Build {
        Build::new(Resource::Leases.path(Some(HOME)))
    }

    async fn get(&self) -> Result<Option<Lease>> {
        let request = self.builder().get(&segment(&self.name), &Default::default());
        self.answer(self.send(request).await, "get", 404)
    }

    /// `None` if someone else was faster.
    async fn take(
        &self,
        current: Option<&Lease>,
        roster: &RosterName,
        holder: &str,
    ) -> Result<Option<Lease>> {
        let lease = Lease::taken_by(current, &self.name, roster, holder, &micro_time());
        if current.is_some() {
            return self.put(&lease).await;
        }
        let body = serde_json::to_vec(&lease).unwrap_or_default();
        let request = self.builder().create(&PostParams::default(), body);
        self.answer(self.send(request).await, "create", 409)
    }

    /// Against the version that was read; `None` if someone else was faster.
    async fn put(&self, lease: &Lease) -> Result<Option<Lease>> {
        let body = serde_json::to_vec(lease).unwrap_or_default();
        let request = self.builder().replace(&segment(&self.name), &PostParams::default(), body);
        self.answer(self.send(request).await, "update", 409)
    }

    async fn send(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Lease, CallFailure> {
        let request = request.map_err(|error| CallFailure::Ours(error.to_string()))?;
        self.connection.call(&request, Repeat::Harmless).await
    }

    fn answer(
        &self,
        answer: Result<Lease, CallFailure>,
        verb: &'static str,
        none: u16,
    ) -> Result<Option<Lease>> {
        match answer {
            Ok(lease) => Ok(Some(lease)),
            Err(failure) if failure.code() == Some(none) => Ok(None),
            Err(failure) => Err(failure.explain(&self.connection, &self.call(verb))),
        }
    }
}

/// The holder, and when it last renewed.
fn said(lease: &Lease) -> String {
    let holder = lease.spec.holder_identity.as_deref().unwrap_or("someone");
    match lease.spec.renew_time.as_ref().and_then(|text| text.parse::<Timestamp>().ok()) {
        Some(at) => {
            let age = at.duration_until(Timestamp::now()).as_secs().max(0);
            format!("held by {holder}, last heard {age} s ago")
        }
        None => format!("held by {holder}"),
    }
}

/// MicroTime, as Kubernetes writes it.
fn micro_time() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whoever_takes_it_and_gives_it_back_keeps_what_a_newer_server_has_there() {
        let there = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "verdict": "new",
            "metadata": {"name": "certctl-acme", "resourceVersion": "7", "labels": {"a": "b"}, "annotations": {"c": "d"}},
            "spec": {"holderIdentity": "gone", "strategy": "OldestEmulationVersion"},
        });
        let current: Lease = serde_json::from_value(there).expect("a lease");
        let roster = "acme".parse().expect("a name");
        let mut taken =
            Lease::taken_by(Some(&current), "certctl-acme", &roster, "us", "2026-11-24T12:00:00.000000Z");
        let written = serde_json::to_value(&taken).expect("JSON");
        let kept = [("/verdict", "new"), ("/metadata/annotations/c", "d"), ("/metadata/labels/a", "b")];
        for (pointer, value) in kept
            .into_iter()
            .chain([("/spec/strategy", "OldestEmulationVersion"), ("/spec/holderIdentity", "us")])
        {
            assert_eq!(written.pointer(pointer), Some(&json!(value)), "{pointer}");
        }
        assert_eq!(written["metadata"]["resourceVersion"], "7");
        assert_eq!(written["metadata"]["labels"]["certctl.dev/roster"], "acme");
        taken.spec = taken.spec.given_back();
        let given = serde_json::to_value(&taken.spec).expect("JSON");
        assert_eq!(given, json!({"leaseDurationSeconds": 1, "strategy": "OldestEmulationVersion"}));
    }
}
