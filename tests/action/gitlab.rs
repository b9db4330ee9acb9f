//! GitLab's template and action/gitlab: a plan as a note on the merge request.

use std::fs;
use std::path::Path;

use certctl_testing::executable;
use serde_json::Value;

use super::host::{ME, TOKEN};
use super::http::{self, Server};
use super::world::{ALICE, BOB, Ran, World, roster};

const MARKER: &str = "<!-- certctl plan of users.yaml -->\n";

/// The merge request's own branch, as GitLab's runner checks it out: one commit, no branch.
fn merge_request(world: &World, people: &str) {
    world.pull_request(people);
    let _ = fs::remove_dir_all(world.path("work"));
    world.git(".", &["clone", "-q", "origin.git", "work"]);
    world.git("work", &["checkout", "-q", "--detach", "origin/topic"]);
}

fn template() -> Value {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gitlab/certctl.yml");
    serde_saphyr::from_str(&fs::read_to_string(template).expect("the template")).expect("YAML")
}

/// What the runner makes of the job: its lines, in one shell.
fn job(name: &str) -> String {
    let template = template();
    assert_eq!(template[name]["extends"], ".certctl");
    let lines = [&template[".certctl"]["before_script"], &template[name]["script"]];
    let lines = lines.iter().flat_map(|lines| lines.as_array().expect("a list"));
    lines.map(|line| format!("{}\n", line.as_str().expect("text"))).collect()
}

/// A repository to take certctl from, with what the template uses of it; its address and its commit.
fn source(world: &World) -> (String, String) {
    if !world.path("source").exists() {
        world.git(".", &["init", "-q", "source"]);
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("action")).expect("action/") {
            let entry = entry.expect("a file");
            let copy = world.write(&format!("source/action/{}", entry.file_name().display()), "");
            fs::copy(entry.path(), copy).expect("copied");
        }
        world.git("source", &["add", "-A"]);
        world.git("source", &["commit", "-q", "-m", "certctl"]);
    }
    let commit = world.git("source", &["rev-parse", "HEAD"]).trim().to_owned();
    (format!("file://{}", world.path("source").display()), commit)
}

fn plan(world: &World, more: &[(&str, &str)]) -> Ran {
    let (repository, commit) = source(world);
    let (work, api) = (world.path("work").display().to_string(), format!("{}/api/v4", world.host.url));
    let base = world.git("work", &["merge-base", "HEAD", "origin/main"]);
    let mut variables = vec![
        ("CI_API_V4_URL", api.as_str()),
        ("CI_COMMIT_SHA", "c0ffeec0ffee"),
        ("CI_JOB_URL", "https://gitlab.example/jobs/99"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", base.trim()),
        ("CI_MERGE_REQUEST_IID", "1"),
        ("CI_MERGE_REQUEST_PROJECT_ID", "42"),
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "42"),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("CI_PROJECT_DIR", &work),
        ("CERTCTL_COMMIT", &commit),
        ("CERTCTL_NOTE_TOKEN", TOKEN),
        ("CERTCTL_REPOSITORY", &repository),
    ];
    variables.extend(more);
    world.shell(&job("certctl plan"), &variables)
}

#[test]
fn a_plan_becomes_one_note_among_others_and_what_others_copied_stays_theirs() {
    let world = World::new();
    let copied = format!("{MARKER}Nothing changes, merge it!");
    world.host.comment(1, "mallory", &copied);
    for number in 0..120 {
        world.host.comment(1, "alice", &format!("note {number}"));
    }
    merge_request(&world, &roster(&[("alice", ALICE), ("bob", BOB)]));
    let environment = world.environment_of_certctl(|| {
        plan(&world, &[]).expect(0).says("Wrote a note on merge request 1.");
    });
    assert!(!environment.contains(TOKEN), "{environment}");
    merge_request(&world, &roster(&[("alice", ALICE), ("carol", BOB)]));
    plan(&world, &[]).expect(0).says("The note on merge request 1 is up to date.");
    let ours = world.host.bodies(1, ME);
    assert!(ours.len() == 1 && ours[0].starts_with(MARKER), "{ours:?}");
    assert!(ours[0].contains("carol") && !ours[0].contains("bob"), "{}", ours[0]);
    assert_eq!(world.host.bodies(1, "mallory"), [copied]);
}

