//! The scripts of packaging/, as the release workflow runs them, with the certctl that is built already: what
//! they make is what a machine gets that has never seen certctl, and it works there.

mod crates;
#[path = "../repo/http.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the manner of the tests of src/repo, which use all of it")]
mod http;
mod krew;
mod machine;
mod release;
mod tree;

use std::process::ExitCode;

use certctl_testing::{Need, tests};

fn main() -> ExitCode {
    let anywhere = tests!(
        Need::Nothing,
        [
            krew::krews_link_speaks_as_kubectls_plugin,
            release::notes_are_the_part_about_one_version,
            release::an_archive_is_the_same_twice_and_works_in_an_empty_home,
            release::a_bill_of_materials_holds_what_is_linked_and_nothing_else,
            release::every_target_of_the_workflow_is_packed_and_pinned,
            crates::what_is_published_holds_all_that_it_is_built_from,
        ]
    );
    let on_debian = tests!(
        Need::Program("dpkg-deb"),
        [
            release::debians_package_is_the_same_twice_and_installs_what_the_archive_holds,
            release::a_release_is_whole_or_refused,
        ]
    );
    let as_root = tests!(
        Need::Root,
        [
            tree::certctl_applies_in_the_image_and_pushes,
            tree::git_fetches_and_pushes_in_the_image_without_a_shell,
        ]
    );
    let with_kubectl = tests!(Need::ControlPlane, [krew::kubectl_runs_krews_link]);
    certctl_testing::run(anywhere.into_iter().chain(on_debian).chain(as_root).chain(with_kubectl))
}
