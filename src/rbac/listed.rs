//! A credential's own rights in a namespace, as a cluster lists them (SelfSubjectRulesReview). An authorizer that is not
//! RBAC need not list its rules, and then the list says so: what is missing from it proves nothing.

use super::power::is_about_oneself;
use super::rule::{Objects, PolicyRule, granted};

/// What was listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedRules {
    /// Those of each binding, one after the other.
    pub rules: Vec<PolicyRule>,
    pub is_complete: bool,
}

/// Whether a cluster grants something, by what it listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listed {
    No,
    /// It is not listed, and the list is not complete; or the list does not tell.
    Unclear,
    Yes,
}

impl ListedRules {
    /// Whether anything is granted besides asking about oneself, which everyone may.
    pub fn anything(&self) -> Listed {
        self.says(!self.rules.iter().all(is_about_oneself))
    }

    /// Whether a verb is granted on all objects of a resource.
    pub fn all_of(&self, verb: &str, group: &str, resource: &str) -> Listed {
        self.says(granted(&self.rules, verb, group, resource) == Objects::All)
    }

    /// What is listed is granted; what is not is missing where all of it is listed.
    fn says(&self, is_listed: bool) -> Listed {
        match (is_listed, self.is_complete) {
            (true, _) => Listed::Yes,
            (false, true) => Listed::No,
            (false, false) => Listed::Unclear,
        }
    }
}
