//! A backend with faults in front of it.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::sync::oneshot;

use super::cut::Cut;
use super::{Fault, Faults, Turn, lock};
use crate::backend::{Abort, Backend, Body, whole};
use crate::request::{Attributes, Query};
use crate::status::Status;
use crate::user::User;

/// A backend whose calls fail as [`Faults`] says.
#[derive(Debug)]
pub struct Faulty<B> {
    inner: B,
    faults: Faults,
}

impl<B> Faulty<B> {
    /// Puts faults in front of `inner`.
    pub fn new(inner: B, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

impl<B: Backend> Backend for Faulty<B> {
    async fn handle(&self, user: User, request: Request<Bytes>) -> Result<Response<Body>, Abort> {
        let attributes = attributes(&request);
        let (number, fault) = self.faults.strike(&attributes);
        let Some(fault) = fault else { return self.pass(user, request).await };
        match fault {
            Fault::Refused(code) => Ok(refused(code).into_response()),
            Fault::DoneButRefused(code) => {
                self.pass(user, request).await?;
                Ok(refused(code).into_response())
            }
            Fault::TooManyRequests { retry_after } => Ok(Status::too_many_requests(
                "the server has received too many requests and has asked us to try again later",
                retry_after,
            )
            .into_response()),
            Fault::Conflict => {
                let why = "the object has been modified; please apply your changes to the latest version and try again";
                let Attributes { resource, api_group, name, .. } = &attributes;
                Ok(Status::conflict(resource, api_group, name, why).into_response())
            }
            Fault::Timeout => never().await,
            Fault::DoneButTimeout => {
                self.pass(user, request).await?;
                never().await
            }
            Fault::Reset => Err(Abort),
            Fault::DoneButReset => {
                self.pass(user, request).await?;
                Err(Abort)
            }
            Fault::Slow(delay) => {
                tokio::time::sleep(delay).await;
                self.pass(user, request).await
            }
            Fault::CutWatch { after } => {
                let answer = self.pass(user, request).await?;
                Ok(answer.map(|body| Cut::new(body, after).boxed_unsync()))
            }
            Fault::Expired if attributes.verb == "watch" => Ok(expired_event()),
            Fault::Expired => Ok(expired().into_response()),
            Fault::Stale => match self.stale(&request) {
                Some(answer) => Ok(answer),
                None => {
                    self.faults.missed(number);
                    self.pass(user, request).await
                }
            },
            Fault::Turn(listener) => {
                let (goes_on, gone) = oneshot::channel();
                let (verb, resource) = (attributes.verb.clone(), attributes.combined_resource());
                // Without a listener it goes on at once.
                let _ = listener.send(Turn { verb, resource, _goes_on: goes_on });
                let _ = gone.await;
                self.pass(user, request).await
            }
            Fault::Hold(reached) => {
                let _answer = self.pass(user, request).await?;
                // The listener may be gone; the response is withheld either way.
                let _ = reached.send(());
                never().await
            }
        }
    }
}

impl<B: Backend> Faulty<B> {
    /// Executes the call without faults, and remembers the response if that is enabled.
    async fn pass(&self, user: User, request: Request<Bytes>) -> Result<Response<Body>, Abort> {
        let remembers = lock(&self.faults.memory).is_some();
        if !remembers {
            return self.inner.handle(user, request).await;
        }
        if request.method() != Method::GET {
            let answer = self.inner.handle(user, request).await;
            if let Some(memory) = lock(&self.faults.memory).as_mut() {
                memory.wrote();
            }
            return answer;
        }
        let what = what(&request);
        let watch = attributes(&request).verb == "watch";
        let answer = self.inner.handle(user, request).await?;
        if watch || !answer.status().is_success() {
            return Ok(answer);
        }
        let (parts, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        if let Some(memory) = lock(&self.faults.memory).as_mut() {
            memory.read(&what, parts.headers.clone(), body.clone());
        }
        Ok(Response::from_parts(parts, whole(body)))
    }

    fn stale(&self, request: &Request<Bytes>) -> Option<Response<Body>> {
        if request.method() != Method::GET {
            return None;
        }
        let answer = lock(&self.faults.memory).as_ref()?.stale(&what(request))?;
        let mut response = Response::new(whole(answer.body));
        *response.headers_mut() = answer.headers;
        Some(response)
    }
}

/// What a request is about. A malformed one is counted under its path; the backend refuses it.
fn attributes(request: &Request<Bytes>) -> Attributes {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    Attributes::of(request.method(), path, &Query::parse(query))
        .unwrap_or_else(|_| Attributes { path: path.to_owned(), ..Attributes::default() })
}

fn what(request: &Request<Bytes>) -> String {
    request.uri().path_and_query().map(ToString::to_string).unwrap_or_default()
}

/// Longer than any client waits; it ends when the client hangs up.
async fn never<T>() -> T {
    loop {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}

fn refused(code: u16) -> Status {
    let (reason, message) = match code {
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504 => ("Timeout", "Timeout: request did not complete within the allotted timeout"),
        _ => ("InternalError", "Internal error occurred: etcdserver: request timed out"),
    };
    Status::new(code, reason, message)
}

/// How a watch learns that its start revision has expired: 200, and one event.
fn expired_event() -> Response<Body> {
    let event = json!({"type": "ERROR", "object": expired().to_value()});
    let mut answer = Response::new(whole(event.to_string() + "\n"));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn expired() -> Status {
    Status::expired("too old resource version")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use tokio::time::timeout;

    use super::*;
    use crate::faults::On;

    /// Only counts calls, and responds with the count.
    #[derive(Clone, Default)]
    struct Counter(Arc<AtomicUsize>);

    impl Backend for Counter {
        async fn handle(&self, _: User, _: Request<Bytes>) -> Result<Response<Body>, Abort> {
            let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
            Ok(Response::new(whole(number.to_string())))
        }
    }

    const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";

    fn request(method: Method, uri: &str) -> Request<Bytes> {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method;
        *request.uri_mut() = uri.parse().expect("a URI");
        request
    }

    /// The outcome of a call: the code, or how the connection ended; and whether it was executed.
    async fn struck(fault: Fault, method: Method, uri: &str) -> (String, bool) {
        let (counter, faults) = (Counter::default(), Faults::default());
        faults.set([(On::Call(1), fault)]);
        let faulty = Faulty::new(counter.clone(), faults);
        let answer = faulty.handle(User::anonymous(), request(method, uri));
        let end = match timeout(Duration::from_millis(50), answer).await {
            Err(_) => "silence".to_owned(),
            Ok(Err(Abort)) => "reset".to_owned(),
            Ok(Ok(answer)) => {
                let code = answer.status().as_u16();
                let body = answer.into_body().collect().await;
                let text = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
                text.map_or_else(
                    |Abort| format!("{code}, cut"),
                    |text| {
                        let event = if text.contains("\"ERROR\"") { ", an event" } else { "" };
                        format!("{code}{event}")
                    },
                )
            }
        };
        (end, counter.0.load(Ordering::SeqCst) > 0)
    }

    #[tokio::test]
    async fn each_fault_is_before_or_after_the_change() {
        let (told, _) = mpsc::channel();
        for (fault, end, done) in [
            (Fault::Refused(500), "500", false),
            (Fault::Refused(503), "503", false),
            (Fault::DoneButRefused(504), "504", true),
            (Fault::TooManyRequests { retry_after: 1 }, "429", false),
            (Fault::Conflict, "409", false),
            (Fault::Timeout, "silence", false),
            (Fault::DoneButTimeout, "silence", true),
            (Fault::Reset, "reset", false),
            (Fault::DoneButReset, "reset", true),
            (Fault::Slow(Duration::from_millis(1)), "200", true),
            (Fault::CutWatch { after: 0 }, "200, cut", true),
            (Fault::Expired, "410", false),
            (Fault::Stale, "200", true),
            (Fault::Hold(told), "silence", true),
        ] {
            let what = format!("{fault:?}");
            assert_eq!(struck(fault, Method::POST, BINDINGS).await, (end.to_owned(), done), "{what}");
        }
        let watch = format!("{BINDINGS}?watch=true");
        assert_eq!(struck(Fault::Expired, Method::GET, &watch).await, ("200, an event".to_owned(), false));
    }

    #[tokio::test]
    async fn a_call_waits_for_its_turn() {
        let (counter, faults) = (Counter::default(), Faults::default());
        let (listener, turns) = mpsc::channel();
        faults.set([(On::From(1), Fault::Turn(listener))]);
        let faulty = Faulty::new(counter.clone(), faults);
        let call = faulty.handle(User::anonymous(), request(Method::POST, BINDINGS));
        let other = async {
            let turn = loop {
                tokio::task::yield_now().await;
                if let Ok(turn) = turns.try_recv() {
                    break turn;
                }
            };
            let before = counter.0.load(Ordering::SeqCst);
            (turn.verb.clone(), turn.resource.clone(), before)
        };
        let (answer, seen) = tokio::join!(call, other);
        assert!(answer.is_ok());
        assert_eq!(seen, ("create".to_owned(), "clusterrolebindings".to_owned(), 0));
        assert_eq!(counter.0.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn faults_select_calls_by_number_range_or_kind() {
        let binding = format!("{BINDINGS}/a");
        let calls = [
            (Method::GET, BINDINGS, "list"),
            (Method::PATCH, &binding, "patch"),
            (Method::GET, "/version", "get"),
            (Method::PATCH, &binding, "patch"),
        ];
        for (on, expected) in [
            (On::Call(2), [false, true, false, false]),
            (On::From(3), [false, false, true, true]),
            (On::Kind { verb: "patch", resource: "clusterrolebindings" }, [false, true, false, true]),
        ] {
            let faults = Faults::default();
            faults.set([(on.clone(), Fault::Reset)]);
            let faulty = Faulty::new(Counter::default(), faults.clone());
            for (method, uri, _) in &calls {
                let _ = faulty.handle(User::anonymous(), request(method.clone(), uri)).await;
            }
            let seen = faults.calls();
            assert_eq!(seen.iter().map(|call| call.struck).collect::<Vec<_>>(), expected, "{on:?}");
            assert!(seen.iter().zip(&calls).all(|(seen, (.., verb))| seen.verb == *verb), "{seen:?}");
            assert_eq!((seen[1].resource.as_str(), seen[1].name.as_str()), ("clusterrolebindings", "a"));
        }
    }

    #[tokio::test]
    async fn a_stale_read_returns_the_state_before_the_last_write() {
        let faults = Faults::default();
        faults.remember();
        let faulty = Faulty::new(Counter::default(), faults.clone());
        let ask = async |method| {
            let answer =
                faulty.handle(User::anonymous(), request(method, BINDINGS)).await.expect("an answer");
            let body = answer.into_body().collect().await.expect("a body").to_bytes();
            String::from_utf8_lossy(&body).into_owned()
        };
        assert_eq!(ask(Method::GET).await, "1");
        assert_eq!(ask(Method::POST).await, "2");
        faults.set([(On::From(1), Fault::Stale)]);
        assert_eq!(ask(Method::GET).await, "1");
        assert_eq!(ask(Method::POST).await, "3", "a write is never stale");
        let struck: Vec<bool> = faults.calls().iter().map(|call| call.struck).collect();
        assert_eq!(struck, [true, false]);
    }
}
