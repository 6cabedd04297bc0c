//! Requests: made, looked at, decided on, run, and answered with results that were computed elsewhere.

use std::os::unix::fs::DirBuilderExt;

use actix_web::{HttpResponse, get, post, web};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::context::off_the_arbiter;
use super::signed::Signed;
use super::{
    Answer, Context, Json, List, MaybeJson, Page, Problem, Query, SignedIn, codes, files, page, runs, schema,
    view,
};
use crate::actors::ActError;
use crate::actors::triage::{Ask, Decide, Deposit, Petition};
use crate::acts::decisions::Seen;
use crate::acts::requests::{self, Draft, Filter, View};
use crate::acts::runs::{Wanted, check_deposit};
use crate::clock;
use crate::domain::access::Actor;
use crate::domain::decision::Verdict;
use crate::domain::hash::Hash;
use crate::domain::id::{CodeId, DecisionId, JobId, ProjectId, RequestId};
use crate::domain::job::Data;
use crate::domain::object::{Object, Revision};
use crate::domain::release::OutputFormat;
use crate::domain::request::Status;
use crate::domain::signature::SignatureBytes;
use crate::domain::text::Invalid;
use crate::store::records::Here;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(make)
        .service(list)
        .service(show)
        .service(withdraw)
        .service(want_another_run)
        .service(decide)
        .service(run)
        .service(deposit);
}

/// What a scientist asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RequestBody {
    /// The project to make the request in.
    project: Uuid,
    /// Code of your own.
    code: Uuid,
    /// Why.
    reason: String,
    /// The request that this one takes up again.
    predecessor: Option<Uuid>,
    /// The id of a signed request: a UUID that you have made at random, since the signature covers it.
    id: Option<Uuid>,
    /// Your signature on the request, as docs/SIGNATURES.md describes; `id` goes with it.
    #[schema(value_type = Option<String>)]
    signature: Option<SignatureBytes>,
}

impl RequestBody {
    /// The id of what is signed, which its maker has made; what is not signed gets one here.
    fn id(&self, context: &Context) -> Result<RequestId, Problem> {
        let wrong = |problem: &str| Problem::from(Invalid::new("id", problem));
        match (self.id, self.signature.is_some()) {
            (None, false) => Ok(RequestId(context.new_id())),
            (Some(id), true) if matches!(id.get_version_num(), 4 | 7) => Ok(RequestId(id)),
            (Some(_), true) => Err(wrong("must be a UUID of version 4 or 7")),
            (None, true) => Err(wrong("goes with a signature, which covers it")),
            (Some(_), false) => Err(wrong("is for signed requests only; leave it out")),
        }
    }
}

fn with_status(object: &Object, status: &Status) -> Value {
    let mut shown = view::object(object);
    shown["status"] = json!(status);
    shown
}

fn whole(found: &View) -> Value {
    let mut shown = with_status(&found.request.object, &found.status);
    let decisions: Vec<_> = found
        .decisions
        .iter()
        .map(|decision| view::object(&decision.object))
        .collect();
    shown["decisions"] = json!(decisions);
    shown["jobs"] = json!(view::objects(&found.jobs));
    shown["releases"] = json!(view::objects(&found.releases));
    shown["progress"] = json!(found.progress);
    shown["history"] = json!(view::objects(&found.history));
    shown["signed"] = json!(Signed::from(&found.signed));
    // What a decision must name, ready to be sent back.
    shown["seen"] = json!({
        "revision": found.request.object.revision,
        "code_hash": found.code.body.hash,
        "last_decision": found.decisions.last().map(|decision| decision.object.id),
    });
    // Not `code`: that is the request's own field, the id.
    shown["submitted_code"] = codes::with_signed(&found.code.object, &found.code_signed);
    shown
}

async fn ask(
    context: &Context,
    actor: Actor,
    request: RequestId,
    petition: Petition,
) -> Result<Value, Problem> {
    let asked = Ask {
        actor: actor.clone(),
        request,
        petition,
    };
    context.triage.send(asked).await.map_err(ActError::from)??;
    let now = context.store.now();
    let found = context
        .store
        .read(move |view| requests::view(view, &actor, &Here::at(view, now, [0; 32])?, request))
        .await?;
    Ok(whole(&found))
}

/// Makes a request in a project that has been started, with code of your own.
#[utoipa::path(tag = "requests", security(("token" = [])), request_body = RequestBody, responses(
    (status = 201, description = "The request", body = schema::RequestShown), (status = 409, description = "The project has not been started, or \
    you are no member of it; or you sign and have registered no key, or the id is taken"),
    (status = 422, description = "The signature does not hold: what is signed here, by its hash"), (status = 404, description = "There is no such project or code that you may see")))]
