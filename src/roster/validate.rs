//! The YAML tree to a [`Roster`], or everything that is wrong with it.
//!
//! Each part is read even where another is broken, so that one run shows every error. What was
//! refused once is not reported again at its references.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::str::FromStr;

use jiff::SignedDuration;

use super::document::shapes;
use super::errors::{Errors, quoted};
use super::fence::FileScope;
use super::fields::{certificates, context_name, flag, list_or_empty, namespace};
use super::include::{self, Included, NoParts, Part, PartPath, RosterParts};
use super::names::{SeenNames, name_position, names, own_name};
use super::reader::{self, Fields};
use super::users::{ParseRecipient, UserContext, request_for_some_clusters};
use super::yaml::{self, Node, NodeBudget, Value};
use super::{CertificateDefaults, Cluster, Group, MaxRevocations, Roster, User, grants, ignored, values};
use crate::error::Error;
use crate::model::route::Route;
use crate::model::{
    BranchName, CLIENT_SIGNER, ClusterName, FileNumber, GroupName, Holder, Invalid, Position, Recipient,
    RosterName, UserName,
};
use crate::record::{self, API_VERSION};

/// The default validity of a certificate: 30 days.
const DEFAULT_VALIDITY: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How much one apply may revoke by default.
const DEFAULT_MAX_REVOCATIONS: MaxRevocations = MaxRevocations::Percent(25);
/// What people's contexts are called by default.
const DEFAULT_CONTEXT_NAME: &str = "{cluster}";
/// The most credentials (users times their clusters) that one roster may ask for. It bounds
/// memory, and at 20 signatures a second it is seven hours of signing.
const CREDENTIAL_LIMIT: usize = 500_000;

/// Reads a roster that is one file. `file` is its name as errors show it; `parse_recipient` says which texts age
/// can seal to.
///
/// # Errors
/// Everything that is wrong with the text, each with its place, up to a thousand; each part that it includes.
pub fn parse(
    file: &str,
    text: &str,
    parse_recipient: &dyn Fn(&str) -> Result<Recipient, Invalid>,
) -> Result<Roster, Error> {
    parse_with_parts(file, text, parse_recipient, &NoParts)
}

/// The same, of a roster that may include parts.
///
/// # Errors
/// Everything that is wrong with the text and the parts, each with its place, up to a thousand.
pub fn parse_with_parts(
    file: &str,
    text: &str,
    parse_recipient: &dyn Fn(&str) -> Result<Recipient, Invalid>,
    parts: &dyn RosterParts,
) -> Result<Roster, Error> {
    let mut errors = Errors::of(file);
    let mut budget = NodeBudget::default();
    let tree = yaml::parse(FileNumber::FIRST, text, &mut budget, &mut errors);
    let roster = tree.and_then(|tree| {
        RosterReader { parse_recipient, parts, budget: &mut budget }.roster(&tree, text.len(), &mut errors)
    });
    match (roster, errors.into_error()) {
        (Some(roster), None) => Ok(roster),
        (_, Some(error)) => Err(error),
        // Whatever is missing was reported where it is missing.
        (None, None) => Err(Error::new(format!("{file} holds no roster"))),
    }
}

/// Users' names are names of files, and some file systems do not tell `Ann` from `ann`. Long names are cut in
/// credential groups, where each still has to be somebody's own.
fn refuse_alike(
    fields: &Fields<'_, '_>,
    name: &UserName,
    seen: &mut HashMap<String, (UserName, Position)>,
    errors: &mut Errors,
) {
    let position = name_position(fields);
    let why_not = [
        (name.as_str().to_ascii_lowercase(), "differ in case only, so their files may be one"),
        (Holder::of(name).to_string(), "are the same once they are cut for a credential group"),
    ];
    for (form, why_not) in why_not {
        let (first, at) = seen.entry(form).or_insert_with(|| (name.clone(), position));
        if first != name {
            let fact = format!("user `{name}` and `{first}` at {} {why_not}", errors.place(*at));
            errors.add(position, fact);
            break;
        }
    }
}

/// What a roster is read with.
struct RosterReader<'r> {
    parse_recipient: &'r ParseRecipient<'r>,
    parts: &'r dyn RosterParts,
    budget: &'r mut NodeBudget,
}

/// A file of the roster: its fields, and how far it may go.
struct RosterFile<'n, 't> {
    fields: Fields<'n, 't>,
    scope: FileScope<'n>,
}

/// The users of all files so far.
#[derive(Default)]
struct UsersRead<'n> {
    seen: SeenNames<'n>,
    /// By their names in lower case, and as credential groups have them.
    alike: HashMap<String, (UserName, Position)>,
    users: BTreeMap<UserName, User>,
    /// Users times their clusters.
    credentials: usize,
}

