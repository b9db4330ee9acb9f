//! A real kubectl against the sandbox: what it shows and what it says.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, Stdio};

use base64::Engine as _;
use certctl_sandbox::{Options, Sandbox};
use certctl_testing::{Kubectl, Need, Output};
use tempfile::TempDir;

/// A sandbox, and a kubectl that is its administrator unless it is told otherwise.
struct World {
    sandbox: Sandbox,
    dir: TempDir,
    kubectl: Kubectl,
    program: PathBuf,
}

fn main() -> ExitCode {
    certctl_testing::run(certctl_testing::tests!(
        Need::ControlPlane,
        [
            an_object_is_applied_changed_shown_and_deleted,
            server_side_apply_is_refused_with_a_message,
            fields_are_checked_by_the_server,
            the_typed_commands_work_with_protobuf,
            rights_are_reviewed_and_explained,
            rights_begin_and_end_with_a_binding,
            a_request_is_approved_and_signed_as_kubectl_shows_it,
            discovery_lists_what_is_supported,
        ]
    ))
}

fn world() -> World {
    let binaries = certctl_testing::binaries().expect("needed");
    let sandbox = Sandbox::start(Options::default()).expect("it starts");
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("admin"), sandbox.kubeconfig()).expect("a kubeconfig");
    let program = binaries.join("kubectl");
    let kubectl = Kubectl::new(program.clone(), dir.path().to_owned());
    World { sandbox, dir, kubectl, program }
}

impl World {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    #[track_caller]
    fn ok(&self, arguments: &str) -> String {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        self.kubectl.ok(&self.path("admin"), &arguments)
    }

    #[track_caller]
    fn fails(&self, arguments: &str) -> String {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let Output { ok, stdout, stderr } = self.kubectl.run(&self.path("admin"), &arguments);
        assert!(!ok, "it was done: {stdout}");
        stderr
    }

    fn apply(&self, yaml: &str) -> String {
        self.kubectl.apply(&self.path("admin"), yaml)
    }

    /// Someone with a certificate and no rights.
    fn person(&self, user: &str, groups: &[&str]) -> PathBuf {
        let path = self.path(user);
        fs::write(&path, self.sandbox.client_kubeconfig(user, groups).expect("a kubeconfig"))
            .expect("a file");
        path
    }

    fn says(&self, kubeconfig: &Path, arguments: &str) -> String {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let Output { stdout, stderr, .. } = self.kubectl.run(kubeconfig, &arguments);
        stdout + &stderr
    }

    /// A kubectl that goes on until it is dropped.
    fn watching(&self, arguments: &str) -> Watching {
        let child = certctl_testing::scrubbed(&self.program, self.dir.path(), self.dir.path())
            .arg("--kubeconfig")
            .arg(self.path("admin"))
            .args(arguments.split_whitespace())
            .stdout(Stdio::piped())
            .spawn();
        Watching::new(child.expect("kubectl starts"))
    }
}

struct Watching {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Watching {
    fn new(mut child: Child) -> Self {
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, lines }
    }

    /// The words of the next line.
    fn line(&mut self) -> Vec<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        line.split_whitespace().map(str::to_owned).collect()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a table, each as its words.
fn table(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

const BINDING: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: app, namespace: default, labels: {app: web}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: Group, name: devs, apiGroup: rbac.authorization.k8s.io}]
";

