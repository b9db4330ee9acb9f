//! docs/tutorial.md, played from its first block to its last by one person, on a control plane that stands for kind's.

use std::fs;
use std::path::Path;

use certctl_testing::executable;

use super::blocks::blocks;
use super::pages::prints;
use super::team::Team;

pub fn every_block_runs_in_turn_with_kubectl() {
    let team = Team::with_control_plane("tutorial", "kind-tutorial");
    team.has_kubectl();
    // What kind does that this page needs: a context for a cluster that is there, and none for one that is gone.
    let kind = format!(
        "case $* in\n'create cluster --name tutorial') mkdir -p ~/.kube && cp '{}' ~/.kube/config ;;\n\
         'delete cluster --name tutorial') rm ~/.kube/config ;;\n*) exit 64 ;;\nesac",
        team.path("tutorial.kubeconfig").display()
    );
    executable(&team.path("bin/kind"), &kind);

    let page = "docs/tutorial.md";
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect("the page");
    let blocks = blocks(page, &text);
    for block in &blocks {
        assert_eq!(block.language, "console", "{page}:{}", block.line);
        let prompted: Vec<&str> = block.text.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
        let script = if prompted.is_empty() { block.text.clone() } else { prompted.join("\n") };
        // Where the last block has left the shell.
        let line = format!(
            "set -e; at=$HOME/.at; if [ -e \"$at\" ]; then cd \"$(cat \"$at\")\"; fi\n{script}\npwd > \"$at\""
        );
        let (code, shown) = team.types(".", "alice", &line, &[]);
        assert_eq!(code, Some(0), "{page}:{}: `{script}`:\n{shown}", block.line);
        if let Err(why) = prints(block, &shown) {
            panic!("{page}:{}: {why}", block.line);
        }
    }
    eprintln!("{} command blocks of {page} ran", blocks.len());
}
