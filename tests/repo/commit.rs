//! Commits of records, and what a run may read.

use std::rc::Rc;

use certctl::repo::Snapshot;

use crate::workspace::*;

stories! {
    fn a_commit_holds_our_paths_and_leaves_everything_else_as_it_was(workspace: &Workspace) {
        let clone = workspace.alone();
        clone.put("staged", "a");
        clone.put("both", "a");
        clone.commit_all("more");
        clone.put("staged", "b");
        clone.put("both", "b");
        clone.git("add staged both");
        clone.put("both", "c");
        clone.put("README", "modified");
        clone.put("untracked", "u");
        clone.put("new-staged", "n");
        clone.git("add new-staged");
        let before = (clone.status(), clone.git("diff"), clone.git("diff --cached"));
        assert_eq!(before.0.lines().count(), 5);

        let repo = clone.open();
        let parent = repo.head().unwrap();
        let sealed = certctl::model::hex(&certctl::model::sha256(&[0xff, 0]));
        let alice = format!("sealedSHA256: {sealed}\n");
        let mut changes = write(ALICE, &alice);
        changes.write("access/prod/alice.kubeconfig.age", vec![0xff, 0]);
        let committed = repo.commit(&changes, &message("certctl: issue alice")).unwrap().unwrap();

        assert_eq!((clone.status(), clone.git("diff"), clone.git("diff --cached")), before);
        assert_eq!(committed.id, repo.head().unwrap());
        assert_eq!(
            clone.git("show --format=%P%n%an%n%ae%n%cn%n%B --name-status HEAD"),
            format!(
                "{parent}\nAnn\nann@example.com\nAnn\n{}\n\nA\taccess/prod/alice.kubeconfig.age\nA\t{ALICE}\n",
                message("certctl: issue alice")
            )
        );
        assert_eq!(clone.has(ALICE).unwrap(), alice);
        assert_eq!(fs::read(clone.0.join("access/prod/alice.kubeconfig.age")).unwrap(), [0xff, 0]);
        assert_eq!(fs::metadata(clone.0.join(ALICE)).unwrap().permissions().mode() & 0o777, 0o644);
        assert!(clone.git("reflog -1").contains("certctl: certctl: issue alice"));
        assert_eq!(clone.git(&format!("show {}:{ALICE}", committed.id)), record(&alice));
        assert_eq!(clone.git(&format!("ls-tree -r --name-only {parent}")).matches(ALICE).count(), 0);
        let left = clone.git("ls-files --others --exclude-standard");
        assert_eq!(left, "untracked\n");
        assert!(!fs::read_dir(clone.0.join(".git")).unwrap().flatten()
            .any(|file| file.file_name().to_string_lossy().starts_with(".certctl-")));
    }

    fn nothing_to_commit_is_no_commit(workspace: &Workspace) {
        let clone = workspace.alone();
        let repo = clone.open();
        assert_eq!(repo.commit(&Changes::new(), &message("x")).unwrap(), None);
        let first = commit(&repo, ALICE, "alice\n");
        let mut changes = write(ALICE, "alice\n");
        changes.delete(BOB);
        assert_eq!(repo.commit(&changes, &message("x")).unwrap(), None);
        assert_eq!(repo.head().unwrap().as_str(), first);
    }

    fn deleting_the_last_file_removes_its_folder(workspace: &Workspace) {
        let clone = workspace.alone();
        let repo = clone.open();
        commit(&repo, ALICE, "alice\n");
        commit(&repo, "access/test/alice.yaml", "alice\n");
        let mut changes = Changes::new();
        changes.delete(ALICE).delete("access/prod/never-was.yaml").write(BOB, "bob\n");
        repo.commit(&changes, &message("x")).unwrap().unwrap();
        assert_eq!(clone.git("ls-tree -r --name-only HEAD access"), format!("{BOB}\naccess/test/alice.yaml\n"));
        let mut changes = Changes::new();
        changes.delete("access/test/alice.yaml");
        repo.commit(&changes, &message("x")).unwrap().unwrap();
        assert!(!clone.0.join("access/test").exists());
        assert!(clone.0.join("access/prod").exists());
        assert_eq!(clone.status(), "");
    }

    fn the_roster_may_live_in_a_subfolder(workspace: &Workspace) {
        let clone = workspace.alone();
        clone.put("ops/team a/users.yaml", "kind: Roster\n");
        clone.put("access/prod/not-ours", "x");
        clone.commit_all("subfolder");
        let repo = Repo::discover(&clone.0.join("ops/team a/users.yaml")).unwrap();
        assert_eq!(repo.roster_dir(), clone.0.join("ops/team a"));
        assert_eq!(repo.workdir(), clone.0);
        commit(&repo, ALICE, "alice\n");
        assert_eq!(clone.has("ops/team a/access/prod/alice.yaml").unwrap(), "alice\n");
        assert_eq!(clone.status(), "");
        clone.put("access/prod/not-ours", "y");
        clone.put("ops/team a/access/prod/alice.yaml", "z");
        clone.put("shared.crt", "ca");
        assert_eq!(repo.dirty(&[]).unwrap(), [ALICE]);
        assert_eq!(repo.dirty(&["../../shared.crt"]).unwrap(), ["../../shared.crt", ALICE]);
        assert!(refused(repo.dirty(&["../../../outside"])).contains("not a path inside the repository"));
        let head = repo.head().unwrap();
        let there = Snapshot::new(Rc::new(repo), head);
        assert_eq!(there.read(ALICE, 200).unwrap().unwrap(), record("alice\n").as_bytes());
        assert_eq!(there.read("../../README", 99).unwrap().unwrap(), b"read me\n");
    }

    fn only_paths_below_access_are_committed(workspace: &Workspace) {
        let clone = workspace.alone();
        let repo = clone.open();
        for path in ["users.yaml", "access", "access/../users.yaml", "../x", "/etc/passwd", "access/.git/hooks/x", ""] {
            let error = refused(repo.commit(&write(path, "x"), &message("x")));
            assert!(error.contains("is not"), "{path}: {error}");
        }
        let error = refused(repo.commit(&write(ALICE, "x"), "no trailer\n"));
        assert!(error.contains("Certctl-Roster"), "{error}");
        assert_eq!(clone.git("rev-list --count HEAD"), "1\n");
        assert_eq!(clone.status(), "");
    }

    fn dirty_sees_what_a_run_reads_and_nothing_else(workspace: &Workspace) {
        let clone = workspace.alone();
        for name in ["modified", "staged", "gone", "[glob]"] {
            clone.put(&format!("access/prod/{name}.yaml"), "x");
        }
        clone.put("clusters/prod.crt", "x");
        clone.put(".gitignore", "*.swp\n");
        clone.commit_all("records");
        let repo = clone.open();
        let all = ["clusters/prod.crt"];
        assert_eq!(repo.dirty(&all).unwrap(), [""; 0]);

        clone.put("README", "modified");
        clone.put("untracked", "x");
        clone.put("access-not/x", "x");
        clone.put("access/prod/.alice.yaml.swp", "x");
        assert_eq!(repo.dirty(&all).unwrap(), [""; 0]);

        clone.put("access/prod/modified.yaml", "y");
        clone.put("access/prod/[glob].yaml", "y");
        clone.put("access/prod/staged.yaml", "y");
        clone.git("add access/prod/staged.yaml");
        clone.put("access/prod/staged.yaml", "x");
        fs::remove_file(clone.0.join("access/prod/gone.yaml")).unwrap();
        clone.put("access/new/untracked.yaml", "x");
        clone.put("clusters/prod.crt", "y");
        clone.put("users.yaml", "y");
        assert_eq!(repo.dirty(&all).unwrap(), [
            "access/new/untracked.yaml",
            "access/prod/[glob].yaml",
            "access/prod/gone.yaml",
            "access/prod/modified.yaml",
            "access/prod/staged.yaml",
            "clusters/prod.crt",
            "users.yaml",
        ]);
        for n in 0..20 {
            clone.put(&format!("access/a{n:02}"), "x");
        }
        let bounded = repo.dirty(&[]).unwrap();
        assert_eq!((bounded.len(), bounded[10].as_str()), (11, "and 16 more"));
    }

    fn a_roster_that_no_commit_holds_is_dirty_even_where_git_ignores_it(workspace: &Workspace) {
        let clone = workspace.alone();
        clone.put(".gitignore", "other.yaml\n");
        clone.put("other.yaml", "x");
        let repo = Repo::discover(&clone.0.join("other.yaml")).unwrap();
        assert_eq!(repo.dirty(&[]).unwrap(), ["other.yaml"]);
    }

    fn a_merge_under_way_is_refused(workspace: &Workspace) {
        let clone = workspace.alone();
        clone.git("switch -qc other");
        clone.put("README", "other");
        clone.commit_all("other");
        clone.git("switch -q main");
        clone.git("merge -q --no-ff --no-commit other");
        let error = refused(clone.open().dirty(&[]));
        assert!(error.contains("in the middle of a merge") && error.contains("git merge --abort"), "{error}");
    }

    fn places_without_a_usable_repository_are_named(workspace: &Workspace) {
        fs::create_dir(workspace.0.join("plain")).unwrap();
        let error = refused(Repo::discover(&workspace.0.join("plain/users.yaml")));
        assert!(error.contains("not inside a git repository") && error.contains("git init"), "{error}");
        let error = refused(Repo::discover(&workspace.0.join("nowhere/users.yaml")));
        assert!(error.contains("nowhere could not be opened"), "{error}");
        workspace.git("init -q --bare bare.git");
        let error = refused(Repo::discover(&workspace.0.join("bare.git/users.yaml")));
        assert!(error.contains("bare"), "{error}");
        workspace.git("init -q unborn");
        let error = refused(Repo::discover(&workspace.0.join("unborn/users.yaml")));
        assert!(error.contains("no commit yet") && error.contains("commit users.yaml first"), "{error}");
        let clone = workspace.alone();
        symlink("users.yaml", clone.0.join("link.yaml")).unwrap();
        let error = refused(Repo::discover(&clone.0.join("link.yaml")));
        assert!(error.contains("symbolic link"), "{error}");
    }

    fn nothing_is_written_through_a_link(workspace: &Workspace) {
        let clone = workspace.alone();
        let outside = workspace.0.join("outside");
        fs::create_dir_all(outside.join("prod")).unwrap();
        symlink(&outside, clone.0.join("access")).unwrap();
        let repo = clone.open();
        assert!(refused(repo.dirty(&[])).contains("access is not a folder but a link"));
        let error = refused(repo.commit(&write(ALICE, "x"), &message("x")));
        assert!(error.contains("behind a symbolic link") && error.contains("nothing was committed"), "{error}");

        fs::remove_file(clone.0.join("access")).unwrap();
        fs::create_dir(clone.0.join("access")).unwrap();
        symlink(outside.join("prod"), clone.0.join("access/prod")).unwrap();
        assert!(refused(repo.dirty(&[])).contains("access/prod is not a folder but a link"));
        refused(repo.commit(&write(ALICE, "x"), &message("x")));

        fs::remove_file(clone.0.join("access/prod")).unwrap();
        fs::create_dir(clone.0.join("access/prod")).unwrap();
        symlink(outside.join("target"), clone.0.join(ALICE)).unwrap();
        refused(repo.commit(&write(ALICE, "x"), &message("x")));
        assert_eq!(fs::read_dir(outside.join("prod")).unwrap().count(), 0);
        assert!(!outside.join("target").exists());
        assert_eq!(clone.git("rev-list --count HEAD"), "1\n");
    }

    fn a_record_that_someone_is_editing_is_not_overwritten(workspace: &Workspace) {
        let clone = workspace.alone();
        let repo = clone.open();
        commit(&repo, ALICE, "alice\n");
        clone.put(ALICE, "edited");
        let error = refused(repo.commit(&write(ALICE, "new\n"), &message("x")));
        assert!(error.contains(&format!("{ALICE} is changed")) && error.contains("nothing was committed"), "{error}");
        clone.put(ALICE, &record("alice\n"));
        clone.put(BOB, "untracked");
        refused(repo.commit(&write(BOB, "new\n"), &message("x")));
        assert_eq!(clone.has(BOB).unwrap(), "untracked");
        // Staged, though the file itself looks untouched.
        fs::remove_file(clone.0.join(BOB)).unwrap();
        clone.put(ALICE, "staged");
        clone.git("add access");
        clone.put(ALICE, &record("alice\n"));
        refused(repo.commit(&write(ALICE, "new\n"), &message("x")));
        assert_eq!(clone.git(&format!("show :{ALICE}")), "staged");
    }

    fn a_commit_made_meanwhile_is_built_upon_unless_it_is_about_the_same(workspace: &Workspace) {
        let clone = workspace.alone();
        let repo = clone.open();
        clone.put("README", "meanwhile");
        clone.put(BOB, "theirs");
        clone.commit_all("meanwhile");
        let error = refused(repo.commit(&write(BOB, "ours"), &message("x")));
        assert!(error.contains(&format!("{BOB} was changed in main meanwhile")), "{error}");
        commit(&repo, ALICE, "alice\n");
        assert_eq!(clone.git("log --format=%s"), "certctl: issue\nmeanwhile\nroster\n");
        assert_eq!(clone.status(), "");
        clone.git("switch -qc elsewhere");
        let error = refused(repo.commit(&write(BOB, "ours"), &message("x")));
        assert!(error.contains("switched from main to elsewhere"), "{error}");
    }

    fn an_index_that_is_locked_for_a_moment_is_waited_for(workspace: &Workspace) {
        let clone = workspace.alone();
        let repo = clone.open();
        let lock = clone.0.join(".git/index.lock");
        fs::write(&lock, "").unwrap();
        // The lock goes when the file is there: the index comes after the files.
        let file = clone.0.join(ALICE);
        let releaser = std::thread::spawn(move || {
            while !file.exists() {
                std::thread::yield_now();
            }
            fs::remove_file(lock).unwrap();
        });
        commit(&repo, ALICE, "alice\n");
        releaser.join().unwrap();
        assert_eq!(clone.status(), "");
    }

    fn ten_thousand_records_are_quick(workspace: &Workspace) {
        let clone = workspace.alone();
        let repo = clone.open();
        let mut changes = Changes::new();
        for n in 0..5_000 {
            changes.write(format!("access/prod/user-{n}.yaml"), format!("record of {n}\n").repeat(50));
            changes.write(format!("access/prod/user-{n}.kubeconfig.age"), format!("sealed {n}\n").repeat(50));
        }
        let time = |what: &str, start: std::time::Instant| println!("measured: {what}: {:?}", start.elapsed());
        let start = std::time::Instant::now();
        repo.commit(&changes, &message("x")).unwrap().unwrap();
        time("commit of 10,000 files", start);
        assert_eq!(clone.status(), "");
        let start = std::time::Instant::now();
        assert_eq!(repo.dirty(&[]).unwrap(), [""; 0]);
        time("dirty with 10,000 files", start);
        let start = std::time::Instant::now();
        assert_eq!(repo.recover().unwrap(), [""; 0]);
        time("recover with nothing to do", start);
        let start = std::time::Instant::now();
        commit(&repo, "access/prod/user-7.yaml", "new\n");
        time("commit of one file among 10,000", start);
        assert_eq!(clone.git("ls-files access").lines().count(), 10_000);
    }
}
