//! A whole dataset from one archive.

use actix_web::HttpResponse;
use maud::html;

use super::address;
use super::editing::{SEEN_BY, groups, may, visibility};
use crate::api::archive_uploads::{self, Generate, ImportWanted, Imported};
use crate::api::asset_uploads;
use crate::domain::archive::{HeaderChoice, Headers};
use crate::domain::id::DatasetId;
use crate::pages::piece::number::count;
use crate::pages::upload::Upload;
use crate::pages::{Answer, Field, Filled, Notice, Problem, Site, Visit};

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/datasets/archive", show);
    site.post("/datasets/archive", take);
}

const HEADERS: [(&str, &str); 3] = [
    ("auto", "As the first line of each tells"),
    ("present", "All of them: the first line names the columns"),
    ("absent", "None of them: they are arrays of numbers"),
];

async fn show(visit: Visit) -> Answer {
    may(&visit)?;
    let usual = Filled::with([
        ("mock_rows", "100"),
        ("visibility", "signed_in"),
        ("header", "auto"),
    ]);
    Ok(page(&visit, &usual))
}

fn page(visit: &Visit, filled: &Filled) -> HttpResponse {
    let private = visit.side.holds_private_data();
    let lead = if private {
        "The files become the private data of its assets, and stay on this node."
    } else {
        "The files become the mocks of its assets, which scientists see."
    };
    let archive = Field::new("file", "Archive").hint(
        "A .tar.gz of one folder with .csv, .parquet and .npy files, and if you like the texts description, manifest, tags \
         and ranges. It is taken whole, or not at all.",
    );
    let rows = Field::new("mock_rows", "Rows of each mock")
        .kind("number")
        .hint("Only where mocks are made up.")
        .optional();
    visit
        .page("A dataset from an archive")
        .trail([("Datasets", "/datasets")])
        .status(filled.status())
        .body(html! {
            p.lead { (lead) }
            (filled.summary())
            div.card.narrow {
                (visit.upload_form("/datasets/archive", html! {
                    (filled.input(&Field::new("name", "Name").hint("That of the folder if you leave it empty.").optional()))
                    (filled.choice(&Field::new("visibility", "Who may know of it"), SEEN_BY))
                    (groups(filled))
                    (filled.choice(&Field::new("header", "Which CSV files have a header"), HEADERS))
                    @if private {
                        (filled.check("generate", "Make mocks up", "Of the names and types of columns, which scientists see then, and of the ranges in the archive. No value is read."))
                        (filled.input(&rows))
                    }
                    (filled.file(&archive, ".gz,.tgz"))
                    div.actions { button.primary { "Take it in" } a.button href="/datasets" { "Cancel" } }
                }))
            }
        })
}

async fn take(mut upload: Upload) -> Answer {
    match taken(&mut upload).await {
        Ok(imported) => {
            let made = count(imported.shown.assets.len(), "asset");
            let said = match imported.ignored.len() {
                0 => format!("The dataset is made, with {made}."),
                ignored => format!(
                    "The dataset is made, with {made}. {} of the archive were not read.",
                    count(ignored, "member")
                ),
            };
            let dataset = DatasetId(imported.shown.dataset.id);
            Ok(upload.go_and_say(&address(dataset), &Notice::done(said)))
        }
        Err(problem) => Ok(page(&upload.visit, &Filled::refused(&upload.fields, problem)?)),
    }
}

async fn taken(upload: &mut Upload) -> Result<Imported, Problem> {
    may(upload)?;
    let fields = &upload.fields;
    let generate = match fields.has("generate") {
        true => Some(Generate {
            rows: fields.parsed("mock_rows", "a number of rows")?,
            seed: asset_uploads::seed(),
        }),
        false => None,
    };
    let wanted = ImportWanted {
        actor: upload.actor.clone(),
        name: fields.given("name").map(str::to_owned),
        visibility: visibility(fields)?.checked()?,
        headers: Headers::new(match fields.get("header") {
            "present" => HeaderChoice::Present,
            "absent" => HeaderChoice::Absent,
            _ => HeaderChoice::Auto,
        }),
        generate,
    };
    archive_uploads::may_import(&upload.context, &wanted).await?;
    let (context, most) = (upload.context.clone(), upload.context.config.server.upload_bytes);
    let taken = upload.receive(most, move |body| archive_uploads::import(&context, &wanted, body));
    taken.await
}
