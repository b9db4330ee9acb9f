//! Clients that mean harm or are broken: they get an error or nothing, and everyone else goes on.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use certctl_sandbox::clock::Clock;
use certctl_sandbox::{Options, Sandbox};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

fn sandbox() -> Sandbox {
    Sandbox::start(Options::default()).expect("it starts")
}

fn address(sandbox: &Sandbox) -> SocketAddr {
    sandbox.server().trim_start_matches("https://").parse().expect("an address")
}

fn connect(sandbox: &Sandbox) -> TcpStream {
    let stream = TcpStream::connect(address(sandbox)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    stream
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// As the administrator, or as nobody.
fn tls(sandbox: &Sandbox, admin: bool) -> Tls {
    let mut roots = RootCertStore::empty();
    let authority = sandbox.serving_ca_pem();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM")).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = if admin {
        let field = |name: &str| {
            use base64::Engine as _;
            let text = sandbox.kubeconfig();
            let line =
                text.lines().find_map(|line| line.trim().strip_prefix(name)).expect("a line").to_owned();
            base64::engine::general_purpose::STANDARD.decode(line.trim()).expect("base64")
        };
        let chain = vec![CertificateDer::from_pem_slice(&field("client-certificate-data:")).expect("PEM")];
        let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(&field("client-key-data:")).expect("PEM");
        config.with_client_auth_cert(chain, key).expect("a client certificate")
    } else {
        config.with_no_client_auth()
    };
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    StreamOwned::new(connection, connect(sandbox))
}

/// Sends something and returns what comes until the end; nothing where the connection breaks.
fn said(mut stream: Tls, request: &[u8]) -> String {
    let _ = stream.write_all(request).and_then(|()| stream.flush());
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count) = stream.read(&mut buffer) {
        if count == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// It still answers.
#[track_caller]
fn is_well(sandbox: &Sandbox) {
    let answer = said(tls(sandbox, true), b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok"), "{answer}");
}

#[test]
fn connections_without_tls_or_http_are_closed() {
    let sandbox = sandbox();
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\xff\xff", &[0; 70_000]] {
        let mut stream = connect(&sandbox);
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    for request in [
        &b"NONSENSE\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\nz\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let answer = said(tls(&sandbox, true), request);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.0 4"),
            "{answer}"
        );
    }
    is_well(&sandbox);
}

#[test]
fn heads_and_bodies_have_a_limit() {
    let sandbox = sandbox();
    let big = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let answer = said(tls(&sandbox, true), big.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many: String = (0..5000).map(|n| format!("X-{n}: y\r\n")).collect();
    let answer = said(tls(&sandbox, true), format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n").as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");

    let body = vec![b' '; 3 * 1024 * 1024 + 1];
    let answer = said(tls(&sandbox, true), &post("/api/v1/namespaces", &body));
    // The server need not read the rest, so that the answer may be lost to a reset.
    assert!(answer.is_empty() || answer.contains("Request entity too large: limit is 3145728"), "{answer}");
    is_well(&sandbox);
}

#[test]
fn malformed_bodies_are_refused() {
    let sandbox = sandbox();
    let deep = format!("{{\"metadata\":{}{}}}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let wide = format!("[{}]", "[],".repeat(1_000_000));
    for body in [
        &b""[..],
        b"null",
        b"0",
        b"[]",
        b"\"x\"",
        b"{",
        b"\xff\xfe",
        b"{\"metadata\":null}",
        b"{\"metadata\":{\"name\":null}}",
        b"{\"metadata\":{\"name\":\"a\\u0000b\"}}",
        b"{\"metadata\":{\"name\":\"..\"}}",
        b"{\"metadata\":{\"labels\":{\"\":\"\"}}}",
        b"{\"metadata\":{\"creationTimestamp\":\"yesterday\"}}",
        b"{\"metadata\":{\"generation\":1e400}}",
        deep.as_bytes(),
        wide.as_bytes(),
    ] {
        for path in [
            "/api/v1/namespaces",
            "/api/v1/namespaces/default/pods",
            "/apis/certificates.k8s.io/v1/certificatesigningrequests",
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        ] {
            let answer = said(tls(&sandbox, true), &post(path, body));
            let start: String = body.iter().take(40).map(|byte| char::from(*byte)).collect();
            assert!(answer.starts_with("HTTP/1.1 4"), "{path} {start}: {answer}");
        }
    }
    is_well(&sandbox);
}

#[test]
fn malformed_paths_and_queries_get_a_response() {
    let sandbox = sandbox();
    for path in [
        "/%ff",
        "/%00",
        "//",
        "/..",
        "/api/v1/namespaces/..%2f..%2fetc",
        "/api/v1/namespaces/default/pods/%2e%2e",
        "/api/v1/watch",
        "/api/v1/watch/namespaces",
        "/api/v1/proxy/namespaces/default/pods/x",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/default",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/default/clusterroles/view",
        "/apis/rbac.authorization.k8s.io/v1/rolebindings/x",
        "/apis/rbac.authorization.k8s.io/v9/clusterroles",
        "/api/v1/namespaces?limit=-1",
        "/api/v1/namespaces?limit=99999999999999999999",
        "/api/v1/namespaces?continue=%00",
        "/api/v1/namespaces?continue=e30",
        "/api/v1/namespaces?resourceVersion=-5",
        "/api/v1/namespaces?resourceVersion=18446744073709551615",
        "/api/v1/namespaces?labelSelector=%3D%3D%3D%28%28%28",
        "/api/v1/namespaces?fieldSelector=%3D",
        "/api/v1/namespaces?watch=1&timeoutSeconds=1&resourceVersion=18446744073709551615",
        "/api/v1/namespaces?watch=1&timeoutSeconds=-1&sendInitialEvents=1",
        "/api/v1/namespaces?watch=1&timeoutSeconds=99999999999999999999",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        for admin in [true, false] {
            let answer = said(tls(&sandbox, admin), request.as_bytes());
            assert!(answer.starts_with("HTTP/1.1 "), "{path}: {answer}");
            assert!(
                !answer.starts_with("HTTP/1.1 5") || answer.contains("Too large resource version"),
                "{path}: {answer}"
            );
        }
    }
    is_well(&sandbox);
}

#[test]
fn a_client_that_hangs_up_harms_no_other() {
    let sandbox = sandbox();
    let body = br#"{"metadata":{"name":"half"}}"#;
    let whole = post("/api/v1/namespaces", body);
    for end in (0..whole.len()).step_by(7) {
        let mut stream = tls(&sandbox, true);
        let _ = stream.write_all(&whole[..end]).and_then(|()| stream.flush());
    }
    assert_eq!(sandbox.get("", "namespaces", "", "half"), None, "half a request is none");
    let watches: Vec<Tls> = (0..50)
        .map(|_| {
            let mut stream = tls(&sandbox, true);
            let request = b"GET /api/v1/namespaces?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n";
            stream.write_all(request).and_then(|()| stream.flush()).expect("sent");
            let mut first = [0; 15];
            stream.read_exact(&mut first).expect("an answer");
            assert_eq!(&first, b"HTTP/1.1 200 OK");
            stream
        })
        .collect();
    drop(watches);
    is_well(&sandbox);
}

#[test]
fn a_certificate_without_its_key_is_useless() {
    let sandbox = sandbox();
    let text = sandbox.kubeconfig();
    let field = |name: &str| {
        use base64::Engine as _;
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name)).expect("a line").to_owned();
        base64::engine::general_purpose::STANDARD.decode(line.trim()).expect("base64")
    };
    let chain = vec![CertificateDer::from_pem_slice(&field("client-certificate-data:")).expect("PEM")];
    let other = rcgen::KeyPair::generate().expect("a key").serialize_der();
    let key = rustls::pki_types::PrivateKeyDer::try_from(other).expect("a key");
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let signing = provider.key_provider.load_private_key(key).expect("a key");
    let mut roots = RootCertStore::empty();
    let authority = sandbox.serving_ca_pem();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM")).expect("a root");
    // Past the check by which rustls would notice on this side.
    let stolen = rustls::sign::SingleCertAndKey::from(rustls::sign::CertifiedKey::new(chain, signing));
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(stolen));
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    let stream = StreamOwned::new(connection, connect(&sandbox));
    let answer = said(stream, b"GET /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!(answer, "", "the handshake does not come about");
    is_well(&sandbox);
}

fn patch(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json-patch+json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// An overflow of the stack would end the process, and this test with it.
#[test]
fn a_json_patch_cannot_nest_without_limit() {
    let sandbox = sandbox();
    let by_adding: Vec<String> = (1..1_500)
        .map(|depth| format!(r#"{{"op":"add","path":"/metadata{}","value":{{}}}}"#, "/a".repeat(depth)))
        .collect();
    let copy = r#"{"op":"copy","from":"/metadata","path":"/metadata/a"}"#;
    let by_copying = vec![copy; 10_000].join(",");
    for operations in [by_adding.join(","), by_copying] {
        let body = format!("[{operations}]");
        let answer = said(tls(&sandbox, true), &patch("/api/v1/namespaces/default", body.as_bytes()));
        assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
    }
    is_well(&sandbox);
}

#[test]
fn a_non_ascii_impersonated_name_is_never_ignored() {
    let sandbox = sandbox();
    let ask = |header: &[u8]| {
        let begin = b"GET /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
        said(tls(&sandbox, true), &[&begin[..], header, b"\r\n\r\n"].concat())
    };
    // The sender is the administrator, who may list namespaces; whom they speak for may not.
    let answer = ask("Impersonate-User: b\u{f6}b".as_bytes());
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("b\u{f6}b"), "{answer}");
    for header in [
        &b"Impersonate-User: \xff"[..],
        b"Impersonate-User: bob\r\nImpersonate-Group: \xff",
        b"Impersonate-User: bob\r\nImpersonate-Uid: \xff",
        b"Impersonate-User: bob\r\nImpersonate-Extra-Scopes: \xff",
    ] {
        let answer = ask(header);
        assert!(answer.starts_with("HTTP/1.1 400"), "{header:?}: {answer}");
    }
}

#[test]
fn a_watch_of_all_time_begins() {
    let sandbox = sandbox();
    let mut stream = tls(&sandbox, true);
    let request =
        format!("GET /api/v1/namespaces?watch=1&timeoutSeconds={} HTTP/1.1\r\nHost: x\r\n\r\n", i64::MAX);
    stream.write_all(request.as_bytes()).and_then(|()| stream.flush()).expect("sent");
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    // Its first event: a task that panicked would have ended the answer without one.
    while !String::from_utf8_lossy(&seen).contains("ADDED") {
        let count = stream.read(&mut buffer).expect("more of the answer");
        assert_ne!(count, 0, "it ended: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
    }
    is_well(&sandbox);
}

#[test]
fn a_panic_ends_only_its_request_and_is_logged() {
    let broken = Arc::new(AtomicBool::new(false));
    let clock = {
        let broken = Arc::clone(&broken);
        Clock::new(move || {
            assert!(!broken.load(Ordering::Relaxed), "the clock stands still");
            jiff::Timestamp::now()
        })
    };
    let sandbox = Sandbox::start(Options { clock, ..Options::default() }).expect("it starts");
    broken.store(true, Ordering::Relaxed);
    for admin in [true, false] {
        let answer = said(tls(&sandbox, admin), b"GET /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
        assert!(answer.contains("this request made the sandbox panic"), "{answer}");
    }
    broken.store(false, Ordering::Relaxed);
    is_well(&sandbox);
}
