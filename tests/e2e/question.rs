//! The question of apply, on a terminal.

use std::io::{Read as _, Write as _};
use std::process::Stdio;

use crate::cluster::Cluster;
use crate::world::World;

/// Runs apply on a terminal of its own and answers its question, after what happens `meanwhile`; the exit code, and
/// all that showed.
pub fn answered(world: &World, answer: &str, meanwhile: &dyn Fn()) -> (Option<i32>, String) {
    let (mut terminal, side) = pty_process::blocking::open().expect("a pseudo-terminal");
    terminal.resize(pty_process::Size::new(24, 80)).expect("80 columns");
    let mut command = world.certctl_command(None, &["apply"]);
    command.env("TERM", "xterm");
    let command = pty_process::blocking::Command::from(command).stdout(Stdio::null());
    let mut child = command.spawn(side).expect("it starts");
    let (mut shown, mut buffer, mut asked) = (String::new(), [0; 4096], false);
    // Where the other side is closed, Linux says EIO.
    while let Ok(length @ 1..) = terminal.read(&mut buffer) {
        shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
        if !asked && shown.contains("Only `yes` is accepted:") {
            asked = true;
            meanwhile();
            terminal.write_all(format!("{answer}\n").as_bytes()).expect("typed");
        }
    }
    assert!(asked, "{shown}");
    (child.wait().expect("it ends").code(), shown)
}

pub fn full_control_stands_above_the_question_and_no_is_no_failure(plane: &'static Cluster) {
    let world = World::new(plane, "question");
    let (name, recipient) = (world.name, world.identity("alice"));
    world.roster(&format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\n\
         clusters:\n- {{name: prod, context: test}}\n\
         groups:\n- {{name: {name}-team, grants: [{{clusterRole: cluster-admin}}]}}\n\
         users:\n- {{name: alice, recipients: [\"{recipient}\"], groups: [{name}-team]}}\n"
    ));
    let (code, shown) = answered(&world, "n", &|| {});
    assert_eq!(code, Some(0), "{shown}");
    let (_, question) = shown.split_once("FULL CONTROL of prod for alice").expect("it stands out");
    assert!(question.contains("Apply this plan?") && !question.contains("FULL CONTROL"), "{shown}");
    assert!(shown.contains("Not applied; nothing was changed.") && !shown.contains("Error"), "{shown}");
    assert!(!world.exists("access"));

    let (code, shown) = answered(&world, "yes", &|| {});
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("waiting for the signer"), "it is not silent:\n{shown}");
    assert!(world.exists("access/prod/alice.kubeconfig.age"));
}
