//! CertificateSigningRequests, from creation to certificate.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::{Value, json};

use super::{bound, cluster, rules, user, with};
use crate::step::{Step, delete, get, json_patch, merge, post, put};

const PATH: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const SIGNER: &str = "kubernetes.io/kube-apiserver-client";

/// A request for `CN=alice` and a group, PEM.
fn pem(group: &str) -> String {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "dora");
    parameters.distinguished_name.push(DnType::OrganizationName, group);
    let key = KeyPair::generate().expect("a key");
    parameters.serialize_request(&key).expect("a request").pem().expect("PEM")
}

static REQUEST: LazyLock<String> = LazyLock::new(|| pem("dev"));

fn csr(name: &str, fields: Value) -> Value {
    let mut spec =
        json!({"request": STANDARD.encode(&*REQUEST), "signerName": SIGNER, "usages": ["client auth"]});
    for (key, value) in fields.as_object().expect("an object") {
        spec[key] = value.clone();
    }
    with(name, json!({"spec": spec}))
}

fn asking(bytes: &str) -> Value {
    csr("bad", json!({"request": STANDARD.encode(bytes)}))
}

pub fn created() -> Vec<Step> {
    let create = |body| post("root", PATH, body);
    let with_spec = |fields| create(csr("bad", fields));
    let request = REQUEST.as_str();
    let (head, rest) = request.split_at(request.len() / 2);
    // One bit of the signature is another.
    let (end, last) = rest.split_at(rest.find("\n-----END").expect("the end") - 6);
    let other = if last.starts_with('A') { "B" } else { "A" };
    let changed = format!("{head}{end}{other}{}", &last[1..]);
    vec![
        create(csr(
            "good",
            json!({"username": "root", "groups": ["system:masters"], "uid": "x", "expirationSeconds": 600}),
        )),
        create(csr("good", json!({}))),
        create(csr("UPPER and 50", json!({}))),
        create(csr("a/b", json!({}))),
        create(json!({"metadata": {"name": "bad"}})),
        create(json!({"metadata": {"name": "bad"}, "spec": {}})),
        with_spec(json!({"usages": []})),
        with_spec(json!({"usages": null})),
        with_spec(json!({"usages": ["client auth", "client auth"]})),
        with_spec(json!({"usages": ["client", "server"]})),
        with_spec(json!({"signerName": ""})),
        with_spec(json!({"signerName": null})),
        with_spec(json!({"signerName": "client"})),
        with_spec(json!({"signerName": "local/client"})),
        with_spec(json!({"signerName": "Example.com/Client.X"})),
        with_spec(json!({"signerName": "example.com/a/b"})),
        with_spec(json!({"signerName": format!("{}.com/a", "a".repeat(64))})),
        with_spec(json!({"signerName": "kubernetes.io/legacy-unknown"})),
        with_spec(json!({"expirationSeconds": 599})),
        with_spec(json!({"expirationSeconds": -1})),
        with_spec(json!({"expirationSeconds": "3600"})).in_other_words(),
        with_spec(json!({"expirationSeconds": 3_000_000_000u64})).in_other_words(),
        with_spec(json!({"request": "!"})).in_other_words(),
        create(asking("")).in_other_words(),
        create(asking("text")),
        create(asking(&request.replace("CERTIFICATE REQUEST", "CERTIFICATE"))),
        create(asking(&format!("{request}{request}"))),
        delete("root", &format!("{PATH}/bad")),
        create(asking(&changed)),
        create(csr("bad", json!({"request": STANDARD.encode(pem("system:masters"))}))),
        create(csr(
            "elsewhere",
            json!({"request": STANDARD.encode(pem("system:masters")), "signerName": "example.com/mine"}),
        )),
        create(with(
            "bad",
            json!({"spec": csr("bad", json!({}))["spec"], "status": {"conditions": [{"type": "Approved", "status": "True"}]}}),
        )),
        delete("root", &format!("{PATH}/bad")),
        put(
            "root",
            &format!("{PATH}/good"),
            csr("good", json!({"signerName": "example.com/other", "usages": ["any"]})),
        ),
        merge(
            "root",
            &format!("{PATH}/good"),
            json!({"spec": {"username": "root"}, "metadata": {"labels": {"a": "b"}}}),
        ),
        put("root", &format!("{PATH}/none"), csr("none", json!({}))),
        post("root", &format!("{PATH}/good/approval"), json!({})),
        get("root", &format!("{PATH}/good/approval")),
        get("root", &format!("{PATH}/good/status")),
        get("root", &format!("{PATH}/good/nothing")).in_other_words(),
    ]
}

fn condition(type_: &str, status: &str) -> Value {
    json!({"type": type_, "status": status, "reason": "Test", "message": "for a test"})
}

fn conditions(all: &[Value]) -> Value {
    json!({"status": {"conditions": all}})
}

