//! Pushes the commits, and puts them on the new tip where the branch has moved meanwhile.
//!
//! It refuses to force anything, to merge two versions of one record, and to re-create commits that
//! certctl did not make.

use std::collections::BTreeMap;
use std::time::Duration;

use git2::{Oid, Sort};

use super::declined::Declined;
use super::git::{self, GitOutput};
use super::remote_error::{RemoteError, RemoteFailure};
use super::worktree::TreeChange;
use super::{CommitId, Head, PushTarget, Repo, entry, head_of, internal, short};
use crate::error::{Error, Result};

/// The branch for proposals that hints name.
const PROPOSALS: &str = "refs/heads/certctl/records";

/// How often a branch may move under us, or the remote be out of reach, before we give up.
const TRIES: u32 = 5;

/// How long to wait for a remote that is out of reach, longer each time: five seconds in all. What was
/// issued would be lost otherwise, where the clone is thrown away.
const OUTAGE: Duration = Duration::from_millis(500);

/// The records are on the remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The commit that holds them there.
    pub commit: CommitId,
    /// How many pushes it took.
    pub tries: u32,
    /// Where the local branch could not follow: what to tell the user.
    pub note: Option<String>,
    /// The page on which a person opens a pull request, where the records wait for one.
    pub page: Option<String>,
}

/// How one push ended.
pub(super) enum PushOutcome {
    Done(GitOutput),
    /// The branch has moved: somebody else pushed.
    Moved,
    /// The remote decided against it.
    Declined(GitOutput),
    /// Nobody knows: it may have taken effect.
    Unclear(GitOutput),
}

impl Repo {
    /// Pushes what HEAD has and the target lacks. When this returns `Ok`, the remote holds it.
    ///
    /// Where the branch over there has moved, our commits are made again on its new tip, up to five
    /// times; the local branch follows if no local change is in the way.
    ///
    /// # Errors
    /// The commits stay in the local branch where the remote declines, cannot be reached, holds
    /// another version of a file that our commits write, or has moved while the local branch also
    /// holds commits that certctl did not make.
    pub fn push(&self, target: &PushTarget) -> Result<Pushed> {
        let head = head_of(&self.git)?;
        if head.branch != target.ours {
            let ours = target.ours.as_deref().map_or("a detached HEAD", short);
            return Err(Error::new(format!(
                "{ours} is not checked out any more; it was not pushed, and nothing was granted"
            ))
            .hint(format!("git switch {}, then run `certctl apply` again", target.branch())));
        }
        let (mut id, mut lease, mut repeated): (Oid, Option<String>, bool) = (head.id, None, false);
        for tries in 1..=TRIES {
            match self.push_once(target, id, lease.as_deref())? {
                PushOutcome::Done(_) => return self.landed(&head, id, tries),
                PushOutcome::Moved => {
                    pause(tries)?;
                    // A branch that is gone is made anew by the next try.
                    match self.fetch(target) {
                        Ok(Some(tip)) => {
                            id = self.recreate(target, head.id, tip)?;
                            if id == tip {
                                return self.landed(&head, id, tries);
                            }
                            lease = Some(tip.to_string());
                        }
                        Ok(None) => lease = None,
                        // The next push is declined as this one was, and then the tip is asked for again.
                        Err(error) if tries < TRIES && error.may_pass() => std::thread::sleep(OUTAGE * tries),
                        Err(error) => return Err(out_of_reach(target, error)),
                    }
                }
                PushOutcome::Declined(answer) => return Err(self.declined(target, &answer)),
                // The reply may be all that was lost. The remote knows, once it can be reached again.
                PushOutcome::Unclear(answer) => match self.remote_tip(target) {
                    Ok(Some(tip)) if tip == id => return self.landed(&head, id, tries),
                    _ if answer.cut_short => {
                        return Err(failed(target, &answer, "the commit is kept in this clone"));
                    }
                    Ok(_) if tries < TRIES && (!repeated || answer.interrupted) => repeated = true,
                    Err(_) if tries < TRIES && RemoteFailure::of(&answer).may_pass() => {
                        std::thread::sleep(OUTAGE * tries)
                    }
                    _ => return Err(failed(target, &answer, "the commit is kept in this clone")),
                },
            }
        }
        Err(Error::new(format!(
            "{target} moved {TRIES} times while the records were being pushed; the commit is kept in this \
             clone, and nothing was granted"
        ))
        .hint("run `certctl apply` again"))
    }

