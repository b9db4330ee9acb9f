//! An adversary beside an apply: before any of its calls, somebody with `admin` in a namespace, somebody who may
//! create CertificateSigningRequests, and somebody who reads the records act together, at random. What the apply
//! revokes is in effect at its end, or it fails and names what is not.
//!
//! `FAULTS_SEED` repeats a run: its seed is in the name of what failed.

use std::sync::mpsc;
use std::thread;

use base64::Engine as _;
use certctl::model::CredentialGroup;
use certctl_sandbox::Sandbox;
use certctl_sandbox::faults::{Fault, On, Turn};
use serde_json::{Value, json};

use crate::checks;
use crate::fixture::{Fixture, World};
use crate::matrix::{self, Case, End};
use crate::scenarios::SCENARIOS;

/// Runs at once; each waits for its adversary, and mostly for the processors.
const AT_ONCE: usize = 6;

/// Runs of each scenario.
const RUNS: u64 = 8;

pub const RBAC: &str = "rbac.authorization.k8s.io";

/// The namespace that the adversary is admin of.
const NAMESPACE: &str = "default";

pub fn what_is_revoked_stays_so_beside_an_adversary() {
    let scenarios = SCENARIOS.iter().filter(|scenario| !scenario.cut_off.is_empty());
    let fixtures: Vec<Fixture> = scenarios.map(Fixture::new).collect();
    let given = std::env::var("FAULTS_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let seeds = given.map_or(1..=RUNS, |seed: u64| seed..=seed);
    let note = format!("Seeds: {seeds:?}; FAULTS_SEED=N repeats one.");
    let runs = fixtures.iter().flat_map(|fixture| seeds.clone().map(move |seed| Beside { fixture, seed }));
    matrix::try_all(runs, AT_ONCE, "adversary", "An adversary beside an apply: runs by scenario", &note);
}

/// One apply, and the adversary of one seed.
struct Beside<'a> {
    fixture: &'a Fixture,
    seed: u64,
}

impl Case for Beside<'_> {
    fn row(&self) -> &'static str {
        "adversary"
    }

    fn column(&self) -> &'static str {
        self.fixture.scenario.name
    }

    fn name(&self) -> String {
        format!("{}, FAULTS_SEED={}", self.fixture.scenario.name, self.seed)
    }

    fn may_not_come(&self) -> bool {
        false
    }

    fn try_it(&self) -> Result<End, String> {
        let world = self.fixture.copy();
        let recorded = checks::recorded(&world);
        let known = recorded.iter().flat_map(|record| {
            record.credentials.iter().map(|c| CredentialGroup::new(&record.user, c.id.clone()))
        });
        let known = known.map(|group| group.to_string()).collect();
        let mut adversary =
            Adversary { sandbox: &world.sandbox, random: Random(self.seed), known, acts: Vec::new() };
        let (listener, turns) = mpsc::channel();
        world.sandbox.faults().set([(On::From(1), Fault::Turn(listener))]);
        let apply = world.start(world.apply_command());
        let (ran, acts) = thread::scope(|scope| {
            let acting = scope.spawn(move || {
                turns.iter().for_each(|turn| adversary.take(&turn));
                adversary.acts
            });
            let ran = apply.end();
            // Nobody sends any more.
            world.sandbox.faults().clear();
            (ran, acting.join().expect("the adversary"))
        });
        let failed = |why: String| format!("{why}\nacts: {acts:#?}\napply ({:?}):\n{}", ran.code, ran.said);
        let named = |group: &CredentialGroup| {
            let about = format!("- {} on prod:", group.holder);
            ran.said.lines().any(|line| line.contains(&about) && line.contains("NOT CUT OFF"))
        };
        for (binding, group) in still_in(self.fixture, &world) {
            if ran.code != Some(1) || !named(&group) {
                return Err(failed(format!("{binding} names {group}, and that is not told")));
            }
        }
        if !matches!(ran.code, Some(0 | 1)) {
            return Err(failed("it did not end by itself".to_owned()));
        }
        checks::nothing_unrecorded_is_bound_everywhere(&world).map_err(failed)?;
        // Left alone, the next one cuts off all of them, whatever else it holds back.
        let again = world.apply();
        if let Some((binding, group)) = still_in(self.fixture, &world).pop() {
            let why = format!("after the next run ({:?}), {binding} names {group}", again.code);
            return Err(failed(format!("{why}:\n{}", again.said)));
        }
        checks::no_key_is_left(&world, &(ran.said.clone() + &again.said))?;
        Ok(if acts.is_empty() { End::NeverCame(ran.said) } else { End::Converged })
    }
}

/// The bindings, whoever's, that name what was to be cut off.
fn still_in(fixture: &Fixture, world: &World) -> Vec<(String, CredentialGroup)> {
    let mut found = Vec::new();
    for resource in ["clusterrolebindings", "rolebindings"] {
        for binding in world.sandbox.list(RBAC, resource) {
            let subjects = binding["subjects"].as_array().cloned().unwrap_or_default();
            let names = |group: &&CredentialGroup| subjects.iter().any(|s| s["name"] == group.to_string());
            let named = fixture.cut_off.iter().filter(names);
            found.extend(named.map(|group| (binding["metadata"]["name"].to_string(), group.clone())));
        }
    }
    found
}

