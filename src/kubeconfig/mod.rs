//! The kubeconfig that a person gets: written from typed values, and read back with suspicion.
//!
//! A kubeconfig can run programs, send requests elsewhere and read local files, and it comes out
//! of a repository that others can write to. So the reader takes only what the writer writes (one
//! cluster, one user, one context), and names whatever else it finds.

pub mod file;
pub mod merge;
mod parse;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::model::route::Route;
use crate::model::{ClusterName, Namespace, UserName, hex, sha256};
use crate::pki::pem::{base64_len, push_base64};
use crate::pki::{Certificate, PrivateKey};

pub use parse::parse;

/// The largest kubeconfig that is read, in bytes.
pub const SIZE_LIMIT: usize = 256 * 1024;

/// How the line of the private key begins. The reader looks for exactly this.
const KEY_LINE: &str = "    client-key-data: \"";

/// What goes into a person's kubeconfig.
pub struct Kubeconfig<'a> {
    /// Names the cluster.
    pub cluster: &'a ClusterName,
    /// Names the context.
    pub context: &'a str,
    /// The context's default namespace.
    pub namespace: Option<&'a Namespace>,
    /// Names the user entry, as `<user>@<cluster>`.
    pub user: &'a UserName,
    /// What kubectl connects to.
    pub server: &'a str,
    /// How it gets there.
    pub route: &'a Route,
    /// CA bundle, PEM; `None` where the server's certificate is publicly trusted.
    pub certificate_authority: Option<&'a [u8]>,
    /// The certificate chain, PEM, leaf first.
    pub certificate: &'a str,
    /// `None` where the owner brought their own key, which stays with them.
    pub private_key: Option<&'a PrivateKey>,
}

impl Kubeconfig<'_> {
    /// The file, with its fields in kubectl's order. The buffer has its final size from the start,
    /// so that no copy of the key is left behind, and is wiped when dropped.
    pub fn to_yaml(&self) -> Zeroizing<Vec<u8>> {
        // A JSON string is a YAML string, whatever is in it.
        let quoted = |text: &str| Value::from(text).to_string();
        let cluster = quoted(self.cluster.as_str());
        let context = quoted(self.context);
        let namespace = self.namespace.map(|namespace| quoted(namespace.as_str()));
        let proxy = self.route.proxy.as_ref().map(|proxy| quoted(proxy.as_str()));
        let tls_server_name = self.route.tls_server_name.as_ref().map(|name| quoted(name.as_str()));
        let user = quoted(&format!("{}@{}", self.user, self.cluster));
        let server = quoted(self.server);
        let key = self.private_key.map(PrivateKey::to_pem);

        enum Part<'p> {
            Text(&'p str),
            Base64(&'p [u8]),
        }
        use Part::{Base64, Text};
        let mut parts = vec![Text("apiVersion: v1\nclusters:\n- cluster:\n")];
        if let Some(bundle) = self.certificate_authority {
            parts.extend([Text("    certificate-authority-data: \""), Base64(bundle), Text("\"\n")]);
        }
        if let Some(proxy) = &proxy {
            parts.extend([Text("    proxy-url: "), Text(proxy), Text("\n")]);
        }
        parts.extend([Text("    server: "), Text(&server)]);
        if let Some(name) = &tls_server_name {
            parts.extend([Text("\n    tls-server-name: "), Text(name)]);
        }
        parts.extend([Text("\n  name: "), Text(&cluster)]);
        parts.extend([Text("\ncontexts:\n- context:\n    cluster: "), Text(&cluster)]);
        if let Some(namespace) = &namespace {
            parts.extend([Text("\n    namespace: "), Text(namespace)]);
        }
        parts.extend([Text("\n    user: "), Text(&user), Text("\n  name: "), Text(&context)]);
        parts.extend([Text("\ncurrent-context: "), Text(&context)]);
        parts.extend([Text("\nkind: Config\nusers:\n- name: "), Text(&user), Text("\n  user:\n")]);
        parts.extend([
            Text("    client-certificate-data: \""),
            Base64(self.certificate.as_bytes()),
            Text("\"\n"),
        ]);
        if let Some(key) = &key {
            parts.extend([Text(KEY_LINE), Base64(key), Text("\"\n")]);
        }

        let size = parts.iter().map(|part| match part {
            Text(text) => text.len(),
            Base64(bytes) => base64_len(bytes.len()),
        });
        let mut out = Zeroizing::new(Vec::with_capacity(size.sum()));
        for part in parts {
            match part {
                Text(text) => out.extend_from_slice(text.as_bytes()),
                Base64(bytes) => push_base64(&mut out, bytes),
            }
        }
        out
    }
}

