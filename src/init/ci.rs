//! CI for GitHub and GitLab: the workflows of `examples/`, with this repository's names in them.

use std::fmt;

use super::{Ci, Content, File};
use crate::model::Invalid;

/// Who hosts the repository, where there is CI for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// GitHub, or a GitHub Enterprise server.
    GitHub,
    /// GitLab, gitlab.com or one's own.
    GitLab,
}

impl Host {
    /// What the host runs: whoever can change that can reach what CI may do.
    pub fn pipelines(host: Option<Self>) -> &'static [&'static str] {
        match host {
            Some(Self::GitHub) => &[".github/"],
            Some(Self::GitLab) => &[".gitlab/", ".gitlab-ci.yml"],
            None => &[".github/", ".gitlab/", ".gitlab-ci.yml"],
        }
    }

    /// Where the host looks for CODEOWNERS, in its own order; a new one goes to the first place.
    pub fn codeowners(host: Option<Self>) -> &'static [&'static str] {
        match host {
            Some(Self::GitHub) => &[".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"],
            Some(Self::GitLab) => &["CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"],
            None => &["CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"],
        }
    }
}

/// Where CI gets certctl from: a repository and one commit of it. Tags and branches can be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionSource {
    repository: String,
    commit: String,
}

impl ActionSource {
    /// GitHub names an action `OWNER/REPOSITORY@COMMIT`; GitLab's jobs fetch `https://...@COMMIT`.
    ///
    /// # Errors
    /// Why it is neither.
    pub fn parse(host: Host, text: &str) -> Result<Self, Invalid> {
        let form = match host {
            Host::GitHub => "OWNER/REPOSITORY@COMMIT",
            Host::GitLab => "https://HOST/PATH@COMMIT",
        };
        let (repository, commit) =
            text.rsplit_once('@').ok_or_else(|| Invalid(format!("is not of the form {form}")))?;
        let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if commit.len() != 40 || !commit.bytes().all(digits) {
            return Err(Invalid(
                "does not end in a commit, all 40 digits of it: a tag or a branch can be moved".into(),
            ));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        let named = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain);
        let fits = match host {
            Host::GitHub => repository.split('/').count() == 2 && repository.split('/').all(named),
            Host::GitLab => repository.strip_prefix("https://").is_some_and(|rest| {
                let mut parts = rest.split('/');
                let place = parts.next().unwrap_or_default();
                let (host, port) = place.split_once(':').unwrap_or((place, "443"));
                named(host) && port.parse::<u16>().is_ok() && rest.contains('/') && parts.all(named)
            }),
        };
        if !fits {
            return Err(Invalid(format!("is not of the form {form}")));
        }
        Ok(Self { repository: repository.to_owned(), commit: commit.to_owned() })
    }
}

impl fmt::Display for ActionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.commit)
    }
}

/// A workflow as it stands in `examples/`.
struct Template {
    /// Where it goes.
    path: &'static str,
    text: &'static str,
}

const GITHUB: [Template; 3] = [
    Template {
        path: ".github/workflows/certctl-plan.yml",
        text: include_str!("../../examples/github/certctl-plan.yml"),
    },
    Template {
        path: ".github/workflows/certctl-fork.yml",
        text: include_str!("../../examples/github/certctl-fork.yml"),
    },
    Template {
        path: ".github/workflows/certctl-apply.yml",
        text: include_str!("../../examples/github/certctl-apply.yml"),
    },
];

const GITLAB: [Template; 1] =
    [Template { path: ".gitlab/certctl.yml", text: include_str!("../../examples/gitlab/certctl.yml") }];

/// The one place where GitLab looks; a pipeline that is there already has to include ours.
const PIPELINE: &str = "\
include:
- local: .gitlab/certctl.yml
";

