//! Attaching private data, which stays on this node.

use actix_web::web::Path;
use maud::html;
use uuid::Uuid;

use super::{address, format, owned, shared_rows};
use crate::api::asset_uploads::{self, PrivateUpload};
use crate::api::blocking::off_the_arbiter;
use crate::domain::id::AssetId;
use crate::pages::piece::schema::schema;
use crate::pages::piece::text::reveal;
use crate::pages::upload::Upload;
use crate::pages::{Answer, Confirm, Field, Filled, Form, Notice, Problem, Site, Visit};

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/assets/{id}/private", show);
    site.post("/assets/{id}/private", take);
    site.get("/assets/{id}/private/removal", confirm_removal);
    site.post("/assets/{id}/private/removal", remove);
}

async fn show(visit: Visit, id: Path<Uuid>) -> Answer {
    page(&visit, AssetId(*id), &Filled::default()).await
}

async fn page(visit: &Visit, id: AssetId, filled: &Filled) -> Answer {
    let found = owned(visit, id).await?;
    if !visit.side.holds_private_data() {
        return Err(Problem::not_found(
            "this node holds no private data; attach it on the high side",
        ));
    }
    let at = address(id);
    let attached = found.owned.as_ref().and_then(Option::as_ref);
    Ok(visit
        .page("Private data")
        .trail(found.trail_below())
        .status(filled.status())
        .body(html! {
            p.lead { "What is attached here stays on this node. Approved code receives it in the sandbox, and nothing of it leaves without a release." }
            (filled.summary())
            div.card.narrow {
                (visit.upload_form(&format!("{at}/private"), html! {
                    (filled.file(&Field::new("file", "File").hint("A table as .csv or .parquet, or a tensor as .npy, with the columns and types of the mock."), ".csv,.parquet,.npy"))
                    div.actions { button.primary { (if attached.is_some() { "Replace what is attached" } else { "Attach it" }) } a.button href=(at) { "Cancel" } }
                }))
            }
            @if let Some(private) = attached {
                h2 { "What is attached" }
                (schema(&private.schema))
                div.actions { a.button href=(format!("{at}/private/removal")) { "Remove it" } }
            }
        }))
}

async fn confirm_removal(visit: Visit, id: Path<Uuid>) -> Answer {
    let id = AssetId(*id);
    let found = owned(&visit, id).await?;
    let at = format!("{}/private", address(id));
    Ok(Confirm {
        title: "Remove the private data?",
        explained: html! {
            p { strong { (reveal(&found.asset.name)) } }
            p { "The data is deleted from this node and cannot be brought back, but from a backup. Code runs on the mock alone until other data is \
                attached. Results that runs have returned stay with them." }
        },
        action: &format!("{at}/removal"),
        hidden: &[],
        button: "Remove the private data",
        dangerous: true,
        back: &at,
    }
    .page(&visit))
}

async fn remove(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id, context) = (form.actor.clone(), AssetId(*id), form.context.clone());
    off_the_arbiter(move || asset_uploads::remove_private(&context, actor, id)).await??;
    Ok(form.go_and_say(&address(id), &Notice::done("The private data is removed.")))
}

async fn take(mut upload: Upload, id: Path<Uuid>) -> Answer {
    let id = AssetId(*id);
    match taken(&mut upload, id).await {
        Ok(shared) => {
            let notice = match shared_rows(shared) {
                Some(shared) => Notice::warning(format!("The private data is attached. {shared}")),
                None => Notice::done("The private data is attached. It stays on this node."),
            };
            Ok(upload.go_and_say(&address(id), &notice))
        }
        Err(problem) => page(&upload.visit, id, &Filled::refused(&upload.fields, problem)?).await,
    }
}

async fn taken(upload: &mut Upload, asset: AssetId) -> Result<u64, Problem> {
    let wanted = PrivateUpload {
        actor: upload.actor.clone(),
        asset,
        format: format(upload)?,
    };
    asset_uploads::may_attach(&upload.context, &wanted).await?;
    let (context, most) = (upload.context.clone(), upload.context.config.server.upload_bytes);
    let taken = upload.receive(most, move |body| asset_uploads::private(&context, &wanted, body));
    Ok(taken.await?.rows_shared_with_mock)
}
