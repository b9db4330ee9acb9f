//! How to take certctl out of a cluster: commands for a shell, and in its comments what they leave.

use super::kubectl::Kubectl;
use super::text::date;
use super::{count, shell};
use crate::access::remains::Remains;
use crate::model::{ClusterName, LABEL_MANAGED_BY, LABEL_ROSTER, MANAGED_BY, RosterName};
use crate::plan::observed::Binding;
use crate::rights::manifest::{self, Duty};
use crate::rights::needed::{HOME, own_object};

/// Of what stays, so many have a line.
const MOST: usize = 200;

/// The commands of one cluster.
pub fn script(
    cluster: &ClusterName,
    roster: &RosterName,
    remains: &Remains<'_>,
    kubectl: Kubectl<'_>,
) -> String {
    let Remains { bindings, foreign, certificates } = remains;
    let subjects: usize = bindings.iter().map(|binding| binding.subjects.len()).sum();
    let mut lines = vec![shell::comment(&format!(
        "Cluster {cluster}: {} of roster {roster}, with {}. Stop its scheduled apply first: it puts them back.",
        count(bindings.len(), "binding"),
        count(subjects, "subject"),
    ))];
    let selector = format!("--selector={LABEL_MANAGED_BY}={MANAGED_BY},{LABEL_ROSTER}={roster}");
    let all = ["clusterrolebindings,rolebindings", "--all-namespaces", &selector];
    // A finalizer would keep what is deleted, and the rights with it.
    lines.extend(
        bindings.iter().filter(|binding| !binding.finalizers.is_empty()).map(|b| emptied(b, kubectl)),
    );
    lines.push(kubectl.line(&[&["delete", "--wait=false"], &all[..]].concat()));
    let home = format!("--namespace={HOME}");
    let own = own_object(roster);
    lines.push(shell::comment("What the cluster remembers, and the lock of an apply:"));
    lines.push(kubectl.line(&["delete", "configmaps,leases", &home, "--ignore-not-found", &own]));
    lines.push(shell::comment("What certctl bootstrap lets CI do, where it was applied:"));
    let names = [Duty::Plan, Duty::Apply].map(|duty| manifest::name(roster, duty));
    let [plan, apply] = names.each_ref().map(String::as_str);
    let wide = ["delete", "clusterroles,clusterrolebindings", "--ignore-not-found", plan, apply];
    lines.push(kubectl.line(&wide));
    lines.push(kubectl.line(&["delete", "roles,rolebindings", &home, "--ignore-not-found", plan, apply]));
    lines.push(shell::comment("Nothing is left if this prints nothing:"));
    lines.push(kubectl.line(&[&["get"], &all[..], &["--output=name"]].concat()));
    let others = foreign.iter().map(|(binding, group)| format!("{}, which names {group}", binding.at));
    stays(&mut lines, "Bindings that certctl did not make stay, and with them what they give:", others);
    let alive = certificates.iter().map(|(user, credential)| {
        let groups: Vec<&str> = credential.in_certificate_groups.iter().map(|group| group.as_str()).collect();
        let groups =
            if groups.is_empty() { String::new() } else { format!(", in groups {}", groups.join(", ")) };
        format!("{user} {} until {}{groups}", credential.id, date(credential.not_after))
    });
    let what = "Certificates authenticate until they expire, then without any right that the roster gave:";
    stays(&mut lines, what, alive);
    lines.join("\n") + "\n"
}

/// Takes everybody out of a binding, without deleting it.
fn emptied(binding: &Binding, kubectl: Kubectl<'_>) -> String {
    let object = format!("{}/{}", binding.at.kind().to_ascii_lowercase(), binding.at.name);
    let namespace = binding.at.namespace.as_ref().map(|namespace| format!("--namespace={namespace}"));
    let object: Vec<&str> = [object.as_str()].into_iter().chain(namespace.as_deref()).collect();
    kubectl.line(&[&["patch"], &object[..], &["--type=merge", r#"--patch={"subjects":null}"#]].concat())
}

fn stays(lines: &mut Vec<String>, what: &str, all: impl ExactSizeIterator<Item = String>) {
    let more = all.len().saturating_sub(MOST);
    if all.len() > 0 {
        lines.push(shell::comment(what));
    }
    lines.extend(all.take(MOST).map(|one| shell::comment(&format!("- {one}"))));
    if more > 0 {
        lines.push(shell::comment(&format!("- and {more} more")));
    }
}
