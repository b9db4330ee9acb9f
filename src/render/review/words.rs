//! What an access review says in words, on the page and in the table.

use jiff::Timestamp;

use crate::access::review::{PastCommit, ReviewedRight, RightBasis};
use crate::access::rights::Origin;
use crate::roster::Details;

/// `2026-12-24`.
pub fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// `team: shop` for each label.
pub fn labels(of: &Details) -> impl Iterator<Item = String> {
    of.labels.iter().map(|(name, value)| format!("{name}: {value}"))
}

/// Through what somebody has a right.
pub fn through(right: &ReviewedRight) -> String {
    match (&right.origin, &right.binding) {
        (Origin::Group(group), _) => group.to_string(),
        (Origin::Personal, _) => "a grant of their own".to_owned(),
        (Origin::Others, Some(binding)) => format!("{binding}, which is not certctl's"),
        (Origin::Others, None) => "a binding that is not certctl's".to_owned(),
    }
}

/// What speaks for a right; nothing where all does.
pub fn basis(basis: RightBasis) -> &'static str {
    match basis {
        RightBasis::InForce => "",
        RightBasis::RosterAlone => "by the roster; the cluster was not read",
        RightBasis::NotBound => "granted, and not bound",
        RightBasis::NotGranted => "bound, and not granted any more",
        RightBasis::OfOthers => "not in the roster",
    }
}

/// Who let a commit in, as git tells it: of a merge, whoever merged.
pub fn who(commit: &PastCommit) -> String {
    let author = name(&commit.author);
    let committer = name(&commit.committer);
    match commit.is_merge {
        true => format!("merged by {author}"),
        false if author == committer => format!("by {author}"),
        false => format!("by {author}, committed by {committer}"),
    }
}

/// `Name` of `Name <mail>`; the mail where there is no name.
fn name(who: &str) -> String {
    let (name, mail) = who.split_once(" <").unwrap_or((who, ""));
    if name.trim().is_empty() { mail.trim_end_matches('>').to_owned() } else { name.to_owned() }
}
