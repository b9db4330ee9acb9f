//! What is asked of both.

/// Who asks.
pub const PEOPLE: &[(&str, &[&str])] =
    &[("admin", &["system:masters"]), ("alice", &[]), ("binder", &["binders"])];

/// Requests that belong together, in order.
pub struct Case {
    pub name: &'static str,
    pub steps: &'static [&'static str],
}

macro_rules! rbac {
    ($path:literal) => {
        concat!("/apis/rbac.authorization.k8s.io/v1", $path)
    };
}

pub const CASES: &[Case] = &[
    Case {
        name: "namespaces",
        steps: &[
            r#"POST /api/v1/namespaces {"metadata":{"name":"life"}}"#,
            r#"POST /api/v1/namespaces {"metadata":{"name":"life"}}"#,
            "GET /api/v1/namespaces/life",
            "GET /api/v1/namespaces/none",
            r#"POST /api/v1/namespaces {"metadata":{"name":"Bad_Name"}}"#,
            r#"POST /api/v1/namespaces {"metadata":{}}"#,
            r#"~POST /api/v1/namespaces {"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"}}"#,
            r#"~POST /api/v1/namespaces {"kind":"Namespace","apiVersion":"v2","metadata":{"name":"x"}}"#,
            r#"~POST /api/v1/namespaces {"metadata":{"name":"x","labels":{"a":1}}}"#,
            r#"POST /api/v1/namespaces {"metadata":{"name":"x","labels":{"-a":"b"}}}"#,
            r#"POST /api/v1/namespaces {"metadata":{"name":"life-2","resourceVersion":"7"}}"#,
            r#"POST /api/v1/namespaces?dryRun=All {"metadata":{"name":"life-3"}}"#,
            "GET /api/v1/namespaces/life-3",
            r#"PATCH /api/v1/namespaces/life {"metadata":{"labels":{"a":"b"}}}"#,
            r#"PATCH /api/v1/namespaces/life {"metadata":{"uid":"00000000-0000-0000-0000-000000000000"}}"#,
            r#"PATCH /api/v1/namespaces/life {"metadata":{"name":"other"}}"#,
            r#"PATCH /api/v1/namespaces/life {"metadata":{"resourceVersion":"1"}}"#,
            r#"PATCH /api/v1/namespaces/life {"status":{"phase":"Terminating"}}"#,
            "DELETE /api/v1/namespaces/kube-system",
            "DELETE /api/v1/namespaces/none",
            "DELETE /api/v1/namespaces",
        ],
    },
    Case {
        name: "role bindings",
        steps: &[
            r#"POST /api/v1/namespaces {"metadata":{"name":"bound"}}"#,
            concat!(
                "POST ",
                rbac!("/namespaces/bound/rolebindings"),
                r#" {"metadata":{"name":"a"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},"subjects":[{"kind":"Group","name":"g"}]}"#
            ),
            concat!(
                "POST ",
                rbac!("/namespaces/none/rolebindings"),
                r#" {"metadata":{"name":"a"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}}"#
            ),
            concat!(
                "POST ",
                rbac!("/namespaces/bound/rolebindings"),
                r#" {"metadata":{"name":"a","namespace":"default"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}}"#
            ),
            concat!(
                "POST ",
                rbac!("/namespaces/bound/rolebindings"),
                r#" {"metadata":{"name":"b"},"roleRef":{"kind":"Nonsense","name":""},"subjects":[{"kind":"User"},{"kind":"Robot","name":"r"},{"kind":"ServiceAccount","name":"s"},{"kind":"User","apiGroup":"x","name":"u"}]}"#
            ),
            concat!(
                "POST ",
                rbac!("/namespaces/bound/rolebindings"),
                r#" {"metadata":{"name":"b"},"roleref":{},"subjects":[{"nam":"x"}],"roleRef":{"kind":"ClusterRole","name":"view"}}"#
            ),
            concat!(
                "POST ",
                rbac!("/namespaces/bound/rolebindings?fieldValidation=Strict"),
                r#" {"metadata":{"name":"b"},"nope":1,"roleRef":{"kind":"ClusterRole","name":"view"}}"#
            ),
            concat!(
                "POST ",
                rbac!("/namespaces/bound/rolebindings?fieldValidation=Odd"),
                r#" {"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole","name":"view"}}"#
            ),
            concat!(
                "~POST ",
                rbac!("/namespaces/bound/rolebindings"),
                r#" {"metadata":{"name":"b"},"subjects":"x"}"#
            ),
            concat!("~POST ", rbac!("/namespaces/bound/rolebindings"), " {not json"),
            concat!(
                "~POST ",
                rbac!("/namespaces/bound/rolebindings"),
                r#" content-type:text/plain {"metadata":{"name":"b"}}"#
            ),
            concat!("GET ", rbac!("/namespaces/bound/rolebindings/a")),
            concat!(
                "GET ",
                rbac!("/namespaces/bound/rolebindings/a"),
                " accept:application/json;as=Table;v=v1;g=meta.k8s.io"
            ),
            concat!(
                "GET ",
                rbac!("/namespaces/bound/rolebindings"),
                " accept:application/json;as=Table;v=v1;g=meta.k8s.io"
            ),
            concat!(
                "GET ",
                rbac!("/namespaces/bound/rolebindings"),
                " accept:application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
            ),
            concat!("~GET ", rbac!("/namespaces/bound/rolebindings/a"), " accept:text/html"),
            concat!("GET ", rbac!("/namespaces/bound/rolebindings/none")),
            concat!("GET ", rbac!("/namespaces/none/rolebindings")),
            concat!(
                "PUT ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" {"metadata":{"name":"a"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"}}"#
            ),
            concat!(
                "PUT ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" {"metadata":{"name":"c"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}}"#
            ),
            concat!(
                "PUT ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" {"metadata":{},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}}"#
            ),
            concat!(
                "PUT ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" {"metadata":{"name":"a","resourceVersion":"1"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}}"#
            ),
            concat!(
                "PUT ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" {"metadata":{"name":"a","uid":"00000000-0000-0000-0000-000000000000"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}}"#
            ),
            concat!(
                "PUT ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" {"metadata":{"name":"a","resourceVersion":"x"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}}"#
            ),
            concat!(
                "PUT ",
                rbac!("/namespaces/bound/rolebindings/new"),
                r#" {"metadata":{"name":"new"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}}"#
            ),
            concat!(
                "PUT ",
                rbac!("/namespaces/bound/rolebindings/gone"),
                r#" {"metadata":{"name":"gone","uid":"00000000-0000-0000-0000-000000000000"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}}"#
            ),
            concat!("GET ", rbac!("/namespaces/bound/rolebindings/a")),
            concat!(
                "PATCH ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" {"metadata":{"uid":"$uid","resourceVersion":"$rv","labels":{"x":"y"}},"subjects":[{"kind":"User","name":"u","apiGroup":"rbac.authorization.k8s.io"}]}"#
            ),
            concat!(
                "PATCH ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" {"metadata":{"uid":"$uid","resourceVersion":"1"},"subjects":[]}"#
            ),
            concat!("PATCH ", rbac!("/namespaces/bound/rolebindings/a"), r#" {"subjects":[]}"#),
            concat!(
                "PATCH ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" {"subjects":null,"roleRef":{"name":"edit"}}"#
            ),
            concat!("PATCH ", rbac!("/namespaces/bound/rolebindings/a"), r#" {"nope":1}"#),
            concat!(
                "~PATCH ",
                rbac!("/namespaces/bound/rolebindings/a?fieldValidation=Strict"),
                r#" {"nope":1}"#
            ),
            concat!("~PATCH ", rbac!("/namespaces/bound/rolebindings/a"), r#" {"subjects":"x"}"#),
            concat!(
                "PATCH ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" content-type:application/json-patch+json [{"op":"add","path":"/metadata/labels/z","value":"1"}]"#
            ),
            concat!(
                "PATCH ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" content-type:application/json-patch+json [{"op":"test","path":"/metadata/name","value":"b"}]"#
            ),
            concat!(
                "PATCH ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" content-type:application/json-patch+json [{"op":"remove","path":"/metadata/nope"}]"#
            ),
            concat!(
                "PATCH ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" content-type:application/json-patch+json [{"op":"replace","path":"/metadata/nope/b","value":1}]"#
            ),
            concat!(
                "~PATCH ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" content-type:application/json-patch+json {"op":"remove"}"#
            ),
            concat!(
                "PATCH ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" content-type:application/strategic-merge-patch+json {"metadata":{"labels":{"x":null,"w":"v"},"finalizers":["example.com/a"]}}"#
            ),
            concat!(
                "PATCH ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" content-type:application/strategic-merge-patch+json {"metadata":{"finalizers":["example.com/b"]}}"#
            ),
            concat!(
                "~PATCH ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" content-type:application/json {}"#
            ),
            concat!("PATCH ", rbac!("/namespaces/bound/rolebindings/none"), r#" {"metadata":{}}"#),
            concat!(
                "DELETE ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" {"preconditions":{"uid":"00000000-0000-0000-0000-000000000000"}}"#
            ),
            concat!(
                "DELETE ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" {"preconditions":{"resourceVersion":"1"}}"#
            ),
            concat!("DELETE ", rbac!("/namespaces/bound/rolebindings/a"), r#" {"propagationPolicy":"Odd"}"#),
            concat!("DELETE ", rbac!("/namespaces/bound/rolebindings/a")),
            concat!(
                "PATCH ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" {"metadata":{"finalizers":["example.com/b","example.com/c"]}}"#
            ),
            concat!(
                "PATCH ",
                rbac!("/namespaces/bound/rolebindings/a"),
                r#" {"metadata":{"finalizers":null}}"#
            ),
            concat!("GET ", rbac!("/namespaces/bound/rolebindings/a")),
            concat!(
                "DELETE ",
                rbac!("/namespaces/bound/rolebindings/new"),
                r#" {"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background"}"#
            ),
            concat!("DELETE ", rbac!("/namespaces/bound/rolebindings/new")),
            concat!("DELETE ", rbac!("/namespaces/bound/rolebindings")),
        ],
    },
    Case {
        name: "lists",
        steps: &[
            r#"POST /api/v1/namespaces {"metadata":{"name":"listed"}}"#,
            r#"POST /api/v1/namespaces/listed/configmaps {"metadata":{"name":"a","labels":{"n":"1"}},"data":{"k":"v"}}"#,
            r#"POST /api/v1/namespaces/listed/configmaps {"metadata":{"name":"b","labels":{"n":"2"}},"data":{"k":""}}"#,
            r#"POST /api/v1/namespaces/listed/configmaps {"metadata":{"name":"c"}}"#,
            "GET /api/v1/namespaces/listed/configmaps?labelSelector=n",
            "GET /api/v1/namespaces/listed/configmaps?labelSelector=n%20in%20(1,2),n!%3D2",
            "GET /api/v1/namespaces/listed/configmaps?labelSelector=%3D%3D",
            "GET /api/v1/namespaces/listed/configmaps?labelSelector=n%20x",
            "GET /api/v1/namespaces/listed/configmaps?fieldSelector=metadata.name%3Da",
            "GET /api/v1/namespaces/listed/configmaps?fieldSelector=spec.x%3Da",
            "GET /api/v1/namespaces/listed/configmaps?labelSelector=n&limit=1",
            "GET /api/v1/namespaces/listed/configmaps?labelSelector=n&limit=1&continue=$next",
            "GET /api/v1/namespaces/listed/configmaps?limit=2&fieldSelector=metadata.name!%3Dkube-root-ca.crt",
            "~GET /api/v1/namespaces/listed/configmaps?limit=1&continue=nonsense",
            "GET /api/v1/namespaces/listed/configmaps?limit=x",
            "GET /api/v1/namespaces/listed/configmaps?resourceVersion=999999",
            "GET /api/v1/namespaces/listed/configmaps/a?resourceVersion=999999",
            "GET /api/v1/namespaces/listed/configmaps?labelSelector=n accept:application/json;as=Table;v=v1;g=meta.k8s.io",
            "GET /api/v1/namespaces/listed/configmaps?labelSelector=n&watch=1&timeoutSeconds=1",
            "GET /api/v1/namespaces/listed/configmaps?labelSelector=n&watch=1&timeoutSeconds=1&sendInitialEvents=true",
            "GET /api/v1/namespaces/listed/configmaps?labelSelector=n&watch=1&timeoutSeconds=1 accept:application/json;as=Table;v=v1;g=meta.k8s.io",
            "GET /api/v1/namespaces/listed/configmaps?labelSelector=n%3D1",
            r#"PATCH /api/v1/namespaces/listed/configmaps/a {"metadata":{"labels":{"n":"3"}}}"#,
            r#"PATCH /api/v1/namespaces/listed/configmaps/a {"data":{"x":"y","k":null}}"#,
            "DELETE /api/v1/namespaces/listed/configmaps?labelSelector=n",
            "GET /api/v1/namespaces/listed/configmaps?labelSelector=n",
        ],
    },
    Case {
        name: "leases",
        steps: &[
            r#"POST /apis/coordination.k8s.io/v1/namespaces/default/leases {"metadata":{"name":"l"},"spec":{"holderIdentity":"me","leaseDurationSeconds":15,"acquireTime":"2026-11-25T02:00:00.000000Z","renewTime":"2026-11-25T02:00:00.123456Z"}}"#,
            r#"PUT /apis/coordination.k8s.io/v1/namespaces/default/leases/l {"metadata":{"name":"l"},"spec":{"holderIdentity":"you"}}"#,
            r#"PUT /apis/coordination.k8s.io/v1/namespaces/default/leases/l {"metadata":{"name":"l","resourceVersion":"$rv"},"spec":{"holderIdentity":"you"}}"#,
            r#"PUT /apis/coordination.k8s.io/v1/namespaces/default/leases/l {"metadata":{"name":"l","resourceVersion":"1"},"spec":{"holderIdentity":""}}"#,
            r#"PUT /apis/coordination.k8s.io/v1/namespaces/default/leases/l {"metadata":{"name":"l","resourceVersion":"$rv"},"spec":{"leaseDurationSeconds":0}}"#,
            "GET /apis/coordination.k8s.io/v1/namespaces/default/leases accept:application/json;as=Table;v=v1;g=meta.k8s.io",
            "DELETE /apis/coordination.k8s.io/v1/namespaces/default/leases/l",
            r#"PUT /apis/coordination.k8s.io/v1/namespaces/default/leases/l {"metadata":{"name":"l","resourceVersion":"7"},"spec":{"holderIdentity":"you"}}"#,
            "DELETE /apis/coordination.k8s.io/v1/namespaces/default/leases/l",
        ],
    },
    Case {
        name: "rights",
        steps: &[
            "alice GET /api/v1/namespaces",
            "alice GET /api/v1/namespaces/default/pods",
            "alice GET /api/v1/namespaces/default/pods/x/log",
            "alice GET /api/v1/secrets",
            "~alice GET /apis/nonsense/v1/things",
            "alice GET /api/v1/namespaces/default/configmaps?watch=1",
            r#"alice POST /api/v1/namespaces {"metadata":{"name":"x"}}"#,
            "alice DELETE /api/v1/namespaces/default/pods",
            "alice GET /metrics",
            "~alice GET /version",
            "alice GET /healthz",
            "alice GET /api",
            r#"alice POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews {"spec":{"resourceAttributes":{"verb":"list","resource":"pods"}}}"#,
            r#"POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews {"spec":{"resourceAttributes":{"verb":"list","resource":"pods"}}}"#,
            r#"POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews {"spec":{}}"#,
            r#"POST /apis/authorization.k8s.io/v1/subjectaccessreviews {"spec":{"user":"alice","groups":["g"],"resourceAttributes":{"verb":"list","resource":"pods","namespace":"default"}}}"#,
            r#"alice POST /apis/authorization.k8s.io/v1/subjectaccessreviews {"spec":{"user":"alice","resourceAttributes":{"verb":"list","resource":"pods"}}}"#,
            r#"alice POST /apis/authentication.k8s.io/v1/selfsubjectreviews {}"#,
            r#"alice POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews {"spec":{"namespace":"default"}}"#,
            "GET /api/v1/namespaces/default/pods impersonate-user:alice",
            "~alice GET /api/v1/namespaces/default/pods impersonate-user:admin",
            "~alice GET /api/v1/namespaces/default/pods impersonate-group:admin",
            r#"POST /apis/authentication.k8s.io/v1/selfsubjectreviews impersonate-user:bob impersonate-group:devs impersonate-extra-scopes:view {}"#,
        ],
    },
    Case {
        name: "granting",
        steps: &[
            concat!(
                "POST ",
                rbac!("/clusterroles"),
                r#" {"metadata":{"name":"binding"},"rules":[{"verbs":["*"],"apiGroups":["rbac.authorization.k8s.io"],"resources":["clusterrolebindings","rolebindings","roles","clusterroles"]},{"verbs":["bind"],"apiGroups":["rbac.authorization.k8s.io"],"resources":["clusterroles"],"resourceNames":["view"]}]}"#
            ),
            concat!(
                "POST ",
                rbac!("/clusterroles"),
                r#" {"metadata":{"name":"write-roles"},"rules":[{"verbs":["create","update","patch","get","delete"],"apiGroups":["rbac.authorization.k8s.io"],"resources":["clusterrolebindings","rolebindings","roles","clusterroles"]},{"verbs":["bind"],"apiGroups":["rbac.authorization.k8s.io"],"resources":["clusterroles"],"resourceNames":["view"]}]}"#
            ),
            concat!(
                "POST ",
                rbac!("/clusterrolebindings"),
                r#" {"metadata":{"name":"write-roles"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"write-roles"},"subjects":[{"kind":"Group","name":"binders","apiGroup":"rbac.authorization.k8s.io"}]}"#
            ),
            concat!(
                "GET ",
                rbac!("/clusterrolebindings/write-roles"),
                " accept:application/json;as=Table;v=v1;g=meta.k8s.io"
            ),
            r#"binder POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews {"spec":{"resourceAttributes":{"verb":"create","resource":"rolebindings","group":"rbac.authorization.k8s.io"}}}"#,
            concat!(
                "binder POST ",
                rbac!("/clusterrolebindings"),
                r#" {"metadata":{"name":"b1"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"},"subjects":[]}"#
            ),
            concat!(
                "binder POST ",
                rbac!("/clusterrolebindings"),
                r#" {"metadata":{"name":"b2"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"write-roles"},"subjects":[]}"#
            ),
            concat!(
                "binder POST ",
                rbac!("/clusterrolebindings"),
                r#" {"metadata":{"name":"b3"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"binding"},"subjects":[]}"#
            ),
            concat!(
                "binder POST ",
                rbac!("/clusterrolebindings"),
                r#" {"metadata":{"name":"b4"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"no-such-role"},"subjects":[]}"#
            ),
            concat!(
                "POST ",
                rbac!("/clusterrolebindings"),
                r#" {"metadata":{"name":"b5"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"no-such-role"},"subjects":[]}"#
            ),
            concat!(
                "POST ",
                rbac!("/clusterrolebindings"),
                r#" {"metadata":{"name":"b6"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"x"},"subjects":[]}"#
            ),
            concat!(
                "binder POST ",
                rbac!("/namespaces/default/roles"),
                r#" {"metadata":{"name":"r1"},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]}"#
            ),
            concat!(
                "binder POST ",
                rbac!("/namespaces/default/roles"),
                r#" {"metadata":{"name":"r2"},"rules":[{"verbs":["get"],"apiGroups":["rbac.authorization.k8s.io"],"resources":["roles"]}]}"#
            ),
            concat!(
                "binder PATCH ",
                rbac!("/namespaces/default/roles/r2"),
                r#" {"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]}"#
            ),
            concat!("binder PATCH ", rbac!("/clusterrolebindings/b1"), r#" {"roleRef":{"name":"edit"}}"#),
            concat!("PATCH ", rbac!("/clusterrolebindings/b1"), r#" {"roleRef":{"name":"edit"}}"#),
            concat!(
                "PATCH ",
                rbac!("/clusterrolebindings/b1"),
                r#" {"subjects":[{"kind":"ServiceAccount","name":"s"}]}"#
            ),
            concat!(
                "POST ",
                rbac!("/namespaces/default/roles"),
                r#" {"metadata":{"name":"r3"},"rules":[{"verbs":[],"apiGroups":[],"resources":[]},{"verbs":["get"],"nonResourceURLs":["/x"]}]}"#
            ),
            concat!(
                "POST ",
                rbac!("/clusterroles"),
                r#" {"metadata":{"name":"cr1"},"rules":[{"verbs":["get"],"nonResourceURLs":["/x"],"apiGroups":["a"]}]}"#
            ),
            concat!("POST ", rbac!("/clusterroles"), r#" {"metadata":{"name":"a/b"},"rules":[]}"#),
            concat!("POST ", rbac!("/clusterroles"), r#" {"metadata":{"name":"empty:role"}}"#),
            concat!(
                "GET ",
                rbac!("/clusterroles/empty:role"),
                " accept:application/json;as=Table;v=v1;g=meta.k8s.io"
            ),
            concat!(
                "~POST ",
                rbac!("/clusterroles"),
                r#" {"metadata":{"generateName":"gen-"},"rules":[],"aggregationRule":{"clusterRoleSelectors":[]}}"#
            ),
        ],
    },
    Case {
        name: "signing requests",
        steps: &[
            r#"POST /apis/certificates.k8s.io/v1/certificatesigningrequests {"metadata":{"name":"c1"},"spec":{"request":"$request","signerName":"kubernetes.io/kube-apiserver-client","usages":["client auth","digital signature"],"expirationSeconds":3600}}"#,
            r#"POST /apis/certificates.k8s.io/v1/certificatesigningrequests {"metadata":{"name":"c1"},"spec":{"request":"$request","signerName":"kubernetes.io/kube-apiserver-client","usages":["client auth","digital signature"]}}"#,
            r#"POST /apis/certificates.k8s.io/v1/certificatesigningrequests {"metadata":{"name":"c2"},"spec":{"request":"$request","signerName":"kubernetes.io/kube-apiserver-client","usages":["client auth","digital signature"],"expirationSeconds":60}}"#,
            r#"POST /apis/certificates.k8s.io/v1/certificatesigningrequests {"metadata":{"name":"c2"},"spec":{"request":"$request","signerName":"nonsense","usages":[]}}"#,
            r#"POST /apis/certificates.k8s.io/v1/certificatesigningrequests {"metadata":{"name":"c2"},"spec":{"request":"bm8=","signerName":"kubernetes.io/kube-apiserver-client","usages":["client auth","dance","client auth"]}}"#,
            r#"~POST /apis/certificates.k8s.io/v1/certificatesigningrequests {"metadata":{"name":"c2"},"spec":{"request":"!","signerName":"kubernetes.io/kube-apiserver-client","usages":["client auth"]}}"#,
            r#"POST /apis/certificates.k8s.io/v1/certificatesigningrequests {"metadata":{"name":"c2"},"spec":{"signerName":"kubernetes.io/kube-apiserver-client","usages":["client auth"]}}"#,
            r#"POST /apis/certificates.k8s.io/v1/certificatesigningrequests {"metadata":{"name":"c2"},"spec":{"request":"$masters","signerName":"kubernetes.io/kube-apiserver-client","usages":["client auth"]}}"#,
            r#"POST /apis/certificates.k8s.io/v1/certificatesigningrequests {"metadata":{"name":"c2"},"spec":{"request":"$masters","signerName":"example.com/other","usages":["client auth"],"username":"forged","groups":["forged"]}}"#,
            "GET /apis/certificates.k8s.io/v1/certificatesigningrequests accept:application/json;as=Table;v=v1;g=meta.k8s.io",
            "GET /apis/certificates.k8s.io/v1/certificatesigningrequests?fieldSelector=spec.signerName%3Dexample.com/other",
            "GET /apis/certificates.k8s.io/v1/certificatesigningrequests?fieldSelector=metadata.namespace%3Dx",
            "alice GET /apis/certificates.k8s.io/v1/certificatesigningrequests/c1",
            r#"alice POST /apis/certificates.k8s.io/v1/certificatesigningrequests {"metadata":{"name":"c3"},"spec":{"request":"$request","signerName":"kubernetes.io/kube-apiserver-client","usages":["client auth","digital signature"]}}"#,
            "GET /apis/certificates.k8s.io/v1/certificatesigningrequests/c1",
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c1 {"spec":{"usages":["server auth"]}}"#,
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c1 {"status":{"conditions":[{"type":"Approved","status":"True"}]}}"#,
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c1/status {"status":{"conditions":[{"type":"Approved","status":"True"}]}}"#,
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c1/approval {"status":{"conditions":[{"type":"Approved","status":"False"}]}}"#,
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c1/approval {"status":{"conditions":[{"type":"Approved","status":"True"},{"type":"Denied","status":"True"}]}}"#,
            r#"alice PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c1/approval {"status":{"conditions":[{"type":"Approved","status":"True"}]}}"#,
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c1/approval {"status":{"conditions":[{"type":"Approved","status":"True","reason":"Test","message":"by test"}]}}"#,
            r#"GET /apis/certificates.k8s.io/v1/certificatesigningrequests/c1 until:"certificate""#,
            "GET /apis/certificates.k8s.io/v1/certificatesigningrequests/c1 accept:application/json;as=Table;v=v1;g=meta.k8s.io",
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c1/approval {"status":{"conditions":[]}}"#,
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c1/approval {"status":{"conditions":[{"type":"Denied","status":"True"}]}}"#,
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c1/status {"status":{"certificate":"bm8="}}"#,
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c1/status {"status":{"certificate":null}}"#,
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c1 {"metadata":{"labels":{"a":"b"}}}"#,
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c2/approval {"status":{"conditions":[{"type":"Denied","status":"True","reason":"No"}]}}"#,
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c2/approval {"status":{"conditions":[{"type":"Denied","status":"True","reason":"No"},{"type":"Approved","status":"True"}]}}"#,
            r#"POST /apis/certificates.k8s.io/v1/certificatesigningrequests {"metadata":{"name":"c4"},"spec":{"request":"$request","signerName":"kubernetes.io/kube-apiserver-client","usages":["client auth","server auth"]}}"#,
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c4/approval {"status":{"conditions":[{"type":"Approved","status":"True"}]}}"#,
            "GET /apis/certificates.k8s.io/v1/certificatesigningrequests/c4 until:SignerValidationFailure",
            r#"POST /apis/certificates.k8s.io/v1/certificatesigningrequests {"metadata":{"name":"c5"},"spec":{"request":"$request","signerName":"kubernetes.io/kube-apiserver-client","usages":["digital signature"]}}"#,
            r#"PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/c5/approval {"status":{"conditions":[{"type":"Approved","status":"True"}]}}"#,
            "GET /apis/certificates.k8s.io/v1/certificatesigningrequests/c5 until:SignerValidationFailure",
            "GET /apis/certificates.k8s.io/v1/certificatesigningrequests/c1/approval",
            "~GET /apis/certificates.k8s.io/v1/certificatesigningrequests/c1/nonsense",
            r#"POST /apis/certificates.k8s.io/v1/certificatesigningrequests/c1/approval {}"#,
            "DELETE /apis/certificates.k8s.io/v1/certificatesigningrequests/c1",
            "DELETE /apis/certificates.k8s.io/v1/certificatesigningrequests?fieldSelector=spec.signerName%3Dexample.com/other",
            "GET /apis/certificates.k8s.io/v1/certificatesigningrequests/c2",
        ],
    },
    Case {
        name: "pods",
        steps: &[
            r#"POST /api/v1/namespaces {"metadata":{"name":"podded"}}"#,
            r#"POST /api/v1/namespaces/podded/pods?dryRun=All until:Pending {"metadata":{"name":"p"},"spec":{"automountServiceAccountToken":false,"containers":[{"name":"c","image":"example.com/i"}]}}"#,
            r#"POST /api/v1/namespaces/podded/pods {"metadata":{"name":"p"},"spec":{"automountServiceAccountToken":false,"containers":[{"name":"c","image":"example.com/i"}]}}"#,
            r#"POST /api/v1/namespaces/podded/pods {"metadata":{"name":"q"},"spec":{"automountServiceAccountToken":false,"containers":[]}}"#,
            r#"POST /api/v1/namespaces/podded/pods {"metadata":{"name":"q"}}"#,
            "GET /api/v1/namespaces/podded/pods/p",
            "GET /api/v1/namespaces/podded/pods accept:application/json;as=Table;v=v1;g=meta.k8s.io",
            "GET /api/v1/namespaces/podded/pods?fieldSelector=status.phase%3DPending,spec.nodeName%3D accept:application/json;as=Table;v=v1;g=meta.k8s.io",
            r#"PATCH /api/v1/namespaces/podded/pods/p {"metadata":{"labels":{"a":"b"}}}"#,
            r#"PATCH /api/v1/namespaces/podded/pods/p {"spec":{"containers":[{"name":"c","image":"example.com/j"}]}}"#,
            "DELETE /api/v1/namespaces/podded/pods/p",
            "GET /api/v1/namespaces/podded/pods/p",
        ],
    },
    Case {
        name: "discovery",
        steps: &[
            "GET /apis/certificates.k8s.io",
            "GET /apis/coordination.k8s.io",
            "GET /apis/rbac.authorization.k8s.io/v1",
            "GET /apis/authorization.k8s.io/v1",
        ],
    },
];
