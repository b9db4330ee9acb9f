//! The rules for names. apimachinery/pkg/api/validate/content, pkg/apis/core/validation/names.go.

use crate::go;
use crate::status::FieldError;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_LIMIT: usize = 253;
const LABEL_LIMIT: usize = 63;

/// A rule for names: returns messages about what is wrong with one.
pub(crate) type NameRule = fn(&str) -> Vec<String>;

/// Any string that can be a URL path segment, with a few exceptions.
pub(crate) fn path_segment(name: &str) -> Vec<String> {
    match name {
        "." | ".." => vec![format!("may not be '{name}'")],
        _ => {
            let bad = ["/", "%"].into_iter().filter(|bad| name.contains(bad));
            bad.map(|bad| format!("may not contain '{bad}'")).collect()
        }
    }
}

fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_dns_subdomain(text: &str) -> bool {
    text.split('.').all(is_dns_label)
}

pub(crate) fn dns_label(name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if name.len() > LABEL_LIMIT {
        wrong.push(format!("must be no more than {LABEL_LIMIT} characters"));
    }
    if !is_dns_label(name) {
        wrong.push(if is_dns_subdomain(name) {
            "must not contain dots".to_owned()
        } else {
            format!(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
                 start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for \
                 validation is '{LABEL}')"
            )
        });
    }
    wrong
}

pub(crate) fn dns_subdomain(name: &str) -> Vec<String> {
    subdomain_with(name, "characters")
}

fn subdomain_with(name: &str, unit: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if name.len() > SUBDOMAIN_LIMIT {
        wrong.push(format!("must be no more than {SUBDOMAIN_LIMIT} {unit}"));
    }
    if !is_dns_subdomain(name) {
        wrong.push(format!(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '{LABEL}(\\.{LABEL})*')"
        ));
    }
    wrong
}

/// The rule for a name prefix: it may end in a dash.
pub(crate) fn of_prefix(rule: NameRule, prefix: &str) -> Vec<String> {
    // The character that replaces the dash also replaces the one before it, as in the real server
    // (apimachinery/pkg/api/validation/generic.go, maskTrailingDash).
    match prefix.strip_suffix('-').filter(|rest| !rest.is_empty()) {
        Some(rest) => {
            let mut end = rest.len() - 1;
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            rule(&format!("{}a", &rest[..end]))
        }
        None => rule(prefix),
    }
}

const KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

fn is_label_part(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends = |text: &str| {
        let (first, last) = (text.bytes().next(), text.bytes().last());
        [first, last].into_iter().flatten().all(|byte| byte.is_ascii_alphanumeric())
    };
    !text.is_empty() && text.bytes().all(inner) && ends(text)
}

/// The key of a label or annotation: a name, with an optional domain prefix.
pub(crate) fn label_key(key: &str) -> Vec<String> {
    let explained = |start: &str| {
        format!(
            "{start} must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
             alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{KEY}')"
        )
    };
    let mut wrong = Vec::new();
    let name = match key.split('/').collect::<Vec<_>>().as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                wrong.extend(
                    subdomain_with(prefix, "bytes").into_iter().map(|text| format!("prefix part {text}")),
                );
            }
            *name
        }
        _ => {
            let optional = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![explained("a valid label key") + optional];
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_LIMIT {
        wrong.push(format!("name part must be no more than {LABEL_LIMIT} bytes"));
    }
    if !is_label_part(name) {
        wrong.push(explained("name part"));
    }
    wrong
}

pub(crate) fn label_value(value: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if value.len() > LABEL_LIMIT {
        wrong.push(format!("must be no more than {LABEL_LIMIT} bytes"));
    }
    if !value.is_empty() && !is_label_part(value) {
        wrong.push(format!(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
             for validation is '({KEY})?')"
        ));
    }
    wrong
}

