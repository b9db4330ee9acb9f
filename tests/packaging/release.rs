//! What a release consists of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use certctl_testing::{Ran, executable};
use serde_json::Value;

use crate::machine::{Machine, SOURCE, roster};

const TARGET: &str = "x86_64-unknown-linux-musl";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const REPOSITORY: &str = "https://github.example/acme/certctl";
/// What packaging/release lets a binary have.
const LIMIT: u64 = 18_500_000;

pub fn notes_are_the_part_about_one_version() {
    let machine = Machine::new();
    let changelog = machine.write(
        "CHANGELOG.md",
        "# Changelog\n\n## Unreleased\n\n- next\n\n## [1.0.0] - 2026-12-01\n\n### Added\n\n- one\n\n- two\n\n\
         ## 1x0.0\n\n- a pattern's\n\n## 0.9.0 - 2026-11-01\n\n## 0.8.0\n- eight\n",
    );
    let changelog = changelog.display().to_string();
    let notes =
        |version: &str, code: i32| machine.script(Path::new(SOURCE), "notes", &[version, &changelog], code);
    assert_eq!(notes("1.0.0", 0).stdout, "### Added\n\n- one\n\n- two\n");
    assert_eq!(notes("0.8.0", 0).stdout, "- eight\n");
    for silent in ["0.9.0", "0.7.0", "1.0", "."] {
        let said = notes(silent, 1).says(&format!("Error: CHANGELOG.md says nothing about {silent}"));
        assert_eq!(said.stdout, "");
    }
}

/// Packs this certctl; the archive.
fn archive(machine: &Machine, folder: &str) -> PathBuf {
    let (folder, certctl) = (machine.path(folder).display().to_string(), machine.path("certctl"));
    if !certctl.exists() {
        machine.certctl();
    }
    let arguments = [&*folder, TARGET, &certctl.display().to_string()];
    PathBuf::from(machine.script(Path::new(SOURCE), "archive", &arguments, 0).stdout.trim_end())
}

pub fn an_archive_is_the_same_twice_and_works_in_an_empty_home() {
    let machine = Machine::new();
    let (one, other) = (archive(&machine, "one"), archive(&machine, "other"));
    assert_eq!(one.file_name().expect("a name"), &*format!("certctl-{VERSION}-{TARGET}.tar.gz"));
    assert!(fs::read(&one).expect("read") == fs::read(other).expect("read"), "two archives differ");

    let unpacked = machine.path("unpacked");
    fs::create_dir(&unpacked).expect("a folder");
    Ran::of(Command::new("tar").arg("-xzf").arg(&one).arg("-C").arg(&unpacked)).expect(0);
    let folder = unpacked.join(format!("certctl-{VERSION}-{TARGET}"));
    for file in ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        assert!(folder.join(file).is_file(), "{file} is missing");
    }
    // Of each command a page, and of each shell what completes it.
    assert!(folder.join("man/certctl.1").is_file());
    for (file, says) in [
        ("certctl.bash", "complete "),
        ("_certctl", "#compdef certctl"),
        ("certctl.fish", "complete "),
        ("certctl.ps1", "Register-ArgumentCompleter"),
        ("certctl.nu", "certctl"),
    ] {
        let script = fs::read_to_string(folder.join("completions").join(file)).expect("a script");
        assert!(script.contains(says), "{file}: {script}");
    }
    // Nothing but git is there, as on the machine of somebody who wants to see what this is.
    let path = std::env::var_os("PATH").expect("a PATH");
    let git = std::env::split_paths(&path).map(|folder| folder.join("git")).find(|git| git.is_file());
    let git = git.expect("git is on the PATH");
    fs::create_dir(machine.path("bin")).expect("a folder");
    std::os::unix::fs::symlink(git, machine.path("bin/git")).expect("a link");
    let certctl = |arguments: &[&str]| {
        let mut certctl = certctl_testing::scrubbed(folder.join("certctl"), &unpacked, &machine.path("home"));
        Ran::of(certctl.env("PATH", machine.path("bin")).args(arguments)).expect(0)
    };
    assert_eq!(certctl(&["--version"]).stdout, format!("certctl {VERSION}\n"));
    let shipped = |file: &str| fs::read_to_string(folder.join(file)).expect("a file of the archive");
    assert_eq!(certctl(&["completions", "bash"]).stdout, shipped("completions/certctl.bash"));
    assert_eq!(certctl(&["man", "grant"]).stdout, shipped("man/certctl-grant.1"));
    certctl(&["demo"]).says("\nThe end, after ");
    assert_eq!(fs::read_dir(machine.path("home")).expect("a folder").count(), 0, "it left something at home");

    // From a roster to a login, with a cluster.
    let kubeconfig = machine.path("admin.kubeconfig");
    let cluster = machine.cluster(&kubeconfig);
    let admin = kubeconfig.display().to_string();
    fs::write(unpacked.join("users.yaml"), roster(&cluster, &certctl(&["keygen"]).stdout)).expect("a roster");
    certctl(&["plan", "--kubeconfig", &admin]).says("Plan: 1 to issue, 1 binding to write.");
    for words in
        [&["init", "--quiet"][..], &["add", "users.yaml"], &["commit", "--quiet", "--message", "roster"]]
    {
        let mut git = certctl_testing::scrubbed("git", &unpacked, &machine.path("home"));
        certctl_testing::with_author(&mut git);
        Ran::of(git.args(words)).expect(0);
    }
    let author = "ci <ci@example.com>";
    certctl(&["apply", "--auto-approve", "--no-push", "--author", author, "--kubeconfig", &admin])
        .says("1 credential issued");
    certctl(&["login"]).says("logged in to prod");
    certctl(&["logout"]).says("logged out of 1 cluster");
}

