//! Record what was issued and revoked: one commit that holds only our paths, pushed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Issued, Outcome, Published, Records, Settings, Target};
use crate::error::{Error, Result};
use crate::model::{ClusterName, UserName};
use crate::plan::{Cleanup, CredentialAction, next_record};
use crate::record::{self, ClusterPin};
use crate::render::text::date;
use crate::render::words;
use crate::repo::{Changes, Repo, Standing, TRAILER};
use crate::roster::Roster;

/// What comes next.
pub enum Next {
    /// Nothing has to be committed or pushed.
    Done(Published),
    /// Something has.
    Publish(Box<Work>),
}

/// What there is to record.
pub struct Work {
    repo: Repo,
    changes: Changes,
    message: String,
    records: Records,
}

/// What has to be committed or pushed.
///
/// # Errors
/// The records could not be written, or it is not known whether they are on the remote.
pub fn prepare(
    roster: &Roster,
    targets: &[Target],
    outcome: &Outcome,
    repo: Repo,
    settings: &Settings,
) -> Result<Next> {
    let mut changes = Changes::new();
    for (target, done) in targets.iter().zip(&outcome.clusters) {
        collect(&mut changes, roster, target, &done.issued, (settings.clock)())?;
    }
    let records = settings.records.clone();
    let elsewhere = match &records {
        Records::Keep => false,
        // An earlier run may have committed and been cut off before it pushed.
        Records::Push(target) => repo.ahead(target)?,
        Records::Propose(proposal) => match proposal.standing {
            Standing::Free => false,
            Standing::Waits(_) => return Ok(Next::Done(Published::Waits(repo.page(proposal.target())))),
            Standing::Unpushed => true,
        },
    };
    if !elsewhere && changes.is_empty() {
        return Ok(Next::Done(Published::Nothing));
    }
    // A request for CI to stand still must not go into a pull request: its checks would wait for ever,
    // and so would the apply that runs on the merge.
    let marker = settings.skip_ci_marker && !matches!(records, Records::Propose(_));
    let message = message(roster, targets, outcome, marker);
    Ok(Next::Publish(Box::new(Work { repo, changes, message, records })))
}

impl Work {
    /// Commits and pushes.
    ///
    /// # Errors
    /// Nothing was recorded, or nothing was pushed: then no new credential may be bound.
    pub async fn publish(self: Box<Self>) -> Result<Published> {
        tokio::task::spawn_blocking(move || self.publish_now())
            .await
            .map_err(|panic| Error::new("recording broke off; nothing new was bound").caused_by(panic))?
    }

    fn publish_now(self) -> Result<Published> {
        let Self { repo, changes, message, records } = self;
        match records {
            Records::Keep => Ok(repo.commit(&changes, &message)?.map_or(Published::Nothing, Published::Kept)),
            Records::Push(target) => {
                let commit = repo.commit(&changes, &message)?;
                if commit.is_none() && !repo.ahead(&target)? {
                    return Ok(Published::Nothing);
                }
                repo.push(&target).map(Published::Pushed)
            }
            Records::Propose(proposal) => match proposal.standing {
                Standing::Unpushed => repo.propose_head(&proposal).map(Published::Proposed),
                Standing::Free | Standing::Waits(_) => Ok((repo.propose(&proposal, &changes, &message)?)
                    .map_or(Published::Nothing, Published::Proposed)),
            },
        }
    }
}

