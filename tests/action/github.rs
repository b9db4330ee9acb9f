//! action/github: a plan as a comment, a fork's plan as a quotation.

use std::fs;
use std::os::unix::fs::symlink;

use certctl_testing::executable;
use serde_json::{Value, json};

use super::host::{ME, Pull, TOKEN};
use super::world::{ALICE, BOB, Ran, World, action, certctl_step, roster};

const MARKER: &str = "<!-- certctl plan of users.yaml -->\n";

fn event(commit: &str) -> Value {
    json!({"pull_request": {"number": 1, "head": {"sha": commit}, "base": {"ref": "main"}}})
}

fn plan(world: &World) -> Ran {
    let commit = "c0ffee".repeat(6) + "c0ff";
    world.github(
        &event(&commit),
        &[("INPUT_COMMAND", "plan"), ("INPUT_OFFLINE", "true"), ("INPUT_BASE", "HEAD^1")],
    )
}

#[test]
fn every_input_reaches_the_script_and_every_output_comes_from_it() {
    let (action, step) = (action(), certctl_step());
    let names = |value: &Value| value.as_object().expect("a mapping").keys().cloned().collect::<Vec<_>>();
    let script =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/action/github")).expect("the script");
    for input in names(&action["inputs"]).into_iter().filter(|input| input != "working-directory") {
        let variable = format!("INPUT_{}", input.to_uppercase());
        assert_eq!(step["env"][&variable], format!("${{{{ inputs.{input} }}}}"));
        let read = [format!("${{{variable}:-"), format!("secret {input} {variable}\n")];
        assert!(read.iter().any(|read| script.contains(read)), "{variable} is not read");
    }
    assert_eq!(names(&step["env"]).len(), names(&action["inputs"]).len() - 1);

    let world = World::new();
    world.pull_request(&roster(&[("alice", ALICE), ("bob", BOB)]));
    let ran = plan(&world).expect(0);
    for (output, about) in action["outputs"].as_object().expect("a mapping") {
        assert_eq!(about["value"], format!("${{{{ steps.certctl.outputs.{output} }}}}"));
        assert!(ran.output(output).is_some(), "{output} is not in:\n{}", ran.outputs);
    }
}

#[test]
fn a_plan_becomes_one_comment_that_is_kept_up_to_date() {
    let world = World::new();
    world.host.comment(1, "alice", "What does this do?");
    world.pull_request(&roster(&[("alice", ALICE), ("bob", BOB)]));
    let ran = plan(&world).expect(0).says("Commented on pull request 1.");
    assert_eq!((ran.output("has-changes"), ran.output("issue")), (Some("true"), Some("1")));
    // A plan that saw no cluster has none.
    assert_eq!(ran.output("digest"), Some(""));
    let first = world.host.bodies(1, ME);
    assert_eq!(first.len(), 1);
    assert!(first[0].starts_with(MARKER) && first[0].contains("bob"), "{}", first[0]);
    assert!(first[0].contains("into `main`."), "{}", first[0]);
    assert!(
        first[0].contains("[The run](https://github.example/acme/access/actions/runs/99)"),
        "{}",
        first[0]
    );

    world.pull_request(&roster(&[("alice", ALICE), ("carol", BOB)]));
    plan(&world).expect(0).says("The comment on pull request 1 is up to date.");
    let second = world.host.bodies(1, ME);
    assert_eq!(second.len(), 1);
    assert!(second[0].contains("carol") && !second[0].contains("bob"), "{}", second[0]);
    assert_eq!(world.host.bodies(1, "alice"), ["What does this do?"]);
}

