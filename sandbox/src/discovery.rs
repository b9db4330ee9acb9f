//! Discovery: groups, kinds, the version, and as much of OpenAPI as
//! makes kubectl leave the validation of fields to the server.

use serde_json::{Map, Value, json};

use crate::resource::{RESOURCES, Resource, api_version, groups};

/// `/version`: the Kubernetes version whose behaviour the sandbox reproduces.
pub fn version(git_version: &str) -> Value {
    let mut numbers = git_version.trim_start_matches('v').split('.');
    json!({
        "major": numbers.next().unwrap_or_default(),
        "minor": numbers.next().unwrap_or_default(),
        "gitVersion": git_version,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "certctl-sandbox",
        "platform": format!("{}/{}", std::env::consts::OS, architecture()),
    })
}

/// As Go names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The response to a discovery path, or `None` for any other path. `aggregated` selects the format with
/// one response for all groups, which kubectl requests.
pub fn document(path: &str, aggregated: bool, server: &str) -> Option<Value> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    Some(match parts[..] {
        [""] => json!({"paths": paths()}),
        ["api"] if aggregated => aggregate([""].into_iter()),
        ["api"] => json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server}],
        }),
        ["apis"] if aggregated => aggregate(groups()),
        ["apis"] => json!({
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": groups().map(group).collect::<Vec<_>>(),
        }),
        ["apis", name] if groups().any(|group| group == name) => {
            let mut document = group(name);
            document["kind"] = "APIGroup".into();
            document["apiVersion"] = "v1".into();
            document
        }
        ["api", "v1"] => resources(""),
        ["apis", name, "v1"] if groups().any(|group| group == name) => resources(name),
        ["openapi", "v3"] => {
            let entry = |root: String| {
                let url = format!("/openapi/v3/{root}?hash={}", env!("CARGO_PKG_VERSION"));
                (root, json!({"serverRelativeURL": url}))
            };
            let roots = ["".to_owned()].into_iter().chain(groups().map(str::to_owned));
            json!({"paths": roots.map(|group| entry(root(&group))).collect::<Map<_, _>>()})
        }
        ["openapi", "v3", "api", "v1"] => openapi(""),
        ["openapi", "v3", "apis", name, "v1"] if groups().any(|group| group == name) => openapi(name),
        _ => return None,
    })
}

fn root(group: &str) -> String {
    if group.is_empty() { "api/v1".to_owned() } else { format!("apis/{group}/v1") }
}

fn paths() -> Vec<String> {
    let mut paths: Vec<String> =
        ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]
            .map(str::to_owned)
            .into();
    for group in groups() {
        paths.extend([format!("/apis/{group}"), format!("/apis/{group}/v1")]);
    }
    paths.sort();
    paths
}

fn of(group: &str) -> impl Iterator<Item = &'static Resource> {
    RESOURCES.iter().filter(move |resource| resource.group == group)
}

fn group(name: &str) -> Value {
    let version = json!({"groupVersion": api_version(name), "version": "v1"});
    json!({"name": name, "versions": [version], "preferredVersion": version})
}

fn resources(group: &str) -> Value {
    let mut list = Vec::new();
    for resource in of(group) {
        let mut entry = json!({
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.name,
            "verbs": resource.verbs,
        });
        for (key, values) in [("shortNames", resource.short_names), ("categories", resource.categories)] {
            if !values.is_empty() {
                entry[key] = json!(values);
            }
        }
        list.push(entry);
        for (subresource, verbs) in resource.subresources {
            list.push(json!({
                "name": format!("{}/{subresource}", resource.plural),
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": resource.name,
                "verbs": verbs,
            }));
        }
    }
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version(group), "resources": list})
}

fn aggregate(groups: impl Iterator<Item = &'static str>) -> Value {
    let items: Vec<Value> = groups
        .map(|group| {
            let resources: Vec<Value> = of(group).map(aggregated_resource).collect();
            json!({
                "metadata": if group.is_empty() { json!({}) } else { json!({"name": group}) },
                "versions": [{"version": "v1", "resources": resources, "freshness": "Current"}],
            })
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn aggregated_resource(resource: &Resource) -> Value {
    let kind = json!({"group": resource.group, "version": "v1", "kind": resource.name});
    let mut entry = json!({
        "resource": resource.plural,
        "responseKind": kind,
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": resource.verbs,
    });
    for (key, values) in [("shortNames", resource.short_names), ("categories", resource.categories)] {
        if !values.is_empty() {
            entry[key] = json!(values);
        }
    }
    if !resource.subresources.is_empty() {
        let subresources = resource.subresources.iter().map(
            |(subresource, verbs)| json!({"subresource": subresource, "responseKind": kind, "verbs": verbs}),
        );
        entry["subresources"] = subresources.collect();
    }
    entry
}

/// No schemas: only that a patch, a create and an update take `fieldValidation`, which is what kubectl
/// looks for before it leaves the checking to the server.
fn openapi(group: &str) -> Value {
    let parameters = json!(["dryRun", "fieldManager", "fieldValidation"].map(|name| {
        json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}})
    }));
    let mut paths = Map::new();
    for resource in of(group).filter(|resource| resource.is_kept()) {
        let operation = json!({
            "parameters": parameters,
            "responses": {},
            "x-kubernetes-group-version-kind": {"group": group, "version": "v1", "kind": resource.name},
        });
        let namespace = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
        let collection = format!("/{}{namespace}/{}", root(group), resource.plural);
        paths.insert(format!("{collection}/{{name}}"), json!({"patch": operation, "put": operation}));
        paths.insert(collection, json!({"post": operation}));
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "certctl-sandbox", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_listed_path_exists() {
        let answered = |path: &str| document(path, false, "").is_some();
        for path in paths() {
            let other = matches!(path.as_str(), "/healthz" | "/livez" | "/readyz" | "/version");
            assert_eq!(answered(&path), !other, "{path}");
        }
        let index = document("/openapi/v3", false, "").expect("an index");
        for entry in index["paths"].as_object().expect("paths").values() {
            let url = entry["serverRelativeURL"].as_str().expect("a URL");
            assert!(answered(url.split('?').next().unwrap_or_default()), "{url}");
        }
        assert!(
            !answered("/apis/apps") && !answered("/apis/apps/v1") && !answered("/openapi/v3/apis/apps/v1")
        );
    }

    #[test]
    fn both_formats_of_discovery_agree() {
        let all = document("/apis", true, "").expect("aggregated");
        for group in all["items"].as_array().expect("groups") {
            let name = group["metadata"]["name"].as_str().expect("a name");
            let plain = document(&format!("/apis/{name}/v1"), false, "").expect("plain");
            let resources = group["versions"][0]["resources"].as_array().expect("resources");
            let subresources: usize =
                resources.iter().map(|r| r["subresources"].as_array().map_or(0, Vec::len)).sum();
            assert_eq!(plain["resources"].as_array().map(Vec::len), Some(resources.len() + subresources));
        }
    }
}
