//! An access review as one page: no network, readable without scripts, and printed as it is read.
//!
//! Style and script are this program's own and named by their hash in the policy of the page, so that a browser runs
//! nothing else, whatever the rest of it holds.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;

use super::html::Attribute::{
    Class, ColSpan, Data, DateTime, For, Hidden, Id, Label, LabelledBy, Role, Scope, ToId, Type, Value,
};
use super::html::{Attribute, Html};
use super::words::{basis, day, labels, through, who};
use crate::access::audit::Risk;
use crate::access::credentials::{CredentialStanding, CredentialStatus};
use crate::access::granted;
use crate::access::review::{
    AccessReview, CommitChanges, FullControlOf, PastCommit, ReviewSummary, ReviewedPerson, ReviewedRight,
    Whom,
};
use crate::access::rights::Origin;
use crate::access::status::KnownFrom;
use crate::model::{ClusterName, GroupName, UserName, sha256};
use crate::render::audit::message;
use crate::render::words::access::{self as words, from_now};
use crate::render::{grouped, noun};
use crate::roster::{Details, Grant, OnClusters, User};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Where nothing was found, and not every cluster was asked.
const NOTHING_KNOWN: &str = "Nothing was found in the records; what is bound behind the roster's back is not known of a cluster that was not read.";

/// The people of a list that stand open.
const MOST_OPEN: usize = 40;

