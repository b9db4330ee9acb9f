//! Every way in which a CertificateSigningRequest can end, through the real certctl.
//!
//! Most of it happens on a control plane without a signer: there a request stays approved until the
//! test does with it what a signer, or someone else, might do.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl::pki::{RequestSummary, parse_request};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::world::World;
use certctl_testing::{Ran, Said};

fn roster(world: &World, users: &[&str]) -> String {
    let mut text = format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\nclusters: [{{name: prod, context: test}}]\n\
         groups: [{{name: {name}-all, grants: [{{clusterRole: view}}]}}]\nusers:\n",
        name = world.name
    );
    for user in users {
        text += &format!(
            "- {{name: {user}, recipients: [{}], groups: [{}-all]}}\n",
            world.identity(user),
            world.name
        );
    }
    text
}

/// An approved request as it is in the cluster.
struct Approved {
    name: String,
    asks: RequestSummary,
}

impl Approved {
    fn user(&self) -> &str {
        self.asks.common_name.as_deref().expect("a CN")
    }

    fn groups(&self) -> Vec<&str> {
        self.asks.organizations.iter().map(String::as_str).collect()
    }

    fn change(&self, plane: &Cluster, patch: Value) {
        let patch = patch.to_string();
        plane.kubectl_ok(&["patch", "csr", &self.name, "--subresource=status", "--type=json", "-p", &patch]);
    }

    fn answer(&self, plane: &Cluster, certificate: &str) {
        let value = STANDARD.encode(certificate);
        self.change(plane, json!([{"op": "add", "path": "/status/certificate", "value": value}]));
    }

    /// What a signer does.
    fn sign(&self, plane: &Cluster) {
        let certificate = plane.sign_client(&self.asks.public_key_der, self.user(), &self.groups());
        self.answer(plane, &certificate);
    }
}

/// A certctl that waits for its certificates. It ends with the test.
struct Waiting(Option<Child>);

