//! Objects of Kubernetes as YAML documents, for kubectl.

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