#[test]
fn a_parts_pull_request_tells_what_the_part_changes_and_whose_approval_that_needs() {
    let world = World::new();
    let include = "include:\n- {path: teams/web.yaml, may: {grant: [view], namespaces: [web], addUsers: true}}\n- {path: teams/pay.yaml, may: {addUsers: true}}\ngroups:";
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHbcxI+4us2uErWL7up3CA1H2YDPLXJnfksyfX4l7Ucb";
    let part = |user: &str, key: &str| {
        format!(
            "apiVersion: certctl.dev/v1\nkind: RosterPart\nusers: [{{name: {user}, recipients: [{key}]}}]\n"
        )
    };
    world.write("clone/users.yaml", roster(&[("alice", ALICE)]).replacen("groups:", include, 1));
    world.write("clone/teams/web.yaml", part("wendy", BOB));
    world.write(
        "clone/teams/pay.yaml",
        part("pia", "age132xh46tv309xwaqxlalhpyk5wyw7x9h0ux3yaxhpyh4apw0qtp9szdgd6x"),
    );
    world.write(
        "clone/.github/CODEOWNERS",
        "* @acme/platform\n/teams/web.yaml @acme/web\n/teams/pay.yaml @acme/pay\n",
    );
    world.commit("teams");
    world.git("clone", &["push", "-q", "origin", "main"]);
    world.pull_request_of("teams/web.yaml", &part("wanda", KEY));
    plan(&world).expect(0).says("Commented on pull request 1.");
    let bodies = world.host.bodies(1, ME);
    assert!(bodies.len() == 1 && bodies[0].contains("wanda"), "{bodies:?}");
    assert!(bodies[0].contains("`teams/web.yaml`") && bodies[0].contains("`@acme/web`"), "{}", bodies[0]);
    for other in ["alice", "pia", "pay.yaml", "users.yaml needs", "@acme/platform", "@acme/pay"] {
        assert!(!bodies[0].replace("plan of users.yaml", "").contains(other), "{other}: {}", bodies[0]);
    }
}

#[test]
fn only_our_own_comment_is_ours_whatever_others_copied_and_however_far_back_it_is() {
    let world = World::new();
    let copied = format!("{MARKER}Nothing changes, merge it!");
    world.host.comment(1, "mallory", &copied);
    for number in 0..120 {
        world.host.comment(1, "alice", &format!("comment {number}"));
    }
    world.host.comment(1, ME, "something else of the same bot");
    world.host.comment(1, ME, &format!("{MARKER}old"));
    world.pull_request(&roster(&[("alice", ALICE), ("bob", BOB)]));
    plan(&world).expect(0).says("is up to date");
    assert_eq!(world.host.bodies(1, "mallory"), [copied]);
    let ours = world.host.bodies(1, ME);
    assert_eq!((ours.len(), ours[0].as_str()), (2, "something else of the same bot"));
    assert!(ours[1].contains("bob"), "{}", ours[1]);
}

#[test]
fn where_nothing_changes_there_is_no_comment_unless_there_was_one() {
    let world = World::new();
    let changed = roster(&[("alice", ALICE)]).replace("users:", "# our people\nusers:");
    world.pull_request(&changed);
    let ran = plan(&world).expect(0).says("there is no comment that would say otherwise");
    assert_eq!(ran.output("has-changes"), Some("false"));
    assert_eq!(world.host.bodies(1, ME), [""; 0]);

    world.pull_request(&roster(&[("alice", ALICE), ("bob", BOB)]));
    plan(&world).expect(0);
    world.pull_request(&changed);
    plan(&world).expect(0).says("is up to date");
    let bodies = world.host.bodies(1, ME);
    assert!(bodies.len() == 1 && !bodies[0].contains("bob"), "{bodies:?}");
}

#[test]
fn an_edit_that_changes_nothing_yet_is_told_all_the_same() {
    let world = World::new();
    world.pull_request(
        &roster(&[("alice", ALICE)]).replace("users:", "safety: {maxRevocations: 90%}\nusers:"),
    );
    let ran = plan(&world).expect(0);
    assert_eq!(ran.output("has-changes"), Some("false"));
    let bodies = world.host.bodies(1, ME);
    assert!(bodies.len() == 1 && bodies[0].contains("maxRevocations"), "{bodies:?}");
}

