//! Triage owns a request's life: the checks at intake, what its requester asks for, decisions, deposits and releases.
//!
//! Its state is the queue of code whose outline is being made; a node that stops meanwhile has accepted none of it.

mod intake;
mod vault;

use std::path::PathBuf;
use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, ResponseFuture, Supervised};

use super::{ActError, StoreHandle};
use crate::acts::decisions::{self, Seen};
use crate::acts::releases;
use crate::acts::requests::{self, Draft, SightDraft, Submission};
use crate::domain::access;
use crate::domain::decision::Verdict;
use crate::domain::id::{CodeId, DecisionId, JobId, RequestId};
use crate::domain::job::Run;
use crate::domain::object::Object;
use crate::domain::release::OutputFormat;
use crate::domain::signature::SignatureBytes;
use crate::runtime::Runtime;
use crate::store::attachments::Attachments;
use crate::store::blobs::Blobs;

use intake::Intake;
use vault::Vault;

/// Owns a request's life.
#[derive(Debug)]
pub struct Triage {
    store: StoreHandle,
    runtime: Arc<Runtime>,
    intake: Intake,
    vault: Vault,
}

impl Triage {
    /// Triage over a node's store and files. `uploads` holds deposits while they are checked, none longer than
    /// `deposit_bytes`.
    pub fn new(
        store: StoreHandle,
        runtime: Arc<Runtime>,
        blobs: Arc<Blobs>,
        attachments: Option<Arc<Attachments>>,
        uploads: PathBuf,
        deposit_bytes: u64,
    ) -> Self {
        let vault = Vault::new(
            store.clone(),
            blobs,
            attachments,
            Arc::clone(&runtime),
            (uploads, deposit_bytes),
        );
        Self {
            store,
            runtime,
            intake: Intake::default(),
            vault,
        }
    }
}

impl Actor for Triage {
    type Context = Context<Self>;
}

impl Supervised for Triage {
    fn restarting(&mut self, _: &mut Context<Self>) {
        tracing::warn!("triage starts again");
        self.intake = Intake::default();
    }
}

/// Take in this code.
#[derive(Clone, Debug)]
pub struct Submit {
    /// Who submits.
    pub actor: access::Actor,
    /// The code's id, fresh.
    pub id: CodeId,
    /// What is submitted.
    pub submission: Submission,
}

impl Message for Submit {
    type Result = Result<Object, ActError>;
}

impl Handler<Submit> for Triage {
    type Result = ResponseFuture<Result<Object, ActError>>;

    fn handle(&mut self, submit: Submit, context: &mut Context<Self>) -> Self::Result {
        self.take_in(submit, context)
    }
}

/// What a requester asks for.
#[derive(Clone, Debug)]
pub enum Petition {
    /// A new request for a run.
    Make(Draft),
    /// A new request to see something; the id of the decision, fresh, is for a rule that fits.
    See(SightDraft, DecisionId),
    /// One more run, with the requester's signature if they sign.
    AnotherRun(Option<SignatureBytes>),
    /// To take it back, with their signature if they sign.
    Withdraw(Option<SignatureBytes>),
}

/// A requester asks for something.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who asks.
    pub actor: access::Actor,
    /// The request; of a new one, its fresh id.
    pub request: RequestId,
    /// What for.
    pub petition: Petition,
}

impl Message for Ask {
    type Result = Result<Object, ActError>;
}

impl Handler<Ask> for Triage {
    type Result = ResponseFuture<Result<Object, ActError>>;

    fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> Self::Result {
        let store = self.store.clone();
        Box::pin(async move {
            store
                .act(move |tx, here| match &ask.petition {
                    Petition::Make(draft) => requests::create(tx, &ask.actor, here, ask.request, draft),
                    Petition::See(draft, decision) => {
                        let ids = (ask.request, *decision);
                        requests::ask_to_see(tx, &ask.actor, here, ids, draft)
                    }
                    Petition::AnotherRun(signature) => {
                        requests::want_another_run(tx, &ask.actor, here, ask.request, signature.as_ref())
                    }
                    Petition::Withdraw(signature) => {
                        requests::withdraw(tx, &ask.actor, here, ask.request, signature.as_ref())
                    }
                })
                .await
        })
    }
}

/// A reviewer decides.
#[derive(Clone, Debug)]
pub struct Decide {
    /// Who decides.
    pub actor: access::Actor,
    /// The decision's id, fresh.
    pub id: DecisionId,
    /// On what.
    pub request: RequestId,
    /// How.
    pub verdict: Verdict,
    /// What they had before them.
    pub seen: Seen,
}

impl Message for Decide {
    type Result = Result<Object, ActError>;
}

impl Handler<Decide> for Triage {
    type Result = ResponseFuture<Result<Object, ActError>>;

    fn handle(&mut self, ask: Decide, _: &mut Context<Self>) -> Self::Result {
        let store = self.store.clone();
        Box::pin(async move {
            store
                .act(move |tx, here| {
                    decisions::decide(tx, &ask.actor, here, ask.id, ask.request, ask.verdict, &ask.seen)
                })
                .await
        })
    }
}

/// Take this file, which an owner computed elsewhere, as a result. The file is removed, whatever comes of it.
#[derive(Clone, Debug)]
pub struct Deposit {
    /// Who deposits.
    pub actor: access::Actor,
    /// The run's id, fresh.
    pub id: JobId,
    /// The request that it answers.
    pub request: RequestId,
    /// How the file is written.
    pub format: OutputFormat,
    /// The file.
    pub file: PathBuf,
}

impl Message for Deposit {
    type Result = Result<Run, ActError>;
}

impl Handler<Deposit> for Triage {
    type Result = ResponseFuture<Result<Run, ActError>>;

    fn handle(&mut self, ask: Deposit, _: &mut Context<Self>) -> Self::Result {
        let vault = self.vault.clone();
        let work = actix_web::rt::task::spawn_blocking(move || vault.deposit(ask));
        Box::pin(async { work.await.map_err(ActError::internal)? })
    }
}

/// Write the private data that a request asks for as its result.
#[derive(Clone, Debug)]
pub struct Fulfil {
    /// Who has it done.
    pub actor: access::Actor,
    /// The run's id, fresh.
    pub id: JobId,
    /// The request.
    pub request: RequestId,
}

impl Message for Fulfil {
    type Result = Result<Run, ActError>;
}

impl Handler<Fulfil> for Triage {
    type Result = ResponseFuture<Result<Run, ActError>>;

    fn handle(&mut self, ask: Fulfil, _: &mut Context<Self>) -> Self::Result {
        let vault = self.vault.clone();
        let work = actix_web::rt::task::spawn_blocking(move || vault.fulfil(ask));
        Box::pin(async { work.await.map_err(ActError::internal)? })
    }
}

/// Let this leave.
#[derive(Clone, Debug)]
pub struct Release {
    /// Who releases.
    pub actor: access::Actor,
    /// The ids of what is written, fresh.
    pub ids: releases::Ids,
    /// Which part of which run, by the hash of what was reviewed.
    pub wanted: releases::Wanted,
}

impl Message for Release {
    type Result = Result<Object, ActError>;
}

impl Handler<Release> for Triage {
    type Result = ResponseFuture<Result<Object, ActError>>;

    fn handle(&mut self, ask: Release, _: &mut Context<Self>) -> Self::Result {
        let vault = self.vault.clone();
        let work = actix_web::rt::task::spawn_blocking(move || vault.release(ask));
        Box::pin(async { work.await.map_err(ActError::internal)? })
    }
}
