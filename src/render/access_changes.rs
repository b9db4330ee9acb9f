//! What people gain and lose by a plan, in the words of the roster: `alice  + view everywhere; edit in shop`.

use std::collections::{BTreeMap, BTreeSet};

use super::first_of;
use crate::plan::ClusterChanges;
use crate::plan::binding_key::Grantee;
use crate::plan::rights::{self, RightsChange};

/// Names in one line.
const MOST_NAMES: usize = 10;

/// One line: some people, and what all of them gain or lose through one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessChange {
    /// Users, or what else is a subject.
    pub who: String,
    /// Gained, or lost.
    pub gained: bool,
    /// `view everywhere; edit in shop, staging`.
    pub what: String,
    /// `through developers`; nothing for a grant of their own.
    pub through: Option<String>,
}

impl AccessChange {
    /// What it is marked with.
    pub fn sign(&self) -> char {
        if self.gained { '+' } else { '-' }
    }

    /// `view everywhere  through developers`.
    pub fn said(&self) -> String {
        let through = self.through.as_ref().map_or(String::new(), |through| format!("  {through}"));
        format!("{}{through}", self.what)
    }
}

/// Where each role is gained or lost; `None` is the whole cluster.
type Places<'p> = BTreeMap<&'p str, BTreeSet<Option<&'p str>>>;

/// By whether it is lost, and the group that it comes through.
type Changes<'p> = BTreeMap<(bool, Option<String>), Places<'p>>;

/// What people gain and lose on one cluster; those of whom the same is true share their lines.
pub fn of(cluster: &ClusterChanges) -> Vec<AccessChange> {
    let changed = rights::changed(&cluster.bindings, &cluster.people);
    let mut by_person: BTreeMap<&str, Changes<'_>> = BTreeMap::new();
    for RightsChange { at, role, joins, leaves } in &changed {
        let through = match Grantee::of_binding(&at.name) {
            Some(Grantee::Group(group)) => Some(format!("through {group}")),
            Some(Grantee::User(_)) => None,
            None => Some(format!("through {at}")),
        };
        let name = role.split_once(' ').map_or(*role, |(_, name)| name);
        let people = joins.iter().map(|who| (who, false)).chain(leaves.iter().map(|who| (who, true)));
        for (who, lost) in people {
            let changes = by_person.entry(who).or_default().entry((lost, through.clone())).or_default();
            changes.entry(name).or_default().insert(at.namespace.as_deref());
        }
    }
    let mut alike: BTreeMap<Changes<'_>, Vec<&str>> = BTreeMap::new();
    for (who, changes) in by_person {
        alike.entry(changes).or_default().push(who);
    }
    let mut alike: Vec<(Vec<&str>, Changes<'_>)> =
        alike.into_iter().map(|(changes, who)| (who, changes)).collect();
    alike.sort();
    let lines = alike.iter().flat_map(|(people, changes)| {
        changes.iter().map(move |((lost, through), places)| AccessChange {
            who: first_of(people, MOST_NAMES),
            gained: !lost,
            what: places
                .iter()
                .map(|(role, places)| self::places(role, places))
                .collect::<Vec<_>>()
                .join("; "),
            through: through.clone(),
        })
    });
    lines.collect()
}

/// `edit in shop, staging`.
fn places(role: &str, places: &BTreeSet<Option<&str>>) -> String {
    if places.contains(&None) {
        return format!("{role} everywhere");
    }
    let namespaces: Vec<&str> = places.iter().filter_map(|place| *place).collect();
    format!("{role} in {}", namespaces.join(", "))
}
