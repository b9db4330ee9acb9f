//! What is wrong with recipients although age takes them: weak keys, and plugins that are not installed here.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::recipient::{check_plugins, plugin_of, wire_fields};
use crate::access::notices::RecipientProblem;
use crate::model::Recipient;

/// NIST SP 800-57 part 1 gives RSA of 2048 bits 112 bits of strength, and that no longer than until 2030; a record
/// in git stays longer.
const STRONG_RSA: usize = 3072;

/// By recipient; those without a problem are left out.
pub fn problems<'r>(
    recipients: impl IntoIterator<Item = &'r Recipient>,
) -> BTreeMap<Recipient, RecipientProblem> {
    let mut installed: BTreeMap<&str, bool> = BTreeMap::new();
    let mut problems = BTreeMap::new();
    for recipient in recipients {
        let problem = if let Some(bits) = rsa_bits(recipient) {
            (bits < STRONG_RSA).then_some(RecipientProblem::Weak { bits })
        } else {
            plugin_of(recipient).and_then(|plugin| {
                let is_there = installed.entry(plugin);
                let is_there =
                    is_there.or_insert_with(|| check_plugins(&BTreeSet::from([recipient.clone()])).is_ok());
                (!*is_there).then(|| RecipientProblem::NoPlugin(plugin.to_owned()))
            })
        };
        problems.extend(problem.map(|problem| (recipient.clone(), problem)));
    }
    problems
}

/// The length of the modulus; `None` for other kinds of keys.
fn rsa_bits(recipient: &Recipient) -> Option<usize> {
    let blob = STANDARD.decode(recipient.as_str().strip_prefix("ssh-rsa ")?).ok()?;
    let fields = wire_fields(&blob)?;
    let [_, _, modulus] = fields.as_slice() else { return None };
    // A leading zero says that the number is positive.
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    Some(modulus.len() * 8 - usize::try_from(modulus.first()?.leading_zeros()).ok()?)
}
