//! Projects, code, requests, and what comes of them, as they are shown.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Envelope;
use crate::api::access_requests::{ObjectShown, ObjectType};
use crate::api::signed::SignedState;
use crate::api::view::RevisionView;

/// A project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectShown {
    /// What every object bears.
    #[serde(flatten)]
    pub object: Envelope,
    /// Unique on its home node.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Who made it.
    pub creator: Uuid,
    /// Who may see it and make requests in it.
    pub members: Vec<Uuid>,
    /// Whether requests can be made in it.
    pub started: bool,
}

/// What one parameter receives.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BindingShown {
    /// The id of an asset.
    Asset(Uuid),
    /// A constant.
    Constant(Value),
}

/// How often code may run on private data.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputPolicyShown {
    /// One successful run.
    SingleExecution,
    /// So many successful runs.
    ExecuteCount(u32),
}

/// A signature, with the key that it was made with.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignatureShown {
    /// The public key.
    pub key: String,
    /// The signature.
    pub bytes: String,
}

/// What is known of the signature on code or a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedShown {
    /// How it stands.
    pub state: SignedState,
    /// The same in words, for people.
    pub says: String,
    /// Whether a reviewer should stop and think.
    pub suspicious: bool,
    /// The key that it was made with.
    pub fingerprint: Option<String>,
    /// The pinned key that it is measured by, with whose it is.
    #[schema(value_type = Option<Object>)]
    pub pinned: Option<Value>,
}

/// Code.
#[derive(Debug, Serialize, ToSchema)]
pub struct CodeShown {
    /// What every object bears.
    #[serde(flatten)]
    pub object: Envelope,
    /// What its author calls it.
    pub name: String,
    /// Who submitted it.
    pub author: Uuid,
    /// Python source.
    pub source: String,
    /// The function that a run calls.
    pub entry_point: String,
    /// What each parameter of the entry point receives.
    pub input_policy: BTreeMap<String, BindingShown>,
    /// How often it may run.
    pub output_policy: OutputPolicyShown,
    /// Covers source, entry point and both policies.
    pub hash: String,
    /// Its author's signature, if they sign.
    pub signature: Option<SignatureShown>,
    /// How it is signed; not in lists, nor when it was just submitted.
    pub signed: Option<SignedShown>,
}

/// The state of a request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// Nobody has decided.
    Pending,
    /// A run may follow, or has; or what was asked for may be seen.
    Approved,
    /// Approved, for a time that is over.
    Expired,
    /// It may not.
    Denied,
    /// Taken back.
    Withdrawn,
}

/// What has become of a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusShown {
    /// In a word.
    pub state: RequestState,
    /// Why it was denied.
    pub reason: Option<String>,
}

/// A request, in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequestListed {
    /// What every object bears.
    #[serde(flatten)]
    pub object: Envelope,
    /// The project it is made in; none for what is open already.
    pub project: Option<Uuid>,
    /// The code to run, if it asks for a run.
    pub code: Option<Uuid>,
    /// What is to be seen, if it asks to see something.
    #[serde(rename = "object")]
    pub to_see: Option<ObjectShown>,
    /// Who asks.
    pub requester: Uuid,
    /// Why.
    pub reason: String,
    /// How many successful runs are wanted so far, if it asks for any.
    pub runs_wanted: Option<u32>,
    /// Whether the requester has taken it back.
    pub withdrawn: bool,
    /// The request that this one takes up again.
    pub predecessor: Option<Uuid>,
    /// Its requester's signature on this revision, if they sign.
    pub signature: Option<SignatureShown>,
    /// What has become of it.
    pub status: StatusShown,
    /// What it names, by name.
    pub names: NamesShown,
}

/// How what a request names is called, as far as it is known here.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamesShown {
    /// Who asks.
    pub requester: Option<String>,
    /// The project; not in lists.
    pub project: Option<String>,
    /// The code; not in lists.
    pub code: Option<String>,
}

/// How far a request has come.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProgressShown {
    /// When it was submitted or, where it was made elsewhere, taken in: when it was made travels in no bundle.
    #[schema(format = DateTime)]
    pub submitted: String,
    /// The numbers of what carried it to another node, where there is one.
    pub carried_in: Option<Vec<u64>>,
    /// Whether the other node has it, where there is one.
    pub received: Option<bool>,
    /// The date of the decision that holds.
    #[schema(format = Date)]
    pub decided_on: Option<String>,
    /// Whether a result has been released.
    pub released: bool,
}

/// What a decision must name.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeenShown {
    /// The request's revision.
    pub revision: RevisionView,
    /// The hash of its code, if it asks for a run.
    pub code_hash: Option<String>,
    /// The revision of the object to see; for those who decide, and null if it is not here.
    pub object_revision: Option<RevisionView>,
    /// The last decision on it.
    pub last_decision: Option<Uuid>,
}

/// A request, with all that belongs to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequestShown {
    /// The request.
    #[serde(flatten)]
    pub request: RequestListed,
    /// The decisions on it, the last one last.
    pub decisions: Vec<DecisionShown>,
    /// That code ran, and whether it worked.
    pub jobs: Vec<JobShown>,
    /// What was released.
    pub releases: Vec<ReleaseShown>,
    /// How far it has come.
    pub progress: ProgressShown,
    /// Whether the requester's account was deleted, so that nobody can have what is released for it.
    pub requester_left: bool,
    /// Its earlier revisions.
    pub history: Vec<Envelope>,
    /// How it is signed.
    pub signed: SignedShown,
    /// What a decision must name, ready to be sent back.
    pub seen: SeenShown,
    /// Its code, if it asks for a run.
    pub submitted_code: Option<CodeShown>,
}

