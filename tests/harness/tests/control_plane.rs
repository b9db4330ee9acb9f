//! What the tests of certctl rely on: a certificate can be requested, approved, signed and used; the
//! identities, the audit log and the options are what they are said to be; and nothing is left behind.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_testing::{ControlPlane, Need, Options, Ports};
use rcgen::{CertificateParams, DnType, KeyPair};

fn main() -> ExitCode {
    certctl_testing::run(certctl_testing::tests!(
        Need::ControlPlane,
        [
            a_signed_certificate_works_and_nothing_is_left_behind,
            an_identity_has_only_the_rights_it_is_given_and_no_signer_means_no_certificate,
            a_taken_port_is_given_up_for_another,
        ]
    ))
}

fn start(options: Options) -> ControlPlane {
    let binaries = certctl_testing::binaries().expect("needed");
    let control_plane = ControlPlane::start(&binaries, options).expect("start a control plane");
    eprintln!("control plane: Kubernetes {}", control_plane.version());
    control_plane
}

/// Requests a certificate for alice in the group `testers`, approves it, and returns its key.
fn request(control_plane: &ControlPlane) -> KeyPair {
    let key = KeyPair::generate().expect("make a key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "alice");
    params.distinguished_name.push(DnType::OrganizationName, "testers");
    let csr = params.serialize_request(&key).and_then(|csr| csr.pem()).expect("make a CSR");
    control_plane.apply(&format!(
        "\
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {{name: alice}}
spec:
  request: {}
  signerName: kubernetes.io/kube-apiserver-client
  usages: [client auth]
",
        STANDARD.encode(csr)
    ));
    control_plane.kubectl_ok(&["certificate", "approve", "alice"]);
    key
}

/// A kubeconfig of alice's, made the way a person would make it by hand.
fn kubeconfig(control_plane: &ControlPlane, key: &KeyPair, certificate: &str) -> PathBuf {
    let write = |name: &str, content: &[u8]| {
        let path = control_plane.dir().join(name);
        fs::write(&path, content).expect("write a file");
        path.to_str().expect("the path is UTF-8").to_owned()
    };
    let ca = write("alice-ca.crt", control_plane.serving_ca_pem().as_bytes());
    let certificate = write("alice.crt", &STANDARD.decode(certificate).expect("a certificate in base64"));
    let key = write("alice.key", key.serialize_pem().as_bytes());
    let server = control_plane.server();
    PathBuf::from(write(
        "alice.kubeconfig",
        format!(
            "\
apiVersion: v1
kind: Config
current-context: it
clusters: [{{name: it, cluster: {{server: '{server}', certificate-authority: '{ca}'}}}}]
contexts: [{{name: it, context: {{cluster: it, user: alice}}}}]
users: [{{name: alice, user: {{client-certificate: '{certificate}', client-key: '{key}'}}}}]
"
        )
        .as_bytes(),
    ))
}

fn address(control_plane: &ControlPlane) -> String {
    control_plane.server().trim_start_matches("https://").to_owned()
}

fn a_signed_certificate_works_and_nothing_is_left_behind() {
    let control_plane = start(Options::default());

    let position = control_plane.audit_position();
    let key = request(&control_plane);
    control_plane.kubectl_ok(&["wait", "csr/alice", "--for=jsonpath={.status.certificate}", "--timeout=30s"]);
    let certificate = control_plane.kubectl_ok(&["get", "csr/alice", "-o=jsonpath={.status.certificate}"]);
    let alice = kubeconfig(&control_plane, &key, &certificate);
    let whoami = control_plane.kubectl_as(&alice, &["auth", "whoami"]);
    assert!(whoami.ok, "{}", whoami.stderr);
    assert!(whoami.stdout.contains("alice") && whoami.stdout.contains("testers"), "{}", whoami.stdout);

    let events = control_plane.audit_events_since(position);
    let approved = events.iter().filter(|event| event["objectRef"]["subresource"] == "approval");
    assert_eq!(approved.map(|event| &event["user"]["username"]).collect::<Vec<_>>(), ["test-admin"]);
    assert!(events.iter().any(|event| event["user"]["username"] == "alice"));
    assert!(control_plane.audit_events().len() > events.len());

    let (dir, address) = (control_plane.dir().to_owned(), address(&control_plane));
    assert!(TcpStream::connect(&address).is_ok());
    drop(control_plane);
    assert!(TcpStream::connect(&address).is_err(), "the API server still listens");
    assert!(!dir.exists(), "{} is still there", dir.display());
}

/// Beside the other tests, so two control planes run at once.
fn an_identity_has_only_the_rights_it_is_given_and_no_signer_means_no_certificate() {
    let control_plane = start(Options { sign: false, audit: false, ..Options::default() });

    let bob = control_plane.client_kubeconfig("bob", &["readers", "second", "third"]);
    let whoami = control_plane.kubectl_as(&bob, &["auth", "whoami", "-o=jsonpath={.status.userInfo.groups}"]);
    assert_eq!(whoami.stdout, r#"["readers","second","third","system:authenticated"]"#, "{}", whoami.stderr);
    let refused = control_plane.kubectl_as(&bob, &["get", "configmaps"]);
    assert!(!refused.ok && refused.stderr.contains("Forbidden"), "{}", refused.stderr);
    control_plane.kubectl_ok(&["create", "rolebinding", "readers", "--clusterrole=view", "--group=third"]);
    let read = control_plane.kubectl_as(&bob, &["get", "configmaps", "-o=name"]);
    assert_eq!(read.stdout, "configmap/kube-root-ca.crt\n", "{}", read.stderr);

    control_plane.add_context("production: 1");
    for context in ["test", "production: 1"] {
        control_plane.kubectl_ok(&["--context", context, "get", "namespace", "default"]);
    }

    request(&control_plane);
    let waited =
        control_plane.kubectl(&["wait", "csr/alice", "--for=jsonpath={.status.certificate}", "--timeout=1s"]);
    assert!(!waited.ok && waited.stderr.contains("timed out"), "{}", waited.stderr);
    assert!(control_plane.audit_events().is_empty());
    control_plane.stop();
}

fn a_taken_port_is_given_up_for_another() {
    let binaries = certctl_testing::binaries().expect("needed");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, Ports::choose().etcd)).expect("bind a port");
    let taken = taken.local_addr().expect("a bound port has an address").port();
    let mut attempts = 0;
    let control_plane = ControlPlane::start_on(&binaries, &Options::default(), || {
        attempts += 1;
        let free = Ports::choose();
        match attempts {
            1 => Ports { etcd: taken, ..free },
            2 => Ports { etcd_peers: taken, ..free },
            3 => Ports { api_server: taken, ..free },
            _ => free,
        }
    });
    control_plane.expect("the fourth choice of ports is free").stop();
    assert_eq!(attempts, 4);
}