    /// With a `lease`, the branch over there must be at that commit; an empty one: must not be there.
    pub(super) fn push_once(&self, target: &PushTarget, id: Oid, lease: Option<&str>) -> Result<PushOutcome> {
        self.push_with(&["push"], target, id, lease)
    }

    /// The same, and the remote changes nothing.
    pub(super) fn push_dry(&self, target: &PushTarget, id: Oid, lease: Option<&str>) -> Result<PushOutcome> {
        self.push_with(&["push", "--dry-run"], target, id, lease)
    }

    fn push_with(
        &self,
        command: &[&str],
        target: &PushTarget,
        id: Oid,
        lease: Option<&str>,
    ) -> Result<PushOutcome> {
        let refspec = format!("{id}:{}", target.theirs);
        let lease = lease.map(|tip| format!("--force-with-lease={}:{tip}", target.theirs));
        let mut arguments = command.to_vec();
        arguments.extend(["--porcelain", "--no-follow-tags", "--recurse-submodules=no"]);
        arguments.extend(lease.as_deref());
        arguments.extend(["--", &target.remote, &refspec]);
        let answer = git::run(self, &arguments)?;
        Ok(if answer.success { PushOutcome::Done(answer) } else { judge(answer) })
    }

    /// Our commits again, on the new tip; the tip itself where it has all of them.
    pub(super) fn recreate(&self, target: &PushTarget, local: Oid, tip: Oid) -> Result<Oid> {
        let chain = self
            .chain(local, tip)
            .map_err(|error| internal("compare HEAD with", &target.to_string(), error))?;
        let mut wanted = Vec::with_capacity(chain.len());
        for commit in &chain {
            if !self.made(commit)? {
                return Err(Error::new(format!(
                    "{target} has moved, and the local branch holds {} besides, which certctl did not make; \
                     it was not pushed, and nothing was granted",
                    CommitId::from(commit.id()).short()
                ))
                .hint(format!("git pull --rebase {}, then run `certctl apply` again", words(target))));
            }
            wanted.push(self.changed_by(commit)?);
        }
        let there = self.already_there(target, &wanted, tip)?;
        let mut onto = tip;
        for (number, (commit, mut steps)) in chain.iter().zip(wanted).enumerate() {
            steps.retain(|step| there.get(&step.path).is_none_or(|last| number > *last));
            onto = self.commit_again(commit, &steps, onto)?;
        }
        Ok(onto)
    }

    /// For each path up to which of our commits the tip has it. An earlier push of the same commits
    /// may have left them there under other ids.
    fn already_there(
        &self,
        target: &PushTarget,
        wanted: &[Vec<TreeChange>],
        tip: Oid,
    ) -> Result<BTreeMap<String, usize>> {
        let theirs = self.tree_of(tip)?;
        let mut untouched = BTreeMap::new();
        let mut there = BTreeMap::new();
        for (number, steps) in wanted.iter().enumerate() {
            for step in steps {
                let now = entry(&theirs, &step.path)?;
                untouched.entry(&step.path).or_insert(now == step.old);
                if now == step.new {
                    there.insert(step.path.clone(), number);
                }
            }
        }
        let foreign = |(path, untouched): &(&&String, &bool)| !**untouched && !there.contains_key(**path);
        match untouched.iter().find(foreign) {
            None => Ok(there),
            Some((path, _)) => Err(Error::new(format!(
                "{} was changed in {target} meanwhile; nothing was granted",
                self.shown(path)
            ))
            .hint(format!("git pull {}, then run `certctl apply` again", words(target)))),
        }
    }

