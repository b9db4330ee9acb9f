//! What the commits of the branch itself changed, of everybody and every group, for an access review.
//!
//! Of a version of the roster, only what it changed is read, where that can be told. An earlier version may break a
//! rule that came later, or never have been valid. It is passed over: what it changed is told with the next version
//! that can be read. So is a record.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::past::{PastFiles, parts_of, text_of};
use crate::access::beginnings::CommitIndex;
use crate::access::events::{self, LifeEvent, Records};
use crate::access::review::{BranchPast, PastCommit, ReviewStart};
use crate::error::Result;
use crate::model::UserName;
use crate::record::{self, Record};
use crate::repo::Repo;
use crate::repo::history::{BlobId, BranchCommit, ChangedRecord, CommitInfo, Files};
use crate::roster::Roster;
use crate::roster::difference::{FileText, Texts, Version, difference};

/// What the commits of the branch changed, and which of them are beyond a day, a time or a revision: of those, what
/// they changed in the records too.
///
/// # Errors
/// git cannot tell, `since` is none of these, or a shallow clone does not hold it.
pub fn of_everyone(repo: &Repo, since: Option<&str>) -> Result<(BranchPast, Option<ReviewStart>)> {
    let start = since.map(|asked| Start::new(repo, asked)).transpose()?;
    let is_beyond = |commit: &CommitInfo| start.as_ref().is_some_and(|start| start.is_before(commit));
    let included = RefCell::new(HashMap::new());
    let parts_of = |blob: BlobId| parts_of(repo, blob, &mut included.borrow_mut());
    let mainline = repo.mainline(&parts_of, &is_beyond)?;
    let mut past = BranchPast { ends_at: mainline.ends_at, ..BranchPast::default() };
    let mut roster = LastRead::default();
    roster.next(repo, mainline.beginning)?;
    let mut records = PastRecords::default();
    let mut beyond = BTreeSet::new();
    for BranchCommit { commit, roster: files, records: changed } in mainline.commits {
        let index = CommitIndex(past.commits.len());
        let mut events = match files {
            Some(files) => roster.next(repo, files)?,
            None => Vec::new(),
        };
        for record in &changed {
            events.extend(records.events(repo, record)?);
        }
        past.events.extend(events.into_iter().map(|event| (event, index)));
        if is_beyond(&commit) {
            beyond.insert(index);
        }
        let CommitInfo { id, at, author, committer, is_merge } = commit;
        past.commits.push(PastCommit { id: id.to_string(), at, author, committer, is_merge });
    }
    let asked = since.map(|asked| ReviewStart { asked: asked.to_owned(), commits: beyond });
    Ok((past, asked))
}

/// Where a review begins.
enum Start {
    At(Timestamp),
    /// After a revision: at these commits.
    Before(BTreeSet<String>),
}

impl Start {
    fn new(repo: &Repo, asked: &str) -> Result<Self> {
        // A day begins at midnight, UTC.
        let day = || asked.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
        match asked.parse::<Timestamp>().ok().or_else(day) {
            Some(begin) => Ok(Self::At(begin)),
            None => repo.commits_since(asked).map(Self::Before),
        }
    }

    fn is_before(&self, commit: &CommitInfo) -> bool {
        match self {
            Self::At(begin) => commit.at >= *begin,
            Self::Before(commits) => commits.contains(commit.id.as_str()),
        }
    }
}

/// The last version of the roster that could be read; none at first.
#[derive(Default)]
struct LastRead {
    files: Files,
    version: Version,
    /// What it says, where all of it was read.
    whole: Option<Roster>,
}

impl LastRead {
    /// What the version of these files changed.
    fn next(&mut self, repo: &Repo, files: Files) -> Result<Vec<LifeEvent>> {
        let mut version = Version::new();
        let mut size = 0;
        for (path, blob) in &files {
            let known = self.version.get(path).filter(|_| self.files.get(path) == Some(blob));
            let file = match known {
                Some(known) => {
                    size += known.text().len();
                    Rc::clone(known)
                }
                None => match text_of(repo, *blob, &mut size)? {
                    Some(text) => Rc::new(FileText::new(text)),
                    None => return Ok(Vec::new()),
                },
            };
            version.insert(path.clone(), file);
        }
        let Some(events) = self.compare(version) else { return Ok(Vec::new()) };
        self.files = files;
        Ok(events)
    }

    /// What this version changed; `None` where it is not valid, and nothing is.
    fn compare(&mut self, version: Version) -> Option<Vec<LifeEvent>> {
        let parse = |texts: Texts| PastFiles(texts).parse();
        let short = difference(&self.version, &version);
        if let Some((old, new)) = short.and_then(|(old, new)| Some((parse(old)?, parse(new)?))) {
            *self = Self { version, whole: None, files: Files::new() };
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
        *self = Self { version, whole: new, files: Files::new() };
        Some(events)
    }
}

/// The records that a later commit may have changed: what one leaves is what the next begins with.
#[derive(Default)]
struct PastRecords(HashMap<BlobId, Option<Record>>);

impl PastRecords {
    fn events(&mut self, repo: &Repo, changed: &ChangedRecord) -> Result<Vec<LifeEvent>> {
        let ChangedRecord { cluster, user, before, after } = changed;
        let of = |record: Option<Record>| -> Option<Records> {
            let record = record.filter(|record| record.cluster == *cluster && record.user == *user)?;
            Some(BTreeMap::from([(cluster.clone(), record.credentials)]))
        };
        let before = match before {
            None => Some(Records::new()),
            Some(blob) => match self.0.remove(blob) {
                Some(known) => of(known),
                None => of(read_record(repo, *blob, user)?),
            },
        };
        let after = match after {
            None => Some(Records::new()),
            Some(blob) => {
                let record = read_record(repo, *blob, user)?;
                self.0.insert(*blob, record.clone());
                of(record)
            }
        };
        let both = before.zip(after);
        Ok(both.map(|(before, after)| events::of_records(user, &before, &after)).unwrap_or_default())
    }
}

/// A record as it is written: whether its certificates agree with it is asked of those that count now.
fn read_record(repo: &Repo, blob: BlobId, user: &UserName) -> Result<Option<Record>> {
    let Some(bytes) = repo.content(blob, record::LARGEST)? else { return Ok(None) };
    let text = String::from_utf8(bytes).ok();
    Ok(text.and_then(|text| record::from_yaml(user.as_str(), &text).ok()))
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
