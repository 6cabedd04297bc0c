//! The one thread that commits.
//!
//! Transactions wait in a bounded queue. The thread takes all that wait, runs them one after the other, each on the
//! writes of those before it, and commits them as one batch with one flush: transactions are serialisable, and many
//! concurrent writers cost little more than one. Every answer, a refusal included, is given after the commit that
//! it rests on.
//!
//! A transaction that panics ends the thread before anything of its group is committed. The node treats a panic as
//! the end of the process; callers that still run get [`TransactError::Unknown`].

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use thiserror::Error;

use super::engine::{CommitError, Engine, EngineError};
use super::read::View;
use super::recent::Recent;
use super::transaction::{Group, Tx};

/// How much waits, and how much is committed at once.
#[derive(Debug, Clone, Copy)]
pub struct WriterLimits {
    /// Transactions that may wait; one more is refused with [`TransactError::Busy`].
    pub queue: usize,
    /// Transactions in one commit.
    pub group: usize,
    /// Staged bytes after which a group takes no further transaction.
    pub group_bytes: usize,
}

impl Default for WriterLimits {
    fn default() -> Self {
        Self {
            queue: 1024,
            group: 256,
            group_bytes: 8 * 1024 * 1024,
        }
    }
}

/// A handle on the writer thread; clones share it. When the last one is dropped, what waits is still written.
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Arc<dyn Engine>,
    recent: Arc<Recent>,
    queue: SyncSender<Message>,
    closed: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Message {
    Run(Box<dyn Job>),
    Stop,
}

impl Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("closed", &self.shared.closed.load(Ordering::Relaxed))
            .finish()
    }
}

/// Why a transaction has no result.
#[derive(Debug, Error)]
pub enum TransactError<E: std::error::Error> {
    /// The transaction itself refused; nothing of it was written.
    #[error(transparent)]
    Refused(E),
    #[error("too many changes are waiting to be written; try again in a moment")]
    Busy,
    #[error("the store is closed; nothing was written")]
    Closed,
    /// The engine did not commit the group that the transaction was in.
    #[error("the change was not written")]
    Commit(#[source] Arc<CommitError>),
    #[error("the store stopped before it answered; look again after the restart whether the change was made")]
    Unknown,
}

impl Writer {
    /// Starts the thread. Nobody else may commit to the engine while it runs.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(engine: Arc<dyn Engine>, limits: WriterLimits) -> std::io::Result<Self> {
        let (queue, waiting) = sync_channel(limits.queue);
        let writing = Arc::clone(&engine);
        let recent = Arc::new(Recent::default());
        let remembering = Arc::clone(&recent);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write(writing.as_ref(), &remembering, &waiting, limits))?;
        let shared = Shared {
            engine,
            recent,
            queue,
            closed: AtomicBool::new(false),
            thread: Mutex::new(Some(thread)),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// A view of the newest committed state.
    ///
    /// # Errors
    /// When the engine has failed.
    pub fn view(&self) -> Result<View, EngineError> {
        self.shared.view()
    }

    /// The revision of the newest committed state: that of a view that is opened now.
    ///
    /// # Errors
    /// When the engine has failed.
    pub fn revision(&self) -> Result<u64, EngineError> {
        self.shared.engine.revision()
    }

    /// Runs `transaction` on the writer thread and waits until its writes are durable. It must be quick, since all
    /// others wait for it, must not call the writer, and may not have effects other than its writes.
    ///
    /// Blocks the thread: not for async code, which uses [`Self::transact_async`].
    ///
    /// # Errors
    /// See [`TransactError`].
    pub fn transact<T, E, F>(&self, transaction: F) -> Result<T, TransactError<E>>
    where
        T: Send + 'static,
        E: std::error::Error + Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        self.transact_or(WhenFull::Refuse, transaction)
    }

