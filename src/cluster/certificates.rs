//! The certificates of a kubeconfig, checked before a handshake fails because of them.
//!
//! What the TLS library would refuse with a terse message is refused here with a fix.

use base64::Engine as _;
use kube::config::AuthInfo;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Version;

use crate::error::{Error, Result};
use crate::model::CredentialGroup;
use crate::pki::pem;

/// The certificates of a CA bundle, DER.
///
/// # Errors
/// It is not PEM, or contains no certificates but those of servers, which cannot have issued others.
pub(super) fn authorities(bundle: &[u8], context: &str) -> Result<Vec<Vec<u8>>> {
    const PEM: &str = "it must be PEM, with one or more CA certificates";
    let unusable = |cause: &str, hint: &str| {
        Error::new(format!(
            "{context}: the certificate-authority of the kubeconfig cannot be used; nothing was changed"
        ))
        .caused_by(cause.to_owned())
        .hint(hint)
    };
    let text = String::from_utf8_lossy(bundle);
    let blocks = pem::decode(&text).map_err(|error| unusable(error.message(), PEM))?;
    let certificates: Vec<Vec<u8>> =
        blocks.iter().filter(|block| block.label == "CERTIFICATE").map(|block| block.der.to_vec()).collect();
    if certificates.is_empty() {
        return Err(if X509Certificate::from_der(bundle).is_ok() {
            unusable(
                "it is DER, and a kubeconfig needs PEM",
                "`openssl x509 -inform DER -in FILE` writes it as PEM",
            )
        } else {
            unusable("there is no `-----BEGIN CERTIFICATE-----` in it", PEM)
        });
    }
    let leaves: Vec<String> = certificates.iter().filter_map(|der| leaf_of_another(der)).collect();
    if !leaves.is_empty() && leaves.len() == certificates.len() {
        return Err(Error::new(format!(
            "{context}: the certificate-authority of the kubeconfig is not a CA, but a server's own certificate; nothing was changed"
        ))
        .caused_by(leaves.join(", "))
        .hint(
            "put the certificate of its issuer there: in the cluster it is \
             `kubectl get configmap kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}'`, with kubeadm /etc/kubernetes/pki/ca.crt",
        ));
    }
    Ok(certificates)
}

/// A certificate that another issued and that may issue none itself, in words. One that issued itself
/// can be trusted as it is.
fn leaf_of_another(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let ca = certificate.basic_constraints().ok()?.is_some_and(|constraints| constraints.value.ca);
    let self_issued = certificate.subject().as_raw() == certificate.issuer().as_raw();
    // Version 1 certificates do not say whether they may issue others.
    let leaf = !ca && !self_issued && certificate.version() != X509Version::V1;
    leaf.then(|| format!("`{}` was issued by `{}`", certificate.subject(), certificate.issuer()))
}

/// Whether its client certificate is one that certctl issued to a person: a credential group is in its subject.
pub(super) fn is_a_persons(user: &AuthInfo) -> bool {
    client_certificate(user).is_some_and(|der| {
        let Ok((_, certificate)) = X509Certificate::from_der(&der) else { return false };
        let mut groups = certificate.subject().iter_organization().filter_map(|it| it.as_str().ok());
        groups.any(|group| group.parse::<CredentialGroup>().is_ok())
    })
}

/// The first certificate of a context's user, as DER, if it can be read.
fn client_certificate(user: &AuthInfo) -> Option<Vec<u8>> {
    let data = user.client_certificate_data.as_deref().filter(|data| !data.is_empty());
    let bytes = match (data, user.client_certificate.as_deref()) {
        (Some(data), _) => base64::engine::general_purpose::STANDARD.decode(data).ok(),
        (None, Some(path)) => std::fs::read(path).ok(),
        (None, None) => None,
    };
    let text = String::from_utf8_lossy(bytes.as_deref()?).into_owned();
    let blocks = pem::decode(&text).ok()?;
    blocks.into_iter().find(|block| block.label == "CERTIFICATE").map(|block| block.der.to_vec())
}

