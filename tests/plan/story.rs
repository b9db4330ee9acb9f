//! A story: a roster, a make-believe cluster that obeys every plan, and a clock that one can turn, so
//! that it can go on for months in a microsecond.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

use certctl::error::Error;
use certctl::model::{Authority, CredentialId, Recipient, RepoPath, UserName};
use certctl::plan::endpoint::{Endpoint, PublishedEndpoint};
use certctl::plan::observed::{
    Binding, ClusterState, FileKind, LABEL_MANAGED_BY, LABEL_ROSTER, MANAGED_BY, RefusedFile, Roles,
    SeenCluster, SeenLedger, SigningRequest, Subject, UnknownCertificates, UnseenCluster,
};
use certctl::plan::{self, ClusterChanges, ClusterPlan, Observed, Plan, safety};
use certctl::rbac::PolicyRule;
use certctl::record::Credential;
use certctl::render::{Style, text, words};
use certctl::roster::{self, Roster, RosterParts};
use expect_test::Expect;
use jiff::SignedDuration;

use crate::world::{Course, End, Witness, World};

#[derive(Clone)]
pub struct Story {
    pub yaml: String,
    /// The parts that it includes.
    pub parts: Parts,
    /// Where nobody asks the cluster: what the roster says of it.
    pub unseen: Option<UnseenCluster>,
    world: World,
}

/// Parts in memory, by path.
#[derive(Clone, Default)]
pub struct Parts(pub BTreeMap<String, String>);

impl RosterParts for Parts {
    fn list(&self, folder: &str) -> Result<Option<Vec<String>>, Error> {
        let names =
            self.0.keys().filter_map(|path| path.strip_prefix(&format!("{folder}/")).map(str::to_owned));
        Ok(Some(names.collect()))
    }

    fn read(&self, path: &RepoPath) -> Result<String, Error> {
        self.0.get(path.as_str()).cloned().ok_or_else(|| Error::new("it is not there"))
    }

    fn shown(&self, path: &RepoPath) -> String {
        path.to_string()
    }

    fn is_roster(&self, path: &RepoPath) -> bool {
        path.as_str().eq_ignore_ascii_case("users.yaml")
    }
}

impl Deref for Story {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Story {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

/// The cluster of [`HEAD`].
pub const PROD: &str = "{name: prod, server: 'https://prod.example.com:6443'}";

pub const HEAD: &str = "apiVersion: certctl.dev/v1
kind: Roster
metadata: {name: acme}
clusters: [{name: prod, server: 'https://prod.example.com:6443'}]
";

pub const TEAM: &str = "groups:
- name: developers
  grants:
  - {clusterRole: view}
  - {clusterRole: edit, namespaces: [shop]}
users:
- {name: alice, recipients: [age1alice], groups: [developers]}
- {name: bob, recipients: [age1bob], groups: [developers]}
";

/// His line in [`TEAM`].
pub const BOB: &str = "- {name: bob, recipients: [age1bob], groups: [developers]}\n";

/// What a plan says on a terminal.
pub fn reads(story: &Story, expected: Expect) {
    expected.assert_eq(&story.text());
}

impl Story {
    /// The story begins with a team whose roster was applied a while ago.
    pub fn of(body: &str) -> Self {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        let state = ClusterState {
            uid: "uid-prod".into(),
            namespaces: names(&["default", "kube-system", "shop", "staging"]),
            namespace_labels: BTreeMap::new(),
            terminating: BTreeSet::new(),
            roles: roles(),
            bindings: Vec::new(),
            requests: Vec::new(),
        };
        let server = "https://prod.example.com:6443".into();
        let endpoint = Endpoint { server, authority: Authority::System };
        let published = PublishedEndpoint { endpoint, refused: None, passed_over: None };
        let ledger = SeenLedger::Missing;
        let unknown = UnknownCertificates::Known(BTreeSet::new());
        let cluster =
            SeenCluster { state, identity: Some("certctl".into()), published, unknown, clock: None, ledger };
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        Self {
            yaml: format!("{HEAD}{body}"),
            unseen: None,
            parts: Parts::default(),
            world: World::new(cluster, now),
        }
    }

    pub fn applied(body: &str) -> Self {
        let mut story = Self::of(body);
        story.apply();
        story
    }