    /// What the local branch has and the tip lacks, oldest first.
    pub(super) fn chain(&self, local: Oid, tip: Oid) -> Result<Vec<git2::Commit<'_>>, git2::Error> {
        let mut walk = self.git.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
        walk.push(local)?;
        walk.hide(tip)?;
        walk.map(|id| self.git.find_commit(id?)).collect()
    }

    pub(super) fn declined(&self, target: &PushTarget, answer: &GitOutput) -> Error {
        let declined = Declined::of(answer);
        let fact = match declined {
            Declined::Protected => format!("{target} is protected: the remote declined the push"),
            _ => format!("the remote declined the push to {target}"),
        };
        let error = Error::new(format!("{fact}; the commit is kept in this clone, and nothing was granted"))
            .caused_by(answer.cause());
        if !declined.is_about_the_branch() {
            return declined.explain(error);
        }
        let aside = PushTarget { theirs: PROPOSALS.to_owned(), ..target.clone() };
        let page = self.pull_request_url(&aside).map_or(String::new(), |page| format!(": {page}"));
        error.hint(format!("allow the identity that certctl runs as to push to {}", target.branch())).hint(
            format!("or run `certctl apply --push-branch {}`, and open a pull request{page}", aside.branch()),
        )
    }

    /// The remote has `id`. The local branch follows if that costs nobody anything.
    fn landed(&self, head: &Head, id: Oid, tries: u32) -> Result<Pushed> {
        if let Some(seen) = &mut *self.seen.borrow_mut() {
            *seen = Some(id);
        }
        let note = if id == head.id { None } else { self.follow(head, id) };
        Ok(Pushed { commit: id.into(), tries, note, page: None })
    }

    /// Why the local branch stays where it is, if it does. Never a reason to fail: what had to be
    /// done is done.
    pub(super) fn follow(&self, head: &Head, id: Oid) -> Option<String> {
        let left = |why: &str| {
            let branch = head.branch.as_deref().map_or("HEAD", short);
            Some(format!("the local branch {branch} was left where it was: {why}; run git pull"))
        };
        let attempt = || -> Result<Option<String>> {
            let (old, new) = (self.tree_of(head.id)?, self.tree_of(id)?);
            let steps = self.steps(&old, &new, None)?;
            let way = self.way(&old, &new, steps)?;
            if let Some(blocked) = way.blocked.first() {
                return Ok(left(&format!("{} {}", blocked.path, blocked.why)));
            }
            self.move_head(head, id, "our commits on the branch's new tip")?;
            Ok((self.walk(&way).err())
                .map(|error| format!("{}; the next run brings the files along", error.message())))
        };
        attempt().unwrap_or_else(|error| left(error.message()))
    }
}

/// Reads `git push --porcelain`: one line for the ref, `FLAG TAB FROM:TO TAB SUMMARY (REASON)`.
fn judge(mut answer: GitOutput) -> PushOutcome {
    let refused = answer.stdout.lines().find_map(|line| line.strip_prefix("!\t"));
    let summary = refused.and_then(|line| line.split_once('\t')).map(|(_, summary)| summary.to_owned());
    // The rest of it is for machines.
    answer.stdout = summary.clone().unwrap_or_default();
    let summary = summary.as_deref();
    // Two pushes at the same moment: the loser is told that it could not lock the ref.
    const RACES: [&str; 4] =
        ["lock ref", "failed to update ref", "incorrect old value", "reference already exists"];
    match summary {
        Some(summary) if summary.starts_with("[rejected]") => PushOutcome::Moved,
        Some(summary) if RACES.iter().any(|race| summary.contains(race)) => PushOutcome::Moved,
        Some(summary) if summary.starts_with("[remote rejected]") => PushOutcome::Declined(answer),
        _ => PushOutcome::Unclear(answer),
    }
}

/// The branch has moved, and its new tip cannot be had.
fn out_of_reach(target: &PushTarget, error: RemoteError) -> Error {
    let out = Error::new(format!(
        "{target} has moved, and its new tip could not be fetched; the commit is kept in this clone, and nothing was granted"
    ));
    let out = error.explain(out);
    out.hint(format!("when `git fetch {}` works, run `certctl apply` again", words(target)))
}

/// `kept` says what became of the commit.
pub(super) fn failed(target: &PushTarget, answer: &GitOutput, kept: &str) -> Error {
    let error = Error::new(format!("the push to {target} failed; {kept}, and nothing was granted"))
        .caused_by(answer.cause());
    let error = RemoteFailure::of(answer).explain(error);
    error.hint(format!("when `git push {}` works, run `certctl apply` again", words(target)))
}

/// The target as git's command line has it.
fn words(target: &PushTarget) -> String {
    format!("{} {}", git::without_credentials(target.remote()), target.branch())
}

/// Two that collided shall not collide again. The first time is not worth a wait.
fn pause(tries: u32) -> Result<()> {
    if tries > 1 {
        let mut random = [0];
        getrandom::fill(&mut random)
            .map_err(|error| Error::new("the system gave no random numbers").caused_by(error.to_string()))?;
        std::thread::sleep(Duration::from_millis(u64::from(tries) * u64::from(random[0])));
    }
    Ok(())
}
