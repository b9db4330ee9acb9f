//! `certctl explain`: what a user may do on each cluster, and through what. It only reads.

use crate::access::explain;
use crate::access::question::Question;
use crate::access::rights::{self, ClusterRoster};
use crate::cli::{ExplainArgs, Format, Global};
use crate::clock;
use crate::cluster::{self, Verdict};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::{DONE, FAILED};
use crate::model::{ClusterName, UserName};
use crate::plan::RepositoryState;
use crate::plan::observed::ClusterState;
use crate::planning::connect;
use crate::planning::source::{self, Source};
use crate::rbac::{AccessRequest, Requester};
use crate::render::explain::{self as shown, ExplainDocument};
use crate::render::json;
use crate::roster::{Cluster, nearest};

pub async fn run(global: &Global, args: &ExplainArgs, terminal: &Terminal) -> Result<u8> {
    let source = source::roster(global)?;
    let question = question(args, terminal)?;
    let clusters = clusters(&source, global, &args.user)?;
    if args.format == Format::Json && clusters.len() > 1 {
        let names: Vec<&str> = clusters.iter().map(|(name, ..)| name.as_str()).collect();
        return Err(Error::usage("JSON explains one cluster at a time")
            .hint(format!("name one of {} with `--cluster`", names.join(", "))));
    }
    let now = clock::now();
    let looked = clusters.iter().map(|(name, cluster, repository)| {
        let credential = rights::credential(repository.records.get(&args.user), now);
        let requester = rights::requester(&args.user, credential);
        let (source, question) = (&source, question.as_ref());
        async move {
            let asked = question.map(|request| (requester, request));
            look(source, global, name, cluster, asked).await
        }
    });
    let looked = futures::future::join_all(looked).await;
    let several = clusters.len() > 1;
    let mut errors = Vec::new();
    for ((name, _, repository), looked) in clusters.iter().zip(looked) {
        let here = ClusterRoster { roster: &source.roster, cluster: name, now };
        let (text, document, error) = match looked {
            Ok((state, says)) => {
                let request = question.as_ref();
                let explanation = explain::explain(here, repository, &state, &args.user, request);
                let (says, error) = match says.transpose() {
                    Ok(says) => (says, None),
                    Err(error) => (None, Some(error)),
                };
                let says = says.map(|Verdict { allowed, reason }| shown::ClusterAnswer { allowed, reason });
                let says = says.as_ref();
                let (rules, style) = (global.verbose, terminal.style());
                let text = shown::text(name, &explanation, request, says, rules, style);
                (text, shown::document(name, &explanation, request, says), error)
            }
            Err(error) => {
                let granted = explain::by_roster(here, repository, &args.user);
                let text = shown::text_by_roster(name, &granted, terminal.style());
                (text, shown::document_by_roster(name, &granted), Some(error))
            }
        };
        match args.format {
            Format::Text => terminal.show(&text)?,
            Format::Json => {
                let error = error.as_ref().map(|error| error.message().to_owned());
                terminal.show_document(&json::text(&ExplainDocument { error, ..document }))?;
            }
        }
        errors.extend(
            error.map(|error| if several { error.within(&format!("cluster {name}")) } else { error }),
        );
    }
    errors.iter().for_each(|error| terminal.error(error));
    Ok(if errors.is_empty() { DONE } else { FAILED })
}

fn question(args: &ExplainArgs, terminal: &Terminal) -> Result<Option<AccessRequest>> {
    let (Some(verb), Some(resource)) = (&args.verb, &args.resource) else { return Ok(None) };
    let question = Question::parse(verb, resource, args.name.as_deref(), args.namespace.as_ref())
        .map_err(|why| Error::usage(format!("`{}` {why}", resource.escape_default())))?;
    if !question.known_verb {
        let meant =
            question.nearest_verb.map_or(String::new(), |nearest| format!("; did you mean `{nearest}`?"));
        terminal.say(&format!("`{}` is no verb of Kubernetes itself{meant}", verb.escape_default()));
    }
    if question.ignored_namespace {
        terminal.say(&format!("{resource} are in no namespace, so --namespace does not count"));
    }
    Ok(Some(question.request))
}

/// The clusters on which somebody has or had access, of those that the command is about, with what the repository
/// knows of each.
///
/// # Errors
/// Neither roster nor records know them.
fn clusters<'s>(
    source: &'s Source,
    global: &'s Global,
    user: &UserName,
) -> Result<Vec<(&'s ClusterName, &'s Cluster, RepositoryState)>> {
    let person = source.roster.users.get(user);
    let mut all = Vec::new();
    for (name, cluster) in source.clusters(global) {
        all.push((name, cluster, source.known(name)?));
    }
    let recorded: Vec<&UserName> = all.iter().flat_map(|(_, _, known)| known.records.keys()).collect();
    if person.is_none() && !recorded.contains(&user) {
        let known = source.roster.users.keys().chain(recorded).map(UserName::as_str);
        let error = Error::new(format!("{} and the records know no user `{user}`", source.file));
        return Err(match nearest(user.as_str(), known) {
            Some(nearest) => error.hint(format!("did you mean `{nearest}`?")),
            None => error,
        });
    }
    let named = !global.clusters.is_empty();
    let counts = |name: &ClusterName, known: &RepositoryState| {
        named
            || person.is_some_and(|person| person.clusters.contains(name))
            || known.records.contains_key(user)
    };
    Ok(all.into_iter().filter(|(name, _, known)| counts(name, known)).collect())
}

/// What the cluster holds and, where something is asked, what it answers itself.
async fn look(
    source: &Source,
    global: &Global,
    name: &ClusterName,
    cluster: &Cluster,
    asked: Option<(Requester, &AccessRequest)>,
) -> Result<(ClusterState, Option<Result<Verdict>>)> {
    let reached = connect::reach(source, global, name, cluster).await?;
    let says = async {
        match &asked {
            Some((requester, request)) => {
                Some(cluster::review_access(&reached.connection, requester, request).await)
            }
            None => None,
        }
    };
    let (state, says) = futures::join!(reached.observe(name), says);
    Ok((state?, says))
}