/// A key in a config map: a plain file name.
pub(crate) fn config_key(key: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if key.len() > SUBDOMAIN_LIMIT {
        wrong.push(format!("must be no more than {SUBDOMAIN_LIMIT} characters"));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if key.is_empty() || !key.bytes().all(allowed) {
        wrong.push(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
             'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                .to_owned(),
        );
    }
    match key {
        "." | ".." => wrong.push(format!("must not be '{key}'")),
        _ if key.starts_with("..") => wrong.push("must not start with '..'".to_owned()),
        _ => {}
    }
    wrong
}

/// A signer: a domain of two labels or more, and a name.
pub(crate) fn signer_name(field: &str, name: &str) -> Vec<FieldError> {
    if name.is_empty() {
        return vec![FieldError::required(field, "")];
    }
    let invalid = |value: &str, why: &str| FieldError::invalid(field, &value.into(), why);
    let Some((domain, path)) = name.split_once('/').filter(|(_, path)| !path.contains('/')) else {
        let why = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        return vec![invalid(name, why)];
    };
    let mut errors = Vec::new();
    if domain.len() > SUBDOMAIN_LIMIT {
        errors.push(FieldError::too_long(field, SUBDOMAIN_LIMIT));
    }
    // Only the first invalid label is reported.
    let labels = |part: &str, rule: NameRule| -> Vec<FieldError> {
        let found = part.split('.').map(|label| (label, rule(label))).find(|(_, wrong)| !wrong.is_empty());
        let (label, wrong) = found.unwrap_or_default();
        wrong
            .iter()
            .map(|why| invalid(part, &format!("validating label {}: {why}", go::quote(label))))
            .collect()
    };
    errors.extend(labels(domain, dns_label));
    if !domain.contains('.') {
        errors.push(invalid(domain, "should be a domain with at least two segments separated by dots"));
    }
    errors.extend(labels(path, dns_subdomain));
    let limit = 2 * SUBDOMAIN_LIMIT + LABEL_LIMIT + 2;
    if name.len() > limit {
        errors.push(FieldError::too_long(field, limit));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(rule: NameRule, good: &[&str], bad: &[&str]) {
        for name in good {
            assert_eq!(rule(name), [""; 0], "{name:?}");
        }
        for name in bad {
            assert_ne!(rule(name), [""; 0], "{name:?}");
        }
    }

    #[test]
    fn each_kind_of_name_has_its_own_rule() {
        let (label, long_label) = ("a".repeat(63), "a".repeat(64));
        all(path_segment, &["certctl:dev:edit", "A b", "..."], &[".", "..", "a/b", "50%"]);
        all(dns_label, &["a", "0-a", &label], &["", "A", "-a", "a-", "a.b", "a_b", "ä", &long_label]);
        all(dns_subdomain, &["a", "a.b-c.0"], &["", ".", "a.", "a..b", "A.b", "a.-b", &"a".repeat(254)]);
        all(
            label_key,
            &["a", "A_b.c-1", "example.com/a"],
            &["", "-a", "a/b/c", "/a", "a/", "A.com/a", "a b"],
        );
        all(label_value, &["", "a", "A.1_b"], &["-a", "a-", "a b", "a/b", &long_label]);
        all(config_key, &["a", ".a", "A_.b"], &["", ".", "..", "..a", "a/b", "ä", &"a".repeat(254)]);
    }

    #[test]
    fn a_prefix_may_end_in_a_dash() {
        assert_eq!(of_prefix(dns_label, "web-"), [""; 0]);
        assert_ne!(of_prefix(dns_label, "-"), [""; 0]);
        assert_ne!(of_prefix(dns_label, "Web-"), [""; 0]);
        assert_eq!(of_prefix(path_segment, "a-"), [""; 0]);
    }

    #[test]
    fn a_signer_is_a_domain_and_a_name() {
        let said =
            |name: &str| -> Vec<String> { signer_name("f", name).iter().map(ToString::to_string).collect() };
        assert_eq!(said("example.com/my-signer.v1"), [""; 0]);
        assert_eq!(said(""), ["f: Required value"]);
        let form = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        assert_eq!(said("client"), [format!("f: Invalid value: \"client\": {form}")]);
        assert_eq!(said("a.b/c/d"), [format!("f: Invalid value: \"a.b/c/d\": {form}")]);
        assert_eq!(
            said("local/x"),
            ["f: Invalid value: \"local\": should be a domain with at least two segments separated by dots"]
        );
        let upper = said("Example.com/B.C");
        assert_eq!(upper.len(), 2, "the first wrong label of each part: {upper:?}");
        assert!(upper[0].contains("validating label \"Example\": a lowercase RFC 1123 label"), "{upper:?}");
        assert!(upper[1].contains("validating label \"B\": a lowercase RFC 1123 subdomain"), "{upper:?}");
    }
}