impl RosterReader<'_> {
    fn roster(self, tree: &Node<'_>, size: usize, errors: &mut Errors) -> Option<Roster> {
        if is_newer(tree, errors) {
            return None;
        }
        let fields = reader::fields(tree, "the roster".into(), &shapes::ROSTER, errors)?;
        exactly(&fields, "apiVersion", API_VERSION, errors);
        exactly(&fields, "kind", "Roster", errors);
        let name = metadata(&fields, errors);
        let (certificates, context_name) = defaults(&fields, errors);
        let max_revocations = safety(&fields, errors);
        let branch = branch(&fields, errors);

        let cluster_list =
            fields.need("clusters", errors).and_then(|node| reader::list(node, "`clusters`", errors));
        if cluster_list.is_some_and(<[_]>::is_empty) {
            errors
                .add(fields.position_of("clusters"), "the roster has no cluster, so nobody could get access");
        }
        let naming = Naming { roster: name.as_ref(), default: &context_name };
        let clusters = clusters(cluster_list.unwrap_or_default(), &naming, errors);
        // Where a list is broken as a whole, nothing can be said about a reference into it.
        let cluster_names = cluster_list.map(names);
        let cluster_names = cluster_names.as_ref();
        let ignored = ignored::read(&fields, cluster_names, errors);

        let (included, mut all) = include::read(&fields, size, cluster_names, self.parts, errors);
        let mut trees = Vec::with_capacity(included.len());
        for part in &included {
            trees.push(yaml::parse(part.file, &part.text, self.budget, errors));
        }
        let mut files = vec![RosterFile { fields, scope: FileScope::of_roster(cluster_names) }];
        for (part, tree) in included.iter().zip(&trees) {
            let known = tree.as_ref().filter(|tree| !is_newer(tree, errors));
            let fields = known.and_then(|tree| {
                reader::fields(tree, format!("the part {}", part.path), &shapes::PART, errors)
            });
            let Some(fields) = fields else {
                all = false;
                continue;
            };
            exactly(&fields, "apiVersion", API_VERSION, errors);
            exactly(&fields, "kind", "RosterPart", errors);
            files.push(RosterFile {
                fields,
                scope: part.scope(cluster_names, &clusters, certificates.validity),
            });
        }

        let mut group_names = Some(BTreeSet::new()).filter(|_| all);
        let mut groups = BTreeMap::new();
        let mut group_places = SeenNames::default();
        for file in &files {
            let list = list_or_empty(&file.fields, "groups", errors);
            group_names = group_names.zip(list.map(names)).map(|(all, more)| &all | &more);
            read_groups(
                list.unwrap_or_default(),
                &file.scope,
                &included,
                (&mut group_places, &mut groups),
                errors,
            );
        }

        let context = UserContext {
            group_names,
            groups: &groups,
            group_places,
            all_clusters: clusters.keys().cloned().collect(),
            parse_recipient: self.parse_recipient,
        };
        let mut read = UsersRead::default();
        for file in &files {
            context.read_users(file, &mut read, errors);
        }
        let UsersRead { mut users, .. } = read;
        for RosterFile { fields, scope } in files.iter().filter(|file| file.scope.part.is_some()) {
            context.further_memberships(fields, scope, &mut users, errors);
        }
        let part = |part: &Included| {
            let Included { path, named, may, file, at: _, text: _ } = part;
            (path.clone(), Part { may: may.clone(), named: named.clone(), file: *file })
        };
        let parts = included.iter().map(part).collect();
        let files = errors.files().clone();
        Some(Roster {
            name: name?,
            clusters,
            certificates,
            max_revocations,
            branch,
            ignored,
            groups,
            users,
            parts,
            files,
        })
    }
}

impl UserContext<'_, '_> {
    /// The users of one file.
    fn read_users<'n>(&self, file: &RosterFile<'n, '_>, read: &mut UsersRead<'n>, errors: &mut Errors) {
        let list = list_or_empty(&file.fields, "users", errors).unwrap_or_default();
        for (index, node) in list.iter().enumerate() {
            let title = reader::title("user", node, index);
            let Some(fields) = reader::fields(node, title, &shapes::USER, errors) else { continue };
            let name = own_name::<UserName>(&fields, "user", &mut read.seen, errors);
            let user = self.user(&fields, &file.scope, errors);
            read.credentials += user.clusters.len();
            if let Some(name) = name {
                refuse_alike(&fields, &name, &mut read.alike, errors);
                if let Some(fenced) = file.scope.fenced {
                    fenced.check_user(&name, user.position, errors);
                }
                if let Some(wrong) = request_for_some_clusters(&name, &user, self.groups) {
                    errors.add_with_hint(
                        fields.position_of("csr"),
                        wrong,
                        "leave `clusters` of the membership out, or set `clusters` of the user",
                    );
                }
                read.users.insert(name, user);
            }
            if read.credentials > CREDENTIAL_LIMIT {
                errors.add(
                    fields.position,
                    format!("more than {CREDENTIAL_LIMIT} credentials (users times clusters); the other users were not read"),
                );
                break;
            }
        }
    }
}

