//! What git knows of a user's life, as `certctl history` and `certctl who` tell it.

use certctl::model::{CredentialId, KeySource, KeyType};
use certctl::pki::Certificate;
use certctl::record::{self, Credential, CredentialState, Record};
use certctl_testing::{Ran, Said};

use crate::workspace::*;

/// One that age takes, for everybody.
pub const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

pub fn roster(users: &[&str]) -> String {
    let users =
        users.iter().map(|user| format!("- {{name: {user}, recipients: [{RECIPIENT}], groups: [dev]}}\n"));
    let users: String = users.collect();
    format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: acme}}\nclusters: [{{name: prod}}]\n\
         groups: [{{name: dev, grants: [{{clusterRole: view}}]}}]\nusers:\n{users}"
    )
}

/// A credential of bob's that begins on a day of 2026.
pub fn credential(month: u8, state: CredentialState) -> Credential {
    let key = rcgen::KeyPair::generate().unwrap();
    let id = CredentialId::of_public_key(&rcgen::PublicKeyData::subject_public_key_info(&key));
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "bob");
    params.distinguished_name.push(rcgen::DnType::OrganizationName, format!("certctl:bob:{id}"));
    params.not_before = rcgen::date_time_ymd(2026, month, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    let pem = params.self_signed(&key).unwrap().pem();
    let certificate = Certificate::from_pem(pem.as_bytes()).unwrap();
    Credential {
        id,
        state,
        serial: certificate.serial,
        x509_sha256: certificate.sha256,
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        generation: 1,
        protected: false,
        key: KeySource::Made(KeyType::EcdsaP256),
        in_certificate_groups: Vec::new(),
        recipients: Default::default(),
        server: "https://prod.example.com".into(),
        certificate_authority_sha256: None,
        route: Default::default(),
        namespace: None,
        sealed_sha256: "0".repeat(64),
        roster_commit: "a".repeat(40),
        certificate: pem,
    }
}

fn record(credentials: &[&Credential]) -> String {
    let record = Record {
        api_version: "certctl.dev/v1".into(),
        kind: "Record".into(),
        cluster: "prod".parse().unwrap(),
        user: "bob".parse().unwrap(),
        credentials: credentials.iter().map(|credential| (*credential).clone()).collect(),
    };
    record::to_yaml(&record).unwrap()
}

pub fn certctl(clone: &Clone, args: &[&str]) -> Ran {
    Ran::of(Command::new(env!("CARGO_BIN_EXE_certctl")).args(args).current_dir(&clone.0))
}

