//! A team's world: a repository with a bare origin, people with age keys, and certctl's own identity
//! on a cluster. Every test has its own, so that they can share the cluster.

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_sandbox::proxy::Upstream;
use certctl_testing::Ran;
use tempfile::TempDir;

use crate::cluster::Cluster;

/// How often somebody else's push may come before a merge: each of two applies pushes once or twice.
const MERGE_TRIES: u32 = 5;

/// The names of the worlds of each cluster.
static NAMES: Mutex<BTreeSet<(String, &'static str)>> = Mutex::new(BTreeSet::new());

fn administrator(plane: &Cluster, name: &str) -> PathBuf {
    plane.client_kubeconfig(&format!("certctl-{name}"), &["system:masters"])
}

pub struct World {
    pub plane: &'static Cluster,
    pub name: &'static str,
    dir: TempDir,
    pub kubeconfig: PathBuf,
    said: RefCell<Vec<u8>>,
    secrets: RefCell<Vec<Vec<u8>>>,
    /// Additions to and removals from every command's environment.
    variables: RefCell<BTreeMap<String, Option<String>>>,
}

impl World {
    /// A world whose certctl is a cluster administrator with its own name.
    pub fn new(plane: &'static Cluster, name: &'static str) -> Self {
        Self::with_kubeconfig(plane, name, administrator(plane, name))
    }

    pub fn with_kubeconfig(plane: &'static Cluster, name: &'static str, kubeconfig: PathBuf) -> Self {
        // Two tests whose rosters have one name would take each other for another repository.
        let first = NAMES.lock().expect("not poisoned").insert((plane.server(), name));
        assert!(first, "two tests call their world `{name}`");
        Self::of(plane, name, kubeconfig)
    }

    /// Another repository whose roster and identity are named as this one's.
    pub fn namesake(&self) -> Self {
        Self::of(self.plane, self.name, administrator(self.plane, self.name))
    }

    fn of(plane: &'static Cluster, name: &'static str, kubeconfig: PathBuf) -> Self {
        let dir = tempfile::Builder::new().prefix("certctl-e2e-").tempdir().expect("a temporary folder");
        let world = Self {
            plane,
            name,
            dir,
            kubeconfig,
            said: RefCell::default(),
            secrets: RefCell::default(),
            variables: RefCell::default(),
        };
        fs::create_dir(world.path("home")).expect("home");
        fs::create_dir(world.path("keys")).expect("keys");
        world.git_in(world.dir.path(), &["init", "-q", "--bare", "-b", "main", "origin.git"]);
        world.git_in(world.dir.path(), &["clone", "-q", "origin.git", "repo"]);
        world.git(&["checkout", "-q", "-b", "main"]);
        world
    }

    /// Gives certctl a new certificate, where the cluster does not take the old one any more.
    pub fn renew_own_kubeconfig(&self) {
        let new = administrator(self.plane, self.name);
        fs::copy(new, &self.kubeconfig).expect("a kubeconfig");
    }

    /// The way to the cluster for a proxy, with certctl's own identity there.
    pub fn way(&self) -> Upstream {
        let (authority, certificate, key) = self.own_identity();
        Upstream::new(&self.plane.server(), &authority, &certificate, &key).expect("a way there")
    }

    /// The cluster's CA, and certctl's certificate and key, PEM.
    pub fn own_identity(&self) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let text = fs::read_to_string(&self.kubeconfig).expect("a kubeconfig");
        let kubeconfig: serde_json::Value = serde_saphyr::from_str(&text).expect("a kubeconfig");
        let (cluster, user) = (&kubeconfig["clusters"][0]["cluster"], &kubeconfig["users"][0]["user"]);
        let data =
            |value: &serde_json::Value| STANDARD.decode(value.as_str().expect("a text")).expect("base64");
        (
            data(&cluster["certificate-authority-data"]),
            data(&user["client-certificate-data"]),
            data(&user["client-key-data"]),
        )
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn repo(&self) -> PathBuf {
        self.path("repo")
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
        let (home, tmp) = (self.path("home"), self.path("tmp"));
        let mut command = certctl_testing::scrubbed(program, folder, &home);
        certctl_testing::with_author(&mut command);
        command.env("TMPDIR", tmp).env("KUBECONFIG", &self.kubeconfig);
        for (name, value) in self.variables.borrow().iter() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let _ = fs::create_dir(self.path("tmp"));
        command
    }

    /// Sets a variable for every command from now on.
    pub fn set(&self, name: &str, value: &str) {
        self.variables.borrow_mut().insert(name.to_owned(), Some(value.to_owned()));
    }

    /// Removes a variable for every command from now on.
    pub fn unset(&self, name: &str) {
        self.variables.borrow_mut().insert(name.to_owned(), None);
    }

    fn run(&self, mut command: Command) -> Ran {
        let ran = Ran::of(&mut command);
        let mut said = self.said.borrow_mut();
        said.extend_from_slice(ran.stdout.as_bytes());
        said.extend_from_slice(ran.stderr.as_bytes());
        ran
    }

    pub fn certctl(&self, args: &[&str]) -> Ran {
        self.certctl_at(None, args)
    }

    /// A clone as actions/checkout leaves it, of the tip of a branch: one commit deep, the branch checked
    /// out, or with `detached` the commit alone.
    pub fn checkout(&self, name: &str, branch: &str, detached: bool) {
        let folder = format!("../{name}");
        // A path would be cloned completely, regardless of depth.
        let origin = format!("file://{}", self.path("origin.git").display());
        let git = |args: &[&str]| self.git(&[&["-C", &folder], args].concat());
        let (ours, theirs) = (format!("refs/remotes/origin/{branch}"), format!("refs/heads/{branch}"));
        self.git(&["init", "-q", &folder]);
        git(&["remote", "add", "origin", &origin]);
        git(&["fetch", "-q", "--no-tags", "--depth=1", "origin", &format!("+{theirs}:{ours}")]);
        if detached {
            git(&["checkout", "-q", "--detach", &ours]);
        } else {
            git(&["checkout", "-q", "-B", branch, &ours]);
        }
    }

    /// In another clone, a folder beside the repository.
    pub fn certctl_in(&self, clone: &str, args: &[&str]) -> Ran {
        let mut command = self.certctl_command(None, args);
        command.current_dir(self.path(clone));
        self.run(command)
    }

    /// With the clock set to a time (RFC 3339).
    pub fn certctl_at(&self, now: Option<&str>, args: &[&str]) -> Ran {
        self.run(self.certctl_command(now, args))
    }

    pub fn certctl_command(&self, now: Option<&str>, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_certctl"), &self.repo());
        command.args(args);
        if let Some(now) = now {
            command.env("CERTCTL_NOW", now);
        }
        command
    }

    fn try_git_in(&self, folder: &Path, args: &[&str]) -> Ran {
        let mut command = self.command("git", folder);
        command.args(args);
        self.run(command)
    }

    fn git_in(&self, folder: &Path, args: &[&str]) -> String {
        let ran = self.try_git_in(folder, args);
        assert_eq!(ran.code, Some(0), "git {args:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    pub fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.repo(), args)
    }

    /// A file of the repository. The tests' clusters are on loopback, where a roster has to name them.
    pub fn write(&self, file: &str, text: &str) {
        let named = format!("context: test, server: \"{}\"}}", self.plane.server());
        let roster = file == "users.yaml";
        self.write_as_it_is(
            file,
            &if roster { text.replace("context: test}", &named) } else { text.to_owned() },
        );
    }

    pub fn write_as_it_is(&self, file: &str, text: &str) {
        let path = self.repo().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, text).expect("a file");
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.repo().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    pub fn exists(&self, file: &str) -> bool {
        self.repo().join(file).exists()
    }

    /// Writes users.yaml, commits and pushes it.
    pub fn roster(&self, text: &str) {
        self.write("users.yaml", text);
        self.commit("roster");
    }

    /// Commits users.yaml and brings it to main while others push: like a host that merges, once more on
    /// the new tip when another push came first.
    pub fn merge(&self, text: &str) {
        self.write("users.yaml", text);
        self.git(&["commit", "-q", "-a", "-m", "roster"]);
        let mut tries = (0..MERGE_TRIES).map(|_| {
            self.git(&["pull", "-q", "--rebase"]);
            self.try_git_in(&self.repo(), &["push", "-q"])
        });
        assert!(tries.any(|push| push.code == Some(0)), "main moved {MERGE_TRIES} times under the merge");
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["push", "-q", "-u", "origin", "main"]);
    }

    /// A new age identity; returns its recipient.
    pub fn identity(&self, name: &str) -> String {
        let file = self.path("keys").join(name);
        if !file.exists() {
            let mut command = self.command(self.plane.bin("age-keygen"), self.dir.path());
            command.arg("-o").arg(&file);
            self.run(command).expect(0);
        }
        let text = fs::read_to_string(&file).expect("an identity");
        let line = text.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a public key");
        line.to_owned()
    }

    /// A new OpenSSH key of a type; returns its recipient.
    pub fn ssh_identity(&self, name: &str, kind: &str) -> String {
        let file = self.path("keys").join(name);
        let mut command = self.command("ssh-keygen", self.dir.path());
        command.args(["-q", "-t", kind, "-N", "", "-C", "someone", "-f"]).arg(&file);
        self.run(command).expect(0);
        fs::read_to_string(file.with_extension("pub")).expect("a public key").trim().to_owned()
    }

    pub fn identity_file(&self, name: &str) -> PathBuf {
        self.path("keys").join(name)
    }

    /// A script of the action that applies, in a checkout as CI makes it, without a user name.
    pub fn ci(&self, folder: &str, words: &[&str], variables: &[(&str, &str)]) -> Ran {
        let origin = format!("file://{}", self.path("origin.git").display());
        self.git_in(self.dir.path(), &["clone", "-q", "--depth", "1", &origin, folder]);
        self.ci_in(folder, words, variables)
    }

    /// action/github in an existing clone, with what GitHub's runner sets besides these; its outputs
    /// are in `runner/output`.
    pub fn github(&self, folder: &str, variables: &[(&str, &str)]) -> Ran {
        let text = |file: &str| self.path(file).display().to_string();
        fs::create_dir_all(self.path("runner")).expect("a folder");
        let _ = fs::remove_file(self.path("runner/output"));
        let (output, summary, temp, work) =
            (text("runner/output"), text("runner/summary"), text("runner"), text(folder));
        let runner = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_PATH", "/dev/null"),
            ("GITHUB_OUTPUT", output.as_str()),
            ("GITHUB_REPOSITORY", "acme/access"),
            ("GITHUB_RUN_ID", "99"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_STEP_SUMMARY", &summary),
            ("GITHUB_WORKSPACE", &work),
            ("RUNNER_TEMP", &temp),
        ];
        self.ci_in(folder, &["github"], &[&runner[..], variables].concat())
    }

    fn ci_in(&self, folder: &str, words: &[&str], variables: &[(&str, &str)]) -> Ran {
        let bin = Path::new(env!("CARGO_BIN_EXE_certctl")).parent().expect("a folder");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        let script = format!("{}/action/{}", env!("CARGO_MANIFEST_DIR"), words[0]);
        let mut command = self.command(script, &self.path(folder));
        let nobody = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
        for name in nobody.iter().chain(&["KUBECONFIG"]) {
            command.env_remove(name);
        }
        command.args(&words[1..]).env("PATH", path).envs(variables.iter().copied());
        self.run(command)
    }

    /// A script for a shell, with kubectl, in the folder that all of this is in.
    pub fn sh(&self, script: &str) -> Ran {
        let kubectl = self.plane.bin("kubectl");
        let bin = kubectl.parent().expect("a folder").display();
        let mut command = self.command("sh", self.dir.path());
        command.env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap_or_default()));
        command.args(["-c", script]);
        self.run(command)
    }

    /// A person's own clone of the repository, in a folder beside it.
    pub fn clone_for_person(&self) {
        self.git_in(self.dir.path(), &["clone", "-q", "origin.git", "clone"]);
    }

    /// A program (git, certctl, kubectl) as that person runs it: in their clone, with their home, and
    /// without certctl's own kubeconfig.
    pub fn person(&self, program: &str, args: &[&str]) -> Ran {
        let path = match program {
            "kubectl" => self.plane.bin("kubectl"),
            "certctl" => env!("CARGO_BIN_EXE_certctl").into(),
            program => program.into(),
        };
        let mut command = self.command(path, &self.path("clone"));
        command.env_remove("KUBECONFIG").args(args);
        if program == "kubectl" {
            // kubectl is given keys on purpose, so its output is not swept.
            Ran::of(&mut command)
        } else {
            self.run(command)
        }
    }

    /// The id of the credential that the credential plugin gives alice's kubectl.
    pub fn person_credential(&self) -> String {
        let said = self.person("kubectl", &["auth", "whoami", "-o", "json"]).expect(0).stdout;
        let value: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        let groups = value["status"]["userInfo"]["groups"].as_array().expect("groups").clone();
        let group =
            groups.iter().filter_map(|group| group.as_str()).find(|group| group.starts_with("certctl:"));
        group.expect("a credential group").to_owned()
    }

    /// A sealed kubeconfig, decrypted by the reference age to a file outside the repository.
    pub fn open(&self, cluster: &str, user: &str) -> PathBuf {
        self.open_as(cluster, user, user)
    }

    /// As [`World::open`], with somebody's identity.
    pub fn open_as(&self, cluster: &str, user: &str, identity: &str) -> PathBuf {
        let names = (0..).map(|n| self.path(&format!("{user}.{cluster}.{n}.kubeconfig")));
        let target = { names }.find(|path| !path.exists()).expect("the numbers do not end");
        let mut command = self.command(self.plane.bin("age"), &self.repo());
        command.arg("-d").arg("-i").arg(self.identity_file(identity)).arg("-o").arg(&target);
        command.arg(format!("access/{cluster}/{user}.kubeconfig.age"));
        let ran = self.run(command);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        self.remember_key(&fs::read_to_string(&target).expect("a kubeconfig"));
        target
    }

    /// The key's bytes must not turn up anywhere: see [`World::sweep`].
    pub fn remember_key(&self, kubeconfig: &str) {
        let line = kubeconfig.lines().find_map(|line| line.trim().strip_prefix("client-key-data:"));
        if let Some(data) = line {
            let data = data.trim().trim_matches('"');
            let pem = STANDARD.decode(data).expect("base64");
            let mut secrets = self.secrets.borrow_mut();
            // A piece from the middle, as in the kubeconfig, in PEM and in DER.
            secrets.push(data.as_bytes()[data.len() / 2 - 20..data.len() / 2 + 20].to_vec());
            let text = String::from_utf8(pem).expect("PEM");
            let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
            let line = text.lines().nth(1).expect("a line of base64");
            secrets.push(line.as_bytes()[line.len() / 2..].to_vec());
            let der = STANDARD.decode(body).expect("base64");
            secrets.push(der[der.len() / 3..der.len() / 3 + 24].to_vec());
        }
    }

    /// kubectl with someone's kubeconfig.
    pub fn kubectl(&self, kubeconfig: &Path, args: &[&str]) -> Ran {
        let mut command = self.command(self.plane.bin("kubectl"), self.dir.path());
        command.arg("--kubeconfig").arg(kubeconfig).args(args);
        // kubectl is given keys on purpose, so its output is not swept.
        Ran::of(&mut command)
    }

    #[track_caller]
    pub fn can(&self, kubeconfig: &Path, args: &[&str], expected: bool) {
        let mut all = vec!["auth", "can-i"];
        all.extend(args);
        let ran = self.kubectl(kubeconfig, &all);
        assert_eq!(ran.stdout.trim(), if expected { "yes" } else { "no" }, "can-i {args:?}: {}", ran.stderr);
    }

    pub fn namespace(&self, name: &str) {
        self.plane.apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"));
    }

    /// The requests of this world's certctl to the API server, from the audit log.
    pub fn calls(&self, since: u64) -> Vec<serde_json::Value> {
        let me = format!("certctl-{}", self.name);
        let events = self.plane.audit_events_since(since).into_iter();
        // A watch is logged when it begins and when it ends.
        events
            .filter(|event| event["user"]["username"] == me && event["stage"] != "ResponseStarted")
            .collect()
    }

    /// Pieces of the keys of all kubeconfigs that were opened: see [`World::remember_key`].
    pub fn keys(&self) -> Ref<'_, Vec<Vec<u8>>> {
        self.secrets.borrow()
    }

    /// No private key anywhere: all output, every git object, every file in the temporary folder.
    pub fn sweep(&self) {
        let secrets = self.secrets.borrow();
        assert!(!secrets.is_empty(), "a sweep without secrets proves nothing");
        let clean = |what: &str, bytes: &[u8]| {
            for secret in secrets.iter() {
                assert!(!bytes.windows(secret.len()).any(|w| w == &secret[..]), "a private key is in {what}");
            }
        };
        clean("what certctl, git and age said", &self.said.borrow());
        for repo in ["repo", "origin.git"] {
            let mut command = self.command("git", &self.path(repo));
            command.args(["cat-file", "--batch", "--batch-all-objects"]);
            clean(repo, &command.output().expect("git cat-file").stdout);
        }
        let mut folders = vec![self.path("repo"), self.path("tmp"), self.path("home")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else {
                    clean(&entry.path().display().to_string(), &fs::read(entry.path()).unwrap_or_default());
                }
            }
        }
        clean("the audit log", &self.plane.audit_log());
    }
}

/// Waits until something is so, and fails after a minute.
pub fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !so() {
        assert!(std::time::Instant::now() < deadline, "no {what} in a minute");
        std::thread::yield_now();
    }
}
