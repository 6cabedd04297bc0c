//! Giving an asset its mock: from a file, or made of what its owner declares.

use actix_web::web::Path;
use maud::html;
use uuid::Uuid;

use super::{Found, address, format, owned, shared_rows};
use crate::acts::assets;
use crate::api::asset_uploads::{self, MockUpload};
use crate::api::blocking::off_the_arbiter;
use crate::domain::asset::DataFormat;
use crate::domain::id::AssetId;
use crate::domain::mock::{MockColumn, MockPlan, MockType};
use crate::domain::schema::Schema;
use crate::domain::text::Invalid;
use crate::pages::upload::Upload;
use crate::pages::{Answer, Confirm, Field, Fields, Filled, Form, Notice, Problem, Site, Visit};

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/assets/{id}/mock/change", show);
    site.post("/assets/{id}/mock/change", take);
    site.post("/assets/{id}/mock/generation", generate);
    site.get("/assets/{id}/mock/removal", confirm_removal);
    site.post("/assets/{id}/mock/removal", remove);
}

/// Rows of a mock unless its owner says otherwise.
const ROWS: &str = "100";

async fn show(visit: Visit, id: Path<Uuid>) -> Answer {
    page(&visit, AssetId(*id), None).await
}

async fn page(visit: &Visit, id: AssetId, refused: Option<Filled>) -> Answer {
    let found = owned(visit, id).await?;
    let filled =
        refused.unwrap_or_else(|| Filled::with([("rows", ROWS.to_owned()), ("columns", columns(&found))]));
    let at = address(id);
    let columns = Field::new("columns", "Columns").hint(
        "One a line: a name, a colon and a type, which is one of int, float, bool, string, decimal, date, time, timestamp. \
         Then, if you like, each after a comma: min=0, max=120, choices=f|m, missing=0.1 (a tenth has no value).",
    );
    let real = if visit.side.holds_private_data() {
        "That is a release: everybody who may have the mock gets the real data."
    } else {
        "For data that is open anyway."
    };
    Ok(visit
        .page("The mock")
        .trail(found.trail_below())
        .status(filled.status())
        .body(html! {
            p.lead { "Scientists see the mock, and try their code on it. It has the columns and types of the private data, and none of its values." }
            (filled.summary())
            div.columns {
                section.card {
                    h2 { "Make one up" }
                    p.soft { "The values are random. Nothing is read of the private data but the names and types of its columns, if some is attached." }
                    (visit.form(&format!("{at}/mock/generation"), html! {
                        (filled.input(&Field::new("rows", "Rows").kind("number")))
                        (filled.area(&columns, 10))
                        (filled.input(&Field::new("seed", "Seed").kind("number").hint("The same seed makes the same mock again.").optional()))
                        div.actions { button.primary { "Make the mock" } a.button href=(at) { "Cancel" } }
                    }))
                }
                div.side-column {
                    section.card {
                        h2 { "From a file" }
                        (visit.upload_form(&format!("{at}/mock/change"), html! {
                            (filled.check("is_real", "The file is the real data, or holds rows of it", real))
                            (filled.file(&Field::new("file", "File").hint("A table as .csv or .parquet, or a tensor as .npy."), ".csv,.parquet,.npy"))
                            div.actions { button { "Upload the mock" } }
                        }))
                    }
                    @if found.asset.mock.is_some() {
                        section.card.acts {
                            h2 { "None" }
                            div.actions { a.button.danger href=(format!("{at}/mock/removal")) { "Remove the mock" } }
                        }
                    }
                }
            }
        }))
}

