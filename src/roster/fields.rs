//! Fields that users, groups and grants share: read in one way, wherever they stand.

use jiff::{SignedDuration, Timestamp};

use super::errors::{Errors, quoted};
use super::reader::{self, Fields};
use super::yaml::Node;
use super::{CertificateOverrides, values};
use crate::model::{KeyType, Namespace};

/// The items of an optional list; `None` if it is present but not a list.
pub(super) fn list_or_empty<'n, 't>(
    fields: &Fields<'n, 't>,
    field: &str,
    errors: &mut Errors,
) -> Option<&'n [Node<'t>]> {
    match fields.get(field) {
        Some(node) => reader::list(node, &fields.label(field), errors),
        None => Some(&[]),
    }
}

/// A boolean field that defaults to false.
pub(super) fn flag(fields: &Fields<'_, '_>, field: &str, errors: &mut Errors) -> bool {
    fields.get(field).and_then(|node| reader::boolean(node, &fields.label(field), errors)).unwrap_or_default()
}

pub(super) fn validity(fields: &Fields<'_, '_>, errors: &mut Errors) -> Option<SignedDuration> {
    let node = fields.get("validity")?;
    reader::parsed(node, &fields.label("validity"), values::validity, errors)
}

pub(super) fn key(fields: &Fields<'_, '_>, errors: &mut Errors) -> Option<KeyType> {
    const KEYS: [KeyType; 4] = [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Ed25519, KeyType::Rsa4096];
    let node = fields.get("key")?;
    let label = fields.label("key");
    let text = reader::text(node, &label, errors)?;
    let names = KEYS.map(|key| key.to_string());
    let found = names.iter().position(|name| name == text);
    if found.is_none() {
        let fact = format!("{label}: {} is no kind of key", quoted(text));
        errors.add_unknown(node.position, fact, text, names.iter().map(String::as_str));
    }
    found.map(|index| KEYS[index])
}

/// `key` and `validity` of a cluster, a group or a user.
pub(super) fn certificates(fields: &Fields<'_, '_>, errors: &mut Errors) -> CertificateOverrides {
    CertificateOverrides { key: key(fields, errors), validity: validity(fields, errors) }
}

/// When the access that `fields` gives ends.
pub(super) fn until(fields: &Fields<'_, '_>, errors: &mut Errors) -> Option<Timestamp> {
    let node = fields.get("until")?;
    reader::parsed(node, &fields.label("until"), values::until, errors)
}

/// The default namespace of a context.
pub(super) fn namespace(fields: &Fields<'_, '_>, errors: &mut Errors) -> Option<Namespace> {
    reader::word(fields.get("namespace")?, &fields.label("namespace"), errors)
}

/// What a context is called, before the names are put in.
pub(super) fn context_name(fields: &Fields<'_, '_>, errors: &mut Errors) -> Option<String> {
    let node = fields.get("contextName")?;
    reader::parsed(node, &fields.label("contextName"), values::context_name, errors)
}
