//! Which identities are found, how they are unlocked, and that nobody is asked without need.

use std::collections::HashSet;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use age_core::format::{FileKey, Stanza};
use age_core::secrecy::ExposeSecret as _;
use base64::Engine as _;

use super::typed::typed;
use super::world::World;
use certctl_testing::Ran;

#[test]
fn keygen_prints_the_line_for_the_roster_and_decrypt_needs_no_flag() {
    let world = World::new();
    let line = world.certctl(&["keygen"]).expect(0).stdout;
    let recipient = line.strip_prefix("- ").expect("a list item").trim().to_owned();
    assert!(recipient.starts_with("age1") && line.ends_with('\n') && line.lines().count() == 1, "{line}");
    let file = "home/.config/certctl/identity.txt";
    assert_eq!((world.mode(file), world.mode("home/.config/certctl")), (0o600, 0o700));

    let made = world.read(file);
    let again =
        world.certctl(&["keygen"]).expect(1).says("exists already; nothing was written").says("Hint:");
    assert_eq!((again.stdout.as_str(), world.read(file)), ("", made));

    world.roster(&[("alice", &format!("recipients:\n{line}"))]);
    let (issued, _) = world.issue("alice", &[&recipient]);
    assert_eq!(world.certctl(&["decrypt"]).expect(0).stdout, issued.kubeconfig);

    world.certctl(&["keygen", "-o", "../out/second"]).expect(0);
    assert_eq!(world.mode("out/second"), 0o600);
    let mut command = world.command(&["keygen"]);
    command.env("XDG_CONFIG_HOME", world.path("out/config"));
    Ran::of(&mut command).expect(0);
    assert_eq!(world.mode("out/config/certctl/identity.txt"), 0o600);
    world
        .certctl_detached(&["keygen", "--passphrase", "-o", "../out/third"])
        .expect(1)
        .says("there is no terminal");
    assert!(!world.path("out/third").exists());
}

#[test]
fn what_is_named_comes_first_and_of_what_is_found_all_is_used() {
    let world = World::new();
    world.certctl(&["decrypt"]).expect(1);
    let people = ["named", "variable", "own", "sops-variable", "sops", "ed25519", "rsa"];
    let recipients = [
        world.identity("out/named"),
        world.identity("out/variable"),
        world.identity("home/.config/certctl/identity.txt"),
        world.identity("out/sops"),
        world.identity("home/.config/sops/age/keys.txt"),
        world.ssh_identity("home/.ssh/id_ed25519", "ed25519", ""),
        world.ssh_identity("home/.ssh/id_rsa", "rsa", ""),
    ];
    let entries: Vec<String> = recipients.iter().map(|key| format!("recipients: [\"{key}\"]")).collect();
    let roster: Vec<(&str, &str)> = people.iter().copied().zip(entries.iter().map(String::as_str)).collect();
    for (index, name) in people.iter().enumerate() {
        world.roster(&roster[index..=index]);
        let (issued, _) = world.issue(name, &[&recipients[index]]);
        let decrypt = |variable: bool, flag: bool| {
            let mut command = world.command(&["decrypt"]);
            command.env("SOPS_AGE_KEY_FILE", world.path("out/sops"));
            if variable {
                command.env("CERTCTL_IDENTITY", world.path("out/variable"));
            }
            if flag {
                command.args(["-i", "../out/named"]);
            }
            Ran::of(&mut command)
        };
        for (variable, flag, used) in
            [(false, false, index > 1), (true, false, index == 1), (true, true, index == 0)]
        {
            let ran = decrypt(variable, flag);
            if used {
                assert_eq!(ran.expect(0).stdout, issued.kubeconfig, "{name}");
            } else {
                ran.expect(1).says("none of your keys is a recipient");
            }
        }
    }
    // Something unusable among what is found does not matter; where it is named, it does.
    world.write("home/.ssh/id_ed25519", "nothing");
    world.certctl(&["decrypt"]).expect(0);
    world.certctl(&["decrypt", "-v"]).expect(0).says("Not used: ");
    world.certctl(&["decrypt", "-i", "../home/.ssh/id_ed25519"]).expect(1).says("this line is no identity");
}

