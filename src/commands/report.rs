//! `certctl report`: the access review of the last commit, as a page or as a table. It only reads.

use std::panic;
use std::rc::Rc;
use std::thread;

use super::runtime;
use crate::access::review::AccessReview;
use crate::cli::{Global, ReportArgs, ReportFormat};
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::{DONE, FAILED};
use crate::person::checkout_file;
use crate::planning::branch_past::{self, Start};
use crate::planning::past::UNSHALLOW;
use crate::planning::source;
use crate::planning::standing::{self, KnownCluster};
use crate::render::{count, review as shown};
use crate::repo::Repo;

pub fn run(global: &Global, args: &ReportArgs, terminal: &Terminal) -> Result<u8> {
    if args.since.is_some() && args.format == ReportFormat::Csv {
        return Err(Error::usage("--since tells of changes on the page, and the table holds rights only")
            .hint("leave out `--format csv`, or `--since`"));
    }
    checkout_file::refuse_planted(&global.roster, &args.output)?;
    let repo = Rc::new(Repo::discover(&global.roster)?);
    let head = repo.head()?;
    let start = args.since.as_deref().map(|asked| Start::new(&repo, asked)).transpose()?;
    let source = source::committed_roster(global, repo, head.clone())?;
    let now = clock::now();
    // The past takes as long as the clusters, and neither waits for the other.
    let (past, standing) = thread::scope(|scope| {
        let past = scope.spawn(|| branch_past::of_everyone(&Repo::discover(&global.roster)?, start));
        let standing = match args.offline {
            true => Ok(standing::offline(&source, global, now)),
            false => {
                runtime().map(|runtime| runtime.block_on(standing::online(&source, global, now, terminal)))
            }
        };
        (past.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked)), standing)
    });
    let ((past, since), standing) = (past?, standing?);
    let ends_at = past.ends_at;
    let mut review = AccessReview::new(&source.roster, head.to_string(), past, since, now);
    for KnownCluster { name, known, planned } in standing.clusters() {
        review.add(name, known, planned);
    }
    review.clusters.sort_by_key(|cluster| cluster.name);
    let text = match args.format {
        ReportFormat::Html => shown::page(&review),
        ReportFormat::Csv => shown::csv(&review),
    };
    checkout_file::replace(&global.roster, &args.output, &text)?;
    let (people, clusters) = (count(review.people.len(), "user"), count(review.clusters.len(), "cluster"));
    terminal.say(&format!("{}: {people} on {clusters}.", args.output.display()));
    if let Some(at) = ends_at {
        terminal.warning(&Error::new(format!("what began before {at} has no commit")).hint(UNSHALLOW));
    }
    standing.errors.iter().for_each(|error| terminal.error(error));
    Ok(if standing.errors.is_empty() { DONE } else { FAILED })
}
