//! Linux, macOS and other Unixes.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::future::poll_fn;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::task::Poll;
use std::time::Duration;

use rustix::process::{
    Pid, Resource, Rlimit, Signal, geteuid, kill_process, kill_process_group, setrlimit, setsid,
};
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};

use super::Heard;

/// Writes no core dump, nor lets what it starts write one: best effort.
///
/// On Linux nobody but root may then read its memory either, by `ptrace` or `/proc/PID/mem`.
pub fn disable_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
    // The limit does not hold where `core_pattern` names a program; this does. See prctl(2), PR_SET_DUMPABLE.
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// The full path of what is there, through every link.
///
/// # Errors
/// Nothing is there, or it cannot be seen.
pub fn full_path(path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

/// Makes a folder, and those above it, for their owner alone where they are new.
///
/// # Errors
/// It cannot be made.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A folder of this user that nobody else may enter, and no symbolic link to one.
pub fn is_private_folder(folder: &Path) -> bool {
    fs::symlink_metadata(folder)
        .is_ok_and(|it| it.is_dir() && it.uid() == geteuid().as_raw() && it.permissions().mode() & 0o077 == 0)
}

/// The permissions of a new file, where the system has such.
pub fn permissions(mode: u32) -> Option<Permissions> {
    Some(Permissions::from_mode(mode))
}

/// Whether a file is for more than its owner.
pub fn others_can_read(file: &Metadata) -> bool {
    file.permissions().mode() & 0o044 != 0
}

/// The folder of programs that know no XDG base directories; `None` where it is `~/.config`.
pub fn application_data() -> Option<PathBuf> {
    let home = std::env::home_dir().filter(|_| cfg!(target_os = "macos"))?;
    Some(home.join("Library/Application Support"))
}

/// The terminal of the process, whatever its standard streams are: to read from, and to write to.
///
/// # Errors
/// It has none.
pub fn terminal() -> io::Result<(File, File)> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    Ok((terminal.try_clone()?, terminal))
}

/// Standard input and output without a buffer, in which a passphrase would stay.
///
/// # Errors
/// One of them is closed.
pub fn unbuffered_streams() -> io::Result<(File, File)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    Ok((File::from(input), File::from(io::stdout().as_fd().try_clone_to_owned()?)))
}

/// How wide the terminal is that a stream leads to; `None` where it leads to none.
pub fn columns(stream: impl AsFd) -> Option<usize> {
    Some(usize::from(terminal_size::terminal_size_of(stream)?.0.0)).filter(|columns| *columns > 0)
}

/// Starts the command as a group of its own, with whatever it starts.
pub fn as_group(command: &mut Command) {
    command.process_group(0);
}

/// Ends such a group.
///
/// # Errors
/// It cannot be ended.
pub fn end_group(child: &mut Child) -> io::Result<()> {
    match i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        Some(group) => Ok(kill_process_group(group, Signal::KILL)?),
        None => child.kill(),
    }
}

/// A thread of this process, as the system lists what it has started; `None` where the system does not (other than
/// Linux).
pub struct Starter(Option<PathBuf>);

impl Starter {
    /// This thread.
    pub fn this_thread() -> Self {
        Self(fs::read_link("/proc/thread-self").ok())
    }

    /// Ends the programs that it has started and that nobody has waited for: no other process has come by their ids.
    pub fn end_programs(&self) {
        let Some(thread) = &self.0 else { return };
        let list = fs::read_to_string(Path::new("/proc").join(thread).join("children")).unwrap_or_default();
        for id in list.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)) {
            // It may have ended by itself.
            let _ = kill_process(id, Signal::KILL);
        }
    }
}

/// Leaves the terminal that it was started on, which may close.
pub fn leave_terminal() {
    // Who leads a group already has none to leave.
    let _ = setsid();
}

/// SIGINT, SIGTERM and SIGHUP, heard from the moment that this is made. Those that the system does not give
/// do what they always do.
pub struct Signals(Vec<(SignalStream, Heard)>);

