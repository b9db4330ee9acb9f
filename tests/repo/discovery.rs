//! Which git directory counts: never one that a commit could have brought.

use crate::workspace::*;

/// A bare repository under a name that git checks out, as a pull request would bring it. Its
/// configuration makes `around` the working tree, and names a program that leaves a mark.
fn plant(workspace: &Workspace, clone: &Clone, folder: &str, around: &str) -> PathBuf {
    let mark = workspace.0.join("ran");
    executable(&workspace.0.join("evil"), &format!("touch {}", mark.display()));
    let git_dir = clone.0.join(folder);
    fs::create_dir_all(&git_dir).unwrap();
    git(&git_dir, "init -q --bare .");
    clone.git(&format!("push -q {} HEAD:refs/heads/main", git_dir.display()));
    let config = format!("--git-dir={} config", git_dir.display());
    clone.git(&format!("{config} core.bare false"));
    clone.git(&format!("{config} core.worktree {around}"));
    for key in ["core.fsmonitor", "core.sshCommand"] {
        clone.git(&format!("{config} {key} {}", workspace.0.join("evil").display()));
    }
    assert!(!mark.exists());
    mark
}

stories! {
    fn a_bare_repository_in_the_rosters_folder_is_not_used(workspace: &Workspace) {
        let clone = workspace.alone();
        clone.put("team/users.yaml", "kind: Roster\n");
        clone.commit_all("team");
        let mark = plant(workspace, &clone, "team", ".");
        let repo = Repo::discover(&clone.0.join("team/users.yaml")).unwrap();
        assert_eq!(repo.workdir(), clone.0);
        repo.commit(&write(ALICE, "alice\n"), &message("certctl: issue")).unwrap().unwrap();
        assert_eq!(clone.git("show HEAD:team/access/prod/alice.yaml"), record("alice\n"));
        assert!(!mark.exists());
    }

    fn a_bare_repository_in_a_parent_of_the_rosters_folder_is_not_used(workspace: &Workspace) {
        let clone = workspace.alone();
        clone.put("team/deep/users.yaml", "kind: Roster\n");
        clone.commit_all("deep");
        let mark = plant(workspace, &clone, "team", ".");
        let repo = Repo::discover(&clone.0.join("team/deep/users.yaml")).unwrap();
        assert_eq!(repo.workdir(), clone.0);
        repo.commit(&write(ALICE, "alice\n"), &message("certctl: issue")).unwrap().unwrap();
        assert!(!mark.exists());
    }

    fn a_bare_repository_alone_is_no_repository(workspace: &Workspace) {
        let clone = workspace.alone();
        let mark = plant(workspace, &clone, "team", ".");
        clone.put("team/users.yaml", "kind: Roster\n");
        fs::remove_dir_all(clone.0.join(".git")).unwrap();
        let error = refused(Repo::discover(&clone.0.join("team/users.yaml")));
        assert!(error.contains("is not inside a git repository"), "{error}");
        assert!(!mark.exists());
    }

    fn an_empty_git_folder_does_not_open_the_way_to_a_bare_repository(workspace: &Workspace) {
        let clone = workspace.alone();
        let mark = plant(workspace, &clone, "team", ".");
        clone.put("team/users.yaml", "kind: Roster\n");
        fs::create_dir(clone.0.join("team/.git")).unwrap();
        let error = refused(Repo::discover(&clone.0.join("team/users.yaml")));
        assert!(error.contains("so a commit could have brought it"), "{error}");
        assert!(!mark.exists());
    }

    fn a_gitfile_does_not_lead_to_files_of_the_working_tree(workspace: &Workspace) {
        let clone = workspace.alone();
        let mark = plant(workspace, &clone, "supplied", "..");
        fs::remove_dir_all(clone.0.join(".git")).unwrap();
        clone.put(".git", "gitdir: supplied\n");
        let error = refused(Repo::discover(&clone.0.join("users.yaml")));
        assert!(error.contains("so a commit could have brought it"), "{error}");
        assert!(!mark.exists());
    }

    fn no_hook_is_run_wherever_it_is(workspace: &Workspace) {
        for place in [".git/hooks", ".husky", "outside"] {
            let (clone, _) = workspace.shared_as(&place.replace(['.', '/'], "-"));
            let mark = workspace.0.join("ran");
            for hook in ["pre-push", "post-index-change", "reference-transaction", "post-checkout", "post-commit"] {
                executable(&clone.0.join(place).join(hook), &format!("echo {hook} >> {}", mark.display()));
            }
            if place != ".git/hooks" {
                clone.git(&format!("config core.hooksPath {place}"));
            }
            let repo = clone.open();
            let to = target(&repo);
            repo.dry_push(&to).unwrap();
            commit(&repo, ALICE, "alice\n");
            repo.push(&to).unwrap();
            assert!(!mark.exists(), "{place}: {}", fs::read_to_string(&mark).unwrap());
        }
    }

    fn configuration_in_a_committed_file_is_refused_before_git_runs_what_it_names(workspace: &Workspace) {
        let mark = workspace.0.join("ran");
        executable(&workspace.0.join("evil"), &format!("touch {}", mark.display()));
        let evil = format!("[core]\n\tsshCommand = {0}\n\tfsmonitor = {0}\n", workspace.0.join("evil").display());
        // A file, one in a folder, a link to a file outside, and one that says where the working tree is.
        for (number, (file, more)) in
            [(".gitconfig", ""), ("team/git/config", ""), ("link", ""), (".gitconfig", "\tworktree = ../team\n")]
                .into_iter()
                .enumerate()
        {
            let (clone, _) = workspace.shared_as(&format!("clone-{number}"));
            clone.put("team/users.yaml", "kind: Roster\n");
            match file {
                "link" => {
                    fs::write(workspace.0.join("elsewhere"), &evil).unwrap();
                    symlink(workspace.0.join("elsewhere"), clone.0.join(file)).unwrap();
                }
                _ => clone.put(file, &format!("{evil}{more}")),
            }
            clone.commit_all("config");
            clone.git(&format!("config include.path ../{file}"));
            let (repo, roster) = (Repo::discover(&clone.0.join("team/users.yaml")), "team/users.yaml");
            let error = refused(repo.and_then(|repo| repo.dirty(&[]).map(drop)));
            assert!(error.contains("git reads its configuration from") && error.contains(file), "{roster}: {error}");
            assert!(!mark.exists(), "{file}");
        }
    }

    fn configuration_that_no_commit_can_change_is_the_clones_own(workspace: &Workspace) {
        let clone = workspace.alone();
        // Not committed: git does not overwrite it by what a commit brings.
        clone.put("mine", "[user]\n\tname = Bea\n");
        clone.git("config include.path ../mine");
        commit(&clone.open(), ALICE, "alice\n");
        assert_eq!(clone.git("log -1 --format=%an"), "Bea\n");
    }

    fn the_git_program_works_in_the_repository_that_was_found(workspace: &Workspace) {
        // By itself git would look for one from the root of the working tree up.
        let clone = workspace.alone();
        clone.put("team/users.yaml", "kind: Roster\n");
        clone.commit_all("team");
        fs::rename(clone.0.join(".git"), clone.0.join("team/.git")).unwrap();
        let git_dir = clone.0.join("team/.git");
        clone.git(&format!("--git-dir={} config core.worktree {}", git_dir.display(), clone.0.display()));
        let repo = Repo::discover(&clone.0.join("team/users.yaml")).unwrap();
        assert_eq!(repo.workdir(), clone.0);
        repo.commit(&write(ALICE, "alice\n"), &message("certctl: issue")).unwrap().unwrap();
        let show = format!("--git-dir={} show HEAD:team/{ALICE}", git_dir.display());
        assert_eq!(clone.git(&show), record("alice\n"));
    }

    fn an_empty_git_folder_is_passed_over(workspace: &Workspace) {
        let clone = workspace.alone();
        clone.put("team/users.yaml", "kind: Roster\n");
        fs::create_dir(clone.0.join("team/.git")).unwrap();
        let repo = Repo::discover(&clone.0.join("team/users.yaml")).unwrap();
        assert_eq!(repo.workdir(), clone.0);
    }
}
