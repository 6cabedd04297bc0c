//! The post: fans the outbox out, gathers digests, and sends what is due, on the notifier's own thread.
//!
//! Everything that matters is in the store. What is here — what is under way, and which server takes nothing at the moment —
//! is worked out anew after a start.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::standing::Shared;
use super::templates::{self, Templates};
use super::{Means, STOP_MOST, compose, email, webhook};
use crate::actors::ActError;
use crate::acts::notices::{self, Outcome};
use crate::channels::{Channel, Slack, Sms, To};
use crate::clock;
use crate::domain::notification::letter::Letter;
use crate::domain::notification::mail_settings::{Effective, MailServer};
use crate::domain::notification::reply::{Fault, Verdict};
use crate::domain::notification::{ChannelKind, Progress};
use crate::domain::user::Email as Address;
use crate::store::read::{Read, View};
use crate::store::records::{Here, milliseconds};
use crate::store::secrets::SecretError;
use crate::store::tables::{DIGESTS_DUE, FANNED_OUT, OUTBOX};

/// People that one transaction tells.
const PEOPLE_AT_ONCE: usize = 256;
/// Digests that one transaction closes.
const DIGESTS_AT_ONCE: usize = 16;
/// Messages over one channel whose numbers are read ahead.
const AHEAD: usize = 64;
/// Messages over one channel that are posted at once, other than mails.
const PLACES: usize = 2;
/// The longest time without looking, in case the clock was put forward.
const LOOK_AT_LEAST: Duration = Duration::from_secs(60);
/// How long to wait after the store has failed.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// Does the notifier's work.
#[derive(Debug)]
pub(super) struct Post {
    means: Arc<Means>,
    shared: Arc<Shared>,
    stopped: watch::Receiver<bool>,
    templates: Arc<Templates>,
    lanes: BTreeMap<ChannelKind, Lane>,
    /// What the channel of mails was made of.
    mail: Option<(MailServer, Address)>,
    running: JoinSet<Step>,
    /// What became of messages and is not in the store yet. While one transaction notes some, the next gather: a disk that
    /// is slow slows the sending less.
    unsettled: Vec<(ChannelKind, u64, Outcome)>,
    settling: bool,
}

/// One channel with what goes over it.
#[derive(Debug)]
struct Lane {
    channel: Arc<dyn Channel>,
    places: usize,
    /// Messages that are being sent.
    sending: usize,
    /// Due, and not begun.
    ready: VecDeque<u64>,
    /// Begun, and not noted.
    under_way: BTreeSet<u64>,
    /// Attempts in a row for which the server took nothing.
    failures: u32,
    /// Until when nothing is tried.
    paused_until: Option<Timestamp>,
    /// Whether something may be open that should be closed.
    used: bool,
}

impl Lane {
    fn new(channel: Arc<dyn Channel>, places: usize) -> Self {
        Self {
            channel,
            places,
            sending: 0,
            ready: VecDeque::new(),
            under_way: BTreeSet::new(),
            failures: 0,
            paused_until: None,
            used: false,
        }
    }

    /// While a server takes nothing, one message at a time finds out whether it does again.
    fn free(&self) -> usize {
        let places = if self.failures > 0 { 1 } else { self.places };
        places.saturating_sub(self.sending)
    }

    fn taken(&self) -> BTreeSet<u64> {
        self.under_way.iter().chain(&self.ready).copied().collect()
    }
}

/// Something that ran beside is over.
#[derive(Debug)]
enum Step {
    /// An attempt at a message.
    Sent(ChannelKind, u64, Result<Ended, ActError>),
    /// A transaction that noted what became of messages.
    Settled(Vec<(ChannelKind, u64)>, Result<(), ActError>),
}

/// How an attempt ended.
#[derive(Debug)]
enum Ended {
    Delivered,
    Dropped,
    Failed(Fault),
}

impl Post {
    pub(super) fn new(means: Means, shared: Arc<Shared>, stopped: watch::Receiver<bool>) -> Self {
        let (templates, _) = Templates::read(&means.folder.root().join(templates::FOLDER));
        let lanes = [
            (ChannelKind::Slack, Lane::new(Arc::new(Slack), PLACES)),
            (ChannelKind::Sms, Lane::new(Arc::new(Sms), PLACES)),
        ];
        Self {
            means: Arc::new(means),
            shared,
            stopped,
            templates: Arc::new(templates),
            lanes: lanes.into(),
            mail: None,
            running: JoinSet::new(),
            unsettled: Vec::new(),
            settling: false,
        }
    }