#[test]
fn a_roster_that_is_wrong_is_told_in_the_comment_and_what_it_holds_runs_nothing() {
    let world = World::new();
    plan_of_two(&world);
    let hostile =
        "$(touch pwned) `touch pwned` ${{ github.token }} '; touch pwned; ' <img src=x> @acme/all ::error::x";
    let people =
        roster(&[("alice", ALICE)]) + &format!("- name: {}\n  recipients: [{BOB}]\n", json!(hostile));
    world.pull_request(&people);
    let ran = plan(&world).expect(1).says("is up to date");
    assert!(ran.output("has-changes").is_none(), "{}", ran.outputs);
    let bodies = world.host.bodies(1, ME);
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert!(bodies[0].contains("certctl: no plan") && bodies[0].contains("cannot be applied like this"));
    // Of every line, what is outside of code spans is our own words.
    let quoted: Vec<&str> = bodies[0].lines().filter(|line| line.contains("touch pwned")).collect();
    assert!(!quoted.is_empty(), "{}", bodies[0]);
    for line in quoted {
        let outside: String = line.split('`').step_by(2).collect();
        for hostile in ["$(touch", "github.token", "src=x", "@acme", "::error"] {
            assert!(line.starts_with("> ") && !outside.contains(hostile), "{line}");
        }
    }
    // What the runner reads, it would carry out.
    assert!(!ran.log.lines().any(|line| line.contains("::error::x") && !line.starts_with("::error file=")));
    assert!(!bodies[0].contains("bob"), "the old plan is gone: {}", bodies[0]);
    assert!(!world.path("work/pwned").exists());
}

fn plan_of_two(world: &World) {
    world.pull_request(&roster(&[("alice", ALICE), ("bob", BOB)]));
    plan(world).expect(0);
}

#[test]
fn a_comment_that_cannot_be_written_fails_the_job_and_says_what_is_missing() {
    let world = World::new();
    world.pull_request(&roster(&[("alice", ALICE), ("bob", BOB)]));
    for status in [403, 500] {
        world.host.state().broken = Some(status);
        let ran = plan(&world)
            .expect(1)
            .says(&format!("GitHub answered {status}"))
            .says("Error: the comment could not be written; what the pull request shows may be out of date")
            .says("Hint: the job needs `permissions: pull-requests: write`");
        // The plan itself is there.
        assert_eq!(ran.output("issue"), Some("1"));
    }
    world.host.state().broken = None;
    let ran = world.github(
        &event("c0ffee"),
        &[("INPUT_COMMAND", "plan"), ("INPUT_OFFLINE", "true"), ("INPUT_TOKEN", "bad\nheader: x")],
    );
    ran.expect(1).says("there is no token to write with");
    let ran = world.github(
        &event("c0ffee"),
        &[("INPUT_COMMAND", "plan"), ("INPUT_OFFLINE", "true"), ("INPUT_TOKEN", "expired")],
    );
    ran.expect(1).says("GitHub answered 401").says("Bad credentials");
    assert_eq!(world.host.bodies(1, ME), [""; 0]);
}

#[test]
fn without_a_pull_request_or_where_none_is_wanted_nobody_is_asked() {
    let world = World::new();
    world.pull_request(&roster(&[("alice", ALICE), ("bob", BOB)]));
    let ran = world.github(&json!({}), &[("INPUT_COMMAND", "plan"), ("INPUT_OFFLINE", "true")]);
    ran.expect(0).says("This run is about no pull request");
    let ran = world.github(
        &event("c0ffee"),
        &[("INPUT_COMMAND", "plan"), ("INPUT_OFFLINE", "true"), ("INPUT_COMMENT", "false")],
    );
    let text = fs::read_to_string(ran.expect(0).output("text").expect("a file")).expect("text");
    assert!(text.contains("bob"), "{text}");
    assert_eq!(world.host.state().calls, [""; 0]);
}

#[test]
fn inputs_that_cannot_be_meant_are_refused() {
    let world = World::new();
    world.pull_request(&roster(&[("alice", ALICE)]));
    for (inputs, said) in [
        (
            vec![("INPUT_COMMAND", "destroy")],
            "`command` is `destroy`, none of plan, apply, notices and comment",
        ),
        (
            vec![("INPUT_COMMAND", "plan"), ("INPUT_OFFLINE", "yes")],
            "`offline` is `yes`, neither true nor false",
        ),
        (vec![("INPUT_COMMAND", "comment"), ("INPUT_FILE", "missing")], "`file` is not a regular file"),
    ] {
        world.github(&event("c0ffee"), &inputs).expect(1).says(said);
    }
    // An argument is one argument, spaces and all.
    let inputs =
        [("INPUT_COMMAND", "plan"), ("INPUT_ARGUMENTS", "--offline\n--cluster\nprod; touch pwned\n")];
    world.github(&event("c0ffee"), &inputs).expect(64).says("prod; touch pwned");
    assert!(!world.path("work/pwned").exists());
}

