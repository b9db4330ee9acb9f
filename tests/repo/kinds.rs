//! Kinds of checkouts, beside git: what git reads, certctl reads, or it says in one sentence why not.

use certctl::repo::Checkout;
use certctl::repo::history::{Followed, Look, Past};

use crate::history;
use crate::workspace::{
    ALICE, Clone, Command, FROM_ENVIRONMENT, Repo, Workspace, commit, fs, isolated, message, record, refused,
    target, write,
};

/// A commit further, with another roster and another record, pushed.
fn further(clone: &Clone) {
    clone.put("users.yaml", "kind: Roster\nname: further\n");
    clone.put("access/prod/ann.yaml", "further\n");
    clone.git("add .");
    clone.git("commit -qm further");
    clone.git("push -q");
}

/// Lets clones leave objects out, and fetch them later.
fn serve_partial_clones(workspace: &Workspace) {
    workspace.git("-C origin.git config uploadpack.allowFilter true");
    workspace.git("-C origin.git config uploadpack.allowAnySHA1InWant true");
}

/// A clone by these arguments, of an origin that has a commit before its last.
fn cloned(workspace: &Workspace, arguments: &str) -> Clone {
    let (ours, _) = workspace.shared();
    ours.put("access/prod/ann.yaml", "before\n");
    ours.git("add .");
    ours.git("commit -qm before");
    further(&ours);
    serve_partial_clones(workspace);
    workspace.git(&format!("clone -q {arguments} file://{}/origin.git kind", workspace.0.display()));
    Clone(workspace.0.join("kind"))
}

fn reads_the_commit_before(clone: &Clone) {
    let repo = std::rc::Rc::new(Repo::discover(&clone.0.join("users.yaml")).unwrap());
    let before = repo.branch_point("HEAD~1").unwrap();
    let snapshot = certctl::repo::Snapshot::new(repo, before);
    assert_eq!(snapshot.read("users.yaml", 1000).unwrap().unwrap(), b"kind: Roster\n");
    assert_eq!(snapshot.read("access/prod/ann.yaml", 1000).unwrap().unwrap(), b"before\n");
    // What neither roster nor record is, such as a CA, comes when it is asked for.
    assert_eq!(snapshot.read("README", 1000).unwrap().unwrap(), b"read me\n");
}

