//! `certctl plan`: reads, diffs, prints. Nothing it calls can write.

use crate::ci::github_actions;
use crate::cli::{Global, PlanArgs, PlanFormat};
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::{CHANGES, DONE};
use crate::person::checkout_file;
use crate::plan::digest::{self, Digested};
use crate::plan::{Plan, safety};
use crate::planning::branch_base;
use crate::planning::cluster_run::ClusterRun;
use crate::planning::clusters::{self, OnlyRead, Planned};
use crate::planning::source::{self, Source};
use crate::render::markdown::{self, PlanStatus};
use crate::render::{Style, json, text, words};
use crate::repo::Repo;

pub async fn run(global: &Global, args: &PlanArgs, terminal: &Terminal) -> Result<u8> {
    let shown = look(global, args, terminal).await;
    let markdown = |limit| match &shown {
        Ok(shown) => shown.markdown(limit),
        Err(error) => markdown::failure(error, limit),
    };
    let text = |format, style| match (format, &shown) {
        // Where there is no plan, a comment on a pull request has to say so.
        (PlanFormat::Markdown, _) => Some(markdown(markdown::LONGEST_COMMENT)),
        (PlanFormat::Text, Ok(shown)) => Some(text::render(&shown.plan, &shown.digest, style)),
        (PlanFormat::Json, Ok(shown)) => {
            Some(json::text(&json::document(&shown.plan, &shown.digest, shown.digested.clone())))
        }
        (PlanFormat::Text | PlanFormat::Json, Err(_)) => None,
    };
    if let Some(text) = text(args.format, terminal.style()) {
        match args.format {
            PlanFormat::Text => terminal.show(&text)?,
            PlanFormat::Json | PlanFormat::Markdown => terminal.show_document(&text)?,
        }
    }
    for (format, file) in &args.save {
        let Some(text) = text(*format, Style::default()) else { continue };
        checkout_file::refuse_planted(&global.roster, file)?;
        std::fs::write(file, text).map_err(|cause| {
            Error::new(format!("the plan could not be written to {}", file.display())).caused_by(cause)
        })?;
    }
    if terminal.on_github()
        && let Err(error) = github_actions::summarize(markdown)
    {
        terminal.say(&format!("The plan is not in the step summary, which could not be written: {error}."));
    }
    let ShownPlan { plan, failed, withheld, .. } = shown?;
    if let Some(error) = failed {
        return Err(error);
    }
    // What a branch newly holds back is a mistake in it, such as a typo in a role.
    if plan.base.is_some()
        && let Some(error) = Error::all(words::all_held(&plan))
    {
        return Err(error);
    }
    // Said now, so that a reviewer sees what apply would not do.
    if let Some(withheld) = withheld {
        terminal.warning(&withheld);
    }
    let changes = !plan.is_empty() || plan.withholds();
    Ok(if args.detailed_exitcode && changes { CHANGES } else { DONE })
}

/// A plan, and what is said with it.
struct ShownPlan {
    /// All of it, or what a branch changes.
    plan: Plan,
    /// Of all of it.
    digest: String,
    digested: Digested,
    failed: Option<Error>,
    withheld: Option<Error>,
    /// Where the git host shows what became of a record.
    history: Option<String>,
}

impl ShownPlan {
    fn markdown(&self, limit: usize) -> String {
        let (failed, withheld) = (self.failed.as_ref(), self.withheld.as_ref());
        markdown::render(
            &self.plan,
            PlanStatus { digest: &self.digest, failed, withheld, history: self.history.as_deref() },
            limit,
        )
    }
}

/// # Errors
/// Nothing at all could be planned.
async fn look(global: &Global, args: &PlanArgs, terminal: &Terminal) -> Result<ShownPlan> {
    let source = source::roster(global)?;
    source.refuse_forgotten_clusters()?;
    Repo::refuse_unsupported(&global.roster)?;
    // A roster that is not in git yet can be planned, only not applied.
    let commit = Repo::discover(&global.roster).and_then(|repo| repo.head()).ok().map(|id| id.to_string());
    let now = clock::now();
    if args.offline {
        let planned = clusters::offline(&source, global, commit, now);
        shown(&source, global, args, planned)
    } else {
        let planned = clusters::make(&source, global, commit, now, &OnlyRead, terminal).await;
        shown(&source, global, args, planned)
    }
}

fn shown(
    source: &Source,
    global: &Global,
    args: &PlanArgs,
    mut planned: Planned<impl ClusterRun>,
) -> Result<ShownPlan> {
    let failed = Error::all(std::mem::take(&mut planned.errors));
    let failed = match failed {
        Some(error) if planned.runs.is_empty() => return Err(error),
        failed => failed,
    };
    // The digest names what roster and records ask for; it is the same once that is acknowledged.
    let whole = planned.plan();
    let digested = digest::digested(&whole);
    let digest = digest::digest_from(&whole, &digested);
    let withheld = safety::withheld(&source.roster, &whole);
    let plan = match &args.base {
        // What a branch changes is shown whole, whoever has to acknowledge it.
        Some(revision) => branch_base::compare(source, global, &planned, revision)?,
        None => {
            withheld.iter().for_each(|withheld| planned.withhold(withheld));
            planned.plan()
        }
    };
    let history = Repo::discover(&global.roster).ok().and_then(|repo| repo.history_pages());
    Ok(ShownPlan {
        plan,
        digest,
        digested,
        failed,
        withheld: withheld.as_ref().map(words::withheld),
        history,
    })
}
