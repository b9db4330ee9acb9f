//! `certctl unlock`: a passphrase is asked for once, and forgotten when it should be.

use std::process::Command;
use std::time::{Duration, Instant};

use certctl_testing::Ran;
use rustix::process::{Pid, Signal, kill_process};

use super::typed::typed;
use super::world::World;

const PASSPHRASE: &str = "correct horse";
const FOLDER: &str = "home/.config/certctl/unlocked";

/// A world in which the kubeconfig of alice is sealed to an SSH key with a passphrase; and the kubeconfig.
fn world() -> (World, String) {
    let world = World::new();
    let key = world.ssh_identity("home/.ssh/id_ed25519", "ed25519", PASSPHRASE);
    world.roster(&[("alice", &format!("recipients: [\"{key}\"]"))]);
    let (issued, _) = world.issue("alice", &[&key]);
    (world, issued.kubeconfig)
}

fn unlock(world: &World, args: &[&str]) -> Ran {
    typed(world.command(&[&["unlock"], args].concat()), &[("Passphrase of", PASSPHRASE)])
}

/// The process that keeps them unlocked.
fn keeper(world: &World) -> Option<Pid> {
    let folder = world.path(FOLDER).display().to_string();
    let listed = Command::new("ps").args(["-A", "-ww", "-o", "pid=,args="]).output().expect("ps runs");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut ours = listed.lines().filter(|line| line.contains("keep-unlocked") && line.contains(&folder));
    let pid = ours.next()?.split_whitespace().next()?.parse().ok()?;
    assert_eq!(ours.next(), None, "there is one at most");
    Pid::from_raw(pid)
}

fn is_locked(world: &World) {
    let ran = world.certctl_detached(&["credential", "--cluster", "prod"]);
    ran.expect(1).says("id_ed25519 is protected by a passphrase, and there is no terminal to ask on");
}

#[test]
fn one_passphrase_serves_three_at_once_until_it_is_locked() {
    let (world, kubeconfig) = world();
    is_locked(&world);
    let ran = unlock(&world, &["--for", "30m"]).expect(0).says("Unlocked until").says("`certctl lock`");
    assert_eq!(ran.stdout, "");
    assert_eq!(world.mode(FOLDER), 0o700);
    assert!(!ran.stderr.contains(PASSPHRASE), "{}", ran.stderr);

    let credential = || world.certctl_detached(&["credential", "--cluster", "prod"]).expect(0).stdout;
    let three = std::thread::scope(|scope| {
        let three = [0; 3].map(|_| scope.spawn(credential));
        three.map(|one| one.join().expect("it ran"))
    });
    for printed in three {
        assert!(printed.contains("clientKeyData"), "{printed}");
    }
    assert_eq!(world.certctl_detached(&["decrypt"]).expect(0).stdout, kubeconfig);
    assert!(world.certctl_detached(&["whoami", "--offline"]).expect(0).stdout.contains("alice"));
    // What nobody can open is still nobody's.
    let sealed = world.path("repo/access/prod/alice.kubeconfig.age");
    let to_alice = std::fs::read(&sealed).expect("a file");
    world.seal("alice", &[&world.identity("out/other")], &kubeconfig);
    world.certctl_detached(&["decrypt"]).expect(1).says("none of your identities opens");
    std::fs::write(&sealed, to_alice).expect("written");

    world.certctl(&["lock"]).expect(0).says("Locked.");
    // The process that held the keys ends, and nothing is left to connect to.
    let deadline = Instant::now() + Duration::from_secs(60);
    while keeper(&world).is_some() {
        assert!(Instant::now() < deadline, "it does not end");
    }
    assert!(!world.path(FOLDER).join("socket").exists());
    world.certctl(&["lock"]).expect(0).says("Nothing was unlocked.");
    is_locked(&world);
}

#[test]
fn an_age_identity_is_unlocked_by_its_passphrase_alone() {
    let world = World::new();
    let twice = [("Passphrase of the new identity", PASSPHRASE), ("The same again", PASSPHRASE)];
    let line = typed(world.command(&["keygen", "--passphrase"]), &twice).expect(0).stdout;
    let key = line.trim().trim_start_matches("- ").to_owned();
    world.roster(&[("alice", &format!("recipients: [{key}]"))]);
    let (issued, _) = world.issue("alice", &[&key]);
    let wrong = [("Passphrase of", "wrong"), ("Passphrase of", "worse"), ("Passphrase of", "worst")];
    typed(world.command(&["unlock"]), &wrong)
        .expect(1)
        .says("That is not the passphrase.")
        .says("the passphrase was wrong 3 times; nothing was unlocked");
    assert_eq!(keeper(&world), None);
    typed(world.command(&["unlock"]), &[("Passphrase of", "")])
        .expect(1)
        .says("nothing was answered; nothing was unlocked");

    unlock(&world, &[]).expect(0);
    // Whose it is, is known without a question too.
    assert_eq!(world.certctl_detached(&["decrypt"]).expect(0).stdout, issued.kubeconfig);
    // A file that is named is the one that counts.
    let other = world.identity("out/other");
    world.certctl_detached(&["decrypt", "-i", "../out/other"]).expect(1).says(&other);
    // It is that file which is unlocked: another one in its place is not.
    world.identity("home/.config/certctl/identity.txt");
    world.certctl_detached(&["decrypt"]).expect(1).says("none of your keys is a recipient");
    world.certctl(&["lock"]).expect(0).says("Locked.");
}

