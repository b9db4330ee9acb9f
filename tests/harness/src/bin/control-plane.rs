//! Runs one control plane for a script: prints the path of its kubeconfig when it is ready, and ends
//! it when standard input closes. `CERTCTL_CONTROL_PLANE` names the folder of the binaries.
//!
//! A shell gives a background job an empty standard input; hold one open for as long as you need it:
//!
//!     coproc control-plane; read -r KUBECONFIG <&"${COPROC[0]}"

use std::env;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use certctl_testing::{ControlPlane, Options};

fn main() -> ExitCode {
    if env::args_os().len() > 1 {
        eprintln!("usage: control-plane (no arguments; it runs until its standard input is closed)");
        return ExitCode::from(64);
    }
    let Some(binaries) = env::var_os("CERTCTL_CONTROL_PLANE").map(PathBuf::from) else {
        eprintln!("Error: CERTCTL_CONTROL_PLANE is not set, so there is no control plane to start");
        eprintln!("  Hint: export CERTCTL_CONTROL_PLANE=$(tests/control-plane/build)");
        return ExitCode::FAILURE;
    };
    eprintln!("starting a control plane");
    let begin = Instant::now();
    let control_plane = match ControlPlane::start(&binaries, Options::default()) {
        Ok(control_plane) => control_plane,
        Err(message) => {
            eprintln!("Error: the control plane did not start: {message}");
            return ExitCode::FAILURE;
        }
    };
    let seconds = begin.elapsed().as_secs_f64();
    eprintln!(
        "ready after {seconds:.1} s: Kubernetes {} at {}",
        control_plane.version(),
        control_plane.server()
    );

    let mut stdout = io::stdout();
    let told = writeln!(stdout, "{}", control_plane.kubeconfig().display()).and_then(|()| stdout.flush());
    let waited = told.and_then(|()| io::copy(&mut io::stdin(), &mut io::sink()));
    control_plane.stop();
    match waited {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}; the control plane has been stopped");
            ExitCode::FAILURE
        }
    }
}
