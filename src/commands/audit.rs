//! `certctl audit`: what is behind the roster's back on each cluster. It only reads.

use crate::access::audit::{self, Audited};
use crate::access::rights::ClusterRoster;
use crate::cli::{AuditArgs, AuditFormat, Global};
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::{CHANGES, DONE, FAILED};
use crate::model::ClusterName;
use crate::plan::check;
use crate::plan::observed::SeenCluster;
use crate::planning::connect;
use crate::planning::source::{self, Source};
use crate::render::audit::{self as shown, AuditedCluster};
use crate::render::{json, sarif, words};
use crate::repo::Repo;
use crate::roster::Cluster;

pub async fn run(global: &Global, args: &AuditArgs, terminal: &Terminal) -> Result<u8> {
    let source = source::roster(global)?;
    let now = clock::now();
    let read = source.clusters(global).map(|(name, wanted)| {
        let source = &source;
        async move {
            let repository = match source.known(name) {
                Ok(repository) => repository,
                Err(error) => return (name, Err(error)),
            };
            (name, Ok((repository, look(source, global, name, wanted).await)))
        }
    });
    let (mut clusters, mut errors) = (Vec::new(), Vec::new());
    for (name, read) in futures::future::join_all(read).await {
        let here = ClusterRoster { roster: &source.roster, cluster: name, now };
        let (audit, error) = match read {
            Ok((repository, Ok(cluster))) => (audit::audit(here, &repository, &cluster), None),
            Ok((repository, Err(error))) => (audit::by_records(here, &repository), Some(error)),
            Err(error) => (Audited::default(), Some(error)),
        };
        let said = error.as_ref().map(|error| error.message().to_owned());
        clusters.push(AuditedCluster { name: name.clone(), audit, error: said });
        errors.extend(error.map(|error| error.within(&format!("cluster {name}"))));
    }
    let out = match args.format {
        AuditFormat::Text => shown::text(&clusters, terminal.style()),
        AuditFormat::Markdown => shown::markdown(&clusters),
        AuditFormat::Json => json::text(&shown::document(&clusters)),
        AuditFormat::Sarif => {
            // Code scanning wants the path as the repository has it.
            let in_repository = Repo::discover(&global.roster).map(|repo| repo.roster().to_owned());
            let file = in_repository.unwrap_or_else(|_| source.file.clone());
            json::text(&sarif::document(&clusters, &file))
        }
    };
    match args.format {
        AuditFormat::Text => terminal.show(&out)?,
        AuditFormat::Markdown | AuditFormat::Json | AuditFormat::Sarif => terminal.show_document(&out)?,
    }
    if let Some(error) = Error::all(errors) {
        terminal.error(&error);
        return Ok(FAILED);
    }
    let found = clusters.iter().any(|cluster| !cluster.audit.findings.is_empty());
    Ok(if args.detailed_exitcode && found { CHANGES } else { DONE })
}

/// # Errors
/// The cluster could not be read, or is not the one that its records are about.
async fn look(source: &Source, global: &Global, name: &ClusterName, wanted: &Cluster) -> Result<SeenCluster> {
    let reached = connect::reach(source, global, name, wanted).await?;
    let cluster = reached.read(&source.roster.name).await?;
    check::identity(reached.repository.pinned_uid.as_deref(), &cluster.state.uid)
        .map_err(|other| words::another_cluster(name, &other))?;
    Ok(cluster)
}
