//! The applies in which faults are injected.

use jiff::SignedDuration;

/// A user on a roster, and the fields beside the name.
pub type Person = (&'static str, &'static str);

/// A team before and after, and how much later the failing apply runs.
pub struct Scenario {
    pub name: &'static str,
    /// The users who already have a credential; empty: nothing was ever applied.
    pub before: &'static [Person],
    /// The users on the roster that the failing apply reads.
    pub after: &'static [Person],
    pub later: SignedDuration,
    /// The users whose credential the failing apply revokes.
    pub cut_off: &'static [&'static str],
    /// The users who have an older credential beside the new one in the end.
    pub overlapping: &'static [&'static str],
    /// Whether the roster also grants what every apply holds back: a role that the cluster lacks, one in a namespace that it
    /// lacks, and one whose binding's name is somebody else's.
    pub holds: bool,
}

pub const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "issue",
        before: &[],
        after: &[("alice", ""), ("bob", "")],
        later: SignedDuration::ZERO,
        cut_off: &[],
        overlapping: &[],
        holds: false,
    },
    Scenario {
        name: "renew",
        before: &[("alice", ""), ("bob", "")],
        after: &[("alice", ""), ("bob", "")],
        later: SignedDuration::from_hours(21 * 24),
        cut_off: &[],
        overlapping: &["alice", "bob"],
        holds: false,
    },
    Scenario {
        name: "rotate",
        before: &[("alice", ""), ("bob", "")],
        after: &[("alice", ", generation: 2"), ("bob", "")],
        later: SignedDuration::ZERO,
        cut_off: &["alice"],
        overlapping: &[],
        holds: false,
    },
    Scenario {
        name: "revoke",
        before: &[("alice", ""), ("bob", "")],
        after: &[("alice", "")],
        later: SignedDuration::ZERO,
        cut_off: &["bob"],
        overlapping: &[],
        holds: false,
    },
    // Alice is rotated, bob leaves, carol comes, dave is renewed, and three bindings are held back.
    Scenario {
        name: "mixed",
        before: &[("alice", ""), ("bob", ""), ("dave", ", validity: 10d")],
        after: &[("alice", ", generation: 2"), ("carol", ""), ("dave", ", validity: 10d")],
        later: SignedDuration::from_hours(7 * 24),
        cut_off: &["alice", "bob"],
        overlapping: &["dave"],
        holds: true,
    },
];
