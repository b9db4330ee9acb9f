//! Hostile records under `access/`. Anyone who can write one can compute its checksum too, so most of
//! these have one that matches.

use std::fs;

use age::x25519::Identity;
use certctl::model::route::Route;
use certctl::model::{CredentialGroup, CredentialId, KeySource, Recipient, hex, sha256};
use certctl::pki::{Certificate, PrivateKey};
use certctl::record::{API_VERSION, ClusterPin, Credential, CredentialState, Record, to_yaml};
use rcgen::{CertificateParams, DistinguishedName, DnType, Issuer, KeyPair, SubjectPublicKeyInfo};

use crate::bounded::Place;

const FILE: &str = "access/prod/ann.yaml";

/// A record of ann's as certctl writes it, without its last line.
fn body() -> String {
    let key = PrivateKey::generate(Default::default()).expect("a key");
    let public_key = key.public_key_der();
    let id = CredentialId::of_public_key(&public_key);
    let group = CredentialGroup::new(&"ann".parse().expect("a name"), id.clone());
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, group.to_string());
    params.distinguished_name.push(DnType::CommonName, "ann");
    let authority = KeyPair::generate().expect("a key");
    let issuer = Issuer::new(CertificateParams::default(), authority);
    let public = SubjectPublicKeyInfo::from_der(&public_key).expect("a public key");
    let pem = params.signed_by(&public, &issuer).expect("signed").pem();
    let certificate = Certificate::from_pem(pem.as_bytes()).expect("a certificate");
    let credential = Credential {
        id,
        state: CredentialState::Active,
        serial: certificate.serial.clone(),
        x509_sha256: certificate.sha256.clone(),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        protected: false,
        generation: 1,
        key: KeySource::Made(key.kind()),
        in_certificate_groups: Vec::new(),
        recipients: [Recipient::accepted_by_age("age1ann".to_owned())].into(),
        server: "https://prod.example.com:6443".to_owned(),
        certificate_authority_sha256: None,
        route: Route::default(),
        namespace: None,
        sealed_sha256: "0".repeat(64),
        roster_commit: "0".repeat(40),
        certificate: certificate.pem().to_owned(),
    };
    let record = Record {
        api_version: API_VERSION.to_owned(),
        kind: "Record".to_owned(),
        cluster: "prod".parse().expect("a name"),
        user: "ann".parse().expect("a name"),
        credentials: vec![credential],
    };
    let text = to_yaml(&record).expect("a record");
    text.split_once("checksum: ").expect("a checksum").0.to_owned()
}

fn summed(body: &str) -> Vec<u8> {
    format!("{body}checksum: sha256:{}\n", hex(&sha256(body.as_bytes()))).into_bytes()
}

fn place() -> Place {
    let place = Place::new();
    let recipient = Identity::generate().to_public();
    let roster = format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: acme}}\nclusters: [{{name: prod}}]\n\
         users: [{{name: ann, recipients: [{recipient}]}}]\n"
    );
    place.write("users.yaml", roster.as_bytes());
    let pin =
        ClusterPin::new("prod".parse().expect("a name"), "3f2a91bc".into(), "acme".parse().expect("a name"));
    place.write("access/prod/cluster.yaml", to_yaml(&pin).expect("a pin").as_bytes());
    place
}

