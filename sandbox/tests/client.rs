//! The sandbox as a client library meets it: kube's own watcher, paging, optimistic locking, leases;
//! and what a test can do to it: its clock, its state, its signer.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_sandbox::clock::Clock;
use certctl_sandbox::signer::{SignerOptions, Verdict};
use certctl_sandbox::{Options, Sandbox};
use futures::{StreamExt as _, TryStreamExt as _};
use http::Request;
use jiff::Timestamp;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::{
    DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions, WatchEvent, WatchParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Config};
use serde_json::{Value, json};

async fn client(kubeconfig: &str) -> Client {
    let parsed = Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
    let mut config =
        Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default()).await.expect("a config");
    config.default_retry = false;
    Client::try_from(config).expect("a client")
}

fn sandbox() -> Sandbox {
    Sandbox::start(Options::default()).expect("it starts")
}

fn config_map(name: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.to_owned());
    map.metadata.labels = Some([("n".to_owned(), name.to_owned())].into());
    map
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> (u16, String, String) {
    match result {
        Err(kube::Error::Api(status)) => (status.code, status.reason.clone(), status.message.clone()),
        other => panic!("it was not refused: {other:?}"),
    }
}

/// One key for all requests here.
fn request() -> &'static str {
    static REQUEST: OnceLock<String> = OnceLock::new();
    REQUEST.get_or_init(|| {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "carol");
        STANDARD.encode(params.serialize_request(&key).expect("a request").pem().expect("PEM"))
    })
}

