//! A team on one machine: each person has a home and a clone, and types at a terminal of 80 columns. The clusters are
//! in memory, with RBAC, client certificates and a signer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use certctl_sandbox::{Options, Sandbox};
use certctl_testing::{Ran, TemporaryFolder, Terminal};
use serde_json::json;

/// The team's machine.
pub struct Team {
    folder: TemporaryFolder,
    clusters: Vec<(&'static str, Sandbox)>,
}

impl Team {
    /// A machine with a bare repository `access.git`, and these clusters.
    pub fn new(clusters: &[&'static str]) -> Self {
        let folder = TemporaryFolder::new("certctl-docs-").expect("a folder");
        let start = |name: &&'static str| {
            let options = Options { context: format!("{name}-admin"), ..Options::default() };
            (*name, Sandbox::start(options).expect("a sandbox"))
        };
        let team = Self { clusters: clusters.iter().map(start).collect(), folder };
        for (name, sandbox) in &team.clusters {
            fs::write(team.path(&format!("{name}.kubeconfig")), sandbox.kubeconfig()).expect("a kubeconfig");
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

    fn sandbox(&self, cluster: &str) -> &Sandbox {
        let found = self.clusters.iter().find(|(name, _)| *name == cluster);
        &found.expect("a cluster of the team").1
    }

    /// Where users reach a cluster.
    pub fn server(&self, cluster: &str) -> String {
        self.sandbox(cluster).server()
    }

    /// The text as it would be on machines and clusters of their own.
    pub fn at_home(&self, text: &str) -> String {
        let text = text.replace(&self.folder.path().display().to_string(), "/srv");
        let named = |text: String, (name, sandbox): &(&str, Sandbox)| {
            text.replace(&sandbox.server(), &format!("https://{name}.example.com:6443"))
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
