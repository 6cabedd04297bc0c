//! What of an object travels: an allow-list of fields, written once per kind and direction. Nothing is blanked out of a full
//! object; what is not named here cannot cross.
//!
//! The two directions have separate types. [`Downward`], from high to low, has no variant for code, requests, projects
//! or people: what was born on the high side cannot leave, because there is nothing to put it in. What the receiver itself
//! made, and has lost, goes back in [`Own`], which nothing else can be made into.
//!
//! Records are encoded as deterministic CBOR by the transport, whose format they are part of.

mod asked;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::civil::Date;
use poundlock_transport::cbor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::asset::{Asset, DataFormat, Mock};
use crate::domain::code::Code;
use crate::domain::dataset::{Contributor, Dataset, MockAccess, Visibility};
use crate::domain::hash::Hash;
use crate::domain::id::{CodeId, DatasetId, JobId, NodeId, RequestId, UserId};
use crate::domain::job::{self, Job};
use crate::domain::object::{Body, Object};
use crate::domain::policy::{Binding, InputPolicy, OutputPolicy};
use crate::domain::project::Project;
use crate::domain::release::{OutputFormat, Part, Release};
use crate::domain::schema::Schema;
use crate::domain::signature::{Signature, VerifyKey};
use crate::domain::user::{Email, User};

pub use asked::{DecisionRecord, RequestRecord};

/// One revision of an object, on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried<B> {
    /// The object.
    pub id: Uuid,
    /// Its home: the sender or, of what is given back, the receiver. It is checked on arrival.
    pub home: NodeId,
    /// The revision's number.
    pub number: u64,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// The root of the batch that it belongs to.
    pub root: Uuid,
    /// The fields that travel.
    pub body: B,
}

/// What may go up, from low to high.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Upward {
    /// The public part of a person.
    User(UserRecord),
    /// A project.
    Project(ProjectRecord),
    /// Submitted code.
    Code(CodeRecord),
    /// A request to run code, or to see private data. One for bytes that are open already has no record.
    Request(RequestRecord),
    /// A decision made on the low side; it authorises nothing on the high side.
    Decision(DecisionRecord),
    /// A low-born dataset.
    Dataset(DatasetRecord),
    /// An asset of one.
    Asset(AssetRecord),
}

/// What may go down, from high to low. It has no variant that could hold anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Downward {
    /// A decision on one of the receiver's requests.
    Decision(DecisionRecord),
    /// A dataset that was published to the receiver.
    Dataset(DatasetRecord),
    /// An asset of one.
    Asset(AssetRecord),
    /// That one of the receiver's requests ran.
    Job(JobRecord),
    /// A released result, log or failure report; its bytes travel as a blob.
    Release(ReleaseRecord),
    /// What the receiver has sent itself, and has forgotten since its store was set back.
    Returned(Own),
}

/// What a low node is the home of, on its way back to it, exactly as it came from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Own(Upward);

impl Own {
    /// Of an object that came from the low node `receiver`.
    ///
    /// # Errors
    /// It has its home elsewhere, or is not what came from there to the letter: the digest of its revision covers all of it.
    pub fn of(object: &Object, receiver: NodeId) -> Result<Self, DoesNotTravel> {
        let as_it_came = digest(object.id, receiver, object.deleted, &object.body)
            .is_ok_and(|digest| digest == object.revision.digest);
        if object.home != receiver || !as_it_came {
            return Err(DoesNotTravel(object.kind().word()));
        }
        Upward::of(&object.body).map(Self)
    }
}

/// A person, without account or password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRecord {
    name: String,
    email: Email,
    institution: String,
    website: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verify_key: Option<VerifyKey>,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectRecord {
    name: String,
    description: String,
    creator: UserId,
    members: Vec<UserId>,
    started: bool,
}

/// Code with its policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeRecord {
    name: String,
    author: UserId,
    source: String,
    entry_point: String,
    parameters: BTreeMap<String, Binding>,
    output_policy: OutputPolicy,
    hash: Hash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<Signature>,
}

