//! `certctl repin`: writes into the pin of a cluster where certctl's own context leads, for review and commit.

use std::path::Path;

use crate::cli::Global;
use crate::cluster::{self, Connection};
use crate::console::terminal::Terminal;
use crate::error::{Error, Result, visible_line};
use crate::exit_code::DONE;
use crate::model::{Authority, ClusterName};
use crate::person::checkout_file;
use crate::plan::check;
use crate::plan::endpoint::{self, Endpoint};
use crate::plan::held::Held;
use crate::planning::connect;
use crate::planning::source::{self, Source};
use crate::record::{self, ClusterPin};
use crate::record_folder::RecordFolder;
use crate::render::words;
use crate::roster::Cluster;

pub async fn run(global: &Global, terminal: &Terminal) -> Result<u8> {
    let source = source::roster(global)?;
    let mut files = Vec::new();
    for (name, wanted) in source.clusters(global) {
        let Some((pin, said)) = new_pin(&source, global, name, wanted).await? else {
            terminal.say(&format!("Cluster {name}: its pin says already where the context leads."));
            continue;
        };
        terminal.say(&format!("Cluster {name}:"));
        said.iter().for_each(|line| terminal.say(&format!("  {line}")));
        files.push((RecordFolder(name).pin(), record::to_yaml(&pin)?));
    }
    for (file, text) in &files {
        checkout_file::replace(&global.roster, &source.folder.join(Path::new(file)), text)?;
    }
    if !files.is_empty() {
        terminal.say(
            "Review it with `git diff access`, commit it, and run `certctl apply`: everyone there gets a new kubeconfig, and keeps the old one until it expires.",
        );
    }
    Ok(DONE)
}

/// The pin as it should be and what changes; `None` where nothing does.
async fn new_pin(
    source: &Source,
    global: &Global,
    name: &ClusterName,
    wanted: &Cluster,
) -> Result<Option<(ClusterPin, Vec<String>)>> {
    let Some(pin) = source.pin(name)? else {
        return Err(Error::new(format!(
            "cluster `{name}` has no access/{name}/cluster.yaml to edit; nothing was changed"
        ))
        .hint("its first apply pins where kubeconfigs lead: run `certctl apply`"));
    };
    let repository = source.known(name)?;
    let connection =
        Connection::open(global.kubeconfig.as_deref(), &wanted.context, global.request_timeout).await?;
    let uid = cluster::uid(&connection).await?;
    check::identity(Some(&pin.uid), &uid).map_err(|other| words::another_cluster(name, &other))?;
    let named = connect::named(source, wanted)?;
    let published = endpoint::published(&named, None, &connect::context(&connection)?);
    if let Some(why) = published.refused {
        return Err(words::held(
            &source.roster.files,
            name,
            &Held::Unpublishable { why, at: wanted.position },
        ));
    }
    let old = repository.pinned_endpoint.as_ref();
    let said = differences(old, &published.endpoint);
    let pin = ClusterPin { endpoint: Some(published.endpoint.to_pin()), ..pin };
    Ok((!said.is_empty()).then_some((pin, said)))
}

fn differences(old: Option<&Endpoint>, new: &Endpoint) -> Vec<String> {
    let authority = |authority: &Authority| match authority {
        Authority::System => "the system's roots".to_owned(),
        Authority::Bundle(bundle) => format!("SHA-256 {}", bundle.sha256()),
    };
    let server = |endpoint: &Endpoint| visible_line(&endpoint.server);
    let mut said = Vec::new();
    for (field, from, to) in [
        ("server", old.map(server), server(new)),
        ("certificateAuthority", old.map(|old| authority(&old.authority)), authority(&new.authority)),
    ] {
        if from.as_ref() != Some(&to) {
            said.push(format!("{field}: {} -> {to}", from.as_deref().unwrap_or("not pinned")));
        }
    }
    said
}
