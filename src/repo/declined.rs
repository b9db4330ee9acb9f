//! Why a host declined a push, by its own words: what helps differs.

use super::git::GitOutput;
use crate::error::Error;

/// What a host does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declined {
    /// Commits without a signature that it can verify.
    Unsigned,
    /// Commits without a sign-off.
    WithoutSignOff,
    /// A file that is too large.
    FileSize,
    /// Something that looks like a secret.
    Secret,
    /// More than there is room for.
    Quota,
    /// Pushes to this branch by this identity.
    Protected,
    /// It does not say.
    Unknown,
}

/// What GitHub, GitLab, Gitea and Forgejo, Bitbucket, Azure DevOps and git itself print, in lower case. What is said of
/// a rule in general comes last.
const SAID: [(Declined, &[&str]); 6] = [
    (
        Declined::Unsigned,
        &[
            "verified signature",
            "unverified commit",
            "unsigned commit",
            "must be signed",
            "must be a signed",
            "not signed with",
            "gpg key",
        ],
    ),
    (Declined::WithoutSignOff, &["signed-off-by", "sign-off", "signoff", "dco"]),
    (
        Declined::FileSize,
        &[
            "gh001",
            "file size limit",
            "large files",
            "larger than the allowed size",
            "blobs which exceed",
            "pack exceeds maximum allowed size",
        ],
    ),
    (
        Declined::Secret,
        &[
            "cannot contain secrets",
            "secrets detected",
            "push protection",
            "secret scanning",
            "hardcoded secret",
            "one or more secrets",
        ],
    ),
    (Declined::Quota, &["quota", "exceeded its size limit", "repository size limit", "storage limit"]),
    (
        Declined::Protected,
        &[
            "protected",
            "rule violations",
            "branch permission",
            "branch restriction",
            "must use a pull request",
        ],
    ),
];

/// Without the colours that hosts paint with.
fn plain(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.trim_start_matches(|part: char| !('@'..='~').contains(&part));
        rest = rest.get(1..).unwrap_or_default();
    }
    plain + rest
}

/// Whether these words stand there, in the singular or the plural, and not as a part of others: a hardcoded secret has no
/// DCO.
fn says(text: &str, words: &str) -> bool {
    let is_part = |neighbour: char| neighbour.is_ascii_alphanumeric();
    text.match_indices(words).any(|(at, _)| {
        let after = &text[at + words.len()..];
        !text[..at].ends_with(is_part) && !after.strip_prefix('s').unwrap_or(after).starts_with(is_part)
    })
}

impl Declined {
    /// Of a push that was declined.
    pub(super) fn of(answer: &GitOutput) -> Self {
        // Git's own last line names the remote, and a remote may be called anything.
        let lines = answer.stderr.lines().chain(answer.stdout.lines());
        let said: Vec<&str> =
            lines.filter(|line| !line.starts_with("error: failed to push some refs")).collect();
        let said = plain(&said.join("\n")).to_ascii_lowercase();
        let known = SAID.iter().find(|(_, words)| words.iter().any(|words| says(&said, words)));
        known.map_or(Self::Unknown, |(declined, _)| *declined)
    }

    /// Whether another branch of the same host may take it.
    pub(super) fn is_about_the_branch(self) -> bool {
        matches!(self, Self::Protected | Self::Unknown)
    }

    /// Adds what helps, where it is not about the branch.
    pub(super) fn explain(self, error: Error) -> Error {
        match self {
            Self::Unsigned => error
                .hint("have the commits signed: `git config commit.gpgSign true`, with a key that the host knows for the committer"),
            Self::WithoutSignOff => error
                .hint("run `certctl apply --signoff`; what is kept in this clone needs `git rebase --signoff` first"),
            Self::FileSize => error
                .hint("`git log --stat` shows which commit holds the large file: take it out of the history, or raise the host's limit"),
            Self::Secret => error
                .hint("let the host's scanner leave out `access/`: what lies there is public, or encrypted to its owner")
                .hint("if it found something else, take it out of the history, and replace it"),
            Self::Quota => error.hint("make room on the host, or raise its limit"),
            Self::Protected | Self::Unknown => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_say_what_they_do_not_take() {
        for (said, declined) in [
            ("remote: error: GH006: Protected branch update failed", Declined::Protected),
            (
                "remote: error: GH013: Repository rule violations found for refs/heads/main.\nremote: - Changes must be made through a pull request.",
                Declined::Protected,
            ),
            (
                "remote: error: GH013: Repository rule violations found\nremote: - Commits must have verified signatures.",
                Declined::Unsigned,
            ),
            ("remote: GitLab: Commit must be signed with a GPG key", Declined::Unsigned),
            ("remote: GitLab: Commit message must contain a DCO signoff", Declined::WithoutSignOff),
            ("remote: Missing Signed-off-by line", Declined::WithoutSignOff),
            ("remote: error: GH001: Large files detected.", Declined::FileSize),
            (
                "remote: error: GH013: Repository rule violations found\nremote: - GITHUB PUSH PROTECTION\nremote: - Push cannot contain secrets",
                Declined::Secret,
            ),
            ("remote: PUSH BLOCKED: Secrets detected in code changes", Declined::Secret),
            (
                "remote: Your push has been rejected, because this repository has exceeded its size limit of 1 GB",
                Declined::Quota,
            ),
            (
                "remote: Gitea: branch main is protected from unverified commit 1f0ad9f8d4f9cb37dc5a7bd2a1b9d6c0ac5d9ef2",
                Declined::Unsigned,
            ),
            ("remote: Commit must be a signed commit", Declined::Unsigned),
            (
                "remote: GitLab: You are attempting to check in one or more blobs which exceed the 100.0MiB limit:",
                Declined::FileSize,
            ),
            ("remote: fatal: pack exceeds maximum allowed size (1.00 MiB)", Declined::FileSize),
            ("remote: hook: hardcoded secret found in access/lab/alice.yaml", Declined::Secret),
            (
                "remote: error: VS403654: The push was rejected because it contains one or more secrets.",
                Declined::Secret,
            ),
            (
                "! [remote rejected] main -> main (TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch.)",
                Declined::Protected,
            ),
            ("remote: \u{1b}[31mProt\u{1b}[1mected\u{1b}[0m branch\u{1b}[", Declined::Protected),
            ("remote: no deploys with dcode", Declined::Unknown),
            (
                "remote: no\nerror: failed to push some refs to 'git@git.example.com:acme/dco-quota-protected.git'",
                Declined::Unknown,
            ),
            ("remote: this branch is unprotected, and takes nothing all the same", Declined::Unknown),
            ("remote: no pushes on Fridays", Declined::Unknown),
        ] {
            let answer = GitOutput {
                success: false,
                interrupted: false,
                cut_short: false,
                stdout: String::new(),
                stderr: said.to_owned(),
            };
            assert_eq!(Declined::of(&answer), declined, "{said}");
        }
    }
}
