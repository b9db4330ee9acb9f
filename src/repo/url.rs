//! A remote's URL in its parts, in each of git's forms. Credentials in it are dropped.

/// `scheme://user:token@host:port/path`, or `user@host:path`, which is SSH.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RemoteUrl {
    /// Lower case.
    pub(super) scheme: String,
    /// Lower case, never empty.
    pub(super) host: String,
    /// Digits, or empty.
    pub(super) port: String,
    /// Without slashes around it and without `.git`.
    pub(super) path: String,
}

impl RemoteUrl {
    /// `None` for a folder of this machine.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let (scheme, authority, path) = match url.split_once("://") {
            Some((scheme, rest)) => {
                let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                (scheme.to_ascii_lowercase(), authority, path)
            }
            None => {
                let (authority, path) = url.split_once(':')?;
                ("ssh".to_owned(), authority, path)
            }
        };
        let address = authority.rsplit('@').next().unwrap_or(authority).to_ascii_lowercase();
        let (host, port) = address.split_once(':').unwrap_or((&address, ""));
        if host.is_empty() || host.contains('/') {
            return None;
        }
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        Some(Self { scheme, host: host.to_owned(), port: port.to_owned(), path: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_url_has_the_same_parts() {
        for (url, parts) in [
            ("https://github.com/acme/access.git", Some(["https", "github.com", "", "acme/access"])),
            (
                "HTTPS://user:to@ken@GitLab.example.com:8443/acme/ops/access/",
                Some(["https", "gitlab.example.com", "8443", "acme/ops/access"]),
            ),
            ("git@github.com:acme/access.git", Some(["ssh", "github.com", "", "acme/access"])),
            ("ssh://git@gitlab.com:22/acme/access.git", Some(["ssh", "gitlab.com", "22", "acme/access"])),
            ("https://github.com", Some(["https", "github.com", "", ""])),
            ("/srv/git/access.git", None),
            ("../access.git", None),
            ("./a:b", None),
            ("file:///srv/git/access.git", None),
            ("", None),
        ] {
            let parsed = RemoteUrl::parse(url);
            let found = parsed.as_ref().map(|u| [&*u.scheme, &*u.host, &*u.port, &*u.path]);
            assert_eq!(found, parts, "{url}");
        }
    }
}
