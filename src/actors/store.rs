//! The store while the node runs: one actor hands transactions to the thread that commits them, and a handle reads
//! beside it.

use std::fmt::{self, Debug};
use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message, ResponseFuture, Supervised, Supervisor};
use jiff::Timestamp;
use tokio::sync::Notify;

use super::ActError;
use crate::acts::Refusal;
use crate::clock;
use crate::store::read::View;
use crate::store::records::Here;
use crate::store::transaction::Tx;
use crate::store::writer::{TransactError, Writer};

/// Entries of the store that an arbiter reads itself for a page: a fraction of a millisecond's worth.
const READ_AT_ONCE: usize = 64;

/// Reads the time. [`clock::now`], except in tests.
pub type Clock = fn() -> Timestamp;

/// Owns the engine: serialises writes through its [`Writer`].
#[derive(Debug)]
pub struct Store {
    writer: Writer,
}

impl Actor for Store {
    type Context = Context<Self>;
}

impl Supervised for Store {}

type Act<T> = Box<dyn FnOnce(&mut Tx<'_>) -> Result<T, Refusal> + Send>;

/// Run this transaction; answer once it is on the disk.
pub struct Transact<T> {
    act: Act<T>,
}

impl<T> Transact<T> {
    /// Wraps an act.
    pub fn new(act: impl FnOnce(&mut Tx<'_>) -> Result<T, Refusal> + Send + 'static) -> Self {
        Self { act: Box::new(act) }
    }
}

impl<T> Debug for Transact<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Transact")
    }
}

impl<T: Send + 'static> Message for Transact<T> {
    type Result = Result<T, ActError>;
}

impl<T: Send + 'static> Handler<Transact<T>> for Store {
    type Result = ResponseFuture<Result<T, ActError>>;

    fn handle(&mut self, message: Transact<T>, _: &mut Context<Self>) -> Self::Result {
        // Queued now, in the order of the mailbox; the actor does not wait for the disk.
        let committed = self.writer.transact_async(message.act);
        Box::pin(async { committed.await.map_err(ActError::from) })
    }
}

impl From<TransactError<Refusal>> for ActError {
    fn from(error: TransactError<Refusal>) -> Self {
        match error {
            TransactError::Refused(refusal) => Self::Refusal(refusal),
            TransactError::Busy => Self::Busy,
            TransactError::Closed => Self::Stopping,
            TransactError::Commit(cause) => Self::Internal(anyhow::Error::new(cause)),
            TransactError::Unknown => Self::Unknown,
        }
    }
}

/// What everything else reads and writes the store with. Clones share one address, so that the mailbox stays bounded.
#[derive(Clone)]
pub struct StoreHandle {
    shared: Arc<Shared>,
}

struct Shared {
    actor: Addr<Store>,
    writer: Writer,
    clock: Clock,
    committed: Arc<Notify>,
}

impl Debug for StoreHandle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("StoreHandle")
    }
}

impl StoreHandle {
    /// Starts the actor under a supervisor, on the arbiter of the caller.
    pub fn start(writer: Writer, clock: Clock) -> Self {
        let owned = writer.clone();
        let actor = Supervisor::start(move |_| Store { writer: owned });
        Self {
            shared: Arc::new(Shared {
                actor,
                writer,
                clock,
                committed: Arc::new(Notify::new()),
            }),
        }
    }

    /// Is told after every commit, for the one who looks whether there is something new to do: the notifier.
    pub fn committed(&self) -> Arc<Notify> {
        Arc::clone(&self.shared.committed)
    }

    /// The present moment, as the node's clock has it.
    pub fn now(&self) -> Timestamp {
        (self.shared.clock)()
    }

    /// Runs a transaction and waits until it is on the disk. It must be quick: all other writes wait for it.
    ///
    /// # Errors
    /// The act refused, or the store could not write; see [`ActError`] for what is known then.
    pub async fn transact<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Tx<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, ActError> {
        let done = self.shared.actor.send(Transact::new(act)).await??;
        self.shared.committed.notify_one();
        Ok(done)
    }

