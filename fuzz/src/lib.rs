//! What must hold of certctl whatever bytes it is given. Each function reads them as one kind of file,
//! says whether certctl took them, and panics where one of its promises is broken.
//!
//! The fuzz targets call these on a nightly compiler; `tests/corpus.rs` calls the same on any, with the
//! files of `corpus/` and with what chance makes of them.

use std::collections::BTreeSet;

use certctl::error::Error;
use certctl::kubeconfig::{self, Expected, Kubeconfig};
use certctl::model::{ClusterName, CredentialId, GroupName, UserName, hex, sha256};
use certctl::pki::{self, Certificate};
use certctl::record::{self, ClusterPin, Record};
use certctl::roster::{self, excerpt};
use certctl::seal::parse_recipient;
use serde_json::Value;

/// A roster: what is taken keeps its promises, and the part about one person says of them what the
/// whole does.
pub fn roster(bytes: &[u8]) -> bool {
    let read = |text: &str| roster::parse("users.yaml", text, &parse_recipient);
    let taken = roster::text("users.yaml", bytes).and_then(|text| Ok((text, read(text)?)));
    let Some((text, roster)) = plain(taken) else { return false };
    assert!(!roster.clusters.is_empty());
    for name in roster.clusters.keys() {
        assert!(name.as_str().parse::<ClusterName>().is_ok());
    }
    for name in roster.groups.keys() {
        assert!(name.as_str().parse::<GroupName>().is_ok());
        assert!(
            !["system:", "certctl:", "kubeadm:cluster-admins"].iter().any(|p| name.as_str().starts_with(p))
        );
    }
    for (name, user) in &roster.users {
        assert!(name.as_str().parse::<UserName>().is_ok());
        assert!(!user.recipients.is_empty() && user.generation > 0);
        assert!(user.groups.keys().all(|group| roster.groups.contains_key(group)));
        assert!(user.clusters.iter().all(|cluster| roster.clusters.contains_key(cluster)));
        for recipient in user.recipients.keys() {
            assert!(parse_recipient(recipient.as_str()).is_ok());
        }
        if let Some(path) = &user.csr {
            assert!(!path.as_str().starts_with('/') && path.as_str().split('/').all(|part| part != ".."));
        }
    }
    let whole = roster.clone().without_positions();
    for name in roster.users.keys().take(5) {
        let Some(part) = excerpt::about(text, name.as_str()) else { continue };
        let Ok(part) = read(&part) else { continue };
        if let Some(user) = part.without_positions().users.get(name) {
            assert_eq!(user, &whole.users[name]);
        }
    }
    true
}

/// A record or a pin: what is taken is written again, and read as the same. Where the checksum does not
/// fit, it is also read with one that does: whoever can change a record can compute it.
pub fn record(bytes: &[u8]) -> bool {
    const CHECKSUM: &str = "checksum: sha256:";
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let body = text.rfind(CHECKSUM).map_or(text, |at| &text[..at]);
    let sum = hex(&sha256(body.replace("\r\n", "\n").as_bytes()));
    let mut taken = false;
    for text in [text, &format!("{body}{CHECKSUM}{sum}\n")] {
        if let Some(read) = plain(record::from_yaml::<Record>("ann.yaml", text)) {
            let again = record::to_yaml(&read).expect("what was read can be written");
            assert_eq!(record::from_yaml::<Record>("ann.yaml", &again).expect("ours"), read);
            taken = true;
        }
        if let Some(read) = plain(record::from_yaml::<ClusterPin>("cluster.yaml", text)) {
            let again = record::to_yaml(&read).expect("what was read can be written");
            assert_eq!(record::from_yaml::<ClusterPin>("cluster.yaml", &again).expect("ours"), read);
            taken = true;
        }
    }
    taken
}

