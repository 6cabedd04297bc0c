//! The ways out of the node to a person: one file for each. A channel hands a finished letter over and says what came of
//! it; whether, when and how often, and what the letter says, is decided elsewhere.
//!
//! The inbox has no file here: its notices are written in the transaction that fans an event out, so nothing has to be
//! carried anywhere.

mod email;
mod slack;
mod sms;

use std::fmt::Debug;

use futures_util::future::BoxFuture;

use crate::domain::notification::letter::Letter;
use crate::domain::notification::reply::Fault;
use crate::domain::sealed::Secret;

pub use email::{Email, Login};
pub use slack::Slack;
pub use sms::Sms;

/// Where a letter goes.
#[derive(Clone, Debug)]
pub struct To {
    /// The address of the recipient's account.
    pub email: String,
    /// The address of their incoming webhook.
    pub webhook: Option<Secret>,
}

/// A way out of the node.
pub trait Channel: Debug + Send + Sync {
    /// Hands one letter over. Takes bounded time and memory whatever the other side does, and never blocks its thread.
    /// A letter that was handed over may have arrived even if this says that it has not.
    fn deliver<'a>(&'a self, letter: &'a Letter, to: &'a To) -> BoxFuture<'a, Result<(), Fault>>;

    /// Closes what is kept open between letters. There may be more letters later.
    fn rest(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
