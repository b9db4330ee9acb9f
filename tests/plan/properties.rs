//! What holds whatever happens: a team lives through random changes, and after each apply nothing is
//! left to do, nobody is bound who should not be, and nothing of others was touched.

use std::collections::{BTreeMap, BTreeSet};

use certctl::plan::observed::{self, Binding};
use certctl::record::State;
use jiff::SignedDuration;
use proptest::prelude::*;

use crate::story::{HEAD, Story, ours, request, subject};

const PEOPLE: [&str; 5] = ["alice", "bob", "carol", "dana", "erin"];

/// Someone as the roster has them.
#[derive(Debug, Clone)]
struct Person {
    recipients: BTreeSet<u8>,
    generation: u32,
    groups: BTreeSet<&'static str>,
    key: &'static str,
    until_day: Option<u32>,
}

#[derive(Debug, Clone)]
enum Happening {
    Join(usize),
    Leave(usize),
    Rotate(usize),
    Recipient(usize, u8),
    Group(usize, &'static str),
    Key(usize, &'static str),
    Until(usize, u32),
    Wait(u32),
    /// Someone adds a subject to one of our bindings, or takes one out.
    Drift(usize, bool),
    /// Someone deletes one of our bindings.
    Delete(usize),
    /// Someone makes a binding, and a request, of their own.
    Foreign(usize),
    Server(u8),
    Apply,
    /// An apply that was cut off after it had revoked, before anything was recorded.
    CutOff,
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening as H;
    let who = 0..PEOPLE.len();
    prop_oneof![
        3 => who.clone().prop_map(H::Join),
        2 => who.clone().prop_map(H::Leave),
        2 => who.clone().prop_map(H::Rotate),
        2 => (who.clone(), 0..3u8).prop_map(|(who, key)| H::Recipient(who, key)),
        2 => (who.clone(), prop_oneof![Just("developers"), Just("on-call")]).prop_map(|(who, group)| H::Group(who, group)),
        1 => (who.clone(), prop_oneof![Just("ed25519"), Just("ecdsa-p256")]).prop_map(|(who, key)| H::Key(who, key)),
        1 => (who, 1..90u32).prop_map(|(who, day)| H::Until(who, day)),
        3 => (1..40u32).prop_map(H::Wait),
        2 => (0..8usize, any::<bool>()).prop_map(|(at, adds)| H::Drift(at, adds)),
        1 => (0..8usize).prop_map(H::Delete),
        1 => (0..PEOPLE.len()).prop_map(H::Foreign),
        1 => (0..3u8).prop_map(H::Server),
        4 => Just(H::Apply),
        1 => Just(H::CutOff),
    ]
}

struct World {
    story: Story,
    people: BTreeMap<&'static str, Person>,
    /// Credential groups that were revoked once.
    revoked: BTreeSet<String>,
    day: u32,
}

impl World {
    fn new() -> Self {
        let mut world =
            Self { story: Story::of(""), people: BTreeMap::new(), revoked: BTreeSet::new(), day: 0 };
        world.write();
        world
    }

    fn write(&mut self) {
        let mut yaml = format!(
            "{HEAD}groups:\n- {{name: developers, grants: [{{clusterRole: view}}, {{clusterRole: edit, namespaces: [shop]}}]}}\n\
             - {{name: on-call, grants: [{{role: deployer, namespaces: [shop]}}]}}\nusers:\n"
        );
        for (name, person) in &self.people {
            let recipients: Vec<String> =
                person.recipients.iter().map(|key| format!("age1{name}{key}")).collect();
            let groups: Vec<&str> = person.groups.iter().copied().collect();
            let until = person.until_day.map_or(String::new(), |day| {
                let at = self.story_start() + SignedDuration::from_hours(24 * i64::from(day));
                format!(", until: \"{at}\"")
            });
            yaml += &format!(
                "- {{name: {name}, recipients: [{}], groups: [{}], generation: {}, key: {}{until}}}\n",
                recipients.join(", "),
                groups.join(", "),
                person.generation,
                person.key
            );
        }
        if self.people.is_empty() {
            yaml = yaml.replace("users:\n", "users: []\n");
        }
        self.story.yaml = yaml;
    }

    fn story_start(&self) -> jiff::Timestamp {
        "2026-01-01T00:00:00Z".parse().expect("a time")
    }

    fn live(&mut self, happening: &Happening) {
        use Happening as H;
        let new = Person {
            recipients: [0].into(),
            generation: 1,
            groups: ["developers"].into(),
            key: "ecdsa-p256",
            until_day: None,
        };
        match happening {
            H::Join(who) => drop(self.people.entry(PEOPLE[*who]).or_insert(new)),
            H::Leave(who) => drop(self.people.remove(PEOPLE[*who])),
            H::Wait(days) => {
                self.day += days;
                self.story.wait(&format!("{days}d"));
            }
            H::Drift(at, adds) => {
                if let Some(binding) = self.ours(*at) {
                    if *adds {
                        binding.subjects.push(subject("User", "mallory"));
                    } else {
                        binding.subjects.pop();
                    }
                }
            }
            H::Delete(at) => {
                if let Some(at) = self.ours(*at).map(|binding| binding.at.clone()) {
                    self.story.observed.state.bindings.retain(|binding| binding.at != at);
                }
            }
            H::Foreign(who) => {
                if let Some(mut theirs) = self.story.observed.state.bindings.first().cloned() {
                    theirs.labels.clear();
                    theirs.at.name = format!("theirs-{who}");
                    theirs.subjects = vec![subject("User", PEOPLE[*who])];
                    self.story.observed.state.bindings.retain(|binding| binding.at != theirs.at);
                    self.story.observed.state.bindings.push(theirs);
                }
                let planted = request("planted", PEOPLE[*who], &["certctl:alice:0000000000000000"]);
                self.story.observed.state.requests = vec![planted];
            }
            H::Server(number) => self.story.observed.server = format!("https://{number}.example.com"),
            H::Apply => self.apply(),
            H::CutOff => self.cut_off(),
            H::Rotate(who) => self.change(*who, |person| person.generation += 1),
            H::Key(who, key) => self.change(*who, |person| person.key = key),
            H::Until(who, day) => self.change(*who, |person| person.until_day = Some(*day)),
            H::Recipient(who, key) => self.change(*who, |person| {
                if !person.recipients.remove(key) || person.recipients.is_empty() {
                    person.recipients.insert(*key);
                }
            }),
            H::Group(who, group) => self.change(*who, |person| {
                if !person.groups.remove(group) {
                    person.groups.insert(group);
                }
            }),
        }
        self.write();
    }

    fn change(&mut self, who: usize, change: impl FnOnce(&mut Person)) {
        self.people.get_mut(PEOPLE[who]).map(change);
    }

    fn ours(&mut self, at: usize) -> Option<&mut Binding> {
        let ours = self.story.observed.state.bindings.iter_mut().filter(|binding| binding.labels == ours());
        ours.collect::<Vec<_>>().into_iter().nth(at)
    }

    fn theirs(&self) -> Vec<Binding> {
        let bindings = self.story.observed.state.bindings.iter();
        bindings.filter(|binding| binding.labels != ours()).cloned().collect()
    }

    fn bound(&self) -> BTreeSet<String> {
        let bindings = self.story.observed.state.bindings.iter().filter(|binding| binding.labels == ours());
        bindings.flat_map(|binding| &binding.subjects).map(|subject| subject.name.clone()).collect()
    }

    /// Only the first phase: subjects that have to go are gone, and nothing else happened.
    fn cut_off(&mut self) {
        for action in self.story.plan().bindings {
            let Some(reduced) = &action.reduced else { continue };
            let bindings = &mut self.story.observed.state.bindings;
            if action.recreate || (action.desired.is_empty() && !action.goes_last) {
                bindings.retain(|binding| binding.at != action.at);
            } else if let Some(binding) = bindings.iter_mut().find(|binding| binding.at == action.at) {
                binding.subjects = reduced.iter().map(|group| subject("Group", &group.to_string())).collect();
            }
        }
        // Told without the plan: who left, and what was rotated, has no rights although nothing was issued.
        for name in self.bound() {
            let Ok(group) = name.parse::<certctl::model::CredentialGroup>() else {
                panic!("{name} is bound")
            };
            let person =
                self.people.get(group.user.as_str()).unwrap_or_else(|| panic!("{name} is off the roster"));
            let mut recorded = self.story.record(group.user.as_str()).iter();
            let credential = recorded.find(|credential| credential.id == group.id).expect("a record");
            assert!(credential.generation >= person.generation, "{name} was rotated");
        }
    }

    fn apply(&mut self) {
        let theirs = self.theirs();
        self.story.apply();
        assert!(self.story.plan().is_empty(), "an apply leaves nothing to do:\n{}", self.story.text());
        assert_eq!(self.theirs(), theirs, "what is not ours is left alone");

        let bound = self.bound();
        let now = self.story.now;
        for (user, record) in &self.story.observed.records {
            let active = record.credentials.iter().filter(|c| c.state == State::Active).count();
            assert!(active <= 1, "{user} has {active} active credentials");
            for credential in &record.credentials {
                let group = format!("certctl:{user}:{}", credential.id);
                if credential.state == State::Revoked {
                    self.revoked.insert(group);
                } else {
                    assert!(credential.not_after > now, "{group} has expired and is remembered");
                    assert!(self.people.contains_key(user.as_str()), "{user} is off the roster");
                }
            }
        }
        assert!(bound.is_disjoint(&self.revoked), "a revoked credential is bound again");
        for name in &bound {
            let group: certctl::model::CredentialGroup =
                name.parse().expect("only credential groups are bound");
            let person = &self.people[group.user.as_str()];
            assert!(!person.groups.is_empty() && person.until_day.is_none_or(|day| self.day < day), "{name}");
            let known =
                self.story.record(group.user.as_str()).iter().any(|credential| credential.id == group.id);
            assert!(known, "{name} is bound and not recorded");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_an_apply_leaves_the_world_as_the_roster_says(
        happenings in prop::collection::vec(happening(), 1..40)
    ) {
        let mut world = World::new();
        for happening in &happenings {
            world.live(happening);
        }
        world.apply();
    }

    #[test]
    fn the_order_in_which_a_cluster_lists_things_is_irrelevant(
        happenings in prop::collection::vec(happening(), 1..25),
        seed in any::<u64>()
    ) {
        let mut world = World::new();
        for happening in &happenings {
            world.live(happening);
        }
        let before = (world.story.text(), world.story.digest());
        let mixed = |name: &str| certctl::model::sha256(format!("{seed}{name}").as_bytes());
        world.story.observed.state.bindings.sort_by_key(|binding| mixed(&binding.at.to_string()));
        prop_assert_eq!((world.story.text(), world.story.digest()), before);
        let plan = world.story.plan();
        let ours = plan.bindings.iter().filter_map(|action| action.observed.as_ref());
        for binding in ours {
            prop_assert!(observed::is_ours(&binding.labels, &world.story.roster().name));
        }
    }
}
