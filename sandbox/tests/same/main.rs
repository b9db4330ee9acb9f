//! The same requests to the sandbox and to a real kube-apiserver, and the same answers: codes, bodies
//! and words, but for what differs by nature (UIDs, revisions, times, and field managers, which the
//! sandbox does not keep). This is what keeps the sandbox honest.
//!
//! It runs where `CERTCTL_CONTROL_PLANE` names the real binaries; `SAME_ONLY` names some of the cases. A new
//! case is a line in [`cases`] or [`tables`]; where the answers differ for a reason, the line says it, and
//! the test fails as soon as they do not differ any more.

mod cases;
mod client;
mod normal;
mod step;
mod tables;

use std::process::ExitCode;

use certctl_sandbox::{Options, Sandbox};
use certctl_testing::{ControlPlane, Need};

use crate::cases::CASES;
use crate::client::Client;
use crate::step::{Compared, Step};

fn main() -> ExitCode {
    certctl_testing::run(certctl_testing::tests!(
        Need::ControlPlane,
        [the_sandbox_answers_as_the_real_api_server_does]
    ))
}

fn the_sandbox_answers_as_the_real_api_server_does() {
    let binaries = certctl_testing::binaries().expect("needed");
    let plane = ControlPlane::start(&binaries, certctl_testing::Options::default()).expect("it starts");
    let sandbox = Sandbox::start(Options::default()).expect("it starts");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let real = |user: &str, groups: &[&str]| {
        let path = plane.client_kubeconfig(user, groups);
        std::fs::read_to_string(path).expect("a kubeconfig")
    };
    let ours = |user: &str, groups: &[&str]| sandbox.client_kubeconfig(user, groups).expect("a kubeconfig");
    let people = || cases::PEOPLE.iter().chain(tables::PEOPLE.iter());
    let (mut real, mut ours) = runtime
        .block_on(async { (Client::for_all(people(), real).await, Client::for_all(people(), ours).await) });
    let only = std::env::var("SAME_ONLY").unwrap_or_default();
    let texts =
        CASES.iter().map(|case| (case.name, case.steps.iter().map(|step| Step::parse(step)).collect()));
    let all: Vec<(&str, Vec<Step>)> = texts.chain(tables::tables()).collect();
    let (mut asked, mut wrong) = (0, Vec::new());
    for (name, steps) in all.iter().filter(|(name, _)| name.contains(&only)) {
        for (number, step) in steps.iter().enumerate() {
            let expected = runtime.block_on(real.ask(step));
            let answered = runtime.block_on(ours.ask(step));
            asked += 1;
            let differences = normal::differences(step.compared, &expected, &answered);
            let problem = match (step.compared, differences.as_str()) {
                (Compared::Differing(why), "") => {
                    format!("  no difference, where there should be one: {why}\n")
                }
                (Compared::Differing(_), _) | (_, "") => continue,
                (_, differences) => differences.to_owned(),
            };
            wrong.push(format!("{name}, step {}: {step}\n{problem}", number + 1));
        }
    }
    assert!(asked > 0);
    eprintln!("{asked} requests");
    assert!(wrong.is_empty(), "{} of {asked} differ:\n\n{}", wrong.len(), wrong.join("\n"));
}
