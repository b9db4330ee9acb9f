//! The commands for a shell that take replaced subjects out of bindings.
//!
//! Each begins with a test of the version that was read: a binding that somebody has changed since is left as it is.

use serde_json::{Value, json};

use super::{left_out, missing};
use crate::import::finish::{Finish, Kept, ReplacedSubjects};
use crate::model::{ClusterName, LABEL_MANAGED_BY};
use crate::rbac::Subject;
use crate::render::kubectl::Kubectl;
use crate::render::{count, first_of, shell};

/// Subjects that stay, of which each has a line.
const MOST_KEPT: usize = 200;

/// Names in one line.
const MOST_NAMES: usize = 8;

/// What takes the subjects out: all of one binding, in one command line.
pub fn removal(kubectl: Kubectl<'_>, removal: &ReplacedSubjects<'_>) -> String {
    let binding = removal.binding;
    let object = format!("{}/{}", binding.at.kind().to_ascii_lowercase(), binding.at.name);
    let namespace = binding.at.namespace.as_ref().map(|namespace| format!("--namespace={namespace}"));
    let object: Vec<&str> = [object.as_str()].into_iter().chain(namespace.as_deref()).collect();
    let patch = format!("--patch={}", patch(removal));
    let patch = kubectl.line(&[&["patch"], &object[..], &["--type=json", &patch]].concat());
    if removal.is_whole() {
        format!("{patch} &&\n  {}", kubectl.line(&[&["delete"], &object[..]].concat()))
    } else {
        patch
    }
}

/// A JSON Patch (RFC 6902): the last place first, so that the others stay where they are.
fn patch(removal: &ReplacedSubjects<'_>) -> Value {
    let version = json!({
        "op": "test",
        "path": "/metadata/resourceVersion",
        "value": removal.binding.resource_version,
    });
    let remove = |path: String| json!({"op": "remove", "path": path});
    let taken: Vec<Value> = if removal.is_whole() {
        vec![remove("/subjects".to_owned())]
    } else {
        removal.subjects.iter().rev().map(|index| remove(format!("/subjects/{index}"))).collect()
    };
    [version].into_iter().chain(taken).collect()
}

/// All of one cluster, as a script with comments.
pub fn script(cluster: &ClusterName, finish: &Finish<'_>, kubectl: Kubectl<'_>) -> String {
    let Finish { removals, kept, left_out: others } = finish;
    let mut lines = vec![
        shell::comment(&format!(
            "Cluster {cluster}: the roster has replaced subjects of {}, and {} stay.",
            count(removals.len(), "binding"),
            count(kept.len(), "subject")
        )),
        shell::comment(&format!("Left out: {}.", left_out(others))),
    ];
    if !removals.is_empty() {
        let words = ["get", "clusterrolebindings,rolebindings", "--all-namespaces", "-o", "yaml"];
        lines.push(shell::comment("A binding that was changed since this was printed is left as it is."));
        lines.push(shell::comment("To see or keep what is there now:"));
        lines.push(format!("#   {}", kubectl.line(&words)));
    }
    for removal in removals {
        let ReplacedSubjects { binding, subjects } = removal;
        let taken: Vec<&Subject> = subjects.iter().filter_map(|index| binding.subjects.get(*index)).collect();
        let names: Vec<String> = taken.iter().map(|it| format!("{} {}", it.kind, it.name)).collect();
        let role = format!("{} {}", binding.role_kind, binding.role_name);
        lines.push(String::new());
        lines.push(shell::comment(&format!("{}: {role}, of {}", binding.at, first_of(&names, MOST_NAMES))));
        if taken.iter().any(|subject| subject.kind == "Group") {
            lines.push(shell::comment(
                "Whoever has a group of these in a certificate, and not on the roster, loses this.",
            ));
        }
        if let Some(tool) = binding.labels.get(LABEL_MANAGED_BY) {
            lines.push(shell::comment(&format!(
                "It is managed by {tool}: take it out there too, or it comes back."
            )));
        }
        lines.push(self::removal(kubectl, removal));
    }
    if !kept.is_empty() {
        lines.push(String::new());
        lines.push(shell::comment("These stay:"));
    }
    let stays = |Kept { binding, principal, why }: &Kept<'_>| {
        shell::comment(&format!("- {}, {principal}: {}", binding.at, missing(why)))
    };
    lines.extend(kept.iter().take(MOST_KEPT).map(stays));
    if let Some(more) = kept.len().checked_sub(MOST_KEPT).filter(|more| *more > 0) {
        lines.push(shell::comment(&format!("- and {more} more, which --format json has")));
    }
    lines.join("\n") + "\n"
}
