//! What exists from the start: namespaces, and the roles and bindings that people and their
//! tools rely on.
//!
//! Rules as in plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go of Kubernetes 1.37. The roles
//! of the cluster's own components (nodes, the scheduler, controllers) are left out: there are none.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::object::new_uid;
use crate::rbac::{GROUP, PRIVILEGED};
use crate::resource::Kind;
use crate::user::User;
use crate::validate::{self, Writer};

const READ: &str = "get list watch";
const WRITE: &str = "create delete deletecollection patch update";
const ALL: &str = "create delete deletecollection get list patch update watch";

/// Verbs, API groups (`-` for the core), resources, names of single objects; all separated by spaces.
struct Rule(&'static str, &'static str, &'static str, &'static str);

/// A ClusterRole that exists from the start.
struct Role {
    name: &'static str,
    /// The aggregated role that includes its rules.
    aggregated_to: &'static str,
    rules: &'static [Rule],
    /// Non-resource paths that may be read.
    paths: &'static str,
    /// The groups to which it is bound, separated by spaces.
    bound_to: &'static str,
}

const PLAIN: Role = Role { name: "", aggregated_to: "", rules: &[], paths: "", bound_to: "" };

const ROLES: &[Role] = &[
    Role { name: "cluster-admin", rules: &[Rule("*", "*", "*", "")], bound_to: PRIVILEGED, ..PLAIN },
    Role {
        name: "system:aggregate-to-admin",
        aggregated_to: "admin",
        rules: &[
            Rule("create", "authorization.k8s.io", "localsubjectaccessreviews", ""),
            Rule(ALL, GROUP, "rolebindings roles", ""),
        ],
        ..PLAIN
    },
    Role {
        name: "system:aggregate-to-edit",
        aggregated_to: "edit",
        rules: &[
            Rule(READ, "-", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", ""),
            Rule("impersonate", "-", "serviceaccounts", ""),
            Rule(WRITE, "-", "pods pods/attach pods/exec pods/portforward pods/proxy", ""),
            Rule("create", "-", "pods/eviction", ""),
            Rule(
                WRITE,
                "-",
                "configmaps persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets \
                 serviceaccounts services services/proxy",
                "",
            ),
            Rule("create", "-", "serviceaccounts/token", ""),
            Rule(WRITE, "- events.k8s.io", "events", ""),
            Rule(
                WRITE,
                "apps",
                "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale \
                 statefulsets statefulsets/scale",
                "",
            ),
            Rule(WRITE, "autoscaling", "horizontalpodautoscalers", ""),
            Rule(WRITE, "batch", "cronjobs jobs", ""),
            Rule(
                WRITE,
                "extensions",
                "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets \
                 replicasets/scale replicationcontrollers/scale",
                "",
            ),
            Rule(WRITE, "policy", "poddisruptionbudgets", ""),
            Rule(WRITE, "networking.k8s.io", "ingresses networkpolicies", ""),
            Rule(ALL, "coordination.k8s.io", "leases", ""),
            Rule(WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates", ""),
        ],
        ..PLAIN
    },
    Role {
        name: "system:aggregate-to-view",
        aggregated_to: "view",
        rules: &[
            Rule(
                READ,
                "-",
                "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers \
                 replicationcontrollers/scale serviceaccounts services services/status",
                "",
            ),
            Rule(
                READ,
                "-",
                "bindings limitranges namespaces/status pods/log pods/status replicationcontrollers/status \
                 resourcequotas resourcequotas/status",
                "",
            ),
            Rule(READ, "-", "namespaces", ""),
            Rule(READ, "- events.k8s.io", "events", ""),
            Rule(READ, "discovery.k8s.io", "endpointslices", ""),
            Rule(
                READ,
                "apps",
                "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status \
                 replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
                "",
            ),
            Rule(READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", ""),
            Rule(READ, "batch", "cronjobs cronjobs/status jobs jobs/status", ""),
            Rule(
                READ,
                "extensions",
                "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses \
                 ingresses/status networkpolicies replicasets replicasets/scale replicasets/status \
                 replicationcontrollers/scale",
                "",
            ),
            Rule(READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status", ""),
            Rule(READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies", ""),
            Rule(READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates", ""),
        ],
        ..PLAIN
    },
    Role {
        name: "system:basic-user",
        rules: &[
            Rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", ""),
            Rule("create", "authentication.k8s.io", "selfsubjectreviews", ""),
        ],
        bound_to: "system:authenticated",
        ..PLAIN
    },
    Role {
        name: "system:auth-delegator",
        rules: &[
            Rule("create", "authentication.k8s.io", "tokenreviews", ""),
            Rule("create", "authorization.k8s.io", "subjectaccessreviews", ""),
        ],
        ..PLAIN
    },
    Role {
        name: "system:discovery",
        paths: "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/",
        bound_to: "system:authenticated",
        ..PLAIN
    },
    Role {
        name: "system:public-info-viewer",
        paths: "/healthz /livez /readyz /version /version/",
        bound_to: "system:authenticated system:unauthenticated",
        ..PLAIN
    },
    Role {
        name: "system:monitoring",
        rules: &[Rule("get", "-", "nodes/metrics", "")],
        paths: "/flagz /healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/* /statusz",
        bound_to: "system:monitoring",
        ..PLAIN
    },
    approver(
        "system:certificates.k8s.io:kube-apiserver-client-approver",
        &[signers("kubernetes.io/kube-apiserver-client")],
    ),
    approver(
        "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver",
        &[signers("kubernetes.io/kube-apiserver-client-kubelet")],
    ),
    approver(
        "system:certificates.k8s.io:kubelet-serving-approver",
        &[signers("kubernetes.io/kubelet-serving")],
    ),
    approver(
        "system:certificates.k8s.io:legacy-unknown-approver",
        &[signers("kubernetes.io/legacy-unknown")],
    ),
];

const fn approver(name: &'static str, rules: &'static [Rule]) -> Role {
    Role { name, rules, ..PLAIN }
}

const fn signers(name: &'static str) -> Rule {
    Rule("approve", "certificates.k8s.io", "signers", name)
}

/// Every object that exists from the start, complete except for its revision and the rules of
/// the aggregated roles.
pub(crate) fn objects(now: Timestamp) -> Vec<(Kind, Value)> {
    let nobody = User::anonymous();
    let writer = Writer { user: &nobody, now };
    let mut objects = Vec::new();
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        objects.push((Kind::Namespace, json!({"metadata": {"name": name}})));
    }
    for (name, aggregated_to) in [("admin", ""), ("edit", "admin"), ("view", "edit")] {
        let selector = json!({"matchLabels": {(format!("{GROUP}/aggregate-to-{name}")): "true"}});
        let mut role = cluster_role(name, aggregated_to);
        role["aggregationRule"] = json!({"clusterRoleSelectors": [selector]});
        objects.push((Kind::ClusterRole, role));
    }
    for role in ROLES {
        objects.push((Kind::ClusterRole, role.to_value()));
        if !role.bound_to.is_empty() {
            objects.push((Kind::ClusterRoleBinding, role.binding()));
        }
    }
    let mut reader = json!({"metadata": bootstrapped("extension-apiserver-authentication-reader"), "rules": [{
        "apiGroups": [""],
        "resourceNames": ["extension-apiserver-authentication"],
        "resources": ["configmaps"],
        "verbs": ["get", "list", "watch"],
    }]});
    reader["metadata"]["namespace"] = "kube-system".into();
    objects.push((Kind::Role, reader));
    for (kind, object) in &mut objects {
        object["apiVersion"] = kind.resource().api_version().into();
        object["kind"] = kind.resource().name.into();
        object["metadata"]["uid"] = new_uid().into();
        object["metadata"]["creationTimestamp"] = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        let errors = validate::create(*kind, object, writer);
        debug_assert_eq!(errors, []);
    }
    objects
}

/// The cluster's own objects are marked, and a real server would restore them at its next start.
fn bootstrapped(name: &str) -> Value {
    json!({
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    })
}

fn cluster_role(name: &str, aggregated_to: &str) -> Value {
    let mut metadata = bootstrapped(name);
    if !aggregated_to.is_empty() {
        metadata["labels"][format!("{GROUP}/aggregate-to-{aggregated_to}")] = "true".into();
    }
    json!({"metadata": metadata, "rules": null})
}

impl Role {
    fn to_value(&self) -> Value {
        let mut rules: Vec<Value> = self.rules.iter().map(Rule::to_value).collect();
        if self.name == "cluster-admin" {
            rules.push(json!({"nonResourceURLs": ["*"], "verbs": ["*"]}));
        }
        if !self.paths.is_empty() {
            rules.insert(0, json!({"nonResourceURLs": words(self.paths), "verbs": ["get"]}));
        }
        let mut role = cluster_role(self.name, self.aggregated_to);
        role["rules"] = rules.into();
        role
    }

    fn binding(&self) -> Value {
        let subject = |name| json!({"kind": "Group", "apiGroup": GROUP, "name": name});
        let subjects: Vec<Value> = words(self.bound_to).into_iter().map(subject).collect();
        json!({
            "metadata": bootstrapped(self.name),
            "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": self.name},
            "subjects": subjects,
        })
    }
}

impl Rule {
    fn to_value(&self) -> Value {
        let Self(verbs, groups, resources, names) = self;
        let groups: Vec<&str> =
            words(groups).into_iter().map(|group| if group == "-" { "" } else { group }).collect();
        let mut rule = json!({"verbs": words(verbs), "apiGroups": groups, "resources": words(resources)});
        if !names.is_empty() {
            rule["resourceNames"] = words(names).into();
        }
        rule
    }
}

fn words(text: &'static str) -> Vec<&'static str> {
    text.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bootstrap_object_is_valid() {
        let user = User::anonymous();
        let now = "2026-11-01T00:00:00Z".parse().expect("a time");
        for (kind, mut object) in objects(now) {
            assert_eq!(validate::create(kind, &mut object, Writer { user: &user, now }), [], "{object}");
            let read = (kind.resource().through)(&object).expect("an object of its kind");
            assert_eq!(read["metadata"], object["metadata"]);
        }
    }
}
