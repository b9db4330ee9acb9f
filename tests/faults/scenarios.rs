//! What an apply is broken in the middle of.

use jiff::SignedDuration;

/// A person on a roster, and what stands beside their name.
pub type Person = (&'static str, &'static str);

/// A team before and after, and how much later the apply is that gets broken.
pub struct Scenario {
    pub name: &'static str,
    /// Who is there already, with a credential; nobody: nothing was ever applied.
    pub before: &'static [Person],
    /// Who is on the roster that the broken apply reads.
    pub after: &'static [Person],
    pub later: SignedDuration,
    /// Who has a credential that the broken apply takes away.
    pub cut_off: &'static [&'static str],
    /// Who has an older credential beside the new one in the end.
    pub overlapping: &'static [&'static str],
}

pub const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "issue",
        before: &[],
        after: &[("alice", ""), ("bob", "")],
        later: SignedDuration::ZERO,
        cut_off: &[],
        overlapping: &[],
    },
    Scenario {
        name: "renew",
        before: &[("alice", ""), ("bob", "")],
        after: &[("alice", ""), ("bob", "")],
        later: SignedDuration::from_hours(21 * 24),
        cut_off: &[],
        overlapping: &["alice", "bob"],
    },
    Scenario {
        name: "rotate",
        before: &[("alice", ""), ("bob", "")],
        after: &[("alice", ", generation: 2"), ("bob", "")],
        later: SignedDuration::ZERO,
        cut_off: &["alice"],
        overlapping: &[],
    },
    Scenario {
        name: "revoke",
        before: &[("alice", ""), ("bob", "")],
        after: &[("alice", "")],
        later: SignedDuration::ZERO,
        cut_off: &["bob"],
        overlapping: &[],
    },
    // Alice is rotated, bob leaves, carol comes, dave is renewed.
    Scenario {
        name: "mixed",
        before: &[("alice", ""), ("bob", ""), ("dave", ", validity: 10d")],
        after: &[("alice", ", generation: 2"), ("carol", ""), ("dave", ", validity: 10d")],
        later: SignedDuration::from_hours(7 * 24),
        cut_off: &["alice", "bob"],
        overlapping: &["dave"],
    },
];
