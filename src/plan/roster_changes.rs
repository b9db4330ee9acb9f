//! What a branch changes in a roster that no action shows, or shows without saying from what to what:
//! it takes effect later, or when something else happens. A reviewer should know of it all the same.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::model::{ClusterName, GroupName, Namespace, RoleRef, UserName};
use crate::roster::details::LabelName;
use crate::roster::{
    CertificateOverrides, Cluster, Details, FindingCode, Grant, MaxRevocations, OnClusters, Roster, User,
};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RosterChange {
    /// A cluster is new.
    ClusterAdded(ClusterName),
    /// A cluster is gone.
    ClusterRemoved(ClusterName),
    /// A finding of the audit is ignored, or is not any more.
    Ignored { code: FindingCode, subject: String, object: Option<String>, clusters: OnClusters, begins: bool },
    /// A grant about namespaces that it does not name, by their names or labels: it is new, or gone.
    Fitting {
        of: Owner,
        role: RoleRef,
        /// Where.
        places: String,
        is_new: bool,
    },
    /// A setting has another value.
    Setting {
        of: Owner,
        setting: Setting,
        /// Its value at the base.
        from: SettingValue,
        /// Its value now.
        to: SettingValue,
    },
}

/// Whose setting it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The roster's own.
    Roster,
    /// A cluster's.
    Cluster(ClusterName),
    /// A group's.
    Group(GroupName),
    /// A user's.
    User(UserName),
}

/// Something that a roster says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// `safety.maxRevocations`.
    MaxRevocations,
    /// `apply.branch`.
    Branch,
    /// `context`.
    Context,
    /// `server`.
    Server,
    /// `certificateAuthority`.
    CertificateAuthority,
    /// `proxyURL`.
    ProxyUrl,
    /// `tlsServerName`.
    TlsServerName,
    /// What people's context is called.
    ContextName,
    /// `namespace`.
    Namespace,
    /// `signerName`.
    SignerName,
    /// `inCertificate`.
    InCertificate,
    /// `until`.
    Until,
    /// `defaults.validity`.
    DefaultValidity,
    /// `validity`.
    Validity,
    /// `defaults.key`.
    DefaultKey,
    /// `key` of a cluster or a group; a user's is an action.
    Key,
    /// `fullName`.
    FullName,
    /// `email`.
    Email,
    /// One of `labels`.
    Label(LabelName),
    /// `protected`.
    Protected,
    /// `suspended`.
    Suspended,
    /// `csr`.
    Csr,
    /// `generation`.
    Generation,
    /// `until` of a membership.
    MembershipUntil(GroupName),
    /// `until` of a grant.
    GrantUntil(RoleRef),
}

/// What it is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingValue {
    /// `true` or `false`.
    Flag(bool),
    /// A number.
    Number(u32),
    /// A share or a count of revocations.
    Limit(MaxRevocations),
    /// A duration.
    Duration(SignedDuration),
    /// When something ends; `None` is never.
    End(Option<Timestamp>),
    /// A name, an address or a path.
    Text(String),
    /// Not set, so that certctl's own kubeconfig says it.
    FromKubeconfig,
    /// Not set, so that there is none.
    Nothing,
    /// Not set, so that it is as recorded at the first apply.
    AsRecorded,
}

impl SettingValue {
    /// What someone's certificates have; nothing where that differs by cluster.
    fn validity_of(roster: &Roster, user: &User) -> Self {
        let mut all = user.clusters.iter().map(|cluster| roster.validity_of(user, cluster));
        let first = all.next().filter(|first| all.all(|other| other == *first));
        first.map_or(Self::Nothing, Self::Duration)
    }

    fn or_nothing(value: Option<&impl ToString>) -> Self {
        value.map_or(Self::Nothing, |value| Self::Text(value.to_string()))
    }
}

