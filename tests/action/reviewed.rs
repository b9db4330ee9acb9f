//! action/github's apply: what reviewers were shown is what it is held to, and they hear what became of it.

use std::fs;

use certctl_testing::executable;
use serde_json::{Value, json};

use super::host::{ME, Merged};
use super::world::{ALICE, BOB, Ran, World, roster};

const APPLY_MARKER: &str = "<!-- certctl apply of users.yaml -->\n";

/// A certctl that plans what `plan.json` says, and tells what an apply is given; it ends as `code` says.
fn stand_in(world: &World) {
    let certctl = world.path("bin/certctl");
    fs::remove_file(&certctl).expect("the link");
    let folder = world.path(".").display().to_string();
    executable(
        &certctl,
        &format!(
            "command=$1\nfor word; do\n  case $word in\n  json=*) cp '{folder}/plan.json' \"${{word#json=}}\" ;;\n  \
             markdown=*) echo the plan >\"${{word#markdown=}}\" ;;\n  esac\n  \
             [ \"$last\" != --reviewed ] || cp \"$word\" '{folder}/given.json'\n  last=$word\ndone\n\
             [ \"$command\" = apply ] || exit 2\necho \"$*\" >>'{folder}/applies'\n\
             cat '{folder}/apply.json'\nexit \"$(cat '{folder}/code')\""
        ),
    );
    ends(world, 0, "Done.");
}

fn ends(world: &World, code: i32, summary: &str) {
    world.write("code", code.to_string());
    let errors = match code {
        0 => json!([]),
        _ => json!([{"message": "`</details>` @acme/all was not reviewed", "causes": [], "hints": ["look"]}]),
    };
    world.write("apply.json", json!({"summary": summary, "errors": errors}).to_string());
}

/// What a plan decides, as far as the scripts care: anything.
fn decides(what: &str) -> Value {
    json!({"digest": format!("sha256:{}", "0".repeat(64)), "digested": {"roster": what}})
}

/// A pull request whose plan was commented, and which was merged then; the commit of the merge.
fn merged(world: &World, number: u64, plan: &Value) -> String {
    let people = roster(&[("alice", ALICE), (&format!("user{number}"), BOB)]);
    world.pull_request(&people);
    let head = world.git("clone", &["rev-parse", "topic"]).trim().to_owned();
    let mut document = plan.clone();
    document["summary"] = json!({"issue": 1, "warnings": 0});
    world.write("plan.json", document.to_string());
    let event = json!({"pull_request": {"number": number, "head": {"sha": head}, "base": {"ref": "main"}}});
    world.github(&event, &[("INPUT_COMMAND", "plan")]).expect(0).says("Commented on pull request");
    world.git("clone", &["checkout", "-q", "main"]);
    world.git("clone", &["merge", "-q", "--no-ff", "-m", "merge", "topic"]);
    world.git("clone", &["push", "-q", "origin", "main"]);
    let commit = world.git("clone", &["rev-parse", "main"]).trim().to_owned();
    let pull = Merged { number, into: "main".into(), head, commit: commit.clone() };
    world.host.state().merged.push(pull);
    commit
}

/// An apply of the branch's tip, checked out with its history.
fn apply(world: &World, more: &[(&str, &str)]) -> Ran {
    let _ = fs::remove_dir_all(world.path("work"));
    let _ = fs::remove_file(world.path("given.json"));
    world.git(".", &["clone", "-q", "origin.git", "work"]);
    run(world, more)
}

fn run(world: &World, more: &[(&str, &str)]) -> Ran {
    let inputs = [&[("INPUT_COMMAND", "apply"), ("INPUT_REVIEWED", "true")], more].concat();
    world.github(&json!({}), &inputs)
}

fn given(world: &World) -> Value {
    serde_json::from_slice(&fs::read(world.path("given.json")).expect("--reviewed was given")).expect("JSON")
}

fn applied_before(world: &World) {
    let tip = world.git("clone", &["rev-parse", "main"]).trim().to_owned();
    world.host.state().applied = Some(tip);
}

#[test]
fn an_apply_is_held_to_the_plans_of_what_was_merged_since_the_last_one() {
    let world = World::new();
    stand_in(&world);
    merged(&world, 1, &decides("one"));
    applied_before(&world);
    merged(&world, 2, &decides("two"));
    apply(&world, &[]).expect(0);
    assert_eq!(given(&world), json!([decides("two")]));
    merged(&world, 3, &decides("three"));
    apply(&world, &[]).expect(0);
    assert_eq!(given(&world), json!([decides("two"), decides("three")]));
    // All went well: nobody is told.
    assert!(world.host.state().comments.iter().all(|comment| !comment.body.starts_with(APPLY_MARKER)));

    // What was applied already was reviewed for that time.
    applied_before(&world);
    apply(&world, &[]).expect(0);
    assert_eq!(given(&world), json!([]));
    // Where none has succeeded, or history was replaced, all of it counts.
    for before in [None, Some("0".repeat(40))] {
        world.host.state().applied = before;
        apply(&world, &[]).expect(0);
        assert_eq!(given(&world).as_array().map(Vec::len), Some(3));
    }
}

