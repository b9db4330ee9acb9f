//! `certctl revoke`: cuts one user off now, with only a kubeconfig.

use std::fmt::Write as _;

use crate::apply::emergency::{self, Emergency};
use crate::cli::{Global, RevokeArgs};
use crate::clock;
use crate::cluster::{self, Connection};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::interrupt::Interrupt;
use crate::model::{RosterName, UserName};
use crate::plan::emergency::{Hold, by_name, holds};
use crate::plan::observed::{BindingAt, SeenLedger};
use crate::planning::source;
use crate::render::count;

pub async fn run(global: &Global, args: &RevokeArgs, terminal: &Terminal) -> Result<u8> {
    if !args.auto_approve && !terminal.can_ask() {
        return Err(Error::usage("there is no terminal to ask on, so nothing was done")
            .hint("to cut them off without a question, run `certctl revoke USER --auto-approve`"));
    }
    let emergency =
        Emergency { user: args.user.clone(), credential: args.credential.clone(), now: clock::now() };
    let Asked { contexts, roster } = asked(global, args, terminal)?;
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for context in contexts {
        match look(global, &context, roster.clone(), args).await {
            Ok(one) => found.push(one),
            Err(error) => errors.push(error.within(&context)),
        }
    }
    if !found.is_empty() {
        let question: String = found.iter().map(|one| one.question(args)).collect();
        if args.auto_approve {
            terminal.say(question.trim_end());
        } else {
            let (_, interrupt) = Interrupt::new();
            let question = format!("{}\nDo this? Only `yes` is accepted:", question.trim_end());
            if !terminal.ask(&question, &interrupt).await {
                return Err(Error::new("nothing was changed"));
            }
        }
    }
    for one in &found {
        let BoundThere { connection, roster, ledger, holds, .. } = one;
        let done = match args.undo {
            true => emergency::let_in_again(connection, roster, ledger, &emergency).await,
            false => emergency::cut_off(connection, roster, ledger, holds, &emergency).await,
        };
        match done {
            Ok(()) => terminal.say(one.done(args).trim_end()),
            Err(error) => errors.push(error.within(&one.context)),
        }
    }
    Error::all(errors).map_or(Ok(DONE), Err)
}

/// Where to look, and for whose credentials, as far as that is known without a cluster.
struct Asked {
    contexts: Vec<String>,
    roster: Option<RosterName>,
}

/// A valid roster says it; without one, the kubeconfig does.
fn asked(global: &Global, args: &RevokeArgs, terminal: &Terminal) -> Result<Asked> {
    match source::roster(global) {
        Ok(source) => {
            let contexts = source.clusters(global).map(|(_, cluster)| cluster.context.clone()).collect();
            let roster = args.roster_name.clone().unwrap_or_else(|| source.roster.name.clone());
            Ok(Asked { contexts, roster: Some(roster) })
        }
        Err(error) => {
            terminal.detail(&format!("Without a roster: {}", error.message()));
            let contexts = match global.clusters.is_empty() {
                true => vec![cluster::current_context(global.kubeconfig.as_deref())?],
                false => global.clusters.iter().map(ToString::to_string).collect(),
            };
            Ok(Asked { contexts, roster: args.roster_name.clone() })
        }
    }
}

/// What there is on one cluster.
struct BoundThere {
    context: String,
    connection: Connection,
    roster: RosterName,
    ledger: SeenLedger,
    holds: Vec<Hold>,
    by_name: Vec<BindingAt>,
}

async fn look(
    global: &Global,
    context: &str,
    roster: Option<RosterName>,
    args: &RevokeArgs,
) -> Result<BoundThere> {
    // Whoever has the rights: administrators may have them by certctl alone.
    let connection =
        Connection::open_as_anybody(global.kubeconfig.as_deref(), context, global.request_timeout).await?;
    let roster = match roster {
        Some(roster) => roster,
        None => only_roster(&connection).await?,
    };
    let ledger = cluster::read_ledger(&connection, &roster).await;
    let state = cluster::observe(&connection).await?;
    let holds = match args.undo {
        true => Vec::new(),
        false => holds(&state, &roster, ledger.known(), &args.user, args.credential.as_ref()),
    };
    let by_name = by_name(&state, &args.user).cloned().collect();
    Ok(BoundThere { context: context.to_owned(), connection, roster, ledger, holds, by_name })
}

/// The roster that the cluster knows, where it knows one.
async fn only_roster(connection: &Connection) -> Result<RosterName> {
    let mut known = cluster::rosters(connection).await?.into_iter();
    let named = |fact: String| {
        Error::new(fact).hint("name the roster, its `metadata.name`, with `--roster-name NAME`")
    };
    match (known.next(), known.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(named("the cluster remembers no roster; nothing was changed".to_owned())),
        (Some(one), Some(other)) => Err(named(format!(
            "the cluster remembers rosters `{one}`, `{other}` and perhaps more; nothing was changed"
        ))),
    }
}

impl BoundThere {
    fn question(&self, args: &RevokeArgs) -> String {
        let Self { context, roster, holds, .. } = self;
        let user = &args.user;
        let mut text = format!("Context {context}, roster {roster}:\n");
        if args.undo {
            let _ = writeln!(
                text,
                "  {user} is let in again by the next apply, with a new credential, if the roster names them."
            );
            return text;
        }
        for Hold { binding, groups } in holds {
            for group in groups {
                let _ = writeln!(text, "  - {group} leaves {}", binding.at);
            }
        }
        if holds.is_empty() {
            let _ = writeln!(text, "  no binding names a credential of theirs");
        }
        if args.credential.is_none() {
            let _ = writeln!(
                text,
                "  {user} is kept out until they are off the roster, or `certctl revoke --undo {user}`"
            );
        }
        text
    }

    /// What was done, and what is left.
    fn done(&self, args: &RevokeArgs) -> String {
        let Self { context, holds, by_name, .. } = self;
        let user: &UserName = &args.user;
        if args.undo {
            return format!("Context {context}: {user} is let in again by the next apply.");
        }
        let mut text = format!(
            "Context {context}: cut off in {}. A watch, exec or port-forward that is open goes on until the API server ends it, \
             and so does what a group in the certificate gives until the certificate expires.\n",
            count(holds.len(), "binding")
        );
        for at in by_name {
            let _ = writeln!(
                text,
                "{at} names user {user}: every certificate of theirs keeps these rights. Remove it, if it is to go."
            );
        }
        let _ = match args.credential {
            None => writeln!(
                text,
                "The next apply keeps {user} out and records it; an apply that runs at this moment may not: then run this again. \
                 Take {user} off the roster."
            ),
            Some(_) => {
                writeln!(text, "The next apply issues {user} a new credential, if the roster names them.")
            }
        };
        text
    }
}
