//! How git is let in, in every way that CI and people leave: because transport is the git program,
//! certctl does nothing for any of them.

use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use crate::http::{Server, TOKEN, USER, header};
use crate::workspace::*;

/// Reads, commits, and pushes over a branch that has moved: ls-remote, fetch and push.
fn round_trip(workspace: &Workspace, clone: &Clone) {
    let repo = clone.open();
    let to = target(&repo);
    assert_eq!(repo.refuse_stale(&repo.head().unwrap(), Some(&to), &[]).unwrap(), None);
    let theirs = Clone(workspace.0.join("theirs"));
    theirs.put("README", "moved\n");
    theirs.commit_all("moved");
    theirs.git("push -q");
    commit(&repo, ALICE, "alice\n");
    let pushed = repo.push(&to).unwrap();
    assert_eq!((pushed.tries, pushed.note), (2, None));
    assert_eq!(workspace.origin_log(), ["certctl: issue", "moved", "roster"]);
}

fn served(workspace: &Workspace) -> (Clone, Server) {
    let (clone, _) = workspace.shared();
    let server = Server::start(&workspace.0);
    clone.git(&format!("remote set-url origin {}", server.url()));
    (clone, server)
}

/// `git config` of one value, which may hold spaces.
fn configure(clone: &Clone, name: &str, value: &str) {
    let status = Command::new("git").current_dir(&clone.0).args(["config", name, value]).status();
    assert!(status.unwrap().success());
}

#[track_caller]
fn let_in(server: &Server, user: &str) {
    let asked = server.asked();
    for service in ["refs", "git-upload-pack", "git-receive-pack"] {
        assert!(
            asked.iter().any(|line| line.starts_with(user) && line.ends_with(service)),
            "{service}: {asked:?}"
        );
    }
}

/// Ended when the story is, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

