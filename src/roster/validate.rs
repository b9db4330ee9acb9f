//! The YAML tree to a [`Roster`], or everything that is wrong with it.
//!
//! Each part is read even where another is broken, so that one run shows every error. What was
//! refused once is not reported again at its references.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;

use jiff::SignedDuration;

use super::document::shapes;
use super::errors::{Errors, quoted};
use super::fields::{UserDefaults, context_name, flag, key, list_or_empty, namespace, validity};
use super::names::{SeenNames, name_position, names, own_name};
use super::reader::{self, Fields};
use super::users::{ParseRecipient, UserContext};
use super::yaml::{self, Node, Value};
use super::{Cluster, Group, MaxRevocations, Membership, Roster, User, grants, ignored, values};
use crate::error::Error;
use crate::model::route::Route;
use crate::model::{BranchName, ClusterName, GroupName, Invalid, Position, Recipient, RosterName, UserName};
use crate::record::API_VERSION;

/// The default validity of a certificate: 30 days.
const DEFAULT_VALIDITY: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How much one apply may revoke by default.
const DEFAULT_MAX_REVOCATIONS: MaxRevocations = MaxRevocations::Percent(25);
/// What people's contexts are called by default.
const DEFAULT_CONTEXT_NAME: &str = "{cluster}";
/// The default signer.
const DEFAULT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";
/// The most credentials (users times their clusters) that one roster may ask for. It bounds
/// memory, and at 20 signatures a second it is seven hours of signing.
const CREDENTIAL_LIMIT: usize = 500_000;

/// Reads a roster. `file` is its name as errors show it; `parse_recipient` says which texts age
/// can seal to.
///
/// # Errors
/// Everything that is wrong with the text, each with its place, up to a thousand.
pub fn parse(
    file: &str,
    text: &str,
    parse_recipient: &dyn Fn(&str) -> Result<Recipient, Invalid>,
) -> Result<Roster, Error> {
    let mut errors = Errors::of(file);
    let tree = yaml::parse(text, &mut errors);
    let roster = tree.and_then(|tree| roster(&tree, parse_recipient, &mut errors));
    match (roster, errors.into_error()) {
        (Some(roster), None) => Ok(roster),
        (_, Some(error)) => Err(error),
        // Whatever is missing was reported where it is missing.
        (None, None) => Err(Error::new(format!("{file} holds no roster"))),
    }
}

fn roster(tree: &Node<'_>, parse_recipient: &ParseRecipient<'_>, errors: &mut Errors<'_>) -> Option<Roster> {
    let fields = reader::fields(tree, "the roster".into(), &shapes::ROSTER, errors)?;
    exactly(&fields, "apiVersion", API_VERSION, errors);
    exactly(&fields, "kind", "Roster", errors);
    let name = metadata(&fields, errors);
    let defaults = defaults(&fields, errors);
    let max_revocations = safety(&fields, errors);
    let branch = branch(&fields, errors);

    let cluster_list =
        fields.need("clusters", errors).and_then(|node| reader::list(node, "`clusters`", errors));
    if cluster_list.is_some_and(<[_]>::is_empty) {
        errors.add(fields.position_of("clusters"), "the roster has no cluster, so nobody could get access");
    }
    let naming = Naming { roster: name.as_ref(), default: &defaults.context_name };
    let clusters = clusters(cluster_list.unwrap_or_default(), &naming, errors);
    let group_list = list_or_empty(&fields, "groups", errors);
    let cluster_names = cluster_list.map(names);
    let ignored = ignored::read(&fields, cluster_names.as_ref(), errors);
    let groups = groups(group_list.unwrap_or_default(), cluster_names.as_ref(), errors);

    let context = UserContext {
        // Where a list is broken as a whole, nothing can be said about a reference into it.
        cluster_names,
        group_names: group_list.map(names),
        all_clusters: clusters.keys().cloned().collect(),
        defaults,
        parse_recipient,
    };
    let mut users = BTreeMap::new();
    let mut seen = SeenNames::default();
    let mut folded = HashMap::new();
    let mut credentials = 0;
    for (index, node) in list_or_empty(&fields, "users", errors).unwrap_or_default().iter().enumerate() {
        let Some(fields) = reader::fields(node, reader::title("user", node, index), &shapes::USER, errors)
        else {
            continue;
        };
        let name = own_name::<UserName>(&fields, "user", &mut seen, errors);
        let user = context.user(&fields, errors);
        credentials += user.clusters.len();
        refuse_request_for_some_clusters(&fields, &user, &groups, errors);
        if let Some(name) = name {
            refuse_other_case(&fields, &name, &mut folded, errors);
            users.insert(name, user);
        }
        if credentials > CREDENTIAL_LIMIT {
            errors.add(
                fields.position,
                format!("more than {CREDENTIAL_LIMIT} credentials (users times clusters); the other users were not read"),
            );
            break;
        }
    }
    Some(Roster { name: name?, clusters, max_revocations, branch, ignored, groups, users })
}