/// Whether a file is in a format that a newer certctl reads: then nothing else is said of it.
fn is_newer(tree: &Node<'_>, errors: &mut Errors) -> bool {
    let Value::Mapping(entries) = &tree.value else { return false };
    let version = entries.iter().find(|entry| entry.key == "apiVersion").map(|entry| &entry.value);
    let Some((version, position)) = version.and_then(|node| match &node.value {
        Value::Plain(text) | Value::Quoted(text) => Some((text, node.position)),
        _ => None,
    }) else {
        return false;
    };
    let newer = record::is_newer(version);
    if newer {
        errors.add_with_hint(
            position,
            format!("{} is the format of a newer certctl; this one reads {API_VERSION}", quoted(version)),
            "use a newer version of certctl",
        );
    }
    newer
}

fn exactly(fields: &Fields<'_, '_>, field: &str, wanted: &str, errors: &mut Errors) {
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

fn metadata(fields: &Fields<'_, '_>, errors: &mut Errors) -> Option<RosterName> {
    let node = fields.need("metadata", errors)?;
    let metadata = reader::fields(node, "`metadata`".into(), &shapes::METADATA, errors)?;
    let name = metadata.need("name", errors)?;
    reader::word(name, "roster name", errors)
}

/// What certificates are like, and what contexts are called.
fn defaults(fields: &Fields<'_, '_>, errors: &mut Errors) -> (CertificateDefaults, String) {
    let fields = fields
        .get("defaults")
        .and_then(|node| reader::fields(node, "`defaults`".into(), &shapes::DEFAULTS, errors));
    let said = fields.as_ref().map(|fields| certificates(fields, errors)).unwrap_or_default();
    let context_name = fields.as_ref().and_then(|fields| context_name(fields, errors));
    let certificates = CertificateDefaults {
        key: said.key.unwrap_or_default(),
        validity: said.validity.unwrap_or(DEFAULT_VALIDITY),
    };
    (certificates, context_name.unwrap_or_else(|| DEFAULT_CONTEXT_NAME.to_owned()))
}

fn safety(fields: &Fields<'_, '_>, errors: &mut Errors) -> MaxRevocations {
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

fn branch(fields: &Fields<'_, '_>, errors: &mut Errors) -> Option<BranchName> {
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

fn clusters(list: &[Node<'_>], naming: &Naming<'_>, errors: &mut Errors) -> BTreeMap<ClusterName, Cluster> {
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
    errors: &mut Errors,
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
        None => CLIENT_SIGNER.parse().ok(),
    };
    Some(Cluster {
        context: context?,
        server,
        certificate_authority,
        route,
        context_name: naming.context_name(context_name.as_deref(), name?),
        namespace: namespace(fields, errors),
        signer_name: signer_name?,
        certificates: certificates(fields, errors),
        position: name_position(fields),
    })
}

fn word<T: FromStr<Err = Invalid>>(fields: &Fields<'_, '_>, field: &str, errors: &mut Errors) -> Option<T> {
    reader::word(fields.get(field)?, &fields.label(field), errors)
}

/// The groups of one file.
fn read_groups<'n>(
    list: &'n [Node<'_>],
    scope: &FileScope<'_>,
    included: &[Included],
    (seen, groups): (&mut SeenNames<'n>, &mut BTreeMap<GroupName, Group>),
    errors: &mut Errors,
) {
    for (index, node) in list.iter().enumerate() {
        let title = reader::title("group", node, index);
        let Some(fields) = reader::fields(node, title, &shapes::GROUP, errors) else {
            continue;
        };
        let name = own_name::<GroupName>(&fields, "group", seen, errors);
        let group = Group {
            in_certificate: flag(&fields, "inCertificate", errors),
            namespace: namespace(&fields, errors),
            certificates: certificates(&fields, errors),
            joinable: joinable(&fields, included, errors),
            grants: grants::read(&fields, scope, errors),
            position: name_position(&fields),
        };
        if let Some(fenced) = scope.fenced.filter(|_| group.in_certificate) {
            let at = fields.position_of("inCertificate");
            let fact = format!("{} is written into certificates, where nothing can be revoked", fields.what);
            fenced.refuse(at, &fact, "define that group", errors);
        }
        if let (Some(fenced), Some(validity)) = (scope.fenced, group.certificates.validity) {
            fenced.check_validity(validity, fields.position_of("validity"), &fields.what, errors);
        }
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
}

/// From which parts members may be added.
fn joinable(fields: &Fields<'_, '_>, included: &[Included], errors: &mut Errors) -> Vec<PartPath> {
    let label = fields.label("joinable");
    let mut paths = Vec::new();
    for node in list_or_empty(fields, "joinable", errors).unwrap_or_default() {
        let Some(path) = reader::word::<PartPath>(node, &label, errors) else { continue };
        if !included.iter().any(|part| path.is(&part.path)) {
            let known = included.iter().map(|part| part.path.as_str());
            let fact = format!("{label}: {path} is no part of the roster");
            errors.add_unknown(node.position, fact, &path.to_string(), known);
        }
        paths.push(path);
    }
    paths
}
