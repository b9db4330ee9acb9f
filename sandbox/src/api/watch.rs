//! Watches: every change after a revision, as it happens, until the client or the timeout ends it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::audit::Entry;
use crate::backend::{Abort, Body};
use crate::resource::Resource;
use crate::selector::Selector;
use crate::status::Status;
use crate::store::{Change, Object, at, within};

use super::negotiate::Form;
use super::read::resource_version;
use super::respond::{self, Rows};
use super::{Api, Ask};

/// How many changes are read in one batch, so that nobody else waits long.
const BATCH: usize = 256;
/// How many events wait for a client that reads slowly.
const WAITING: usize = 64;
/// How often bookmarks are sent to a watch that asked for them.
const BOOKMARKS: Duration = Duration::from_secs(60);
/// The minimum duration of a watch without `timeoutSeconds`; the maximum is twice that
/// (`--min-request-timeout`).
const LASTING: u64 = 1800;

/// The longest time that a client may ask for, a day: a deadline beyond the range of the clock would panic.
const LONGEST: u64 = 86_400;

/// A watch that passed its checks.
pub struct Watch {
    resource: &'static Resource,
    namespace: String,
    selector: Selector,
    form: Form,
    rows: Rows,
    bookmarks: bool,
    /// The existing objects, to be sent first.
    first: Vec<Object>,
    /// Whether the end of the existing objects is to be marked.
    mark_first: bool,
    from: u64,
    lasting: Duration,
}

