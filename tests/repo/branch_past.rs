//! An access review reads of each commit only what it changed, and of a long branch several stretches at once. Here
//! that is compared with reading all of every commit, over histories that are made up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use certctl::access::events::{self, LifeEvent, Records};
use certctl::error::{Error, Result};
use certctl::model::{ClusterName, RepoPath, UserName};
use certctl::planning::branch_past::{self, Start};
use certctl::record::{self, Credential, CredentialState, Record};
use certctl::roster::{self, Roster, RosterParts};
use certctl::seal;
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};

use crate::history::{RECIPIENT, credential};
use crate::workspace::*;

/// What a commit holds, by path.
type Held = BTreeMap<String, String>;

/// What a commit of the branch is made of.
#[derive(Clone, Default)]
struct Written {
    users: BTreeMap<u8, String>,
    of_part: BTreeMap<u8, String>,
    /// How many grants each group has.
    groups: [u8; 3],
    includes: bool,
    is_broken: bool,
    is_gone: bool,
    /// Which credentials each record holds.
    records: BTreeMap<&'static str, u8>,
    notes: u8,
}

const RECORDS: [&str; 4] =
    ["access/prod/u1.yaml", "access/prod-eu/u1.yaml", "access/prod/u2.yaml", "access/prod/readme.yaml"];

impl Written {
    fn edit(&mut self, (what, which, how): (u8, u8, u8)) {
        let which = which % 12;
        let user = || {
            let (group, more) =
                (how % 3, ["", ", suspended: true", ", until: 2030-01-01"][usize::from(how / 3) % 3]);
            format!("- {{name: u{which}, recipients: [{RECIPIENT}], groups: [g{group}]{more}}}\n")
        };
        match what % 16 {
            0..=3 => drop(self.users.insert(which, user())),
            4 => drop(self.users.remove(&which)),
            // Whoever is in both files makes the roster wrong.
            5 | 6 => drop(self.of_part.insert(which, user())),
            7 => drop(self.of_part.remove(&which)),
            8 | 9 => self.groups[usize::from(which % 3)] = how % 3,
            10 => self.includes = how % 3 > 0,
            11 => self.is_broken = how % 3 == 0,
            12 => self.is_gone = how % 4 == 0,
            13 => drop(self.records.insert(RECORDS[usize::from(which % 4)], how % 16)),
            14 if how % 3 == 0 => self.records.clear(),
            14 => self.records.extend([(RECORDS[0], how % 8), (RECORDS[1], how / 8 % 8)]),
            _ => self.notes = how,
        }
    }

    fn held(&self, credentials: &[Credential]) -> Held {
        let mut held = Held::from([("README".to_owned(), format!("{}\n", self.notes))]);
        let mut text = "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {name: acme}\nclusters:\n- {name: prod}\n- {name: prod-eu}\n".to_owned();
        if self.includes {
            text += "include: [{path: teams/*.yaml, may: everything}]\n";
        }
        text += "groups:\n";
        for (number, grants) in self.groups.iter().enumerate() {
            let grants = ["view", "edit"].iter().take(usize::from(*grants));
            let grants: Vec<String> = grants.map(|role| format!("{{clusterRole: {role}}}")).collect();
            let _ = writeln!(text, "- {{name: g{number}, grants: [{}]}}", grants.join(", "));
        }
        let users = |of: &BTreeMap<u8, String>| match of.is_empty() {
            true => String::new(),
            false => format!("users:\n{}", of.values().cloned().collect::<String>()),
        };
        text += &users(&self.users);
        if self.is_broken {
            text += "users: [\n";
        }
        if !self.is_gone {
            held.insert("users.yaml".to_owned(), text);
        }
        let part = format!("apiVersion: certctl.dev/v1\nkind: RosterPart\n{}", users(&self.of_part));
        held.insert("teams/p.yaml".to_owned(), part);
        for (path, which) in &self.records {
            // The second half is of somebody else, or of a wrong checksum.
            let user = if which & 4 == 0 { "u1" } else { "u2" };
            let cluster = if path.contains("-eu") { "prod-eu" } else { "prod" };
            let credentials = credentials.iter().enumerate().filter(|(n, _)| which >> n & 1 == 1 && *n < 2);
            let record = Record {
                api_version: "certctl.dev/v1".into(),
                kind: "Record".into(),
                cluster: cluster.parse().unwrap(),
                user: user.parse().unwrap(),
                credentials: credentials.map(|(_, credential)| credential.clone()).collect(),
            };
            let text = record::to_yaml(&record).unwrap();
            held.insert((*path).to_owned(), if which & 8 == 0 { text } else { text + "#\n" });
        }
        held
    }
}

struct Parts<'a>(&'a Held);

impl RosterParts for Parts<'_> {
    fn list(&self, folder: &str) -> Result<Option<Vec<String>>> {
        let names = self.0.keys().filter_map(|path| path.strip_prefix(folder)?.strip_prefix('/'));
        Ok(Some(names.map(ToOwned::to_owned).collect()))
    }

    fn read(&self, path: &RepoPath) -> Result<String> {
        self.0.get(path.as_str()).cloned().ok_or_else(|| Error::new("not there"))
    }

    fn shown(&self, path: &RepoPath) -> String {
        path.to_string()
    }

    fn is_roster(&self, _: &RepoPath) -> bool {
        false
    }
}

