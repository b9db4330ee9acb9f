//! `users:`, each read against the clusters, groups and defaults of the roster.

use std::collections::{BTreeMap, BTreeSet};

use super::document::shapes;
use super::errors::Errors;
use super::fence::FileScope;
use super::fields::{certificates, flag, list_or_empty, namespace, until};
use super::names::{SeenNames, is_known, name_position};
use super::reader::{self, Fields};
use super::yaml::Value;
use super::{Brings, Group, Membership, OnClusters, User, details, grants, on_clusters};
use crate::model::{ClusterName, GroupName, Invalid, Position, Recipient, UserName};

/// The highest generation: nobody reissues a million times by hand, but a typo does.
const GENERATION_LIMIT: u32 = 1_000_000;
/// The longest recipient that is parsed: twice an RSA key of 16384 bits with its comment.
const RECIPIENT_LIMIT: usize = 8192;

/// Text as age reads recipients, to a [`Recipient`].
pub(super) type ParseRecipient<'p> = dyn Fn(&str) -> Result<Recipient, Invalid> + 'p;

/// What the users of one roster are read against.
pub(super) struct UserContext<'n, 'p> {
    pub(super) group_names: Option<BTreeSet<&'n str>>,
    pub(super) groups: &'n BTreeMap<GroupName, Group>,
    pub(super) group_places: SeenNames<'n>,
    pub(super) all_clusters: BTreeSet<ClusterName>,
    pub(super) parse_recipient: &'p ParseRecipient<'p>,
}

impl UserContext<'_, '_> {
    /// One user; what is wrong with them is reported.
    pub(super) fn user(&self, fields: &Fields<'_, '_>, scope: &FileScope<'_>, errors: &mut Errors) -> User {
        let recipients = self.recipients(fields, errors);
        let certificates = certificates(fields, errors);
        let csr = fields.get("csr").and_then(|node| reader::word(node, &fields.label("csr"), errors));
        if fields.get("csr").is_some() && fields.get("key").is_some() {
            errors.add_with_hint(
                fields.position_of("key"),
                format!("{} has both `key` and `csr`, but the key of a CSR is its owner's", fields.what),
                "delete `key`, or `csr` if certctl is to make the key",
            );
        }
        if let (Some(validity), Some(fenced)) = (certificates.validity, scope.fenced) {
            fenced.check_validity(validity, fields.position_of("validity"), &fields.what, errors);
        }
        User {
            recipients,
            groups: self.memberships(fields, scope, errors),
            grants: grants::read(fields, scope, errors),
            clusters: match on_clusters::read(fields, scope, errors) {
                OnClusters::All => self.all_clusters.clone(),
                OnClusters::Only(clusters) => clusters,
            },
            namespace: namespace(fields, errors),
            until: until(fields, errors),
            generation: generation(fields, errors),
            generation_position: fields.get("generation").map(|node| node.position),
            certificates,
            details: details::read(fields, errors),
            csr,
            suspended: flag(fields, "suspended", errors),
            suspended_position: fields.get("suspended").map(|node| node.position),
            protected: flag(fields, "protected", errors),
            position: name_position(fields),
        }
    }

    fn recipients(&self, fields: &Fields<'_, '_>, errors: &mut Errors) -> BTreeMap<Recipient, Position> {
        let mut recipients: BTreeMap<Recipient, Position> = BTreeMap::new();
        let list = list_or_empty(fields, "recipients", errors);
        if list.is_some_and(<[_]>::is_empty) {
            errors.add_with_hint(
                name_position(fields),
                format!("{} has no recipient, so nothing could be sealed to them", fields.what),
                "ask them for an SSH public key, or to run `certctl keygen`, and add the line it prints under `recipients:`",
            );
        }
        let label = format!("recipient of {}", fields.what);
        let parse = |text: &str| {
            if text.len() > RECIPIENT_LIMIT {
                return Err(Invalid(format!("is longer than {RECIPIENT_LIMIT} characters")));
            }
            (self.parse_recipient)(text)
        };
        for node in list.unwrap_or_default() {
            let Some(recipient) = reader::parsed(node, &label, parse, errors) else {
                continue;
            };
            if let Some(first) = recipients.get(&recipient) {
                let fact = format!("{label}: listed twice, first at {}", errors.place(*first));
                errors.add(node.position, fact);
            } else {
                recipients.insert(recipient, node.position);
            }
        }
        recipients
    }

