//! The same requests to the sandbox and to a real kube-apiserver, and the same answers: codes, bodies
//! and words, but for what differs by nature (UIDs, revisions, times, and field managers, which the
//! sandbox does not keep).

mod cases;
mod client;
mod normal;

use certctl_sandbox::{Options, Sandbox};
use certctl_testing::ControlPlane;

use crate::cases::{CASES, PEOPLE};
use crate::client::{Client, Step};

#[test]
fn the_sandbox_answers_as_the_real_api_server_does() {
    let Some(binaries) = certctl_testing::binaries() else {
        eprintln!("skipped: CERTCTL_CONTROL_PLANE is not set");
        return;
    };
    let plane = ControlPlane::start(&binaries, certctl_testing::Options::default()).expect("it starts");
    let sandbox = Sandbox::start(Options::default()).expect("it starts");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let real = |user: &str, groups: &[&str]| {
        let path = plane.client_kubeconfig(user, groups);
        std::fs::read_to_string(path).expect("a kubeconfig")
    };
    let ours = |user: &str, groups: &[&str]| sandbox.client_kubeconfig(user, groups).expect("a kubeconfig");
    let (mut real, mut ours) = runtime
        .block_on(async { (Client::for_all(PEOPLE, real).await, Client::for_all(PEOPLE, ours).await) });
    let only = std::env::var("SAME_ONLY").unwrap_or_default();
    let (mut steps, mut differing) = (0, Vec::new());
    for case in CASES.iter().filter(|case| case.name.contains(&only)) {
        for (number, step) in case.steps.iter().map(|step| Step::parse(step)).enumerate() {
            let expected = runtime.block_on(real.ask(&step));
            let answered = runtime.block_on(ours.ask(&step));
            steps += 1;
            let differences = normal::differences(step.loose, &expected, &answered);
            if !differences.is_empty() {
                differing.push(format!("{}, step {}: {step}\n{differences}", case.name, number + 1));
            }
        }
    }
    assert!(steps > 0);
    eprintln!("{steps} requests");
    assert!(differing.is_empty(), "{} of {steps} differ:\n\n{}", differing.len(), differing.join("\n"));
}
