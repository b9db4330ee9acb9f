//! What a credential may do in a namespace, as the cluster itself says it (SelfSubjectRulesReview). It decides
//! nothing: an authorizer that is not RBAC need not list its rules, and then the review says so.

use serde::Deserialize;
use serde_json::json;

use super::connect::Connection;
use super::resource::Resource;
use super::retry::Repeat;
use super::self_review;
use crate::error::Result;

/// What the cluster grants a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Granted {
    /// No more than asking about oneself, which everyone may.
    Nothing,
    /// Nothing that is listed, and the list is not complete.
    Unknown,
    /// More than that.
    Something,
}

/// The groups of the API of which everyone may use something (the ClusterRole `system:basic-user`).
const ABOUT_ONESELF: [&str; 2] = ["authentication.k8s.io", "authorization.k8s.io"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    resource_rules: Option<Vec<Rule>>,
    #[serde(default)]
    incomplete: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    api_groups: Option<Vec<String>>,
}

/// Asks what the credential of this connection may do in a namespace.
///
/// # Errors
/// The review failed.
pub async fn granted(connection: &Connection, namespace: &str) -> Result<Granted> {
    let status = self_review::ask(
        connection,
        Resource::SelfSubjectRulesReviews,
        Some(json!({"namespace": namespace})),
        Repeat::Harmless,
    );
    let call =
        self_review::call(Resource::SelfSubjectRulesReviews, "what the credential may do is not known");
    let status = status.await.map_err(|failure| failure.explain(connection, &call))?;
    Ok(judge(&status))
}

fn judge(status: &Status) -> Granted {
    let about_oneself = |rule: &Rule| {
        let groups = rule.api_groups.iter().flatten();
        groups.into_iter().all(|group| ABOUT_ONESELF.contains(&group.as_str()))
    };
    if !status.resource_rules.iter().flatten().all(about_oneself) {
        Granted::Something
    } else if status.incomplete {
        Granted::Unknown
    } else {
        Granted::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everyone_may_do_is_nothing_and_an_incomplete_list_is_no_proof() {
        for (status, granted) in [
            (
                r#"{"resourceRules": [], "nonResourceRules": [{"verbs": ["get"]}], "incomplete": false}"#,
                Granted::Nothing,
            ),
            (r#"{"resourceRules": null}"#, Granted::Nothing),
            (
                r#"{"resourceRules": [{"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]}]}"#,
                Granted::Nothing,
            ),
            (r#"{"resourceRules": [], "incomplete": true}"#, Granted::Unknown),
            (
                r#"{"resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}], "incomplete": true}"#,
                Granted::Something,
            ),
            (
                r#"{"resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}"#,
                Granted::Something,
            ),
        ] {
            let status: Status = serde_json::from_str(status).expect("a status");
            assert_eq!(judge(&status), granted);
        }
    }
}
