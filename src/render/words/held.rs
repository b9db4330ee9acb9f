//! Why nothing can be planned on a cluster, and what is held back there, as errors that say how to fix it.

use crate::error::{Error, visible_line};
use crate::model::{ClusterName, Namespace, RoleRef, RosterName};
use crate::plan::Plan;
use crate::plan::binding_key::Grantee;
use crate::plan::check::{AnotherCluster, AnotherRepository, Refusal};
use crate::plan::endpoint::Unpublishable;
use crate::plan::held::{Held, KeyUse, SafetyRule};
use crate::plan::observed::{BindingAt, RefusedFile};
use crate::record::how_to_restore;
use crate::record_folder::RecordFolder;
use crate::roster::RosterFileNames;

/// Another cluster answers under the name.
pub fn another_cluster(cluster: &ClusterName, other: &AnotherCluster) -> Error {
    let AnotherCluster { pinned, found } = other;
    Error::new(format!(
        "cluster `{cluster}` is not the one that its records are about: access/{cluster}/cluster.yaml pins {pinned}, \
         the cluster says {found}; nothing was planned"
    ))
    .hint(format!(
        "if the context leads to the wrong cluster, set `context:` of cluster `{cluster}` in the roster"
    ))
    .hint(format!(
        "if the cluster was replaced for good, `git rm -r access/{cluster}` and commit: everyone gets new credentials"
    ))
}

/// Why nothing can be planned on a cluster.
pub fn refused(roster: &RosterName, cluster: &ClusterName, refusal: &Refusal) -> Error {
    match refusal {
        Refusal::AnotherCluster(other) => another_cluster(cluster, other),
        Refusal::AnotherRepository(other) => another_repository(roster, cluster, other),
    }
}

fn another_repository(roster: &RosterName, cluster: &ClusterName, other: &AnotherRepository) -> Error {
    let AnotherRepository { recorded, found } = other;
    let pin = RecordFolder(cluster).pin();
    let here = match recorded {
        Some(recorded) => format!("{pin} here has {recorded}"),
        None => format!("this one has no {pin}"),
    };
    Error::new(format!(
        "on cluster `{cluster}`, roster name `{roster}` belongs to another repository, with rosterId {found}: {here}; \
         nothing was planned"
    ))
    .hint("if the other roster is somebody else's, give this one another `metadata.name`")
    .hint(format!("if this clone is old, pull; if {pin} was changed, `git log -p -- {pin}` shows what it was"))
    .hint(format!(
        "if this repository replaces the other one for good, `kubectl patch configmap certctl-{roster} -n kube-system --type=merge \
         -p '{{\"data\":{{\"rosterId\":\"-\"}}}}'` frees the name: the next apply takes it, and unbinds everyone of the other"
    ))
}

/// Everything that is held back by a fault, each with its cluster. What safety withholds is told as one,
/// with the number to acknowledge: see `withheld`.
pub fn all_held(plan: &Plan) -> Vec<Error> {
    let held = plan.clusters.iter().flat_map(|cluster| {
        let faults = cluster.held.iter().filter(|held| !held.is_withheld());
        faults.map(|held| self::held(&plan.roster_files, &cluster.name, held))
    });
    held.collect()
}

/// The most errors about one cluster's files: a thousand are enough for anyone.
const MOST_FILES: usize = 1_000;

/// The files of a cluster that cannot be believed; past some, their number.
pub fn refused_files(roster: &RosterFileNames, cluster: &ClusterName, files: &[RefusedFile]) -> Vec<Error> {
    let shown = files.iter().take(MOST_FILES).cloned().map(Held::File);
    let mut errors: Vec<Error> = shown.map(|file| held(roster, cluster, &file)).collect();
    if let Some(more) = files.len().checked_sub(MOST_FILES).filter(|more| *more > 0) {
        errors.push(Error::new(format!("{}: {more} more errors are not shown", RecordFolder(cluster))));
    }
    errors
}

