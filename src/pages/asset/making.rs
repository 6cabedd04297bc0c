//! A new asset of a dataset.

use actix_web::web::Path;
use maud::html;
use uuid::Uuid;

use super::address;
use crate::acts::{Refusal, assets, visible};
use crate::domain::access::{Permission, Viewer};
use crate::domain::id::{AssetId, DatasetId};
use crate::pages::{Answer, Field, Filled, Form, Notice, Problem, Site, Visit};

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/datasets/{id}/assets/new", show);
    site.post("/datasets/{id}/assets/new", create);
}

async fn show(visit: Visit, id: Path<Uuid>) -> Answer {
    page(&visit, DatasetId(*id), &Filled::default()).await
}

async fn page(visit: &Visit, id: DatasetId, filled: &Filled) -> Answer {
    visit
        .actor
        .require(Permission::UploadData)
        .map_err(Refusal::from)?;
    let viewer = Viewer::Person(visit.actor.clone());
    let dataset = visit
        .read(move |view| Ok(visible::dataset(view, &viewer, id)?.body.name))
        .await?;
    let at = format!("/datasets/{id}");
    Ok(visit
        .page("Add an asset")
        .trail([("Datasets", "/datasets"), (dataset.as_str(), at.as_str())])
        .status(filled.status())
        .body(html! {
            p.lead { "An asset is one table or one tensor. It begins without a mock." }
            (filled.summary())
            div.card.narrow {
                (visit.form(&format!("{at}/assets/new"), html! {
                    (filled.input(&Field::new("name", "Name").hint("Unique in the dataset.")))
                    (filled.area(&Field::new("description", "Description").hint("What a row is, what the columns mean. Scientists read it: nothing private belongs into it.").optional(), 6))
                    div.actions { button.primary { "Add the asset" } a.button href=(at) { "Cancel" } }
                }))
            }
        }))
}

async fn create(form: Form, id: Path<Uuid>) -> Answer {
    let id = DatasetId(*id);
    match created(&form, id).await {
        Ok(asset) => Ok(form.go_and_say(&address(asset), &Notice::done("The asset is added."))),
        Err(problem) => page(&form, id, &Filled::refused(&form.fields, problem)?).await,
    }
}

async fn created(form: &Form, dataset: DatasetId) -> Result<AssetId, Problem> {
    let (actor, id) = (form.actor.clone(), AssetId(form.context.new_id()));
    let text = |name: &str| form.fields.get(name).to_owned();
    let (name, description) = (text("name"), text("description"));
    form.context
        .store
        .act(move |tx, here| assets::create(tx, &actor, here, id, dataset, (&name, &description)))
        .await?;
    Ok(id)
}
