//! Whether the records in a clone are the last ones.

use certctl::repo::CommitId;

use crate::workspace::*;

fn push(clone: &Clone, path: &str, text: &str) {
    clone.git("pull -q --rebase");
    clone.put(path, text);
    clone.commit_all(&format!("change-{path}"));
    clone.git("push -q");
}

stories! {
    fn newer_records_are_followed_and_a_newer_roster_is_refused(workspace: &Workspace) {
        let (ours, theirs) = workspace.shared();
        let repo = ours.open();
        let (head, to) = (repo.head().unwrap(), target(&repo));
        let stale = |head: &CommitId| repo.refuse_stale(head, Some(&to), &["clusters/prod.crt"]);
        assert_eq!(stale(&head).unwrap(), None);

        // Other files may move on.
        push(&theirs, "README", "more\n");
        assert_eq!(stale(&head).unwrap(), None);
        // Records are followed, and all the rest with them.
        push(&theirs, ALICE, "one\n");
        let newer = stale(&head).unwrap().unwrap();
        let now = repo.follow_records(&newer, &to).unwrap();
        assert_eq!((ours.has(ALICE).unwrap().as_str(), ours.has("README").unwrap().as_str()), ("one\n", "more\n"));
        assert_eq!((ours.status(), repo.branch().unwrap().as_deref()), (String::new(), Some("main")));
        assert_eq!(stale(&now).unwrap(), None);
        assert!(refused(stale(&head)).contains("HEAD moved"));
        // The run goes on from there.
        commit(&repo, BOB, "bob\n");
        assert_eq!(repo.push(&to).unwrap().tries, 1);

        // What the plan is made of besides is for the apply of that commit.
        for (path, text) in [("users.yaml", "kind: Roster # merged\n"), ("clusters/prod.crt", "another CA\n")] {
            let head = repo.head().unwrap();
            push(&theirs, path, text);
            push(&theirs, ALICE, text);
            let error = refused(stale(&head));
            assert!(error.contains(&format!("holds a newer access, {path} than this clone")), "{error}");
            assert!(error.contains("git pull --rebase") && error.contains("the run of the newer commit"), "{error}");
            assert_eq!(repo.head().unwrap(), head);
            ours.git("pull -q --rebase");
        }
        assert_eq!(repo.refuse_stale(&repo.head().unwrap(), None, &[]).unwrap(), None);
    }

    fn ci_follows_newer_records_from_a_shallow_and_detached_head(workspace: &Workspace) {
        let (_, theirs) = workspace.shared();
        push(&theirs, "README", "second\n");
        for (ci, host) in [("github", None), ("gitlab", Some("main"))] {
            let clone = if host.is_none() { workspace.actions_checkout(ci) } else { workspace.gitlab_checkout(ci) };
            push(&theirs, ALICE, ci);
            let repo = clone.open();
            let to = repo.preflight_push(None, host).unwrap();
            let newer = repo.refuse_stale(&repo.head().unwrap(), Some(&to), &[]).unwrap().unwrap();
            repo.follow_records(&newer, &to).unwrap();
            assert_eq!((clone.has(ALICE).unwrap().as_str(), clone.status().as_str()), (ci, ""));
            commit(&repo, BOB, ci);
            assert_eq!(repo.push(&to).unwrap().tries, 1);
        }
    }

    fn a_local_change_in_the_way_keeps_the_records_where_they_are(workspace: &Workspace) {
        let (ours, theirs) = workspace.shared();
        push(&theirs, "README", "theirs\n");
        push(&theirs, ALICE, "one\n");
        let repo = ours.open();
        let (head, to) = (repo.head().unwrap(), target(&repo));
        ours.put("README", "mine\n");
        let newer = repo.refuse_stale(&head, Some(&to), &[]).unwrap().unwrap();
        let error = refused(repo.follow_records(&newer, &to));
        assert!(error.contains("origin/main holds a newer access") && error.contains("README is changed"), "{error}");
        assert_eq!((repo.head().unwrap(), ours.has(ALICE)), (head, None));
    }

    fn newer_records_beside_commits_of_our_own_are_refused(workspace: &Workspace) {
        let (ours, theirs) = workspace.shared();
        let repo = ours.open();
        let to = target(&repo);
        commit(&repo, BOB, "bob\n");
        // What an apply of ours could not push yet is no reason as long as only other files move on.
        push(&theirs, "README", "more\n");
        assert_eq!(repo.refuse_stale(&repo.head().unwrap(), Some(&to), &[]).unwrap(), None);
        assert!(repo.ahead(&to).unwrap());
        push(&theirs, ALICE, "one\n");
        assert!(refused(repo.refuse_stale(&repo.head().unwrap(), Some(&to), &[])).contains("holds a newer access"));
    }

    fn a_branch_that_was_set_back_lacks_what_it_once_had(workspace: &Workspace) {
        let (ours, _) = workspace.shared();
        let repo = ours.open();
        let to = target(&repo);
        commit(&repo, ALICE, "alice\n");
        repo.push(&to).unwrap();
        workspace.git("--git-dir=origin.git update-ref refs/heads/main main~1");
        // The remote-tracking branch does not know that.
        assert_eq!(ours.git("rev-parse origin/main"), ours.git("rev-parse HEAD"));
        assert_eq!(repo.refuse_stale(&repo.head().unwrap(), Some(&to), &[]).unwrap(), None);
        assert!(repo.ahead(&to).unwrap());
        repo.push(&to).unwrap();
        assert_eq!(workspace.origin_has(ALICE), "alice\n");
        assert!(!repo.ahead(&to).unwrap());
    }

    fn a_clone_that_is_behind_says_so_and_fetches_nothing(workspace: &Workspace) {
        let (ours, theirs) = workspace.shared();
        let behind = || ours.open().behind().map(|branch| branch.map(|branch| branch.to_string()));
        assert_eq!(behind().unwrap(), None);
        push(&theirs, "README", "more\n");
        let seen = ours.git("rev-parse origin/main");
        assert_eq!(behind().unwrap().as_deref(), Some("origin/main"));
        assert_eq!(ours.git("rev-parse origin/main"), seen);
        ours.git("pull -q --rebase");
        ours.put("README", "ours\n");
        ours.commit_all("ours");
        assert_eq!(behind().unwrap(), None, "ahead is not behind");
        ours.git("checkout -q --detach");
        assert!(refused(behind()).contains("HEAD is detached"));
        ours.git("checkout -q main");

        // Nobody is asked for a passphrase.
        let asked = workspace.0.join("asked");
        let ssh = workspace.0.join("ssh");
        executable(&ssh, &format!("echo $SSH_ASKPASS_REQUIRE $SSH_ASKPASS >{}\nexit 1", asked.display()));
        ours.git(&format!("config core.sshCommand {}", ssh.display()));
        ours.git("remote set-url origin ssh://git.example.com/origin.git");
        assert!(refused(behind()).contains("origin/main could not be read"));
        assert_eq!(fs::read_to_string(asked).unwrap(), "force false\n");
    }

    fn a_remote_that_cannot_be_asked_stops_all_but_no_push(workspace: &Workspace) {
        let (ours, _) = workspace.shared();
        let repo = ours.open();
        let (head, to) = (repo.head().unwrap(), target(&repo));
        workspace.git("clone -q --mirror origin.git moved.git");
        fs::remove_dir_all(workspace.0.join("origin.git")).unwrap();
        assert!(refused(repo.refuse_stale(&head, Some(&to), &[])).contains("--only-revocations"));
        assert_eq!(repo.refuse_stale(&head, None, &[]).unwrap(), None);
    }
}
