//! What is asked and answered on the socket: one question and one answer to a connection, each a length of four bytes
//! and as many bytes, the first of which says what it is.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::Recipient;
use crate::seal::{FileDigest, OpenError, SEALED_LIMIT};

/// What can be asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AgentRequest {
    /// What is unlocked?
    What,
    /// What is in this sealed file, as far as these identity files open it?
    Open(BTreeSet<FileDigest>, Vec<u8>),
    /// Forget everything, and end.
    Lock,
}

/// What is unlocked, and until when. Nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unlocked {
    pub(super) until: Timestamp,
    /// Each identity file, and the public side of it.
    pub(super) files: Vec<(FileDigest, BTreeSet<Recipient>)>,
}

/// What is answered. No Debug: it can hold a kubeconfig.
pub(super) enum AgentReply {
    What(Unlocked),
    Opened(Zeroizing<Vec<u8>>),
    NotOpened(OpenError),
    Locked,
}

/// The most identity files that a question names.
pub(super) const MOST_FILES: usize = 255;

/// The longest message: a sealed file, and what stands before it.
const LIMIT: usize = SEALED_LIMIT + 2 + MOST_FILES * FileDigest::LENGTH;

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what came is not of certctl")
}

/// One message. It is wiped, for it may hold a key.
///
/// # Errors
/// The other side is gone, is too slow, or sends too much.
pub(super) fn receive(from: &mut impl Read) -> io::Result<(u8, Zeroizing<Vec<u8>>)> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if !(1..=LIMIT).contains(&length) {
        return Err(malformed());
    }
    let mut kind = [0];
    from.read_exact(&mut kind)?;
    let mut content = Zeroizing::new(vec![0; length - 1]);
    from.read_exact(&mut content)?;
    Ok((kind[0], content))
}

/// # Errors
/// The other side is gone, or is too slow.
pub(super) fn send(to: &mut impl Write, kind: u8, content: &[u8]) -> io::Result<()> {
    let length = u32::try_from(content.len() + 1).map_err(|_| malformed())?;
    to.write_all(&length.to_be_bytes())?;
    to.write_all(&[kind])?;
    to.write_all(content)?;
    to.flush()
}

impl AgentRequest {
    pub(super) fn send(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::What => send(to, b'?', &[]),
            Self::Open(with, sealed) => {
                let mut content = vec![u8::try_from(with.len()).map_err(|_| malformed())?];
                with.iter().for_each(|file| content.extend_from_slice(file.as_bytes()));
                content.extend_from_slice(sealed);
                send(to, b'o', &content)
            }
            Self::Lock => send(to, b'l', &[]),
        }
    }

    pub(super) fn receive(from: &mut impl Read) -> io::Result<Self> {
        let (kind, content) = receive(from)?;
        match kind {
            b'?' => Ok(Self::What),
            b'o' => {
                let (count, rest) = content.split_first().ok_or_else(malformed)?;
                let (files, sealed) =
                    rest.split_at_checked(usize::from(*count) * FileDigest::LENGTH).ok_or_else(malformed)?;
                let (files, _) = files.as_chunks();
                let files = files.iter().map(|digest| FileDigest::from_bytes(*digest));
                Ok(Self::Open(files.collect(), sealed.to_vec()))
            }
            b'l' => Ok(Self::Lock),
            _ => Err(malformed()),
        }
    }
}

impl AgentReply {
    pub(super) fn send(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::What(unlocked) => send(to, b'?', &serde_json::to_vec(unlocked)?),
            Self::Opened(plaintext) => send(to, b'o', plaintext),
            Self::NotOpened(OpenError::NotForUs) => send(to, b'n', &[]),
            Self::NotOpened(OpenError::Locked(why)) => send(to, b'c', why.as_bytes()),
            Self::NotOpened(OpenError::Malformed(why)) => send(to, b'm', why.as_bytes()),
            Self::Locked => send(to, b'l', &[]),
        }
    }

    pub(super) fn receive(from: &mut impl Read) -> io::Result<Self> {
        let (kind, content) = receive(from)?;
        let text = || String::from_utf8_lossy(&content).into_owned();
        match kind {
            b'?' => Ok(Self::What(serde_json::from_slice(&content)?)),
            b'o' => Ok(Self::Opened(content)),
            b'n' => Ok(Self::NotOpened(OpenError::NotForUs)),
            b'c' => Ok(Self::NotOpened(OpenError::Locked(text()))),
            b'm' => Ok(Self::NotOpened(OpenError::Malformed(text()))),
            b'l' => Ok(Self::Locked),
            _ => Err(malformed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_reads_back_and_everything_else_is_refused() {
        let files = |count: u8| (0..count).map(|n| FileDigest::from_bytes([n; 32])).collect();
        for question in [
            AgentRequest::What,
            AgentRequest::Open(files(3), vec![7; 3000]),
            AgentRequest::Open(files(0), Vec::new()),
            AgentRequest::Open(files(255), vec![0; SEALED_LIMIT]),
            AgentRequest::Lock,
        ] {
            let mut sent = Vec::new();
            question.send(&mut sent).expect("sent");
            assert_eq!(AgentRequest::receive(&mut &sent[..]).expect("received"), question);
        }
        for wrong in [
            &b""[..],
            b"\0\0\0\0",
            b"\0\0\0\x01x",
            b"\0\0\0\x01o",
            b"\0\0\0\x03o\x01x",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\xff\xff\xff\xffo",
        ] {
            assert!(AgentRequest::receive(&mut &wrong[..]).is_err(), "{wrong:?}");
        }
    }
}