#[test]
fn what_was_unlocked_ends_with_its_time_by_whichever_clock_is_ahead() {
    let (world, _) = world();
    unlock(&world, &["--for", "8h"]).expect(0);
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(9);
    let mut credential = world.in_detached(&["credential", "--cluster", "prod"]);
    credential.env("CERTCTL_NOW", later.to_string());
    Ran::of(&mut credential).expect(1).says("is protected by a passphrase");
    // By that it is locked for everybody.
    is_locked(&world);
    world.certctl(&["lock"]).expect(0).says("Nothing was unlocked.");
    for wrong in ["0m", "25h", "soon"] {
        world.certctl(&["unlock", "--for", wrong]).expect(64);
    }
}

#[test]
fn whoever_kills_it_has_locked_it_and_the_next_takes_its_place() {
    let (world, kubeconfig) = world();
    unlock(&world, &[]).expect(0);
    let first = keeper(&world).expect("it runs");
    kill_process(first, Signal::KILL).expect("killed");
    is_locked(&world);
    assert!(world.path(FOLDER).join("socket").exists(), "the socket is still there");
    unlock(&world, &[]).expect(0);
    let second = keeper(&world).expect("it runs");
    assert_ne!(first, second);
    // Once more: the one that is there ends.
    unlock(&world, &[]).expect(0);
    assert_ne!(keeper(&world), Some(second));
    assert_eq!(world.certctl_detached(&["decrypt"]).expect(0).stdout, kubeconfig);
    world.certctl(&["lock"]).expect(0).says("Locked.");
}

#[test]
fn a_folder_that_others_may_enter_is_neither_used_nor_believed() {
    let (world, _) = world();
    unlock(&world, &[]).expect(0);
    let folder = world.path(FOLDER);
    let set = |mode| std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(mode));
    set(0o755).expect("changed");
    is_locked(&world);
    world.certctl(&["unlock"]).expect(1).says("is not yours alone; nothing was unlocked");
    set(0o700).expect("changed");
    world.certctl(&["lock"]).expect(0).says("Locked.");

    // XDG_RUNTIME_DIR comes first; a link there is followed by nobody.
    let runtime = world.path("run");
    std::fs::create_dir(&runtime).expect("a folder");
    std::os::unix::fs::symlink(&folder, runtime.join("certctl")).expect("a link");
    let mut command = world.command(&["unlock"]);
    command.env("XDG_RUNTIME_DIR", &runtime);
    Ran::of(&mut command).expect(1).says("nothing was unlocked");
    // A socket's name has an end.
    let long = world.path(&"long".repeat(30));
    let mut command = world.command(&["unlock"]);
    command.env("XDG_RUNTIME_DIR", &long);
    typed(command, &[("Passphrase of", PASSPHRASE)]).expect(1).says("longer than the 103 bytes");
}

/// Root alone can become another user; the unit test of the socket holds the same everywhere.
#[test]
#[ignore = "needs root, setpriv and curl"]
fn another_user_gets_no_answer() {
    let (world, _) = world();
    let nobody = |url: &str, socket: &std::path::Path| {
        let mut curl = Command::new("setpriv");
        curl.args(["--reuid=65534", "--clear-groups", "curl", "--silent", "--http0.9", "--unix-socket"]);
        curl.arg(socket).arg(url).output().map(|output| output.status.code())
    };
    unlock(&world, &[]).expect(0);
    let socket = world.path(FOLDER).join("socket");
    assert_eq!(nobody("http://x", &socket).expect("curl"), Some(7), "the folder keeps them out");
    // Were it open to them: whatever curl has done by then (connected, sent, waited), it hears nothing.
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("changed");
    };
    let inside = world.path(FOLDER);
    let folders: Vec<_> =
        inside.ancestors().take_while(|folder| folder.starts_with(world.path(""))).collect();
    folders.iter().for_each(|folder| open(folder, 0o755));
    open(&socket, 0o666);
    let code = nobody("http://x", &socket).expect("curl");
    assert!(matches!(code, Some(7 | 52 | 55 | 56)), "{code:?}");
    open(&inside, 0o700);
    world.certctl_detached(&["credential", "--cluster", "prod"]).expect(0);
    world.certctl(&["lock"]).expect(0).says("Locked.");
}

#[test]
fn without_a_passphrase_there_is_nothing_to_unlock() {
    let world = World::new();
    world.identity("home/.config/certctl/identity.txt");
    world.certctl(&["unlock"]).expect(1).says("there is nothing to unlock");
    world.certctl(&["lock"]).expect(0).says("Nothing was unlocked.");
    world.certctl_detached(&["keep-unlocked", "--folder", "x", "--until", "2030-01-01T00:00:00Z"]).expect(1);
}
