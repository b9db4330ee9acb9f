//! Which namespaces a grant is about, where it does not name them: by their names, by their labels, or by both.
//! The cluster says at each plan which ones those are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::document::shapes;
use super::errors::{Errors, quoted};
use super::fields::list_or_empty;
use super::pattern::Pattern;
use super::reader::{self, Fields};
use super::yaml::{Node, Value};
use crate::model::{Invalid, Position};

/// Namespaces by what they are like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamespaceMatch {
    /// One of these has to fit the name, where there are any.
    pub patterns: BTreeMap<Pattern, Position>,
    /// All of these have to fit the labels.
    pub labels: BTreeSet<LabelRule>,
    /// Where the roster says so.
    pub position: Position,
}

/// What a label has to be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabelRule {
    /// Its value is one of these.
    In(String, BTreeSet<String>),
    /// It is not there, or its value is none of these.
    NotIn(String, BTreeSet<String>),
    /// It is there.
    Exists(String),
    /// It is not there.
    DoesNotExist(String),
}

impl NamespaceMatch {
    /// Whether a namespace with these labels is one of them.
    pub fn includes(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.may_include(name) && self.labels.iter().all(|rule| rule.fits(labels))
    }

    /// Whether a namespace of this name is one of them, if its labels fit.
    pub fn may_include(&self, name: &str) -> bool {
        self.patterns.is_empty() || self.patterns.keys().any(|pattern| pattern.covers(name))
    }
}

impl LabelRule {
    /// As Kubernetes decides it (apimachinery, `labels.Requirement.Matches`).
    fn fits(&self, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Self::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            Self::Exists(key) => labels.contains_key(key),
            Self::DoesNotExist(key) => !labels.contains_key(key),
        }
    }
}

impl fmt::Display for NamespaceMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns = self.patterns.keys().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        let labels = self.labels.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match (patterns.is_empty(), labels.is_empty()) {
            (_, true) => f.pad(&patterns),
            (true, false) => f.pad(&labels),
            (false, false) => f.pad(&format!("{patterns} with {labels}")),
        }
    }
}

/// As kubectl writes selectors.
impl fmt::Display for LabelRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |values: &BTreeSet<String>| values.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        match self {
            Self::In(key, values) if values.len() == 1 => write!(f, "{key}={}", list(values)),
            Self::In(key, values) => write!(f, "{key} in ({})", list(values)),
            Self::NotIn(key, values) => write!(f, "{key} notin ({})", list(values)),
            Self::Exists(key) => f.write_str(key),
            Self::DoesNotExist(key) => write!(f, "!{key}"),
        }
    }
}

/// Reads `namespaceSelector`: a selector that fits every namespace is an error.
pub(super) fn labels(node: &Node<'_>, what: String, errors: &mut Errors) -> BTreeSet<LabelRule> {
    let Some(fields) = reader::fields(node, what, &shapes::SELECTOR, errors) else { return BTreeSet::new() };
    let mut rules = BTreeSet::new();
    if let Some(node) = fields.get("matchLabels") {
        rules.extend(match_labels(node, &fields, errors));
    }
    let expressions = list_or_empty(&fields, "matchExpressions", errors).unwrap_or_default();
    for (index, node) in expressions.iter().enumerate() {
        let what = format!("expression {} of {}", index + 1, fields.what);
        rules.extend(expression(node, what, errors));
    }
    let is_empty = |field: &str| match fields.get(field).map(|node| &node.value) {
        None => true,
        Some(Value::Mapping(entries)) => entries.is_empty(),
        Some(Value::List(items)) => items.is_empty(),
        Some(_) => false,
    };
    if is_empty("matchLabels") && is_empty("matchExpressions") {
        errors.add_with_hint(
            fields.position,
            format!("{} is empty, and would fit every namespace", fields.what),
            "write `namespaces: [\"*\"]` if that is meant",
        );
    }
    rules
}

fn match_labels(node: &Node<'_>, of: &Fields<'_, '_>, errors: &mut Errors) -> Vec<LabelRule> {
    let label = of.label("matchLabels");
    let Value::Mapping(entries) = &node.value else {
        reader::wrong_type(node, &label, "a mapping of labels", errors);
        return Vec::new();
    };
    let mut rules = Vec::new();
    for entry in entries {
        if let Err(Invalid(why)) = key(&entry.key) {
            errors.add(entry.position, format!("{label}: {} {why}", quoted(&entry.key)));
            continue;
        }
        let value = reader::parsed(&entry.value, &label, value, errors);
        rules.extend(
            value.map(|value| LabelRule::In(entry.key.clone().into_owned(), BTreeSet::from([value]))),
        );
    }
    rules
}

