//! One person's credential: key, request, approval, certificate, kubeconfig, seal.
//!
//! The private key is made here, lives in this function's memory until it is sealed, and is wiped
//! when it goes out of scope. What leaves is public or encrypted.

use jiff::Timestamp;

use super::Settings;
use super::cluster_outcome::{Issued, Made};
use super::{sealing, signer_limit};
use crate::cluster::{Ask, Connection, NewCertificate, Probed, Signer};
use crate::error::{Error, Result};
use crate::kubeconfig::Kubeconfig;
use crate::model::{
    CaBundle, ClusterName, CredentialGroup, CredentialId, KeySource, KeyType, UserName, hex, sha256,
};
use crate::pki::{self, Certificate, PrivateKey, RequestSubject};
use crate::plan::action::{Issuance, SHORTEST_VALIDITY};
use crate::plan::endpoint::Endpoint;
use crate::record::{Credential, CredentialState};
use crate::seal;

/// What all credentials of one cluster have in common.
pub struct Issuer<'a> {
    pub cluster: &'a ClusterName,
    pub endpoint: &'a Endpoint,
    pub connection: &'a Connection,
    pub roster_commit: &'a str,
    pub signer: &'a Signer,
    pub settings: &'a Settings,
}

impl Issuer<'_> {
    /// It fails with each end state of a CSR, and with a certificate that is not the one asked for. With
    /// `probe` it is tried at the published address before anything is made of it.
    pub async fn issue(&self, user: &UserName, issuance: &Issuance, probe: bool) -> Made {
        match self.issue_unnamed(user, issuance, probe).await {
            Ok(made) => made,
            Err(error) => Made::Failed(error.within(user.as_str())),
        }
    }

    async fn issue_unnamed(&self, user: &UserName, issuance: &Issuance, probe: bool) -> Result<Made> {
        // Before a certificate exists that could not be sealed.
        seal::check_plugins(&issuance.recipients)?;
        let (key, id, public_key, request, subject) = prepare(user.clone(), issuance).await?;
        let pem = self.sign(user, issuance, &request).await?;
        let certificate = Certificate::from_pem(&pem)?;
        let now = (self.settings.clock)();
        pki::verify_issued(&certificate, &public_key, &subject, now, issuance.not_after_limit)?;

        let given = now.duration_until(certificate.not_after);
        let mut warning = signer_limit::short_lived(given, issuance.validity, issuance.roster_validity);
        if let (true, Some(key)) = (probe, &key) {
            let group = CredentialGroup::new(user, id.clone());
            let new = NewCertificate { user, group: &group, certificate: certificate.pem(), key };
            match self.connection.probe(self.endpoint, &issuance.route, &new).await {
                Probed::Works => {}
                Probed::Unreachable(error) => warning = warning.or(Some(error)),
                Probed::Refused(error) => return Ok(Made::Useless(error)),
            }
        }
        let bundle = self.endpoint.authority.bundle();
        let kubeconfig = Kubeconfig {
            cluster: self.cluster,
            context: &issuance.context_name,
            namespace: issuance.namespace.as_ref(),
            user,
            server: &self.endpoint.server,
            route: &issuance.route,
            certificate_authority: bundle.map(|bundle| bundle.pem().as_bytes()),
            certificate: certificate.pem(),
            private_key: key.as_ref(),
        };
        let plaintext = kubeconfig.to_yaml();
        drop(key);
        let sealed = sealing::seal(issuance.recipients.clone(), plaintext, &self.settings.interrupt).await?;
        let credential = Credential {
            id,
            state: CredentialState::Active,
            serial: certificate.serial.clone(),
            x509_sha256: certificate.sha256.clone(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            generation: issuance.generation,
            protected: issuance.protected,
            key: match &issuance.key {
                KeySource::Made(key) => KeySource::Made(*key),
                KeySource::Brought(brought) => KeySource::Brought(brought.csr_sha256.clone()),
            },
            in_certificate_groups: issuance.in_certificate_groups.iter().cloned().collect(),
            recipients: issuance.recipients.clone(),
            server: self.endpoint.server.clone(),
            certificate_authority_sha256: bundle.map(CaBundle::sha256),
            route: issuance.route.clone(),
            namespace: issuance.namespace.clone(),
            sealed_sha256: hex(&sha256(&sealed)),
            roster_commit: self.roster_commit.to_owned(),
            certificate: certificate.pem().to_owned(),
        };
        Ok(Made::Issued(Box::new(Issued { credential, sealed }), warning))
    }

    async fn sign(&self, user: &UserName, issuance: &Issuance, request: &str) -> Result<Vec<u8>> {
        let ask = Ask {
            user,
            request_pem: request,
            rsa: issuance.key == KeySource::Made(KeyType::Rsa4096),
            expiration: self.expiration(issuance)?,
            timeout: self.settings.timeout,
            interrupt: &self.settings.interrupt,
        };
        Ok(self.signer.issue(ask).await?)
    }

    /// Counted from now, not from the plan: a long apply must not push notAfter past `until`.
    fn expiration(&self, issuance: &Issuance) -> Result<jiff::SignedDuration> {
        let now: Timestamp = (self.settings.clock)();
        let expiration = issuance
            .not_after_limit
            .map_or(issuance.validity, |limit| issuance.validity.min(now.duration_until(limit)));
        if expiration < SHORTEST_VALIDITY {
            return Err(Error::new(
                "access ends in less than 10 minutes, and no certificate can be that short; none was issued",
            )
            .hint("move `until` in the roster, or let the access end"));
        }
        Ok(expiration)
    }
}

type Prepared = (Option<PrivateKey>, CredentialId, Vec<u8>, String, RequestSubject);

/// Makes and checks the request. On a thread for blocking work: an RSA key takes a second or more.
async fn prepare(user: UserName, issuance: &Issuance) -> Result<Prepared> {
    let source = issuance.key.clone();
    let groups = issuance.in_certificate_groups.clone();
    let work = move || -> Result<Prepared> {
        match source {
            KeySource::Made(key_type) => {
                let key = PrivateKey::generate(key_type)?;
                let (id, public_key) = (key.credential_id(), key.public_key_der());
                let subject = RequestSubject::new(&user, &id, &groups);
                let request = pki::signing_request(&key, &subject)?;
                pki::verify_request(request.as_bytes(), &public_key, &subject)?;
                Ok((Some(key), id, public_key, request, subject))
            }
            KeySource::Brought(brought) => {
                let public_key = pki::parse_request(brought.request.as_bytes())?.public_key_der;
                let subject = RequestSubject::new(&user, &brought.id, &groups);
                pki::verify_request(brought.request.as_bytes(), &public_key, &subject)?;
                Ok((None, brought.id, public_key, brought.request, subject))
            }
        }
    };
    tokio::task::spawn_blocking(work).await.map_err(|panic| {
        Error::new("making the key or the request broke off; nothing was issued").caused_by(panic)
    })?
}
