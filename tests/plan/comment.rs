//! A comment as GitHub would read it: whatever anyone writes into a roster or a cluster, it stays text,
//! and the comment stays short enough. Rendered by comrak, which is not ours, with all that it knows.

use certctl::error::Error;
use certctl::plan::changes::Withdrawn;
use certctl::plan::full_control::FullControl;
use certctl::plan::observed::BindingAt;
use certctl::plan::residual_access::GivenRole;
use certctl::plan::roster_changes::{Owner, RosterChange, Setting, SettingValue};
use certctl::plan::warning::{RequestClaim, Warning};
use certctl::plan::{Base, Cleanup, Plan, Summary};
use certctl::rbac::{Control, Reach, Scope};
use certctl::render::markdown::{self, LONGEST_COMMENT, PlanStatus};
use proptest::prelude::*;

use crate::story::{Story, TEAM, subject};

/// What must not come out as markup, reference, command or row.
const HOSTILE: [&str; 26] = [
    "`evil` ``evil``` evil",
    "evil | evil | evil",
    "evil\\| evil \\",
    "<script>evil()</script><img src=x onerror=evil()>",
    "</details></summary></table><h1>evil</h1>",
    "<!-- evil",
    "evil --> <b>evil",
    "@evil @evil/team evil@evil.example",
    "#1 evil/evil#2 GH-3 0123456789abcdef0123456789abcdef01234567 evil",
    "https://evil.example www.evil.example evil://x",
    "[evil](https://evil.example) ![evil](x) <https://evil.example> [evil][1]",
    "[1]: https://evil.example",
    "evil\n\n# evil\n\n- [ ] evil\n\n> evil\n\n---\n\nevil\n===",
    "evil\r\n::set-output name=digest::evil\r\n",
    "::add-mask::evil",
    "\u{a0}::add-mask::evil",
    "evil ##[set-output name=digest;]evil",
    "###[error]evil",
    "```\nevil\n```",
    "~~~~ evil\n    evil",
    "**evil** __evil__ ~~evil~~ *evil* _evil_",
    "$`evil`$ $$evil$$ :evil: [^evil] ^evil^ ==evil==",
    "&lt;evil&gt; &#64;evil &#x23;1",
    "\u{202e}evil\u{202c} \u{200b}evil\u{feff} \x1b[31mevil\0",
    "1. evil",
    "> [!CAUTION]\n> evil",
];

/// A plan with this text wherever a text from outside can be.
fn plan_with(text: &str) -> Plan {
    let mut story = Story::applied(TEAM);
    story.yaml += "- {name: carol, recipients: [age1carol], groups: [developers]}\n";
    story.edit("- {name: bob, recipients: [age1bob], groups: [developers]}\n", "");
    story.binding("certctl:developers:view").subjects.push(subject("User", text));
    let mut plan = story.whole();
    let cluster = &mut plan.clusters[0];
    for binding in &mut cluster.bindings {
        binding.at = BindingAt { namespace: Some(text.into()), name: text.into() };
        binding.unsplit = binding.at.clone();
        binding.role = text.into();
        for change in &mut binding.changes {
            change.subject = text.into();
        }
    }
    cluster.warnings.push(planted(text));
    let at = BindingAt { namespace: Some(text.into()), name: text.into() };
    cluster.warnings.push(Warning::InCertificate {
        user: "alice".parse().expect("a name"),
        group: "developers".parse().expect("a name"),
        not_after: plan.now,
        gives: Some([GivenRole { role: text.into(), at: at.clone() }].into()),
    });
    cluster.full_control.push(FullControl {
        people: [text.to_owned()].into(),
        role: text.into(),
        through: Some(at),
        reach: Reach { scope: Scope::Namespace(text.into()), by: Control::Bind(text.into()) },
    });
    let action = cluster.people[0].clone();
    cluster.withdrawn.push(Withdrawn { action, recorded: Vec::new() });
    cluster.cleanups.push(Cleanup::Request { name: text.into(), uid: text.into(), requester: text.into() });
    plan.base = Some(Base {
        revision: text.into(),
        commit: text.into(),
        pending: Summary::default(),
        roster_changes: vec![RosterChange::Setting {
            of: Owner::Roster,
            setting: Setting::Context,
            from: SettingValue::Text(text.into()),
            to: SettingValue::Text(text.into()),
        }],
        approvals: Vec::new(),
        notes: vec![text.into()],
    });
    plan
}

fn planted(text: &str) -> Warning {
    let claim = RequestClaim::Group(text.into());
    Warning::ForeignRequest { name: text.into(), requester: text.into(), claim }
}

