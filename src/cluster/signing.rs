//! Has a certificate signed: creates a CertificateSigningRequest, approves it, waits for its end.
//!
//! Two writes per person and a share of one watch. Anyone who may create such objects can plant one,
//! so the name is random, and it refuses to approve anything but the object that contains, byte for
//! byte, the request that this process created, for the requested signer, created by this very user.

use std::time::Duration;

use base64::Engine as _;
use jiff::SignedDuration;
use k8s_openapi::api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestCondition};
use kube::api::ListParams;
use kube::core::Request as Build;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use super::connect::Connection;
use super::convert::{Named, Page};
use super::error::CallFailure;
use super::resource::{Call, Place, Resource, segment};
use super::retry::{self, Repeat};
use super::signing_error::{ConditionReason, SigningEnd, SigningError};
use super::watch::{Follow, Watch, Watched, watch_call};
use super::write::{WritePermit, as_us, only_if, to_bytes};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::{
    LABEL_MANAGED_BY, LABEL_ROSTER, LABEL_RUN, MANAGED_BY, RosterName, SignerName, UserName, hex,
};
use crate::plan::observed::request_prefix;

/// How often creating or approving is tried, where the answer was lost or someone else was faster.
const TRIES: u32 = 5;

/// After so long without news of a request it is read by itself, in case the watch's connection died
/// without a word, which is noticed only when the watch is renewed.
const LOOK_AFTER: Duration = Duration::from_secs(15);

/// The least that Kubernetes takes as `expirationSeconds` (KEP-2784).
const SHORTEST: SignedDuration = SignedDuration::from_mins(10);

/// Asks one signer of one cluster for certificates, for the length of one run.
pub struct Signer {
    connection: Connection,
    roster: RosterName,
    signer: SignerName,
    requester: String,
    run: String,
    watch: Watch,
}

/// The request for one person.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Whose certificate it is; for messages only.
    pub user: &'a UserName,
    /// The PKCS#10 request, PEM.
    pub request_pem: &'a str,
    /// Whether its key is an RSA key, which may also encipher keys.
    pub rsa: bool,
    /// How long it shall be valid; the signer may give less.
    pub expiration: SignedDuration,
    /// How long to wait for the signer once the request is approved.
    pub timeout: Duration,
    /// Ends the wait early: the request is taken back then.
    pub interrupt: &'a Interrupt,
}

impl Signer {
    /// Starts the run's only watch. `requester` is the user of this connection, from [`super::whoami`];
    /// `run` a label value that no other run uses.
    ///
    /// # Errors
    /// CertificateSigningRequests cannot be listed or watched.
    pub async fn start(
        connection: &Connection,
        roster: &RosterName,
        signer: &SignerName,
        requester: String,
        run: String,
        _permit: &WritePermit,
    ) -> Result<Self> {
        Ok(Self {
            watch: Watch::start(connection, &run).await?,
            connection: connection.clone(),
            roster: roster.clone(),
            signer: signer.clone(),
            requester,
            run,
        })
    }