impl Signals {
    /// Must be called inside a tokio runtime.
    pub fn listen() -> Self {
        let hangup = (!ignores_hangups()).then_some((SignalKind::hangup(), Heard::Hangup));
        let kinds = [(SignalKind::interrupt(), Heard::Stop), (SignalKind::terminate(), Heard::Stop)];
        let listen = |(kind, heard)| Some((signal(kind).ok()?, heard));
        Self(kinds.into_iter().chain(hangup).filter_map(listen).collect())
    }

    /// Returns at the next one.
    pub async fn next(&mut self) -> Heard {
        poll_fn(|context| {
            let mut signals = self.0.iter_mut();
            let heard =
                signals.find_map(|(signal, heard)| signal.poll_recv(context).is_ready().then_some(*heard));
            heard.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// Whether certctl was started to outlive its terminal, as by nohup. Where the system does not tell, it
/// was not.
fn ignores_hangups() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 == 1)
}

/// Whether there are sockets in the file system that one user alone can open.
pub const HAS_PRIVATE_SOCKETS: bool = true;

/// One end of a connection between two processes of this machine.
pub type Connection = UnixStream;

/// The longest name of a socket in bytes: macOS has room for 104, and a zero at its end (unix(4)).
const SOCKET_NAME_LIMIT: usize = 103;

/// Connects to a socket.
///
/// # Errors
/// There is none, or nobody listens there.
pub fn connect(socket: &Path, patience: Duration) -> io::Result<Connection> {
    let connection = UnixStream::connect(socket)?;
    connection.set_read_timeout(Some(patience))?;
    connection.set_write_timeout(Some(patience))?;
    Ok(connection)
}

/// A socket in the file system.
pub struct Listener {
    listener: tokio::net::UnixListener,
    /// Whom it listens to.
    owner: u32,
}

impl Listener {
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Something has that name, or it is too long for a socket.
    pub fn bind(socket: &Path) -> io::Result<Self> {
        if socket.as_os_str().len() > SOCKET_NAME_LIMIT {
            let why = format!("its name is longer than the {SOCKET_NAME_LIMIT} bytes that a socket may have");
            return Err(io::Error::new(io::ErrorKind::InvalidFilename, why));
        }
        let listener = tokio::net::UnixListener::bind(socket)?;
        Ok(Self { listener, owner: geteuid().as_raw() })
    }

    /// The next who connects, if they are this user.
    ///
    /// # Errors
    /// They are somebody else, of whom nothing was read; or they were gone at once.
    pub async fn accept(&self, patience: Duration) -> io::Result<Connection> {
        let (connection, _) = self.listener.accept().await?;
        if connection.peer_cred()?.uid() != self.owner {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let connection = connection.into_std()?;
        connection.set_nonblocking(false)?;
        connection.set_read_timeout(Some(patience))?;
        connection.set_write_timeout(Some(patience))?;
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn whoever_connects_is_heard_if_they_are_this_user() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("socket");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut listener = Listener::bind(&socket).expect("bound");
            assert!(Listener::bind(&socket).is_err(), "nobody's place is taken");
            let mut client = connect(&socket, PATIENCE).expect("connected");
            client.write_all(b"x").expect("sent");
            let mut heard = [0];
            listener.accept(PATIENCE).await.expect("heard").read_exact(&mut heard).expect("read");
            assert_eq!(&heard, b"x");

            listener.owner += 1;
            let mut stranger = connect(&socket, PATIENCE).expect("connected");
            let refused = listener.accept(PATIENCE).await.expect_err("another user");
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
            assert!(matches!(stranger.read(&mut heard), Ok(0) | Err(_)), "there is no answer");
        });
    }

    #[test]
    fn a_private_folder_is_a_folder_of_ones_own_for_nobody_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        make_private_folder(&at("a/b")).expect("made");
        assert!(is_private_folder(&at("a")) && is_private_folder(&at("a/b")));
        fs::write(at("file"), "").expect("written");
        std::os::unix::fs::symlink(at("a"), at("link")).expect("linked");
        fs::set_permissions(at("a/b"), Permissions::from_mode(0o750)).expect("changed");
        for other in ["a/b", "file", "link", "nothing"] {
            assert!(!is_private_folder(&at(other)), "{other}");
        }
    }
}
