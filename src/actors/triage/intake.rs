//! The checks at intake. While one sandboxed process makes outlines, further code waits, and all of it goes into the next
//! one together: the cost of a process is shared.

use std::collections::VecDeque;

use actix::{ActorFutureExt, Context, ContextFutureSpawner, ResponseFuture, WrapFuture};
use tokio::sync::oneshot;

use super::{Submit, Triage};
use crate::actors::{ActError, StoreHandle};
use crate::acts::Refusal;
use crate::acts::requests::{self, SubmittedCode};
use crate::domain::access::{Actor, Permission};
use crate::domain::code::Code;
use crate::domain::id::CodeId;
use crate::domain::object::Object;
use crate::domain::outline::{CodeProblem, Outline, SyntaxProblem};
use crate::domain::signature::SignatureBytes;
use crate::runtime::RunError;

/// Submissions that may wait.
const WAITING_MAX: usize = 256;
/// Submissions whose outlines one process makes.
const BATCH_MAX: usize = 32;

type Reply = oneshot::Sender<Result<Object, ActError>>;

/// Code that waits for its outline.
#[derive(Debug)]
struct Waiting {
    actor: Actor,
    id: CodeId,
    code: Code,
    signature: Option<SignatureBytes>,
    reply: Reply,
}

/// The queue of code.
#[derive(Debug, Default)]
pub(super) struct Intake {
    waiting: VecDeque<Waiting>,
    /// Whether a process is making outlines.
    busy: bool,
}

impl Triage {
    pub(super) fn take_in(
        &mut self,
        submit: Submit,
        context: &mut Context<Self>,
    ) -> ResponseFuture<Result<Object, ActError>> {
        match self.queue(submit) {
            Ok(answer) => {
                self.outline_next(context);
                Box::pin(async { answer.await.unwrap_or(Err(ActError::Unknown)) })
            }
            Err(refused) => Box::pin(std::future::ready(Err(refused))),
        }
    }

    /// Refuses what needs no outline to be refused.
    fn queue(&mut self, submit: Submit) -> Result<oneshot::Receiver<Result<Object, ActError>>, ActError> {
        submit
            .actor
            .require(Permission::SubmitRequests)
            .map_err(Refusal::from)?;
        let code = submit.submission.code(submit.actor.user).map_err(Refusal::from)?;
        self.runtime.readiness().map_err(ActError::NotReady)?;
        if self.intake.waiting.len() >= WAITING_MAX {
            return Err(ActError::Busy);
        }
        let (reply, answer) = oneshot::channel();
        self.intake.waiting.push_back(Waiting {
            actor: submit.actor,
            id: submit.id,
            code,
            signature: submit.submission.signature,
            reply,
        });
        Ok(answer)
    }

    fn outline_next(&mut self, context: &mut Context<Self>) {
        if self.intake.busy || self.intake.waiting.is_empty() {
            return;
        }
        self.intake.busy = true;
        let count = self.intake.waiting.len().min(BATCH_MAX);
        let batch: Vec<Waiting> = self.intake.waiting.drain(..count).collect();
        let sources: Vec<String> = batch.iter().map(|it| it.code.source.clone()).collect();
        let (runtime, store) = (self.runtime.clone(), self.store.clone());
        let outlined = actix_web::rt::task::spawn_blocking(move || runtime.outline(&sources));
        async move {
            let outlined = outlined
                .await
                .map_err(|error| Failed::Node(error.to_string()))
                .and_then(|outlined| outlined.map_err(Failed::from));
            answer(store, batch, outlined);
        }
        .into_actor(self)
        .map(|(), triage, context| {
            triage.intake.busy = false;
            triage.outline_next(context);
        })
        .spawn(context);
    }
}

/// Why a whole batch has no outlines. Told to each, so it can be copied.
#[derive(Debug, Clone)]
enum Failed {
    NotReady(crate::runtime::NotReady),
    Node(String),
}

impl From<RunError> for Failed {
    fn from(error: RunError) -> Self {
        match error {
            RunError::NotReady(not_ready) => Self::NotReady(not_ready),
            other => Self::Node(other.to_string()),
        }
    }
}

impl From<Failed> for ActError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::NotReady(not_ready) => Self::NotReady(not_ready),
            Failed::Node(why) => Self::Internal(anyhow::anyhow!("outlines could not be made: {why}")),
        }
    }
}

/// Judges each of a batch by its outline, and stores what passes. All of it is queued at once, and shares commits.
fn answer(
    store: StoreHandle,
    batch: Vec<Waiting>,
    outlined: Result<Vec<Result<Outline, SyntaxProblem>>, Failed>,
) {
    let mut outlines = outlined.map(Vec::into_iter);
    for waiting in batch {
        let judged = match &mut outlines {
            Ok(outlines) => match outlines.next() {
                Some(outline) => judge(waiting.code, outline),
                None => Err(Failed::Node("the answer was too short".to_owned()).into()),
            },
            Err(failed) => Err(failed.clone().into()),
        };
        let store = store.clone();
        actix_web::rt::spawn(async move {
            let done = match judged {
                Ok(code) => {
                    let (actor, id) = (waiting.actor, waiting.id);
                    let code = code.signed(waiting.signature);
                    store
                        .act(move |tx, here| requests::submit_code(tx, &actor, here, id, code))
                        .await
                }
                Err(refused) => Err(refused),
            };
            // The submitter may have gone; the code is stored all the same.
            let _gone = waiting.reply.send(done);
        });
    }
}

fn judge(code: Code, outline: Result<Outline, SyntaxProblem>) -> Result<SubmittedCode, ActError> {
    let outline = outline.map_err(|syntax| {
        ActError::CodeRefused(vec![CodeProblem {
            line: syntax.line,
            problem: format!("it is not Python: {} (column {})", syntax.message, syntax.column),
            mend: "correct it; Python's own parser says so".to_owned(),
        }])
    })?;
    SubmittedCode::judge(code, &outline).map_err(ActError::CodeRefused)
}
