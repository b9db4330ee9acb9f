//! Names and references: valid, unique, and of something that exists.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::str::FromStr;

use super::errors::{Errors, quoted};
use super::reader::{self, Fields};
use super::yaml::Node;
use crate::model::{Invalid, Position};

/// The valid and unique name of a thing.
pub(super) fn own_name<'n, T: FromStr<Err = Invalid>>(
    fields: &Fields<'n, '_>,
    kind: &str,
    seen: &mut SeenNames<'n>,
    errors: &mut Errors,
) -> Option<T> {
    let node = fields.need("name", errors)?;
    let name = reader::word(node, &format!("{kind} name"), errors)?;
    let text = reader::name(fields.node)?;
    seen.is_new(text, node.position, kind, errors).then_some(name)
}

/// The place of an item's name, or else of its start.
pub(super) fn name_position(fields: &Fields<'_, '_>) -> Position {
    fields.get("name").map_or(fields.position, |node| node.position)
}

/// The names that a list gives to its things, valid or not.
pub(super) fn names<'n>(list: &'n [Node<'_>]) -> BTreeSet<&'n str> {
    list.iter().filter_map(reader::name).collect()
}

/// Whether the roster has a thing of that name; if not, it is reported.
pub(super) fn is_known(
    name: &str,
    position: Position,
    label: &str,
    kind: &str,
    known: Option<&BTreeSet<&str>>,
    errors: &mut Errors,
) -> bool {
    let Some(known) = known else { return true };
    if known.contains(name) {
        return true;
    }
    let fact = format!("{label}: the roster has no {kind} {}", quoted(name));
    errors.add_unknown(position, fact, name, known.iter().copied());
    false
}

/// The names that were seen in one list, or in those of several files.
#[derive(Default)]
pub(super) struct SeenNames<'n> {
    /// Where each comes first.
    first: HashMap<&'n str, Position>,
    /// Those that several files claim.
    contested: HashSet<&'n str>,
}

impl<'n> SeenNames<'n> {
    /// Whether several files claim a name.
    pub(super) fn is_contested(&self, name: &str) -> bool {
        self.contested.contains(name)
    }

    /// Whether a name comes for the first time; if not, both places are reported.
    pub(super) fn is_new(
        &mut self,
        name: &'n str,
        position: Position,
        what: &str,
        errors: &mut Errors,
    ) -> bool {
        match self.first.get(name) {
            // Nobody can tell which of two files is right, so both are told.
            Some(first) if first.file != position.file => {
                for (here, there) in [(position, *first), (*first, position)] {
                    let there = errors.place(there);
                    errors.add(here, format!("{what}: {} is listed here and at {there}", quoted(name)));
                }
                self.contested.insert(name);
                false
            }
            Some(first) => {
                let fact =
                    format!("{what}: {} is listed twice, first at {}", quoted(name), errors.place(*first));
                errors.add(position, fact);
                false
            }
            None => {
                self.first.insert(name, position);
                true
            }
        }
    }
}