/// The page.
pub fn page(review: &AccessReview<'_>) -> String {
    let mut html = Html::default();
    html.own("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    policy(&mut html);
    html.own("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.own("<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n");
    html.words("title", &[], &format!("Access review of {}, {}", review.roster.name, day(review.now)));
    html.own("\n<style>");
    html.own(STYLE);
    html.own("</style>\n</head>\n<body>\n");
    header(&mut html, review);
    html.element("main", &[], |html| {
        let summary = review.summary();
        tiles(html, review, &summary);
        people(html, review);
        groups(html, review);
        changes(html, review);
        findings(html, review);
        commits(html, review);
        reading(html, review);
    });
    html.own("\n<script>");
    html.own(SCRIPT);
    html.own("</script>\n</body>\n</html>\n");
    html.finish()
}

/// What a browser may do with the page: apply this style and run this script, and nothing else.
fn policy(html: &mut Html) {
    let hash = |source: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(sha256(source.as_bytes())));
    html.empty(
        "meta",
        &[Attribute::Policy(&format!(
            "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
            hash(STYLE),
            hash(SCRIPT)
        ))],
    );
    html.own("\n");
}

fn header(html: &mut Html, review: &AccessReview<'_>) {
    html.element("header", &[], |html| {
        html.element("h1", &[], |html| {
            html.text("Access review ");
            html.words("span", &[Class("roster")], review.roster.name.as_str());
        });
        html.element("p", &[], |html| {
            let commit: String = review.commit.chars().take(12).collect();
            html.text("Who may do what, as of ");
            time(html, review.now, &review.now.strftime("%Y-%m-%d %H:%M UTC").to_string());
            html.text(", by roster and records of commit ");
            html.words("code", &[], &commit);
            html.text(".");
        });
        html.element("nav", &[Label("Sections")], |html| {
            html.element("ul", &[], |html| {
                let all = [
                    ("people", "People", true),
                    ("groups", "Groups", true),
                    ("changes", "Changes", review.since.is_some()),
                    ("findings", "Findings", true),
                    ("commits", "Commits", true),
                    ("reading", "How to read this", true),
                ];
                for (id, name, _) in all.into_iter().filter(|(.., is_there)| *is_there) {
                    html.element("li", &[], |html| html.words("a", &[ToId(id)], name));
                }
            });
        });
        for cluster in &review.clusters {
            if let KnownFrom::RecordsOnly { error } = &cluster.known {
                html.element("p", &[Class("caution")], |html| {
                    html.words("strong", &[], &format!("{} was not read.", cluster.name));
                    html.text(&format!(
                        " What is said of it is what roster and records know. Why: {error}"
                    ));
                });
            }
        }
        if review.clusters.iter().any(|cluster| cluster.known == KnownFrom::Records) {
            html.words(
                "p",
                &[Class("caution")],
                "No cluster was asked: this is what roster and records say, not what is bound.",
            );
        }
        if let Some(at) = review.past.ends_at {
            let text = format!(
                "The history is cut off at {}, where a shallow clone ends: what began before has no commit here.",
                day(at)
            );
            html.words("p", &[Class("caution")], &text);
        }
    });
    html.own("\n");
}

/// The numbers that are read first; each leads to what it counts.
fn tiles(html: &mut Html, review: &AccessReview<'_>, summary: &ReviewSummary) {
    let ReviewSummary { people, with_access, full_control, ending, need_person, findings, unread } = summary;
    let tile = |html: &mut Html, to, filter, class, number: &str, name: &str, more: &str| {
        html.element("li", &[Class(class)], |html| {
            html.element("a", &[ToId(to), Data("show", filter)], |html| {
                html.words("span", &[Class("number")], number);
                html.text(" ");
                html.words("span", &[Class("name")], name);
                html.text(" ");
                html.words("span", &[Class("more")], more);
            });
        });
    };
    html.element("section", &[Label("Summary")], |html| {
        html.element("ul", &[Class("tiles")], |html| {
            let without = people - with_access;
            let more =
                if without > 0 { format!("{} without access", grouped(without)) } else { String::new() };
            tile(html, "people", "", "", &grouped(*people), noun(*people, ("person", "people")), &more);
            let clusters = review.clusters.len();
            let more = if *unread > 0 { format!("{unread} not read") } else { "all read".to_owned() };
            let class = if *unread > 0 { "warn" } else { "" };
            tile(
                html,
                "reading",
                "",
                class,
                &clusters.to_string(),
                noun(clusters, ("cluster", "clusters")),
                &more,
            );
            let (of_cluster, of_namespace) = *full_control;
            let more = match (of_namespace, *unread) {
                (0, 0) => "of a cluster".to_owned(),
                (0, _) => "of a cluster, as far as known".to_owned(),
                (more, _) => format!("of a cluster; {} of a namespace", grouped(more)),
            };
            let class = if of_cluster > 0 { "bad" } else { "" };
            tile(html, "people", "full", class, &grouped(of_cluster), "full control", &more);
            let class = if *ending > 0 { "warn" } else { "" };
            tile(
                html,
                "people",
                "ends",
                class,
                &grouped(*ending),
                "end within 30 days",
                "a right or all access",
            );
            let class = if *need_person > 0 { "warn" } else { "" };
            tile(
                html,
                "people",
                "look",
                class,
                &grouped(*need_person),
                "to look at",
                "not as the roster says",
            );
            let all: usize = findings.values().sum();
            let by_risk = findings.iter().rev().map(|(risk, number)| format!("{number} {}", risk.word()));
            let more = match (all, *unread) {
                (0, 1..) => "in what was read".to_owned(),
                _ => by_risk.collect::<Vec<_>>().join(", "),
            };
            let class = match findings.keys().next_back() {
                Some(Risk::Critical | Risk::High) => "bad",
                Some(Risk::Medium | Risk::Low) => "warn",
                None => "",
            };
            tile(html, "findings", "", class, &grouped(all), noun(all, ("finding", "findings")), &more);
        });
    });
    html.own("\n");
}

fn people(html: &mut Html, review: &AccessReview<'_>) {
    section(html, "people", "People", |html| {
        filters(html, review);
        html.element("table", &[Class("people")], |html| {
            caption(html, "Everybody's rights on each cluster, until when, and since which commit");
            head(html, &["May do", "Cluster", "Through", "Until", "Since"]);
            html.own("\n");
            for (name, person) in &review.people {
                one_person(html, review, name, person);
            }
        });
        html.words("p", &[Id("nobody"), Hidden], "Nobody fits what was asked for.");
    });
}

/// For those who have scripts.
fn filters(html: &mut Html, review: &AccessReview<'_>) {
    let select = |html: &mut Html, id, name, names: &mut dyn Iterator<Item = &str>| {
        html.element("div", &[], |html| {
            html.words("label", &[For(id)], name);
            html.element("select", &[Id(id)], |html| {
                html.words("option", &[Value("")], "all");
                names.for_each(|name| html.words("option", &[Value(name)], name));
            });
        });
    };
    html.element("form", &[Id("filters"), Role("search"), Label("Filter people"), Hidden], |html| {
        html.element("div", &[Class("wide")], |html| {
            html.words("label", &[For("search")], "Search");
            html.empty("input", &[Id("search"), Type("search")]);
        });
        let mut clusters = review.clusters.iter().map(|cluster| cluster.name.as_str());
        select(html, "cluster", "Cluster", &mut clusters);
        select(html, "group", "Group", &mut review.roster.groups.keys().map(GroupName::as_str));
        html.element("fieldset", &[], |html| {
            html.words("legend", &[], "Only");
            for (id, name) in [("full", "full control"), ("ends", "ends soon"), ("look", "to look at")] {
                html.element("label", &[], |html| {
                    html.empty("input", &[Id(id), Type("checkbox")]);
                    html.text(" ");
                    html.text(name);
                });
            }
        });
        html.words("button", &[Type("reset")], "Clear");
        html.words("p", &[Id("shown"), Role("status")], "");
    });
}

fn one_person(html: &mut Html, review: &AccessReview<'_>, name: &UserName, person: &ReviewedPerson) {
    let look = if person.needs_person() { "1" } else { "" };
    html.element("tbody", &[Data("look", look)], |html| {
        html.element("tr", &[Class("person")], |html| {
            html.element("th", &[Scope("rowgroup"), ColSpan(5), Id(&format!("person-{name}"))], |html| {
                html.words("span", &[Class("who")], name.as_str());
                if let Some(user) = review.roster.users.get(name) {
                    details(html, &user.details);
                }
                for standing in certificates(person) {
                    html.text(" ");
                    certificate(html, review, &standing);
                }
            });
        });
        for (right, clusters) in &person.rights {
            let on: Vec<&str> = clusters.iter().map(ClusterName::as_str).collect();
            one_right(html, review, right, &on);
        }
        if person.rights.is_empty() {
            html.element("tr", &[Class("none")], |html| {
                html.words("td", &[ColSpan(5)], &format!("No rights{}", why_none(review, name)));
            });
        }
    });
    html.own("\n");
}

/// Who somebody is, as the roster says.
fn details(html: &mut Html, of: &Details) {
    let Details { full_name, email, labels: _ } = of;
    let full_name = full_name.iter().map(ToString::to_string);
    for said in full_name.chain(email.iter().map(ToString::to_string)).chain(labels(of)) {
        html.text(" ");
        html.words("span", &[Class("detail")], &said);
    }
}

/// Why the roster gives somebody nothing.
fn why_none(review: &AccessReview<'_>, name: &UserName) -> String {
    match review.roster.users.get(name) {
        None => ": not on the roster any more".to_owned(),
        Some(user) if user.suspended => ": suspended".to_owned(),
        Some(user) => match user.until.filter(|until| *until <= review.now) {
            Some(until) => format!(": access ended {}", words::minute(until)),
            None => String::new(),
        },
    }
}

fn one_right(html: &mut Html, review: &AccessReview<'_>, right: &ReviewedRight, on: &[&str]) {
    let ends_soon = right.ends_soon(review.now);
    let (full, ends) = (right.full_control.map_or("", |_| "1"), if ends_soon { "1" } else { "" });
    html.element("tr", &[Data("full", full), Data("ends", ends)], |html| {
        html.element("td", &[], |html| {
            let namespaces = right.namespaces.as_ref().map(|names| names.iter().map(String::as_str));
            role(html, &right.role_name, &words::right(&right.role_name, namespaces));
            match right.full_control {
                Some(FullControlOf::Cluster) => badge(html, "bad", "full control"),
                Some(FullControlOf::Namespace) => badge(html, "bad", "full control of a namespace"),
                None => {}
            }
            if right.basis.is_odd() {
                badge(html, "warn", basis(right.basis));
            }
        });
        html.words("td", &[], &on.join(", "));
        html.element("td", &[], |html| match &right.origin {
            Origin::Group(group) => html.words("a", &[ToId(&format!("group-{group}"))], group.as_str()),
            Origin::Personal | Origin::Others => html.text(&through(right)),
        });
        html.element("td", &[Class(if ends_soon { "soon" } else { "" })], |html| {
            until(html, review, right.until)
        });
        html.element("td", &[], |html| match review.commit(right.since) {
            Some(commit) => since(html, commit),
            None => html.text("not known"),
        });
    });
}

/// `**edit** in shop, staging`.
fn role(html: &mut Html, name: &str, said: &str) {
    html.words("b", &[], name);
    html.text(said.strip_prefix(name).unwrap_or_default());
}

fn until(html: &mut Html, review: &AccessReview<'_>, until: Option<Timestamp>) {
    match until {
        None => html.text("no end"),
        Some(at) => {
            time(html, at, &words::minute(at));
            html.text(" ");
            html.words("small", &[], &from_now(at, review.now));
        }
    }
}

fn since(html: &mut Html, commit: &PastCommit) {
    html.words("time", &[], &day(commit.at));
    html.text(" ");
    named(html, commit);
}

/// A commit, with a link to what else git tells of it.
fn named(html: &mut Html, commit: &PastCommit) {
    html.words("a", &[ToId(&format!("commit-{}", short(commit)))], &short(commit));
    html.text(" ");
    html.words("small", &[], &who(commit));
}

fn short(commit: &PastCommit) -> String {
    commit.id.chars().take(10).collect()
}

fn badge(html: &mut Html, class: &'static str, text: &str) {
    html.text(" ");
    html.words("span", &[Class(if class == "bad" { "badge bad" } else { "badge warn" })], text);
}

/// Somebody's credentials that are alike, and on which clusters.
struct Certificates<'a> {
    standing: &'a CredentialStanding,
    on: Vec<&'a str>,
}

