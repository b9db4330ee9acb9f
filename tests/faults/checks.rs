//! What must be true, whatever failed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use certctl::model::CredentialGroup;
use certctl::record::{self, CredentialState, Record};
use memchr::memmem;
use serde_json::Value;

use crate::adversary::RBAC;
use crate::fixture::{Fixture, World, text};

/// The records in the branch that everyone pulls.
pub fn recorded(world: &World) -> Vec<Record> {
    let origin = git2::Repository::open_bare(world.path("origin.git")).expect("a repository");
    let tip = origin.find_reference("refs/heads/main").and_then(|main| main.peel_to_tree()).expect("a tree");
    let Ok(folder) = tip.get_path("access/prod".as_ref()) else { return Vec::new() };
    let folder = origin.find_tree(folder.id()).expect("a folder");
    let records = folder.iter().filter_map(|entry| {
        let name = entry.name().ok()?.to_owned();
        let is_record = name.ends_with(".yaml") && name != "cluster.yaml";
        let blob = is_record.then(|| origin.find_blob(entry.id()).expect("a file"))?;
        let text = std::str::from_utf8(blob.content()).expect("UTF-8").to_owned();
        Some(record::from_yaml(&name, &text).unwrap_or_else(|error| panic!("{name}: {error}")))
    });
    records.collect()
}

/// Who is bound, by binding: every binding of certctl's names, with its labels or without.
pub fn bound(world: &World) -> BTreeMap<String, BTreeSet<CredentialGroup>> {
    bindings(world, &["clusterrolebindings", "rolebindings"])
}

/// Who is bound by one kind of binding.
pub fn bound_by(world: &World, resource: &str) -> BTreeSet<CredentialGroup> {
    bindings(world, &[resource]).into_values().flatten().collect()
}

fn bindings(world: &World, resources: &[&str]) -> BTreeMap<String, BTreeSet<CredentialGroup>> {
    let mut all = BTreeMap::new();
    for resource in resources {
        for object in world.sandbox.list("rbac.authorization.k8s.io", resource) {
            let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
            let subjects = object["subjects"].as_array().cloned().unwrap_or_default();
            let names = subjects.iter().map(|subject| subject["name"].as_str().expect("a name"));
            let ours: Vec<&str> = names.filter(|name| name.starts_with("certctl:")).collect();
            if ours.is_empty() && object["metadata"]["labels"]["certctl.dev/roster"] != "acme" {
                continue;
            }
            assert_eq!(ours.len(), subjects.len(), "{name} binds others too");
            let groups = ours.iter().map(|group| group.parse().expect("a group"));
            let known = all.insert(name, groups.collect());
            assert!(known.is_none(), "two bindings of one name");
        }
    }
    all
}

fn bound_anywhere(world: &World) -> BTreeSet<CredentialGroup> {
    bound(world).into_values().flatten().collect()
}

/// True at every moment: what is bound is recorded where everyone sees it.
pub fn nothing_unrecorded_is_bound(world: &World) -> Result<(), String> {
    match bound_anywhere(world).difference(&recorded_groups(world)).next() {
        Some(group) => Err(format!("{group} is bound, and no pushed record holds it")),
        None => Ok(()),
    }
}

/// The same, of the bindings that only cluster-wide rights can write.
pub fn nothing_unrecorded_is_bound_everywhere(world: &World) -> Result<(), String> {
    let recorded = recorded_groups(world);
    match bound_by(world, "clusterrolebindings").difference(&recorded).next() {
        Some(group) => Err(format!("{group} is bound everywhere, and no pushed record holds it")),
        None => Ok(()),
    }
}

fn recorded_groups(world: &World) -> BTreeSet<CredentialGroup> {
    let groups = recorded(world).into_iter().flat_map(|record| {
        let Record { user, credentials, .. } = record;
        credentials.into_iter().map(move |c| CredentialGroup::new(&user, c.id))
    });
    groups.collect()
}

/// What was to be revoked is gone.
pub fn is_cut_off(fixture: &Fixture, world: &World) -> Result<(), String> {
    let bound = bound_anywhere(world);
    match fixture.cut_off.iter().find(|group| bound.contains(group)) {
        Some(group) => Err(format!("{group} should have been cut off")),
        None => Ok(()),
    }
}

/// What somebody else made under a name of ours.
pub fn foreign() -> Value {
    serde_json::json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "RoleBinding",
        "metadata": {"name": "certctl:team:admin", "namespace": "default"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "somebody"}],
    })
}

