//! What the CI host's environment says about the run: the branch, and the committer.
//!
//! Nothing here is trusted: the remote is asked whether the commit is on the branch. Unknown hosts
//! leave HEAD on the branch, or the user names it with `--push-branch`.

use crate::model::Author;

/// What is known.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CiEnvironment {
    /// The branch that the run is for; `None` for pull requests and tags.
    pub branch: Option<String>,
    /// The committer if git has none configured.
    pub author: Option<Author>,
}

/// The author of what GitHub's own token pushes.
const GITHUB_BOT: &str = "github-actions[bot] <41898282+github-actions[bot]@users.noreply.github.com>";

impl CiEnvironment {
    /// Of this process.
    pub fn detect() -> Self {
        Self::of(&|name| std::env::var(name).ok())
    }

    fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let full = |name: &str| variable(name)?.strip_prefix("refs/heads/").map(str::to_owned);
        // Gitea and Forgejo set the same variables as GitHub, with another address.
        if variable("GITHUB_ACTIONS").is_some() {
            let github = variable("GITHUB_SERVER_URL").is_some_and(|url| url == "https://github.com");
            return Self {
                branch: full("GITHUB_REF"),
                author: if github { GITHUB_BOT.parse().ok() } else { None },
            };
        }
        if variable("GITLAB_CI").is_some() {
            // Not CI_COMMIT_REF_NAME, which is also set for merge requests and tags.
            let user = || Some((variable("GITLAB_USER_NAME")?, variable("GITLAB_USER_EMAIL")?));
            return Self {
                branch: variable("CI_COMMIT_BRANCH").filter(|branch| !branch.is_empty()),
                author: user().and_then(|(name, email)| format!("{name} <{email}>").parse().ok()),
            };
        }
        if variable("TF_BUILD").is_some() {
            return Self { branch: full("BUILD_SOURCEBRANCH"), author: None };
        }
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(variables: &[(&str, &str)]) -> (Option<String>, Option<String>) {
        let find =
            |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        let CiEnvironment { branch, author } = CiEnvironment::of(&find);
        (branch, author.map(|author| author.to_string()))
    }

    #[test]
    fn a_run_has_a_branch_and_one_for_a_pull_request_has_none() {
        let github = [("GITHUB_ACTIONS", "true"), ("GITHUB_SERVER_URL", "https://github.com")];
        let with = |more: &[(&'static str, &'static str)]| host(&[&github[..], more].concat());
        assert_eq!(with(&[("GITHUB_REF", "refs/heads/release/1")]).0.as_deref(), Some("release/1"));
        assert_eq!(with(&[("GITHUB_REF", "refs/pull/5/merge"), ("GITHUB_REF_NAME", "5/merge")]).0, None);
        assert_eq!(with(&[("GITHUB_REF", "refs/tags/main")]).0, None);
        let gitlab = ("GITLAB_CI", "true");
        assert_eq!(host(&[gitlab, ("CI_COMMIT_BRANCH", "main")]).0.as_deref(), Some("main"));
        assert_eq!(host(&[gitlab, ("CI_COMMIT_REF_NAME", "fix")]).0, None, "a merge request");
        let azure = ("TF_BUILD", "True");
        assert_eq!(host(&[azure, ("BUILD_SOURCEBRANCH", "refs/heads/main")]).0.as_deref(), Some("main"));
        assert_eq!(host(&[azure, ("BUILD_SOURCEBRANCH", "refs/pull/5/merge")]).0, None);
        assert_eq!(host(&[("CI_COMMIT_BRANCH", "main"), ("GITHUB_REF", "refs/heads/main")]), (None, None));
    }

    #[test]
    fn the_committer_is_the_bot_or_the_user_who_started_the_run() {
        let github = ("GITHUB_ACTIONS", "true");
        let bot = host(&[github, ("GITHUB_SERVER_URL", "https://github.com")]).1;
        assert_eq!(bot.as_deref(), Some(GITHUB_BOT));
        assert_eq!(host(&[github, ("GITHUB_SERVER_URL", "https://codeberg.org")]).1, None);
        let gitlab = ("GITLAB_CI", "true");
        let (name, mail) = (("GITLAB_USER_NAME", "Ada"), ("GITLAB_USER_EMAIL", "ada@example.com"));
        assert_eq!(host(&[gitlab, name, mail]).1.as_deref(), Some("Ada <ada@example.com>"));
        assert_eq!(host(&[gitlab, name]).1, None);
        assert_eq!(host(&[gitlab, name, ("GITLAB_USER_EMAIL", "x>\ny")]).1, None);
    }
}
