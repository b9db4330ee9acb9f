//! What an identity may do on a cluster, as RBAC and SubjectAccessReview name it.
//!
//! [`needed`] is the one list of what plan and apply need. What is granted to them, what is checked, and what an
//! apply asks for before its first write all come from it.

pub mod manifest;
pub mod needed;
mod resource;

use std::fmt;

pub use resource::Resource;

/// Where something may be done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A kind without namespaces.
    Cluster,
    /// A kind with namespaces, across all of them.
    AllNamespaces,
    /// One namespace.
    Namespace(String),
}

/// One thing that an identity may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// The verb of RBAC: get, list, watch, create, update, patch, delete, approve, bind.
    pub verb: &'static str,
    pub resource: Resource,
    pub place: Place,
    /// Only the object of this name; all of them where absent.
    pub name: Option<String>,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource.qualified())?;
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        match &self.place {
            Place::Cluster => Ok(()),
            Place::AllNamespaces => f.write_str(" in all namespaces"),
            Place::Namespace(namespace) => write!(f, " in namespace `{namespace}`"),
        }
    }
}