fn an_object_is_applied_changed_shown_and_deleted() {
    let world = world();
    assert_eq!(world.apply(BINDING), "rolebinding.rbac.authorization.k8s.io/app created\n");
    assert_eq!(world.apply(BINDING), "rolebinding.rbac.authorization.k8s.io/app unchanged\n");
    let changed = BINDING.replace("devs", "ops").replace("labels: {app: web}", "labels: {tier: a}");
    assert_eq!(world.apply(&changed), "rolebinding.rbac.authorization.k8s.io/app configured\n");
    assert_eq!(world.ok("get rolebinding app -o jsonpath={.metadata.labels}"), r#"{"tier":"a"}"#);

    let wide = world.ok("get rolebindings -A -o wide");
    let wide = table(&wide);
    assert_eq!(wide[0], ["NAMESPACE", "NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"]);
    assert_eq!((&wide[1][..3], wide[1][4]), (&["default", "app", "ClusterRole/view"][..], "ops"));

    let described = world.ok("describe rolebinding app");
    assert!(described.contains("Kind:  ClusterRole") && described.contains("Group  ops"), "{described}");

    let merge = r#"patch rolebinding app --type=merge -p {"subjects":[{"kind":"User","name":"a","apiGroup":"rbac.authorization.k8s.io"}]}"#;
    assert!(world.ok(merge).ends_with("patched\n"));
    assert!(world.ok(merge).ends_with("patched (no change)\n"));
    let json =
        r#"patch rolebinding app --type=json -p [{"op":"replace","path":"/subjects/0/name","value":"b"}]"#;
    assert!(world.ok(json).ends_with("patched\n"));
    let strategic = r#"patch rolebinding app -p {"metadata":{"annotations":{"a":"b"}}}"#;
    assert!(world.ok(strategic).ends_with("patched\n"));
    world.ok("label rolebinding app tier- app=web");
    assert!(world.ok("annotate rolebinding app a-").ends_with("annotated\n"));
    assert_eq!(
        world.ok("get rolebinding -l app=web -o jsonpath={.items[*].subjects[0].name}{.items[*].metadata.labels.tier}"),
        "b"
    );
    let yaml = world.ok("get rolebinding app -o yaml");
    assert!(yaml.contains("kind: RoleBinding\n") && yaml.contains("\nroleRef:\n"), "{yaml}");

    let refused = world.fails(r#"patch rolebinding app --type=merge -p {"roleRef":{"name":"edit"}}"#);
    assert!(refused.contains("field is immutable"), "{refused}");
    assert!(world.ok("delete rolebinding app").contains("deleted"));
    assert_eq!(
        world.fails("get rolebinding app"),
        "Error from server (NotFound): rolebindings.rbac.authorization.k8s.io \"app\" not found\n"
    );
}

fn server_side_apply_is_refused_with_a_message() {
    let world = world();
    let file = world.path("binding.yaml");
    fs::write(&file, BINDING).expect("a file");
    let said = world.fails(&format!("apply --server-side -f {}", file.display()));
    assert!(said.contains("the sandbox does not have server-side apply"), "{said}");
}

fn fields_are_checked_by_the_server() {
    let world = world();
    let file = world.path("wrong.yaml");
    fs::write(&file, BINDING.replace("subjects:", "subject:")).expect("a file");
    let said = world.fails(&format!("apply -f {}", file.display()));
    assert!(said.contains("strict decoding error: unknown field \"subject\""), "{said}");
    let said = world.ok(&format!("apply --validate=warn -f {} --dry-run=server", file.display()));
    assert!(said.contains("created (server dry run)"), "{said}");
    assert!(world.fails("get rolebinding app").contains("not found"));
}

fn the_typed_commands_work_with_protobuf() {
    let world = world();
    assert_eq!(world.ok("create namespace shop"), "namespace/shop created\n");
    assert!(world.ok("create role pods -n shop --verb=get,list --resource=pods").ends_with("created\n"));
    assert!(world.ok("create clusterrole raw --verb=get --non-resource-url=/logs").ends_with("created\n"));
    assert!(
        world
            .ok("create rolebinding b -n shop --role=pods --user=a --group=g --serviceaccount=shop:s")
            .ends_with("created\n")
    );
    assert!(world.ok("create clusterrolebinding cb --clusterrole=view --group=g").ends_with("created\n"));
    assert!(world.ok("create configmap c -n shop --from-literal=k=v").ends_with("created\n"));
    assert!(world.ok("run p -n shop --image=example.com/i").ends_with("created\n"));
    let subjects =
        "get rolebinding b -n shop -o jsonpath={range.subjects[*]}{.kind}:{.name}:{.namespace};{end}";
    assert_eq!(world.ok(subjects), "User:a:;Group:g:;ServiceAccount:s:shop;");
    assert_eq!(table(&world.ok("get pods -n shop"))[1][..4], ["p", "0/1", "Pending", "0"]);
    assert_eq!(table(&world.ok("get configmaps -A"))[2][..3], ["shop", "c", "1"]);
    let refused = world.fails("create rolebinding b -n shop --role=pods --user=a");
    assert!(refused.contains("rolebindings.rbac.authorization.k8s.io \"b\" already exists"), "{refused}");
    let missing = world.fails("create configmap c -n nowhere");
    assert_eq!(missing, "error: failed to create configmap: namespaces \"nowhere\" not found\n");
    assert!(world.ok("delete namespace shop").contains("deleted"));
    assert_eq!(world.ok("get pods,configmaps,rolebindings -n shop -o name"), "");
}

fn rights_are_reviewed_and_explained() {
    let world = world();
    let alice = world.person("alice", &["devs"]);
    let whoami = world.says(&alice, "auth whoami");
    assert!(whoami.contains("Username") && whoami.contains("alice"), "{whoami}");
    assert!(whoami.contains("[devs system:authenticated]"), "{whoami}");
    assert!(whoami.contains("X509SHA256="), "{whoami}");
    assert_eq!(world.says(&alice, "auth can-i list pods"), "no\n");
    assert_eq!(world.says(&world.path("admin"), "auth can-i list pods --as=alice"), "no\n");
    let refused = world.says(&alice, "get pods --as=sandbox-admin --as-group=system:masters");
    assert!(refused.contains("User \"alice\" cannot impersonate"), "{refused}");
}

fn rights_begin_and_end_with_a_binding() {
    let world = world();
    let alice = world.person("alice", &["devs"]);
    let forbidden = "Error from server (Forbidden): pods is forbidden: User \"alice\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"\n";
    assert_eq!(world.says(&alice, "get pods"), forbidden);
    world.apply(BINDING);
    assert_eq!(world.says(&alice, "get pods"), "No resources found in default namespace.\n");
    assert_eq!(world.says(&alice, "auth can-i list pods"), "yes\n");
    assert!(world.says(&alice, "auth can-i list secrets").contains("no\n"));
    // Before it is said that there are none.
    assert!(world.says(&alice, "get --raw /api/v1/secrets").contains("secrets is forbidden"));
    let list = world.says(&alice, "auth can-i --list");
    assert!(list.contains("pods/log") && list.contains("[get list watch]"), "{list}");
    world.ok("delete rolebinding app");
    assert_eq!(world.says(&alice, "get pods"), forbidden);
}

fn a_request_is_approved_and_signed_as_kubectl_shows_it() {
    let world = world();
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "carol");
    params.distinguished_name.push(rcgen::DnType::OrganizationName, "team");
    let request = params.serialize_request(&key).expect("a request").pem().expect("PEM");
    let request = base64::engine::general_purpose::STANDARD.encode(request);
    let csr = |name: &str| {
        format!(
            "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {{name: {name}}}\n\
             spec: {{request: {request}, signerName: kubernetes.io/kube-apiserver-client, usages: [client auth], expirationSeconds: 3600}}\n"
        )
    };
    world.apply(&csr("carol"));
    world.apply(&csr("denied"));
    let pending = world.ok("get csr carol");
    let pending = table(&pending);
    assert_eq!(pending[0], ["NAME", "AGE", "SIGNERNAME", "REQUESTOR", "REQUESTEDDURATION", "CONDITION"]);
    assert_eq!(pending[1][2..], ["kubernetes.io/kube-apiserver-client", "sandbox-admin", "60m", "Pending"]);
    let mut watch = world.watching("get csr carol -w --no-headers");
    assert_eq!(watch.line().last().map(String::as_str), Some("Pending"));
    assert!(world.ok("certificate approve carol").ends_with("approved\n"));
    assert!(world.ok("certificate deny denied").ends_with("denied\n"));
    assert_eq!(watch.line().last().map(String::as_str), Some("Approved"));
    assert_eq!(watch.line().last().map(String::as_str), Some("Approved,Issued"));
    assert_eq!(table(&world.ok("get csr denied --no-headers"))[0].last(), Some(&"Denied"));

    let certificate = world.ok("get csr carol -o jsonpath={.status.certificate}");
    let kubeconfig = world.sandbox.kubeconfig();
    let key = base64::engine::general_purpose::STANDARD.encode(key.serialize_pem());
    let mut lines: Vec<String> = kubeconfig.lines().map(str::to_owned).collect();
    for line in &mut lines {
        for (field, value) in [("client-certificate-data", &certificate), ("client-key-data", &key)] {
            if line.trim_start().starts_with(field) {
                *line = format!("    {field}: {value}");
            }
        }
    }
    let carol = world.path("carol");
    fs::write(&carol, lines.join("\n")).expect("a kubeconfig");
    let whoami =
        world.says(&carol, "auth whoami -o jsonpath={.status.userInfo.username}:{.status.userInfo.groups}");
    assert_eq!(whoami, r#"carol:["team","system:authenticated"]"#);
}

fn discovery_lists_what_is_supported() {
    let world = world();
    let version = world.ok("version");
    assert!(version.contains("Server Version: v1."), "{version}");
    let resources = world.ok("api-resources --no-headers");
    let names: Vec<&str> = table(&resources).iter().map(|row| row[0]).collect();
    for name in
        ["configmaps", "namespaces", "pods", "leases", "clusterroles", "rolebindings", "selfsubjectreviews"]
    {
        assert!(names.contains(&name), "{resources}");
    }
    assert!(world.ok("api-versions").contains("certificates.k8s.io/v1\n"));
    assert_eq!(world.ok("get --raw /readyz"), "ok");
    let nothing = world.fails("get --raw /api/v1/secrets");
    assert!(nothing.contains("the sandbox does not have \"secrets\""), "{nothing}");
    let nothing = world.fails("get --raw /apis/apps/v1/deployments");
    assert!(nothing.contains("the sandbox does not have the API group \"apps\""), "{nothing}");
    world.ok("run p --image=example.com/i");
    let logs = world.fails("logs p");
    assert!(logs.contains("the sandbox does not have pods/log"), "{logs}");
}
