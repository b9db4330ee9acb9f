//! A key that stays at home: the request, the certificate that comes back, and the two joined.

use certctl::pki::parse_request;
use certctl_testing::Ran;

use super::world::World;

#[test]
fn a_request_is_right_by_construction_and_its_certificate_is_joined_with_the_key() {
    let world = World::new();
    let alice = world.identity("home/.config/certctl/identity.txt");
    let entry = format!("recipients: [{alice}]\ngroups: [developers]");
    world.roster(&[("alice", &entry)]);
    let ran = world.certctl(&["request"]).expect(0);
    assert_eq!(ran.stdout, "csr: csrs/alice.csr\n");
    let request = parse_request(world.read("repo/csrs/alice.csr").as_bytes()).expect("a request");
    let id = request.credential_id();
    assert_eq!(request.common_name.as_deref(), Some("alice"));
    assert_eq!(request.organizations, [format!("certctl:alice:{id}"), "developers".to_owned()]);
    let key = format!("home/.config/certctl/keys/{id}.pem");
    assert_eq!((world.mode(&key), world.mode("home/.config/certctl/keys")), (0o600, 0o700));
    assert!(ran.stderr.contains(&format!("{id}.pem")), "{}", ran.stderr);

    let before = world.read("repo/csrs/alice.csr");
    world.certctl(&["request"]).expect(1).says("csrs/alice.csr exists already; nothing was written");
    assert_eq!(world.read("repo/csrs/alice.csr"), before);
    assert_eq!(super::world::files_in(&world.path("home/.config/certctl/keys")), 1);

    // The roster takes it as it is.
    world.roster(&[("alice", &format!("{entry}\n{}", ran.stdout.trim()))]);
    world.certctl(&["validate"]).expect(0);

    let issued = world.issue_to("alice", &[&alice], &request.public_key_der, None);
    let joined = world.certctl(&["decrypt"]).expect(0);
    assert!(joined.stdout.starts_with(&issued.kubeconfig), "{}", joined.stdout);
    let more = joined.stdout.strip_prefix(&issued.kubeconfig).expect("the key at the end");
    assert!(more.starts_with("    client-key-data: \"") && more.lines().count() == 1);
    assert_eq!(joined.stderr, "");

    // A key that is not this certificate's is not joined, and without one the rest is printed.
    let kept = world.read(&key);
    let other = certctl::pki::PrivateKey::generate(Default::default()).expect("a key").to_pem();
    world.write(&key, std::str::from_utf8(&other).expect("PEM"));
    world.certctl(&["decrypt"]).expect(1).says("is not the key of credential");
    world.write(&key, "nothing");
    world.certctl(&["decrypt"]).expect(1).says("the private key cannot be used");
    std::fs::remove_file(world.path(&key)).expect("removed");
    let bare = world.certctl(&["decrypt"]).expect(0).says("because you keep it");
    assert_eq!(bare.stdout, issued.kubeconfig);
    world.write(&key, &kept);
    assert_eq!(world.certctl(&["decrypt"]).expect(0).stdout, joined.stdout);
}

#[test]
fn a_request_is_not_written_through_a_symbolic_link() {
    let world = World::new();
    let alice = world.identity("home/.config/certctl/identity.txt");
    world.roster(&[("alice", &format!("recipients: [{alice}]"))]);
    let outside = world.path("elsewhere");
    std::fs::create_dir(&outside).expect("a folder");
    std::os::unix::fs::symlink(&outside, world.path("repo/csrs")).expect("a link");
    world.certctl(&["request"]).expect(1).says("csrs is a symbolic link; nothing was written");
    assert_eq!(super::world::files_in(&outside), 0);
    assert!(!world.path("home/.config/certctl/keys").exists(), "a key was made without its request");
}