fn certificates(person: &ReviewedPerson) -> Vec<Certificates<'_>> {
    let mut all: Vec<Certificates<'_>> = Vec::new();
    let alike = |a: &CredentialStanding, b: &CredentialStanding| {
        let held = |of: &CredentialStanding| of.held.as_ref().map(|held| (held.state, day(held.not_after)));
        held(a) == held(b) && a.notes == b.notes
    };
    for standing in &person.credentials {
        match all.iter_mut().find(|known| alike(known.standing, standing)) {
            Some(known) => known.on.push(standing.cluster.as_str()),
            None => all.push(Certificates { standing, on: vec![standing.cluster.as_str()] }),
        }
    }
    all
}

fn certificate(html: &mut Html, review: &AccessReview<'_>, of: &Certificates<'_>) {
    let class = if of.standing.needs_person() { "certificate look" } else { "certificate" };
    html.element("span", &[Class(class)], |html| {
        if let Some(held) = &of.standing.held {
            html.text(match held.state {
                CredentialStatus::Active => "certificate until ",
                CredentialStatus::Superseded => "superseded certificate until ",
                CredentialStatus::Revoked => "revoked certificate, alive until ",
                CredentialStatus::Expired => "certificate expired ",
            });
            time(html, held.not_after, &day(held.not_after));
        }
        if review.clusters.len() > 1 {
            html.text(&format!(" on {}", of.on.join(", ")));
        }
        let notes: Vec<&str> = of.standing.notes.iter().map(|note| words::note(*note)).collect();
        if !notes.is_empty() {
            let colon = if of.standing.held.is_some() || review.clusters.len() > 1 { ": " } else { "" };
            html.text(&format!("{colon}{}", notes.join("; ")));
        }
    });
}