fn csr(name: &str) -> CertificateSigningRequest {
    let object = json!({
        "metadata": {"name": name},
        "spec": {
            "request": request(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
            "expirationSeconds": 3600,
        },
    });
    serde_json::from_value(object).expect("a request")
}

fn approval() -> Patch<Value> {
    Patch::Merge(json!({"status": {"conditions": [{"type": "Approved", "status": "True"}]}}))
}

/// The first state that a watch shows of an object that is as wanted.
async fn until(
    api: &Api<CertificateSigningRequest>,
    wanted: impl Fn(&CertificateSigningRequest) -> bool,
) -> CertificateSigningRequest {
    let events = watcher(api.clone(), watcher::Config::default());
    let states = events.try_filter_map(async |event| {
        Ok(match event {
            Event::Apply(object) | Event::InitApply(object) => Some(object),
            _ => None,
        })
    });
    let mut states = std::pin::pin!(states);
    let found = async {
        while let Some(state) = states.next().await {
            let state = state.expect("a state");
            if wanted(&state) {
                return state;
            }
        }
        panic!("the watch ended")
    };
    tokio::time::timeout(Duration::from_secs(60), found).await.expect("it becomes so")
}

fn certificate(csr: &CertificateSigningRequest) -> Option<&[u8]> {
    csr.status.as_ref()?.certificate.as_ref().map(|certificate| certificate.0.as_slice())
}

#[tokio::test]
async fn a_paged_list_stays_at_its_first_revision() {
    let sandbox = sandbox();
    let api: Api<ConfigMap> = Api::namespaced(client(&sandbox.kubeconfig()).await, "default");
    for n in 0..7 {
        api.create(&PostParams::default(), &config_map(&format!("m{n}"))).await.expect("created");
    }
    let first = api.list(&ListParams::default().limit(3)).await.expect("a page");
    assert_eq!(first.metadata.remaining_item_count, Some(4));
    api.delete("m5", &DeleteParams::default()).await.expect("deleted");
    api.create(&PostParams::default(), &config_map("m55")).await.expect("created");
    let mut seen: Vec<String> = Vec::new();
    let mut page = first;
    loop {
        seen.extend(page.items.iter().filter_map(|map| map.metadata.name.clone()));
        let Some(next) = page.metadata.continue_.clone().filter(|next| !next.is_empty()) else { break };
        let params = ListParams::default().limit(3).continue_token(&next);
        page = api.list(&params).await.expect("a page");
    }
    assert_eq!(seen, ["m0", "m1", "m2", "m3", "m4", "m5", "m6"]);

    let first = api.list(&ListParams::default().limit(3)).await.expect("a page");
    sandbox.compact();
    api.delete("m0", &DeleteParams::default()).await.expect("deleted");
    let next = first.metadata.continue_.expect("a token");
    let (code, reason, _) = refused(api.list(&ListParams::default().limit(3).continue_token(&next)).await);
    assert_eq!((code, reason.as_str()), (410, "Expired"));
}

#[tokio::test]
async fn a_watch_reports_what_enters_and_leaves_its_selection() {
    let sandbox = sandbox();
    let api: Api<ConfigMap> = Api::namespaced(client(&sandbox.kubeconfig()).await, "default");
    let version =
        api.list(&ListParams::default()).await.expect("a list").metadata.resource_version.expect("one");
    let params = WatchParams::default().labels("n=a");
    let mut events = api.watch(&params, &version).await.expect("a watch").boxed();
    api.create(&PostParams::default(), &config_map("b")).await.expect("created");
    api.create(&PostParams::default(), &config_map("a")).await.expect("created");
    let label = |value: &str| Patch::Merge(json!({"metadata": {"labels": {"n": value}}}));
    let data = Patch::Merge(json!({"data": {"k": "v"}}));
    api.patch("a", &PatchParams::default(), &data).await.expect("patched");
    api.patch("a", &PatchParams::default(), &label("z")).await.expect("patched");
    api.patch("b", &PatchParams::default(), &label("a")).await.expect("patched");
    api.delete("b", &DeleteParams::default()).await.expect("deleted");
    let mut said = Vec::new();
    let mut versions = Vec::new();
    while said.len() < 5 {
        let (what, map) = match events.next().await.expect("it goes on").expect("an event") {
            WatchEvent::Added(map) => ("added", map),
            WatchEvent::Modified(map) => ("modified", map),
            WatchEvent::Deleted(map) => ("deleted", map),
            other => panic!("{other:?}"),
        };
        said.push(format!("{what} {}", map.metadata.name.expect("a name")));
        versions.push(map.metadata.resource_version.expect("one").parse::<u64>().expect("a number"));
    }
    assert_eq!(said, ["added a", "modified a", "deleted a", "added b", "deleted b"]);
    assert!(versions.is_sorted(), "{versions:?}");
}

#[tokio::test]
async fn a_watch_from_an_expired_revision_fails_and_kubes_watcher_relists() {
    let sandbox = sandbox();
    let api: Api<ConfigMap> = Api::namespaced(client(&sandbox.kubeconfig()).await, "default");
    let version =
        api.list(&ListParams::default()).await.expect("a list").metadata.resource_version.expect("one");
    let mut watched = watcher(api.clone(), watcher::Config::default()).boxed();
    while !matches!(watched.next().await, Some(Ok(Event::InitDone))) {}
    sandbox.compact();
    api.create(&PostParams::default(), &config_map("a")).await.expect("created");
    sandbox.compact();
    api.create(&PostParams::default(), &config_map("b")).await.expect("created");

    let mut events = api.watch(&WatchParams::default(), &version).await.expect("a watch").boxed();
    let Some(Ok(WatchEvent::Error(status))) = events.next().await else { panic!("it is told nothing") };
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
    assert!(status.message.starts_with("too old resource version: "), "{}", status.message);
    assert!(events.next().await.is_none());

    // However much it missed, it sees both in the end.
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 2 {
        if let Some(Ok(Event::Apply(map) | Event::InitApply(map))) = watched.next().await {
            seen.insert(map.metadata.name);
        }
    }
}

#[tokio::test]
async fn a_watch_ends_on_time_and_sends_bookmarks() {
    let sandbox = sandbox();
    let api: Api<Namespace> = Api::all(client(&sandbox.kubeconfig()).await);
    let params = WatchParams::default().timeout(1);
    let version =
        api.list(&ListParams::default()).await.expect("a list").metadata.resource_version.expect("one");
    let events: Vec<_> = api.watch(&params, &version).await.expect("a watch").collect().await;
    assert!(
        matches!(&events[..], [Ok(WatchEvent::Bookmark(mark))] if mark.metadata.resource_version == version),
        "{events:?}"
    );
}

#[tokio::test]
async fn who_writes_second_is_told() {
    let sandbox = sandbox();
    let api: Api<Lease> = Api::namespaced(client(&sandbox.kubeconfig()).await, "kube-system");
    let mut lease = Lease::default();
    lease.metadata.name = Some("lock".to_owned());
    lease.spec.get_or_insert_default().holder_identity = Some("one".to_owned());
    let created = api.create(&PostParams::default(), &lease).await.expect("created");
    let mut mine = created.clone();
    mine.spec.get_or_insert_default().holder_identity = Some("two".to_owned());
    let renewed = api.replace("lock", &PostParams::default(), &mine).await.expect("replaced");
    let (code, reason, message) = refused(api.replace("lock", &PostParams::default(), &mine).await);
    assert_eq!((code, reason.as_str()), (409, "Conflict"));
    assert!(message.contains("the object has been modified"), "{message}");

    let stale = DeleteParams {
        preconditions: Some(Preconditions { uid: None, resource_version: created.metadata.resource_version }),
        ..DeleteParams::default()
    };
    let (code, _, message) = refused(api.delete("lock", &stale).await);
    assert!(code == 409 && message.contains("might have been modified"), "{message}");
    let right = DeleteParams {
        preconditions: Some(Preconditions {
            uid: renewed.metadata.uid,
            resource_version: renewed.metadata.resource_version,
        }),
        ..DeleteParams::default()
    };
    api.delete("lock", &right).await.expect("deleted");
}

#[tokio::test]
async fn of_concurrent_creates_exactly_one_wins() {
    let sandbox = sandbox();
    let api: Api<ConfigMap> = Api::namespaced(client(&sandbox.kubeconfig()).await, "default");
    let tries = (0..20).map(|_| {
        let api = api.clone();
        async move { api.create(&PostParams::default(), &config_map("one")).await.is_ok() }
    });
    let won = futures::future::join_all(tries).await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
}

#[tokio::test]
async fn an_approved_request_is_signed_and_its_certificate_authenticates() {
    let sandbox = sandbox();
    let api: Api<CertificateSigningRequest> = Api::all(client(&sandbox.kubeconfig()).await);
    api.create(&PostParams::default(), &csr("c")).await.expect("created");
    api.patch_approval("c", &PatchParams::default(), &approval()).await.expect("approved");
    let issued = until(&api, |csr| certificate(csr).is_some()).await;
    let pem = String::from_utf8(certificate(&issued).expect("one").to_vec()).expect("PEM");
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
    let kept =
        sandbox.get("certificates.k8s.io", "certificatesigningrequests", "", "c").expect("it is there");
    assert_eq!(kept["spec"]["username"], "sandbox-admin");
}

#[tokio::test]
async fn a_signer_can_be_slow_absent_or_refuse() {
    for (verdict, shown) in [
        (Verdict::Deny { reason: "No".to_owned(), message: "not you".to_owned() }, "Denied"),
        (Verdict::Fail { reason: "Broken".to_owned(), message: "not now".to_owned() }, "Failed"),
    ] {
        let signer = SignerOptions { verdict, ..SignerOptions::default() };
        let sandbox = Sandbox::start(Options { signer, ..Options::default() }).expect("it starts");
        let api: Api<CertificateSigningRequest> = Api::all(client(&sandbox.kubeconfig()).await);
        api.create(&PostParams::default(), &csr("c")).await.expect("created");
        if shown == "Failed" {
            api.patch_approval("c", &PatchParams::default(), &approval()).await.expect("approved");
        }
        until(&api, |csr| {
            let conditions = csr.status.as_ref().and_then(|status| status.conditions.as_deref());
            conditions.unwrap_or_default().iter().any(|condition| condition.type_ == shown)
        })
        .await;
    }
    let signer = SignerOptions { delay: Duration::from_millis(300), ..SignerOptions::default() };
    let sandbox = Sandbox::start(Options { signer, ..Options::default() }).expect("it starts");
    let api: Api<CertificateSigningRequest> = Api::all(client(&sandbox.kubeconfig()).await);
    api.create(&PostParams::default(), &csr("c")).await.expect("created");
    let began = std::time::Instant::now();
    api.patch_approval("c", &PatchParams::default(), &approval()).await.expect("approved");
    until(&api, |csr| certificate(csr).is_some()).await;
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn time_follows_the_clock() {
    // From the client's own time on, by which the server's certificate has to count.
    let began = Timestamp::now().as_second();
    let now = Arc::new(AtomicI64::new(began));
    let clock = {
        let now = Arc::clone(&now);
        Clock::new(move || Timestamp::from_second(now.load(Ordering::SeqCst)).expect("a time"))
    };
    let sandbox = Sandbox::start(Options { clock, ..Options::default() }).expect("it starts");
    let api: Api<CertificateSigningRequest> = Api::all(client(&sandbox.kubeconfig()).await);
    let created = api.create(&PostParams::default(), &csr("old")).await.expect("created");
    assert_eq!(created.metadata.creation_timestamp.expect("one").0.as_second(), began);
    api.create(&PostParams::default(), &csr("approved")).await.expect("created");
    api.patch_approval("approved", &PatchParams::default(), &approval()).await.expect("approved");
    until(&api, |csr| certificate(csr).is_some()).await;

    // An issued request is kept for an hour, one that waits for a day.
    now.fetch_add(3601, Ordering::SeqCst);
    let names = async || {
        let list = api.list(&ListParams::default()).await.expect("a list");
        list.items.into_iter().filter_map(|csr| csr.metadata.name).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["old"]);
    now.fetch_add(24 * 3600, Ordering::SeqCst);
    assert!(names().await.is_empty());

    // The certificate counts anew at each request, also on a connection that stands.
    now.fetch_add(20 * 365 * 24 * 3600, Ordering::SeqCst);
    let (code, reason, message) = refused(api.list(&ListParams::default()).await);
    assert_eq!((code, reason.as_str(), message.as_str()), (401, "Unauthorized", "Unauthorized"));
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_not_accepted() {
    let (one, other) = (sandbox(), sandbox());
    let mixed: String = one
        .kubeconfig()
        .lines()
        .zip(other.kubeconfig().lines())
        .map(|(ours, theirs)| {
            let line = if ours.trim_start().starts_with("client-") { theirs } else { ours };
            format!("{line}\n")
        })
        .collect();
    let api: Api<Namespace> = Api::all(client(&mixed).await);
    assert_eq!(refused(api.list(&ListParams::default()).await).0, 401);
    let anonymous: String = one
        .kubeconfig()
        .lines()
        .filter(|line| !line.contains("client-"))
        .map(|line| format!("{line}\n"))
        .collect();
    let api: Api<Namespace> = Api::all(client(&anonymous.replace("  user:\n", "  user: {}\n")).await);
    let (code, _, message) = refused(api.list(&ListParams::default()).await);
    assert_eq!(code, 403);
    assert!(message.contains("User \"system:anonymous\" cannot list resource \"namespaces\""), "{message}");
}

#[tokio::test]
async fn a_sandbox_continues_from_a_snapshot() {
    let one = sandbox();
    let admin = one.kubeconfig();
    let before: Api<ClusterRoleBinding> = Api::all(client(&admin).await);
    let binding = json!({
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "User", "name": "alice", "apiGroup": "rbac.authorization.k8s.io"}],
    });
    let binding: ClusterRoleBinding = serde_json::from_value(binding).expect("a binding");
    let kept = before.create(&PostParams::default(), &binding).await.expect("created");
    let alice = one.client_kubeconfig("alice", &[]).expect("a kubeconfig");
    let state = one.state();
    before.delete("b", &DeleteParams::default()).await.expect("deleted");
    let (one_server, uid) =
        (one.server(), one.get("", "namespaces", "", "kube-system").expect("it is there"));
    drop(one);

    for _ in 0..2 {
        let again =
            Sandbox::start(Options { state: Some(state.clone()), ..Options::default() }).expect("it starts");
        assert_eq!(again.get("", "namespaces", "", "kube-system"), Some(uid.clone()));
        let moved = admin.replace(&one_server, &again.server());
        let after: Api<ClusterRoleBinding> = Api::all(client(&moved).await);
        let found = after.get("b").await.expect("as it was");
        assert_eq!(found.metadata, kept.metadata);
        // Rights and certificates are as they were, too.
        let hers: Api<Namespace> = Api::all(client(&alice.replace(&one_server, &again.server())).await);
        hers.list(&ListParams::default()).await.expect("she may");
        after.delete("b", &DeleteParams::default()).await.expect("deleted");
        assert_eq!(refused(hers.list(&ListParams::default()).await).0, 403);
    }
}

#[tokio::test]
async fn requests_are_in_the_audit_log() {
    let sandbox = sandbox();
    let client = client(&sandbox.client_kubeconfig("ci", &["system:masters"]).expect("a kubeconfig")).await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let position = sandbox.audit_position();
    api.create(&PostParams::default(), &config_map("a")).await.expect("created");
    let _ = api.get("none").await;
    let params = WatchParams::default().timeout(1);
    let _: Vec<_> = api.watch(&params, "0").await.expect("a watch").collect().await;
    client
        .request_text(Request::get("/version").body(Vec::new()).expect("a request"))
        .await
        .expect("a version");
    let said: Vec<String> = sandbox
        .audit_events_since(position)
        .iter()
        .map(|event| {
            assert_eq!(event["user"]["username"], "ci");
            let object = &event["objectRef"];
            format!(
                "{} {} {} {} {}",
                event["stage"].as_str().expect("a stage"),
                event["verb"].as_str().expect("a verb"),
                object["resource"].as_str().unwrap_or("-"),
                object["name"].as_str().unwrap_or("-"),
                event["responseStatus"]["code"]
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            "ResponseComplete create configmaps - 201",
            "ResponseComplete get configmaps none 404",
            "ResponseStarted watch configmaps - 200",
            "ResponseComplete watch configmaps - 200",
            "ResponseComplete get - - 200",
        ]
    );
    assert!(!serde_json::to_string(&sandbox.audit_events()).expect("JSON").contains("\"data\""));
}

#[tokio::test]
async fn aggregated_roles_follow_their_parts() {
    let sandbox = sandbox();
    let alice = client(&sandbox.client_kubeconfig("alice", &[]).expect("a kubeconfig")).await;
    let put = |object: Value| sandbox.put(object).expect("written");
    put(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "User", "name": "alice", "apiGroup": "rbac.authorization.k8s.io"}],
    }));
    let leases: Api<Lease> = Api::namespaced(alice, "default");
    assert_eq!(refused(leases.list(&ListParams::default()).await).0, 403);
    put(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "leases", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["list"]}],
    }));
    leases.list(&ListParams::default()).await.expect("view has it now");
}

#[tokio::test]
async fn a_port_in_use_is_an_error() {
    let first = sandbox();
    let port = first.server().rsplit(':').next().and_then(|port| port.parse().ok());
    let error = Sandbox::start(Options { port, ..Options::default() }).expect_err("it is taken").to_string();
    assert!(error.starts_with("the sandbox cannot listen at 127.0.0.1:"), "{error}");
    drop(first);
    Sandbox::start(Options { port, ..Options::default() }).expect("it is free again");
}
