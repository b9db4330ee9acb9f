//! Certificates for tests, with any subject and no meaningful signature (nothing here checks it).

use std::collections::BTreeSet;

use super::der::{self, value};
use super::{PrivateKey, RequestSubject, pem};

/// What is written into a certificate.
#[derive(Clone)]
pub(crate) struct Issue {
    pub(crate) public_key: Vec<u8>,
    /// The last number of the attribute type 2.5.4.N, and the bytes of a UTF8String.
    pub(crate) attributes: Vec<(u8, Vec<u8>)>,
    pub(crate) client_auth: bool,
    pub(crate) ca: bool,
}

/// Alice's subject for this key.
pub(crate) fn subject_of(key: &PrivateKey, groups: &[&str]) -> RequestSubject {
    let groups: BTreeSet<_> = groups.iter().map(|name| name.parse().expect("a group")).collect();
    RequestSubject::new(&"alice".parse().expect("a user"), &key.credential_id(), &groups)
}

impl Issue {
    /// As a cluster would issue it.
    pub(crate) fn to(key: &PrivateKey, subject: &RequestSubject) -> Self {
        let organizations = subject.organizations.iter().map(|name| (10, name.as_bytes().to_vec()));
        let user = (3, subject.user.as_str().as_bytes().to_vec());
        Self {
            public_key: key.public_key_der(),
            attributes: organizations.chain([user]).collect(),
            client_auth: true,
            ca: false,
        }
    }

    pub(crate) fn pem(&self) -> String {
        String::from_utf8(pem::encode("CERTIFICATE", &self.der()).to_vec()).expect("ASCII")
    }

    /// Valid through November 2026.
    pub(crate) fn der(&self) -> Vec<u8> {
        let sequence = |parts: &[&[u8]]| value(der::SEQUENCE, parts);
        let attribute = |(kind, text): &(u8, Vec<u8>)| {
            sequence(&[&value(der::OID, &[&[0x55, 4, *kind]]), &value(der::UTF8_STRING, &[text])])
        };
        let name = |attributes: &[(u8, Vec<u8>)]| {
            // One set for all O's, as Go writes them.
            let (organizations, others): (Vec<_>, Vec<_>) =
                attributes.iter().partition(|(kind, _)| *kind == 10);
            let organizations: Vec<u8> = organizations.into_iter().flat_map(attribute).collect();
            let mut sets: Vec<u8> =
                others.into_iter().flat_map(|one| value(der::SET, &[&attribute(one)])).collect();
            if !organizations.is_empty() {
                sets.extend(value(der::SET, &[&organizations]));
            }
            sequence(&[&sets])
        };
        let extension = |id: u8, content: &[u8]| {
            sequence(&[&value(der::OID, &[&[0x55, 0x1d, id]]), &value(0x04, &[content])])
        };
        let mut extensions = Vec::new();
        if self.client_auth {
            let client_auth = value(der::OID, &[b"\x2b\x06\x01\x05\x05\x07\x03\x02"]);
            extensions.extend(extension(37, &sequence(&[&client_auth])));
        }
        let ca: &[u8] = if self.ca { &[1, 1, 0xff] } else { &[] };
        extensions.extend(extension(19, &sequence(&[ca])));
        let algorithm = sequence(&[&value(der::OID, &[b"\x2a\x86\x48\xce\x3d\x04\x03\x02"])]);
        let information = sequence(&[
            &value(0xa0, &[&value(der::INTEGER, &[&[2]])]),
            &value(der::INTEGER, &[b"\x7f\x00\xab"]),
            &algorithm,
            &name(&[(3, b"kubernetes-ca".to_vec())]),
            &sequence(&[&value(0x17, &[b"261101000000Z"]), &value(0x17, &[b"261201000000Z"])]),
            &name(&self.attributes),
            &self.public_key,
            &value(0xa3, &[&sequence(&[&extensions])]),
        ]);
        sequence(&[&information, &algorithm, &value(der::BIT_STRING, &[&[0, 1, 2]])])
    }
}
