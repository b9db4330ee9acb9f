//! What somebody types to ask for: a verb, a resource, a name and a namespace, or a path.

use crate::model::{Invalid, Namespace};
use crate::rbac::AccessRequest;
use crate::roster::nearest;

/// The verbs that Kubernetes knows; there may be others.
const VERBS: [&str; 14] = [
    "approve",
    "bind",
    "create",
    "delete",
    "deletecollection",
    "escalate",
    "get",
    "impersonate",
    "list",
    "patch",
    "sign",
    "update",
    "use",
    "watch",
];

/// The resources of Kubernetes itself, by API group, that are in namespaces.
const NAMESPACED: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "bindings",
            "configmaps",
            "endpoints",
            "limitranges",
            "persistentvolumeclaims",
            "pods",
            "podtemplates",
            "replicationcontrollers",
            "resourcequotas",
            "secrets",
            "serviceaccounts",
            "services",
            "events",
        ],
    ),
    ("apps", &["controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"]),
    ("authorization.k8s.io", &["localsubjectaccessreviews"]),
    ("autoscaling", &["horizontalpodautoscalers"]),
    ("batch", &["cronjobs", "jobs"]),
    ("coordination.k8s.io", &["leases"]),
    ("discovery.k8s.io", &["endpointslices"]),
    ("networking.k8s.io", &["ingresses", "networkpolicies"]),
    ("policy", &["poddisruptionbudgets"]),
    ("rbac.authorization.k8s.io", &["rolebindings", "roles"]),
    ("resource.k8s.io", &["resourceclaims", "resourceclaimtemplates"]),
];

/// Those that are not.
const OF_THE_CLUSTER: &[(&str, &[&str])] = &[
    ("", &["componentstatuses", "namespaces", "nodes", "persistentvolumes", "users", "groups"]),
    (
        "admissionregistration.k8s.io",
        &[
            "mutatingadmissionpolicies",
            "mutatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingwebhookconfigurations",
        ],
    ),
    ("apiextensions.k8s.io", &["customresourcedefinitions"]),
    ("apiregistration.k8s.io", &["apiservices"]),
    ("authentication.k8s.io", &["selfsubjectreviews", "tokenreviews"]),
    (
        "authorization.k8s.io",
        &["selfsubjectaccessreviews", "selfsubjectrulesreviews", "subjectaccessreviews"],
    ),
    ("certificates.k8s.io", &["certificatesigningrequests", "clustertrustbundles", "signers"]),
    ("flowcontrol.apiserver.k8s.io", &["flowschemas", "prioritylevelconfigurations"]),
    ("networking.k8s.io", &["ingressclasses", "ipaddresses", "servicecidrs"]),
    ("node.k8s.io", &["runtimeclasses"]),
    ("rbac.authorization.k8s.io", &["clusterrolebindings", "clusterroles"]),
    ("resource.k8s.io", &["deviceclasses", "resourceslices"]),
    ("scheduling.k8s.io", &["priorityclasses"]),
    ("storage.k8s.io", &["csidrivers", "csinodes", "storageclasses", "volumeattachments"]),
];

/// A question, and what of it was not taken as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub request: AccessRequest,
    /// Whether Kubernetes itself knows the verb.
    pub known_verb: bool,
    /// Where it does not: the nearest that it knows.
    pub nearest_verb: Option<&'static str>,
    /// The resource is in no namespace, and one was named.
    pub ignored_namespace: bool,
}

impl Question {
    /// `get`, `pods/log` or `deployments.apps` or `/metrics`, and perhaps a name and a namespace.
    ///
    /// # Errors
    /// A resource whose API group is not known, or a path with a name or a namespace.
    pub fn parse(
        verb: &str,
        resource: &str,
        name: Option<&str>,
        namespace: Option<&Namespace>,
    ) -> Result<Self, Invalid> {
        if resource.starts_with('/') {
            if name.is_some() || namespace.is_some() {
                return Err(Invalid("is a path, which has no name and no namespace".into()));
            }
            let request = AccessRequest::Path { verb: verb.to_owned(), path: resource.to_owned() };
            return Ok(Self { request, known_verb: true, nearest_verb: None, ignored_namespace: false });
        }
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let (resource, group) = match resource.split_once('.') {
            Some((resource, group)) => (resource, group),
            None if resource == "*" => ("*", "*"),
            None => (resource, group_of(resource)?),
        };
        let of_the_cluster =
            OF_THE_CLUSTER.iter().any(|(of, resources)| *of == group && resources.contains(&resource));
        let request = AccessRequest::Resource {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: namespace.filter(|_| !of_the_cluster).map(ToString::to_string),
            name: name.unwrap_or_default().to_owned(),
        };
        let known_verb = verb == "*" || VERBS.contains(&verb);
        Ok(Self {
            request,
            known_verb,
            nearest_verb: if known_verb { None } else { nearest(verb, VERBS.into_iter()) },
            ignored_namespace: of_the_cluster && namespace.is_some(),
        })
    }
}

/// The API group of a resource of Kubernetes itself.
fn group_of(resource: &str) -> Result<&'static str, Invalid> {
    let all = || NAMESPACED.iter().chain(OF_THE_CLUSTER);
    if let Some((group, _)) = all().find(|(_, resources)| resources.contains(&resource)) {
        return Ok(group);
    }
    let names = all().flat_map(|(_, resources)| resources.iter().copied());
    Err(Invalid(match nearest(resource, names) {
        Some(nearest) => format!("is no resource of Kubernetes itself; did you mean `{nearest}`?"),
        None => "is no resource of Kubernetes itself; write it with its API group, such as `certificates.cert-manager.io`"
            .into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(verb: &str, resource: &str, namespace: Option<&str>) -> Result<Question, Invalid> {
        Question::parse(verb, resource, None, namespace.map(|name| name.parse().expect("a name")).as_ref())
    }

    #[test]
    fn a_resource_is_known_with_its_group_and_another_needs_it() {
        let resource = |question: Question| match question.request {
            AccessRequest::Resource { group, resource, subresource, namespace, .. } => {
                (group, resource, subresource, namespace)
            }
            AccessRequest::Path { .. } => panic!("a path"),
        };
        let shop = || Some("shop".to_owned());
        for (text, group, name, subresource, namespace) in [
            ("pods", "", "pods", "", shop()),
            ("pods/log", "", "pods", "log", shop()),
            ("deployments", "apps", "deployments", "", shop()),
            ("deployments.apps/scale", "apps", "deployments", "scale", shop()),
            ("widgets.example.com", "example.com", "widgets", "", shop()),
            ("nodes", "", "nodes", "", None),
        ] {
            let question = parse("get", text, Some("shop")).expect(text);
            assert_eq!(question.ignored_namespace, namespace.is_none(), "{text}");
            let expected = (group.to_owned(), name.to_owned(), subresource.to_owned(), namespace);
            assert_eq!(resource(question), expected, "{text}");
        }
        assert!(parse("get", "pod", None).expect_err("no resource").0.contains("did you mean `pods`?"));
        assert!(parse("get", "widgets", None).expect_err("no group").0.contains("with its API group"));
        assert!(parse("get", "/metrics", Some("shop")).is_err());
        assert_eq!(parse("lst", "pods", None).expect("a question").nearest_verb, Some("list"));
    }
}
