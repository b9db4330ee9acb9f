//! Pages of the git host: the one on which a person opens a pull request for a branch that was pushed, and the ones that
//! show what became of a file.
//!
//! What the remote itself prints comes first: it knows its own address. Otherwise a page follows
//! from the remote's URL, for hosts whose pages are known; credentials in that URL go nowhere.

use std::fmt::Display;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::git::without_credentials;
use super::url::RemoteUrl;

/// What the pages of the hosts have in common that print one after a push: GitHub, GitLab, Gitea and
/// Forgejo with Bitbucket Data Center, Bitbucket Cloud.
const PAGES: [&str; 4] = ["/pull/new/", "/merge_requests/new", "/compare/", "/pull-requests/new"];

/// The page that the remote printed after a push.
pub(super) fn printed(stderr: &str) -> Option<String> {
    let said = stderr.lines().filter_map(|line| line.strip_prefix("remote:"));
    let mut words = said.flat_map(str::split_whitespace);
    let page = words.find(|word| {
        let url = word.starts_with("https://") || word.starts_with("http://");
        // It goes to a terminal, a log and a comment. No page of a host holds anything but what a URL may.
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/?#@!$&+,;=%".contains(c));
        url && plain && PAGES.iter().any(|page| word.contains(page))
    });
    page.map(without_credentials)
}

/// The page for merging `branch` into `base`, by the remote's URL. `None` for hosts that are not known.
pub(super) fn known(remote_url: &str, branch: &str, base: &str) -> Option<String> {
    let Repository { site, host, path } = repository(remote_url)?;
    let (branch, base) = (encoded(branch), encoded(base));
    let labels: Vec<&str> = host.split('.').collect();
    let named = |label: &str| labels.contains(&label);
    Some(if host == "bitbucket.org" {
        format!("{site}/{path}/pull-requests/new?source={branch}&dest={base}")
    } else if named("github") {
        format!("{site}/{path}/compare/{base}...{branch}?expand=1")
    } else if named("gitlab") {
        format!(
            "{site}/{path}/-/merge_requests/new?merge_request%5Bsource_branch%5D={branch}&merge_request%5Btarget_branch%5D={base}"
        )
    } else if ["codeberg", "forgejo", "gitea"].into_iter().any(named) {
        format!("{site}/{path}/compare/{base}...{branch}")
    } else {
        return None;
    })
}

/// What the path of a file in a folder of the repository is put behind to get the page of its history. `None` for hosts
/// that are not known, or have no such page for HEAD.
pub(super) fn history(remote_url: &str, folder: &str) -> Option<String> {
    let Repository { site, host, path } = repository(remote_url)?;
    let named = |label: &str| host.split('.').any(|part| part == label);
    let pages = match () {
        () if host == "bitbucket.org" => "history-node/HEAD",
        () if named("github") => "commits/HEAD",
        () if named("gitlab") => "-/commits/HEAD",
        // The branch that is called HEAD is the default branch, as long as none has that name.
        () if ["codeberg", "forgejo", "gitea"].into_iter().any(named) => "commits/branch/HEAD",
        () => return None,
    };
    let path = path.trim_end_matches('/');
    Some(format!("{site}/{}/{pages}/{}", path.strip_suffix(".git").unwrap_or(path), encoded(folder)))
}

/// Where a repository is, for a browser.
struct Repository {
    /// `https://git.example.com`, with the port where that is one for browsers.
    site: String,
    /// `git.example.com`.
    host: String,
    /// `owner/name`.
    path: String,
}

fn repository(remote_url: &str) -> Option<Repository> {
    let RemoteUrl { scheme, host, port, path } = RemoteUrl::parse(remote_url)?;
    // Their SSH through the port of HTTPS.
    let host = match host.as_str() {
        "ssh.github.com" => "github.com".to_owned(),
        "altssh.gitlab.com" => "gitlab.com".to_owned(),
        "altssh.bitbucket.org" => "bitbucket.org".to_owned(),
        _ => host,
    };
    let site = match (scheme.as_str(), port.as_str()) {
        ("http" | "https", "") => format!("{scheme}://{host}"),
        ("http" | "https", port) => format!("{scheme}://{host}:{port}"),
        ("ssh" | "git" | "git+ssh", _) => format!("https://{host}"),
        _ => return None,
    };
    let plain = |text: &str, also: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c) || also.contains(c))
    };
    let whole = plain(&host, "") && plain(&port, "") && plain(&path, "/~+%") && path.contains('/');
    whole.then_some(Repository { site, host, path })
}

/// What a path and a query take as it stands.
const NOT_PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