    /// Has one certificate signed and returns it as the signer gave it, PEM. It is not looked into
    /// here: the caller checks key, names and dates.
    ///
    /// A request that is neither denied nor failed is deleted again where no certificate came of
    /// it; those two stay for the administrator to read until the cluster deletes them (1 hour,
    /// pkg/controller/certificates/cleaner).
    ///
    /// # Errors
    /// One [`SigningEnd`] for each way in which it can end without a certificate.
    pub async fn issue(&self, ask: Ask<'_>) -> Result<Vec<u8>, SigningError> {
        let name = random_name(&self.roster);
        let failed = |end| SigningError {
            end: Box::new(end),
            user: ask.user.clone(),
            request: name.clone().unwrap_or_default(),
            context: self.connection.context().to_owned(),
            signer: self.signer.clone(),
        };
        let name = name.as_deref().map_err(|error| {
            failed(SigningEnd::NotCreated(
                Error::new("this system has no randomness for the name of a request; nothing was issued")
                    .caused_by(error.clone()),
            ))
        })?;
        let wanted = self.wanted(name, ask).map_err(|error| failed(SigningEnd::NotCreated(error)))?;
        let mut follow = self.watch.follow(name);
        if let Watched::Refused(failure) = follow.seen() {
            let error = failure.explain(&self.connection, &watch_call("nothing was issued"));
            return Err(failed(SigningEnd::Unwatched(error)));
        }
        if ask.interrupt.is_set() {
            return Err(failed(SigningEnd::Interrupted));
        }
        let created = self.create(&wanted).await.map_err(failed)?;
        let uid = created.uid().to_owned();
        let signed = async {
            self.approve(&wanted, created).await?;
            self.await_end(&wanted, &uid, &mut follow, ask.timeout).await
        };
        let ended = tokio::select! {
            // An issued certificate is used.
            biased;
            ended = signed => ended,
            () = ask.interrupt.wait() => {
                // A certificate that is already signed but not yet seen is not discarded.
                self.look(&wanted, &uid).await.unwrap_or(Err(SigningEnd::Interrupted))
            }
        };
        if let Err(end) = &ended
            && !matches!(end, SigningEnd::Denied(_) | SigningEnd::Failed(_) | SigningEnd::Vanished)
        {
            self.take_back(name, &uid).await;
        }
        ended.map_err(failed)
    }

    /// The request as it is sent.
    fn wanted(&self, name: &str, ask: Ask<'_>) -> Result<RequestedCertificate> {
        if ask.expiration < SHORTEST {
            return Err(Error::new(format!(
                "a certificate valid for less than {} minutes cannot be asked for; nothing was issued",
                SHORTEST.as_mins()
            )));
        }
        // pkg/controller/certificates/signer: `client auth` is required, besides it only these.
        let mut usages = vec!["client auth".to_owned(), "digital signature".to_owned()];
        if ask.rsa {
            usages.push("key encipherment".to_owned());
        }
        Ok(RequestedCertificate {
            name: name.to_owned(),
            request: ask.request_pem.as_bytes().to_vec(),
            signer: self.signer.to_string(),
            requester: self.requester.clone(),
            usages,
            expiration: i32::try_from(ask.expiration.as_secs()).unwrap_or(i32::MAX),
        })
    }

    /// Creates the request; if the response was lost, checks whether it exists.
    async fn create(&self, wanted: &RequestedCertificate) -> Result<Stored, SigningEnd> {
        let call = request_call("create", Resource::SigningRequests, &wanted.name, "nothing was issued");
        let refused = |failure: CallFailure| SigningEnd::NotCreated(failure.explain(&self.connection, &call));
        let request = Build::new(call.resource.path(None))
            .create(&as_us(), self.body(wanted))
            .map_err(|error| refused(CallFailure::Ours(error.to_string())))?;
        let mut tries = 0;
        loop {
            let failure = match self.connection.call(&request, Repeat::OnlyIfUndone).await {
                Ok(stored) => return wanted.checked(stored, None),
                Err(failure) => failure,
            };
            // An unguessable name can only be taken by our own earlier attempt.
            if !failure.may_have_taken_effect() && failure.code() != Some(409) {
                return Err(refused(failure));
            }
            match self.get(&wanted.name).await {
                Ok(Some(stored)) => return wanted.checked(stored, None),
                Ok(None) => {}
                Err(_) => return Err(refused(failure)),
            }
            tries += 1;
            if tries == TRIES {
                return Err(refused(failure));
            }
            sleep(retry::backoff(tries, retry::jitter())).await;
        }
    }

    fn body(&self, wanted: &RequestedCertificate) -> Vec<u8> {
        to_bytes(&json!({
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {
                "name": wanted.name,
                "labels": {
                    LABEL_MANAGED_BY: MANAGED_BY,
                    LABEL_ROSTER: self.roster.as_str(),
                    LABEL_RUN: self.run,
                },
            },
            "spec": {
                "request": base64::engine::general_purpose::STANDARD.encode(&wanted.request),
                "signerName": wanted.signer,
                "usages": wanted.usages,
                "expirationSeconds": wanted.expiration,
            },
        }))
    }

