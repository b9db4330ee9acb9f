//! What `certctl import` says: the roster draft, and the commands that remove what the roster has replaced.

pub mod document;
pub mod draft;
pub mod script;

use super::count;
use crate::import::draft::WhyNotTaken;
use crate::import::finish::Missing;
use crate::import::subject::{LeftOut, NoPerson};

/// Stable, for machines.
fn why_not_taken_code(why: &WhyNotTaken) -> &'static str {
    match why {
        WhyNotTaken::Name(_) => "name",
        WhyNotTaken::SameButForCase(_) => "same-but-for-case",
        WhyNotTaken::Role(..) => "role-name",
        WhyNotTaken::MissingRole(_) => "missing-role",
        WhyNotTaken::Namespace(_) => "namespace-name",
        WhyNotTaken::TerminatingNamespace => "terminating-namespace",
        WhyNotTaken::NothingBound => "nothing-bound",
    }
}

/// As the end of a sentence.
fn why_not_taken(why: &WhyNotTaken) -> String {
    match why {
        WhyNotTaken::Name(why) => format!("a roster cannot use the name, which {why}"),
        WhyNotTaken::SameButForCase(other) => format!("the name differs from `{other}` in case only"),
        WhyNotTaken::Role(name, why) => format!("a roster cannot name the role `{name}`, which {why}"),
        WhyNotTaken::MissingRole(role) => format!("{role} does not exist, so it gives nothing"),
        WhyNotTaken::Namespace(why) => format!("a roster cannot name the namespace, which {why}"),
        WhyNotTaken::TerminatingNamespace => "the namespace is being deleted".to_owned(),
        WhyNotTaken::NothingBound => "they have a certificate, and nothing is bound to it".to_owned(),
    }
}

/// Stable, for machines.
fn missing_code(why: &Missing) -> &'static str {
    match why {
        Missing::NotOnRoster => "not-on-roster",
        Missing::NoMembers => "no-members",
        Missing::Unbound(_) => "unbound",
        Missing::Role(_) => "role",
        Missing::NoRole => "missing-role",
        Missing::Ourselves => "ourselves",
        Missing::Hidden => "hidden",
    }
}

/// As the end of a sentence.
fn missing(why: &Missing) -> String {
    match why {
        Missing::NotOnRoster => "not on the roster".to_owned(),
        Missing::NoMembers => "nobody on the roster is in it here".to_owned(),
        Missing::Unbound(user) => format!("no credential of {user} is bound yet"),
        Missing::Role(user) => format!("the roster does not give {user} this role there"),
        Missing::NoRole => "the role does not exist, so the binding gives nothing".to_owned(),
        Missing::Ourselves => "certctl itself gets in by it".to_owned(),
        Missing::Hidden => "the name of the binding has characters that are not shown".to_owned(),
    }
}

/// Who was left out.
fn left_out(left_out: &LeftOut) -> String {
    let of = |kind, word| count(left_out.count(kind), word);
    format!(
        "{}, {} and {} of Kubernetes itself",
        of(NoPerson::ServiceAccount, "ServiceAccount"),
        of(NoPerson::Node, "node"),
        of(NoPerson::System, "subject"),
    )
}