/// All of them.
pub fn between(before: &Roster, after: &Roster) -> Vec<RosterChange> {
    let mut changes = Collected(Vec::new());
    let limit = |roster: &Roster| SettingValue::Limit(roster.max_revocations);
    changes.note(&Owner::Roster, Setting::MaxRevocations, limit(before), limit(after));
    let branch = |roster: &Roster| {
        let branch = roster.branch.as_ref();
        branch.map_or(SettingValue::AsRecorded, |branch| SettingValue::Text(branch.to_string()))
    };
    changes.note(&Owner::Roster, Setting::Branch, branch(before), branch(after));
    let defaults = [&before.certificates, &after.certificates];
    let [from, to] = defaults.map(|of| SettingValue::Duration(of.validity));
    changes.note(&Owner::Roster, Setting::DefaultValidity, from, to);
    let [from, to] = defaults.map(|of| SettingValue::Text(of.key.to_string()));
    changes.note(&Owner::Roster, Setting::DefaultKey, from, to);
    let (old, new) = (ignored(before), ignored(after));
    let told = |entry: &IgnoredEntry<'_>, begins| {
        let (code, subject, object, clusters, _) = *entry;
        let (subject, object) = (subject.to_owned(), object.map(ToOwned::to_owned));
        RosterChange::Ignored { code, subject, object, clusters: clusters.clone(), begins }
    };
    changes.0.extend(old.difference(&new).map(|entry| told(entry, false)));
    changes.0.extend(new.difference(&old).map(|entry| told(entry, true)));
    for (name, cluster) in &after.clusters {
        match before.clusters.get(name) {
            Some(old) => changes.cluster(&Owner::Cluster(name.clone()), old, cluster),
            None => changes.0.push(RosterChange::ClusterAdded(name.clone())),
        }
    }
    let gone = before.clusters.keys().filter(|name| !after.clusters.contains_key(name));
    changes.0.extend(gone.cloned().map(RosterChange::ClusterRemoved));
    for (name, group) in &after.groups {
        let Some(old) = before.groups.get(name) else { continue };
        let of = Owner::Group(name.clone());
        let (from, to) = (SettingValue::Flag(old.in_certificate), SettingValue::Flag(group.in_certificate));
        changes.note(&of, Setting::InCertificate, from, to);
        changes.namespace(&of, old.namespace.as_ref(), group.namespace.as_ref());
        changes.certificates(&of, &old.certificates, &group.certificates);
        changes.grants(&of, &old.grants, &group.grants);
    }
    for (name, group) in &after.groups {
        let old = before.groups.get(name).map(|group| group.grants.as_slice());
        changes.fitting(&Owner::Group(name.clone()), old.unwrap_or_default(), &group.grants);
    }
    for (name, user) in &after.users {
        let old = before.users.get(name).map(|user| user.grants.as_slice());
        changes.fitting(&Owner::User(name.clone()), old.unwrap_or_default(), &user.grants);
    }
    for (name, user) in &after.users {
        if let Some(old) = before.users.get(name) {
            changes.user(&Owner::User(name.clone()), old, user);
            if old.certificates.validity != user.certificates.validity {
                let (from, to) =
                    (SettingValue::validity_of(before, old), SettingValue::validity_of(after, user));
                changes.note(&Owner::User(name.clone()), Setting::Validity, from, to);
            }
        }
    }
    changes.0
}

/// An entry of `audit.ignore`: code, subject, object, clusters and end. Why it is ignored changes nothing.
type IgnoredEntry<'r> = (FindingCode, &'r str, Option<&'r str>, &'r OnClusters, Timestamp);

fn ignored(roster: &Roster) -> BTreeSet<IgnoredEntry<'_>> {
    let entries = roster.ignored.iter();
    entries.map(|it| (it.code, it.subject.as_str(), it.object.as_deref(), &it.clusters, it.until)).collect()
}

struct Collected(Vec<RosterChange>);

impl Collected {
    fn note(&mut self, of: &Owner, setting: Setting, from: SettingValue, to: SettingValue) {
        if from != to {
            self.0.push(RosterChange::Setting { of: of.clone(), setting, from, to });
        }
    }

    fn cluster(&mut self, of: &Owner, old: &Cluster, new: &Cluster) {
        let text = |value: &str| SettingValue::Text(value.to_owned());
        let server = |cluster: &Cluster| {
            cluster.server.clone().map_or(SettingValue::FromKubeconfig, SettingValue::Text)
        };
        let authority = |cluster: &Cluster| {
            let path = cluster.certificate_authority.as_ref();
            path.map_or(SettingValue::FromKubeconfig, |path| text(path.as_str()))
        };
        self.note(of, Setting::Context, text(&old.context), text(&new.context));
        self.note(of, Setting::Server, server(old), server(new));
        self.note(of, Setting::CertificateAuthority, authority(old), authority(new));
        let proxy = |cluster: &Cluster| SettingValue::or_nothing(cluster.route.proxy.as_ref());
        self.note(of, Setting::ProxyUrl, proxy(old), proxy(new));
        let name = |cluster: &Cluster| SettingValue::or_nothing(cluster.route.tls_server_name.as_ref());
        self.note(of, Setting::TlsServerName, name(old), name(new));
        self.note(of, Setting::ContextName, text(&old.context_name), text(&new.context_name));
        self.namespace(of, old.namespace.as_ref(), new.namespace.as_ref());
        self.certificates(of, &old.certificates, &new.certificates);
        self.note(of, Setting::SignerName, text(old.signer_name.as_str()), text(new.signer_name.as_str()));
    }

