//! `certctl sandbox`: an API server in memory until it is told to stop.

use std::fs;
use std::path::Path;

use super::runtime;
use crate::cli::SandboxArgs;
use crate::console::terminal::Terminal;
use crate::demo::cluster;
use crate::error::{Error, Result};
use crate::exit_code::DONE;
use crate::os::Signals;

pub fn run(args: &SandboxArgs, terminal: &Terminal) -> Result<u8> {
    let folder = tempfile::Builder::new().prefix("certctl-sandbox-").tempdir().map_err(|cause| {
        Error::new("no folder could be made for the kubeconfig; nothing was started").caused_by(cause)
    })?;
    let kubeconfig = args.output.clone().unwrap_or_else(|| folder.path().join("kubeconfig"));
    runtime()?.block_on(async {
        // Heard before there is anything to clean up.
        let mut signals = Signals::listen();
        let sandbox = cluster::start(&args.context, args.port)?;
        cluster::write_kubeconfig(&sandbox, &kubeconfig)?;
        let _removed = Removed { path: &kubeconfig, content: sandbox.kubeconfig() };
        terminal.say(&format!(
            "A Kubernetes API server in memory is at {}. It runs nothing, keeps nothing, and ends with Ctrl-C.",
            sandbox.server()
        ));
        terminal.say("Its administrator's kubeconfig, for kubectl and for certctl, is:");
        terminal.print(format!("{}\n", kubeconfig.display()).as_bytes())?;
        signals.next().await;
        Ok::<_, Error>(())
    })?;
    terminal.say("Sandbox stopped; its data is discarded.");
    Ok(DONE)
}

/// A kubeconfig that leads nowhere any more once this is dropped, and is removed: unless someone has put
/// something else in its place.
struct Removed<'a> {
    path: &'a Path,
    content: String,
}

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        if fs::read_to_string(self.path).is_ok_and(|there| there == self.content) {
            let _ = fs::remove_file(self.path);
        }
    }
}