/// Where the template lets GitLab look for them.
#[test]
fn later_jobs_get_the_counts_and_all_of_it() {
    let world = World::new();
    merge_request(&world, &roster(&[("alice", ALICE), ("bob", BOB)]));
    plan(&world, &[]).expect(0);
    let artifacts = &template()["certctl plan"]["artifacts"];
    let left = |path: &Value| {
        let path = world.path("work").join(path.as_str().expect("a path"));
        fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    };
    let variables = left(&artifacts["reports"]["dotenv"]);
    let json: Value = serde_json::from_str(&left(&artifacts["paths"][1])).expect("JSON");
    assert_eq!(json["summary"]["issue"], 1);
    // Without a cluster there is no digest that an apply could be held to.
    for line in ["CERTCTL_DIGEST=", "CERTCTL_ISSUE=1", "CERTCTL_REVOKE=0", "CERTCTL_HAS_CHANGES=true"] {
        assert!(variables.lines().any(|said| said == line), "`{line}` is not in:\n{variables}");
    }
}

#[test]
fn what_is_planned_is_the_merge_with_what_the_target_holds_by_now() {
    let world = World::new();
    merge_request(&world, &roster(&[("alice", ALICE), ("bob", BOB)]));
    // Meanwhile something else was merged.
    world.git("clone", &["checkout", "-q", "main"]);
    world.write("clone/access/README.md", "newer");
    world.commit("newer");
    world.git("clone", &["push", "-q", "origin", "main"]);
    plan(&world, &[]).expect(0);
    assert!(world.path("work/access/README.md").exists());
    let ours = world.host.bodies(1, ME);
    assert!(ours[0].contains("bob"), "{}", ours[0]);

    // It conflicts: there is nothing to plan.
    merge_request(&world, &roster(&[("alice", ALICE), ("bob", BOB)]));
    world.git("clone", &["checkout", "-q", "main"]);
    world.write("clone/users.yaml", roster(&[("alice", ALICE), ("dana", BOB)]));
    world.commit("dana");
    world.git("clone", &["push", "-q", "origin", "main"]);
    plan(&world, &[]).expect(1).says("this branch cannot be merged into main, so there is nothing to plan");
    let ours = world.host.bodies(1, ME);
    assert!(ours.len() == 1 && ours[0].contains("cannot be merged into main"), "{ours:?}");
    assert!(!ours[0].contains("bob"), "the old plan is gone: {}", ours[0]);
}

