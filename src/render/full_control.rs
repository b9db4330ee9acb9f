//! Who comes to full control: what a reader of a plan must not miss, in whatever format it is shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::Plan;
use crate::plan::full_control::FullControl;
use crate::rbac::{Control, Scope};

/// Some people, and what they come to full control by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gained {
    pub people: BTreeSet<String>,
    /// Kind and name of the role.
    pub role: String,
    /// How it comes to full control, where it does not say so itself, and through whose binding.
    pub how: Option<String>,
}

/// Each with all the places of which they gain it.
pub fn gained(plan: &Plan) -> BTreeMap<Gained, BTreeSet<String>> {
    let mut gained: BTreeMap<Gained, BTreeSet<String>> = BTreeMap::new();
    for cluster in &plan.clusters {
        for FullControl { people, role, through, reach } in &cluster.full_control {
            let place = match &reach.scope {
                Scope::Cluster => cluster.name.to_string(),
                Scope::Namespace(namespace) => format!("namespace {namespace} of {}", cluster.name),
            };
            let through = through.as_ref().map(|at| format!("through {at}, which is not ours"));
            let how: Vec<String> = through.into_iter().chain(control(&reach.by)).collect();
            let how = (!how.is_empty()).then(|| how.join("; "));
            let key = Gained { people: people.clone(), role: role.clone(), how };
            gained.entry(key).or_default().insert(place);
        }
    }
    gained
}

/// How somebody comes to full control; nothing where the role allows everything.
pub fn control(by: &Control) -> Option<String> {
    match by {
        Control::Everything => None,
        Control::Escalate => Some("may put any right into a role".to_owned()),
        Control::Bind(role) => Some(format!("may bind {role}")),
        Control::ImpersonateAnyone => Some("may impersonate anyone".to_owned()),
        Control::Impersonate(whom) => Some(format!("may impersonate {whom}")),
        Control::ActAs { right, account } => {
            Some(format!("may {right}, and with that act as ServiceAccount {account}"))
        }
    }
}
