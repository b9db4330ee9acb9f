//! What `certctl init` writes into a repository, as text: a roster to fill in, what git and the git
//! host are told about it, and CI. The workflows are those of `examples/`, word for word, with this
//! repository's names in them.
//!
//! It knows no disk: [`files`] says which files there should be, [`with_lines`] what to add to one
//! that others have written too. Names that would have to be quoted in one of the many formats here
//! (YAML, shell, gitattributes, CODEOWNERS) are refused.

mod ci;
mod lines;
mod roster;

use crate::model::{ClusterName, Invalid, RosterName, UserName};

pub use ci::{ActionSource, Host};
pub use lines::with_lines;

/// What the roster begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// Its name.
    pub name: RosterName,
    /// The one cluster.
    pub cluster: ClusterName,
    /// certctl's own context that leads there; not by the name that people's context will have.
    pub context: String,
    /// The first person.
    pub user: UserName,
}

/// CI: on which host, of which branch, with which certctl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ci {
    /// Where the repository is.
    pub host: Host,
    /// The branch that is applied.
    pub branch: Branch,
    /// Where CI gets certctl from.
    pub source: ActionSource,
}

/// A file that there should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// From the root of the working tree.
    pub path: String,
    /// What should be in it.
    pub content: Content,
}

/// What should be in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// All of it; a file that says something else is someone's own, and is left alone.
    Whole(String),
    /// Lines among others, and the heading over those that are missing.
    Lines(&'static str, Vec<String>),
    /// As `Whole`, and where there is a file already, it should mention this.
    Mentioning(String, &'static str),
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The roster, from the root of the working tree.
    pub roster: RosterPath,
    /// What it begins with; `None` where there is one.
    pub answers: Option<Answers>,
    /// Who has to review changes.
    pub owners: Vec<Owner>,
    /// Parts of the roster, from its folder, and who has to review changes of each.
    pub parts: Vec<(RosterPath, Vec<Owner>)>,
    /// Where they are written.
    pub codeowners: &'static str,
    /// CI, if any.
    pub ci: Option<Ci>,
}

/// The heading over the lines of others' files.
const HEADING: &str = "# certctl";

/// What `access/` says to someone who looks into it.
const ACCESS: &str = "\
# access/

Written by `certctl apply`, and by nothing else: for each cluster and person a record of their certificates
(`<cluster>/<user>.yaml`, public data only), and their kubeconfig, sealed to their own keys
(`<cluster>/<user>.kubeconfig.age`). `certctl login` uses yours; without certctl, `age -d -i KEY FILE` opens it.
";

/// The files that there should be, in the order in which a reader would look at them.
pub fn files(wanted: &Wanted) -> Vec<File> {
    let roster = wanted.roster.0.as_str();
    let folder = wanted.roster.folder();
    let whole = |path: &str, text: String| File { path: path.to_owned(), content: Content::Whole(text) };
    let mut files = Vec::new();
    if let Some(answers) = &wanted.answers {
        files.push(whole(roster, self::roster::text(answers)));
    }
    files.push(whole(&format!("{folder}access/README.md"), ACCESS.to_owned()));
    // Line ends count: records end in a checksum, and sealed files are recorded with their digest.
    // `binary` also keeps git from merging or showing ciphertext line by line.
    let attributes = vec![
        format!("/{folder}access/** -text linguist-generated"),
        format!("/{folder}access/**/*.age binary"),
    ];
    files.push(File { path: ".gitattributes".into(), content: Content::Lines(HEADING, attributes) });
    let ci = wanted.ci.as_ref().map_or_else(Vec::new, |ci| ci::files(ci, roster));
    if !wanted.owners.is_empty() {
        let names =
            |owners: &[Owner]| owners.iter().map(|owner| owner.0.as_str()).collect::<Vec<_>>().join(" ");
        // A folder of the roster's own is theirs as a whole: whatever a roster can name may lie there.
        let mut paths: Vec<String> = match folder {
            "" => [roster, "access/", "csrs/", "clusters/"].map(str::to_owned).to_vec(),
            folder => vec![folder.to_owned()],
        };
        // Any workflow could use what certctl's may, and a CODEOWNERS in a place that the host looks at first would
        // take the place of this one. So they belong to the owners even where there are none yet.
        let host = wanted.ci.as_ref().map(|ci| ci.host);
        let pipelines = Host::pipelines(host).iter();
        paths.extend(pipelines.chain([".gitattributes"].iter()).map(|path| (*path).to_owned()));
        let places = Host::codeowners(host).iter().filter(|place| **place != wanted.codeowners);
        paths.extend(places.chain([&wanted.codeowners]).map(|place| (*place).to_owned()));
        let lines = paths.iter().map(|path| format!("/{path} {}", names(&wanted.owners)));
        // Behind those of the folders that they are in: the last line that matches counts.
        let parts =
            wanted.parts.iter().map(|(path, owners)| format!("/{folder}{} {}", path.0, names(owners)));
        let lines = lines.chain(parts).collect();
        files.push(File { path: wanted.codeowners.into(), content: Content::Lines(HEADING, lines) });
    }
    files.extend(ci);
    files
}

/// Text that was checked on the way in.
macro_rules! checked {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl std::str::FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                check(text).map(|()| Self(text.to_owned())).map_err(|why| Invalid(why.to_owned()))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

checked!(
    /// A branch whose name means itself: in GitHub's `branches:` and in GitLab's rules, `*` or `$` would not.
    Branch,
    |text| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._/".contains(&b);
        let odd = text.is_empty()
            || !text.bytes().all(plain)
            || text.starts_with(['-', '.', '/'])
            || text.ends_with(['.', '/'])
            || text.contains("..")
            || text.contains("//");
        if odd { Err("is no branch name of letters, digits, `-`, `.`, `_` and `/`") } else { Ok(()) }
    }
);
checked!(
    /// Whom CODEOWNERS names: `@person`, `@organization/team` or an address.
    Owner,
    |text| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._/+@".contains(&b);
        let at = text.find('@');
        if text.bytes().all(plain) && at.is_some_and(|at| at + 1 < text.len()) && text.matches('@').count() == 1 {
            Ok(())
        } else {
            Err("is none of `@person`, `@organization/team` and an e-mail address")
        }
    }
);
checked!(
    /// The roster's path from the root of the working tree.
    RosterPath,
    |text| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._/@".contains(&b);
        if !text.is_empty() && text.bytes().all(plain) && !text.starts_with(['-', '/', '@']) {
            Ok(())
        } else {
            Err("cannot be written into CI and CODEOWNERS as it is: use letters, digits, `-`, `.`, `_`, `@` and `/`")
        }
    }
);

