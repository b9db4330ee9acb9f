//! A team at the moment before the apply that fails: a repository with a bare origin, and the
//! state of a cluster. It is created once per scenario, by the real certctl, and copied for each run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use certctl::model::{CredentialGroup, CredentialId};
use certctl_sandbox::clock::Clock;
use certctl_sandbox::faults::{Call, Faults};
use certctl_sandbox::{Options, Sandbox, State};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use crate::checks;
use crate::scenarios::{Person, Scenario};

/// Everyone who is ever on a roster here.
const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// The moment before.
pub struct Fixture {
    pub scenario: &'static Scenario,
    folder: TempDir,
    state: State,
    /// The responses to reads so far.
    memory: Faults,
    /// The credentials that the apply revokes.
    pub cut_off: Vec<CredentialGroup>,
    /// The calls of the apply without faults.
    pub calls: Vec<Call>,
}

/// A copy of it, with a cluster that can be made to fail.
pub struct World {
    folder: TempDir,
    pub sandbox: Sandbox,
    later: SignedDuration,
    holds: bool,
}

impl Fixture {
    pub fn new(scenario: &'static Scenario) -> Self {
        let folder =
            tempfile::Builder::new().prefix("certctl-faults-").tempdir().expect("a temporary folder");
        for name in ["home", "tmp"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let sandbox =
            Sandbox::start(Options { context: "prod".to_owned(), ..Options::default() }).expect("it starts");
        let world = World { folder, sandbox, later: SignedDuration::ZERO, holds: scenario.holds };
        for person in PEOPLE {
            let file = format!("../{person}.key");
            fs::create_dir_all(world.path("repo")).expect("a folder");
            let made = world.run(&mut world.certctl(&["keygen", "-o", &file]));
            assert!(made.status.success(), "{}", text(&made.stderr));
        }
        world.git_in(
            world.folder.path(),
            &["init", "-q", "--template=", "--bare", "-b", "main", "origin.git"],
        );
        world.git(&["init", "-q", "--template=", "-b", "main"]);
        world.git(&["remote", "add", "origin", "../origin.git"]);
        if scenario.holds {
            world.sandbox.put(checks::foreign()).expect("a binding");
        }
        world.sandbox.faults().remember();
        world.roster(scenario.before);
        if !scenario.before.is_empty() {
            world.apply().succeeds();
        }
        let before = checks::recorded(&world);
        world.roster(scenario.after);
        let cut_off = scenario.cut_off.iter().map(|user| active(&before, user)).collect();
        let memory = Faults::default();
        memory.remember_as(world.sandbox.faults());
        let state = world.sandbox.state();
        let World { folder, .. } = world;
        let mut fixture = Self { scenario, folder, state, memory, cut_off, calls: Vec::new() };
        let clean = fixture.copy();
        clean.apply().succeeds();
        fixture.calls = clean.sandbox.faults().calls();
        checks::converged(&fixture, &clean);
        fixture
    }

    /// The moment before, once more.
    pub fn copy(&self) -> World {
        let folder = tempfile::Builder::new().prefix("certctl-fault-").tempdir().expect("a temporary folder");
        copy(self.folder.path(), folder.path());
        let later = self.scenario.later;
        let options = Options {
            context: "prod".to_owned(),
            state: Some(self.state.clone()),
            clock: Clock::new(move || Timestamp::now() + later),
            ..Options::default()
        };
        let sandbox = Sandbox::start(options).expect("it starts");
        sandbox.faults().remember_as(&self.memory);
        World { folder, sandbox, later, holds: self.scenario.holds }
    }

    /// Whether it asks for one right more: they are asked for side by side, and one question is like another.
    pub fn asks_again(&self, call: &Call) -> bool {
        let asks = |call: &&Call| call.resource == "selfsubjectaccessreviews";
        asks(&call) && self.calls.iter().find(asks).is_some_and(|first| first.number < call.number)
    }

    /// How many calls revoke access.
    ///
    /// # Panics
    /// Something is taken, and not before the first request for a certificate.
    pub fn reductions(&self) -> usize {
        let issues = |call: &&Call| call.resource == "certificatesigningrequests" && call.verb != "list";
        let before_issuing = self.calls.iter().take_while(|call| !issues(call));
        let count = before_issuing.filter(|call| reduces(call)).count();
        let scenario = self.scenario.name;
        assert_eq!(count == 0, self.cut_off.is_empty(), "{scenario}: revocations come before all issuing");
        count
    }
}

/// Whether a call takes somebody out of a binding, where it comes before all issuing.
pub fn reduces(call: &Call) -> bool {
    call.resource.ends_with("bindings") && matches!(call.verb.as_str(), "patch" | "delete")
}

fn active(records: &[certctl::record::Record], user: &str) -> CredentialGroup {
    let record = records.iter().find(|record| record.user.as_str() == user).expect("a record");
    let credential = record.credentials.iter().find(|c| c.state == certctl::record::CredentialState::Active);
    let id: CredentialId = credential.expect("an active credential").id.clone();
    CredentialGroup::new(&record.user, id)
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("it can be read") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            fs::create_dir(&target).expect("a folder");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// How a run of certctl ended; no code if it was killed.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub said: String,
}

impl Ran {
    #[track_caller]
    pub fn succeeds(self) {
        assert_eq!(self.code, Some(0), "{}", self.said);
    }
}

/// A running certctl, killed on drop.
pub struct Running {
    child: Child,
    said: PathBuf,
    holds: bool,
}

/// Far more than any run takes.
const PATIENCE: Duration = Duration::from_secs(180);

/// How often to check whether a process has ended.
const LOOK: Duration = Duration::from_millis(20);

impl Running {
    /// Waits for its end.
    pub fn end(self) -> Ran {
        let (_sender, nothing) = mpsc::channel();
        self.until(&nothing)
    }

