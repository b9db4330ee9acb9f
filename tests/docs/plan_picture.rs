//! docs/plan.svg: a plan as a terminal of 80 columns shows it: bob leaves, carol joins, alice's key is rotated, and
//! somebody has bound mallory by hand. `UPDATE_EXPECT=1 cargo test --test docs` draws it anew.

use std::fs;

use expect_test::expect_file;

use super::screen::{Cell, painted_on};
use super::steady::Steady;
use super::svg;
use super::team::Team;

pub fn the_plan_is_shown_as_it_is() {
    let team = Team::new(&["prod"]);
    team.namespace("prod", "shop");
    team.runs(".", "ada", &format!("git clone --quiet {} access", team.path("access.git").display()), 0);
    let user = |name: &str, more: &str| {
        let key =
            team.runs(".", name, "certctl keygen >/dev/null 2>&1; certctl keygen --show 2>/dev/null", 0);
        format!(
            "- {{name: {name}, recipients: [{}], groups: [developers]{more}}}\n",
            key.trim().trim_start_matches("- ")
        )
    };
    let roster = |users: &[String]| {
        let text = format!(
            "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: acme}}\n\
             clusters: [{{name: prod, context: prod-admin, server: \"{}\"}}]\nsafety: {{maxRevocations: 100%}}\n\
             groups:\n- name: developers\n  grants: [{{clusterRole: view}}, {{clusterRole: edit, namespaces: [shop]}}]\n\
             users:\n{}",
            team.server("prod"),
            users.concat()
        );
        fs::write(team.path("ada/access/users.yaml"), text).expect("a roster");
        team.runs("access", "ada", "git add -A && git commit --quiet -m roster", 0);
    };
    let alice = user("alice", "");
    roster(&[alice.clone(), user("bob", "")]);
    team.runs("access", "ada", "certctl apply --auto-approve", 0);
    team.binds_by_hand("prod", "certctl:developers:view", "mallory");
    roster(&[alice.replace("]}", "], generation: 2}"), user("carol", "")]);

    let (code, shown) = team.shows("access", "ada", "env -u NO_COLOR certctl plan", &[]);
    assert_eq!(code, Some(0), "{shown}");
    let mut steady = Steady::new();
    let lines = painted_on(shown.trim_end());
    let lines = lines.iter().map(|line| svg::steadied(&mut steady, line));
    let rows: Vec<Vec<Cell>> = lines.flat_map(|line| svg::wrapped(&line)).collect();
    let picture = svg::picture("certctl plan, as a terminal shows it", rows.len(), "", &svg::drawn(&rows));
    expect_file!["../../docs/plan.svg"].assert_eq(&picture);
}
