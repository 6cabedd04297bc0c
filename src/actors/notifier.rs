//! The notifier owns the outbox: what acts have left in it in their own commits is to be delivered, however often the node
//! starts in between. It wakes when something was queued; it is told nothing else, since all that matters is stored.

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, Supervised, WrapFuture,
};

use super::{ActError, StoreHandle};
use crate::acts::Refusal;
use crate::domain::notification::Notification;
use crate::store::read::{Read, View};
use crate::store::tables::OUTBOX;

/// Owns the outbox.
#[derive(Debug)]
pub struct Notifier {
    store: StoreHandle,
}

impl Notifier {
    /// A notifier over the outbox of a store.
    pub fn new(store: StoreHandle) -> Self {
        Self { store }
    }

    fn look(&self, context: &mut Context<Self>) {
        let waiting = count(self.store.clone());
        context.spawn(waiting.into_actor(self).map(|waiting, _, _| match waiting {
            Ok(waiting) => tracing::debug!(waiting, "the outbox"),
            Err(error) => {
                tracing::warn!(%error, "the outbox cannot be read; trying again when something is queued")
            }
        }));
    }
}

impl Actor for Notifier {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.look(context);
    }
}

impl Supervised for Notifier {}

/// Something was added to the outbox.
#[derive(Clone, Copy, Debug)]
pub struct Queued;

impl Message for Queued {
    type Result = ();
}

impl Handler<Queued> for Notifier {
    type Result = ();

    fn handle(&mut self, _: Queued, context: &mut Context<Self>) {
        self.look(context);
    }
}

/// How many notifications wait to be delivered?
#[derive(Clone, Copy, Debug)]
pub struct Waiting;

impl Message for Waiting {
    type Result = Result<u64, ActError>;
}

impl Handler<Waiting> for Notifier {
    type Result = ResponseFuture<Result<u64, ActError>>;

    fn handle(&mut self, _: Waiting, _: &mut Context<Self>) -> Self::Result {
        Box::pin(count(self.store.clone()))
    }
}

async fn count(store: StoreHandle) -> Result<u64, ActError> {
    store
        .read(|view: &View| {
            let mut waiting = 0;
            view.for_each(&OUTBOX, &(), |_, _: Notification| {
                waiting += 1;
                Ok::<_, Refusal>(())
            })?;
            Ok(waiting)
        })
        .await
}
