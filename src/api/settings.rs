//! The owner's settings, typed and ready for a page, each with who last changed it.

use actix_web::{HttpResponse, get, patch, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{Answer, Context, Json, SignedIn};
use crate::acts::{Refusal, settings};
use crate::domain::settings::{Changed, Key, Settings, Value};
use crate::store::read::Read;

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes.service(show).service(change);
}

/// The settings: each by its name, and all described.
#[derive(Debug, Serialize, ToSchema)]
struct NodeSettings {
    /// How the node is called.
    name: String,
    /// Who runs it.
    organization: String,
    /// What it is for.
    description: String,
    /// Whether scientists may register themselves.
    allow_registration: bool,
    /// Whether guests may browse what is visible to everybody.
    allow_guests: bool,
    /// Whether scientists may run code on mock data here.
    allow_mock_runs: bool,
    /// Whether everybody must have a second factor.
    require_second_factor: bool,
    /// Each of them for a page.
    details: Vec<Detail>,
}

/// A setting, for a page.
#[derive(Debug, Serialize, ToSchema)]
struct Detail {
    /// Its name above.
    key: &'static str,
    /// What a page calls it.
    title: &'static str,
    /// What it does.
    meaning: &'static str,
    /// `text` or `switch`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Who last changed it; none where it is as the node was made.
    changed: Option<ChangedView>,
}

/// Who changed a setting, and when.
#[derive(Debug, Serialize, ToSchema)]
struct ChangedView {
    /// Who.
    by: Uuid,
    /// How they were called.
    by_name: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<Changed> for ChangedView {
    fn from(changed: Changed) -> Self {
        Self {
            by: changed.by.0,
            by_name: changed.by_name,
            at: changed.at,
        }
    }
}

fn shown(read: &impl Read, settings: Settings) -> Result<NodeSettings, Refusal> {
    let mut details = Vec::with_capacity(Key::ALL.len());
    for key in Key::ALL {
        details.push(Detail {
            key: key.word(),
            title: key.title(),
            meaning: key.meaning(),
            kind: if key.is_text() { "text" } else { "switch" },
            changed: settings::changed(read, key)?.map(Into::into),
        });
    }
    Ok(NodeSettings {
        name: settings.name,
        organization: settings.organization,
        description: settings.description,
        allow_registration: settings.allow_registration,
        allow_guests: settings.allow_guests,
        allow_mock_runs: settings.allow_mock_runs,
        require_second_factor: settings.require_second_factor,
        details,
    })
}

/// The owner's settings.
#[utoipa::path(tag = "settings", security(("token" = [])), responses(
    (status = 200, description = "The settings", body = NodeSettings), (status = 401, description = "Not signed in")))]
#[get("")]
async fn show(context: web::Data<Context>, _who: SignedIn) -> Answer {
    let settings = context
        .store
        .read(|view| shown(view, settings::current(view)?))
        .await?;
    Ok(HttpResponse::Ok().json(settings))
}

/// What shall change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SettingsBody {
    /// How the node is called.
    name: Option<String>,
    /// Who runs it.
    organization: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Whether scientists may register themselves.
    allow_registration: Option<bool>,
    /// Whether guests may browse what is visible to everybody.
    allow_guests: Option<bool>,
    /// Whether scientists may run code on mock data here.
    allow_mock_runs: Option<bool>,
    /// Whether everybody must have a second factor; whoever demands it has one.
    require_second_factor: Option<bool>,
}

impl SettingsBody {
    fn changes(self) -> Vec<(Key, Value)> {
        let text = |key, value: Option<String>| value.map(|value| (key, Value::Text(value)));
        let switch = |key, value: Option<bool>| value.map(|value| (key, Value::Switch(value)));
        [
            text(Key::Name, self.name),
            text(Key::Organization, self.organization),
            text(Key::Description, self.description),
            switch(Key::AllowRegistration, self.allow_registration),
            switch(Key::AllowGuests, self.allow_guests),
            switch(Key::AllowMockRuns, self.allow_mock_runs),
            switch(Key::RequireSecondFactor, self.require_second_factor),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Changes the owner's settings. Each that becomes another is in the audit chain.
#[utoipa::path(tag = "settings", security(("token" = [])), request_body = SettingsBody, responses(
    (status = 200, description = "The settings as they are now", body = NodeSettings),
    (status = 400, description = "A field is wrong"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"),
    (status = 409, description = "A second factor is demanded by somebody who has none")))]
#[patch("")]
async fn change(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<SettingsBody>,
) -> Answer {
    let changes = body.changes();
    let settings = context
        .store
        .act(move |tx, here| {
            let settings = settings::change(tx, &actor, here, &changes)?;
            shown(tx, settings)
        })
        .await?;
    Ok(HttpResponse::Ok().json(settings))
}