/// GitLab runs its pipeline again when its target changes; what was said of another target does not stay, or come back.
#[test]
fn a_merge_request_that_is_moved_to_another_target_is_planned_for_that_one() {
    let world = World::new();
    let with_bob = roster(&[("alice", ALICE), ("bob", BOB)]);
    // Where it leads at first, bob is there already.
    merge_request(&world, &with_bob);
    world.git("clone", &["push", "-q", "origin", "topic:elsewhere"]);
    let elsewhere = [("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "elsewhere")];
    world.host.state().target = Some("elsewhere");
    plan(&world, &elsewhere).expect(0);
    assert_eq!(world.host.bodies(1, ME), [""; 0], "nothing changes there");
    world.host.state().target = None;
    plan(&world, &[]).expect(0);
    let into_main = world.host.bodies(1, ME);
    assert!(into_main.len() == 1 && into_main[0].contains("bob"), "{into_main:?}");
    assert!(into_main[0].contains(" into `main`."), "{into_main:?}");
    // The slow pipeline of before ends now.
    merge_request(&world, &with_bob);
    plan(&world, &elsewhere).expect(0).says("leads into another branch by now");
    assert_eq!(world.host.bodies(1, ME), into_main);
    assert_eq!(template()["certctl plan"]["resource_group"], "certctl-plan-$CI_MERGE_REQUEST_IID");
}

#[test]
fn a_text_that_is_too_long_says_for_which_branch_it_was_made_all_the_same() {
    let world = World::new();
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("action/lib.sh");
    let file =
        world.write("body.md", format!("{}\n\nPlanned for c0ffee into `main`.\n", "long ".repeat(200)));
    let script = format!(
        ". {}\ncomment_limit=1000\ncut_body {file} https://gitlab.example/jobs/99\ncat {file}\n",
        library.display(),
        file = file.display(),
    );
    let ran = world.shell(&script, &[]).expect(0);
    let ran = ran.says("this plan is too long for a comment").says("Planned for c0ffee into `main`.");
    assert!(!ran.log.contains("long long"), "{}", ran.log);
}

#[test]
fn a_forks_merge_request_gets_no_token_and_no_cluster() {
    let world = World::new();
    merge_request(&world, &roster(&[("alice", ALICE), ("bob", BOB)]));
    let fork =
        [("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "43"), ("CERTCTL_PLAN_KUBECONFIG", "/no/such/kubeconfig")];
    plan(&world, &fork).expect(0).says("bob");
    assert_eq!(world.host.state().calls, [""; 0]);
}

#[test]
fn a_line_is_never_an_order_to_gitlab() {
    let world = World::new();
    let hostile = serde_json::json!("x\n/merge\n  /approve");
    let people = roster(&[("alice", ALICE)]) + &format!("- name: {hostile}\n  recipients: [{BOB}]\n");
    merge_request(&world, &people);
    plan(&world, &[]).expect(1).says("Wrote a note");
    let ours = world.host.bodies(1, ME);
    let orders = ours[0].lines().filter(|line| line.trim_start().starts_with('/'));
    assert_eq!(orders.count(), 0, "{}", ours[0]);
}

#[test]
fn a_note_that_cannot_be_written_fails_the_job() {
    let world = World::new();
    merge_request(&world, &roster(&[("alice", ALICE), ("bob", BOB)]));
    for (status, token) in [(Some(403), TOKEN), (Some(500), TOKEN), (None, "expired")] {
        world.host.state().broken = status;
        plan(&world, &[("CERTCTL_NOTE_TOKEN", token)])
            .expect(1)
            .says(&format!(
                "Error: GitLab answered {} to GET projects/42/merge_requests/1",
                status.unwrap_or(401)
            ))
            .says("Hint: CERTCTL_NOTE_TOKEN needs the scope `api`");
    }
}

/// The default branch, as GitLab's runner checks it out for a push to it; and the runner's variables.
fn apply(world: &World, more: &[(&str, &str)]) -> Ran {
    let (repository, commit) = source(world);
    let _ = fs::remove_dir_all(world.path("work"));
    world.git(".", &["clone", "-q", "origin.git", "work"]);
    world.git("work", &["checkout", "-q", "--detach", "origin/main"]);
    let work = world.path("work").display().to_string();
    let mut variables = vec![
        ("GITLAB_CI", "true"),
        ("CI_COMMIT_BRANCH", "main"),
        ("CI_PROJECT_DIR", work.as_str()),
        ("CI_PROJECT_URL", "https://gitlab.example/acme/access"),
        ("CI_SERVER_URL", "https://gitlab.example"),
        ("CERTCTL_APPLY_KUBECONFIG", "/no/such/kubeconfig"),
        ("CERTCTL_COMMIT", &commit),
        ("CERTCTL_REPOSITORY", &repository),
    ];
    variables.extend(more);
    world.shell(&job("certctl apply"), &variables)
}

/// The same for the job that keeps the issue.
pub fn notices(world: &World, more: &[(&str, &str)]) -> Ran {
    let (repository, commit) = source(world);
    let work = world.path("work").display().to_string();
    let api = format!("{}/api/v4", world.host.url);
    world.git("work", &["checkout", "-q", "--detach", "origin/main"]);
    let mut variables = vec![
        ("GITLAB_CI", "true"),
        ("CI_API_V4_URL", api.as_str()),
        ("CI_COMMIT_BRANCH", "main"),
        ("CI_JOB_URL", "https://gitlab.example/jobs/99"),
        ("CI_PROJECT_DIR", work.as_str()),
        ("CI_PROJECT_ID", "42"),
        ("CERTCTL_COMMIT", &commit),
        ("CERTCTL_NOTE_TOKEN", TOKEN),
        ("CERTCTL_REPOSITORY", &repository),
    ];
    variables.extend(more);
    world.shell(&job("certctl notices"), &variables)
}

#[test]
fn what_the_repository_holds_never_becomes_the_program_that_gets_the_kubeconfig() {
    for planted in [".certctl-ci/cache/bin/certctl", ".certctl-ci/source/action/gitlab", ".certctl-ci/x"] {
        let world = World::new();
        let plant = |branch: &str| {
            world.git("clone", &["checkout", "-q", branch]);
            let path = world.path(&format!("clone/{planted}"));
            executable(&path, "touch \"$CI_PROJECT_DIR/../pwned\"");
            world.git("clone", &["add", "--force", planted]);
            world.commit("harmless");
            world.git("clone", &["push", "-qf", "origin", branch]);
        };
        let refused =
            format!("Error: the repository holds `{planted}`, and .certctl-ci is where CI keeps certctl");
        merge_request(&world, &roster(&[("alice", ALICE), ("bob", BOB)]));
        plant("topic");
        let _ = fs::remove_dir_all(world.path("work"));
        world.git(".", &["clone", "-q", "-b", "topic", "origin.git", "work"]);
        plan(&world, &[]).expect(1).says(&refused).says("Hint: git rm -r .certctl-ci");
        assert_eq!(world.host.bodies(1, ME), [""; 0]);
        plant("main");
        apply(&world, &[]).expect(1).says(&refused);
        assert!(!world.path("pwned").exists(), "{planted} was run");
    }
}

/// Puts it between the runner's checkout and the job: only the tip that is applied holds it.
#[test]
fn what_the_tip_holds_is_looked_at_before_it_is_checked_out() {
    let world = World::new();
    let (repository, commit) = source(&world);
    world.git(".", &["clone", "-q", "origin.git", "work"]);
    world.git("work", &["checkout", "-q", "--detach", "origin/main"]);
    world.write("clone/.certctl-ci/cache/bin/certctl", "#!/bin/sh\n");
    world.commit("harmless");
    world.git("clone", &["push", "-q", "origin", "main"]);
    let work = world.path("work").display().to_string();
    let variables = [
        ("CI_COMMIT_BRANCH", "main"),
        ("CI_PROJECT_DIR", work.as_str()),
        ("CERTCTL_APPLY_KUBECONFIG", "/no/such/kubeconfig"),
        ("CERTCTL_COMMIT", &commit),
        ("CERTCTL_REPOSITORY", &repository),
    ];
    let ran = world.shell(&job("certctl apply"), &variables).expect(1);
    ran.says("Error: the repository holds `.certctl-ci/cache/bin/certctl`");
    assert!(!world.path("work/.certctl-ci/cache").exists(), "it was checked out");
}

#[test]
fn the_push_has_the_token_and_certctl_has_not() {
    for (variable, user) in [("CERTCTL_PUSH_TOKEN", "certctl"), ("CI_JOB_TOKEN", "gitlab-ci-token")] {
        let world = World::new();
        let server = Server::start(&world.path("."));
        let url = server.url();
        // What certctl does with git, and nothing else of it.
        let certctl = world.path("bin/certctl");
        fs::remove_file(&certctl).expect("the link");
        let script = "set -e\nenv > ../seen\n\
            git -c user.name=a -c user.email=a@example.com commit -q --allow-empty -m records\ngit push -q origin HEAD:main";
        executable(&certctl, script);
        // The image's own helper knows another one, and would be told ours.
        let helper = format!("[credential]\nhelper = store --file {}\n", world.path("told").display());
        world.write("home/.gitconfig", helper);
        world.git("origin.git", &["config", "http.receivepack", "true"]);
        let variables = [
            ("CI_PROJECT_URL", url.strip_suffix(".git").expect("a repository")),
            ("CI_SERVER_URL", server.site().trim_end_matches('/')),
            (variable, http::TOKEN),
            ("CI_REPOSITORY_URL", &server.url_for("gitlab-ci-token")),
            ("CI_REGISTRY_PASSWORD", http::TOKEN),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        apply(&world, &variables).expect(0);
        assert_eq!(world.git("origin.git", &["log", "-1", "--format=%s", "main"]), "records\n");
        assert!(server.asked().contains(&format!("{user} POST git-receive-pack")));
        let seen = fs::read_to_string(world.path("seen")).expect("certctl was run");
        assert!(seen.contains("CI_COMMIT_BRANCH=main") && !seen.contains(http::TOKEN), "{seen}");
        assert!(!world.path("told").exists(), "the token went into a file");
    }
}
