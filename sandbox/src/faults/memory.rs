//! The responses to earlier reads, for stale responses.

use std::collections::HashMap;

use bytes::Bytes;
use http::HeaderMap;

/// How many different reads are kept; a test makes far fewer.
const MOST: usize = 1000;

/// The response to a read.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// How many writes preceded it.
    writes: u64,
}

/// The last responses to each read, and the number of writes so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    writes: u64,
    /// By path and query: the last before the newest write, and the newest.
    answers: HashMap<String, (Option<Answer>, Answer)>,
}

impl Memory {
    pub(super) fn wrote(&mut self) {
        self.writes += 1;
    }

    pub(super) fn read(&mut self, what: &str, headers: HeaderMap, body: Bytes) {
        let new = Answer { headers, body, writes: self.writes };
        let full = self.answers.len() >= MOST;
        match self.answers.get_mut(what) {
            Some((older, newest)) => {
                let last = std::mem::replace(newest, new);
                if last.writes < self.writes {
                    *older = Some(last);
                }
            }
            None if full => {}
            None => drop(self.answers.insert(what.to_owned(), (None, new))),
        }
    }

    /// The last response from before the newest write.
    pub(super) fn stale(&self, what: &str) -> Option<Answer> {
        let (older, newest) = self.answers.get(what)?;
        let stale = if newest.writes < self.writes { Some(newest) } else { older.as_ref() };
        stale.cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_response_is_from_before_the_last_write() {
        let mut memory = Memory::default();
        let read = |memory: &mut Memory, body: &'static str| {
            memory.read("/x", HeaderMap::new(), Bytes::from_static(body.as_bytes()));
        };
        let stale = |memory: &Memory| memory.stale("/x").map(|answer| answer.body);
        assert_eq!(stale(&memory), None);
        read(&mut memory, "1");
        assert_eq!(stale(&memory), None, "nothing was written since");
        memory.wrote();
        assert_eq!(stale(&memory), Some(Bytes::from("1")));
        read(&mut memory, "2");
        read(&mut memory, "2");
        assert_eq!(stale(&memory), Some(Bytes::from("1")), "the newest is not stale");
        memory.wrote();
        assert_eq!(stale(&memory), Some(Bytes::from("2")));
    }
}
