//! The certctl command: parse, run, print the error, exit code; nothing else.

use std::process::ExitCode;

use certctl::cli::Cli;
use certctl::commands;
use certctl::exit_code;
use clap::Parser as _;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => commands::run(cli),
        Err(error) => {
            let usage = error.use_stderr();
            // Where even the error cannot be printed, the exit code still tells.
            let _ = error.print();
            if usage { ExitCode::from(exit_code::USAGE) } else { ExitCode::SUCCESS }
        }
    }
}
