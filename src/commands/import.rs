//! `certctl import`: a roster draft from what is bound on a cluster, and later the commands that remove what the roster
//! has replaced. It changes nothing in any cluster.

use std::io::ErrorKind;
use std::path::Path;

use crate::access::rights::ClusterRoster;
use crate::atomic_file::{self, Mode};
use crate::cli::{Format, Global, ImportArgs};
use crate::clock;
use crate::cluster::{self, Connection};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result, visible_line};
use crate::exit_code::{DONE, FAILED};
use crate::import::draft;
use crate::import::finish::{self, Finish};
use crate::model::{ClusterName, RosterName};
use crate::plan::RepositoryState;
use crate::plan::observed::ClusterState;
use crate::planning::connect;
use crate::planning::source::{self, Source};
use crate::rbac::Requester;
use crate::render::import::document::{self, FinishDocument};
use crate::render::import::draft::{self as shown, DraftHead};
use crate::render::import::script;
use crate::render::kubectl::Kubectl;
use crate::render::{json, shell};
use crate::roster::{Cluster, server};
use crate::setup::questions::{cluster_name, roster_name};

pub async fn run(global: &Global, args: &ImportArgs, terminal: &Terminal) -> Result<u8> {
    match &args.context {
        Some(context) if !args.finish => draft_of(context, global, args, terminal).await,
        _ => finish(global, args, terminal).await,
    }
}

async fn draft_of(context: &str, global: &Global, args: &ImportArgs, terminal: &Terminal) -> Result<u8> {
    if visible_line(context) != context {
        return Err(Error::usage(
            "the name of the context has a character that cannot be shown; nothing was written",
        )
        .hint("give it another: `kubectl config rename-context`"));
    }
    let (roster, cluster) = names(context, global, args)?;
    if let Some(file) = args.output.as_deref().filter(|file| file.symlink_metadata().is_ok()) {
        return Err(there_already(file));
    }
    let connection = Connection::open(global.kubeconfig.as_deref(), context, global.request_timeout).await?;
    let state = cluster::observe(&connection).await?;
    let draft = draft::draft(&state);
    let published = Some(connection.server()).filter(|url| server(url).is_ok());
    let head = DraftHead { roster: &roster, cluster: &cluster, context, server: published };
    let yaml = shown::yaml(head, &draft);
    if let Some(file) = &args.output {
        atomic_file::create(file, yaml.as_bytes(), Mode::New(0o644)).map_err(|why| match why.kind() {
            ErrorKind::AlreadyExists => there_already(file),
            _ => Error::new(format!("{} could not be written", file.display())).caused_by(why),
        })?;
    }
    match (args.format, &args.output) {
        (Format::Json, _) => terminal.show_document(&json::text(&document::import(head, &draft)))?,
        (Format::Text, None) => terminal.show_document(&yaml)?,
        (Format::Text, Some(_)) => {}
    }
    let file = args.output.as_deref().unwrap_or(Path::new("users.yaml"));
    terminal.say(&format!(
        "{}: {}",
        if args.output.is_some() { format!("wrote {}", file.display()) } else { "the draft".to_owned() },
        shown::summary(&draft)
    ));
    let flag = if file == Path::new("users.yaml") {
        String::new()
    } else {
        format!(" --roster {}", shell::word(&file.display().to_string()))
    };
    terminal.say("\nNext, in this order; nobody loses access before what replaces it works:");
    for (index, step) in shown::steps(&flag).iter().enumerate() {
        terminal.say(&format!("{}. {step}", index + 1));
    }
    Ok(DONE)
}

/// What roster and cluster are to be called.
///
/// # Errors
/// No name can be made of the folder or the context.
fn names(context: &str, global: &Global, args: &ImportArgs) -> Result<(RosterName, ClusterName)> {
    let cluster = match &global.clusters[..] {
        [] => cluster_name(context),
        [name] => Some(name.clone()),
        _ => return Err(Error::usage("import reads one cluster at a time; nothing was written")),
    };
    let cluster = cluster.ok_or_else(|| {
        Error::usage("no name of a cluster can be made of the context's; nothing was written")
            .hint("give it one with `--cluster NAME`")
    })?;
    let file = args.output.as_deref().unwrap_or(Path::new("users.yaml"));
    let roster = args.name.clone().or_else(|| {
        let folder = atomic_file::folder_of(file).canonicalize().ok()?;
        roster_name(&folder.file_name()?.to_string_lossy())
    });
    let roster = roster.ok_or_else(|| {
        Error::usage("no name of a roster can be made of the folder's; nothing was written")
            .hint("give it one with `--name NAME`")
    })?;
    Ok((roster, cluster))
}

fn there_already(file: &Path) -> Error {
    Error::new(format!("{} is there already; nothing was written", file.display()))
        .hint("name another file with `-o`, and take from it what you need")
}

async fn finish(global: &Global, args: &ImportArgs, terminal: &Terminal) -> Result<u8> {
    let source = source::roster(global)?;
    let now = clock::now();
    let kubeconfig = global.kubeconfig.as_ref().map(|file| file.display().to_string());
    let looked = source.clusters(global).map(|(name, cluster)| {
        let source = &source;
        async move { (name, cluster, look(source, global, name, cluster).await) }
    });
    let (mut documents, mut errors) = (Vec::new(), Vec::new());
    for (name, wanted, looked) in futures::future::join_all(looked).await {
        let here = ClusterRoster { roster: &source.roster, cluster: name, now };
        let kubectl = Kubectl { kubeconfig: kubeconfig.as_deref(), context: &wanted.context };
        match looked {
            Ok(MigratingCluster { repository, state, me }) => {
                let finish = finish::finish(here, &repository, &state, &me);
                match args.format {
                    Format::Text => terminal.show_document(&script::script(name, &finish, kubectl))?,
                    Format::Json => documents.push(document::finished(name, &finish, kubectl, None)),
                }
            }
            Err(error) => {
                let said = Some(error.message().to_owned());
                documents.push(document::finished(name, &Finish::default(), kubectl, said));
                errors.push(error.within(&format!("cluster {name}")));
            }
        }
    }
    if args.format == Format::Json {
        terminal.show_document(&json::text(&FinishDocument { format_version: 1, clusters: documents }))?;
    }
    match Error::all(errors) {
        Some(error) => {
            terminal.error(&error);
            Ok(FAILED)
        }
        None => Ok(DONE),
    }
}

/// What there is of a cluster.
struct MigratingCluster {
    repository: RepositoryState,
    state: ClusterState,
    /// Who certctl is there.
    me: Requester,
}

/// # Errors
/// The cluster could not be read, or is not the one that its records are about.
async fn look(
    source: &Source,
    global: &Global,
    name: &ClusterName,
    wanted: &Cluster,
) -> Result<MigratingCluster> {
    let reached = connect::reach(source, global, name, wanted).await?;
    let (state, me) = futures::try_join!(reached.observe(name), cluster::own_identity(&reached.connection))?;
    Ok(MigratingCluster { repository: reached.repository, state, me })
}
