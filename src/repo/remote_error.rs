//! Why a remote gave no answer. What git printed is read here once, so that code decides by type.

use super::git::GitOutput;
use crate::error::{Error, Result};

/// What kept a remote from answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RemoteFailure {
    /// It is about who asks: asking again changes nothing, and this helps.
    Credentials(&'static str),
    /// It hung, and a signal has ended the wait.
    CutShort,
    /// Anything else, which may pass by itself.
    Transport,
}

/// What git and its transports print where it is about who asks, with what helps.
const CREDENTIALS: [(&str, &str); 5] = [
    (
        "returned error: 403",
        "the credentials may read and not write: give the job a token that may (GitHub: `permissions: contents: write`)",
    ),
    ("returned error: 401", "the credentials are wrong or have expired"),
    ("Authentication failed", "the credentials are wrong or have expired"),
    (
        "could not read Username",
        "git has no credentials for this remote: let the checkout keep its token, or set a credential helper",
    ),
    (
        "Permission denied (publickey",
        "the server takes none of the SSH keys: `ssh-add -l` shows which the agent offers",
    ),
];

impl RemoteFailure {
    /// Of a git that failed.
    pub(super) fn of(answer: &GitOutput) -> Self {
        if answer.cut_short {
            return Self::CutShort;
        }
        let known = CREDENTIALS.iter().find(|(words, _)| answer.stderr.contains(words));
        known.map_or(Self::Transport, |(_, helps)| Self::Credentials(helps))
    }

    /// Whether to ask again is worth a try.
    pub(super) fn may_pass(self) -> bool {
        self == Self::Transport
    }

    /// Adds what helps, where that is known.
    pub(super) fn explain(self, error: Error) -> Error {
        match self {
            Self::Credentials(helps) => error.hint(helps),
            Self::CutShort | Self::Transport => error,
        }
    }
}

/// A remote that could not be read.
#[derive(Debug)]
pub(super) enum RemoteError {
    /// The remote, or the way there.
    Remote {
        failure: RemoteFailure,
        /// What git said, fit for a person to read.
        said: String,
        /// All of it.
        error: Box<Error>,
    },
    /// This side.
    Local(Error),
}

impl RemoteError {
    pub(super) fn of(answer: &GitOutput, error: Error) -> Self {
        let said = answer.cause();
        Self::Remote {
            failure: RemoteFailure::of(answer),
            error: Box::new(error.caused_by(said.clone())),
            said,
        }
    }

    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Remote { failure, .. } => failure.may_pass(),
            Self::Local(_) => false,
        }
    }

    /// As another error says it, which this one caused.
    pub(super) fn explain(self, error: Error) -> Error {
        match self {
            Self::Remote { failure, said, error: _ } => failure.explain(error.caused_by(said)),
            Self::Local(cause) => error.caused_by(cause.message().to_owned()),
        }
    }
}

impl From<Error> for RemoteError {
    fn from(error: Error) -> Self {
        Self::Local(error)
    }
}

impl From<RemoteError> for Error {
    fn from(error: RemoteError) -> Self {
        match error {
            RemoteError::Remote { error, .. } => *error,
            RemoteError::Local(error) => error,
        }
    }
}

/// The tip of a branch over there, or `None` where there is no such branch.
pub(super) type Tip = Result<Option<git2::Oid>, RemoteError>;
