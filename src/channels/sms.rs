//! Text messages: no node offers them. The channel is known, so that whoever asks for it is told so.

use futures_util::future::BoxFuture;

use super::{Channel, To};
use crate::domain::notification::channel::NO_SMS;
use crate::domain::notification::letter::Letter;
use crate::domain::notification::reply::{Fault, Verdict};

/// Answers that it is not there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sms;

impl Channel for Sms {
    fn deliver<'a>(&'a self, _: &'a Letter, _: &'a To) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async {
            Err(Fault {
                verdict: Verdict::Final,
                said: NO_SMS.to_owned(),
            })
        })
    }
}
