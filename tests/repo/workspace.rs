//! A temporary folder that is also HOME, and in it git repositories: a bare origin, our clone, a
//! colleague's clone. Each story runs in a process of its own with a scrubbed environment, because
//! libgit2 and the git program both read HOME and GIT_* of the process they run in.

pub use std::fs;
pub use std::os::unix::fs::{PermissionsExt as _, symlink};
pub use std::path::{Path, PathBuf};
pub use std::process::Command;

use certctl::record::with_checksum;
pub use certctl::repo::{Changes, PushTarget, Repo, TRAILER};
pub use certctl_testing::executable;

/// Declares tests whose bodies run in a child process with nothing of the caller's environment.
macro_rules! stories {
    ($($(#[$attribute:meta])* fn $name:ident($workspace:ident: &Workspace) $body:block)*) => {
        $($(#[$attribute])* #[test] fn $name() {
            isolated(concat!(module_path!(), "::", stringify!($name)), |$workspace: &Workspace| $body);
        })*
    };
}

const ISOLATED: &str = "CERTCTL_TEST_PLACE";

/// A file in the place that git's configuration by the environment includes, where it exists.
pub const FROM_ENVIRONMENT: &str = "from-environment";

pub fn isolated(name: &str, story: impl FnOnce(&Workspace)) {
    // The path without the crate is how the test is called.
    let name = name.split_once("::").unwrap().1;
    if let Some(root) = std::env::var_os(ISOLATED) {
        return story(&Workspace(root.into()));
    }
    let root = tempfile::tempdir().unwrap();
    fs::write(
        root.path().join(".gitconfig"),
        "[user]\n\tname = Ann\n\temail = ann@example.com\n[init]\n\tdefaultBranch = main\n",
    )
    .unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--include-ignored"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", root.path())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "include.path")
        .env("GIT_CONFIG_VALUE_0", root.path().join(FROM_ENVIRONMENT))
        .env("SSH_AUTH_SOCK", root.path().join("agent"))
        .env(ISOLATED, root.path().canonicalize().unwrap())
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    // What a story measured, for `--nocapture`.
    for line in text.lines().filter(|line| line.starts_with("measured:")) {
        println!("{line}");
    }
}

/// A temporary folder that is also HOME.
pub struct Workspace(pub PathBuf);

/// A working tree.
pub struct Clone(pub PathBuf);

impl Workspace {
    /// One commit with a roster in it, no remote.
    pub fn alone(&self) -> Clone {
        let clone = Clone(self.0.join("alone"));
        fs::create_dir(&clone.0).unwrap();
        clone.git("init -q");
        clone.put("users.yaml", "kind: Roster\n");
        clone.put("README", "read me\n");
        clone.git("add .");
        clone.git("commit -qm roster");
        clone
    }

    /// The same with an origin, and a colleague's clone of it.
    pub fn shared(&self) -> (Clone, Clone) {
        let ours = self.alone();
        self.git("init -q --bare origin.git");
        ours.git(&format!("remote add origin {}/origin.git", self.0.display()));
        ours.git("push -q -u origin main");
        (ours, self.clone_as("theirs"))
    }