/// A dataset's catalogue entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetRecord {
    name: String,
    description: String,
    citation: String,
    url: String,
    contributors: Vec<ContributorRecord>,
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Visibility::is_default")]
    visibility: Visibility,
    #[serde(default, skip_serializing_if = "MockAccess::is_default")]
    mocks: MockAccess,
}

/// A contributor of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContributorRecord {
    role: String,
    name: String,
    email: Email,
}

/// An asset: its mock travels as a blob, its private data does not travel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetRecord {
    dataset: DatasetId,
    name: String,
    description: String,
    mock: Option<MockRecord>,
}

/// The mock of an asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MockRecord {
    blob: Hash,
    length: u64,
    format: DataFormat,
    schema: Schema,
    is_real: bool,
}

/// That a job ran, and whether it failed. No time of day, no duration, no count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRecord {
    request: RequestId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<CodeId>,
    verdict: job::Verdict,
    on: Date,
}

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRecord {
    job: JobId,
    request: RequestId,
    part: Part,
    blob: Hash,
    length: u64,
    format: OutputFormat,
    by_name: String,
    on: Date,
}

/// The body is none of this direction's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {0} does not travel in this direction")]
pub struct DoesNotTravel(pub &'static str);

/// A record of one direction: made of a body's allowed fields, and turned into a body on arrival.
pub trait Direction: Serialize + DeserializeOwned + Clone + std::fmt::Debug {
    /// Takes the fields that travel in this direction.
    ///
    /// # Errors
    /// The body has no record in this direction.
    fn of(body: &Body) -> Result<Self, DoesNotTravel>;

    /// The body as the receiver keeps it.
    fn into_body(self) -> Body;

    /// Whether it gives back what is the receiver's own.
    fn is_returned(&self) -> bool {
        false
    }
}

impl Direction for Upward {
    fn of(body: &Body) -> Result<Self, DoesNotTravel> {
        Ok(match body {
            Body::User(user) => Self::User(user.into()),
            Body::Project(project) => Self::Project(project.into()),
            Body::Code(code) => Self::Code(code.into()),
            Body::Request(request) => Self::Request(RequestRecord::of(request)?),
            Body::Decision(decision) => Self::Decision(DecisionRecord::of(decision)?),
            Body::Dataset(dataset) => Self::Dataset(dataset.into()),
            Body::Asset(asset) => Self::Asset(asset.into()),
            Body::Job(_) | Body::Release(_) => return Err(DoesNotTravel(body.kind().word())),
        })
    }

    fn into_body(self) -> Body {
        match self {
            Self::User(record) => Body::User(record.into()),
            Self::Project(record) => Body::Project(record.into()),
            Self::Code(record) => Body::Code(record.into()),
            Self::Request(record) => Body::Request(record.into()),
            Self::Decision(record) => Body::Decision(record.into()),
            Self::Dataset(record) => Body::Dataset(record.into()),
            Self::Asset(record) => Body::Asset(record.into()),
        }
    }
}

impl Direction for Downward {
    fn of(body: &Body) -> Result<Self, DoesNotTravel> {
        Ok(match body {
            Body::Decision(decision) => Self::Decision(DecisionRecord::of(decision)?),
            Body::Dataset(dataset) => Self::Dataset(dataset.into()),
            Body::Asset(asset) => Self::Asset(asset.into()),
            Body::Job(job) => Self::Job(job.into()),
            Body::Release(release) => Self::Release(release.into()),
            Body::User(_) | Body::Project(_) | Body::Code(_) | Body::Request(_) => {
                return Err(DoesNotTravel(body.kind().word()));
            }
        })
    }

    fn into_body(self) -> Body {
        match self {
            Self::Decision(record) => Body::Decision(record.into()),
            Self::Dataset(record) => Body::Dataset(record.into()),
            Self::Asset(record) => Body::Asset(record.into()),
            Self::Job(record) => Body::Job(record.into()),
            Self::Release(record) => Body::Release(record.into()),
            Self::Returned(Own(record)) => record.into_body(),
        }
    }

    fn is_returned(&self) -> bool {
        matches!(self, Self::Returned(_))
    }
}

/// The digest of one revision: the hash of what of it travels, with its id, home and tombstone, but not its number, so that
/// both sides compute the same for the same content.
///
/// # Errors
/// The body cannot be encoded (a float, which bundles do not carry).
pub fn digest(id: Uuid, home: NodeId, deleted: bool, body: &Body) -> Result<Hash, cbor::CborError> {
    #[derive(Serialize)]
    struct Digested<B> {
        id: Uuid,
        home: NodeId,
        deleted: bool,
        body: B,
    }
    let bytes = match (Upward::of(body), Downward::of(body)) {
        (Ok(body), _) => cbor::to_deterministic_vec(&Digested {
            id,
            home,
            deleted,
            body,
        })?,
        (_, Ok(body)) => cbor::to_deterministic_vec(&Digested {
            id,
            home,
            deleted,
            body,
        })?,
        // What has no record stays here, and so does its digest: it covers all of the body.
        (Err(_), Err(_)) => cbor::to_deterministic_vec(&Digested {
            id,
            home,
            deleted,
            body,
        })?,
    };
    Ok(Hash::derive("poundlock revision 1", &bytes))
}

/// Writes `From` in both directions between a body and its record, field by field, so that a field that is added to a body
/// does not travel until it is named here.
macro_rules! allow_list {
    ($($body:ident <=> $record:ident { $($field:ident),+ };)*) => {$(
        impl From<&$body> for $record {
            fn from(body: &$body) -> Self {
                Self { $($field: body.$field.clone()),+ }
            }
        }

        impl From<$record> for $body {
            fn from(record: $record) -> Self {
                Self { $($field: record.$field),+ }
            }
        }
    )*};
}

allow_list! {
    User <=> UserRecord { name, email, institution, website, verify_key };
    Project <=> ProjectRecord { name, description, creator, members, started };
    Job <=> JobRecord { request, code, verdict, on };
    Release <=> ReleaseRecord { job, request, part, blob, length, format, by_name, on };
    Mock <=> MockRecord { blob, length, format, schema, is_real };
    Contributor <=> ContributorRecord { role, name, email };
}

impl From<&Code> for CodeRecord {
    fn from(code: &Code) -> Self {
        Self {
            name: code.name.clone(),
            author: code.author,
            source: code.source.clone(),
            entry_point: code.entry_point.clone(),
            parameters: code.input_policy.parameters.clone(),
            output_policy: code.output_policy,
            hash: code.hash,
            signature: code.signature,
        }
    }
}

impl From<CodeRecord> for Code {
    fn from(record: CodeRecord) -> Self {
        Self {
            name: record.name,
            author: record.author,
            source: record.source,
            entry_point: record.entry_point,
            input_policy: InputPolicy {
                parameters: record.parameters,
            },
            output_policy: record.output_policy,
            hash: record.hash,
            signature: record.signature,
        }
    }
}

impl From<&Dataset> for DatasetRecord {
    fn from(dataset: &Dataset) -> Self {
        Self {
            name: dataset.name.clone(),
            description: dataset.description.clone(),
            citation: dataset.citation.clone(),
            url: dataset.url.clone(),
            contributors: dataset.contributors.iter().map(Into::into).collect(),
            tags: dataset.tags.clone(),
            visibility: dataset.visibility.clone(),
            mocks: dataset.mocks,
        }
    }
}

impl From<DatasetRecord> for Dataset {
    fn from(record: DatasetRecord) -> Self {
        Self {
            name: record.name,
            description: record.description,
            citation: record.citation,
            url: record.url,
            contributors: record.contributors.into_iter().map(Into::into).collect(),
            tags: record.tags,
            visibility: record.visibility,
            mocks: record.mocks,
        }
    }
}

impl From<&Asset> for AssetRecord {
    fn from(asset: &Asset) -> Self {
        Self {
            dataset: asset.dataset,
            name: asset.name.clone(),
            description: asset.description.clone(),
            mock: asset.mock.as_ref().map(Into::into),
        }
    }
}

impl From<AssetRecord> for Asset {
    fn from(record: AssetRecord) -> Self {
        Self {
            dataset: record.dataset,
            name: record.name,
            description: record.description,
            mock: record.mock.map(Into::into),
        }
    }
}
