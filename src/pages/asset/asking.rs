//! Asking to see what is not open: a mock that is handed out on request, or the private data itself.

use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::{Found, address, read};
use crate::actors::ActError;
use crate::actors::triage::{Ask, Petition};
use crate::acts::projects;
use crate::acts::requests::SightDraft;
use crate::domain::access::Permission;
use crate::domain::id::{AssetId, DecisionId, ProjectId, RequestId};
use crate::domain::request::Sight;
use crate::domain::text::Invalid;
use crate::pages::visit::Shell;
use crate::pages::{Answer, Field, Fields, Filled, Form, Problem, Site, Visit};

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/assets/{id}/requests/new", show);
    site.post("/assets/{id}/requests/new", ask);
}

/// What a scientist can do with the asset.
pub(super) fn offered(visit: &Shell, found: &Found) -> Markup {
    if !visit.side.takes_scientists() || !visit.may(Permission::SubmitRequests) {
        return html! {};
    }
    let id = found.object.id;
    let ask = |what: &str| format!("/assets/{id}/requests/new?what={what}");
    html! {
        div.actions {
            a.button.primary href=(format!("/codes/new?asset={id}")) { "Write code for it" }
            @if found.asset.mock.is_some() && !found.open { a.button href=(ask("mock")) { "Ask for the mock" } }
            a.button.quiet href=(ask("private_data")) { "Ask for the private data itself" }
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Mock,
    PrivateData,
}

impl What {
    fn of(fields: &Fields) -> Result<Self, Problem> {
        match fields.get("what") {
            "mock" => Ok(Self::Mock),
            "private_data" => Ok(Self::PrivateData),
            _ => Err(Invalid::new("what", "must be mock or private_data").into()),
        }
    }
}

async fn show(visit: Visit, id: Path<Uuid>, query: Fields) -> Answer {
    let what = What::of(&query)?;
    let carried = Filled::with([("what", query.get("what"))]);
    page(&visit, AssetId(*id), what, &carried).await
}

async fn page(visit: &Visit, id: AssetId, what: What, filled: &Filled) -> Answer {
    visit.demand("POST", "/requests")?;
    let found = read(visit, id).await?;
    let actor = visit.actor.clone();
    let own = visit.read(move |view| projects::open_to(view, &actor)).await?;
    let own: Vec<_> = own.into_iter().map(|(id, name)| (id.to_string(), name)).collect();
    let (title, meaning) = match what {
        What::Mock => (
            "Ask for the mock",
            "Whoever looks after requests on this node decides. If it is granted, you may download the mock and run code on it.",
        ),
        What::PrivateData => (
            "Ask for the private data itself",
            "It is decided by the data's owner, and seldom granted: code that computes what you need is the usual way. If it \
             is, the data comes back like a result.",
        ),
    };
    Ok(visit
        .page(title)
        .trail(found.trail_below())
        .status(filled.status())
        .body(html! {
            p.lead { (meaning) }
            (filled.summary())
            div.card.narrow {
                @if what == What::PrivateData && own.is_empty() {
                    p { "Such a request is made inside a project that is started. " a href="/projects/new" { "Begin one" } "." }
                } @else {
                    (visit.form(&format!("{}/requests/new", address(id)), html! {
                        input type="hidden" name="what" value=(filled.fields().get("what"));
                        @if what == What::PrivateData { (filled.choice(&Field::new("project", "Project"), own)) }
                        (filled.area(&Field::new("reason", "Reason").hint("What you need it for. Whoever decides reads it."), 5))
                        div.actions { button.primary { "Submit the request" } a.button href=(address(id)) { "Cancel" } }
                    }))
                }
            }
        }))
}

async fn ask(form: Form, id: Path<Uuid>) -> Answer {
    let (id, what) = (AssetId(*id), What::of(&form.fields)?);
    match asked(&form, id, what).await {
        Ok(request) => Ok(form.go(&format!("/requests/{request}"))),
        Err(problem) => page(&form, id, what, &Filled::refused(&form.fields, problem)?).await,
    }
}

async fn asked(form: &Form, asset: AssetId, what: What) -> Result<RequestId, Problem> {
    let (sight, project) = match what {
        What::Mock => (Sight::Mock(asset), None),
        What::PrivateData => (
            Sight::PrivateData(asset),
            Some(ProjectId(form.fields.parsed("project", "one of your projects")?)),
        ),
    };
    let draft = SightDraft {
        sight,
        project,
        reason: form.fields.get("reason").to_owned(),
        predecessor: None,
        signature: None,
    };
    let request = RequestId(form.context.new_id());
    let ask = Ask {
        actor: form.actor.clone(),
        request,
        petition: Petition::See(draft, DecisionId(form.context.new_id())),
    };
    form.context.triage.send(ask).await.map_err(ActError::from)??;
    Ok(request)
}
