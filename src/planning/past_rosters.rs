//! The versions of a roster one after another, and what each changed of everybody and every group.
//!
//! Of a version, only what it changed is read, where that can be told. An earlier version may break a rule that came
//! later, or never have been valid. It is passed over: what it changed is told with the next one that can be read.

use std::collections::HashMap;
use std::rc::Rc;

use super::past::PastFiles;
use crate::access::events::{self, LifeEvent};
use crate::error::Result;
use crate::repo::Repo;
use crate::repo::history::{BlobId, CommitTree, Files};
use crate::roster::difference::{FileText, Texts, Version, difference};
use crate::roster::{self, PartPath, Roster};

/// The rosters of commits.
pub(super) struct PastRosters<'r> {
    repo: &'r Repo,
    /// Those of the last commit.
    files: Files,
    /// What they hold.
    texts: HashMap<BlobId, Rc<FileText>>,
    /// What the last roster includes.
    included: Option<(BlobId, Vec<PartPath>)>,
    read: LastRead,
}

impl<'r> PastRosters<'r> {
    /// After nothing.
    pub(super) fn new(repo: &'r Repo) -> Self {
        let (files, texts) = (Files::new(), HashMap::new());
        Self { repo, files, texts, included: None, read: LastRead::default() }
    }

    /// Begins after a commit; whether its roster can be read.
    pub(super) fn begin(&mut self, at: &CommitTree) -> Result<bool> {
        self.files = self.files_at(at)?;
        let version = self.version()?;
        Ok(version.is_some_and(|version| self.read.compare(version).is_some()))
    }

    /// What the next commit changed.
    pub(super) fn next(&mut self, at: &CommitTree) -> Result<Vec<LifeEvent>> {
        let files = self.files_at(at)?;
        if files == self.files {
            return Ok(Vec::new());
        }
        self.files = files;
        let version = self.version()?;
        Ok(version.and_then(|version| self.read.compare(version)).unwrap_or_default())
    }

    fn files_at(&mut self, at: &CommitTree) -> Result<Files> {
        let Some(roster) = self.repo.roster_at(at)? else { return Ok(Files::new()) };
        let parts = match self.included.take() {
            Some((of, parts)) if of == roster => parts,
            _ => {
                let text = self.text(roster, &mut 0)?;
                let parts = text.as_ref().map(|text| text.included()).unwrap_or_default();
                self.texts.extend(text.map(|text| (roster, text)));
                parts
            }
        };
        let files = self.repo.roster_files(at, roster, &parts)?;
        self.included = Some((roster, parts));
        Ok(files)
    }

    /// The texts of the files; `None` where one is none, or they are too long.
    fn version(&mut self) -> Result<Option<Version>> {
        let (mut version, mut texts, mut size) = (Version::new(), HashMap::new(), 0);
        for (path, blob) in &self.files {
            let Some(text) = self.text(*blob, &mut size)? else { break };
            texts.insert(*blob, Rc::clone(&text));
            version.insert(path.clone(), text);
        }
        self.texts = texts;
        Ok((version.len() == self.files.len()).then_some(version))
    }

    /// What a file holds; `None` where that is no text, or too long together with the `size` of those before it.
    fn text(&self, blob: BlobId, size: &mut usize) -> Result<Option<Rc<FileText>>> {
        let limit = roster::SIZE_LIMIT - *size;
        let text = match self.texts.get(&blob) {
            Some(known) => Some(Rc::clone(known)).filter(|known| known.text().len() <= limit),
            None => {
                let text = self.repo.content(blob, limit)?.and_then(|bytes| String::from_utf8(bytes).ok());
                text.map(|text| Rc::new(FileText::new(text)))
            }
        };
        *size += text.as_ref().map_or(0, |text| text.text().len());
        Ok(text)
    }
}

/// The last version that could be read; nothing at first.
#[derive(Default)]
struct LastRead {
    version: Version,
    /// What it says, where all of it was read.
    whole: Option<Roster>,
}