/// `EVENT WHAT by AUTHOR: SUBJECT OF THE COMMIT`, a line for each.
fn told(clone: &Clone, said: &Said) -> Vec<String> {
    let document: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let events = document["events"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    events
        .map(|event| {
            let subject = clone.git(&format!("log -1 --format=%s {}", text(&event["commit"])));
            let author = text(&event["author"]);
            let author = author.split(' ').next().unwrap().to_owned();
            let on = if event["cluster"].is_null() { "" } else { " on prod" };
            format!("{}{on} by {author}: {}", text(&event["event"]), subject.trim())
        })
        .collect()
}

fn commit(clone: &Clone, file: &str, text: &str, subject: &str) {
    clone.put(file, text);
    clone.git("add -A");
    clone.git(&format!("commit -qm {subject}"));
}

stories! {
    /// Joined on a branch, moved to a folder, rotated and taken off in one squash.
    fn a_life_goes_on_through_merges_moves_and_squashes(workspace: &Workspace) {
        let clone = workspace.alone();
        commit(&clone, "users.yaml", &roster(&["ann"]), "first");
        clone.git("checkout -q -b bob");
        clone.put("users.yaml", &roster(&["ann", "bob"]));
        clone.git("-c user.name=Bea commit -qam bob-joins");
        clone.git("checkout -q main");
        commit(&clone, "README", "more\n", "elsewhere");
        clone.git("merge -q --no-ff -m merge bob");
        let (first, second) = (credential(1, CredentialState::Active), credential(2, CredentialState::Active));
        commit(&clone, "access/prod/bob.yaml", &record(&[&first]), "issue");
        fs::create_dir(clone.0.join("team")).unwrap();
        clone.git("mv users.yaml access team");
        commit(&clone, "team/users.yaml", &roster(&["ann", "bob", "cid"]), "move");
        clone.git("checkout -q -b squashed");
        let first = Credential { state: CredentialState::Revoked, ..first };
        commit(&clone, "team/access/prod/bob.yaml", &record(&[&first, &second]), "rotate");
        commit(&clone, "team/users.yaml", &roster(&["ann", "cid"]), "bob-leaves");
        clone.git("checkout -q main");
        clone.git("merge -q --squash squashed");
        clone.git("commit -qm squash");

        let history = ["history", "bob", "--roster", "team/users.yaml", "--format", "json"];
        let said = certctl(&clone, &history).expect(0);
        let expected = [
            "joined by Bea: bob-joins",
            "membership by Bea: bob-joins",
            "issued on prod by Ann: issue",
            "left by Ann: squash",
            "membership by Ann: squash",
            "rotated on prod by Ann: squash",
        ];
        assert_eq!(told(&clone, &said), expected, "{}", said.stdout);
        // The roster that `alone` begins with is none.
        assert!(said.stderr.contains("1 version could not be read"), "{}", said.stderr);
        certctl(&clone, &["history", "bbo", "--roster", "team/users.yaml"]).expect(1);
        certctl(&clone, &["history", "ciid", "--roster", "team/users.yaml"]).expect(1).says("did you mean `cid`?");

        // The same for an access review, which has its own way through the commits of the branch.
        let report = ["report", "--offline", "--roster", "team/users.yaml", "-o", "../access.html", "--since", "HEAD~2"];
        let said = certctl(&clone, &report);
        let page = fs::read_to_string(clone.0.join("../access.html")).unwrap_or_else(|_| panic!("{}", said.stderr));
        let changes = page.split("id=\"changes\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap();
        let rows: Vec<&str> = changes.split("<tr>").skip(2).collect();
        assert_eq!(rows.len(), 2, "{changes}");
        assert!(rows[0].contains(">bob<") && rows[0].contains("taken off the roster"), "{changes}");
        assert!(rows[0].contains("<li>rotated on prod: ") && rows[0].contains(" cut off"), "{changes}");
        assert!(rows[1].contains(">cid<") && rows[1].contains("put on the roster"), "moved, and not made anew: {changes}");

        let table = certctl(&clone, &["history", "bob", "--roster", "team/users.yaml"]).expect(0).stdout;
        assert_eq!(table.lines().count(), 1 + expected.len(), "in a pipe, a line for each: {table}");
    }

    /// First of the roster itself, then of a part, which comes and is renamed with its include.
    fn a_life_goes_on_in_a_part(workspace: &Workspace) {
        let clone = workspace.alone();
        commit(&clone, "users.yaml", &roster(&["ann", "bob"]), "first");
        let including = |may: &str| {
            let include = format!("include: [{{path: \"teams/*.yaml\", may: {may}}}]\ngroups:");
            roster(&["ann"]).replacen("groups:", &include, 1)
        };
        let part = |rest: &str| format!("apiVersion: certctl.dev/v1\nkind: RosterPart\n{rest}");
        let bob = format!("users: [{{name: bob, recipients: [{RECIPIENT}]}}]\n");
        clone.put("teams/web.yaml", &part(&bob));
        commit(&clone, "users.yaml", &including("{addUsers: true}"), "parts");
        commit(&clone, "README", "more\n", "elsewhere");
        let groups = "groups: [{name: web, grants: [{clusterRole: view, namespaces: [web]}]}]\n";
        let fence = "{grant: [view], namespaces: [\"*\"], addUsers: true}";
        clone.put("users.yaml", &including(fence));
        commit(&clone, "teams/web.yaml", &part(&format!("{groups}{}", bob.replace("}]", ", groups: [web]}]"))), "web");
        commit(&clone, "teams/more.yaml", &part("memberships: [{user: ann, group: dev}]\n"), "broken");
        clone.git("rm -q teams/more.yaml");
        clone.git("mv teams/web.yaml teams/shop.yaml");
        commit(&clone, "teams/.hidden.yaml", "no part\n", "move");
        commit(&clone, "teams/shop.yaml", &part(""), "bob-leaves");
        let said = certctl(&clone, &["history", "bob", "--format", "json"]).expect(0);
        let expected = [
            "joined by Ann: first",
            "membership by Ann: first",
            "membership by Ann: parts",
            "membership by Ann: web",
            "left by Ann: bob-leaves",
            "membership by Ann: bob-leaves",
        ];
        assert_eq!(told(&clone, &said), expected, "{}", said.stdout);
        // The roster that `alone` begins with, and the part that goes beyond its fence.
        assert!(said.stderr.contains("2 versions could not be read"), "{}", said.stderr);
        certctl(&clone, &["history", "anm"]).expect(1).says("did you mean `ann`?");
    }

    fn a_shallow_clone_says_where_it_ends(workspace: &Workspace) {
        let (ours, _) = workspace.shared();
        commit(&ours, "users.yaml", &roster(&["ann", "bob"]), "bob-joins");
        commit(&ours, "README", "more\n", "elsewhere");
        let gone = credential(1, CredentialState::Revoked);
        commit(&ours, "access/prod/bob.yaml", &record(&[&gone]), "issue");
        ours.git("rm -q access/prod/bob.yaml");
        commit(&ours, "README", "even more\n", "forget");
        ours.git("push -q");
        let shallow = workspace.actions_checkout("shallow");
        let said = certctl(&shallow, &["history", "bob", "--format", "json"]).expect(0);
        assert_eq!(told(&shallow, &said), [""; 0], "what the last commit holds, it did not make");
        assert!(said.stderr.contains("git fetch --unshallow"), "{}", said.stderr);
        assert!(said.stdout.contains("knownSince"), "{}", said.stdout);
        certctl(&shallow, &["who", "--offline", &gone.serial]).expect(1).says("git fetch --unshallow");
        shallow.git("fetch -q --unshallow origin");
        let said = certctl(&shallow, &["history", "bob", "--format", "json"]).expect(0);
        assert_eq!(told(&shallow, &said).len(), 4, "joined, dev, issued, revoked: {}", said.stdout);
        assert!(!said.stdout.contains("knownSince"), "{}", said.stdout);
        certctl(&shallow, &["who", "--offline", &gone.serial]).expect(0).says("bob on prod: revoked, no longer in the records");
    }

    fn whoever_is_asked_about_is_found_by_whatever_is_known(workspace: &Workspace) {
        let clone = workspace.alone();
        let (old, new) = (credential(1, CredentialState::Revoked), credential(2, CredentialState::Active));
        commit(&clone, "users.yaml", &roster(&["bob"]), "roster");
        commit(&clone, "access/prod/bob.yaml", &record(&[&old, &new]), "issue");
        clone.put("new.crt", &new.certificate);
        clone.put("event", &format!("{{\"user\":{{\"username\":\"bob\",\"groups\":[\"certctl:bob:{}\"]}}}}\n", old.id));
        let found = |clue: &str| {
            let said = certctl(&clone, &["who", "--offline", clue, "--format", "json"]).expect(0).stdout;
            let document: serde_json::Value = serde_json::from_str(&said).unwrap();
            document["matches"][0].clone()
        };
        for clue in ["new.crt", &format!("X509SHA256={}", new.x509_sha256), &new.serial, new.id.as_str()] {
            let found = found(clue);
            assert_eq!((found["credential"].as_str(), found["state"].as_str()), (Some(new.id.as_str()), Some("active")));
            assert_eq!(found["mayDo"], serde_json::json!(["view everywhere through dev"]), "{clue}");
            assert_eq!(found["commit"], new.roster_commit.as_str());
        }
        let found = found("event");
        assert_eq!((found["credential"].as_str(), found["state"].as_str()), (Some(old.id.as_str()), Some("revoked")));
        assert_eq!(found["mayDo"], serde_json::json!([]));

        // Nobody needs a key to read what is public.
        let bob = certctl(&clone, &["whoami", "bob", "--format", "json"]).expect(0).stdout;
        let bob: serde_json::Value = serde_json::from_str(&bob).unwrap();
        let bob = &bob["clusters"][0];
        assert_eq!(bob["credential"], new.id.as_str());
        assert_eq!(bob["groups"], serde_json::json!(["dev"]));

        let last = if new.x509_sha256.ends_with('0') { "1" } else { "0" };
        let near = format!("{}{last}", &new.x509_sha256[..63]);
        certctl(&clone, &["who", &near]).expect(1).says("did you mean X509SHA256=");
        certctl(&clone, &["who", "README"]).expect(1).says("README is neither a fingerprint");
        certctl(&clone, &["who", "nowhere"]).expect(1).says("`nowhere` is neither");
        // A record that somebody made up is not believed.
        let forged = record(&[&new]).replace(&new.id.to_string(), "0123456789abcdef");
        commit(&clone, "access/prod/bob.yaml", &forged, "forged");
        certctl(&clone, &["who", "certctl:bob:0123456789abcdef"]).expect(1);
        certctl(&clone, &["who", "--offline", new.id.as_str()]).expect(0).says("no longer in the records");
    }
}