    /// Approves the request that was checked. On a conflict or a lost answer it is read and checked
    /// again, and must still be the same object.
    async fn approve(&self, wanted: &RequestedCertificate, created: Stored) -> Result<(), SigningEnd> {
        let call = request_call("update", Resource::SigningApproval, &wanted.name, "nothing was issued");
        let uid = created.uid().to_owned();
        let mut current = created;
        let mut tries = 0;
        loop {
            match progress(&current.known) {
                RequestState::Denied(reason) => return Err(SigningEnd::Denied(reason)),
                RequestState::Failed(reason) => return Err(SigningEnd::Failed(reason)),
                RequestState::Approved | RequestState::Issued(_) => return Ok(()),
                RequestState::Pending => {}
            }
            let failure = match self.send_approval(&wanted.name, current).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            match failure.code() {
                Some(403) => {
                    let message = failure.api_message().unwrap_or_default().to_owned();
                    let requester = self.requester.clone();
                    return Err(SigningEnd::ApprovalRefused { requester, message });
                }
                Some(404) => return Err(SigningEnd::Vanished),
                code if code != Some(409) && !failure.may_have_taken_effect() => {
                    return Err(SigningEnd::NotApproved(failure.explain(&self.connection, &call)));
                }
                _ => {}
            }
            tries += 1;
            if tries == TRIES {
                return Err(SigningEnd::NotApproved(failure.explain(&self.connection, &call)));
            }
            sleep(retry::backoff(tries, retry::jitter())).await;
            current = match self.get(&wanted.name).await {
                Ok(Some(stored)) => wanted.checked(stored, Some(&uid))?,
                Ok(None) => return Err(SigningEnd::Vanished),
                Err(_) => return Err(SigningEnd::NotApproved(failure.explain(&self.connection, &call))),
            };
        }
    }

    async fn send_approval(&self, name: &str, stored: Stored) -> Result<(), CallFailure> {
        let body = to_bytes(&stored.with_condition(&json!({
            "type": "Approved",
            "status": "True",
            "reason": "CertctlApprove",
            "message": format!("approved by certctl for roster {}", self.roster),
        })));
        let request = Build::new(Resource::SigningApproval.path(None))
            .replace_subresource("approval", &segment(name), &as_us(), body)
            .map_err(|error| CallFailure::Ours(error.to_string()))?;
        // It carries the resourceVersion that was checked; a second one could only conflict, and
        // the caller looks after each.
        let _: IgnoredAny = self.connection.call(&request, Repeat::OnlyIfUndone).await?;
        Ok(())
    }

    /// Waits for the end of an approved request; after a long silence, and at the deadline, it looks by
    /// itself.
    async fn await_end(
        &self,
        wanted: &RequestedCertificate,
        uid: &str,
        follow: &mut Follow,
        timeout: Duration,
    ) -> Result<Vec<u8>, SigningEnd> {
        let deadline = Instant::now() + timeout;
        loop {
            match follow.seen() {
                Watched::Present(object) => {
                    if let Some(end) = wanted.end_of(&object, uid) {
                        return end;
                    }
                }
                // It may only have lost its label: then it is not seen by the watch any more.
                Watched::Gone => {
                    if let Some(end) = self.look(wanted, uid).await {
                        return end;
                    }
                }
                Watched::Refused(failure) => {
                    if let Some(end) = self.look(wanted, uid).await {
                        return end;
                    }
                    let error = failure.explain(&self.connection, &watch_call("nothing was issued"));
                    return Err(SigningEnd::Unwatched(error));
                }
                Watched::Nothing => {}
            }
            let until = deadline.min(Instant::now() + LOOK_AFTER);
            if timeout_at(until, follow.changed()).await.is_err() {
                if let Some(end) = self.look(wanted, uid).await {
                    return end;
                }
                if Instant::now() >= deadline {
                    return Err(SigningEnd::NeverSigned(timeout));
                }
            }
        }
    }