    /// As [`Self::transact`], for acts, which are told where and when they happen.
    ///
    /// # Errors
    /// As [`Self::transact`].
    pub async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Tx<'_>, &Here) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, ActError> {
        self.transact(self.placed(act)).await
    }

    /// As [`Self::transact`], for a thread that may block.
    ///
    /// # Errors
    /// As [`Self::transact`].
    pub fn transact_blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Tx<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, ActError> {
        let done = self.shared.writer.transact(act)?;
        self.shared.committed.notify_one();
        Ok(done)
    }

    /// As [`Self::act`], for a thread that may block.
    ///
    /// # Errors
    /// As [`Self::transact`].
    pub fn act_blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Tx<'_>, &Here) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, ActError> {
        self.transact_blocking(self.placed(act))
    }

    /// As [`Self::act_blocking`], but waits for its turn however many are before it, where others are told that the store is
    /// busy: for what nobody can ask for again.
    ///
    /// # Errors
    /// As [`Self::transact`]; never [`ActError::Busy`].
    pub fn act_in_turn<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Tx<'_>, &Here) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, ActError> {
        let done = self.shared.writer.transact_in_turn(self.placed(act))?;
        self.shared.committed.notify_one();
        Ok(done)
    }

    fn placed<T>(
        &self,
        act: impl FnOnce(&mut Tx<'_>, &Here) -> Result<T, Refusal> + Send + 'static,
    ) -> impl FnOnce(&mut Tx<'_>) -> Result<T, Refusal> + Send + 'static {
        let (now, random) = (self.now(), clock::random_bytes());
        move |tx| {
            let here = Here::at(tx, now, random)?;
            act(tx, &here)
        }
    }

    /// Reads one committed state, on a thread that may block, beside all writes.
    ///
    /// # Errors
    /// What `reading` refuses, or the store cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        reading: impl FnOnce(&View) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, ActError> {
        let handle = self.clone();
        actix_web::rt::task::spawn_blocking(move || handle.read_blocking(reading))
            .await
            .map_err(ActError::internal)?
    }

    /// As [`Self::read`], for a thread that may block.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_blocking<T>(&self, reading: impl FnOnce(&View) -> Result<T, Refusal>) -> Result<T, ActError> {
        let view = self.shared.writer.view().map_err(ActError::internal)?;
        Ok(reading(&view)?)
    }

    /// As [`Self::read`], on the thread that calls where there is little to read, and on one that may block where there turns out to
    /// be more: to hand a short page to another thread and back costs more than to read it. `reading` may be called twice, the
    /// second time in a newer state.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_page<T: Send + 'static>(
        &self,
        reading: impl Fn(&View) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, ActError> {
        let (read, is_spent) = {
            let view = self.view()?.sparing(READ_AT_ONCE);
            (reading(&view), view.is_spent())
        };
        if is_spent {
            return self.read(reading).await;
        }
        Ok(read?)
    }

    /// As [`Self::read`], on the thread that calls, which may be an arbiter. Only for a few records that are likely to be in
    /// memory: the arbiter answers nobody else meanwhile.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn look<T>(&self, reading: impl FnOnce(&View) -> Result<T, Refusal>) -> Result<T, ActError> {
        self.read_blocking(reading)
    }

    /// The revision of the newest committed state.
    ///
    /// # Errors
    /// The engine has failed.
    pub fn revision(&self) -> Result<u64, ActError> {
        self.shared.writer.revision().map_err(ActError::internal)
    }

    /// One committed state, for what reads all of it. Blocks while it is read.
    ///
    /// # Errors
    /// The engine has failed.
    pub fn view(&self) -> Result<View, ActError> {
        self.shared.writer.view().map_err(ActError::internal)
    }

    /// Writes what waits and ends the committing thread. Later writes get [`ActError::Stopping`].
    pub fn close_blocking(&self) {
        self.shared.writer.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory_engine::MemoryEngine;
    use crate::store::read::Read;
    use crate::store::table::Table;
    use crate::store::writer::WriterLimits;

    const NUMBERS: Table<u64, u64> = Table::new(9, "numbers", 1);

    #[actix_web::test]
    async fn a_short_page_is_read_here_and_a_long_one_elsewhere() {
        let writer = Writer::start(Arc::new(MemoryEngine::new()), WriterLimits::default()).unwrap();
        let store = StoreHandle::start(writer, clock::now);
        let written = store.transact(|tx| {
            (0..200)
                .try_for_each(|number| tx.put(&NUMBERS, &number, &number))
                .map_err(Refusal::from)
        });
        written.await.unwrap();
        let read = |limit| {
            store.read_page(move |view| {
                let found = view.range_from(&NUMBERS, None, limit)?;
                Ok((std::thread::current().id(), found.len()))
            })
        };
        let here = std::thread::current().id();
        assert_eq!(read(10).await.unwrap(), (here, 10));
        let (thread, found) = read(200).await.unwrap();
        assert_eq!(found, 200);
        assert_ne!(thread, here);
    }
}