#[test]
fn a_passphrase_is_typed_on_the_terminal_and_only_when_it_is_needed() {
    let world = World::new();
    let ed25519 = world.ssh_identity("home/.ssh/id_ed25519", "ed25519", "correct horse");
    let rsa = world.ssh_identity("home/.ssh/id_rsa", "rsa", "");
    world.roster(&[
        ("alice", &format!("recipients: [\"{ed25519}\"]")),
        ("bob", &format!("recipients: [\"{rsa}\"]")),
    ]);
    let (alice, _) = world.issue("alice", &[&ed25519]);
    let (bob, _) = world.issue("bob", &[&rsa]);
    // Two people's keys on one machine: ambiguous until one says who.
    let text = world.certctl_detached(&["decrypt", "bob"]).expect(0).stdout;
    assert_eq!(text, bob.kubeconfig, "nobody is asked for another key's passphrase");

    let question = "id_ed25519: ";
    let shown =
        typed(world.command(&["decrypt", "alice"]), &[(question, "wrong"), (question, "correct horse")]);
    let shown = shown.expect(0).says("That is not the passphrase.");
    assert_eq!(shown.stdout, alice.kubeconfig);
    assert!(!shown.stderr.contains("horse"), "what is typed does not show:\n{}", shown.stderr);

    typed(world.command(&["decrypt", "alice"]), &[(question, "1"), (question, "2"), (question, "3")])
        .expect(1)
        .says("id_ed25519 was not opened: the passphrase was wrong 3 times; nothing was decrypted");
    world
        .certctl_detached(&["decrypt", "alice"])
        .expect(1)
        .says("id_ed25519 is protected by a passphrase, and there is no terminal to ask on")
        .says("Hint: ");
}

#[test]
fn a_protected_identity_is_made_and_used_with_its_passphrase() {
    let world = World::new();
    let twice = |first: &str, second: &str| {
        let answers = [("new identity: ", first), ("same again: ", second)];
        typed(world.command(&["keygen", "--passphrase"]), &answers)
    };
    twice("one", "two").expect(1).says("the two passphrases differ; no identity was made");
    let made = twice("tr0ub4dor", "tr0ub4dor").expect(0);
    let file = world.read("home/.config/certctl/identity.txt");
    assert!(file.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"), "{file}");
    let recipient = made.stdout.trim().trim_start_matches("- ").to_owned();

    world.roster(&[("alice", &format!("recipients: [{recipient}]"))]);
    let (issued, _) = world.issue("alice", &[&recipient]);
    let shown = typed(world.command(&["decrypt"]), &[("identity.txt: ", "tr0ub4dor")]).expect(0);
    assert_eq!(shown.stdout, issued.kubeconfig);
    world
        .certctl_detached(&["decrypt"])
        .expect(1)
        .says("identity.txt is protected by a passphrase, and there is no terminal to ask on");
}

const STUB_RECIPIENT: &str = "age1stub1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnksz24z";
const STUB_IDENTITY: &str = "AGE-PLUGIN-STUB-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNL2NSM6\n";

/// What `tests/person/age-plugin-stub` wraps to.
struct Stub;

impl age::Recipient for Stub {
    fn wrap_file_key(&self, key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        let body = key.expose_secret().to_vec();
        let stanza = Stanza { tag: "stub".to_owned(), args: vec![STUB_RECIPIENT.to_owned()], body };
        Ok((vec![stanza], HashSet::new()))
    }
}

#[test]
fn a_plugins_identity_asks_through_us_and_says_when_the_plugin_is_missing() {
    let world = World::new();
    let other = world.identity("out/other");
    world.write("home/.config/certctl/identity.txt", STUB_IDENTITY);
    let both = format!("recipients: [{STUB_RECIPIENT}]");
    // Two people with the plugin: whose files open tells who one is.
    world.roster(&[("alice", &both), ("zoe", &both), ("bob", &format!("recipients: [{other}]"))]);
    let (issued, _) = world.issue("alice", &[STUB_RECIPIENT]);
    let mut sealed = Vec::new();
    let one = std::iter::once(&Stub as &dyn age::Recipient);
    let mut writer = age::Encryptor::with_recipients(one)
        .expect("a recipient")
        .wrap_output(&mut sealed)
        .expect("a writer");
    writer.write_all(issued.kubeconfig.as_bytes()).expect("written");
    writer.finish().expect("written");
    world.sealed("alice", &sealed);
    world.issue("bob", &[&other]);

    world
        .certctl_detached(&["decrypt"])
        .expect(1)
        .says("identity.txt needs `age-plugin-stub`, which is not on PATH");
    let plugin = world.write("path/age-plugin-stub", include_str!("age-plugin-stub"));
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).expect("executable");

    let shown = typed(world.command(&["decrypt", "alice"]), &[("PIN of the stub: ", "1234")]).expect(0);
    assert_eq!(shown.stdout, issued.kubeconfig);
    let twice = [("PIN of the stub: ", "1234"), ("PIN of the stub: ", "1234")];
    let shown = typed(world.command(&["decrypt"]), &twice).expect(0);
    assert_eq!(shown.stdout, issued.kubeconfig);
    typed(world.command(&["decrypt", "alice"]), &[("PIN of the stub: ", "4321")]).expect(1).says("wrong PIN");
    world.certctl_detached(&["decrypt", "alice"]).expect(1).says("there is no terminal to ask on");
    world
        .certctl_detached(&["decrypt", "bob"])
        .expect(1)
        .says("none of your identities opens the sealed kubeconfigs");
    let encoded = base64::engine::general_purpose::STANDARD_NO_PAD.encode("1234");
    assert!(include_str!("age-plugin-stub").contains(&encoded));
}

