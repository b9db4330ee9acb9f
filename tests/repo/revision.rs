//! What other commits hold: read from git's objects, with the working tree left alone.

use std::os::unix::fs::symlink;
use std::rc::Rc;

use certctl::repo::Snapshot;

use crate::workspace::*;

stories! {
    fn another_commit_is_read_without_touching_the_working_tree(workspace: &Workspace) {
        let clone = workspace.alone();
        let began = clone.open().head().unwrap();
        clone.git("checkout -q -b branch");
        commit(&clone.open(), ALICE, "alice\n");
        symlink("/etc/passwd", clone.0.join("access/prod/link.yaml")).unwrap();
        clone.commit_all("link");
        clone.git("checkout -q main");
        clone.put("users.yaml", "moved on\n");
        clone.commit_all("on");
        clone.git("checkout -q branch");
        clone.put("users.yaml", "dirty\n");
        let before = clone.status();

        let repo = clone.open();
        assert_eq!(repo.branch_point("main").unwrap(), began, "what main did since is not the branch's");
        assert_eq!(repo.branch_point("HEAD~1").unwrap().as_str(), clone.git("rev-parse HEAD~1").trim());
        let tip = repo.branch_point("branch").unwrap();
        assert!(refused(repo.branch_point("nowhere")).contains("`nowhere` is no commit"));
        let repo = Rc::new(repo);
        let there = Snapshot::new(Rc::clone(&repo), tip);
        assert_eq!(there.list("access/prod").unwrap().unwrap(), ["alice.yaml", "link.yaml"]);
        assert_eq!(Snapshot::new(repo, began).list("access").unwrap(), None);
        assert_eq!(there.read(ALICE, 200).unwrap().unwrap(), record("alice\n").as_bytes());
        assert_eq!(there.read("access/prod/nobody.yaml", 6).unwrap(), None);
        assert!(refused(there.read(ALICE, 5)).contains("is longer than 5 bytes"));
        for no_file in ["access/prod/link.yaml", "access/prod"] {
            assert!(refused(there.read(no_file, 99)).contains("not a regular file"));
        }
        assert!(refused(there.read("../outside", 99)).contains("not a path inside"));
        assert_eq!(clone.status(), before);
        clone.git("checkout -q --orphan apart");
        clone.commit_all("apart");
        assert!(refused(clone.open().branch_point("main")).contains("no commit in common"));
    }

    fn a_folder_that_a_commit_made_a_link_is_not_taken_for_empty(workspace: &Workspace) {
        let clone = workspace.alone();
        symlink("elsewhere", clone.0.join("access")).unwrap();
        clone.commit_all("link");
        let repo = clone.open();
        let head = repo.head().unwrap();
        let there = Snapshot::new(Rc::new(repo), head);
        let refusals =
            [refused(there.list("access")), refused(there.list("access/prod")), refused(there.read(ALICE, 9))];
        for refusal in refusals {
            assert!(refusal.contains("access in ") && refusal.contains("is not a folder"), "{refusal}");
        }
    }

    fn a_shallow_clone_says_how_to_get_the_rest(workspace: &Workspace) {
        let clone = workspace.alone();
        commit(&clone.open(), ALICE, "alice\n");
        let url = format!("file://{}", clone.0.display());
        clone.git(&format!("clone -q --depth 1 {url} {}", workspace.0.join("shallow").display()));
        let error = Clone(workspace.0.join("shallow")).open().branch_point("HEAD^").unwrap_err();
        assert!(error.hints().iter().any(|hint| hint.contains("fetch-depth: 0")), "{error:?}");
    }

    fn the_history_tells_what_changed_the_roster_or_the_records(workspace: &Workspace) {
        let clone = workspace.alone();
        clone.put("README", "x");
        clone.commit_all("readme");
        commit(&clone.open(), ALICE, "alice\n");
        clone.put("README", "y");
        clone.commit_all("readme");
        let repo = clone.open();
        let history = repo.history(10).unwrap();
        let ids = clone.git("rev-list --skip=1 HEAD");
        assert_eq!(history.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ids.lines().collect::<Vec<_>>());
        assert_eq!(repo.history(1).unwrap(), history[..1]);
        let contents: Vec<String> = history.iter().map(|id| repo.content_at(id, &[]).unwrap()).collect();
        assert_ne!(contents[0], contents[1], "a record was added");
        assert_eq!(contents[1], contents[2], "nothing that a plan is made of");
    }
}
