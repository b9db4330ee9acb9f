//! How much of an API server's answers is taken, whatever it sends.
//!
//! A server that is hostile or broken, and objects that anyone may create, must not take the memory of the
//! machine or its time: an answer, a line of a watch, what is kept of the lists, their pages and their time
//! all end.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};

use super::error::CallFailure;
use crate::plan::observed::{Binding, SigningRequest};
use crate::rbac::PolicyRule;

/// The largest answer, in bytes. One object is at most 1.5 MiB as etcd takes it.
pub(super) const ANSWER: usize = 8 * 1024 * 1024;

/// Of answers larger than this only one is read at a time, in bytes.
pub(super) const SMALL_ANSWER: usize = 1024 * 1024;

/// The longest line of a watch, in bytes: an event is one line.
pub(super) const LINE: usize = 2 * ANSWER;

/// How many pages one list may have.
pub(super) const PAGES: usize = 2_000;

/// What is kept of all lists together, in bytes: 100,000 subjects take a fifth of it.
const KEPT: usize = 64 * 1024 * 1024;

/// How long all lists together may take, for a limit of one call.
pub(super) fn listing_time(call: Duration) -> Duration {
    call.saturating_mul(20)
}

/// The remaining size budget for the lists of one cluster.
#[derive(Debug, Default)]
pub(super) struct Budget(AtomicUsize);

impl Budget {
    /// Takes room for some objects.
    pub(super) fn take<T: Weight>(&self, objects: &[T]) -> Result<(), CallFailure> {
        let more = objects.iter().map(Weight::weight).sum();
        if self.0.fetch_add(more, Ordering::Relaxed).saturating_add(more) > KEPT {
            return Err(CallFailure::TooLarge(format!("its lists hold more than {} MiB", KEPT >> 20)));
        }
        Ok(())
    }
}

/// About how much memory an object takes, in bytes.
pub(super) trait Weight {
    fn weight(&self) -> usize;
}

impl Weight for String {
    fn weight(&self) -> usize {
        // The value itself, and what an allocation rounds up to.
        self.len() + 40
    }
}

impl Weight for bool {
    fn weight(&self) -> usize {
        1
    }
}

impl Weight for BTreeMap<String, String> {
    fn weight(&self) -> usize {
        all(self.keys()) + all(self.values())
    }
}

impl<A: Weight, B: Weight> Weight for (A, B) {
    fn weight(&self) -> usize {
        self.0.weight() + self.1.weight()
    }
}

fn all<'a>(texts: impl IntoIterator<Item = &'a String>) -> usize {
    texts.into_iter().map(Weight::weight).sum()
}

impl Weight for Binding {
    fn weight(&self) -> usize {
        let subjects =
            self.subjects.iter().map(|s| s.kind.weight() + s.name.weight() + all(&s.namespace) + 24);
        all([&self.at.name, &self.role_kind, &self.role_name, &self.uid, &self.resource_version])
            + all(&self.at.namespace)
            + all(self.labels.keys())
            + all(self.labels.values())
            + all(&self.finalizers)
            + subjects.sum::<usize>()
    }
}

impl Weight for Vec<PolicyRule> {
    fn weight(&self) -> usize {
        let lists = |rule: &PolicyRule| {
            let PolicyRule { verbs, api_groups, resources, resource_names, non_resource_urls } = rule;
            let lists = [verbs, api_groups, resources, resource_names, non_resource_urls];
            lists.into_iter().map(|list| all(list) + 24).sum::<usize>()
        };
        self.iter().map(lists).sum::<usize>() + 24
    }
}

impl Weight for SigningRequest {
    fn weight(&self) -> usize {
        all([&self.name, &self.uid, &self.signer_name, &self.requester])
            + all(&self.common_name)
            + all(&self.organizations)
            + all(&self.conditions)
            + all(self.labels.keys())
            + all(self.labels.values())
            + 64
    }
}

/// A body that ends with an error in a line of more than [`LINE`] bytes: kube collects the lines of a
/// watch without a limit.
pub(super) struct LineLimit<B> {
    body: B,
    line: usize,
}

impl<B> LineLimit<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body, line: 0 }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<B> Body for LineLimit<B>
where
    B: Body<Data: AsRef<[u8]>, Error: Into<BoxError>> + Unpin,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            Some(Ok(frame)) => frame,
        };
        if let Some(data) = frame.data_ref().map(AsRef::as_ref) {
            self.line = match data.iter().rposition(|byte| *byte == b'\n') {
                Some(end) => data.len() - end - 1,
                None => self.line + data.len(),
            };
            if self.line > LINE {
                let error = format!("a line of more than {} MiB", LINE >> 20);
                return Poll::Ready(Some(Err(error.into())));
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
