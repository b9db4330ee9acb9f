//! A team on one machine: each person has a home and a clone, and types at a terminal of 80 columns. The clusters are
//! in memory, with RBAC, client certificates and a signer, or a real control plane.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use certctl_sandbox::{Options, Sandbox};
use certctl_testing::{ControlPlane, Ran, TemporaryFolder, Terminal};
use serde_json::json;

/// The team's machine.
pub struct Team {
    folder: TemporaryFolder,
    clusters: Vec<(&'static str, Cluster)>,
}

/// A cluster of the team.
enum Cluster {
    InMemory(Sandbox),
    Real(Box<ControlPlane>),
}

impl Cluster {
    fn server(&self) -> String {
        match self {
            Self::InMemory(sandbox) => sandbox.server(),
            Self::Real(plane) => plane.server().to_owned(),
        }
    }

    fn kubeconfig(&self) -> String {
        match self {
            Self::InMemory(sandbox) => sandbox.kubeconfig(),
            Self::Real(plane) => fs::read_to_string(plane.kubeconfig()).expect("a kubeconfig"),
        }
    }
}

impl Team {
    /// A machine with a bare repository `access.git`, and these clusters in memory.
    pub fn new(clusters: &[&'static str]) -> Self {
        let start = |name: &&'static str| {
            let options = Options { context: format!("{name}-admin"), ..Options::default() };
            (*name, Cluster::InMemory(Sandbox::start(options).expect("a sandbox")))
        };
        Self::on(clusters.iter().map(start).collect())
    }

    /// The same with a control plane as its only cluster, which the administrator calls `context`.
    pub fn with_control_plane(name: &'static str, context: &str) -> Self {
        let binaries = certctl_testing::binaries().expect("a control plane");
        let plane = ControlPlane::start(&binaries, certctl_testing::Options::default()).expect("it starts");
        plane.add_context(context);
        Self::on(vec![(name, Cluster::Real(Box::new(plane)))])
    }

    /// Puts the kubectl of the control plane on everybody's PATH.
    pub fn has_kubectl(&self) {
        let kubectl = certctl_testing::binaries().expect("a control plane").join("kubectl");
        std::os::unix::fs::symlink(kubectl, self.path("bin/kubectl")).expect("a link");
    }

    fn on(clusters: Vec<(&'static str, Cluster)>) -> Self {
        let folder = TemporaryFolder::new("certctl-docs-").expect("a folder");
        let team = Self { folder, clusters };
        for (name, cluster) in &team.clusters {
            fs::write(team.path(&format!("{name}.kubeconfig")), cluster.kubeconfig()).expect("a kubeconfig");
        }
        let bin = team.path("bin");
        fs::create_dir(&bin).expect("a folder");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_certctl"), bin.join("certctl")).expect("a link");
        team.runs(".", "ada", "git init --quiet --bare --initial-branch=main ../access.git", 0);
        team
    }

    /// A path on the machine.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn cluster(&self, name: &str) -> &Cluster {
        let found = self.clusters.iter().find(|(named, _)| *named == name);
        &found.expect("a cluster of the team").1
    }

    fn sandbox(&self, name: &str) -> &Sandbox {
        match self.cluster(name) {
            Cluster::InMemory(sandbox) => sandbox,
            Cluster::Real(_) => panic!("{name} is not in memory"),
        }
    }

    /// Where users reach a cluster.
    pub fn server(&self, cluster: &str) -> String {
        self.cluster(cluster).server()
    }

    /// The text as it would be on machines and clusters of their own.
    pub fn at_home(&self, text: &str) -> String {
        let text = text.replace(&self.folder.path().display().to_string(), "/srv");
        let named = |text: String, (name, cluster): &(&str, Cluster)| {
            text.replace(&cluster.server(), &format!("https://{name}.example.com:6443"))
        };
        self.clusters.iter().fold(text, named)
    }

    /// Makes a namespace.
    pub fn namespace(&self, cluster: &str, name: &str) {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.sandbox(cluster).put(object).expect("made");
    }

    /// Somebody adds a user to a ClusterRoleBinding by hand.
    pub fn binds_by_hand(&self, cluster: &str, binding: &str, user: &str) {
        let sandbox = self.sandbox(cluster);
        let mut object = sandbox
            .get("rbac.authorization.k8s.io", "clusterrolebindings", "", binding)
            .expect("the binding is there");
        let subject = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user});
        object["subjects"].as_array_mut().expect("subjects").push(subject);
        sandbox.put(object).expect("written");
    }

    /// A program as somebody starts it, in a folder of theirs.
    fn command(&self, folder: &Path, who: &str, program: &str) -> Command {
        let home = self.path(who);
        fs::create_dir_all(&home).expect("a home");
        let mut command = certctl_testing::scrubbed(program, &home.join(folder), &home);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [self.path("bin")].into_iter().chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders).expect("a PATH"));
        // The administrator has every cluster in one kubeconfig of two files, as kubectl merges them.
        if who == "ada" {
            let files = self.clusters.iter().map(|(name, _)| self.path(&format!("{name}.kubeconfig")));
            command.env("KUBECONFIG", std::env::join_paths(files).expect("a list"));
        }
        let name = format!("{}{}", who[..1].to_uppercase(), &who[1..]);
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), &name)
                .env(format!("GIT_{role}_EMAIL"), format!("{who}@example.com"));
        }
        command.env("TERM", "xterm").env("NO_COLOR", "1").env("USER", who).env("PAGER", "cat");
        command
    }

    /// Runs a line of shell, in a folder of somebody's home, which must end with this code.
    #[track_caller]
    pub fn runs(&self, folder: &str, who: &str, line: &str, code: i32) -> String {
        let mut command = self.command(Path::new(folder), who, "bash");
        let said = Ran::of(command.args(["-c", line])).expect(code);
        said.stdout + &said.stderr
    }

    /// Runs a line of shell without a terminal; how it ended, and what it said.
    pub fn pipes(&self, folder: &str, who: &str, line: &str) -> (Option<i32>, String) {
        let ran = Ran::of(self.command(Path::new(folder), who, "bash").args(["-c", line]));
        (ran.code, ran.stdout + &ran.stderr)
    }

    /// Types a line of shell at a terminal, and answers; how it ended, and the lines that were left there.
    #[track_caller]
    pub fn types(
        &self,
        folder: &str,
        who: &str,
        line: &str,
        answers: &[(&str, &str)],
    ) -> (Option<i32>, String) {
        let (code, shown) = self.shows(folder, who, line, answers);
        (code, super::screen::left_on(&shown))
    }

    /// The same, with all that the terminal got.
    #[track_caller]
    pub fn shows(
        &self,
        folder: &str,
        who: &str,
        line: &str,
        answers: &[(&str, &str)],
    ) -> (Option<i32>, String) {
        let mut command = self.command(Path::new(folder), who, "bash");
        command.args(["-c", line]);
        let mut terminal = Terminal::start(command);
        for (question, answer) in answers {
            terminal.wait_for(question);
            terminal.type_keys(&format!("{answer}\r"));
        }
        let ran = terminal.end();
        (ran.code, ran.stdout)
    }
}
