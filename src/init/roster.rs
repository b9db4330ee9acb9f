//! The roster to begin with: one cluster, one group, one person, and two places to fill in.

use super::Answers;

/// Short on purpose: what is left empty is what `certctl validate` asks for, line by line.
const TEXT: &str = include_str!("users.yaml");

/// The roster that these answers give.
pub(super) fn text(answers: &Answers) -> String {
    let context = format!(
        "# certctl's own context in the kubeconfig. People's is called {}.\n  context: {}",
        answers.cluster,
        scalar(&answers.context)
    );
    // The names are lower case; a context may hold anything, so it comes last.
    TEXT.replace("ROSTER", &scalar(answers.name.as_str()))
        .replace("CLUSTER", &scalar(answers.cluster.as_str()))
        .replace("PERSON", &scalar(answers.user.as_str()))
        .replace("# CONTEXT", &context)
}

/// Words that some YAML readers take for something else than text.
const WORDS: &[&str] = &["true", "false", "yes", "no", "on", "off", "y", "n", "null"];

/// Text as YAML: bare where nobody can misread it, else in double quotes, as JSON writes it.
fn scalar(text: &str) -> String {
    let bare = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._@/".contains(&b))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if bare { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