fn comment_with(text: &str) -> String {
    let error = Error::new(text).caused_by(std::io::Error::other(format!("cause: {text}"))).hint(text);
    let context =
        PlanStatus { digest: "sha256:0", failed: Some(&error), withheld: Some(&error), history: None };
    markdown::render(&plan_with(text), context, LONGEST_COMMENT) + &markdown::failure(&error, LONGEST_COMMENT)
}

fn html(markdown: &str) -> String {
    let mut options = comrak::Options::default();
    let extension = &mut options.extension;
    extension.table = true;
    extension.autolink = true;
    extension.strikethrough = true;
    extension.tasklist = true;
    extension.footnotes = true;
    extension.alerts = true;
    extension.math_dollars = true;
    extension.math_code = true;
    extension.superscript = true;
    options.render.r#unsafe = true;
    comrak::markdown_to_html(markdown, &options)
}

/// The HTML outside of code, where hosts look for mentions and references.
fn outside_of_code(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once("<code") {
        out.push_str(before);
        rest = after.split_once("</code>").expect("code ends").1;
    }
    out + rest
}

/// What is in the comment that a host would act on.
fn dangers(markdown: &str) -> Vec<String> {
    let html = outside_of_code(&html(markdown));
    let mut dangers = Vec::new();
    let mut text = String::new();
    for (index, piece) in html.split('<').enumerate() {
        let (tag, after) =
            if index == 0 { ("", piece) } else { piece.split_once('>').unwrap_or((piece, "")) };
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        const OURS: [&str; 19] = [
            "",
            "h3",
            "h4",
            "p",
            "br",
            "div",
            "ul",
            "li",
            "strong",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "details",
            "summary",
            "pre",
            "blockquote",
        ];
        if !OURS.contains(&name) || tag.contains("href") || tag.contains("src") || tag.contains("checkbox") {
            dangers.push(format!("<{tag}>"));
        }
        text.push_str(after);
        text.push(' ');
    }
    for word in text.split_whitespace() {
        let hex = word.split(|c: char| !c.is_ascii_hexdigit()).any(|part| part.len() >= 7);
        let entity = word.contains("&lt;") || word.contains("&gt;") || word.contains("&amp;");
        let picture = word.matches(':').count() > 1 && word.contains(char::is_alphanumeric);
        if word.contains(['@', '#', '$', '^', '[', '*', '_', '~', '`', '\\']) && word != "[!CAUTION]"
            || word.contains("://")
            || word.starts_with("www.")
            || word.starts_with("GH-")
            || hex
            || entity
            || picture
        {
            dangers.push(word.to_owned());
        }
    }
    for line in markdown.split(['\n', '\r']) {
        if line.contains("##[") || line.trim_start().starts_with("::") {
            dangers.push(line.to_owned());
        }
    }
    dangers
}

#[test]
fn whatever_a_text_holds_it_stays_text() {
    for text in HOSTILE {
        let comment = comment_with(text);
        assert_eq!(dangers(&comment), [""; 0], "{text:?}\n{comment}\n{}", html(&comment));
        let html = html(&comment);
        assert_eq!(html.matches("<h").count(), 4, "two titles, a cluster, the roster: {text:?}\n{html}");
        assert_eq!(html.matches("<table>").count(), 1, "{text:?}\n{html}");
        // One row of each, with its four cells.
        assert_eq!((html.matches("<tr>").count(), html.matches("<td>").count()), (3, 8), "{text:?}\n{html}");
        assert_eq!((html.matches("<details>").count(), html.matches("</details>").count()), (2, 2));
        assert!(html.matches("evil").count() >= 20, "it is shown: {text:?}\n{html}");
    }
}

