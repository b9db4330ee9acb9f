//! The edits of a roster over a corpus of odd ones: what is not edited stays, byte for byte.

use std::collections::BTreeSet;

use certctl::model::{FileNumber, Recipient, UserName};
use certctl::roster::edit::{self, NewMembership, NewUser, RosterEdit};
use certctl::roster::{OnClusters, Roster};

use super::{parse, rosters};

/// The one piece that an edit changed: what was there, and what is.
fn difference<'t>(before: &'t str, after: &'t str) -> (&'t str, &'t str) {
    let same = |(a, b): &(u8, u8)| a == b;
    let start = before.bytes().zip(after.bytes()).take_while(same).count();
    let most = before.len().min(after.len()) - start;
    let end = before.bytes().rev().zip(after.bytes().rev()).take_while(same).count().min(most);
    (&before[start..before.len() - end], &after[start..after.len() - end])
}

fn edited(text: &str, user: &str, change: &RosterEdit) -> Option<String> {
    let roster = parse(text).expect("valid");
    let names: [UserName; 1] = [user.parse().expect("a name")];
    let read = |text: &str| parse(text).ok();
    edit::change(text, &roster, &names, change, &read).ok()
}

fn on_call() -> RosterEdit {
    RosterEdit::Grant(NewMembership {
        group: "on-call".parse().expect("a name"),
        until: Some("2098-01-01T04:00:00Z".parse().expect("a time")),
        clusters: OnClusters::All,
    })
}

fn carol() -> RosterEdit {
    RosterEdit::Add(NewUser {
        file: FileNumber::FIRST,
        recipients: vec![Recipient::accepted_by_age("age1c".to_owned())],
        groups: BTreeSet::from(["dev".parse().expect("a name")]),
        clusters: None,
        until: None,
    })
}

/// What is said of it holds for all of the corpus: nobody has to edit one of these by hand.
#[test]
fn a_corpus_of_odd_rosters_keeps_every_other_byte() {
    let corpus = rosters("odd");
    assert!(corpus.len() >= 30, "{} rosters", corpus.len());
    for (name, text) in corpus {
        let made = |what: &str, user: &str, change: &RosterEdit| {
            edited(&text, user, change).unwrap_or_else(|| panic!("{name}: {what} of {user} was refused"))
        };
        // What only adds takes nothing away, or a comma comes between.
        for (what, user, change) in [
            ("grant", "alice", on_call()),
            ("add", "carol", carol()),
            ("rotate", "bob", RosterEdit::RaiseGeneration),
        ] {
            let after = made(what, user, &change);
            let (gone, come) = difference(&text, &after);
            assert!(come.contains(gone), "{name}: {what}: {gone:?} became {come:?}");
            assert!(
                gone.len() < 30 && come.len() < gone.len() + 120,
                "{name}: {what}: {gone:?} became {come:?}"
            );
        }
        let (gone, come) = (text.clone(), made("grant", "bob", &on_call()));
        let (gone, come) = difference(&gone, &come);
        assert!(gone.len() <= 12 && come.len() <= 24, "{name}: {gone:?} became {come:?}");

        // What goes takes nobody else with it, and leaves what others say of them.
        let after = made("revoke-grant", "bob", &RosterEdit::RevokeGrant("on-call".parse().expect("a name")));
        let (gone, come) = difference(&text, &after);
        assert!(come.trim().len() <= 4, "{name}: {gone:?} became {come:?}");
        assert!(!gone.contains("age1") && !gone.contains("alice"), "{name}: {gone:?} is gone");
        for user in ["alice", "bob"] {
            let after = made("remove", user, &RosterEdit::Remove);
            let (gone, come) = difference(&text, &after);
            assert!(come.trim().len() <= 4, "{name}: {gone:?} became {come:?}");
            assert!(!gone.contains("dev}") && !gone.contains("kind"), "{name}: {gone:?} is gone");
            let left: Roster = parse(&after).expect("valid");
            assert!(!left.users.contains_key(&user.parse::<UserName>().expect("a name")), "{name}");
        }

        // And back again.
        let back = edited(&made("add", "carol", &carol()), "carol", &RosterEdit::Remove);
        assert_eq!(back.map(|back| back.trim_end().to_owned()).as_deref(), Some(text.trim_end()), "{name}");
    }
}
