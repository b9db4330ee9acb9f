//! What a branch changes in a roster besides actions, in words.

use crate::plan::roster_changes::{Owner, RosterChange, Setting, Value};
use crate::roster::MaxRevocations;

/// `user alice: validity: 720h -> 8760h`.
pub fn roster_change(change: &RosterChange) -> String {
    match change {
        RosterChange::ClusterAdded(name) => format!("cluster {name} is new"),
        RosterChange::ClusterRemoved(name) => format!("cluster {name} is gone"),
        RosterChange::Setting { of, setting: which, from, to } => {
            format!("{}{}: {} -> {}", owner(of), setting(which), value(from), value(to))
        }
    }
}

fn owner(owner: &Owner) -> String {
    match owner {
        Owner::Roster => String::new(),
        Owner::Cluster(name) => format!("cluster {name}: "),
        Owner::Group(name) => format!("group {name}: "),
        Owner::User(name) => format!("user {name}: "),
    }
}

fn setting(setting: &Setting) -> String {
    match setting {
        Setting::MaxRevocations => "safety.maxRevocations",
        Setting::Context => "context",
        Setting::Server => "server",
        Setting::CertificateAuthority => "certificateAuthority",
        Setting::SignerName => "signerName",
        Setting::InCertificate => "inCertificate",
        Setting::Until => "until",
        Setting::Validity => "validity",
        Setting::Protected => "protected",
        Setting::Csr => "csr",
        Setting::Generation => "generation",
        Setting::MembershipUntil(group) => return format!("in group {group} until"),
        Setting::GrantUntil(role) => return format!("{role} until"),
    }
    .to_owned()
}

fn value(value: &Value) -> String {
    match value {
        Value::Flag(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Limit(MaxRevocations::Percent(percent)) => format!("{percent}%"),
        Value::Limit(MaxRevocations::Count(count)) => count.to_string(),
        Value::Duration(duration) => format!("{duration:#}"),
        Value::End(Some(until)) => until.to_string(),
        Value::End(None) => "no end".to_owned(),
        Value::Text(text) => text.clone(),
        Value::FromKubeconfig => "as in the kubeconfig".to_owned(),
        Value::NoFile => "none".to_owned(),
    }
}
