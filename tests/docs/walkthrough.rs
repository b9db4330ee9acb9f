//! docs/walkthrough.md: a team's first day with certctl, as it shows on a terminal of 80 columns. Everything on the page
//! was typed and shown; only what is different each time (ids, keys, times) is replaced by something of the same length.
//! `UPDATE_EXPECT=1 cargo test --test docs` writes it anew.

use std::fs;

use expect_test::expect_file;

use super::steady::Steady;
use super::team::Team;

/// The page as it grows.
struct Page {
    text: String,
    team: Team,
    steady: Steady,
}

impl Page {
    fn says(&mut self, text: &str) {
        self.text.push_str(text.trim());
        self.text.push_str("\n\n");
    }

    /// Somebody types a line in their clone; what shows stands below it.
    #[track_caller]
    fn types(&mut self, who: &str, line: &str) {
        self.answers(who, line, &[], 0);
    }

    #[track_caller]
    fn answers(&mut self, who: &str, line: &str, answers: &[(&str, &str)], code: i32) {
        let folder = if self.team.path(&format!("{who}/access")).exists() { "access" } else { "." };
        let (ended, shown) = self.team.types(folder, who, line, answers);
        assert_eq!(ended, Some(code), "{line}:\n{shown}");
        let shown = self.steady.text(&self.team.at_home(shown.trim_end()));
        // What other programs show is theirs.
        let wide = shown.lines().find(|shown| shown.chars().count() > 80 && !line.starts_with("cat "));
        assert_eq!(wide, None, "{line}");
        let shown = if shown.is_empty() { shown } else { shown + "\n" };
        self.text.push_str(&format!("```console\n{who}$ {line}\n{shown}```\n\n"));
    }

    /// What happens beside the page.
    #[track_caller]
    fn beside(&self, who: &str, line: &str) {
        let folder = if self.team.path(&format!("{who}/access")).exists() { "access" } else { "." };
        self.team.runs(folder, who, line, 0);
    }

    fn edit(&self, who: &str, edit: impl Fn(&str) -> String) {
        let file = self.team.path(&format!("{who}/access/users.yaml"));
        let text = fs::read_to_string(&file).expect("a roster");
        let new = edit(&text);
        assert_ne!(new, text, "the edit does nothing");
        fs::write(file, new).expect("written");
    }
}

const APPLY: &[(&str, &str)] = &[("Only `yes` is accepted:", "yes")];

