//! action/install: the release that the action's own commit names, from a host that may serve anything.

use std::fs;
use std::path::Path;
use std::process::Command;

use certctl_testing::executable;

use super::host::Download;
use super::world::{Ran, World};

/// The archive of this machine.
fn archive() -> String {
    let target = match (std::env::consts::ARCH, std::env::consts::OS) {
        (arch, "linux") => format!("{arch}-unknown-linux-musl"),
        (arch, _) => format!("{arch}-apple-darwin"),
    };
    format!("certctl-1.2.3-{target}.tar.gz")
}

/// A copy of action/ whose commit names a release on the host; the archive's bytes.
fn released(world: &World) -> Vec<u8> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    world.write("source/action/install", "");
    fs::copy(here.join("action/install"), world.path("source/action/install")).expect("copied");
    let name = archive();
    let folder = name.trim_end_matches(".tar.gz");
    executable(&world.path(&format!("packed/{folder}/certctl")), "echo the released one");
    let mut tar = Command::new("tar");
    tar.args(["-czf", &name, folder]).current_dir(world.path("packed"));
    assert!(tar.status().expect("tar starts").success());
    let bytes = fs::read(world.path("packed").join(&name)).expect("the archive");
    let sum = certctl::model::hex(&certctl::model::sha256(&bytes));
    let other = format!("{}  certctl-1.2.3-riscv64-unknown-plan9.tar.gz", "0".repeat(64));
    world.write(
        "source/action/pinned",
        format!("# A release.\nfrom {}/releases/v1.2.3\n{other}\n{sum}  {name}\n", world.host.url),
    );
    bytes
}

fn serves(world: &World, bytes: &[u8], promised: usize) {
    let download = Download { bytes: bytes.to_vec(), promised };
    world.host.state().downloads.insert(format!("v1.2.3/{}", archive()), download);
}

fn install(world: &World, path: &str, words: &[&str]) -> Ran {
    let variables = [("PATH", path)];
    let line = format!("\"$PWD/../source/action/install\" {}", words.join(" "));
    world.shell(&line, &variables)
}

/// Where there is no certctl, and no cargo that could build one.
fn path() -> String {
    let all = std::env::var("PATH").unwrap_or_default();
    let folders = all.split(':').filter(|folder| !Path::new(folder).join("cargo").exists());
    folders.collect::<Vec<_>>().join(":")
}

#[test]
fn only_the_bytes_that_the_commit_names_are_installed() {
    let world = World::new();
    let good = released(&world);
    let installed = world.path("work/tools/bin/certctl");
    let url = format!("{}/releases/v1.2.3/{}", world.host.url, archive());

    let ran = install(&world, &path(), &["tools"]).expect(1);
    ran.says(&format!("Error: {url} could not be downloaded; nothing was done"))
        .says("Hint: run the job again");
    serves(&world, &good[..good.len() / 2], good.len());
    install(&world, &path(), &["tools"]).expect(1).says("could not be downloaded");
    // A host that says it is whole.
    serves(&world, &good[..good.len() / 2], good.len() / 2);
    install(&world, &path(), &["tools"]).expect(1).says("is not the file that this commit of certctl names");
    let mut wrong = good.clone();
    *wrong.last_mut().expect("bytes") ^= 1;
    serves(&world, &wrong, wrong.len());
    install(&world, &path(), &["tools"]).expect(1).says("its SHA-256 is");
    assert!(!installed.exists(), "it was installed all the same");

    serves(&world, &good, good.len());
    let ran = install(&world, &path(), &["tools"]).expect(0);
    assert_eq!(ran.log, format!("{}:\n", world.path("work/tools/bin").display()));
    let said = Command::new(&installed).output().expect("it runs").stdout;
    assert_eq!(String::from_utf8_lossy(&said), "the released one\n");

    // What was put there meanwhile counts for nothing, and nothing needs a cache.
    executable(&installed, "echo somebody else's");
    install(&world, &path(), &["tools"]).expect(0);
    assert_eq!(Command::new(&installed).output().expect("it runs").stdout, said);
    assert_eq!(install(&world, &path(), &["key"]).expect(0).log, "key=\n");
}

#[test]
fn where_there_is_no_release_or_source_is_asked_for_it_is_built() {
    let world = World::new();
    let good = released(&world);
    serves(&world, &good, good.len());
    let missing =
        "Error: certctl is not on PATH, there is no release of it here, and no cargo to build it with";
    install(&world, &path(), &["--source", "tools"]).expect(1).says(missing);
    world.write("source/action/pinned", "# There is none yet.\n");
    install(&world, &path(), &["tools"]).expect(1).says(missing);
}

#[test]
fn an_attestation_counts_where_githubs_program_can_ask_for_it() {
    let world = World::new();
    released(&world);
    let pinned = fs::read_to_string(world.path("source/action/pinned")).expect("text");
    let host = format!("from {}/", world.host.url);
    world.write("source/action/pinned", pinned.replace(&host, "from https://github.com/acme/certctl/"));
    // The download itself goes to the stand-in.
    let curl = format!(
        "while [ $# -gt 1 ]; do [ \"$1\" = --output ] && out=$2; shift; done\ncp '{}' \"$out\"",
        world.path("packed").join(archive()).display()
    );
    executable(&world.path("tools/curl"), &curl);
    let path = format!("{}:{}", world.path("tools").display(), path());
    for (code, gh) in [(0, "echo \"$*\" >&2"), (1, "echo no attestation >&2; exit 1")] {
        executable(&world.path("tools/gh"), gh);
        let variables = [("PATH", path.as_str()), ("GH_TOKEN", "a-token")];
        let ran = world.shell("\"$PWD/../source/action/install\" out", &variables).expect(code);
        let said = match code {
            0 => "--repo acme/certctl --signer-workflow acme/certctl/.github/workflows/release.yml",
            _ => "Error: no attestation of acme/certctl says that its release workflow built",
        };
        ran.says(said);
        assert_eq!(world.path("work/out/bin/certctl").exists(), code == 0);
        let _ = fs::remove_dir_all(world.path("work/out"));
    }
}