fn encoded(branch: &str) -> impl Display {
    utf8_percent_encode(branch, NOT_PLAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hosts_have_a_page_whichever_way_the_remote_is_written() {
        let github = "https://github.com/acme/access/compare/main...certctl/records?expand=1";
        let gitlab = "https://gitlab.com/acme/ops/access/-/merge_requests/new?merge_request%5Bsource_branch%5D=certctl/records&merge_request%5Btarget_branch%5D=main";
        let codeberg = "https://codeberg.org/acme/access/compare/main...certctl/records";
        let bitbucket =
            "https://bitbucket.org/acme/access/pull-requests/new?source=certctl/records&dest=main";
        for (remote, page) in [
            ("https://github.com/acme/access.git", Some(github)),
            ("https://x-access-token:s3cret@github.com/acme/access", Some(github)),
            ("git@github.com:acme/access.git", Some(github)),
            ("ssh://git@ssh.github.com:443/acme/access.git", Some(github)),
            ("git@gitlab.com:acme/ops/access.git", Some(gitlab)),
            ("https://gitlab-ci-token:s3cret@gitlab.com/acme/ops/access.git", Some(gitlab)),
            ("ssh://git@codeberg.org/acme/access.git", Some(codeberg)),
            ("HTTPS://Codeberg.org/acme/access.git/", Some(codeberg)),
            ("git@bitbucket.org:acme/access.git", Some(bitbucket)),
            (
                "http://gitea.example.com:3000/acme/access.git",
                Some("http://gitea.example.com:3000/acme/access/compare/main...certctl/records"),
            ),
            (
                "ssh://git@gitea.example.com:2222/acme/access.git",
                Some("https://gitea.example.com/acme/access/compare/main...certctl/records"),
            ),
            ("https://git.example.com/acme/access.git", None),
            ("https://notgithub.com/acme/access.git", None),
            ("/srv/github.com/access.git", None),
            ("../origin.git", None),
            ("file:///srv/git/access.git", None),
            ("git@github.com:access", None),
            ("git@github.com:acme/access\u{1b}[2J", None),
            ("https://github.com", None),
        ] {
            assert_eq!(known(remote, "certctl/records", "main").as_deref(), page, "{remote}");
        }
        let page = known("git@github.com:a/b", "x#y&z", "main").expect("a page");
        assert_eq!(page, "https://github.com/a/b/compare/main...x%23y%26z?expand=1");
    }

    #[test]
    fn a_file_has_a_page_of_its_history_where_the_host_has_one_for_head() {
        for (remote, folder, page) in [
            ("git@github.com:acme/access.git", "", Some("https://github.com/acme/access/commits/HEAD/")),
            (
                "https://u:p@gitlab.com/a/b/c.git",
                "team x/",
                Some("https://gitlab.com/a/b/c/-/commits/HEAD/team%20x/"),
            ),
            (
                "git@bitbucket.org:acme/access.git",
                "",
                Some("https://bitbucket.org/acme/access/history-node/HEAD/"),
            ),
            (
                "git@codeberg.org:acme/access.git",
                "",
                Some("https://codeberg.org/acme/access/commits/branch/HEAD/"),
            ),
            (
                "ssh://git@forgejo.example.com:2222/acme/access.git",
                "team/",
                Some("https://forgejo.example.com/acme/access/commits/branch/HEAD/team/"),
            ),
            (
                "http://gitea.example.com:3000/acme/access.git",
                "",
                Some("http://gitea.example.com:3000/acme/access/commits/branch/HEAD/"),
            ),
            ("https://git.example.com/acme/access.git", "", None),
            ("https://notgitea.com/acme/access.git", "", None),
            ("/srv/git/access.git", "", None),
        ] {
            assert_eq!(history(remote, folder).as_deref(), page, "{remote}");
        }
    }

    #[test]
    fn what_the_remote_prints_is_taken_without_credentials() {
        for (stderr, page) in [
            (
                "remote: \nremote: Create a pull request for 'x' on GitHub by visiting:\nremote:      https://github.com/a/b/pull/new/x\nremote: \nTo github.com:a/b\n",
                Some("https://github.com/a/b/pull/new/x"),
            ),
            (
                "remote: To create a merge request for x, visit:\nremote:   https://u:p@gitlab.example.com/a/b/-/merge_requests/new?merge_request%5Bsource_branch%5D=x\n",
                Some(
                    "https://gitlab.example.com/a/b/-/merge_requests/new?merge_request%5Bsource_branch%5D=x",
                ),
            ),
            ("remote: Visit https://example.com/news\n", None),
            ("remote: https://example.com/pull/new/\u{1b}]8;;x\n", None),
            ("remote: https://example.com/pull/new/`<img>\n", None),
            ("remote: https://example.com/pull/new/\u{202e}x\n", None),
            ("error: see https://github.com/a/b/pull/new/x\n", None),
            ("", None),
        ] {
            assert_eq!(printed(stderr).as_deref(), page, "{stderr}");
        }
    }
}