/// The files of one cluster that change.
fn collect(
    changes: &mut Changes,
    roster: &Roster,
    target: &Target,
    issued: &BTreeMap<UserName, Issued>,
    now: jiff::Timestamp,
) -> Result<()> {
    let cluster = &target.plan.name;
    for (user, actions) in next_record::touched(&target.plan) {
        let current = target.repository.records.get(user);
        let new = issued.get(user);
        let record = next_record::record(
            &target.plan,
            user,
            current,
            &actions,
            new.map(|n| n.credential.clone()),
            now,
        );
        if record.as_ref() != current {
            let text = record.as_ref().map(record::to_yaml).transpose()?;
            match text {
                Some(text) => changes.write(record_path(cluster, user), text),
                None => changes.delete(record_path(cluster, user)),
            };
        }
        let sealed = format!("{}/{user}.kubeconfig.age", folder(cluster));
        if let Some(new) = new {
            changes.write(sealed, new.sealed.clone());
        } else if !next_record::has_kubeconfig(record.as_ref()) && target.repository.sealed.contains_key(user)
        {
            changes.delete(sealed);
        }
    }
    if target.plan.pin {
        let pin = ClusterPin::new(cluster.clone(), target.plan.uid.clone(), roster.name.clone());
        changes.write(format!("{}/cluster.yaml", folder(cluster)), record::to_yaml(&pin)?);
    }
    Ok(())
}

/// `access/<cluster>`, the folder of a cluster's records.
fn folder(cluster: &ClusterName) -> String {
    format!("access/{cluster}")
}

fn record_path(cluster: &ClusterName, user: &UserName) -> String {
    format!("{}/{user}.yaml", folder(cluster))
}

/// In the headline, because CircleCI reads no further than the first 250 characters. GitHub, GitLab, Gitea,
/// Forgejo, Bitbucket, Azure Pipelines, CircleCI and Woodpecker all know it.
const SKIP_CI: &str = " [skip ci]";

/// What was done, for `git log`: a headline, then a line for each credential.
fn message(roster: &Roster, targets: &[Target], outcome: &Outcome, skip_ci: bool) -> String {
    let mut done: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut body = String::new();
    for (target, issued) in targets.iter().zip(outcome.clusters.iter().map(|cluster| &cluster.issued)) {
        let mut lines = String::new();
        for action in &target.plan.people {
            let why = words::why(action);
            let new = issued.get(action.user()).map(|issued| &issued.credential);
            let said = match (action, new) {
                (CredentialAction::Revoke { user: _, reason: _, cut_off, protected: _ }, _) => {
                    format!("{}: {why}", cut_off.credential)
                }
                (_, Some(new)) => format!("{} until {}: {why}", new.id, date(new.not_after)),
                (CredentialAction::Rotate { user: _, reason: _, new: _, cut_off }, None) => {
                    format!("{} cut off, and no new one issued: {why}", cut_off.credential)
                }
                (CredentialAction::Issue { .. } | CredentialAction::Renew { .. }, None) => continue,
            };
            done.entry(action.verb().word()).or_default().push(action.user().as_str());
            let _ = writeln!(lines, "  {} {} {said}", action.verb(), action.user());
        }
        for cleanup in &target.plan.cleanups {
            if let Cleanup::Expired { user, credential, .. } = cleanup {
                done.entry("forget").or_default().push(user.as_str());
                let _ = writeln!(lines, "  forget {user} {credential}: expired");
            }
        }
        if target.plan.pin {
            let _ = writeln!(lines, "  pin the cluster's identity {}", target.plan.uid);
        }
        if !lines.is_empty() {
            let _ = write!(body, "\n{}:\n{lines}", target.plan.name);
        }
    }
    let marker = if skip_ci { SKIP_CI } else { "" };
    format!("certctl: {}{marker}\n{body}\n{TRAILER}: {}\n", headline(&done), roster.name)
}

/// `issue alice, bob; revoke carol`, or counts where the names would not fit a line.
fn headline(done: &BTreeMap<&str, Vec<&str>>) -> String {
    const WIDTH: usize = 60;
    let join = |each: &dyn Fn(&Vec<&str>) -> String| {
        done.iter().map(|(verb, users)| format!("{verb} {}", each(users))).collect::<Vec<_>>().join("; ")
    };
    let names = join(&|users| users.join(", "));
    match done.is_empty() {
        true => "pin clusters".to_owned(),
        false if names.len() <= WIDTH => names,
        false => join(&|users| users.len().to_string()),
    }
}