/// True once an apply succeeded: exactly what the roster says, and one active credential each.
pub fn as_the_roster_says(fixture: &Fixture, world: &World) -> Result<(), String> {
    nothing_unrecorded_is_bound(world)?;
    is_cut_off(fixture, world)?;
    let scenario = fixture.scenario;
    let mut wanted = BTreeSet::new();
    let wanted_users: BTreeSet<&str> = scenario.after.iter().map(|(name, _)| *name).collect();
    for record in recorded(world) {
        let user = record.user.as_str();
        let of = |state: CredentialState| record.credentials.iter().filter(move |c| c.state == state);
        let active = of(CredentialState::Active).count();
        let superseded = of(CredentialState::Superseded).count();
        let expected =
            (usize::from(wanted_users.contains(user)), usize::from(scenario.overlapping.contains(&user)));
        if (active, superseded) != expected {
            return Err(format!("{user} has {active} active and {superseded} superseded credentials"));
        }
        let live = of(CredentialState::Active).chain(of(CredentialState::Superseded));
        wanted.extend(live.map(|c| CredentialGroup::new(&record.user, c.id.clone())));
    }
    let recorded: BTreeSet<&str> = wanted.iter().map(|group| group.holder.as_str()).collect();
    if recorded != wanted_users {
        return Err(format!("the records are of {recorded:?}"));
    }
    let bindings = bound(world);
    let names: Vec<&str> = bindings.keys().map(String::as_str).collect();
    if names != ["certctl:team:edit", "certctl:team:view"] {
        return Err(format!("the bindings are {names:?}"));
    }
    match bindings.iter().find(|(_, subjects)| **subjects != wanted) {
        Some((name, subjects)) => Err(format!("{name} holds {subjects:?}, not {wanted:?}")),
        None => Ok(()),
    }
}

/// As the roster says, a plan with nothing in it, a kubeconfig that decrypts, a clean working tree.
pub fn converges(fixture: &Fixture, world: &World) -> Result<(), String> {
    as_the_roster_says(fixture, world)?;
    if fixture.scenario.holds {
        let bindings = world.sandbox.list(RBAC, "rolebindings");
        let theirs = bindings.iter().find(|binding| binding["metadata"]["name"] == "certctl:team:admin");
        if theirs.is_none_or(|binding| binding["subjects"] != foreign()["subjects"]) {
            return Err(format!("somebody's own binding is not as it was: {theirs:?}"));
        }
    }
    let plan = world.plan();
    if plan.code != Some(0) {
        return Err(format!("the plan is not empty:\n{}", plan.said));
    }
    let opened = world.certctl(&["decrypt", "alice", "-i", "../alice.key"]).output().expect("certctl starts");
    if !opened.status.success() {
        return Err(format!("alice cannot open hers:\n{}", text(&opened.stderr)));
    }
    let status = git2::Repository::open(world.path("repo")).expect("a repository");
    let statuses = status.statuses(None).expect("a status");
    match statuses.iter().next() {
        Some(entry) => Err(format!("{:?} is not committed", entry.path())),
        None => Ok(()),
    }
}

#[track_caller]
pub fn converged(fixture: &Fixture, world: &World) {
    if let Err(why) = converges(fixture, world) {
        panic!("{}, with nothing broken: {why}", fixture.scenario.name);
    }
}

/// What a PKCS#8 key on the curve P-256, which certctl makes by default, has near its beginning and its
/// public half has not: as DER, in PEM, and as a kubeconfig holds it.
const BEGINNINGS: [&[u8]; 4] = [
    b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04",
    b"MBMGByqGSM49AgEGCCqGSM49AwEHBG0",
    b"PRIVATE KEY-----",
    b"LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t",
];

/// No key anywhere: in the output, on the disk, in git.
pub fn no_key_is_left(world: &World, said: &str) -> Result<(), String> {
    let clean = |what: &str, bytes: &[u8]| {
        let found = BEGINNINGS.iter().any(|key| memmem::find(bytes, key).is_some());
        if found { Err(format!("a private key is in {what}")) } else { Ok(()) }
    };
    clean("the output", said.as_bytes())?;
    for repository in ["repo", "origin.git"] {
        let git = git2::Repository::open(world.path(repository)).expect("a repository");
        let objects = git.odb().expect("objects");
        let mut result = Ok(());
        objects
            .foreach(|id| {
                let object = objects.read(*id).expect("an object");
                result = clean(&format!("{repository}, object {id}"), object.data());
                result.is_ok()
            })
            .or_else(|error| if result.is_err() { Ok(()) } else { Err(error) })
            .expect("all objects");
        result?;
    }
    let mut folders = vec![world.path("repo"), world.path("tmp"), world.path("home")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                clean(&entry.path().display().to_string(), &fs::read(entry.path()).unwrap_or_default())?;
            }
        }
    }
    Ok(())
}