fn groups(html: &mut Html, review: &AccessReview<'_>) {
    section(html, "groups", "Groups", |html| {
        if review.roster.groups.is_empty() {
            html.words("p", &[], "The roster has no groups.");
            return;
        }
        html.element("table", &[], |html| {
            caption(html, "What each group grants, and who is in it now");
            head(html, &["Group", "Grants", "Members"]);
            html.element("tbody", &[], |html| {
                for (name, group) in &review.roster.groups {
                    html.element("tr", &[], |html| {
                        html.element("th", &[Scope("row"), Id(&format!("group-{name}"))], |html| {
                            html.text(name.as_str());
                            if group.in_certificate {
                                badge(html, "warn", "in certificates");
                            }
                        });
                        html.element("td", &[], |html| grants(html, review, &group.grants));
                        html.element("td", &[], |html| members(html, review, name));
                    });
                }
            });
        });
    });
}

fn grants(html: &mut Html, review: &AccessReview<'_>, grants: &[Grant]) {
    html.element("ul", &[Class("plain")], |html| {
        for grant in grants {
            html.element("li", &[], |html| {
                role(html, grant.role.name().as_str(), &words::grant(grant));
                if let OnClusters::Only(names) = &grant.clusters {
                    let names: Vec<&str> = names.iter().map(ClusterName::as_str).collect();
                    html.text(&format!(" on {}", names.join(", ")));
                }
                if let Some(at) = grant.until {
                    html.text(", until ");
                    time(html, at, &words::minute(at));
                    html.text(" ");
                    html.words("small", &[], &from_now(at, review.now));
                }
            });
        }
    });
}