#[post("/requests")]
async fn make(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<RequestBody>,
) -> Answer {
    let id = body.id(&context)?;
    let draft = Draft {
        project: ProjectId(body.project),
        code: CodeId(body.code),
        reason: body.reason,
        predecessor: body.predecessor.map(RequestId),
        signature: body.signature,
    };
    let made = ask(&context, actor, id, Petition::Make(draft)).await?;
    Ok(HttpResponse::Created().json(made))
}

/// Which requests are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// In this state: pending, approved, denied or withdrawn.
    #[param(inline)]
    state: Option<StateWord>,
    /// In this project.
    project: Option<Uuid>,
    /// Items on the page, from 1 to 200; 50 by default.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// A state of a request.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StateWord {
    /// Nobody has decided.
    Pending,
    /// A run may follow, or has.
    Approved,
    /// It may not.
    Denied,
    /// Taken back.
    Withdrawn,
}

impl StateWord {
    fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// The requests that you may see, newest first.
#[utoipa::path(tag = "requests", security(("token" = [])), params(Which), responses(
    (status = 200, description = "A page; it may be short and still name a next one", body = schema::PageOf<schema::RequestListed>)))]
#[get("/requests")]
async fn list(context: web::Data<Context>, SignedIn(actor): SignedIn, Query(which): Query<Which>) -> Answer {
    let page = Page::new(which.limit, which.cursor);
    let (limit, before) = (page.limit()?, page.after()?);
    let filter = Filter {
        project: which.project.map(ProjectId),
        state: which.state.map(|state| state.word().to_owned()),
    };
    let (listed, next) = context
        .store
        .read(move |view| requests::list(view, &actor, &filter, before, limit))
        .await?;
    Ok(HttpResponse::Ok().json(List {
        items: listed
            .iter()
            .map(|listed| {
                let mut shown = with_status(&listed.request.object, &listed.status);
                shown["signed"] = json!(Signed::from(&listed.signed));
                shown
            })
            .collect(),
        next: next.as_ref().and_then(page::cursor),
    }))
}

/// A request with its status, code, how both are signed, decisions, jobs, releases, earlier revisions, and how far it has come.
#[utoipa::path(tag = "requests", security(("token" = [])), responses(
    (status = 200, description = "The request", body = schema::RequestShown), (status = 404, description = "There is none that you may see")))]
#[get("/requests/{id}")]
async fn show(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let (id, now) = (RequestId(id.into_inner()), context.store.now());
    let found = context
        .store
        .read(move |view| requests::view(view, &actor, &Here::at(view, now, [0; 32])?, id))
        .await?;
    Ok(HttpResponse::Ok().json(whole(&found)))
}

/// A signature on the revision of a request that this makes. The body may be left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignatureBody {
    /// Your signature on the request as it will be, as docs/SIGNATURES.md describes.
    #[schema(value_type = Option<String>)]
    signature: Option<SignatureBytes>,
}

/// Takes a request of your own back.
#[utoipa::path(tag = "requests", security(("token" = [])), request_body = Option<SignatureBody>, responses(
    (status = 200, description = "The request", body = schema::RequestShown), (status = 409, description = "It was withdrawn before"),
    (status = 422, description = "The signature does not hold")))]
#[post("/requests/{id}/withdrawal")]
async fn withdraw(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    MaybeJson(body): MaybeJson<SignatureBody>,
) -> Answer {
    let id = RequestId(id.into_inner());
    let petition = Petition::Withdraw(body.and_then(|body| body.signature));
    Ok(HttpResponse::Ok().json(ask(&context, actor, id, petition).await?))
}

/// Asks for one more run of an approved request. That is a new revision, and needs a new decision.
#[utoipa::path(tag = "requests", security(("token" = [])), request_body = Option<SignatureBody>, responses(
    (status = 200, description = "The request", body = schema::RequestShown), (status = 409, description = "Not approved, or the output policy \
    allows no further run"), (status = 422, description = "The signature does not hold")))]
#[post("/requests/{id}/runs-wanted")]
async fn want_another_run(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    MaybeJson(body): MaybeJson<SignatureBody>,
) -> Answer {
    let id = RequestId(id.into_inner());
    let petition = Petition::AnotherRun(body.and_then(|body| body.signature));
    Ok(HttpResponse::Ok().json(ask(&context, actor, id, petition).await?))
}

/// Approve or deny.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum VerdictWord {
    /// The code may run on private data.
    Approve,
    /// It may not.
    Deny,
}