/// The columns of what is attached, or of the mock that there is, to begin with.
fn columns(found: &Found) -> String {
    let private = found.owned.as_ref().and_then(Option::as_ref);
    let known = private
        .map(|private| &private.schema)
        .or(found.asset.mock.as_ref().map(|mock| &mock.schema));
    let Some(Schema::Table { columns, .. }) = known else {
        return String::new();
    };
    let lines = columns.iter().filter_map(|column| {
        let declared = MockColumn {
            name: column.name.clone(),
            dtype: MockType::of(column.dtype)?,
            min: None,
            max: None,
            choices: Vec::new(),
            missing: 0.0,
        };
        Some(declared.to_string())
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What was declared.
fn plan(fields: &Fields) -> Result<MockPlan, Problem> {
    let lines = fields.get("columns").lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let columns = lines.map(|(at, line)| {
        let column: Result<MockColumn, _> = line.trim().parse();
        column.map_err(|wrong| Invalid::new("columns", format!("line {}: {wrong}", at + 1)))
    });
    let columns: Vec<_> = columns.collect::<Result<_, _>>()?;
    let rows = fields.parsed("rows", "a number of rows")?;
    // What is wrong with one column is named by its place, e.g. `columns[2].min`; the form has one field for all.
    MockPlan::new(&columns, rows).map_err(|wrong| match wrong.field.split_once('[') {
        Some((_, place)) => Invalid::new(
            "columns",
            format!("at {}: {}", place.replace(']', ""), wrong.problem),
        )
        .into(),
        None => wrong.into(),
    })
}

fn done(visit: &Visit, id: AssetId, shared: u64) -> Answer {
    let notice = match shared_rows(shared) {
        Some(shared) => Notice::warning(format!("The asset has its mock. {shared}")),
        None => Notice::done("The asset has its mock."),
    };
    Ok(visit.go_and_say(&address(id), &notice))
}

async fn generate(form: Form, id: Path<Uuid>) -> Answer {
    let id = AssetId(*id);
    match generated(&form, id).await {
        Ok(shared) => done(&form, id, shared),
        Err(problem) => page(&form, id, Some(Filled::refused(&form.fields, problem)?)).await,
    }
}

async fn generated(form: &Form, asset: AssetId) -> Result<u64, Problem> {
    let upload = MockUpload {
        actor: form.actor.clone(),
        asset,
        format: DataFormat::Csv,
        is_real: false,
    };
    asset_uploads::may_set_mock(&form.context, &upload).await?;
    let plan = plan(&form.fields)?;
    let seed = match form.fields.given("seed") {
        Some(_) => form.fields.parsed("seed", "a whole number")?,
        None => asset_uploads::seed(),
    };
    let context = form.context.clone();
    let made = off_the_arbiter(move || asset_uploads::generated_mock(&context, &upload, &plan, seed));
    let (_, shared) = made.await??;
    Ok(shared)
}

async fn take(mut upload: Upload, id: Path<Uuid>) -> Answer {
    let id = AssetId(*id);
    match taken(&mut upload, id).await {
        Ok(shared) => done(&upload.visit, id, shared),
        Err(problem) => {
            let filled = Filled::refused(&upload.fields, problem)?;
            page(&upload.visit, id, Some(filled)).await
        }
    }
}

async fn taken(upload: &mut Upload, asset: AssetId) -> Result<u64, Problem> {
    let wanted = MockUpload {
        actor: upload.actor.clone(),
        asset,
        format: format(upload)?,
        is_real: upload.fields.has("is_real"),
    };
    asset_uploads::may_set_mock(&upload.context, &wanted).await?;
    let (context, most) = (upload.context.clone(), upload.context.config.server.upload_bytes);
    let taken = upload.receive(most, move |body| asset_uploads::mock(&context, &wanted, body));
    let (_, shared) = taken.await?;
    Ok(shared)
}

async fn confirm_removal(visit: Visit, id: Path<Uuid>) -> Answer {
    let id = AssetId(*id);
    let found = owned(&visit, id).await?;
    Ok(Confirm {
        title: "Remove the mock?",
        explained: html! {
            p { strong { (crate::pages::piece::text::reveal(&found.asset.name)) } }
            p { "Scientists see no columns of it any more, and cannot try code on it. Those who have downloaded the mock keep it." }
        },
        action: &format!("{}/mock/removal", address(id)),
        hidden: &[],
        button: "Remove the mock",
        dangerous: true,
        back: &address(id),
    }
    .page(&visit))
}

async fn remove(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), AssetId(*id));
    form.context
        .store
        .act(move |tx, here| assets::remove_mock(tx, &actor, here, id))
        .await?;
    Ok(form.go_and_say(&address(id), &Notice::done("The asset has no mock any more.")))
}
