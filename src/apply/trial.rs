//! One certificate that nothing is bound to, to see whether a cluster signs at all, and whether what it signs is
//! taken where people will use it. Its key never leaves this process.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::cluster::{Ask, Connection, NewCertificate, Probed, Signer, WritePermit, whoami};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::route::Route;
use crate::model::{CredentialGroup, KeyType, RosterName, SignerName, UserName, hex};
use crate::pki::{self, Certificate, PrivateKey, RequestSubject};
use crate::plan::endpoint::Endpoint;

/// Whose certificate it is: nobody's.
const NOBODY: &str = "certctl-doctor";

/// The shortest that Kubernetes signs.
const VALIDITY: SignedDuration = SignedDuration::from_mins(10);

pub struct Trial<'a> {
    pub connection: &'a Connection,
    pub roster: &'a RosterName,
    pub signer_name: &'a SignerName,
    pub endpoint: &'a Endpoint,
    pub route: &'a Route,
    /// How long to wait for the signer.
    pub timeout: Duration,
    pub interrupt: &'a Interrupt,
    pub now: fn() -> Timestamp,
}

impl Trial<'_> {
    /// Has it signed, and tries it.
    ///
    /// # Errors
    /// It is not signed, or does not work at the published address.
    pub async fn run(&self) -> Result<()> {
        let user: UserName = NOBODY.parse().map_err(|why| Error::new("no name").caused_by(why))?;
        let key = PrivateKey::generate(KeyType::EcdsaP256)?;
        let group = CredentialGroup::new(&user, key.credential_id());
        let subject = RequestSubject::new(&user, &group.id, &[].into());
        let request = pki::signing_request(&key, &subject)?;
        let mut run = [0; 16];
        getrandom::fill(&mut run).map_err(|cause| {
            Error::new("this system has no randomness; nothing was asked").caused_by(cause)
        })?;
        let (connection, permit) = (self.connection, WritePermit::new());
        let requester = whoami(connection).await?;
        let signer =
            Signer::start(connection, self.roster, self.signer_name, requester, hex(&run), &permit).await?;
        let ask = Ask {
            user: &user,
            request_pem: &request,
            rsa: false,
            expiration: VALIDITY,
            timeout: self.timeout,
            interrupt: self.interrupt,
        };
        let signed = signer.issue(ask).await;
        // What was signed has no use; a plan would list its request until the cluster forgets it.
        signer.forget().await;
        let certificate = Certificate::from_pem(&signed?)?;
        pki::verify_issued(&certificate, &key.public_key_der(), &subject, (self.now)(), None)?;
        let new = NewCertificate { user: &user, group: &group, certificate: certificate.pem(), key: &key };
        match connection.probe(self.endpoint, self.route, &new).await {
            Probed::Works => Ok(()),
            Probed::Unreachable(error) | Probed::Refused(error) => Err(error),
        }
    }
}