impl Waiting {
    fn apply(world: &World) -> Self {
        let mut command =
            world.certctl_command(None, &["apply", "--auto-approve", "--timeout", "5m", "--probe", "none"]);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().expect("certctl starts")))
    }

    /// Its requests, once this many are approved.
    fn approved(&mut self, world: &World, count: usize) -> Vec<Approved> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let label = format!("certctl.dev/roster={}", world.name);
            let list = world.plane.kubectl_ok(&["get", "csr", "-l", &label, "-o", "json"]);
            let list: Value = serde_json::from_str(&list).expect("JSON");
            let items = list["items"].as_array().expect("a list");
            let approved: Vec<Approved> = items
                .iter()
                .filter(|item| item["status"]["conditions"][0]["type"] == "Approved")
                .map(|item| Approved {
                    name: item["metadata"]["name"].as_str().expect("a name").to_owned(),
                    asks: parse_request(
                        &STANDARD.decode(item["spec"]["request"].as_str().expect("bytes")).expect("base64"),
                    )
                    .expect("a request"),
                })
                .collect();
            if approved.len() == count {
                return approved;
            }
            let child = self.0.as_mut().expect("it was not waited for");
            let ended = child.try_wait().expect("its state");
            assert!(ended.is_none(), "certctl did not wait: {:?}", self.end());
            assert!(
                Instant::now() < deadline,
                "{} of {count} requests were approved in 60 s",
                approved.len()
            );
        }
    }

    fn end(&mut self) -> Ran {
        let child = self.0.take().expect("it was not waited for");
        let output = child.wait_with_output().expect("certctl ends");
        Ran::from(output)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn bindings(world: &World) -> String {
    let label = format!("certctl.dev/roster={}", world.name);
    world.plane.kubectl_ok(&["get", "clusterrolebindings", "-l", &label, "-o", "yaml"])
}

/// Nothing is left of an issuance that failed.
#[track_caller]
fn has_nothing(world: &World, user: &str) {
    assert!(!world.exists(&format!("access/prod/{user}.yaml")), "{user} has a record");
    assert!(!world.exists(&format!("access/prod/{user}.kubeconfig.age")), "{user} has a kubeconfig");
    assert!(!bindings(world).contains(&format!("certctl:{user}:")), "{user} is bound");
}

/// Two people are issued together. `end` does something with ivan's request; then jane's is signed.
/// Ivan gets nothing, jane everything, and the next run has only ivan left to do.
fn ivans_ends(plane: &'static Cluster, name: &'static str, end: impl Fn(&World, &Approved)) -> Said {
    let plane = plane.unsigning();
    let world = World::new(plane, name);
    world.roster(&roster(&world, &["ivan", "jane"]));
    let mut apply = Waiting::apply(&world);
    let requests = apply.approved(&world, 2);
    let of = |user: &str| requests.iter().find(|request| request.user() == user).expect("a request");
    end(&world, of("ivan"));
    of("jane").sign(plane);
    let ran =
        apply.end().expect(1).says("ivan: ").says("Hint: ").says("1 credential issued").says("1 FAILED");
    has_nothing(&world, "ivan");
    assert!(world.exists("access/prod/jane.kubeconfig.age"));
    assert!(bindings(&world).contains(of("jane").groups()[0]), "jane is bound");
    let next = world.certctl(&["plan", "--detailed-exitcode"]).expect(2).says("1 to issue");
    assert!(!next.stdout.contains("issue   jane"), "{}", next.stdout);
    ran
}

pub fn a_signer_that_refuses_is_quoted(plane: &'static Cluster) {
    let ran = ivans_ends(plane, "refused", |world, request| {
        let condition = json!({
            "type": "Failed", "status": "True", "reason": "SignerValidationFailure",
            "message": "the usages are not those of this signer",
        });
        request
            .change(world.plane, json!([{"op": "add", "path": "/status/conditions/-", "value": condition}]));
    });
    ran.says("SignerValidationFailure: the usages are not those of this signer").says("signerName");
}

pub fn a_certificate_for_another_key_is_thrown_away(plane: &'static Cluster) {
    let ran = ivans_ends(plane, "otherkey", |world, request| {
        let other = rcgen::KeyPair::generate().expect("a key");
        let other = rcgen::PublicKeyData::subject_public_key_info(&other);
        request.answer(world.plane, &world.plane.sign_client(&other, "ivan", &request.groups()));
    });
    ran.says("another public key").says("it was not used");
}

pub fn a_certificate_with_more_power_than_was_asked_for_is_thrown_away(plane: &'static Cluster) {
    let ran = ivans_ends(plane, "morepower", |world, request| {
        let mut groups = request.groups();
        groups.push("system:masters");
        let more = world.plane.sign_client(&request.asks.public_key_der, "ivan", &groups);
        request.answer(world.plane, &more);
    });
    ran.says("system:masters").says("it was not used");
}

pub fn a_certificate_for_someone_else_is_thrown_away(plane: &'static Cluster) {
    let ran = ivans_ends(plane, "someoneelse", |world, request| {
        let other = world.plane.sign_client(&request.asks.public_key_der, "mallory", &request.groups());
        request.answer(world.plane, &other);
    });
    ran.says("mallory").says("it was not used");
}

pub fn a_request_that_someone_deletes_is_missed(plane: &'static Cluster) {
    let ran = ivans_ends(plane, "deleted", |world, request| {
        world.plane.kubectl_ok(&["delete", "csr", &request.name]);
    });
    ran.says("deleted by someone else");
}

pub fn a_signer_that_never_signs_is_given_up_and_holds_up_no_revocation(plane: &'static Cluster) {
    let plane = plane.unsigning();
    let world = World::new(plane, "never");
    world.roster(&roster(&world, &["jane"]));
    let mut apply = Waiting::apply(&world);
    apply.approved(&world, 1)[0].sign(plane);
    apply.end().expect(0);
    let jane = world.open("prod", "jane");
    world.can(&jane, &["list", "pods"], true);

    world.roster(&roster(&world, &["ivan"]));
    let ran = world.certctl(&["apply", "--auto-approve", "--timeout", "2s"]).expect(1);
    ran.says("within 2 s").says("EKS").says("`--timeout`").says("ivan");
    has_nothing(&world, "ivan");
    world.can(&jane, &["list", "pods"], false);
    has_nothing_but_a_revoked_record(&world, "jane");
    world.certctl(&["doctor", "--sign", "--timeout", "2s"]).expect(1).says("signer: ").says("EKS");
    // Unsigned requests do not stay for a signer that starts later.
    let pending = plane.kubectl_ok(&["get", "csr", "-l", "certctl.dev/roster=never", "-o", "json"]);
    let pending: Value = serde_json::from_str(&pending).expect("JSON");
    let unsigned = |item: &&Value| item["status"]["certificate"].is_null();
    assert_eq!(pending["items"].as_array().expect("a list").iter().filter(unsigned).count(), 0);
    assert_eq!(world.git(&["rev-parse", "HEAD"]), world.git(&["rev-parse", "origin/main"]));
}

#[track_caller]
fn has_nothing_but_a_revoked_record(world: &World, user: &str) {
    assert!(!world.exists(&format!("access/prod/{user}.kubeconfig.age")), "{user} has a kubeconfig");
    assert!(world.read(&format!("access/prod/{user}.yaml")).contains("state: revoked"));
    assert!(!bindings(world).contains(&format!("certctl:{user}:")), "{user} is bound");
}

/// Between creating and approving there is no time to deny anything, so the cluster's own policy
/// turns the approval into a denial. MutatingAdmissionPolicy is v1 since Kubernetes 1.36.
pub fn a_denial_names_its_reason(plane: &'static Cluster) {
    let world = World::new(plane, "denied");
    world.roster(&roster(&world, &["ivan"]));
    plane.apply(
        "apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: denied}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [certificates.k8s.io], apiVersions: [v1], operations: [UPDATE], resources: [certificatesigningrequests/approval]}
  matchConditions:
  - {name: ours, expression: \"request.userInfo.username == 'certctl-denied'\"}
  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: >-
        [JSONPatch{op: 'replace', path: '/status/conditions/0/type', value: 'Denied'},
        JSONPatch{op: 'replace', path: '/status/conditions/0/reason', value: 'NotOnMyWatch'}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: denied}
spec: {policyName: denied}
",
    );
    // A policy takes a moment to take effect: until then, a dry-run approval is not denied.
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::default();
    let request = params.serialize_request(&key).expect("a request").pem().expect("PEM");
    plane.apply(&format!(
        "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {{name: denied-trial}}\n\
         spec: {{request: {}, signerName: example.com/none, usages: [client auth]}}\n",
        STANDARD.encode(request)
    ));
    let patch =
        r#"{"status":{"conditions":[{"type":"Approved","status":"True","reason":"Trial","message":"m"}]}}"#;
    let trial =
        ["patch", "csr", "denied-trial", "--subresource=approval", "--dry-run=server", "-o", "yaml", "-p"];
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let ran = world.kubectl(&world.kubeconfig, &[&trial[..], &[patch]].concat()).expect(0);
        if ran.stdout.contains("NotOnMyWatch") {
            break;
        }
        assert!(Instant::now() < deadline, "the policy does not hold after 60 s: {}", ran.stdout);
    }

    let ran = world.certctl(&["apply", "--auto-approve"]).expect(1).says("ivan").says("was denied");
    ran.says("NotOnMyWatch").says("which policy denies");
    has_nothing(&world, "ivan");
}
