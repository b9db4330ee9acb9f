//! The reference `age` decrypts what certctl seals, and certctl what it seals: a key of age's own, and ssh
//! keys.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use certctl::model::Recipient;
use certctl::seal::{Identities, seal};

const PLAINTEXT: &[u8] = b"apiVersion: v1\nkind: Config\n";

fn load(path: &Path) -> Identities {
    Identities::load(&[path.to_owned()]).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

fn make(mut program: Command, path: &Path) {
    let made = program.arg(path).stdin(Stdio::null()).stderr(Stdio::null()).status();
    assert!(made.expect("it starts").success(), "{program:?}");
}

pub fn the_reference_age_opens_what_we_seal_and_we_what_it_seals() {
    let programs = certctl_testing::binaries().expect("needed");
    let folder = tempfile::tempdir().expect("a folder");
    let keys = [("age", None), ("ed25519", Some("ed25519")), ("rsa", Some("rsa"))];
    let identities = keys.map(|(name, ssh)| -> (PathBuf, Recipient) {
        let path = folder.path().join(name);
        let mut program;
        if let Some(kind) = ssh {
            program = Command::new("ssh-keygen");
            program.args(["-q", "-t", kind, "-C", "alice@laptop of hers", "-N", "", "-f"]);
        } else {
            program = Command::new(programs.join("age-keygen"));
            program.arg("-o");
        }
        make(program, &path);
        let recipient = load(&path).recipients().first().expect("a recipient").clone();
        (path, recipient)
    });

    let run = |arguments: &[&str], identity: Option<&Path>, input: &[u8]| {
        let mut command = Command::new(programs.join("age"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(path) = identity {
            command.arg("-i").arg(path);
        }
        let mut child = command.spawn().expect("age runs");
        child.stdin.take().expect("piped").write_all(input).expect("written");
        let output = child.wait_with_output().expect("age ends");
        assert!(output.status.success(), "age {arguments:?}");
        output.stdout
    };
    let recipients: BTreeSet<Recipient> = identities.iter().map(|(_, recipient)| recipient.clone()).collect();
    let sealed = seal(&recipients, PLAINTEXT).expect("sealed");
    for (path, recipient) in &identities {
        assert_eq!(run(&["-d"], Some(path), &sealed), PLAINTEXT, "{recipient}");
        for arguments in [vec!["-r", recipient.as_str()], vec!["-a", "-r", recipient.as_str()]] {
            let theirs = run(&arguments, None, PLAINTEXT);
            assert_eq!(*load(path).open(&theirs).expect("opened"), PLAINTEXT, "{recipient}");
        }
    }
}