#[test]
fn one_unusable_line_of_an_identity_file_stops_nothing() {
    let world = World::new();
    let alice = world.identity("home/.config/certctl/identity.txt");
    world.roster(&[("alice", &format!("recipients: [{alice}]"))]);
    let (issued, _) = world.issue("alice", &[&alice]);
    let file = "home/.config/certctl/identity.txt";
    let good = world.read(file);
    let named = world.path(file).display().to_string();
    // As a Windows editor saves it, with something else before the good one.
    for (line, why) in [
        ("AGE-SECRET-KEY-PQ-1SECRETSECRET", "this is a post-quantum identity"),
        ("AGE-PLUGIN-YUBIKEY-1SECRETSECRET", "this identity of an age plugin was cut off"),
        (alice.as_str(), "this is a public key"),
        ("password: SECRETSECRET", "this line is no identity"),
    ] {
        world.write(file, &format!("\u{feff}{line}\r\n{}", good.replace('\n', "\r\n")));
        assert_eq!(world.certctl(&["decrypt"]).expect(0).stdout, issued.kubeconfig, "{line}");
        assert_eq!(world.certctl(&["decrypt", "-i", &named]).expect(0).stderr, "", "{line}");
        let said = world.certctl(&["-v", "decrypt"]).expect(0).says(&format!("identity.txt:1: {why}"));
        assert!(!said.stderr.contains("SECRETSECRET"), "{}", said.stderr);
    }
    world.write(file, &format!("\u{feff}{good}"));
    assert_eq!(world.certctl(&["decrypt"]).expect(0).stdout, issued.kubeconfig);
}