    /// The same records, and no cluster to ask.
    pub fn offline(&mut self) -> &mut Self {
        self.unseen = Some(UnseenCluster::default());
        self
    }

    pub fn edit(&mut self, from: &str, to: &str) -> &mut Self {
        assert!(self.yaml.contains(from), "the roster has no `{from}`");
        self.yaml = self.yaml.replacen(from, to, 1);
        self
    }

    /// A request of theirs that brings this public key.
    pub fn brings(&mut self, user: &str, key: &[u8], request: &str) -> &mut Self {
        let brought = plan::BroughtKey {
            id: CredentialId::of_public_key(key),
            csr_sha256: request.into(),
            request: request.into(),
        };
        self.repository.brought_keys.insert(user.parse().expect("a name"), brought);
        self
    }

    /// A file about them that cannot be believed.
    pub fn refuses(&mut self, kind: FileKind, user: &str) -> &mut Self {
        let user: UserName = user.parse().expect("a name");
        if kind == FileKind::Record {
            self.repository.records.remove(&user);
        }
        let message = format!("{user}'s file is broken");
        let file = RefusedFile { kind, user: Some(user), position: None, message, hints: Vec::new() };
        self.repository.refused_files.push(file);
        self
    }

    pub fn wait(&mut self, text: &str) -> &mut Self {
        for part in text.split(' ') {
            self.now += match part.strip_suffix('d') {
                Some(days) => SignedDuration::from_hours(24 * days.parse::<i64>().expect("days")),
                None => part.parse().expect("a duration"),
            };
        }
        self
    }

    pub fn roster(&self) -> Roster {
        let recipient = |text: &str| Ok(Recipient::accepted_by_age(text.to_owned()));
        roster::parse_with_parts("users.yaml", &self.yaml, &recipient, &self.parts)
            .unwrap_or_else(|e| panic!("{}", e.render(false)))
    }

    pub fn try_plan(&self) -> Result<ClusterPlan, String> {
        let name = "prod".parse().expect("a name");
        plan::plan(&self.roster(), &name, &self.repository, &self.cluster, self.now)
            .map_err(|refusal| words::refused(&self.roster().name, &name, &refusal).render(false))
    }

    pub fn plan(&self) -> ClusterPlan {
        self.try_plan().unwrap_or_else(|e| panic!("{e}"))
    }

    fn changes(&self) -> ClusterChanges {
        let Some(unseen) = &self.unseen else { return (&self.plan()).into() };
        let name = "prod".parse().expect("a name");
        let plan = plan::plan_offline(&self.roster(), &name, &self.repository, unseen, self.now);
        (&plan).into()
    }

    pub fn observed(&self) -> Observed<'_> {
        match &self.unseen {
            Some(unseen) => Observed::unseen(&self.repository, unseen),
            None => Observed::seen(&self.repository, &self.cluster),
        }
    }

    pub fn whole(&self) -> Plan {
        self.with(self.changes())
    }

    /// All that a run shows of this one cluster.
    pub fn with(&self, changes: ClusterChanges) -> Plan {
        let roster = self.roster();
        Plan {
            roster: roster.name,
            roster_commit: None,
            now: self.now,
            roster_files: roster.files,
            clusters: vec![changes],
            unread: Vec::new(),
            base: None,
        }
    }

    /// What apply would say of those who lose access.
    pub fn withheld(&self, acknowledged: Option<usize>) -> Option<Error> {
        match safety::judge(&self.roster(), &self.whole(), acknowledged) {
            Ok(withheld) => withheld.map(|withheld| words::withheld(&withheld)),
            Err(wrong) => Some(words::wrong_acknowledgement(&wrong)),
        }
    }

    /// The plan without what safety withholds.
    pub fn safe_plan(&self) -> ClusterPlan {
        let mut plan = self.plan();
        if let Some(withheld) = safety::withheld(&self.roster(), &self.whole()) {
            plan.withhold(&withheld);
        }
        plan
    }

    /// Carries out what nobody has to acknowledge.
    pub fn apply_safely(&mut self) -> &mut Self {
        let plan = self.safe_plan();
        self.carry_out(&plan)
    }