/// What a reviewer had before them: the `seen` of the request.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SeenBody {
    /// Number and digest of the request's revision.
    #[schema(value_type = schema::SeenRevision)]
    revision: Revision,
    /// The hash of its code, which covers the policies.
    #[schema(value_type = String, pattern = "^[0-9a-f]{64}$")]
    code_hash: Hash,
    /// The last decision on it, or null.
    #[schema(value_type = Option<Uuid>)]
    last_decision: Option<DecisionId>,
}

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DecisionBody {
    /// Approve or deny.
    verdict: VerdictWord,
    /// Why; a denial needs it, and the scientist reads it.
    reason: Option<String>,
    /// What was seen. If it has changed, the decision is refused with the difference.
    seen: SeenBody,
}

impl DecisionBody {
    fn verdict(&self) -> Result<Verdict, Problem> {
        match (self.verdict, &self.reason) {
            (VerdictWord::Approve, None) => Ok(Verdict::Approve),
            (VerdictWord::Approve, Some(_)) => {
                Err(Invalid::new("reason", "belongs to a denial; an approval has none").into())
            }
            (VerdictWord::Deny, reason) => Ok(Verdict::deny(reason.as_deref().unwrap_or_default())?),
        }
    }
}

/// Decides on exactly what was seen.
#[utoipa::path(tag = "requests", security(("token" = [])), request_body = DecisionBody, responses(
    (status = 201, description = "The decision", body = schema::DecisionShown), (status = 403, description = "Not allowed"),
    (status = 409, description = "Your own request, withdrawn, or an approval of what bears a false signature"),
    (status = 412, description = "Something has changed since: the difference, e.g. what another reviewer decided")))]
#[post("/requests/{id}/decisions")]
async fn decide(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<DecisionBody>,
) -> Answer {
    let decide = Decide {
        actor,
        id: DecisionId(context.new_id()),
        request: RequestId(id.into_inner()),
        verdict: body.verdict()?,
        seen: Seen {
            revision: body.seen.revision,
            code_hash: body.seen.code_hash,
            last_decision: body.seen.last_decision,
        },
    };
    let made = context.triage.send(decide).await.map_err(ActError::from)??;
    Ok(HttpResponse::Created().json(view::object(&made)))
}

/// A run of a request.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RunBody {
    /// Mock or private data.
    data: DataWord,
}

/// Runs the code of a request.
#[utoipa::path(tag = "requests", security(("token" = [])), request_body = RunBody, responses(
    (status = 202, description = "The run, which waits for its turn", body = schema::RunShown), (status = 409, description = "Not approved here, \
    its runs are used up, or data is missing"), (status = 503, description = "The sandbox is not ready")))]
#[post("/requests/{id}/runs")]
async fn run(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<RunBody>,
) -> Answer {
    let wanted = Wanted::Request(RequestId(id.into_inner()), body.data.into());
    runs::enqueue(&context, actor, wanted).await
}

/// How a deposit is written.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DepositQuery {
    /// json, csv, npy, png, parquet, arrow, text or raw.
    #[param(value_type = schema::OutputFormatWord, inline)]
    format: OutputFormat,
}

/// Takes a result that was computed elsewhere, as a run of this request. It is parsed and written again without
/// metadata, and is released like any other.
#[utoipa::path(tag = "requests", security(("token" = [])), params(DepositQuery),
    request_body(content = schema::Bytes, content_type = "application/octet-stream"), responses(
    (status = 201, description = "The run", body = schema::RunShown), (status = 409, description = "Denied, withdrawn, or its runs are used up"),
    (status = 422, description = "The file is not of that format")))]
#[post("/requests/{id}/deposits")]
async fn deposit(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Query(query): Query<DepositQuery>,
    body: web::Payload,
) -> Answer {
    let request = RequestId(id.into_inner());
    let (asking, now) = (actor.clone(), context.store.now());
    context
        .store
        .read(move |view| {
            let here = Here::at(view, now, clock::random_bytes())?;
            check_deposit(view, &asking, &here, request)
        })
        .await?;
    let id = JobId(context.new_id());
    let folder = context.deposits.clone();
    let file = folder.join(format!("{id}.upload"));
    off_the_arbiter(move || {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(folder)
    })
    .await?
    .map_err(|error| Problem::internal(&error))?;
    let most = context.config.runtime.limits.output_bytes;
    files::upload_to_file(body, most, &file).await?;
    let deposit = Deposit {
        actor,
        id,
        request,
        format: query.format,
        file,
    };
    let made = context.triage.send(deposit).await.map_err(ActError::from)??;
    Ok(HttpResponse::Created().json(runs::run(id, &made, &[])))
}

/// The data of a run, from outside.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DataWord {
    /// The mocks of the assets.
    Mock,
    /// The private data, where it is held.
    Private,
}

impl From<DataWord> for Data {
    fn from(word: DataWord) -> Self {
        match word {
            DataWord::Mock => Self::Mock,
            DataWord::Private => Self::Private,
        }
    }
}