    /// Waits for its end, and kills it when `reached` says so.
    pub fn until(mut self, reached: &Receiver<()>) -> Ran {
        let began = Instant::now();
        let killed = loop {
            if self.child.try_wait().expect("its state").is_some() {
                break "";
            }
            match reached.recv_timeout(LOOK) {
                Ok(()) => break "",
                Err(_) if began.elapsed() > PATIENCE => break "it was killed, because it did not end\n",
                Err(_) => {}
            }
        };
        // One that has ended cannot be killed, and that is fine.
        let _ = self.child.kill();
        let status = self.child.wait().expect("its end");
        let said = text(&fs::read(&self.said).expect("what it said"));
        let code = if self.holds && is_only_held(&said) { Some(0) } else { status.code() };
        Ran { code, said: killed.to_owned() + &said }
    }
}

/// What each of them is called in its error.
const HELD: [&str; 3] = ["ClusterRole `gone`", "namespace `gone`", "certctl:team:admin"];

/// Whether an apply exits 1 for what it holds back, and for nothing else.
fn is_only_held(said: &str) -> bool {
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("Error: ")).collect();
    let is_held = |line: &&str| HELD.iter().any(|held| line.contains(held));
    errors.len() == HELD.len() && errors.iter().all(is_held)
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl World {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = certctl_testing::scrubbed(program, folder, &self.path("home"));
        certctl_testing::with_author(&mut command);
        command.env("TMPDIR", self.path("tmp")).env("KUBECONFIG", self.path("kubeconfig"));
        command
    }

    fn run(&self, command: &mut Command) -> Output {
        command.output().expect("it starts")
    }

    fn git_in(&self, folder: &Path, args: &[&str]) {
        let output = self.run(self.command("git", folder).args(args));
        assert!(output.status.success(), "git {args:?}: {}", text(&output.stderr));
    }

    fn git(&self, args: &[&str]) {
        self.git_in(&self.path("repo"), args);
    }

    /// certctl, in the repository, at the scenario's time.
    pub fn certctl(&self, args: &[&str]) -> Command {
        fs::write(self.path("kubeconfig"), self.sandbox.kubeconfig()).expect("a kubeconfig");
        let mut command = self.command(env!("CARGO_BIN_EXE_certctl"), &self.path("repo"));
        command.args(args);
        if !self.later.is_zero() {
            command.env("CERTCTL_NOW", (Timestamp::now() + self.later).to_string());
        }
        command
    }

    /// An apply as CI runs it, for fault injection.
    pub fn apply_command(&self) -> Command {
        self.certctl(&["apply", "--auto-approve"])
    }

    /// An apply as CI runs it. The lock of one that was killed expires after 15 seconds.
    pub fn apply(&self) -> Ran {
        self.start(self.certctl(&["apply", "--auto-approve", "--lock-timeout", "2m"])).end()
    }

    pub fn plan(&self) -> Ran {
        self.start(self.certctl(&["plan", "--detailed-exitcode"])).end()
    }

    /// Starts it, with both output streams in one file.
    pub fn start(&self, mut command: Command) -> Running {
        let said = tempfile::NamedTempFile::new_in(self.folder.path()).expect("a file");
        let (file, said) = said.keep().expect("a file that stays");
        command.stdout(file.try_clone().expect("the same file")).stderr(file);
        Running { child: command.spawn().expect("certctl starts"), said, holds: self.holds }
    }

    /// Writes and pushes the roster with these people.
    fn roster(&self, people: &[Person]) {
        let mut users = String::new();
        for (name, rest) in people {
            let key = fs::read_to_string(self.path(&format!("{name}.key"))).expect("an identity");
            let recipient =
                key.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a recipient");
            users += &format!("- {{name: {name}, recipients: [{recipient}], groups: [team]{rest}}}\n");
        }
        let users = if users.is_empty() { " []\n".to_owned() } else { format!("\n{users}") };
        // A role and a namespace that are missing, and a binding that somebody else made under our name.
        let held = if self.holds {
            ", {clusterRole: gone}, {clusterRole: view, namespaces: [gone]}, {clusterRole: admin, namespaces: [default]}"
        } else {
            ""
        };
        let roster = format!(
            "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: acme}}\n\
             clusters: [{{name: prod, server: \"https://127.0.0.1:1\"}}]\n\
             groups:\n- name: team\n  grants: [{{clusterRole: view}}, {{clusterRole: edit, namespaces: [default]}}{held}]\n\
             users:{users}"
        );
        fs::write(self.path("repo/users.yaml"), roster).expect("a roster");
        self.git(&["add", "users.yaml"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "roster"]);
        self.git(&["push", "-q", "-u", "origin", "main"]);
    }
}