impl Branch {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RosterPath {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its folder: empty, or ends in `/`.
    pub fn folder(&self) -> &str {
        self.0.rfind('/').map_or("", |at| &self.0[..=at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::parse;

    fn answers(context: &str) -> Answers {
        Answers {
            name: "acme".parse().expect("a name"),
            cluster: "prod".parse().expect("a name"),
            context: context.to_owned(),
            user: "no".parse().expect("a name"),
        }
    }

    fn wanted(roster: &str) -> Wanted {
        Wanted {
            roster: roster.parse().expect("a path"),
            answers: Some(answers("prod")),
            owners: vec!["@acme/platform".parse().expect("an owner")],
            parts: vec![(
                "teams/a.yaml".parse().expect("a path"),
                vec!["@acme/a".parse().expect("an owner"), "@acme/b".parse().expect("an owner")],
            )],
            codeowners: ".github/CODEOWNERS",
            ci: Some(Ci {
                host: Host::GitHub,
                branch: "trunk".parse().expect("a branch"),
                source: ActionSource::parse(Host::GitHub, &format!("some/certctl@{}", "a".repeat(40)))
                    .expect("a source"),
            }),
        }
    }

    /// Recipients and grants are what is missing, and nothing else is.
    #[test]
    fn the_roster_is_valid_once_it_is_filled_in() {
        let accepts = |text: &str| Ok(crate::model::Recipient::accepted_by_age(text.to_owned()));
        for context in
            ["prod", "arn:aws:eks:eu-west-1:1:cluster/prod", "on", "12e4", "a \"b\" \\c: #d", "PERSON ROSTER"]
        {
            let text = roster::text(&answers(context));
            let error = parse("users.yaml", &text, &accepts).expect_err("two places to fill in");
            let missing: Vec<&str> = error.each().map(|error| error.message()).collect();
            assert_eq!(missing.len(), 2, "{missing:?}");
            assert!(missing[0].contains("`grants`") && missing[1].contains("`recipients`"), "{missing:?}");
            let filled = text
                .replace("  grants:\n", "  grants:\n  - clusterRole: view\n")
                .replace("  recipients:\n", "  recipients: [age1x]\n");
            let roster = parse("users.yaml", &filled, &accepts).expect("valid");
            let cluster = &roster.clusters[&"prod".parse().expect("a name")];
            assert_eq!(cluster.context, context);
            assert!(roster.users.contains_key(&"no".parse().expect("a name")));
        }
    }

    #[test]
    fn everything_that_decides_on_access_has_an_owner() {
        let files = files(&wanted("team/users.yaml"));
        let owned = files.iter().find(|file| file.path == ".github/CODEOWNERS").expect("written");
        let Content::Lines(_, lines) = &owned.content else { panic!("lines") };
        let (folder, part) = ("/team/ @acme/platform", "/team/teams/a.yaml @acme/a @acme/b");
        let at = |line: &str| lines.iter().position(|known| known == line);
        assert!(at(folder).is_some() && at(folder) < at(part), "{lines:?}");
        for path in [
            "/team/",
            "/.gitattributes",
            "/.github/",
            "/.github/CODEOWNERS",
            "/CODEOWNERS",
            "/docs/CODEOWNERS",
        ] {
            assert!(lines.contains(&format!("{path} @acme/platform")), "{path} in {lines:?}");
        }
        // What init itself writes to be run is in there, on whichever host.
        for (host, source) in
            [(Host::GitHub, "some/certctl"), (Host::GitLab, "https://gitlab.example.com/some/certctl")]
        {
            let mut wanted = wanted("users.yaml");
            wanted.codeowners = Host::codeowners(Some(host))[0];
            let source =
                ActionSource::parse(host, &format!("{source}@{}", "a".repeat(40))).expect("a source");
            wanted.ci = wanted.ci.map(|ci| Ci { host, source, ..ci });
            let files = super::files(&wanted);
            let owned = files.iter().find(|file| file.path == wanted.codeowners).expect("written");
            let Content::Lines(_, lines) = &owned.content else { panic!("lines") };
            let owned: Vec<&str> =
                lines.iter().filter_map(|line| line.strip_suffix(" @acme/platform")).collect();
            for file in files.iter().map(|file| format!("/{}", file.path)) {
                let covered =
                    owned.iter().any(|path| *path == file || (path.ends_with('/') && file.starts_with(path)));
                assert!(covered, "{file} in {owned:?}");
            }
            for place in Host::codeowners(Some(host)) {
                assert!(owned.contains(&format!("/{place}").as_str()), "{place} in {owned:?}");
            }
        }
    }

    #[test]
    fn names_that_would_mean_something_else_somewhere_are_refused() {
        for bad in ["", "main branch", "feature/*", "a$b", "-x", "a..b", "main'", "/main"] {
            assert!(bad.parse::<Branch>().is_err(), "{bad}");
        }
        for bad in ["", "alice", "@", "@a b", "@a # c", "@a@b"] {
            assert!(bad.parse::<Owner>().is_err(), "{bad}");
        }
        for bad in ["", "/users.yaml", "my team/users.yaml", "*.yaml", "a#b.yaml", "!x"] {
            assert!(bad.parse::<RosterPath>().is_err(), "{bad}");
        }
        for good in ["@alice", "@acme/platform", "a.b+c@example.com"] {
            assert!(good.parse::<Owner>().is_ok(), "{good}");
        }
    }
}