#[test]
fn the_kubeconfig_is_a_file_for_as_long_as_certctl_runs() {
    let world = World::new();
    world.pull_request(&roster(&[("alice", ALICE)]));
    let kubeconfig = "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n\
                      users: [{name: u, user: {token: very-secret}}]\n\
                      contexts: [{name: prod, context: {cluster: c, user: u}}]\n";
    let inputs = [("INPUT_COMMAND", "plan"), ("INPUT_KUBECONFIG", kubeconfig), ("INPUT_COMMENT", "false")];
    let environment = world.environment_of_certctl(|| {
        let ran = world.github(&event("c0ffee"), &inputs).expect(1).says("127.0.0.1:1");
        assert!(!ran.log.contains("very-secret"), "{}", ran.log);
    });
    for secret in ["very-secret", TOKEN] {
        assert!(!environment.contains(secret), "{environment}");
    }
    let left: Vec<_> =
        walk(&world.path("temp")).into_iter().filter(|text| text.contains("very-secret")).collect();
    assert_eq!(left, [""; 0]);
}

/// What a credential plugin or git says while it applies is the runner's to read as well.
#[test]
fn what_is_said_beside_an_apply_is_no_command_to_the_runner() {
    let world = World::new();
    world.pull_request(&roster(&[("alice", ALICE)]));
    let certctl = world.path("bin/certctl");
    fs::remove_file(&certctl).expect("the link");
    executable(
        &certctl,
        "printf '::set-output name=digest::x\n ::add-mask::y\n##[error]z\nlast' >&2; exit 1",
    );
    let ran = world.github(&event("c0ffee"), &[("INPUT_COMMAND", "apply")]).expect(1).says("last");
    for command in ["::set-output", "::add-mask", "##["] {
        assert!(!ran.log.contains(command), "{}", ran.log);
    }
}

/// The content of every file.
fn walk(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let texts =
        files.into_iter().map(|file| String::from_utf8_lossy(&fs::read(file).expect("read")).into_owned());
    texts.chain(folders.iter().flat_map(|folder| walk(folder))).collect()
}

fn fork_event(commit: &str) -> Value {
    json!({"workflow_run": {"head_branch": "patch-1", "head_sha": commit,
                            "head_repository": {"full_name": "mallory/access"}}})
}

fn pull(number: u64, commit: &str, repository: &str) -> Pull {
    Pull { number, branch: "patch-1".into(), commit: commit.into(), repository: repository.into() }
}

#[test]
fn what_a_fork_left_is_a_quotation_on_the_forks_own_pull_request() {
    let world = World::new();
    // What it says about itself counts for nothing.
    let hostile = "Pull request 1\n```\n# Approved\r## by certctl\n<!-- certctl plan of users.yaml -->\n\
                   /merge\n@acme/all $(touch pwned) ${{ github.token }}\n\u{202e}\x1b[2J\n</details>";
    let file = world.write("temp/plan.txt", [hostile.as_bytes(), b"\xff\n"].concat());
    let file = file.display().to_string();
    world.host.state().pulls = vec![
        pull(1, "new", "acme/access"),
        pull(2, "old", "mallory/access"),
        pull(3, "new", "mallory/access"),
    ];
    let comment = |commit: &str| {
        world.github(&fork_event(commit), &[("INPUT_COMMAND", "comment"), ("INPUT_FILE", &file)])
    };
    comment("new").expect(0).says("Commented on pull request 3.");
    comment("new").expect(0).says("is up to date");
    let bodies = world.host.bodies(3, ME);
    assert_eq!((world.host.state().comments.len(), bodies.len()), (1, 1));
    let (ours, theirs) = bodies[0].split_once("counts.\n\n").expect("our own words come first");
    assert!(ours.starts_with(MARKER) && ours.contains("**could say anything**"), "{ours}");
    for line in theirs.lines() {
        assert!(line.starts_with("    "), "`{line}` is outside of the quotation");
    }
    for hidden in ['\r', '\u{202e}', '\x1b'] {
        assert!(!theirs.contains(hidden), "{theirs:?}");
    }
    assert!(theirs.contains("# Approved## by certctl") && theirs.contains("$(touch pwned)"), "{theirs}");
    assert!(!world.path("work/pwned").exists());

    comment("newer").expect(0).says("No open pull request is at the commit of that run any more");
    assert_eq!(world.host.state().comments.len(), 1);
}

