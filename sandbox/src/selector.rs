//! Label and field selectors: which objects a list, a watch or a deletion selects.
//!
//! Grammar and messages are those of k8s.io/apimachinery pkg/labels and pkg/fields; it refuses a field
//! that the kind cannot be selected by.

use serde_json::Value;

use crate::resource::{Kind, Resource};
use crate::status::Status;

/// What an object must match to be selected.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Debug, Clone, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
    Above(i64),
    Below(i64),
}

#[derive(Debug, Clone, PartialEq)]
struct FieldRequirement {
    path: &'static [&'static str],
    value: String,
    equal: bool,
}

/// The fields that a kind can be selected by, besides its name and namespace.
fn selectable(kind: Kind) -> &'static [(&'static str, &'static [&'static str])] {
    match kind {
        Kind::CertificateSigningRequest => &[("spec.signerName", &["spec", "signerName"])],
        Kind::Namespace => &[("status.phase", &["status", "phase"])],
        Kind::Pod => &[
            ("spec.nodeName", &["spec", "nodeName"]),
            ("spec.restartPolicy", &["spec", "restartPolicy"]),
            ("spec.schedulerName", &["spec", "schedulerName"]),
            ("spec.serviceAccountName", &["spec", "serviceAccountName"]),
            ("status.phase", &["status", "phase"]),
        ],
        _ => &[],
    }
}

impl Selector {
    /// Parses both selectors; an empty one selects everything.
    ///
    /// # Errors
    /// 400 for a malformed selector, or a field that the kind cannot be selected by.
    pub fn parse(resource: &Resource, labels: &str, fields: &str) -> Result<Self, Status> {
        let labels = parse_labels(labels).map_err(Status::bad_request)?;
        let mut parsed = Vec::new();
        for term in fields.split(',').filter(|term| !term.is_empty()) {
            parsed.push(parse_field(resource, term).map_err(Status::bad_request)?);
        }
        Ok(Self { labels, fields: parsed })
    }

    /// Whether it selects every object.
    pub fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether it selects this object.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.labels.iter().all(|requirement| requirement.matches(labels[&requirement.key].as_str()))
            && self.fields.iter().all(|requirement| {
                let value = requirement.path.iter().fold(object, |value, key| &value[key]);
                (value.as_str().unwrap_or_default() == requirement.value) == requirement.equal
            })
    }
}

impl Requirement {
    fn matches(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            Test::In(values) => value.is_some_and(|value| values.iter().any(|v| v == value)),
            Test::NotIn(values) => value.is_none_or(|value| values.iter().all(|v| v != value)),
            Test::Exists => value.is_some(),
            Test::Missing => value.is_none(),
            Test::Above(bound) => number().is_some_and(|number| number > *bound),
            Test::Below(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

fn parse_field(resource: &Resource, term: &str) -> Result<FieldRequirement, String> {
    let (name, value, equal) = if let Some((name, value)) = term.split_once("!=") {
        (name, value, false)
    } else if let Some((name, value)) = term.split_once("==") {
        (name, value, true)
    } else if let Some((name, value)) = term.split_once('=') {
        (name, value, true)
    } else {
        return Err(format!("invalid selector: '{term}'; can't understand '{term}'"));
    };
    let path: Option<&'static [&'static str]> = match name {
        "metadata.name" => Some(&["metadata", "name"]),
        "metadata.namespace"
            if !matches!(resource.kind, Kind::CertificateSigningRequest | Kind::Namespace) =>
        {
            Some(&["metadata", "namespace"])
        }
        name => selectable(resource.kind).iter().find(|(field, _)| *field == name).map(|(_, path)| *path),
    };
    let path = path.ok_or_else(|| match resource.kind {
        // These have their own conversions, with their own messages.
        Kind::CertificateSigningRequest | Kind::Namespace | Kind::Pod => {
            format!("field label not supported: {name}")
        }
        _ => {
            format!("{name:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
        }
    })?;
    let value = value.replace("\\,", ",").replace("\\=", "=").replace("\\\\", "\\");
    Ok(FieldRequirement { path, value, equal })
}

/// The tokens of a label selector.
#[derive(Debug, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    Sign(&'a str),
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let Some(first) = rest.chars().next() else { return Ok(out) };
        let sign = ["!=", "==", "=", "!", "(", ")", ",", ">", "<"].into_iter().find(|s| rest.starts_with(s));
        if let Some(sign) = sign {
            out.push(Token::Sign(&rest[..sign.len()]));
            rest = &rest[sign.len()..];
            continue;
        }
        let end = rest.find(|c: char| " \t\r\n=!(),<>".contains(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(format!("unexpected character {first:?}"));
        }
        out.push(Token::Word(&rest[..end]));
        rest = &rest[end..];
    }
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    let tokens = tokens(text)?;
    let mut out = Vec::new();
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        let begins = matches!(rest, [Token::Word(_), ..] | [Token::Sign("!"), Token::Word(_), ..]);
        let (requirement, after) = parse_requirement(rest).map_err(|why| match begins {
            true => format!("unable to parse requirement: {why}"),
            false => why,
        })?;
        out.push(requirement);
        rest = match after {
            [] => after,
            [Token::Sign(","), after @ ..] if !after.is_empty() => after,
            [Token::Sign(","), ..] => return Err("found '', expected: identifier after ','".to_owned()),
            [other, ..] => return Err(format!("found '{}', expected: ',' or 'end of string'", shown(other))),
        };
    }
    Ok(out)
}

fn shown<'a>(token: &Token<'a>) -> &'a str {
    match token {
        Token::Word(text) | Token::Sign(text) => text,
    }
}