/// Something that is held back.
pub fn held(roster: &RosterFileNames, cluster: &ClusterName, held: &Held) -> Error {
    let error = match held {
        Held::KeyReused { user, at: _, by } => Error::new(format!(
            "user `{user}`'s csr brings the public key of {}; nothing is issued to {user} on cluster `{cluster}`",
            key_use(by)
        ))
        .hint(format!(
            "a certificate cannot be taken back from its key, so make a new key, e.g. \
             `openssl ecparam -genkey -name prime256v1 -noout -out KEY`, and a new csr with it for {user}"
        )),
        Held::ClocksApart { clocks, at: _ } => Error::new(format!(
            "{}; nothing is issued on cluster `{cluster}`, and who leaves is cut off all the same",
            super::clocks(*clocks)
        ))
        .hint("set the clock that is wrong: `timedatectl` shows this machine's, and whether it is synchronized"),
        Held::Unpublishable { why, at: _ } => unpublishable(cluster, why),
        Held::MissingNamespace { namespace, grantee, at: _ } => {
            in_namespace(cluster, namespace, grantee, "does not exist")
                .hint(format!("create it with `kubectl create namespace {namespace}`, or correct the roster"))
        }
        Held::TerminatingNamespace { namespace, grantee, at: _ } => {
            in_namespace(cluster, namespace, grantee, "is being deleted").hint(format!(
                "take it out of the roster; `kubectl get namespace {namespace} -o yaml` shows what its deletion waits for"
            ))
        }
        Held::MissingRole { key, nearest, at: _ } => {
            let (role, who) = (key.role.name(), grantee(&key.grantee));
            let (place, list) = match (&key.role, &key.namespace) {
                (RoleRef::Role(_), Some(namespace)) => {
                    (format!(" in namespace `{namespace}`"), format!("roles -n {namespace}"))
                }
                _ => (String::new(), "clusterroles".to_owned()),
            };
            let error = Error::new(format!(
                "{} `{role}`{place}, granted to {who}, does not exist on cluster `{cluster}`; nobody is added to {}",
                key.role.kind(),
                key.whole()
            ));
            let nearest = nearest.iter().map(|nearest| format!("did you mean `{}`?", visible_line(nearest)));
            let hint = format!("see `kubectl get {list}`, create `{role}`, or correct the roster");
            nearest.chain([hint]).fold(error, Error::hint)
        }
        Held::ForeignBinding { binding, roster, at: _ } => {
            let (owner, hint) = match roster {
                Some(other) => (
                    format!("belongs to roster `{other}`"),
                    "two rosters on one cluster need different names for the groups and people that they grant the same role"
                        .to_owned(),
                ),
                None => ("was not made by certctl".to_owned(), look_at(binding)),
            };
            Error::new(format!(
                "{binding} on cluster `{cluster}` has the name of one of our bindings and {owner}; it is left as it is, and nobody is added to it"
            ))
            .hint(hint)
        }
        Held::File(file) => refused_file(file),
        Held::NotIssuedByUs { user, credential } => {
            let file = RecordFolder(cluster).record(user);
            Error::new(format!(
                "{file}: no apply has issued credential {credential}, as far as cluster `{cluster}` remembers; it is not bound, and nothing is issued to {user}"
            ))
            .hint(how_to_restore(&file))
            .hint(format!("or `git rm {file}` and commit: {user} gets a new credential"))
        }
        Held::Ledger { message, hints } => {
            let error = Error::new(format!(
                "{message}; until then nothing is issued on cluster `{cluster}` and nobody is added to a binding there"
            ));
            hints.iter().fold(error, |error, hint| error.hint(hint.clone()))
        }
        Held::Withheld { user, at: _, by } => Error::new(format!(
            "{user} keeps access to cluster `{cluster}`: {}",
            match by {
                SafetyRule::Limit => "more people would lose theirs than the limit allows",
                SafetyRule::Protected => "the roster protects them",
                SafetyRule::EmptyRoster => "the roster has no users",
            }
        )),
    };
    match held.position() {
        Some(at) => error.placed(roster.name(at.file), at),
        None => error,
    }
}

/// Kubeconfigs would lead nowhere.
fn unpublishable(cluster: &ClusterName, why: &Unpublishable) -> Error {
    let nothing = |fact: String| {
        Error::new(format!(
            "{fact}; nothing is issued on cluster `{cluster}`, and who leaves is cut off all the same"
        ))
    };
    match why {
        Unpublishable::Address { server, why } => {
            nothing(format!("kubeconfigs would connect to {}, which {why}", visible_line(server))).hint(format!(
                "add the address that users connect to as `server: https://HOST:PORT` to cluster `{cluster}`, and the \
                 file with its CA as `certificateAuthority: FILE`"
            ))
        }
        Unpublishable::Loopback { server } => nothing(format!(
            "kubeconfigs would connect to {}, which is their own machine for everyone else",
            visible_line(server)
        ))
        .hint(format!(
            "add the address that users connect to as `server: https://HOST:PORT` to cluster `{cluster}`; if it is \
             this one that they use, name it there"
        )),
        Unpublishable::Unverified { context } => nothing(format!(
            "context `{}` does not verify the server, so kubeconfigs would have no CA to verify it with",
            visible_line(context)
        ))
        .hint(format!("name the file with the server's CA as `certificateAuthority: FILE` of cluster `{cluster}`")),
    }
}

/// A file about one person that cannot be believed.
fn refused_file(file: &RefusedFile) -> Error {
    let held = file.user.as_ref().map_or(String::new(), |user| format!("; nothing is issued to {user}"));
    let error = Error::new(format!("{}{held}", file.message));
    file.hints.iter().fold(error, |error, hint| error.hint(hint.clone()))
}

fn in_namespace(cluster: &ClusterName, namespace: &Namespace, who: &Grantee, what: &str) -> Error {
    Error::new(format!(
        "namespace `{namespace}`, granted to {}, {what} on cluster `{cluster}`; nobody is added to a binding there",
        grantee(who)
    ))
}

fn look_at(at: &BindingAt) -> String {
    format!(
        "look at it with `kubectl get {} {} -o yaml`{}, then delete or rename it, or put our labels back if it lost them",
        at.kind().to_lowercase(),
        at.name,
        at.namespace.as_ref().map_or(String::new(), |namespace| format!(" -n {namespace}")),
    )
}

pub(super) fn grantee(grantee: &Grantee) -> String {
    match grantee {
        Grantee::Group(group) => format!("group `{group}`"),
        Grantee::User(user) => format!("user `{user}`"),
    }
}

fn key_use(by: &KeyUse) -> String {
    match by {
        KeyUse::Made { owner, credential } => {
            format!("{owner}'s credential {credential}, whose key certctl made")
        }
        KeyUse::Revoked { owner, credential } => format!("{owner}'s revoked credential {credential}"),
        KeyUse::RevokedInCluster { credential } => {
            format!("the revoked credential {credential}, which the cluster remembers and no record does")
        }
        KeyUse::OfAnother { owner, credential } => format!("{owner}'s credential {credential}"),
        KeyUse::ToBeCutOff { credential, reason } => {
            format!("the credential {credential} that is to be cut off ({})", super::reason(reason))
        }
    }
}
