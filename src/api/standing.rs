//! A body may take as long as its sender likes, and what they may do can end meanwhile. So whoever sends it is looked at again
//! with each piece and at its end: nothing is done with what came from somebody who could not send it any more.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes};
use futures_util::Stream;
use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::context::Context;
use super::problem::Problem;
use super::sign_in;
use crate::acts::accounts::Caller;

/// How often at most it is noted that whoever sends a long body uses their session.
const NOTED_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// A body that breaks off once the session that sends it has ended, or its person may do other things than when it began.
pub(super) fn standing(
    payload: Payload,
    context: web::Data<Context>,
    token: Zeroizing<String>,
    caller: Arc<Caller>,
) -> Payload {
    if matches!(payload, Payload::None) {
        return payload;
    }
    let noted_at = context.store.now();
    let stream = Standing {
        payload,
        context,
        token,
        caller,
        noted_at,
    };
    Payload::Stream {
        payload: Box::pin(stream),
    }
}

/// Why a body broke off, where it is another reason than its way.
pub fn refusal(error: &PayloadError) -> Option<Problem> {
    let PayloadError::Io(error) = error else {
        return None;
    };
    error.get_ref()?.downcast_ref::<Problem>().cloned()
}

struct Standing {
    payload: Payload,
    context: web::Data<Context>,
    token: Zeroizing<String>,
    /// Who it was when the request came.
    caller: Arc<Caller>,
    noted_at: Timestamp,
}

impl Standing {
    fn look_again(&mut self) -> Result<(), Problem> {
        let now = sign_in::caller(&self.context, &self.token)?;
        if now.actor != self.caller.actor || now.owes_second_factor != self.caller.owes_second_factor {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "caller_changed",
                "your account, your role or your groups have changed while this was under way, and nothing of it was done; look \
                 at what you may do now, and do it again",
            ));
        }
        let at = self.context.store.now();
        if at.duration_since(self.noted_at) >= NOTED_AFTER {
            self.noted_at = at;
            sign_in::note_use(&self.context, &now, &self.token);
        }
        Ok(())
    }
}

impl Stream for Standing {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(Pin::new(&mut self.payload).poll_next(task));
        if matches!(next, Some(Err(_))) {
            return Poll::Ready(next);
        }
        Poll::Ready(match self.look_again() {
            Ok(()) => next,
            Err(problem) => Some(Err(PayloadError::Io(std::io::Error::other(problem)))),
        })
    }
}
