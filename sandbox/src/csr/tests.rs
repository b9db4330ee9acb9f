use serde_json::{from_value, json};

use super::*;
use crate::authority::{Authority, pem};
use crate::testing::{csr, csr_of, request, with_certificate, with_conditions};
use crate::x509::Subject;

fn said(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

const NONE: [&str; 0] = [];

#[test]
fn the_server_records_the_requester() {
    let mut csr = with_conditions(
        csr(json!({"username": "root", "uid": "0", "groups": ["system:masters"]})),
        &["Approved"],
    );
    let alice = User {
        name: "alice".into(),
        uid: String::new(),
        groups: vec!["ops".into()],
        extra: [("key".to_owned(), vec!["value".to_owned()])].into(),
    };
    prepare_create(&mut csr, &alice);
    let spec = serde_json::to_value(&csr.spec).expect("JSON");
    assert_eq!(
        (&spec["username"], spec.get("uid"), &spec["groups"], &spec["extra"]),
        (&json!("alice"), None, &json!(["ops"]), &json!({"key": ["value"]}))
    );
    assert_eq!(csr.status, Some(CertificateSigningRequestStatus::default()), "nothing is approved yet");
}

#[test]
fn a_new_request_is_checked() {
    assert_eq!(said(&validate_create(&csr(json!({"expirationSeconds": 600})))), NONE);
    for (spec, wrong) in [
        (json!({"usages": []}), "spec.usages: Required value"),
        (json!({"usages": ["any", "any"]}), "spec.usages[1]: Duplicate value: \"any\""),
        (json!({"signerName": ""}), "spec.signerName: Required value"),
        (
            json!({"signerName": "kubernetes.io/legacy-unknown"}),
            "spec.signerName: Invalid value: \"kubernetes.io/legacy-unknown\": the legacy signerName is not allowed via this API version",
        ),
        (
            json!({"expirationSeconds": 599}),
            "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)",
        ),
        (
            json!({"request": "bm9uZQ=="}),
            "spec.request: Invalid value: \"bm9uZQ==\": PEM block type must be CERTIFICATE REQUEST",
        ),
    ] {
        assert_eq!(said(&validate_create(&csr(spec))), [wrong]);
    }
    let unknown = said(&validate_create(&csr(json!({"usages": ["client"]}))));
    assert!(
        unknown[0].starts_with(
            r#"spec.usages[0]: Unsupported value: "client": supported values: "any", "cert sign""#
        ),
        "{unknown:?}"
    );
}

/// A change to `old`, as the API processes it: prepared and checked.
fn change(
    part: Part,
    old: &CertificateSigningRequest,
    edit: impl FnOnce(&mut CertificateSigningRequest),
) -> (CertificateSigningRequest, Vec<String>) {
    let mut new = old.clone();
    edit(&mut new);
    prepare_update(part, &mut new, old, time("2026-11-01T12:00:00Z"));
    let errors = validate_update(part, &new, old);
    (new, said(&errors))
}

fn add(type_: &str) -> impl FnOnce(&mut CertificateSigningRequest) {
    let condition = from_value(json!({"type": type_, "status": "True"})).expect("a condition");
    move |csr| csr.status.get_or_insert_default().conditions.get_or_insert_default().push(condition)
}

#[test]
fn each_subresource_changes_only_its_own_part() {
    let old = with_conditions(csr(json!({})), &["Approved"]);
    let edit = |csr: &mut CertificateSigningRequest| {
        csr.spec.signer_name = "example.com/other".into();
        csr.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
        csr.status = None;
    };
    let (new, errors) = change(Part::Itself, &old, edit);
    assert_eq!(errors, NONE);
    assert_eq!((new.spec, new.status), (old.spec.clone(), old.status.clone()));
    assert!(new.metadata.labels.is_some());

    let root = Authority::new("CA", time("2026-11-01T00:00:00Z")).expect("made");
    let certificate = pem("CERTIFICATE", root.certificate());
    let (approval, errors) =
        change(Part::Approval, &old, |csr| *csr = with_certificate(csr.clone(), &certificate));
    assert_eq!((errors, certificate_of(&approval)), (Vec::new(), ""));
    let (status, errors) =
        change(Part::Status, &old, |csr| *csr = with_certificate(csr.clone(), &certificate));
    assert_eq!((errors, certificate_of(&status)), (Vec::new(), certificate.as_str()));
}

fn certificate_of(csr: &CertificateSigningRequest) -> &str {
    std::str::from_utf8(certificate(csr)).expect("text")
}

#[test]
fn conditions_are_dated_by_the_server_and_keep_their_date() {
    let old = csr(json!({}));
    let (new, errors) = change(Part::Approval, &old, add("Approved"));
    assert_eq!(errors, NONE);
    let noon = Some(Time(time("2026-11-01T12:00:00Z")));
    let [condition] = conditions(&new) else { panic!("one condition") };
    assert_eq!((&condition.last_update_time, &condition.last_transition_time), (&noon, &noon));

    // Approved again, by someone who sends no times: its update time is now, its transition time stays noon.
    let mut again = new.clone();
    let reapproved = again.status.iter_mut().flat_map(|status| &mut status.conditions).flatten();
    for condition in reapproved {
        (condition.last_update_time, condition.last_transition_time) = (None, None);
    }
    prepare_update(Part::Approval, &mut again, &new, time("2026-11-01T13:00:00Z"));
    let [condition] = conditions(&again) else { panic!("one condition") };
    assert_eq!(condition.last_transition_time, noon);
    assert_eq!(condition.last_update_time, Some(Time(time("2026-11-01T13:00:00Z"))));
}

#[test]
fn a_decision_is_final() {
    let (open, approved) = (csr(json!({})), with_conditions(csr(json!({})), &["Approved"]));
    let remove = |csr: &mut CertificateSigningRequest| csr.status = None;
    let cannot_remove =
        r#"status.conditions: Forbidden: updates may not remove a condition of type "Approved""#;
    assert_eq!(change(Part::Approval, &approved, remove).1, [cannot_remove]);
    assert_eq!(change(Part::Status, &approved, remove).1, [cannot_remove]);
    assert_eq!(change(Part::Approval, &open, add("Denied")).1, NONE);
    let both = change(Part::Approval, &approved, add("Denied")).1;
    assert!(both[0].contains("must specify at most one of"), "{both:?}");
    assert_eq!(
        change(Part::Status, &open, add("Approved")).1,
        [r#"status.conditions: Forbidden: updates may not add a condition of type "Approved""#]
    );
    assert_eq!(change(Part::Status, &approved, add("Failed")).1, NONE);
    assert_eq!(
        change(Part::Approval, &approved, add("Approved")).1,
        [r#"status.conditions[1].type: Duplicate value: "Approved""#]
    );
    let falsified = |csr: &mut CertificateSigningRequest| {
        add("Approved")(csr);
        csr.status.as_mut().expect("there").conditions.as_mut().expect("there")[0].status = "False".into();
    };
    assert_eq!(
        change(Part::Approval, &open, falsified).1,
        [r#"status.conditions[0].status: Unsupported value: "False": supported values: "True""#]
    );
}

#[test]
fn the_status_subresource_does_not_change_the_approval() {
    let approved = with_conditions(csr(json!({})), &["Approved"]);
    let (new, errors) = change(Part::Status, &approved, |csr| {
        csr.status.as_mut().expect("there").conditions.as_mut().expect("there")[0].message =
            Some("edited".into());
    });
    assert_eq!(errors, NONE);
    assert_eq!(conditions(&new)[0].message, None);
}

#[test]
fn a_certificate_is_valid_and_set_only_once() {
    let root = Authority::new("CA", time("2026-11-01T00:00:00Z")).expect("made");
    let certificate = pem("CERTIFICATE", root.certificate());
    let approved = with_conditions(csr(json!({})), &["Approved"]);
    let issued = with_certificate(approved.clone(), &certificate);
    let put = |text: &str| {
        let text = text.to_owned();
        move |csr: &mut CertificateSigningRequest| *csr = with_certificate(csr.clone(), &text)
    };
    assert_eq!(change(Part::Status, &issued, put(&certificate)).1, NONE);
    assert_eq!(
        change(Part::Status, &issued, put(&format!("{certificate}{certificate}"))).1,
        ["status.certificate: Forbidden: updates may not modify existing certificate content"]
    );
    let invalid =
        |why: &str| vec![format!("status.certificate: Invalid value: \"<certificate data>\": {why}")];
    assert_eq!(
        change(Part::Status, &approved, put("text")).1,
        invalid("must contain at least one CERTIFICATE PEM block")
    );
    assert_eq!(
        change(Part::Status, &approved, put(&pem("PRIVATE KEY", b"x"))).1,
        invalid("only CERTIFICATE PEM blocks are allowed, found \"PRIVATE KEY\"")
    );
}

#[test]
fn no_certificate_that_bypasses_rbac_is_issued() {
    let asking = |groups: &[&str], spec: serde_json::Value| {
        let (_, pem) = request(&Subject::new("alice", groups), false);
        restrict_subject(&csr_of(&pem, spec)).map_err(|status| (status.code, status.message))
    };
    assert_eq!(asking(&["ops", "system:master"], json!({})), Ok(()));
    assert_eq!(
        asking(&["ops", "system:masters"], json!({})),
        Err((
            403,
            "certificatesigningrequests.certificates.k8s.io \"x\" is forbidden: use of \
             kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"
                .into()
        ))
    );
    assert_eq!(asking(&["system:masters"], json!({"signerName": "example.com/own"})), Ok(()));
}

#[test]
fn approving_and_signing_take_separate_rights_on_the_signer() {
    let policy = |verb: &str, signer: &str| {
        let role = json!({"metadata": {"name": "r"}, "rules": [
            {"verbs": [verb], "apiGroups": [GROUP], "resources": ["signers"], "resourceNames": [signer]},
        ]});
        let binding = json!({"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "r"},
            "subjects": [{"kind": "User", "name": "alice"}]});
        let none = || std::iter::empty();
        let (role, binding) = (from_value(role).expect("a role"), from_value(binding).expect("a binding"));
        Policy::new([role], none(), [binding], std::iter::empty())
    };
    let alice = User { name: "alice".into(), groups: Vec::new(), ..User::anonymous() };
    let old = csr(json!({}));
    let (approved, failed) =
        (with_conditions(old.clone(), &["Approved"]), with_conditions(old.clone(), &["Failed"]));
    let may = |policy: &Policy, part, new| {
        authorize_update(part, policy, &alice, new, &old).map_err(|no| no.message)
    };
    let refused = |verb: &str| {
        Err(format!(
            "certificatesigningrequests.certificates.k8s.io \"x\" is forbidden: user not permitted to {verb} requests \
             with signerName \"kubernetes.io/kube-apiserver-client\""
        ))
    };
    for signer in [CLIENT_SIGNER, "kubernetes.io/*"] {
        assert_eq!(may(&policy("approve", signer), Part::Approval, &approved), Ok(()), "{signer}");
        assert_eq!(may(&policy("sign", signer), Part::Status, &failed), Ok(()), "{signer}");
    }
    for signer in ["kubernetes.io/kubelet-serving", "example.com/*", "*"] {
        assert_eq!(
            may(&policy("approve", signer), Part::Approval, &approved),
            refused("approve"),
            "{signer}"
        );
    }
    assert_eq!(may(&policy("sign", CLIENT_SIGNER), Part::Approval, &approved), refused("approve"));
    assert_eq!(may(&policy("approve", CLIENT_SIGNER), Part::Status, &failed), refused("sign"));
    assert_eq!(may(&policy("approve", CLIENT_SIGNER), Part::Status, &old), Ok(()), "nothing is changed");
}