/// Checks the client certificate of a context's user, if it can be read: other problems are
/// reported by the connection.
///
/// # Errors
/// It is of X.509 version 1.
pub(super) fn check_client(user: &AuthInfo, context: &str) -> Result<()> {
    let is_version_1 = |der: Vec<u8>| {
        X509Certificate::from_der(&der).is_ok_and(|(_, certificate)| certificate.version() == X509Version::V1)
    };
    if !client_certificate(user).is_some_and(is_version_1) {
        return Ok(());
    }
    Err(Error::new(format!(
        "context `{context}`: its client certificate is of X.509 version 1, which is not used here: such a certificate does not say what it is for; nothing was changed"
    ))
    .hint(
        "issue it again as version 3: `openssl x509 -req -in CSR -CA ca.crt -CAkey ca.key -extfile FILE` with the line \
         `extendedKeyUsage=clientAuth` in FILE",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    fn named(name: &str, ca: bool) -> CertificateParams {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = if ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
        params
    }

    #[test]
    fn a_server_certificate_is_distinguished_from_a_ca() {
        let key = || KeyPair::generate().expect("a key");
        let (ca_key, server_key) = (key(), key());
        let ca = named("kubernetes", true).self_signed(&ca_key).expect("signed");
        let issuer = Issuer::new(named("kubernetes", true), ca_key);
        let server = named("prod.example.com", false).signed_by(&server_key, &issuer).expect("signed");
        let self_signed = named("alone.example.com", false).self_signed(&server_key).expect("signed");

        let error = authorities(server.pem().as_bytes(), "prod").expect_err("no CA").render(false);
        assert!(error.contains("is not a CA, but a server's own certificate"), "{error}");
        assert!(error.contains("`CN=prod.example.com` was issued by `CN=kubernetes`"), "{error}");
        // Leaves alone, more than one of them, or with a key beside them.
        for leaves in [server.pem().repeat(2), format!("{}{}", server_key.serialize_pem(), server.pem())] {
            let error = authorities(leaves.as_bytes(), "prod").expect_err("no CA").render(false);
            assert!(error.contains("kube-root-ca.crt"), "{error}");
        }
        let intermediate = named("between", true).signed_by(&server_key, &issuer).expect("signed");
        let text = format!("issuer=kubernetes\r\n{}", ca.pem().replace('\n', "\r\n"));
        for good in [
            ca.pem(),
            self_signed.pem(),
            format!("{}{}", server.pem(), ca.pem()),
            intermediate.pem(),
            text,
            format!("\u{feff}{}", ca.pem()),
        ] {
            authorities(good.as_bytes(), "prod").expect("a CA is among them");
        }
        // What is no bundle of certificates would otherwise end as `UnknownIssuer`.
        for (bundle, why) in [
            (ca.der().to_vec(), "openssl x509 -inform DER"),
            (server_key.serialize_pem().into_bytes(), "no `-----BEGIN CERTIFICATE-----`"),
            (b"prod-ca\n".to_vec(), "no `-----BEGIN CERTIFICATE-----`"),
            (ca.pem().replace('\n', " ").into_bytes(), "Cause"),
        ] {
            let error = authorities(&bundle, "prod").expect_err(why).render(false);
            assert!(error.contains(why) && error.contains("certificate-authority"), "{error}");
        }
        let error = authorities(b"-----BEGIN CERTIFICATE-----\nAAEC\n", "prod").expect_err("cut off");
        assert!(error.message().starts_with("prod: the certificate-authority"), "{error}");
    }

    /// However the entry is called, and wherever the kubeconfig was copied to.
    #[test]
    fn a_certificate_that_certctl_issued_is_a_persons() {
        let key = KeyPair::generate().expect("a key");
        for (organizations, is_persons) in [
            (&["certctl:alice:0123456789abcdef"][..], true),
            (&["system:masters"], false),
            (&["certctl:alice"], false),
            (&[], false),
        ] {
            let mut params = CertificateParams::default();
            params.distinguished_name = rcgen::DistinguishedName::new();
            for organization in organizations {
                params.distinguished_name.push(DnType::OrganizationName, *organization);
            }
            let pem = params.self_signed(&key).expect("signed").pem();
            let user = AuthInfo {
                client_certificate_data: Some(base64::engine::general_purpose::STANDARD.encode(pem)),
                ..AuthInfo::default()
            };
            assert_eq!(is_a_persons(&user), is_persons, "{organizations:?}");
        }
        assert!(!is_a_persons(&AuthInfo::default()));
    }

    #[test]
    fn a_client_certificate_of_version_1_is_refused_by_its_version() {
        let with = |pem: &str| AuthInfo {
            client_certificate_data: Some(base64::engine::general_purpose::STANDARD.encode(pem)),
            ..AuthInfo::default()
        };
        let key = KeyPair::generate().expect("a key");
        let version_3 = named("admin", false).self_signed(&key).expect("signed");
        check_client(&with(&version_3.pem()), "prod").expect("version 3");
        check_client(&AuthInfo::default(), "prod").expect("no certificate");
        // As microk8s and `openssl x509 -req` write it: in the entry, in a file, before others, beside the key.
        let old = version_1(version_3.der());
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("client.crt");
        std::fs::write(&path, &old).expect("written");
        let file = AuthInfo {
            client_certificate: path.to_str().map(str::to_owned),
            client_certificate_data: Some(String::new()),
            ..AuthInfo::default()
        };
        let chain = with(&format!("{old}{}", version_3.pem()));
        let beside = with(&format!("{}{old}", key.serialize_pem()));
        for user in [with(&old), file, chain, beside, with(&old.replace('\n', "\r\n"))] {
            let error = check_client(&user, "prod").expect_err("version 1");
            assert!(error.message().contains("X.509 version 1"), "{error}");
        }
    }

    /// The certificate without `[0] version` and `[3] extensions`, as `openssl x509 -req` writes it.
    fn version_1(der: &[u8]) -> String {
        let (_, parsed) = X509Certificate::from_der(der).expect("a certificate");
        let value = |tag: u8, content: &[u8]| {
            let length = u16::try_from(content.len()).expect("short").to_be_bytes();
            [&[tag, 0x82], &length[..], content].concat()
        };
        // The first 4 bytes are tag and length, and [0] version takes 5.
        let tbs = parsed.tbs_certificate.as_ref();
        let extensions = tbs
            .windows(4)
            .position(|bytes| bytes[0] == 0xa3 && bytes[1] == 0x81)
            .or_else(|| tbs.windows(3).rposition(|bytes| bytes[0] == 0xa3 && bytes[2] == 0x30));
        let body = &tbs[4 + 5..extensions.expect("extensions")];
        let rest = &der[4 + tbs.len()..];
        let whole = value(0x30, &[&value(0x30, body), rest].concat());
        String::from_utf8(pem::encode("CERTIFICATE", &whole).to_vec()).expect("ASCII")
    }
}
