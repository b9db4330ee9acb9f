//! Which branch of which remote a push goes to.

use crate::workspace::*;

stories! {
    fn a_detached_head_takes_the_commit_and_refuses_the_push(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        clone.git("checkout -q --detach");
        let repo = clone.open();
        assert_eq!(repo.branch().unwrap(), None);
        let id = commit(&repo, ALICE, "alice\n");
        assert_eq!(clone.git("rev-parse HEAD").trim(), id);
        assert_ne!(clone.git("rev-parse main").trim(), id);
        assert_eq!(clone.status(), "");
        let error = refused(repo.preflight_push(None, None));
        assert!(error.contains("HEAD is detached") && error.contains("--no-push"), "{error}");
        assert!(error.contains("certctl apply --push-branch main"), "{error}");
    }

    fn the_target_follows_gits_own_settings(workspace: &Workspace) {
        let clone = workspace.alone();
        let repo = clone.open();
        let error = refused(repo.preflight_push(None, None));
        assert!(error.contains("no remote") && error.contains("git remote add origin URL") && error.contains("--no-push"), "{error}");
        clone.git("remote add hub https://bot:s3cret@example.com/a.git");
        assert_eq!(target(&repo).to_string(), "hub/main");
        clone.git("remote add other /nowhere");
        assert!(refused(repo.preflight_push(None, None)).contains("several remotes (hub, other)"));
        clone.git("remote add origin /nowhere");
        assert_eq!(target(&repo).to_string(), "origin/main");
        clone.git("config branch.main.remote hub");
        clone.git("config branch.main.merge refs/heads/release");
        assert_eq!(target(&repo).to_string(), "hub/release");
        clone.git("config branch.main.pushRemote other");
        assert_eq!(target(&repo).to_string(), "other/main");
        clone.git("config branch.main.pushRemote https://bot:s3cret@example.com/a.git");
        assert_eq!(target(&repo).to_string(), "https://example.com/a.git/main");
        clone.git("config branch.main.pushRemote --upload-pack=touch");
        assert!(refused(repo.preflight_push(None, None)).contains("not a remote repository"));
        clone.git("config --unset branch.main.pushRemote");
        clone.git("config branch.main.merge refs/heads/a..b");
        assert!(refused(repo.preflight_push(None, None)).contains("which is no branch"));
    }

    fn the_first_push_makes_the_branch(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        clone.git("switch -qc new");
        let repo = clone.open();
        let to = target(&repo);
        // A branch that is not there holds nothing.
        assert!(repo.ahead(&to).unwrap());
        commit(&repo, ALICE, "alice\n");
        assert_eq!(repo.push(&to).unwrap().tries, 1);
        assert_eq!(workspace.git("--git-dir=origin.git log -1 --format=%s new"), "certctl: issue\n");
    }

    fn a_linked_worktree_is_a_repository_like_any_other(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        clone.git("worktree add -q ../linked");
        let linked = Clone(workspace.0.join("linked"));
        let repo = linked.open();
        assert_eq!(repo.branch().unwrap().as_deref(), Some("linked"));
        commit(&repo, ALICE, "alice\n");
        assert_eq!((linked.status(), clone.status()), (String::new(), String::new()));
        assert_eq!(linked.has(ALICE).unwrap(), "alice\n");
        repo.push(&target(&repo)).unwrap();
    }

    fn what_ci_leaves_is_pushed_to_the_branch_that_it_was_for(workspace: &Workspace) {
        let (_, theirs) = workspace.shared();
        for n in 0..3 {
            theirs.put("README", &n.to_string());
            theirs.commit_all("older");
        }
        theirs.git("push -q");
        for (ci, named, host) in [("github", None, None), ("gitlab", None, Some("main")), ("other", Some("main"), None)] {
            let clone = if ci == "github" { workspace.actions_checkout(ci) } else { workspace.gitlab_checkout(ci) };
            // The branch moves on while the job runs.
            theirs.git("pull -q --rebase");
            theirs.put("notes", ci);
            theirs.commit_all(&format!("after-{ci}"));
            theirs.git("push -q");
            let repo = clone.open();
            let to = repo.preflight_push(named, host).unwrap();
            assert_eq!((to.to_string().as_str(), to.proposes()), ("origin/main", false));
            commit(&repo, &format!("access/prod/{ci}.yaml"), "record\n");
            let pushed = repo.push(&to).unwrap();
            assert_eq!((pushed.tries, pushed.note), (2, None), "{ci}");
            assert_eq!(workspace.origin_log()[..2], ["certctl: issue".to_owned(), format!("after-{ci}")]);
            assert_eq!(repo.head().unwrap(), pushed.commit);
            assert_eq!((clone.status(), clone.has("notes").unwrap().as_str()), (String::new(), ci));
            // The same job once more, as after a failure later on.
            assert_eq!(repo.preflight_push(named, host).unwrap(), to);
        }
    }

    fn a_pull_request_is_no_branch_whatever_it_is_called(workspace: &Workspace) {
        let (ours, theirs) = workspace.shared();
        theirs.git("switch -qc fix");
        theirs.put("users.yaml", "kind: Roster # theirs\n");
        theirs.commit_all("fix");
        theirs.git("push -q origin fix");
        // GitHub's merge commit: main is in its history.
        ours.git("fetch -q");
        ours.git("checkout -q --detach");
        ours.git("merge -q --no-ff --no-edit origin/fix");
        let repo = ours.open();
        for (named, host) in [(Some("main"), None), (None, Some("main"))] {
            let error = refused(repo.preflight_push(named, host));
            assert!(error.contains("HEAD is detached, and not on origin/main, which lacks"), "{error}");
            assert!(error.contains("never on a pull request"), "{error}");
        }
        let error = refused(repo.preflight_push(Some("nowhere"), None));
        assert!(error.contains("there is no branch origin/nowhere, and HEAD is detached"), "{error}");
        // On a branch, what the host says does not count.
        ours.git("switch -q main");
        assert_eq!(ours.open().preflight_push(None, Some("fix")).unwrap().to_string(), "origin/main");
    }

    /// Anyone can write the trailer.
    fn a_pull_request_that_says_it_is_certctls_own_is_a_pull_request(workspace: &Workspace) {
        let (ours, _) = workspace.shared();
        ours.git("checkout -q --detach");
        ours.put("users.yaml", "kind: Roster # mallory\n");
        ours.put(ALICE, "alice\n");
        ours.git("add -A");
        ours.git("commit -q --no-verify -m certctl --trailer Certctl-Roster:acme");
        let repo = ours.open();
        for (named, host) in [(Some("main"), None), (None, Some("main"))] {
            let error = refused(repo.preflight_push(named, host));
            assert!(error.contains("HEAD is detached, and not on origin/main, which lacks"), "{error}");
        }
    }

    /// Nor are records that no apply has written, or a kubeconfig that no record names.
    fn records_that_do_not_verify_are_a_proposal(workspace: &Workspace) {
        let (ours, _) = workspace.shared();
        const SEALED: &str = "access/prod/alice.kubeconfig.age";
        let digest = "fb2bbbd2cc49e52d3fc3bb8d2a3b4d3dae8e0a3a7b4f0e0c9c4b1f1a7b1c0d0e";
        let named = |sealed: &str| format!("sealedSHA256: {}\n", certctl::model::hex(&certctl::model::sha256(sealed.as_bytes())));
        let edited = record("state: active\n").replace("active", "revoked");
        // What an apply in CI asks of a detached HEAD: is it the branch, but for commits of our own?
        let is_ours = || {
            ours.git("checkout -q --detach");
            ours.open().preflight_push(None, Some("main")).is_ok()
        };
        for (what, files, expected) in [
            ("as written", vec![(ALICE, record(&named("sealed"))), (SEALED, "sealed".to_owned())], true),
            ("edited", vec![(ALICE, edited)], false),
            ("without a checksum", vec![(ALICE, "state: active\n".to_owned())], false),
            ("another kubeconfig", vec![(ALICE, record(&named("sealed"))), (SEALED, "planted".to_owned())], false),
            ("a kubeconfig alone", vec![(SEALED, digest.to_owned())], false),
            ("another file there", vec![("access/prod/run.sh", "exit 0\n".to_owned())], false),
        ] {
            ours.git("checkout -q -B made origin/main");
            for (path, text) in &files {
                ours.put(path, text);
            }
            ours.git("add -A");
            ours.git("commit -q --no-verify -m certctl --trailer Certctl-Roster:acme");
            assert_eq!(is_ours(), expected, "{what}");
        }
        ours.git("checkout -q -B made origin/main");
        ours.put(ALICE, &record("alice\n"));
        symlink("/etc/passwd", ours.0.join(BOB)).unwrap();
        ours.git("add -A");
        ours.git("commit -q --no-verify -m certctl --trailer Certctl-Roster:acme");
        assert!(!is_ours(), "a link");
    }

    fn a_named_branch_is_another_place_than_home(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        let repo = clone.open();
        for name in ["certctl/records", "refs/heads/certctl/records"] {
            let to = repo.preflight_push(Some(name), None).unwrap();
            assert_eq!((to.branch(), to.proposes(), to.at_home().branch()), ("certctl/records", true, "main"));
        }
        assert!(!repo.preflight_push(Some("main"), None).unwrap().proposes());
        for bad in ["", "-f", "a..b", "a b", "x.lock", "@{-1}", "refs/heads/"] {
            let error = repo.preflight_push(Some(bad), None).unwrap_err();
            assert_eq!(error.kind(), certctl::error::ErrorKind::Usage, "{bad}: {error}");
        }
    }
}
