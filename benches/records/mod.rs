//! Records whose certificates are real, for the benchmarks.

use certctl::model::route::Route;
use certctl::model::{CredentialGroup, CredentialId, KeySource, KeyType, Recipient, hex, sha256};
use certctl::record::{API_VERSION, Credential, CredentialState, Record};
use jiff::Timestamp;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};

/// Everybody's.
pub const RECIPIENT: &str = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";

/// What signs them. One key for all keeps the set-up short; an id only has to be that of its certificate.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    key: KeyPair,
    now: Timestamp,
}

impl Authority {
    pub fn new() -> Self {
        let issuer = Issuer::new(CertificateParams::default(), KeyPair::generate().expect("a key"));
        let now = Timestamp::from_second(Timestamp::now().as_second()).expect("a time");
        Self { issuer, key: KeyPair::generate().expect("a key"), now }
    }

    /// Somebody's record with one credential, and the sealed file beside it.
    pub fn record(&self, cluster: &str, user: &str, server: &str) -> (Record, String) {
        let id = CredentialId::of_public_key(&rcgen::PublicKeyData::subject_public_key_info(&self.key));
        let group = CredentialGroup::new(&user.parse().expect("a name"), id.clone());
        let mut params = CertificateParams::default();
        let mut name = DistinguishedName::new();
        name.push(DnType::OrganizationName, group.to_string());
        name.push(DnType::CommonName, user);
        params.distinguished_name = name;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = time(self.now.as_second() - 300);
        params.not_after = time(self.now.as_second() + 30 * 86400);
        params.serial_number = Some(sha256(format!("{cluster} {user}").as_bytes())[..8].to_vec().into());
        let certificate = params.signed_by(&self.key, &self.issuer).expect("a certificate");
        let sealed = format!("sealed for {user}").repeat(120);
        let parsed = certctl::pki::Certificate::from_pem(certificate.pem().as_bytes()).expect("it parses");
        let credential = Credential {
            id,
            state: CredentialState::Active,
            serial: parsed.serial.clone(),
            x509_sha256: parsed.sha256.clone(),
            not_before: parsed.not_before,
            not_after: parsed.not_after,
            generation: 1,
            protected: false,
            key: KeySource::Made(KeyType::EcdsaP256),
            in_certificate_groups: Vec::new(),
            recipients: [Recipient::accepted_by_age(RECIPIENT.into())].into(),
            server: server.into(),
            certificate_authority_sha256: None,
            route: Route::default(),
            namespace: None,
            sealed_sha256: hex(&sha256(sealed.as_bytes())),
            roster_commit: "0".repeat(40),
            certificate: parsed.pem().into(),
        };
        let record = Record {
            api_version: API_VERSION.into(),
            kind: "Record".into(),
            cluster: cluster.parse().expect("a name"),
            user: group.holder.name(),
            credentials: vec![credential],
        };
        (record, sealed)
    }
}

fn time(seconds: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(seconds).expect("a time")
}