stories! {
    fn what_a_clone_without_blobs_left_out_is_fetched(workspace: &Workspace) {
        reads_the_commit_before(&cloned(workspace, "--filter=blob:none"));
    }

    fn what_a_clone_without_trees_left_out_is_fetched(workspace: &Workspace) {
        reads_the_commit_before(&cloned(workspace, "--filter=tree:0"));
    }

    fn what_was_left_out_is_fetched_wherever_the_remote_is_configured(workspace: &Workspace) {
        let clone = cloned(workspace, "--filter=tree:0");
        let config = clone.0.join(".git/config");
        let settings = fs::read_to_string(&config).unwrap();
        let (own, remote) = settings.split_at(settings.find("[remote").unwrap());
        let (remote, rest) = remote.split_at(remote.find("[branch").unwrap());
        assert!(remote.contains("promisor"), "{remote}");
        fs::write(&config, format!("{own}{rest}")).unwrap();
        fs::write(workspace.0.join(FROM_ENVIRONMENT), remote).unwrap();
        reads_the_commit_before(&clone);
    }

    fn where_origin_is_git_says(workspace: &Workspace) {
        let clone = workspace.alone();
        let roster = clone.0.join("users.yaml");
        let found = Checkout::find(&roster).unwrap();
        assert_eq!((found.has_origin, found.origin_host), (false, None));
        let by_environment = "[remote \"origin\"]\n\turl = forge:acme/access.git\n\
                              [url \"https://github.com/\"]\n\tinsteadOf = forge:\n";
        fs::write(workspace.0.join(FROM_ENVIRONMENT), by_environment).unwrap();
        let found = Checkout::find(&roster).unwrap();
        assert_eq!((found.has_origin, found.origin_host.as_deref()), (true, Some("github.com")));
    }

    fn what_cannot_be_fetched_is_not_taken_for_nothing(workspace: &Workspace) {
        for filter in ["blob:none", "tree:0"] {
            let clone = cloned(workspace, &format!("--filter={filter}"));
            fs::rename(workspace.0.join("origin.git"), workspace.0.join("gone.git")).unwrap();
            let repo = Repo::discover(&clone.0.join("users.yaml")).unwrap();
            let error = refused(repo.branch_point("HEAD~1"));
            assert!(error.contains("this is a partial clone, and git could not fetch"), "{error}");
            for folder in ["gone.git", "kind", "alone", "theirs"] {
                fs::remove_dir_all(workspace.0.join(folder)).unwrap();
            }
        }
    }

    fn the_past_is_read_in_a_clone_that_left_it_out(workspace: &Workspace) {
        for filter in ["blob:none", "tree:0"] {
            let clone = cloned(workspace, &format!("--filter={filter}"));
            let repo = Repo::discover(&clone.0.join("users.yaml")).unwrap();
            let history = repo.history_of(Followed::RecordsOf(&"ann".parse().unwrap())).unwrap();
            let versions: Vec<Vec<u8>> = history.changed.iter()
                .flat_map(|changed| changed.after.values())
                .map(|blob| repo.content(*blob, 1000).unwrap().expect("a record"))
                .collect();
            assert_eq!(versions, [b"before\n".to_vec(), b"further\n".to_vec()], "{filter}");
            let mut seen = 0;
            let mut count = |past: Past<'_>| {
                seen += usize::from(matches!(past, Past::Record(_)));
                Look::On
            };
            repo.past_records(&mut count).unwrap();
            assert_eq!(seen, 2, "{filter}");
            for folder in ["origin.git", "kind", "alone", "theirs"] {
                fs::remove_dir_all(workspace.0.join(folder)).unwrap();
            }
        }
    }

    /// What a branch changes is told in red; that comparison needs what a partial clone has left out.
    fn a_branch_is_compared_alike_in_a_clone_that_left_its_base_out(workspace: &Workspace) {
        const NEW: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
        let (ours, _) = workspace.shared();
        let roster = history::roster(&["ann"]);
        ours.put("users.yaml", &roster);
        ours.commit_all("ann");
        ours.git("push -q");
        ours.git("checkout -q -b topic");
        ours.put("users.yaml", &roster.replace(history::RECIPIENT, NEW));
        ours.commit_all("moved");
        ours.git("push -q -u origin topic");
        serve_partial_clones(workspace);
        let planned = |name: &str, filter: &str| {
            let origin = workspace.0.join("origin.git");
            workspace.git(&format!("clone -q --branch topic {filter} file://{} {name}", origin.display()));
            let clone = Clone(workspace.0.join(name));
            history::certctl(&clone, &["plan", "--offline", "--base", "origin/main"]).expect(0).stdout
        };
        let whole = planned("whole", "--no-tags");
        assert!(whole.contains("recipient") && whole.contains("ann"), "{whole}");
        assert_eq!(planned("no-blobs", "--filter=blob:none"), whole);
        assert_eq!(planned("no-trees", "--filter=tree:0"), whole);
    }

    fn a_commit_that_is_not_whole_is_not_compared(workspace: &Workspace) {
        let clone = workspace.alone();
        clone.put("access/prod/ann.yaml", "before\n");
        clone.commit_all("before");
        clone.put("access/prod/ann.yaml", "after\n");
        clone.commit_all("after");
        let blob = clone.git("rev-parse HEAD~1:access/prod/ann.yaml");
        let (folder, file) = blob.trim().split_at(2);
        fs::remove_file(clone.0.join(".git/objects").join(folder).join(file)).unwrap();
        let error = refused(clone.open().branch_point("HEAD~1"));
        assert!(error.contains("access/prod/ann.yaml is missing, so it cannot be compared"), "{error}");
    }

    fn records_are_committed_and_pushed_from_every_kind_of_checkout(workspace: &Workspace) {
        let (ours, _) = workspace.shared();
        ours.put("access/prod/ann.yaml", "ann\n");
        ours.put("docs/long.md", "long\n");
        ours.put(".gitattributes", "access/** -text\n");
        ours.commit_all("more");
        ours.git("push -q");
        serve_partial_clones(workspace);
        let root = workspace.0.display().to_string();
        for (kind, arguments, then) in [
            ("plain", "", ""),
            ("autocrlf", "-c core.autocrlf=true", ""),
            ("without-blobs", "--filter=blob:none", ""),
            ("without-trees", "--filter=tree:0", ""),
            ("shallow", "--depth=1", ""),
            ("sparse", "--filter=blob:none --sparse", ""),
            ("sparse-elsewhere", "--sparse", "sparse-checkout set docs"),
            ("hooks-elsewhere", "-c core.hooksPath=/nowhere", ""),
            ("git-dir-elsewhere", "--separate-git-dir=elsewhere", ""),
            ("worktree", "", "worktree add -q --detach ../of-another; -C ../of-another checkout -q -b side --track origin/main"),
            (
                "worktree-of-a-bare-one",
                "--bare",
                "config remote.origin.fetch +refs/heads/*:refs/remotes/origin/*; fetch -q; \
                 worktree add -q --track -b bare-side ../of-a-bare-one origin/main",
            ),
            ("objects-borrowed", "--reference=origin.git", ""),
            ("index-of-version-4", "", "update-index --index-version 4"),
            ("untracked-cache", "", "update-index --force-untracked-cache"),
            ("packed", "", "gc -q; commit-graph write --reachable; multi-pack-index write"),
            (
                "precious-objects",
                "",
                "config core.repositoryFormatVersion 1; config extensions.preciousObjects true",
            ),
        ] {
            let arguments = format!("clone -q {arguments} file://{root}/origin.git {kind}");
            workspace.git(&arguments.replace("  ", " "));
            let clone = Clone(workspace.0.join(kind));
            then.split("; ").filter(|command| !command.is_empty()).for_each(|command| drop(clone.git(command)));
            let clone = match kind {
                "worktree" => Clone(workspace.0.join("of-another")),
                "worktree-of-a-bare-one" => Clone(workspace.0.join("of-a-bare-one")),
                _ => clone,
            };
            let (path, text) = (format!("access/prod/{kind}.yaml"), format!("{kind}\r\n\n"));
            let repo = clone.open();
            commit(&repo, &path, &text);
            repo.push(&target(&repo)).unwrap_or_else(|error| panic!("{kind}: {}", error.render(false)));
            assert_eq!(clone.status(), "", "{kind}");
            assert_eq!(workspace.origin_has(&path), text, "{kind}");
        }
    }

    /// A filter is a program that only git runs, and may be named in the environment.
    fn what_is_changed_is_what_git_status_says(workspace: &Workspace) {
        let clone = workspace.alone();
        let filter = "[filter \"upper\"]\n\tclean = tr a-z A-Z\n";
        fs::write(workspace.0.join(FROM_ENVIRONMENT), filter).unwrap();
        clone.put(".gitattributes", "access/** filter=upper\n");
        clone.put("access/prod/ann.yaml", "ann\n");
        clone.commit_all("capitals");
        assert_eq!(clone.git("show HEAD:access/prod/ann.yaml"), "ANN\n");
        clone.put("access/prod/ann.yaml", "Ann\n");
        assert_eq!(clone.status(), "");
        assert_eq!(clone.open().dirty(&[]).unwrap(), [""; 0]);
        clone.put("access/prod/ann.yaml", "anne\n");
        clone.put("access/prod/a[b] c.yaml", "new\n");
        assert_eq!(clone.open().dirty(&[]).unwrap(), ["access/prod/a[b] c.yaml", "access/prod/ann.yaml"]);
    }

    /// libgit2 sees a change where git sees none: it runs no filter, and reads no configuration of the environment.
    fn a_record_whose_lines_end_otherwise_is_not_somebodys_change(workspace: &Workspace) {
        for (settings, attributes) in [
            ("[core]\n\tautocrlf = true\n", ""),
            ("[filter \"unix\"]\n\tclean = tr -d '\\\\r'\n", "access/** filter=unix\n"),
        ] {
            let clone = workspace.alone();
            fs::write(workspace.0.join(FROM_ENVIRONMENT), settings).unwrap();
            clone.put(".gitattributes", attributes);
            clone.put(ALICE, "alice\r\n");
            clone.commit_all("alice");
            assert_eq!(clone.git(&format!("show HEAD:{ALICE}")), "alice\n", "{settings}");
            let repo = clone.open();
            commit(&repo, ALICE, "renewed\n");
            assert_eq!(clone.git(&format!("show HEAD:{ALICE}")), record("renewed\n"));
            assert_eq!(clone.status(), "", "{settings}");
            clone.put(ALICE, "somebody's\r\n");
            let error = refused(repo.commit(&write(ALICE, "again\n"), &message("certctl: renew")));
            assert!(error.contains("is changed in the working tree"), "{error}");
            // Nor where git was told not to look.
            clone.git(&format!("update-index --assume-unchanged {ALICE}"));
            refused(repo.commit(&write(ALICE, "again\n"), &message("certctl: renew")));
            assert_eq!(fs::read_to_string(clone.0.join(ALICE)).unwrap(), "somebody's\r\n");
            fs::remove_dir_all(&clone.0).unwrap();
        }
    }

    fn where_to_push_is_what_git_says_wherever_that_is_set(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        workspace.git("init -q --bare elsewhere.git");
        let place = workspace.0.join("elsewhere.git");
        let by_environment =
            format!("[remote \"elsewhere\"]\n\turl = {}\n[remote]\n\tpushDefault = elsewhere\n", place.display());
        fs::write(workspace.0.join(FROM_ENVIRONMENT), by_environment).unwrap();
        let repo = clone.open();
        assert!(target(&repo).to_string().contains("elsewhere"), "{}", target(&repo));
        fs::remove_file(workspace.0.join(FROM_ENVIRONMENT)).unwrap();
        // Included under a condition that only git decides.
        clone.git(&format!("remote add elsewhere {}", place.display()));
        fs::write(workspace.0.join("included"), "[remote]\n\tpushDefault = elsewhere\n").unwrap();
        for (condition, holds) in [
            ("gitdir:alone/", true),
            ("gitdir/i:ALONE/", true),
            ("onbranch:main", true),
            ("hasconfig:remote.*.url:**/origin.git", true),
            ("gitdir:theirs/", false),
            ("onbranch:other", false),
        ] {
            let include = format!("[includeIf \"{condition}\"]\n\tpath = included\n");
            fs::write(workspace.0.join(FROM_ENVIRONMENT), include).unwrap();
            let target = target(&clone.open()).to_string();
            assert_eq!(target.contains("elsewhere"), holds, "{condition}: {target}");
        }
        fs::rename(workspace.0.join("included"), workspace.0.join(FROM_ENVIRONMENT)).unwrap();
        let repo = clone.open();
        // The setting of the branch comes first, and the last file counts.
        clone.git("config branch.main.pushRemote origin");
        assert!(target(&repo).to_string().contains("origin"), "{}", target(&repo));
    }

    #[ignore = "needs root"]
    fn a_repository_of_another_user_is_used_once_git_is_told_so_in_a_file(workspace: &Workspace) {
        let clone = workspace.alone();
        let owned = Command::new("chown").args(["-R", "65534"]).arg(&clone.0).status().unwrap();
        assert!(owned.success());
        let roster = clone.0.join("users.yaml");
        let trust = format!("[safe]\n\tdirectory = {}\n", clone.0.display());
        fs::write(workspace.0.join(FROM_ENVIRONMENT), trust).unwrap();
        clone.git("rev-parse HEAD");
        for error in [refused(Repo::discover(&roster)), refused(Repo::refuse_unsupported(&roster))] {
            assert!(error.contains("belongs to another user; nothing was done"), "{error}");
            assert!(error.contains("git config --global --add safe.directory"), "{error}");
        }
        let place = clone.0.display().to_string();
        for trusted in [place.as_str(), "*"] {
            workspace.git(&format!("config --global --add safe.directory {trusted}"));
            Repo::discover(&roster).unwrap();
            workspace.git("config --global --unset-all safe.directory");
            refused(Repo::discover(&roster));
        }
    }

    fn what_libgit2_cannot_read_is_said_in_a_sentence(workspace: &Workspace) {
        workspace.git("init -q --object-format=sha256 long");
        let clone = Clone(workspace.0.join("long"));
        clone.put("users.yaml", "kind: Roster\n");
        clone.commit_all("roster");
        let roster = clone.0.join("users.yaml");
        for error in [refused(Repo::discover(&roster)), refused(Repo::refuse_unsupported(&roster))] {
            assert!(error.contains("names its objects with SHA-256, and certctl reads SHA-1"), "{error}");
        }
        let alone = workspace.alone();
        alone.git("config core.repositoryFormatVersion 1");
        alone.git("config extensions.somethingNew true");
        let error = refused(Repo::refuse_unsupported(&alone.0.join("users.yaml")));
        assert!(error.contains("uses an extension that certctl does not know"), "{error}");
        for (form, command, back) in [
            ("split", "update-index --split-index", "update-index --no-split-index"),
            (
                "sparse",
                "sparse-checkout set --cone --sparse-index docs",
                "sparse-checkout reapply --no-sparse-index",
            ),
        ] {
            workspace.git(&format!("init -q {form}"));
            let clone = Clone(workspace.0.join(form));
            for file in ["users.yaml", "docs/long.md", "elsewhere/long.md"] {
                clone.put(file, "kind: Roster\n");
            }
            clone.commit_all("roster");
            clone.git(command);
            let roster = clone.0.join("users.yaml");
            for error in [refused(Repo::discover(&roster)), refused(Repo::refuse_unsupported(&roster))] {
                assert!(error.contains(&format!("has a {form} index")) && error.contains(back), "{error}");
            }
            clone.git(back);
            assert_eq!(Repo::discover(&roster).unwrap().dirty(&[]).unwrap(), [""; 0]);
        }
        // Where there is no repository yet, a plan can be made.
        fs::create_dir(workspace.0.join("none")).unwrap();
        Repo::refuse_unsupported(&workspace.0.join("none/users.yaml")).unwrap();
    }
}
