//! What a branch changes in a roster besides actions, in words.

use crate::model::ClusterName;
use crate::plan::roster_changes::{Owner, RosterChange, Setting, SettingValue};
use crate::roster::{MaxRevocations, OnClusters};

/// `user alice: validity: 720h -> 8760h`.
pub fn roster_change(change: &RosterChange) -> String {
    match change {
        RosterChange::ClusterAdded(name) => format!("cluster {name} is new"),
        RosterChange::ClusterRemoved(name) => format!("cluster {name} is gone"),
        RosterChange::Ignored { code, subject, object, clusters, begins } => {
            let ignores = if *begins { "ignores" } else { "does not ignore any more" };
            let by = object.as_ref().map_or(String::new(), |object| format!(" by {object}"));
            let there = match clusters {
                OnClusters::All => String::new(),
                OnClusters::Only(clusters) => {
                    let names: Vec<&str> = clusters.iter().map(ClusterName::as_str).collect();
                    format!(" on {}", names.join(", "))
                }
            };
            format!("the audit {ignores} {} of {subject}{by}{there}", code.word())
        }
        RosterChange::Fitting { of, role, places, is_new } => {
            let what = if *is_new { "granted" } else { "not granted any more" };
            format!("{}{role} in namespaces {places}: {what}", owner(of))
        }
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
        Setting::Branch => "apply.branch",
        Setting::Context => "context",
        Setting::Server => "server",
        Setting::CertificateAuthority => "certificateAuthority",
        Setting::ProxyUrl => "proxyURL",
        Setting::TlsServerName => "tlsServerName",
        Setting::ContextName => "contextName",
        Setting::Namespace => "namespace",
        Setting::SignerName => "signerName",
        Setting::InCertificate => "inCertificate",
        Setting::Until => "until",
        Setting::DefaultValidity => "defaults.validity",
        Setting::Validity => "validity",
        Setting::DefaultKey => "defaults.key",
        Setting::Key => "key",
        Setting::FullName => "fullName",
        Setting::Email => "email",
        Setting::Label(name) => return format!("label {name}"),
        Setting::Protected => "protected",
        Setting::Suspended => "suspended",
        Setting::Csr => "csr",
        Setting::Generation => "generation",
        Setting::MembershipUntil(group) => return format!("in group {group} until"),
        Setting::GrantUntil(role) => return format!("{role} until"),
    }
    .to_owned()
}

fn value(value: &SettingValue) -> String {
    match value {
        SettingValue::Flag(flag) => flag.to_string(),
        SettingValue::Number(number) => number.to_string(),
        SettingValue::Limit(MaxRevocations::Percent(percent)) => format!("{percent}%"),
        SettingValue::Limit(MaxRevocations::Count(count)) => count.to_string(),
        SettingValue::Duration(duration) => format!("{duration:#}"),
        SettingValue::End(Some(until)) => until.to_string(),
        SettingValue::End(None) => "no end".to_owned(),
        SettingValue::Text(text) => text.clone(),
        SettingValue::FromKubeconfig => "as pinned in the records, or as in the kubeconfig".to_owned(),
        SettingValue::AsRecorded => "as recorded at the first apply".to_owned(),
        SettingValue::Nothing => "none".to_owned(),
    }
}