fn members(html: &mut Html, review: &AccessReview<'_>, group: &GroupName) {
    let clusters = || review.clusters.iter().map(|cluster| cluster.name);
    let is_in = |(_, user): &(&UserName, &User)| {
        clusters().any(|cluster| {
            granted::has_access(user, cluster, review.now)
                && granted::groups(user, cluster, review.now).any(|of| of == group)
        })
    };
    let names: Vec<&UserName> = review.roster.users.iter().filter(is_in).map(|(name, _)| name).collect();
    let list = |html: &mut Html| {
        for (index, name) in names.iter().enumerate() {
            if index > 0 {
                html.text(", ");
            }
            html.words("a", &[ToId(&format!("person-{name}"))], name.as_str());
        }
    };
    match names.len() {
        0 => html.text("nobody"),
        number => folded(html, number, &format!("{} people", grouped(number)), list),
    }
}

/// A list of so many people, behind a summary where there are many of them.
fn folded(html: &mut Html, number: usize, summary: &str, list: impl FnOnce(&mut Html)) {
    if number <= MOST_OPEN {
        return list(html);
    }
    html.element("details", &[], |html| {
        html.words("summary", &[], summary);
        list(html);
    });
}

fn changes(html: &mut Html, review: &AccessReview<'_>) {
    let Some(since_when) = &review.since else { return };
    section(html, "changes", &format!("Changes since {}", since_when.asked), |html| {
        let all = review.changes();
        if all.is_empty() {
            html.words("p", &[], "Nothing was changed in the roster or the records.");
            return;
        }
        html.element("table", &[], |html| {
            caption(
                html,
                "What the commits of the branch changed in the roster and the records, the latest first",
            );
            head(html, &["When", "Who", "What", "Commit"]);
            html.element("tbody", &[], |html| {
                for CommitChanges { commit, of, renewed } in &all {
                    let row = |html: &mut Html, who: &str, what: &dyn Fn(&mut Html)| {
                        html.element("tr", &[], |html| {
                            html.element("td", &[], |html| time(html, commit.at, &day(commit.at)));
                            html.words("th", &[Scope("row")], who);
                            html.element("td", &[], what);
                            html.element("td", &[], |html| named(html, commit));
                        });
                    };
                    for (whom, events) in of {
                        let who = match whom {
                            Whom::User(name) => name.to_string(),
                            Whom::Group(name) => format!("group {name}"),
                        };
                        row(html, &who, &|html| {
                            html.element("ul", &[Class("plain")], |html| {
                                events
                                    .iter()
                                    .for_each(|event| html.words("li", &[], &words::whole_event(event)));
                            });
                        });
                    }
                    for (cluster, users) in renewed {
                        let number =
                            format!("{} {}", grouped(users.len()), noun(users.len(), ("person", "people")));
                        row(html, &number, &|html| {
                            html.text(&format!("renewed on {cluster}: "));
                            let list = users.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
                            folded(html, users.len(), "their names", |html| html.text(&list));
                        });
                    }
                }
            });
        });
    });
}