#[test]
fn what_is_not_our_own_word_about_what_was_merged_counts_for_nothing() {
    let world = World::new();
    stand_in(&world);
    applied_before(&world);
    merged(&world, 1, &decides("one"));
    let original = world.host.state().comments[0].clone();
    let counts = |change: &dyn Fn(&World)| {
        change(&world);
        apply(&world, &[]).expect(0);
        let count = given(&world).as_array().expect("a list").len();
        world.host.state().comments[0] = original.clone();
        count
    };
    assert_eq!(counts(&|_| ()), 1);
    assert_eq!(counts(&|world| world.host.state().comments[0].editor = Some(ME.into())), 1);
    assert_eq!(counts(&|world| world.host.state().comments[0].editor = Some("mallory".into())), 0);
    assert_eq!(counts(&|world| world.host.state().comments[0].author = "mallory".into()), 0);
    let body = |to: &str| original.body.replacen("<!-- certctl reviewed", to, 1);
    assert_eq!(counts(&|world| world.host.state().comments[0].body = body("<!-- certctl saw")), 0);
    assert_eq!(counts(&|world| world.host.state().comments[0].body = body("x\n<!-- certctl reviewed")), 0);
    // It was pushed to after the plan.
    world.host.state().merged[0].head = "f".repeat(40);
    assert_eq!(counts(&|_| ()), 0);
    world.host.state().merged[0].into = "release".into();
    assert_eq!(counts(&|_| ()), 0);
}

#[test]
fn a_plan_that_is_too_long_for_a_comment_counts_as_a_whole() {
    let world = World::new();
    stand_in(&world);
    applied_before(&world);
    let mut long = decides("x");
    // Nothing that could be packed.
    let text: String =
        (0..3_000_u64).map(|n| certctl::model::hex(&certctl::model::sha256(&n.to_be_bytes()))).collect();
    long["digested"]["roster"] = json!(text);
    merged(&world, 1, &long);
    apply(&world, &[]).expect(0);
    assert_eq!(given(&world), json!([{"digest": long["digest"]}]));
}

#[test]
fn whoever_merged_hears_what_was_not_applied_and_then_that_it_was() {
    let world = World::new();
    stand_in(&world);
    applied_before(&world);
    merged(&world, 1, &decides("one"));
    merged(&world, 2, &decides("two"));
    ends(&world, 1, "Nothing was changed.");
    apply(&world, &[]).expect(1);
    let told = |number| {
        let bodies = world.host.bodies(number, ME);
        bodies.into_iter().filter(|body| body.starts_with(APPLY_MARKER)).collect::<Vec<_>>()
    };
    for number in [1, 2] {
        let told = told(number);
        assert_eq!(told.len(), 1);
        assert!(
            told[0].contains("    Nothing was changed.") && told[0].contains("    Hint: look"),
            "{}",
            told[0]
        );
        let hostile: Vec<&str> = told[0].lines().filter(|line| line.contains("@acme")).collect();
        assert!(hostile.len() == 1 && hostile[0].starts_with("    "), "{hostile:?}");
    }
    ends(&world, 0, "All is done.");
    apply(&world, &[]).expect(0);
    for number in [1, 2] {
        let told = told(number);
        assert!(told.len() == 1 && told[0].contains("All is done."), "{told:?}");
    }
}

#[test]
fn where_nobody_knows_what_was_reviewed_nothing_is_applied() {
    let world = World::new();
    stand_in(&world);
    applied_before(&world);
    merged(&world, 1, &decides("one"));
    for (path, said) in [
        (
            "/actions/",
            "GitHub answered 403 to GET repos/acme/access/actions/workflows/certctl-apply.yml/runs",
        ),
        ("/graphql", "GitHub answered 403:"),
    ] {
        world.host.state().forbidden = Some(path);
        apply(&world, &[]).expect(1).says(said);
    }
    world.host.state().forbidden = None;
    let _ = fs::remove_dir_all(world.path("work"));
    let origin = format!("file://{}", world.path("origin.git").display());
    world.git(".", &["clone", "-q", "--depth=1", &origin, "work"]);
    run(&world, &[]).expect(1).says("Hint: check out with `fetch-depth: 0`");
    assert!(!world.path("applies").exists(), "it was applied");

    // Off by one input.
    let calls = world.host.state().calls.len();
    run(&world, &[("INPUT_REVIEWED", "false")]).expect(0);
    let applies = fs::read_to_string(world.path("applies")).expect("it was applied");
    assert!(!applies.contains("--reviewed"), "{applies}");
    assert_eq!(world.host.state().calls.len(), calls);
}