pub fn debians_package_is_the_same_twice_and_installs_what_the_archive_holds() {
    let machine = Machine::new();
    small(&machine.path("certctl"), TARGET);
    let archive = archive(&machine, "one");
    let make = || machine.script(Path::new(SOURCE), "deb", &[&archive.display().to_string()], 0).stdout;
    let package = PathBuf::from(make().trim_end());
    assert_eq!(package.file_name().expect("a name"), &*format!("certctl_{VERSION}_amd64.deb"));
    let first = fs::read(&package).expect("read");
    assert!(make().trim_end() == package.as_os_str() && fs::read(&package).expect("read") == first);

    let field = |name: &str| {
        let mut ask = Command::new("dpkg-deb");
        Ran::of(ask.arg("--field").arg(&package).arg(name)).expect(0).stdout.trim_end().to_owned()
    };
    assert_eq!((field("Version"), field("Depends")), (VERSION.to_owned(), "git".to_owned()));
    let root = machine.path("root");
    Ran::of(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&root)).expect(0);
    let version = Ran::of(Command::new(root.join("usr/bin/certctl")).arg("--version")).expect(0).stdout;
    assert_eq!(version, format!("certctl {VERSION}\n"));
    for file in [
        "bash-completion/completions/certctl",
        "doc/certctl/copyright",
        "fish/vendor_completions.d/certctl.fish",
        "man/man1/certctl.1.gz",
        "zsh/vendor-completions/_certctl",
    ] {
        assert!(root.join("usr/share").join(file).is_file(), "{file} is missing");
    }
    machine.write("certctl-1.0.0-x86_64-apple-darwin.tar.gz", "no archive");
    let other = machine.path("certctl-1.0.0-x86_64-apple-darwin.tar.gz").display().to_string();
    machine.script(Path::new(SOURCE), "deb", &[&other], 2);
}

/// `name version`, and its checksum, of each package of Cargo.lock.
fn locked() -> BTreeMap<String, String> {
    let lock = fs::read_to_string(Path::new(SOURCE).join("Cargo.lock")).expect("Cargo.lock");
    let field = |package: &str, name: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
        line.map(|value| value.trim_end_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|package| {
            let named = format!("{} {}", field(package, "name")?, field(package, "version")?);
            Some((named, field(package, "checksum").unwrap_or_default()))
        })
        .collect()
}