    pub fn text(&self) -> String {
        match self.unseen.is_some().then_some(()).map_or_else(|| self.try_plan().map(drop), Ok) {
            Ok(()) => text::render(&self.whole(), "sha256:0", Style::default()),
            Err(error) => error,
        }
    }

    pub fn digest(&self) -> String {
        plan::digest::digest(&self.whole())
    }

    /// Carries out the plan, and waits until the cluster has forgotten the requests.
    pub fn apply(&mut self) -> &mut Self {
        let plan = self.plan();
        self.carry_out(&plan)
    }

    /// With faults, however it ends.
    pub fn carry_out_on(&mut self, plan: &ClusterPlan, course: &Course) -> End {
        self.world.apply(plan, course, &mut |_, _, _| {})
    }

    fn carry_out(&mut self, plan: &ClusterPlan) -> &mut Self {
        let end = self.world.apply(plan, &Course::default(), &mut |_, _, _| {});
        assert_eq!(end, End::Done);
        self.cluster.state.requests.clear();
        self
    }

    /// Carries out a plan that was made of this one.
    pub fn apply_plan(&mut self, plan: &ClusterPlan) -> End {
        self.world.apply(plan, &Course::default(), &mut |_, _, _| {})
    }

    /// Carries out the plan, with faults and a witness.
    pub fn try_apply(&mut self, course: &Course, witness: &mut Witness<'_>) -> End {
        let plan = self.plan();
        self.world.apply(&plan, course, witness)
    }

    /// Carries out a plan that may fail.
    pub fn apply_to(&mut self, plan: &ClusterPlan, course: &Course) -> End {
        self.world.apply(plan, course, &mut |_, _, _| {})
    }

    pub fn bound(&self, user: &str) -> BTreeSet<String> {
        let mine = format!("certctl:{user}:");
        let bindings = self.cluster.state.bindings.iter();
        bindings
            .flat_map(|b| &b.subjects)
            .map(|s| s.name.clone())
            .filter(|name| name.starts_with(&mine))
            .collect()
    }

    /// To be edited by hand, as a record in a branch can be.
    pub fn credentials(&mut self, user: &str) -> &mut Vec<Credential> {
        let user: UserName = user.parse().expect("a name");
        &mut self.world.repository.records.get_mut(&user).expect("a record").credentials
    }

    pub fn record(&self, user: &str) -> &[Credential] {
        let user: UserName = user.parse().expect("a name");
        self.repository.records.get(&user).map_or(&[], |record| &record.credentials)
    }

    pub fn binding(&mut self, name: &str) -> &mut Binding {
        self.cluster.state.bindings.iter_mut().find(|b| b.at.name == name).expect("a binding")
    }
}

/// Those of the cluster, by name only, but for the one that allows everything.
fn roles() -> Roles {
    let empty = ["view", "edit", "admin"].map(|name| (name.to_owned(), Vec::new()));
    let everything = rule(&["*"], &["*"], &["*"]);
    let admin = ("cluster-admin".to_owned(), vec![everything]);
    Roles {
        cluster_roles: empty.into_iter().chain([admin]).collect(),
        roles: [(("shop".to_owned(), "deployer".to_owned()), Vec::new())].into(),
    }
}

/// A rule on everything that is so called.
pub fn rule(verbs: &[&str], groups: &[&str], resources: &[&str]) -> PolicyRule {
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    PolicyRule {
        verbs: list(verbs),
        api_groups: list(groups),
        resources: list(resources),
        ..PolicyRule::default()
    }
}

pub fn ours() -> std::collections::BTreeMap<String, String> {
    [(LABEL_MANAGED_BY, MANAGED_BY), (LABEL_ROSTER, "acme")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

pub fn subject(kind: &str, name: &str) -> Subject {
    Subject { kind: kind.into(), name: name.into(), namespace: None }
}

pub fn request(name: &str, cn: &str, organizations: &[&str]) -> SigningRequest {
    SigningRequest {
        name: name.into(),
        uid: "uid".into(),
        labels: Default::default(),
        created: None,
        signer_name: "kubernetes.io/kube-apiserver-client".into(),
        requester: "mallory".into(),
        common_name: Some(cn.into()),
        key: Some("0000000000000000".parse().expect("an id")),
        organizations: organizations.iter().map(|o| (*o).to_owned()).collect(),
        conditions: Vec::new(),
        issued: false,
    }
}