    /// Reads the request itself. `None` if it has not ended, or cannot be read.
    async fn look(&self, wanted: &RequestedCertificate, uid: &str) -> Option<Result<Vec<u8>, SigningEnd>> {
        match self.get(&wanted.name).await {
            Ok(Some(stored)) => wanted.end_of(&stored.known, uid),
            Ok(None) => Some(Err(SigningEnd::Vanished)),
            Err(_) => None,
        }
    }

    async fn get(&self, name: &str) -> Result<Option<Stored>, CallFailure> {
        let request = Build::new(Resource::SigningRequests.path(None))
            .get(&segment(name), &Default::default())
            .map_err(|error| CallFailure::Ours(error.to_string()))?;
        match self.connection.call(&request, Repeat::Harmless).await {
            Ok(object) => Ok(Some(object)),
            Err(failure) if failure.code() == Some(404) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Deletes every request of this run, whatever became of it. What remains where that fails, the cluster
    /// deletes.
    pub async fn forget(&self) {
        let params = ListParams::default().labels(&format!("{LABEL_RUN}={}", self.run));
        let Ok(request) = Build::new(Resource::SigningRequests.path(None)).list(&params) else { return };
        let ours: Result<Page<Named>, CallFailure> = self.connection.call(&request, Repeat::Harmless).await;
        for object in ours.ok().and_then(|page| page.items).unwrap_or_default() {
            if object.metadata.name.starts_with(&request_prefix(&self.roster)) {
                self.take_back(&object.metadata.name, &object.metadata.uid).await;
            }
        }
    }

    /// Deletes our own pending request. What remains where that fails, the cluster deletes after a
    /// day, and the next plan lists.
    async fn take_back(&self, name: &str, uid: &str) {
        let path = Resource::SigningRequests.path(None);
        if let Ok(request) = Build::new(path).delete(&segment(name), &only_if(uid, None)) {
            let _: Result<IgnoredAny, CallFailure> =
                self.connection.call(&request, Repeat::OnlyIfUndone).await;
        }
    }
}

/// A request as the cluster has it: what is looked at, and all of it, since an approval writes all of it back. A newer
/// server may have fields that are not known here.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
struct Stored {
    known: CertificateSigningRequest,
    whole: Map<String, Value>,
}

impl TryFrom<Value> for Stored {
    type Error = serde_json::Error;

    fn try_from(whole: Value) -> Result<Self, Self::Error> {
        Ok(Self { known: Deserialize::deserialize(&whole)?, whole: serde_json::from_value(whole)? })
    }
}

impl Stored {
    fn uid(&self) -> &str {
        self.known.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The same with one condition more.
    fn with_condition(mut self, condition: &Value) -> Value {
        let status = self.whole.entry("status").or_insert_with(|| json!({}));
        let mut conditions = match status["conditions"].take() {
            Value::Array(conditions) => conditions,
            _ => Vec::new(),
        };
        conditions.push(condition.clone());
        status["conditions"] = conditions.into();
        self.whole.into()
    }
}

/// What was sent, and must be what the cluster has.
#[derive(Debug)]
struct RequestedCertificate {
    name: String,
    request: Vec<u8>,
    signer: String,
    requester: String,
    usages: Vec<String>,
    expiration: i32,
}

impl RequestedCertificate {
    /// Passes an object on only if it is the request that this process created.
    fn checked(&self, stored: Stored, uid: Option<&str>) -> Result<Stored, SigningEnd> {
        self.check(&stored.known, uid).map(|()| stored)
    }

    /// Whether it is the request that this process created, and, if its UID is known already, the same
    /// object still.
    fn check(&self, object: &CertificateSigningRequest, uid: Option<&str>) -> Result<(), SigningEnd> {
        let spec = &object.spec;
        let there = object.metadata.uid.as_deref().unwrap_or_default();
        let foreign = if there.is_empty() {
            "it has no UID"
        } else if uid.is_some_and(|uid| uid != there) {
            "it is another object of the same name"
        } else if object.metadata.name.as_deref() != Some(&self.name) {
            "it has another name"
        } else if spec.request.0 != self.request {
            "its request contains other bytes"
        } else if spec.signer_name != self.signer {
            "it asks another signer"
        } else if spec.username.as_deref() != Some(&self.requester) {
            "it was made by another user"
        } else if spec.usages.as_deref() != Some(&self.usages) {
            "it asks for other usages"
        } else {
            return Ok(());
        };
        Err(SigningEnd::Foreign(foreign))
    }

    /// How a request ended; `None` while it is pending.
    fn end_of(&self, object: &CertificateSigningRequest, uid: &str) -> Option<Result<Vec<u8>, SigningEnd>> {
        if let Err(end) = self.check(object, Some(uid)) {
            return Some(Err(end));
        }
        match progress(object) {
            RequestState::Issued(certificate) => Some(Ok(certificate)),
            RequestState::Denied(reason) => Some(Err(SigningEnd::Denied(reason))),
            RequestState::Failed(reason) => Some(Err(SigningEnd::Failed(reason))),
            RequestState::Pending | RequestState::Approved => None,
        }
    }
}

/// How far a request has come.
#[derive(Debug, PartialEq, Eq)]
enum RequestState {
    Pending,
    Approved,
    Issued(Vec<u8>),
    Denied(ConditionReason),
    Failed(ConditionReason),
}

fn progress(object: &CertificateSigningRequest) -> RequestState {
    let Some(status) = &object.status else {
        return RequestState::Pending;
    };
    let condition = |kind: &str| {
        let conditions = status.conditions.as_deref().unwrap_or_default();
        conditions.iter().find(|c| c.type_ == kind && c.status == "True")
    };
    let reason = |condition: &CertificateSigningRequestCondition| ConditionReason {
        reason: condition.reason.clone().unwrap_or_default(),
        message: condition.message.clone().unwrap_or_default(),
    };
    if let Some(denied) = condition("Denied") {
        return RequestState::Denied(reason(denied));
    }
    if let Some(failed) = condition("Failed") {
        return RequestState::Failed(reason(failed));
    }
    if condition("Approved").is_none() {
        return RequestState::Pending;
    }
    match &status.certificate {
        Some(certificate) if !certificate.0.is_empty() => RequestState::Issued(certificate.0.clone()),
        _ => RequestState::Approved,
    }
}

/// A name that nobody else can take first: 16 random bytes.
fn random_name(roster: &RosterName) -> Result<String, String> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| error.to_string())?;
    Ok(format!("{}{}", request_prefix(roster), hex(&random)))
}

fn request_call(verb: &'static str, resource: Resource, name: &str, otherwise: &'static str) -> Call {
    Call { verb, resource, place: Place::Cluster, name: Some(name.to_owned()), otherwise }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;

    fn wanted() -> RequestedCertificate {
        RequestedCertificate {
            name: "certctl-acme-0".into(),
            request: b"our request".to_vec(),
            signer: "kubernetes.io/kube-apiserver-client".into(),
            requester: "ci".into(),
            usages: vec!["client auth".into(), "digital signature".into()],
            expiration: 3600,
        }
    }

    fn object() -> CertificateSigningRequest {
        let wanted = wanted();
        let mut object = CertificateSigningRequest::default();
        object.metadata.name = Some(wanted.name);
        object.metadata.uid = Some("u".into());
        object.spec.request = ByteString(wanted.request);
        object.spec.signer_name = wanted.signer;
        object.spec.username = Some(wanted.requester);
        object.spec.usages = Some(wanted.usages);
        object
    }

    fn with(conditions: &[(&str, &str)], certificate: Option<&[u8]>) -> CertificateSigningRequest {
        let mut object = object();
        let status = object.status.get_or_insert_default();
        status.conditions = Some(
            conditions
                .iter()
                .map(|(type_, status)| CertificateSigningRequestCondition {
                    type_: (*type_).into(),
                    status: (*status).into(),
                    reason: Some("why".into()),
                    ..CertificateSigningRequestCondition::default()
                })
                .collect(),
        );
        status.certificate = certificate.map(|bytes| ByteString(bytes.to_vec()));
        object
    }

    #[test]
    fn only_what_was_sent_is_approved() {
        assert!(wanted().check(&object(), None).is_ok());
        assert!(wanted().check(&object(), Some("u")).is_ok());
        type Change = fn(&mut CertificateSigningRequest);
        let changes: [(&str, Change); 8] = [
            ("no UID", |o| o.metadata.uid = None),
            ("another object", |o| o.metadata.uid = Some("v".into())),
            ("another name", |o| o.metadata.name = Some("x".into())),
            ("other bytes", |o| o.spec.request.0.push(b'\n')),
            ("another signer", |o| o.spec.signer_name = "example.com/any".into()),
            ("another user", |o| o.spec.username = Some("mallory".into())),
            ("other usages", |o| o.spec.usages = Some(vec!["client auth".into(), "server auth".into()])),
            ("other usages", |o| o.spec.usages = None),
        ];
        for (what, change) in changes {
            let mut object = object();
            change(&mut object);
            match wanted().check(&object, Some("u")) {
                Err(SigningEnd::Foreign(why)) => assert!(why.contains(what), "{what}: {why}"),
                other => panic!("{what}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_certificate_counts_only_with_its_approval() {
        let reason = ConditionReason { reason: "why".into(), message: String::new() };
        for (conditions, certificate, expected) in [
            (&[][..], None, RequestState::Pending),
            (&[], Some(&b"c"[..]), RequestState::Pending),
            (&[("Approved", "False")], Some(b"c"), RequestState::Pending),
            (&[("Approved", "True")], None, RequestState::Approved),
            (&[("Approved", "True")], Some(b""), RequestState::Approved),
            (&[("Approved", "True")], Some(b"c"), RequestState::Issued(b"c".to_vec())),
            (&[("Denied", "True")], None, RequestState::Denied(reason.clone())),
            (&[("Approved", "True"), ("Failed", "True")], Some(b"c"), RequestState::Failed(reason.clone())),
        ] {
            assert_eq!(progress(&with(conditions, certificate)), expected, "{conditions:?} {certificate:?}");
        }
        assert_eq!(progress(&object()), RequestState::Pending);
    }

    #[test]
    fn an_approval_writes_back_what_a_newer_server_has_and_this_one_does_not_know() {
        let sent = json!({
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
            "metadata": {"name": "c", "uid": "u", "resourceVersion": "7", "aboutIt": {"new": 1}},
            "spec": {"request": "Yg==", "signerName": "a/b", "trust": ["new"]},
            "status": {"conditions": [{"type": "Checked", "status": "True", "by": "new"}], "pending": "new"},
            "verdict": "new",
        });
        let stored: Stored = serde_json::from_value(sent.clone()).expect("a request");
        assert_eq!((stored.uid(), progress(&stored.known)), ("u", RequestState::Pending));
        let approved = json!({"type": "Approved", "status": "True"});
        let mut expected = sent;
        expected["status"]["conditions"].as_array_mut().expect("a list").push(approved.clone());
        assert_eq!(stored.with_condition(&approved), expected);

        for status in [json!(null), json!({}), json!({"conditions": null})] {
            let bare = json!({"metadata": {"uid": "u"}, "spec": {"request": "", "signerName": "a/b"}, "status": status});
            let stored: Stored = serde_json::from_value(bare).expect("a request");
            assert_eq!(stored.with_condition(&approved)["status"]["conditions"], json!([approved]));
        }
        assert!(serde_json::from_value::<Stored>(json!([])).is_err());
    }

    #[test]
    fn names_are_random_and_short_enough() {
        let roster: RosterName = "acme".parse().expect("a name");
        let (a, b) = (random_name(&roster).expect("random"), random_name(&roster).expect("random"));
        assert_ne!(a, b);
        assert!(a.starts_with("certctl-acme-") && a.len() == "certctl-acme-".len() + 32, "{a}");
    }
}
