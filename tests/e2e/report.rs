//! The access review: what it says of a cluster, and that its page works in a real browser, whatever it holds.

use std::fs;

use certctl_testing::Browser;

use crate::cluster::Cluster;
use crate::world::World;

/// What somebody hopes that a browser obeys.
const EVIL: &str = "\"><img src=https://evil.example/x onerror=alert(1)><script>alert(2)</script>";

/// alice is an operator, and bob was one until today; a second cluster is in the roster and cannot be reached.
fn team(world: &World, rest: &str) {
    let (name, alice, bob) = (world.name, world.identity("alice"), world.identity("bob"));
    let roster = |operators: &str| {
        format!(
            "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: {name}}}\n\
             clusters:\n- {{name: prod, context: test}}\n{rest}\
             groups:\n- {{name: {name}-operators, grants: [{{clusterRole: cluster-admin, namespaces: [default]}}]}}\n\
             - {{name: {name}-team, grants: [{{clusterRole: view}}]}}\n\
             users:\n- {{name: alice, recipients: [\"{alice}\"], groups: [{name}-team, {name}-operators]}}\n\
             - {{name: bob, recipients: [\"{bob}\"], clusters: [prod], groups: [{operators}]}}\n"
        )
    };
    world.roster(&roster(&format!("{name}-team, {name}-operators")));
    world.certctl(&["apply", "--auto-approve", "--cluster", "prod"]).expect(0);
    world.git(&["checkout", "-q", "-b", "edit"]);
    world.write("users.yaml", &roster(&format!("{{name: {name}-team, until: 2100-12-24}}")));
    world.git(&["commit", "-q", "-am", "bob is no operator any more"]);
    world.git(&["checkout", "-q", "main"]);
    world.set("GIT_AUTHOR_NAME", "=cmd()");
    world.git(&["merge", "-q", "--no-ff", "-m", EVIL, "edit"]);
    world.git(&["push", "-q"]);
}

/// The lines of a table about somebody on a cluster, each as its cells.
pub fn rows(csv: &str, person: &str, cluster: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('"').split("\",\"").map(|cell| cell.replace("\"\"", "\"")).collect()
    };
    csv.split("\r\n")
        .map(cells)
        .filter(|cells| cells[0] == person && cells.get(1).is_some_and(|c| c == cluster))
        .collect()
}

