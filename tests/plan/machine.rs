//! A state machine: a team lives through anything, an apply may be cut off at any point, and after
//! every single effect of every apply the world is safe. `PROPTEST_CASES=5000 cargo test --release
//! --test plan machine` looks for longer.

use std::collections::{BTreeMap, BTreeSet};

use certctl::model::{CredentialGroup, Holder, Recipient, UserName};
use certctl::plan::observed::{Binding, BindingAt, SigningRequest};
use certctl::plan::{self, ClusterPlan, Plan, digest};
use certctl::record::{Credential, CredentialState, Record};
use certctl::render::{Style, text};
use certctl::roster::{self, Roster};
use jiff::SignedDuration;
use proptest::prelude::*;

use crate::story::{Story, ours, request, subject};
use crate::team::{GRANTS, GROUPS, Key, PEOPLE, Person, Team, Until};
use crate::world::{Course, Edit, Effect, End, Fault, There, World};

/// When something ends, in minutes from now; `None` is never.
type Ending = Option<i64>;

#[derive(Debug, Clone)]
enum Happening {
    Join(&'static str),
    Leave(&'static str),
    Rotate(&'static str),
    /// A recipient comes, or goes where it is there and not the last.
    Recipient(&'static str, u8),
    Member(&'static str, &'static str, Ending),
    NoMember(&'static str, &'static str),
    /// A personal grant, or one of a group.
    Grant(&'static str, usize, Ending),
    NoGrant(&'static str, usize),
    /// A grant moves from one group to the other, and so do its members.
    MoveGrant(usize),
    InCertificate(&'static str),
    Key(&'static str, Key),
    Until(&'static str, Ending),
    Protected(&'static str),
    Elsewhere(&'static str),
    Wait(i64),
    /// Somebody edits one of our bindings.
    Edit(usize, Edit),
    /// A binding of somebody's appears: under a name of their own, of another roster, or under ours.
    Binding(usize, &'static str),
    /// A request of somebody's appears: without labels, or with those of this or another roster.
    Request(usize, &'static str),
    Server(u8),
    /// The signer's limit, in days.
    Longest(i64),
    /// Whether the published address is of no use.
    There(There),
    /// Who applies from now on.
    Identity(&'static str),
    /// The next apply is made from a new checkout.
    Clone,
    /// The records are as they were after one of the applies.
    PutBack(usize),
    Apply(Course),
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening as H;
    let who = || prop::sample::select(&PEOPLE[..]);
    let group = || prop::sample::select(&GROUPS[..]);
    let grantee = || prop::sample::select(vec!["alice", "bob", "developers", "on-call"]);
    let grant = 0..GRANTS.len();
    let minutes = || prop::sample::select(vec![-1440, 5, 9, 11, 60, 1440, 7 * 1440, 20 * 1440, 31 * 1440]);
    let ending = move || prop_oneof![2 => Just(None), 1 => minutes().prop_map(Some)];
    let key = prop_oneof![
        prop::sample::select(vec![Key::Made("ecdsa-p256"), Key::Made("ed25519")]),
        (0..3usize, 0..2usize).prop_map(|(key, request)| Key::Own(key, request)),
    ];
    let wait = prop::sample::select(vec![1, 4, 6, 59, 61, 1440, 6 * 1440, 10 * 1440, 21 * 1440, 40 * 1440]);
    prop_oneof![
        8 => who().prop_map(H::Join),
        3 => who().prop_map(H::Leave),
        3 => who().prop_map(H::Rotate),
        4 => (who(), 0..3u8).prop_map(|(who, key)| H::Recipient(who, key)),
        3 => (who(), group(), ending()).prop_map(|(who, group, ending)| H::Member(who, group, ending)),
        2 => (who(), group()).prop_map(|(who, group)| H::NoMember(who, group)),
        3 => (grantee(), grant.clone(), ending()).prop_map(|(who, grant, ending)| H::Grant(who, grant, ending)),
        2 => (grantee(), grant).prop_map(|(who, grant)| H::NoGrant(who, grant)),
        3 => (0..8usize).prop_map(H::MoveGrant),
        1 => group().prop_map(H::InCertificate),
        2 => (who(), key).prop_map(|(who, key)| H::Key(who, key)),
        2 => (who(), ending()).prop_map(|(who, ending)| H::Until(who, ending)),
        1 => who().prop_map(H::Protected),
        1 => who().prop_map(H::Elsewhere),
        6 => wait.prop_map(H::Wait),
        4 => (0..9usize, edit()).prop_map(|(at, edit)| H::Edit(at, edit)),
        2 => (0..3usize, who()).prop_map(|(kind, who)| H::Binding(kind, who)),
        2 => (0..4usize, who()).prop_map(|(kind, who)| H::Request(kind, who)),
        1 => (0..3u8).prop_map(H::Server),
        1 => prop::sample::select(vec![1, 10, 3650]).prop_map(H::Longest),
        1 => prop::sample::select(vec![There::Works, There::NoAnswer, There::Useless]).prop_map(H::There),
        1 => prop::sample::select(vec!["certctl", "ci"]).prop_map(H::Identity),
        2 => Just(H::Clone),
        2 => (0..9usize).prop_map(H::PutBack),
        12 => course().prop_map(H::Apply),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        2 => Just(Edit::AddUser),
        4 => (0..64usize).prop_map(Edit::AddCredential),
        3 => (0..9usize).prop_map(Edit::Remove),
        1 => (0..9usize).prop_map(Edit::Twice),
        1 => Just(Edit::Role),
        1 => Just(Edit::Unlabel),
        2 => Just(Edit::Delete),
    ]
}

fn course() -> impl Strategy<Value = Course> {
    let fault = prop_oneof![
        4 => Just(Fault::Crash),
        2 => Just(Fault::Refused),
        2 => Just(Fault::Lost),
        2 => edit().prop_map(Fault::Meddled),
        1 => Just(Fault::Slow),
    ];
    let faults = prop_oneof![
        2 => Just(BTreeMap::new()),
        3 => prop::collection::btree_map(0..14usize, fault, 1..4),
    ];
    (faults, any::<u64>()).prop_map(|(faults, seed)| Course { faults, seed: Some(seed) })
}

struct Machine {
    team: Team,
    world: World,
    roster: Roster,
    /// Credentials that pushed records once called revoked.
    revoked: BTreeSet<String>,
    /// The records after each apply.
    history: Vec<BTreeMap<UserName, Record>>,
}

impl Machine {
    fn new() -> Self {
        let world = World::clone(&Story::of(""));
        let team = Team::new();
        Self { roster: read(&team), team, world, revoked: BTreeSet::new(), history: Vec::new() }
    }

    fn live(&mut self, happening: &Happening) {
        use Happening as H;
        let now = self.world.now;
        let at = |ending: &Ending| ending.map(|minutes| now + SignedDuration::from_mins(minutes));
        match happening {
            H::Join(who) => self.team.joins(who),
            H::Leave(who) => drop(self.team.people.remove(who)),
            H::Member(who, group, ending) => {
                self.change(who, |person| person.groups.extend([(*group, at(ending))]));
            }
            H::NoMember(who, group) => {
                self.change(who, |person| person.groups.retain(|name, _| name != group))
            }
            H::Grant(who, grant, ending) => {
                self.grants(who, |grants| grants.extend([(*grant, at(ending))]));
            }
            H::NoGrant(who, grant) => self.grants(who, |grants| grants.retain(|other, _| other != grant)),
            H::MoveGrant(number) => self.move_grant(*number),
            H::InCertificate(group) => {
                let group = self.team.groups.get_mut(group).expect("a group");
                group.in_certificate = !group.in_certificate;
            }
            H::Rotate(who) => self.change(who, |person| person.generation += 1),
            H::Key(who, key) => self.change(who, |person| person.key = *key),
            H::Until(who, ending) => self.change(who, |person| person.until = at(ending)),
            H::Protected(who) => self.change(who, |person| person.protected = !person.protected),
            H::Elsewhere(who) => self.change(who, |person| person.elsewhere = !person.elsewhere),
            H::Recipient(who, key) => self.change(who, |person| {
                if !person.recipients.remove(key) || person.recipients.is_empty() {
                    person.recipients.insert(*key);
                }
            }),
            H::Wait(minutes) => {
                self.world.now += SignedDuration::from_mins(*minutes);
                if *minutes > 60 {
                    // The cluster forgets a request that was signed.
                    self.world.cluster.state.requests.retain(|request| !request.issued);
                }
            }
            H::Edit(number, edit) => {
                let ours = bindings(&self.world, true);
                if let Some(at) = number.checked_rem(ours.len()) {
                    self.world.edit(&ours[at].at.clone(), *edit);
                }
            }
            H::Binding(kind, who) => self.foreign_binding(*kind, who),
            H::Request(kind, who) => self.foreign_request(*kind, who),
            H::Server(number) => {
                self.world.cluster.published.endpoint.server = format!("https://{number}.example.com")
            }
            H::There(there) => self.world.there = *there,
            H::Longest(days) => self.world.longest = SignedDuration::from_hours(24 * days),
            H::Identity(who) => self.world.cluster.identity = Some((*who).to_owned()),
            H::Clone => self.world.clone_anew(),
            H::PutBack(number) => {
                if let Some(at) = number.checked_rem(self.history.len()) {
                    let records = self.history[at].clone();
                    (self.world.repository.records, self.world.remote.records) = (records.clone(), records);
                    // What no note has reached is known from the records alone.
                    self.revoked.retain(|group| remembered(&self.world, group));
                }
            }
            H::Apply(course) => self.apply(course),
        }
        self.roster = read(&self.team);
        let brought = PEOPLE.iter().filter_map(|who| Some((who.parse().ok()?, self.team.brought(who)?)));
        self.world.repository.brought_keys = brought.collect();
    }

    fn change(&mut self, who: &str, change: impl FnOnce(&mut Person)) {
        if let Some(person) = self.team.people.get_mut(who) {
            change(person);
        }
    }

    fn grants(&mut self, who: &str, change: impl FnOnce(&mut BTreeMap<usize, Until>)) {
        let Team { people, groups } = &mut self.team;
        let of_group = groups.get_mut(who).map(|group| &mut group.grants);
        if let Some(grants) = of_group.or(people.get_mut(who).map(|person| &mut person.grants)) {
            change(grants);
        }
    }

    fn move_grant(&mut self, number: usize) {
        let [from, to] = if number.is_multiple_of(2) { GROUPS } else { [GROUPS[1], GROUPS[0]] };
        let grant = number / 2 % GRANTS.len();
        let groups = &mut self.team.groups;
        let until = groups.get_mut(from).and_then(|group| group.grants.remove(&grant));
        let to_group = groups.get_mut(to).expect("a group");
        to_group.grants.insert(grant, until.flatten());
        for person in self.team.people.values_mut() {
            if let Some(until) = person.groups.get(from).copied() {
                person.groups.insert(to, until);
            }
        }
    }

    fn foreign_binding(&mut self, kind: usize, who: &str) {
        let (name, labels) = match kind {
            0 => ("theirs", BTreeMap::new()),
            1 => ("certctl:others:view", of_another_roster()),
            _ => ("certctl:developers:view", BTreeMap::new()),
        };
        let at = BindingAt { namespace: None, name: name.into() };
        if self.world.binding(&at).is_some() {
            return;
        }
        let mut subjects = vec![subject("User", who)];
        subjects.extend(self.world.signed.last().map(|group| subject("Group", &group.to_string())));
        self.world.cluster.state.bindings.push(Binding {
            at,
            role_kind: "ClusterRole".into(),
            role_name: "view".into(),
            subjects,
            labels,
            uid: "theirs".into(),
            resource_version: "0".into(),
            finalizers: Vec::new(),
            deletion_requested: false,
        });
    }

    fn foreign_request(&mut self, kind: usize, who: &str) {
        let nobodys = "0000000000000000".parse().expect("an id");
        let group = CredentialGroup::new(&who.parse().expect("a name"), nobodys).to_string();
        let mut planted = request(&format!("certctl-acme-planted-{kind}-{who}"), who, &[&group]);
        planted.issued = kind == 3;
        planted.labels = match kind {
            0 => BTreeMap::new(),
            1 => of_another_roster(),
            _ => ours(),
        };
        self.world.cluster.state.requests.retain(|request| request.name != planted.name);
        self.world.cluster.state.requests.push(planted);
    }

    fn plan_of(&self, world: &World) -> ClusterPlan {
        let cluster = "prod".parse().expect("a name");
        plan::plan(&self.roster, &cluster, &world.repository, &world.cluster, world.now)
            .expect("nothing but another cluster stops a plan")
    }

    fn read_as(&self, world: &World) -> (String, String) {
        let clusters = vec![(&self.plan_of(world)).into()];
        let plan = Plan {
            roster: self.roster.name.clone(),
            roster_commit: None,
            now: world.now,
            roster_files: self.roster.files.clone(),
            clusters,
            unread: Vec::new(),
            base: None,
        };
        let digest = digest::digest(&plan);
        (text::render(&plan, &digest, Style::default()), digest)
    }

    /// One apply, looked at after each of its effects.
    fn apply(&mut self, course: &Course) {
        let said = self.read_as(&self.world);
        self.the_order_of_lists_says_nothing(&said, course);
        self.the_digest_is_not_the_clocks(&said, course);
        let plan = self.plan_of(&self.world);
        let held_back: BTreeSet<&str> =
            plan.held.iter().filter_map(|held| Some(held.user()?.as_str())).collect();
        let meddled = course.faults.values().any(|fault| matches!(fault, Fault::Meddled(_)));
        let only_deleted = course
            .faults
            .values()
            .all(|fault| !matches!(fault, Fault::Meddled(edit) if *edit != Edit::Delete));
        let slow = course.faults.values().any(|fault| *fault == Fault::Slow);
        let mut world = self.world.clone();
        let mut revoked = self.revoked.clone();
        let held = rights(&self.world);
        let mut witness = |before: &World, after: &World, effect: &Effect| {
            self.is_safe(before, after, effect, &revoked, &held_back, meddled);
            if !meddled {
                self.nobody_loses_what_they_keep(&plan, &held, after, effect);
            }
            if *effect == Effect::Pushed {
                let records = after.remote.records.iter();
                let credentials =
                    records.flat_map(|(user, record)| record.credentials.iter().map(move |c| (user, c)));
                let gone = credentials.filter(|(_, credential)| credential.state == CredentialState::Revoked);
                revoked.extend(gone.map(|(user, c)| CredentialGroup::new(user, c.id.clone()).to_string()));
            }
        };
        let end = world.apply(&plan, course, &mut witness);
        (self.world, self.revoked) = (world, revoked);
        self.history.push(self.world.remote.records.clone());
        if end == End::Done && plan.held.is_empty() && only_deleted && !slow {
            self.is_as_the_roster_says();
        }
    }

    /// What must hold after each single effect, wherever the process may end.
    fn is_safe(
        &self,
        before: &World,
        after: &World,
        effect: &Effect,
        revoked: &BTreeSet<String>,
        held: &BTreeSet<&str>,
        meddled: bool,
    ) {
        assert_eq!(of_others(before), of_others(after), "{effect:?} touched a binding of others");
        for binding in bindings(after, false) {
            let was = before.binding(&binding.at).expect("it was there");
            for subject in was.subjects.iter().filter(|subject| !binding.subjects.contains(subject)) {
                let group: CredentialGroup = subject.name.parse().expect("only our groups leave it");
                assert!(self.world.signed.contains(&group), "{group} is not ours");
            }
        }
        assert_eq!(
            requests_of_others(before),
            requests_of_others(after),
            "{effect:?} touched their requests"
        );
        // The plan was made from this world, and its clock.
        let now = self.world.now;
        let ours = bindings(after, true);
        for binding in &ours {
            let was = before.binding(&binding.at);
            if was.is_some_and(|was| was == *binding) {
                continue;
            }
            for subject in &binding.subjects {
                let new = was.is_none_or(|was| !was.subjects.contains(subject));
                let name = &subject.name;
                let (group, credential) = recorded(&after.repository.records, name)
                    .unwrap_or_else(|| panic!("{effect:?} left {name} bound, which no record knows"));
                self.may_hold(&group, credential, binding, held, now, effect);
                if new {
                    let (_, pushed) = recorded(&after.remote.records, name)
                        .unwrap_or_else(|| panic!("{name} is bound, and no pushed record knows it"));
                    assert_ne!(pushed.state, CredentialState::Revoked, "{name} is bound and revoked");
                    assert!(!revoked.contains(name), "{name} was revoked and is bound again");
                    assert!(!remembered(before, name), "{name} is remembered as revoked and is bound again");
                }
            }
        }
        for (user, record) in &after.repository.records {
            let active = record.credentials.iter().filter(|c| c.state == CredentialState::Active).count();
            assert!(active <= 1, "{user} has {active} active credentials");
        }
        if *effect == Effect::Onwards && !meddled {
            // Told without the plan: who has to go has gone, although nothing was issued or recorded yet.
            for binding in &ours {
                for subject in &binding.subjects {
                    let (group, credential) = recorded(&after.repository.records, &subject.name)
                        .unwrap_or_else(|| panic!("{} is still bound", subject.name));
                    self.may_hold(&group, credential, binding, held, now, effect);
                }
            }
        }
    }

    /// Who holds a role in a namespace before the apply, and is to hold it afterwards, holds it at each step.
    fn nobody_loses_what_they_keep(&self, plan: &ClusterPlan, held: &Rights, after: &World, effect: &Effect) {
        let now = self.world.now;
        let cut_off = |group: &CredentialGroup| {
            plan.people.iter().any(|action| action.cut_off().is_some_and(|old| old.credential == group.id))
        };
        let still = rights(after);
        for (group, before) in held {
            let Some((group, credential)) = recorded(&self.world.repository.records, group) else { continue };
            let who = person(&group.holder);
            if !self.team.accepts(who, credential, now)
                || cut_off(&group)
                || remembered(&self.world, &group.to_string())
            {
                continue;
            }
            for (at, (kind, name)) in self.team.bindings(who, now) {
                let right = (at.namespace, kind.to_owned(), name.to_owned());
                let keeps = still.get(&group.to_string()).is_some_and(|rights| rights.contains(&right));
                assert!(
                    !before.contains(&right) || keeps,
                    "{effect:?}: {group} has lost {right:?} meanwhile"
                );
            }
        }
    }

    fn may_hold(
        &self,
        group: &CredentialGroup,
        credential: &Credential,
        binding: &Binding,
        held: &BTreeSet<&str>,
        now: jiff::Timestamp,
        effect: &Effect,
    ) {
        let who = person(&group.holder);
        let accepted = match held.contains(who) {
            true => self.team.lets_keep(who, credential, now),
            false => self.team.accepts(who, credential, now),
        };
        assert!(accepted, "{effect:?}: {group} is bound, and may not be");
        // Who could not be put into the binding that the roster means stays in the old one for now: it gives
        // the same right.
        let role = (binding.role_kind.as_str(), binding.role_name.as_str());
        let granted = self.team.bindings(who, now);
        let same =
            granted.iter().any(|(at, granted)| at.namespace == binding.at.namespace && *granted == role);
        assert!(same, "{effect:?}: {group} in {}", binding.at);
    }

    /// After an apply that said that all was done.
    fn is_as_the_roster_says(&self) {
        let world = &self.world;
        let now = world.now;
        let plan = self.plan_of(world);
        assert!(plan.is_empty(), "something is left to do:\n{}", self.read_as(world).0);
        assert_eq!(world.repository.records, world.remote.records, "not pushed");

        let mut expected: BTreeMap<BindingAt, (BTreeSet<String>, (&str, &str))> = BTreeMap::new();
        for who in self.team.people.keys().filter(|who| self.team.has(who, now)) {
            let record = world.repository.records.get(&who.parse().expect("a name"));
            let credentials = record.map_or(&[][..], |record| &record.credentials);
            let bound: Vec<String> = credentials
                .iter()
                .filter(|credential| self.team.accepts(who, credential, now))
                .map(|c| CredentialGroup::new(&who.parse().expect("a name"), c.id.clone()).to_string())
                .collect();
            let long_enough =
                self.team.limit(who, now).is_none_or(|limit| now.duration_until(limit).as_mins() >= 10);
            assert!(!bound.is_empty() || !long_enough, "{who} has nothing");
            for (at, role) in self.team.bindings(who, now).into_iter().filter(|_| !bound.is_empty()) {
                expected.entry(at).or_insert((BTreeSet::new(), role)).0.extend(bound.iter().cloned());
            }
        }
        let found: BTreeMap<BindingAt, (BTreeSet<String>, (&str, &str))> = bindings(world, true)
            .into_iter()
            .map(|binding| {
                let subjects: BTreeSet<String> = binding.subjects.iter().map(|s| s.name.clone()).collect();
                assert_eq!(subjects.len(), binding.subjects.len(), "{} holds someone twice", binding.at);
                (binding.at.clone(), (subjects, (&*binding.role_kind, &*binding.role_name)))
            })
            .collect();
        assert_eq!(found, expected);
    }

    fn the_order_of_lists_says_nothing(&self, said: &(String, String), course: &Course) {
        let mut mixed = self.world.clone();
        let by = |name: &str| certctl::model::sha256(format!("{:?}{name}", course.seed).as_bytes());
        mixed.cluster.state.bindings.sort_by_key(|binding| by(&binding.at.to_string()));
        mixed.cluster.state.requests.sort_by_key(|request| by(&request.name));
        assert_eq!(self.read_as(&mixed), *said);
    }

    /// A plan that was approved on Monday still matches on Tuesday, unless it is about someone whose
    /// time runs out in between, or `until`, of them or of what is in their certificate, cuts it short,
    /// which counts as an edit.
    fn the_digest_is_not_the_clocks(&self, (before, monday): &(String, String), course: &Course) {
        let plan = self.plan_of(&self.world);
        let (now, records) = (self.world.now, &self.world.repository.records);
        let changes = plan.bindings.iter().flat_map(|binding| &binding.changes);
        let in_it: BTreeSet<UserName> = changes
            .filter_map(|change| Some(person(change.holder.as_ref()?).parse().expect("a name")))
            .chain(plan.people.iter().map(|action| action.user().clone()))
            .collect();
        let hours = [1, 24, 11 * 24][course.seed.unwrap_or(0) as usize % 3];
        let mut later = self.world.clone();
        later.now += SignedDuration::from_hours(hours);
        let passes = |until: jiff::Timestamp| now < until && until <= later.now;
        let credentials = |who: &UserName| records.get(who).map_or(&[][..], |record| &record.credentials);
        let ends = |who: &UserName| {
            self.team.ends(who.as_str(), now, later.now)
                || credentials(who).iter().any(|c| passes(c.not_after))
        };
        let cut_short = self.team.people.iter().any(|(who, person)| {
            let who = who.parse().expect("a name");
            let inside = person.groups.iter().filter(|(name, _)| self.team.groups[*name].in_certificate);
            let mut ends = inside.filter_map(|(_, until)| *until).chain(person.until);
            ends.any(|until| passes(until) && credentials(&who).iter().any(|c| c.not_after > until))
        });
        let too_short = plan.warnings.iter().any(|warning| warning.code() == "too-short");
        if cut_short || too_short || in_it.iter().any(ends) {
            return;
        }
        let (after, tuesday) = self.read_as(&later);
        assert_eq!(*monday, tuesday, "{hours} hours later:\n{before}\n{after}");
    }

    /// Whoever runs the cluster and the roster fixes what is held back.
    fn fix_what_is_held(&mut self) {
        self.world.there = There::Works;
        let needed: BTreeSet<BindingAt> =
            PEOPLE.iter().flat_map(|who| self.team.bindings(who, self.world.now).into_keys()).collect();
        let theirs = |binding: &Binding| binding.labels != ours() && needed.contains(&binding.at);
        self.world.cluster.state.bindings.retain(|binding| !theirs(binding));
        for person in self.team.people.values_mut() {
            if let Key::Own(key, _) = &mut person.key {
                *key += 100;
            }
        }
        self.live(&Happening::Wait(0));
    }
}

/// What each subject of our bindings may do: in which namespace, by which role.
type Rights = BTreeMap<String, BTreeSet<(Option<String>, String, String)>>;

fn rights(world: &World) -> Rights {
    let mut rights = Rights::new();
    for binding in bindings(world, true) {
        for subject in &binding.subjects {
            let right = (binding.at.namespace.clone(), binding.role_kind.clone(), binding.role_name.clone());
            rights.entry(subject.name.clone()).or_default().insert(right);
        }
    }
    rights
}

/// The one of the team whose groups have this name, or that name where it is nobody's.
fn person(holder: &Holder) -> &str {
    let whose = |who: &&&str| Holder::of(&who.parse().expect("a name")) == *holder;
    PEOPLE.iter().find(whose).copied().unwrap_or(holder.as_str())
}

fn read(team: &Team) -> Roster {
    let recipient = |text: &str| Ok(Recipient::accepted_by_age(text.to_owned()));
    let yaml = team.yaml();
    roster::parse("users.yaml", &yaml, &recipient).unwrap_or_else(|e| panic!("{yaml}\n{}", e.render(false)))
}

fn of_another_roster() -> BTreeMap<String, String> {
    let mut labels = ours();
    labels.insert("certctl.dev/roster".into(), "other".into());
    labels
}

/// The bindings that are ours, or those that are not.
fn bindings(world: &World, are_ours: bool) -> Vec<&Binding> {
    world.cluster.state.bindings.iter().filter(|binding| (binding.labels == ours()) == are_ours).collect()
}

/// The bindings of others, without what may be taken out of them.
fn of_others(world: &World) -> Vec<Binding> {
    let mut others: Vec<Binding> = bindings(world, false).into_iter().cloned().collect();
    for binding in &mut others {
        binding.resource_version.clear();
        binding.subjects.retain(|subject| !subject.name.starts_with(CredentialGroup::PREFIX));
    }
    others.sort_by(|a, b| a.at.cmp(&b.at));
    others
}

fn requests_of_others(world: &World) -> Vec<&SigningRequest> {
    let me = world.cluster.identity.as_ref();
    world.cluster.state.requests.iter().filter(|request| Some(&request.requester) != me).collect()
}

fn recorded<'r>(
    records: &'r BTreeMap<certctl::model::UserName, certctl::record::Record>,
    group: &str,
) -> Option<(CredentialGroup, &'r Credential)> {
    let group: CredentialGroup = group.parse().ok()?;
    let credential = group.holder.find_in(records)?.1.credentials.iter().find(|c| c.id == group.id)?;
    Some((group, credential))
}

/// Whether the cluster remembers a credential group as revoked.
fn remembered(world: &World, group: &str) -> bool {
    let ledger = world.cluster.ledger.known();
    let group: Option<CredentialGroup> = group.parse().ok();
    ledger.zip(group).is_some_and(|(ledger, group)| ledger.revoked.contains_key(&group.id))
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_effect_is_safe_and_the_next_apply_converges(
        happenings in prop::collection::vec(happening(), 1..40)
    ) {
        let mut machine = Machine::new();
        for happening in &happenings {
            machine.live(happening);
        }
        machine.fix_what_is_held();
        let uninterrupted = Course::default();
        machine.apply(&uninterrupted);
        machine.is_as_the_roster_says();
        // From a new checkout it looks the same.
        machine.world.clone_anew();
        machine.is_as_the_roster_says();
    }
}
