//! Code: submitted, looked at, called, and run on mocks.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::signed::Signed;
use super::{
    Answer, Context, Json, List, Page, Problem, Query, SignedIn, page, releases, runs, schema, view,
};
use crate::actors::ActError;
use crate::actors::triage::Submit;
use crate::acts::releases::{Answer as CallAnswer, NoResult};
use crate::acts::requests::Submission;
use crate::acts::runs::Wanted;
use crate::acts::{releases as releasing, requests, signatures, visible};
use crate::domain::id::{AssetId, CodeId};
use crate::domain::key_pins::Standing;
use crate::domain::object::Object;
use crate::domain::policy::{Binding, InputPolicy, OutputPolicy};
use crate::domain::request::Status;
use crate::domain::signature::SignatureBytes;
use crate::store::records::Here;

/// The longest submission, in bytes of JSON: the longest source, however it is escaped, and its policies.
const SUBMISSION_MAX: usize = 512 * 1024;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(submit)
        .service(list)
        .service(show)
        .service(call)
        .service(run);
}

/// What one parameter receives: an asset, or a constant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum BindingBody {
    /// The id of an asset.
    Asset(Uuid),
    /// Any JSON. Nothing that a caller passes takes its place.
    Constant(Value),
}

/// How often the code may run on private data.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum OutputBody {
    /// One successful run.
    SingleExecution,
    /// So many successful runs.
    ExecuteCount(u32),
}

/// Code as it is submitted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SubmissionBody {
    /// What its author calls it.
    name: String,
    /// Python source.
    source: String,
    /// The function that a run calls.
    entry_point: String,
    /// What each parameter of the entry point receives, and nothing else.
    input_policy: BTreeMap<String, BindingBody>,
    /// How often the code may run.
    output_policy: OutputBody,
    /// Your signature on the code, as docs/SIGNATURES.md describes: 128 hexadecimal digits, or 86 characters of base64url.
    #[schema(value_type = Option<String>)]
    signature: Option<SignatureBytes>,
}

impl SubmissionBody {
    fn submission(self) -> Result<Submission, Problem> {
        let bindings = self.input_policy.into_iter().map(|(name, binding)| {
            let binding = match binding {
                BindingBody::Asset(asset) => Binding::Asset(AssetId(asset)),
                BindingBody::Constant(value) => Binding::Constant(value.to_string()),
            };
            (name, binding)
        });
        Ok(Submission {
            name: self.name,
            source: self.source,
            entry_point: self.entry_point,
            input_policy: InputPolicy::exact_match(bindings.collect())?,
            output_policy: match self.output_policy {
                OutputBody::SingleExecution => OutputPolicy::SingleExecution,
                OutputBody::ExecuteCount(count) => OutputPolicy::ExecuteCount(count),
            },
            signature: self.signature,
        })
    }
}

/// Code as JSON: its constants as the JSON that they are.
pub(super) fn code(object: &Object) -> Value {
    let mut shown = view::document(object);
    let bindings = shown["input_policy"].as_object_mut().into_iter().flatten();
    for (_, binding) in bindings {
        let constant = binding["constant"]
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok());
        if let Some(constant) = constant {
            *binding = Value::Object(Map::from_iter([("constant".to_owned(), constant)]));
        }
    }
    shown
}

/// Code as JSON, with how it is signed.
pub(super) fn with_signed(object: &Object, standing: &Standing) -> Value {
    let mut shown = code(object);
    shown["signed"] = json!(Signed::from(standing));
    shown
}

/// Submits code. It is parsed, never run, and must follow the rule for code; it never changes afterwards.
#[utoipa::path(tag = "codes", security(("token" = [])), request_body = SubmissionBody, responses(
    (status = 201, description = "The code", body = schema::CodeShown), (status = 409, description = "You sign, and have registered no key"),
    (status = 422, description = "The lines that break the rule for code; or the signature does not hold"),
    (status = 503, description = "The sandbox that parses it is not ready")))]
#[post("")]
async fn submit(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<SubmissionBody, SUBMISSION_MAX>,
) -> Answer {
    let submit = Submit {
        actor,
        id: CodeId(context.new_id()),
        submission: body.submission()?,
    };
    let object = context.triage.send(submit).await.map_err(ActError::from)??;
    Ok(HttpResponse::Created().json(code(&object)))
}

