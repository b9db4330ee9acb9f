//! The file tree of the container image, where no container can be started: a changed root folder, and the
//! user that the image runs as.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use certctl_testing::Ran;

use crate::http::Server;
use crate::machine::{Machine, SOURCE, roster};

/// The image's file tree, without certctl.
fn tree(machine: &Machine) -> PathBuf {
    let root = machine.path("tree");
    machine.script(Path::new(SOURCE), "tree", &[&root.display().to_string()], 0);
    // A container gets these from its runtime.
    fs::create_dir(root.join("dev")).expect("a folder");
    for (device, minor) in [("null", "3"), ("urandom", "9")] {
        let mut node = Command::new("mknod");
        Ran::of(node.args(["-m", "666"]).arg(root.join("dev").join(device)).args(["c", "1", minor]))
            .expect(0);
    }
    root
}

/// A git host with an empty repository.
fn host(machine: &Machine) -> Server {
    let host = machine.path("host");
    fs::create_dir(&host).expect("a folder");
    for words in [
        &["init", "-q", "--bare", "-b", "main", "origin.git"][..],
        &["-C", "origin.git", "config", "http.receivepack", "true"],
    ] {
        Ran::of(machine.command("git").args(words).current_dir(&host)).expect(0);
    }
    Server::start(&host)
}

/// git of the tree, as the image's user, in its home.
fn inside(root: &Path, words: &[&str]) -> Command {
    let mut git = chrooted(root, "/usr/bin/git");
    git.args(["-C", "/home/certctl"]).args(words);
    git
}

/// A program of the tree, as the image's user.
fn chrooted(root: &Path, program: &str) -> Command {
    let mut command = Command::new("chroot");
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .arg("--userspec=65532:65532")
        .arg(root)
        .arg(program)
        .env("HOME", "/home/certctl");
    command
}

/// The headlines that the host has.
fn pushed(machine: &Machine) -> String {
    let mut git = machine.command("git");
    Ran::of(git.args(["-C", "host/origin.git", "log", "--format=%s", "main"])).expect(0).stdout
}

/// Pull mode, as the CronJob of `certctl bootstrap --in-cluster` does it: a clone, and an apply that pushes.
pub fn certctl_applies_in_the_image_and_pushes() {
    let machine = Machine::new();
    let root = tree(&machine);
    let certctl = root.join("usr/bin/certctl");
    fs::copy(machine.certctl(), &certctl).expect("copied");
    // What is released is static; what is tested is not.
    let needs = Ran::of(Command::new("ldd").arg(&certctl)).expect(0).stdout;
    for library in needs.split_whitespace().filter(|word| word.starts_with('/')) {
        let inside = root.join(&library[1..]);
        fs::create_dir_all(inside.parent().expect("a folder")).expect("folders");
        fs::copy(library, inside).expect("copied");
    }
    let cluster = machine.cluster(&root.join("home/certctl/kubeconfig"));
    let server = host(&machine);
    let recipient = Ran::of(machine.command(env!("CARGO_BIN_EXE_certctl")).args(["keygen"])).expect(0).stdout;
    let origin = server.url_for(crate::http::USER);
    machine.write("work/users.yaml", roster(&cluster, &recipient));
    for words in [
        &["init", "-q", "-b", "main"][..],
        &["add", "users.yaml"],
        &["commit", "-q", "-m", "roster"],
        &["push", "-q", &origin, "main"],
    ] {
        let mut git = machine.command("git");
        certctl_testing::with_author(&mut git);
        Ran::of(git.args(words).current_dir(machine.path("work"))).expect(0);
    }

    Ran::of(&mut inside(&root, &["clone", "--quiet", &origin, "work"])).expect(0);
    let mut apply = chrooted(&root, "/usr/bin/certctl");
    apply.args(["apply", "--auto-approve", "--roster", "/home/certctl/work/users.yaml"]).args([
        "--kubeconfig",
        "/home/certctl/kubeconfig",
        "--author",
        "ci <ci@example.com>",
    ]);
    Ran::of(&mut apply).expect(0).says("1 credential issued");
    assert_eq!(pushed(&machine).lines().count(), 2, "{}", pushed(&machine));
}

pub fn git_fetches_and_pushes_in_the_image_without_a_shell() {
    let machine = Machine::new();
    let root = tree(&machine);
    for shell in ["bin/sh", "usr/bin/sh", "bin/bash", "usr/bin/bash", "bin/busybox"] {
        assert!(!root.join(shell).exists(), "{shell}");
    }

    let server = host(&machine);
    let origin = server.url_for(crate::http::USER);
    Ran::of(&mut inside(&root, &["clone", "--quiet", &origin, "work"])).expect(0);
    let author = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
    let commit = ["commit", "--quiet", "--allow-empty", "--message", "records"];
    Ran::of(&mut inside(&root, &[&["-C", "work"], &author[..], &commit].concat())).expect(0);
    Ran::of(&mut inside(&root, &["-C", "work", "push", "--quiet", "origin", "HEAD:main"])).expect(0);
    assert_eq!(pushed(&machine), "records\n");
    // The other transport starts too, and knows its own user.
    let said = Ran::of(&mut inside(&root, &["ls-remote", "ssh://127.0.0.1:1/x"])).expect(128);
    assert!(said.stderr.contains("port 1: Connection refused"), "{}", said.stderr);
    // And is told there which keys to use, since git could not run it with arguments.
    fs::create_dir_all(root.join("etc/ssh")).expect("a folder");
    fs::write(root.join("etc/ssh/ssh_config"), "Host *\n  Port 7\n").expect("a file");
    let said = Ran::of(&mut inside(&root, &["ls-remote", "ssh://127.0.0.1/x"])).expect(128);
    assert!(said.stderr.contains("port 7: Connection refused"), "{}", said.stderr);
}
