//! The repository, against real git: temporary clones, a bare origin, the git program.
//!
//! Each test runs in a process of its own with a scrubbed environment, because libgit2 and the git
//! program both read HOME and GIT_* of the process they run in.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use certctl::repo::{Changes, PushTarget, Repo, TRAILER};

/// Declares tests whose bodies run in a child process with nothing of the caller's environment.
macro_rules! stories {
    ($($(#[$attribute:meta])* fn $name:ident($place:ident: &Place) $body:block)*) => {
        $($(#[$attribute])* #[test] fn $name() { isolated(stringify!($name), |$place: &Place| $body); })*
    };
}

const ISOLATED: &str = "CERTCTL_TEST_PLACE";

fn isolated(name: &str, story: impl FnOnce(&Place)) {
    if let Some(root) = std::env::var_os(ISOLATED) {
        return story(&Place(root.into()));
    }
    let root = tempfile::tempdir().unwrap();
    fs::write(
        root.path().join(".gitconfig"),
        "[user]\n\tname = Ann\n\temail = ann@example.com\n[init]\n\tdefaultBranch = main\n",
    )
    .unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--include-ignored"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", root.path())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env(ISOLATED, root.path().canonicalize().unwrap())
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    // What a story measured, for `--nocapture`.
    for line in text.lines().filter(|line| line.starts_with("measured:")) {
        println!("{line}");
    }
}

/// A temporary folder that is also HOME.
struct Place(PathBuf);

/// A working tree.
struct Clone(PathBuf);

impl Place {
    /// One commit with a roster in it, no remote.
    fn alone(&self) -> Clone {
        let clone = Clone(self.0.join("alone"));
        fs::create_dir(&clone.0).unwrap();
        clone.git("init -q");
        clone.put("users.yaml", "kind: Roster\n");
        clone.put("README", "read me\n");
        clone.git("add .");
        clone.git("commit -qm roster");
        clone
    }

    /// The same with an origin, and a colleague's clone of it.
    fn shared(&self) -> (Clone, Clone) {
        let ours = self.alone();
        self.git("init -q --bare origin.git");
        ours.git(&format!("remote add origin {}/origin.git", self.0.display()));
        ours.git("push -q -u origin main");
        (ours, self.clone_as("theirs"))
    }

    fn clone_as(&self, name: &str) -> Clone {
        self.git(&format!("clone -q origin.git {name}"));
        Clone(self.0.join(name))
    }

    fn git(&self, arguments: &str) -> String {
        git(&self.0, arguments)
    }

    /// What the origin's main holds in a file.
    fn origin_has(&self, path: &str) -> String {
        self.git(&format!("--git-dir=origin.git show main:{path}"))
    }

    fn origin_log(&self) -> Vec<String> {
        self.git("--git-dir=origin.git log --format=%s main").lines().map(str::to_owned).collect()
    }

    /// Installs a hook in the origin.
    fn hook(&self, name: &str, script: &str) {
        let hook = self.0.join("origin.git/hooks").join(name);
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

impl Clone {
    fn git(&self, arguments: &str) -> String {
        git(&self.0, arguments)
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn has(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.0.join(path)).ok()
    }

    fn open(&self) -> Repo {
        Repo::discover(&self.0.join("users.yaml")).unwrap()
    }

    fn status(&self) -> String {
        self.git("status --porcelain --untracked-files=all")
    }

    fn commit_all(&self, message: &str) {
        self.git("add -A");
        self.git(&format!("commit -qm {message}"));
    }
}

fn git(folder: &Path, arguments: &str) -> String {
    let output = (Command::new("git").current_dir(folder).args(arguments.split(' '))).output().unwrap();
    assert!(output.status.success(), "git {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn message(subject: &str) -> String {
    format!("{subject}\n\nWho and what.\n\n{TRAILER}: acme\n")
}

fn write(path: &str, text: &str) -> Changes {
    let mut changes = Changes::new();
    changes.write(path, text);
    changes
}

fn commit(repo: &Repo, path: &str, text: &str) -> String {
    let committed = repo.commit(&write(path, text), &message("certctl: issue")).unwrap().unwrap();
    assert_eq!(committed.note, None);
    committed.id.to_string()
}

fn target(repo: &Repo) -> PushTarget {
    repo.preflight_push().unwrap()
}

/// The error as a person sees it.
fn refused<T: std::fmt::Debug>(result: certctl::error::Result<T>) -> String {
    result.unwrap_err().render(false)
}

const ALICE: &str = "access/prod/alice.yaml";
const BOB: &str = "access/prod/bob.yaml";

stories! {
    fn a_commit_holds_our_paths_and_leaves_everything_else_as_it_was(place: &Place) {
        let clone = place.alone();
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
        let mut changes = write(ALICE, "alice\n");
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
        assert_eq!(clone.has(ALICE).unwrap(), "alice\n");
        assert_eq!(fs::read(clone.0.join("access/prod/alice.kubeconfig.age")).unwrap(), [0xff, 0]);
        assert_eq!(fs::metadata(clone.0.join(ALICE)).unwrap().permissions().mode() & 0o777, 0o644);
        assert!(clone.git("reflog -1").contains("certctl: certctl: issue alice"));
        assert!(repo.is_ours(&committed.id).unwrap());
        assert!(!repo.is_ours(&parent).unwrap());
        assert_eq!(repo.show("HEAD", ALICE).unwrap().unwrap(), b"alice\n");
        assert_eq!(repo.show("HEAD~1", ALICE).unwrap(), None);
        assert!(refused(repo.show("nowhere", ALICE)).contains("`nowhere` is no revision"));
        let left = clone.git("ls-files --others --exclude-standard");
        assert_eq!(left, "untracked\n");
        assert!(!fs::read_dir(clone.0.join(".git")).unwrap().flatten()
            .any(|file| file.file_name().to_string_lossy().contains("certctl")));
    }

    fn nothing_to_commit_is_no_commit(place: &Place) {
        let clone = place.alone();
        let repo = clone.open();
        assert_eq!(repo.commit(&Changes::new(), &message("x")).unwrap(), None);
        let first = commit(&repo, ALICE, "alice\n");
        let mut changes = write(ALICE, "alice\n");
        changes.delete(BOB);
        assert_eq!(repo.commit(&changes, &message("x")).unwrap(), None);
        assert_eq!(repo.head().unwrap().as_str(), first);
    }

    fn deleting_the_last_file_removes_its_folder(place: &Place) {
        let clone = place.alone();
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

    fn the_roster_may_live_in_a_subfolder(place: &Place) {
        let clone = place.alone();
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
        assert_eq!(repo.show("HEAD", ALICE).unwrap().unwrap(), b"alice\n");
    }

    fn a_detached_head_takes_the_commit_and_refuses_the_push(place: &Place) {
        let (clone, _) = place.shared();
        clone.git("checkout -q --detach");
        let repo = clone.open();
        assert_eq!(repo.branch().unwrap(), None);
        let id = commit(&repo, ALICE, "alice\n");
        assert_eq!(clone.git("rev-parse HEAD").trim(), id);
        assert_ne!(clone.git("rev-parse main").trim(), id);
        assert_eq!(clone.status(), "");
        let error = refused(repo.preflight_push());
        assert!(error.contains("HEAD is detached") && error.contains("--no-push"), "{error}");
    }

    fn only_paths_below_access_are_committed(place: &Place) {
        let clone = place.alone();
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

    fn dirty_sees_what_a_run_reads_and_nothing_else(place: &Place) {
        let clone = place.alone();
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

    fn a_roster_that_no_commit_holds_is_dirty_even_where_git_ignores_it(place: &Place) {
        let clone = place.alone();
        clone.put(".gitignore", "other.yaml\n");
        clone.put("other.yaml", "x");
        let repo = Repo::discover(&clone.0.join("other.yaml")).unwrap();
        assert_eq!(repo.dirty(&[]).unwrap(), ["other.yaml"]);
    }

    fn a_merge_under_way_is_refused(place: &Place) {
        let clone = place.alone();
        clone.git("switch -qc other");
        clone.put("README", "other");
        clone.commit_all("other");
        clone.git("switch -q main");
        clone.git("merge -q --no-ff --no-commit other");
        let error = refused(clone.open().dirty(&[]));
        assert!(error.contains("in the middle of a merge") && error.contains("git merge --abort"), "{error}");
    }

    fn places_without_a_usable_repository_are_named(place: &Place) {
        fs::create_dir(place.0.join("plain")).unwrap();
        let error = refused(Repo::discover(&place.0.join("plain/users.yaml")));
        assert!(error.contains("not inside a git repository") && error.contains("git init"), "{error}");
        let error = refused(Repo::discover(&place.0.join("nowhere/users.yaml")));
        assert!(error.contains("nowhere could not be opened"), "{error}");
        place.git("init -q --bare bare.git");
        let error = refused(Repo::discover(&place.0.join("bare.git/users.yaml")));
        assert!(error.contains("bare"), "{error}");
        place.git("init -q unborn");
        let error = refused(Repo::discover(&place.0.join("unborn/users.yaml")));
        assert!(error.contains("no commit yet") && error.contains("commit users.yaml first"), "{error}");
        let clone = place.alone();
        symlink("users.yaml", clone.0.join("link.yaml")).unwrap();
        let error = refused(Repo::discover(&clone.0.join("link.yaml")));
        assert!(error.contains("symbolic link"), "{error}");
    }

    fn nothing_is_written_through_a_link(place: &Place) {
        let clone = place.alone();
        let outside = place.0.join("outside");
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

    fn a_record_that_someone_is_editing_is_not_overwritten(place: &Place) {
        let clone = place.alone();
        let repo = clone.open();
        commit(&repo, ALICE, "alice\n");
        clone.put(ALICE, "edited");
        let error = refused(repo.commit(&write(ALICE, "new\n"), &message("x")));
        assert!(error.contains(&format!("{ALICE} is changed")) && error.contains("nothing was committed"), "{error}");
        clone.put(ALICE, "alice\n");
        clone.put(BOB, "untracked");
        refused(repo.commit(&write(BOB, "new\n"), &message("x")));
        assert_eq!(clone.has(BOB).unwrap(), "untracked");
        // Staged, though the file itself looks untouched.
        fs::remove_file(clone.0.join(BOB)).unwrap();
        clone.put(ALICE, "staged");
        clone.git("add access");
        clone.put(ALICE, "alice\n");
        refused(repo.commit(&write(ALICE, "new\n"), &message("x")));
        assert_eq!(clone.git(&format!("show :{ALICE}")), "staged");
    }

    fn a_commit_made_meanwhile_is_built_upon_unless_it_is_about_the_same(place: &Place) {
        let clone = place.alone();
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

    fn without_a_name_nothing_is_committed(place: &Place) {
        let clone = place.alone();
        let repo = clone.open();
        repo.preflight_commit().unwrap();
        fs::write(place.0.join(".gitconfig"), "[user]\n\tuseConfigOnly = true\n").unwrap();
        for error in [
            refused(repo.preflight_commit()),
            refused(repo.commit(&write(ALICE, "x"), &message("x"))),
        ] {
            assert!(error.contains("no name and e-mail address") && error.contains("git config user.name"), "{error}");
        }
        assert_eq!(clone.git("rev-list --count HEAD"), "1\n");
        assert_eq!(clone.has(ALICE), None);
    }

    fn commits_are_signed_where_git_is_set_so(place: &Place) {
        let clone = place.alone();
        let program = place.0.join("sign");
        // Stands in for gpg: git asks for a status line and a signature, and gives it the commit.
        fs::write(&program, "#!/bin/sh\ncat >/dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\necho '-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----'\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        clone.git(&format!("config gpg.program {}", program.display()));
        clone.git("config commit.gpgsign true");
        let repo = clone.open();
        commit(&repo, ALICE, "alice\n");
        assert!(clone.git("cat-file commit HEAD").contains("gpgsig -----BEGIN PGP SIGNATURE-----"));
        clone.git("config gpg.program false");
        let error = refused(repo.commit(&write(ALICE, "x"), &message("x")));
        assert!(error.contains("could not make the commit; nothing was committed"), "{error}");
        assert_eq!(clone.status(), "");
    }

    fn a_run_killed_after_the_branch_moved_is_finished_by_the_next(place: &Place) {
        let clone = place.alone();
        let repo = clone.open();
        for path in [ALICE, BOB, "access/prod/carol.yaml", "access/prod/dave.yaml", "access/prod/erin.yaml"] {
            commit(&repo, path, "old\n");
        }
        let before = repo.head().unwrap();
        let mut changes = write(ALICE, "new\n");
        changes.delete(BOB);
        for name in ["carol", "dave", "erin", "frank"] {
            changes.write(format!("access/prod/{name}.yaml"), "new\n");
        }
        repo.commit(&changes, &message("x")).unwrap().unwrap();
        assert_eq!(repo.heal().unwrap(), [""; 0]);
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
            clone.put("access/prod/carol.yaml", "new\n");
            clone.put("access/prod/dave.yaml", "edited\n");
            clone.put("access/prod/erin.yaml", "staged\n");
            clone.git("add access/prod/erin.yaml");
            clone.put("README", "modified");
            let repo = clone.open();
            assert_eq!(repo.heal().unwrap(), [
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
            assert_eq!(repo.heal().unwrap(), [""; 0]);
        }
    }

    fn what_others_committed_is_never_healed(place: &Place) {
        let clone = place.alone();
        let first = clone.git("rev-parse HEAD");
        clone.put(ALICE, "theirs");
        clone.commit_all("theirs");
        let second = clone.git("rev-parse HEAD");
        clone.git(&format!("reset -q --hard {}", first.trim()));
        clone.git(&format!("update-ref refs/heads/main {}", second.trim()));
        assert_eq!(clone.open().heal().unwrap(), [""; 0]);
        assert_eq!(clone.has(ALICE), None);
    }

    fn an_index_that_is_locked_for_a_moment_is_waited_for(place: &Place) {
        let clone = place.alone();
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

    fn a_push_reaches_the_upstream_branch(place: &Place) {
        let (clone, _) = place.shared();
        let repo = clone.open();
        let to = target(&repo);
        assert_eq!((to.to_string().as_str(), to.branch(), to.remote()), ("origin/main", "main", "origin"));
        assert!(!repo.ahead(&to).unwrap());
        let id = commit(&repo, ALICE, "alice\n");
        assert!(repo.ahead(&to).unwrap());
        let pushed = repo.push(&to).unwrap();
        assert_eq!((pushed.commit.to_string(), pushed.tries, pushed.note), (id, 1, None));
        assert!(!repo.ahead(&to).unwrap());
        assert_eq!(place.origin_has(ALICE), "alice\n");
        // As when the reply to the first push was lost: said again, it is no error.
        assert_eq!(repo.push(&to).unwrap().tries, 1);

        // The same where no remote-tracking branch can tell.
        clone.git("update-ref -d refs/remotes/origin/main");
        clone.git("config --unset remote.origin.fetch");
        assert!(!repo.ahead(&to).unwrap());
        commit(&repo, BOB, "bob\n");
        assert!(repo.ahead(&to).unwrap());
    }

    fn the_target_follows_gits_own_settings(place: &Place) {
        let clone = place.alone();
        let repo = clone.open();
        let error = refused(repo.preflight_push());
        assert!(error.contains("no remote") && error.contains("git remote add origin URL") && error.contains("--no-push"), "{error}");
        clone.git("remote add hub https://bot:s3cret@example.com/a.git");
        assert_eq!(target(&repo).to_string(), "hub/main");
        clone.git("remote add other /nowhere");
        assert!(refused(repo.preflight_push()).contains("several remotes (hub, other)"));
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
        assert!(refused(repo.preflight_push()).contains("not a remote repository"));
        clone.git("config --unset branch.main.pushRemote");
        clone.git("config branch.main.merge refs/heads/a..b");
        assert!(refused(repo.preflight_push()).contains("which is no branch"));
    }

    fn the_first_push_makes_the_branch(place: &Place) {
        let (clone, _) = place.shared();
        clone.git("switch -qc new");
        let repo = clone.open();
        let to = target(&repo);
        assert!(!repo.ahead(&to).unwrap());
        commit(&repo, ALICE, "alice\n");
        assert!(repo.ahead(&to).unwrap());
        assert_eq!(repo.push(&to).unwrap().tries, 1);
        assert_eq!(place.git("--git-dir=origin.git log -1 --format=%s new"), "certctl: issue\n");
    }

    fn a_branch_that_moved_gets_our_commit_on_its_new_tip(place: &Place) {
        let (clone, theirs) = place.shared();
        let repo = clone.open();
        let to = target(&repo);
        let first = commit(&repo, ALICE, "alice\n");
        commit(&repo, ALICE, "alice again\n");
        theirs.put(BOB, "bob\n");
        theirs.put("users.yaml", "kind: Roster # edited\n");
        theirs.put("run", "#!/bin/sh\n");
        fs::set_permissions(theirs.0.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::remove_file(theirs.0.join("README")).unwrap();
        theirs.commit_all("theirs");
        theirs.git("push -q");
        clone.put("notes", "untracked");

        let pushed = repo.push(&to).unwrap();

        assert_eq!((pushed.tries, pushed.note), (2, None));
        assert_eq!(place.origin_log(), ["certctl: issue", "certctl: issue", "theirs", "roster"]);
        assert_eq!(place.origin_has(ALICE), "alice again\n");
        assert_eq!(place.origin_has(BOB), "bob\n");
        let made_again = "log -1 --skip=1 --format=%an%ae%ad%B";
        assert_eq!(
            place.git(&format!("--git-dir=origin.git {made_again} main")),
            clone.git(&format!("log -1 --format=%an%ae%ad%B {first}"))
        );
        // The local branch came along, and so did the working tree.
        assert_eq!(repo.head().unwrap(), pushed.commit);
        assert_eq!(clone.status(), "?? notes\n");
        assert_eq!(clone.has("users.yaml").unwrap(), "kind: Roster # edited\n");
        assert_eq!(clone.has("README"), None);
        assert!(!repo.ahead(&to).unwrap());
        assert_eq!(clone.git("for-each-ref refs/certctl"), "");
        // And the run can go on from there.
        commit(&repo, BOB, "bob, renewed\n");
        assert_eq!(repo.push(&to).unwrap().tries, 1);
    }

    fn a_branch_that_moves_between_fetch_and_push_is_tried_again(place: &Place) {
        let (clone, _) = place.shared();
        let repo = clone.open();
        commit(&repo, ALICE, "alice\n");
        // The origin itself moves on during the first two pushes, after git has told us its tip.
        place.hook("pre-receive", &format!(
            "n=$(cat {0}/n 2>/dev/null || echo 0); [ $n -ge 2 ] && exit 0; echo $((n+1)) > {0}/n\n\
             unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n\
             export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x\n\
             git update-ref refs/heads/main $(git commit-tree -p main -m race-$n main^{{tree}})",
            place.0.display()
        ));
        let pushed = repo.push(&target(&repo)).unwrap();
        assert_eq!((pushed.tries, pushed.note), (3, None));
        assert_eq!(place.origin_log(), ["certctl: issue", "race-1", "race-0", "roster"]);
        assert_eq!(clone.status(), "");
    }

    fn a_branch_that_never_stands_still_is_given_up(place: &Place) {
        let (clone, _) = place.shared();
        let repo = clone.open();
        let id = commit(&repo, ALICE, "alice\n");
        place.hook("pre-receive",
            "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n\
             export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x\n\
             git update-ref refs/heads/main $(git commit-tree -p main -m race main^{tree})");
        let error = refused(repo.push(&target(&repo)));
        assert!(error.contains("moved 5 times") && error.contains("nothing was granted"), "{error}");
        assert_eq!(repo.head().unwrap().as_str(), id);
        assert!(repo.ahead(&target(&repo)).unwrap());
    }

    fn a_record_changed_on_both_sides_is_refused(place: &Place) {
        let (clone, theirs) = place.shared();
        let repo = clone.open();
        let id = commit(&repo, ALICE, "alice\n");
        theirs.put(ALICE, "another alice\n");
        theirs.commit_all("theirs");
        theirs.git("push -q");
        let error = refused(repo.push(&target(&repo)));
        assert!(error.contains(&format!("{ALICE} was changed in origin/main meanwhile; nothing was granted")), "{error}");
        assert!(error.contains("git pull origin main"), "{error}");
        assert_eq!(place.origin_log(), ["theirs", "roster"]);
        assert_eq!(repo.head().unwrap().as_str(), id);
        assert_eq!(clone.status(), "");
    }

    fn commits_that_are_not_ours_are_not_made_again(place: &Place) {
        let (clone, theirs) = place.shared();
        let repo = clone.open();
        clone.put("README", "ours");
        clone.commit_all("by-hand");
        commit(&repo, ALICE, "alice\n");
        theirs.put("other", "x");
        theirs.commit_all("theirs");
        theirs.git("push -q");
        let error = refused(repo.push(&target(&repo)));
        assert!(error.contains("certctl did not make") && error.contains("git pull --rebase origin main"), "{error}");
        assert_eq!(place.origin_log(), ["theirs", "roster"]);
        // Where nobody else pushed, they go along as with any git push.
        clone.git("pull -q --rebase");
        assert_eq!(repo.push(&target(&repo)).unwrap().tries, 1);
        assert_eq!(place.origin_log(), ["certctl: issue", "by-hand", "theirs", "roster"]);
    }

    fn a_local_change_in_the_way_keeps_the_branch_where_it_is(place: &Place) {
        let (clone, theirs) = place.shared();
        let repo = clone.open();
        let to = target(&repo);
        let id = commit(&repo, ALICE, "alice\n");
        theirs.put("README", "theirs");
        theirs.commit_all("theirs");
        theirs.git("push -q");
        clone.put("README", "mine");
        let pushed = repo.push(&to).unwrap();
        let note = pushed.note.unwrap();
        assert!(note.contains("README is changed") && note.contains("git pull"), "{note}");
        assert_eq!(place.origin_log(), ["certctl: issue", "theirs", "roster"]);
        assert_eq!(repo.head().unwrap().as_str(), id);
        assert_eq!(clone.has("README").unwrap(), "mine");
        assert_eq!(clone.status(), " M README\n");

        // The next run commits more; what is there already is not pushed twice.
        commit(&repo, ALICE, "alice, renewed\n");
        repo.push(&to).unwrap();
        assert_eq!(place.origin_has(ALICE), "alice, renewed\n");
        assert_eq!(place.origin_log(), ["certctl: issue", "certctl: issue", "theirs", "roster"]);
        // And once nothing is in the way, the branch follows.
        clone.git("checkout -q README");
        assert!(repo.ahead(&to).unwrap());
        let pushed = repo.push(&to).unwrap();
        assert_eq!((pushed.note, repo.head().unwrap()), (None, pushed.commit));
        assert_eq!(clone.status(), "");
        assert_eq!(place.origin_log().len(), 4);
    }

    fn a_name_that_is_not_utf_8_keeps_the_branch_where_it_is(place: &Place) {
        use std::os::unix::ffi::OsStrExt as _;
        let (clone, theirs) = place.shared();
        let repo = clone.open();
        let id = commit(&repo, ALICE, "alice\n");
        fs::write(theirs.0.join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "x").unwrap();
        theirs.commit_all("theirs");
        theirs.git("push -q");
        let note = repo.push(&target(&repo)).unwrap().note.unwrap();
        assert!(note.contains("not UTF-8"), "{note}");
        assert_eq!(repo.head().unwrap().as_str(), id);
        assert_eq!(clone.status(), "");
    }

    fn a_protected_branch_keeps_the_commit_here(place: &Place) {
        let (clone, _) = place.shared();
        let repo = clone.open();
        let id = commit(&repo, ALICE, "alice\n");
        place.hook("pre-receive", "echo 'error: GH006: Protected branch update failed' >&2; exit 1");
        let error = refused(repo.push(&target(&repo)));
        assert!(error.contains("origin/main is protected") && error.contains("GH006"), "{error}");
        assert!(error.contains("kept in the local branch, and nothing was granted"), "{error}");
        assert!(error.contains("--no-push"), "{error}");
        assert_eq!(place.origin_log(), ["roster"]);
        assert_eq!(repo.head().unwrap().as_str(), id);
    }

    fn an_unreachable_remote_is_told_without_its_password(place: &Place) {
        let (clone, _) = place.shared();
        let repo = clone.open();
        let to = target(&repo);
        commit(&repo, ALICE, "alice\n");
        // Port 1 of loopback: nobody listens there.
        clone.git("remote set-url origin http://bot:s3cret@127.0.0.1:1/a.git");
        let error = refused(repo.push(&to));
        assert!(error.contains("the push to origin/main failed") && error.contains("http://127.0.0.1:1"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
        clone.git("remote set-url origin /nowhere");
        let error = refused(repo.push(&to));
        assert!(error.contains("nothing was granted"), "{error}");
    }

    fn a_push_whose_reply_was_lost_counts(place: &Place) {
        let (clone, theirs) = place.shared();
        let repo = clone.open();
        let id = commit(&repo, ALICE, "alice\n");
        // The origin takes the push, and dies before it can say so.
        place.hook("reference-transaction", "[ \"$1\" != committed ] || kill -9 $PPID");
        let plain = Command::new("git").current_dir(&theirs.0).args(["push", "origin", "HEAD:probe"]).output().unwrap();
        assert!(!plain.status.success(), "git itself takes this for a failure");
        let pushed = repo.push(&target(&repo)).unwrap();
        assert_eq!(pushed.commit.to_string(), id);
        assert_eq!(place.origin_log(), ["certctl: issue", "roster"]);
    }

    fn a_shallow_clone_pushes_onto_a_moved_branch(place: &Place) {
        let (_, theirs) = place.shared();
        theirs.put("README", "second");
        theirs.commit_all("second");
        theirs.git("push -q");
        place.git(&format!("clone -q --depth 1 file://{}/origin.git shallow", place.0.display()));
        let clone = Clone(place.0.join("shallow"));
        assert_eq!(clone.git("rev-list --count HEAD"), "1\n");
        let repo = clone.open();
        assert_eq!(repo.heal().unwrap(), [""; 0]);
        assert!(!repo.ahead(&target(&repo)).unwrap());
        commit(&repo, ALICE, "alice\n");
        theirs.put("README", "third");
        theirs.commit_all("third");
        theirs.git("push -q");
        let pushed = repo.push(&target(&repo)).unwrap();
        assert_eq!((pushed.tries, pushed.note), (2, None));
        assert_eq!(place.origin_log(), ["certctl: issue", "third", "second", "roster"]);
        assert_eq!(clone.status(), "");
        assert_eq!(repo.heal().unwrap(), [""; 0]);
    }

    fn a_kill_while_the_branch_follows_is_finished_too(place: &Place) {
        let (clone, theirs) = place.shared();
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
        assert_eq!(repo.heal().unwrap(), ["README"]);
        assert_eq!(clone.has("README").unwrap(), "theirs");
        assert_eq!(clone.status(), "");
    }

    fn a_linked_worktree_is_a_repository_like_any_other(place: &Place) {
        let (clone, _) = place.shared();
        clone.git("worktree add -q ../linked");
        let linked = Clone(place.0.join("linked"));
        let repo = linked.open();
        assert_eq!(repo.branch().unwrap().as_deref(), Some("linked"));
        commit(&repo, ALICE, "alice\n");
        assert_eq!((linked.status(), clone.status()), (String::new(), String::new()));
        assert_eq!(linked.has(ALICE).unwrap(), "alice\n");
        repo.push(&target(&repo)).unwrap();
    }

    fn records_that_another_apply_has_outrun_are_refused(place: &Place) {
        let (ours, theirs) = place.shared();
        let repo = ours.open();
        let (head, to) = (repo.head().unwrap(), target(&repo));
        repo.refuse_stale(&head, Some(&to), &[]).unwrap();

        // Other files may move on; records may not, nor may HEAD.
        theirs.put("README", "more\n");
        theirs.commit_all("docs");
        theirs.git("push -q");
        repo.refuse_stale(&head, Some(&to), &[]).unwrap();
        theirs.put("access/prod/alice.yaml", "one\n");
        theirs.commit_all("records");
        theirs.git("push -q");
        assert!(refused(repo.refuse_stale(&head, Some(&to), &[])).contains("git pull --rebase"));
        repo.refuse_stale(&head, None, &[]).unwrap();
        ours.git("pull -q --rebase");
        assert!(refused(repo.refuse_stale(&head, Some(&to), &[])).contains("HEAD moved"));

        // What an apply of ours could not push yet is no reason.
        let repo = ours.open();
        commit(&repo, "access/prod/bob.yaml", "two\n");
        theirs.put("README", "still more\n");
        theirs.commit_all("docs");
        theirs.git("push -q");
        repo.refuse_stale(&repo.head().unwrap(), Some(&to), &[]).unwrap();

        place.git("clone -q --mirror origin.git moved.git");
        fs::remove_dir_all(place.0.join("origin.git")).unwrap();
        assert!(refused(repo.refuse_stale(&repo.head().unwrap(), Some(&to), &[])).contains("--no-push"));
    }

    fn ten_thousand_records_are_quick(place: &Place) {
        let clone = place.alone();
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
        assert_eq!(repo.heal().unwrap(), [""; 0]);
        time("heal with nothing to do", start);
        let start = std::time::Instant::now();
        commit(&repo, "access/prod/user-7.yaml", "new\n");
        time("commit of one file among 10,000", start);
        assert_eq!(clone.git("ls-files access").lines().count(), 10_000);
    }
}