pub fn a_bill_of_materials_holds_what_is_linked_and_nothing_else() {
    let machine = Machine::new();
    let bill = machine.script(Path::new(SOURCE), "sbom", &[TARGET], 0).stdout;
    assert_eq!(machine.script(Path::new(SOURCE), "sbom", &[TARGET], 0).stdout, bill);
    let bill: Value = serde_json::from_str(&bill).expect("JSON");
    let (text, locked) = (|value: &Value| value.as_str().unwrap_or_default().to_owned(), locked());
    assert_eq!((text(&bill["bomFormat"]), text(&bill["specVersion"])), ("CycloneDX".into(), "1.6".into()));
    assert_eq!(bill["metadata"]["component"]["name"], "certctl");
    assert_eq!(bill["metadata"]["timestamp"], "2026-09-21T14:13:20Z");

    let components = bill["components"].as_array().expect("a list");
    let names: BTreeSet<String> = components.iter().map(|component| text(&component["name"])).collect();
    for linked in ["age", "aws-lc-sys", "certctl-sandbox", "kube-client", "libgit2-sys"] {
        assert!(names.contains(linked), "{linked} is missing");
    }
    // Needed by tests, by build scripts and by the compiler.
    for other in ["certctl", "certctl-testing", "proptest", "jsonschema", "cc", "serde_derive"] {
        assert!(!names.contains(other), "{other} is in no binary");
    }
    for component in components {
        let named = format!("{} {}", text(&component["name"]), text(&component["version"]));
        assert_eq!(text(&component["hashes"][0]["content"]), locked[&named], "{named}");
        let licence = text(&component["licenses"][0]["expression"]);
        assert!(!licence.is_empty() && !licence.contains('/'), "{named}: {licence}");
    }
    // Everything is needed by something that is needed.
    let mut edges = BTreeMap::new();
    for one in bill["dependencies"].as_array().expect("a list") {
        let needs: Vec<String> = one["dependsOn"].as_array().expect("a list").iter().map(text).collect();
        edges.insert(text(&one["ref"]), needs);
    }
    let (mut reached, mut next) = (BTreeSet::new(), vec![text(&bill["metadata"]["component"]["bom-ref"])]);
    while let Some(one) = next.pop() {
        next.extend(edges[&one].iter().filter(|needed| !reached.contains(*needed)).cloned());
        reached.insert(one);
    }
    let all: BTreeSet<String> = components.iter().map(|component| text(&component["bom-ref"])).collect();
    assert_eq!(all.difference(&reached).collect::<Vec<_>>(), [""; 0]);
}

/// The targets that the workflow builds, in its words.
fn targets() -> Vec<String> {
    let workflow = Path::new(SOURCE).join(".github/workflows/release.yml");
    let workflow: Value =
        serde_saphyr::from_str(&fs::read_to_string(workflow).expect("the workflow")).expect("YAML");
    let builds =
        workflow["jobs"]["build"]["strategy"]["matrix"]["include"].as_array().expect("a list").clone();
    let name = |build: &Value| {
        let text = |field: &str| build[field].as_str().unwrap_or_default().to_owned();
        text("target") + &text("copy")
    };
    builds.iter().map(name).collect()
}

/// What the scripts ask of a certctl, as a script: the real one takes minutes to compress.
fn small(path: &Path, target: &str) {
    let manual = "if [ \"$1\" = man ]; then mkdir -p \"$3\"; echo page >\"$3/certctl.1\"; fi";
    executable(path, &format!("# {target}\n{manual}\necho 'certctl {VERSION}'"));
}

/// A copy of this source whose changelog knows the version, and a binary for each target of the workflow.
fn world() -> (Machine, PathBuf) {
    let machine = Machine::new();
    let source = machine.path("source");
    fs::create_dir(&source).expect("a folder");
    let copy = "git ls-files -z --cached --others --exclude-standard | tar --null --files-from - -c | tar -C \"$0\" -x";
    let mut bash = Command::new("bash");
    Ran::of(bash.args(["-eo", "pipefail", "-c", copy]).arg(&source).current_dir(SOURCE)).expect(0);
    machine
        .write("source/CHANGELOG.md", format!("# Changelog\n\n## {VERSION} - 2026-12-01\n\n- all of it\n"));
    for target in targets() {
        let program = if target.contains("-windows-") { "certctl.exe" } else { "certctl" };
        small(
            &machine.path(format!("binaries/binary-{target}/{program}")),
            target.trim_end_matches("-again"),
        );
    }
    (machine, source)
}

/// The name of a target's archive.
fn archive_of(version: &str, target: &str) -> String {
    let end = if target.contains("-windows-") { "zip" } else { "tar.gz" };
    format!("certctl-{version}-{target}.{end}")
}

