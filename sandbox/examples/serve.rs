//! Runs a sandbox until standard input closes; prints the administrator's kubeconfig.
//!
//!     cargo run -p certctl-sandbox --example serve > kubeconfig

use std::io::{self, Read as _};

use certctl_sandbox::{Options, Sandbox};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = Sandbox::start(Options::default())?;
    print!("{}", sandbox.kubeconfig());
    eprintln!("{} until standard input closes", sandbox.server());
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
