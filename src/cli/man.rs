//! Manual pages, made of the help text.

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::Cli;

/// The pages, by the names of their files: `certctl.1`, `certctl-apply.1`, ...
pub fn pages() -> Vec<(String, Vec<u8>)> {
    let mut certctl = Cli::command();
    certctl.build();
    let commands = certctl.get_subcommands().filter(|command| !command.is_hide_set());
    let commands = commands.filter(|command| command.get_name() != "help");
    std::iter::once(&certctl).chain(commands).map(page).collect()
}

fn page(command: &Command) -> (String, Vec<u8>) {
    let source = format!("certctl {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(source).manual("certctl manual");
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let _ = man.render(&mut page);
    (man.get_filename(), page)
}
