//! The daily life in CI, rehearsed: a contributor's branch, the plan on the pull request, the merge, the
//! apply in a clone as checkouts leave it, the commit that comes back, and two of all that at once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::world::{Ran, World};

/// How often each race is run.
const RACES: usize = 10;

/// What lies between two merges of a busy morning.
const APART: Duration = Duration::from_millis(100);

/// A roster with these people, all of one team that may view.
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

/// An apply in a clone as CI leaves it, that is not waited for.
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

fn end(child: Child) -> Ran {
    let output = child.wait_with_output().expect("certctl ends");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
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

    // CI plans it, for the comment, and changes nothing.
    world.checkout("ci-plan", "carol", true);
    let comment = world.certctl_in("ci-plan", &["plan", "--format", "markdown"]).expect(0).stdout;
    assert!(comment.contains("carol") && comment.contains("bob"), "{comment}");
    let document = world.certctl_in("ci-plan", &["plan", "--format", "json"]).expect(0).stdout;
    let document: serde_json::Value = serde_json::from_str(&document).expect("JSON");
    let digest = document["digest"].as_str().expect("a digest");
    assert!(comment.contains(digest), "{comment}");
    assert_eq!(world.git(&["ls-remote", "origin", "carol"]).split_whitespace().next(), Some(head.trim()));

    // The merge, and CI's apply of exactly that plan.
    world.git(&["checkout", "-q", "main"]);
    world.git(&["merge", "-q", "--no-ff", "-m", "merge carol", "carol"]);
    world.git(&["push", "-q"]);
    let bob = world.open("prod", "bob");
    world.checkout("ci-apply", "main", false);
    world.certctl_in("ci-apply", &["apply", "--auto-approve", "--expect-digest", digest]).expect(0);

    // The contributor pulls, and carol works.
    everyone_has_access(&world, &people, 2);
    world.can(&bob, &["list", "pods", "-n", "default"], false);
    world.sweep();
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
            // The first one's commit may have come back already.
            world.git(&["pull", "-q", "--rebase"]);
            world.roster(&roster(&world, &people));
            let clone = format!("ci-{merge}{race}");
            world.checkout(&clone, "main", false);
            applies.push(start_apply(&world, &clone));
        }
        let ends: Vec<Ran> = applies.into_iter().map(end).collect();
        // The first may find that main has gone on, and leave all of it to the second.
        assert!(ends[1].code == 0, "race {race}: {ends:?}");
        assert!(ends[0].code == 0 || ends[0].stderr.contains("newer"), "race {race}: {ends:?}");
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
        // Runs after our commit and before our push reaches the remote: somebody else's push comes first.
        let hook = folder.join(".git/hooks/pre-push");
        fs::create_dir_all(hook.parent().expect("a folder")).expect("a folder");
        let script = format!(
            "#!/bin/sh\nset -e\n[ -e {done} ] && exit 0\n: > {done}\ncd {clone}\nunset GIT_DIR\n\
             echo {race} > notes.txt\ngit add notes.txt\ngit commit -q -m notes\ngit push -q\n",
            done = folder.join("pushed").display(),
            clone = world.repo().display(),
        );
        fs::write(&hook, script).expect("a hook");
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("executable");
        fs::write(folder.join(".git/info/exclude"), "pushed\n").expect("an exclusion");
        world.certctl_in(&clone, &["apply", "--auto-approve"]).expect(0);
        everyone_has_access(&world, &people, 1);
        assert_eq!(world.read("notes.txt"), format!("{race}\n"));
    }
    world.sweep();
}
