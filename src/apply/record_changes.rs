//! What an apply records: the files that change, and the message of their commit. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write as _};

use super::cluster_outcome::Issued;
use super::policy::Notes;
use crate::model::{ClusterName, RosterId, RosterName, UserName};
use crate::plan::observed::SeenLedger;
use crate::plan::{Cleanup, ClusterPlan, CredentialAction, RepositoryState, next_record};
use crate::record::{ClusterPin, Record, TRAILER};
use crate::render::text::date;
use crate::render::{count, words};

/// One cluster's share of the work.
#[derive(Debug, Clone, Copy)]
pub struct ClusterWork<'p> {
    /// What to do.
    pub plan: &'p ClusterPlan,
    /// What the repository knows of it.
    pub repository: &'p RepositoryState,
}

impl<'p> ClusterWork<'p> {
    /// The repository's id: as its records have it, else as the cluster has it, else a new one. `None` where
    /// nobody can read what the cluster has.
    pub(super) fn roster_id<'a>(&self, notes: &'a Notes) -> Option<&'a RosterId>
    where
        'p: 'a,
    {
        let in_cluster = match &self.plan.ledger.seen {
            SeenLedger::Kept(stored) => stored.ledger.roster_id.as_ref().or(Some(&notes.new_id)),
            SeenLedger::Missing => Some(&notes.new_id),
            SeenLedger::Unusable { .. } => None,
        };
        self.repository.roster_id.as_ref().or(in_cluster)
    }
}

/// One file under `access/` that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordChange {
    /// Somebody's record; `None` where nothing is left to remember.
    Record {
        /// On which cluster.
        cluster: ClusterName,
        /// Whose.
        user: UserName,
        /// What it says from now on.
        record: Option<Record>,
    },
    /// Somebody's sealed kubeconfig; `None` where they have nothing to decrypt any more.
    Sealed {
        /// On which cluster.
        cluster: ClusterName,
        /// Whose.
        user: UserName,
        /// The file, encrypted.
        kubeconfig: Option<Vec<u8>>,
    },
    /// Which cluster the records are about.
    Pin(ClusterPin),
}

/// What was done on a cluster before anything is recorded.
#[derive(Debug, Clone, Copy)]
pub struct Done<'a> {
    pub work: ClusterWork<'a>,
    /// The credentials that were issued there.
    pub issued: &'a BTreeMap<UserName, Issued>,
    /// Whether where kubeconfigs lead may be pinned: not where that was tried in vain.
    pub pins: bool,
}

/// Every file that changes.
pub fn collect<'a>(clusters: impl Iterator<Item = Done<'a>>, notes: &Notes) -> Vec<RecordChange> {
    let mut changes = Vec::new();
    for Done { work, issued, pins } in clusters {
        let ClusterWork { plan, repository } = work;
        for (user, actions) in next_record::touched(plan) {
            let current = repository.records.get(user);
            let new = issued.get(user);
            let credential = new.map(|new| new.credential.clone());
            let record = next_record::record(plan, user, current, &actions, credential);
            let gone = !next_record::has_kubeconfig(record.as_ref());
            let (cluster, user) = (plan.name.clone(), user.clone());
            if let Some(new) = new {
                let kubeconfig = Some(new.sealed.clone());
                changes.push(RecordChange::Sealed {
                    cluster: cluster.clone(),
                    user: user.clone(),
                    kubeconfig,
                });
            } else if gone && repository.sealed.contains_key(&user) {
                changes.push(RecordChange::Sealed {
                    cluster: cluster.clone(),
                    user: user.clone(),
                    kubeconfig: None,
                });
            }
            if record.as_ref() != current {
                changes.push(RecordChange::Record { cluster, user, record });
            }
        }
        let pin = plan.pin.clone().filter(|_| pins);
        let pin = pin.map(|pin| ClusterPin { roster_id: work.roster_id(notes).cloned(), ..pin });
        changes.extend(pin.map(RecordChange::Pin));
    }
    changes
}

/// In the headline, because CircleCI reads no further than the first 250 characters. GitHub, GitLab, Gitea,
/// Forgejo, Bitbucket, Azure Pipelines, CircleCI and Woodpecker all know it.
const SKIP_CI: &str = " [skip ci]";

