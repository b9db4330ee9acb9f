//! Who requested what, with which result: the events of an audit log at level Metadata
//! (audit.k8s.io/v1), kept in memory.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::request::Attributes;
use crate::user::User;

/// How many events are kept; the oldest are dropped first.
const KEPT: usize = 100_000;

/// An in-memory audit log.
#[derive(Debug, Default)]
pub struct Audit(Mutex<Events>);

#[derive(Debug, Default)]
struct Events {
    forgotten: u64,
    events: VecDeque<Value>,
}

/// A request in progress, for its events.
pub struct Entry {
    event: Value,
}

impl Entry {
    /// Describes a request.
    pub fn new(user: &User, attributes: &Attributes, uri: &str, agent: &str, received: Timestamp) -> Self {
        let mut event = json!({
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": crate::object::new_uid(),
            "requestURI": uri,
            "verb": attributes.verb,
            "user": {"username": user.name, "groups": user.groups},
            "sourceIPs": ["127.0.0.1"],
            "userAgent": agent,
            "requestReceivedTimestamp": stamp(received),
        });
        if !user.uid.is_empty() {
            event["user"]["uid"] = user.uid.as_str().into();
        }
        if !user.extra.is_empty() {
            event["user"]["extra"] = json!(user.extra);
        }
        if attributes.is_resource {
            let mut object = Map::new();
            for (key, value) in [
                ("resource", &attributes.resource),
                ("namespace", &attributes.namespace),
                ("name", &attributes.name),
                ("apiGroup", &attributes.api_group),
                ("apiVersion", &attributes.api_version),
                ("subresource", &attributes.subresource),
            ] {
                if !value.is_empty() {
                    object.insert(key.to_owned(), value.as_str().into());
                }
            }
            event["objectRef"] = Value::Object(object);
        }
        Self { event }
    }

    /// The impersonated user, if there is one.
    pub fn impersonated(&mut self, user: &User) {
        self.event["impersonatedUser"] = json!({"username": user.name, "groups": user.groups});
    }

    fn at(&self, stage: &str, code: u16, now: Timestamp) -> Value {
        let mut event = self.event.clone();
        event["stage"] = stage.into();
        event["stageTimestamp"] = stamp(now).into();
        event["responseStatus"] = json!({"metadata": {}, "code": code});
        event
    }
}

fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

impl Audit {
    /// The response to a watch has started.
    pub fn started(&self, entry: &Entry, code: u16, now: Timestamp) {
        self.write(entry.at("ResponseStarted", code, now));
    }

    /// The response is complete.
    pub fn completed(&self, entry: &Entry, code: u16, now: Timestamp) {
        self.write(entry.at("ResponseComplete", code, now));
    }

    fn write(&self, event: Value) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.events.len() == KEPT {
            kept.events.pop_front();
            kept.forgotten += 1;
        }
        kept.events.push_back(event);
    }

    /// The end of the log, for [`Self::since`].
    pub fn position(&self) -> u64 {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.forgotten + kept.events.len() as u64
    }

    /// The events after a position that are still kept, oldest first.
    pub fn since(&self, position: u64) -> Vec<Value> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let skip = usize::try_from(position.saturating_sub(kept.forgotten)).unwrap_or(usize::MAX);
        kept.events.iter().skip(skip).cloned().collect()
    }
}
