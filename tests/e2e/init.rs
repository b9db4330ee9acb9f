//! A newcomer's first hour: an empty repository, `init`, two places filled in, and someone has access;
//! then CI takes over, with the action's own script.

use std::fs;

use crate::cluster::Cluster;
use crate::world::World;

const SOURCE: &str = "acme/certctl@0123456789abcdef0123456789abcdef01234567";

pub fn only_recipients_and_grants_are_missing_then_ci_applies(plane: &'static Cluster) {
    let world = World::new(plane, "init");
    world.namespace("init-team");
    let ran = world.certctl(&[
        "init",
        "--name",
        "init",
        "--context",
        "test",
        "--cluster",
        "prod",
        "--user",
        "alice",
        "--ci",
        "github",
        "--owner",
        "@acme/platform",
        "--source",
        SOURCE,
    ]);
    ran.expect(0).says("wrote     users.yaml");
    world.certctl(&["validate"]).expect(1).says("`grants` of group").says("`recipients` of user `alice`");

    let alice = format!("  recipients: [{}]\n", world.identity("alice"));
    let grant = "  grants:\n  - {clusterRole: edit, namespaces: [init-team]}\n";
    let named = format!("  context: test\n  server: {}\n", world.plane.server());
    let roster = world
        .read("users.yaml")
        .replace("  context: test\n", &named)
        .replace("  grants:\n", grant)
        .replace("  recipients:\n", &alice);
    world.write("users.yaml", &roster);
    world.certctl(&["validate"]).expect(0);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(2).says("1 to issue");
    world.commit("certctl init");
    world.certctl(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(world.git(&["status", "--porcelain"]), "");
    let kubeconfig = world.open("prod", "alice");
    world.can(&kubeconfig, &["create", "configmaps", "-n", "init-team"], true);
    world.can(&kubeconfig, &["create", "configmaps", "-n", "default"], false);

    // bob is merged, and GitHub applies: the kubeconfig is an input.
    let roster = |more: &str| world.read("users.yaml").replace("\n# Also", &format!("{more}\n# Also"));
    let person = |name: &str| {
        format!("- {{name: {name}, recipients: [{}], groups: [developers]}}\n", world.identity(name))
    };
    world.roster(&roster(&person("bob")));
    let text = |file: &str| world.path(file).display().to_string();
    let admin = fs::read_to_string(&world.kubeconfig).expect("a kubeconfig");
    world.checkout("github", "main", false);
    let ran = world.github("github", &[("INPUT_COMMAND", "apply"), ("INPUT_KUBECONFIG", &admin)]);
    ran.expect(0);
    let read = |file: &str| fs::read_to_string(world.path(file)).expect(file);
    assert!(read("runner/output").contains("\nissue=1\n"), "{}", read("runner/output"));
    assert!(read("runner/summary").starts_with("### certctl apply\n\n    "), "{}", read("runner/summary"));
    world.git(&["pull", "-q"]);
    assert_eq!(world.git(&["log", "-1", "--format=%an"]), "github-actions[bot]\n");
    let kubeconfig = world.open("prod", "bob");
    world.can(&kubeconfig, &["create", "configmaps", "-n", "init-team"], true);
    for entry in fs::read_dir(world.path("runner")).expect("the runner's folder").flatten() {
        assert!(!entry.path().join("kubeconfig").exists(), "the kubeconfig was left behind");
    }

    // carol is merged, and GitLab applies: the kubeconfig is a file, and HEAD is detached at an old commit.
    world.roster(&roster(&person("carol")));
    let ran = world.ci(
        "gitlab",
        &["gitlab", "apply"],
        &[
            ("CERTCTL_APPLY_KUBECONFIG", world.kubeconfig.to_str().expect("UTF-8")),
            ("CI_COMMIT_BRANCH", "main"),
            ("CI_JOB_TOKEN", "job-token"),
            ("CI_PROJECT_DIR", &text("gitlab")),
            ("CI_PROJECT_URL", &format!("file://{}", text("origin"))),
            ("GITLAB_CI", "true"),
            ("GITLAB_USER_EMAIL", "ada@example.com"),
            ("GITLAB_USER_NAME", "Ada"),
            ("CI_SERVER_URL", "https://gitlab.example"),
        ],
    );
    ran.expect(0).says("carol");
    world.git(&["pull", "-q"]);
    assert_eq!(world.git(&["log", "-1", "--format=%an"]), "Ada\n");
    assert!(world.git(&["log", "-1", "--format=%s"]).ends_with("[skip ci]\n"));
    let kubeconfig = world.open("prod", "carol");
    world.can(&kubeconfig, &["create", "configmaps", "-n", "init-team"], true);
    world.certctl(&["plan", "--detailed-exitcode"]).expect(0);
    world.sweep();
}