#[test]
fn each_record_is_refused_by_name() {
    let place = place();
    let good = body();
    let end_of_pem = good.find("-----END").expect("a certificate");
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        summed(&good.replacen(from, to, 1))
    };
    let more = |text: &str| summed(&format!("{good}{text}"));
    let entry = good.find("- id:").or(good.find("  - id:")).expect("a credential");
    let credential = &good[entry..];
    let bomb: String = (0..30)
        .map(|level| match level {
            0 => "a0: &a0 [x]\n".to_owned(),
            _ => format!("a{level}: &a{level} [{}]\n", format!("*a{},", level - 1).repeat(10)),
        })
        .collect();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "is not as certctl wrote it"),
        ("noise", b"\x00\x01\x02".to_vec(), "is not as certctl wrote it"),
        ("no text", [good.as_bytes(), b"\xff"].concat(), "is not UTF-8 text"),
        ("UTF-16", good.encode_utf16().flat_map(u16::to_le_bytes).collect(), "is not as certctl wrote it"),
        ("a list", summed("- a\n"), "is not as certctl wrote it"),
        ("a word", summed("record\n"), "is not as certctl wrote it"),
        ("too long", vec![b'a'; 256 * 1024 + 1], "could not be read"),
        ("as long as may be", vec![b'a'; 256 * 1024], "is not as certctl wrote it"),
        ("a bomb of aliases", summed(&bomb), "is not as certctl wrote it"),
        ("a bomb inside", more(&bomb), "is not as certctl wrote it"),
        ("lists in lists", summed(&"[".repeat(100_000)), "is not as certctl wrote it"),
        (
            "lists in lists, closed",
            summed(&format!("{}{}", "[".repeat(60_000), "]".repeat(60_000))),
            "is not as certctl wrote it",
        ),
        ("mappings in mappings", summed(&"{a: ".repeat(50_000)), "is not as certctl wrote it"),
        ("dashes", summed(&"- ".repeat(100_000)), "is not as certctl wrote it"),
        ("a list in itself", summed("a: &a [*a]\n"), "is not as certctl wrote it"),
        ("a merge key", more("<<: {kind: Record}\n"), "is not as certctl wrote it"),
        ("a field twice", more("kind: Record\n"), "is not as certctl wrote it"),
        ("a field that there is not", more("more: true\n"), "unknown field"),
        (
            "a long field that there is not",
            more(&format!("{}: true\n", "m".repeat(100_000))),
            "is not as certctl wrote it",
        ),
        ("a field that steers a terminal", more("\"\\e[2Jm\": true\n"), "is not as certctl wrote it"),
        (
            "a field that forges a line",
            more("\"m\\nError: all is well\": true\n"),
            "is not as certctl wrote it",
        ),
        ("a second document", more("---\nkind: Record\n"), "is not as certctl wrote it"),
        ("another kind", with("kind: Record", "kind: Secret"), "is no certctl.dev/v1 Record"),
        (
            "a kind that steers a terminal",
            with("kind: Record", "kind: \"\\e[2J\\u202e\""),
            "is no certctl.dev/v1 Record",
        ),
        (
            "a kind that forges a line",
            with("kind: Record", "kind: \"a\\nError: all is well\""),
            "is no certctl.dev/v1 Record",
        ),
        (
            "a long kind",
            with("kind: Record", &format!("kind: {}", "k".repeat(100_000))),
            "is no certctl.dev/v1 Record",
        ),
        ("of somebody else", with("user: ann", "user: bob"), "is about bob on prod"),
        ("of a path", with("user: ann", "user: ../ann"), "must match"),
        ("of a look-alike", with("user: ann", "user: \u{430}nn"), "U+0430"),
        ("of another cluster", with("cluster: prod", "cluster: dev"), "is about ann on dev"),
        ("a credential twice", more(credential), "twice"),
        ("many credentials", more(&credential.repeat(150)), "twice"),
        ("a state that there is not", with("state: active", "state: immortal"), "is not as certctl wrote it"),
        ("a state as a number", with("state: active", "state: 1"), "is not as certctl wrote it"),
        (
            "a generation past 32 bits",
            with("generation: 1", "generation: 4294967296"),
            "is not as certctl wrote it",
        ),
        ("a generation below zero", with("generation: 1", "generation: -1"), "is not as certctl wrote it"),
        (
            "a serial of somebody's",
            with("serial: ", "serial: f0f0"),
            "`serial` is not what its certificate says",
        ),
        ("an id that is none", with("id: ", "id: \u{ff41}"), "is not as certctl wrote it"),
        ("an end that there is not", with("notAfter: ", "notAfter: 99"), "is not as certctl wrote it"),
        (
            "groups that are not in it",
            with("recipients:", "inCertificateGroups: [admins]\n  recipients:"),
            "`groups` is not what its certificate says",
        ),
        (
            "a certificate that is noise",
            with("BEGIN CERTIFICATE", "BEGIN NOISE"),
            "another label than it begins with",
        ),
        ("a certificate cut off", summed(&good[..end_of_pem]), "has no END line"),
        (
            "a private key",
            with("BEGIN CERTIFICATE", "BEGIN PRIVATE KEY"),
            "another label than it begins with",
        ),
        (
            "a checksum of something else",
            [summed(&good), b"# more\n".to_vec()].concat(),
            "does not fit its checksum",
        ),
        ("no checksum", good.clone().into_bytes(), "does not fit its checksum"),
        ("two checksums", [summed(&good), summed("")].concat(), "checksum"),
        (
            "a long checksum",
            format!("{good}checksum: sha256:{}\n", "0".repeat(100_000)).into_bytes(),
            "does not fit its checksum",
        ),
        (
            "a byte order mark",
            [b"\xef\xbb\xbf".to_vec(), summed(&good)].concat(),
            "does not fit its checksum",
        ),
    ];
    let mut wrong = Vec::new();
    for (what, record, wanted) in &cases {
        place.write(FILE, record);
        match place.refused() {
            Ok(said) if said.contains(FILE) && said.contains(wanted) => {}
            Ok(said) => wrong.push(format!("{what}: `{wanted}` was not said:\n{said}")),
            Err(why) => wrong.push(format!("{what}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_pin_is_refused_by_name() {
    let place = place();
    place.write(FILE, &summed(&body()));
    let good = fs::read_to_string(place.path("access/prod/cluster.yaml")).expect("a pin");
    let good = good.split_once("checksum: ").expect("a checksum").0.to_owned();
    for (what, from, to, wanted) in [
        ("of another roster", "roster: acme", "roster: evil", "records of roster `evil`"),
        ("of another cluster", "name: prod", "name: dev", "is not about cluster `prod`"),
        ("of another kind", "kind: Cluster", "kind: Record", "is not about cluster `prod`"),
        ("with a uid that is a list", "uid: ", "uid: [a]\n#", "is not as certctl wrote it"),
        ("with more in it", "kind: ", "more: 1\nkind: ", "unknown field"),
    ] {
        assert!(good.contains(from), "{from}");
        place.write("access/prod/cluster.yaml", &summed(&good.replacen(from, to, 1)));
        let said = place.refused().unwrap_or_else(|why| panic!("{what}: {why}"));
        assert!(said.contains("access/prod/cluster.yaml") && said.contains(wanted), "{what}:\n{said}");
    }
    fs::remove_file(place.path("access/prod/cluster.yaml")).expect("removed");
    let said = place.refused().expect("an error");
    assert!(said.contains("access/prod holds records but no cluster.yaml"), "{said}");
}

#[test]
fn stray_files_in_the_folder_are_refused_by_name() {
    let refused = |name: &str, wanted: &str| {
        let place = place();
        place.write(&format!("access/prod/{name}"), b"kind: Record\n");
        let said = place.refused().unwrap_or_else(|why| panic!("{name:?}: {why}"));
        assert!(said.contains(wanted), "{name:?}:\n{said}");
    };
    refused("...yaml", "the file's name");
    refused(" .yaml", "the file's name");
    refused("+ann.yaml", "the file's name");
    refused("CLUSTER.yaml", "is reserved");
    refused("cluster.kubeconfig.age", "is reserved");
    refused("system:admin.yaml", "begins with `system:`");
    refused("\u{430}nn.yaml", "U+0430");
    refused("\u{1b}[2J.yaml", "the file's name");
    refused("\u{202e}nna.yaml", "the file's name");
    refused("ann\nError: all is well.yaml", "the file's name");
    refused(&format!("{}.yaml", "a".repeat(240)), "64 is the limit");

    for (what, wanted) in
        [("folder", "not a regular file"), ("link", "symbolic link"), ("pipe", "not a regular file")]
    {
        let place = place();
        let path = place.path(FILE);
        match what {
            "folder" => fs::create_dir(&path).expect("a folder"),
            "link" => std::os::unix::fs::symlink("/etc/passwd", &path).expect("linked"),
            _ => assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo").success()),
        }
        let said = place.refused().unwrap_or_else(|why| panic!("{what}: {why}"));
        assert!(said.contains(FILE) && said.contains(wanted), "{what}:\n{said}");
    }
    // A name that a shell would interpret is in no command that a reader might copy.
    let place = place();
    place.write("access/prod/$(touch x).yaml", b"kind: Record\n");
    let said = place.refused().expect("an error");
    let hints: Vec<&str> = said.lines().filter(|line| line.starts_with("  Hint: ")).collect();
    assert!(said.contains("$(touch x)") && !hints.is_empty(), "{said}");
    assert!(!hints.iter().any(|hint| hint.contains("touch")), "{said}");
    // Far more files than people.
    let place = self::place();
    let files = if cfg!(debug_assertions) { 1_500 } else { 5_000 };
    for number in 0..files {
        place.write(&format!("access/prod/u{number}.yaml"), b"kind: Record\n");
    }
    let said = place.refused().expect("an error");
    let left_out = format!("access/prod: {} more errors are not shown", files - 1_000);
    assert_eq!(said.lines().filter(|line| line.starts_with("Error: ")).count(), 1_001);
    assert!(said.contains(&left_out), "{said}");
}