/// What stands in `examples/` for what differs from repository to repository.
fn blanks(ci: &Ci, roster: &str) -> Vec<(&'static str, String)> {
    let ActionSource { repository, commit } = &ci.source;
    let branch = ci.branch.as_str();
    match ci.host {
        Host::GitHub => vec![
            ("OWNER/certctl@COMMIT", format!("{repository}@{commit}")),
            ("roster: users.yaml", format!("roster: {}", quoted(roster))),
            ("branches: [main]", format!("branches: [{}]", quoted(branch))),
            ("ref: main", format!("ref: {}", quoted(branch))),
            ("github.base_ref || 'main'", format!("github.base_ref || '{branch}'")),
        ],
        Host::GitLab => vec![
            ("CERTCTL_REPOSITORY: REPOSITORY", format!("CERTCTL_REPOSITORY: {repository}")),
            ("CERTCTL_COMMIT: COMMIT", format!("CERTCTL_COMMIT: {}", quoted(commit))),
            ("CERTCTL_ROSTER: users.yaml", format!("CERTCTL_ROSTER: {}", quoted(roster))),
            ("$CI_COMMIT_BRANCH == \"main\"", format!("$CI_COMMIT_BRANCH == \"{branch}\"")),
        ],
    }
}

/// A name as YAML: it holds nothing that double quotes would read otherwise, but may be a number or
/// a word such as `on`.
fn quoted(name: &str) -> String {
    if ["main", "master", "users.yaml"].contains(&name) { name.to_owned() } else { format!("\"{name}\"") }
}

/// The files of this host's CI.
pub(super) fn files(ci: &Ci, roster: &str) -> Vec<File> {
    let blanks = blanks(ci, roster);
    let filled = |template: &Template| File {
        path: template.path.to_owned(),
        content: Content::Whole(
            blanks.iter().fold(template.text.to_owned(), |text, (blank, value)| text.replace(blank, value)),
        ),
    };
    match ci.host {
        Host::GitHub => GITHUB.iter().map(filled).collect(),
        Host::GitLab => {
            let pipeline = Content::Mentioning(PIPELINE.to_owned(), ".gitlab/certctl.yml");
            let pipeline = File { path: ".gitlab-ci.yml".to_owned(), content: pipeline };
            GITLAB.iter().map(filled).chain([pipeline]).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn ci(host: Host, repository: &str) -> Ci {
        Ci {
            host,
            branch: "trunk".parse().expect("a branch"),
            source: ActionSource::parse(host, &format!("{repository}@{COMMIT}")).expect("a source"),
        }
    }

    #[test]
    fn a_source_is_a_repository_and_a_whole_commit() {
        let refused = |host, text: &str| ActionSource::parse(host, text).expect_err(text).0;
        for bad in ["some/certctl", "some/certctl@v1", "some/certctl@0123456789abcdef", "some/certctl@main"] {
            refused(Host::GitHub, bad);
        }
        for bad in ["certctl", "a/b/c", "./x", "a/..", "a b/c", "a/b\n", "https://x.example/a"] {
            refused(Host::GitHub, &format!("{bad}@{COMMIT}"));
        }
        for bad in [
            "some/certctl",
            "http://x.example/a",
            "https://user:token@x.example/a",
            "https://x.example",
            "https:///a",
            "https://x.example/$(a)",
        ] {
            refused(Host::GitLab, &format!("{bad}@{COMMIT}"));
        }
        for good in ["https://gitlab.example.com/some/group/certctl.git", "https://x.example:8443/certctl"] {
            assert!(ActionSource::parse(Host::GitLab, &format!("{good}@{COMMIT}")).is_ok(), "{good}");
        }
    }

    /// A blank that an edit of the examples has lost would leave their names in everyone's CI.
    #[test]
    fn every_blank_of_the_examples_is_filled_in() {
        for (ci, templates) in [
            (ci(Host::GitHub, "some/fork"), &GITHUB[..]),
            (ci(Host::GitLab, "https://x.example/some/fork"), &GITLAB[..]),
        ] {
            for (blank, _) in blanks(&ci, "users.yaml") {
                assert!(templates.iter().any(|template| template.text.contains(blank)), "{blank}");
            }
            for file in files(&ci, "team/people.yaml") {
                let (Content::Whole(text) | Content::Mentioning(text, _)) = &file.content else {
                    panic!("{} is whole", file.path)
                };
                for left in ["OWNER", "REPOSITORY", "users.yaml", "main"] {
                    let lines: Vec<&str> = text
                        .lines()
                        .map(|line| line.split('#').next().unwrap_or_default())
                        .filter(|line| line.contains(left) && !line.contains("CERTCTL_REPOSITORY"))
                        .collect();
                    assert!(lines.is_empty(), "{}: {left} in {lines:?}", file.path);
                }
            }
        }
    }
}
