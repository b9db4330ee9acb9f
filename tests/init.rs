//! `certctl init` in real git repositories, with a home that holds nothing, by flags and on a terminal.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use certctl_testing::Ran;
use expect_test::{Expect, expect};
use tempfile::TempDir;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

struct Place {
    dir: TempDir,
}

impl Place {
    /// A repository without a commit.
    fn new() -> Self {
        let place = Self::without_repository();
        place.git(&["init", "-q", "-b", "main"]);
        place
    }

    fn without_repository() -> Self {
        let dir = tempfile::Builder::new().prefix("certctl-init-").tempdir().expect("a folder");
        for folder in ["home", "acme"] {
            fs::create_dir(dir.path().join(folder)).expect("a folder");
        }
        Self { dir }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join("acme").join(file)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, text).expect("written");
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_else(|why| panic!("{file}: {why}"))
    }

    fn scrubbed(&self, program: &str, args: &[&str]) -> Command {
        let mut command = certctl_testing::scrubbed(program, &self.path(""), &self.dir.path().join("home"));
        command.args(args);
        command
    }

    fn certctl(&self, args: &[&str]) -> Ran {
        let ran = Ran::of(&mut self.scrubbed(env!("CARGO_BIN_EXE_certctl"), args));
        assert_eq!(ran.stdout, "", "init prints no data");
        ran
    }

    fn git(&self, args: &[&str]) -> String {
        let output = self.scrubbed("git", args).output().expect("git starts");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Every file outside of `.git`, with what is in it.
    fn files(&self) -> BTreeMap<String, String> {
        fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() && !path.ends_with(".git") {
                    walk(root, &path, files);
                } else if path.is_file() {
                    let name = path.strip_prefix(root).expect("inside").display().to_string();
                    files.insert(name, fs::read_to_string(&path).expect("text"));
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(&self.path(""), &self.path(""), &mut files);
        files
    }

    fn names(&self) -> Vec<String> {
        self.files().into_keys().collect()
    }

    fn fill_in(&self) {
        let text = self.read("users.yaml");
        let text = text.replace("  grants:\n", "  grants:\n  - clusterRole: view\n").replace(
            "  recipients:\n",
            "  recipients: [age1x6t9jndt085mq3wclcw2uhvwxuhj84v0fc7qj9wkxdys002g0dfsvqy4fk]\n",
        );
        self.write("users.yaml", &text);
    }

    /// On a terminal of its own: each answer is typed once its question has shown. With the last
    /// answer, the terminal is hung up on.
    fn typed(&self, args: &[&str], answers: &[(&str, &str)]) -> Ran {
        let (mut terminal, side) = pty_process::blocking::open().expect("a pseudo-terminal");
        let mut command = self.scrubbed(env!("CARGO_BIN_EXE_certctl"), args);
        command.env("KUBECONFIG", self.dir.path().join("kubeconfig")).env("USER", "root");
        let command = pty_process::blocking::Command::from(command).stdout(Stdio::null());
        let mut child = command.spawn(side).expect("it starts");
        let (mut shown, mut seen) = (String::new(), 0);
        let mut answers = answers.iter();
        let mut next = answers.next();
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = terminal.read(&mut buffer) {
            shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
            while let Some((question, answer)) = next
                && let Some(at) = shown[seen..].find(question)
            {
                seen += at + question.len();
                terminal.write_all(answer.as_bytes()).expect("typed");
                next = answers.next();
            }
        }
        let code = child.wait().expect("it ends").code();
        assert!(next.is_none(), "`{next:?}` was not asked:\n{shown}");
        Ran { code, stdout: String::new(), stderr: shown.replace("\r\n", "\n") }
    }
}

fn github() -> String {
    format!("some/certctl@{COMMIT}")
}

const ROSTER: [&str; 8] =
    ["--name", "acme", "--context", "admin@prod", "--cluster", "prod", "--user", "alice"];

fn init(more: &[&'static str]) -> Vec<&'static str> {
    ["init"].into_iter().chain(ROSTER).chain(more.iter().copied()).collect()
}

#[test]
fn an_empty_repository_becomes_one_with_a_roster_to_fill_in() {
    let place = Place::new();
    let ran = place.certctl(&init(&["--ci", "none"])).expect(0).says("wrote     users.yaml");
    ran.says("- `git remote add origin URL`");
    assert_eq!(place.names(), [".gitattributes", "access/README.md", "users.yaml"]);

    let said: Expect = expect![[r#"
        Error: users.yaml:25:9: `grants` of group `developers` has no value
          Hint: write its value, or delete the line
        Error: users.yaml:31:13: `recipients` of user `alice` has no value
          Hint: write its value, or delete the line
    "#]];
    said.assert_eq(&place.certctl(&["validate"]).expect(1).stderr);

    place.fill_in();
    place.certctl(&["validate"]).expect(0).says("1 cluster, 1 group, 1 user");
    assert!(place.read("users.yaml").contains("context: admin@prod"));
}

#[test]
fn a_second_run_changes_nothing_and_needs_no_answers_about_the_roster() {
    let place = Place::new();
    let source = github();
    let mut args = init(&["--ci", "github", "--owner", "@acme/platform", "--source"]);
    args.push(&source);
    place.certctl(&args).expect(0);
    place.fill_in();
    let before = place.files();
    assert_eq!(before.len(), 7, "{:?}", place.names());

    for args in [
        args.clone(),
        vec!["init", "--ci", "none"],
        vec!["init", "--ci", "github", "--source", &source],
        // `.github/workflows` says whose CI it is.
        vec!["init", "--source", &source],
    ] {
        place.certctl(&args).expect(0).says("Nothing to do: everything is there already.");
        assert_eq!(place.files(), before, "{args:?}");
    }
}

#[test]
fn what_others_wrote_stays_and_ours_is_added_by_whole_lines() {
    let place = Place::new();
    place.write("users.yaml", "# my own\n");
    place.write(".gitattributes", "*.png binary");
    place.write("docs/CODEOWNERS", "* @acme/all\n");
    place.write(".github/workflows/certctl-plan.yml", "name: my own\n");
    let source = github();
    let ran = place.certctl(&["init", "--ci", "github", "--owner", "@acme/platform", "--source", &source]);
    ran.expect(0)
        .says("left      .github/workflows/certctl-plan.yml: it says something else")
        .says("added to  .gitattributes (2 lines)")
        .says("added to  docs/CODEOWNERS (9 lines)")
        .says("wrote     .github/workflows/certctl-apply.yml");

    assert_eq!(place.read("users.yaml"), "# my own\n");
    assert_eq!(place.read(".github/workflows/certctl-plan.yml"), "name: my own\n");
    assert!(place.read(".gitattributes").starts_with("*.png binary\n\n# certctl\n/access/** "));
    let owners = place.read("docs/CODEOWNERS");
    assert!(owners.starts_with("* @acme/all\n\n# certctl\n/users.yaml @acme/platform\n"), "{owners}");
    assert!(owners.contains("/docs/CODEOWNERS @acme/platform\n"), "{owners}");
    assert!(!place.path(".github/CODEOWNERS").exists());
}

#[test]
fn each_part_of_a_roster_gets_an_owner_and_keeps_the_one_that_it_has() {
    let place = Place::new();
    place.certctl(&init(&["--ci", "none"])).expect(0);
    place.fill_in();
    let include = "include: [{path: \"teams/*.yaml\", may: {addUsers: true}}]\n";
    place.write("users.yaml", &(place.read("users.yaml") + include));
    for team in ["pay", "web"] {
        place.write(&format!("teams/{team}.yaml"), "apiVersion: certctl.dev/v1\nkind: RosterPart\n");
    }
    let of_pay = ["--owner", "@acme/platform", "--part-owner", "teams/pay.yaml=@acme/pay"];
    let again = [&["init", "--ci", "none"][..], &of_pay].concat();
    place.certctl(&again).expect(0).says("wrote     CODEOWNERS");
    let owners = place.read("CODEOWNERS");
    assert!(owners.ends_with("\n/teams/pay.yaml @acme/pay\n/teams/web.yaml @acme/platform\n"), "{owners}");

    let owners = owners.replace("/teams/web.yaml @acme/platform", "/teams/web.yaml @acme/web");
    place.write("CODEOWNERS", &owners);
    place.certctl(&again).expect(0).says("Nothing to do");
    assert_eq!(place.read("CODEOWNERS"), owners);
    place
        .certctl(&[
            "init",
            "--ci",
            "none",
            "--owner",
            "@acme/platform",
            "--part-owner",
            "teams/x.yaml=@acme/x",
        ])
        .expect(64)
        .says("includes no such part");
}

#[test]
fn git_treats_the_records_as_bytes_and_sealed_files_as_binary() {
    let place = Place::new();
    place.certctl(&init(&["--ci", "none"])).expect(0);
    let attributes =
        |file: &str| place.git(&["check-attr", "text", "diff", "merge", "linguist-generated", "--", file]);
    expect![[r#"
        access/prod/alice.kubeconfig.age: text: unset
        access/prod/alice.kubeconfig.age: diff: unset
        access/prod/alice.kubeconfig.age: merge: unset
        access/prod/alice.kubeconfig.age: linguist-generated: set
    "#]]
    .assert_eq(&attributes("access/prod/alice.kubeconfig.age"));
    expect![[r#"
        access/prod/alice.yaml: text: unset
        access/prod/alice.yaml: diff: unspecified
        access/prod/alice.yaml: merge: unspecified
        access/prod/alice.yaml: linguist-generated: set
    "#]]
    .assert_eq(&attributes("access/prod/alice.yaml"));
}

#[test]
fn without_a_terminal_every_missing_answer_is_named_and_nothing_is_written() {
    let place = Place::new();
    place
        .certctl(&["init"])
        .expect(64)
        .says("there is no terminal to ask on, and --context, --user, --ci are missing; nothing was written");
    place.certctl(&init(&["--ci", "github"])).expect(64).says("and --source is missing; nothing was written");
    place
        .certctl(&init(&["--ci", "github", "--source", "some/certctl@v1"]))
        .expect(64)
        .says("--source some/certctl@v1 does not end in a commit, all 40 digits of it");
    place.certctl(&init(&["--ci", "none", "--branch", "a*"])).expect(64).says("is no branch name");
    place.certctl(&init(&["--ci", "none", "--owner", "alice"])).expect(64).says("is none of `@person`");
    place.certctl(&init(&["--ci", "none", "--cluster", "two"])).expect(64).says("one --cluster");
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn without_a_terminal_what_is_obvious_is_guessed_and_said() {
    let place = Place::new();
    place.git(&["remote", "add", "origin", "https://github.com/acme/access.git"]);
    let context = |name: &str| format!("- {{name: {name}, context: {{cluster: c, user: u}}}}\n");
    fs::write(place.dir.path().join("one"), format!("contexts:\n{}", context("prod"))).expect("written");
    fs::write(place.dir.path().join("two"), format!("contexts:\n{}{}", context("a"), context("b")))
        .expect("written");
    let with = |kubeconfig: &str| {
        let mut command = place.scrubbed(env!("CARGO_BIN_EXE_certctl"), &["init"]);
        command.env("KUBECONFIG", place.dir.path().join(kubeconfig)).env("USER", "alice");
        Ran::of(&mut command)
    };
    with("two").expect(64).says("and --context is missing; nothing was written");
    let ran = with("one").expect(0);
    for guess in ["--name acme (", "--context prod (", "--cluster prod (", "--user alice (", "--ci github ("]
    {
        assert!(ran.stderr.contains(&format!("guessed   {guess}")), "{guess}: {}", ran.stderr);
    }
    ran.says("no CI yet  --source");
    assert!(!place.path(".github/workflows").exists());
}

#[test]
fn a_remote_that_is_a_folder_is_a_remote() {
    for url in [
        "/srv/git/access.git",
        "../access.git",
        "file:///srv/git/access.git",
        "https://git.example.com/a.git",
    ] {
        let place = Place::new();
        place.git(&["remote", "add", "origin", url]);
        let ran = place.certctl(&init(&["--ci", "none"])).expect(0).says("wrote     users.yaml");
        assert!(!ran.stderr.contains("remote add"), "{url}: {}", ran.stderr);
    }
}

#[test]
fn the_host_is_known_by_the_address_of_origin_and_the_branch_by_its_head() {
    let place = Place::new();
    place.git(&["remote", "add", "origin", "git@gitlab.example.com:acme/access.git"]);
    place.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"]);
    let source = format!("https://gitlab.example.com/tools/certctl.git@{COMMIT}");
    let mut args = init(&["--source"]);
    args.push(&source);
    let ran = place.certctl(&args).expect(0).says("wrote     .gitlab-ci.yml");
    assert!(!ran.stderr.contains("remote add"), "{}", ran.stderr);
    let jobs = place.read(".gitlab/certctl.yml");
    for line in [
        "    CERTCTL_REPOSITORY: https://gitlab.example.com/tools/certctl.git\n",
        "    CERTCTL_COMMIT: \"0123456789abcdef0123456789abcdef01234567\"\n",
        "$CI_COMMIT_BRANCH == \"trunk\"",
    ] {
        assert!(jobs.contains(line), "{line} in {jobs}");
    }

    // Someone's own pipeline is theirs to extend.
    place.write(".gitlab-ci.yml", "test: {script: [make]}\n");
    place
        .certctl(&args)
        .expect(0)
        .says("left      .gitlab-ci.yml: it is your own; add to it:\ninclude:\n- local: .gitlab/certctl.yml");
    place.write(".gitlab-ci.yml", "include: [{local: /.gitlab/certctl.yml}]\n");
    place.certctl(&args).expect(0).says("Nothing to do");
}

#[test]
fn a_roster_in_a_folder_is_called_by_its_path_everywhere() {
    let place = Place::new();
    place.write("team/.keep", "");
    let source = github();
    let mut args = init(&["--ci", "github", "--owner", "@a", "--roster", "team/people.yaml", "--source"]);
    args.push(&source);
    place.certctl(&args).expect(0).says("certctl plan --roster team/people.yaml");
    assert!(place.path("team/access/README.md").exists());
    assert!(place.read(".gitattributes").contains("/team/access/** "));
    assert!(place.read(".github/CODEOWNERS").contains("\n/team/ @a\n"));
    assert!(place.read(".github/workflows/certctl-apply.yml").contains("roster: \"team/people.yaml\"\n"));
}

#[test]
fn no_repository_and_links_out_of_one_are_refused() {
    let outside = Place::without_repository();
    outside
        .certctl(&init(&["--ci", "none"]))
        .expect(1)
        .says("is not inside a git repository")
        .says("git init");
    assert_eq!(outside.names(), [""; 0]);

    let place = Place::new();
    symlink(outside.path(""), place.path(".github")).expect("a link");
    let source = github();
    let mut args = init(&["--ci", "github", "--source"]);
    args.push(&source);
    place.certctl(&args).expect(1).says(".github is a symbolic link; nothing was written");
    assert_eq!((place.names().len(), outside.names().len()), (0, 0));
}

const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: https://x.example}}]
users: [{name: u, user: {token: t}}]
contexts:
- {name: kind-local, context: {cluster: c, user: u}}
- {name: 'arn:aws:eks:eu-west-1:123:cluster/Prod_EU', context: {cluster: c, user: u}}
current-context: kind-local
";

#[test]
fn on_a_terminal_it_asks_and_offers_what_it_found() {
    let place = Place::new();
    fs::write(place.dir.path().join("kubeconfig"), KUBECONFIG).expect("written");
    let source = format!("{}\n", github());
    place
        .typed(
            &["init"],
            &[
                ("keep it for good [acme]:", "\n"),
                ("by name or by number [kind-local]:", "1\n"),
                ("roster and in access/ [prod_eu]:", "Prod\n"),
                ("That must match", ""),
                ("roster and in access/ [prod_eu]:", "prod\n"),
                ("you for example:", "\n"),
                ("That is empty", ""),
                ("you for example:", "alice\n"),
                ("CI: github, gitlab or none [none]:", "github\n"),
                ("The branch that CI applies [main]:", "\n"),
                ("nothing, for no CI yet:", "some/certctl@v1\n"),
                ("a tag or a branch can be moved", ""),
                ("nothing, for no CI yet:", &source),
                ("nothing, for nobody yet:", "@acme/platform @alice\n"),
            ],
        )
        .expect(0)
        .says("wrote     .github/workflows/certctl-fork.yml");
    place.fill_in();
    place.certctl(&["validate"]).expect(0);
    let roster = place.read("users.yaml");
    assert!(roster.contains("name: acme\n") && roster.contains("- name: prod\n"), "{roster}");
    assert!(roster.contains("context: \"arn:aws:eks:eu-west-1:123:cluster/Prod_EU\"\n"), "{roster}");
    assert!(place.read(".github/CODEOWNERS").contains("/users.yaml @acme/platform @alice\n"));
}

#[test]
fn certctls_own_context_gets_a_name_that_login_does_not_take() {
    let place = Place::new();
    let kubeconfig = place.dir.path().join("kubeconfig");
    let args =
        ["init", "--name", "acme", "--context", "kind-local", "--cluster", "kind-local", "--user", "alice"];
    let args = args.into_iter().chain(["--ci", "none"]).collect::<Vec<_>>();
    fs::write(
        &kubeconfig,
        KUBECONFIG.replace("contexts:", "contexts:\n- {name: kind-local-admin, context: {}}"),
    )
    .expect("written");
    let ran = Ran::of(place.scrubbed(env!("CARGO_BIN_EXE_certctl"), &args).env("KUBECONFIG", &kubeconfig));
    // The name that it would have had is taken.
    ran.expect(0).says("`kubectl config rename-context kind-local kind-local-admin-2`");
    assert!(place.read("users.yaml").contains("\n  context: kind-local-admin-2\n"));
}

#[test]
fn leaving_in_the_middle_leaves_nothing_behind() {
    let place = Place::new();
    place
        .typed(&["init"], &[("keep it for good [acme]:", "\n"), ("which has none yet:", "\u{4}")])
        .expect(1)
        .says("the questions were not answered; nothing was written");
    assert_eq!(place.names(), [""; 0]);
}
