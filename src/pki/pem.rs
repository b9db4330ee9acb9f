//! PEM (RFC 7468), written into buffers that never move, and read strictly.
//!
//! Refuses headers inside a block, labels that do not match, and anything but base64 in between.
//! Text outside the blocks is ignored, as in Kubernetes (`status.certificate` may contain it).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Bytes in one full line of 64 characters.
const LINE: usize = 48;

/// One block.
pub(crate) struct Block<'t> {
    /// What follows `BEGIN`, e.g. `CERTIFICATE`.
    pub(crate) label: &'t str,
    /// The content; wiped, because it may be a private key.
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// Writes one block into a buffer of exactly its size, so that no reallocation leaves a copy.
pub(crate) fn encode(label: &str, der: &[u8]) -> Zeroizing<Vec<u8>> {
    let size = 2 * label.len() + 32 + base64_len(der.len()) + der.len().div_ceil(LINE);
    let mut out = Zeroizing::new(Vec::with_capacity(size));
    for part in ["-----BEGIN ", label, "-----\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    for line in der.chunks(LINE) {
        push_base64(&mut out, line);
        out.push(b'\n');
    }
    for part in ["-----END ", label, "-----\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    out
}

/// The length of `length` bytes as base64.
pub(crate) fn base64_len(length: usize) -> usize {
    length.div_ceil(3) * 4
}

/// Appends base64. The caller has reserved [`base64_len`] bytes, so the buffer does not move.
pub(crate) fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + base64_len(bytes.len()), 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]);
    debug_assert_eq!(written, Ok(out.len() - start), "the slice has the encoded size");
}

/// Decodes base64 into a buffer that is wiped and does not move. `None` if it is not base64.
pub(crate) fn from_base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(vec![0; text.len().div_ceil(4) * 3]);
    let length = STANDARD.decode_slice(text, &mut out).ok()?;
    out.truncate(length);
    Some(out)
}

/// All blocks of a text, in order.
///
/// # Errors
/// If a block is cut off, or contains something other than base64. The content is not repeated.
pub(crate) fn decode(text: &str) -> Result<Vec<Block<'_>>> {
    let mut blocks = Vec::new();
    // Windows editors begin a text file with a byte order mark.
    let mut lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().map(str::trim_end);
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) else {
            continue;
        };
        // Its size from the start, so that no copy of a key is left behind; not that of the whole text, of
        // which thousands of empty blocks would each take as much.
        let inside = lines.clone().take_while(|line| !line.starts_with("-----END "));
        let mut base64 = Zeroizing::new(Vec::with_capacity(inside.map(str::len).sum()));
        loop {
            let line = lines.next().ok_or_else(|| Error::new("a PEM block has no END line"))?;
            if let Some(rest) = line.strip_prefix("-----END ") {
                if rest.strip_suffix("-----") != Some(label) {
                    return Err(Error::new("a PEM block ends with another label than it begins with"));
                }
                break;
            }
            base64.extend_from_slice(line.as_bytes());
        }
        let der = from_base64(&base64)
            .ok_or_else(|| Error::new("a PEM block holds something other than base64"))?;
        blocks.push(Block { label, der });
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_the_buffer_never_moved() {
        for length in [0, 1, 2, 3, 47, 48, 49, 96, 1000] {
            let der: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let text = encode("TEST THING", &der);
            assert_eq!(text.len(), text.capacity(), "{length}: sized exactly");
            let text = std::str::from_utf8(&text).expect("ASCII");
            assert!(text.lines().all(|line| line.len() <= 64), "{text}");
            let blocks = decode(text).expect("valid");
            assert_eq!(blocks.len(), 1);
            assert_eq!(blocks[0].label, "TEST THING");
            assert_eq!(*blocks[0].der, der);
        }
    }

    #[test]
    fn text_around_blocks_is_ignored_and_broken_blocks_are_refused() {
        let good = "subject=alice\n-----BEGIN A-----\r\nAAEC\r\n-----END A-----\r\nbye\n";
        assert_eq!(decode(good).expect("valid")[0].der.as_slice(), [0, 1, 2]);
        for (bad, why) in [
            ("-----BEGIN A-----\nAAEC\n", "no END"),
            ("-----BEGIN A-----\nAAEC\n-----END B-----\n", "another label"),
            ("-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nAAEC\n-----END A-----\n", "other than base64"),
            ("-----BEGIN A-----\nAAE\n-----END A-----\n", "other than base64"),
            ("-----BEGIN A-----\n-----BEGIN A-----\nAAEC\n-----END A-----\n", "other than base64"),
        ] {
            let error = decode(bad).err().expect(bad);
            assert!(error.message().contains(why), "{bad}: {error}");
        }
    }
}
