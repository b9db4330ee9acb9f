//! The e2e suite: real kubectl, git and age, and every test on both clusters: a real kube-apiserver and
//! the sandbox. The sandbox stays faithful because no test knows which one it talks to.
//!
//! It runs if `CERTCTL_CONTROL_PLANE` names the folder that `tests/control-plane/build` prints;
//! otherwise each test is reported as ignored.

mod attacks;
mod bad_input;
mod calls;
mod cluster;
mod commit_back;
mod committed;
mod endpoint;
mod faults;
mod held;
#[path = "../action/host.rs"]
#[allow(dead_code, reason = "what only the scripts' own tests use")]
mod host;
mod import;
mod in_cluster;
mod init;
mod keys;
mod kubeconfigs;
mod life;
mod login;
mod main_job;
mod memory;
mod operator;
mod permissions;
mod preflight;
mod question;
mod reference_age;
mod rehearsal;
mod remembered;
mod report;
mod rights;
mod signing;
mod teams;
mod world;

use std::process::ExitCode;

use certctl_testing::{Need, Test};

use crate::cluster::{Cluster, Kind};

/// Names and functions. A function that is not listed is dead code, and the compiler says so.
macro_rules! tests {
    ($($module:ident: [$($test:ident),+ $(,)?])+) => {
        [$($((concat!(stringify!($module), "::", stringify!($test)), $module::$test as OnACluster)),+),+]
    };
}

/// Each of [`TESTS`] on each cluster, `kubernetes::` and `sandbox::` before its name.
fn main() -> ExitCode {
    let on_clusters = [Kind::Kubernetes, Kind::Sandbox].into_iter().flat_map(|kind| {
        TESTS.iter().map(move |(name, test)| {
            Test::new(&format!("{kind}::{name}"), Need::ControlPlane, move || test(cluster::shared(kind)))
        })
    });
    // The sandbox has no admission policies.
    let denial =
        Test::new("only_on_kubernetes::signing::a_denial_names_its_reason", Need::ControlPlane, || {
            signing::a_denial_names_its_reason(cluster::shared(Kind::Kubernetes));
        });
    // It serves no CronJobs either.
    let pull = Test::new(
        "only_on_kubernetes::permissions::what_applies_in_the_cluster_is_valid_and_fits_the_image",
        Need::ControlPlane,
        || {
            let plane = cluster::shared(Kind::Kubernetes);
            permissions::what_applies_in_the_cluster_is_valid_and_fits_the_image(plane);
        },
    );
    // Nor tokens of service accounts.
    let pod = Test::new(
        "only_on_kubernetes::in_cluster::a_pod_plans_and_applies_as_its_service_account",
        Need::OwnMounts,
        || in_cluster::a_pod_plans_and_applies_as_its_service_account(cluster::shared(Kind::Kubernetes)),
    );
    // What is in our memory, and what our children do, is the same on each cluster.
    let anywhere = ANYWHERE.iter().map(|(name, test)| {
        Test::new(&format!("only_on_the_sandbox::{name}"), Need::ControlPlane, move || {
            test(cluster::shared(Kind::Sandbox));
        })
    });
    let page = Test::new(
        "only_on_the_sandbox::report::the_page_works_in_a_browser_and_obeys_nobody_else",
        Need::Browser,
        || report::the_page_works_in_a_browser_and_obeys_nobody_else(cluster::shared(Kind::Sandbox)),
    );
    certctl_testing::run(on_clusters.chain([denial, pull, pod, page]).chain(anywhere).chain(
        certctl_testing::tests!(
            Need::ControlPlane,
            [reference_age::the_reference_age_opens_what_we_seal_and_we_what_it_seals]
        ),
    ))
}

