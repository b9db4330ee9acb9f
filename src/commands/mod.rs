//! One thin file a command: each wires the pure core to the edges.

mod apply;
mod audit;
mod bootstrap;
mod completions;
mod credential;
mod decrypt;
#[cfg(feature = "sandbox")]
mod demo;
mod doctor;
mod explain;
mod grant;
mod history;
mod import;
mod init;
mod keygen;
mod login;
mod man;
mod notices;
mod plan;
mod repin;
mod report;
mod request;
mod revoke;
mod roster_edit;
mod rotate;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schema;
mod status;
mod suspend;
mod uninstall;
mod unlock;
mod user;
mod validate;
mod who;
mod whoami;

use std::path::Path;
use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::clock;
use crate::console::terminal::Terminal;
use crate::error::{ErrorKind, Result};
use crate::exit_code::{FAILED, USAGE};
use crate::person::noted_roster;
use crate::planning::roster_file;

/// Runs one command and says how it ended.
pub fn run(mut cli: Cli) -> ExitCode {
    let named = cli.global.named_roster.as_deref();
    let noted = || match cli.command {
        Command::Login(_)
        | Command::Logout(_)
        | Command::Whoami(_)
        | Command::Decrypt(_)
        | Command::Request(_) => noted_roster::find(cli.global.kubeconfig.as_deref()),
        _ => None,
    };
    cli.global.roster = match cli.command {
        // A new one is made here, also where there is one above.
        Command::Init(_) => named.unwrap_or(Path::new(roster_file::NAME)).to_owned(),
        _ => roster_file::find(named, noted),
    };
    let terminal = Terminal::new(&cli.global);
    let result = clock::set().and_then(|()| dispatch(&cli, &terminal));
    ExitCode::from(match result {
        Ok(code) => code,
        Err(error) => {
            terminal.error(&error);
            match error.kind() {
                ErrorKind::Failed => FAILED,
                ErrorKind::Usage => USAGE,
            }
        }
    })
}

fn dispatch(cli: &Cli, terminal: &Terminal) -> Result<u8> {
    let global = &cli.global;
    match &cli.command {
        Command::Init(args) => init::run(global, args, terminal),
        Command::Validate => validate::run(global, terminal),
        Command::Plan(args) => runtime()?.block_on(plan::run(global, args, terminal)),
        Command::Apply(args) => runtime()?.block_on(apply::run(global, args, terminal)),
        Command::Audit(args) => runtime()?.block_on(audit::run(global, args, terminal)),
        Command::Explain(args) => runtime()?.block_on(explain::run(global, args, terminal)),
        Command::Doctor(args) => runtime()?.block_on(doctor::run(global, args, terminal)),
        Command::Bootstrap(args) => runtime()?.block_on(bootstrap::run(global, args, terminal)),
        Command::Import(args) => runtime()?.block_on(import::run(global, args, terminal)),
        Command::Uninstall(_) => runtime()?.block_on(uninstall::run(global, terminal)),
        Command::Decrypt(args) => decrypt::run(global, args, terminal),
        Command::Keygen(args) => keygen::run(args, terminal),
        Command::Request(args) => request::run(global, args, terminal),
        Command::Login(args) => login::login(global, args, terminal),
        Command::Logout(args) => login::logout(global, args, terminal),
        Command::Unlock(args) => unlock::unlock(args, terminal),
        Command::Lock => unlock::lock(terminal),
        Command::KeepUnlocked { folder, until, files } => unlock::keep(folder, *until, files),
        Command::Credential(args) => credential::run(global, args, terminal),
        Command::Whoami(args) => whoami::run(global, args, terminal),
        Command::Status(args) => status::run(global, args, terminal),
        Command::Notices(args) => notices::run(global, args, terminal),
        Command::Who(args) => who::run(global, args, terminal),
        Command::History(args) => history::run(global, args, terminal),
        Command::Report(args) => report::run(global, args, terminal),
        Command::Revoke(args) => runtime()?.block_on(revoke::run(global, args, terminal)),
        Command::Rotate(args) => rotate::run(global, args, terminal),
        Command::Grant(args) => grant::grant(global, args, terminal),
        Command::RevokeGrant(args) => grant::revoke_grant(global, args, terminal),
        Command::AddUser(args) => user::add(global, args, terminal),
        Command::RemoveUser(args) => user::remove(global, args, terminal),
        Command::Repin => runtime()?.block_on(repin::run(global, terminal)),
        Command::Suspend(args) => suspend::suspend(global, args, terminal),
        Command::Resume(args) => suspend::resume(global, args, terminal),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => sandbox::run(args, terminal),
        #[cfg(feature = "sandbox")]
        Command::Demo(args) => demo::run(global, args, terminal),
        Command::Schema { what } => schema::run(*what, terminal),
        Command::Completions { shell } => completions::script(*shell, terminal),
        Command::Complete { next, words } => completions::complete(global, words, *next, terminal),
        Command::Man { command, output } => man::run(command.as_deref(), output.as_deref(), terminal),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|cause| {
        crate::error::Error::new("the runtime could not be started; nothing was done").caused_by(cause)
    })
}