impl LastRead {
    /// What this version changed; `None` where it is not valid, and nothing is.
    fn compare(&mut self, version: Version) -> Option<Vec<LifeEvent>> {
        let parse = |texts: Texts| PastFiles(texts).parse();
        let short = difference(&self.version, &version);
        if let Some((old, new)) = short.and_then(|(old, new)| Some((parse(old)?, parse(new)?))) {
            *self = Self { version, whole: None };
            return Some(events::of_everyone(Some(&old), Some(&new)));
        }
        let texts = |version: &Version| -> Texts {
            version.iter().map(|(path, file)| (path.clone(), file.text().to_owned())).collect()
        };
        let new = parse(texts(&version));
        if new.is_none() && !version.is_empty() {
            return None;
        }
        let old = self.whole.take().or_else(|| parse(texts(&self.version)));
        let events = events::of_everyone(old.as_ref(), new.as_ref());
        *self = Self { version, whole: new };
        Some(events)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{ProptestConfig, any, proptest};

    use super::*;

    /// What a test edits: entries as they are written.
    #[derive(Clone, Default)]
    struct Written {
        clusters: Vec<String>,
        groups: Vec<String>,
        users: Vec<String>,
        of_part: Vec<String>,
        memberships: Vec<String>,
    }

    const KEY: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    const NAMES: [&str; 8] = ["amy", "Amy", "am", "bob", "cid", "\"\\x61my\"", "al", "x"];
    const GROUPS: [&str; 4] = ["x", "y", "al", "developers"];
    const LINES: [&str; 6] = [
        "",
        "  until: 2030-01-01\n",
        "  grants: [{clusterRole: view}]\n",
        "  clusters: [prod]\n",
        "# about am\n",
        "  csr: keys/c.csr\n",
    ];
    const GRANTS: [&str; 5] = [
        "",
        ", grants: [{clusterRole: view}]",
        ", grants: [{clusterRole: edit, namespaces: [shop]}]",
        ", inCertificate: true",
        ", joinable: [teams/p.yaml]",
    ];

    impl Written {
        fn edit(&mut self, (what, one, other, third): (u8, u8, u8, u8)) {
            fn of<'a>(all: &[&'a str], at: u8) -> &'a str {
                all[usize::from(at) % all.len()]
            }
            fn put(list: &mut Vec<String>, at: u8, entry: String) {
                let at = usize::from(at) % (list.len() + 1);
                list.insert(at, entry);
            }
            fn take(list: &mut Vec<String>, at: u8) {
                if !list.is_empty() {
                    list.remove(usize::from(at) % list.len());
                }
            }
            let user = || {
                let (name, group, lines) = (of(&NAMES, one), of(&GROUPS, other), of(&LINES, third));
                format!("- name: {name}\n  recipients: [{KEY}]\n  groups: [{group}]\n{lines}")
            };
            match what % 12 {
                0 | 1 => put(&mut self.users, third, user()),
                2 => put(&mut self.of_part, third, user()),
                3 | 4 => take(&mut self.users, one),
                5 => take(&mut self.of_part, one),
                6 | 7 => {
                    put(
                        &mut self.groups,
                        third,
                        format!("- {{name: {}{}}}\n", of(&GROUPS, one), of(&GRANTS, other)),
                    );
                }
                8 => take(&mut self.groups, one),
                9 => {
                    let terms = of(&["", ", until: 2030-01-01"], third);
                    let entry =
                        format!("- {{user: {}, group: {}{terms}}}\n", of(&NAMES, one), of(&GROUPS, other));
                    put(&mut self.memberships, third, entry);
                }
                10 => take(&mut self.memberships, one),
                _ if self.clusters.len() > 1 => take(&mut self.clusters, one),
                _ => self.clusters.push("- {name: dev}\n".to_owned()),
            }
        }

        fn version(&self) -> Texts {
            let list = |name: &str, entries: &[String]| match entries {
                [] => String::new(),
                entries => format!("{name}:\n{}", entries.concat()),
            };
            let root = format!(
                "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: acme}}\ninclude: [{{path: teams/p.yaml, may: everything}}]\n{}{}{}",
                list("clusters", &self.clusters),
                list("groups", &self.groups),
                list("users", &self.users)
            );
            let part = format!(
                "apiVersion: certctl.dev/v1\nkind: RosterPart\n{}{}",
                list("users", &self.of_part),
                list("memberships", &self.memberships)
            );
            Texts::from([(String::new(), root), ("teams/p.yaml".to_owned(), part)])
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_changed_is_read_as_the_whole_is(edits in vec(any::<(u8, u8, u8, u8)>(), 1..60)) {
            let mut written = Written { clusters: vec!["- {name: prod}\n".to_owned()], ..Written::default() };
            let mut last = LastRead::default();
            let mut whole: Option<Roster> = None;
            for edit in edits {
                let before = written.clone();
                written.edit(edit);
                let texts = written.version();
                let new = PastFiles(texts.clone()).parse();
                let expected = new.as_ref().map(|new| events::of_everyone(whole.as_ref(), Some(new)));
                let files = texts.into_iter().map(|(path, text)| (path, Rc::new(FileText::new(text))));
                let found = last.compare(files.collect());
                assert_eq!(found, expected, "{:?}", written.version());
                // Most of what is not valid is mended by the next commit.
                if new.is_none() && edit.3 % 4 > 0 {
                    written = before;
                }
                whole = new.or(whole);
            }
        }
    }

    #[test]
    fn an_edit_of_one_person_leaves_the_others_unread() {
        let mut written = Written { clusters: vec!["- {name: prod}\n".to_owned()], ..Written::default() };
        written.users = (0..50).map(|n| format!("- {{name: p-{n:02}, recipients: [{KEY}]}}\n")).collect();
        written.of_part = (50..60).map(|n| format!("- {{name: p-{n:02}, recipients: [{KEY}]}}\n")).collect();
        let read = |written: &Written| -> Version {
            let files = written.version().into_iter();
            files.map(|(path, text)| (path, Rc::new(FileText::new(text)))).collect()
        };
        let before = read(&written);
        written.users[7] = written.users[7].replace("]}", "], suspended: true}");
        let (old, new) = difference(&before, &read(&written)).expect("entries alone have changed");
        for texts in [old, new] {
            let users = texts.values().map(|text| text.matches("recipients").count()).sum::<usize>();
            assert_eq!(users, 1, "{texts:?}");
        }
        // To look for each of many names takes longer than to read all.
        written.users.iter_mut().for_each(|user| *user = user.replace("]}", "], until: 2030-01-01}"));
        written.of_part.iter_mut().for_each(|user| *user = user.replace("]}", "], until: 2030-01-01}"));
        assert!(difference(&before, &read(&written)).is_none());
    }
}
