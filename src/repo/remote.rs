//! The other side: which branch of which remote, what is there, and what of ours is not.

use std::fmt;

use git2::{Direction, ErrorCode, Oid, Reference};

use super::remote_error::{RemoteError, Tip};
use super::{CommitId, Repo, git, head_of, internal, short};
use crate::error::{Error, Result};

/// The branch that records are pushed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushTarget {
    /// The remote's name, or a URL where the user has configured one instead.
    pub(super) remote: String,
    /// The full name of the branch over there.
    pub(super) theirs: String,
    /// The full name of the branch over there that the roster is read from: mostly the same one.
    pub(super) home: String,
    /// The full name of the branch that is checked out here; `None` where HEAD is detached.
    pub(super) ours: Option<String>,
}

impl PushTarget {
    /// The remote's name or URL; not for showing, since a URL may hold a password.
    pub fn remote(&self) -> &str {
        &self.remote
    }

    /// The short name of the branch over there.
    pub fn branch(&self) -> &str {
        short(&self.theirs)
    }

    /// Whether this is another branch than the one that the roster is on, so that someone has to
    /// merge what is pushed there.
    pub fn proposes(&self) -> bool {
        self.theirs != self.home
    }

    /// The branch over there that the roster is on.
    pub fn at_home(&self) -> Self {
        Self { theirs: self.home.clone(), ..self.clone() }
    }
}

impl fmt::Display for PushTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", git::without_credentials(&self.remote), self.branch())
    }
}

/// Where a fetched tip is kept for the moment between fetching and reading it.
const FETCHED: &str = "refs/certctl/fetched";

impl Repo {
    /// Where a push would go. The roster's branch is the upstream of the one that is checked out:
    /// `branch.<name>.pushRemote`, `remote.pushDefault`, `branch.<name>.remote`, `origin`, or the only
    /// remote there is, in git's own order, and over there the upstream one where it is on that
    /// remote, else the one of the same name. Where HEAD is detached it is the one that the CI `host`
    /// says, else the `named` one, and only if this commit is on it. The push goes to the `named`
    /// branch, else to the roster's.
    ///
    /// # Errors
    /// There is no remote, it is not clear which, or HEAD is detached and not known to be on a branch.
    pub fn preflight_push(&self, named: Option<&str>, host: Option<&str>) -> Result<PushTarget> {
        let named = named.map(full_name).transpose()?;
        let head = head_of(&self.git)?;
        let (remote, home) = match &head.branch {
            Some(ours) => self.upstream(ours)?,
            None => {
                let host = host.map(full_name).transpose()?;
                let home = host.or_else(|| named.clone()).ok_or_else(detached)?;
                (self.likely_remote(self.setting("remote.pushDefault")?, short(&home))?, home)
            }
        };
        let theirs = named.unwrap_or_else(|| home.clone());
        let target = PushTarget { remote, theirs, home, ours: head.branch };
        if target.ours.is_none() {
            self.refuse_elsewhere(&target.at_home(), head.id)?;
        }
        Ok(target)
    }

    /// Where git itself would push a branch: the remote, and the full name over there.
    fn upstream(&self, ours: &str) -> Result<(String, String)> {
        let name = short(ours);
        let upstream = self.setting(&format!("branch.{name}.remote"))?;
        let configured = (self.setting(&format!("branch.{name}.pushRemote"))?)
            .or(self.setting("remote.pushDefault")?)
            .or(upstream.clone());
        let remote = self.likely_remote(configured, name)?;
        if remote == "." || remote.starts_with('-') {
            return Err(Error::new(format!(
                "the branch {name} follows `{remote}`, which is not a remote repository; nothing was done"
            ))
            .hint(format!("git branch --set-upstream-to=origin/{name} {name}")));
        }
        let merge = match upstream {
            Some(upstream) if upstream == remote => self.setting(&format!("branch.{name}.merge"))?,
            _ => None,
        };
        let theirs = merge.unwrap_or_else(|| ours.to_owned());
        if !theirs.starts_with("refs/heads/") || !Reference::is_valid_name(&theirs) {
            return Err(Error::new(format!(
                "the branch {name} follows `{theirs}`, which is no branch; nothing was done"
            ))
            .hint(format!("git branch --set-upstream-to=origin/{name} {name}")));
        }
        Ok((remote, theirs))
    }

