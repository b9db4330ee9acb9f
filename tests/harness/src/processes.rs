//! The processes of one control plane, and the promise that they end with the one who started them.
//!
//! They are children of a small shell, which reads its standard input from us. When that pipe closes
//! (dropped, panicked, exited, killed: the kernel sees to it in every case) the shell kills what it
//! started, by process id, and removes the folder. Nothing else is ever killed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// Reads one order a line: to start a component, by its name and its command, or to stop it. A component holds the FIFO
/// `NAME.alive` open as its standard output; when it has ended, however it did, `NAME.ended` appears.
/// Until `wait`, an ended child keeps its process id, or has its `.ended` file: no other process is hit.
const SUPERVISOR: &str = r#"
trap '' HUP INT TERM
cd "$1" || exit
started=
start() {
    name=$1
    shift
    mkfifo "$name.alive" || return
    { cat "$name.alive" >>"$name.log"; : >"$name.ended"; } &
    "$@" >"$name.alive" 2>>"$name.log" </dev/null &
    started="$started $name=$!"
}
stop() {
    others=
    for process in $started; do
        if [ "${process%=*}" = "$1" ]; then
            [ -e "$1.ended" ] || kill -9 "${process#*=}"
        else
            others="$others $process"
        fi
    done
    started=$others
    until [ -e "$1.ended" ]; do sleep 0.05; done
    rm -f "$1.alive" "$1.ended"
    : >"$1.stopped"
}
while read -r order; do eval "$order"; done
for process in $started; do
    [ -e "${process%=*}.ended" ] || kill -9 "${process#*=}"
done
wait
cd /
rm -rf "$1" || { sleep 1; rm -rf "$1"; }
"#;

/// A shell that keeps the components of one control plane; they end when this is dropped.
pub(crate) struct Supervisor {
    folder: PathBuf,
    shell: Child,
    orders: Option<ChildStdin>,
}

impl Supervisor {
    /// `folder` holds the logs, and is removed with everything in it at the end.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SUPERVISOR, "control-plane"])
            .arg(folder)
            // etcd takes settings from ETCD_*; nothing from our environment shall reach it.
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", folder)
            // Ctrl-C goes to the whole foreground group, and the shell has to outlive it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("supervisor.log"))?)
            .spawn()?;
        let orders = shell.stdin.take();
        Ok(Self { folder: folder.to_owned(), shell, orders })
    }

    /// Starts `program` as the component `name`; its log is `name.log`.
    pub(crate) fn start(&mut self, name: &str, program: &Path, arguments: &[String]) -> io::Result<()> {
        let program = program.to_string_lossy();
        let mut line = format!("start {name}");
        for word in [program.as_ref()].into_iter().chain(arguments.iter().map(String::as_str)) {
            line.push_str(&format!(" '{}'", word.replace('\'', r"'\''")));
        }
        let orders = self.orders.as_mut().expect("the pipe is open until drop");
        writeln!(orders, "{line}")
    }

    /// Ends a component, and returns when it has ended: it may be started again.
    pub(crate) fn stop(&mut self, name: &str) -> io::Result<()> {
        let stopped = self.folder.join(format!("{name}.stopped"));
        let orders = self.orders.as_mut().expect("the pipe is open until drop");
        writeln!(orders, "stop {name}")?;
        while !stopped.exists() {
            std::thread::sleep(Duration::from_millis(20));
        }
        fs::remove_file(stopped)
    }

    /// Whether the component has ended. It is not supposed to.
    pub(crate) fn has_ended(&self, name: &str) -> bool {
        self.folder.join(format!("{name}.ended")).exists()
    }

    /// What the component has written, empty when it has written nothing.
    pub(crate) fn log(&self, name: &str) -> String {
        let bytes = fs::read(self.folder.join(format!("{name}.log"))).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.orders.take());
        // It fails only where someone else has waited for our child, and then it has ended.
        let _ = self.shell.wait();
    }
}
