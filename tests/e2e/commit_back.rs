//! The records come back into the repository, or nothing is bound: branches that move, that are
//! protected, clones as CI leaves them; and the JSON that apply reports.

use std::fs;

use certctl_testing::executable;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::world::World;
use certctl_testing::Ran;

/// The branch for proposals.
const BRANCH: &str = "certctl/records";

fn roster(world: &World, users: &[&str]) {
    let name = world.name;
    let line = |user: &&str| {
        format!("- {{name: {user}, recipients: [\"{}\"], groups: [{name}-team]}}\n", world.identity(user))
    };
    let users: String = users.iter().map(line).collect();
    let users = if users.is_empty() { "users: []\n".to_owned() } else { format!("users:\n{users}") };
    world.write(
        "users.yaml",
        &format!(
            "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\nclusters: [{{name: prod, context: test}}]\n\
             groups:\n- {{name: {name}-team, grants: [{{clusterRole: view}}]}}\n{users}"
        ),
    );
}

/// A merge by a colleague, in the world's own clone.
fn merge(world: &World, users: &[&str]) {
    if world.exists("users.yaml") {
        world.git(&["pull", "-q", "--rebase", "origin", "main"]);
    }
    roster(world, users);
    world.commit("merge");
}

/// A clone as actions/checkout leaves it, of the commit that main is at.
fn checkout(world: &World, name: &str) {
    world.checkout(name, "main", false);
}

fn apply(world: &World, clone: &str, more: &[&str]) -> (Ran, Value) {
    let args = [&["apply", "--auto-approve", "--format", "json"], more].concat();
    let ran = world.certctl_in(clone, &args);
    let document =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}\n{}", ran.stdout, ran.stderr));
    conforms(&document);
    let last = ran.stderr.lines().last().unwrap_or_default();
    if ran.code != Some(64) {
        assert_eq!(document["summary"].as_str(), Some(last), "the last line is the sentence: {}", ran.stderr);
    }
    (ran, document)
}

#[track_caller]
fn conforms(document: &Value) {
    let schema = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/apply.schema.json"))
        .expect("it is there");
    let schema =
        jsonschema::draft202012::new(&serde_json::from_str(&schema).expect("JSON")).expect("a schema");
    if let Err(error) = schema.validate(document) {
        panic!("{}: {error}\n{document:#}", error.instance_path());
    }
}

/// `user: outcome`, for everyone whom the apply was about.
fn outcomes(document: &Value) -> Vec<String> {
    let people = document["clusters"][0]["people"].as_array().into_iter().flatten();
    let text = |person: &Value, key: &str| person[key].as_str().expect("a text").to_owned();
    people.map(|p| format!("{} {}: {}", text(p, "action"), text(p, "user"), text(p, "outcome"))).collect()
}

/// The credential groups that are bound, without the ids.
fn bound(world: &World) -> Vec<String> {
    let label = format!("certctl.dev/roster={}", world.name);
    let path = "jsonpath={range .items[*]}{range .subjects[*]}{.name}{\"\\n\"}{end}{end}";
    let all =
        world.plane.kubectl_ok(&["get", "clusterrolebindings,rolebindings", "-A", "-l", &label, "-o", path]);
    let mut users: Vec<String> =
        all.lines().filter_map(|line| Some(line.split(':').nth(1)?.to_owned())).collect();
    users.sort();
    users
}

/// How many certificates the cluster was asked for, ever.
fn requests(world: &World) -> usize {
    let created = |event: &Value| {
        event["verb"] == "create" && event["objectRef"]["resource"] == "certificatesigningrequests"
    };
    world.calls(0).iter().filter(|event| created(event)).count()
}

/// Only the colleague who merges may push to main.
fn protect(world: &World) {
    executable(
        &world.path("origin.git/hooks/update"),
        "[ \"$1\" != refs/heads/main ] || [ -n \"$MERGE\" ] || { echo 'Not allowed to push to protected branch main' >&2; exit 1; }",
    );
}

