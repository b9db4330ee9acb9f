//! What decides is what is committed: neither a working tree that an earlier run left behind, nor a file
//! that git was told not to look at.

use std::fs;

use crate::cluster::Cluster;
use crate::world::World;

fn roster(world: &World, users: &[&str]) -> String {
    let name = world.name;
    let line = |user: &&str| {
        format!("- {{name: {user}, recipients: [\"{}\"], groups: [{name}-team]}}\n", world.identity(user))
    };
    let users: String = users.iter().map(line).collect();
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\n\
         clusters: [{{name: prod, context: test, server: \"{}\"}}]\n\
         groups:\n- {{name: {name}-team, grants: [{{clusterRole: view}}]}}\nusers:\n{users}",
        world.plane.server()
    )
}

pub fn a_run_killed_before_its_files_were_written_lets_nobody_back_in(plane: &'static Cluster) {
    let world = World::new(plane, "killed-walk");
    world.roster(&roster(&world, &["ann", "ben"]));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    let ben = world.open("prod", "ben");
    world.can(&ben, &["list", "pods"], true);

    // Ben's removal is merged, and applied from another clone.
    world.checkout("colleague", "main", false);
    fs::write(world.path("colleague/users.yaml"), roster(&world, &["ann"])).expect("a roster");
    world.git(&["-C", "../colleague", "commit", "-q", "-a", "-m", "ben leaves"]);
    world.git(&["-C", "../colleague", "push", "-q"]);
    world.certctl_in("colleague", &["apply", "--auto-approve"]).expect(0);
    world.can(&ben, &["list", "pods"], false);

    // A run of ours that was killed after it had moved the branch there, and before it wrote the files.
    world.git(&["fetch", "-q", "origin"]);
    let moved = "certctl: newer records of another apply";
    world.git(&["update-ref", "-m", moved, "refs/heads/main", "origin/main"]);
    assert!(world.read("users.yaml").contains("ben"));

    world.certctl(&["apply", "--auto-approve"]).expect(0).says("Nothing to do");
    assert!(!world.read("users.yaml").contains("ben"), "the files were brought along");
    assert_eq!(world.git(&["status", "--porcelain"]), "");
    world.can(&ben, &["list", "pods"], false);
    world.sweep();
}

pub fn a_file_that_git_was_told_not_to_look_at_is_not_applied(plane: &'static Cluster) {
    let world = World::new(plane, "unseen");
    world.roster(&roster(&world, &["ann"]));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.open("prod", "ann");
    let files = ["users.yaml", "access/prod/ann.yaml"];
    for flag in ["skip-worktree", "assume-unchanged"] {
        let kept = files.map(|file| world.read(file));
        world.git(&["update-index", &format!("--{flag}"), files[0], files[1]]);
        world.write(files[0], &roster(&world, &["ann", "ben"]));
        world.write(files[1], "credentials: []\n");
        assert_eq!(world.git(&["status", "--porcelain"]), "", "git sees nothing of it");

        world.certctl(&["apply", "--auto-approve"]).expect(0).says("Nothing to do");
        assert!(!world.exists("access/prod/ben.yaml"));

        for (file, text) in files.iter().zip(kept) {
            world.write(file, &text);
        }
        world.git(&["update-index", &format!("--no-{flag}"), files[0], files[1]]);
    }
    world.sweep();
}
