//! A team as one would describe it, the roster that says so, and who may do what by it: told without
//! the plan, so that the plan can be held against it.

use std::collections::{BTreeMap, BTreeSet};

use certctl::model::{CredentialId, KeySource, Recipient, hex, sha256};
use certctl::plan::BroughtKey;
use certctl::plan::observed::BindingAt;
use certctl::record::{Credential, CredentialState};
use jiff::Timestamp;

/// One of them has a name that is cut in credential groups.
pub const PEOPLE: [&str; 4] =
    ["alice", "bob", "carol", "dana.von-und-zu@department.of.something.Example.org"];
pub const GROUPS: [&str; 2] = ["developers", "on-call"];

/// A grant as the roster writes it, and the bindings it comes to: namespace, role, end of the name.
type Written = (&'static str, &'static [(Option<&'static str>, (&'static str, &'static str), &'static str)]);

pub const GRANTS: [Written; 4] = [
    ("clusterRole: view", &[(None, ("ClusterRole", "view"), "view")]),
    ("clusterRole: edit, namespaces: [shop]", &[(Some("shop"), ("ClusterRole", "edit"), "edit")]),
    ("role: deployer, namespaces: [shop]", &[(Some("shop"), ("Role", "deployer"), "role=deployer")]),
    (
        "clusterRole: view, namespaces: [shop, staging]",
        &[
            (Some("shop"), ("ClusterRole", "view"), "view"),
            (Some("staging"), ("ClusterRole", "view"), "view"),
        ],
    ),
];

/// Until when something lasts; `None` is for ever.
pub type Until = Option<Timestamp>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Made(&'static str),
    /// Which of their keys, and which request made with it.
    Own(usize, usize),
}

#[derive(Debug, Clone)]
pub struct Person {
    pub recipients: BTreeSet<u8>,
    pub generation: u32,
    pub groups: BTreeMap<&'static str, Until>,
    /// By number in [`GRANTS`].
    pub grants: BTreeMap<usize, Until>,
    pub key: Key,
    pub until: Until,
    pub elsewhere: bool,
    pub protected: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Group {
    pub grants: BTreeMap<usize, Until>,
    pub in_certificate: bool,
}

#[derive(Debug, Clone)]
pub struct Team {
    pub people: BTreeMap<&'static str, Person>,
    pub groups: BTreeMap<&'static str, Group>,
}

fn lasts(until: Until, now: Timestamp) -> bool {
    until.is_none_or(|until| now < until)
}

impl Team {
    pub fn new() -> Self {
        let granted = |grants: &[usize]| Group {
            grants: grants.iter().map(|grant| (*grant, None)).collect(),
            in_certificate: false,
        };
        let groups = [("developers", granted(&[0, 1])), ("on-call", granted(&[2]))];
        Self { people: BTreeMap::new(), groups: groups.into() }
    }

    pub fn joins(&mut self, who: &'static str) {
        let person = Person {
            recipients: [0].into(),
            generation: 1,
            groups: [("developers", None)].into(),
            grants: BTreeMap::new(),
            key: Key::Made("ecdsa-p256"),
            until: None,
            elsewhere: false,
            protected: false,
        };
        self.people.entry(who).or_insert(person);
    }

    pub fn yaml(&self) -> String {
        let until = |until: &Until| until.map_or(String::new(), |until| format!(", until: \"{until}\""));
        let grants = |grants: &BTreeMap<usize, Until>| {
            let written = grants.iter().map(|(grant, end)| format!("{{{}{}}}", GRANTS[*grant].0, until(end)));
            format!("grants: [{}]", written.collect::<Vec<_>>().join(", "))
        };
        let mut yaml = "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {name: acme}\n\
                        clusters: [{name: prod}, {name: dev}]\ngroups:\n"
            .to_owned();
        for (name, group) in &self.groups {
            let inside = group.in_certificate;
            yaml += &format!("- {{name: {name}, inCertificate: {inside}, {}}}\n", grants(&group.grants));
        }
        yaml += if self.people.is_empty() { "users: []\n" } else { "users:\n" };
        for (name, person) in &self.people {
            let recipients = person.recipients.iter().map(|key| format!("age1{name}{key}"));
            let groups = person.groups.iter().map(|(group, end)| format!("{{name: {group}{}}}", until(end)));
            let key = match person.key {
                Key::Made(key) => format!("key: {key}"),
                Key::Own(..) => format!("csr: {name}.csr"),
            };
            let clusters = if person.elsewhere { ", clusters: [dev]" } else { "" };
            yaml += &format!(
                "- {{name: {name}, recipients: [{}], groups: [{}], {}, generation: {}, protected: {}, \
                 {key}{clusters}{}}}\n",
                recipients.collect::<Vec<_>>().join(", "),
                groups.collect::<Vec<_>>().join(", "),
                grants(&person.grants),
                person.generation,
                person.protected,
                until(&person.until)
            );
        }
        yaml
    }

