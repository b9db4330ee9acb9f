//! One watch over the CertificateSigningRequests of one run, shared by all tasks that wait for one.
//!
//! It keeps the last state of each request that is followed, not a stream of events, so that a
//! watch that was cut off, expired (410) or missed something loses nothing: kube's watcher lists
//! again, and what is no longer in that list is deleted. It refuses to keep waiting where the API
//! server does not allow the watch.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use kube::Api;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::connect::Connection;
use super::error::CallFailure;
use super::resource::{Call, Place, Resource};
use super::retry;
use crate::error::Result;
use crate::model::LABEL_RUN;

/// After this many seconds the server ends the watch and it is resumed where it was; 5 seconds later
/// at the latest a connection that died silently is noticed.
const RENEWED_AFTER: u32 = 60;

/// The last that was seen of a request.
#[derive(Debug, Clone)]
pub(super) enum Watched {
    /// Nothing yet.
    Nothing,
    /// Its state.
    Present(Arc<CertificateSigningRequest>),
    /// It was there and is not any more.
    Gone,
    /// The watch is not allowed, so nothing more will be seen.
    Refused(CallFailure),
}

#[derive(Default)]
struct FollowedRequests {
    by_name: HashMap<String, watch::Sender<Watched>>,
    refused: Option<CallFailure>,
}

type Shared = Arc<Mutex<FollowedRequests>>;

/// The watch of one run; it ends when this is dropped.
pub(super) struct Watch {
    shared: Shared,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request that is followed, until this is dropped.
pub(super) struct Follow {
    shared: Shared,
    name: String,
    receiver: watch::Receiver<Watched>,
}

impl Drop for Follow {
    fn drop(&mut self) {
        lock(&self.shared).by_name.remove(&self.name);
    }
}

impl Follow {
    /// What was seen last; the next [`Self::changed`] waits for something newer.
    pub(super) fn seen(&mut self) -> Watched {
        self.receiver.borrow_and_update().clone()
    }

    /// Waits until something newer was seen.
    pub(super) async fn changed(&mut self) {
        if self.receiver.changed().await.is_err() {
            // Only if the sender was dropped, which this value prevents: wait for the deadline.
            std::future::pending::<()>().await;
        }
    }
}

impl Watch {
    /// Lists and watches the requests that carry the run's label, and returns once the first list
    /// is there.
    ///
    /// # Errors
    /// The list is refused or does not come.
    pub(super) async fn start(connection: &Connection, run: &str) -> Result<Self> {
        let shared = Shared::default();
        let (ready, listed) = oneshot::channel();
        let api: Api<CertificateSigningRequest> = Api::all(connection.client().clone());
        let config = watcher::Config::default().labels(&format!("{LABEL_RUN}={run}")).timeout(RENEWED_AFTER);
        let task = tokio::spawn(follow_all(api, config, Arc::clone(&shared), ready));
        let started = Self { shared, task };
        let failure = match timeout(connection.limit(), listed).await {
            Ok(Ok(Ok(()))) => return Ok(started),
            Ok(Ok(Err(failure))) => failure,
            Ok(Err(_)) => CallFailure::Ours("the watch ended before it began".to_owned()),
            Err(_) => CallFailure::Lost(format!("no list within {} s", connection.limit().as_secs_f64())),
        };
        Err(failure.explain(connection, &watch_call("nothing was issued")))
    }

    /// Begins to follow a request, which need not exist yet.
    pub(super) fn follow(&self, name: &str) -> Follow {
        let mut followed = lock(&self.shared);
        let first = followed.refused.clone().map_or(Watched::Nothing, Watched::Refused);
        let (sender, receiver) = watch::channel(first);
        followed.by_name.insert(name.to_owned(), sender);
        Follow { shared: Arc::clone(&self.shared), name: name.to_owned(), receiver }
    }
}

/// The call that the watch is, for an error.
pub(super) fn watch_call(otherwise: &'static str) -> Call {
    Call { verb: "watch", resource: Resource::SigningRequests, place: Place::Cluster, name: None, otherwise }
}

fn lock(shared: &Shared) -> MutexGuard<'_, FollowedRequests> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FollowedRequests {
    fn show(&self, object: CertificateSigningRequest) {
        if let Some(sender) = object.metadata.name.as_ref().and_then(|name| self.by_name.get(name)) {
            sender.send_replace(Watched::Present(Arc::new(object)));
        }
    }

