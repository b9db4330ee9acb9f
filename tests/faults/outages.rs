//! What fails for as long as it is asked: revocations are in effect all the same, and nothing is bound
//! that is not recorded.

use certctl_sandbox::faults::{Fault, On};

use crate::checks;
use crate::fixture::Fixture;
use crate::scenarios::SCENARIOS;

/// Kinds of call that come only after the revocations.
const FAILING: [(&str, &str); 3] = [
    ("watch", "certificatesigningrequests"),
    ("create", "certificatesigningrequests"),
    ("update", "certificatesigningrequests/approval"),
];

#[test]
fn what_is_to_be_revoked_is_revoked_whatever_else_fails() {
    let mixed = SCENARIOS.iter().find(|scenario| scenario.name == "mixed").expect("it is there");
    let fixture = Fixture::new(mixed);
    for (verb, resource) in FAILING {
        for fault in [Fault::Refused(500), Fault::Refused(403), Fault::Reset] {
            let world = fixture.copy();
            let case = |why: String| panic!("{verb} {resource}, {fault:?}: {why}");
            world.sandbox.faults().set([(On::Kind { verb, resource }, fault.clone())]);
            // It may find another way, as it does without a watch, or fail.
            let broken = world.start(world.apply_command()).end();
            let said = |why: String| case(format!("{why}\n{}", broken.said));
            checks::is_cut_off(&fixture, &world).unwrap_or_else(said);
            checks::nothing_unrecorded_is_bound(&world).unwrap_or_else(case);
            world.sandbox.faults().clear();
            world.apply().succeeds();
            checks::converges(&fixture, &world).unwrap_or_else(case);
        }
    }
}