    fn certificates(&mut self, of: &Owner, old: &CertificateOverrides, new: &CertificateOverrides) {
        let validity =
            |of: &CertificateOverrides| of.validity.map_or(SettingValue::Nothing, SettingValue::Duration);
        self.note(of, Setting::Validity, validity(old), validity(new));
        let key = |of: &CertificateOverrides| SettingValue::or_nothing(of.key.as_ref());
        self.note(of, Setting::Key, key(old), key(new));
    }

    fn details(&mut self, of: &Owner, old: &Details, new: &Details) {
        let full_name = |of: &Details| SettingValue::or_nothing(of.full_name.as_ref());
        self.note(of, Setting::FullName, full_name(old), full_name(new));
        let email = |of: &Details| SettingValue::or_nothing(of.email.as_ref());
        self.note(of, Setting::Email, email(old), email(new));
        let names: BTreeSet<&LabelName> = old.labels.keys().chain(new.labels.keys()).collect();
        for name in names {
            let value = |of: &Details| SettingValue::or_nothing(of.labels.get(name));
            self.note(of, Setting::Label(name.clone()), value(old), value(new));
        }
    }

    fn namespace(&mut self, of: &Owner, old: Option<&Namespace>, new: Option<&Namespace>) {
        self.note(of, Setting::Namespace, SettingValue::or_nothing(old), SettingValue::or_nothing(new));
    }

    fn user(&mut self, of: &Owner, old: &User, new: &User) {
        let csr = |user: &User| SettingValue::or_nothing(user.csr.as_ref());
        self.namespace(of, old.namespace.as_ref(), new.namespace.as_ref());
        self.note(of, Setting::Until, SettingValue::End(old.until), SettingValue::End(new.until));
        self.details(of, &old.details, &new.details);
        self.note(
            of,
            Setting::Protected,
            SettingValue::Flag(old.protected),
            SettingValue::Flag(new.protected),
        );
        self.note(
            of,
            Setting::Suspended,
            SettingValue::Flag(old.suspended),
            SettingValue::Flag(new.suspended),
        );
        self.note(of, Setting::Csr, csr(old), csr(new));
        // A higher one is an action.
        if new.generation < old.generation {
            self.note(
                of,
                Setting::Generation,
                SettingValue::Number(old.generation),
                SettingValue::Number(new.generation),
            );
        }
        for (group, membership) in &new.groups {
            if let Some(old) = old.groups.get(group) {
                let setting = Setting::MembershipUntil(group.clone());
                self.note(of, setting, SettingValue::End(old.until), SettingValue::End(membership.until));
            }
        }
        self.grants(of, &old.grants, &new.grants);
    }

    /// Grants about namespaces that fit: no action shows them where none fits now.
    fn fitting(&mut self, of: &Owner, old: &[Grant], new: &[Grant]) {
        let places = |grant: &Grant| {
            grant.matching.as_ref()?;
            Some((grant.role.clone(), grant.places()?))
        };
        let (old, new): (BTreeSet<_>, BTreeSet<_>) =
            (old.iter().filter_map(places).collect(), new.iter().filter_map(places).collect());
        let changed = |is_new| {
            move |(role, places): &(RoleRef, String)| RosterChange::Fitting {
                of: of.clone(),
                role: role.clone(),
                places: places.clone(),
                is_new,
            }
        };
        self.0.extend(old.difference(&new).map(changed(false)));
        self.0.extend(new.difference(&old).map(changed(true)));
    }

    /// Grants of the same role in the same namespaces of the same clusters. Others are bound anew.
    fn grants(&mut self, of: &Owner, old: &[Grant], new: &[Grant]) {
        let old: BTreeMap<_, _> = old.iter().map(|grant| (key(grant), grant.until)).collect();
        for grant in new {
            if let Some(old) = old.get(&key(grant)) {
                let setting = Setting::GrantUntil(grant.role.clone());
                self.note(of, setting, SettingValue::End(*old), SettingValue::End(grant.until));
            }
        }
    }
}

fn key(grant: &Grant) -> (&RoleRef, &OnClusters, Option<String>) {
    (&grant.role, &grant.clusters, grant.places())
}