pub fn a_release_is_whole_or_refused() {
    let (machine, source) = world();
    let tag = format!("v{VERSION}");
    let release =
        |tag: &str, code| machine.script(&source, "release", &["binaries", "dist", tag, REPOSITORY], code);
    release("v9.9.9", 1).says("Error: the tag is v9.9.9, and Cargo.toml says");
    let again = format!("binaries/binary-{TARGET}-again/certctl");
    let before = machine.read(&again);
    machine.write(&again, "built elsewhere");
    release(&tag, 1).says("Error: two builds of one commit differ; nothing was released");
    assert!(!machine.path("dist").exists());

    machine.write(&again, before);
    let cargo = machine.read("source/Cargo.toml");
    let elsewhere = "Error: Cargo.toml says that certctl is at https://github.com/OWNER/certctl, and this is";
    release(&tag, 1).says(elsewhere);
    machine.write("source/Cargo.toml", cargo.replace("https://github.com/OWNER/certctl", REPOSITORY));
    let builds = [again, format!("binaries/binary-{TARGET}/certctl")];
    let before = builds.each_ref().map(|build| machine.read(build));
    for build in &builds {
        let binary = fs::OpenOptions::new().write(true).open(machine.path(build)).expect("a binary");
        binary.set_len(LIMIT + 1).expect("a large one");
    }
    release(&tag, 1).says(&format!("Error: {TARGET} has {} bytes, over the limit of {LIMIT}", LIMIT + 1));
    assert!(!machine.path("dist").exists());
    for (build, before) in builds.iter().zip(before) {
        machine.write(build, before);
    }
    release(&tag, 0);
    assert_eq!(machine.read("dist/notes.md"), "- all of it\n");
    let mut check = Command::new("sha256sum");
    check.args(["--check", "--strict", "SHA256SUMS"]).current_dir(machine.path("dist"));
    Ran::of(&mut check).expect(0);
    // The manifests hold the archives to those checksums, each for its own machine.
    let sums: Vec<(String, String)> = machine
        .read("dist/SHA256SUMS")
        .lines()
        .filter(|line| line.ends_with(".tar.gz") || line.ends_with(".zip"))
        .map(|line| line.split_once("  ").expect("two columns"))
        .map(|(sum, file)| (sum.to_owned(), file.to_owned()))
        .collect();
    let krew: Value = serde_saphyr::from_str(&machine.read("dist/certctl.yaml")).expect("YAML");
    let platforms = krew["spec"]["platforms"].as_array().expect("a list");
    assert_eq!(platforms.len(), sums.len());
    for platform in platforms {
        let labels = &platform["selector"]["matchLabels"];
        let target = match (labels["os"].as_str(), labels["arch"].as_str()) {
            (Some("linux"), Some("amd64")) => TARGET,
            (Some("linux"), Some("arm64")) => "aarch64-unknown-linux-musl",
            (Some("darwin"), Some("amd64")) => "x86_64-apple-darwin",
            (Some("darwin"), Some("arm64")) => "aarch64-apple-darwin",
            (Some("windows"), Some("amd64")) => "x86_64-pc-windows-msvc",
            other => panic!("{other:?}"),
        };
        let file = archive_of(VERSION, target);
        let sum = sums.iter().find(|(_, name)| *name == file).expect("an archive");
        assert_eq!(platform["sha256"], sum.0);
        assert_eq!(platform["uri"], format!("{REPOSITORY}/releases/download/{tag}/{file}"));
    }
    let formula = machine.read("dist/certctl.rb");
    for (sum, file) in sums.iter().filter(|(_, file)| !file.contains("windows")) {
        let pair = format!("url \"{REPOSITORY}/releases/download/{tag}/{file}\"\n      sha256 \"{sum}\"\n");
        assert!(formula.contains(&pair), "{formula}");
    }
    // bash reads a PKGBUILD; so it says itself what it means.
    let mut arch = Command::new("bash");
    let script = "set -eu; . dist/PKGBUILD; printf '%s  %s\\n' $sha256sums_x86_64 ${source_x86_64##*/} \
                  $sha256sums_aarch64 ${source_aarch64##*/}";
    let said = Ran::of(arch.args(["-c", script]).current_dir(machine.path("."))).expect(0).stdout;
    assert_eq!(said.lines().count(), 2);
    for line in said.lines() {
        assert!(machine.read("dist/SHA256SUMS").lines().any(|sum| sum == line), "{line}");
    }
    for arch in ["amd64", "arm64"] {
        let package = format!("  certctl_{VERSION}_{arch}.deb\n");
        assert!(machine.read("dist/SHA256SUMS").contains(&package), "{package} is missing");
    }
    let pinned = machine.read("dist/pinned");
    assert!(pinned.contains(&format!("\nfrom {REPOSITORY}/releases/download/{tag}\n")), "{pinned}");
    // What it installs is in the archive, and nothing of the archive is left out.
    machine.write("dist/unpacked/.keep", "");
    let archive = format!("dist/certctl-{VERSION}-{TARGET}.tar.gz");
    Ran::of(
        Command::new("tar").args(["-xzf", &archive, "-C", "dist/unpacked"]).current_dir(machine.path(".")),
    )
    .expect(0);
    let script = "set -eu; . dist/PKGBUILD; pkgdir=$PWD/installed; CARCH=x86_64; cd dist/unpacked; package; \
                  cd \"$pkgdir\"; find . -type f | sort";
    let installed =
        Ran::of(Command::new("bash").args(["-c", script]).current_dir(machine.path("."))).expect(0).stdout;
    assert_eq!(
        installed.lines().collect::<Vec<_>>(),
        [
            "./usr/bin/certctl",
            "./usr/share/bash-completion/completions/certctl",
            "./usr/share/doc/certctl-bin/CHANGELOG.md",
            "./usr/share/doc/certctl-bin/README.md",
            "./usr/share/fish/vendor_completions.d/certctl.fish",
            "./usr/share/licenses/certctl-bin/LICENSE-APACHE",
            "./usr/share/licenses/certctl-bin/LICENSE-MIT",
            "./usr/share/man/man1/certctl.1",
            "./usr/share/zsh/site-functions/_certctl",
        ]
    );
    // Windows' archive is one that it opens by itself.
    let zip = format!("dist/{}", archive_of(VERSION, "x86_64-pc-windows-msvc"));
    let listed = Ran::of(machine.command("python3").args(["-m", "zipfile", "--list", &zip])).expect(0).stdout;
    for file in ["certctl.exe", "LICENSE-MIT", "completions/certctl.ps1"] {
        assert!(listed.contains(&format!("certctl-{VERSION}-x86_64-pc-windows-msvc/{file} ")), "{listed}");
    }
    // What the README tells people to download is there.
    let readme = fs::read_to_string(Path::new(SOURCE).join("README.md")).expect("the README");
    let released = machine.read("dist/SHA256SUMS");
    let words = readme.split(|c: char| c.is_whitespace() || "/`|()".contains(c));
    let mut named = 0;
    for word in words.filter(|word| [".tar.gz", ".zip", ".deb"].iter().any(|end| word.ends_with(end))) {
        let word = word.trim_start_matches("./");
        assert!(released.lines().any(|line| line.ends_with(&format!("  {word}"))), "there is no {word}");
        named += 1;
    }
    assert!(named > 3, "the README names {named} files");
    for expected in [format!("/download/v{VERSION}/"), format!("certctl:{VERSION} ")] {
        assert!(readme.contains(&expected), "{expected}");
    }
    for file in ["certctl.yaml", "certctl.rb", "PKGBUILD"] {
        let text = machine.read(&format!("dist/{file}"));
        assert!(!text.contains('@'), "{file} has a blank: {text}");
    }
}

pub fn every_target_of_the_workflow_is_packed_and_pinned() {
    let machine = Machine::new();
    let targets: Vec<String> = targets().into_iter().filter(|target| !target.ends_with("-again")).collect();
    let install = fs::read_to_string(Path::new(SOURCE).join("action/install")).expect("the script");
    for missing in &targets {
        // One of which there is no archive: each manifest has a place for it.
        let there = targets.iter().filter(|target| *target != missing);
        let sums = there.map(|target| format!("{}  {}\n", "0".repeat(64), archive_of("1.0.0", target)));
        machine.write("dist/SHA256SUMS", sums.collect::<String>());
        machine
            .script(Path::new(SOURCE), "manifests", &["dist", "1.0.0", REPOSITORY], 1)
            .says(&format!("Error: SHA256SUMS has no archive for {missing}; nothing was written"));
        // Where an apply is tried; CI on Windows is not.
        if missing.contains("-windows-") {
            continue;
        }
        let system = missing.strip_prefix("x86_64-").or(missing.strip_prefix("aarch64-")).expect("a machine");
        assert!(install.contains(system), "action/install knows no {missing}");
    }
}
