//! The documentation, held to the program: its command blocks run, and the pages that are made of the program are as
//! it makes them.

mod anywhere;
mod blocks;
mod pages;
mod plan_picture;
mod recording;
mod reference;
mod screen;
mod steady;
mod svg;
mod team;
mod tutorial;
mod walkthrough;

use std::process::ExitCode;

use certctl_testing::{Need, tests};

fn main() -> ExitCode {
    let everywhere = tests!(
        Need::Nothing,
        [
            anywhere::every_command_is_fit_for_a_dumb_terminal_and_a_pipe,
            pages::every_command_block_runs,
            plan_picture::the_plan_is_shown_as_it_is,
            recording::the_demo_is_shown_as_it_runs,
            reference::the_commands_are_those_of_the_program,
            reference::every_example_is_a_command_line,
            reference::the_roster_reference_is_that_of_the_schema,
        ]
    );
    let keys = tests!(Need::Program("ssh-keygen"), [walkthrough::the_first_day_is_told_as_it_happens]);
    let kubectl = tests!(
        Need::ControlPlane,
        [pages::every_command_block_with_kubectl_runs, tutorial::every_block_runs_in_turn_with_kubectl]
    );
    certctl_testing::run(everywhere.into_iter().chain(keys).chain(kubectl))
}
