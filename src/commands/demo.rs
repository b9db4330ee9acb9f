//! `certctl demo`: the whole story on one screen: a team, a roster, a cluster in memory, and what
//! certctl does with them. Every command behind a `$` is run as it stands, and can be typed.

use std::sync::Arc;
use std::time::Instant;

use super::runtime;
use crate::cli::{DemoArgs, Global};
use crate::console::terminal::Terminal;
use crate::demo::request::Request;
use crate::demo::stage::DemoStage;
use crate::error::{Error, Result};
use crate::exit_code::{DONE, FAILED};
use crate::os::Signals;

/// What everyone on the roster may do.
const PODS: Request = Request { group: "", resource: "pods", namespace: "shop" };
/// What nobody on it may.
const BINDINGS: Request =
    Request { group: "rbac.authorization.k8s.io", resource: "rolebindings", namespace: "shop" };

/// What was reviewed is what is applied, and is not shown twice.
const PLAN: &str = "json=../plan.json";
const APPLY: &[&str] = &["apply", "--auto-approve", "--expect-plan", "../plan.json"];

pub fn run(global: &Global, args: &DemoArgs, terminal: &Terminal) -> Result<u8> {
    let began = Instant::now();
    let runtime = runtime()?;
    let stage = Arc::new(DemoStage::set(global, terminal.style(), terminal.columns())?);
    let ended = runtime.block_on(play(&stage, began, args.keep));
    // The folder holds people's keys: it stays only where the story ended well, and was asked to.
    if !args.keep || ended.is_err() {
        stage.strike();
    }
    ended.map(|()| DONE)
}

async fn play(stage: &Arc<DemoStage>, began: Instant, keep: bool) -> Result<()> {
    let mut signals = Signals::listen();
    let story = tokio::task::spawn_blocking({
        let stage = Arc::clone(stage);
        move || tell(&stage)
    });
    tokio::select! {
        told = story => told.map_err(|cause| Error::new("the story broke off").caused_by(cause))??,
        _ = signals.next() => {
            stage.strike();
            // The command that runs is told by the terminal as well, and nobody waits for it.
            std::process::exit(i32::from(FAILED));
        }
    }
    stage.say(&format!("The end, after {:.1} seconds.", began.elapsed().as_secs_f64()))?;
    if !keep {
        return stage
            .say("All of it is gone. With `--keep`, the repository and the cluster stay up to play with.");
    }
    stage.hand_over()?;
    signals.next().await;
    Ok(())
}

fn tell(stage: &DemoStage) -> Result<()> {
    stage.say("A team's repository with its roster, and a Kubernetes API server in memory")?;
    stage.note(&format!("cd {}", stage.repository().display()))?;
    stage.run("git", &["--no-pager", "show", "HEAD:users.yaml"])?;

    stage.say("1. The plan: what the roster would change. It changes nothing")?;
    stage.certctl(&["plan", "--save", PLAN])?;

    stage
        .say("2. Apply it: certificates are issued, sealed to their owners, recorded, pushed, then bound")?;
    stage.certctl(APPLY)?;
    stage.run("git", &["--no-pager", "log", "--stat", "--format=%h %s", "-1"])?;

    stage.say("3. Bob decrypts his kubeconfig, and may do what the roster says, and nothing else")?;
    stage.certctl(&["decrypt", "bob", "-i", "../bob.key", "-o", "../bob.kubeconfig"])?;
    stage.is_allowed("../bob.kubeconfig", PODS)?;
    stage.is_forbidden("../bob.kubeconfig", BINDINGS)?;

    stage.say("4. Bob leaves: his entry is taken out of users.yaml. A reviewer sees what that does")?;
    stage.take_off_the_roster("bob")?;
    stage.run("git", &["commit", "--quiet", "-m", "bob leaves", "users.yaml"])?;
    stage.certctl(&["plan", "--save", PLAN])?;
    stage.certctl(APPLY)?;
    stage.say("   The same request, with the same certificate:")?;
    stage.is_forbidden("../bob.kubeconfig", PODS)?;

    stage.say("5. Alice's key has leaked: she gets a new one, and the old one is worth nothing any more")?;
    stage.certctl(&["decrypt", "alice", "-i", "../alice.key", "-o", "../leaked.kubeconfig"])?;
    stage.is_allowed("../leaked.kubeconfig", PODS)?;
    stage.certctl(&["rotate", "alice"])?;
    stage.run("git", &["commit", "--quiet", "-m", "rotate alice", "users.yaml"])?;
    stage.certctl(&["apply", "--auto-approve"])?;
    stage.certctl(&["decrypt", "alice", "-i", "../alice.key", "-o", "../alice.kubeconfig"])?;
    stage.is_forbidden("../leaked.kubeconfig", PODS)?;
    stage.is_allowed("../alice.kubeconfig", PODS)?;

    stage.say("6. And there is nothing left to do")?;
    stage.certctl(&["plan", "--detailed-exitcode"])
}
