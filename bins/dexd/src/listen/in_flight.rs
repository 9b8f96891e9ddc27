//! Which requests of a connection are still being answered, so that a stop waits for them and for nothing else.
//!
//! A peer that has sent half a request head, or nothing at all, would otherwise hold up the stop until a timeout of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// Counts the requests of one connection from the moment they are handed over until their answer's body is gone.
#[derive(Debug, Clone, Default)]
pub(super) struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    /// A request begins.
    pub(super) fn enter(&self) -> Guard {
        self.0.fetch_add(1, Ordering::Relaxed);
        Guard(Arc::clone(&self.0))
    }

    /// Resolves when the connection has had nothing to answer for a moment, which also lets the last bytes leave.
    pub(super) async fn nothing_left(&self) {
        let mut quiet = 0;
        while quiet < QUIET_LOOKS {
            tokio::time::sleep(LOOK).await;
            quiet = if self.0.load(Ordering::Relaxed) == 0 {
                quiet + 1
            } else {
                0
            };
        }
    }
}

/// One request; dropped when it has been answered.
#[derive(Debug)]
pub(super) struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body that keeps its request counted while it lives.
#[derive(Debug)]
pub(super) struct Guarded {
    body: Body,
    _guard: Guard,
}

impl Guarded {
    pub(super) fn new(body: Body, guard: Guard) -> Self {
        Self {
            body,
            _guard: guard,
        }
    }
}

impl http_body::Body for Guarded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

const LOOK: Duration = Duration::from_millis(50);
const QUIET_LOOKS: u32 = 6;
