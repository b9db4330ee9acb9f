//! The file tree of the container image, where no container can be started: a changed root folder, and the
//! user that the image runs as.

use std::fs;
use std::path::Path;
use std::process::Command;

use certctl_testing::Ran;

use crate::http::Server;
use crate::machine::{Machine, SOURCE};

/// A program of the tree, as the image's user, in its home.
fn inside(root: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("chroot");
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .arg("--userspec=65532:65532")
        .arg(root)
        .args(["/usr/bin/git", "-C", "/home/certctl"])
        .args(words)
        .env("HOME", "/home/certctl");
    command
}

pub fn git_fetches_and_pushes_in_the_image_without_a_shell() {
    let machine = Machine::new();
    let root = machine.path("tree");
    machine.script(Path::new(SOURCE), "tree", &[&root.display().to_string()], 0);
    // A container gets these from its runtime.
    fs::create_dir(root.join("dev")).expect("a folder");
    for (device, minor) in [("null", "3"), ("urandom", "9")] {
        let mut node = Command::new("mknod");
        Ran::of(node.args(["-m", "666"]).arg(root.join("dev").join(device)).args(["c", "1", minor]))
            .expect(0);
    }
    for shell in ["bin/sh", "usr/bin/sh", "bin/bash", "usr/bin/bash", "bin/busybox"] {
        assert!(!root.join(shell).exists(), "{shell}");
    }

    let host = machine.path("host");
    fs::create_dir(&host).expect("a folder");
    let git =
        |words: &[&str]| Ran::of(machine.command("git").args(words).current_dir(&host)).expect(0).stdout;
    git(&["init", "-q", "--bare", "-b", "main", "origin.git"]);
    git(&["-C", "origin.git", "config", "http.receivepack", "true"]);
    let server = Server::start(&host);
    let origin = server.url_for(crate::http::USER);
    Ran::of(&mut inside(&root, &["clone", "--quiet", &origin, "work"])).expect(0);
    let author = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
    let commit = ["commit", "--quiet", "--allow-empty", "--message", "records"];
    Ran::of(&mut inside(&root, &[&["-C", "work"], &author[..], &commit].concat())).expect(0);
    Ran::of(&mut inside(&root, &["-C", "work", "push", "--quiet", "origin", "HEAD:main"])).expect(0);
    assert_eq!(git(&["-C", "origin.git", "log", "--format=%s", "main"]), "records\n");
    // The other transport starts too, and knows its own user.
    let said = Ran::of(&mut inside(&root, &["ls-remote", "ssh://127.0.0.1:1/x"])).expect(128);
    assert!(said.stderr.contains("port 1: Connection refused"), "{}", said.stderr);
    // And is told there which keys to use, since git could not run it with arguments.
    fs::create_dir_all(root.join("etc/ssh")).expect("a folder");
    fs::write(root.join("etc/ssh/ssh_config"), "Host *\n  Port 7\n").expect("a file");
    let said = Ran::of(&mut inside(&root, &["ls-remote", "ssh://127.0.0.1/x"])).expect(128);
    assert!(said.stderr.contains("port 7: Connection refused"), "{}", said.stderr);
}
