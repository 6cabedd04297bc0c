//! Requests: made, looked at, decided on and run.

use actix_web::{HttpResponse, get, post, web};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::access_requests::{ObjectBody, ObjectShown, StateWord};
use super::signed::Signed;
use super::{
    Answer, Context, Json, List, MaybeJson, Page, Problem, Query, SignedIn, codes, page, runs, schema, view,
};
use crate::actors::ActError;
use crate::actors::triage::{Ask, Decide, Petition};
use crate::acts::decisions::{Seen, Shown};
use crate::acts::requests::{self, Asked, Draft, Filter, Listed, SightDraft, View};
use crate::acts::runs::Wanted;
use crate::domain::access::Actor;
use crate::domain::decision::Verdict;
use crate::domain::hash::Hash;
use crate::domain::id::{CodeId, DecisionId, ProjectId, RequestId};
use crate::domain::job::Data;
use crate::domain::object::Revision;
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
        .service(run);
}

/// What a scientist asks for: `code` to be run in a `project`, or to see one `object`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RequestBody {
    /// The project to make the request in: for code, and for private data.
    project: Option<Uuid>,
    /// Code of your own, to be run.
    code: Option<Uuid>,
    /// What to see, in place of code.
    object: Option<ObjectBody>,
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

    /// `decision` is the id of what a rule may decide at once.
    fn petition(self, decision: DecisionId) -> Result<Petition, Invalid> {
        let predecessor = self.predecessor.map(RequestId);
        match (self.code, self.object) {
            (Some(code), None) => Ok(Petition::Make(Draft {
                project: self
                    .project
                    .map(ProjectId)
                    .ok_or_else(|| Invalid::new("project", "name the project to run the code in"))?,
                code: CodeId(code),
                reason: self.reason,
                predecessor,
                signature: self.signature,
            })),
            (None, Some(object)) => {
                let draft = SightDraft {
                    sight: object.sight(),
                    project: self.project.map(ProjectId),
                    reason: self.reason,
                    predecessor,
                    signature: self.signature,
                };
                Ok(Petition::See(draft, decision))
            }
            (Some(_), Some(_)) => Err(Invalid::new(
                "object",
                "a request is for code or for one object, not for both",
            )),
            (None, None) => Err(Invalid::new(
                "code",
                "name the code to run, or under `object` what to see",
            )),
        }
    }
}

fn listed(found: &Listed) -> Value {
    let mut shown = view::document(&found.request.object);
    shown["status"] = json!(found.status);
    shown["signed"] = json!(Signed::from(&found.signed));
    shown["names"] = json!({"requester": found.requester_name});
    if let Some(sight) = &found.sight {
        shown["object"] = json!(ObjectShown::of(sight));
    }
    shown
}

fn whole(found: &View) -> Value {
    let mut shown = view::document(&found.request.object);
    shown["status"] = json!(found.status);
    let decisions: Vec<_> = found
        .decisions
        .iter()
        .map(|decision| view::object(&decision.object))
        .collect();
    shown["decisions"] = json!(decisions);
    shown["jobs"] = json!(view::objects(&found.jobs));
    shown["releases"] = json!(view::objects(&found.releases));
    shown["progress"] = json!(found.progress);
    let names = &found.names;
    shown["names"] = json!({"requester": names.requester, "project": names.project, "code": names.code});
    shown["requester_left"] = json!(found.requester_left);
    shown["history"] = json!(view::objects(&found.history));
    shown["signed"] = json!(Signed::from(&found.signed));
    // What a decision must name, ready to be sent back.
    let mut seen = json!({
        "revision": found.request.object.revision,
        "last_decision": found.decisions.last().map(|decision| decision.object.id),
    });
    match &found.asked {
        Asked::Code(code, signed) => {
            seen["code_hash"] = json!(code.body.hash);
            // Not `code`: that is the request's own field, the id.
            shown["submitted_code"] = codes::with_signed(&code.object, signed);
        }
        Asked::Sight(sight) => {
            seen["object_revision"] = json!(sight.revision);
            shown["object"] = json!(ObjectShown::of(sight));
        }
    }
    shown["seen"] = seen;
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

/// Makes a request: for code of your own to be run, in a project that has been started; or to see one object. A request to
/// see what is open here already, a mock or a release, is decided on this node, by a rule of it or by whoever triages; one
/// for private data is made in a project, and decided where the data is.
#[utoipa::path(tag = "requests", security(("token" = [])), request_body = RequestBody, responses(
    (status = 201, description = "The request", body = schema::RequestShown), (status = 409, description = "The project has not been started, or \
    you are no member of it; the object is open to you, or asked for already; or you sign and have registered no key, or \
    the id is taken"),
    (status = 422, description = "The signature does not hold: what is signed here, by its hash"),
    (status = 404, description = "There is no such project, code or object")))]