/// Users' names are names of files, and some file systems do not tell `Ann` from `ann`.
fn refuse_other_case(
    fields: &Fields<'_, '_>,
    name: &UserName,
    folded: &mut HashMap<String, (UserName, Position)>,
    errors: &mut Errors<'_>,
) {
    let position = name_position(fields);
    let first = folded.entry(name.as_str().to_ascii_lowercase()).or_insert_with(|| (name.clone(), position));
    if first.0 != *name {
        let fact = format!(
            "user `{name}` and `{}` at {} differ in case only, so their files may be one",
            first.0,
            errors.place(first.1)
        );
        errors.add(position, fact);
    }
}

/// One CSR serves all clusters of its owner, and holds the groups of the certificate.
fn refuse_request_for_some_clusters(
    fields: &Fields<'_, '_>,
    user: &User,
    groups: &BTreeMap<GroupName, Group>,
    errors: &mut Errors<'_>,
) {
    let in_certificate = |name: &GroupName| groups.get(name).is_some_and(|group| group.in_certificate);
    let on_some = |membership: &Membership| {
        let here = user.clusters.iter().filter(|cluster| membership.clusters.includes(cluster)).count();
        here > 0 && here < user.clusters.len()
    };
    let limited = user.groups.iter().find(|(name, membership)| on_some(membership) && in_certificate(name));
    if let (Some(_), Some((group, _))) = (&user.csr, limited) {
        errors.add_with_hint(
            fields.position_of("csr"),
            format!(
                "{} brings one CSR for all clusters, and is in group `{group}`, which is written into certificates, on some only",
                fields.what
            ),
            "leave `clusters` of the membership out, or set `clusters` of the user",
        );
    }
}

fn exactly(fields: &Fields<'_, '_>, field: &str, wanted: &str, errors: &mut Errors<'_>) {
    let Some(node) = fields.need(field, errors) else {
        return;
    };
    let label = fields.label(field);
    if let Some(found) = reader::text(node, &label, errors)
        && found != wanted
    {
        errors.add(node.position, format!("{label} must be `{wanted}`, not {}", quoted(found)));
    }
}

fn metadata(fields: &Fields<'_, '_>, errors: &mut Errors<'_>) -> Option<RosterName> {
    let node = fields.need("metadata", errors)?;
    let metadata = reader::fields(node, "`metadata`".into(), &shapes::METADATA, errors)?;
    let name = metadata.need("name", errors)?;
    reader::word(name, "roster name", errors)
}

fn defaults(fields: &Fields<'_, '_>, errors: &mut Errors<'_>) -> UserDefaults {
    let fields = fields
        .get("defaults")
        .and_then(|node| reader::fields(node, "`defaults`".into(), &shapes::DEFAULTS, errors));
    let (validity, key, context_name) = match fields {
        Some(fields) => (validity(&fields, errors), key(&fields, errors), context_name(&fields, errors)),
        None => (None, None, None),
    };
    UserDefaults {
        validity: validity.unwrap_or(DEFAULT_VALIDITY),
        key: key.unwrap_or_default(),
        context_name: context_name.unwrap_or_else(|| DEFAULT_CONTEXT_NAME.to_owned()),
    }
}

fn safety(fields: &Fields<'_, '_>, errors: &mut Errors<'_>) -> MaxRevocations {
    let mut read = || {
        let node = fields.get("safety")?;
        let safety = reader::fields(node, "`safety`".into(), &shapes::SAFETY, errors)?;
        let node = safety.get("maxRevocations")?;
        let label = safety.label("maxRevocations");
        match &node.value {
            Value::Plain(count) if reader::is_number(node) => match values::max_revocations(count) {
                Ok(count) => return Some(count),
                Err(why) => errors.add(node.position, format!("{label}: {} {why}", quoted(count))),
            },
            Value::Quoted(count) if !count.ends_with('%') => {
                reader::wrong_type(node, &label, "a percentage such as 25% or a count such as 5", errors);
            }
            _ => return reader::parsed(node, &label, values::max_revocations, errors),
        }
        None
    };
    read().unwrap_or(DEFAULT_MAX_REVOCATIONS)
}

fn branch(fields: &Fields<'_, '_>, errors: &mut Errors<'_>) -> Option<BranchName> {
    let apply = reader::fields(fields.get("apply")?, "`apply`".into(), &shapes::APPLY, errors)?;
    reader::word(apply.get("branch")?, &apply.label("branch"), errors)
}