    /// Works until it is stopped.
    pub(super) async fn run(mut self) {
        self.read_templates();
        let committed = self.means.store.committed();
        let mut stopped = self.stopped.clone();
        while !*stopped.borrow() {
            let wait = self.round().await.unwrap_or_else(|error| {
                if !matches!(error, ActError::Stopping | ActError::Unknown) {
                    tracing::error!(%error, "the outbox cannot be worked on; trying again soon");
                }
                STORE_PAUSE
            });
            tokio::select! {
                () = committed.notified() => {}
                Some(step) = self.running.join_next() => self.note(step),
                () = tokio::time::sleep(wait) => {}
                changed = stopped.changed() => if changed.is_err() { break },
            }
        }
        let left = async {
            while let Some(step) = self.running.join_next().await {
                self.note(step);
            }
        };
        if tokio::time::timeout(STOP_MOST, left).await.is_err() {
            tracing::info!("messages that were being sent are sent again after the next start");
        }
    }

    /// Does what there is to do now, and says how long there is nothing more unless something happens.
    async fn round(&mut self) -> Result<Duration, ActError> {
        let more = self.fan_out().await?;
        let more = self.close_digests().await? || more;
        let configured = Arc::clone(&self.means.configured);
        let read = move |view: &View| notices::effective(view, &configured);
        let effective = self.means.store.read(read).await?;
        self.take_up(&effective);
        let now = self.means.store.now();
        for kind in self.lanes.keys().copied().collect::<Vec<_>>() {
            self.dispatch(kind, &effective, now).await?;
        }
        if self.running.is_empty() {
            self.rest();
        }
        if more {
            Ok(Duration::ZERO)
        } else {
            self.pause(&effective, now).await
        }
    }

    async fn fan_out(&self) -> Result<bool, ActError> {
        let behind = |view: &View| {
            let progress: Progress = view.get(&FANNED_OUT, &())?.unwrap_or_default();
            Ok(view
                .last(&OUTBOX)?
                .is_some_and(|(last, _)| last > progress.fanned_out))
        };
        if !self.means.store.read(behind).await? {
            return Ok(false);
        }
        let configured = Arc::clone(&self.means.configured);
        let told = self
            .means
            .store
            .act(move |tx, here| notices::fan_out(tx, here, &configured, PEOPLE_AT_ONCE));
        let fanned = told.await?;
        tracing::debug!(people = fanned.people, "told");
        Ok(fanned.more)
    }

    async fn close_digests(&self) -> Result<bool, ActError> {
        let now = milliseconds(self.means.store.now());
        let due = move |view: &View| {
            Ok(view
                .first(&DIGESTS_DUE)?
                .is_some_and(|((at, _, _), ())| at <= now))
        };
        if !self.means.store.read(due).await? {
            return Ok(false);
        }
        let configured = Arc::clone(&self.means.configured);
        let closed = self
            .means
            .store
            .act(move |tx, here| notices::close_digests(tx, here, &configured, DIGESTS_AT_ONCE));
        Ok(closed.await? == DIGESTS_AT_ONCE)
    }

    /// Takes up other settings: another server gets a channel of its own, and is tried at once.
    fn take_up(&mut self, effective: &Effective) {
        let wanted = effective.mail().filter(|_| effective.active);
        if self.mail.as_ref().map(|(server, sender)| (server, sender)) == wanted {
            return;
        }
        self.mail = wanted.map(|(server, sender)| (server.clone(), sender.clone()));
        let Some((server, sender)) = wanted else { return };
        let channel = match email(&self.means.secrets, server.clone(), sender.as_str()) {
            Ok(channel) => channel,
            Err(fault) => {
                tracing::error!(error = %fault.said, "no mail can be sent");
                self.shared
                    .channel(ChannelKind::Email, |it| it.last_error = Some(fault.said));
                return;
            }
        };
        let fresh = Lane::new(Arc::new(channel), self.means.connections.max(1));
        let lane = match self.lanes.remove(&ChannelKind::Email) {
            // What is under way over the old one ends there.
            Some(old) => Lane {
                under_way: old.under_way,
                ..fresh
            },
            None => fresh,
        };
        self.lanes.insert(ChannelKind::Email, lane);
        self.shared
            .channel(ChannelKind::Email, |it| it.paused_until = None);
    }

