//! What a credential may do in namespaces, as the cluster itself lists it (SelfSubjectRulesReview).

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{try_join, try_join_all};
use serde::Deserialize;
use serde_json::json;

use super::connect::Connection;
use super::resource::Resource;
use super::retry::Repeat;
use super::self_review;
use crate::access::delivered::ListedRights;
use crate::error::Result;
use crate::model::Namespace;
use crate::rbac::{ListedRules, PolicyRule};

/// Every cluster has this namespace, and people have no rights in it but those that they have in each.
const LIKE_ANY: &str = "kube-node-lease";

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
    verbs: Option<Vec<String>>,
    #[serde(default)]
    api_groups: Option<Vec<String>>,
    #[serde(default)]
    resources: Option<Vec<String>>,
    #[serde(default)]
    resource_names: Option<Vec<String>>,
}

/// Asks what the credential of this connection may do in every namespace, and in each of these.
///
/// # Errors
/// A review failed.
pub async fn listed_rights(
    connection: &Connection,
    namespaces: &BTreeSet<&Namespace>,
) -> Result<ListedRights> {
    let asked = namespaces.iter().map(|namespace| async move {
        Ok(((*namespace).clone(), listed(connection, namespace.as_str()).await?))
    });
    let (everywhere, namespaces) = try_join(listed(connection, LIKE_ANY), try_join_all(asked)).await?;
    Ok(ListedRights { everywhere, namespaces: BTreeMap::from_iter(namespaces) })
}

async fn listed(connection: &Connection, namespace: &str) -> Result<ListedRules> {
    let status = self_review::ask(
        connection,
        Resource::SelfSubjectRulesReviews,
        Some(json!({"namespace": namespace})),
        Repeat::Harmless,
    );
    let call =
        self_review::call(Resource::SelfSubjectRulesReviews, "what the credential may do is not known");
    let status: Status = status.await.map_err(|failure| failure.explain(connection, &call))?;
    Ok(status.into())
}

impl From<Status> for ListedRules {
    fn from(status: Status) -> Self {
        let rules = status.resource_rules.into_iter().flatten().map(|rule| PolicyRule {
            verbs: rule.verbs.unwrap_or_default(),
            api_groups: rule.api_groups.unwrap_or_default(),
            resources: rule.resources.unwrap_or_default(),
            resource_names: rule.resource_names.unwrap_or_default(),
            non_resource_urls: Vec::new(),
        });
        Self { rules: rules.collect(), is_complete: !status.incomplete }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rbac::Listed;

    #[test]
    fn what_everyone_may_do_is_nothing_and_an_incomplete_list_is_no_proof() {
        for (status, anything) in [
            (
                r#"{"resourceRules": [], "nonResourceRules": [{"verbs": ["get"]}], "incomplete": false}"#,
                Listed::No,
            ),
            (r#"{"resourceRules": null}"#, Listed::No),
            (
                r#"{"resourceRules": [{"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]}]}"#,
                Listed::No,
            ),
            (r#"{"resourceRules": [], "incomplete": true}"#, Listed::Unclear),
            (
                r#"{"resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}], "incomplete": true}"#,
                Listed::Yes,
            ),
            (r#"{"resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}"#, Listed::Yes),
        ] {
            let status: Status = serde_json::from_str(status).expect("a status");
            assert_eq!(ListedRules::from(status).anything(), anything);
        }
    }
}