    /// A detached HEAD is on a branch where the branch holds it, or lacks nothing of it but commits of
    /// certctl. GitHub's merge commit of a pull request is on none, though the branch is in its history.
    fn refuse_elsewhere(&self, home: &PushTarget, head: Oid) -> Result<()> {
        let cannot = |error: RemoteError| {
            Error::from(error).hint("a push needs to know what is there already; nothing was done")
        };
        let tip = self.fetch(home).map_err(cannot)?.ok_or_else(|| {
            Error::new(format!("there is no branch {home}, and HEAD is detached; nothing was done"))
                .hint("check out the branch that the roster is on: git switch BRANCH")
        })?;
        let compare = |error| internal("compare HEAD with", &home.to_string(), error);
        let besides = self.chain(head, tip).map_err(compare)?;
        for commit in &besides {
            if !self.made(commit)? {
                return Err(Error::new(format!(
                    "HEAD is detached, and not on {home}, which lacks {}; nothing was done",
                    CommitId::from(commit.id()).short()
                ))
                .hint("apply runs on the branch that the roster was merged into, never on a pull request")
                .hint(format!("git switch {}", home.branch())));
            }
        }
        Ok(())
    }

    /// Whether HEAD holds commits that the roster's branch lacks: a person's, or certctl's own, as when an
    /// earlier push failed. Goes by what [`Repo::refuse_stale`] saw; before that by the remote-tracking
    /// branch, and asks the remote only where there is none.
    ///
    /// # Errors
    /// Where neither can tell.
    pub fn ahead(&self, target: &PushTarget) -> Result<bool> {
        self.lacks(target, |_| Ok(true))
    }

    /// Whether one of them is certctl's own.
    pub(super) fn records_ahead(&self, target: &PushTarget) -> Result<bool> {
        self.lacks(target, |commit| self.made(commit))
    }

