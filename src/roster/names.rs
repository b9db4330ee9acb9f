//! Names and references: valid, unique, and of something that exists.

use std::collections::{BTreeSet, HashMap};
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

/// The names that were seen in one list, and where first.
#[derive(Default)]
pub(super) struct SeenNames<'n>(HashMap<&'n str, Position>);

impl<'n> SeenNames<'n> {
    /// Whether a name comes for the first time; if not, both places are reported.
    pub(super) fn is_new(
        &mut self,
        name: &'n str,
        position: Position,
        what: &str,
        errors: &mut Errors,
    ) -> bool {
        match self.0.get(name) {
            Some(first) => {
                let fact =
                    format!("{what}: {} is listed twice, first at {}", quoted(name), errors.place(*first));
                errors.add(position, fact);
                false
            }
            None => {
                self.0.insert(name, position);
                true
            }
        }
    }
}