    /// Begins what is due over a channel, as far as there are places.
    async fn dispatch(
        &mut self,
        kind: ChannelKind,
        effective: &Effective,
        now: Timestamp,
    ) -> Result<(), ActError> {
        let idle = self.running.is_empty();
        let Some(lane) = self.lanes.get_mut(&kind) else {
            return Ok(());
        };
        if !effective.carries(kind) {
            lane.ready.clear();
            return Ok(());
        }
        let retry = self.means.retry;
        if lane.paused_until.is_some_and(|until| !retry.is_due(until, now)) {
            return Ok(());
        }
        lane.paused_until = None;
        if lane.ready.is_empty() && lane.free() > 0 {
            let taken = lane.taken();
            let due = move |view: &View| notices::due(view, kind, retry, now, &taken, AHEAD);
            lane.ready = self.means.store.read(due).await?.into();
        }
        if idle && !lane.ready.is_empty() {
            self.read_templates();
        }
        let Some(lane) = self.lanes.get_mut(&kind) else {
            return Ok(());
        };
        while lane.free() > 0
            && let Some(number) = lane.ready.pop_front()
        {
            lane.under_way.insert(number);
            lane.sending += 1;
            lane.used = true;
            let (means, templates) = (Arc::clone(&self.means), Arc::clone(&self.templates));
            let channel = Arc::clone(&lane.channel);
            self.running.spawn(async move {
                let ended = carry(&means, channel.as_ref(), &templates, number).await;
                Step::Sent(kind, number, ended)
            });
        }
        Ok(())
    }

    fn read_templates(&mut self) {
        let folder = self.means.folder.root().join(templates::FOLDER);
        let (templates, wrong) = Templates::read(&folder);
        self.templates = Arc::new(templates);
        if self.shared.templates(wrong.clone()) {
            for problem in wrong {
                tracing::warn!(%problem, "a template cannot be used; the built-in one is");
            }
        }
    }

    /// Takes note of what is over.
    fn note(&mut self, step: Result<Step, tokio::task::JoinError>) {
        match step {
            Ok(Step::Sent(kind, number, ended)) => self.note_attempt(kind, number, ended),
            Ok(Step::Settled(numbers, settled)) => {
                self.settling = false;
                if let Err(error) = settled {
                    self.note_store_failure(&numbers, &error);
                }
                for (kind, number) in numbers {
                    if let Some(lane) = self.lanes.get_mut(&kind) {
                        lane.under_way.remove(&number);
                    }
                }
            }
            // A task that panicked has ended the process.
            Err(_) => return,
        }
        if !self.settling && !self.unsettled.is_empty() {
            self.settling = true;
            let (store, batch) = (self.means.store.clone(), std::mem::take(&mut self.unsettled));
            self.running.spawn(async move {
                let numbers = batch.iter().map(|(kind, number, _)| (*kind, *number)).collect();
                let all = batch
                    .into_iter()
                    .map(|(_, number, outcome)| (number, outcome))
                    .collect();
                let settled = store
                    .act(move |tx, here| notices::settle_all(tx, here, all))
                    .await;
                Step::Settled(numbers, settled)
            });
        }
    }

    fn note_attempt(&mut self, kind: ChannelKind, number: u64, ended: Result<Ended, ActError>) {
        let Some(lane) = self.lanes.get_mut(&kind) else {
            return;
        };
        lane.sending = lane.sending.saturating_sub(1);
        let outcome = match ended {
            Ok(Ended::Delivered) => {
                lane.failures = 0;
                self.shared.channel(kind, |it| {
                    it.delivered += 1;
                    it.last_error = None;
                    it.paused_until = None;
                });
                Outcome::Delivered
            }
            Ok(Ended::Dropped) => Outcome::Dropped,
            Ok(Ended::Failed(fault)) if fault.verdict == Verdict::ServerUnusable => {
                lane.under_way.remove(&number);
                self.back_off(kind, fault);
                return;
            }
            Ok(Ended::Failed(fault)) => {
                // A server that answers is there.
                lane.failures = 0;
                let given_up = fault.verdict == Verdict::Final;
                tracing::info!(channel = kind.word(), number, given_up, "a message was not taken");
                let error = fault.said.clone();
                self.shared.channel(kind, |it| it.last_error = Some(fault.said));
                let (retry, random) = (self.means.retry, random());
                match given_up {
                    true => Outcome::Final { error },
                    false => Outcome::Again { error, retry, random },
                }
            }
            Err(error) => {
                lane.under_way.remove(&number);
                self.note_store_failure(&[(kind, number)], &error);
                return;
            }
        };
        self.unsettled.push((kind, number, outcome));
    }

