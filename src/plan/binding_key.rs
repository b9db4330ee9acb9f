//! What makes a binding one binding, and whom it names.

use std::collections::BTreeSet;
use std::fmt;

use super::observed::BindingAt;
use crate::model::{CredentialGroup, GroupName, Holder, Namespace, RoleRef, UserName};

/// Past this many subjects a binding is split: 500 subjects are about 50 kB, small enough to read,
/// diff and write at once, and far below etcd's limit of 1.5 MB an object.
pub const MOST_SUBJECTS: usize = 500;

/// Who a grant was given to in the roster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    /// Members of a group.
    Group(GroupName),
    /// One person.
    User(UserName),
}

impl Grantee {
    /// Of whom a binding of ours is, by its name; see [`BindingKey`].
    pub fn of_binding(name: &str) -> Option<Self> {
        let (grantee, _role) = name.strip_prefix("certctl:")?.split_once(':')?;
        match grantee.strip_prefix("user=") {
            Some(user) => user.parse().ok().map(Self::User),
            None => grantee.parse().ok().map(Self::Group),
        }
    }
}

/// What makes a binding one binding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindingKey {
    /// In which namespace; `None` is cluster-wide.
    pub namespace: Option<Namespace>,
    /// Who it was given to.
    pub grantee: Grantee,
    /// Which role.
    pub role: RoleRef,
}

impl BindingKey {
    /// The binding's name, before a suffix for its part. Whatever makes `roleRef` differ is in it,
    /// because `roleRef` is immutable. Unambiguous: no group is called `user=...`, since `=` is in
    /// no name, and no role `role=...`, since that is refused in the roster.
    fn base_name(&self) -> String {
        let grantee = match &self.grantee {
            Grantee::Group(group) => group.to_string(),
            Grantee::User(user) => format!("user={user}"),
        };
        match &self.role {
            RoleRef::ClusterRole(role) => format!("certctl:{grantee}:{role}"),
            RoleRef::Role(role) => format!("certctl:{grantee}:role={role}"),
        }
    }

    /// Where its binding is, as long as it is not split.
    pub fn whole(&self) -> BindingAt {
        BindingAt { namespace: self.namespace.as_ref().map(ToString::to_string), name: self.base_name() }
    }
}

/// One subject: a certificate that exists, or the one that this plan issues to someone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindingSubject {
    /// A recorded credential.
    Recorded(CredentialGroup),
    /// The credential that this plan issues to this person.
    Issued(UserName),
}

impl BindingSubject {
    /// Whose it is.
    pub fn holder(&self) -> Holder {
        match self {
            Self::Recorded(group) => group.holder.clone(),
            Self::Issued(user) => Holder::of(user),
        }
    }
}

impl BindingSubject {
    /// As the subject that is written: kind and name.
    pub fn text(&self) -> String {
        format!("Group {self}")
    }
}

impl fmt::Display for BindingSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorded(group) => group.fmt(f),
            Self::Issued(user) => write!(f, "certctl:{}:(to be issued)", Holder::of(user)),
        }
    }
}

/// The bindings of one key: one, or as many as keep each within [`MOST_SUBJECTS`].
pub(super) fn parts(
    key: &BindingKey,
    subjects: &BTreeSet<BindingSubject>,
) -> Vec<(BindingAt, BTreeSet<BindingSubject>)> {
    let at = |name| BindingAt { namespace: key.namespace.as_ref().map(|n| n.to_string()), name };
    let base = key.base_name();
    if subjects.len() <= MOST_SUBJECTS {
        return vec![(at(base), subjects.clone())];
    }
    // By a hash of the person, not of the credential, so that a renewal stays in its binding. The
    // count is a power of two and the part a prefix of the hash: growth splits a part in two.
    let mut count = (subjects.len() / MOST_SUBJECTS).next_power_of_two().max(2);
    loop {
        let mut parts = vec![BTreeSet::new(); count];
        for subject in subjects {
            let hash = crate::model::sha256(subject.holder().as_str().as_bytes());
            let hash = usize::from(u16::from_be_bytes([hash[0], hash[1]]));
            parts[(hash * count) >> 16].insert(subject.clone());
        }
        if count == 1 << 16 || parts.iter().all(|part| part.len() <= MOST_SUBJECTS) {
            let named = parts.into_iter().enumerate().filter(|(_, part)| !part.is_empty());
            return named.map(|(i, part)| (at(format!("{base}~{}of{count}", i + 1)), part)).collect();
        }
        count *= 2;
    }
}
