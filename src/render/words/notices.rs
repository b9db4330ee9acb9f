//! What somebody must do soon, in English.

use super::access::minute;
use crate::access::notices::{Matter, Notice, WhatEnds};
use crate::model::UserName;

/// `access ends 2026-12-24, on prod`.
pub fn notice(notice: &Notice) -> String {
    let what = match &notice.what {
        Matter::AccessEnds(WhatEnds::Everything) => "access ends".to_owned(),
        Matter::AccessEnds(WhatEnds::Membership(group)) => format!("membership in group `{group}` ends"),
        Matter::AccessEnds(WhatEnds::Grant(role, None)) => format!("the grant of {role} ends"),
        Matter::AccessEnds(WhatEnds::Grant(role, Some(group))) => {
            format!("the grant of {role} to group `{group}` ends")
        }
        Matter::CertificateUnrenewed(credential) => {
            format!("certificate of `{credential}` was to be renewed by now, and ends")
        }
        Matter::RecipientWeak { recipient, bits } => {
            format!(
                "recipient `{}` is an RSA key of {bits} bits, which is weak",
                super::warnings::key(recipient)
            )
        }
        Matter::PluginMissing { recipient, plugin } => format!(
            "nothing can be sealed to recipient `{}`: `age-plugin-{plugin}` is not installed here",
            super::warnings::key(recipient)
        ),
        Matter::Undecryptable(credential) => {
            format!("none of their keys on the roster opens the kubeconfig of `{credential}`")
        }
        Matter::SealedChanged(credential) => {
            format!("the sealed kubeconfig of `{credential}` is gone or was changed")
        }
        Matter::NotIssued => "waits for a first credential".to_owned(),
        Matter::Held => "what the roster asks for is held back".to_owned(),
    };
    let due = notice.due.map_or_else(String::new, |due| format!(" {}", minute(due)));
    let clusters: Vec<&str> = notice.clusters.iter().map(|cluster| cluster.as_str()).collect();
    format!("{what}{due}, on {}", clusters.join(", "))
}

/// What to do about it.
pub fn remedy(user: &UserName, notice: &Notice) -> String {
    match &notice.what {
        Matter::AccessEnds(WhatEnds::Everything) => {
            format!("who needs it longer asks for a later `until` of user `{user}`")
        }
        Matter::AccessEnds(WhatEnds::Membership(group)) => {
            format!("who needs it longer asks for `certctl grant {user} --group {group} --until WHEN`")
        }
        Matter::AccessEnds(WhatEnds::Grant(..)) => "who needs it longer asks for a later `until` of the grant".to_owned(),
        Matter::CertificateUnrenewed(_) => {
            "see why the last applies failed, and run `certctl apply` before then".to_owned()
        }
        Matter::RecipientWeak { .. } => {
            "make an ed25519 key, or run `certctl keygen`, and have it take the place of this one on the roster"
                .to_owned()
        }
        Matter::PluginMissing { plugin, .. } => {
            format!("install `age-plugin-{plugin}` where `certctl apply` runs")
        }
        Matter::Undecryptable(_) | Matter::SealedChanged(_) | Matter::NotIssued => "run `certctl apply`".to_owned(),
        Matter::Held => "`certctl plan` says why".to_owned(),
    }
}