impl Api {
    pub(super) fn watch(&self, ask: &Ask<'_>) -> Result<Watch, Status> {
        let selector = ask.selector()?;
        let wanted = resource_version(ask.query.text("resourceVersion"))?;
        let bookmarks = ask.query.flag("allowWatchBookmarks");
        let initial = match ask.query.first("sendInitialEvents") {
            None => None,
            Some(_) => {
                if ask.query.text("resourceVersionMatch") != Some("NotOlderThan") {
                    return Err(forbidden_options(
                        "resourceVersionMatch",
                        "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                    ));
                }
                Some(ask.query.flag("sendInitialEvents"))
            }
        };
        let lasting = match ask.query.number("timeoutSeconds")?.and_then(|s| u64::try_from(s).ok()) {
            Some(seconds) if seconds > 0 => Duration::from_secs(seconds.min(LONGEST)),
            _ => Duration::from_secs(LASTING + u64::from(std::process::id()) % LASTING),
        };
        let tables = self.store().lock();
        let current = tables.revision();
        let (from, everything) = match (wanted, initial) {
            (_, Some(true)) | (None | Some(0), None) => (current, true),
            (None | Some(0), Some(false)) => (current, false),
            (Some(wanted), _) => (wanted, false),
        };
        let first = if everything {
            let all = within(tables.objects(ask.resource.kind), ask.namespace(), None);
            all.filter(|(_, object)| selector.matches(object)).map(|(_, object)| object.clone()).collect()
        } else {
            // A revision that is too old is answered by an event, as on the real server: kube's watcher lists again
            // after that, but not after an error response.
            Vec::new()
        };
        Ok(Watch {
            resource: ask.resource,
            namespace: ask.namespace().to_owned(),
            selector,
            form: ask.form,
            rows: ask.rows(),
            bookmarks,
            first,
            mark_first: initial == Some(true) && bookmarks,
            from,
            lasting,
        })
    }
}

fn forbidden_options(field: &str, why: &str) -> Status {
    let error = crate::status::FieldError::forbidden(field, why);
    Status::invalid("ListOptions", "meta.k8s.io", "", &[error])
}

fn expired(wanted: u64, oldest: u64) -> Status {
    Status::expired(format!("too old resource version: {wanted} ({oldest})"))
}

/// Events to be sent to a client.
struct Stream(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = Abort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Abort>>> {
        self.0.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

impl Watch {
    /// Starts the watch.
    pub(super) fn into_response(self, api: Api, entry: Entry) -> Response<Body> {
        let (sender, receiver) = mpsc::channel(WAITING);
        if let Some(audit) = api.audit() {
            audit.started(&entry, StatusCode::OK.as_u16(), api.clock().now());
        }
        tokio::spawn(async move {
            self.run(&api, &sender).await;
            api.log(&entry, StatusCode::OK);
        });
        let mut response = Response::new(Stream(receiver).boxed_unsync());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    /// Runs until the timeout, or until the client disconnects.
    async fn run(mut self, api: &Api, sender: &mpsc::Sender<Bytes>) {
        let end = Instant::now() + self.lasting;
        let mut teller = Teller { api, sender, headed: false };
        for object in std::mem::take(&mut self.first) {
            if teller.tell(&self, "ADDED", &object).await.is_err() {
                return;
            }
        }
        if self.mark_first && teller.bookmark(&self, self.from, true).await.is_err() {
            return;
        }
        let mut announced = api.store().lock().announcements(self.resource.kind);
        let mut next_bookmark = Instant::now() + BOOKMARKS;
        loop {
            announced.borrow_and_update();
            let changes = api.store().lock().changes_after(self.resource.kind, self.from, BATCH);
            let changes = match changes {
                Ok(changes) => changes,
                Err(too_old) => {
                    let status = expired(self.from, too_old.oldest).to_value();
                    let _ = teller.send("ERROR", &status).await;
                    return;
                }
            };
            let more = changes.len() == BATCH;
            for change in changes {
                self.from = change.revision;
                if let Some((kind, object)) = self.seen(&change)
                    && teller.tell(&self, kind, &object).await.is_err()
                {
                    return;
                }
            }
            if more {
                continue;
            }
            tokio::select! {
                changed = announced.changed() => if changed.is_err() { return },
                () = sender.closed() => return,
                () = sleep_until(next_bookmark.min(end)) => {
                    if self.bookmarks {
                        // Everything up to here was sent, whatever else has changed meanwhile.
                        let reached = self.reached(api);
                        if teller.bookmark(&self, reached, false).await.is_err() {
                            return;
                        }
                    }
                    next_bookmark = Instant::now() + BOOKMARKS;
                }
            }
            if Instant::now() >= end {
                return;
            }
        }
    }

    /// A bookmark: every change of this kind up to this revision has been sent.
    fn reached(&self, api: &Api) -> u64 {
        let tables = api.store().lock();
        match tables.changes_after(self.resource.kind, self.from, 1) {
            Ok(changes) if changes.is_empty() => tables.revision(),
            _ => self.from,
        }
    }

    /// What a change looks like to a watch that selects only some objects.
    fn seen(&self, change: &Change) -> Option<(&'static str, Object)> {
        let mine = |object: &Object| {
            let namespace = crate::object::meta(object, "namespace");
            (self.namespace.is_empty() || namespace == self.namespace) && self.selector.matches(object)
        };
        let before = change.before.as_ref().filter(|object| mine(object));
        match (before, &change.after) {
            (None, Some(after)) if mine(after) => Some(("ADDED", after.clone())),
            (Some(_), Some(after)) if mine(after) => Some(("MODIFIED", after.clone())),
            // The object as it was last seen, at the revision of the change.
            (Some(before), _) => Some(("DELETED", at(before, change.revision))),
            (None, _) => None,
        }
    }
}

/// The client has disconnected, or is so slow that it counts as disconnected.
struct Gone;

struct Teller<'a> {
    api: &'a Api,
    sender: &'a mpsc::Sender<Bytes>,
    /// Whether a table's columns were sent already.
    headed: bool,
}

impl Teller<'_> {
    async fn tell(&mut self, watch: &Watch, kind: &str, object: &Value) -> Result<(), Gone> {
        match watch.form {
            Form::Table => {
                let now = self.api.clock().now();
                let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
                let one = std::iter::once(object);
                let headed = !std::mem::replace(&mut self.headed, true);
                let table = respond::table(watch.resource.kind, one, &metadata, watch.rows, headed, now);
                self.send(kind, &table).await
            }
            Form::Metadata | Form::MetadataList => self.send(kind, &respond::partial(object)).await,
            _ => self.send(kind, object).await,
        }
    }

    async fn bookmark(&mut self, watch: &Watch, revision: u64, first: bool) -> Result<(), Gone> {
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if first {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let Watch { resource, .. } = watch;
        let object = match watch.form {
            Form::Table => {
                let object = json!({"metadata": metadata});
                let mut table = respond::table(
                    resource.kind,
                    std::iter::once(&object),
                    &json!({"resourceVersion": revision.to_string()}),
                    watch.rows,
                    false,
                    self.api.clock().now(),
                );
                table["columnDefinitions"] = Value::Null;
                table
            }
            Form::Metadata | Form::MetadataList => respond::partial(&json!({"metadata": metadata})),
            _ => json!({"kind": resource.name, "apiVersion": resource.api_version(), "metadata": metadata}),
        };
        self.send("BOOKMARK", &object).await
    }

    async fn send(&mut self, kind: &str, object: &Value) -> Result<(), Gone> {
        // Nothing here can fail to serialize.
        let mut event = serde_json::to_vec(&Event { kind, object }).unwrap_or_default();
        event.push(b'\n');
        let patience = Instant::now() + BOOKMARKS;
        match timeout_at(patience, self.sender.send(event.into())).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone),
        }
    }
}

#[derive(serde::Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    object: &'a Value,
}
