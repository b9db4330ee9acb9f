//! Whose approval a change of a file needs, by CODEOWNERS: for the comment on a pull request. The host decides; this
//! reads what GitHub, GitLab, Gitea and Forgejo have in common, and GitLab's sections.

use crate::roster::pattern;

/// Where hosts look for it, from the root of the repository.
pub const PLACES: [&str; 4] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"];

/// The owners of a file, by its path from the root: those of the last line that fits, of each section.
pub fn owners(codeowners: &str, path: &str) -> Vec<String> {
    let mut owners = Vec::new();
    let mut defaults: Vec<&str> = Vec::new();
    let mut last: Vec<&str> = Vec::new();
    for line in codeowners.lines() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        if let Some((_, rest)) =
            line.trim_start_matches('^').strip_prefix('[').and_then(|line| line.split_once(']'))
        {
            owners.append(&mut last);
            // Behind the name may stand how many have to approve, and who where a line does not say.
            defaults = rest.split_whitespace().filter(|word| !word.starts_with('[')).collect();
            continue;
        }
        let mut words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
        let Some(fits) = words.next() else { continue };
        if is_about(fits, path) {
            last = words.collect();
            if last.is_empty() {
                last.clone_from(&defaults);
            }
        }
    }
    owners.append(&mut last);
    owners.dedup();
    owners.into_iter().map(str::to_owned).collect()
}

/// Whether a pattern is about a file, as gitignore says it: a folder is about all that is in it.
fn is_about(pattern: &str, path: &str) -> bool {
    let only_folder = pattern.ends_with('/');
    let anchored = pattern.trim_end_matches('/').contains('/');
    let wanted: Vec<&str> = pattern.trim_matches('/').split('/').collect();
    let parts: Vec<&str> = path.split('/').collect();
    let starts = if anchored { 1 } else { parts.len() };
    (0..starts).any(|start| fits(&wanted, &parts[start..], only_folder))
}

fn fits(wanted: &[&str], parts: &[&str], only_folder: bool) -> bool {
    match (wanted, parts) {
        ([], rest) => !only_folder || !rest.is_empty(),
        // What ends in `/*` is about the files of that folder, and not about those below.
        (["*"], [_, _, ..]) => false,
        (["**", rest @ ..], parts) => {
            (0..=parts.len()).any(|skipped| fits(rest, &parts[skipped..], only_folder))
        }
        ([first, rest @ ..], [part, below @ ..]) => {
            pattern::fits(first, part) && fits(rest, below, only_folder)
        }
        (_, []) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_fits_names_the_owners() {
        let file = "* @all\n/users.yaml @platform # the roster\n\n/teams/ @platform\n/teams/pay.yaml @pay @org/pay\n*.md @docs\n/free.yaml\n";
        for (path, whose) in [
            ("README", "@all"),
            ("users.yaml", "@platform"),
            ("below/users.yaml", "@all"),
            ("teams/web.yaml", "@platform"),
            ("teams/pay.yaml", "@pay @org/pay"),
            ("docs/a.md", "@docs"),
            ("free.yaml", ""),
        ] {
            assert_eq!(owners(file, path).join(" "), whose, "{path}");
        }
        let sections = "[Platform][2] @platform\nusers.yaml\n/teams/\n^[Security] @security\n*.yaml\n/teams/web.yaml @web\n";
        assert_eq!(owners(sections, "users.yaml").join(" "), "@platform @security");
        assert_eq!(owners(sections, "teams/web.yaml").join(" "), "@platform @web");
        assert_eq!(owners("", "users.yaml").len(), 0);
    }

    #[test]
    fn patterns_are_those_of_gitignore() {
        for (pattern, path, about) in [
            ("teams", "teams/a.yaml", true),
            ("teams", "x/teams/a.yaml", true),
            ("/teams", "x/teams/a.yaml", false),
            ("teams/a.yaml", "x/teams/a.yaml", false),
            ("teams/*", "teams/a.yaml", true),
            ("teams/*", "teams/x/a.yaml", false),
            ("teams/**", "teams/x/a.yaml", true),
            ("**/a.yaml", "teams/x/a.yaml", true),
            ("teams/*.yaml", "teams/a.yml", false),
            ("a.yaml/", "a.yaml", false),
        ] {
            assert_eq!(is_about(pattern, path), about, "{pattern} {path}");
        }
    }
}