    /// Leaves a server alone for a while that takes nothing. No message is to blame, so none is counted as tried.
    fn back_off(&mut self, kind: ChannelKind, fault: Fault) {
        let now = self.means.store.now();
        let Some(lane) = self.lanes.get_mut(&kind) else {
            return;
        };
        lane.ready.clear();
        // What failed together is one failure.
        let retry = self.means.retry;
        if lane.paused_until.is_some_and(|until| !retry.is_due(until, now)) {
            return;
        }
        lane.failures = lane.failures.saturating_add(1);
        let until = self.means.retry.next(now, lane.failures, random());
        lane.paused_until = Some(until);
        tracing::warn!(channel = kind.word(), error = %fault.said, %until, "the server takes nothing");
        self.shared.channel(kind, |it| {
            it.last_error = Some(fault.said);
            it.paused_until = Some(until);
        });
    }

    /// The store failed: what was sent and could not be noted is sent again, under the same name.
    fn note_store_failure(&mut self, numbers: &[(ChannelKind, u64)], error: &ActError) {
        let until = self.means.store.now().checked_add(STORE_PAUSE).ok();
        for (kind, _) in numbers {
            if let Some(lane) = self.lanes.get_mut(kind) {
                lane.paused_until = until;
            }
        }
        if !matches!(error, ActError::Stopping | ActError::Unknown) {
            tracing::error!(%error, "messages cannot be read or noted as sent; they are tried again");
        }
    }

    /// Closes what is open once there is nothing to send.
    fn rest(&mut self) {
        for lane in self.lanes.values_mut().filter(|lane| lane.used) {
            lane.used = false;
            let channel = Arc::clone(&lane.channel);
            tokio::spawn(async move { channel.rest().await });
        }
    }

    async fn pause(&self, effective: &Effective, now: Timestamp) -> Result<Duration, ActError> {
        let mut taken = BTreeSet::new();
        let (mut channels, mut next) = (Vec::new(), None);
        for (kind, lane) in self.lanes.iter().filter(|(kind, _)| effective.carries(**kind)) {
            match lane.paused_until {
                Some(until) => next = next.into_iter().chain([milliseconds(until)]).min(),
                None if lane.free() > 0 => channels.push(*kind),
                // Full: that a message is done wakes.
                None => {}
            }
            taken.extend(lane.taken());
        }
        let due = self
            .means
            .store
            .read(move |view| notices::next_due(view, &channels, &taken))
            .await?;
        let next: Option<u64> = next.into_iter().chain(due).min();
        let wait = next.map_or(LOOK_AT_LEAST, |at| {
            // A millisecond more, so that it is due then and not just before.
            Duration::from_millis(at.saturating_sub(milliseconds(now)) + 1)
        });
        Ok(wait.min(LOOK_AT_LEAST))
    }
}

fn random() -> u32 {
    let [a, b, c, d, ..] = clock::random_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// One attempt at one message. A crash before it is noted sends the message again, under the same name.
async fn carry(
    means: &Means,
    channel: &dyn Channel,
    templates: &Templates,
    number: u64,
) -> Result<Ended, ActError> {
    let (configured, now) = (Arc::clone(&means.configured), means.store.now());
    let read = move |view: &View| {
        let here = Here::at(view, now, [0; 32])?;
        notices::parcel(view, &here, &configured, number)
    };
    let Some(mut parcel) = means.store.read(read).await? else {
        return Ok(Ended::Dropped);
    };
    let sent = match prepare(means, templates, &mut parcel) {
        Ok((letter, to)) => channel.deliver(&letter, &to).await,
        Err(error) => Err(Fault {
            verdict: Verdict::Final,
            said: error.to_string(),
        }),
    };
    Ok(sent.map_or_else(Ended::Failed, |()| Ended::Delivered))
}

fn prepare(
    means: &Means,
    templates: &Templates,
    parcel: &mut notices::Parcel,
) -> Result<(Letter, To), SecretError> {
    let to = To {
        email: parcel.email.clone(),
        webhook: webhook(&means.secrets, parcel.webhook.as_ref())?,
    };
    Ok((compose::letter(parcel, templates, &means.secrets)?, to))
}
