//! Why a plan must not be applied, as an error with the flag that says it was meant.

use crate::error::Error;
use crate::plan::safety::{Danger, FLOOR, Refusal};
use crate::render::noun;
use crate::roster::MaxRevocations;

/// Names in the hint.
const MOST_NAMES: usize = 20;

/// The refusal as an error.
pub fn refusal(refusal: &Refusal) -> Error {
    match refusal {
        Refusal::WrongAcknowledgement { acknowledged, revoked } => Error::new(format!(
            "--acknowledge {acknowledged} does not fit: this plan revokes {revoked} {}; nothing was changed",
            credentials(*revoked)
        ))
        .hint(match revoked {
            0 => "leave the flag out".to_owned(),
            revoked => {
                format!(
                    "read `certctl plan`; if that is intended, run `certctl apply --acknowledge {revoked}`"
                )
            }
        }),
        Refusal::NotAcknowledged { danger, revoked } => {
            let count = revoked.len();
            let shown = revoked.iter().take(MOST_NAMES);
            let mut names: Vec<String> =
                shown.map(|(cluster, user)| format!("{user} on {cluster}")).collect();
            if count > names.len() {
                names.push(format!("and {} more", count - names.len()));
            }
            Error::new(format!("refusing to apply: {}; nothing was changed", self::danger(danger, count)))
                .hint(format!("it would revoke {}", names.join(", ")))
                .hint(format!("if that is intended, run `certctl apply --acknowledge {count}`"))
        }
    }
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
            format!("this would revoke {count} of {active} active {} ({limit})", credentials(*active))
        }
        Danger::Protected { user, cluster } => {
            format!("`{user}` is protected and would lose access to `{cluster}`")
        }
    }
}

fn credentials(number: usize) -> &'static str {
    noun(number, ("credential", "credentials"))
}