/// The code that you may see, newest first.
#[utoipa::path(tag = "codes", security(("token" = [])), params(Page), responses((status = 200, description = "A page", body = schema::PageOf<schema::CodeShown>)))]
#[get("")]
async fn list(context: web::Data<Context>, SignedIn(actor): SignedIn, Query(page): Query<Page>) -> Answer {
    let (limit, before) = (page.limit()?, page.after()?);
    let listed = context
        .store
        .read(move |view| requests::list_code(view, &actor, before, limit))
        .await?;
    Ok(HttpResponse::Ok().json(List {
        items: listed.objects.iter().map(|object| code(object)).collect(),
        next: listed.next.as_ref().and_then(page::cursor),
    }))
}

/// Code, and how it is signed.
#[utoipa::path(tag = "codes", security(("token" = [])), responses(
    (status = 200, description = "The code", body = schema::CodeShown), (status = 404, description = "There is none that you may see")))]
#[get("/{id}")]
async fn show(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = CodeId(id.into_inner());
    let (found, standing) = context
        .store
        .read(move |view| {
            let found = visible::code(view, &actor, id)?;
            let standing = signatures::on_code(view, &found.object, &found.body)?;
            Ok((found, standing))
        })
        .await?;
    Ok(HttpResponse::Ok().json(with_signed(&found.object, &standing)))
}

/// What a caller passes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CallBody {
    /// Arguments by the names of parameters. Each of those is bound to an asset or a constant already, so that an argument is refused.
    #[serde(default)]
    arguments: BTreeMap<String, Value>,
}

/// Calls code: answers with the newest result that was released, else with what has become of its request. Nothing runs. Of results
/// that were released on one day and arrived together, it is not known which is the newest; the answer is always the same one.
#[utoipa::path(tag = "codes", security(("token" = [])), request_body = CallBody, responses(
    (status = 200, description = "The result's bytes; `Poundlock-Result-Hash` is their BLAKE3 hash", content(
        (serde_json::Value = "application/json"), (schema::Bytes = "text/csv"), (schema::Bytes = "text/plain"),
        (schema::Bytes = "image/png"), (schema::Bytes = "application/vnd.apache.parquet"),
        (schema::Bytes = "application/vnd.apache.arrow.file"), (schema::Bytes = "application/octet-stream"))),
    (status = 202, description = "There is no result yet: request, status, how the last run ended if it is known", body = schema::UnderWay),
    (status = 409, description = "Denied, with the reason; withdrawn; or never requested")))]
#[post("/{id}/call")]
async fn call(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<CallBody>,
) -> Answer {
    let (id, now) = (CodeId(id.into_inner()), context.store.now());
    let answer = context
        .store
        .read(move |view| {
            let arguments = body.arguments.keys().map(String::as_str);
            releasing::call(view, &actor, &Here::at(view, now, [0; 32])?, id, arguments)
        })
        .await?;
    let conflict = |word, detail: String| Problem::new(StatusCode::CONFLICT, word, detail);
    match answer {
        CallAnswer::Result(found) => releases::content(&context, *found).await,
        CallAnswer::NeverRequested => Err(conflict(
            "not_requested",
            "no request names this code; make one with POST /api/v1/requests".to_owned(),
        )),
        CallAnswer::NoResult(why) => no_result(why),
    }
}

/// What has become of code that has no result yet.
fn no_result(why: NoResult) -> Answer {
    let conflict = |word, detail: String| Problem::new(StatusCode::CONFLICT, word, detail);
    let request = why.request.object.id;
    match why.status {
        Status::Denied { reason } => {
            let detail = format!("the request was denied: {reason}");
            Err(conflict("denied", detail)
                .with("reason", reason)
                .with("request", request.to_string()))
        }
        Status::Withdrawn => {
            let detail = "the request was withdrawn; make a new one that names it as its predecessor";
            Err(conflict("withdrawn", detail.to_owned()).with("request", request.to_string()))
        }
        status => {
            let mut shown = json!({ "request": request, "status": status });
            if let Some(verdict) = why.last_run {
                shown["last_run"] = json!(verdict);
            }
            Ok(HttpResponse::Accepted().json(shown))
        }
    }
}

/// Which data a run receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MockWord {
    /// The mocks of the assets.
    Mock,
}

/// A run of code that no request names yet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RunOnMocks)]
struct RunBody {
    /// The mocks: private data answers requests only.
    data: MockWord,
}

/// Runs code on the mocks of its assets, where the owner of the node allows it.
#[utoipa::path(tag = "codes", security(("token" = [])), request_body = RunBody, responses(
    (status = 202, description = "The run, which waits for its turn", body = schema::RunShown),
    (status = 409, description = "Not allowed here, or an asset has no mock")))]
#[post("/{id}/runs")]
async fn run(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(RunBody { data: MockWord::Mock }): Json<RunBody>,
) -> Answer {
    let id = CodeId(id.into_inner());
    runs::enqueue(&context, actor, Wanted::Code(id)).await
}
