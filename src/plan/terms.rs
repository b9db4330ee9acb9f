//! What a reviewer decides on besides actions: where credentials lead, who signs them, and how long rights
//! last. As the roster says it: when something has ended the clock decides, and that is not in here.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::binding_key::{BindingKey, Grantee};
use super::observed::{ClusterView, Observed};
use crate::model::{Authority, ClusterName};
use crate::roster::{Grant, GrantOf, Roster};

/// The terms of one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// What new kubeconfigs connect to, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// SHA-256 of the CA that they carry, or `system`, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<String>,
    /// The proxy that they connect through, if any.
    #[serde(default, rename = "proxyURL", skip_serializing_if = "Option::is_none")]
    pub proxy_url: Option<String>,
    /// The name that they verify the server with, where it is not that of the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_server_name: Option<String>,
    /// Who signs certificates, where the roster lists the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer_name: Option<String>,
    /// Who is suspended.
    pub suspended: BTreeSet<String>,
    /// Each `until` of a user, a membership and a grant.
    pub ends: BTreeSet<String>,
    /// Bindings in namespaces that the roster does not name: the name of each, where it is to be and for whom.
    /// Which namespaces those are, the cluster decides, so that its bindings are told here and not by themselves.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fitting: BTreeMap<String, BTreeSet<String>>,
}

impl Terms {
    pub(super) fn new(roster: &Roster, name: &ClusterName, observed: Observed<'_>) -> Self {
        let (server, authority) = match observed.cluster {
            ClusterView::Seen(seen) => {
                let endpoint = &seen.published.endpoint;
                (Some(endpoint.server.clone()), Some(endpoint.authority.clone()))
            }
            ClusterView::Unseen(unseen) => (unseen.server.clone(), unseen.authority.clone()),
        };
        let there = roster.clusters.get(name);
        let route = there.map(|there| &there.route);
        let mut fitting: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (user_name, user) in roster.users.iter().filter(|(_, user)| user.clusters.contains(name)) {
            let of = |of: GrantOf<'_>| {
                of.through.cloned().map_or_else(|| Grantee::User(user_name.clone()), Grantee::Group)
            };
            for grant in roster.grants_of(user, name).filter(|of| of.grant.matching.is_some()) {
                let key = BindingKey { namespace: None, grantee: of(grant), role: grant.grant.role.clone() };
                let told = fitting.entry(key.whole().name).or_default();
                told.extend(grant.grant.places().map(|places| format!("in {places}")));
                told.insert(format!("user {user_name}"));
            }
        }
        let users = || roster.users.iter().filter(|(_, user)| user.clusters.contains(name));
        Self {
            server,
            certificate_authority: authority.map(|authority| match authority {
                Authority::System => "system".to_owned(),
                Authority::Bundle(bundle) => bundle.sha256(),
            }),
            proxy_url: route.and_then(|route| Some(route.proxy.as_ref()?.to_string())),
            tls_server_name: route.and_then(|route| Some(route.tls_server_name.as_ref()?.to_string())),
            signer_name: there.map(|cluster| cluster.signer_name.to_string()),
            suspended: users().filter(|(_, user)| user.suspended).map(|(name, _)| name.to_string()).collect(),
            fitting,
            ends: users()
                .flat_map(|(user_name, user)| {
                    let own = user.until.map(|until| format!("user {user_name}: {until}"));
                    let here =
                        user.groups.iter().filter(|(_, membership)| membership.clusters.includes(name));
                    let memberships = here.filter_map(move |(group, membership)| {
                        membership.until.map(|until| format!("user {user_name} in group {group}: {until}"))
                    });
                    let of = format!("user {user_name}");
                    own.into_iter().chain(memberships).chain(grants(of, name, &user.grants))
                })
                .chain(roster.groups.iter().flat_map(|(group_name, group)| {
                    grants(format!("group {group_name}"), name, &group.grants)
                }))
                .collect(),
        }
    }
}

fn grants(whose: String, on: &ClusterName, grants: &[Grant]) -> impl Iterator<Item = String> {
    grants.iter().filter(|grant| grant.clusters.includes(on)).filter_map(move |grant| {
        let until = grant.until?;
        let mut names: Vec<String> =
            grant.namespaces.iter().flatten().map(|(name, _)| name.to_string()).collect();
        names.sort();
        names.extend(grant.matching.as_ref().map(ToString::to_string));
        let places = if grant.namespaces.is_some() { names.join(",") } else { "everywhere".to_owned() };
        Some(format!("{} {} of {whose} in {places}: {until}", grant.role.kind(), grant.role.name()))
    })
}

/// What an `until` of [`Terms::ends`] is about: all before its time.
pub(super) fn about(end: &str) -> &str {
    end.rsplit_once(": ").map_or(end, |(about, _)| about)
}

/// Whether such an `until` ends what somebody has by the binding of this name.
pub(super) fn ends_what(end: &str, user: &str, binding: &str) -> bool {
    let Some((grantee, role)) = binding.strip_prefix("certctl:").and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    let whose = grantee
        .strip_prefix("user=")
        .map_or_else(|| format!("group {grantee}"), |user| format!("user {user}"));
    let role = role
        .strip_prefix("role=")
        .map_or_else(|| format!("ClusterRole {role}"), |role| format!("Role {role}"));
    let (about, own) = (about(end), format!("user {user}"));
    about == own
        || about == format!("{own} in {whose}")
        || about.starts_with(&format!("{role} of {whose} in "))
}