fn expression(node: &Node<'_>, what: String, errors: &mut Errors) -> Option<LabelRule> {
    let fields = reader::fields(node, what, &shapes::EXPRESSION, errors)?;
    let key = fields.need("key", errors);
    let key = key.and_then(|node| reader::parsed(node, &fields.label("key"), key_of, errors));
    let operator = fields.need("operator", errors);
    let mut values = BTreeSet::new();
    let list = list_or_empty(&fields, "values", errors)?;
    for node in list {
        values.extend(reader::parsed(node, &fields.label("values"), value, errors));
    }
    let operator = operator?;
    let label = fields.label("operator");
    let word = reader::text(operator, &label, errors)?;
    let takes_values = match word {
        "In" | "NotIn" => true,
        "Exists" | "DoesNotExist" => false,
        _ => {
            let known = ["In", "NotIn", "Exists", "DoesNotExist"].into_iter();
            errors.add_unknown(
                operator.position,
                format!("{label}: {} is no operator", quoted(word)),
                word,
                known,
            );
            return None;
        }
    };
    if takes_values == list.is_empty() {
        let fact = if takes_values { "needs `values`" } else { "takes no `values`" };
        errors.add(operator.position, format!("{label}: `{word}` {fact}"));
        return None;
    }
    let key = key?;
    Some(match word {
        "In" => LabelRule::In(key, values),
        "NotIn" => LabelRule::NotIn(key, values),
        "Exists" => LabelRule::Exists(key),
        _ => LabelRule::DoesNotExist(key),
    })
}

fn key_of(text: &str) -> Result<String, Invalid> {
    key(text).map(|()| text.to_owned())
}

/// A label's key: a name of 63 characters, behind a DNS name where there is one.
fn key(text: &str) -> Result<(), Invalid> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let is_domain = |text: &str| !text.is_empty() && text.len() <= 253 && text.bytes().all(plain);
    let is_name = |text: &str| !text.is_empty() && is_label(text);
    let fits = match text.split_once('/') {
        Some((domain, name)) => is_domain(domain) && is_name(name),
        None => is_name(text),
    };
    if fits {
        return Ok(());
    }
    Err(Invalid("is no key of a label".into()))
}

fn value(text: &str) -> Result<String, Invalid> {
    match is_label(text) {
        true => Ok(text.to_owned()),
        false => Err(Invalid("is no value of a label".into())),
    }
}

/// At most 63 of `[A-Za-z0-9._-]`, beginning and ending with a letter or a digit; or nothing.
fn is_label(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    text.len() <= 63
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(b))
        && edge(bytes.first())
        && edge(bytes.last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_fit_as_kubernetes_says() {
        let labels = |text: &str| -> BTreeMap<String, String> {
            let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let values = |text: &str| text.split(',').map(str::to_owned).collect::<BTreeSet<_>>();
        let key = || "env".to_owned();
        for (rule, of, fits) in [
            (LabelRule::In(key(), values("dev,test")), "env=dev", true),
            (LabelRule::In(key(), values("dev,test")), "env=prod", false),
            (LabelRule::In(key(), values("dev,test")), "", false),
            (LabelRule::NotIn(key(), values("prod")), "env=dev", true),
            (LabelRule::NotIn(key(), values("prod")), "env=prod", false),
            // What is not there is none of them.
            (LabelRule::NotIn(key(), values("prod")), "team=a", true),
            (LabelRule::Exists(key()), "env=", true),
            (LabelRule::Exists(key()), "team=a", false),
            (LabelRule::DoesNotExist(key()), "team=a", true),
            (LabelRule::DoesNotExist(key()), "env=dev", false),
        ] {
            assert_eq!(rule.fits(&labels(of)), fits, "{rule} {of}");
        }
    }

    #[test]
    fn keys_and_values_are_those_of_kubernetes() {
        for good in ["env", "app.kubernetes.io/name", "a/b", "A_b.c-1"] {
            assert!(key(good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a/b/c", "-a", "a-", "UPPER.io/a", "é", "a b"] {
            assert!(key(bad).is_err(), "{bad}");
        }
        assert!(value("").is_ok() && value("prod").is_ok() && value("a=b").is_err());
    }
}