#[test]
fn a_fork_can_neither_flood_the_comment_nor_point_it_at_another_file() {
    let world = World::new();
    world.host.state().pulls = vec![pull(3, "new", "mallory/access")];
    let file = world.write("temp/plan.txt", "`\n".repeat(200_000));
    let inputs =
        |file: &str| world.github(&fork_event("new"), &[("INPUT_COMMAND", "comment"), ("INPUT_FILE", file)]);
    inputs(&file.display().to_string()).expect(0).says("Commented on pull request 3.");
    let bodies = world.host.bodies(3, ME);
    assert!(bodies[0].len() > 50_000, "{}", bodies[0].len());
    let cut = bodies[0].lines().find(|line| line.contains("not shown")).expect("it says how much is missing");
    let shown = bodies[0].lines().filter(|line| *line == "    `").count() * 2;
    let left_out: usize = cut.split(' ').find_map(|word| word.parse().ok()).expect("a number");
    assert!(cut.ends_with(" of 400000 bytes are not shown ...]"), "{cut}");
    assert!((400_000 - left_out).abs_diff(shown) < 10, "{shown} bytes are shown, and {cut}");

    let secret = world.write("secret", "a secret of the runner");
    symlink(&secret, world.path("temp/link")).expect("a link");
    inputs(&world.path("temp/link").display().to_string())
        .expect(1)
        .says("not a regular file; nothing was posted");
    assert_eq!(world.host.bodies(3, ME), bodies);
}

#[test]
fn ten_thousand_people_and_a_hostile_roster_still_are_one_readable_comment() {
    let world = World::new();
    let hostile =
        "`</details>` $(touch pwned) ${{ github.token }} <img src=x onerror=alert(1)> @acme/all ::error::x";
    let mut people = roster(&[]).replace("name: prod,", &format!("name: prod, context: {},", json!(hostile)));
    people = people.replace("clusterRole: view", &format!("clusterRole: {}", json!("`$(touch<pwned>)`")));
    for number in 0..10_000 {
        people.push_str(&format!("- {{name: u{number}, recipients: [{ALICE}], groups: [developers]}}\n"));
    }
    world.pull_request(&people);
    let ran = plan(&world).expect(0).says("Commented on pull request 1.");
    assert_eq!(ran.output("issue"), Some("10000"));
    let bodies = world.host.bodies(1, ME);
    assert!(bodies[0].contains("10000 to issue") && bodies[0].contains("more people"), "{}", bodies[0]);

    // The same from a fork: quoted, with the sum at its end.
    world.host.state().pulls = vec![pull(3, "new", "mallory/access")];
    let file = ran.output("text").expect("a file").to_owned();
    let inputs = [("INPUT_COMMAND", "comment"), ("INPUT_FILE", file.as_str())];
    world.github(&fork_event("new"), &inputs).expect(0).says("Commented on pull request 3.");
    let bodies = world.host.bodies(3, ME);
    assert!(
        bodies[0].contains("bytes are not shown ...]\n") && bodies[0].contains("10000 to issue"),
        "{}",
        bodies[0]
    );
    assert!(!world.path("work/pwned").exists());
}

