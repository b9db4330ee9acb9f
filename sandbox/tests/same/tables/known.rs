//! Where the sandbox is known to answer otherwise than the real API server: table by table, the numbers
//! of the steps as the test prints them.

use crate::step::{Compared, Step};

/// The code and the reason are the same, the words are not: they name more causes than the
/// sandbox looks for, or follow the order of a cache.
const WORDS: &[(&str, &[usize])] = &[
    ("reviews", &[6]),
    ("objects", &[3, 4]),
    ("grants", &[17, 38]),
    ("requests", &[24]),
    ("lists", &[10]),
    ("selectors", &[8]),
];

/// The code or the reason differs, and why. The test fails as soon as none does any more.
const OTHERWISE: &[(&str, usize, &str)] = &[
    ("patches", 18, "the real server's library lets `replace` add a field; RFC 6902 and the sandbox do not"),
    ("patches", 19, "an unknown operation does not apply there, and cannot be read here"),
    ("patches", 22, "step 18 added a field there"),
    ("patches", 23, "step 18 added a field there"),
    ("patches", 31, "step 18 added a field there"),
    ("grants", 23, "the real server asks for a namespace before it looks for the role"),
    ("lists", 12, "the sandbox does not check resourceVersionMatch"),
    ("lists", 13, "the sandbox does not check resourceVersionMatch"),
    ("lists", 14, "the sandbox does not check resourceVersionMatch"),
    ("lists", 18, "a wrong revision is a 500 of a real watch, and a 400 here"),
];

/// The table with what is known about its steps.
pub fn marked(table: &'static str, mut steps: Vec<Step>) -> (&'static str, Vec<Step>) {
    for (_, numbers) in WORDS.iter().filter(|(name, _)| *name == table) {
        for number in *numbers {
            steps[number - 1].compared = Compared::CodeAndReason;
        }
    }
    for (_, number, why) in OTHERWISE.iter().filter(|(name, ..)| *name == table) {
        steps[number - 1].compared = Compared::Differing(why);
    }
    (table, steps)
}