pub fn a_protected_branch_gets_its_records_through_a_pull_request(plane: &'static Cluster) {
    let world = World::new(plane, "protected");
    world.set("MERGE", "1");
    merge(&world, &["ann", "ben"]);
    world.unset("MERGE");
    protect(&world);

    // The runner is discarded: what it issued never gets any rights.
    checkout(&world, "first");
    let (ran, document) = apply(&world, "first", &[]);
    ran.expect(1)
        .says("origin/main is protected")
        .says("--push-branch certctl/records")
        .says("has no rights");
    assert_eq!(document["result"], "partly-failed");
    assert_eq!(document["records"]["state"], "failed");
    assert_eq!(outcomes(&document), ["issue ann: not-bound", "issue ben: not-bound"]);
    assert!(document["errors"][0]["causes"][0].as_str().expect("a cause").contains("protected branch main"));
    assert_eq!((bound(&world), requests(&world)), (vec![], 2));

    let aside = ["--push-branch", BRANCH, "--skip-ci-marker"];
    checkout(&world, "second");
    let (ran, document) = apply(&world, "second", &aside);
    let ran = ran.expect(0).says("bound once its record is merged");
    // Without a terminal, a line a phase.
    assert!(
        ran.stderr.contains("\nIssuing 2 credentials: ") && ran.stderr.contains("\nRecording: "),
        "{}",
        ran.stderr
    );
    assert_eq!((&document["result"], &document["records"]["state"]), (&"done".into(), &"proposed".into()));
    assert_eq!(outcomes(&document), ["issue ann: waiting", "issue ben: waiting"]);
    assert_eq!((bound(&world), world.git(&["ls-remote", "origin", BRANCH]).lines().count()), (vec![], 1));
    let issued = requests(&world);
    world.git(&["fetch", "-q", "origin", BRANCH]);
    let headline = world.git(&["log", "-1", "--format=%s", "FETCH_HEAD"]);
    assert_eq!(headline.trim(), "certctl: issue ann, ben on prod", "CI has to run on that pull request");

    // While it waits: nothing is issued twice, whoever leaves is out, and people with records go on.
    world.set("MERGE", "1");
    merge(&world, &["ann", "cleo"]);
    world.unset("MERGE");
    checkout(&world, "third");
    let (ran, document) = apply(&world, "third", &aside);
    ran.expect(0).says("not issued yet, because earlier records wait to be merged");
    assert_eq!((&document["result"], &document["records"]["state"]), (&"done".into(), &"waiting".into()));
    assert_eq!(outcomes(&document), ["issue ann: waiting", "issue cleo: waiting"]);
    assert_eq!((bound(&world), requests(&world)), (vec![], issued));

    // Merged: ann is bound, ben is not, whom the roster lost meanwhile, and cleo's turn has come.
    let merge_it = |world: &World| {
        world.set("MERGE", "1");
        world.git(&["pull", "-q", "--rebase", "origin", "main"]);
        world.git(&["fetch", "-q", "origin", BRANCH]);
        world.git(&["merge", "-q", "--squash", "FETCH_HEAD"]);
        world.commit("squashed");
        world.unset("MERGE");
    };
    merge_it(&world);
    checkout(&world, "fourth");
    let (ran, document) = apply(&world, "fourth", &aside);
    ran.expect(0);
    assert_eq!(outcomes(&document), ["revoke ben: done", "issue cleo: waiting"]);
    assert_eq!((bound(&world), requests(&world)), (vec!["ann".to_owned()], issued + 1));
    world.git(&["pull", "-q", "--rebase", "origin", "main"]);
    world.can(&world.open("prod", "ann"), &["list", "pods"], true);

    merge_it(&world);
    checkout(&world, "fifth");
    let (ran, document) = apply(&world, "fifth", &aside);
    ran.expect(0);
    assert_eq!((&document["result"], outcomes(&document)), (&"done".into(), vec![]));
    assert_eq!(bound(&world), ["ann", "cleo"]);
    assert_eq!(requests(&world), issued + 1, "each was issued once");
    world.can(&world.open("prod", "cleo"), &["list", "pods"], true);

    // There is nothing left to do, and it says so.
    let (ran, document) = apply(&world, "fifth", &aside);
    assert_eq!(ran.expect(0).stderr.lines().count(), 1, "doing nothing is one calm line");
    assert_eq!(
        (&document["result"], &document["records"]["state"]),
        (&"nothing-to-do".into(), &"unchanged".into())
    );
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    world.sweep();
}

