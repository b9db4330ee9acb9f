//! A binding's subjects before and after, as a unified diff.

use std::collections::BTreeSet;

use crate::plan::binding_diff::BindingDiff;
use crate::plan::binding_key::BindingSubject;

/// Only what changes, with a line around it.
pub fn unified(binding: &BindingDiff) -> String {
    let line = |subject: &str| format!("- {subject}\n");
    let role_ref = |role: &str| format!("roleRef: {role}\n");
    let (mut before, mut text) = (String::new(), String::new());
    if let Some(replaced) = &binding.replaced_role {
        before = role_ref(replaced);
        text = role_ref(&binding.role);
    }
    let mut after: BTreeSet<String> =
        binding.after.iter().map(BindingSubject::text).map(|subject| line(&subject)).collect();
    // What stays keeps its place, so that an unsorted object does not read as changed.
    for subject in binding.before.iter().map(|subject| line(subject)) {
        if after.remove(&subject) {
            text.push_str(&subject);
        }
        before.push_str(&subject);
    }
    text.extend(after);
    similar::TextDiff::from_lines(&before, &text)
        .unified_diff()
        .context_radius(1)
        .header(&format!("{} in the cluster", binding.at), "by the roster")
        .to_string()
}