fn findings(html: &mut Html, review: &AccessReview<'_>) {
    section(html, "findings", "Findings", |html| {
        // The same on several clusters is one thing to look at.
        let mut all: BTreeMap<(Reverse<Risk>, &str, String, &str), Vec<&str>> = BTreeMap::new();
        for cluster in &review.clusters {
            for finding in &cluster.audit.findings {
                let key = (Reverse(finding.risk), &*finding.subject, message(finding), finding.code.word());
                all.entry(key).or_default().push(cluster.name.as_str());
            }
        }
        if all.is_empty() {
            let read = review.clusters.iter().all(|cluster| cluster.known == KnownFrom::Cluster);
            let said = if read { "Nothing was found behind the roster's back." } else { NOTHING_KNOWN };
            html.words("p", &[], said);
        } else {
            html.element("table", &[], |html| {
                caption(
                    html,
                    "What is behind the roster's back, or gives more than it seems to, the worst first",
                );
                head(html, &["Severity", "Cluster", "Who", "What"]);
                html.element("tbody", &[], |html| {
                    for ((Reverse(of), subject, what, code), on) in &all {
                        html.element("tr", &[], |html| {
                            html.element("td", &[], |html| risk(html, *of));
                            html.words("td", &[], &on.join(", "));
                            html.words("th", &[Scope("row")], subject);
                            html.element("td", &[], |html| {
                                html.text(what);
                                html.text(" ");
                                html.words("code", &[], code);
                            });
                        });
                    }
                });
            });
        }
        ignored(html, review);
    });
}

fn ignored(html: &mut Html, review: &AccessReview<'_>) {
    let all = || {
        review.clusters.iter().flat_map(|cluster| cluster.audit.ignored.iter().map(|one| (cluster.name, one)))
    };
    if all().next().is_none() {
        return;
    }
    html.element("table", &[], |html| {
        caption(html, "Findings that the roster ignores for a time");
        head(html, &["Severity", "Cluster", "Who", "Why it is ignored", "Until"]);
        html.element("tbody", &[], |html| {
            for (cluster, (finding, ignored)) in all() {
                html.element("tr", &[], |html| {
                    html.element("td", &[], |html| risk(html, finding.risk));
                    html.words("td", &[], cluster.as_str());
                    html.words("th", &[Scope("row")], &finding.subject);
                    html.element("td", &[], |html| {
                        html.text(&ignored.reason);
                        html.text(" ");
                        html.words("small", &[], &message(finding));
                    });
                    html.element("td", &[], |html| until(html, review, Some(ignored.until)));
                });
            }
        });
    });
}