    /// Whether the roster's branch lacks such a commit of HEAD's.
    fn lacks(&self, target: &PushTarget, such: impl Fn(&git2::Commit<'_>) -> Result<bool>) -> Result<bool> {
        let seen = *self.seen.borrow();
        let tip = match seen {
            Some(seen) => seen,
            None => match self.tracked(target)? {
                Some(tip) => Some(tip),
                None => self.fetch(target)?,
            },
        };
        let head = head_of(&self.git)?;
        let compare = |error| internal("compare HEAD with", &target.to_string(), error);
        let begin = || {
            let mut walk = self.git.revwalk()?;
            walk.push(head.id)?;
            if let Some(tip) = tip {
                walk.hide(tip)?;
            }
            Ok(walk)
        };
        for id in begin().map_err(compare)? {
            let commit = id.and_then(|id| self.git.find_commit(id)).map_err(compare)?;
            if such(&commit)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// As git knows it: from the environment too, and from whatever a file includes.
    fn setting(&self, key: &str) -> Result<Option<String>> {
        let answer = git::run(self, &["config", "--get", key])?;
        // Where there is none, it says nothing.
        if !answer.success && !answer.stderr.is_empty() {
            return Err(Error::new(format!("git could not read the setting {key}; nothing was done"))
                .caused_by(answer.cause()));
        }
        Ok(answer.stdout.lines().next().filter(|value| !value.is_empty()).map(str::to_owned))
    }

    fn likely_remote(&self, configured: Option<String>, branch: &str) -> Result<String> {
        if let Some(remote) = configured {
            return Ok(remote);
        }
        let listed = git::run(self, &["remote"])?;
        if !listed.success {
            return Err(
                Error::new("git could not list the remotes; nothing was done").caused_by(listed.cause())
            );
        }
        let names: Vec<&str> = listed.stdout.lines().collect();
        match names.as_slice() {
            [] => Err(Error::new("this repository has no remote to push to; nothing was done")
                .hint("git remote add origin URL")
                .hint("or run `certctl apply --no-push`")),
            [only] => Ok((*only).to_owned()),
            names if names.contains(&"origin") => Ok("origin".to_owned()),
            names => Err(Error::new(format!(
                "this repository has several remotes ({}), and the branch {branch} follows none; nothing was done",
                names.join(", ")
            ))
            .hint(format!("git push --set-upstream REMOTE {branch}"))),
        }
    }

    /// The tip as this clone last saw it.
    fn tracked(&self, target: &PushTarget) -> Result<Option<Oid>> {
        // A URL has no remote-tracking branch.
        let Ok(remote) = self.git.find_remote(&target.remote) else {
            return Ok(None);
        };
        let tracking = (remote.refspecs())
            .filter(|spec| spec.direction() == Direction::Fetch && spec.src_matches(&target.theirs))
            .find_map(|spec| spec.transform(&target.theirs).ok()?.as_str().ok().map(str::to_owned));
        match tracking.map(|name| self.git.refname_to_id(&name)) {
            None => Ok(None),
            Some(Ok(id)) => Ok(Some(id)),
            Some(Err(error)) if error.code() == ErrorCode::NotFound => Ok(None),
            Some(Err(error)) => Err(internal("read", &target.to_string(), error)),
        }
    }

    /// The tip as the remote says it now, without fetching it.
    pub(super) fn remote_tip(&self, target: &PushTarget) -> Tip {
        self.remote_tip_with(target, &[])
    }

    /// As [`Repo::remote_tip`], with environment variables for git.
    pub(super) fn remote_tip_with(&self, target: &PushTarget, environment: &[(&str, String)]) -> Tip {
        let arguments = ["ls-remote", "--", &target.remote, &target.theirs];
        let answer = git::run_with(self, &arguments, b"", environment)?;
        if !answer.success {
            return Err(RemoteError::of(&answer, Error::new(format!("{target} could not be read"))));
        }
        Ok((answer.stdout.lines())
            .filter_map(|line| line.split_once('\t'))
            .find(|(_, name)| *name == target.theirs)
            .and_then(|(id, _)| Oid::from_str(id).ok()))
    }

    /// The tip, with everything it holds; `None` where there is no such branch.
    pub(super) fn fetch(&self, target: &PushTarget) -> Tip {
        let refspec = format!("+{}:{FETCHED}", target.theirs);
        let answer = git::run(
            self,
            &[
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-recurse-submodules",
                "--no-write-fetch-head",
                "--",
                &target.remote,
                &refspec,
            ],
        )?;
        if !answer.success {
            if answer.stderr.contains("couldn't find remote ref") {
                return Ok(None);
            }
            let by_hand = format!("try it by hand: git fetch {}", git::without_credentials(&target.remote));
            let error = Error::new(format!("{target} could not be fetched")).hint(by_hand);
            return Err(RemoteError::of(&answer, error));
        }
        let read = |error| internal("read", &target.to_string(), error);
        let mut fetched = self.git.find_reference(FETCHED).map_err(read)?;
        let tip = fetched.peel_to_commit().map_err(read)?.id();
        fetched.delete().map_err(read)?;
        self.fill(tip)?;
        Ok(Some(tip))
    }
}

/// `refs/heads/main` of `main`, or of itself.
fn full_name(branch: &str) -> Result<String> {
    let full = format!("refs/heads/{}", short(branch));
    // git itself makes no branch whose name begins with a dash.
    if short(branch).starts_with('-') || !Reference::is_valid_name(&full) {
        return Err(Error::usage(format!("`{branch}` is no name of a branch; nothing was done")));
    }
    Ok(full)
}

fn detached() -> Error {
    Error::new("HEAD is detached, and nothing says which branch it is on; nothing was done")
        .hint("check the branch out: git switch main")
        .hint("or name it: `certctl apply --push-branch main`")
        .hint("or run `certctl apply --no-push`, and push the commit yourself")
}
