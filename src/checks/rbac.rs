//! Whether a cluster grants certctl's identities what `bootstrap` would grant them: no less, and no more.

use serde_json::Value;

use super::{CheckArea, Checks};
use crate::cluster::{self, Connection};
use crate::error::{Error, Result};
use crate::model::ClusterName;
use crate::render::first_of;
use crate::rights::manifest::granted;

/// Rules named in one line.
const MOST: usize = 5;

/// Compares each object with what the cluster has under its name.
pub async fn compare(name: &ClusterName, connection: &Connection, objects: &[Value], checks: &mut Checks) {
    for object in objects.iter().filter(|object| object["apiVersion"] != "v1") {
        let text = |field: &str| object["metadata"][field].as_str();
        let kind = object["kind"].as_str().unwrap_or_default();
        let check = format!("{kind} {}", text("name").unwrap_or_default());
        let there =
            cluster::rbac_object(connection, kind, text("namespace"), text("name").unwrap_or_default()).await;
        let result = there.and_then(|there| same(object, there.as_ref()));
        checks.judge(CheckArea::Rbac, Some(name), &check, result.map(|()| ""));
    }
}

fn same(wanted: &Value, there: Option<&Value>) -> Result<()> {
    let wrong =
        |fact: String| Err(Error::new(fact).hint("apply what `certctl bootstrap` prints with kubectl"));
    let Some(there) = there else { return wrong("it is not there".to_owned()) };
    let (needed, found) = (granted(&wanted["rules"]), granted(&there["rules"]));
    let list = |rules: Vec<&[String; 4]>| {
        let named = rules.iter().map(|[_, resource, name, verb]| {
            if name.is_empty() { format!("{verb} {resource}") } else { format!("{verb} {resource} `{name}`") }
        });
        first_of(named, MOST)
    };
    let missing: Vec<_> = needed.difference(&found).collect();
    if !missing.is_empty() {
        return wrong(format!("it lacks {}", list(missing)));
    }
    let besides: Vec<_> = found.difference(&needed).collect();
    if !besides.is_empty() {
        return wrong(format!("it also grants {}", list(besides)));
    }
    if ["kind", "name"].iter().any(|field| wanted["roleRef"][field] != there["roleRef"][field]) {
        return wrong("it is for another role".to_owned());
    }
    let subjects = |object: &Value| {
        let subjects = object["subjects"].as_array().into_iter().flatten();
        let mut names: Vec<String> = subjects
            .map(|it| {
                ["kind", "namespace", "name"].map(|field| it[field].as_str().unwrap_or_default()).join("/")
            })
            .collect();
        names.sort();
        names
    };
    if subjects(wanted) != subjects(there) {
        return wrong("it is bound to others".to_owned());
    }
    Ok(())
}