/// What people's contexts are called.
struct Naming<'r> {
    /// `None` where the roster has no valid name.
    roster: Option<&'r RosterName>,
    /// Where a cluster says nothing.
    default: &'r str,
}

impl Naming<'_> {
    fn context_name(&self, own: Option<&str>, cluster: &ClusterName) -> String {
        let roster = self.roster.map_or("", RosterName::as_str);
        own.unwrap_or(self.default).replace("{roster}", roster).replace("{cluster}", cluster.as_str())
    }
}

fn clusters(
    list: &[Node<'_>],
    naming: &Naming<'_>,
    errors: &mut Errors<'_>,
) -> BTreeMap<ClusterName, Cluster> {
    let mut clusters = BTreeMap::new();
    let mut seen = SeenNames::default();
    let mut contexts: HashMap<String, (ClusterName, Position)> = HashMap::new();
    let mut context_names: HashMap<String, (ClusterName, Position)> = HashMap::new();
    for (index, node) in list.iter().enumerate() {
        let title = reader::title("cluster", node, index);
        let Some(fields) = reader::fields(node, title, &shapes::CLUSTER, errors) else {
            continue;
        };
        let name = own_name::<ClusterName>(&fields, "cluster", &mut seen, errors);
        let cluster = cluster(&fields, name.as_ref(), naming, errors);
        let (Some(name), Some(cluster)) = (name, cluster) else {
            continue;
        };
        // Two names for one cluster would each delete the bindings that the other creates, and of two
        // contexts of one name a kubeconfig can hold only one.
        for (field, value, seen) in [
            ("context", &cluster.context, &mut contexts),
            ("contextName", &cluster.context_name, &mut context_names),
        ] {
            if let Some((other, position)) = seen.get(value) {
                let fact = format!(
                    "cluster `{name}` has the same {field} {} as cluster `{other}` at {}",
                    quoted(value),
                    errors.place(*position)
                );
                errors.add(fields.position_of(field), fact);
            } else {
                seen.insert(value.clone(), (name.clone(), cluster.position));
            }
        }
        clusters.insert(name, cluster);
    }
    clusters
}

fn cluster(
    fields: &Fields<'_, '_>,
    name: Option<&ClusterName>,
    naming: &Naming<'_>,
    errors: &mut Errors<'_>,
) -> Option<Cluster> {
    let context = match fields.get("context") {
        Some(node) => reader::parsed(node, &fields.label("context"), values::context, errors),
        None => name.map(ToString::to_string),
    };
    let server = fields
        .get("server")
        .and_then(|node| reader::parsed(node, &fields.label("server"), values::server, errors));
    let certificate_authority = word(fields, "certificateAuthority", errors);
    let route = Route {
        proxy: word(fields, "proxyURL", errors),
        tls_server_name: word(fields, "tlsServerName", errors),
    };
    let context_name = context_name(fields, errors);
    let signer_name = match fields.get("signerName") {
        Some(node) => reader::word(node, &fields.label("signerName"), errors),
        None => DEFAULT_SIGNER.parse().ok(),
    };
    Some(Cluster {
        context: context?,
        server,
        certificate_authority,
        route,
        context_name: naming.context_name(context_name.as_deref(), name?),
        namespace: namespace(fields, errors),
        signer_name: signer_name?,
        position: name_position(fields),
    })
}

fn word<T: FromStr<Err = Invalid>>(
    fields: &Fields<'_, '_>,
    field: &str,
    errors: &mut Errors<'_>,
) -> Option<T> {
    reader::word(fields.get(field)?, &fields.label(field), errors)
}

fn groups(
    list: &[Node<'_>],
    cluster_names: Option<&BTreeSet<&str>>,
    errors: &mut Errors<'_>,
) -> BTreeMap<GroupName, Group> {
    let mut groups = BTreeMap::new();
    let mut seen = SeenNames::default();
    for (index, node) in list.iter().enumerate() {
        let title = reader::title("group", node, index);
        let Some(fields) = reader::fields(node, title, &shapes::GROUP, errors) else {
            continue;
        };
        let name = own_name::<GroupName>(&fields, "group", &mut seen, errors);
        let group = Group {
            in_certificate: flag(&fields, "inCertificate", errors),
            namespace: namespace(&fields, errors),
            grants: grants::read(&fields, cluster_names, errors),
            position: name_position(&fields),
        };
        if let Some(name) = name {
            let for_certificates_alone = group.in_certificate && group.grants.is_empty();
            if let (Err(why), false) = (name.is_plain(), for_certificates_alone) {
                errors.add_with_hint(
                    name_position(&fields),
                    format!("group name `{name}` {why}, unless the group is for certificates alone"),
                    "leave `grants` out and set `inCertificate: true`; a second group can have the grants",
                );
            }
            groups.insert(name, group);
        }
    }
    groups
}
