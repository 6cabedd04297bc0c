//! The runner owns the queue of runs: it takes up those that wait, as many at once as there are [`Places`], each on a thread
//! that may block, and stops those that are cancelled.
//!
//! The queue itself is in the store. What is here besides are the means to stop what is under way; they are lost with the
//! process, as the runs are, and the next start marks those as interrupted.

mod crew;
mod places;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, ContextFutureSpawner, Handler, Message, ResponseActFuture,
    ResponseFuture, Supervised, WrapFuture,
};
use tokio::sync::oneshot;

use super::ActError;
use crate::acts::runs::{self, Cancelled, Wanted};
use crate::domain::access;
use crate::domain::id::JobId;
use crate::domain::job::{Data, Run};
use crate::runtime::Cancel;

use crew::TakenUp;
use places::{Beside, Faults};

pub use crew::Crew;
pub use places::Places;

/// How long the runner waits after the store or the system has failed it.
const PAUSE: Duration = Duration::from_secs(1);

/// Owns the queue of runs.
#[derive(Debug)]
pub struct Runner {
    crew: Arc<Crew>,
    places: Places,
    under_way: BTreeMap<JobId, UnderWay>,
    /// Whether what an earlier process left has been put in order.
    tidied: bool,
    /// Whether the queue is being looked at, and whether something came since.
    looking: bool,
    look_again: bool,
    faults: Faults,
    /// Who waits for the runner to stop; runs are no longer taken up.
    stopping: Option<Vec<oneshot::Sender<()>>>,
}

/// A run that is under way.
#[derive(Debug)]
struct UnderWay {
    beside: Beside,
    cancel: Cancel,
}

impl Runner {
    /// A runner with `places` for runs at once.
    pub fn new(crew: Crew, places: Places) -> Self {
        Self {
            crew: Arc::new(crew),
            places,
            under_way: BTreeMap::new(),
            tidied: false,
            looking: false,
            look_again: false,
            faults: Faults::none(places),
            stopping: None,
        }
    }

    fn has_place_for(&self, data: Data) -> bool {
        let under_way: Vec<Beside> = self.under_way.values().map(|run| run.beside).collect();
        self.stopping.is_none()
            && self.tidied
            && self.places.has_one_for(data, &under_way)
            && self.faults.let_one_begin(data, &under_way)
    }

    /// Looks at the queue and takes up as many runs as there are free places.
    fn look(&mut self, context: &mut Context<Self>) {
        if self.looking {
            self.look_again = true;
            return;
        }
        if let Err(not_ready) = self.crew.readiness() {
            // What waits is not at fault; it runs when the node has been started where it can be kept in.
            tracing::error!(error = %not_ready, "the queue of runs waits");
            return;
        }
        if ![Data::Mock, Data::Private]
            .iter()
            .any(|data| self.has_place_for(*data))
        {
            return;
        }
        (self.looking, self.look_again) = (true, false);
        let (store, limit) = (self.crew.store().clone(), self.places.of_each());
        async move { store.read(move |view| runs::waiting(view, limit)).await }
            .into_actor(self)
            .map(|waiting, runner, context| {
                runner.looking = false;
                match waiting {
                    Ok(waiting) => runner.take_up(&waiting, context),
                    Err(error) => {
                        tracing::error!(%error, "the queue of runs cannot be read");
                        runner.pause(context);
                    }
                }
                if runner.look_again {
                    runner.look(context);
                }
            })
            .spawn(context);
    }

    fn take_up(&mut self, waiting: &[(JobId, Data)], context: &mut Context<Self>) {
        for (id, data) in waiting {
            if self.under_way.contains_key(id) || !self.has_place_for(*data) {
                continue;
            }
            match Cancel::new() {
                Ok(cancel) => self.start(*id, *data, cancel, context),
                Err(error) => {
                    tracing::error!(%error, run = %id, "a run cannot begin yet");
                    self.pause(context);
                    return;
                }
            }
        }
    }

    fn start(&mut self, id: JobId, data: Data, cancel: Cancel, context: &mut Context<Self>) {
        let beside = Beside {
            data,
            on_trial: self.faults.any(data),
        };
        let stops_it = cancel.clone();
        self.under_way.insert(id, UnderWay { beside, cancel });
        let (crew, runner) = (Arc::clone(&self.crew), context.address());
        // Not a future of this actor: its end must be told even if the actor is started again meanwhile.
        actix_web::rt::spawn(async move {
            let work = actix_web::rt::task::spawn_blocking(move || crew.run(id, &stops_it));
            let came_of_it = work.await.unwrap_or_else(|error| {
                tracing::error!(%error, run = %id, "the thread of a run ended");
                TakenUp::Fault
            });
            if let Err(error) = runner.send(Over { id, data, came_of_it }).await {
                tracing::debug!(%error, "the runner is gone");
            }
        });
    }

    fn pause(&mut self, context: &mut Context<Self>) {
        context.run_later(PAUSE, |runner, context| runner.look(context));
    }