fn risk(html: &mut Html, risk: Risk) {
    let class = match risk {
        Risk::Critical => "badge bad strong",
        Risk::High => "badge bad",
        Risk::Medium => "badge warn",
        Risk::Low => "badge",
    };
    html.words("span", &[Class(class)], risk.word());
}

/// The commits that the page names, with all that git tells of them.
fn commits(html: &mut Html, review: &AccessReview<'_>) {
    section(html, "commits", "Commits", |html| {
        if review.named_commits().next().is_none() {
            html.words("p", &[], "No commit is known that gave anybody anything.");
            return;
        }
        html.element("table", &[], |html| {
            caption(html, "The commits of the branch that this page names, the latest first");
            head(html, &["Commit", "When", "Author", "Committer"]);
            html.element("tbody", &[], |html| {
                for commit in review.named_commits() {
                    html.element("tr", &[], |html| {
                        html.element(
                            "th",
                            &[Scope("row"), Id(&format!("commit-{}", short(commit)))],
                            |html| {
                                html.words("code", &[], &commit.id);
                                if commit.is_merge {
                                    html.text(" ");
                                    html.words("span", &[Class("badge")], "merge");
                                }
                            },
                        );
                        html.element("td", &[], |html| {
                            time(html, commit.at, &commit.at.strftime("%Y-%m-%d %H:%M UTC").to_string());
                        });
                        html.words("td", &[], &commit.author);
                        html.words("td", &[], &commit.committer);
                    });
                }
            });
        });
    });
}

/// What the page is made of, and what it cannot tell.
fn reading(html: &mut Html, review: &AccessReview<'_>) {
    section(html, "reading", "How to read this", |html| {
        html.element("dl", &[], |html| {
            let mut say = |term: &str, text: &str| {
                html.words("dt", &[], term);
                html.words("dd", &[], text);
            };
            for cluster in &review.clusters {
                let known = match &cluster.known {
                    KnownFrom::Cluster => "read: rights are those that its bindings give, beside what the roster grants.",
                    KnownFrom::Records => "not asked: rights are what the roster grants.",
                    KnownFrom::RecordsOnly { .. } => "could not be read: rights are what the roster grants.",
                };
                say(&format!("Cluster {}", cluster.name), known);
            }
            say("Rights", "A role of Kubernetes, and where it is bound. What a role allows is up to the cluster; certctl explain shows its rules. What everybody has who can authenticate is not repeated here.");
            say("Full control", "Everything, or a way to it: by its rules, not by its name. That none is found proves nothing, since a Secret may hold anything.");
            say("Until", "When the roster ends it. A certificate ends earlier and is renewed until then.");
            say("Since", "The commit of the branch since which it counts, and who made it; of a merge, who merged. Names are as git has them, where anybody can write any: what makes them true is the protection of the branch.");
            say("Not in here", "ServiceAccounts, tokens, and what people made while they had rights. Certificates that are not certctl's are among the findings while the cluster keeps their requests.");
        });
        html.words("p", &[], &format!("Made by certctl {}.", env!("CARGO_PKG_VERSION")));
    });
}

fn section(html: &mut Html, id: &'static str, name: &str, content: impl FnOnce(&mut Html)) {
    let heading = format!("{id}-heading");
    html.element("section", &[Id(id), LabelledBy(&heading)], |html| {
        html.words("h2", &[Id(&heading)], name);
        content(html);
    });
    html.own("\n");
}

fn caption(html: &mut Html, text: &str) {
    html.words("caption", &[], text);
}

fn head(html: &mut Html, columns: &[&str]) {
    html.element("thead", &[], |html| {
        html.element("tr", &[], |html| {
            columns.iter().for_each(|name| html.words("th", &[Scope("col")], name));
        });
    });
}

fn time(html: &mut Html, at: Timestamp, text: &str) {
    html.element("time", &[DateTime(at)], |html| html.text(text));
}
