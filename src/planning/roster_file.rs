//! Which roster a command is about, where nobody names one: the nearest `users.yaml`, from this folder up to
//! the root of the git repository, as git finds its own folder; else the one that `CERTCTL_ROSTER` names; else,
//! for a person, the one that login noted.
//!
//! It looks no higher than that root, and outside a repository only here: what lies above is another's.

use std::path::{Path, PathBuf};

/// What a roster is called.
pub const NAME: &str = "users.yaml";

/// The roster's file, as errors and records show it. It need not exist. `noted` is asked last.
pub fn find(named: Option<&Path>, noted: impl FnOnce() -> Option<PathBuf>) -> PathBuf {
    let variable = || std::env::var_os("CERTCTL_ROSTER").filter(|file| !file.is_empty()).map(PathBuf::from);
    let upward = || above(&std::env::current_dir().ok()?);
    let found = named.map(Path::to_owned).or_else(upward).or_else(variable).or_else(noted);
    found.unwrap_or_else(|| PathBuf::from(NAME))
}

/// The nearest one, as seen from `here`.
fn above(here: &Path) -> Option<PathBuf> {
    let root = here.ancestors().find(|folder| folder.join(".git").symlink_metadata().is_ok());
    let root = root.unwrap_or(here);
    let mut way = PathBuf::new();
    for folder in here.ancestors().take_while(|folder| folder.starts_with(root)) {
        if folder.join(NAME).symlink_metadata().is_ok() {
            return Some(way.join(NAME));
        }
        way.push("..");
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_one_within_the_repository_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["repo/.git", "repo/team/docs", "repo/other", "plain/below"] {
            fs::create_dir_all(at(name)).expect("made");
        }
        for name in ["users.yaml", "repo/team/users.yaml", "plain/users.yaml"] {
            fs::write(at(name), "").expect("written");
        }
        for (here, found) in [
            ("repo/team", Some("users.yaml")),
            ("repo/team/docs", Some("../users.yaml")),
            ("repo/other", None),
            ("repo", None),
            ("plain", Some("users.yaml")),
            ("plain/below", None),
        ] {
            assert_eq!(above(&at(here)).as_deref(), found.map(Path::new), "{here}");
        }
        fs::write(at("repo/users.yaml"), "").expect("written");
        assert_eq!(above(&at("repo/other")).as_deref(), Some(Path::new("../users.yaml")));
    }
}