pub fn approved() -> Vec<Step> {
    let approval = |name: &str| format!("{PATH}/{name}/approval");
    let may = json!([{"verbs": ["get", "update", "patch"], "apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests/approval"]}]);
    let signers = |name: &str| json!({"verbs": ["approve"], "apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "resourceNames": [name]});
    let question = json!({"spec": {"resourceAttributes": {"verb": "approve", "group": "certificates.k8s.io", "resource": "signers", "name": SIGNER}}});
    let update = json!({"spec": {"resourceAttributes": {"verb": "patch", "group": "certificates.k8s.io", "resource": "certificatesigningrequests", "subresource": "approval"}}});
    let ask = |question: Value| {
        post("approver", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", question)
    };
    let approve = conditions(&[condition("Approved", "True")]);
    vec![
        merge("approver", &approval("good"), approve.clone()),
        post("root", &cluster("clusterroles"), with("updates-approvals", json!({"rules": may}))),
        post(
            "root",
            &cluster("clusterrolebindings"),
            bound("updates-approvals", "ClusterRole", "updates-approvals", user("approver")),
        ),
        ask(update).until("/status/allowed", true),
        merge("approver", &approval("good"), approve.clone()),
        post("root", &cluster("clusterroles"), with("approves", rules(signers(SIGNER)))),
        post(
            "root",
            &cluster("clusterrolebindings"),
            bound("approves", "ClusterRole", "approves", user("approver")),
        ),
        ask(question).until("/status/allowed", true),
        merge("approver", &approval("elsewhere"), approve.clone()),
        merge("root", &approval("good"), conditions(&[condition("Approved", "False")])),
        merge("root", &approval("good"), conditions(&[condition("Approved", "")])),
        merge("root", &approval("good"), conditions(&[condition("", "True")])),
        merge("root", &approval("good"), conditions(&[condition("Other", "Perhaps")])),
        merge(
            "root",
            &approval("good"),
            conditions(&[condition("Approved", "True"), condition("Approved", "True")]),
        ),
        merge(
            "root",
            &approval("good"),
            conditions(&[condition("Approved", "True"), condition("Denied", "True")]),
        ),
        merge("root", &format!("{PATH}/good"), approve.clone()),
        merge("root", &format!("{PATH}/good/status"), approve.clone()),
        merge(
            "root",
            &approval("good"),
            json!({"metadata": {"resourceVersion": "1"}, "status": {"conditions": [condition("Approved", "True")]}}),
        ),
        merge("root", &approval("none"), approve.clone()),
        // Denied, and it stays so.
        post("root", PATH, csr("denied", json!({}))),
        merge("approver", &approval("denied"), conditions(&[condition("Denied", "True")])),
        merge("root", &approval("denied"), approve.clone()),
        merge("root", &approval("denied"), json!({"status": {"conditions": null}})),
        json_patch(
            "root",
            &approval("denied"),
            json!([{"op": "add", "path": "/status/conditions/-", "value": condition("Approved", "True")}]),
        ),
        merge("root", &format!("{PATH}/denied/status"), json!({"status": {"conditions": []}})),
        merge(
            "root",
            &format!("{PATH}/denied/status"),
            json!({"status": {"certificate": STANDARD.encode("text")}}),
        ),
        // Approved, by a signer that nobody runs.
        merge("root", &approval("elsewhere"), approve),
        get("root", &format!("{PATH}/elsewhere")),
    ]
}

pub fn signed() -> Vec<Step> {
    let approval = |name: &str| format!("{PATH}/{name}/approval");
    let status = |name: &str| format!("{PATH}/{name}/status");
    let approve = conditions(&[condition("Approved", "True")]);
    let certificate = |text: &str| json!({"status": {"certificate": STANDARD.encode(text)}});
    let may = json!([{"verbs": ["update", "patch"], "apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests/status"]}]);
    let question = json!({"spec": {"resourceAttributes": {"verb": "patch", "group": "certificates.k8s.io", "resource": "certificatesigningrequests", "subresource": "status"}}});
    let mut calls = vec![
        // The signer's own rules.
        merge("approver", &approval("good"), approve.clone()),
        get("root", &format!("{PATH}/good")).until_there("/status/certificate"),
    ];
    for (name, usages) in
        [("server", json!(["client auth", "server auth"])), ("not-client", json!(["digital signature"]))]
    {
        calls.extend([
            post("root", PATH, csr(name, json!({"usages": usages}))),
            merge("root", &approval(name), approve.clone()),
            get("root", &format!("{PATH}/{name}")).until_there("/status/conditions/1"),
        ]);
    }
    calls.extend([
        merge("root", &approval("server"), json!({"status": {"conditions": null}})),
        merge("root", &approval("good"), conditions(&[condition("Denied", "True")])),
        merge("root", &status("good"), certificate("another")),
        merge("root", &status("good"), json!({"status": {"certificate": null}})),
        merge("root", &approval("good"), certificate("another")),
        // A signer of one's own.
        merge("root", &status("elsewhere"), certificate("text")),
        merge(
            "root",
            &status("elsewhere"),
            certificate("-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n"),
        ),
        post("root", &cluster("clusterroles"), with("writes-status", json!({"rules": may}))),
        post(
            "root",
            &cluster("clusterrolebindings"),
            bound("writes-status", "ClusterRole", "writes-status", user("signer")),
        ),
        post("signer", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", question)
            .until("/status/allowed", true),
        merge(
            "signer",
            &status("elsewhere"),
            conditions(&[condition("Approved", "True"), condition("Failed", "True")]),
        ),
        merge("signer", &status("elsewhere"), json!({})),
        json_patch(
            "root",
            &status("elsewhere"),
            json!([{"op": "add", "path": "/status/conditions/-", "value": condition("Failed", "True")}]),
        ),
        get("root", &format!("{PATH}?fieldSelector=spec.signerName%3Dexample.com%2Fmine")),
        delete("root", &format!("{PATH}/good")),
        delete("root", &format!("{PATH}/good")),
    ]);
    calls
}
