//! Bodies are taken only as long as they keep coming.

use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;
use tokio::time::{Instant, Sleep};

/// Bytes of a body that buy another second: who sends slower than this for long is cut off.
const BYTES_PER_SECOND: u64 = 1024;

/// A body that breaks off when its sender lets the node wait: for longer than `patience` at once, or in all for longer than
/// `patience` and a second for each KiB that came. Only waiting for the sender counts, not what the node does meanwhile.
pub(super) fn patient(payload: Payload, patience: Duration) -> Payload {
    if matches!(payload, Payload::None) {
        return payload;
    }
    let stream = Patient {
        payload,
        patience,
        received: 0,
        waited: Duration::ZERO,
        waiting: None,
    };
    Payload::Stream {
        payload: Box::pin(stream),
    }
}

struct Patient {
    payload: Payload,
    patience: Duration,
    received: u64,
    /// How long was waited before the present piece.
    waited: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Patient {
    /// The longest wait for the next piece.
    fn limit(&self) -> Duration {
        let earned = self.patience + Duration::from_secs(self.received / BYTES_PER_SECOND);
        self.patience.min(earned.saturating_sub(self.waited))
    }
}

impl Stream for Patient {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.payload).poll_next(task) {
            Poll::Ready(next) => {
                if let Some((since, _)) = self.waiting.take() {
                    self.waited += since.elapsed();
                }
                if let Some(Ok(bytes)) = &next {
                    self.received += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                }
                Poll::Ready(next)
            }
            Poll::Pending => {
                let limit = self.limit();
                let (_, sleep) = self
                    .waiting
                    .get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(limit))));
                match sleep.as_mut().poll(task) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(()) => {
                        let late = std::io::Error::new(std::io::ErrorKind::TimedOut, "it comes too slowly");
                        Poll::Ready(Some(Err(PayloadError::Io(late))))
                    }
                }
            }
        }
    }
}
