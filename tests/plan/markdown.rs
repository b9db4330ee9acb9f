//! A plan as a comment on a pull request.

use certctl::error::Error;
use certctl::model::{FileNumber, Position};
use certctl::plan::Plan;
use certctl::render::markdown::{self, LONGEST_COMMENT, PlanStatus};
use expect_test::{Expect, expect};

use crate::story::{Story, TEAM, request, subject};

fn context() -> PlanStatus<'static> {
    PlanStatus { digest: "sha256:0", ..PlanStatus::default() }
}

fn reads(story: &Story, expected: Expect) {
    expected.assert_eq(&markdown::render(&story.whole(), context(), LONGEST_COMMENT));
}

#[test]
fn nothing_to_do_is_one_calm_line() {
    reads(
        &Story::applied(TEAM),
        expect![[r#"
            certctl: nothing to do: the clusters are as the roster says.
        "#]],
    );
}

#[test]
fn a_reviewer_gets_from_a_person_to_their_history() {
    let mut story = Story::applied(TEAM);
    story.edit("[age1alice]", "[age1alice], generation: 2");
    story.edit("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "");
    story.yaml += "- {name: carol, recipients: [age1carol], groups: [developers]}\n";
    let pages =
        PlanStatus { history: Some("https://git.example.com/acme/access/commits/HEAD/"), ..context() };
    let comment = markdown::render(&story.whole(), pages, LONGEST_COMMENT);
    for (user, linked) in [("alice", true), ("bob", true), ("carol", false)] {
        let link = format!(
            "| [`{user}`](https://git.example.com/acme/access/commits/HEAD/access/prod/{user}.yaml) |"
        );
        assert_eq!(comment.contains(&link), linked, "{user}: {comment}");
    }
}

#[test]
fn three_people() {
    let mut story = Story::applied(TEAM);
    story.edit("[age1alice]", "[age1alice], generation: 2");
    story.edit("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "");
    story.yaml += "- {name: carol, recipients: [age1carol], groups: [developers]}\n";
    reads(
        &story,
        expect![[r#"
            ### certctl: 1 to issue, 1 to rotate, 1 to revoke, 2 bindings to write

            #### Cluster `prod`

            | | who | why | valid until |
            |---|---|---|---|
            | 🔴 revoke | `bob` | no longer on the roster | 2026-01-31 00:00Z (30d) |
            | 🟡 rotate | `alice` | generation raised from 1 to 2 | 2026-01-31 00:00Z (30d) |
            | 🟢 issue | `carol` | new on the roster | 2026-01-31 00:00Z (30d) |

            Revoke and rotate cut off the old credential at once; until it expires it can do what `system:authenticated` may.

            - bob: `-` edit in shop; view everywhere through developers
            - carol: `+` edit in shop; view everywhere through developers

            <details><summary>2 bindings to write: 2 changed</summary>

            **update** ClusterRoleBinding `certctl:developers:view` to `ClusterRole view`

            ```diff
            + Group certctl:alice:(to be issued)    once it is issued and recorded
            - Group certctl:alice:cd2662154e6d76b2  generation raised from 1 to 2
            - Group certctl:bob:cd04a4754498e06d    no longer on the roster
            + Group certctl:carol:(to be issued)    once it is issued and recorded
            ```

            **update** RoleBinding `certctl:developers:edit` in `shop` to `ClusterRole edit`

            ```diff
            + Group certctl:alice:(to be issued)    once it is issued and recorded
            - Group certctl:alice:cd2662154e6d76b2  generation raised from 1 to 2
            - Group certctl:bob:cd04a4754498e06d    no longer on the roster
            + Group certctl:carol:(to be issued)    once it is issued and recorded
            ```

            </details>

            Digest: `sha256:0`
        "#]],
    );
}

#[test]
fn a_changed_recipient_and_a_group_in_the_certificate_stand_out() {
    let mut story = Story::applied(TEAM);
    story.edit("age1alice", "age1mallory");
    story.edit("- name: developers\n", "- name: developers\n  inCertificate: true\n");
    reads(
        &story,
        expect![[r#"
            ### certctl: 2 to rotate, 2 bindings to write, 3 warnings

            > [!CAUTION]
            > - **Recipients change: `alice`.** Whoever holds the new key gets this access. Make sure that the person asked for it.
            > - **In the certificate: group `developers` of `alice` and `bob`.** It cannot be revoked before the certificate expires; no binding names it now.

            #### Cluster `prod`

            | | who | why | valid until |
            |---|---|---|---|
            | 🟡 rotate | `alice` | **RECIPIENT CHANGED: 1 removed, 1 added**; **in the certificate: `O=developers`** | 2026-01-31 00:00Z (30d) |
            | 🟡 rotate | `bob` | the groups in its certificate changed; **in the certificate: `O=developers`** | 2026-01-31 00:00Z (30d) |

            Revoke and rotate cut off the old credential at once; until it expires it can do what `system:authenticated` may.

            <details><summary>2 bindings to write: 2 changed</summary>

            **update** ClusterRoleBinding `certctl:developers:view` to `ClusterRole view`

            ```diff
            + Group certctl:alice:(to be issued)    once it is issued and recorded
            - Group certctl:alice:cd2662154e6d76b2  RECIPIENT CHANGED: 1 removed, 1 added
            + Group certctl:bob:(to be issued)      once it is issued and recorded
            - Group certctl:bob:cd04a4754498e06d    the groups in its certificate changed
            ```

            **update** RoleBinding `certctl:developers:edit` in `shop` to `ClusterRole edit`

            ```diff
            + Group certctl:alice:(to be issued)    once it is issued and recorded
            - Group certctl:alice:cd2662154e6d76b2  RECIPIENT CHANGED: 1 removed, 1 added
            + Group certctl:bob:(to be issued)      once it is issued and recorded
            - Group certctl:bob:cd04a4754498e06d    the groups in its certificate changed
            ```

            </details>

            Digest: `sha256:0`
        "#]],
    );
}

/// Whatever else is edited with it, and whatever the clock did to the credential before.
#[test]
fn an_access_that_is_handed_over_stands_out_in_any_company() {
    let caution = |story: &Story, what: &str| {
        let text = markdown::render(&story.whole(), context(), LONGEST_COMMENT);
        let line = format!("**{what}: `alice`.** Whoever holds the new key gets this access.");
        assert!(text.contains(&line), "`{line}` is not in:\n{text}");
        assert!(!text.contains("<summary>1 renewal"), "alice's is folded away:\n{text}");
    };
    let alone = Story::applied(TEAM);
    let mut expired = alone.clone();
    expired.wait("40d");
    for (from, to) in [
        ("[age1alice]", "[age1mallory], generation: 2"),
        ("[age1alice]", "[age1alice, age1mallory], generation: 2"),
        ("[age1alice]", "[age1alice, age1mallory], key: ecdsa-p384"),
    ] {
        for before in [&alone, &expired] {
            let mut story = before.clone();
            story.edit("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "").edit(from, to);
            caution(&story, "Recipients change");
            assert!(story.text().contains("RECIPIENT CHANGED"), "{}", story.text());
        }
    }
    // Gone for a while, and back with the key of somebody else.
    let mut back = alone.clone();
    back.edit("- {name: alice,", "- {name: carol,").apply();
    back.edit("- {name: carol, recipients: [age1alice]", "- {name: alice, recipients: [age1mallory]");
    caution(&back, "Recipients change");
    // With a key that is not made here.
    for rest in ["", ", generation: 2"] {
        let mut story = alone.clone();
        story.edit("[age1alice]", &format!("[age1alice], csr: alice.csr{rest}"));
        story.brings("alice", b"mallory's", "request");
        caution(&story, "Another key is brought");
        story.apply();
        assert_eq!(story.plan().warnings, [], "the same key, when it is known");
        story.brings("alice", b"another of mallory's", "another request");
        caution(&story, "Another key is brought");
    }
}

#[test]
fn what_is_wrong_comes_first_and_renewals_are_folded_away() {
    let mut story = Story::applied(TEAM);
    story.wait("25d");
    story.edit("[age1bob], groups: [developers]", "[age1bob], groups: [developers], until: 2026-02-01");
    story.cluster.state.requests.push(request("planted", "alice", &["certctl:alice:0123456789abcdef"]));
    story.binding("certctl:developers:view").subjects.push(subject("User", "mallory"));
    let failed = Error::new("user `dana` has no recipient, so nothing could be sealed to them")
        .placed("users.yaml", Position { file: FileNumber::FIRST, line: 14, column: 5 })
        .hint("ask dana to run `certctl keygen`");
    let context = PlanStatus { failed: Some(&failed), ..context() };
    let text = markdown::render(&story.whole(), context, LONGEST_COMMENT);
    expect![[r#"
        ### certctl: 1 error, 1 to renew, 2 bindings to write, 2 warnings

        > [!CAUTION]
        > `users.yaml:14:5`: user `dana` has no recipient, so nothing could be sealed to them<br>Hint: ask dana to run `certctl keygen`

        > [!WARNING]
        > - CertificateSigningRequest planted by mallory claims user alice; it is not ours, do not approve it (`foreign-csr`)
        > - bob's access ends at `2026-02-02T00:00:00Z` (`until-soon`)

        #### Cluster `prod`

        <details><summary>2 bindings to write: 2 changed</summary>

        **update** ClusterRoleBinding `certctl:developers:view` to `ClusterRole view`

        ```diff
        + Group certctl:alice:(to be issued)  once it is issued and recorded
        - User mallory                        added by hand; certctl binds only credential groups
        ```

        **update** RoleBinding `certctl:developers:edit` in `shop` to `ClusterRole edit`

        ```diff
        + Group certctl:alice:(to be issued)  once it is issued and recorded
        ```

        </details>

        <details><summary>1 renewal; who has one keeps it until it expires</summary>

        | | who | why | valid until |
        |---|---|---|---|
        | ⚪ renew | `alice` | two thirds of its lifetime passed at `2026-01-20T23:58:20Z` | 2026-02-25 00:00Z (30d) |

        </details>

        Digest: `sha256:0`
    "#]].assert_eq(&text);
}

#[test]
fn what_apply_would_withhold_is_said() {
    let mut story = Story::applied(
        "users:\n- {name: root, recipients: [age1x], grants: [{clusterRole: view}], protected: true}\n",
    );
    story.edit("protected: true", "protected: true, until: 2020-01-01");
    let plan = story.whole();
    let withheld = story.withheld(None).expect("protected");
    let text =
        markdown::render(&plan, PlanStatus { withheld: Some(&withheld), ..context() }, LONGEST_COMMENT);
    expect![[r#"
        ### certctl: 1 to revoke, 1 binding to write

        > [!CAUTION]
        > `1` revocation is withheld: `root` is protected and would lose access to `prod`; they keep their access, and get no new credential<br>Hint: it would revoke root on prod<br>Hint: if that is intended, run `certctl apply --acknowledge 1`

        #### Cluster `prod`

        | | who | why | valid until |
        |---|---|---|---|
        | 🔴 revoke | `root` | access ended at `2020-01-02T00:00:00Z` | 2026-01-31 00:00Z (30d) |

        Revoke and rotate cut off the old credential at once; until it expires it can do what `system:authenticated` may.

        - root: `-` view everywhere

        <details><summary>1 binding to write: 1 removed</summary>

        **unbind** ClusterRoleBinding `certctl:user=root:view` to `ClusterRole view`

        ```diff
        - Group certctl:root:cd2662154e6d76b2  access ended at 2020-01-02T00:00:00Z
        ```

        </details>

        Digest: `sha256:0`
    "#]].assert_eq(&text);
}

#[test]
fn without_a_plan_the_errors_are_the_comment() {
    let errors = Error::all([
        Error::new("`gropus` is not known here")
            .placed("users.yaml", Position { file: FileNumber::FIRST, line: 3, column: 1 })
            .hint("did you mean `groups`?"),
        Error::new("users.yaml could not be read").caused_by(std::io::Error::other("@all: <b>#1</b>")),
    ]);
    let text = markdown::failure(&errors.expect("two"), LONGEST_COMMENT);
    expect![[r#"
        ### certctl: no plan, 2 errors

        Nothing is known of what this would do, and it cannot be applied like this.

        > [!CAUTION]
        > - `users.yaml:3:1`: `gropus` is not known here<br>Hint: did you mean `groups`?
        > - `users.yaml` could not be read<br>Caused by: `@all`: `<b>#1</b>`
    "#]]
    .assert_eq(&text);
}

fn two_clusters() -> Plan {
    let story = Story::of(TEAM);
    let mut plan = story.whole();
    let mut other = plan.clusters[0].clone();
    other.name = "stage".parse().expect("a name");
    other.bindings.truncate(1);
    plan.clusters.push(other);
    plan
}

#[test]
fn each_cluster_has_its_heading() {
    let text = markdown::render(&two_clusters(), context(), LONGEST_COMMENT);
    expect![[r#"
        ### certctl: 4 to issue, 3 bindings to write

        #### Cluster `prod`

        | | who | why | valid until |
        |---|---|---|---|
        | 🟢 issue | `alice` | new on the roster | 2026-01-31 00:00Z (30d) |
        | 🟢 issue | `bob` | new on the roster | 2026-01-31 00:00Z (30d) |

        - alice, bob: `+` edit in shop; view everywhere through developers

        <details><summary>2 bindings to write: 2 new</summary>

        **bind** ClusterRoleBinding `certctl:developers:view` to `ClusterRole view`

        ```diff
        + Group certctl:alice:(to be issued)  once it is issued and recorded
        + Group certctl:bob:(to be issued)    once it is issued and recorded
        ```

        **bind** RoleBinding `certctl:developers:edit` in `shop` to `ClusterRole edit`

        ```diff
        + Group certctl:alice:(to be issued)  once it is issued and recorded
        + Group certctl:bob:(to be issued)    once it is issued and recorded
        ```

        </details>

        #### Cluster `stage`

        | | who | why | valid until |
        |---|---|---|---|
        | 🟢 issue | `alice` | new on the roster | 2026-01-31 00:00Z (30d) |
        | 🟢 issue | `bob` | new on the roster | 2026-01-31 00:00Z (30d) |

        - alice, bob: `+` view everywhere through developers

        <details><summary>1 binding to write: 1 new</summary>

        **bind** ClusterRoleBinding `certctl:developers:view` to `ClusterRole view`

        ```diff
        + Group certctl:alice:(to be issued)  once it is issued and recorded
        + Group certctl:bob:(to be issued)    once it is issued and recorded
        ```

        </details>

        Digest: `sha256:0`
    "#]]
    .assert_eq(&text);
}
