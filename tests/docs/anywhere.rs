//! Every command where people really run it: on a dumb terminal of 80 columns under `LANG=C`, and in a pipe. Cluster,
//! remote and history say what a terminal would obey; nothing of that gets there.

use std::collections::BTreeSet;
use std::fs;

use super::team::Team;

/// What moves a cursor, colours, rings, and turns the direction of what follows.
const OBEYED: &str = "\u{1b}[2J\u{1b}[31m\u{7}\u{202e}";

/// Who types what. Each command is here, and what cannot be: the names below.
const LINES: &[(&str, &str)] = &[
    ("ada", "certctl init --name acme --cluster prod --user alice --ci none --owner @acme/platform"),
    ("ada", "certctl validate"),
    ("ada", "certctl plan"),
    ("ada", "certctl plan --offline"),
    ("ada", "certctl plan --cluster nowhere"),
    ("ada", "certctl apply --auto-approve"),
    ("ada", "certctl explain alice create deployments.apps -n shop"),
    ("ada", "certctl explain alice"),
    ("ada", "certctl audit"),
    ("ada", "certctl doctor"),
    ("ada", "certctl bootstrap"),
    ("ada", "certctl bootstrap --check"),
    ("ada", "certctl import --context prod-admin --name acme"),
    ("ada", "certctl import --finish"),
    ("ada", "certctl uninstall --plan"),
    ("ada", "certctl status"),
    ("ada", "certctl status --all"),
    ("ada", "certctl notices"),
    ("ada", "certctl who $(grep -m1 x509SHA256 access/prod/alice.yaml | tr -d ' ' | cut -d : -f 2)"),
    ("ada", "certctl who nobody-knows"),
    ("ada", "certctl history alice"),
    ("ada", "certctl report -o ../review.html"),
    ("ada", "certctl grant --group on-call alice --until 2h"),
    ("ada", "certctl revoke-grant --group on-call alice"),
    (
        "ada",
        "certctl add-user dora --recipient age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg",
    ),
    ("ada", "certctl remove-user dora"),
    ("ada", "certctl rotate alice && git commit --quiet -am rotate && certctl apply --auto-approve"),
    ("ada", "certctl repin"),
    ("ada", "certctl suspend alice"),
    ("ada", "certctl resume alice"),
    ("ada", "certctl revoke bob --auto-approve"),
    ("ada", "certctl demo"),
    ("ada", "certctl schema plan"),
    ("ada", "certctl completions bash"),
    ("ada", "certctl man plan"),
    ("ada", "certctl help"),
    ("alice", "certctl keygen"),
    ("alice", "certctl login"),
    ("alice", "certctl whoami"),
    ("alice", "certctl whoami bob"),
    ("alice", "certctl request alice"),
    ("alice", "certctl decrypt"),
    ("alice", "certctl credential --cluster prod"),
    ("alice", "certctl unlock"),
    ("alice", "certctl lock"),
    ("alice", "certctl logout"),
];

/// These end with a signal, and say one line before it.
const NOT_TYPED: [&str; 1] = ["sandbox"];

/// What is for another program is not broken into lines (YAML, JSON, scripts and manual pages), nor is what another
/// program or a file says, which the demo shows.
const NOT_BROKEN: [&str; 10] = [
    "certctl bootstrap",
    "certctl completions",
    "certctl credential",
    "certctl decrypt",
    "certctl demo",
    "certctl import",
    "certctl man",
    "certctl notices",
    "certctl schema",
    "certctl uninstall",
];

/// Whether the line is longer than the terminal is wide, and could have been broken: outside of backticks, and not
/// before the only word of it.
fn is_too_wide(line: &str) -> bool {
    if line.chars().count() <= 80 {
        return false;
    }
    let text = line.trim_start();
    let outside: Vec<&str> = text.split('`').step_by(2).collect();
    outside.iter().any(|text| text.trim().contains(' '))
}

fn is_obeyed(c: char) -> bool {
    (c.is_control() && c != '\n') || c == '\u{202e}'
}

pub fn every_command_is_fit_for_a_dumb_terminal_and_a_pipe() {
    let team = Team::new(&["prod"]);
    let origin = team.path("access.git").display().to_string();
    for who in ["ada", "alice"] {
        team.runs(".", who, &format!("git clone --quiet {origin} access"), 0);
    }
    let recipient = |who: &str| team.runs(".", who, "certctl keygen 2>/dev/null", 0).trim().to_owned();
    let (alice, bob) = (recipient("alice"), recipient("bob"));
    let begin = "certctl init --name acme --cluster prod --user alice --ci none --owner @acme/platform";
    team.runs("access", "ada", begin, 0);
    let roster = format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: acme}}\n\
         clusters: [{{name: prod, context: prod-admin, server: \"{}\"}}]\n\
         groups:\n- name: developers\n  grants: [{{clusterRole: view}}, {{clusterRole: edit, namespaces: [shop, a-namespace-that-nobody-has-made-yet]}}]\n\
         - name: on-call\n  grants: [{{clusterRole: cluster-admin}}]\n\
         users:\n- name: alice\n  recipients:\n  {alice}\n  groups: [developers]\n\
         - name: bob\n  recipients:\n  {bob}\n  groups: [developers]\n",
        team.server("prod"),
    );
    fs::write(team.path("ada/access/users.yaml"), roster).expect("a roster");
    team.namespace("prod", "shop");
    team.binds_by_hand("prod", "cluster-admin", &format!("eve{OBEYED}"));
    let commit = format!(
        "git add -A && git -c user.name=$'Ada {OBEYED}' commit --quiet --author $'Ada {OBEYED} <a@example.com>' -m $'people {OBEYED}' && git push --quiet"
    );
    team.runs("access", "ada", &format!("unset GIT_AUTHOR_NAME GIT_COMMITTER_NAME; {commit}"), 0);
    team.runs("access", "ada", "certctl apply --auto-approve", 1);
    team.runs("access", "alice", "git pull --quiet", 0);
    let hook = team.path("access.git/hooks/pre-receive");
    certctl_testing::executable(&hook, &format!("printf '%b' '{OBEYED} not today\\n' >&2; exit 1"));

    let (mut wrong, mut all) = (Vec::new(), String::new());
    let mut check = |line: &str, shown: &str, wide: bool| {
        all.push_str(shown);
        for shown in shown
            .lines()
            .filter(|shown| shown.contains(is_obeyed) || !shown.is_ascii() || (wide && is_too_wide(shown)))
        {
            wrong.push(format!("{line}: {shown:?}"));
        }
    };
    let everywhere = "unset NO_COLOR; export LANG=C LC_ALL=C";
    for (who, line) in LINES {
        let (_, shown) = team.shows("access", who, &format!("{everywhere} TERM=dumb; {line}"), &[]);
        assert!(!shown.contains("panicked"), "{line}: {shown}");
        check(line, &shown, !NOT_BROKEN.iter().any(|command| line.starts_with(command)));
        let (_, said) = team.pipes("access", who, &format!("{everywhere} TERM=xterm-256color; {line}"));
        check(line, &said, false);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for planted in ["eve\\u{1b}[2J", "Ada \\u{1b}[2J", "not today"] {
        assert!(all.contains(planted), "`{planted}` is not shown");
    }

    let help = team.runs(".", "ada", "certctl --help", 0);
    let commands =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: BTreeSet<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    let typed = LINES.iter().filter_map(|(_, line)| line.split(' ').nth(1));
    assert_eq!(typed.chain(NOT_TYPED).collect::<BTreeSet<&str>>(), commands, "each command is typed");
}
