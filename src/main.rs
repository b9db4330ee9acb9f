//! The certctl command: no core dumps, parse, run, print the error, exit code; nothing else.

use std::alloc::System;
use std::process::ExitCode;

use certctl::cli;
use certctl::commands;
use certctl::exit_code;
use certctl::os;
use zeroizing_alloc::ZeroAlloc;

/// Wipes whatever is freed: TLS, Kubernetes and age libraries copy keys, and wipe few of the copies.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    os::disable_core_dumps();
    match cli::parse() {
        Ok(cli) => commands::run(cli),
        Err(error) => {
            let usage = error.use_stderr();
            // Where even the error cannot be printed, the exit code still tells.
            let _ = error.print();
            if usage { ExitCode::from(exit_code::USAGE) } else { ExitCode::SUCCESS }
        }
    }
}