pub fn records_that_the_branch_declined_go_to_a_pull_request_from_the_same_clone(plane: &'static Cluster) {
    let world = World::new(plane, "laptop");
    merge(&world, &["ann"]);
    protect(&world);
    world.certctl(&["apply", "--auto-approve"]).expect(1).says("--push-branch certctl/records");
    let kept = world.git(&["rev-parse", "HEAD"]);
    let (ran, document) = apply(&world, "repo", &["--push-branch", BRANCH]);
    ran.expect(0);
    assert_eq!(document["records"]["commit"].as_str(), Some(kept.trim()));
    // The clone has a record of her, the branch that everyone sees has none: she is not bound.
    for _ in 0..2 {
        assert_eq!((bound(&world), requests(&world)), (vec![], 1));
        let (ran, document) = apply(&world, "repo", &["--push-branch", BRANCH]);
        ran.expect(0);
        assert_eq!(document["records"]["state"], "waiting");
    }
    world.set("MERGE", "1");
    world.git(&["push", "-q", "origin", "HEAD:main"]);
    world.unset("MERGE");
    let (ran, _) = apply(&world, "repo", &["--push-branch", BRANCH]);
    ran.expect(0);
    assert_eq!((bound(&world), requests(&world)), (vec!["ann".to_owned()], 1));
    world.can(&world.open("prod", "ann"), &["list", "pods"], true);
}

pub fn a_merge_between_our_commit_and_our_push_is_built_upon(plane: &'static Cluster) {
    let world = World::new(plane, "between");
    merge(&world, &["ann", "ben"]);
    checkout(&world, "ci");
    // Our git has asked where main is; before it sends anything, ben is taken off the roster.
    roster(&world, &["ann"]);
    world.git(&["commit", "-qam", "merge"]);
    let pushed = world.path("ci/.git/pushed");
    let script = format!(
        "[ -e {0} ] || {{ touch {0}; env -u GIT_DIR git -C {1} push -q origin main; }}",
        pushed.display(),
        world.repo().display()
    );
    certctl_testing::before_a_push_arrives(&world.path("ci"), &script);
    let (ran, document) = apply(&world, "ci", &[]);
    ran.expect(0);
    assert_eq!(
        (&document["records"]["state"], &document["records"]["pushes"]),
        (&"pushed".into(), &2.into())
    );
    assert_eq!(bound(&world), ["ann", "ben"]);
    // The run of that merge, whose checkout lacks our records, follows them and takes ben out.
    world.git(&["-C", "../ci", "checkout", "-q", "--detach", "HEAD~1"]);
    let (ran, document) = apply(&world, "ci", &["--push-branch", "main"]);
    ran.expect(0).says("Another apply has pushed newer records");
    assert_eq!(outcomes(&document), ["revoke ben: done"]);
    assert_eq!(bound(&world), ["ann"]);
    world.git(&["pull", "-q", "--rebase", "origin", "main"]);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    assert_eq!(requests(&world), 2, "nobody was issued twice");
}

pub fn of_two_merges_at_once_the_later_apply_does_both(plane: &'static Cluster) {
    let world = World::new(plane, "merges");
    merge(&world, &["ann"]);
    checkout(&world, "earlier");
    merge(&world, &["ann", "ben"]);
    checkout(&world, "later");
    // The earlier one finds a roster that it must not undo.
    let (ran, document) = apply(&world, "earlier", &[]);
    ran.expect(1)
        .says("holds a newer users.yaml than this clone")
        .says("the run of the newer commit applies it");
    assert_eq!((&document["result"], outcomes(&document)), (&"failed".into(), vec![]));
    assert_eq!((bound(&world), requests(&world)), (vec![], 0));
    let (ran, document) = apply(&world, "later", &[]);
    ran.expect(0);
    assert_eq!(outcomes(&document), ["issue ann: done", "issue ben: done"]);
    assert_eq!(bound(&world), ["ann", "ben"]);
}