    fn gone(&self, name: &str) {
        if let Some(sender) = self.by_name.get(name) {
            sender.send_replace(Watched::Gone);
        }
    }

    /// Marks as deleted what was seen but is not in a later list. What was never seen may have been
    /// created after that list.
    fn keep_only(&self, listed: &HashSet<String>) {
        for (name, sender) in &self.by_name {
            if !listed.contains(name) {
                sender.send_if_modified(|seen| {
                    let gone = matches!(seen, Watched::Present(_));
                    if gone {
                        *seen = Watched::Gone;
                    }
                    gone
                });
            }
        }
    }

    fn refuse(&mut self, failure: &CallFailure) {
        self.refused = Some(failure.clone());
        for sender in self.by_name.values() {
            sender.send_replace(Watched::Refused(failure.clone()));
        }
    }
}

async fn follow_all(
    api: Api<CertificateSigningRequest>,
    config: watcher::Config,
    shared: Shared,
    ready: oneshot::Sender<Result<(), CallFailure>>,
) {
    let mut events = pin!(watcher(api, config));
    let mut ready = Some(ready);
    let mut listed = HashSet::new();
    let mut failures = 0;
    while let Some(event) = events.next().await {
        let error = match event {
            Ok(event) => {
                let progress = !matches!(event, Event::Init);
                take_in(&lock(&shared), &mut listed, &event);
                if matches!(event, Event::InitDone)
                    && let Some(ready) = ready.take()
                {
                    // The waiting task may have been dropped meanwhile.
                    let _ = ready.send(Ok(()));
                }
                if progress {
                    failures = 0;
                }
                continue;
            }
            Err(error) => error,
        };
        if let Some(failure) = refusal(&error) {
            lock(&shared).refuse(&failure);
            if let Some(ready) = ready.take() {
                let _ = ready.send(Err(failure));
            }
            return;
        }
        failures += 1;
        sleep(retry::backoff(failures, retry::jitter())).await;
    }
}

fn take_in(
    followed: &FollowedRequests,
    listed: &mut HashSet<String>,
    event: &Event<CertificateSigningRequest>,
) {
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(object) => {
            // Only of what is followed it matters, and an endless list must not take the memory.
            let followed_name =
                object.metadata.name.as_ref().filter(|name| followed.by_name.contains_key(*name));
            listed.extend(followed_name.cloned());
            followed.show(object.clone());
        }
        Event::InitDone => followed.keep_only(listed),
        Event::Apply(object) => followed.show(object.clone()),
        Event::Delete(object) => followed.gone(object.metadata.name.as_deref().unwrap_or_default()),
    }
}

