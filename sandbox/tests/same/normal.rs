//! Answers without what differs by nature.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::client::Answer;
use crate::step::Compared;

/// What admission plugins that the sandbox does not have fill in, and what counts changes of a pod.
const FILLED_IN: &[&str] =
    &["generation", "preemptionPolicy", "priority", "serviceAccount", "serviceAccountName", "tolerations"];

/// What stands in for what differs, so that the same thing is the same everywhere in one answer.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn of(&mut self, what: &str, value: &str) -> String {
        let number = self.0.len() + 1;
        self.0.entry(value.to_owned()).or_insert_with(|| format!("<{what} {number}>")).clone()
    }
}

fn is_time(text: &str) -> bool {
    text.len() >= 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T' && text.as_bytes()[4] == b'-'
}

fn is_age(text: &str) -> bool {
    text.len() <= 3 && text.strip_suffix('s').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
}

fn is_uid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// UIDs and revisions inside a sentence.
fn sentence(names: &mut Names, text: &str) -> String {
    let separators = [' ', '(', ')', ',', ':', '"', '.', ';', '/'];
    let mut out = text.to_owned();
    // The prefix of keys in etcd is an option of the real server.
    if let Some((before, key)) = text.split_once("Key: /")
        && let Some((_, key)) = key.split_once('/')
    {
        out = format!("{before}Key: /registry/{key}");
    }
    let text = &out.clone();
    for word in text.split(separators) {
        if is_uid(word) {
            out = out.replace(word, &names.of("uid", word));
        } else if word.len() >= 2
            && word.len() <= 6
            && word.bytes().all(|b| b.is_ascii_digit())
            && text.contains("ersion")
        {
            out = out.replace(word, "<revision>");
        }
    }
    out
}

fn tidy(names: &mut Names, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("managedFields");
            fields.remove("storageVersionHash");
            fields.remove("serverAddress");
            for field in FILLED_IN {
                fields.remove(*field);
            }
            // In the order of a cache that has none.
            if let Some(Value::Array(rules)) = fields.get_mut("nonResourceRules") {
                rules.sort_by_key(ToString::to_string);
            }
            if fields.get("reason").is_some_and(|reason| reason == "Invalid") {
                order(fields);
            }
            if fields.contains_key("columnDefinitions") {
                for column in fields["columnDefinitions"].as_array_mut().into_iter().flatten() {
                    column["description"] = Value::Null;
                }
            }
            for (key, value) in fields.iter_mut() {
                match (key.as_str(), &*value) {
                    ("resourceVersion", Value::String(text)) if !text.is_empty() => {
                        *value = "<revision>".into();
                    }
                    ("continue", Value::String(text)) if !text.is_empty() => *value = "<continue>".into(),
                    ("certificate", Value::String(_)) => *value = "<certificate>".into(),
                    ("request", Value::String(_)) => {}
                    ("authentication.kubernetes.io/credential-id", _) => *value = "<credential>".into(),
                    _ => tidy(names, value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| tidy(names, item)),
        Value::String(text) if is_time(text) => *value = "<time>".into(),
        Value::String(text) if is_uid(text) => *value = names.of("uid", text).into(),
        Value::String(text) if is_age(text) => *value = "<age>".into(),
        Value::String(text) => *value = sentence(names, text).into(),
        _ => {}
    }
}

/// Several causes come in an order that depends on which of two validations found them.
fn order(fields: &mut serde_json::Map<String, Value>) {
    let Some(causes) =
        fields.get_mut("details").and_then(|details| details.get_mut("causes")?.as_array_mut())
    else {
        return;
    };
    if causes.len() > 1 {
        causes.sort_by_key(ToString::to_string);
        if let Some(Value::String(message)) = fields.get_mut("message") {
            let mut letters: Vec<char> = message.chars().collect();
            letters.sort_unstable();
            *message = letters.into_iter().collect();
        }
    }
}

/// Where two answers differ, one line for each place.
pub fn differences(compared: Compared, expected: &Answer, answered: &Answer) -> String {
    let mut out = String::new();
    if expected.code != answered.code {
        out += &format!("  code: {} and here {}\n", expected.code, answered.code);
    }
    if expected.warnings != answered.warnings {
        out += &format!("  warnings: {:?} and here {:?}\n", expected.warnings, answered.warnings);
    }
    if compared == Compared::CodeAndReason {
        let reason = |answer: &Answer| answer.body.first().map(|body| body["reason"].clone());
        if reason(expected) != reason(answered) {
            out += &format!("  reason: {:?} and here {:?}\n", reason(expected), reason(answered));
        }
        return out;
    }
    let tidied = |answer: &Answer| {
        let mut names = Names::default();
        let mut body = Value::Array(answer.body.clone());
        tidy(&mut names, &mut body);
        body
    };
    compare("", &tidied(expected), &tidied(answered), &mut out);
    out
}

fn compare(path: &str, expected: &Value, answered: &Value, out: &mut String) {
    match (expected, answered) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let path = format!("{path}.{key}");
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => compare(&path, a, b, out),
                    (Some(a), None) => *out += &format!("  {path}: {a} and here nothing\n"),
                    (None, Some(b)) => *out += &format!("  {path}: nothing and here {b}\n"),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{at}]"), a, b, out);
            }
        }
        (a, b) if a == b => {}
        (a, b) => *out += &format!("  {path}: {a}\n  {}  and here {b}\n", " ".repeat(path.len())),
    }
}
