//! A request's body with a deadline: a peer that sends one byte a minute does not hold a connection for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// What a read of the body may fail with.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body that fails when it is not complete in time.
#[derive(Debug)]
pub(crate) struct Timely<B> {
    body: B,
    /// `None` for an empty body, which most requests have.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<B: Body> Timely<B> {
    /// All of `body` must come within `patience` from now.
    pub(crate) fn new(body: B, patience: Duration) -> Self {
        let deadline = (!body.is_end_stream()).then(|| Box::pin(sleep(patience)));
        Self { body, deadline }
    }
}

impl<B> Body for Timely<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let Some(deadline) = &mut self.deadline else {
            return Poll::Pending;
        };
        deadline.as_mut().poll(context).map(|()| {
            let late = io::Error::new(io::ErrorKind::TimedOut, "the request body took too long");
            Some(Err(late.into()))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::poll_fn;

    use super::*;

    /// A body of which nothing ever comes.
    struct Stalled;

    impl Body for Stalled {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_an_error() {
        let mut body = Timely::new(Stalled, Duration::ZERO);
        let outcome = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert_eq!(
            outcome.unwrap().unwrap_err().to_string(),
            "the request body took too long"
        );
    }

    #[tokio::test]
    async fn a_body_that_comes_is_passed_on() {
        let mut body = Timely::new(axum::body::Body::from("ab"), Duration::ZERO);
        let outcome = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let data = outcome.unwrap().unwrap().into_data().unwrap();
        assert_eq!(data, "ab");
    }
}