/// Approved or denied.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerdictShown {
    /// The code may run on the private data, or what was asked for may be seen.
    Approve,
    /// It may not.
    Deny {
        /// Why.
        reason: String,
    },
}

/// A decision.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionShown {
    /// What every object bears.
    #[serde(flatten)]
    pub object: Envelope,
    /// The request.
    pub request: Uuid,
    /// Counts the decisions of its node on the request, from 1.
    pub number: u32,
    /// The revision that was seen.
    pub request_revision: RevisionView,
    /// The code, if it is on a run.
    pub code: Option<Uuid>,
    /// The hash of the code that was seen.
    pub code_hash: Option<String>,
    /// The assets that the code names.
    pub assets: Option<Vec<Uuid>>,
    /// What may be seen or not, if it is not on a run.
    #[serde(rename = "object")]
    pub to_see: Option<SightShown>,
    /// The revision of that object that was seen; none of a decision that came from elsewhere.
    pub object_revision: Option<RevisionView>,
    /// Approved or denied.
    pub verdict: VerdictShown,
    /// Who decided, if it was a person.
    pub by: Option<Uuid>,
    /// The rule that decided, if it was one.
    pub by_rule: Option<Uuid>,
    /// How they, or the rule, were called then.
    pub by_name: String,
    /// The date.
    #[schema(format = Date)]
    pub on: String,
    /// When what it grants ends, if it does.
    #[schema(format = DateTime)]
    pub until: Option<String>,
}

/// What may be seen or not.
#[derive(Debug, Serialize, ToSchema)]
pub struct SightShown {
    /// What of the object.
    pub r#type: ObjectType,
    /// The object.
    pub id: Uuid,
}

/// Whether a run worked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobVerdict {
    /// It returned a result.
    Succeeded,
    /// It did not.
    Failed,
}

/// That code ran, or that private data was written as a result.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobShown {
    /// What every object bears.
    #[serde(flatten)]
    pub object: Envelope,
    /// The request that asked for it.
    pub request: Uuid,
    /// The code that ran, if any did.
    pub code: Option<Uuid>,
    /// Whether it worked.
    pub verdict: JobVerdict,
    /// The date of the run.
    #[schema(format = Date)]
    pub on: String,
}

/// What of a run is released.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartShown {
    /// What the code returned.
    Result,
    /// What it printed.
    Log,
    /// Where it failed.
    FailureReport,
}

/// How a result is written.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormatWord {
    /// RFC 8259.
    Json,
    /// RFC 4180, with a header.
    Csv,
    /// NumPy's array file.
    Npy,
    /// A picture.
    Png,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC file.
    Arrow,
    /// UTF-8.
    Text,
    /// Bytes as the code returned them.
    Raw,
}

/// A release.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReleaseShown {
    /// What every object bears.
    #[serde(flatten)]
    pub object: Envelope,
    /// The job it came from.
    pub job: Uuid,
    /// The request it answers.
    pub request: Uuid,
    /// What was released.
    pub part: PartShown,
    /// The BLAKE3 hash of its bytes.
    pub blob: String,
    /// Their number.
    pub length: u64,
    /// How they are written.
    pub format: OutputFormatWord,
    /// Who released it, as they were called then.
    pub by_name: String,
    /// The date.
    #[schema(format = Date)]
    pub on: String,
}

/// The state of a run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Waits for its turn.
    Queued,
    /// Under way.
    Running,
    /// Returned a result.
    Succeeded,
    /// Raised, crashed, or passed a limit.
    Failed,
    /// Stopped at its time limit.
    TimedOut,
    /// Stopped by a person.
    Cancelled,
    /// The node stopped while it was under way, or could not carry it through.
    Interrupted,
    /// It returned a result that a person has set aside.
    SetAside,
}

/// The data that a run receives.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunData {
    /// The mocks of the assets.
    Mock,
    /// The private data.
    Private,
}

/// Where a result came from.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOrigin {
    /// The node ran the code.
    Sandbox,
    /// It was computed elsewhere.
    Deposit,
    /// It is the private data that was asked for.
    Fulfilment,
}

/// What a run left behind.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductShown {
    /// How it is written.
    pub format: OutputFormatWord,
    /// Its size in bytes.
    pub length: u64,
    /// The BLAKE3 hash of its exact bytes.
    pub hash: String,
    /// Whether a person can review it by looking at it; of results.
    pub reviewable: Option<bool>,
}

/// A run.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunShown {
    /// Its id.
    pub id: Uuid,
    /// The request that it answers, if any.
    pub request: Option<Uuid>,
    /// The revision of that; none of a run of an earlier version.
    pub request_revision: Option<RevisionView>,
    /// The code, if any ran.
    pub code: Option<Uuid>,
    /// Mock or private data.
    pub data: RunData,
    /// Run here, or computed elsewhere and deposited.
    pub origin: RunOrigin,
    /// Who started it.
    pub started_by: Uuid,
    /// Where it stands.
    pub state: RunState,
    /// When it was queued.
    #[schema(format = DateTime)]
    pub queued_at: String,
    /// When it began.
    #[schema(format = DateTime)]
    pub began_at: Option<String>,
    /// When it was over.
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
    /// What it returned.
    pub result: Option<ProductShown>,
    /// What it printed.
    pub log: Option<ProductShown>,
    /// Where it failed.
    pub failure_report: Option<ProductShown>,
    /// What was released of it.
    pub releases: Vec<ReleaseShown>,
}

/// A call that has no result yet.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnderWay {
    /// The request that names the code.
    pub request: Uuid,
    /// What has become of it.
    pub status: StatusShown,
    /// How the last run for it ended; not there while that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_run: Option<JobVerdict>,
}
