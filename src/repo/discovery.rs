//! A repository as `certctl init` finds it: it may not have a commit yet.

use std::path::{Path, PathBuf};

use super::url::RemoteUrl;
use super::{git, opened, prefix, short};
use crate::error::{Error, Result};
use crate::os;

/// Where a roster lies or would lie, and what the repository goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The root of the working tree, absolute.
    pub workdir: PathBuf,
    /// The roster's folder as seen from there: empty, or ends in `/`.
    pub prefix: String,
    /// The default branch as `origin` had it, else the one that is checked out.
    pub branch: Option<String>,
    /// Whether there is a remote `origin`, wherever it is.
    pub has_origin: bool,
    /// The machine that `origin` is on; `None` for a folder of this one.
    pub origin_host: Option<String>,
}

impl Checkout {
    /// Looks at the repository around this roster, which need not exist.
    ///
    /// # Errors
    /// There is no repository, or it has no working tree.
    pub fn find(roster_file: &Path) -> Result<Self> {
        let folder = match roster_file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let folder = os::full_path(folder).map_err(|error| {
            Error::new(format!("{} could not be opened; nothing was written", folder.display()))
                .caused_by(error)
                .hint(format!("mkdir {}", folder.display()))
        })?;
        let repository = opened(&folder)?;
        let workdir =
            repository.workdir().and_then(|workdir| os::full_path(workdir).ok()).ok_or_else(|| {
                Error::new(format!(
                    "{} is a bare git repository: it has no working tree; nothing was written",
                    repository.path().display()
                ))
                .hint("run certctl in a clone of it")
            })?;
        let target = |name: &str| -> Option<String> {
            Some(repository.find_reference(name).ok()?.symbolic_target().ok()??.to_owned())
        };
        let there = target("refs/remotes/origin/HEAD")
            .and_then(|name| name.strip_prefix("refs/remotes/origin/").map(str::to_owned));
        // HEAD names its branch before that has a commit.
        let branch = there.or_else(|| target("HEAD").map(|name| short(&name).to_owned()));
        // libgit2 does not see what the environment configures. Of a remote that is not configured, git says the name.
        let origin = git::run_in(&repository, &workdir, &["ls-remote", "--get-url", "origin"])?.stdout;
        let origin = Some(origin.trim_end()).filter(|url| !["", "origin"].contains(url));
        Ok(Self {
            prefix: prefix(&workdir, &folder)?,
            workdir,
            branch,
            has_origin: origin.is_some(),
            origin_host: origin.and_then(RemoteUrl::parse).map(|url| url.host),
        })
    }
}
