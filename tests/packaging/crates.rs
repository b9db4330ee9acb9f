//! What `cargo publish` would send.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use certctl_testing::Ran;

use crate::machine::SOURCE;

/// The job `crates` of ci.yml builds it, which takes minutes; this finds what a build would miss.
pub fn what_is_published_holds_all_that_it_is_built_from() {
    for (package, folder) in [("certctl", ""), ("certctl-sandbox", "sandbox")] {
        let root = Path::new(SOURCE).join(folder);
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["package", "--list", "--allow-dirty", "--offline", "--locked", "--package", package]);
        let listed = Ran::of(cargo.current_dir(SOURCE)).expect(0).stdout;
        let published: BTreeSet<PathBuf> = listed.lines().map(PathBuf::from).collect();
        let mut needed = vec![PathBuf::from("README.md"), PathBuf::from("Cargo.lock")];
        if root.join("build.rs").exists() {
            needed.push("build.rs".into());
        }
        for source in sources(&root.join("src")) {
            let text = fs::read_to_string(&source).expect("a source file");
            let inside = source.strip_prefix(&root).expect("in the package").to_owned();
            let beside = inside.parent().expect("a folder");
            let included = text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split_once('"'));
            needed.extend(included.map(|(file, _)| plain(&beside.join(file))));
            needed.push(inside);
        }
        assert!(needed.len() > 3, "{package}: {needed:?}");
        for file in needed {
            assert!(published.contains(&file), "{package} would be published without {}", file.display());
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    files.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

/// Without `..` in it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{} leaves the package", path.display()),
            part => plain.push(part),
        }
    }
    plain
}
