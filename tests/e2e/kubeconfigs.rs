//! The kubeconfigs that people have, beside kubectl: where kubectl gets through, plan, apply and login do, and
//! where it does not, neither do they.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use certctl_testing::executable;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::world::World;

/// That login does not edit, although kubectl gets through: it says so, and leaves them as they are.
const NOT_EDITED: [&str; 2] = ["empty-second-document", "second-document"];

/// Those of the folder, and some that are better made than kept: with their names.
fn forms() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/kubeconfigs");
    let mut forms: BTreeMap<String, Vec<u8>> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
            (name, fs::read(&path).expect("a file"))
        })
        .collect();
    let plain = String::from_utf8(forms["plain"].clone()).expect("text");
    forms.insert("byte-order-mark".into(), format!("\u{feff}{plain}").into_bytes());
    forms.insert("carriage-returns".into(), plain.replace('\n', "\r\n").into_bytes());
    forms.insert("document-marker".into(), format!("# ours\n---\n{plain}").into_bytes());
    forms.insert("document-end".into(), format!("{plain}...\n").into_bytes());
    forms.insert("empty-second-document".into(), format!("{plain}---\n").into_bytes());
    forms.insert("empty".into(), Vec::new());
    forms
}

/// What stands for something in them.
fn filled(world: &World, text: &[u8]) -> Vec<u8> {
    let kubeconfig = fs::read_to_string(&world.kubeconfig).expect("a kubeconfig");
    let kubeconfig: Value = serde_saphyr::from_str(&kubeconfig).expect("YAML");
    let of = |value: &Value| value.as_str().expect("text").to_owned();
    let (cluster, user) = (&kubeconfig["clusters"][0]["cluster"], &kubeconfig["users"][0]["user"]);
    let values = [
        ("SERVER", of(&cluster["server"])),
        ("CA", of(&cluster["certificate-authority-data"])),
        ("CERT", of(&user["client-certificate-data"])),
        ("KEY", of(&user["client-key-data"])),
    ];
    let files = world.path("forms/files");
    fs::create_dir_all(&files).expect("a folder");
    for (file, (_, data)) in ["ca.crt", "client.crt", "client.key"].iter().zip(&values[1..]) {
        fs::write(files.join(file), BASE64.decode(data).expect("base64")).expect("written");
    }
    let pem = |name: &str| fs::read_to_string(files.join(name)).expect("PEM");
    let status =
        serde_json::json!({"clientCertificateData": pem("client.crt"), "clientKeyData": pem("client.key")});
    let version = "client.authentication.k8s.io/v1beta1";
    let credential = serde_json::json!({"apiVersion": version, "kind": "ExecCredential", "status": status});
    executable(&files.join("plugin"), &format!("cat <<'END'\n{credential}\nEND"));
    let mut text = String::from_utf8(text.to_vec()).expect("text");
    for (name, value) in values {
        text = text.replace(&format!("{name}\""), &format!("{value}\""));
        text = text.replace(&format!(" {name}"), &format!(" {value}"));
    }
    text.into_bytes()
}

pub fn who_gets_through_is_the_same_as_with_kubectl(plane: &'static Cluster) {
    let world = World::new(plane, "forms");
    let mine = world.kubeconfig.display().to_string();
    world.roster(&format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: forms}}\nclusters: [{{name: prod, context: test}}]\n\
         groups: [{{name: forms-all, grants: [{{clusterRole: view}}]}}]\n\
         users: [{{name: alice, recipients: [{}], groups: [forms-all]}}]\n",
        world.identity("alice")
    ));
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    world.clone_for_person();
    world.person("git", &["pull", "-q"]).expect(0);
    let key = world.identity_file("alice").display().to_string();
    let mut wrong = Vec::new();
    let mut through = 0;
    for (name, text) in forms() {
        let file: PathBuf = world.path("forms").join(format!("{name}.yaml"));
        let text = filled(&world, &text);
        fs::write(&file, &text).expect("written");
        let path = file.display().to_string();
        let gets = |context: &str| {
            world.kubectl(&file, &["--context", context, "get", "namespaces"]).code == Some(0)
        };
        let kubectl = gets("test");
        world.set("KUBECONFIG", &path);
        let plan = world.certctl(&["plan"]);
        let apply = world.certctl(&["apply", "--auto-approve"]);
        world.set("KUBECONFIG", &mine);
        let expected = if name.starts_with("lenient-") { !kubectl } else { kubectl };
        for (command, ran) in [("plan", plan), ("apply", apply)] {
            if expected != (ran.code == Some(0)) {
                wrong.push(format!("{name}: kubectl {kubectl}, {command} {:?}: {}", ran.code, ran.stderr));
            }
        }
        if !kubectl {
            continue;
        }
        through += 1;
        let login = world.person("certctl", &["login", "--kubeconfig", &path, "-i", &key]);
        if NOT_EDITED.contains(&&*name) {
            let told =
                ["could not be edited", "could not be read"].iter().any(|why| login.stderr.contains(why));
            if login.code == Some(0) || !told {
                wrong.push(format!("{name}: login {:?}: {}", login.code, login.stderr));
            }
        } else if login.code != Some(0) {
            wrong.push(format!("{name}: kubectl gets through, login {:?}: {}", login.code, login.stderr));
        } else {
            if !(gets("prod") && gets("test")) {
                wrong.push(format!("{name}: after login, kubectl does not get through"));
            }
            world.person("certctl", &["logout", "--kubeconfig", &path]).expect(0);
        }
        assert_eq!(
            fs::read(&file).expect("a file"),
            text,
            "{name}: after logout, or a refusal, it is as it was"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(through > 8, "only {through} got through");

    // Several files: what one leads to may lie in the next, and one that is missing is passed over.
    let part = |file: &str, text: &str| {
        let path = world.path("forms").join(file);
        fs::write(&path, filled(&world, text.as_bytes())).expect("written");
        path.display().to_string()
    };
    let parts = [
        part(
            "contexts",
            "contexts: [{name: test, context: {cluster: c, user: u}}]\nusers: [{name: other, user: {exec: 3}}]\n",
        ),
        world.path("forms/missing").display().to_string(),
        part(
            "rest",
            "clusters: [{name: c, cluster: {server: \"SERVER\", certificate-authority-data: CA }}]\nusers: [{name: u, user: {client-certificate-data: CERT , client-key-data: KEY }}]\n",
        ),
    ];
    world.set("KUBECONFIG", &parts.join(":"));
    world.certctl(&["plan"]).expect(0).says("Nothing to do");
}
