//! The command line: help, errors and exit codes, in an empty environment with a clock that stands
//! where it was set. `UPDATE_EXPECT=1 cargo test --test cli` writes `tests/cli/` anew.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use age::secrecy::ExposeSecret as _;
use certctl_testing::Ran;
use expect_test::{Expect, expect, expect_file};
use tempfile::TempDir;

/// A folder with a roster, a home without anything, and certctl.
struct Place {
    dir: TempDir,
}

trait Fails {
    /// It ended with this code, said this on standard error, and printed nothing.
    fn fails(self, code: i32, said: Expect);
}

impl Fails for Ran {
    #[track_caller]
    fn fails(self, code: i32, said: Expect) {
        said.assert_eq(&self.stderr);
        assert_eq!(self.expect(code).stdout, "");
    }
}

const ROSTER: &str = "\
apiVersion: certctl.dev/v1   # v1
kind: Roster
metadata: {name: acme}
clusters: [{name: prod}, {name: stage}]
users:
- {name: alice, recipients: [RECIPIENT], generation: 7}   # on holiday
- name: bob
  # his second laptop
  recipients:  [ RECIPIENT ]
";

impl Place {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("certctl-cli-").tempdir().expect("a folder");
        let place = Self { dir };
        fs::create_dir(place.path("home")).expect("a folder");
        let recipient = identity().to_public().to_string();
        place.write("users.yaml", ROSTER.replace("RECIPIENT", &recipient).as_bytes());
        place
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn write(&self, file: &str, bytes: &[u8]) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, bytes).expect("written");
    }

    fn roster(&self) -> String {
        fs::read_to_string(self.path("users.yaml")).expect("the roster")
    }

    fn command(&self, args: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_certctl");
        let mut command = certctl_testing::scrubbed(program, self.dir.path(), &self.path("home"));
        command.args(args).env("CERTCTL_NOW", "2026-01-01T00:00:00Z");
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.command(args))
    }

    /// A sealed file of `user`, and the identity that opens it.
    fn sealed(&self, cluster: &str, user: &str, to: &age::x25519::Identity) {
        let sealed = age::encrypt_and_armor(&to.to_public(), b"apiVersion: v1\n").expect("encrypted");
        self.write(&format!("access/{cluster}/{user}.kubeconfig.age"), sealed.as_bytes());
    }

    fn identity_file(&self, name: &str, identity: &age::x25519::Identity) {
        self.write(name, identity.to_string().expose_secret().as_bytes());
    }
}

fn identity() -> age::x25519::Identity {
    age::x25519::Identity::generate()
}

fn committed(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a committed file")
}

#[test]
fn help_is_as_committed() {
    let place = Place::new();
    let help = |args: &[&str]| {
        let ran = place.run(args);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args:?}");
        // clap fills a blank line of an option with spaces.
        ran.stdout.lines().map(|line| line.trim_end().to_owned() + "\n").collect::<String>()
    };
    let all = help(&["--help"]);
    expect_file!["cli/certctl.txt"].assert_eq(&all);
    let (_, commands) = all.split_once("Commands:\n").expect("a list of commands");
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.contains(&"apply"), "{commands:?}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        expect_file![format!("cli/{command}.txt")].assert_eq(&help(&[command, "--help"]));
    }
    assert_eq!(place.run(&["--version"]).stdout, format!("certctl {}\n", env!("CARGO_PKG_VERSION")));
}

/// build.rs as cargo runs it for a release, in a clone and in what `git archive` makes of one.
#[test]
fn a_release_names_its_commit_and_the_date_of_it() {
    let place = Place::new();
    let script = place.path("build-script");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let compiled = Command::new(compiler).args(["--edition", "2024", "-o"]).arg(&script).arg(source).output();
    let compiled = compiled.expect("rustc starts");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let version = |folder: &str, variables: &[(&str, &str)]| {
        let mut command = certctl_testing::scrubbed(&script, &place.path(folder), &place.path("home"));
        command.env("CARGO_PKG_VERSION", "1.2.3").env("PROFILE", "release").envs(variables.iter().copied());
        let said = Ran::of(&mut command).expect(0).stdout;
        let line = said.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=CERTCTL_LONG_VERSION="));
        line.expect("a version").to_owned()
    };
    fs::create_dir_all(place.path("clone")).expect("a folder");
    let git = |args: &[&str]| {
        let mut git = certctl_testing::scrubbed("git", &place.path("clone"), &place.path("home"));
        certctl_testing::with_author(&mut git);
        git.env("GIT_COMMITTER_DATE", "2026-03-04T23:30:00Z").args(args);
        Ran::of(&mut git).expect(0).stdout.trim().to_owned()
    };
    git(&["init", "-q"]);
    git(&["commit", "-q", "--allow-empty", "-m", "one"]);
    let commit = git(&["rev-parse", "HEAD"]);
    assert_eq!(version("clone", &[]), format!("1.2.3 ({} 2026-03-04)", &commit[..12]));
    let epoch = ("SOURCE_DATE_EPOCH", "1709164800");
    assert_eq!(version("clone", &[epoch]), format!("1.2.3 ({} 2024-02-29)", &commit[..12]));
    assert_eq!(version("clone", &[("PROFILE", "debug")]), "1.2.3");

    // An archive, unpacked in somebody else's clone.
    place.write(
        "clone/vendor/packaging/commit.txt",
        format!("{} 2026-05-06\n", "0123456789".repeat(4)).as_bytes(),
    );
    assert_eq!(version("clone/vendor", &[]), "1.2.3 (012345678901 2026-05-06)");
    place.write("clone/vendor/packaging/commit.txt", b"$Format:%H %cs$\n");
    assert_eq!(version("clone/vendor", &[]), "1.2.3");
}