/// What was done, for `git log`: a headline, then a line for each credential.
pub fn message<'a>(roster: &RosterName, clusters: impl Iterator<Item = Done<'a>>, skip_ci: bool) -> String {
    let mut headline = Headline::default();
    let mut body = String::new();
    for Done { work: ClusterWork { plan, repository }, issued, pins } in clusters {
        let mut lines = String::new();
        for action in &plan.people {
            let why = words::why(action);
            let new = issued.get(action.user()).map(|issued| &issued.credential);
            let said = match (action, new) {
                (CredentialAction::Revoke { user: _, reason: _, cut_off, protected: _ }, _) => {
                    format!("{}: {why}{}", cut_off.credential, words::but_for(cut_off))
                }
                (CredentialAction::Rotate { user: _, reason: _, new: _, cut_off }, Some(new)) => {
                    let (until, but_for) = (date(new.not_after), words::but_for(cut_off));
                    format!("{} until {until}: {why}; {} is cut off{but_for}", new.id, cut_off.credential)
                }
                (_, Some(new)) => format!("{} until {}: {why}", new.id, date(new.not_after)),
                (CredentialAction::Rotate { user: _, reason: _, new: _, cut_off }, None) => {
                    let but_for = words::but_for(cut_off);
                    format!("{} cut off{but_for}, and no new one issued: {why}", cut_off.credential)
                }
                (CredentialAction::Issue { .. } | CredentialAction::Renew { .. }, None) => continue,
            };
            headline.add(action.verb().word(), action.user(), &plan.name);
            let _ = writeln!(lines, "  {} {} {said}", action.verb(), action.user());
        }
        for cleanup in &plan.cleanups {
            let (verb, user, said) = match cleanup {
                Cleanup::Expired { user, credential, .. } => {
                    ("forget", user, format!("{credential}: expired"))
                }
                Cleanup::Revoked { user, credential } => {
                    ("correct", user, format!("{credential}: it was revoked"))
                }
                Cleanup::Protection { user, protected: true } => ("protect", user, String::new()),
                Cleanup::Protection { user, protected: false } => ("unprotect", user, String::new()),
                Cleanup::Request { .. } => continue,
            };
            headline.add(verb, user, &plan.name);
            let _ = writeln!(lines, "{}", format!("  {verb} {user} {said}").trim_end());
        }
        if let Some(pin) = plan.pin.as_ref().filter(|_| pins) {
            headline.pinned.insert(&plan.name);
            if repository.pinned_uid.is_none() {
                let _ = writeln!(lines, "  pin the cluster's identity {}", pin.uid);
            }
            if let Some(endpoint) = &pin.endpoint {
                let _ = writeln!(lines, "  pin where kubeconfigs lead: {}", endpoint.server);
            }
        }
        if !lines.is_empty() {
            let _ = write!(body, "\n{}:\n{lines}", plan.name);
        }
    }
    let marker = if skip_ci { SKIP_CI } else { "" };
    format!("certctl: {}{marker}\n{body}\n{TRAILER}: {roster}\n", headline.text())
}

/// What a commit does, in a line.
#[derive(Default)]
struct Headline<'a> {
    /// By what is done: to whom, and where.
    done: BTreeMap<&'static str, (BTreeSet<&'a UserName>, BTreeSet<&'a ClusterName>)>,
    pinned: BTreeSet<&'a ClusterName>,
}

impl<'a> Headline<'a> {
    fn add(&mut self, verb: &'static str, user: &'a UserName, cluster: &'a ClusterName) {
        let (users, clusters) = self.done.entry(verb).or_default();
        users.insert(user);
        clusters.insert(cluster);
    }

    /// `issue alice, bob on prod; revoke carol on prod, stage`, with counts where the names would not fit.
    fn text(&self) -> String {
        const WIDTH: usize = 60;
        if self.done.is_empty() {
            return match self.pinned.is_empty() {
                true => "update the records".to_owned(),
                false => format!("pin {}", list(&self.pinned)),
            };
        }
        let join = |names_users: bool, names_clusters: bool| {
            let each = self.done.iter().map(|(verb, (users, clusters))| {
                let who = if names_users { list(users) } else { users.len().to_string() };
                let on = if names_clusters { list(clusters) } else { count(clusters.len(), "cluster") };
                format!("{verb} {who} on {on}")
            });
            each.collect::<Vec<_>>().join("; ")
        };
        let texts = [join(true, true), join(false, true), join(false, false)];
        let [.., shortest] = &texts;
        texts.iter().find(|text| text.len() <= WIDTH).unwrap_or(shortest).clone()
    }
}

fn list<T: Display>(names: &BTreeSet<T>) -> String {
    names.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}
