//! A roster draft as YAML. Names are those that a roster can have; everything else stands in comments, where no
//! character of it can end a line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{left_out, why_not_taken};
use crate::error::visible_line;
use crate::import::draft::{DraftGrants, DraftGroup, DraftUser, GrantPlaces, NotTaken, RosterDraft};
use crate::model::{ClusterName, GroupName, RoleRef, RosterName};
use crate::render::count;
use crate::render::yaml::scalar;

/// What was not taken over, of which each has a line.
const MOST: usize = 200;

/// What the draft begins with.
#[derive(Debug, Clone, Copy)]
pub struct DraftHead<'a> {
    pub roster: &'a RosterName,
    pub cluster: &'a ClusterName,
    /// certctl's own context, from which it was read.
    pub context: &'a str,
    /// Where people connect to, as that context says.
    pub server: Option<&'a str>,
}

/// The draft.
pub fn yaml(head: DraftHead<'_>, draft: &RosterDraft) -> String {
    let DraftHead { roster, cluster, context, server } = head;
    let mut out = String::from(
        "# A draft of who may do what, from what is bound on the cluster. Review it like any other change.\n\
         # `certctl validate` names each line where something is missing.\n\
         #\n",
    );
    let _ = writeln!(out, "# Left out: {}.", left_out(&draft.left_out));
    not_taken(&mut out, &draft.not_taken);
    let _ = write!(
        out,
        "\napiVersion: certctl.dev/v1\nkind: Roster\n\nmetadata:\n  \
         # The owner written on every object that certctl makes. Keep it for good.\n  name: {}\n\nclusters:\n- name: {}\n",
        scalar(roster.as_str()),
        scalar(cluster.as_str())
    );
    if context == cluster.as_str() {
        let _ = writeln!(
            out,
            "  # People's context will be called {cluster} too. Rename certctl's own, and name it here."
        );
    }
    let _ = writeln!(out, "  context: {}", scalar(context));
    match server {
        Some(server) => {
            let _ = writeln!(out, "  # What people connect to.\n  server: {}", scalar(server));
        }
        None => out.push_str("  # server: https://...   what people connect to\n"),
    }
    out.push_str("\ngroups:");
    section(&mut out, &draft.groups, |out, name, group| one_group(out, name, group, draft));
    out.push_str("\nusers:");
    section(&mut out, &draft.users, |out, _, user| one_user(out, user, &draft.groups));
    out
}

/// A list of what has a name.
fn section<K: ToString, V>(out: &mut String, entries: &BTreeMap<K, V>, write: impl Fn(&mut String, &K, &V)) {
    out.push_str(if entries.is_empty() { " []\n" } else { "\n" });
    for (name, entry) in entries {
        let _ = writeln!(out, "- name: {}", scalar(&name.to_string()));
        write(out, name, entry);
    }
}

fn one_group(out: &mut String, name: &GroupName, group: &DraftGroup, draft: &RosterDraft) {
    if let Some(other) = &group.stands_for {
        let _ = writeln!(out, "  # Has the grants of {other}, whose name no binding of certctl can have.");
    }
    if group.in_certificate {
        out.push_str(
            "  # Bindings name it, so certificates carry it. Once none does, take this out: it cannot be revoked.\n",
        );
        out.push_str("  inCertificate: true\n");
    }
    if !draft.users.values().any(|user| user.groups.contains(name)) {
        out.push_str("  # The cluster does not know its members: they have it as O in their certificates.\n");
    }
    grants(out, &group.grants);
}

fn one_user(out: &mut String, user: &DraftUser, groups: &BTreeMap<GroupName, DraftGroup>) {
    out.push_str(
        "  # Missing: what `certctl keygen` prints for them, or their SSH public key.\n  recipients:\n",
    );
    if !user.groups.is_empty() {
        let names: Vec<String> = user.groups.iter().map(|group| scalar(group.as_str())).collect();
        let _ = writeln!(out, "  groups: [{}]", names.join(", "));
    }
    if !user.is_seen && !groups.is_empty() {
        out.push_str("  # The cluster does not know their groups: they are the O of their certificate.\n");
    }
    grants(out, &user.grants);
    out.push_str("  # until: unknown. With a date, such as 2027-03-31, access ends by itself.\n");
}

fn grants(out: &mut String, grants: &DraftGrants) {
    if grants.is_empty() {
        return;
    }
    out.push_str("  grants:\n");
    for (role, extent) in grants {
        let field = match role {
            RoleRef::ClusterRole(_) => "clusterRole",
            RoleRef::Role(_) => "role",
        };
        let name = scalar(role.name().as_str());
        let _ = match extent {
            GrantPlaces::Everywhere => writeln!(out, "  - {field}: {name}"),
            GrantPlaces::In(namespaces) => {
                let names: Vec<String> = namespaces.iter().map(|name| scalar(name.as_str())).collect();
                writeln!(out, "  - {{{field}: {name}, namespaces: [{}]}}", names.join(", "))
            }
        };
    }
}

fn not_taken(out: &mut String, not_taken: &[NotTaken]) {
    if not_taken.is_empty() {
        return;
    }
    let _ = writeln!(out, "#\n# Not taken over:");
    for one in not_taken.iter().take(MOST) {
        let _ = writeln!(out, "# - {}", visible_line(&not_taken_line(one)));
    }
    if let Some(more) = not_taken.len().checked_sub(MOST).filter(|more| *more > 0) {
        let _ = writeln!(out, "# - and {more} more; `--format json` has them all");
    }
}

/// `ClusterRoleBinding x, User y: why`.
pub(super) fn not_taken_line(one: &NotTaken) -> String {
    let NotTaken { principal, binding, why } = one;
    let place = binding.as_ref().map_or(String::new(), |at| format!("{at}, "));
    format!("{place}{principal}: {}", why_not_taken(why))
}

/// What was found, in a line.
pub fn summary(draft: &RosterDraft) -> String {
    let grants = draft.users.values().filter(|user| !user.grants.is_empty()).count();
    let mut text = format!(
        "{} ({grants} with grants of their own) and {}; left out: {}",
        count(draft.users.len(), "user"),
        count(draft.groups.len(), "group"),
        left_out(&draft.left_out)
    );
    if !draft.not_taken.is_empty() {
        let _ = write!(text, "; {} not taken over, each with its reason in the draft", draft.not_taken.len());
    }
    text
}

/// The migration, in the order in which nobody loses access before what replaces it works. `flag` names the roster,
/// where that is needed.
pub fn steps(flag: &str) -> [String; 5] {
    [
        format!("Fill in what is missing: recipients of each user, and who is in which group. `certctl validate{flag}` names each line."),
        format!("`certctl plan{flag}`, commit, `certctl apply{flag}`: from now on both work, the old certificates and the new credentials."),
        format!("Everyone runs `certctl login` and works with it. `certctl audit{flag}` shows what else is bound."),
        format!("`certctl import{flag} --finish` prints the kubectl commands that remove the old bindings, of those alone whose new credential is bound. Read them, and run them."),
        "Repeat step 4 until nothing is left. Then take `inCertificate` out of the groups: new certificates no longer carry them.".to_owned(),
    ]
}
