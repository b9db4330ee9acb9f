//! One issue for each roster that says who must act soon, on GitHub and on GitLab.

use std::fs;

use serde_json::json;

use super::gitlab;
use super::host::{Issue, ME};
use super::world::{ALICE, BOB, Ran, World, roster};

const MARKER: &str = "<!-- certctl notices of users.yaml -->\n";

/// Nobody has a credential yet, whoever it is.
fn people(names: &[&str]) -> String {
    if names.is_empty() {
        return roster(&[]).replace("users:\n", "users: []\n");
    }
    roster(&names.iter().map(|name| (*name, if *name == "alice" { ALICE } else { BOB })).collect::<Vec<_>>())
}

/// The default branch, as a runner checks it out.
fn on_main(world: &World, people: &str) {
    world.git("clone", &["checkout", "-q", "main"]);
    world.write("clone/users.yaml", people);
    world.commit("people");
    world.git("clone", &["push", "-q", "origin", "main"]);
    let _ = fs::remove_dir_all(world.path("work"));
    world.git(".", &["clone", "-q", "origin.git", "work"]);
}

fn on_github(world: &World) -> Ran {
    let ran = world.github(&json!({}), &[("INPUT_COMMAND", "notices"), ("INPUT_OFFLINE", "true")]);
    assert!(ran.outputs.is_empty(), "{}", ran.outputs);
    ran
}

fn ours(world: &World) -> Vec<Issue> {
    world.host.state().issues.iter().filter(|issue| issue.author == ME).cloned().collect()
}

/// On either host: opened once, kept up to date, closed while nobody must act, and opened again.
fn one_issue_is_kept(notices: &dyn Fn(&World) -> Ran) {
    let world = World::new();
    on_main(&world, &people(&[]));
    notices(&world).expect(0).says("Nobody has to act, and there is no issue that would say otherwise.");
    assert_eq!(ours(&world), []);

    // What others copied stays theirs, however many issues there are.
    let copied = format!("{MARKER}Send me your key!");
    world.host.state().open_issue("mallory", "certctl: who must act soon (users.yaml)", &copied);
    world.host.state().open_issue(ME, "something else", "of the same bot");
    on_main(&world, &people(&["alice"]));
    notices(&world).expect(0).says("Opened an issue about who must act soon.");
    for number in 0..120 {
        world.host.state().open_issue(if number % 2 == 0 { ME } else { "carol" }, "more", "text");
    }
    on_main(&world, &people(&["alice", "bob"]));
    notices(&world).expect(0).says("is up to date.");
    let mine = |world: &World| {
        let mine: Vec<Issue> =
            ours(world).into_iter().filter(|issue| issue.body.starts_with(MARKER)).collect();
        assert_eq!(mine.len(), 1, "{mine:?}");
        mine[0].clone()
    };
    let issue = mine(&world);
    assert_eq!((issue.title.as_str(), issue.open), ("certctl: who must act soon (users.yaml)", true));
    assert!(issue.body.contains("`alice`") && issue.body.contains("`bob`"), "{}", issue.body);

    // Nothing new: nobody's list of issues changes.
    notices(&world).expect(0).says("is as it should be");
    assert_eq!(mine(&world), issue);

    on_main(&world, &people(&[]));
    notices(&world).expect(0).says("is up to date.");
    let closed = mine(&world);
    assert!(!closed.open && closed.body.contains("nobody must act soon"), "{closed:?}");
    on_main(&world, &people(&["alice"]));
    notices(&world).expect(0);
    assert!(mine(&world).open);

    // What cannot be read may hold something to do, and nothing of it is taken for text of ours.
    on_main(&world, "users: [{name: $(touch pwned), email: '@acme/all'}]\n/close\n");
    notices(&world).expect(1).says("is up to date.");
    let unread = mine(&world);
    assert!(unread.open && unread.body.contains("The roster could not be read"), "{}", unread.body);
    assert!(!unread.body.contains("acme/all") && !world.path("work/pwned").exists());
    assert!(world.host.state().issues.iter().any(|issue| issue.body == copied));

    world.host.state().broken = Some(403);
    notices(&world).expect(1).says("403");
}

#[test]
fn github_keeps_one_issue_for_each_roster() {
    one_issue_is_kept(&on_github);
    let world = World::new();
    on_main(&world, &people(&["alice"]));
    world.host.state().broken = Some(403);
    on_github(&world)
        .expect(1)
        .says("Error: the issue could not be written")
        .says("`permissions: issues: write`");
}

#[test]
fn gitlab_keeps_one_issue_for_each_roster() {
    one_issue_is_kept(&|world| gitlab::notices(world, &[]));
    let world = World::new();
    on_main(&world, &people(&["alice"]));
    gitlab::notices(&world, &[("CERTCTL_NOTE_TOKEN", "")]).expect(0).says("CERTCTL_NOTE_TOKEN is not set");
    assert_eq!(world.host.state().calls, [""; 0]);
}