#[test]
fn whoever_is_not_on_the_roster_yet_says_who_they_are() {
    let world = World::new();
    world.roster(&[("alice", &format!("recipients: [{}]", world.identity("out/alice")))]);
    world.identity("home/.config/certctl/identity.txt");
    world
        .certctl(&["request"])
        .expect(1)
        .says("none of your keys is a recipient")
        .says("`certctl request USER`");
    for (kind, description) in [("ed25519", "Ed25519"), ("ecdsa-p384", "ECDSA P-384")] {
        let file = format!("csrs/{kind}.csr");
        let ran = world.certctl(&["request", "dana", "--key", kind, "-o", &file]);
        // The folder of -o is not made.
        if !world.path("repo/csrs").exists() {
            ran.expect(64).says("is not in the folder of users.yaml");
            std::fs::create_dir(world.path("repo/csrs")).expect("a folder");
            world.certctl(&["request", "dana", "--key", kind, "-o", &file]).expect(0);
        } else {
            assert_eq!(ran.expect(0).stdout, format!("csr: {file}\n"));
        }
        let request = parse_request(world.read(&format!("repo/{file}")).as_bytes()).expect("a request");
        assert_eq!(request.organizations, [format!("certctl:dana:{}", request.credential_id())]);
        assert_eq!(request.key.to_string(), description);
    }
    world.certctl(&["request", "dana", "-o", "../out/dana.csr"]).expect(64).says("could not name it");
    world.certctl(&["request", "dana", "--key", "dsa"]).expect(64);
    assert!(!world.path("out/dana.csr").exists());
}

#[test]
fn outside_of_a_clone_a_request_is_a_file_to_send() {
    let world = World::new();
    let elsewhere = world.path("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a folder");
    let here = |args: &[&str]| Ran::of(world.command(args).current_dir(&elsewhere));
    here(&["request"]).expect(1).says("without a roster, say who you are: `certctl request USER`");
    let ran = here(&["request", "Dana.Lee+k8s@example.com"]).expect(0);
    assert_eq!(ran.stdout, "csr: csrs/Dana.Lee+k8s@example.com.csr\n");
    let request = world.read("elsewhere/Dana.Lee+k8s@example.com.csr");
    let request = parse_request(request.as_bytes()).expect("a request");
    let id = request.credential_id();
    assert_eq!(request.organizations, [format!("certctl:Dana.Lee+k8s@example.com:{id}")]);
    assert_eq!(world.mode(&format!("home/.config/certctl/keys/{id}.pem")), 0o600);
    here(&["request", "Dana.Lee+k8s@example.com"]).expect(1).says("exists already; nothing was written");
    let file = world.path("out/dana.csr").display().to_string();
    assert_eq!(here(&["request", "dana", "-o", &file]).expect(0).stdout, "csr: csrs/dana.csr\n");
    assert_eq!(super::world::files_in(&elsewhere), 1);
    assert_eq!(super::world::files_in(&world.path("home/.config/certctl/keys")), 2);
}

#[test]
fn a_request_goes_beside_the_roster_that_login_noted() {
    let world = World::new();
    let alice = world.identity("home/.config/certctl/identity.txt");
    world.roster(&[("alice", &format!("recipients: [{alice}]\ngroups: [developers]"))]);
    world.issue("alice", &[&alice]);
    world.certctl(&["login"]).expect(0);
    let elsewhere = world.path("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a folder");
    let ran = Ran::of(world.command(&["request"]).current_dir(&elsewhere)).expect(0);
    assert_eq!(ran.stdout, "csr: csrs/alice.csr\n");
    let request = parse_request(world.read("repo/csrs/alice.csr").as_bytes()).expect("a request");
    assert_eq!(request.organizations[1..], ["developers".to_owned()], "the roster's groups are in it");
    assert_eq!(super::world::files_in(&elsewhere), 0);
}

#[test]
fn a_file_is_replaced_only_with_force_and_is_never_wider_than_0600() {
    let world = World::new();
    let alice = world.identity("home/.config/certctl/identity.txt");
    world.roster(&[("alice", &format!("recipients: [{alice}]"))]);
    let (issued, _) = world.issue("alice", &[&alice]);
    world.certctl(&["decrypt", "--force"]).expect(64);
    let out = world.write("out/kubeconfig", "mine").display().to_string();
    world
        .certctl(&["decrypt", "-o", &out])
        .expect(1)
        .says("exists already; nothing was written")
        .says("--force");
    assert_eq!(world.read("out/kubeconfig"), "mine");
    let ran = world.certctl(&["decrypt", "-o", &out, "--force"]).expect(0);
    assert_eq!((ran.stdout.as_str(), world.read("out/kubeconfig")), ("", issued.kubeconfig));
    assert_eq!(world.mode("out/kubeconfig"), 0o600);
    assert_eq!(super::world::files_in(&world.path("out")), 1);
    world.certctl(&["decrypt", "-o", "../missing/kubeconfig"]).expect(1).says("could not be written");
}
