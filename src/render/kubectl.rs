//! Command lines of kubectl that somebody copies into a shell.

use super::shell;

/// How kubectl reaches a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Kubectl<'a> {
    /// `--kubeconfig`, where it was given.
    pub kubeconfig: Option<&'a str>,
    pub context: &'a str,
}

impl Kubectl<'_> {
    /// A command line: these words, after what says which cluster.
    pub fn line(self, words: &[&str]) -> String {
        let kubeconfig = self.kubeconfig.map(|file| format!("--kubeconfig={file}"));
        let context = format!("--context={}", self.context);
        let begin = ["kubectl"].into_iter().chain(kubeconfig.as_deref()).chain([context.as_str()]);
        shell::line(begin.chain(words.iter().copied()))
    }
}
