//! The files that kubectl reads, and changing one of them as kubectl does: under its lock, whole or
//! not at all, through a symbolic link, with the mode that it had.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::merge::LARGEST;
use crate::atomic_file::{self, Mode};
use crate::error::{Error, Result};
use crate::os;

/// The kubeconfigs that kubectl would read, and the one that it would write a new entry to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeconfigFiles {
    /// In the order of precedence.
    pub read: Vec<PathBuf>,
    /// Where new entries go.
    pub write: PathBuf,
}

impl KubeconfigFiles {
    /// `--kubeconfig`; else those that `KUBECONFIG` lists, of which kubectl writes to the first that
    /// exists, or else to the last; else `~/.kube/config` (`GetDefaultFilename` in
    /// k8s.io/client-go/tools/clientcmd/config.go).
    ///
    /// # Errors
    /// There is no home folder.
    pub fn find(named: Option<&Path>) -> Result<Self> {
        let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
        Self::of(named, &std::env::split_paths(&listed).collect::<Vec<_>>(), std::env::home_dir())
    }

    fn of(named: Option<&Path>, listed: &[PathBuf], home: Option<PathBuf>) -> Result<Self> {
        if let Some(file) = named {
            return Ok(Self { read: vec![file.to_owned()], write: file.to_owned() });
        }
        let mut read: Vec<PathBuf> = Vec::new();
        for file in listed.iter().filter(|file| !file.as_os_str().is_empty()) {
            if !read.contains(file) {
                read.push(file.clone());
            }
        }
        if let Some(write) = read.iter().find(|file| file.exists()).or(read.last()).cloned() {
            return Ok(Self { read, write });
        }
        let home = home.filter(|home| !home.as_os_str().is_empty()).ok_or_else(|| {
            Error::new("there is no home folder, so no kubeconfig; nothing was changed")
                .hint("name one with `--kubeconfig FILE`, or set KUBECONFIG")
        })?;
        let file = home.join(".kube").join("config");
        Ok(Self { read: vec![file.clone()], write: file })
    }
}

/// The text of a kubeconfig; `None` where there is none.
///
/// # Errors
/// It cannot be read, is too large, or is not UTF-8.
pub fn read(path: &Path) -> Result<Option<Zeroizing<String>>> {
    let failed = |cause: std::io::Error| {
        Error::new(format!("the kubeconfig {} could not be read; nothing was changed", path.display()))
            .caused_by(cause)
    };
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let mut text = Zeroizing::new(String::new());
    file.take(LARGEST as u64 + 1).read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text))
}

/// kubectl's lock on a kubeconfig: the file `<kubeconfig>.lock`, there while it is held.
#[derive(Debug)]
pub struct FileLock(PathBuf);

impl FileLock {
    /// Takes it, and makes the folder where there is none.
    ///
    /// # Errors
    /// Someone else holds it; kubectl does not wait either.
    pub fn take(kubeconfig: &Path) -> Result<Self> {
        let mut name = kubeconfig.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let made = || {
            if let Some(folder) = kubeconfig.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                fs::create_dir_all(folder)?;
            }
            OpenOptions::new().write(true).create_new(true).open(&path)
        };
        match made() {
            Ok(_) => Ok(Self(path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Error::new(format!(
                "{} is locked by {}: another program is changing it; nothing was changed",
                kubeconfig.display(),
                path.display()
            ))
            .hint(format!("try again; if nothing is running, remove the lock: `rm {}`", path.display()))),
            Err(error) => {
                Err(Error::new(format!("{} could not be made; nothing was changed", path.display()))
                    .caused_by(error))
            }
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Puts a text in the place of the file's, whole or not at all. A new file is for its owner only.
///
/// # Errors
/// It cannot be written; it is as it was.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let replace = || -> std::io::Result<()> {
        // The file that a symbolic link leads to is what changes, not the link.
        let target = match fs::canonicalize(path) {
            Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => path.to_owned(),
            target => target?,
        };
        atomic_file::replace(&target, text.as_bytes(), Mode::Kept)
    };
    replace().map_err(|cause| {
        Error::new(format!("{} could not be written; it is as it was", path.display())).caused_by(cause)
    })
}

/// Whether the file is for more than its owner.
pub fn others_can_read(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| os::others_can_read(&file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectl_writes_to_the_first_that_exists_or_the_last() {
        let folder = tempfile::tempdir().expect("a folder");
        let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
        let listed = [a.clone(), b.clone(), PathBuf::new(), c.clone(), b.clone()];
        let of = |named: Option<&Path>, listed: &[PathBuf]| {
            KubeconfigFiles::of(named, listed, Some("/home/x".into())).expect("files")
        };
        assert_eq!(
            of(None, &listed),
            KubeconfigFiles { read: vec![a.clone(), b.clone(), c.clone()], write: c.clone() }
        );
        fs::write(&b, "").expect("written");
        fs::write(&c, "").expect("written");
        assert_eq!(of(None, &listed).write, b);
        assert_eq!(of(Some(&a), &listed), KubeconfigFiles { read: vec![a.clone()], write: a });
        assert_eq!(of(None, &[PathBuf::new()]).write, Path::new("/home/x/.kube/config"));
        assert!(KubeconfigFiles::of(None, &[], None).is_err());
    }
}
