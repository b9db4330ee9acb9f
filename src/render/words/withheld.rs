//! What safety withholds, as an error with the flag that says it was meant.

use crate::error::Error;
use crate::plan::safety::{Danger, FLOOR, Withheld, WrongAcknowledgement};
use crate::render::{count, noun};
use crate::roster::MaxRevocations;

/// Names in the hint.
const MOST_NAMES: usize = 20;

/// Another number was acknowledged.
pub fn wrong_acknowledgement(wrong: &WrongAcknowledgement) -> Error {
    let WrongAcknowledgement { acknowledged, withheld } = wrong;
    Error::new(format!(
        "--acknowledge {acknowledged} does not fit: this plan has {} to acknowledge; nothing was changed",
        count(*withheld, "revocation")
    ))
    .hint(match withheld {
        0 => "leave the flag out".to_owned(),
        withheld => {
            format!("read `certctl plan`; if that is intended, run `certctl apply --acknowledge {withheld}`")
        }
    })
}

/// Who keeps access, and how to take it.
pub fn withheld(withheld: &Withheld) -> Error {
    let Withheld { danger, people } = withheld;
    let count = people.len();
    let mut names: Vec<String> =
        people.iter().take(MOST_NAMES).map(|(cluster, user)| format!("{user} on {cluster}")).collect();
    if count > names.len() {
        names.push(format!("and {} more", count - names.len()));
    }
    Error::new(format!(
        "{}: {}; they keep their access, and get no new credential",
        match count {
            1 => "1 revocation is withheld".to_owned(),
            _ => format!("{count} revocations are withheld"),
        },
        self::danger(danger, count)
    ))
    .hint(format!("it would revoke {}", names.join(", ")))
    .hint(format!("if that is intended, run `certctl apply --acknowledge {count}`"))
}

fn danger(danger: &Danger, count: usize) -> String {
    match danger {
        Danger::NoUsers { active } => {
            format!("the roster has no users, which would revoke {count} of {active}")
        }
        Danger::OverLimit { active, limit } => {
            let limit = match limit {
                MaxRevocations::Count(limit) => format!("limit {limit}"),
                MaxRevocations::Percent(percent) => format!("limit {percent}%, at least {FLOOR}"),
            };
            let credentials = noun(*active, ("credential", "credentials"));
            format!("this would revoke {count} of {active} active {credentials} ({limit})")
        }
        Danger::Protected { user, cluster } => {
            format!("`{user}` is protected and would lose access to `{cluster}`")
        }
    }
}
