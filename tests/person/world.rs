//! A repository as `apply` leaves it, and a home folder, without a cluster.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use age::secrecy::ExposeSecret as _;
use certctl::kubeconfig::Kubeconfig;
use certctl::model::route::Route;
use certctl::model::{CredentialGroup, KeySource, Recipient, hex, sha256};
use certctl::pki::{Certificate, PrivateKey};
use certctl::record::{API_VERSION, Credential, CredentialState, Record, to_yaml};
use certctl::seal::{parse_recipient, seal};
use certctl_testing::Ran;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    SubjectPublicKeyInfo,
};
use tempfile::TempDir;

pub const SERVER: &str = "https://prod.example.com:6443";

pub struct World {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
    pub authority: String,
}

/// A credential of someone's on `prod`.
pub struct Issued {
    /// As it was sealed.
    pub kubeconfig: String,
    pub record: Record,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("person-").tempdir().expect("a folder");
        for folder in ["home", "repo/clusters", "repo/access/prod", "out", "path"] {
            fs::create_dir_all(dir.path().join(folder)).expect("folders");
        }
        let (issuer, authority) = authority();
        let world = Self { dir, issuer, authority };
        world.write("repo/clusters/prod.crt", &world.authority);
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, text).expect("written");
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
    }

    pub fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).expect(name).permissions().mode() & 0o777
    }

    /// The roster: these people, and what follows their names.
    pub fn roster(&self, people: &[(&str, &str)]) {
        let mut text = format!(
            "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: acme}}\nclusters:\n- name: prod\n  \
             server: {SERVER}\n  certificateAuthority: clusters/prod.crt\ngroups:\n- name: developers\n  \
             inCertificate: true\n  grants: [{{clusterRole: view}}]\nusers:\n"
        );
        for (name, rest) in people {
            text.push_str(&format!("- name: {name}\n  {}\n", rest.replace('\n', "\n  ")));
        }
        self.write("repo/users.yaml", &text);
    }

    /// Issues a certificate for a public key, as the cluster would.
    pub fn certificate(&self, user: &str, public_key: &[u8]) -> Certificate {
        let key = SubjectPublicKeyInfo::from_der(public_key).expect("a public key");
        let id = certctl::model::CredentialId::of_public_key(public_key);
        let group = CredentialGroup::new(&user.parse().expect("a user"), id);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, group.to_string());
        params.distinguished_name.push(DnType::CommonName, user);
        params.not_before = time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(18_000);
        params.not_after = time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(40_000);
        let pem = params.signed_by(&key, &self.issuer).expect("signed").pem();
        Certificate::from_pem(pem.as_bytes()).expect("a certificate")
    }

    /// Issues, and writes record and sealed kubeconfig as `apply` does.
    pub fn issue(&self, user: &str, recipients: &[&str]) -> (Issued, PrivateKey) {
        let key = PrivateKey::generate(Default::default()).expect("a key");
        (self.issue_to(user, recipients, &key.public_key_der(), Some(&key)), key)
    }

    pub fn issue_to(
        &self,
        user: &str,
        recipients: &[&str],
        public_key: &[u8],
        key: Option<&PrivateKey>,
    ) -> Issued {
        let certificate = self.certificate(user, public_key);
        let kubeconfig = Kubeconfig {
            cluster: &"prod".parse().expect("a cluster"),
            context: "prod",
            namespace: None,
            user: &user.parse().expect("a user"),
            server: SERVER,
            route: &Route::default(),
            certificate_authority: Some(self.authority.as_bytes()),
            certificate: certificate.pem(),
            private_key: key,
        }
        .to_yaml();
        let kubeconfig = String::from_utf8(kubeconfig.to_vec()).expect("text");
        let credential = Credential {
            id: certificate.credential_id.clone(),
            state: CredentialState::Active,
            serial: certificate.serial.clone(),
            x509_sha256: certificate.sha256.clone(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            protected: false,
            generation: 1,
            key: match key {
                Some(key) => KeySource::Made(key.kind()),
                None => KeySource::Brought("0".repeat(64)),
            },
            in_certificate_groups: Vec::new(),
            recipients: recipients.iter().map(|key| Recipient::accepted_by_age((*key).to_owned())).collect(),
            server: SERVER.to_owned(),
            certificate_authority_sha256: Some(hex(&sha256(self.authority.as_bytes()))),
            route: Route::default(),
            namespace: None,
            sealed_sha256: String::new(),
            roster_commit: "0".repeat(40),
            certificate: certificate.pem().to_owned(),
        };
        let record = Record {
            api_version: API_VERSION.to_owned(),
            kind: "Record".to_owned(),
            cluster: "prod".parse().expect("a cluster"),
            user: user.parse().expect("a user"),
            credentials: vec![credential],
        };
        let issued = Issued { kubeconfig, record };
        if recipients.iter().all(|text| !text.starts_with("age1stub")) {
            self.seal(user, recipients, &issued.kubeconfig);
        }
        self.record(user, &issued.record);
        issued
    }

    pub fn record(&self, user: &str, record: &Record) {
        self.write(&format!("repo/access/prod/{user}.yaml"), &to_yaml(record).expect("a record"));
    }

    pub fn seal(&self, user: &str, recipients: &[&str], kubeconfig: &str) {
        let recipients: BTreeSet<Recipient> =
            recipients.iter().map(|text| parse_recipient(text).expect("a recipient")).collect();
        let sealed = seal(&recipients, kubeconfig.as_bytes()).expect("sealed");
        self.sealed(user, &sealed);
    }

    pub fn sealed(&self, user: &str, sealed: &[u8]) {
        fs::write(self.path(&format!("repo/access/prod/{user}.kubeconfig.age")), sealed).expect("written");
    }

    /// A new age identity in a file; returns its recipient.
    pub fn identity(&self, file: &str) -> String {
        let identity = age::x25519::Identity::generate();
        self.write(file, identity.to_string().expose_secret());
        identity.to_public().to_string()
    }

    /// A new OpenSSH key in a file; returns its recipient.
    pub fn ssh_identity(&self, file: &str, kind: &str, passphrase: &str) -> String {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", kind, "-C", "someone", "-N", passphrase, "-f"])
            .arg(&path)
            .stdin(Stdio::null())
            .status();
        assert!(made.expect("ssh-keygen runs").success());
        fs::read_to_string(path.with_extension("pub")).expect("a public key").trim().to_owned()
    }

    /// certctl in the repository, with this home and nothing else.
    pub fn command(&self, args: &[&str]) -> Command {
        self.in_world(env!("CARGO_BIN_EXE_certctl"), args)
    }

    fn in_world(&self, program: &str, args: &[&str]) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = certctl_testing::scrubbed(program, &self.path("repo"), &self.path("home"));
        command.args(args).env("PATH", format!("{}:{path}", self.path("path").display()));
        command
    }

    pub fn certctl(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.command(args))
    }

    /// Without a terminal, even where the tests have one.
    pub fn certctl_detached(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.in_detached(args))
    }

    pub fn in_detached(&self, args: &[&str]) -> Command {
        // `setsid` itself is on Linux alone.
        let session = ["-MPOSIX", "-e", "POSIX::setsid(); exec @ARGV or die"];
        self.in_world("perl", &[&session[..], &[env!("CARGO_BIN_EXE_certctl")], args].concat())
    }
}

/// A certificate authority: its key, and its certificate.
pub fn authority() -> (Issuer<'static, KeyPair>, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "kubernetes");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).expect("signed").pem();
    (Issuer::new(params, key), pem)
}

pub fn files_in(folder: &Path) -> usize {
    fs::read_dir(folder).expect("a folder").count()
}