fn parse_requirement<'t, 'a>(tokens: &'t [Token<'a>]) -> Result<(Requirement, &'t [Token<'a>]), String> {
    let made = |key: &str, test| Requirement { key: key.to_owned(), test };
    match tokens {
        [Token::Sign("!"), Token::Word(key), rest @ ..] => Ok((made(key, Test::Missing), rest)),
        [Token::Word(key)] => Ok((made(key, Test::Exists), &[])),
        [Token::Word(key), Token::Sign(","), ..] => Ok((made(key, Test::Exists), &tokens[1..])),
        [Token::Word(key), Token::Sign(sign @ ("=" | "==" | "!=")), rest @ ..] => {
            let (value, rest) = match rest {
                [Token::Word(value), rest @ ..] => (*value, rest),
                rest => ("", rest),
            };
            let values = vec![label_value(value)?];
            let test = if *sign == "!=" { Test::NotIn(values) } else { Test::In(values) };
            Ok((made(key, test), rest))
        }
        [Token::Word(key), Token::Sign(sign @ (">" | "<")), Token::Word(value), rest @ ..] => {
            let bound = value
                .parse()
                .map_err(|_| format!("values[0]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer"))?;
            Ok((made(key, if *sign == ">" { Test::Above(bound) } else { Test::Below(bound) }), rest))
        }
        [Token::Word(key), Token::Word(word @ ("in" | "notin")), Token::Sign("("), rest @ ..] => {
            let (values, rest) = parse_values(rest)?;
            Ok((made(key, if *word == "in" { Test::In(values) } else { Test::NotIn(values) }), rest))
        }
        [Token::Word(_), Token::Word("in" | "notin"), other, ..] => {
            Err(format!("found '{}' expected: '('", shown(other)))
        }
        [Token::Word(_), other, ..] => {
            Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", shown(other)))
        }
        [other, ..] => Err(format!("found '{}', expected: !, identifier, or 'end of string'", shown(other))),
        [] => Err("found '', expected: !, identifier, or 'end of string'".to_owned()),
    }
}

fn parse_values<'t, 'a>(mut tokens: &'t [Token<'a>]) -> Result<(Vec<String>, &'t [Token<'a>]), String> {
    let mut values = Vec::new();
    loop {
        let value = match tokens {
            [Token::Word(value), rest @ ..] => {
                tokens = rest;
                *value
            }
            _ => "",
        };
        values.push(label_value(value)?);
        match tokens {
            [Token::Sign(","), rest @ ..] => tokens = rest,
            [Token::Sign(")"), rest @ ..] => return Ok((values, rest)),
            [other, ..] => return Err(format!("found '{}', expected: ',' or ')'", shown(other))),
            [] => return Err("found '', expected: ',' or ')'".to_owned()),
        }
    }
}

/// A label's value, as the API server would accept it.
fn label_value(value: &str) -> Result<String, String> {
    let edge = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    let valid = bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b));
    if valid {
        return Ok(value.to_owned());
    }
    Err(format!(
        "values[0][]: Invalid value: {value:?}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
         and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', \
         regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selector(labels: &str, fields: &str) -> Selector {
        Selector::parse(Kind::CertificateSigningRequest.resource(), labels, fields).expect("a selector")
    }

    #[test]
    fn labels_select() {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "a", "n": "7", "empty": ""}}});
        for (text, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier=a", true),
            ("app=web,tier=b", false),
            ("app!=web", false),
            ("other!=web", true),
            ("app", true),
            ("other", false),
            ("!other", true),
            ("!app", false),
            ("app in (web, db)", true),
            ("app in (db)", false),
            ("app notin (db)", true),
            ("other notin (db)", true),
            ("other in (db)", false),
            ("n>6", true),
            ("n < 7", false),
            ("app>1", false),
            ("empty=", true),
            ("other=", false),
        ] {
            assert_eq!(selector(text, "").matches(&object), expected, "{text}");
        }
    }

    #[test]
    fn fields_select() {
        let object = json!({"metadata": {"name": "a"}, "spec": {"signerName": "x.io/y"}});
        for (text, expected) in [
            ("", true),
            ("metadata.name=a", true),
            ("metadata.name==a,spec.signerName=x.io/y", true),
            ("metadata.name!=a", false),
            ("spec.signerName=x.io/z", false),
        ] {
            assert_eq!(selector("", text).matches(&object), expected, "{text}");
        }
    }

    #[test]
    fn a_malformed_selector_is_refused() {
        for labels in [
            "=",
            "a b",
            "a in",
            "a in (b",
            "a,",
            "a=b c",
            "(",
            "a in (b) c",
            "a=-",
            "n>x",
            "a!",
            "\u{e4}=\u{e4}(",
        ] {
            let refused = Selector::parse(Kind::Pod.resource(), labels, "").map_err(|status| status.code);
            assert_eq!(refused, Err(400), "{labels}");
        }
        for fields in ["spec.signerName=a", "metadata.name", "spec.nope=1"] {
            let refused = Selector::parse(Kind::Lease.resource(), "", fields).map_err(|status| status.code);
            assert_eq!(refused, Err(400), "{fields}");
        }
    }
}