    /// As [`Self::transact`], but waits for a place in the queue: for what cannot be asked for again, such as the result of a
    /// run of hours.
    ///
    /// # Errors
    /// See [`TransactError`]; never [`TransactError::Busy`].
    pub fn transact_in_turn<T, E, F>(&self, transaction: F) -> Result<T, TransactError<E>>
    where
        T: Send + 'static,
        E: std::error::Error + Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        self.transact_or(WhenFull::Wait, transaction)
    }

    fn transact_or<T, E, F>(&self, when_full: WhenFull, transaction: F) -> Result<T, TransactError<E>>
    where
        T: Send + 'static,
        E: std::error::Error + Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = sync_channel(1);
        // The caller waits below; if it is gone all the same, there is nobody to tell.
        self.enqueue(when_full, transaction, move |result| drop(reply.send(result)))?;
        answer.recv().unwrap_or(Err(TransactError::Unknown))
    }

    /// As [`Self::transact`], without blocking. The transaction is queued by this call, not by the first poll, and
    /// is carried out even if the future is dropped.
    ///
    /// # Errors
    /// See [`TransactError`].
    pub fn transact_async<T, E, F>(
        &self,
        transaction: F,
    ) -> impl Future<Output = Result<T, TransactError<E>>> + Send + use<T, E, F>
    where
        T: Send + 'static,
        E: std::error::Error + Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let queued = self.enqueue(WhenFull::Refuse, transaction, move |result| {
            drop(reply.send(result))
        });
        async move {
            queued?;
            answer.await.unwrap_or(Err(TransactError::Unknown))
        }
    }

    /// Writes what waits, ends the thread and waits for it. Later transactions get [`TransactError::Closed`]; views
    /// still work.
    pub fn close(&self) {
        self.shared.close();
    }

    fn enqueue<T, E, F, R>(
        &self,
        when_full: WhenFull,
        transaction: F,
        reply: R,
    ) -> Result<(), TransactError<E>>
    where
        T: Send + 'static,
        E: std::error::Error + Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        R: FnOnce(Result<T, TransactError<E>>) + Send + 'static,
    {
        if self.shared.closed.load(Ordering::Acquire) {
            return Err(TransactError::Closed);
        }
        let job = Transaction {
            closure: Some(transaction),
            result: None,
            reply,
        };
        let (queue, message) = (&self.shared.queue, Message::Run(Box::new(job)));
        match when_full {
            WhenFull::Wait => queue.send(message).map_err(|_gone| TransactError::Closed),
            WhenFull::Refuse => queue.try_send(message).map_err(|refused| match refused {
                TrySendError::Full(_) => TransactError::Busy,
                TrySendError::Disconnected(_) => TransactError::Closed,
            }),
        }
    }
}

/// What a transaction does that finds no place in the queue.
#[derive(Clone, Copy)]
enum WhenFull {
    /// It is turned away.
    Refuse,
    /// It waits for one.
    Wait,
}

impl Shared {
    fn view(&self) -> Result<View, EngineError> {
        let view = self.engine.view()?;
        Ok(View::remembering(view, Arc::clone(&self.recent)))
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        // Waits for room behind what is queued. If the thread is gone, there is nothing left to stop.
        let _gone = self.queue.send(Message::Stop);
        if thread.thread().id() != std::thread::current().id() {
            let _panicked = thread.join();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

/// A queued transaction, its types forgotten.
trait Job: Send {
    fn run(&mut self, group: &mut Group);
    fn answer(self: Box<Self>, committed: Result<(), Arc<CommitError>>);
    fn turn_away(self: Box<Self>);
}

struct Transaction<T, E, F, R> {
    closure: Option<F>,
    result: Option<Result<T, E>>,
    reply: R,
}

impl<T, E, F, R> Job for Transaction<T, E, F, R>
where
    T: Send,
    E: std::error::Error + Send,
    F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send,
    R: FnOnce(Result<T, TransactError<E>>) + Send,
{
    fn run(&mut self, group: &mut Group) {
        self.result = self.closure.take().map(|closure| group.run(closure));
    }

    fn answer(self: Box<Self>, committed: Result<(), Arc<CommitError>>) {
        let result = match (committed, self.result) {
            (Err(error), _) => Err(TransactError::Commit(error)),
            (Ok(()), Some(result)) => result.map_err(TransactError::Refused),
            (Ok(()), None) => Err(TransactError::Unknown),
        };
        (self.reply)(result);
    }

    fn turn_away(self: Box<Self>) {
        (self.reply)(Err(TransactError::Closed));
    }
}

/// The thread's body: groups until it is told to stop, then what is still queued.
fn write(engine: &dyn Engine, recent: &Arc<Recent>, waiting: &Receiver<Message>, limits: WriterLimits) {
    while let Ok(Message::Run(first)) = waiting.recv() {
        if let Next::Stop = write_group(engine, recent, first, waiting, limits) {
            break;
        }
    }
    // Sent between the closing and the end: not run, so the answer can say so.
    while let Ok(message) = waiting.try_recv() {
        if let Message::Run(job) = message {
            job.turn_away();
        }
    }
}

enum Next {
    Group,
    Stop,
}

fn write_group(
    engine: &dyn Engine,
    recent: &Arc<Recent>,
    first: Box<dyn Job>,
    waiting: &Receiver<Message>,
    limits: WriterLimits,
) -> Next {
    let mut group = match engine.view() {
        Ok(view) => Group::on(View::remembering(view, Arc::clone(recent))),
        Err(error) => {
            first.answer(Err(Arc::new(CommitError::Engine(error))));
            return Next::Group;
        }
    };
    let mut jobs = Vec::new();
    let mut next = Next::Group;
    let mut candidate = Some(first);
    while let Some(mut job) = candidate.take() {
        job.run(&mut group);
        jobs.push(job);
        if jobs.len() >= limits.group || group.bytes() >= limits.group_bytes {
            break;
        }
        match waiting.try_recv() {
            Ok(Message::Run(job)) => candidate = Some(job),
            Ok(Message::Stop) => next = Next::Stop,
            Err(_nothing_waits) => {}
        }
    }
    let committed = group.commit(engine).map_err(Arc::new);
    for job in jobs {
        job.answer(committed.clone());
    }
    next
}

#[cfg(test)]
mod tests;