    /// The same in a folder of its own.
    pub fn shared_as(&self, name: &str) -> (Clone, Clone) {
        let folder = self.0.join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder).shared()
    }

    pub fn clone_as(&self, name: &str) -> Clone {
        self.git(&format!("clone -q origin.git {name}"));
        Clone(self.0.join(name))
    }

    /// What actions/checkout leaves of a push to main: one commit deep, on the branch.
    pub fn actions_checkout(&self, name: &str) -> Clone {
        let clone = self.fetched(name, "--depth=1");
        clone.git("checkout -q --force -B main refs/remotes/origin/main");
        clone
    }

    /// What a GitLab runner leaves: 20 commits deep, HEAD detached, no branch at all.
    pub fn gitlab_checkout(&self, name: &str) -> Clone {
        let clone = self.fetched(name, "--depth=20");
        clone.git("checkout -q --force --detach refs/remotes/origin/main");
        clone
    }

    pub fn fetched(&self, name: &str, depth: &str) -> Clone {
        self.git(&format!("init -q {name}"));
        let clone = Clone(self.0.join(name));
        clone.git(&format!("remote add origin file://{}/origin.git", self.0.display()));
        clone.git(&format!("fetch -q --no-tags {depth} origin +refs/heads/main:refs/remotes/origin/main"));
        clone
    }

    pub fn git(&self, arguments: &str) -> String {
        git(&self.0, arguments)
    }

    /// What the origin's main holds in a file.
    pub fn origin_has(&self, path: &str) -> String {
        body(self.git(&format!("--git-dir=origin.git show main:{path}")))
    }

    pub fn origin_log(&self) -> Vec<String> {
        self.origin_log_of("main")
    }

    pub fn origin_log_of(&self, branch: &str) -> Vec<String> {
        let log = self.git(&format!("--git-dir=origin.git log --format=%s {branch}"));
        log.lines().map(str::to_owned).collect()
    }

    /// Installs a hook in the origin.
    pub fn hook(&self, name: &str, script: &str) {
        executable(&self.0.join("origin.git/hooks").join(name), script);
    }

    /// Lets a clone's git reach the origin by every address that means SSH. What `first` says happens
    /// before: git calls it as it would call ssh, `[OPTIONS] HOST COMMAND`.
    pub fn ssh_to_origin(&self, clone: &Clone, first: &str) {
        let program = self.0.join("ssh");
        let origin = self.0.join("origin.git").display().to_string();
        executable(
            &program,
            &format!(
                "{first}\nfor last; do :; done\nlast=${{last%% *}}\nexec git \"${{last#git-}}\" {origin}"
            ),
        );
        clone.git(&format!("config core.sshCommand {}", program.display()));
    }
}

impl Clone {
    pub fn git(&self, arguments: &str) -> String {
        git(&self.0, arguments)
    }

    pub fn put(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn has(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.0.join(path)).ok().map(body)
    }

    pub fn open(&self) -> Repo {
        Repo::discover(&self.0.join("users.yaml")).unwrap()
    }

    pub fn status(&self) -> String {
        self.git("status --porcelain --untracked-files=all")
    }

    pub fn commit_all(&self, message: &str) {
        self.git("add -A");
        self.git(&format!("commit -qm {message}"));
    }
}

/// Runs git; no argument can hold a space.
pub fn git(folder: &Path, arguments: &str) -> String {
    let output = (Command::new("git").current_dir(folder).args(arguments.split(' '))).output().unwrap();
    assert!(output.status.success(), "git {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn message(subject: &str) -> String {
    format!("{subject}\n\nWho and what.\n\n{TRAILER}: acme\n")
}

pub fn write(path: &str, text: &str) -> Changes {
    let mut changes = Changes::new();
    changes.write(path, record(text));
    changes
}

/// A text as certctl records it, with its checksum.
pub fn record(text: &str) -> String {
    with_checksum(text)
}

/// What stands above the checksum.
fn body(text: String) -> String {
    match text.rfind("checksum: sha256:") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

pub fn commit(repo: &Repo, path: &str, text: &str) -> String {
    let committed = repo.commit(&write(path, text), &message("certctl: issue")).unwrap().unwrap();
    assert_eq!(committed.note, None);
    committed.id.to_string()
}

/// The headline of the last commit.
pub fn subject(clone: &Clone) -> String {
    clone.git("log -1 --format=%s").trim().to_owned()
}

pub fn target(repo: &Repo) -> PushTarget {
    repo.preflight_push(None, None).unwrap()
}

/// The error as a person sees it.
pub fn refused<T: std::fmt::Debug>(result: certctl::error::Result<T>) -> String {
    result.unwrap_err().render(false)
}

pub const ALICE: &str = "access/prod/alice.yaml";
pub const BOB: &str = "access/prod/bob.yaml";
