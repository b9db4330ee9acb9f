//! Pushes: branches that move, are protected, or cannot be reached.

use std::time::{Duration, Instant};

use certctl::interrupt::Interrupt;
use certctl_testing::before_a_push_arrives;

use crate::workspace::*;

stories! {
    fn a_push_reaches_the_upstream_branch(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        let repo = clone.open();
        let to = target(&repo);
        assert_eq!((to.to_string().as_str(), to.branch(), to.remote()), ("origin/main", "main", "origin"));
        assert!(!repo.ahead(&to).unwrap());
        let id = commit(&repo, ALICE, "alice\n");
        assert!(repo.ahead(&to).unwrap());
        let pushed = repo.push(&to).unwrap();
        assert_eq!((pushed.commit.to_string(), pushed.tries, pushed.note), (id, 1, None));
        assert!(!repo.ahead(&to).unwrap());
        assert_eq!(workspace.origin_has(ALICE), "alice\n");
        // As when the reply to the first push was lost: said again, it is no error.
        assert_eq!(repo.push(&to).unwrap().tries, 1);

        // The same where no remote-tracking branch can tell.
        clone.git("update-ref -d refs/remotes/origin/main");
        clone.git("config --unset remote.origin.fetch");
        assert!(!repo.ahead(&to).unwrap());
        commit(&repo, BOB, "bob\n");
        assert!(repo.ahead(&to).unwrap());
    }

    fn a_push_that_hangs_ends_soon_after_a_signal(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        let mut repo = clone.open();
        let id = commit(&repo, ALICE, "alice\n");
        let hung = workspace.0.join("hung");
        workspace.hook("pre-receive", &format!("echo $$ > {}; exec sleep 1000", hung.display()));
        let (interrupter, interrupt) = Interrupt::new();
        interrupter.set();
        repo.heed(interrupt);
        let start = Instant::now();
        let error = refused(repo.push(&target(&repo)));
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
        assert!(error.contains("the push to origin/main failed; the commit is kept in this clone"), "{error}");
        assert!(error.contains("git did not end within 10 s of the signal"), "{error}");
        assert_eq!(repo.head().unwrap().as_str(), id);
        assert_eq!(workspace.origin_log(), ["roster"]);
        // Where a terminal could ask, only git itself is ended.
        let hook = fs::read_to_string(&hung).unwrap();
        let state = fs::read_to_string(format!("/proc/{}/stat", hook.trim())).unwrap_or_default();
        let alive = !state.is_empty() && !state.contains(") Z ");
        assert!(!alive || fs::File::open("/dev/tty").is_ok(), "the hook goes on: {state}");
    }

    fn what_a_person_committed_and_did_not_push_is_ahead_too(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        let repo = clone.open();
        let to = target(&repo);
        clone.put("users.yaml", "kind: Roster # bob left\n");
        clone.commit_all("bob-left");
        assert!(repo.ahead(&to).unwrap());
        assert_eq!(repo.push(&to).unwrap().commit, repo.head().unwrap());
        assert_eq!(workspace.origin_has("users.yaml"), "kind: Roster # bob left\n");
        assert!(!repo.ahead(&to).unwrap());
        // A commit that the branch has gone past is on it.
        clone.git("reset -q --hard HEAD~1");
        assert!(!clone.open().ahead(&to).unwrap());
    }

    fn a_branch_that_moved_gets_our_commit_on_its_new_tip(workspace: &Workspace) {
        let (clone, theirs) = workspace.shared();
        let repo = clone.open();
        let to = target(&repo);
        let first = commit(&repo, ALICE, "alice\n");
        commit(&repo, ALICE, "alice again\n");
        theirs.put(BOB, "bob\n");
        theirs.put("users.yaml", "kind: Roster # edited\n");
        executable(&theirs.0.join("run"), "");
        fs::remove_file(theirs.0.join("README")).unwrap();
        theirs.commit_all("theirs");
        theirs.git("push -q");
        clone.put("notes", "untracked");

        let pushed = repo.push(&to).unwrap();

        assert_eq!((pushed.tries, pushed.note), (2, None));
        assert_eq!(workspace.origin_log(), ["certctl: issue", "certctl: issue", "theirs", "roster"]);
        assert_eq!(workspace.origin_has(ALICE), "alice again\n");
        assert_eq!(workspace.origin_has(BOB), "bob\n");
        let made_again = "log -1 --skip=1 --format=%an%ae%ad%B";
        assert_eq!(
            workspace.git(&format!("--git-dir=origin.git {made_again} main")),
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

    fn a_branch_that_moves_between_fetch_and_push_is_tried_again(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        let repo = clone.open();
        commit(&repo, ALICE, "alice\n");
        // The origin itself moves on during the first two pushes, after git has told us its tip.
        workspace.hook("pre-receive", &format!(
            "n=$(cat {0}/n 2>/dev/null || echo 0); [ $n -ge 2 ] && exit 0; echo $((n+1)) > {0}/n\n\
             unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n\
             export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x\n\
             git update-ref refs/heads/main $(git commit-tree -p main -m race-$n main^{{tree}})",
            workspace.0.display()
        ));
        let pushed = repo.push(&target(&repo)).unwrap();
        assert_eq!((pushed.tries, pushed.note), (3, None));
        assert_eq!(workspace.origin_log(), ["certctl: issue", "race-1", "race-0", "roster"]);
        assert_eq!(clone.status(), "");
    }

    fn a_new_tip_that_cannot_be_fetched_is_asked_for_again_unless_nobody_may(workspace: &Workspace) {
        let (clone, theirs) = workspace.shared();
        let repo = clone.open();
        let id = commit(&repo, ALICE, "alice\n");
        theirs.put(BOB, "bob\n");
        theirs.commit_all("theirs");
        theirs.git("push -q");
        let sends = workspace.0.join("upload-pack");
        let sender = |script: &str| {
            executable(&sends, &format!("cd {}\n{script}", workspace.0.display()));
        };
        clone.git(&format!("config remote.origin.uploadpack {}", sends.display()));

        sender("echo x >> asked; echo 'fatal: Authentication failed' >&2; exit 1");
        let error = refused(repo.push(&target(&repo)));
        assert!(error.contains("origin/main has moved, and its new tip could not be fetched; the commit is kept in this clone, and nothing was granted"), "{error}");
        assert!(error.contains("Authentication failed") && error.contains("credentials are wrong"), "{error}");
        assert_eq!(repo.head().unwrap().as_str(), id);
        assert_eq!(fs::read_to_string(workspace.0.join("asked")).unwrap(), "x\n");

        sender("[ -e once ] && exec git-upload-pack origin.git; touch once; echo 'fatal: early EOF' >&2; exit 1");
        assert_eq!(repo.push(&target(&repo)).unwrap().tries, 3);
        assert_eq!(workspace.origin_log(), ["certctl: issue", "theirs", "roster"]);
    }

    fn a_branch_that_never_stands_still_is_given_up(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        let repo = clone.open();
        let id = commit(&repo, ALICE, "alice\n");
        workspace.hook("pre-receive",
            "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\n\
             export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x\n\
             git update-ref refs/heads/main $(git commit-tree -p main -m race main^{tree})");
        let error = refused(repo.push(&target(&repo)));
        assert!(error.contains("moved 5 times") && error.contains("nothing was granted"), "{error}");
        assert_eq!(repo.head().unwrap().as_str(), id);
        assert!(repo.ahead(&target(&repo)).unwrap());
    }

    fn a_record_changed_on_both_sides_is_refused(workspace: &Workspace) {
        let (clone, theirs) = workspace.shared();
        let repo = clone.open();
        let id = commit(&repo, ALICE, "alice\n");
        theirs.put(ALICE, "another alice\n");
        theirs.commit_all("theirs");
        theirs.git("push -q");
        let error = refused(repo.push(&target(&repo)));
        assert!(error.contains(&format!("{ALICE} was changed in origin/main meanwhile; nothing was granted")), "{error}");
        assert!(error.contains("git pull origin main"), "{error}");
        assert_eq!(workspace.origin_log(), ["theirs", "roster"]);
        assert_eq!(repo.head().unwrap().as_str(), id);
        assert_eq!(clone.status(), "");
    }

    fn commits_that_are_not_ours_are_not_made_again(workspace: &Workspace) {
        let (clone, theirs) = workspace.shared();
        let repo = clone.open();
        clone.put("README", "ours");
        clone.commit_all("by-hand");
        commit(&repo, ALICE, "alice\n");
        theirs.put("other", "x");
        theirs.commit_all("theirs");
        theirs.git("push -q");
        let error = refused(repo.push(&target(&repo)));
        assert!(error.contains("certctl did not make") && error.contains("git pull --rebase origin main"), "{error}");
        assert_eq!(workspace.origin_log(), ["theirs", "roster"]);
        // Where nobody else pushed, they go along as with any git push.
        clone.git("pull -q --rebase");
        assert_eq!(repo.push(&target(&repo)).unwrap().tries, 1);
        assert_eq!(workspace.origin_log(), ["certctl: issue", "by-hand", "theirs", "roster"]);
    }

    fn a_local_change_in_the_way_keeps_the_branch_where_it_is(workspace: &Workspace) {
        let (clone, theirs) = workspace.shared();
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
        assert_eq!(workspace.origin_log(), ["certctl: issue", "theirs", "roster"]);
        assert_eq!(repo.head().unwrap().as_str(), id);
        assert_eq!(clone.has("README").unwrap(), "mine");
        assert_eq!(clone.status(), " M README\n");

        // The next run commits more; what is there already is not pushed twice.
        commit(&repo, ALICE, "alice, renewed\n");
        repo.push(&to).unwrap();
        assert_eq!(workspace.origin_has(ALICE), "alice, renewed\n");
        assert_eq!(workspace.origin_log(), ["certctl: issue", "certctl: issue", "theirs", "roster"]);
        // And once nothing is in the way, the branch follows.
        clone.git("checkout -q README");
        assert!(repo.ahead(&to).unwrap());
        let pushed = repo.push(&to).unwrap();
        assert_eq!((pushed.note, repo.head().unwrap()), (None, pushed.commit));
        assert_eq!(clone.status(), "");
        assert_eq!(workspace.origin_log().len(), 4);
    }

    fn a_name_that_is_not_utf_8_keeps_the_branch_where_it_is(workspace: &Workspace) {
        use std::os::unix::ffi::OsStrExt as _;
        let (clone, theirs) = workspace.shared();
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

    fn a_protected_branch_keeps_the_commit_here(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        let repo = clone.open();
        let id = commit(&repo, ALICE, "alice\n");
        workspace.hook("pre-receive", r"printf 'error: GH006: \033[31mProtected\033[0m branch \007update failed\033]0;owned\007\n' >&2; exit 1");
        let error = refused(repo.push(&target(&repo)));
        // What a hook prints is for its own terminal, not for whoever reads ours.
        assert!(error.chars().all(|c| c == '\n' || !c.is_control()), "{error:?}");
        assert!(error.contains("origin/main is protected") && error.contains("GH006"), "{error}");
        assert!(error.contains("kept in this clone, and nothing was granted"), "{error}");
        assert!(error.contains("certctl apply --push-branch certctl/records`, and open a pull request\n"), "{error}");
        assert_eq!(workspace.origin_log(), ["roster"]);
        assert_eq!(repo.head().unwrap().as_str(), id);
    }

    fn an_unreachable_remote_is_told_without_its_password(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
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

    fn a_push_whose_reply_was_lost_counts(workspace: &Workspace) {
        let (clone, theirs) = workspace.shared();
        let repo = clone.open();
        let id = commit(&repo, ALICE, "alice\n");
        // The origin takes the push, and dies before it can say so.
        workspace.hook("reference-transaction", "[ \"$1\" != committed ] || kill -9 $PPID");
        let plain = Command::new("git").current_dir(&theirs.0).args(["push", "origin", "HEAD:probe"]).output().unwrap();
        assert!(!plain.status.success(), "git itself takes this for a failure");
        let pushed = repo.push(&target(&repo)).unwrap();
        assert_eq!(pushed.commit.to_string(), id);
        assert_eq!(workspace.origin_log(), ["certctl: issue", "roster"]);
    }

    fn a_shallow_clone_pushes_onto_a_moved_branch(workspace: &Workspace) {
        let (_, theirs) = workspace.shared();
        theirs.put("README", "second");
        theirs.commit_all("second");
        theirs.git("push -q");
        workspace.git(&format!("clone -q --depth 1 file://{}/origin.git shallow", workspace.0.display()));
        let clone = Clone(workspace.0.join("shallow"));
        assert_eq!(clone.git("rev-list --count HEAD"), "1\n");
        let repo = clone.open();
        assert_eq!(repo.recover().unwrap(), [""; 0]);
        assert!(!repo.ahead(&target(&repo)).unwrap());
        commit(&repo, ALICE, "alice\n");
        theirs.put("README", "third");
        theirs.commit_all("third");
        theirs.git("push -q");
        let pushed = repo.push(&target(&repo)).unwrap();
        assert_eq!((pushed.tries, pushed.note), (2, None));
        assert_eq!(workspace.origin_log(), ["certctl: issue", "third", "second", "roster"]);
        assert_eq!(clone.status(), "");
        assert_eq!(repo.recover().unwrap(), [""; 0]);
    }

    fn a_declined_push_says_on_which_page_a_pull_request_is_opened(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        let repo = clone.open();
        commit(&repo, ALICE, "alice\n");
        workspace.hook("pre-receive", "echo 'not today' >&2; exit 1");
        workspace.ssh_to_origin(&clone, "");
        clone.git("remote set-url origin git@github.com:acme/access.git");
        let error = refused(repo.push(&target(&repo)));
        assert!(error.contains("the remote declined the push to origin/main; the commit is kept"), "{error}");
        assert!(error.contains("remote: not today"), "{error}");
        let page = "https://github.com/acme/access/compare/main...certctl/records?expand=1";
        assert!(error.contains(&format!("--push-branch certctl/records`, and open a pull request: {page}")), "{error}");
    }

    /// By git's own limit, in git's own words.
    fn a_push_that_is_too_large_is_no_matter_of_rights(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        let repo = clone.open();
        commit(&repo, ALICE, "alice\n");
        workspace.git("--git-dir=origin.git config receive.maxInputSize 10");
        let error = refused(repo.push(&target(&repo)));
        assert!(error.contains("pack exceeds maximum allowed size"), "{error}");
        assert!(error.contains("git log --stat") && !error.contains("--push-branch"), "{error}");
    }

    fn a_push_between_our_commit_and_our_push_is_built_upon(workspace: &Workspace) {
        let (clone, theirs) = workspace.shared();
        let repo = clone.open();
        commit(&repo, ALICE, "alice\n");
        // Our git has asked where the branch is, and has not yet sent anything.
        theirs.put("users.yaml", "kind: Roster # merged\n");
        theirs.commit_all("merge");
        before_a_push_arrives(&clone.0, &format!(
            "[ -e {0}/pushed ] || {{ touch {0}/pushed; env -u GIT_DIR git -C {0}/theirs push -q; }}", workspace.0.display()
        ));
        let pushed = repo.push(&target(&repo)).unwrap();
        assert_eq!((pushed.tries, pushed.note), (2, None));
        assert_eq!(workspace.origin_log(), ["certctl: issue", "merge", "roster"]);
        assert_eq!(clone.has("users.yaml").unwrap(), "kind: Roster # merged\n");
    }

    fn two_pushes_at_the_same_moment_both_end_up_there(workspace: &Workspace) {
        let (one, _) = workspace.shared();
        let other = workspace.clone_as("other");
        let (first, second) = (one.open(), other.open());
        commit(&first, ALICE, "alice\n");
        commit(&second, BOB, "bob\n");
        // Each waits, having asked where the branch is, until the other has asked too.
        let wait = "touch {0}/$(basename $PWD).asked; while [ ! -e {0}/alone.asked ] || [ ! -e {0}/other.asked ]; do :; done";
        for clone in [&one, &other] {
            before_a_push_arrives(&clone.0, &wait.replace("{0}", &workspace.0.display().to_string()));
        }
        let (mut a, mut b) = std::thread::scope(|threads| {
            let push = |repo: Repo| { let to = target(&repo); repo.push(&to).unwrap().tries };
            let (a, b) = (threads.spawn(move || push(first)), threads.spawn(move || push(second)));
            (a.join().unwrap(), b.join().unwrap())
        });
        if a > b {
            std::mem::swap(&mut a, &mut b);
        }
        assert_eq!((a, b), (1, 2));
        assert_eq!((workspace.origin_has(ALICE), workspace.origin_has(BOB)), ("alice\n".into(), "bob\n".into()));
        assert_eq!(workspace.origin_log().len(), 3);
    }

    fn credentials_that_may_not_write_are_named_as_the_cause(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        let repo = clone.open();
        commit(&repo, ALICE, "alice\n");
        workspace.ssh_to_origin(&clone, "echo 'git@github.com: Permission denied (publickey).' >&2; exit 255");
        clone.git("remote set-url origin git@github.com:acme/access.git");
        let error = refused(repo.push(&target(&repo)));
        assert!(error.contains("the push to origin/main failed; the commit is kept in this clone"), "{error}");
        assert!(error.contains("ssh-add -l"), "{error}");
    }

    fn a_remote_that_is_out_of_reach_for_a_moment_is_waited_for(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        let repo = clone.open();
        let id = commit(&repo, ALICE, "alice\n");
        // The first three calls do not get through: a push, and two questions where the branch is.
        workspace.ssh_to_origin(&clone, &format!(
            "n=$(cat {0}/n 2>/dev/null || echo 0); echo $((n+1)) > {0}/n\n\
             [ $n -ge 3 ] || {{ echo 'ssh: connect to host git.example.com port 22: Connection timed out' >&2; exit 255; }}",
            workspace.0.display()
        ));
        clone.git("remote set-url origin git@git.example.com:acme/access.git");
        let pushed = repo.push(&target(&repo)).unwrap();
        assert_eq!((pushed.commit.to_string(), pushed.tries), (id, 3));
        assert_eq!(workspace.origin_has(ALICE), "alice\n");
    }
}
