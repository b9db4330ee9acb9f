//! The roster to begin with: one cluster, one group, one person, and two places to fill in.

use super::Answers;
use crate::render::yaml::scalar;

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