pub fn ci_without_an_identity_commits_as_it_is_told_and_runs_no_ci_for_it(plane: &'static Cluster) {
    let world = World::new(plane, "runner");
    merge(&world, &["ann"]);
    checkout(&world, "ci");
    world.git(&["-C", "../ci", "checkout", "-q", "--detach"]);
    for name in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"] {
        world.unset(name);
    }
    world.git(&["config", "--global", "user.useConfigOnly", "true"]);
    let (ran, document) = apply(&world, "ci", &["--push-branch", "main"]);
    ran.expect(1).says("no name and e-mail address").says("--author");
    assert_eq!((&document["result"], outcomes(&document)), (&"failed".into(), vec![]));
    assert_eq!(requests(&world), 0, "it is asked before a certificate is");

    world.set("GITLAB_CI", "true");
    world.set("CI_COMMIT_BRANCH", "main");
    world.set("GITLAB_USER_NAME", "Ada");
    world.set("GITLAB_USER_EMAIL", "ada@example.com");
    let (ran, document) = apply(&world, "ci", &["--author", "certctl <bot@example.com>", "--skip-ci-marker"]);
    ran.expect(0);
    let commit = document["records"]["commit"].as_str().expect("a commit").to_owned();
    world.git(&["fetch", "-q", "origin", "main"]);
    let log = world.git(&["log", "-1", "--format=%an <%ae>, %cn <%ce>: %s", "FETCH_HEAD"]);
    assert_eq!(
        log.trim(),
        "certctl <bot@example.com>, certctl <bot@example.com>: certctl: issue ann on prod [skip ci]"
    );
    assert_eq!(world.git(&["rev-parse", "FETCH_HEAD"]).trim(), commit);
    assert_eq!(bound(&world), ["ann"]);
}

pub fn the_json_says_whose_credential_failed_and_why(plane: &'static Cluster) {
    let world = World::new(plane, "partly");
    merge(&world, &["ann", "ben"]);
    // A recipient whose plugin is not installed.
    let yubikey = "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t";
    let text = world.read("users.yaml").replace(&world.identity("ben"), yubikey);
    world.write("users.yaml", &text);
    world.commit("roster");
    let (ran, document) = apply(&world, "repo", &[]);
    ran.expect(1);
    assert_eq!(document["result"], "partly-failed");
    assert_eq!(outcomes(&document), ["issue ann: done", "issue ben: failed"]);
    let people = &document["clusters"][0]["people"];
    assert_eq!(
        (&people[0]["error"], &people[0]["credential"].as_str().map(str::len)),
        (&Value::Null, &Some(16))
    );
    assert!(
        people[1]["error"]["message"].as_str().expect("a message").contains("age-plugin-yubikey"),
        "{document:#}"
    );
    assert_eq!((&document["counts"]["issued"], &document["counts"]["failed"]), (&1.into(), &1.into()));
    for phase in ["issue", "record", "grant", "total"] {
        assert!(document["milliseconds"][phase].is_u64(), "{phase}: {document:#}");
    }
    assert_eq!(document["milliseconds"]["revoke"], Value::Null, "nobody was to be revoked");

    // What was refused, and what was never begun, is a document too.
    let (ran, document) = apply(&world, "repo", &["--expect-digest", "sha256:0"]);
    ran.expect(1);
    assert_eq!(
        (&document["result"], outcomes(&document)),
        (&"failed".into(), vec!["issue ben: not-tried".to_owned()])
    );
    let (ran, document) = apply(&world, "repo", &["--roster", "missing.yaml"]);
    ran.expect(1).says("Failed after").says("nothing was changed");
    assert_eq!(
        (&document["roster"], &document["errors"][0]["hints"].as_array().map(Vec::len)),
        (&Value::Null, &Some(1))
    );
    let ran = world.certctl(&["apply", "--format", "json"]).expect(64);
    conforms(&serde_json::from_str(&ran.stdout).expect("JSON"));
}

