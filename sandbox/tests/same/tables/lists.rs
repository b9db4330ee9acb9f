//! Lists: pages, selectors, other forms.

use serde_json::json;

use super::{shop, with};
use crate::step::{Step, get, post};

fn listed(query: &str) -> String {
    format!("{}?{query}", shop("configmaps"))
}

pub fn pages() -> Vec<Step> {
    let mut calls: Vec<Step> = ["l1", "l2", "l3"]
        .into_iter()
        .map(|name| {
            post("root", &shop("configmaps"), with(name, json!({"metadata": {"labels": {"listed": name}}})))
        })
        .collect();
    calls.extend([
        get("root", &listed("labelSelector=listed&limit=2")).save("next", "/metadata/continue"),
        get("root", &listed("labelSelector=listed&limit=2&continue={next}")),
        get("root", &listed("labelSelector=listed&continue=nonsense")).in_other_words(),
        get("root", &listed("labelSelector=listed&continue=bm9uc2Vuc2U")).in_other_words(),
        get("root", &listed("labelSelector=listed&limit=x")),
        get("root", &listed("labelSelector=listed&limit=-1")),
        get("root", &listed("labelSelector=listed&resourceVersion=x")),
        get("root", &listed("labelSelector=listed&resourceVersion=0")),
        get("root", &listed("labelSelector=listed&resourceVersionMatch=Exact")),
        get("root", &listed("labelSelector=listed&resourceVersion=0&resourceVersionMatch=Exact")),
        get("root", &listed("labelSelector=listed&resourceVersion=1&resourceVersionMatch=Perhaps")),
        get("root", &listed("labelSelector=listed&continue={next}&resourceVersion=1")),
        get("root", &listed("labelSelector=listed&resourceVersion=99999999&timeoutSeconds=1")),
        get("root", &format!("{}/l1?resourceVersion=99999999", shop("configmaps"))),
        get("root", &format!("{}/l1?resourceVersion=x", shop("configmaps"))),
        get("root", &listed("watch=true&resourceVersion=x&timeoutSeconds=1")),
        get("root", &listed("watch=true&labelSelector=listed%3Dl1&resourceVersion=0&timeoutSeconds=1")),
        get("root", &listed("watch=true&labelSelector=nobody%3Dhas&timeoutSeconds=1")),
        get("root", &listed("watch=perhaps&labelSelector=nobody&timeoutSeconds=1")),
    ]);
    calls
}

pub fn selectors() -> Vec<Step> {
    let query = |query: &str| get("root", &listed(query));
    vec![
        query("labelSelector=listed%3Dl1"),
        query("labelSelector=listed+in+(l1,l3)"),
        query("labelSelector=listed+notin+(l1,l3),listed"),
        query("labelSelector=listed,!other,listed%21%3Dl2"),
        query("labelSelector=listed%3D%3Dl2"),
        query("labelSelector=a+b"),
        query("labelSelector=%3D"),
        query("labelSelector=listed+in+l1"),
        query("labelSelector=listed%3Da+b"),
        query("fieldSelector=metadata.name%3Dl1"),
        query("fieldSelector=metadata.name%3Dl1,metadata.namespace%3Dshop"),
        query("fieldSelector=metadata.name%21%3Dl1&labelSelector=listed"),
        query("fieldSelector=data.a%3Db"),
        query("fieldSelector=nonsense"),
        get("root", "/api/v1/configmaps?labelSelector=listed"),
        get(
            "root",
            "/apis/certificates.k8s.io/v1/certificatesigningrequests?fieldSelector=spec.username%3Droot",
        ),
        get("root", "/api/v1/namespaces?fieldSelector=status.phase%3DActive&labelSelector=team"),
    ]
}

pub fn tables() -> Vec<Step> {
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let partial = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json";
    let partials = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";
    vec![
        get("root", &listed("labelSelector=listed")).accept(partials),
        get("root", &format!("{}/l1", shop("configmaps"))).accept(partial),
        get("root", &listed("labelSelector=listed")).accept("text/html").in_other_words(),
        get("root", &listed("labelSelector=listed"))
            .accept("application/json;as=Nonsense;v=v1;g=meta.k8s.io")
            .in_other_words(),
        get("root", &format!("{}/none", shop("configmaps"))).accept(table),
    ]
}
