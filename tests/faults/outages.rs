//! Permanent failures: revocations take effect anyway, and nothing is bound
//! that is not recorded.

use std::fs;
use std::thread;

use certctl_sandbox::faults::{Fault, On};

use crate::checks;
use crate::fixture::{Fixture, World};
use crate::scenarios::SCENARIOS;

/// Kinds of call that come only after the revocations.
const FAILING: [(&str, &str); 3] = [
    ("watch", "certificatesigningrequests"),
    ("create", "certificatesigningrequests"),
    ("update", "certificatesigningrequests/approval"),
];

fn mixed() -> Fixture {
    let mixed = SCENARIOS.iter().find(|scenario| scenario.name == "mixed").expect("it is there");
    Fixture::new(mixed)
}

/// After the repair, the next run does the rest.
fn is_made_up_for(fixture: &Fixture, world: &World, case: &str) {
    world.apply().succeeds();
    checks::converges(fixture, world).unwrap_or_else(|why| panic!("{case}: {why}"));
}

/// Breaks every call of a kind, alone and at once: most of the time is waiting between attempts.
fn each_alone<T: Sync>(cases: &[T], try_it: impl Fn(&T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| try_it(case));
        }
    });
}

pub fn what_is_to_be_revoked_is_revoked_whatever_else_fails() {
    let fixture = mixed();
    let faults = [Fault::Refused(500), Fault::Refused(403), Fault::Reset];
    let cases: Vec<_> = FAILING
        .iter()
        .flat_map(|failing| faults.iter().map(move |fault| (*failing, fault.clone())))
        .collect();
    each_alone(&cases, |((verb, resource), fault)| {
        let world = fixture.copy();
        let case = format!("{verb} {resource}, {fault:?}");
        world.sandbox.faults().set([(On::Kind { verb, resource }, fault.clone())]);
        // It may use another way, as it does without a watch, or fail.
        let broken = world.start(world.apply_command()).end();
        assert!(world.sandbox.faults().calls().iter().any(|call| call.struck), "{case}: never struck");
        let failed = |why: String| panic!("{case}: {why}\n{}", broken.said);
        checks::is_cut_off(&fixture, &world).unwrap_or_else(failed);
        checks::nothing_unrecorded_is_bound(&world).unwrap_or_else(failed);
        world.sandbox.faults().clear();
        is_made_up_for(&fixture, &world, &case);
    });
}

/// One binding cannot be written; what the other revokes is gone anyway.
pub fn a_binding_that_cannot_be_reduced_does_not_hold_up_the_other() {
    let fixture = mixed();
    let kinds = [("clusterrolebindings", "rolebindings"), ("rolebindings", "clusterrolebindings")];
    each_alone(&kinds, |(failing, reduced)| {
        let world = fixture.copy();
        let failing_calls = On::Kind { verb: "patch", resource: failing };
        world.sandbox.faults().set([(failing_calls, Fault::Refused(500))]);
        let broken = world.start(world.apply_command()).end();
        assert_ne!(broken.code, Some(0), "{failing} could not be written:\n{}", broken.said);
        let left = checks::bound_by(&world, reduced);
        assert!(
            fixture.cut_off.iter().all(|group| !left.contains(group)),
            "{failing} fails, and {reduced} holds {left:?}:\n{}",
            broken.said
        );
        checks::nothing_unrecorded_is_bound(&world).unwrap_or_else(|why| panic!("{failing}: {why}"));
        world.sandbox.faults().clear();
        is_made_up_for(&fixture, &world, failing);
    });
}

/// A branch that accepts no commits: what was issued is not bound, what was to be revoked is gone.
pub fn a_push_that_is_declined_binds_nobody_and_cuts_off_who_is_to_go() {
    let fixture = mixed();
    let world = fixture.copy();
    let hook = world.path("origin.git/hooks/pre-receive");
    certctl_testing::executable(&hook, "echo this branch is frozen\nexit 1");
    let broken = world.start(world.apply_command()).end();
    assert_ne!(broken.code, Some(0), "the push was declined:\n{}", broken.said);
    assert!(broken.said.contains("this branch is frozen"), "the host's words are missing:\n{}", broken.said);
    checks::is_cut_off(&fixture, &world).unwrap_or_else(|why| panic!("{why}\n{}", broken.said));
    checks::nothing_unrecorded_is_bound(&world).unwrap_or_else(|why| panic!("{why}\n{}", broken.said));
    fs::remove_file(&hook).expect("it is there");
    is_made_up_for(&fixture, &world, "thawed");
}