/// A kubeconfig from the repository: another reader finds nothing more in it than certctl writes, and
/// what certctl writes of it is read as the same.
pub fn kubeconfig(bytes: &[u8]) -> bool {
    let Some(found) = plain(kubeconfig::parse(bytes)) else { return false };
    let text = std::str::from_utf8(bytes).expect("it was taken");
    let options = serde_saphyr::options! { merge_keys: serde_saphyr::MergeKeyPolicy::AsOrdinary };
    let value: Value = serde_saphyr::from_str_with_options(text, options).expect("YAML, for it was taken");
    only(&value, &["apiVersion", "clusters", "contexts", "current-context", "kind", "users"]);
    for (list, field, inner) in [
        (
            "clusters",
            "cluster",
            &["certificate-authority-data", "proxy-url", "server", "tls-server-name"][..],
        ),
        ("contexts", "context", &["cluster", "namespace", "user"]),
        ("users", "user", &["client-certificate-data", "client-key-data"]),
    ] {
        let entries = value[list].as_array().expect("a list");
        assert_eq!(entries.len(), 1, "{list}");
        only(&entries[0], &["name", field]);
        only(&entries[0][field], inner);
    }
    assert_eq!(value["clusters"][0]["cluster"]["server"], found.server.as_str());
    assert_eq!(value["users"][0]["user"]["client-key-data"].is_null(), found.private_key.is_none());
    let digest = found.certificate.sha256.clone();
    let elsewhere = Expected {
        server: "https://another.example.com",
        route: &found.route,
        certificate_authority_sha256: None,
        certificate_sha256: &digest,
        namespace: found.namespace.as_ref(),
    };
    assert!(kubeconfig::verify(&found, &elsewhere).is_err());

    let (Ok(cluster), Some((user, _))) = (found.cluster.parse(), found.user.rsplit_once('@')) else {
        return true;
    };
    let Ok(user) = user.parse() else { return true };
    let written = Kubeconfig {
        cluster: &cluster,
        context: &found.context,
        namespace: found.namespace.as_ref(),
        user: &user,
        server: &found.server,
        route: &found.route,
        certificate_authority: found.certificate_authority.as_deref(),
        certificate: found.certificate.pem(),
        private_key: found.private_key.as_ref(),
    };
    let again = kubeconfig::parse(&written.to_yaml()).expect("as certctl writes it");
    assert_eq!((&again.server, &again.route), (&found.server, &found.route));
    assert_eq!((&again.context, &again.namespace), (&found.context, &found.namespace));
    assert_eq!(again.certificate, found.certificate);
    assert_eq!(again.certificate_authority, found.certificate_authority);
    true
}

/// A certificate from the cluster, or from a record: it is who it is by its public key, it is the same
/// when it is read again, and it is nobody's whose key is another.
pub fn certificate(bytes: &[u8]) -> bool {
    let Some(found) = plain(Certificate::from_pem(bytes)) else { return false };
    assert_eq!(Certificate::from_pem(found.pem().as_bytes()).expect("its own text"), found);
    assert_eq!(found.credential_id, CredentialId::of_public_key(&found.public_key_der));
    let (Some(Ok(user)), now) =
        (found.common_name.as_ref().map(|name| name.parse::<UserName>()), found.not_before)
    else {
        return true;
    };
    let subject = pki::RequestSubject { user, organizations: found.organizations.clone() };
    assert!(plain(pki::verify_issued(&found, b"another key", &subject, now, None)).is_none());
    true
}

/// A request from anyone: it is the same when it is read again, and a good one holds a subject and
/// nothing else.
pub fn request(bytes: &[u8]) -> bool {
    let Some(found) = plain(pki::parse_request(bytes)) else { return false };
    assert_eq!(pki::parse_request(found.pem().as_bytes()).expect("its own text"), found);
    let Some(Ok(user)) = found.common_name.as_ref().map(|name| name.parse::<UserName>()) else { return true };
    if let Some(brought) = plain(pki::check_brought_request(bytes, &user, &BTreeSet::new())) {
        assert!(found.signature_valid && found.extensions.is_empty() && found.other_attributes.is_empty());
        assert_eq!(found.organizations, [format!("certctl:{user}:{}", brought.id)]);
    }
    true
}

/// What was read; an error must be short, must steer no terminal, and none of its lines may pass for
/// another error's.
fn plain<T>(read: Result<T, Error>) -> Option<T> {
    let error = match read {
        Ok(read) => return Some(read),
        Err(error) => error.render(false),
    };
    assert!(error.starts_with("Error: ") && error.len() < 1_000_000, "{error:?}");
    assert!(!error.contains(|c: char| c.is_control() && c != '\n'), "{error:?}");
    let known = ["Error: ", "  Caused by: ", "  Hint: "];
    assert!(error.lines().all(|line| known.iter().any(|known| line.starts_with(known))), "{error:?}");
    None
}

fn only(value: &Value, fields: &[&str]) {
    let held = value.as_object().expect("a mapping");
    assert!(held.keys().all(|field| fields.contains(&field.as_str())), "{:?}", held.keys());
}
