//! Who the subject of a binding is to a roster: somebody who may be on it, or one of those that never are.

use std::collections::BTreeSet;
use std::fmt;

use crate::model::CredentialGroup;
use crate::rbac::Subject;

/// A user or a group, as the API server knows them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    User(String),
    Group(String),
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "User {name}"),
            Self::Group(name) => write!(f, "Group {name}"),
        }
    }
}

/// What is never on a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoPerson {
    ServiceAccount,
    Node,
    /// What Kubernetes, or the tool that set the cluster up, keeps for itself.
    System,
    /// A credential of certctl.
    Credential,
}

/// Who it is.
///
/// # Errors
/// Nobody who could be on a roster.
pub fn principal(subject: &Subject) -> Result<Principal, NoPerson> {
    let name = subject.name.as_str();
    match subject.kind.as_str() {
        "ServiceAccount" => Err(NoPerson::ServiceAccount),
        "User" => person(name).map(|()| Principal::User(name.to_owned())),
        "Group" if name.starts_with(CredentialGroup::PREFIX) => Err(NoPerson::Credential),
        "Group" => person(name).map(|()| Principal::Group(name.to_owned())),
        // Kubernetes refuses every other kind.
        _ => Err(NoPerson::System),
    }
}

/// Whether a user or a group of this name may be people.
///
/// # Errors
/// What they are instead.
pub(super) fn person(name: &str) -> Result<(), NoPerson> {
    let is = |begins: &[&str]| begins.iter().any(|begin| name.starts_with(begin));
    if is(&["system:serviceaccount:", "system:serviceaccounts"]) {
        Err(NoPerson::ServiceAccount)
    } else if is(&["system:node:", "system:nodes", "system:bootstrappers"]) {
        Err(NoPerson::Node)
    } else if is(&["system:", "kubeadm:cluster-admins"]) {
        Err(NoPerson::System)
    } else {
        Ok(())
    }
}

/// Those who were left out, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut(BTreeSet<(NoPerson, Subject)>);

impl LeftOut {
    pub(super) fn note(&mut self, kind: NoPerson, subject: Subject) {
        self.0.insert((kind, subject));
    }

    /// How many of a kind there are.
    pub fn count(&self, kind: NoPerson) -> usize {
        self.0.iter().filter(|(of, _)| *of == kind).count()
    }
}