/// What people have in the file, and beside it, was reported to age, rage and sops.
#[test]
fn a_good_identity_is_found_in_whatever_it_was_saved_as_and_beside_keys_that_age_cannot_use() {
    let world = World::new();
    let file = "home/.config/certctl/identity.txt";
    let alice = world.identity(file);
    let good = world.read(file).trim().to_owned();
    world.roster(&[("alice", &format!("recipients: [{alice}]"))]);
    let (issued, _) = world.issue("alice", &[&alice]);
    let other = world.identity("out/other");
    let armored = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3YxCg==\n-----END AGE ENCRYPTED FILE-----\n";
    for content in [
        good.clone(),
        format!("{good}\n{armored}"),
        format!("{}\n  {good}\t\r\n\r\n", world.read("out/other").trim()),
        format!("# created: now\r\n# public key: {alice}\r\n{good}"),
    ] {
        world.write(file, &content);
        assert_eq!(world.certctl(&["decrypt"]).expect(0).stdout, issued.kubeconfig, "{content:?}");
    }
    // What PowerShell's `>` writes is told apart from what is no text at all.
    let wide: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(good.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    std::fs::write(world.path(file), wide).expect("written");
    let named = world.path(file).display().to_string();
    world.certctl(&["decrypt", "-i", &named]).expect(1).says("it is UTF-16").says("save it as UTF-8");

    world.write(file, &good);
    world.ssh_identity("home/.ssh/id_rsa", "rsa", "");
    let make = |kind: &[&str], file: &str| {
        let path = world.path(file);
        let _ = std::fs::remove_file(&path);
        let mut keygen = std::process::Command::new("ssh-keygen");
        let made = keygen.args(["-q", "-N", "", "-t"]).args(kind).arg("-f").arg(&path).status();
        assert!(made.expect("ssh-keygen runs").success(), "{kind:?}");
    };
    for (kind, file, why) in [
        (&["rsa", "-b", "1024"][..], "home/.ssh/id_rsa", "RSA key of less than 2048 bits"),
        (&["ecdsa"], "home/.ssh/id_ed25519", "it takes ed25519 and rsa"),
        (&["rsa", "-b", "2048", "-m", "PEM"], "home/.ssh/id_rsa", ""),
    ] {
        make(kind, file);
        let ran = world.certctl(&["-v", "decrypt"]).expect(0);
        assert_eq!(ran.stdout, issued.kubeconfig, "{kind:?}");
        assert!(ran.stderr.contains(why), "{kind:?}: {}", ran.stderr);
    }
    // Where nothing opens it, those are said too.
    world.seal("alice", &[&other], &issued.kubeconfig);
    world.certctl(&["decrypt", "alice"]).expect(1).says("none of your identities opens");
}

#[test]
fn what_was_tried_and_what_would_open_it_is_said() {
    let world = World::new();
    let own = world.identity("home/.config/certctl/identity.txt");
    world.ssh_identity("home/.ssh/id_ed25519", "ed25519", "");
    let other = world.ssh_identity("out/other", "ed25519", "");
    let fingerprint = |file: &str| {
        let listed = std::process::Command::new("ssh-keygen").arg("-lf").arg(world.path(file)).output();
        let listed = String::from_utf8(listed.expect("ssh-keygen runs").stdout).expect("text");
        listed.split(' ').find(|word| word.starts_with("SHA256:")).expect("a fingerprint").to_owned()
    };
    world.roster(&[("alice", &format!("recipients: [\"{other}\"]"))]);
    world.issue("alice", &[&other]);
    let mine = fingerprint("home/.ssh/id_ed25519");
    let ran = world.certctl(&["decrypt", "alice"]).expect(1);
    ran.says(
        "none of your identities opens the sealed kubeconfigs of `alice` (1 tried); nothing was decrypted",
    )
    .says(&format!("tried ~/.config/certctl/identity.txt ({own}), ~/.ssh/id_ed25519 ({mine})"))
    .says(&format!("sealed to {}", fingerprint("out/other")))
    .says("`-i FILE`");
    // Whoever is nobody on the roster hears which keys that was decided by.
    world.certctl(&["decrypt"]).expect(1).says("none of your keys is a recipient").says(&mine);
    let key = world.path("out/other").display().to_string();
    world.certctl(&["decrypt", "-i", &key]).expect(0);
}

#[test]
fn a_key_that_only_an_agent_holds_is_told_apart() {
    let world = World::new();
    world.roster(&[("alice", &format!("recipients: [{}]", world.identity("out/alice")))]);
    let without = world.certctl(&["decrypt"]).expect(1).says("there is no identity to decrypt with");
    assert!(!without.stderr.contains("ssh-agent"), "{}", without.stderr);
    let mut command = world.command(&["decrypt"]);
    command.env("SSH_AUTH_SOCK", "/nowhere");
    Ran::of(&mut command).expect(1).says("keys that only an ssh-agent holds cannot decrypt");
}

/// `validate` says so, before anything is sealed to a key that opens nothing.
#[test]
fn recipients_that_cannot_decrypt_are_refused_by_name_when_the_roster_is_validated() {
    let world = World::new();
    for (recipient, why) in [
        ("sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5", "on a security token"),
        ("sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNh", "on a security token"),
        ("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY", "type ecdsa"),
        ("ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5", "ssh certificate"),
        ("age1pq1qqqqqqqq", "post-quantum"),
    ] {
        world.roster(&[("alice", &format!("recipients: [\"{recipient}\"]"))]);
        world.certctl(&["validate"]).expect(1).says("recipient of user `alice`").says(why);
    }
}

/// As git checks it out under `core.autocrlf`, as an editor saves it, or with what it was before beside it.
#[test]
fn an_authority_is_the_same_however_its_file_is_written() {
    let world = World::new();
    let alice = world.identity("home/.config/certctl/identity.txt");
    world.roster(&[("alice", &format!("recipients: [{alice}]"))]);
    let (issued, _) = world.issue("alice", &[&alice]);
    let authority = world.authority.clone();
    for written in [
        authority.replace('\n', "\r\n"),
        format!("\u{feff}{authority}"),
        format!("subject=CN = kubernetes\n\n{authority}\n"),
        authority.repeat(2),
    ] {
        world.write("repo/clusters/prod.crt", &written);
        assert_eq!(world.certctl(&["decrypt"]).expect(0).stdout, issued.kubeconfig, "{written}");
        world.certctl(&["login"]).expect(0);
        world.certctl(&["credential", "--cluster", "prod"]).expect(0);
    }
}

#[test]
fn colour_is_for_terminals_that_know_it() {
    let world = World::new();
    world.roster(&[("alice", &format!("recipients: [{}]", world.identity("out/alice")))]);
    let on = |term: &str, lang: &str| {
        let mut command = world.command(&["decrypt"]);
        command.env("TERM", term).env("LANG", lang).env("LC_ALL", lang);
        typed(command, &[]).expect(1).says("there is no identity to decrypt with").stderr
    };
    assert!(on("xterm-256color", "C.UTF-8").contains("\x1b["));
    for shown in [on("dumb", "C.UTF-8"), on("dumb", "C"), world.certctl(&["decrypt"]).expect(1).stderr] {
        assert!(shown.is_ascii() && !shown.contains('\x1b'), "{shown}");
    }
    // What a locale cannot say changes nothing of what is said.
    let plain = |shown: String| shown.replace("\x1b[1;31m", "").replace("\x1b[0m", "");
    assert_eq!(plain(on("xterm", "C")), plain(on("xterm", "C.UTF-8")));
}
