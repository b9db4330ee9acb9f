//! Objects of Kubernetes as YAML documents, for kubectl; and single values of a roster.

use std::fmt::Write as _;

use serde_json::Value;

use crate::error::{Error, Result};

/// One document after the other.
///
/// # Errors
/// A value cannot be written as YAML.
pub fn documents(objects: &[Value]) -> Result<String> {
    let mut text = String::new();
    for object in objects {
        let document = serde_saphyr::to_string(object).map_err(|cause| {
            Error::new("the objects could not be written as YAML; nothing was printed").caused_by(cause)
        })?;
        let _ = writeln!(text, "---\n{}", document.trim_end());
    }
    Ok(text)
}

/// Words that some YAML readers take for something else than text.
const WORDS: &[&str] = &["true", "false", "yes", "no", "on", "off", "y", "n", "null"];

/// Text as YAML: bare where nobody can misread it, else in double quotes, as JSON writes it.
pub fn scalar(text: &str) -> String {
    let bare = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._@/".contains(&b))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if bare { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
