//! Rights that give more than they seem to, short of full control; see "RBAC Good Practices" in Kubernetes' own
//! documentation.

use std::collections::BTreeSet;

use super::rule::{PolicyRule, granted};
use crate::model::CLIENT_SIGNER;

/// The groups of the API of which everyone may create something about themselves.
const ABOUT_ONESELF: [&str; 2] = ["authentication.k8s.io", "authorization.k8s.io"];

/// The verbs that only read.
const READ: [&str; 3] = ["get", "list", "watch"];

/// Something that an attacker would look for; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Power {
    /// Approve certificates that the API server takes for users.
    ApproveCertificates,
    /// Change what others write on its way, by a webhook or a policy.
    ChangeAdmission,
    /// Reach kubelets, and through them every pod.
    UseNodes,
    ReadSecrets,
    /// Run commands in pods, where secrets are.
    Exec,
    /// Reach a node's disk by a volume.
    MakeVolumes,
    /// Be somebody else, for some or for all that those may do.
    Impersonate,
    /// Write bindings, those of certctl among them, within what they hold themselves.
    WriteBindings,
    /// Write anything at all.
    Write,
}

/// What these rules allow of it, bound in a namespace or in the whole cluster.
pub fn powers(rules: &[PolicyRule], namespace: Option<&str>) -> BTreeSet<Power> {
    let may = |verbs: &[&str], group: &str, resource: &str| {
        verbs.iter().any(|verb| !granted(rules, verb, group, resource).is_none())
    };
    let approves = || {
        let signers = granted(rules, "approve", "certificates.k8s.io", "signers");
        let approves = [CLIENT_SIGNER, "kubernetes.io/*"].iter().any(|signer| signers.includes(signer));
        approves && may(&["update", "patch"], "certificates.k8s.io", "certificatesigningrequests/approval")
    };
    const ADMISSION: &str = "admissionregistration.k8s.io";
    const RBAC: &str = "rbac.authorization.k8s.io";
    const WRITES: &[&str] = &["create", "update", "patch"];
    let of_cluster = namespace.is_none();
    let changes_admission = || {
        ["mutatingwebhookconfigurations", "mutatingadmissionpolicies"]
            .iter()
            .any(|kind| may(WRITES, ADMISSION, kind))
    };
    let found = [
        (Power::ApproveCertificates, of_cluster && approves()),
        (Power::ChangeAdmission, of_cluster && changes_admission()),
        (Power::UseNodes, of_cluster && may(&["get", "create"], "", "nodes/proxy")),
        (Power::ReadSecrets, may(&READ, "", "secrets")),
        (Power::Exec, may(&["create", "get"], "", "pods/exec") || may(&["create", "get"], "", "pods/attach")),
        (Power::MakeVolumes, of_cluster && may(&["create"], "", "persistentvolumes")),
        (Power::Impersonate, impersonates(rules, of_cluster)),
        (
            Power::WriteBindings,
            may(WRITES, RBAC, "rolebindings") || of_cluster && may(WRITES, RBAC, "clusterrolebindings"),
        ),
        (Power::Write, rules.iter().any(writes)),
    ];
    found.into_iter().filter(|(_, holds)| *holds).map(|(power, _)| power).collect()
}

/// Whether rules allow to be somebody else: by the verb of old, or by one that constrains what may be done then.
fn impersonates(rules: &[PolicyRule], of_cluster: bool) -> bool {
    const CONSTRAINED: &str = "authentication.k8s.io";
    let may = |verb: &str, group: &str, resource: &str| !granted(rules, verb, group, resource).is_none();
    let accounts = may("impersonate", "", "serviceaccounts")
        || may("impersonate:serviceaccount", CONSTRAINED, "serviceaccounts");
    let people = ["users", "groups"]
        .iter()
        .any(|who| may("impersonate", "", who) || may("impersonate:user-info", CONSTRAINED, who));
    let nodes = ["impersonate:arbitrary-node", "impersonate:associated-node"]
        .iter()
        .any(|verb| may(verb, CONSTRAINED, "nodes"));
    accounts || of_cluster && (people || nodes)
}

/// Whether a rule allows no more than asking about oneself.
pub(super) fn is_about_oneself(rule: &PolicyRule) -> bool {
    rule.api_groups.iter().all(|group| ABOUT_ONESELF.contains(&group.as_str()))
}

/// Whether a rule allows more than to read, and to ask about oneself. What may be done as somebody else is nothing
/// to who may be nobody else.
fn writes(rule: &PolicyRule) -> bool {
    let reads = |verb: &str| READ.contains(&verb) || verb.starts_with("impersonate-on:");
    let reads = rule.verbs.iter().all(|verb| reads(verb));
    !rule.resources.is_empty() && !is_about_oneself(rule) && !reads
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(verbs: &[&str], group: &str, resource: &str) -> PolicyRule {
        PolicyRule {
            verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
            api_groups: vec![group.to_owned()],
            resources: vec![resource.to_owned()],
            ..PolicyRule::default()
        }
    }

    #[test]
    fn what_gives_more_than_it_seems_is_known() {
        let approve = [
            rule(&["update"], "certificates.k8s.io", "certificatesigningrequests/approval"),
            rule(&["approve"], "certificates.k8s.io", "signers"),
        ];
        let all = |rules: &[PolicyRule], namespace| powers(rules, namespace).into_iter().collect::<Vec<_>>();
        assert_eq!(all(&approve, None), [Power::ApproveCertificates, Power::Write]);
        assert_eq!(all(&approve[..1], None), [Power::Write], "the signer is missing");
        assert_eq!(all(&[rule(&["get"], "", "nodes/proxy")], None), [Power::UseNodes]);
        assert_eq!(all(&[rule(&["list"], "", "secrets")], Some("shop")), [Power::ReadSecrets]);
        assert_eq!(all(&[rule(&["create"], "", "pods/exec")], None), [Power::Exec, Power::Write]);
        assert_eq!(all(&[rule(&["get", "list", "watch"], "", "pods")], None), []);
        let user_info = rule(&["impersonate:user-info"], "authentication.k8s.io", "users");
        assert_eq!(all(std::slice::from_ref(&user_info), None), [Power::Impersonate]);
        assert_eq!(all(&[user_info], Some("shop")), [], "users are in no namespace");
        let account = rule(&["impersonate:serviceaccount"], "authentication.k8s.io", "serviceaccounts");
        assert_eq!(all(&[account], Some("shop")), [Power::Impersonate]);
        assert_eq!(all(&[rule(&["impersonate-on:user-info:create"], "", "pods")], None), []);
        assert_eq!(all(&[rule(&["create"], "authorization.k8s.io", "selfsubjectaccessreviews")], None), []);
    }
}