/// The answer after which watching again is useless.
fn refusal(error: &watcher::Error) -> Option<CallFailure> {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) = error else {
        return None;
    };
    let kube::Error::Api(status) = error else {
        return None;
    };
    matches!(status.code, 401 | 403 | 404)
        .then(|| CallFailure::Api { status: status.clone(), retry_after: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str) -> CertificateSigningRequest {
        let mut object = CertificateSigningRequest::default();
        object.metadata.name = Some(name.to_owned());
        object
    }

    fn following(names: &[&str]) -> (FollowedRequests, Vec<watch::Receiver<Watched>>) {
        let mut followed = FollowedRequests::default();
        let receivers = names
            .iter()
            .map(|name| {
                let (sender, receiver) = watch::channel(Watched::Nothing);
                followed.by_name.insert((*name).to_owned(), sender);
                receiver
            })
            .collect();
        (followed, receivers)
    }

    #[test]
    fn a_new_list_marks_deleted_requests_and_skips_unseen_ones() {
        let (followed, receivers) = following(&["kept", "deleted", "not-made-yet"]);
        let mut listed = HashSet::new();
        for event in [
            Event::Init,
            Event::InitApply(object("kept")),
            Event::InitDone,
            Event::Apply(object("deleted")),
            // The watch expires here, and `deleted` is deleted before the next list.
            Event::Init,
            Event::InitApply(object("kept")),
            Event::InitDone,
        ] {
            take_in(&followed, &mut listed, &event);
        }
        assert!(matches!(*receivers[0].borrow(), Watched::Present(_)));
        assert!(matches!(*receivers[1].borrow(), Watched::Gone));
        assert!(matches!(*receivers[2].borrow(), Watched::Nothing));
    }

    #[test]
    fn requests_of_others_are_ignored() {
        let (followed, receivers) = following(&["ours"]);
        let mut listed = HashSet::new();
        take_in(&followed, &mut listed, &Event::Apply(object("theirs")));
        take_in(&followed, &mut listed, &Event::Delete(object("theirs")));
        assert!(matches!(*receivers[0].borrow(), Watched::Nothing));
        take_in(&followed, &mut listed, &Event::Delete(object("ours")));
        assert!(matches!(*receivers[0].borrow(), Watched::Gone));
    }

    #[test]
    fn only_a_refusal_ends_the_watch() {
        let api = |code| kube::Error::Api(kube::core::Status::failure("", "").with_code(code).boxed());
        assert!(refusal(&watcher::Error::WatchStartFailed(api(403))).is_some());
        assert!(refusal(&watcher::Error::InitialListFailed(api(401))).is_some());
        assert!(refusal(&watcher::Error::InitialListFailed(api(500))).is_none());
        assert!(refusal(&watcher::Error::WatchStartFailed(api(410))).is_none());
        assert!(refusal(&watcher::Error::NoResourceVersion).is_none());
    }

    /// Answers one list, and then a watch with a line that never ends; returns how much of it was read.
    fn endless_line(listener: &std::net::TcpListener) -> usize {
        use std::io::{BufRead as _, BufReader, Write as _};
        loop {
            let (stream, _) = listener.accept().expect("a connection");
            let mut writer = stream.try_clone().expect("a socket");
            let mut lines = BufReader::new(stream).lines().map_while(std::result::Result::ok);
            while let Some(first) = lines.next() {
                // The rest of the head; a GET has no body.
                while lines.next().is_some_and(|line| !line.is_empty()) {}
                if !first.contains("watch=true") {
                    let list =
                        r#"{"apiVersion":"v1","kind":"List","metadata":{"resourceVersion":"1"},"items":[]}"#;
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{list}", list.len());
                    writer.write_all(head.as_bytes()).expect("a reader");
                    continue;
                }
                writer.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"type\":\"").expect("a reader");
                let part = vec![b'a'; 1 << 20];
                let taken = (1..4096).find(|_| writer.write_all(&part).is_err());
                return taken.unwrap_or(usize::MAX) << 20;
            }
        }
    }

    #[tokio::test]
    async fn an_endless_line_is_abandoned() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let kubeconfig = format!(
            "clusters: [{{name: c, cluster: {{server: 'http://{}'}}}}]\nusers: [{{name: u, user: {{}}}}]\n\
             contexts: [{{name: prod, context: {{cluster: c, user: u}}}}]\n",
            listener.local_addr().expect("an address")
        );
        // Of its own: a runtime waits for its blocking tasks, also where the test has failed.
        let (taken, was_taken) = oneshot::channel();
        std::thread::spawn(move || taken.send(endless_line(&listener)));
        let limit = std::time::Duration::from_secs(30);
        let connection = Connection::from_kubeconfig(&kubeconfig, "prod", limit).await.expect("usable");
        let _watch = Watch::start(&connection, "run").await.expect("a list");
        let taken = was_taken.await.expect("it was given up");
        assert!(taken < 3 * super::super::limits::LINE, "{taken} bytes");
    }
}
