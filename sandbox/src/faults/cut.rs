//! A response that is cut off in the middle.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;

use crate::backend::{Abort, Body};

/// Forwards this many frames, then breaks the connection.
pub(super) struct Cut {
    whole: Body,
    left: usize,
}

impl Cut {
    pub(super) fn new(whole: Body, after: usize) -> Self {
        Self { whole, left: after }
    }
}

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = Abort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Abort>>> {
        if self.left == 0 {
            return Poll::Ready(Some(Err(Abort)));
        }
        let frame = Pin::new(&mut self.whole).poll_frame(context);
        if frame.is_ready() {
            self.left -= 1;
        }
        frame
    }
}
