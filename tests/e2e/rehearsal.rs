//! The daily life in CI, rehearsed: a contributor's branch, the plan on the pull request, the merge, the
//! apply in a clone as checkouts leave it, the commit that comes back, and two of all that at once.

use std::fs;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::host::{self, Host};
use crate::world::World;
use certctl_testing::Ran;

/// How often each race is run.
const RACES: usize = 10;

/// The pause between two merges on a busy morning.
const APART: Duration = Duration::from_millis(100);

/// A roster with these users, all in one team that may view.
fn roster(world: &World, people: &[String]) -> String {
    let name = world.name;
    let user = |person: &String| {
        format!("- {{name: {person}, recipients: [\"{}\"], groups: [{name}-team]}}\n", world.identity(person))
    };
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\n\
         clusters: [{{name: prod, context: test}}]\ngroups: [{{name: {name}-team, grants: [{{clusterRole: view}}]}}]\n\
         users:\n{}",
        people.iter().map(user).collect::<String>()
    )
}

/// An apply in a clone as CI leaves it, running in the background.
fn start_apply(world: &World, clone: &str) -> Child {
    let mut command = world.certctl_command(None, &["apply", "--auto-approve", "--lock-timeout", "2m"]);
    command.current_dir(world.path(clone)).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("certctl starts")
}

/// CI's run for the tip of main.
fn ci(world: &World, clone: &str) -> Ran {
    world.checkout(clone, "main", false);
    world.certctl_in(clone, &["apply", "--auto-approve"])
}

/// A clone as actions/checkout leaves it for a pull request: the merge that GitHub tries, and its parents.
fn pull_request_checkout(world: &World, clone: &str, branch: &str) {
    world.git(&["checkout", "-q", "--detach", "main"]);
    world.git(&["merge", "-q", "--no-ff", "-m", "as GitHub tries it", branch]);
    world.git(&["push", "-q", "origin", "HEAD:refs/pull/1/merge"]);
    world.git(&["checkout", "-q", branch]);
    let folder = format!("../{clone}");
    let origin = format!("file://{}", world.path("origin.git").display());
    let git = |args: &[&str]| world.git(&[&["-C", &folder], args].concat());
    world.git(&["init", "-q", &folder]);
    git(&["remote", "add", "origin", &origin]);
    git(&["fetch", "-q", "--no-tags", "--depth=2", "origin", "refs/pull/1/merge"]);
    git(&["checkout", "-q", "--detach", "FETCH_HEAD"]);
}

fn end(child: Child) -> Ran {
    let output = child.wait_with_output().expect("certctl ends");
    Ran::from(output)
}

/// Exactly these people have a credential, one each, it is recorded in the branch that everyone pulls,
/// and it is bound; those of the `newest` are tried.
#[track_caller]
fn everyone_has_access(world: &World, people: &[String], newest: usize) {
    world.git(&["pull", "-q", "--ff-only"]);
    for person in people {
        let record = world.read(&format!("access/prod/{person}.yaml"));
        assert_eq!(record.matches("state: active").count(), 1, "{record}");
    }
    for person in &people[people.len() - newest..] {
        world.can(&world.open("prod", person), &["list", "pods", "-n", "default"], true);
    }
    let label = format!("certctl.dev/roster={}", world.name);
    let path = "jsonpath={range .items[*].subjects[*]}{.name}{\"\\n\"}{end}";
    let bound = world.plane.kubectl_ok(&["get", "clusterrolebindings", "-l", &label, "-o", path]);
    let mut bound: Vec<&str> = bound.lines().filter_map(|group| group.split(':').nth(1)).collect();
    bound.sort_unstable();
    let mut wanted: Vec<&str> = people.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    assert_eq!(bound, wanted, "bound, and on the roster");
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
}