pub fn what_is_applied_is_pushed_though_no_record_changes(plane: &'static Cluster) {
    let world = World::new(plane, "unpushed");
    merge(&world, &["ann", "ben"]);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let with_ben = world.read("users.yaml");
    let team = format!(", groups: [{}-team]}}\n", world.name);
    let at = with_ben.rfind(&team).expect("ben comes last");
    let without_ben = format!("{}}}\n", &with_ben[..at]);

    // Ben leaves the group, and nobody pushes that.
    world.write("users.yaml", &without_ben);
    world.git(&["commit", "-qam", "ben leaves"]);
    let (ran, document) = apply(&world, "repo", &[]);
    ran.expect(0).says("pushed as");
    assert_eq!(document["records"]["state"], "pushed");
    checkout(&world, "elsewhere");
    let (ran, document) = apply(&world, "elsewhere", &[]);
    ran.expect(0);
    assert_eq!((&document["result"], bound(&world)), (&"nothing-to-do".into(), vec!["ann".to_owned()]));

    // What the remote does not take, nobody is bound by; who leaves is out all the same.
    let moved = without_ben.replace(&team, "}\n");
    let moved = format!("{}, groups: [{}-team]}}\n", moved.trim_end().trim_end_matches('}'), world.name);
    world.write("users.yaml", &moved);
    world.git(&["commit", "-qam", "ben for ann"]);
    protect(&world);
    let (ran, document) = apply(&world, "repo", &[]);
    ran.expect(1).says("origin/main is protected");
    assert_eq!((&document["records"]["state"], bound(&world)), (&"failed".into(), vec![]));
    // Nor as long as it waits for a merge.
    let aside = ["--push-branch", BRANCH];
    for state in ["proposed", "waiting"] {
        let (ran, document) = apply(&world, "repo", &aside);
        ran.expect(0);
        assert_eq!((&document["records"]["state"], bound(&world)), (&state.into(), vec![]));
    }
    // Whichever way it is merged.
    world.set("MERGE", "1");
    checkout(&world, "colleague");
    let colleague = |args: &[&str]| world.git(&[&["-C", "../colleague"], args].concat());
    colleague(&["fetch", "-q", "origin", BRANCH]);
    colleague(&["checkout", "-q", "FETCH_HEAD", "--", "."]);
    colleague(&["commit", "-qm", "squashed"]);
    colleague(&["push", "-q", "origin", "main"]);
    world.unset("MERGE");
    apply(&world, "repo", &aside).0.expect(0);
    assert_eq!(bound(&world), ["ben"]);
}

pub fn another_branch_is_applied_only_by_its_typed_name(plane: &'static Cluster) {
    let world = World::new(plane, "branches");
    merge(&world, &["ann"]);
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    assert!(world.read("access/prod/cluster.yaml").contains("\nbranch: main\n"));

    world.git(&["checkout", "-q", "-b", "feature"]);
    roster(&world, &["ann", "ben"]);
    world.git(&["commit", "-qam", "ben"]);
    let refused = |args: &[&str]| {
        let tip = || world.git(&["ls-remote", "origin"]);
        let before = (bound(&world), tip(), requests(&world));
        let ran = world.certctl(&[&["apply", "--auto-approve"], args].concat());
        assert_eq!((bound(&world), tip(), requests(&world)), before);
        ran
    };
    for way in [&[][..], &["--no-push"], &["--push-branch", BRANCH]] {
        refused(way).expect(1).says("is applied from `main`").says("this is branch `feature`");
    }
    refused(&["--branch", "main"]).expect(64).says("what would be applied is branch `feature`");
    world.certctl(&["apply", "--auto-approve", "--branch", "feature"]).expect(0);
    assert_eq!(bound(&world), ["ann", "ben"]);

    // In CI, HEAD is detached: it is on the branch that a push would go to.
    world.checkout("ci", "feature", true);
    world.set("GITLAB_CI", "true");
    world.set("CI_COMMIT_BRANCH", "feature");
    apply(&world, "ci", &[]).0.expect(1).says("is applied from `main`");
    apply(&world, "ci", &["--no-push"]).0.expect(1).says("is applied from `main`");
    world.unset("CI_COMMIT_BRANCH");
    apply(&world, "ci", &["--no-push"]).0.expect(1).says("HEAD is detached");

    // The roster moves.
    world.write("users.yaml", &format!("{}apply: {{branch: feature}}\n", world.read("users.yaml")));
    world.git(&["commit", "-qam", "move"]);
    world.certctl(&["apply", "--auto-approve"]).expect(0).says("pushed as");
    world.git(&["push", "-q", "origin", "HEAD:main"]);
    world.git(&["checkout", "-q", "-B", "main", "feature"]);
    refused(&[]).expect(1).says("is applied from `feature`, `apply.branch` of users.yaml");
}
