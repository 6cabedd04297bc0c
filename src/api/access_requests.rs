//! Requests to see one object, as the officers who decide list them. They are made, shown, decided on and withdrawn like
//! all requests: see `requests`.

use actix_web::{HttpResponse, get, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::signed::Signed;
use super::{Answer, Context, Page, Query, SignedIn, page, schema};
use crate::acts::requests::{self, Described, Filter, Listed};
use crate::domain::id::{AssetId, ReleaseId};
use crate::domain::request::{Sight, SightType, Status};

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(list);
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectType {
    /// The mock of an asset, whose dataset hands mocks out on request. The id is the asset's.
    Mock,
    /// What was released for somebody else's request. The id is the release's.
    Release,
    /// The private data of an asset: it comes as a result that is reviewed and released. The id is the asset's.
    PrivateData,
}

impl From<ObjectType> for SightType {
    fn from(of: ObjectType) -> Self {
        match of {
            ObjectType::Mock => Self::Mock,
            ObjectType::Release => Self::Release,
            ObjectType::PrivateData => Self::PrivateData,
        }
    }
}

impl From<SightType> for ObjectType {
    fn from(of: SightType) -> Self {
        match of {
            SightType::Mock => Self::Mock,
            SightType::Release => Self::Release,
            SightType::PrivateData => Self::PrivateData,
        }
    }
}

/// One object to see.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ObjectBody {
    /// What of it.
    r#type: ObjectType,
    /// Its id.
    id: Uuid,
}

impl ObjectBody {
    pub(super) fn sight(self) -> Sight {
        match self.r#type {
            ObjectType::Mock => Sight::Mock(AssetId(self.id)),
            ObjectType::Release => Sight::Release(ReleaseId(self.id)),
            ObjectType::PrivateData => Sight::PrivateData(AssetId(self.id)),
        }
    }
}

/// An object that somebody asks to see.
#[derive(Debug, Serialize, ToSchema)]
pub struct ObjectShown {
    /// What of it.
    r#type: ObjectType,
    /// Its id.
    id: Uuid,
    /// How people know it; null if it is not here, or you may not know of it.
    title: Option<String>,
    /// The tags of the datasets that its bytes come from; none under the same conditions.
    tags: Vec<String>,
}

impl ObjectShown {
    pub(super) fn of(found: &Described) -> Self {
        Self {
            r#type: found.sight.kind().into(),
            id: found.sight.object(),
            title: found.title.clone(),
            tags: found.tags.clone(),
        }
    }
}

/// A state of a request.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StateWord {
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

impl StateWord {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Expired => "expired",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What has become of a request.
#[derive(Debug, Serialize, ToSchema)]
struct StatusShown {
    /// Its state.
    state: StateWord,
    /// Why it was denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<&Status> for StatusShown {
    fn from(status: &Status) -> Self {
        let (state, reason) = match status {
            Status::Pending => (StateWord::Pending, None),
            Status::Approved => (StateWord::Approved, None),
            Status::Expired => (StateWord::Expired, None),
            Status::Denied { reason } => (StateWord::Denied, Some(reason.clone())),
            Status::Withdrawn => (StateWord::Withdrawn, None),
        };
        Self { state, reason }
    }
}

/// A request to see one object.
#[derive(Debug, Serialize, ToSchema)]
struct AccessRequest {
    /// The request.
    id: Uuid,
    /// What is to be seen.
    object: ObjectShown,
    /// Why.
    reason: String,
    /// Who asks.
    requester: Uuid,
    /// How they are called.
    requester_name: Option<String>,
    /// The project that private data is asked for in.
    project: Option<Uuid>,
    /// What has become of it.
    status: StatusShown,
    /// How it is signed.
    signed: Signed,
    /// When this node first had it.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl AccessRequest {
    fn of(found: Listed) -> Option<Self> {
        let (object, request) = (found.request.object, found.request.body);
        Some(Self {
            id: object.id,
            object: ObjectShown::of(found.sight.as_ref()?),
            project: request.project().map(|project| project.0),
            reason: request.reason,
            requester: request.requester.0,
            requester_name: found.requester_name,
            status: StatusShown::from(&found.status),
            signed: Signed::from(&found.signed),
            created_at: object.created_at,
        })
    }
}

/// Which requests are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// In this state: pending, approved, expired, denied or withdrawn.
    #[param(inline)]
    state: Option<StateWord>,
    /// For this type of thing: mock, release or private_data.
    #[param(inline)]
    r#type: Option<ObjectType>,
    /// Items on the page, from 1 to 200; 50 by default.
    limit: Option<u16>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// The requests to see something that you may see: all of them for those who triage, else your own. Newest first, each with
/// the object's type, id, name and tags.
#[utoipa::path(tag = "access", security(("token" = [])), params(Which), responses(
    (status = 200, description = "A page; it may be short and still name a next one", body = schema::PageOf<AccessRequest>),
    (status = 400, description = "A parameter is wrong"), (status = 401, description = "Not signed in")))]
#[get("")]
async fn list(context: web::Data<Context>, SignedIn(actor): SignedIn, Query(which): Query<Which>) -> Answer {
    let page = Page::new(which.limit, which.cursor);
    let (limit, before) = (page.limit()?, page.after()?);
    let filter = Filter {
        project: None,
        to_see: Some(true),
        of_type: which.r#type.map(Into::into),
        state: which.state.map(|state| state.word().to_owned()),
    };
    let now = context.store.now();
    let (found, next) = context
        .store
        .read_page(move |view| requests::list(view, &actor, now, &filter, before, limit))
        .await?;
    Ok(HttpResponse::Ok().json(schema::PageOf {
        items: found
            .into_iter()
            .filter_map(AccessRequest::of)
            .collect::<Vec<_>>(),
        next: next.as_ref().and_then(page::cursor),
    }))
}