#[test]
fn certctl_is_the_one_on_path_or_is_built_from_what_the_scripts_are_part_of() {
    let world = World::new();
    let key = |path: &str| world.script(&["install", "key"], &[("PATH", path)]).expect(0).log;
    let path = std::env::var("PATH").unwrap_or_default();
    assert_eq!(key(&format!("{}:{path}", world.path("bin").display())), "key=\n");
    let built = key(&path);
    let hash = built.trim_end().rsplit('-').next().unwrap_or_default().to_owned();
    assert!(built.starts_with("key=certctl-") && hash.len() == 64, "{built}");
    assert_eq!(key(&path), built);
}

/// Puts a cargo on PATH that says where it runs and with what, and builds a certctl.
fn a_cargo(world: &World) -> String {
    executable(
        &world.path("cargo/cargo"),
        "pwd\necho \"$*\"\nwhile [ \"$1\" != --root ]; do shift; done\nmkdir -p \"$2/bin\"\n: > \"$2/bin/certctl\"",
    );
    format!("{}:{}", world.path("cargo").display(), std::env::var("PATH").unwrap_or_default())
}

#[test]
fn the_teams_cargo_config_and_toolchain_have_no_part_in_the_build() {
    let world = World::new();
    world.write("work/.cargo/config.toml", "build.rustc-wrapper = 'touch'");
    world.write("work/rust-toolchain.toml", "toolchain.path = 'toolchain'");
    let path = a_cargo(&world);
    let ran = world.script(&["install", "relative"], &[("PATH", &path)]).expect(0);
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "\n");
    assert!(ran.log.contains(source), "cargo ran elsewhere than in {source}{}", ran.log);
    assert!(!ran.log.contains(&format!("{}\n", world.path("work").display())), "{}", ran.log);
    assert!(world.path("work/relative/bin/certctl").exists());
}

#[test]
fn the_certctl_that_ci_builds_has_no_sandbox_in_it() {
    let world = World::new();
    let ran = world.script(&["install", "relative"], &[("PATH", &a_cargo(&world))]).expect(0);
    assert!(ran.log.contains(" --no-default-features "), "{}", ran.log);
}

fn workflow(name: &str) -> Value {
    let text = fs::read_to_string(format!("{}/examples/github/{name}", env!("CARGO_MANIFEST_DIR")));
    serde_saphyr::from_str(&text.expect("the workflow")).expect("YAML")
}

#[test]
fn the_check_to_require_passes_only_where_the_plan_that_fits_succeeded() {
    let plan = workflow("certctl-plan.yml");
    let check = &plan["jobs"]["planned"];
    assert_eq!((&check["needs"], &check["if"]), (&json!(["plan", "fork"]), &json!("always()")));
    let step = &check["steps"][0];
    assert_eq!(step["env"]["RESULTS"], "${{ needs.plan.result }} ${{ needs.fork.result }}");
    let world = World::new();
    let states = ["success", "skipped", "failure", "cancelled"];
    for (plan, fork) in states.iter().flat_map(|plan| states.map(|fork| (*plan, fork))) {
        let fits = matches!((plan, fork), ("success", "skipped") | ("skipped", "success"));
        let results = format!("{plan} {fork}");
        let summary = world.write("summary", "").display().to_string();
        let variables = [("RESULTS", &*results), ("BASE", "main"), ("GITHUB_STEP_SUMMARY", &summary)];
        let ran = world.shell(step["run"].as_str().expect("a script"), &variables);
        ran.expect(i32::from(!fits)).says(&results);
    }
    // A check belongs to a commit: its name says the base, and another base is another plan.
    assert_eq!(check["name"], "planned into ${{ github.base_ref || 'main' }}");
    let types = plan["on"]["pull_request"]["types"].as_array().expect("types");
    assert!(types.contains(&json!("edited")), "{types:?}");
    assert_eq!(plan["on"]["merge_group"]["branches"], json!(["main"]));
    // Whoever is planned as a fork is gets the comment of one: it goes by who pushed, in both.
    let (planned, posted) =
        (&plan["jobs"]["fork"]["if"], workflow("certctl-fork.yml")["jobs"]["comment"]["if"].clone());
    for (text, who) in [(planned, "github.event.sender.login"), (&posted, "workflow_run.actor.login")] {
        let wanted = format!("{who} == 'dependabot[bot]'");
        assert!(text.as_str().is_some_and(|text| text.contains(&wanted)), "{text}");
    }
}
