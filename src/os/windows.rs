//! Windows. What it has no part of is refused, and says so.
//!
//! Built in CI; nobody has used it yet: see docs/compatibility.md.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::future::pending;
use std::io;
use std::net::TcpStream;
use std::os::windows::io::AsHandle;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};

use super::Heard;

/// Nothing to do: Windows writes none unless an administrator has asked for them.
pub fn disable_core_dumps() {}

/// The full path of what is there, through every link; without the `\\?\` before a drive, which git and kubectl
/// do not take.
///
/// # Errors
/// Nothing is there, or it cannot be seen.
pub fn full_path(path: &Path) -> io::Result<PathBuf> {
    let full = path.canonicalize()?;
    let plain = full.to_str().and_then(|full| full.strip_prefix(r"\\?\"));
    let on_a_drive = plain.filter(|plain| plain.as_bytes().get(1) == Some(&b':'));
    Ok(on_a_drive.map_or(full.clone(), PathBuf::from))
}

/// Makes a folder, and those above it. A new one has the access list of the folder that it is in: in a user's profile
/// that is the user, the administrators and the system.
///
/// # Errors
/// It cannot be made.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Nothing is known of access lists.
pub fn is_private_folder(_: &Path) -> bool {
    false
}

/// A new file has the access list of its folder.
pub fn permissions(_: u32) -> Option<Permissions> {
    None
}

/// Nothing is known of access lists.
pub fn others_can_read(_: &Metadata) -> bool {
    false
}

/// `%AppData%`.
pub fn application_data() -> Option<PathBuf> {
    std::env::var_os("APPDATA").map(PathBuf::from).filter(|folder| folder.is_absolute())
}

/// The console of the process, whatever its standard streams are: to read from, and to write to.
///
/// # Errors
/// It has none.
pub fn terminal() -> io::Result<(File, File)> {
    let open = |name: &str| OpenOptions::new().read(true).write(true).open(name);
    Ok((open("CONIN$")?, open("CONOUT$")?))
}

/// Standard input and output without a buffer, in which a passphrase would stay.
///
/// # Errors
/// One of them is closed.
pub fn unbuffered_streams() -> io::Result<(File, File)> {
    let input = io::stdin().as_handle().try_clone_to_owned()?;
    Ok((File::from(input), File::from(io::stdout().as_handle().try_clone_to_owned()?)))
}

/// How wide the terminal is that a stream leads to; `None` where it leads to none.
pub fn columns(stream: impl AsHandle) -> Option<usize> {
    Some(usize::from(terminal_size::terminal_size_of(stream)?.0.0)).filter(|columns| *columns > 0)
}

/// There are no groups that end as one.
pub fn as_group(_: &mut Command) {}

/// Ends the child alone.
///
/// # Errors
/// It cannot be ended.
pub fn end_group(child: &mut Child) -> io::Result<()> {
    child.kill()
}

/// A thread of this process. The system does not tell what it has started.
pub struct Starter;

impl Starter {
    /// This thread.
    pub fn this_thread() -> Self {
        Self
    }

    /// They are left to notice that nobody listens to them any more.
    pub fn end_programs(&self) {}
}

/// Nothing of certctl runs on without its console.
pub fn leave_terminal() {}

/// Ctrl-C, Ctrl-Break, and the end of the console.
pub struct Signals(Option<(CtrlC, CtrlBreak, CtrlClose)>);

impl Signals {
    /// Must be called inside a tokio runtime.
    pub fn listen() -> Self {
        let listen = || io::Result::Ok((ctrl_c()?, ctrl_break()?, ctrl_close()?));
        Self(listen().ok())
    }

    /// Returns at the next one.
    pub async fn next(&mut self) -> Heard {
        let Some((c, r#break, close)) = &mut self.0 else { return pending().await };
        tokio::select! {
            _ = c.recv() => Heard::Stop,
            _ = r#break.recv() => Heard::Stop,
            _ = close.recv() => Heard::Hangup,
        }
    }
}

/// Whether there are sockets in the file system that one user alone can open.
pub const HAS_PRIVATE_SOCKETS: bool = false;

/// Never made: it has the functions of a connection.
pub type Connection = TcpStream;

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "certctl uses no sockets in the file system on Windows"))
}

/// Connects to nothing.
///
/// # Errors
/// Always.
pub fn connect(_: &Path, _: Duration) -> io::Result<Connection> {
    unsupported()
}

/// A socket in the file system, of which there is none.
pub struct Listener;

impl Listener {
    /// # Errors
    /// Always.
    pub fn bind(_: &Path) -> io::Result<Self> {
        unsupported()
    }

    /// # Errors
    /// Always.
    pub async fn accept(&self, _: Duration) -> io::Result<Connection> {
        unsupported()
    }
}