/// All of a commit is read, and compared with all of the last one that could be.
fn by_reading_everything(history: &[Held]) -> Vec<(usize, LifeEvent)> {
    let nothing = Held::new();
    let mut told = Vec::new();
    let mut last: Option<Roster> = None;
    for (number, held) in history.iter().enumerate() {
        let of =
            |text: &String| roster::parse_with_parts("", text, &seal::parse_recipient, &Parts(held)).ok();
        let roster = held.get("users.yaml").map(of);
        if let None | Some(Some(_)) = roster {
            let roster = roster.flatten().map(Roster::without_positions);
            let events = events::of_everyone(last.as_ref(), roster.as_ref());
            told.extend(events.into_iter().map(|event| (number, event)));
            last = roster;
        }
        let before = number.checked_sub(1).map_or(&nothing, |before| &history[before]);
        let paths: BTreeSet<(ClusterName, UserName)> = [before, held]
            .into_iter()
            .flat_map(|held| held.keys())
            .filter_map(|path| {
                let (cluster, file) = path.strip_prefix("access/")?.split_once('/')?;
                Some((cluster.parse().ok()?, file.strip_suffix(".yaml")?.parse().ok()?))
            })
            .collect();
        for (cluster, user) in paths {
            let records = |held: &Held| -> Option<Records> {
                let Some(text) = held.get(&format!("access/{cluster}/{user}.yaml")) else {
                    return Some(Records::new());
                };
                let record: Record = record::from_yaml("", text).ok()?;
                let is_theirs = record.cluster == cluster && record.user == user;
                is_theirs.then(|| Records::from([(cluster.clone(), record.credentials)]))
            };
            let events = records(before).zip(records(held));
            let events = events.map(|(before, after)| events::of_records(&user, &before, &after));
            told.extend(events.unwrap_or_default().into_iter().map(|event| (number, event)));
        }
    }
    told
}

/// A minute apart from this second on.
const FIRST: i64 = 1_700_000_000;

/// Every fifth commit merges a branch that held something else meanwhile.
fn import(clone: &Clone, history: &[Held]) {
    let mut stream = String::new();
    let mut add = |number: usize, branch: &str, marks: &str, held: &Held| {
        let at = FIRST + number as i64 * 60;
        let _ = write!(
            stream,
            "commit refs/heads/{branch}\nmark :{}\n",
            number * 2 + usize::from(branch == "main") + 1
        );
        let _ = write!(stream, "committer Ann <ann@example.com> {at} +0000\ndata 0\n{marks}deleteall\n");
        for (path, text) in held {
            let _ = write!(stream, "M 100644 inline {path}\ndata {}\n{text}\n", text.len());
        }
    };
    for (number, held) in history.iter().enumerate() {
        let mark = number * 2 + 1;
        match number.checked_sub(1) {
            Some(before) if number % 5 == 0 => {
                add(number, "side", &format!("from :{}\n", mark - 1), &history[before / 2]);
                add(number, "main", &format!("from :{}\nmerge :{mark}\n", mark - 1), held);
            }
            Some(_) => add(number, "main", &format!("from :{}\n", mark - 1), held),
            None => add(number, "main", "", held),
        }
    }
    let mut git = Command::new("git");
    let git = git.current_dir(&clone.0).args(["fast-import", "--quiet", "--force"]).stdin(Stdio::piped());
    let mut git = git.spawn().unwrap();
    git.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(git.wait().unwrap().success(), "{stream}");
}

stories! {
    fn what_is_read_of_a_branch_is_all_that_it_changed(workspace: &Workspace) {
        let credentials = [1, 2].map(|month| credential(month, CredentialState::Active));
        let mut runner = TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
        // Long enough for two stretches, as more cores would take more of them.
        let edits = vec(any::<(u8, u8, u8)>(), 66..110);
        runner.run(&edits, |edits| {
            let folder = tempfile::tempdir_in(&workspace.0).unwrap();
            let clone = Clone(folder.path().to_owned());
            clone.git("init -q");
            let mut written = Written::default();
            let history: Vec<Held> = edits
                .into_iter()
                .map(|edit| {
                    written.edit(edit);
                    written.held(&credentials)
                })
                .collect();
            import(&clone, &history);
            let repo = Repo::discover(&clone.0.join("users.yaml")).unwrap();
            let (past, since) = branch_past::of_everyone(&repo, Some(Start::new(&repo, "2000-01-01").unwrap())).unwrap();
            assert_eq!(since.unwrap().commits.len(), past.commits.len());
            let of = |index: usize| (past.commits[index].at.as_second() - FIRST) / 60;
            let found: Vec<(usize, LifeEvent)> =
                past.events.iter().map(|(event, index)| (of(index.0) as usize, event.clone())).collect();
            assert_eq!(found, by_reading_everything(&history));
            Ok(())
        }).unwrap();
    }
}