/// A kubeconfig that [`parse()`] took. It may hold a private key, so it has no Debug, Display, Clone
/// or Serialize.
pub struct ParsedKubeconfig {
    /// The name of the cluster.
    pub cluster: String,
    /// The name of the context.
    pub context: String,
    /// The context's default namespace.
    pub namespace: Option<Namespace>,
    /// The name of the user entry.
    pub user: String,
    /// What kubectl connects to.
    pub server: String,
    /// How it gets there.
    pub route: Route,
    /// CA bundle, PEM, byte for byte.
    pub certificate_authority: Option<Vec<u8>>,
    /// The client certificate.
    pub certificate: Certificate,
    /// The private key, where the kubeconfig holds one.
    pub private_key: Option<PrivateKey>,
}

/// What roster and record say of a kubeconfig. Digests are lower-case hex.
pub struct Expected<'a> {
    pub server: &'a str,
    pub route: &'a Route,
    /// SHA-256 of the CA bundle's PEM bytes, `None` where there must be no bundle.
    pub certificate_authority_sha256: Option<&'a str>,
    /// SHA-256 of the leaf's DER.
    pub certificate_sha256: &'a str,
    pub namespace: Option<&'a Namespace>,
}

/// Checks a kubeconfig against the roster and the record before it is printed, merged or used.
///
/// # Errors
/// Every mismatch is reported, each with what was expected and what was found.
pub fn verify(kubeconfig: &ParsedKubeconfig, expected: &Expected<'_>) -> Result<()> {
    let Expected { server, route, certificate_authority_sha256, certificate_sha256, namespace } = *expected;
    let mut errors = Vec::new();
    let mut refuse =
        |what: String| errors.push(Error::new(format!("the kubeconfig {what}; it was not used")));
    if kubeconfig.server != server {
        refuse(format!("connects to another server: expected `{server}`, found `{}`", kubeconfig.server));
    }
    let Route { proxy, tls_server_name } = &kubeconfig.route;
    refuse_other(&mut refuse, "sends requests through another proxy", &route.proxy, proxy);
    refuse_other(&mut refuse, "takes a server of another name", &route.tls_server_name, tls_server_name);
    refuse_other(&mut refuse, "begins in another namespace", &namespace.cloned(), &kubeconfig.namespace);
    let found = kubeconfig.certificate_authority.as_ref().map(|bundle| hex(&sha256(bundle)));
    if found.as_deref() != certificate_authority_sha256 {
        let name =
            |digest: Option<&str>| digest.map_or("none".to_owned(), |digest| format!("SHA-256 {digest}"));
        refuse(format!(
            "trusts another certificate authority: expected {}, found {}",
            name(certificate_authority_sha256),
            name(found.as_deref())
        ));
    }
    if kubeconfig.certificate.sha256 != certificate_sha256 {
        refuse(format!(
            "holds another certificate than the record: expected SHA-256 {certificate_sha256}, found {}",
            kubeconfig.certificate.sha256
        ));
    }
    let key = kubeconfig.private_key.as_ref().map(PrivateKey::public_key_der);
    if key.is_some_and(|key| key != kubeconfig.certificate.public_key_der) {
        refuse("holds a private key that does not belong to its certificate".into());
    }
    Error::all(errors).map_or(Ok(()), |error| {
        Err(error.hint(
            "run `git pull`; if that does not help, show `git log` of the .kubeconfig.age file to an administrator",
        ))
    })
}

