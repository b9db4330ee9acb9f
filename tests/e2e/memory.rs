//! What is in the memory of an apply that has sealed its kubeconfigs and now waits for git.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::process::Stdio;

use memchr::memmem;

use crate::cluster::Cluster;
use crate::world::{World, until};

/// Mappings larger than this are not read: none of ours is.
const LARGEST: u64 = 1 << 30;

pub fn no_private_key_is_left_once_it_is_sealed(plane: &'static Cluster) {
    let world = World::new(plane, "memory");
    let user = |name: &str, rest: &str| {
        let recipient = world.identity(name);
        format!("- {{name: {name}, recipients: [\"{recipient}\"], groups: [memory-team]{rest}}}\n")
    };
    let users = user("alice", "") + &user("bob", ", key: ed25519");
    world.roster(&format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: memory}}\nclusters:\n- {{name: prod, context: test}}\n\
         groups:\n- {{name: memory-team, grants: [{{clusterRole: view}}]}}\nusers:\n{users}"
    ));
    // The push hangs as long as this file exists.
    let (hold, begun) = (world.path("hold"), world.path("begun"));
    fs::write(&hold, "").expect("written");
    let script = format!(": >{}\nwhile [ -e {} ]; do sleep 0.1; done", begun.display(), hold.display());
    certctl_testing::executable(&world.path("origin.git/hooks/pre-receive"), &script);
    let mut command = world.certctl_command(None, &["apply", "--auto-approve"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = command.spawn().expect("certctl starts");
    until("push", || begun.exists());
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.id()));
    let memory = memory_of(running.id());
    fs::remove_file(&hold).expect("removed");
    assert!(running.wait().expect("it ends").success());

    if let Ok(limits) = limits {
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    }
    // Whoever is not root cannot read it at all, and that is the point.
    let Some(memory) = memory else { return };
    let is_there = |bytes: &[u8]| memmem::find(&memory, bytes).is_some();
    for name in ["alice", "bob"] {
        let record = world.read(&format!("access/prod/{name}.yaml"));
        let credential = record.lines().find_map(|line| line.trim().strip_prefix("- id: ")).expect("an id");
        assert!(is_there(credential.as_bytes()), "a search that does not find what is there proves nothing");
        world.open("prod", name);
    }
    for key in world.keys().iter() {
        assert!(!is_there(key), "a private key is in the memory of certctl");
    }
}

/// All that a process has mapped for writing; `None` where this user may not read it.
fn memory_of(process: u32) -> Option<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
    let memory = File::open(format!("/proc/{process}/mem")).ok()?;
    let mut all = Vec::new();
    for line in maps.lines() {
        let mut fields = line.split(' ');
        let (Some(range), Some(rights)) = (fields.next(), fields.next()) else { continue };
        let Some((from, to)) = range.split_once('-') else { continue };
        let address = |hex: &str| u64::from_str_radix(hex, 16).expect("an address");
        let (from, size) = (address(from), address(to) - address(from));
        if !rights.starts_with("rw") || size > LARGEST {
            continue;
        }
        let start = all.len();
        all.resize(start + usize::try_from(size).expect("it fits"), 0);
        // Guard pages cannot be read, and hold nothing.
        if memory.read_exact_at(&mut all[start..], from).is_err() {
            all.truncate(start);
        }
    }
    Some(all)
}
