//! `certctl uninstall --plan`: how to take certctl out of each cluster. It changes nothing.

use crate::access::remains;
use crate::access::rights::ClusterRoster;
use crate::cli::Global;
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::{Error, Result};
use crate::exit_code::{DONE, FAILED};
use crate::planning::connect;
use crate::planning::source;
use crate::render::kubectl::Kubectl;
use crate::render::remains::script;

pub async fn run(global: &Global, terminal: &Terminal) -> Result<u8> {
    let source = source::roster(global)?;
    let (roster, now) = (&source.roster, clock::now());
    let kubeconfig = global.kubeconfig.as_ref().map(|file| file.display().to_string());
    let looked = source.clusters(global).map(|(name, cluster)| {
        let source = &source;
        async move {
            let reached = connect::reach(source, global, name, cluster).await?;
            let state = reached.observe(name).await?;
            Ok::<_, Error>((reached.repository, state))
        }
    });
    let looked = futures::future::join_all(looked).await;
    let mut errors = Vec::new();
    for ((name, wanted), looked) in source.clusters(global).zip(looked) {
        match looked {
            Ok((repository, state)) => {
                let remains =
                    remains::remains(ClusterRoster { roster, cluster: name, now }, &repository, &state);
                let kubectl = Kubectl { kubeconfig: kubeconfig.as_deref(), context: &wanted.context };
                terminal.show_document(&script(name, &roster.name, &remains, kubectl))?;
            }
            Err(error) => errors.push(error.within(&format!("cluster {name}"))),
        }
    }
    terminal.say("People remove their entries with `certctl logout`. Keep the repository: it answers for old audit logs.");
    match Error::all(errors) {
        Some(error) => {
            terminal.error(&error);
            Ok(FAILED)
        }
        None => Ok(DONE),
    }
}