    fn memberships(
        &self,
        fields: &Fields<'_, '_>,
        scope: &FileScope<'_>,
        errors: &mut Errors,
    ) -> BTreeMap<GroupName, Membership> {
        let mut memberships = BTreeMap::new();
        let mut seen = SeenNames::default();
        for node in list_or_empty(fields, "groups", errors).unwrap_or_default() {
            let what = format!("a membership of {}", fields.what);
            let position = node.position;
            let brings = Brings::Everything;
            let (name_node, membership) = match &node.value {
                Value::Mapping(_) => {
                    let Some(membership) = reader::fields(node, what, &shapes::MEMBERSHIP, errors) else {
                        continue;
                    };
                    let clusters = on_clusters::read(&membership, scope, errors);
                    (
                        membership.need("name", errors),
                        Membership { until: until(&membership, errors), clusters, brings, position },
                    )
                }
                Value::List(_) => {
                    reader::wrong_type(node, &what, "a group's name or `{name, until}`", errors);
                    continue;
                }
                _ => {
                    let all = scope.fenced.map_or(OnClusters::All, |fenced| fenced.fence.clusters.clone());
                    (Some(node), Membership { until: None, clusters: all, brings, position })
                }
            };
            let Some(name_node) = name_node else { continue };
            let label = format!("group of {}", fields.what);
            let Some(name) = reader::text(name_node, &label, errors) else {
                continue;
            };
            if seen.is_new(name, name_node.position, &label, errors)
                && let Some(name) = self.group(name, name_node.position, &label, scope, errors)
            {
                memberships.insert(name, membership);
            }
        }
        memberships
    }

    /// A group that exists, and that this file may add members to.
    fn group(
        &self,
        name: &str,
        at: Position,
        label: &str,
        scope: &FileScope<'_>,
        errors: &mut Errors,
    ) -> Option<GroupName> {
        if !is_known(name, at, label, "group", self.group_names.as_ref(), errors) {
            return None;
        }
        let name: GroupName = name.parse().ok()?;
        if let (Some(part), Some(group)) = (scope.part, self.groups.get(&name))
            && group.position.file != at.file
            // Whose it is has to be settled first.
            && !self.group_places.is_contested(name.as_str())
            && !group.joinable.iter().any(|path| path.is(part))
        {
            let owner = errors.place(group.position);
            errors.add_with_hint(
                at,
                format!("{label}: `{name}` is another file's group ({owner}), and not joinable from {part}"),
                format!("whoever owns that group may add `joinable: [{part}]` to it"),
            );
        }
        Some(name)
    }

    /// `memberships` of a part: users of any file who come into a group.
    pub(super) fn further_memberships(
        &self,
        part: &Fields<'_, '_>,
        scope: &FileScope<'_>,
        users: &mut BTreeMap<UserName, User>,
        errors: &mut Errors,
    ) {
        let user_names: BTreeSet<String> = users.keys().map(ToString::to_string).collect();
        let user_names: BTreeSet<&str> = user_names.iter().map(String::as_str).collect();
        for (index, node) in list_or_empty(part, "memberships", errors).unwrap_or_default().iter().enumerate()
        {
            let what = format!("membership {}", index + 1);
            let Some(fields) = reader::fields(node, what, &shapes::PART_MEMBERSHIP, errors) else { continue };
            let clusters = on_clusters::read(&fields, scope, errors);
            let until = until(&fields, errors);
            let (user_label, group_label) = (fields.label("user"), fields.label("group"));
            let user = fields.need("user", errors);
            let group = fields.need("group", errors);
            let (Some(user), Some(group)) = (user, group) else { continue };
            let name = reader::text(user, &user_label, errors).filter(|name| {
                is_known(
                    name,
                    user.position,
                    &user_label,
                    "user",
                    self.group_names.is_some().then_some(&user_names),
                    errors,
                )
            });
            let group_name = reader::text(group, &group_label, errors);
            let group_name =
                group_name.and_then(|name| self.group(name, group.position, &group_label, scope, errors));
            let (Some(name), Some(group_name)) = (name.and_then(|name| name.parse().ok()), group_name) else {
                continue;
            };
            let Some(known) = users.get_mut(&name) else { continue };
            if let Some(first) = known.groups.get(&group_name) {
                let first = errors.place(first.position);
                errors.add(
                    group.position,
                    format!("user `{name}` is in group `{group_name}` twice, first at {first}"),
                );
                continue;
            }
            let position = node.position;
            let brings =
                if known.position.file == position.file { Brings::Everything } else { Brings::Grants };
            known.groups.insert(group_name, Membership { until, clusters, brings, position });
            if let Some(wrong) = request_for_some_clusters(&name, known, self.groups) {
                errors.add(node.position, wrong);
            }
        }
    }
}

fn generation(fields: &Fields<'_, '_>, errors: &mut Errors) -> u32 {
    fields
        .get("generation")
        .and_then(|node| {
            reader::whole_number(node, &fields.label("generation"), 1..=GENERATION_LIMIT, errors)
        })
        .unwrap_or(1)
}

/// One CSR serves all clusters of its owner, and holds the groups of the certificate: why this one cannot.
pub(super) fn request_for_some_clusters(
    name: &UserName,
    user: &User,
    groups: &BTreeMap<GroupName, Group>,
) -> Option<String> {
    let in_certificate = |name: &GroupName| groups.get(name).is_some_and(|group| group.in_certificate);
    let on_some = |membership: &Membership| {
        let here = user.clusters.iter().filter(|cluster| membership.clusters.includes(cluster)).count();
        here > 0 && here < user.clusters.len()
    };
    let limited = user.groups.iter().find(|(name, membership)| on_some(membership) && in_certificate(name));
    let (group, _) = user.csr.as_ref().and(limited)?;
    Some(format!(
        "user `{name}` brings one CSR for all clusters, and is in group `{group}`, which is written into certificates, on some only"
    ))
}
