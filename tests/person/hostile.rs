//! Valid encryption, wrong content: nothing in the repository is believed.

use std::collections::BTreeSet;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl::model::{hex, sha256};
use certctl::pki::PrivateKey;
use certctl::record::CredentialState;

use super::world::{SERVER, World, authority, files_in};

#[test]
fn each_is_refused_with_its_own_reason_and_nothing_is_written() {
    let world = World::new();
    let me = world.identity("key.txt");
    let key = world.path("key.txt").display().to_string();
    world.roster(&[
        ("alice", &format!("recipients: [{me}]")),
        ("bob", &format!("recipients: [{}]", world.identity("bob.txt"))),
    ]);
    let (good, _) = world.issue("alice", &[&me]);
    let sealed = std::fs::read(world.path("repo/access/prod/alice.kubeconfig.age")).expect("sealed");
    let out = world.path("out/kubeconfig").display().to_string();
    let args = ["decrypt", "-i", &key, "-o", &out];
    let mut reasons = BTreeSet::new();
    let mut refused = |why: &str| {
        let ran = world.certctl(&args).expect(1).says(why);
        assert_eq!(ran.stdout, "");
        assert_eq!(files_in(&world.path("out")), 0, "{why}");
        assert!(reasons.insert(ran.stderr.clone()), "not its own reason:\n{}", ran.stderr);
    };

    // The kubeconfig.
    let text = &good.kubeconfig;
    let field = |text: &str, name: &str, value: &[u8]| {
        let start = text.find(name).expect(name) + name.len() + 3;
        let end = start + text[start..].find('"').expect("an end");
        format!("{}{}{}", &text[..start], STANDARD.encode(value), &text[end..])
    };
    let in_user = |more: &str| format!("{text}    {more}\n");
    let in_cluster = |more: &str| text.replacen("    server:", &format!("    {more}\n    server:"), 1);
    let (_, other_authority) = authority();
    let mallory = PrivateKey::generate(Default::default()).expect("a key");
    let other_certificate = world.certificate("alice", &mallory.public_key_der());
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    for (kubeconfig, why) in [
        (text.replace(SERVER, "https://evil.example.com"), "connects to another server"),
        (
            field(text, "certificate-authority-data", other_authority.as_bytes()),
            "trusts another certificate authority",
        ),
        (
            field(text, "client-certificate-data", other_certificate.pem().as_bytes()),
            "holds another certificate than the record",
        ),
        (field(text, "client-key-data", &mallory.to_pem()), "does not belong to its certificate"),
        (text.replace("\"prod\"", "\"dev\""), "named `dev`"),
        (text.replace("alice@prod", "bob@prod"), "`bob@prod`, expected"),
        (in_user("exec: {command: sh, apiVersion: v1}"), "`users[0].user.exec`, which runs a program"),
        (in_user("auth-provider: {name: gcp}"), "auth-provider`, which gets other credentials"),
        (in_user("tokenFile: /etc/passwd"), "tokenFile`, which reads a file"),
        (in_user("token: abc"), "token`, which logs in as someone else"),
        (in_user("as: admin"), "as`, which acts as someone else"),
        (
            in_cluster("proxy-url: http://evil"),
            "sends requests through another proxy: expected none, found `http://evil`",
        ),
        (in_cluster("insecure-skip-tls-verify: true"), "insecure-skip-tls-verify`, which turns off"),
        (in_cluster("tls-server-name: evil"), "takes a server of another name: expected none, found `evil`"),
        (
            text.replace(
                "contexts:\n",
                "contexts:\n- name: two\n  context: {cluster: prod, user: alice@prod}\n",
            ),
            "2 entries under `contexts`",
        ),
        (text.replace("users:\n", "users:\n- name: two\n  user: {}\n"), "2 entries under `users`"),
        (format!("{text}preferences: {{}}\n"), "`preferences`, which certctl never writes"),
        (bomb.to_owned(), "cannot be read"),
        ("{{{ no YAML".to_owned(), "cannot be read"),
        (String::new(), "is not to be trusted"),
        (text.replace("kind: Config", "kind: Secret"), "`kind` is `Secret`"),
    ] {
        world.seal("alice", &[&me], &kubeconfig);
        refused(why);
    }

    // The file.
    let mut with_passphrase = Vec::new();
    let mut passphrase = age::scrypt::Recipient::new("secret".to_owned().into());
    passphrase.set_work_factor(4);
    let encryptor = age::Encryptor::with_recipients([&passphrase as &dyn age::Recipient].into_iter());
    let mut writer = encryptor.expect("a recipient").wrap_output(&mut with_passphrase).expect("written");
    writer.write_all(text.as_bytes()).and_then(|()| writer.finish().map(drop)).expect("written");
    let large = "x".repeat(300 * 1024);
    for (file, why) in [
        (b"apiVersion: v1\n".as_slice(), "it is no age file"),
        (&sealed[..sealed.len() / 2], "is no sealed kubeconfig"),
        (&with_passphrase, "sealed with a passphrase"),
        (large.as_bytes(), "is longer than"),
    ] {
        world.sealed("alice", file);
        refused(why);
    }
    let bob = certctl::seal::Identities::load(&[world.path("bob.txt")]).expect("an identity");
    let bob = bob.recipients().first().expect("a recipient").to_string();
    world.seal("alice", &[&bob], text);
    refused("none of your identities opens the sealed kubeconfigs");

    // The record.
    world.sealed("alice", &sealed);
    let path = "repo/access/prod/alice.yaml";
    let record = world.read(path);
    // Whoever can write a record can compute its checksum too; it stops only what is edited by hand.
    let (body, _) = record.split_once("checksum: ").expect("a checksum");
    let summed = |body: String| format!("{body}checksum: sha256:{}\n", hex(&sha256(body.as_bytes())));
    for (changed, why) in [
        ("{{{".to_owned(), "is not as certctl wrote it"),
        (record.replace("generation: 1", "generation: 7"), "does not fit its checksum"),
        (summed(format!("{body}more: true\n")), "unknown field"),
        (summed(body.replace("user: alice", "user: bob")), "is about bob on prod"),
        (summed(body.replace("cluster: prod", "cluster: dev")), "is about alice on dev"),
        (summed(body.replace("kind: Record", "kind: Other")), "is no certctl.dev/v1 Record"),
        (bomb.to_owned(), "alice.yaml"),
    ] {
        world.write(path, &changed);
        refused(why);
    }
    // A link would have an error quote what it leads to.
    world.write("secret", "ghs_token: 1\n");
    std::fs::remove_file(world.path(path)).expect("removed");
    std::os::unix::fs::symlink(world.path("secret"), world.path(path)).expect("linked");
    refused("alice.yaml is a symbolic link");
    for command in ["validate", "plan", "whoami"] {
        let ran = world.certctl(&[command]);
        assert!(ran.code != Some(0) && !ran.stderr.contains("ghs_token"), "{}", ran.stderr);
    }
    std::fs::remove_file(world.path(path)).expect("removed");
    let mut changed = good.record.clone();
    changed.credentials[0].certificate = other_certificate.pem().to_owned();
    world.record("alice", &changed);
    refused("`id` is not what its certificate says");
    let mut changed = good.record.clone();
    changed.credentials[0].state = CredentialState::Revoked;
    world.record("alice", &changed);
    refused("holds no active credential");
    std::fs::remove_file(world.path(path)).expect("removed");
    world.write("repo/access/prod/.keep", "");
    refused_again(&world, &args, "holds no active credential");

    // Record and kubeconfig agree, and the roster says otherwise.
    let mut changed = good.record.clone();
    changed.credentials[0].server = "https://evil.example.com:1".to_owned();
    changed.credentials[0].certificate_authority_sha256 = Some(hex(&sha256(other_authority.as_bytes())));
    world.record("alice", &changed);
    world.seal("alice", &[&me], &text.replace(SERVER, "https://evil.example.com:1"));
    refused("found `https://evil.example.com:1`");
    let theirs = field(text, "certificate-authority-data", other_authority.as_bytes());
    world.seal("alice", &[&me], &theirs);
    world.write("repo/clusters/prod.crt", &authority().1);
    refused("trusts another certificate authority");
    world.write("repo/clusters/prod.crt", &world.authority);

    // And unchanged, it is taken.
    world.sealed("alice", &sealed);
    world.record("alice", &good.record);
    world.certctl(&args).expect(0);
    assert_eq!(world.read("out/kubeconfig"), good.kubeconfig);
    assert_eq!(world.mode("out/kubeconfig"), 0o600);
}

/// For a reason that another case has as well.
fn refused_again(world: &World, args: &[&str], why: &str) {
    world.certctl(args).expect(1).says(why);
    assert_eq!(files_in(&world.path("out")), 0, "{why}");
}
