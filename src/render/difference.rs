//! What is different between the plan that was reviewed and the one that would be carried out.

use similar::{ChangeTag, TextDiff};

use super::{Style, colour, count, words};
use crate::error::visible_line;
use crate::plan::digest::{Digested, DigestedCluster, DigestedPerson};
use crate::plan::terms::Terms;

/// Lines that a terminal shows.
const MOST_LINES: usize = 100;

/// A line for each decision that only one of them holds: `-` was reviewed and is not planned any more,
/// `+` was not.
pub fn render(reviewed: &Digested, now: &Digested, style: Style) -> String {
    let (before, after) = (lines(reviewed), lines(now));
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    let after: Vec<&str> = after.iter().map(String::as_str).collect();
    let diff = TextDiff::from_slices(&before, &after);
    let changes: Vec<_> = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal).collect();
    let mut out = String::new();
    for change in changes.iter().take(MOST_LINES) {
        let (sign, paint) = match change.tag() {
            ChangeTag::Delete => ("-", colour::REMOVE),
            _ => ("+", colour::ADD),
        };
        out += &style.paint(paint, &format!("  {sign} {}", visible_line(change.value())));
        out.push('\n');
    }
    if let Some(more) = changes.len().checked_sub(MOST_LINES).filter(|more| *more > 0) {
        out += &format!("    and {}\n", count(more, "more line"));
    }
    out
}

fn lines(digested: &Digested) -> Vec<String> {
    let mut lines = vec![format!("roster {}", digested.roster)];
    lines.extend(digested.clusters.iter().flat_map(of_cluster));
    lines
}

fn of_cluster(cluster: &DigestedCluster) -> Vec<String> {
    let DigestedCluster { name, uid, people, bindings, terms } = cluster;
    let mut lines = vec![format!("{name} is the cluster {uid}")];
    lines.extend(terms.iter().flat_map(|terms| of_terms(name, terms)));
    for person in people {
        let DigestedPerson { user, action, reason, recipients, namespace, groups, key, validity, until } =
            person;
        lines.push(format!("{}: {action} {user}: {}", name, words::reason(reason)));
        let groups = groups.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let start = recipients.get(..16).unwrap_or_default();
        for (field, value) in [
            ("is sealed to the recipients", start),
            ("has the default namespace", namespace),
            ("has in its certificate the groups", &groups),
            ("has a key of", key),
            ("is valid, in seconds, for", validity),
            ("ends at the roster's until,", until),
        ] {
            if !value.is_empty() {
                lines.push(format!("{}: {user}'s new credential {field} {value}", name));
            }
        }
    }
    for binding in bindings {
        let sides = [(&binding.joins, "joins"), (&binding.leaves, "leaves")];
        for (who, does) in sides {
            let line = |who| format!("{}: {who} {does} {}, {}", name, binding.binding, binding.role);
            lines.extend(who.iter().map(line));
        }
    }
    lines
}

fn of_terms(name: &str, terms: &Terms) -> Vec<String> {
    let Terms {
        server,
        certificate_authority,
        proxy_url,
        tls_server_name,
        signer_name,
        suspended,
        ends,
        fitting,
    } = terms;
    let authority = certificate_authority.as_deref().map(|digest| digest.get(..16).unwrap_or(digest));
    let fields = [
        ("kubeconfigs connect to", server.as_deref()),
        ("kubeconfigs carry the CA", authority),
        ("kubeconfigs connect through the proxy", proxy_url.as_deref()),
        ("kubeconfigs verify the server as", tls_server_name.as_deref()),
        ("certificates are signed by", signer_name.as_deref()),
    ];
    let fields = fields.into_iter().filter_map(|(field, value)| Some(format!("{name}: {field} {}", value?)));
    let suspended = suspended.iter().map(|user| format!("{name}: {user} is suspended"));
    let ends = ends.iter().map(|end| format!("{name}: until, {end}"));
    let fitting = fitting.iter().flat_map(|(binding, told)| {
        told.iter().map(move |told| format!("{name}: {binding} where namespaces fit, {told}"))
    });
    fields.chain(suspended).chain(fitting).chain(ends).collect()
}
