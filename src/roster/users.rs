//! `users:`, each read against the clusters, groups and defaults of the roster.

use std::collections::{BTreeMap, BTreeSet};

use super::document::shapes;
use super::errors::Errors;
use super::fields::{UserDefaults, flag, key, list_or_empty, namespace, until, validity};
use super::names::{SeenNames, is_known, name_position};
use super::reader::{self, Fields};
use super::yaml::Value;
use super::{Membership, OnClusters, User, grants, on_clusters};
use crate::model::{ClusterName, GroupName, Invalid, Position, Recipient};

/// The highest generation: nobody reissues a million times by hand, but a typo does.
const GENERATION_LIMIT: u32 = 1_000_000;
/// The longest recipient that is parsed: twice an RSA key of 16384 bits with its comment.
const RECIPIENT_LIMIT: usize = 8192;

/// Text as age reads recipients, to a [`Recipient`].
pub(super) type ParseRecipient<'p> = dyn Fn(&str) -> Result<Recipient, Invalid> + 'p;

/// What the users of one roster are read against.
pub(super) struct UserContext<'n, 'p> {
    pub(super) cluster_names: Option<BTreeSet<&'n str>>,
    pub(super) group_names: Option<BTreeSet<&'n str>>,
    pub(super) all_clusters: BTreeSet<ClusterName>,
    pub(super) defaults: UserDefaults,
    pub(super) parse_recipient: &'p ParseRecipient<'p>,
}

impl UserContext<'_, '_> {
    /// One user; what is wrong with them is reported.
    pub(super) fn user(&self, fields: &Fields<'_, '_>, errors: &mut Errors<'_>) -> User {
        let recipients = self.recipients(fields, errors);
        let key = key(fields, errors);
        let csr = fields.get("csr").and_then(|node| reader::word(node, &fields.label("csr"), errors));
        if fields.get("csr").is_some() && fields.get("key").is_some() {
            errors.add_with_hint(
                fields.position_of("key"),
                format!("{} has both `key` and `csr`, but the key of a CSR is its owner's", fields.what),
                "delete `key`, or `csr` if certctl is to make the key",
            );
        }
        User {
            recipients,
            groups: self.memberships(fields, errors),
            grants: grants::read(fields, self.cluster_names.as_ref(), errors),
            clusters: match on_clusters::read(fields, self.cluster_names.as_ref(), errors) {
                OnClusters::All => self.all_clusters.clone(),
                OnClusters::Only(clusters) => clusters,
            },
            namespace: namespace(fields, errors),
            until: until(fields, errors),
            generation: generation(fields, errors),
            generation_position: fields.get("generation").map(|node| node.position),
            key: key.unwrap_or(self.defaults.key),
            validity: validity(fields, errors).unwrap_or(self.defaults.validity),
            csr,
            suspended: flag(fields, "suspended", errors),
            suspended_position: fields.get("suspended").map(|node| node.position),
            protected: flag(fields, "protected", errors),
            position: name_position(fields),
        }
    }

    fn recipients(&self, fields: &Fields<'_, '_>, errors: &mut Errors<'_>) -> BTreeMap<Recipient, Position> {
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
        errors: &mut Errors<'_>,
    ) -> BTreeMap<GroupName, Membership> {
        let mut memberships = BTreeMap::new();
        let mut seen = SeenNames::default();
        for node in list_or_empty(fields, "groups", errors).unwrap_or_default() {
            let what = format!("a membership of {}", fields.what);
            let (name_node, membership) = match &node.value {
                Value::Mapping(_) => {
                    let Some(membership) = reader::fields(node, what, &shapes::MEMBERSHIP, errors) else {
                        continue;
                    };
                    let clusters = on_clusters::read(&membership, self.cluster_names.as_ref(), errors);
                    (
                        membership.need("name", errors),
                        Membership { until: until(&membership, errors), clusters },
                    )
                }
                Value::List(_) => {
                    reader::wrong_type(node, &what, "a group's name or `{name, until}`", errors);
                    continue;
                }
                _ => (Some(node), Membership { until: None, clusters: OnClusters::All }),
            };
            let Some(name_node) = name_node else { continue };
            let label = format!("group of {}", fields.what);
            let Some(name) = reader::text(name_node, &label, errors) else {
                continue;
            };
            if seen.is_new(name, name_node.position, &label, errors)
                && is_known(name, name_node.position, &label, "group", self.group_names.as_ref(), errors)
                && let Ok(name) = name.parse()
            {
                memberships.insert(name, membership);
            }
        }
        memberships
    }
}

fn generation(fields: &Fields<'_, '_>, errors: &mut Errors<'_>) -> u32 {
    fields
        .get("generation")
        .and_then(|node| {
            reader::whole_number(node, &fields.label("generation"), 1..=GENERATION_LIMIT, errors)
        })
        .unwrap_or(1)
}