stories! {
    fn a_header_in_the_clones_own_configuration(workspace: &Workspace) {
        let (clone, server) = served(workspace);
        // actions/checkout up to v5.
        configure(&clone, &format!("http.{}.extraheader", server.site()), &header(USER));
        round_trip(workspace, &clone);
        let_in(&server, USER);
    }

    fn a_header_in_a_file_outside_that_the_clone_includes(workspace: &Workspace) {
        let (clone, server) = served(workspace);
        // actions/checkout from v6 on: in the runner's temporary folder, by an includeIf.
        let file = workspace.0.join("runner/_temp/git-credentials-1.config");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, format!("[http \"{}\"]\n\textraheader = {}\n", server.site(), header(USER))).unwrap();
        configure(&clone, &format!("includeIf.gitdir:{}/.git.path", clone.0.display()), file.to_str().unwrap());
        round_trip(workspace, &clone);
        let_in(&server, USER);
    }

    fn configuration_that_the_environment_carries(workspace: &Workspace) {
        let (clone, server) = served(workspace);
        // GIT_CONFIG_COUNT and its like, which the place sets to include this file.
        fs::write(workspace.0.join(FROM_ENVIRONMENT), format!("[http \"{}\"]\n\textraheader = {}\n", server.site(), header(USER))).unwrap();
        round_trip(workspace, &clone);
        let_in(&server, USER);
    }

    fn a_credential_helper(workspace: &Workspace) {
        let (clone, server) = served(workspace);
        let helper = workspace.0.join("helper");
        executable(&helper, &format!("[ $1 = get ] || exit 0\ncat >> {}/told\necho username=ann\necho password={TOKEN}", workspace.0.display()));
        configure(&clone, "credential.helper", helper.to_str().unwrap());
        round_trip(workspace, &clone);
        let_in(&server, "ann");
        let told = fs::read_to_string(workspace.0.join("told")).unwrap();
        assert!(told.contains("protocol=http\nhost=127.0.0.1:"), "{told}");
    }

    fn a_program_that_git_asks(workspace: &Workspace) {
        let (clone, server) = served(workspace);
        // As Jenkins and editors give it; nobody is asked on a terminal.
        let program = workspace.0.join("askpass");
        executable(&program, &format!("case \"$1\" in User*) echo ann;; *) echo {TOKEN};; esac"));
        configure(&clone, "core.askPass", program.to_str().unwrap());
        round_trip(workspace, &clone);
        let_in(&server, "ann");
    }

    fn a_token_in_the_url_which_nobody_is_shown(workspace: &Workspace) {
        let (clone, server) = served(workspace);
        // A GitLab runner.
        clone.git(&format!("remote set-url origin {}", server.url_for("gitlab-ci-token")));
        round_trip(workspace, &clone);
        let_in(&server, "gitlab-ci-token");
        workspace.hook("pre-receive", "exit 1");
        let repo = clone.open();
        commit(&repo, BOB, "bob\n");
        let error = refused(repo.push(&target(&repo)));
        assert!(error.contains("declined the push") && !error.contains(TOKEN), "{error}");
    }

    fn a_token_that_may_not_push_and_none_at_all_are_told_apart(workspace: &Workspace) {
        let (clone, server) = served(workspace);
        let repo = clone.open();
        let to = target(&repo);
        commit(&repo, ALICE, "alice\n");
        let error = refused(repo.push(&to));
        assert!(error.contains("git has no credentials for this remote"), "{error}");
        configure(&clone, &format!("http.{}.extraheader", server.site()), &header("reader"));
        assert_eq!(repo.refuse_stale(&repo.head().unwrap(), Some(&to), &[]).unwrap(), None);
        let error = refused(repo.push(&to));
        assert!(error.contains("may read and not write") && error.contains("contents: write"), "{error}");
        assert!(error.contains("the commit is kept in this clone, and nothing was granted"), "{error}");
        configure(&clone, &format!("http.{}.extraheader", server.site()), &header(USER).replace("basic ", "basic x"));
        let error = refused(repo.push(&to));
        assert!(error.contains("the push to origin/main failed"), "{error}");
        assert!(!error.contains(&header(USER)[22..]), "{error}");
    }

    fn a_key_that_only_the_ssh_agent_holds(workspace: &Workspace) {
        let (clone, _) = workspace.shared();
        let (key, public) = (workspace.0.join("key"), workspace.0.join("key.pub"));
        let run = |program: &str, args: &[&str]| {
            let output = Command::new(program).args(args).output().unwrap();
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        };
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key.to_str().unwrap()]);
        let socket = std::env::var("SSH_AUTH_SOCK").unwrap();
        let agent = Command::new("ssh-agent").args(["-D", "-a", &socket]).stdout(Stdio::null()).spawn().unwrap();
        let _agent = Running(agent);
        // The socket is there a moment before anybody listens on it.
        while UnixStream::connect(&socket).is_err() {
            std::thread::yield_now();
        }
        run("ssh-add", &["-q", key.to_str().unwrap()]);
        fs::remove_file(&key).unwrap();
        fs::write(workspace.0.join("allowed"), format!("ann {}", fs::read_to_string(&public).unwrap())).unwrap();
        // In place of ssh and sshd: the server's challenge has to be signed, which only the agent can.
        workspace.ssh_to_origin(&clone, &format!(
            "cd {}; challenge=$(head -c 32 /dev/urandom | od -An -tx1)\n\
             echo \"$challenge\" | ssh-keygen -q -Y sign -n git -f key.pub >signature 2>/dev/null &&\n\
             echo \"$challenge\" | ssh-keygen -q -Y verify -n git -f allowed -I ann -s signature >&2 ||\n\
             {{ echo 'ann@git.example.com: Permission denied (publickey).' >&2; exit 255; }}\n\
             echo \"$*\" >> asked",
            workspace.0.display()
        ));
        clone.git("remote set-url origin ann@git.example.com:acme/access.git");
        round_trip(workspace, &clone);
        let asked = fs::read_to_string(workspace.0.join("asked")).unwrap();
        for service in ["git-upload-pack", "git-receive-pack"] {
            assert!(asked.contains(&format!("ann@git.example.com {service} 'acme/access.git'")), "{asked}");
        }
        // Without the key in the agent, nobody is let in.
        run("ssh-add", &["-q", "-D"]);
        let repo = clone.open();
        commit(&repo, BOB, "bob\n");
        let error = refused(repo.push(&target(&repo)));
        assert!(error.contains("takes none of the SSH keys"), "{error}");
    }
}