#[post("")]
async fn make(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<RequestBody>,
) -> Answer {
    let id = body.id(&context)?;
    let petition = body.petition(DecisionId(context.new_id()))?;
    let made = ask(&context, actor, id, petition).await?;
    Ok(HttpResponse::Created().json(made))
}

/// Which requests are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// In this state: pending, approved, expired, denied or withdrawn.
    #[param(inline)]
    state: Option<StateWord>,
    /// Only those for a run, or only those to see something: run, see.
    #[param(inline)]
    subject: Option<SubjectWord>,
    /// In this project.
    project: Option<Uuid>,
    /// Items on the page, from 1 to 200; 50 by default.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SubjectWord {
    /// That code be run.
    Run,
    /// To see one object.
    See,
}

/// The requests that you may see, newest first.
#[utoipa::path(tag = "requests", security(("token" = [])), params(Which), responses(
    (status = 200, description = "A page; it may be short and still name a next one", body = schema::PageOf<schema::RequestListed>)))]
#[get("")]
async fn list(context: web::Data<Context>, SignedIn(actor): SignedIn, Query(which): Query<Which>) -> Answer {
    let page = Page::new(which.limit, which.cursor);
    let (limit, before) = (page.limit()?, page.after()?);
    let filter = Filter {
        project: which.project.map(ProjectId),
        state: which.state.map(|state| state.word().to_owned()),
        to_see: which.subject.map(|subject| subject == SubjectWord::See),
        of_type: None,
    };
    let now = context.store.now();
    let (found, next) = context
        .store
        .read_page(move |view| requests::list(view, &actor, now, &filter, before, limit))
        .await?;
    Ok(HttpResponse::Ok().json(List {
        items: found.iter().map(listed).collect(),
        next: next.as_ref().and_then(page::cursor),
    }))
}

/// A request with its status, code, how both are signed, decisions, jobs, releases, earlier revisions, and how far it has come.
#[utoipa::path(tag = "requests", security(("token" = [])), responses(
    (status = 200, description = "The request", body = schema::RequestShown), (status = 404, description = "There is none that you may see")))]
#[get("/{id}")]
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
#[post("/{id}/withdrawal")]
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
#[post("/{id}/runs-wanted")]
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
    /// The code may run on private data; or what was asked for may be seen.
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
    /// The hash of its code, which covers the policies; for a request to see something none.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{64}$")]
    code_hash: Option<Hash>,
    /// Number and digest of the revision of the object to see, or null if it is not here.
    #[schema(value_type = Option<schema::SeenRevision>)]
    object_revision: Option<Revision>,
    /// The last decision on it, or null.
    #[schema(value_type = Option<Uuid>)]
    last_decision: Option<DecisionId>,
}

impl SeenBody {
    fn seen(&self) -> Result<Seen, Invalid> {
        let shown = match (self.code_hash, self.object_revision) {
            (Some(hash), None) => Shown::Code(hash),
            (None, revision) => Shown::Object(revision),
            (Some(_), Some(_)) => {
                let problem =
                    "a request is for code or for one object: send back what `seen` of the request says";
                return Err(Invalid::new("seen.object_revision", problem));
            }
        };
        Ok(Seen {
            revision: self.revision,
            shown,
            last_decision: self.last_decision,
        })
    }
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
#[post("/{id}/decisions")]
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
        seen: body.seen.seen()?,
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
#[post("/{id}/runs")]
async fn run(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<RunBody>,
) -> Answer {
    let wanted = Wanted::Request(RequestId(id.into_inner()), body.data.into());
    runs::enqueue(&context, actor, wanted).await
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