/// Splitmix64: a seed tells the whole sequence.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).expect("below a usize")
    }

    fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }
}

struct Adversary<'a> {
    sandbox: &'a Sandbox,
    random: Random,
    /// Every credential group that the records tell, old and new.
    known: Vec<String>,
    /// What was done, for a report.
    acts: Vec<String>,
}

impl Adversary<'_> {
    /// Acts before a call, or lets it pass. The lock is not theirs to write, and after the last list of role
    /// bindings whatever they do is another day's.
    fn take(&mut self, turn: &Turn) {
        let passes =
            matches!(turn.resource.as_str(), "leases" | "clusterrolebindings") && turn.verb != "patch";
        if passes || self.random.below(3) == 0 {
            return;
        }
        let act = match self.random.below(10) {
            0 => self.plant(),
            1 => self.change("labels off", |binding, _| {
                binding["metadata"]["labels"] = json!({});
            }),
            2 => self.change("labels of another roster", |binding, _| {
                binding["metadata"]["labels"]["certctl.dev/roster"] = json!("other");
            }),
            3 => self.change("a finalizer", |binding, _| {
                binding["metadata"]["finalizers"] = json!(["example.com/keep"]);
            }),
            4 => self.change("a conflict", |binding, random| {
                binding["metadata"]["annotations"] = json!({ "touched": random.below(1000).to_string() });
            }),
            5 => self.change("mallory", |binding, _| add(binding, "User", "mallory")),
            6 => {
                let group = self.random.pick(&self.known).clone();
                self.change("a credential of the records", move |binding, _| add(binding, "Group", &group))
            }
            7 => self.change("another role", |binding, _| {
                binding["roleRef"]["name"] = json!("admin");
                binding["metadata"]["uid"] = json!("00000000-0000-4000-8000-000000000000");
            }),
            8 => self.delete(),
            _ => self.request(),
        };
        self.acts.push(format!("before {} {}: {act}", turn.verb, turn.resource));
    }

    /// A binding of a credential, with our labels, another roster's or none.
    fn plant(&mut self) -> String {
        let labels = [
            json!({}),
            json!({"app.kubernetes.io/managed-by": "certctl", "certctl.dev/roster": "acme"}),
            json!({"app.kubernetes.io/managed-by": "certctl", "certctl.dev/roster": "other"}),
        ];
        let (labels, group) = (self.random.pick(&labels).clone(), self.random.pick(&self.known).clone());
        let name = format!("planted-{}", self.random.below(3));
        let role = json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": "admin"});
        let mut binding = json!({
            "apiVersion": format!("{RBAC}/v1"), "kind": "RoleBinding", "roleRef": role,
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}, "subjects": [],
        });
        add(&mut binding, "Group", &group);
        self.sandbox.put(binding).expect("a binding");
        format!("{name} of {group}, labelled {labels}")
    }

    /// Changes some binding in the namespace.
    fn change(&mut self, what: &str, edit: impl FnOnce(&mut Value, &mut Random)) -> String {
        let Some(mut binding) = self.some_binding() else { return format!("{what}: nothing to change") };
        edit(&mut binding, &mut self.random);
        let name = binding["metadata"]["name"].to_string();
        self.sandbox.put(binding).expect("a binding");
        format!("{what}: {name}")
    }

    fn delete(&mut self) -> String {
        let Some(binding) = self.some_binding() else { return "nothing to delete".to_owned() };
        let name = binding["metadata"]["name"].as_str().expect("a name");
        self.sandbox.remove(RBAC, "rolebindings", NAMESPACE, name);
        format!("deleted: {name}")
    }

    fn some_binding(&mut self) -> Option<Value> {
        let mut bindings = self.sandbox.list(RBAC, "rolebindings");
        bindings.retain(|binding| binding["metadata"]["namespace"] == NAMESPACE);
        (!bindings.is_empty()).then(|| self.random.pick(&bindings).clone())
    }

    /// A request for somebody's credential group, with our labels.
    fn request(&mut self) -> String {
        let group = self.random.pick(&self.known).clone();
        let user = group.split(':').nth(1).expect("a user").to_owned();
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, user.as_str());
        params.distinguished_name.push(rcgen::DnType::OrganizationName, group.as_str());
        let key = rcgen::KeyPair::generate().expect("a key");
        let pem = params.serialize_request(&key).expect("a request").pem().expect("PEM");
        let name = format!("certctl-acme-{}", self.random.below(1000));
        let request = json!({
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
            "metadata": {"name": name, "labels": {
                "app.kubernetes.io/managed-by": "certctl", "certctl.dev/roster": "acme",
            }},
            "spec": {
                "request": base64::engine::general_purpose::STANDARD.encode(pem), "usages": ["client auth"],
                "signerName": "kubernetes.io/kube-apiserver-client", "username": "mallory",
            },
        });
        self.sandbox.put(request).expect("a request");
        format!("{name} asks for {group}")
    }
}

fn add(binding: &mut Value, kind: &str, name: &str) {
    let subject = json!({"apiGroup": RBAC, "kind": kind, "name": name});
    match binding["subjects"].as_array_mut() {
        Some(subjects) => subjects.push(subject),
        None => binding["subjects"] = json!([subject]),
    }
}