pub fn from_a_branch_to_a_working_kubectl(plane: &'static Cluster) {
    let world = World::new(plane, "rehearsal");
    let (mut people, carol) = (vec!["alice".to_owned(), "bob".to_owned()], "carol".to_owned());
    world.roster(&roster(&world, &people));
    ci(&world, "ci-first").expect(0);
    world.git(&["pull", "-q", "--ff-only"]);

    // A contributor's branch: carol comes, bob goes.
    people = vec!["alice".to_owned(), carol];
    world.git(&["checkout", "-q", "-b", "carol"]);
    world.write("users.yaml", &roster(&world, &people));
    world.git(&["commit", "-q", "-a", "-m", "carol comes, bob goes"]);
    world.git(&["push", "-q", "origin", "carol"]);
    let head = world.git(&["rev-parse", "HEAD"]);

    // The action plans it, says so in one comment on the pull request, and changes nothing.
    let host = Host::start();
    let kubeconfig = fs::read_to_string(&world.kubeconfig).expect("a kubeconfig");
    let event = world.path("event.json");
    let pull_request = serde_json::json!({"pull_request": {"number": 1, "head": {"sha": head.trim()}}});
    fs::write(&event, pull_request.to_string()).expect("written");
    pull_request_checkout(&world, "ci-plan", "carol");
    let plan = [
        ("GITHUB_EVENT_PATH", event.to_str().expect("UTF-8")),
        ("GITHUB_GRAPHQL_URL", &format!("{}/graphql", host.url)),
        ("GITHUB_REF", "refs/pull/1/merge"),
        ("INPUT_BASE", "HEAD^1"),
        ("INPUT_COMMAND", "plan"),
        ("INPUT_COMMENT", "true"),
        ("INPUT_KUBECONFIG", &kubeconfig),
        ("INPUT_TOKEN", host::TOKEN),
    ];
    world.github("ci-plan", &plan).expect(0).says("Commented on pull request 1.");
    let outputs = world.read("../runner/output");
    let output = |name: &str| outputs.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    assert_eq!((output("issue"), output("revoke")), (Some("1"), Some("1")), "{outputs}");
    let digest = output("digest").expect("a digest");
    let comments = host.bodies(1, host::ME);
    assert_eq!(comments.len(), 1, "{comments:?}");
    for said in ["carol", "bob", digest] {
        assert!(!said.is_empty() && comments[0].contains(said), "`{said}` is not in:\n{}", comments[0]);
    }
    assert_eq!(world.git(&["ls-remote", "origin", "carol"]).split_whitespace().next(), Some(head.trim()));
    let bob = world.open("prod", "bob");
    world.can(&bob, &["list", "pods", "-n", "default"], true);

    // The merge, and the action's apply of what was reviewed: nothing of it without the review.
    world.git(&["checkout", "-q", "main"]);
    world.git(&["merge", "-q", "--no-ff", "-m", "merge carol", "carol"]);
    world.git(&["push", "-q"]);
    let plan = fs::read_to_string(output("json").expect("the plan")).expect("it is there");
    let mut plan = serde_json::from_str(&plan).expect("JSON");
    assert!(reword(&mut plan) > 2, "{plan}");
    world.write("../nothing.json", "[]");
    world.write("../reviewed.json", &format!("[{plan}]"));
    for (reviewed, code) in [("nothing", 1), ("reviewed", 0)] {
        let clone = format!("ci-{reviewed}");
        world.checkout(&clone, "main", false);
        let arguments = format!("--reviewed=../{reviewed}.json");
        let apply = [
            ("INPUT_ARGUMENTS", arguments.as_str()),
            ("INPUT_COMMAND", "apply"),
            ("INPUT_KUBECONFIG", &kubeconfig),
        ];
        let ran = world.github(&clone, &apply).expect(code);
        if code == 1 {
            ran.says("not all of this plan was reviewed; nothing was changed").says("+ prod: issue carol");
        }
    }

    // The contributor pulls, and carol works.
    everyone_has_access(&world, &people, 2);
    world.can(&bob, &["list", "pods", "-n", "default"], false);
    world.sweep();
}

/// Says everything in a plan in other words, as another version of certctl would; how often.
fn reword(plan: &mut Value) -> usize {
    match plan {
        Value::Array(items) => items.iter_mut().map(reword).sum(),
        Value::Object(fields) => fields
            .iter_mut()
            .filter(|(name, _)| *name != "digested")
            .map(|(name, value)| match value {
                Value::String(text) if ["reason", "message", "diff"].contains(&name.as_str()) => {
                    *text = "in other words".to_owned();
                    1
                }
                value => reword(value),
            })
            .sum(),
        _ => 0,
    }
}

pub fn two_merges_a_moment_apart_lose_nobody(plane: &'static Cluster) {
    let world = World::new(plane, "busy");
    let mut people = vec!["alice".to_owned()];
    world.roster(&roster(&world, &people));
    ci(&world, "ci").expect(0);
    for race in 0..RACES {
        let mut applies = Vec::new();
        for merge in ["a", "b"] {
            if merge == "b" {
                thread::sleep(APART);
            }
            people.push(format!("{merge}{race}"));
            // The first one's records may come back meanwhile.
            world.merge(&roster(&world, &people));
            let clone = format!("ci-{merge}{race}");
            world.checkout(&clone, "main", false);
            applies.push(start_apply(&world, &clone));
        }
        let ends: Vec<Ran> = applies.into_iter().map(end).collect();
        // The first may find that main has gone on, and leave all of it to the second.
        assert!(ends[1].code == Some(0), "race {race}: {ends:?}");
        assert!(ends[0].code == Some(0) || ends[0].stderr.contains("newer"), "race {race}: {ends:?}");
        everyone_has_access(&world, &people, 2);
    }
    world.sweep();
}

pub fn a_push_between_our_commit_and_our_push_loses_nothing(plane: &'static Cluster) {
    let world = World::new(plane, "overtaken");
    let mut people = vec!["alice".to_owned()];
    world.roster(&roster(&world, &people));
    for race in 0..RACES {
        people.push(format!("p{race}"));
        world.roster(&roster(&world, &people));
        let clone = format!("ci-{race}");
        world.checkout(&clone, "main", false);
        let folder = world.path(&clone);
        // After our commit, and before our push reaches the remote.
        let script = format!(
            "set -e; [ -e {done} ] && exit 0; : > {done}; cd {repo}; unset GIT_DIR; \
             echo {race} > notes.txt; git add notes.txt; git commit -q -m notes; git push -q",
            done = folder.join("pushed").display(),
            repo = world.repo().display(),
        );
        certctl_testing::before_a_push_arrives(&folder, &script);
        fs::write(folder.join(".git/info/exclude"), "pushed\n").expect("an exclusion");
        world.certctl_in(&clone, &["apply", "--auto-approve"]).expect(0);
        everyone_has_access(&world, &people, 1);
        assert_eq!(world.read("notes.txt"), format!("{race}\n"));
    }
    world.sweep();
}
