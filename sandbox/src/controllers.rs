//! The background controllers of a cluster: approved requests are signed, old ones are deleted, and the CA of client
//! certificates is published.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use serde::Deserialize as _;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::api::Api;
use crate::authority::Authority;
use crate::object::meta;
use crate::resource::Kind;
use crate::signer::{self, SignerOptions};
use crate::store::{Key, Object};

const KIND: Kind = Kind::CertificateSigningRequest;

/// How many changes are processed in one batch.
const BATCH: usize = 256;
/// How often old requests are collected if no client reads them.
const LOOK: Duration = Duration::from_secs(1);

fn read(object: &Value) -> Option<CertificateSigningRequest> {
    CertificateSigningRequest::deserialize(object).ok()
}

/// Signs, denies and fails requests as the options say, forever.
pub async fn sign(api: Api, options: SignerOptions, authority: Arc<Authority>) {
    let mut announced = api.store().lock().announcements(KIND);
    let mut due: VecDeque<(Instant, Key)> = VecDeque::new();
    // Requests that were there at the start, from an earlier snapshot.
    let (mut seen, all) = {
        let tables = api.store().lock();
        (tables.revision(), Arc::clone(tables.objects(KIND)))
    };
    for object in all.values() {
        enqueue(&mut due, &options, object);
    }
    drop(all);
    loop {
        announced.borrow_and_update();
        let changes = api.store().lock().changes_after(KIND, seen, BATCH);
        let more = match changes {
            Ok(changes) => {
                for change in &changes {
                    seen = change.revision;
                    if let Some(object) = &change.after {
                        enqueue(&mut due, &options, object);
                    }
                }
                changes.len() == BATCH
            }
            Err(_) => {
                let tables = api.store().lock();
                seen = tables.revision();
                for object in tables.objects(KIND).values() {
                    enqueue(&mut due, &options, object);
                }
                false
            }
        };
        let now = Instant::now();
        while let Some((_, key)) = due.pop_front_if(|(time, _)| *time <= now) {
            settle(&api, &options, &authority, &key);
        }
        if more {
            continue;
        }
        let next = due.front().map(|(time, _)| *time);
        tokio::select! {
            changed = announced.changed() => if changed.is_err() { return },
            () = async { sleep_until(next.unwrap_or(now)).await }, if next.is_some() => {}
        }
    }
}

/// The delay is the same for all, so the queue is in order.
fn enqueue(due: &mut VecDeque<(Instant, Key)>, options: &SignerOptions, object: &Object) {
    if read(object).is_some_and(|request| options.concerns(&request)) {
        let key = (String::new(), meta(object, "name").to_owned());
        due.push_back((Instant::now() + options.delay, key));
    }
}

fn settle(api: &Api, options: &SignerOptions, authority: &Authority, key: &Key) {
    let mut tables = api.store().lock();
    let Some(object) = tables.get(KIND, &key.0, &key.1) else { return };
    let Some(request) = read(object) else { return };
    // Without randomness the request stays as it is, as with a signer that is down.
    let Ok(Some(status)) = signer::decide(&request, options, authority, api.clock().now()) else { return };
    let mut object = Value::clone(object);
    object["status"] = serde_json::to_value(status).unwrap_or_default();
    tables.put(KIND, key.clone(), object);
}

/// Deletes old requests, forever.
pub async fn clean(api: Api) {
    loop {
        tokio::time::sleep(LOOK).await;
        api.throw_away_old_requests();
    }
}

/// The ConfigMap from which other servers learn the CA of client certificates: its namespace and name.
const PUBLISHED: (&str, &str) = ("kube-system", "extension-apiserver-authentication");

/// Publishes the CA of client certificates (PEM), and again where somebody takes it away, forever.
pub async fn publish(api: Api, authority: String) {
    let mut announced = api.store().lock().announcements(Kind::ConfigMap);
    loop {
        announced.borrow_and_update();
        publish_once(&api, &authority);
        if announced.changed().await.is_err() {
            return;
        }
    }
}

/// Adds it to what is published. What an earlier server published stays there
/// (pkg/controlplane/controller/clusterauthenticationtrust).
pub fn publish_once(api: &Api, authority: &str) {
    const FILE: &str = "client-ca-file";
    let (namespace, name) = PUBLISHED;
    let published = api.store().lock().get(Kind::ConfigMap, namespace, name).cloned();
    let known = published.as_deref().and_then(|object| object["data"][FILE].as_str()).unwrap_or_default();
    if known.contains(authority) {
        return;
    }
    let data = json!({(FILE): format!("{known}{authority}")});
    // It fails for an object that is not of its kind alone.
    let _ = api.put(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": name},
        "data": data,
    }));
}
