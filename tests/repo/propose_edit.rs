//! An edit by a person on a branch of its own.

use crate::workspace::*;

stories! {
    fn an_edit_is_on_its_branch_and_nowhere_else(workspace: &Workspace) {
        let (ours, _) = workspace.shared();
        let repo = ours.open();
        let head = repo.head().unwrap();
        // What is not committed is not part of it.
        ours.put("README", "work of a week\n");
        let status = ours.status();
        let branch = "on-call/alice".parse().unwrap();
        let files = [("users.yaml".to_owned(), "kind: Roster # edited\n".to_owned())];
        let pushed = repo.propose_edit(&branch, &head, &files, "roster: granted on-call to alice\n").unwrap();
        assert_eq!(workspace.origin_log_of("on-call/alice"), ["roster: granted on-call to alice", "roster"]);
        assert_eq!(workspace.origin_log(), ["roster"]);
        assert_eq!((repo.head().unwrap(), ours.status()), (head.clone(), status));
        let show = format!("--git-dir=origin.git show {}:users.yaml", pushed.commit);
        assert_eq!(workspace.git(&show), "kind: Roster # edited\n");
        assert_eq!(workspace.git("--git-dir=origin.git diff --name-only main on-call/alice"), "users.yaml\n");

        // A branch that is there is somebody's, and the roster's own is not for this.
        let more = [("users.yaml".to_owned(), "kind: Roster # again\n".to_owned())];
        let error = refused(repo.propose_edit(&branch, &head, &more, "again\n"));
        assert!(error.contains("origin/on-call/alice is there already; nothing was changed"), "{error}");
        let error = refused(repo.propose_edit(&"main".parse().unwrap(), &head, &more, "again\n"));
        assert!(error.contains("the roster itself is on that branch"), "{error}");
        let gone = [("missing.yaml".to_owned(), String::new())];
        let error = refused(repo.propose_edit(&"other".parse().unwrap(), &head, &gone, "again\n"));
        assert!(error.contains("missing.yaml is no file of the last commit"), "{error}");
        assert_eq!(workspace.origin_log_of("on-call/alice").len(), 2);
    }

    fn an_edit_that_the_remote_declines_says_what_helps(workspace: &Workspace) {
        let (ours, _) = workspace.shared();
        let head = ours.open().head().unwrap();
        let files = [("users.yaml".to_owned(), "kind: Roster # edited\n".to_owned())];
        let branch = "on-call/alice".parse().unwrap();
        for (said, helps) in [
            ("Missing Signed-off-by line", "leave `--branch` out, and commit the edit with `git commit --signoff`"),
            ("branch on-call/alice is protected from unverified commit", "git config commit.gpgSign true"),
            ("no branches today", "name a branch that you may push to"),
        ] {
            workspace.hook("pre-receive", &format!("echo '{said}' >&2; exit 1"));
            let error = refused(ours.open().propose_edit(&branch, &head, &files, "roster: edited\n"));
            assert!(error.contains(said) && error.contains("nothing was changed"), "{error}");
            assert!(error.contains(helps), "{error}");
        }
    }

    /// A pull in between: the edit is of what was read, and takes nothing of that back.
    fn an_edit_is_made_on_the_commit_that_it_was_read_from(workspace: &Workspace) {
        let (ours, _) = workspace.shared();
        let read = ours.open().head().unwrap();
        ours.put("users.yaml", "kind: Roster\n# pulled meanwhile\n");
        ours.commit_all("pulled");
        ours.git("push -q");
        let files = [("users.yaml".to_owned(), "kind: Roster # edited\n".to_owned())];
        let branch = "on-call/bob".parse().unwrap();
        ours.open().propose_edit(&branch, &read, &files, "roster: edited\n").unwrap();
        assert_eq!(workspace.origin_log_of("on-call/bob"), ["roster: edited", "roster"]);
    }
}