    fn stopped(&mut self) {
        if self.under_way.is_empty() {
            for waiting in self.stopping.iter_mut().flat_map(|waiting| waiting.drain(..)) {
                // Whoever asked may be gone; then nobody needs to know.
                let _gone = waiting.send(());
            }
        }
    }
}

impl Actor for Runner {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if self.tidied {
            return self.look(context);
        }
        let crew = Arc::clone(&self.crew);
        let tidying = actix_web::rt::task::spawn_blocking(move || crew.tidy());
        // Nothing else is handled before: what ran when the node died must not count as under way.
        tidying
            .into_actor(self)
            .map(|tidied, runner, context| match tidied {
                Ok(Ok(())) => {
                    runner.tidied = true;
                    runner.look(context);
                }
                Ok(Err(error)) => {
                    tracing::error!(error = ?error, "no code runs: what an earlier process left cannot be put in order");
                }
                Err(error) => tracing::error!(%error, "no code runs: the thread that tidies ended"),
            })
            .wait(context);
    }
}

impl Supervised for Runner {
    fn restarting(&mut self, _: &mut Context<Self>) {
        tracing::warn!("the runner starts again");
        self.looking = false;
    }
}

/// Run this.
#[derive(Clone, Debug)]
pub struct Enqueue {
    /// Who asks.
    pub actor: access::Actor,
    /// The run's id, fresh.
    pub id: JobId,
    /// What shall run.
    pub wanted: Wanted,
}

impl Message for Enqueue {
    type Result = Result<Run, ActError>;
}

impl Handler<Enqueue> for Runner {
    type Result = ResponseActFuture<Self, Result<Run, ActError>>;

    fn handle(&mut self, ask: Enqueue, _: &mut Context<Self>) -> Self::Result {
        let (store, ready, stopping) = (
            self.crew.store().clone(),
            self.crew.readiness(),
            self.stopping.is_some(),
        );
        let queued = async move {
            if stopping {
                return Err(ActError::Stopping);
            }
            ready.map_err(ActError::NotReady)?;
            store
                .act(move |tx, here| runs::queue(tx, &ask.actor, here, ask.id, ask.wanted))
                .await
        };
        Box::pin(queued.into_actor(self).map(|queued, runner, context| {
            if let Ok(Run { data, .. }) = queued {
                // Whoever starts one now may have mended what was wrong: one more is tried.
                runner.faults.try_one_more(data);
                runner.look(context);
            }
            queued
        }))
    }
}

/// Stop this run. The answer is the run as it is now; one that is under way ends a moment later.
#[derive(Clone, Debug)]
pub struct CancelRun {
    /// Who asks.
    pub actor: access::Actor,
    /// The run.
    pub id: JobId,
}

impl Message for CancelRun {
    type Result = Result<Run, ActError>;
}

impl Handler<CancelRun> for Runner {
    type Result = ResponseActFuture<Self, Result<Run, ActError>>;

    fn handle(&mut self, ask: CancelRun, _: &mut Context<Self>) -> Self::Result {
        let store = self.crew.store().clone();
        let id = ask.id;
        let cancelled = async move {
            store
                .act(move |tx, here| runs::cancel(tx, &ask.actor, here, ask.id))
                .await
        };
        Box::pin(cancelled.into_actor(self).map(move |cancelled, runner, _| {
            Ok(match cancelled? {
                Cancelled::BeforeItBegan(run) => run,
                Cancelled::UnderWay(run) => {
                    if let Some(under_way) = runner.under_way.get(&id) {
                        under_way.cancel.cancel();
                    }
                    run
                }
            })
        }))
    }
}

/// A run that was taken up is under way no more.
#[derive(Clone, Copy, Debug)]
struct Over {
    id: JobId,
    data: Data,
    came_of_it: TakenUp,
}

impl Message for Over {
    type Result = ();
}

impl Handler<Over> for Runner {
    type Result = ();

    fn handle(&mut self, over: Over, context: &mut Context<Self>) {
        self.under_way.remove(&over.id);
        if self.stopping.is_some() {
            return self.stopped();
        }
        match over.came_of_it {
            TakenUp::CarriedOut => {
                self.faults.clear(over.data);
                self.look(context);
            }
            TakenUp::NothingLearnt => self.look(context),
            TakenUp::NotBegun => self.pause(context),
            TakenUp::Fault => {
                self.faults.one_more(over.data);
                self.pause(context);
            }
        }
    }
}

/// Take up no more runs, and answer when none is under way. What still runs after `grace` is stopped and becomes
/// interrupted.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// How long what is under way gets to finish.
    pub grace: Duration,
}

impl Message for Stop {
    type Result = ();
}

impl Handler<Stop> for Runner {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, stop: Stop, context: &mut Context<Self>) -> Self::Result {
        let (reply, stopped) = oneshot::channel();
        self.stopping.get_or_insert_default().push(reply);
        context.run_later(stop.grace, |runner, _| {
            runner.crew.interrupt();
            for under_way in runner.under_way.values() {
                under_way.cancel.cancel();
            }
        });
        self.stopped();
        Box::pin(async {
            // A runner that is gone has stopped too.
            let _gone = stopped.await;
        })
    }
}
