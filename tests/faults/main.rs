//! The fault suite: every call of an apply with every fault, and the process killed at every call,
//! git step and file step. Each time the next apply must converge, and nothing may be lost, doubled, or
//! bound without a record. Beside that, an adversary acts between the calls.
//!
//! It runs the real certctl and git against the sandbox; kills at file steps need strace. Each table goes
//! to standard error and to `target/tmp/`.

mod adversary;
mod calls;
mod checks;
mod crashes;
mod fixture;
mod kinds;
mod matrix;
mod outages;
mod scenarios;
mod table;

use std::process::ExitCode;

use certctl_testing::{Need, tests};

fn main() -> ExitCode {
    let everywhere = tests!(
        Need::Nothing,
        [
            adversary::what_is_revoked_stays_so_beside_an_adversary,
            calls::every_call_of_every_apply_broken_in_every_way_converges,
            crashes::a_crash_at_any_git_step_is_survived,
            outages::what_is_to_be_revoked_is_revoked_whatever_else_fails,
            outages::a_binding_that_cannot_be_reduced_does_not_hold_up_the_other,
            outages::a_push_that_is_declined_binds_nobody_and_cuts_off_who_is_to_go,
        ]
    );
    let traced = tests!(Need::Program("strace"), [crashes::a_crash_at_any_file_step_is_survived]);
    certctl_testing::run(everywhere.into_iter().chain(traced))
}