fn refuse_other<T: PartialEq + std::fmt::Display>(
    refuse: &mut impl FnMut(String),
    what: &str,
    expected: &Option<T>,
    found: &Option<T>,
) {
    if expected != found {
        let name = |value: &Option<T>| value.as_ref().map_or("none".to_owned(), |value| format!("`{value}`"));
        refuse(format!("{what}: expected {}, found {}", name(expected), name(found)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::KeyType;
    use crate::pki::testing::{Issue, subject_of};

    const CA: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
    const SERVER: &str = "https://prod.example.com:6443";

    struct Person {
        key: PrivateKey,
        certificate: Certificate,
        cluster: ClusterName,
        user: UserName,
        route: Route,
    }

    fn person(kind: KeyType) -> Person {
        let key = PrivateKey::generate(kind).expect("made");
        let issued = Issue::to(&key, &subject_of(&key, &["dev"])).pem();
        Person {
            key,
            certificate: Certificate::from_pem(issued.as_bytes()).expect("readable"),
            cluster: "prod".parse().expect("a cluster"),
            user: "alice".parse().expect("a user"),
            route: Route::default(),
        }
    }

    impl Person {
        fn kubeconfig(&self) -> Kubeconfig<'_> {
            Kubeconfig {
                cluster: &self.cluster,
                context: "prod",
                namespace: None,
                user: &self.user,
                server: SERVER,
                route: &self.route,
                certificate_authority: Some(CA),
                certificate: self.certificate.pem(),
                private_key: Some(&self.key),
            }
        }
    }

    impl Person {
        /// Without a CA.
        fn expected(&self) -> Expected<'_> {
            Expected {
                server: SERVER,
                route: &self.route,
                certificate_authority_sha256: None,
                certificate_sha256: &self.certificate.sha256,
                namespace: None,
            }
        }
    }

    fn refusals(result: Result<()>) -> String {
        result.expect_err("refused").render(false)
    }

    #[test]
    fn what_is_written_reads_back_and_the_buffer_never_moved() {
        for kind in [KeyType::EcdsaP256, KeyType::Ed25519, KeyType::Rsa4096] {
            let alice = person(kind);
            let yaml = alice.kubeconfig().to_yaml();
            assert_eq!(yaml.len(), yaml.capacity(), "sized exactly");
            let read = parse(&yaml).unwrap_or_else(|error| panic!("{}", error.render(false)));
            assert_eq!((read.cluster.as_str(), read.user.as_str()), ("prod", "alice@prod"));
            assert_eq!(read.server, SERVER);
            assert_eq!(read.certificate_authority.as_deref(), Some(CA));
            assert_eq!(read.certificate, alice.certificate);
            let key = read.private_key.as_ref().expect("a key");
            assert_eq!(key.to_pem(), alice.key.to_pem());
            let ca = hex(&sha256(CA));
            verify(&read, &Expected { certificate_authority_sha256: Some(&ca), ..alice.expected() })
                .expect("ours");
        }
    }

    #[test]
    fn a_key_that_stays_home_and_a_public_ca_are_left_out() {
        let alice = person(KeyType::EcdsaP256);
        let yaml =
            Kubeconfig { certificate_authority: None, private_key: None, ..alice.kubeconfig() }.to_yaml();
        let text = std::str::from_utf8(&yaml).expect("text");
        let (before, certificate) =
            text.split_once("    client-certificate-data: \"").expect("the certificate");
        assert_eq!(
            before,
            "apiVersion: v1\nclusters:\n- cluster:\n    server: \"https://prod.example.com:6443\"\n  \
             name: \"prod\"\ncontexts:\n- context:\n    cluster: \"prod\"\n    user: \"alice@prod\"\n  \
             name: \"prod\"\ncurrent-context: \"prod\"\nkind: Config\nusers:\n- name: \"alice@prod\"\n  user:\n"
        );
        assert_eq!(certificate.lines().count(), 1);
        let read = parse(&yaml).expect("readable");
        assert!(read.private_key.is_none() && read.certificate_authority.is_none());
        verify(&read, &alice.expected()).expect("ours");
    }

    #[test]
    fn a_proxy_a_servers_name_and_a_namespace_are_written_in_kubectls_order_and_verified() {
        let mut alice = person(KeyType::EcdsaP256);
        alice.route = Route {
            proxy: Some("http://proxy:3128".parse().expect("a proxy")),
            tls_server_name: Some("kubernetes".parse().expect("a name")),
        };
        let shop: Namespace = "shop".parse().expect("a namespace");
        let yaml = Kubeconfig {
            certificate_authority: None,
            context: "acme-prod",
            namespace: Some(&shop),
            ..alice.kubeconfig()
        }
        .to_yaml();
        assert_eq!(yaml.len(), yaml.capacity(), "sized exactly");
        let text = std::str::from_utf8(&yaml).expect("text");
        let (before, _) = text.split_once("kind: Config").expect("the kind");
        assert_eq!(
            before,
            "apiVersion: v1\nclusters:\n- cluster:\n    proxy-url: \"http://proxy:3128\"\n    \
             server: \"https://prod.example.com:6443\"\n    tls-server-name: \"kubernetes\"\n  name: \"prod\"\n\
             contexts:\n- context:\n    cluster: \"prod\"\n    namespace: \"shop\"\n    user: \"alice@prod\"\n  \
             name: \"acme-prod\"\ncurrent-context: \"acme-prod\"\n"
        );
        let read = parse(&yaml).expect("readable");
        assert_eq!(read.context, "acme-prod");
        verify(&read, &Expected { namespace: Some(&shop), ..alice.expected() }).expect("ours");
        let bare = Route::default();
        let text = refusals(verify(&read, &Expected { route: &bare, ..alice.expected() }));
        assert!(text.contains("another proxy: expected none, found `http://proxy:3128`"), "{text}");
        assert!(text.contains("a server of another name: expected none, found `kubernetes`"), "{text}");
        assert!(text.contains("another namespace: expected none, found `shop`"), "{text}");
    }

    #[test]
    fn another_server_ca_certificate_or_key_is_refused() {
        let alice = person(KeyType::EcdsaP256);
        let mallory = person(KeyType::EcdsaP256);
        let ca = hex(&sha256(CA));
        let read = parse(&alice.kubeconfig().to_yaml()).expect("readable");
        let ours = || Expected { certificate_authority_sha256: Some(&ca), ..alice.expected() };
        let text = refusals(verify(&read, &Expected { server: "https://other", ..ours() }));
        assert!(text.contains("expected `https://other`, found `https://prod.example.com:6443`"), "{text}");
        let text = refusals(verify(&read, &alice.expected()));
        assert!(text.contains(&format!("expected none, found SHA-256 {ca}")), "{text}");
        let text = refusals(verify(&read, &Expected { certificate_authority_sha256: Some("00"), ..ours() }));
        assert!(text.contains("another certificate authority: expected SHA-256 00"), "{text}");
        let other = &mallory.certificate.sha256;
        let text = refusals(verify(&read, &Expected { certificate_sha256: other, ..ours() }));
        assert!(text.contains("another certificate than the record"), "{text}");
        let mixed = Kubeconfig { private_key: Some(&mallory.key), ..alice.kubeconfig() };
        let read = parse(&mixed.to_yaml()).expect("readable");
        let text = refusals(verify(&read, &ours()));
        assert!(text.contains("does not belong to its certificate"), "{text}");
        let wrong = Expected { server: "https://other", certificate_sha256: other, ..alice.expected() };
        let text = refusals(verify(&read, &wrong));
        assert_eq!(text.matches("Error:").count(), 4, "{text}");
    }

    #[test]
    fn hostile_kubeconfigs_are_each_refused_with_their_own_reason() {
        let alice = person(KeyType::EcdsaP256);
        let yaml = alice.kubeconfig().to_yaml();
        let good = std::str::from_utf8(&yaml).expect("text");
        let key_line = good.lines().find(|line| line.starts_with(KEY_LINE)).expect("the key");
        let secret = key_line[KEY_LINE.len()..].trim_end_matches('"');
        let user = |more: &str| format!("{good}    {more}\n");
        let cluster = |more: &str| good.replacen("    server:", &format!("    {more}\n    server:"), 1);
        let top = |more: &str| format!("{good}{more}\n");
        let without_key = good.replace(&format!("{key_line}\n"), "");
        for (text, why) in [
            (user("exec: {command: sh, args: [-c, id]}"), "`users[0].user.exec`, which runs a program"),
            (user("exec: null"), "`users[0].user.exec`, which runs a program"),
            (user("\"ex\\u0065c\": {}"), "`users[0].user.exec`, which runs a program"),
            (user("auth-provider: {name: gcp}"), "`users[0].user.auth-provider`, which"),
            (user("tokenFile: /etc/passwd"), "`users[0].user.tokenFile`, which reads a file"),
            (user("token: x"), "`users[0].user.token`, which"),
            (user("username: x"), "`users[0].user.username`, which"),
            (user("password: x"), "`users[0].user.password`, which"),
            (user("client-key: /etc/shadow"), "`users[0].user.client-key`, which reads a file"),
            (user("client-certificate: x"), "`users[0].user.client-certificate`, which reads a file"),
            (user("as: admin"), "`users[0].user.as`, which acts as someone else"),
            (user("as-groups: [system:masters]"), "`users[0].user.as-groups`, which acts as"),
            (user("extensions: []"), "`users[0].user.extensions`, which certctl never writes"),
            (cluster("proxy-url: 'http://a:b@evil'"), "`clusters[0].cluster.proxy-url` may hold no `@`"),
            (cluster("proxy-url: null"), "`clusters[0].cluster.proxy-url` is no text"),
            (
                cluster("insecure-skip-tls-verify: true"),
                "`clusters[0].cluster.insecure-skip-tls-verify`, which",
            ),
            (cluster("tls-server-name: '*'"), "`clusters[0].cluster.tls-server-name` is no host name"),
            (
                cluster("certificate-authority: x"),
                "`clusters[0].cluster.certificate-authority`, which reads a file",
            ),
            (cluster("\u{1b}[2J: x"), "cannot be read"),
            (cluster("\"\\e[2J\": x"), "`clusters[0].cluster.\\u{1b}[2J`, which certctl never"),
            (
                good.replace("    user: ", "    namespace: X\n    user: "),
                "`contexts[0].context.namespace` is no namespace name",
            ),
            (top("preferences: {}"), "`preferences`, which certctl never writes"),
            (top("- name: b\n  user: {exec: {command: sh}}"), "2 entries under `users`"),
            (top("---\napiVersion: v1"), "cannot be read"),
            (good.replace("users:\n", "users:\n- name: b\n  user: {}\n"), "2 entries under `users`"),
            (good.replace("kind: Config", "kind: Config\nkind: Config"), "cannot be read"),
            (good.replace("kind: Config", "kind: Secret"), "`kind` is `Secret`"),
            (good.replace("apiVersion: v1", "apiVersion: v2"), "`apiVersion` is `v2`"),
            (good.replace("apiVersion: v1\n", ""), "`apiVersion` is missing"),
            (good.replace("kind: Config", "kind: [Config]"), "`kind` is no text"),
            (
                good.replace("current-context: \"prod\"", "current-context: \"dev\""),
                "`current-context` is `dev`",
            ),
            (
                good.replace("    cluster: \"prod\"", "    cluster: \"dev\""),
                "`contexts[0].context.cluster` is `dev`",
            ),
            (
                good.replace("    user: \"alice@prod\"", "    user: \"b\""),
                "`contexts[0].context.user` is `b`",
            ),
            (good.replace("certificate-authority-data: \"", "certificate-authority-data: \"*"), "no base64"),
            (
                good.replace("client-certificate-data: \"", "client-certificate-data: \"AAAA"),
                "the certificate",
            ),
            (good.replace("client-key-data: \"", "client-key-data: \"AAAA"), "the private key"),
            (
                good.replace(key_line, &key_line.replace('"', "'")),
                "`users[0].user.client-key-data` is not written",
            ),
            (
                good.replace(key_line, &format!("{key_line} #")),
                "`users[0].user.client-key-data` is not written",
            ),
            (format!("{good}{key_line}\n"), "cannot be read"),
            (format!("{without_key}    x: |\n    {key_line}\n"), "`users[0].user.x`, which"),
            (format!("{good}x: &a [b]\ny: *a\n"), "cannot be read"),
            (format!("{good}{}\n", "[".repeat(5000)), "cannot be read"),
            ("[]".into(), "is no mapping"),
            (String::new(), "is no mapping"),
            ("x".repeat(SIZE_LIMIT + 1), "larger than 256 KiB"),
            (good.replace("users:", "users: &a"), "cannot be read"),
            (
                good.replace("- name: \"alice@prod\"", "- name: !!binary YQ=="),
                "`contexts[0].context.user` is `alice@prod`",
            ),
        ] {
            let error = parse(text.as_bytes()).err().unwrap_or_else(|| panic!("taken: {why}\n{text}"));
            let rendered = error.render(false);
            assert!(rendered.contains(why), "expected {why}: {rendered}");
            assert!(!rendered.contains(&secret[..40]), "the key is repeated: {rendered}");
        }
        assert!(parse(b"\xff").is_err());
    }
}
