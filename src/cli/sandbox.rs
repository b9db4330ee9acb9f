//! The in-memory cluster: `demo` and `sandbox`.

use std::path::PathBuf;

use clap::Args;

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keep the repository and the cluster until Ctrl-C, and show how to use them
    #[arg(long)]
    pub keep: bool,
}

/// `sandbox`.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// The port on 127.0.0.1 [default: a free port]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// The context name in the kubeconfig
    #[arg(long, value_name = "NAME", default_value = "sandbox")]
    pub context: String,
    /// Where to write the kubeconfig [default: a new file in the temporary directory]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