#[test]
fn a_command_line_that_cannot_be_meant_ends_in_64() {
    let place = Place::new();
    for args in [
        &[][..],
        &["frobnicate"],
        &["--frobnicate"],
        &["plan", "--format", "xml"],
        &["plan", "--save", "plan.json"],
        &["plan", "--save", "xml=plan.xml"],
        &["plan", "--save", "json="],
        &["plan", "--cluster", "No Such Name"],
        &["plan", "-q", "-v"],
        &["plan", "--request-timeout", "0s"],
        &["apply", "--timeout", "soon"],
        &["apply", "--timeout=-5s"],
        &["apply", "--parallelism", "0"],
        &["apply", "--acknowledge", "-1"],
        &["apply", "extra"],
        &["decrypt", "system:admin"],
        &["rotate"],
        &["rotate", "--all", "alice"],
        &["schema", "nothing"],
    ] {
        let ran = place.run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.is_empty(), "{args:?}");
        assert!(!ran.stderr.contains("panicked"), "{args:?}: {}", ran.stderr);
    }
    place.run(&["plan", "--cluster", "nowhere"]).fails(
        64,
        expect![[r#"
        Error: --cluster nowhere: users.yaml has no such cluster
          Hint: it has prod, stage
    "#]],
    );
    place.run(&["apply"]).fails(
        64,
        expect![[r#"
        Error: there is no terminal to ask on, so nothing was done
          Hint: to apply without a question, as in CI, run `certctl apply --auto-approve`
    "#]],
    );
    for now in ["tomorrow", "2026-01-01"] {
        let ran = Ran::of(place.command(&["validate"]).env("CERTCTL_NOW", now));
        assert_eq!(ran.code, Some(64));
        assert!(ran.stderr.starts_with(&format!("Error: CERTCTL_NOW is `{now}`")), "{}", ran.stderr);
    }
}

#[test]
fn the_example_is_valid() {
    let place = Place::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/users.yaml");
    let ran = place.run(&["validate", "--roster", example.to_str().expect("UTF-8")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("is valid: "), "{}", ran.stderr);
}

#[test]
fn the_roster_is_found_from_a_folder_below_it_and_by_the_environment() {
    let place = Place::new();
    fs::create_dir_all(place.path(".git")).expect("made");
    fs::create_dir_all(place.path("docs/more")).expect("made");
    let below = |variable: Option<PathBuf>| {
        let mut command = place.command(&["validate"]);
        command.current_dir(place.path("docs/more")).envs(variable.map(|file| ("CERTCTL_ROSTER", file)));
        Ran::of(&mut command)
    };
    below(None).expect(0).says("../../users.yaml is valid");
    fs::rename(place.path("users.yaml"), place.path("team.yaml")).expect("renamed");
    below(None).expect(1).says("users.yaml could not be read").says("certctl init");
    below(Some(place.path("team.yaml"))).expect(0).says("team.yaml is valid");
}

#[test]
fn quiet_says_nothing_but_errors() {
    let place = Place::new();
    let said = place.run(&["validate"]).stderr;
    assert!(said.ends_with("users.yaml is valid: 2 clusters, 0 groups, 2 users, 0 records.\n"), "{said}");
    assert_eq!(place.run(&["validate", "-q"]).stderr, "");
    assert_eq!(place.run(&["rotate", "alice", "--quiet"]).stderr, "");
    place.run(&["-q", "validate", "--roster", "missing.yaml"]).fails(
        1,
        expect![[r#"
            Error: missing.yaml could not be read; nothing was done
              Caused by: No such file or directory (os error 2)
              Hint: run certctl in the folder of the roster, or name it with `--roster FILE`
              Hint: to start one here, run `certctl init`
        "#]],
    );
}

#[test]
fn users_with_one_recipient_are_named_with_their_places() {
    let said = Place::new().run(&["validate"]).expect(0).stderr;
    assert!(
        said.starts_with(
            "Warning: several users have one recipient: alice at users.yaml:6:30 and bob at users.yaml:9:18 (age1"
        ),
        "{said}"
    );
}

#[test]
fn colour_is_for_who_asks_for_it() {
    let place = Place::new();
    let said = |args: &[&str], no_color: &str| {
        let mut command = place.command(&[&["validate", "--roster", "missing.yaml"], args].concat());
        Ran::of(command.env("NO_COLOR", no_color)).stderr
    };
    let plain = said(&[], "");
    assert!(plain.starts_with("Error: "), "{plain}");
    let always = said(&["--color", "always"], "1");
    assert!(always.starts_with("\x1b[1;31mError:\x1b[0m ") && always.contains("\x1b[36mHint:"), "{always}");
    assert_eq!(said(&["--color=never"], ""), plain);
    assert_eq!(said(&[], "1"), plain);
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    let place = Place::new();
    for args in [&["schema"][..], &["--help"], &["--version"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let ran = Ran::of(place.command(args).stdout(writer));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args:?}");
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    Ran::of(place.command(&["validate", "--roster", "missing.yaml"]).stderr(writer)).expect(1);
}

#[test]
fn the_committed_schemas_are_fresh() {
    let place = Place::new();
    for (args, file) in [
        (&["schema"][..], "schemas/users.schema.json"),
        (&["schema", "roster"], "schemas/users.schema.json"),
        (&["schema", "part"], "schemas/part.schema.json"),
        (&["schema", "plan"], "schemas/plan.schema.json"),
        (&["schema", "apply"], "schemas/apply.schema.json"),
        (&["schema", "audit"], "schemas/audit.schema.json"),
        (&["schema", "explain"], "schemas/explain.schema.json"),
        (&["schema", "checks"], "schemas/checks.schema.json"),
        (&["schema", "status"], "schemas/status.schema.json"),
        (&["schema", "notices"], "schemas/notices.schema.json"),
        (&["schema", "who"], "schemas/who.schema.json"),
        (&["schema", "history"], "schemas/history.schema.json"),
        (&["schema", "import"], "schemas/import.schema.json"),
        (&["schema", "import-finish"], "schemas/import-finish.schema.json"),
    ] {
        let ran = place.run(args);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        assert!(
            ran.stdout == committed(file),
            "{file} is stale; refresh it with `cargo run -- {} > {file}`",
            args.join(" ")
        );
    }
}

#[test]
fn whom_nobody_knows_is_told_with_the_nearest_name() {
    let place = Place::new();
    place.run(&["status", "--offline", "alcie"]).fails(
        1,
        expect![[r#"
            Error: `alcie` is neither on the roster nor in the records
              Hint: for somebody who has left: `certctl history alcie`
        "#]],
    );
    place.run(&["status", "--offline", "zoe"]).fails(
        1,
        expect![[r#"
        Error: `zoe` is neither on the roster nor in the records
          Hint: for somebody who has left: `certctl history zoe`
    "#]],
    );
    place.run(&["who", "X509SHA256=12"]).fails(1, expect![[r#"
        Error: `X509SHA256=12` is neither a fingerprint (SHA-256, 64 hex digits), nor a serial number (hex or decimal), nor a credential id (16 hex digits), nor a group `certctl:USER:ID`, nor a file; nothing was looked for
    "#]]);
    place.run(&["status", "--expiring", "soon"]).expect(64);
}

#[test]
fn rotate_changes_the_generation_and_no_other_byte() {
    let place = Place::new();
    let before = place.roster();
    fs::set_permissions(place.path("users.yaml"), fs::Permissions::from_mode(0o640)).expect("a mode");
    place.run(&["rotate", "alice"]).expect(0);
    assert_eq!(place.roster(), before.replace("generation: 7", "generation: 8"));
    let mode = fs::metadata(place.path("users.yaml")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);

    let before = place.roster();
    place.run(&["rotate", "alice", "zoe"]).fails(
        1,
        expect![[r#"
        Error: users.yaml: there is no user `zoe`; nothing was changed
          Hint: someone who is off the roster has lost their access already, or does at the next apply
    "#]],
    );
    assert_eq!(place.roster(), before, "nobody is rotated where one cannot be");

    place.run(&["rotate", "--all"]).expect(0);
    let after = place.roster();
    assert!(after.contains("generation: 9}   # on holiday"), "{after}");
    let added: Vec<&str> = after.lines().filter(|line| !before.contains(line)).collect();
    assert_eq!(added.len(), 2, "{after}");
    assert_eq!(added[1].trim(), "generation: 2", "{after}");
    place.run(&["validate"]).expect(0);
}

#[test]
fn suspend_and_resume_change_one_word_and_say_what_is_so_already() {
    let place = Place::new();
    let before = place.roster();
    let ran = place.run(&["suspend", "alice", "bob"]).expect(0);
    assert!(ran.stderr.starts_with("users.yaml: suspended 2 users.\n"), "{}", ran.stderr);
    let suspended = place.roster();
    assert_eq!(suspended.matches("suspended: true").count(), 2, "{suspended}");
    let without: String = suspended.replace(", suspended: true", "");
    let without: Vec<&str> = without.lines().filter(|line| line.trim() != "suspended: true").collect();
    assert_eq!(without, before.lines().collect::<Vec<_>>());

    let ran = place.run(&["suspend", "alice"]).expect(0);
    assert_eq!(ran.stderr, "users.yaml: suspended already: alice.\n");
    let ran = place.run(&["resume", "alice"]).expect(0);
    assert!(ran.stderr.starts_with("users.yaml: resumed alice.\n"), "{}", ran.stderr);
    assert_eq!(place.roster().matches("suspended: true").count(), 1);
    assert_eq!(place.run(&["resume", "alice"]).expect(0).stderr, "users.yaml: not suspended: alice.\n");
    place.run(&["validate"]).expect(0);

    let before = place.roster();
    let failed = place.run(&["suspend", "alice", "zoe"]).expect(1);
    assert!(failed.stderr.contains("there is no user `zoe`; nothing was changed"), "{}", failed.stderr);
    assert_eq!(place.roster(), before);
}

#[test]
fn who_comes_who_goes_and_who_is_on_call_is_one_command_each() {
    let place = Place::new();
    let roster = place.roster().replace("users:\n", "groups: [{name: on-call}] # the night shift\nusers:\n");
    place.write("users.yaml", roster.as_bytes());
    let recipient = identity().to_public().to_string();
    let said = |args: &[&str]| place.run(args).expect(0).stderr;

    let granted = said(&["grant", "alice", "--group", "on-call", "--until", "4h"]);
    expect![[r#"
        users.yaml: granted on-call to alice until 2026-01-01T04:00:00Z.
        Review it with `git diff users.yaml`, commit it, and run `certctl apply`: it binds it, and takes it back at that time.
    "#]]
    .assert_eq(&granted);
    let item = ", groups: [{name: on-call, until: 2026-01-01T04:00:00Z}]";
    assert_eq!(place.roster(), roster.replacen("], generation", &format!("]{item}, generation"), 1));
    said(&["grant", "alice", "--group", "on-call", "--until", "2026-01-02"]);
    assert!(place.roster().contains("until: 2026-01-03T00:00:00Z"), "{}", place.roster());
    let again = said(&["grant", "alice", "--group", "on-call", "--until", "2026-01-02"]);
    assert_eq!(again, "users.yaml: alice is in on-call like that already.\n");
    let revoked = said(&["revoke-grant", "alice", "bob", "--group", "on-call"]);
    assert!(
        revoked.starts_with("users.yaml: not in on-call: bob.\nusers.yaml: revoked on-call from alice.\n")
    );
    said(&["grant", "bob", "--group", "on-call", "--cluster", "prod"]);
    assert!(place.roster().contains("groups: [{name: on-call, clusters: [prod]}]"), "{}", place.roster());
    place
        .run(&["grant", "bob", "--group", "on-call"])
        .expect(0)
        .says("bob is in on-call already, without an end");

    said(&["add-user", "carol", "--recipient", &recipient, "--group", "on-call", "--until", "2026-06-30"]);
    assert!(
        place.roster().ends_with(&format!(
            "- name: carol\n  recipients: [{recipient}]\n  groups: [on-call]\n  until: 2026-07-01T00:00:00Z\n"
        )),
        "{}",
        place.roster()
    );
    said(&["remove-user", "alice", "carol"]);
    assert!(!place.roster().contains("carol") && !place.roster().contains("alice"), "{}", place.roster());
    place.run(&["validate"]).expect(0);

    let before = place.roster();
    for (args, code, what) in [
        (
            &["grant", "bob", "--group", "nobody"][..],
            64,
            "users.yaml has no such group\n  Hint: it has on-call",
        ),
        (
            &["grant", "bob", "--group", "on-call", "--until", "soon"],
            64,
            "--until: `soon` is no duration such as 4h",
        ),
        (&["grant", "bob", "--group", "on-call", "--until", "2025-01-01"], 64, "is over already"),
        (&["grant", "zoe", "--group", "on-call"], 1, "there is no user `zoe`"),
        (&["add-user", "bob", "--recipient", &recipient], 1, "there is a user `bob` already"),
        (&["add-user", "dave", "--recipient", "age1x"], 64, "--recipient: "),
        (&["remove-user", "zoe"], 1, "there is no user `zoe`"),
    ] {
        place.run(args).expect(code).says(what);
    }
    assert_eq!(place.roster(), before);
}

const PART: &str = "\
apiVersion: certctl.dev/v1
kind: RosterPart
groups: [{name: night}] # ours
users:
- name: carol # the boss
  recipients: [RECIPIENT]
";

#[test]
fn a_part_is_a_file_beside_the_roster() {
    let place = Place::new();
    let include = "include: [{path: \"teams/*.yaml\", may: {addUsers: true}}]\nusers:\n";
    place.write("users.yaml", place.roster().replace("users:\n", include).as_bytes());
    let part = PART.replace("RECIPIENT", &identity().to_public().to_string());
    place.write("teams/night.yaml", part.as_bytes());
    place.run(&["validate"]).expect(0).says("is valid: 2 clusters, 1 part, 1 group, 3 users, 0 records.");
    let plan = place.run(&["plan", "--offline"]).expect(0);
    assert!(plan.stdout.contains("carol"), "{}", plan.stdout);

    // Each edit is in the file that the user is in, wherever certctl runs.
    let whole = place.roster();
    let read = || fs::read_to_string(place.path("teams/night.yaml")).expect("the part");
    let ran = place.run(&["suspend", "carol"]).expect(0);
    assert!(ran.stderr.starts_with("teams/night.yaml: suspended carol.\n"), "{}", ran.stderr);
    assert_eq!(read(), part.replace("# the boss\n", "# the boss\n  suspended: true\n"));
    place.run(&["resume", "carol"]).expect(0);
    place.run(&["grant", "carol", "--group", "night", "--until", "4h"]).expect(0);
    assert!(read().ends_with("  groups: [{name: night, until: 2026-01-01T04:00:00Z}]\n"), "{}", read());
    let new = identity().to_public().to_string();
    place.run(&["add-user", "dave", "--recipient", &new, "--part", "teams/night.yaml"]).expect(0);
    assert!(read().ends_with(&format!("- name: dave\n  recipients: [{new}]\n")), "{}", read());
    place.run(&["rotate", "alice", "carol"]).expect(0).says("teams/night.yaml");
    assert_eq!(place.roster(), whole.replace("generation: 7", "generation: 8"));
    place.run(&["remove-user", "carol", "dave"]).expect(0);
    assert!(read().ends_with("users: []\n"), "{}", read());

    // Its errors have its own places, also where certctl runs elsewhere.
    place.write(
        "teams/night.yaml",
        part.replace("night}", "night, grants: [{clusterRole: view}]}").as_bytes(),
    );
    fs::create_dir(place.path("below")).expect("made");
    let mut command = place.command(&["validate", "--roster", "../users.yaml"]);
    let ran = Ran::of(command.current_dir(place.path("below"))).expect(1);
    assert!(
        ran.stderr.contains("Error: ../teams/night.yaml:3:47: group `night` is granted"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("(../users.yaml:"), "{}", ran.stderr);

    // What leads elsewhere is not read, not even quoted.
    place.write("secret.yaml", b"password: hunter2\n");
    fs::remove_file(place.path("teams/night.yaml")).expect("removed");
    std::os::unix::fs::symlink(place.path("secret.yaml"), place.path("teams/night.yaml")).expect("linked");
    let ran = place.run(&["validate"]).expect(1);
    assert!(ran.stderr.contains("is a symbolic link") && !ran.stderr.contains("hunter2"), "{}", ran.stderr);
    fs::remove_file(place.path("teams/night.yaml")).expect("removed");
    fs::rename(place.path("teams"), place.path("elsewhere")).expect("moved");
    place.write("elsewhere/night.yaml", part.as_bytes());
    std::os::unix::fs::symlink(place.path("elsewhere"), place.path("teams")).expect("linked");
    place.run(&["validate"]).expect(1).says("is a symbolic link");
    place.write("users.yaml", whole.replace("teams/*.yaml", "teams/night.yaml").as_bytes());
    place.run(&["validate"]).expect(1).says("is a symbolic link");
}

/// It runs at each call of kubectl, so it has no time for other people.
#[test]
fn a_credential_plugin_reads_of_each_part_what_is_about_its_person() {
    let place = Place::new();
    let include = "include: [{path: \"teams/*.yaml\", may: {addUsers: true}}]\nusers:\n";
    place.write("users.yaml", place.roster().replace("users:\n", include).as_bytes());
    let part = PART.replace("RECIPIENT", &identity().to_public().to_string());
    place.write("teams/night.yaml", part.as_bytes());
    let others = "apiVersion: certctl.dev/v1\nkind: RosterPart\nusers:\n- name: dave\n  recipients: [age1nobody]\nmemberships:\n- {user: dave, group: night}\n";
    place.write("teams/other.yaml", others.as_bytes());
    let of = |user: &str| place.run(&["credential", "--cluster", "prod", user]).expect(1).stderr;
    let (carol, dave) = (of("carol"), of("dave"));
    assert!(carol.contains("carol") && !carol.contains("other.yaml"), "her own entry is valid: {carol}");
    assert!(dave.contains("teams/other.yaml:5:"), "{dave}");
    // What makes her another one's entry too is about her.
    place.write("teams/other.yaml", others.replace("dave", "carol").as_bytes());
    assert!(of("carol").contains("teams/other.yaml:4:"), "{}", of("carol"));
}

/// An RSA key of 2048 bits.
const WEAK: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCt3vdK4SKsjN5g7JSH7IL8W0jJeT4ev1jTn3NH4cAcn5M1RlZ9CvlgTzj7zGjEOUclqc0Lu0O0CR/207RqjbQqcScHNcBtgclMdlAlZ5A81RpzYa2EgRBvIBj2ev1mJOC1ZjQ/ohVG0ACdJXrgkgxFy068dTX2ceAYYXEZKQR9YcNb4TQ2KqZmH0U88Hs4dCbhWY2NYGfFg8vlSRJVTdalkD3bGGIKYrzokCT6tU7eEfC3HY7VaXhFO5KP7hUC56lZSQx8NQGKGHSt8+s01PFr4L6yqo+lji1QdTziAbrbdnFA4g9DEm84gnPc5/5DQFRGPxgeiUV+vtxzMhscm98p";
/// An RSA key of 3072 bits.
const STRONG: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDMkNqMewoPm25/c6wOU2sP7nV48TAXua2vbiHy6v/h65idP0apH5/UHnOpGMqEBehHyN/0Qg+r1mqVq49dMFa4OQw4LcDLJ5hwXQlECvhisP8ePcoPOOlNNxcn9d4ASoDR5vO6HyuEHHeoDDoNMPSnT1zMbhGnBzxTN3tpoAxTafQMWsN+SqE0ixlW3XZx11cTErOImrGkuuqfGmi1iu5TErAN4rZHML1V2yHCtwgT59IDZSHzXnrM1IXgEqOTMVQ8JGzJ729DT7H+983jY4LaRkyQJ1a3HVS5E2qTKnOC9xOlU0NTyC5GbU19AL1SBzAtgxnaE0vVZ/pWIGCqKoXJ/ET1TwSEJ162tZde+Vn6db2mBQKQIMNvs4xO8zAuN5f+QGu5xLztiowGV1P+KUyXAKhuSjWrEBFZTXUVXpZeH7an/WIqizLNQiXkUDxPpBoBNj13k6LVcFmxXW7zcn+5eCC7lRLAIVRZaaG4P7s6xkzUAG5yHdfgkqDwET++vkc=";

#[test]
fn whoever_must_act_soon_is_told_with_what_to_do() {
    let place = Place::new();
    let [whole, stub] =
        [identity().to_public().to_string(), "age1stub1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnksz24z".to_owned()];
    let roster = format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: acme}}\nclusters: [{{name: prod}}]\nusers:\n\
         - {{name: alice, fullName: Alice Example, email: alice@example.com, recipients: [{WEAK}, {stub}], until: 2026-01-10}}\n\
         - {{name: bob, recipients: [{STRONG}, {whole}]}}\n"
    );
    place.write("users.yaml", roster.as_bytes());
    let codes = |args: &[&str]| {
        let ran = place.run(&[&["notices", "--offline", "--format", "json"], args].concat()).expect(0);
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let people = document["people"].as_array().expect("people").clone();
        let codes = |person: &serde_json::Value| {
            let notices = person["notices"].as_array().expect("notices").iter();
            let codes: Vec<&str> = notices.map(|notice| notice["code"].as_str().expect("a code")).collect();
            format!("{}: {}", person["user"].as_str().expect("a name"), codes.join(" "))
        };
        people.iter().map(codes).collect::<Vec<_>>()
    };
    let waiting = "bob: request-waiting";
    assert_eq!(codes(&[]), ["alice: access-ends recipient-weak recipient-unusable request-waiting", waiting]);
    assert_eq!(
        codes(&["--within", "1d"]),
        ["alice: recipient-weak recipient-unusable request-waiting", waiting]
    );

    let page = place.run(&["notices", "--offline", "--detailed-exitcode"]).expect(2).stdout;
    assert!(page.contains("(Alice Example)") && !page.contains("alice@example.com"), "{page}");
    assert!(page.contains("install `age-plugin-stub` where `certctl apply` runs"), "{page}");
    place.write(
        "users.yaml",
        roster.split("- {").next().expect("a head").replace("users:", "users: []").as_bytes(),
    );
    let ran = place.run(&["notices", "--offline", "--detailed-exitcode"]).expect(0);
    assert_eq!(ran.stdout, "### certctl: nobody must act soon in roster `acme`\n");
}

/// A copy of the files of version 1.
fn version_1() -> Place {
    let place = Place::new();
    for file in [
        "users.yaml",
        "csrs/carol.csr",
        "access/prod/cluster.yaml",
        "access/prod/alice.yaml",
        "access/prod/alice.kubeconfig.age",
        "access/prod/bob.yaml",
        "access/prod/carol.yaml",
        "access/prod/carol.kubeconfig.age",
        "plan.json",
        "apply.json",
        "ledger.json",
    ] {
        place.write(file, committed(&format!("tests/compatibility/v1/{file}")).as_bytes());
    }
    place
}

#[test]
fn files_of_version_1_are_read_from_now_on() {
    let place = version_1();
    let run = |args: &[&str]| Ran::of(place.command(args).env("CERTCTL_NOW", "2026-12-01T00:00:00Z"));
    run(&["validate"]).expect(0).says("is valid: 1 cluster, 2 groups, 2 users, 3 records.");
    let plan = run(&["plan", "--offline"]).expect(0);
    assert!(plan.stdout.contains("Nobody's credential changes"), "{}", plan.stdout);

    let json = |file: &str| -> serde_json::Value {
        serde_json::from_str(&committed(&format!("tests/compatibility/v1/{file}"))).expect("JSON")
    };
    let plan = json("plan.json");
    let digested = serde_json::from_value(plan["digested"].clone()).expect("what a digest is over");
    assert_eq!(certctl::plan::digest::digest_of(&digested), plan["digest"].as_str().expect("a digest"));
    let ledger = serde_json::from_value(json("ledger.json")).expect("text by key");
    let ledger = certctl::ledger::Ledger::parse(&ledger).expect("a ledger");
    assert_eq!((ledger.issued.len(), ledger.revoked.len()), (4, 2));
    for (file, schema) in
        [("plan.json", "schemas/plan.schema.json"), ("apply.json", "schemas/apply.schema.json")]
    {
        let schema = serde_json::from_str(&committed(schema)).expect("JSON");
        let schema = jsonschema::draft202012::new(&schema).expect("a schema");
        assert!(schema.is_valid(&json(file)), "{file}");
    }
}

#[test]
fn what_a_newer_certctl_wrote_is_refused_by_name() {
    for (file, said) in [
        (
            "users.yaml",
            "Error: users.yaml:1:13: `certctl.dev/v2` is the format of a newer certctl; this one reads certctl.dev/v1",
        ),
        ("access/prod/alice.yaml", "Error: access/prod/alice.yaml was written by a newer certctl"),
        ("access/prod/cluster.yaml", "Error: access/prod/cluster.yaml was written by a newer certctl"),
    ] {
        let place = version_1();
        let text = fs::read_to_string(place.path(file)).expect("a file");
        place.write(
            file,
            text.replacen("certctl.dev/v1", "certctl.dev/v2", 1)
                .replace("name: acme", "called: acme")
                .as_bytes(),
        );
        for args in [&["validate"][..], &["plan", "--offline"]] {
            let ran = Ran::of(place.command(args).env("CERTCTL_NOW", "2026-12-01T00:00:00Z")).expect(1);
            assert!(ran.stderr.starts_with(said), "{file}: {}", ran.stderr);
            assert_eq!(ran.stderr.matches("Error:").count(), 1, "{file}: {}", ran.stderr);
        }
    }
    let place = version_1();
    let plan = committed("tests/compatibility/v1/plan.json").replacen(
        "\"formatVersion\": 1",
        "\"formatVersion\": 2",
        1,
    );
    place.write("plan.json", plan.as_bytes());
    let ran = place.run(&["apply", "--auto-approve", "--expect-plan", "plan.json"]).expect(1);
    assert!(
        ran.stderr.contains("plan.json was written by a newer certctl: its formatVersion is 2"),
        "{}",
        ran.stderr
    );
}

#[test]
fn decrypt_says_why_it_opens_nothing() {
    let place = Place::new();
    place.run(&["decrypt"]).fails(1, expect![[r#"
        Error: there is no identity to decrypt with: neither certctl's own, nor one of SOPS, nor an SSH key in ~/.ssh
          Hint: make one with `certctl keygen`, or name the file of your age or SSH private key: `-i FILE`
    "#]]);
    let (ours, theirs) = (identity(), identity());
    place.identity_file("ours", &ours);
    place.identity_file("theirs", &theirs);
    let says = |args: &[&str]| {
        let ran = place.run(args);
        let keys = [(&ours, "age1ours"), (&theirs, "age1theirs")];
        let stderr = keys
            .iter()
            .fold(ran.stderr, |said, (key, name)| said.replace(&key.to_public().to_string(), name));
        Ran { stderr, ..ran }
    };
    place.run(&["decrypt", "alice", "-i", "missing"]).fails(
        1,
        expect![[r#"
            Error: missing: the identity could not be read; nothing was decrypted
              Caused by: No such file or directory (os error 2)
              Hint: name the file of your age or SSH private key: `-i FILE`
        "#]],
    );
    place.run(&["decrypt", "alice", "-i", "users.yaml"]).fails(
        1,
        expect![[r#"
            Error: users.yaml:1: this line is no identity (`AGE-SECRET-KEY-1...`)
        "#]],
    );
    place.run(&["decrypt", "alice", "-i", "ours"]).fails(1, expect![[r#"
        Error: there is no sealed kubeconfig for `alice` under access/; nothing was decrypted
          Hint: pull the latest records with `git pull`; if there still is none, ask an admin to run `certctl apply`
    "#]]);
    says(&["decrypt", "-i", "ours"]).fails(
        1,
        expect![[r#"
            Error: none of your keys is a recipient in users.yaml
              Caused by: tried ours (age1ours)
              Hint: pull the latest roster with `git pull`, or name your private key with `-i FILE`
              Hint: if your key changed, ask an admin to put the new recipient on the roster and apply
        "#]],
    );
    place.sealed("prod", "alice", &ours);
    says(&["decrypt", "alice", "-i", "theirs"]).fails(
        1,
        expect![[r#"
            Error: none of your identities opens the sealed kubeconfigs of `alice` (1 tried); nothing was decrypted
              Caused by: tried theirs (age1theirs)
              Hint: use the private key that belongs to a recipient on the roster: `-i FILE`
              Hint: if your key changed, an admin has to put the new recipient on the roster and apply
        "#]],
    );
    place.sealed("stage", "alice", &ours);
    place.run(&["decrypt", "alice", "-i", "theirs", "-i", "ours"]).fails(
        64,
        expect![[r#"
            Error: the identity opens several kubeconfigs: alice on prod, alice on stage; none was used
              Hint: say which one: `certctl decrypt USER --cluster NAME`
        "#]],
    );
    // It opens, and there is no record of it: not to be trusted.
    let ran =
        Ran::of(place.command(&["decrypt", "alice", "--cluster", "prod"]).env("CERTCTL_IDENTITY", "ours"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("is not to be trusted, and was not used"), "{}", ran.stderr);
    place.write("access/prod/alice.kubeconfig.age", b"garbage");
    place.run(&["decrypt", "alice", "-i", "ours"]).fails(1, expect![[r#"
        Error: access/prod/alice.kubeconfig.age is no sealed kubeconfig: it is no age file, or was cut off; nothing was decrypted
          Hint: restore it with `git checkout -- access/prod/alice.kubeconfig.age`, or ask an admin to run `certctl rotate alice`
    "#]]);
}

#[test]
fn one_plan_is_written_in_as_many_forms_as_are_wanted() {
    let place = Place::new();
    let printed = place.run(&[
        "plan",
        "--offline",
        "--format",
        "json",
        "--save",
        "json=a.json",
        "--save",
        "markdown=a.md",
    ]);
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    let read = |file: &str| fs::read_to_string(place.path(file)).expect("written");
    assert_eq!(read("a.json"), printed.stdout);
    assert!(read("a.md").starts_with("### certctl: "), "{}", read("a.md"));
    let ran = place.run(&["plan", "--offline", "--save", "text=missing/plan.txt"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.starts_with("Error: the plan could not be written to missing/plan.txt\n"),
        "{}",
        ran.stderr
    );
}