    /// The key that someone brought, where they did.
    pub fn brought(&self, who: &str) -> Option<BroughtKey> {
        let person = self.people.get(who).filter(|person| !person.elsewhere)?;
        let Key::Own(key, request) = person.key else { return None };
        let request = format!("{who}'s request {key}.{request}");
        Some(BroughtKey {
            id: CredentialId::of_public_key(format!("{who}'s key {key}").as_bytes()),
            csr_sha256: hex(&sha256(request.as_bytes())),
            request,
        })
    }

    /// Whether someone has access to the cluster at all.
    pub fn has(&self, who: &str, now: Timestamp) -> bool {
        self.people.get(who).is_some_and(|person| !person.elsewhere && lasts(person.until, now))
    }

    /// Every binding that gives someone rights now, with its role.
    pub fn bindings(&self, who: &str, now: Timestamp) -> BTreeMap<BindingAt, (&'static str, &'static str)> {
        let mut bindings = BTreeMap::new();
        if !self.has(who, now) {
            return bindings;
        }
        let person = &self.people[who];
        let groups = person.groups.iter().filter(|(_, until)| lasts(**until, now));
        let shared = groups.map(|(name, _)| ((*name).to_owned(), &self.groups[name].grants));
        for (grantee, grants) in shared.chain([(format!("user={who}"), &person.grants)]) {
            for (grant, _) in grants.iter().filter(|(_, until)| lasts(**until, now)) {
                for (namespace, role, end) in GRANTS[*grant].1 {
                    let name = format!("certctl:{grantee}:{end}");
                    bindings.insert(BindingAt { namespace: namespace.map(str::to_owned), name }, *role);
                }
            }
        }
        bindings
    }

    fn in_certificate(&self, who: &str, now: Timestamp) -> BTreeMap<&'static str, Until> {
        let groups = self.people[who]
            .groups
            .iter()
            .filter(|(name, until)| self.groups[*name].in_certificate && lasts(**until, now));
        groups.map(|(name, until)| (*name, *until)).collect()
    }

    /// When someone's certificate has to end.
    pub fn limit(&self, who: &str, now: Timestamp) -> Until {
        let memberships = self.in_certificate(who, now);
        memberships.into_values().flatten().chain(self.people[who].until).min()
    }

    /// Whether anything of someone's ends, by the roster, after `from` and until `to`.
    pub fn ends(&self, who: &str, from: Timestamp, to: Timestamp) -> bool {
        let Some(person) = self.people.get(who) else { return false };
        let groups = person.groups.iter();
        let shared = groups.flat_map(|(name, until)| self.groups[name].grants.values().chain([until]));
        let mut all = shared.chain(person.grants.values()).chain([&person.until]).flatten();
        all.any(|until| from < *until && *until <= to)
    }

    /// Whether somebody whose key is refused may keep a credential: another key alone takes nothing away.
    pub fn lets_keep(&self, who: &str, credential: &Credential, now: Timestamp) -> bool {
        let Some(person) = self.people.get(who).filter(|_| self.has(who, now)) else { return false };
        let wanted = self.in_certificate(who, now);
        credential.state != CredentialState::Revoked
            && credential.not_after > now
            && credential.generation >= person.generation
            && credential.in_certificate_groups.iter().all(|group| wanted.contains_key(group.as_str()))
    }

    /// Whether a recorded credential may be bound at all, by what the roster says now.
    pub fn accepts(&self, who: &str, credential: &Credential, now: Timestamp) -> bool {
        if !self.has(who, now) || credential.state == CredentialState::Revoked || credential.not_after <= now
        {
            return false;
        }
        let person = &self.people[who];
        let key = match (person.key, &credential.key) {
            (Key::Made(wanted), KeySource::Made(made)) => {
                let known = |recipient: &Recipient| {
                    person.recipients.iter().any(|key| recipient.as_str() == format!("age1{who}{key}"))
                };
                wanted == made.to_string() && credential.recipients.iter().all(known)
            }
            (Key::Own(..), KeySource::Brought(_)) => {
                self.brought(who).is_some_and(|brought| brought.id == credential.id)
            }
            _ => false,
        };
        let inside = credential.in_certificate_groups.iter().map(|group| group.as_str());
        key && credential.generation >= person.generation
            && inside.eq(self.in_certificate(who, now).into_keys())
    }
}
