//! What a killed run left half done.

use crate::workspace::*;

stories! {
    fn a_run_killed_after_the_branch_moved_is_finished_by_the_next(workspace: &Workspace) {
        let clone = workspace.alone();
        let repo = clone.open();
        for path in [ALICE, BOB, "access/prod/carol.yaml", "access/prod/dave.yaml", "access/prod/erin.yaml"] {
            commit(&repo, path, "old\n");
        }
        let before = repo.head().unwrap();
        let mut changes = write(ALICE, "new\n");
        changes.delete(BOB);
        for name in ["carol", "dave", "erin", "frank"] {
            changes.write(format!("access/prod/{name}.yaml"), record("new\n"));
        }
        repo.commit(&changes, &message("x")).unwrap().unwrap();
        assert_eq!(repo.recover().unwrap(), [""; 0]);
        let after = repo.head().unwrap();

        // As it stood when only the branch had moved; with and without a reflog that says so.
        for reflog in [true, false] {
            clone.git(&format!("reset -q --hard {before}"));
            if reflog {
                clone.git(&format!("update-ref -m certctl:\u{a0}x refs/heads/main {after}").replace('\u{a0}', "_"));
                // git takes the message as one argument; the space is ours.
                let log = clone.0.join(".git/logs/HEAD");
                fs::write(&log, fs::read_to_string(&log).unwrap().replace("certctl:_x", "certctl: x")).unwrap();
            } else {
                fs::remove_dir_all(clone.0.join(".git/logs")).unwrap();
                clone.git("config core.logAllRefUpdates false");
                clone.git(&format!("update-ref refs/heads/main {after}"));
            }
            // One file had been written already; one the user has edited since; one they staged.
            clone.put("access/prod/carol.yaml", &record("new\n"));
            clone.put("access/prod/dave.yaml", "edited\n");
            clone.put("access/prod/erin.yaml", "staged\n");
            clone.git("add access/prod/erin.yaml");
            clone.put("README", "modified");
            let repo = clone.open();
            assert_eq!(repo.recover().unwrap(), [
                ALICE, BOB, "access/prod/carol.yaml", "access/prod/frank.yaml",
            ], "reflog: {reflog}");
            assert_eq!(clone.has(ALICE).unwrap(), "new\n");
            assert_eq!(clone.has(BOB), None);
            assert_eq!(clone.has("access/prod/dave.yaml").unwrap(), "edited\n");
            assert_eq!(
                clone.status(),
                " M README\nMM access/prod/dave.yaml\nM  access/prod/erin.yaml\n"
            );
            assert_eq!(repo.dirty(&[]).unwrap(), ["access/prod/dave.yaml", "access/prod/erin.yaml"]);
            assert_eq!(repo.recover().unwrap(), [""; 0]);
        }
    }

    fn what_others_committed_is_never_overwritten(workspace: &Workspace) {
        let clone = workspace.alone();
        let first = clone.git("rev-parse HEAD");
        clone.put(ALICE, "theirs");
        clone.commit_all("theirs");
        let second = clone.git("rev-parse HEAD");
        clone.git(&format!("reset -q --hard {}", first.trim()));
        clone.git(&format!("update-ref refs/heads/main {}", second.trim()));
        assert_eq!(clone.open().recover().unwrap(), [""; 0]);
        assert_eq!(clone.has(ALICE), None);
    }

    fn a_kill_while_the_branch_follows_is_finished_too(workspace: &Workspace) {
        let (clone, theirs) = workspace.shared();
        let repo = clone.open();
        commit(&repo, ALICE, "alice\n");
        theirs.put("README", "theirs");
        theirs.commit_all("theirs");
        theirs.git("push -q");
        let before = repo.head().unwrap();
        repo.push(&target(&repo)).unwrap();
        // The working tree as it was, the branch and its reflog as they are.
        clone.git(&format!("read-tree {before}"));
        clone.git("checkout-index -qfa");
        assert_eq!(clone.status(), "M  README\n");
        assert_eq!(repo.recover().unwrap(), ["README"]);
        assert_eq!(clone.has("README").unwrap(), "theirs");
        assert_eq!(clone.status(), "");
    }

    fn the_lock_of_a_run_that_was_killed_is_removed_and_anyone_elses_is_not(workspace: &Workspace) {
        let clone = workspace.alone();
        let repo = clone.open();
        commit(&repo, ALICE, "one\n");
        let git = clone.0.join(".git");
        let (mark, lock) = (git.join("certctl-moves"), git.join("refs/heads/main.lock"));
        assert_eq!(fs::read_to_string(&mark).unwrap(), "", "what is over is not marked");

        // Somebody else's: nothing of ours says otherwise.
        fs::write(&lock, "").unwrap();
        repo.recover().unwrap();
        let refused = repo.commit(&write(ALICE, "two\n"), &message("x")).unwrap_err();
        assert!(refused.message().contains("main is locked by another git"), "{refused}");
        assert!(refused.hints().iter().any(|hint| hint.contains("refs/heads/main.lock")), "{refused}");

        // A mark from long before that lock, and one of another branch, prove nothing.
        fs::write(&mark, "refs/heads/main").unwrap();
        let file = fs::File::options().write(true).open(&lock).unwrap();
        file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(60)).unwrap();
        repo.recover().unwrap();
        assert!(lock.exists());
        fs::write(&mark, "refs/heads/other").unwrap();
        file.set_modified(std::time::SystemTime::now()).unwrap();
        repo.recover().unwrap();
        assert!(lock.exists());

        // Ours, from a run that is dead.
        fs::write(&mark, "refs/heads/main").unwrap();
        repo.recover().unwrap();
        assert!(!lock.exists());
        commit(&clone.open(), ALICE, "two\n");
    }
}