#[test]
fn the_dangers_would_be_found() {
    for text in [
        "@evil",
        "see #1",
        "https://evil.example",
        "www.evil.example",
        "evil@evil.example",
        "[evil](x)",
        "<b>evil</b>",
        "<script>",
        "# evil",
        "**evil",
        "0123456789abcdef",
        "GH-1",
        ":smile:",
        "\n::add-mask::evil",
        "`evil ##[add-mask]evil`",
        "&lt;b>",
        "- [ ] evil",
    ] {
        assert_ne!(dangers(text), [""; 0], "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_at_all_breaks_out(text in r"([ -~]|[`|<>@#:*_\[\]()!~$&\\/.-]|\PC|[\n\r\t]|evil|##\[|::){0,24}") {
        let comment = comment_with(&text);
        prop_assert_eq!(dangers(&comment), [""; 0], "{}", comment);
        let html = html(&comment);
        prop_assert_eq!((html.matches("<tr>").count(), html.matches("<h").count()), (3, 4), "{}", comment);
    }
}

/// Many people: of each three, one comes, one leaves and one is rotated.
pub fn crowd(people: usize, name: &str) -> Plan {
    let head = "groups:\n- {name: developers, grants: [{clusterRole: view}, {clusterRole: edit, namespaces: [shop]}]}\nusers:\n";
    let line = |i: usize, more: &str| {
        format!("- {{name: {name}{i}, recipients: [age1x], groups: [developers]{more}}}\n")
    };
    let before = (0..people).filter(|i| i % 3 != 0).map(|i| line(i, "")).collect::<String>();
    let mut story = Story::applied(&format!("{head}{before}"));
    let after = (0..people).filter(|i| i % 3 != 1);
    let after = after.map(|i| line(i, if i % 3 == 2 { ", generation: 2" } else { "" })).collect::<String>();
    story.edit(&before, &after);
    story.whole()
}

#[test]
fn a_comment_is_never_too_long_and_says_what_is_missing() {
    for people in [3, 500, 2_000] {
        let plan = crowd(people, "prabesh-thapa-");
        let context = PlanStatus { digest: "sha256:0", ..PlanStatus::default() };
        let comment = markdown::render(&plan, context, LONGEST_COMMENT);
        assert!(comment.chars().count() <= 65_536 && comment.len() <= LONGEST_COMMENT, "{people}");
        assert_eq!(dangers(&comment), [""; 0]);
        let rows =
            comment.lines().filter(|line| line.contains("prabesh-thapa") && line.starts_with('|')).count();
        let missing = format!("… and {} more people", certctl::render::grouped(people - rows));
        assert_eq!(comment.contains(&missing), rows < people, "{people}: {rows} rows");
        assert_eq!(comment.contains("> [!NOTE]\n> Too long for one page:"), people > 500, "{people}");
        assert!(rows >= people.min(400), "{rows} of {people}");
        assert!(comment.trim_end().ends_with("Digest: `sha256:0`"), "what apply is held to is never cut");
        // Nobody's access is hidden behind somebody's coming.
        let (gone, left) = ((people + 1) / 3, comment.matches("revoke |").count());
        assert!(left == gone.min(left) && (left == gone || rows == left), "{left} of {gone} revocations");
    }
}

#[test]
fn within_any_limit() {
    let mut plan = crowd(60, "someone-");
    let mut other = plan.clusters[0].clone();
    other.name = "stage".parse().expect("a name");
    plan.clusters.push(other);
    let error =
        Error::all((0..150).map(|n| Error::new(format!("{n}: {}", "`|".repeat(100))))).expect("errors");
    let context = PlanStatus { digest: "sha256:0", failed: Some(&error), ..PlanStatus::default() };
    for limit in (500..70_000).step_by(6_899) {
        for comment in [markdown::render(&plan, context, limit), markdown::failure(&error, limit)] {
            assert!(comment.len() <= limit, "{limit}: {}", comment.len());
            assert_eq!(dangers(&comment), [""; 0], "{limit}");
        }
    }
    let all = markdown::failure(&error, LONGEST_COMMENT);
    assert!(all.contains("… and ") && all.len() > LONGEST_COMMENT / 2, "{all}");
}

#[test]
fn where_almost_nothing_fits_the_dangers_and_the_digest_stay() {
    let mut story = Story::applied(TEAM);
    story.edit("age1alice", "age1mallory");
    let mut plan = story.whole();
    for n in 0..20 {
        plan.clusters[0].warnings.push(planted(&format!("{n} {}", "long ".repeat(100))));
    }
    let digest = story.digest();
    let context = PlanStatus { digest: &digest, ..PlanStatus::default() };
    let comment = markdown::render(&plan, context, 1_000);
    assert!(comment.len() <= 1_000, "{}", comment.len());
    for said in ["1 to rotate", "**Recipients change: `alice`.**", digest.as_str()] {
        assert!(comment.contains(said), "`{said}` is not in:\n{comment}");
    }
}

#[test]
fn of_many_people_the_first_stand_open_and_the_others_are_counted_and_folded_away() {
    let plan = crowd(500, "someone-");
    let comment = markdown::render(&plan, PlanStatus::default(), LONGEST_COMMENT);
    let fold = "<details><summary>450 more people: 117 to revoke, 166 to rotate, 167 to issue</summary>";
    let (open, folded) = comment.split_once(fold).unwrap_or_else(|| panic!("{comment}"));
    let rows = |text: &str| text.lines().filter(|line| line.contains("| `someone-")).count();
    assert_eq!((rows(open), rows(folded)), (50, 450));
    assert!(open.contains("Revoke and rotate cut off the old credential at once"), "{open}");
}
