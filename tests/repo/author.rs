//! Who commits are by, and that they are signed.

use crate::workspace::*;

stories! {
    fn without_a_name_nothing_is_committed(workspace: &Workspace) {
        let clone = workspace.alone();
        let repo = clone.open();
        repo.preflight_commit().unwrap();
        fs::write(workspace.0.join(".gitconfig"), "[user]\n\tuseConfigOnly = true\n").unwrap();
        for error in [
            refused(repo.preflight_commit()),
            refused(repo.commit(&write(ALICE, "x"), &message("x"))),
        ] {
            assert!(error.contains("no name and e-mail address") && error.contains("git config user.name"), "{error}");
        }
        assert_eq!(clone.git("rev-list --count HEAD"), "1\n");
        assert_eq!(clone.has(ALICE), None);
    }

    fn commits_are_signed_where_git_is_set_so(workspace: &Workspace) {
        let clone = workspace.alone();
        let program = workspace.0.join("sign");
        // Stands in for gpg: git asks for a status line and a signature, and gives it the commit.
        executable(&program, "cat >/dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\necho '-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----'");
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

    fn the_flag_goes_before_git_and_git_before_the_host(workspace: &Workspace) {
        let clone = workspace.alone();
        let (flag, host) = ("Flag <flag@example.com>", "Host <host@example.com>");
        let ann = "Ann <ann@example.com>";
        let nobody = "[user]\n\tuseConfigOnly = true\n";
        for (config, flag, host, author, committer) in [
            (None, Some(flag), Some(host), flag, ann),
            (None, None, Some(host), ann, ann),
            (Some(nobody), Some(flag), Some(host), flag, flag),
            (Some(nobody), None, Some(host), host, host),
            // What git would guess from user and machine is worth less than what the host knows.
            (Some(""), None, Some(host), host, host),
        ] {
            if let Some(config) = config {
                fs::write(workspace.0.join(".gitconfig"), config).unwrap();
            }
            let mut repo = clone.open();
            repo.commit_as(flag.map(|who| who.parse().unwrap()), host.map(|who| who.parse().unwrap())).unwrap();
            repo.preflight_commit().unwrap();
            commit(&repo, ALICE, &format!("{author}{committer}{config:?}{flag:?}\n"));
            assert_eq!(clone.git("log -1 --format=%an_<%ae>|%cn_<%ce>").replace('_', " ").trim(), format!("{author}|{committer}"));
        }
        fs::write(workspace.0.join(".gitconfig"), nobody).unwrap();
        let mut repo = clone.open();
        repo.commit_as(None, None).unwrap();
        assert!(refused(repo.preflight_commit()).contains("--author 'certctl <certctl@example.com>'"));
    }

    fn a_commit_made_again_keeps_its_author_and_the_flags_committer(workspace: &Workspace) {
        let (clone, theirs) = workspace.shared();
        let mut repo = clone.open();
        repo.commit_as(Some("Flag <flag@example.com>".parse().unwrap()), None).unwrap();
        commit(&repo, ALICE, "alice\n");
        theirs.put("README", "theirs");
        theirs.commit_all("theirs");
        theirs.git("push -q");
        assert_eq!(repo.push(&target(&repo)).unwrap().tries, 2);
        assert_eq!(workspace.git("--git-dir=origin.git log -1 --format=%ae,%ce main"), "flag@example.com,ann@example.com\n");
    }

    fn an_ssh_key_signs_also_what_is_made_again_on_a_new_tip(workspace: &Workspace) {
        let (clone, theirs) = workspace.shared();
        let key = workspace.0.join("key");
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&key).status();
        assert!(made.unwrap().success());
        let public = fs::read_to_string(key.with_extension("pub")).unwrap();
        let signers = workspace.0.join("allowed_signers");
        fs::write(&signers, format!("ann@example.com {public}")).unwrap();
        clone.git("config gpg.format ssh");
        clone.git(&format!("config user.signingKey {}", key.display()));
        clone.git("config commit.gpgSign true");
        workspace.git(&format!("--git-dir=origin.git config gpg.ssh.allowedSignersFile {}", signers.display()));

        let repo = clone.open();
        commit(&repo, ALICE, "alice\n");
        theirs.put("README", "theirs");
        theirs.commit_all("theirs");
        theirs.git("push -q");
        assert_eq!(repo.push(&target(&repo)).unwrap().tries, 2);
        // G: a good signature by a key that is allowed. N: none.
        assert_eq!(workspace.git("--git-dir=origin.git log --format=%G?%GS main"), "Gann@example.com\nN\nN\n");

        // A key that is not there is told, and nothing is committed.
        fs::remove_file(&key).unwrap();
        let error = refused(repo.commit(&write(ALICE, "x"), &message("x")));
        assert!(error.contains("could not make the commit; nothing was committed"), "{error}");
    }
}
