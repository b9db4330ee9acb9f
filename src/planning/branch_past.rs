//! What the commits of the branch itself changed, of everybody and every group, for an access review.
//!
//! A record of which a version cannot be read is passed over, as such a roster is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZero;
use std::ops::Range;
use std::panic;
use std::thread;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::past_rosters::PastRosters;
use crate::access::beginnings::CommitIndex;
use crate::access::events::{self, LifeEvent, Records};
use crate::access::review::{BranchPast, PastCommit, ReviewStart};
use crate::error::Result;
use crate::model::UserName;
use crate::record::{self, Record};
use crate::repo::Repo;
use crate::repo::history::{BlobId, BranchCommit, ChangedRecord, CommitInfo, CommitTree, Mainline};

/// So many commits are not worth a thread of their own.
const SHORTEST_SPAN: usize = 32;

/// What the commits of the branch changed, and which of them are beyond the start of a review: of those, what they
/// changed in the records too.
///
/// # Errors
/// git cannot tell.
pub fn of_everyone(repo: &Repo, start: Option<Start>) -> Result<(BranchPast, Option<ReviewStart>)> {
    let mainline = repo.mainline()?;
    let branch = Branch { mainline: &mainline, start: start.as_ref() };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let events = branch.events(repo, mainline.commits.len().div_ceil(threads).max(SHORTEST_SPAN))?;
    let mut past = BranchPast { ends_at: mainline.ends_at, ..BranchPast::default() };
    let mut beyond = BTreeSet::new();
    for (BranchCommit { commit, .. }, events) in mainline.commits.iter().zip(events) {
        if events.is_empty() {
            continue;
        }
        let index = CommitIndex(past.commits.len());
        past.events.extend(events.into_iter().map(|event| (event, index)));
        if branch.is_beyond(commit) {
            beyond.insert(index);
        }
        let CommitInfo { id, at, author, committer, is_merge } = commit.clone();
        past.commits.push(PastCommit { id: id.to_string(), at, author, committer, is_merge });
    }
    let start = start.map(|Start { asked, .. }| ReviewStart { asked, commits: beyond });
    Ok((past, start))
}

/// The commits, and where a review of them begins.
#[derive(Clone, Copy)]
struct Branch<'a> {
    mainline: &'a Mainline,
    start: Option<&'a Start>,
}

impl Branch<'_> {
    fn is_beyond(self, commit: &CommitInfo) -> bool {
        self.start.is_some_and(|start| start.is_before(commit))
    }

    /// What each commit changed. So many in a row are read by one thread.
    fn events(self, repo: &Repo, in_a_row: usize) -> Result<Vec<Vec<LifeEvent>>> {
        let all = self.mainline.commits.len();
        let spans = (0..all).step_by(in_a_row).map(|begin| begin..all.min(begin + in_a_row));
        let roster = &repo.roster_dir().join(repo.roster());
        let of_spans = thread::scope(|scope| {
            let reading = |span| scope.spawn(move || self.events_of(&Repo::discover(roster)?, span));
            let threads: Vec<_> = spans.map(reading).collect();
            let ended = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
            };
            threads.into_iter().map(ended).collect::<Result<Vec<_>>>()
        });
        Ok(of_spans?.into_iter().flatten().collect())
    }

    fn events_of(self, repo: &Repo, span: Range<usize>) -> Result<Vec<Vec<LifeEvent>>> {
        let mut rosters = PastRosters::new(repo);
        // What is told of the first is what it changed of the last one before it that can be read.
        for before in (0..=span.start).rev() {
            match self.before(before) {
                Some(at) if !rosters.begin(at)? => {}
                _ => break,
            }
        }
        let mut records = PastRecords::default();
        let mut told = Vec::new();
        for index in span {
            let BranchCommit { commit, at } = &self.mainline.commits[index];
            let mut events = rosters.next(at)?;
            if self.is_beyond(commit) {
                for record in &repo.changed_records(self.before(index), at)? {
                    events.extend(records.events(repo, record)?);
                }
            }
            told.push(events);
        }
        Ok(told)
    }

    /// What was there before a commit.
    fn before(&self, index: usize) -> Option<&CommitTree> {
        match index.checked_sub(1) {
            Some(before) => Some(&self.mainline.commits[before].at),
            None => self.mainline.beginning.as_ref(),
        }
    }
}

/// Where a review begins.
pub struct Start {
    /// As it was asked for.
    asked: String,
    begins: Begins,
}

enum Begins {
    At(Timestamp),
    /// After a revision: at these commits.
    With(BTreeSet<String>),
}

impl Start {
    /// At a day, at a time, or after a revision.
    ///
    /// # Errors
    /// It is none of these, or a shallow clone does not hold it.
    pub fn new(repo: &Repo, asked: &str) -> Result<Self> {
        // A day begins at midnight, UTC.
        let day = || asked.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
        let begins = match asked.parse::<Timestamp>().ok().or_else(day) {
            Some(begin) => Begins::At(begin),
            None => Begins::With(repo.commits_since(asked)?),
        };
        Ok(Self { asked: asked.to_owned(), begins })
    }

    fn is_before(&self, commit: &CommitInfo) -> bool {
        match &self.begins {
            Begins::At(begin) => commit.at >= *begin,
            Begins::With(commits) => commits.contains(commit.id.as_str()),
        }
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
