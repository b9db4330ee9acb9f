//! `certctl login`, `logout`, `credential` and `whoami --offline`, without a cluster.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use age::secrecy::ExposeSecret as _;
use certctl::kubeconfig::Kubeconfig;
use certctl::model::route::Route;
use certctl::model::{CredentialGroup, CredentialId, KeySource, KeyType, Recipient, UserName, hex, sha256};
use certctl::pki::{Certificate, PrivateKey};
use certctl::record::{self, API_VERSION, Credential, CredentialState, Record};
use certctl::seal;
use certctl_testing::Ran;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use tempfile::TempDir;

/// What the certificates are valid until.
const UNTIL: &str = "2040-01-01T00:00:00Z";
/// When the tests happen.
const NOW: &str = "2039-12-20T00:00:00Z";

/// Alice's clone of a repository, her age key, and her home.
struct World {
    dir: TempDir,
    recipient: String,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let identity = age::x25519::Identity::generate();
        let world = Self { dir, recipient: identity.to_public().to_string() };
        for folder in ["home", "repo/access/prod", "repo/access/dev"] {
            fs::create_dir_all(world.path(folder)).expect("folders");
        }
        fs::write(world.path("key"), identity.to_string().expose_secret()).expect("a key");
        world.roster("acme", "- {name: alice, recipients: [RECIPIENT], groups: [all]}\n");
        world.issue("prod", CredentialState::Active);
        world.issue("dev", CredentialState::Active);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().expect("a folder").join(name)
    }

    fn roster(&self, name: &str, users: &str) {
        let text = format!(
            "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\n\
             clusters: [{{name: prod, server: 'https://prod.example.com'}}, {{name: dev}}]\n\
             groups: [{{name: all, grants: [{{clusterRole: view}}, {{role: deployer, namespaces: [shop]}}]}}]\n\
             users:\n{}",
            users.replace("RECIPIENT", &self.recipient)
        );
        fs::write(self.path("repo/users.yaml"), text).expect("a roster");
    }

    /// A new credential of alice, as apply would record it; returns its id.
    fn issue(&self, cluster: &str, state: CredentialState) -> String {
        self.issue_at(cluster, state, &format!("https://{cluster}.example.com"), None)
    }

    /// As [`Self::issue`], for a cluster at this address and with this CA.
    fn issue_at(
        &self,
        cluster: &str,
        state: CredentialState,
        server: &str,
        authority: Option<&[u8]>,
    ) -> String {
        self.issue_through(cluster, state, server, authority, &Route::default())
    }

    /// As [`Self::issue_at`], for a cluster that is reached this way.
    fn issue_through(
        &self,
        cluster: &str,
        state: CredentialState,
        server: &str,
        authority: Option<&[u8]>,
        route: &Route,
    ) -> String {
        let user: UserName = "alice".parse().expect("a name");
        let cluster = cluster.parse().expect("a name");
        let key = PrivateKey::generate(KeyType::EcdsaP256).expect("a key");
        let issuer = Issuer::new(CertificateParams::default(), KeyPair::generate().expect("a key"));
        let pem = key.to_pem();
        let pair = KeyPair::from_pem(std::str::from_utf8(&pem).expect("PEM")).expect("a key");
        let id = CredentialId::of_public_key(&key.public_key_der());
        let mut params = CertificateParams::default();
        let mut name = DistinguishedName::new();
        let group = CredentialGroup::new(&user, id.clone());
        name.push(DnType::OrganizationName, group.to_string());
        name.push(DnType::CommonName, "alice");
        params.distinguished_name = name;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let until: jiff::Timestamp = UNTIL.parse().expect("a time");
        params.not_before = time::OffsetDateTime::from_unix_timestamp(0).expect("a time");
        params.not_after = time::OffsetDateTime::from_unix_timestamp(until.as_second()).expect("a time");
        params.serial_number = Some(7.into());
        let issued = params.signed_by(&pair, &issuer).expect("a certificate").pem();
        let certificate = Certificate::from_pem(issued.as_bytes()).expect("it parses");
        let kubeconfig = Kubeconfig {
            cluster: &cluster,
            context: cluster.as_str(),
            namespace: None,
            user: &user,
            server,
            route,
            certificate_authority: authority,
            certificate: certificate.pem(),
            private_key: Some(&key),
        };
        let recipient = seal::parse_recipient(&self.recipient).expect("a recipient");
        let sealed = seal::seal(&[recipient].into(), &kubeconfig.to_yaml()).expect("sealed");
        let record = Record {
            api_version: API_VERSION.into(),
            kind: "Record".into(),
            cluster: cluster.clone(),
            user: user.clone(),
            credentials: vec![Credential {
                id: id.clone(),
                state,
                serial: certificate.serial.clone(),
                x509_sha256: certificate.sha256.clone(),
                not_before: certificate.not_before,
                not_after: certificate.not_after,
                generation: 1,
                protected: false,
                key: KeySource::Made(KeyType::EcdsaP256),
                in_certificate_groups: Vec::new(),
                recipients: [Recipient::accepted_by_age(self.recipient.clone())].into(),
                server: server.into(),
                certificate_authority_sha256: authority.map(|bundle| hex(&sha256(bundle))),
                route: route.clone(),
                namespace: None,
                sealed_sha256: hex(&sha256(&sealed)),
                roster_commit: "0".repeat(40),
                certificate: certificate.pem().into(),
            }],
        };
        let file = self.path(&format!("repo/access/{cluster}/alice"));
        fs::write(file.with_extension("yaml"), record::to_yaml(&record).expect("YAML")).expect("a record");
        fs::write(file.with_extension("kubeconfig.age"), sealed).expect("a sealed file");
        id.to_string()
    }

    fn command(&self, args: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_certctl");
        let mut command = certctl_testing::scrubbed(program, &self.path("repo"), &self.path("home"));
        command.env("CERTCTL_IDENTITY", self.path("key")).env("CERTCTL_NOW", NOW).args(args);
        command
    }

    fn certctl(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.command(args))
    }

    fn config(&self) -> PathBuf {
        self.path("home/.kube/config")
    }

    fn write(&self, text: &str) {
        fs::create_dir_all(self.path("home/.kube")).expect("a folder");
        fs::write(self.config(), text).expect("a kubeconfig");
    }

    fn read(&self) -> String {
        fs::read_to_string(self.config()).expect("a kubeconfig")
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

/// 50 contexts of others, with comments, anchors, a token and odd white space.
fn fifty() -> String {
    let mut text =
        String::from("# my clusters\napiVersion: v1\nkind: Config\nx-ca: &ca Zm9v # for all\nclusters:\n");
    for i in 0..50 {
        let _ = writeln!(
            text,
            "# number {i}\n- name: c{i}\n  cluster: &c{i}\n    server: https://{i}.example.com   \n    certificate-authority-data: *ca\n"
        );
    }
    text += "contexts:\n";
    for i in 0..50 {
        let _ = writeln!(
            text,
            "  - context: {{cluster: c{i}, user: u, namespace: \"n{i}\"}} # {i}\n    name: c{i}"
        );
    }
    text += "current-context: c7\npreferences: {}\nusers:\n\n- name: u\n  user:\n    token: >-\n      very\n      secret\n# the end";
    text
}

#[test]
fn fifty_contexts_comments_and_anchors_are_as_they_were_after_login_and_logout() {
    let world = World::new();
    for text in [fifty(), fifty().replace('\n', "\r\n"), fifty() + "\n", String::new()] {
        world.write(&text);
        fs::set_permissions(world.config(), PermissionsExt::from_mode(0o640)).expect("a mode");
        for how in ["--exec", "--embed"] {
            let ran = world
                .certctl(&["login", how])
                .expect(0)
                .says("dev: alice, until 2040")
                .says("prod: alice, until 2040");
            assert_eq!(ran.stderr.contains("chmod 600"), how == "--embed", "{}", ran.stderr);
            let after = world.read();
            assert_eq!(mode(&world.config()), 0o640);
            assert_eq!(after.contains("client-key-data"), how == "--embed");
            assert_eq!(after.contains("interactiveMode"), how == "--exec");
            assert_eq!(after.contains("current-context: \"dev\""), text.is_empty(), "{after}");
            // Every line that was there still is, in order.
            let mut lines = after.lines();
            assert!(text.lines().all(|line| lines.any(|other| other == line)), "{after}");
            world.certctl(&["login", how]).expect(0);
            assert_eq!(world.read(), after, "a second login changes nothing");
        }
        world.certctl(&["logout"]).expect(0).says("logged out of 2 clusters");
        assert_eq!(world.read(), text);
        world.certctl(&["logout"]).expect(0).says("Nothing to do");
        assert_eq!(
            fs::read_dir(world.path("home/.kube")).expect("a folder").count(),
            1,
            "no lock is left behind"
        );
    }
}

#[test]
fn a_kubeconfig_that_was_not_there_is_for_its_owner_only_and_goes_again() {
    let world = World::new();
    world.certctl(&["login", "--cluster", "prod"]).expect(0).says("kubectl --context prod");
    assert_eq!(mode(&world.config()), 0o600);
    let text = world.read();
    assert!(text.starts_with("# Made by `certctl login`") && text.contains("kind: Config"), "{text}");
    assert!(text.contains("current-context: \"prod\"") && !text.contains("dev"), "{text}");
    let roster = world.path("repo/users.yaml");
    assert!(text.contains(roster.to_str().expect("UTF-8")), "an absolute path: {text}");
    world.certctl(&["login"]).expect(0);
    world.certctl(&["logout", "--cluster", "dev"]).expect(0);
    assert_eq!(world.read(), text);
    world.certctl(&["logout", "--all", "--roster", "nowhere.yaml"]).expect(0);
    assert!(!world.config().exists());
}

#[test]
fn the_roster_that_login_noted_is_found_from_any_folder() {
    let world = World::new();
    fs::create_dir(world.path("elsewhere")).expect("a folder");
    let here = |args: &[&str]| Ran::of(world.command(args).current_dir(world.path("elsewhere")));
    here(&["whoami", "--offline"]).expect(1).says("users.yaml could not be read");
    world.certctl(&["login"]).expect(0);
    let written = world.read();

    let shown = here(&["whoami", "--offline"]).expect(0).says("view everywhere; deployer in shop");
    assert_eq!(shown.stdout.lines().count(), 3, "{}", shown.stdout);
    let printed = here(&["decrypt", "--cluster", "prod"]).expect(0).stdout;
    assert!(printed.contains("https://prod.example.com"), "{printed}");
    here(&["login"]).expect(0).says("logged in to dev, prod");
    assert_eq!(world.read(), written);
    // It is for a person's own commands, and what is named comes first.
    here(&["validate"]).expect(1).says("certctl init");
    here(&["whoami", "--offline", "--roster", "nowhere.yaml"])
        .expect(1)
        .says("nowhere.yaml could not be read");

    // Of two, none is guessed.
    let copy = fs::read_to_string(world.path("repo/users.yaml")).expect("a roster");
    fs::create_dir(world.path("other")).expect("a folder");
    let copied =
        Command::new("cp").arg("-R").arg(world.path("repo/access")).arg(world.path("other")).status();
    assert!(copied.expect("cp starts").success());
    let copy = copy
        .replace("name: acme", "name: other")
        .replace("kind: Roster", "kind: Roster\ndefaults: {contextName: '{roster}-{cluster}'}");
    fs::write(world.path("other/users.yaml"), copy).expect("a roster");
    Ran::of(world.command(&["login"]).current_dir(world.path("other"))).expect(0);
    for command in [&["whoami", "--offline"][..], &["decrypt", "--cluster", "prod"], &["login"], &["logout"]]
    {
        here(command).expect(1).says("users.yaml could not be read");
    }
    Ran::of(world.command(&["logout"]).current_dir(world.path("other"))).expect(0);
    assert_eq!(world.read(), written);
    here(&["logout"]).expect(0).says("logged out of 2 clusters");
    assert!(!world.config().exists());
}

#[test]
fn the_file_of_kubeconfig_lists_is_the_one_that_kubectl_writes() {
    let world = World::new();
    let [a, b, link] = ["a", "b", "link"].map(|name| world.path("home").join(name));
    let run = |args: &[&str]| {
        let mut command = world.command(args);
        command.env("KUBECONFIG", std::env::join_paths([&a, &link, &b]).expect("a list"));
        Ran::of(&mut command)
    };
    run(&["login"]).expect(0);
    assert!(b.exists() && !a.exists(), "none exists: the last");
    // What login wrote is found again, wherever it is.
    fs::write(&a, "current-context: mine\n").expect("written");
    run(&["login"]).expect(0);
    assert_eq!(fs::read_to_string(&a).expect("a"), "current-context: mine\n");
    run(&["logout"]).expect(0);
    assert!(!b.exists());
    // The first that exists, which is a symbolic link, and stays one.
    fs::remove_file(&a).expect("removed");
    fs::write(world.path("target"), "kind: Config").expect("written");
    std::os::unix::fs::symlink(world.path("target"), &link).expect("a link");
    fs::write(&b, "current-context: mine\n").expect("written");
    run(&["login"]).expect(0);
    assert!(link.is_symlink());
    let text = fs::read_to_string(world.path("target")).expect("the target");
    assert!(text.contains("certctl:acme:prod") && !text.contains("current-context"), "{text}");
    run(&["logout"]).expect(0);
    assert_eq!(fs::read_to_string(world.path("target")).expect("the target"), "kind: Config");
    // --kubeconfig wins.
    run(&["login", "--kubeconfig", a.to_str().expect("UTF-8")]).expect(0);
    assert!(a.exists());
}

#[test]
fn a_context_of_someone_else_is_not_taken_over_without_force() {
    let world = World::new();
    let users = "- {name: alice, recipients: [RECIPIENT]}\n";
    let context_of_prod = |name: &str| {
        let file = world.path("repo/users.yaml");
        let text = fs::read_to_string(&file).expect("a roster");
        fs::write(file, text.replace("{name: prod,", &format!("{{name: prod, context: {name},")))
            .expect("a roster");
    };
    world.roster("acme", users);
    context_of_prod("prod-admin");
    let theirs = "contexts:\n- name: prod\n  context: {cluster: x, user: y}\ncurrent-context: prod\n";
    world.write(theirs);
    // It may be the administrator's, before it has the name that the roster has for it.
    let refused = world
        .certctl(&["login"])
        .expect(1)
        .says("context `prod` that certctl did not write; nothing was changed")
        .says("`kubectl config rename-context prod prod-admin`");
    assert!(!refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(world.read(), theirs);
    let both = format!(
        "{}- name: prod-admin\n  context: {{cluster: x, user: y}}\n",
        theirs.replace("current-context: prod\n", "")
    );
    world.write(&both);
    let refused = world.certctl(&["login"]).expect(1).says("`kubectl config rename-context prod NAME`");
    assert!(!refused.stderr.contains("--force"), "{}", refused.stderr);
    world.write(theirs);
    world.certctl(&["login", "--cluster", "dev"]).expect(0);
    world.certctl(&["login", "--force"]).expect(0);
    let taken = world.read();
    assert!(taken.contains("- name: prod-before-certctl-login\n  context: {cluster: x"), "{taken}");
    world.certctl(&["login"]).expect(0);
    assert_eq!(world.read(), taken);
    world.certctl(&["logout"]).expect(0);
    assert_eq!(world.read(), theirs, "what was taken over is back");
    world.certctl(&["login", "--force"]).expect(0);
    // Another roster's cluster of the same name is someone else's too.
    world.roster("other", users);
    world
        .certctl(&["login"])
        .expect(1)
        .says("that `certctl login` wrote for roster `acme`")
        .says("rename-context dev acme-dev");
    world.certctl(&["logout"]).expect(0).says("Nothing to do");
}

#[test]
fn the_roster_says_what_the_context_is_called_and_where_it_begins() {
    let world = World::new();
    world.roster("acme", "- {name: alice, recipients: [RECIPIENT], groups: [all], namespace: shop}\n");
    let file = world.path("repo/users.yaml");
    let text = fs::read_to_string(&file).expect("a roster");
    let text = text.replace("{name: dev}", "{name: dev, proxyURL: 'http://proxy:3128'}");
    fs::write(&file, text.replace("groups: [{", "defaults: {contextName: '{roster}-{cluster}'}\ngroups: [{"))
        .expect("a roster");
    world.issue("prod", CredentialState::Active);
    world.certctl(&["login", "--cluster", "prod"]).expect(0).says("kubectl --context acme-prod");
    let first = world.read();
    assert!(first.contains("    namespace: \"shop\"\n") && first.contains("name: \"acme-prod\""), "{first}");
    // What the person changes stays, and the roster's name of the server is offered.
    let theirs = first.replace("\"shop\"", "\"mine\"");
    let theirs = theirs
        .replace("    server: ", "    proxy-url: http://mine:1\n    tls-server-name: mine\n    server: ");
    world.write(&theirs);
    world
        .certctl(&["login", "--cluster", "prod"])
        .expect(0)
        .says("acme-prod: kept what the roster does not say: `proxy-url`, `tls-server-name`; `certctl login --force` drops it.");
    assert_eq!(world.read(), theirs);
    world
        .certctl(&["login", "--cluster", "prod", "--force"])
        .expect(0)
        .says("acme-prod: dropped what the roster does not say: `proxy-url`, `tls-server-name`.");
    assert_eq!(world.read(), first);
    // A kubeconfig that was issued before the roster had a proxy is not what the roster says.
    world.issue("dev", CredentialState::Active);
    world
        .certctl(&["login", "--cluster", "dev"])
        .expect(1)
        .says("sends requests through another proxy: expected `http://proxy:3128`, found none");
}

#[test]
fn the_context_that_plan_and_apply_use_is_never_taken_over() {
    let world = World::new();
    let theirs = "contexts:\n- name: dev\n  context: {cluster: x, user: y}\n";
    world.write(theirs);
    for args in [&["login"][..], &["login", "--force"]] {
        let ran = world
            .certctl(args)
            .expect(1)
            .says("that `certctl plan` and `apply` use")
            .says("kubectl config rename-context dev dev-admin")
            .says("context: dev-admin");
        assert!(!ran.stderr.contains("--force"), "{}", ran.stderr);
        assert_eq!(world.read(), theirs);
    }
    // And what login wrote is not what plan uses.
    world.write("");
    world.certctl(&["login"]).expect(0);
    fs::remove_dir_all(world.path("repo/access")).expect("removed");
    for command in
        [&["plan"][..], &["doctor"], &["audit"], &["bootstrap", "--check"], &["import", "--context", "dev"]]
    {
        world
            .certctl(&[command, &["--cluster", "dev"]].concat())
            .expect(1)
            .says("context `dev` is a person's own access, which certctl issued");
    }
}

/// With several files kubectl takes the first that has a name: ours would hide the administrator's.
#[test]
fn the_administrators_context_is_hidden_in_no_other_file_either() {
    let world = World::new();
    let [first, second] = ["first", "second"].map(|name| world.path("home").join(name));
    let theirs = "contexts:\n- name: dev\n  context: {cluster: x, user: y}\n";
    fs::write(&first, "kind: Config\n").expect("written");
    fs::write(&second, theirs).expect("written");
    for how in ["--exec", "--embed", "--force"] {
        let mut command = world.command(&["login", how]);
        command.env("KUBECONFIG", std::env::join_paths([&first, &second]).expect("a list"));
        Ran::of(&mut command).expect(1).says("second has a context `dev` that certctl did not write");
        assert_eq!(fs::read_to_string(&first).expect("a file"), "kind: Config\n");
    }
    // A template keeps them apart.
    let file = world.path("repo/users.yaml");
    let roster = fs::read_to_string(&file).expect("a roster");
    fs::write(
        &file,
        roster.replace("groups: [{", "defaults: {contextName: 'gke_{roster}_{cluster}'}\ngroups: [{"),
    )
    .expect("a roster");
    let mut command = world.command(&["login", "--embed"]);
    command.env("KUBECONFIG", std::env::join_paths([&first, &second]).expect("a list"));
    Ran::of(&mut command).expect(0).says("gke_acme_dev, gke_acme_prod");
    assert_eq!(fs::read_to_string(&second).expect("a file"), theirs);
}

#[test]
fn what_cannot_be_changed_safely_stays_as_it_is() {
    let world = World::new();
    for text in ["clusters: &c [{name: a}]\nx: *c\n", "clusters: [\n", "a\n", "{\"kind\": \"Config\"}"] {
        world.write(text);
        world.certctl(&["login"]).expect(1).says("certctl decrypt").says("nothing was changed");
        assert_eq!(world.read(), text);
    }
    world.write("kind: Config\n");
    let lock = world.path("home/.kube/config.lock");
    fs::write(&lock, "").expect("a lock");
    world.certctl(&["login"]).expect(1).says("config.lock").says("another program").says("rm ");
    assert!(lock.exists(), "someone else's lock stays");
    assert_eq!(world.read(), "kind: Config\n");
}

#[test]
fn nothing_is_written_through_a_link_that_a_pull_request_could_plant() {
    use std::os::unix::fs::symlink;
    let world = World::new();
    let victim = world.path("home/victim");
    fs::create_dir(&victim).expect("a folder");
    symlink(&victim, world.path("repo/out")).expect("a link");
    symlink(victim.join("new"), world.path("repo/config")).expect("a link");
    for args in [
        &["decrypt", "alice", "--cluster", "prod", "--force", "-o", "out/prod"][..],
        &["login", "--kubeconfig", "config"],
        &["login", "--kubeconfig", "out/config"],
        &["plan", "--offline", "--save", "markdown=out/plan"],
        &["plan", "--offline", "--save", "markdown=config"],
    ] {
        world.certctl(args).expect(1).says("is a symbolic link").says("nothing was written");
    }
    fs::rename(world.path("repo/users.yaml"), victim.join("users.yaml")).expect("moved");
    symlink(victim.join("users.yaml"), world.path("repo/users.yaml")).expect("a link");
    let before = fs::read(victim.join("users.yaml")).expect("a roster");
    world.certctl(&["rotate", "alice"]).expect(1).says("users.yaml is a symbolic link");
    assert_eq!(fs::read(victim.join("users.yaml")).expect("a roster"), before);
    assert_eq!(fs::read_dir(&victim).expect("a folder").count(), 1);
}

#[test]
fn a_kubeconfig_that_cannot_be_read_is_not_quoted() {
    let world = World::new();
    world.write("users:\n- {name: a, user: {token: sup3rs3cret]\n");
    let ran = world.certctl(&["login"]).expect(1).says("line ");
    assert!(!ran.stderr.contains("sup3rs3cret"), "{}", ran.stderr);
}

fn credential(world: &World) -> Ran {
    world.certctl(&["credential", "--cluster", "prod", "alice"])
}

#[test]
fn the_plugin_prints_what_kubectl_reads() {
    let world = World::new();
    let printed = credential(&world).expect(0);
    assert_eq!(printed.stderr, "");
    let value: serde_json::Value = serde_json::from_str(&printed.stdout).expect("JSON");
    assert_eq!(value["apiVersion"], "client.authentication.k8s.io/v1");
    assert_eq!(value["kind"], "ExecCredential");
    let status = &value["status"];
    assert_eq!(status["expirationTimestamp"], UNTIL);
    let pem = |field: &str| status[field].as_str().expect("PEM").as_bytes().to_vec();
    let certificate = Certificate::from_pem(&pem("clientCertificateData")).expect("a certificate");
    let key = PrivateKey::from_pem(&pem("clientKeyData")).expect("a key");
    assert_eq!(key.public_key_der(), certificate.public_key_der);
    // What was pulled counts at once.
    let id = world.issue("prod", CredentialState::Active);
    let value: serde_json::Value = serde_json::from_str(&credential(&world).expect(0).stdout).expect("JSON");
    let pem = value["status"]["clientCertificateData"].as_str().expect("PEM").to_owned();
    assert_eq!(Certificate::from_pem(pem.as_bytes()).expect("a certificate").credential_id.to_string(), id);
}

#[test]
fn the_plugin_says_in_one_sentence_why_access_has_ended() {
    let world = World::new();
    #[track_caller]
    fn ends(ran: Ran, what: &str) {
        let ran = ran.expect(1).says(what);
        assert_eq!(ran.stdout, "");
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert!(ran.stderr.contains("git pull") || ran.stderr.contains("ask an admin"), "{}", ran.stderr);
    }
    let mut late = world.command(&["credential", "--cluster", "prod", "alice"]);
    late.env("CERTCTL_NOW", UNTIL);
    ends(Ran::of(&mut late), "expired at 2040-01-01T00:00:00Z; run `git pull`");
    world.roster("acme", "- {name: alice, recipients: [RECIPIENT], until: 2039-12-01}\n");
    ends(credential(&world), "the access of `alice` ended at 2039-12-02T00:00:00Z");
    world.roster("acme", "- {name: alice, recipients: [RECIPIENT], clusters: [dev]}\n");
    ends(credential(&world), "no access to this cluster");
    world.roster("acme", "- {name: bob, recipients: [RECIPIENT]}\n");
    ends(credential(&world), "`alice` is not on the roster any more");
    world.roster("acme", "- {name: alice, recipients: [RECIPIENT]}\n");
    credential(&world).expect(0);
    let id = world.issue("prod", CredentialState::Revoked);
    ends(credential(&world), &format!("credential {id} of `alice` was revoked"));
    fs::remove_file(world.path("repo/access/prod/alice.yaml")).expect("removed");
    ends(credential(&world), "no credential for `alice` yet");
}

#[test]
fn on_a_long_roster_the_plugin_says_the_same() {
    let world = World::new();
    let others: String =
        (0..1500).map(|i| format!("- name: user-{i}\n  recipients: [RECIPIENT]\n")).collect();
    world.roster("acme", &format!("{others}- name: alice\n  recipients: [RECIPIENT]\n"));
    let long = credential(&world).expect(0).stdout;
    world.roster("acme", "- {name: alice, recipients: [RECIPIENT]}\n");
    assert_eq!(credential(&world).expect(0).stdout, long);
    world.roster("acme", &format!("{others}- {{name: alice, recipients: [RECIPIENT], until: 2039-01-01}}\n"));
    credential(&world).expect(1).says("the access of `alice` ended at 2039-01-02");
    world.roster("acme", &others);
    credential(&world).expect(1).says("`alice` is not on the roster any more");
}

#[test]
fn the_plugin_does_not_believe_the_repository() {
    let world = World::new();
    let file = world.path("repo/access/prod/alice.kubeconfig.age");
    fs::copy(world.path("repo/access/dev/alice.kubeconfig.age"), &file).expect("copied");
    let ran = credential(&world).expect(1).says("connects to another server").says("was not used");
    assert_eq!(ran.stdout, "");
    world.certctl(&["login"]).expect(1).says("not to be trusted");
    assert!(!world.config().exists());
    fs::write(&file, "x").expect("written");
    credential(&world).expect(1).says("is no sealed kubeconfig");
}

#[test]
fn a_proxy_that_the_roster_takes_back_does_not_stay_unsaid() {
    let world = World::new();
    let file = world.path("repo/users.yaml");
    let without = fs::read_to_string(&file).expect("a roster");
    let old = "{name: dev, proxyURL: 'http://proxy:3128', tlsServerName: inside}";
    fs::write(&file, without.replace("{name: dev}", old)).expect("a roster");
    let route = Route {
        proxy: Some("http://proxy:3128".parse().expect("a URL")),
        tls_server_name: Some("inside".parse().expect("a name")),
    };
    let active = CredentialState::Active;
    world.issue_through("dev", active, "https://dev.example.com", None, &route);
    let login = ["login", "--cluster", "dev"];
    world.certctl(&login).expect(0);
    let written = world.read();
    assert!(written.contains("proxy-url: \"http://proxy:3128\""), "{written}");
    let again = world.certctl(&login).expect(0);
    assert!(world.read() == written && !again.stderr.contains("kept"), "{}", again.stderr);
    fs::write(&file, without).expect("a roster");
    world.issue("dev", active);
    world.certctl(&login).expect(1).says(
        "proxy-url was `http://proxy:3128` and would be none; tls-server-name was `inside` and would be none",
    );
    assert_eq!(world.read(), written);
    world.certctl(&["login", "--cluster", "dev", "--force"]).expect(0);
    assert!(!world.read().contains("proxy"), "{}", world.read());
}

#[test]
fn an_entry_that_is_there_is_led_to_another_cluster_only_with_force() {
    let world = World::new();
    world.certctl(&["login"]).expect(0);
    let before = world.read();
    // As a branch would have it: the records say so too, since login believes those.
    world.issue_at("prod", CredentialState::Active, "https://evil.example.com", Some(b"another CA"));
    let text = fs::read_to_string(world.path("repo/users.yaml")).expect("a roster");
    fs::write(world.path("repo/users.yaml"), text.replace(", server: 'https://prod.example.com'", ""))
        .expect("a roster");
    world
        .certctl(&["login"])
        .expect(1)
        .says("context `prod` would lead to another cluster; nothing was changed")
        .says("server was `https://prod.example.com` and would be `https://evil.example.com`")
        .says("certificate-authority-data was none and would be SHA-256 ");
    assert_eq!(world.read(), before);
    world.certctl(&["login", "--cluster", "dev"]).expect(0);
    world.certctl(&["login", "--force"]).expect(0);
    assert!(world.read().contains("https://evil.example.com"), "{}", world.read());
    world.certctl(&["login"]).expect(0);
    // Another CA of the same server, and none at all.
    world.issue_at("prod", CredentialState::Active, "https://evil.example.com", Some(b"a third CA"));
    world.certctl(&["login"]).expect(1).says("certificate-authority-data was SHA-256");
    world.issue_at("prod", CredentialState::Active, "https://evil.example.com", None);
    world.certctl(&["login"]).expect(1).says("and would be none");
}

#[test]
#[ignore = "needs kubectl on the PATH"]
fn what_people_add_to_our_entries_stays() {
    let world = World::new();
    world.certctl(&["login"]).expect(0);
    let set = |args: &[&str]| {
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["config"]).args(args).env("KUBECONFIG", world.config());
        assert!(kubectl.output().expect("kubectl starts").status.success(), "{args:?}");
    };
    set(&["set-cluster", "certctl:acme:prod", "--proxy-url=http://proxy:3128", "--tls-server-name=inside"]);
    set(&["set-context", "prod", "--namespace=shop"]);
    set(&["set", "clusters.certctl:acme:prod.disable-compression", "true"]);
    set(&["set", "clusters.certctl:acme:dev.insecure-skip-tls-verify", "true"]);
    set(&["set", "users.certctl:acme:prod.act-as", "ops"]);
    set(&["set-credentials", "certctl:acme:prod", "--exec-env=CERTCTL_IDENTITY=/keys/mine"]);
    world.write(&world.read().replacen("interactiveMode: IfAvailable", "interactiveMode: Never", 1));
    let added = [
        "proxy-url: http://proxy:3128",
        "tls-server-name: inside",
        "namespace: shop",
        "disable-compression: true",
        "as: ops",
    ];
    let of_the_plugin = ["value: /keys/mine", "interactiveMode: Never"];
    for (how, stays) in [("--exec", &[&added[..], &of_the_plugin].concat()), ("--embed", &added.to_vec())] {
        world.certctl(&["login", how]).expect(0);
        let text = world.read().replace('"', "");
        for line in stays {
            assert_eq!(text.matches(line).count(), 1, "{line}: {text}");
        }
        assert!(!text.contains("insecure"), "{text}");
    }
    world.certctl(&["logout"]).expect(0);
    let text = world.read();
    assert!(!text.contains("proxy") && !text.contains("namespace"), "{text}");
}

/// The plugin as kubectl starts it, with what kubectl says of the cluster.
#[test]
fn the_plugin_gives_no_credential_for_another_cluster_than_the_repository_says() {
    let world = World::new();
    let told = |cluster: serde_json::Value| {
        let mut command = world.command(&["credential", "--cluster", "prod", "alice"]);
        command.env("KUBERNETES_EXEC_INFO", serde_json::json!({"spec": {"cluster": cluster}}).to_string());
        Ran::of(&mut command)
    };
    let server = "https://prod.example.com";
    told(serde_json::json!({"server": server})).expect(0);
    told(serde_json::json!({"server": server, "proxy-url": "http://proxy:3128"})).expect(0);
    for (cluster, what) in [
        (serde_json::json!({"server": "https://evil.example.com"}), "leads to `https://evil.example.com`"),
        (serde_json::json!({}), "leads to ``"),
        (serde_json::json!({"server": server, "insecure-skip-tls-verify": true}), "skips the verification"),
        (
            serde_json::json!({"server": server, "certificate-authority-data": "Zm9v"}),
            "another certificate authority",
        ),
    ] {
        let ran = told(cluster).expect(1).says(what).says("kubectl gets no credential");
        assert_eq!(ran.stdout, "");
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
}

#[test]
#[ignore = "needs kubectl on the PATH"]
fn kubectl_itself_hears_that_the_repository_names_another_cluster() {
    let world = World::new();
    world.certctl(&["login"]).expect(0);
    let kubectl = || {
        let output = Command::new("kubectl")
            .args(["--context", "prod", "get", "pods", "--request-timeout=2s"])
            .env("KUBECONFIG", world.config())
            .env("HOME", world.path("home"))
            .env("CERTCTL_NOW", NOW)
            .stdin(Stdio::null())
            .output();
        String::from_utf8(output.expect("kubectl starts").stderr).expect("UTF-8")
    };
    // The server does not exist: with a credential, kubectl goes on and does not reach it.
    world.write(&world.read().replace("https://prod.example.com", "https://prod.invalid"));
    let said = kubectl();
    assert!(said.contains("leads to `https://prod.invalid`, the repository to"), "{said}");
    world.issue_at("prod", CredentialState::Active, "https://prod.invalid", None);
    let roster = fs::read_to_string(world.path("repo/users.yaml")).expect("a roster");
    fs::write(world.path("repo/users.yaml"), roster.replace("prod.example.com", "prod.invalid"))
        .expect("a roster");
    let said = kubectl();
    assert!(!said.contains("the repository") && said.contains("prod.invalid"), "{said}");
}

#[test]
fn whoami_offline_says_what_the_repository_knows() {
    let world = World::new();
    let ran = world.certctl(&["whoami", "--offline"]).expect(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.stdout);
    let at = lines[0].find("RIGHTS").expect("a column");
    for (line, cluster) in lines[1..].iter().zip(["dev", "prod"]) {
        assert!(line.starts_with(cluster) && line.contains("alice") && line.contains("not asked"), "{line}");
        assert_eq!(&line[at..], "view everywhere; deployer in shop");
    }
    let login = |expected: &str| {
        let ran = world.certctl(&["whoami", "--offline", "--cluster", "prod", "--format", "json"]).expect(0);
        let value: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let cluster = &value["clusters"][0];
        assert_eq!(cluster["login"], expected, "{}", ran.stdout);
        assert_eq!(cluster["groups"], serde_json::json!(["all"]));
        assert_eq!(cluster["rights"][1]["namespaces"], serde_json::json!(["shop"]));
        assert_eq!(cluster["expired"], false);
        assert_eq!(ran.stderr.contains("`certctl login` as before"), expected == "outdated");
    };
    login("none");
    world.certctl(&["login"]).expect(0);
    login("exec");
    world.certctl(&["login", "--embed"]).expect(0);
    login("newest");
    world.issue("prod", CredentialState::Active);
    login("outdated");
    // The server of the roster is another one than at login.
    world.certctl(&["login", "--exec"]).expect(0);
    login("exec");
    world.write(&world.read().replace("https://prod.example.com", "https://old.example.com"));
    login("outdated");
}