pub fn an_access_review_tells_what_is_bound_and_who_let_it_in(plane: &'static Cluster) {
    let world = World::new(plane, "review");
    team(&world, "- {name: away, context: nowhere, server: 'https://away.example:6443'}\n");
    plane.apply(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: review-root}\n\
         roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n\
         subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: bob}]\n",
    );
    let ran = world.certctl(&["report", "-o", "../access.csv", "--format", "csv"]);
    assert!(ran.stderr.contains("cluster away") && ran.stderr.contains("nowhere"), "{}", ran.stderr);
    assert_eq!(ran.code, Some(1), "one of two clusters was read");
    let csv = fs::read_to_string(world.path("access.csv")).expect("a table");

    let (first, merge) =
        (world.git(&["rev-list", "--max-parents=0", "HEAD"]), world.git(&["rev-parse", "HEAD"]));
    let said = |person: &str, cluster: &str| -> Vec<String> {
        let line = |cells: Vec<String>| {
            let commit = match cells[10].as_str() {
                "" => "",
                commit if commit == first.trim() => "first",
                commit if commit == merge.trim() => "merge",
                other => panic!("{other}"),
            };
            [&cells[3], &cells[4], &cells[6], &cells[7], &cells[8], commit].map(ToString::to_string).join("|")
        };
        rows(&csv, person, cluster).into_iter().map(line).collect()
    };
    assert_eq!(
        said("alice", "prod"),
        ["view|(everywhere)||||first", "cluster-admin|default|namespace|||first"]
    );
    let by_roster = "by the roster; the cluster was not read";
    assert_eq!(
        said("alice", "away"),
        [
            format!("view|(everywhere)||{by_roster}||first"),
            format!("cluster-admin|default|namespace|{by_roster}||first")
        ]
    );
    // What the next apply takes away is still there, and so is what certctl does not make.
    assert_eq!(
        said("bob", "prod"),
        [
            "cluster-admin|(everywhere)|cluster|not in the roster||",
            "view|(everywhere)|||2100-12-25T00:00:00Z|first",
            "cluster-admin|default|namespace|bound, and not granted any more||",
        ]
    );
    let ran = world.certctl(&["report", "-o", "../since.html", "--since", "HEAD^"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let page = fs::read_to_string(world.path("since.html")).expect("a page");
    let changes = page.split("id=\"changes\"").nth(1).and_then(|rest| rest.split("</section>").next());
    let changes = changes.expect("changes");
    assert!(
        changes.contains("<li>- review-operators<li>~ review-team on every cluster, until 2100-12-25"),
        "{changes}"
    );
    assert!(changes.contains("merged by =cmd()"), "{changes}");
    world
        .certctl(&["report", "-o", "../x", "--since", "v0"])
        .expect(1)
        .says("`v0` is no day, no time and no commit");
    assert!(!world.path("x").exists());
    plane.kubectl_ok(&["delete", "clusterrolebinding", "review-root"]);
}

pub fn the_page_works_in_a_browser_and_obeys_nobody_else(plane: &'static Cluster) {
    let world = World::new(plane, "page");
    let ignored = "audit: {ignore: [{code: foreign-full-control, subject: User safe, reason: '<b onclick=alert(3)>', until: 2100-01-01}]}\n";
    team(&world, ignored);
    let subjects =
        format!("[{}, {}]", serde_json::json!({"kind": "User", "name": EVIL}), "{kind: User, name: safe}");
    plane.apply(&format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: page-root}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}\nsubjects: {subjects}\n"
    ));
    world.certctl(&["report", "-o", "../access.html", "--since", "2020-01-01"]).expect(0);
    plane.kubectl_ok(&["delete", "clusterrolebinding", "page-root"]);
    let page = world.path("access.html");

    let mut browser = Browser::start();
    browser.open(&page);
    assert_eq!(browser.requests(), [format!("file://{}", page.display())]);
    assert_eq!(browser.complaints(), [""; 0]);
    // What is evil is there to be read, and is nothing else.
    let read = browser.value("document.body.innerText").as_str().expect("text").to_owned();
    assert_eq!(read.matches(EVIL).count(), 2, "{read}");
    assert_eq!(browser.value("document.querySelectorAll('img, [onclick], [onerror], [style]').length"), 0);
    assert_eq!(browser.value("document.scripts.length"), 1);

    // Search and filters, as somebody uses them who has a keyboard and no mouse.
    let shown = "[...document.querySelectorAll('.people tbody:not([hidden])')].map(one => one.querySelector('.who').innerText).join(' ')";
    let status = "document.getElementById('shown').innerText";
    assert_eq!(browser.value(shown), "alice bob");
    assert_eq!(browser.value(status), "All 2 people are shown.");
    browser.value("document.getElementById('search').focus()");
    browser.type_text("BOB view");
    assert_eq!((browser.value(shown), browser.value(status)), ("bob".into(), "1 of 2 people.".into()));
    browser.type_text(" x");
    assert_eq!(
        browser.value("document.getElementById('nobody').innerText"),
        "Nobody fits what was asked for."
    );
    browser.value("document.querySelector('button[type=reset]').focus()");
    browser.press("Enter");
    browser.value("new Promise(done => setTimeout(done))");
    assert_eq!(browser.value(shown), "alice bob");
    browser.value("document.querySelector('a[data-show=look]').focus()");
    browser.press("Enter");
    browser.value("new Promise(done => setTimeout(done))");
    assert_eq!(browser.value(shown), "bob", "whose rights are not as the roster says");
    browser.value("document.getElementById('group').focus()");
    browser.value("document.getElementById('filters').reset(); new Promise(done => setTimeout(done))");
    for (group, who) in [("page-operators", "alice bob"), ("page-team", "alice bob")] {
        browser.value(&format!(
            "{{const group = document.getElementById('group'); group.value = '{group}'; group.dispatchEvent(new Event('input', {{bubbles: true}}))}}"
        ));
        assert_eq!(browser.value(shown), who);
    }
    let rows = "[...document.querySelectorAll('.people tbody tr:not(.person)')].filter(row => row.offsetParent).map(row => row.cells[0].innerText).join()";
    assert_eq!(
        browser.value(rows),
        "view everywhere,view everywhere",
        "the others are through another group"
    );
    browser.value("document.getElementById('filters').reset(); new Promise(done => setTimeout(done))");

    // No rule of axe-core is broken, in light, in dark and on a phone.
    for (scheme, width) in [("light", 1280), ("dark", 1280), ("light", 390)] {
        let features = serde_json::json!([{"name": "prefers-color-scheme", "value": scheme}]);
        browser.call("Emulation.setEmulatedMedia", &serde_json::json!({"features": features}));
        let size =
            serde_json::json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500});
        browser.call("Emulation.setDeviceMetricsOverride", &size);
        assert_eq!(browser.violations(), [""; 0], "{scheme}, {width} wide");
        let overflows =
            browser.value("document.documentElement.scrollWidth > document.documentElement.clientWidth");
        assert_eq!(overflows, false, "{scheme}, {width} wide");
    }
    browser.call("Emulation.clearDeviceMetricsOverride", &serde_json::json!({}));
    // On paper there is nothing to click on.
    let visible = "['nav', '#filters', '.people', '#groups'].filter(it => document.querySelector(it).checkVisibility()).join()";
    browser.call("Emulation.setEmulatedMedia", &serde_json::json!({"media": "print"}));
    assert_eq!(browser.value(visible), ".people,#groups");
    browser.call("Emulation.setEmulatedMedia", &serde_json::json!({"media": ""}));
    assert_eq!(browser.value(visible), "nav,#filters,.people,#groups");
    let pdf = browser.pdf();
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 10_000, "{} bytes", pdf.len());

    // The policy of the page refuses what gets into it all the same.
    browser.value("{const script = document.createElement('script'); script.textContent = 'window.evil = 1'; document.body.append(script)}");
    browser.value("{const image = document.createElement('img'); image.src = 'https://evil.example/x'; document.body.append(image)}");
    browser.value("new Promise(done => setTimeout(done))");
    assert_eq!(browser.value("typeof window.evil"), "undefined");
    assert!(browser.complaints().iter().any(|said| said.contains("Content Security Policy")));

    browser.call("Emulation.setScriptExecutionDisabled", &serde_json::json!({"value": true}));
    browser.open(&page);
    assert_eq!(browser.complaints(), [""; 0]);
    assert_eq!(browser.value("document.getElementById('filters').hidden"), true);
    assert_eq!(browser.value(shown), "alice bob");
    assert_eq!(browser.value("document.querySelector('nav').checkVisibility()"), true);
}