pub fn the_first_day_is_told_as_it_happens() {
    let team = Team::new(&["prod", "stage"]);
    let mut page = Page { text: String::new(), team, steady: Steady::new() };
    let origin = page.team.path("access.git").display().to_string();

    page.says(
        "# A team's first day\n\nMade by a test, from real runs against two clusters in memory, on a terminal of 80 \
         columns. Only ids, keys and times are replaced. The prompt says who types: ada is the administrator, alice, bob \
         and carol are users.",
    );
    page.says("## A repository and its roster");
    page.says("ada has a clone of an empty repository, and a kubeconfig with a context for each cluster.");
    page.beside("ada", &format!("git clone --quiet {origin} access"));
    page.answers(
        "ada",
        "certctl init",
        &[
            ("keep it for good", "acme"),
            ("by name or by number", "1"),
            ("Name of the cluster", "prod"),
            ("you for example", "alice"),
            ("CI:", ""),
            ("nothing, for nobody yet:", ""),
        ],
        0,
    );

    page.says("## Three kinds of keys\n\nalice makes an age identity.");
    page.types("alice", "certctl keygen");
    page.says("bob has an SSH key already, and sends its public half.");
    page.beside("bob", "mkdir -p .ssh && ssh-keygen -q -t ed25519 -N '' -C '' -f .ssh/id_ed25519");
    page.types("bob", "cat ~/.ssh/id_ed25519.pub");
    page.says(
        "carol does not want a private key to travel, not even encrypted. Hers stays on her machine, and she sends a \
         signing request; an age key is still what her kubeconfig is sealed to.",
    );
    page.types("carol", "certctl keygen");
    page.types("carol", "certctl request carol");

    page.says("ada writes all of it into the roster, and commits.");
    let line = |who: &str, command: &str| page.team.runs(".", who, command, 0).trim().to_owned();
    let alice = line("alice", "certctl keygen --show 2>/dev/null");
    let bob = format!("- {}", line("bob", "cut -d ' ' -f 1,2 .ssh/id_ed25519.pub"));
    let carol = line("carol", "certctl keygen --show 2>/dev/null");
    let roster = format!(
        "apiVersion: certctl.dev/v1\nkind: Roster\nmetadata: {{name: acme}}\nclusters:\n\
         - {{name: prod, context: prod-admin, server: \"{}\"}}\n\
         - {{name: stage, context: stage-admin, server: \"{}\"}}\n\
         groups:\n- name: developers\n  grants:\n  - {{clusterRole: view}}\n  \
         - {{clusterRole: edit, namespaces: [shop], clusters: [stage]}}\n\
         users:\n- name: alice\n  recipients:\n  {alice}\n  groups: [developers]\n\
         - name: bob\n  recipients:\n  {bob}\n  groups: [developers]\n  clusters: [stage]\n\
         - name: carol\n  recipients:\n  {carol}\n  csr: csrs/carol.csr\n  groups: [developers]\n",
        page.team.server("prod"),
        page.team.server("stage"),
    );
    fs::write(page.team.path("ada/access/users.yaml"), roster).expect("a roster");
    fs::create_dir(page.team.path("ada/access/csrs")).expect("a folder");
    fs::copy(page.team.path("carol/carol.csr"), page.team.path("ada/access/csrs/carol.csr")).expect("copied");
    page.types("ada", "cat users.yaml");
    page.types("ada", "certctl validate");

    page.says("## What would it do?");
    page.types("ada", "certctl plan");
    page.says("The namespace `shop` is not there on stage. ada creates it, and applies.");
    page.team.namespace("stage", "shop");
    page.beside("ada", "git add -A && git commit --quiet -m 'a roster: three people on two clusters'");
    page.answers("ada", "certctl apply", APPLY, 0);

    page.says("## In\n\nEach of them clones the repository, once, and logs in.");
    for who in ["alice", "bob", "carol"] {
        page.beside(who, &format!("git clone --quiet {origin} access"));
    }
    page.types("alice", "certctl login");
    page.types("alice", "certctl whoami");
    page.types("carol", "certctl login && certctl whoami --cluster prod");
    page.says("What is recorded of others can be asked without a key of theirs.");
    page.types("alice", "certctl whoami bob");

    page.says(
        "## A group gets another name\n\nNobody loses anything in between: the new bindings come first.",
    );
    page.edit("ada", |text| text.replace("developers", "engineers"));
    page.beside("ada", "git commit --quiet -am 'developers are engineers'");
    page.answers("ada", "certctl apply", APPLY, 0);

    page.says("## bob leaves");
    page.edit("ada", |text| {
        let (before, rest) = text.split_once("- name: bob\n").expect("bob");
        let (_, after) = rest.split_once("- name: carol\n").expect("carol");
        format!("{before}- name: carol\n{after}")
    });
    page.beside("ada", "git commit --quiet -am 'bob leaves'");
    page.answers("ada", "certctl apply", APPLY, 0);
    page.says("His certificate still says who he is. It gives him nothing:");
    page.answers("bob", "certctl whoami", &[], 0);

    page.says("## alice's laptop is lost\n\nShe makes a new identity on the new one, and ada puts it in the place of the old.");
    page.beside("alice", "rm -rf ~/.config ~/.kube");
    page.types("alice", "certctl keygen");
    let new = page.team.runs(".", "alice", "certctl keygen --show 2>/dev/null", 0).trim().to_owned();
    page.edit("ada", |text| text.replace(&alice, &new));
    page.beside("ada", "git commit --quiet -am 'alice has a new laptop'");
    page.answers("ada", "certctl apply", APPLY, 0);
    page.beside("alice", "git pull --quiet");
    page.types("alice", "certctl login");

    page.says(
        "## The branch is protected\n\nFrom now on `main` takes pull requests only. An apply that has something to record \
         cannot push there:",
    );
    let hook = "#!/bin/sh\nwhile read old new ref; do\n  if [ $ref = refs/heads/main ]; then\n    \
                echo 'GH006: Protected branch update failed for refs/heads/main.' >&2; exit 1\n  fi\ndone\n";
    page.types("ada", "certctl rotate alice");
    page.beside("ada", "git commit --quiet -am 'rotate alice' && git push --quiet");
    certctl_testing::executable(
        &page.team.path("access.git/hooks/pre-receive"),
        hook.trim_start_matches("#!/bin/sh\n"),
    );
    page.answers("ada", "certctl apply", APPLY, 1);
    page.says("With a branch of its own it can. The old credential is cut off at once, the new one waits for the merge.");
    page.answers("ada", "certctl apply --push-branch certctl/records", APPLY, 0);
    page.says("Somebody reviews and merges, and the next apply binds what was issued.");
    fs::remove_file(page.team.path("access.git/hooks/pre-receive")).expect("removed");
    page.beside(
        "ada",
        "git fetch --quiet && git merge --quiet --ff-only origin/certctl/records && git push --quiet",
    );
    page.answers("ada", "certctl apply", APPLY, 0);
    page.types("ada", "certctl plan");

    let text = format!("{}\n", page.text.trim_end());
    expect_file!["../../docs/walkthrough.md"].assert_eq(&text);
}
