//! What the node takes of connections whose they are it does not know: requests without a session that holds, at a bounded rate
//! for each network address; and bodies only as long as they keep coming. Guessing is slowed down besides, by
//! [`throttles`](super::throttles).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{self, Poll};
use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpMessage, ResponseError};
use futures_util::Stream;
use jiff::Timestamp;
use tokio::time::{Instant, Sleep};

use super::context::Context;
use super::problem::Problem;
use super::sign_in;
use crate::domain::allowance::{Allowance, Rate};

/// The most addresses whose allowance is kept. At the bound those are forgotten that miss nothing, and if there are none, all.
const KEPT_MAX: usize = 10_000;

/// Bytes of a body that buy another second: who sends slower than this for long is cut off.
const BYTES_PER_SECOND: u64 = 1024;

/// What is left to each address.
#[derive(Debug)]
pub struct Strangers {
    rate: Option<Rate>,
    kept: Mutex<HashMap<IpAddr, Allowance>>,
}

impl Strangers {
    /// Nothing is bounded where `per_minute` is 0.
    pub fn new(per_minute: u32) -> Self {
        Self {
            rate: (per_minute > 0).then_some(Rate { per_minute }),
            kept: Mutex::default(),
        }
    }

    /// Whether an address may ask once more.
    ///
    /// # Errors
    /// 429, with the seconds after which it may.
    pub fn admit(&self, address: IpAddr, now: Timestamp) -> Result<(), Problem> {
        let Some(rate) = self.rate else { return Ok(()) };
        let address = network(address);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept.get(&address).copied();
        if before.is_none() && kept.len() >= KEPT_MAX {
            kept.retain(|_, allowance| !allowance.is_whole(rate, now));
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
        }
        let before = before.unwrap_or_else(|| Allowance::whole(rate, now));
        match before.spent(rate, now) {
            Ok(left) => {
                kept.insert(address, left);
                Ok(())
            }
            Err(seconds) => Err(too_many(seconds)),
        }
    }
}

/// An IPv6 host has a whole /64 of addresses to itself.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

fn too_many(seconds: u32) -> Problem {
    let detail =
        format!("too many requests without a session come from your network; try again in {seconds} seconds");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail).with("retry_after", seconds)
}

/// Middleware around everything: counts requests of strangers, notes that sessions are used, and hands bodies on with patience that
/// ends.
///
/// # Errors
/// Those of the handlers.
pub async fn guarded(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody>>, Error> {
    let context = request.app_data::<web::Data<Context>>().cloned();
    if let Some(context) = context {
        let token = sign_in::token(request.request());
        // Where the store does not answer, everybody is a stranger.
        let caller = token
            .as_ref()
            .and_then(|token| sign_in::caller(&context, token).ok());
        let patience = Duration::from_secs(context.config.server.body_idle_seconds);
        let payload = request.take_payload();
        request.set_payload(patient(payload, patience));
        if let Some((token, caller)) = token.zip(caller) {
            sign_in::note_use(&context, &caller, &token);
            let answered = next.call(request).await;
            // Again, for a request that took long.
            sign_in::note_use(&context, &caller, &token);
            return answered.map(ServiceResponse::map_into_left_body);
        }
        let address = context.address(request.request());
        if let Err(problem) = context.strangers().admit(address, context.store.now()) {
            return Ok(refused(request, &problem));
        }
    }
    next.call(request).await.map(ServiceResponse::map_into_left_body)
}

fn refused<B: MessageBody>(request: ServiceRequest, problem: &Problem) -> ServiceResponse<EitherBody<B>> {
    let mut answer = problem.error_response();
    if let Some(seconds) = problem.member("retry_after") {
        let value = HeaderValue::from_str(&seconds.to_string());
        if let Ok(value) = value {
            answer.headers_mut().insert(RETRY_AFTER, value);
        }
    }
    request.into_response(answer).map_into_right_body()
}

/// A body that breaks off when its sender lets the node wait: for longer than `patience` at once, or in all for longer than
/// `patience` and a second for each KiB that came. Only waiting for the sender counts, not what the node does meanwhile.
fn patient(payload: Payload, patience: Duration) -> Payload {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    #[test]
    fn each_network_has_an_allowance_of_its_own() {
        let strangers = Strangers::new(3);
        let admit = |address: &str, second| strangers.admit(address.parse().unwrap(), at(second));
        for _ in 0..3 {
            admit("192.0.2.1", 0).unwrap();
        }
        assert_eq!(admit("192.0.2.1", 0).unwrap_err().word(), "too_many_requests");
        admit("192.0.2.2", 0).unwrap();
        admit("192.0.2.1", 20).unwrap();
        for host in 1..=3 {
            admit(&format!("2001:db8:0:1::{host}"), 0).unwrap();
        }
        assert!(
            admit("2001:db8:0:1:ffff::", 0).is_err(),
            "one host has a whole /64"
        );
        admit("2001:db8:0:2::1", 0).unwrap();
    }

    #[test]
    fn memory_is_bounded() {
        let strangers = Strangers::new(3);
        for n in 0..u32::try_from(KEPT_MAX).unwrap() + 10 {
            drop(strangers.admit(IpAddr::from(n.to_be_bytes()), at(0)));
        }
        assert!(strangers.kept.lock().unwrap().len() <= KEPT_MAX);
    }
}
