//! What `certctl import` says: the roster draft, and the commands that remove what the roster has replaced.

pub mod document;
pub mod draft;
pub mod script;

use super::count;
use crate::import::draft::Obstacle;
use crate::import::finish::Missing;
use crate::import::subject::{LeftOut, NoPerson};

/// Stable, for machines.
fn obstacle_code(why: &Obstacle) -> &'static str {
    match why {
        Obstacle::Name(_) => "name",
        Obstacle::SameButForCase(_) => "same-but-for-case",
        Obstacle::Role(..) => "role-name",
        Obstacle::MissingRole(_) => "missing-role",
        Obstacle::Namespace(_) => "namespace-name",
        Obstacle::TerminatingNamespace => "terminating-namespace",
        Obstacle::NothingBound => "nothing-bound",
    }
}

/// As the end of a sentence.
fn obstacle(why: &Obstacle) -> String {
    match why {
        Obstacle::Name(why) => format!("a roster cannot use the name, which {why}"),
        Obstacle::SameButForCase(other) => format!("the name differs from `{other}` in case only"),
        Obstacle::Role(name, why) => format!("a roster cannot name the role `{name}`, which {why}"),
        Obstacle::MissingRole(role) => format!("{role} does not exist, so it gives nothing"),
        Obstacle::Namespace(why) => format!("a roster cannot name the namespace, which {why}"),
        Obstacle::TerminatingNamespace => "the namespace is being deleted".to_owned(),
        Obstacle::NothingBound => "they have a certificate, and nothing is bound to it".to_owned(),
    }
}

/// Stable, for machines.
fn missing_code(why: &Missing) -> &'static str {
    match why {
        Missing::NotOnRoster => "not-on-roster",
        Missing::NoMembers => "no-members",
        Missing::Unbound(_) => "unbound",
        Missing::Role(_) => "role",
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