type OnACluster = fn(&'static Cluster);

/// What one cluster is enough for.
const ANYWHERE: &[(&str, OnACluster)] = &tests! {
    keys: [a_plugin_that_hangs_holds_up_nobody_and_is_ended_after_a_signal]
    memory: [no_private_key_is_left_once_it_is_sealed]
};

const TESTS: &[(&str, OnACluster)] = &tests! {
    attacks: [
        a_label_taken_off_keeps_nobody_in,
        a_finalizer_keeps_an_object_and_no_right,
        a_second_repository_of_the_same_name_unbinds_nobody,
        what_is_left_to_a_credential_is_counted_whoever_bound_it,
        who_stays_keeps_their_rights_while_a_group_is_renamed,
    ]
    bad_input: [
        what_the_cluster_lacks_is_held_with_its_line,
        an_unreachable_cluster_is_named_with_its_cause,
        a_certificate_that_one_side_does_not_trust_is_named,
        a_repository_that_cannot_be_pushed_is_refused_before_anything_is_issued,
        a_push_that_is_declined_binds_nothing_and_is_made_up_for_later,
        a_missing_right_is_named_with_what_would_grant_it,
        someone_elses_binding_under_our_name_is_named_and_left_alone,
    ]
    calls: [
        a_plan_costs_the_same_calls_for_10_and_for_1000_users,
        a_person_costs_two_writes_and_a_share_of_one_watch,
    ]
    commit_back: [
        a_protected_branch_gets_its_records_through_a_pull_request,
        records_that_the_branch_declined_go_to_a_pull_request_from_the_same_clone,
        a_merge_between_our_commit_and_our_push_is_built_upon,
        of_two_merges_at_once_the_later_apply_does_both,
        ci_without_an_identity_commits_as_it_is_told_and_runs_no_ci_for_it,
        the_json_says_whose_credential_failed_and_why,
        what_is_applied_is_pushed_though_no_record_changes,
        another_branch_is_applied_only_by_its_typed_name,
    ]
    committed: [
        a_run_killed_before_its_files_were_written_lets_nobody_back_in,
        a_file_that_git_was_told_not_to_look_at_is_not_applied,
    ]
    endpoint: [
        what_nobody_could_use_is_not_handed_out,
        what_stands_between_is_named_and_hands_out_nothing_wrong,
        a_client_ca_that_was_replaced_is_noticed_and_everyone_gets_a_new_certificate,
    ]
    faults: [
        a_call_that_breaks_on_the_way_is_made_up_for,
    ]
    held: [
        a_fault_of_one_grant_holds_up_no_leaver_and_no_newcomer,
    ]
    import: [
        ten_people_move_from_openssl_to_a_roster_and_nobody_is_locked_out,
    ]
    init: [
        only_recipients_and_grants_are_missing_then_ci_applies,
    ]
    kubeconfigs: [
        who_gets_through_is_the_same_as_with_kubectl,
    ]
    keys: [
        from_nothing_to_kubectl_with_a_sealed_key_a_key_at_home_and_a_plugin,
    ]
    life: [
        a_leaked_key_is_cut_off_at_once_and_nobody_else_notices,
        who_comes_back_does_not_bring_the_old_certificate_back,
        a_renewal_overlaps_and_the_old_one_is_forgotten_when_it_expires,
        a_suspended_user_has_no_access_until_they_are_resumed,
        nine_of_twelve_deleted_by_mistake_are_withheld,
        two_applies_at_once_end_as_if_one_came_after_the_other,
        a_held_lock_names_its_holder_and_an_expired_lock_is_taken_over,
        a_cluster_that_was_swapped_is_refused_and_one_that_is_down_stops_no_other,
        planted_requests_steer_nothing,
        what_was_changed_behind_our_back_is_named,
        access_ends_when_the_roster_says_so,
        a_key_of_ones_own_never_leaves_its_owner,
        an_interrupted_apply_finishes_what_is_issued_and_the_next_one_cleans_up,
        a_second_signal_ends_at_once,
    ]
    login: [
        from_a_public_key_to_kubectl_and_on_through_renewal_rotation_and_removal,
        whoami_notices_what_was_lost_of_the_rights,
        an_embedded_login_works_and_whoami_says_when_it_is_outdated,
    ]
    preflight: [
        a_signature_that_cannot_be_made_locks_nobody_out,
        revocations_alone_need_no_remote,
    ]
    main_job: [
        three_people_get_exactly_what_the_roster_says_and_lose_it_again,
        every_kind_of_key_and_recipient_works,
        what_is_dirty_stays_as_it_is_and_a_dirty_roster_is_refused,
    ]
    operator: [
        two_months_of_a_team_answer_every_question,
    ]
    permissions: [
        what_bootstrap_grants_is_enough_and_each_rule_of_it_is_needed,
    ]
    question: [
        full_control_stands_above_the_question_and_no_is_no_failure,
    ]
    remembered: [
        a_record_put_back_from_history_lets_nobody_in,
        a_credential_that_was_slipped_into_a_record_is_not_bound,
        who_was_removed_in_a_hurry_stays_out_until_it_is_merged,
        who_is_cut_off_by_hand_stays_out_until_they_are_let_in_again,
    ]
    rehearsal: [
        from_a_branch_to_a_working_kubectl,
        two_merges_a_moment_apart_lose_nobody,
        a_push_between_our_commit_and_our_push_loses_nothing,
    ]
    report: [an_access_review_tells_what_is_bound_and_who_let_it_in]
    rights: [
        the_model_agrees_with_the_cluster_on_random_questions,
        what_is_behind_the_rosters_back_is_called_out_explained_and_found,
    ]
    signing: [
        a_signer_that_refuses_is_quoted,
        a_certificate_for_another_key_is_thrown_away,
        a_certificate_with_more_power_than_was_asked_for_is_thrown_away,
        a_certificate_for_someone_else_is_thrown_away,
        a_request_that_someone_deletes_is_missed,
        a_signer_that_never_signs_is_given_up_and_holds_up_no_revocation,
    ]
    teams: [
        a_team_owns_its_part_and_access_follows_its_namespaces,
    ]
};
